"""The known truth of the demo, kept aside: states of every day, ice in the soil, and the days on which freezing and thaw began.

Frozen is soil at or below 0 degrees, as at stations. That holds from the first to the last day of the zero curtain, in which soil
stays at 0 degrees with less and less water, or ice. A radiometer sees the water, so the share of ice is kept too: it tells errors
of a map from days on which both words are half true.

No study names a file of it and the pipeline never reads it; benchmarks do. Written without a look at what finds onsets in maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alm_core.cubes.states import FROZEN, THAWED, UNKNOWN
from alm_core.studies.surface_freeze_thaw.files import DAYS_1970, Packing, write_days
from alm_core.studies.surface_freeze_thaw.land import Plateau

FIRST_MONTH, RUN_DAYS = 7, 5
NO_DAY, OUTSIDE = -1, -2


@dataclass(frozen=True)
class Onsets:
    """Of one freezing year, 1 July to 30 June: day 0 is 1 July, NO_DAY where it never happened.

    Attributes
    ----------
    freeze : ndarray
        int16 ``[cell]``: first day of the first five frozen days in a row after the cell was thawed for five.
    thaw : ndarray
        int16 ``[cell]``: first day of the first five thawed days in a row after the last five frozen days in a row.
    """

    freeze: np.ndarray
    thaw: np.ndarray


def onsets(frozen: np.ndarray) -> Onsets:
    """Days on which freezing and thaw began.

    Parameters
    ----------
    frozen : ndarray
        bool ``[day, cell]`` of one freezing year.

    Examples
    --------
    >>> year = np.zeros((365, 1), bool)
    >>> year[120:280] = True
    >>> year[290:293] = True  # too short to count
    >>> found = onsets(year)
    >>> int(found.freeze[0]), int(found.thaw[0])
    (120, 280)
    """
    cold, warm = _runs(frozen), _runs(~frozen)
    begun = cold & np.logical_or.accumulate(warm, axis=0)
    first = np.where(begun.any(axis=0), begun.argmax(axis=0), NO_DAY)
    last = len(cold) - 1 - cold[::-1].argmax(axis=0)
    after = warm & (np.arange(len(warm))[:, None] > last)
    thaw = np.where(cold.any(axis=0) & after.any(axis=0), after.argmax(axis=0), NO_DAY)
    return Onsets(first.astype(np.int16), thaw.astype(np.int16))


def _runs(days: np.ndarray) -> np.ndarray:
    """True on days that begin RUN_DAYS days in a row."""
    return np.lib.stride_tricks.sliding_window_view(days, RUN_DAYS, axis=0).all(axis=-1)


def freezing_year(dates: np.ndarray, year: int) -> np.ndarray:
    """Which days belong to the freezing year that begins in a July, bool ``[day]``."""
    return (dates >= np.datetime64(f"{year}-{FIRST_MONTH:02d}-01")) & (dates < np.datetime64(f"{year + 1}-{FIRST_MONTH:02d}-01"))


def write_states(folder: Path, frozen: np.ndarray, ice_share: np.ndarray, dates: np.ndarray, land: Plateau) -> None:
    """Write ``truth_YYYY.nc`` and ``ice_YYYY.nc``.

    Parameters
    ----------
    folder : Path
    frozen : ndarray
        bool ``[day, cell]`` of every cell of the grid.
    ice_share : ndarray
        0 to 1 ``[day, cell]``: part of the freezing water that is ice.
    dates : ndarray
        datetime64[D] ``[day]`` of one calendar year.
    land : Plateau
    """
    flags = {"flag_values": np.array([THAWED, FROZEN], np.uint8), "flag_meanings": "thawed frozen"}
    state = Packing("state", "true state of the top 5 cm", "1", dtype="uint8", fill=UNKNOWN, attributes=flags)
    ice = Packing("ice_share", "part of the freezing water of the top 5 cm that is ice", "%", dtype="uint8", fill=UNKNOWN)
    states, percent = np.where(frozen, np.uint8(FROZEN), np.uint8(THAWED)), np.rint(100 * ice_share).astype(np.uint8)
    for name, values, packing in (("truth", states, state), ("ice", percent, ice)):
        values[:, ~land.mapped] = UNKNOWN
        path = folder / f"{name}_{str(dates[0])[:4]}.nc"
        write_days(path, land.raster(values), dates, land.grid, packing, title=f"truth: {packing.long_name}")


def write_onsets(folder: Path, frozen: np.ndarray, dates: np.ndarray, land: Plateau) -> None:
    """Write ``freeze_onset.nc`` and ``thaw_onset.nc``, one step for every whole freezing year.

    Parameters
    ----------
    folder : Path
    frozen : ndarray
        bool ``[day, cell]`` of every cell of the grid.
    dates : ndarray
        datetime64[D] ``[day]`` of whole calendar years, two or more.
    land : Plateau
    """
    years = np.unique(dates.astype("datetime64[Y]").astype(int) + 1970)[:-1]
    found = [onsets(frozen[freezing_year(dates, year)]) for year in years]
    begins = np.array([f"{year}-{FIRST_MONTH:02d}-01" for year in years], "datetime64[D]")
    for name in ("freeze", "thaw"):
        values = np.stack([np.where(land.mapped, getattr(one, name), np.int16(OUTSIDE)) for one in found]).astype(np.int16)
        text = f"day on which {'freezing' if name == 'freeze' else 'thaw'} began, 0 is 1 July, {NO_DAY}: never"
        packing = Packing(f"{name}_onset", text, "days", fill=OUTSIDE)
        write_days(folder / f"{name}_onset.nc", land.raster(values), begins, land.grid, packing, title=text, time=DAYS_1970)
