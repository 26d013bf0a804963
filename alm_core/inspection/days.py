"""Runs that map a state of every day: which days there are, where the rasters of a year lie, the values of a year.

A run of days has no sites and no fused value, so the pages of runs of sites have nothing to show of it.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.cubes.states import FROZEN, UNKNOWN
from alm_core.cubes.store import STORE_FILE, CubeStore
from alm_core.errors import AlmError, MissingFileError, StudyError
from alm_core.grid import Grid
from alm_core.mapping import day_files
from alm_core.mapping import phenology as phenology_files
from alm_core.mapping.cog import open_raster
from alm_core.workspace import RECORD, Run, read_json

CUBES, DAYS, PHENOLOGY = "cubes", day_files.FOLDER, phenology_files.FOLDER
FACTS_FILE = "map/days.json"
PHENOLOGY_NAMES = phenology_files.NAMES
TREND = "trend_"
FROZEN_CODE = 128
"""Added to the probability in per cent where the state is frozen, so that one byte holds both."""
LARGEST_PERCENT = 100


@dataclass(frozen=True)
class DayMaps:
    """What a run of days holds.

    Attributes
    ----------
    grid : Grid
    cells : ndarray
        Flat indices of the mapped cells, rising.
    first, last : date
        Of the study.
    years : tuple of int
        Calendar years with maps, rising.
    phenology : tuple of str
        Of `PHENOLOGY_NAMES`, those that are there.
    trends : tuple of str
        Those of them with a trend.
    facts : dict
        What the map stage wrote into map/days.json; empty where it did not.
    """

    grid: Grid
    cells: np.ndarray = field(repr=False)
    first: date
    last: date
    years: tuple[int, ...]
    phenology: tuple[str, ...]
    trends: tuple[str, ...]
    facts: dict[str, Any] = field(repr=False)

    def days_of(self, year: int) -> tuple[date, int]:
        """First mapped day of a year and number of its days."""
        first = max(self.first, date(year, 1, 1))
        return first, (min(self.last, date(year, 12, 31)) - first).days + 1

    def has(self, day: date) -> bool:
        """True of a day of a mapped year of the study."""
        return self.first <= day <= self.last and day.year in self.years

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the cells as their number."""
        plain = {name: value for name, value in vars(self).items() if name not in ("grid", "cells", "first", "last")}
        return plain | {
            "grid": self.grid.to_dict(),
            "cells": int(self.cells.size),
            "first": f"{self.first}",
            "last": f"{self.last}",
        }


def is_of_days(run: Run) -> bool:
    """True of a run that maps days; what can't be read is none."""
    try:
        return bool(run.record["options"].get("days"))
    except (AlmError, LookupError, AttributeError, OSError):
        return False


def mapped_years(run: Run) -> tuple[int, ...]:
    """Calendar years with maps, rising."""
    try:
        return day_files.mapped_years(run.folder)
    except MissingFileError:
        return ()


def day_maps(run: Run) -> DayMaps:
    """What there is to show of a run of days.

    Raises
    ------
    StudyError
        The run maps no days.
    MissingFileError
        It is not mapped yet.
    """
    if not is_of_days(run):
        raise StudyError("This run maps one value per cell and no days: look at the page of the map.")
    return _day_maps(run.folder, _stamps(run.folder))


@lru_cache(maxsize=16)
def _day_maps(folder: Path, stamps: tuple[Any, ...]) -> DayMaps:
    run, store = Run(folder), open_cubes(Run(folder))
    years = mapped_years(run)
    if not years:
        raise MissingFileError("No day of this run is mapped yet: finish the run.")
    names = tuple(name for name in PHENOLOGY_NAMES if (folder / PHENOLOGY / f"{name}.tif").is_file())
    trends = tuple(name for name in names if (folder / PHENOLOGY / f"{TREND}{name}.tif").is_file())
    facts = read_json(folder / FACTS_FILE) if (folder / FACTS_FILE).is_file() else {}
    last = store.first + timedelta(days=store.days - 1)
    return DayMaps(store.grid, store.cells, store.first, last, years, names, trends, facts if isinstance(facts, dict) else {})


def open_cubes(run: Run) -> CubeStore:
    """The cubes of a run, remembered until they change.

    Raises
    ------
    MissingFileError
        There are none yet.
    """
    path = run.folder / CUBES / STORE_FILE
    return _cubes(run.folder / CUBES, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=16)
def _cubes(folder: Path, stamp: int) -> CubeStore:
    return CubeStore.open(folder)


def _stamps(folder: Path) -> tuple[Any, ...]:
    watched = [RECORD, FACTS_FILE, f"{CUBES}/{STORE_FILE}", DAYS, PHENOLOGY]
    return tuple((folder / name).stat().st_mtime_ns if (folder / name).exists() else 0 for name in watched)


# ---- values -------------------------------------------------------------------------------------------------------------


def year_codes(run: Run, year: int, start: int = 0, stop: int | None = None) -> np.ndarray:
    """State and probability of the mapped cells on some days of a year, in one byte each.

    Parameters
    ----------
    run : Run
    year : int
    start, stop : int
        Half open, days from the first mapped day of the year on; default all.

    Returns
    -------
    ndarray
        uint8 ``[day, cell]``: the probability of frozen in per cent, 128 more where the state is frozen; 255 where unknown.

    Raises
    ------
    MissingFileError
        The year is not mapped.
    StudyError
        Its days are not those of the study.
    """
    maps = day_maps(run)
    first, days = maps.days_of(year)
    stop = days if stop is None else min(stop, days)
    bands = list(range(start + 1, stop + 1))
    with open_raster(run.file(f"{DAYS}/state_{year:04d}.tif")) as dataset:
        if dataset.count != days:
            raise StudyError(
                f"The map of {year} has {dataset.count} days, {days} from {first} on are expected. Run the study again."
            )
        state = _cells_of(dataset.read(bands), maps)
    with open_raster(run.file(f"{DAYS}/probability_{year:04d}.tif")) as dataset:
        percent = _cells_of(dataset.read(bands), maps)
    return to_codes(state, percent)


def to_codes(state: np.ndarray, percent: np.ndarray) -> np.ndarray:
    """State and probability of frozen in per cent, uint8 with `UNKNOWN` where missing, as one byte.

    Examples
    --------
    >>> to_codes(np.array([0, 1, 255], np.uint8), np.array([30, 80, 255], np.uint8)).tolist()
    [30, 208, 255]
    """
    unknown = (state == UNKNOWN) | (percent > LARGEST_PERCENT)
    return np.where(unknown, UNKNOWN, percent + np.where(state == FROZEN, FROZEN_CODE, 0).astype(np.uint8)).astype(np.uint8)


def _cells_of(values: np.ndarray, maps: DayMaps) -> np.ndarray:
    """``[day, row, column]`` to ``[day, cell]``."""
    if values.shape[1:] != maps.grid.shape:
        raise StudyError(f"A map has {values.shape[1:]} rows and columns, {maps.grid.shape} are expected. Run the study again.")
    return values.reshape(values.shape[0], -1)[:, maps.cells]


# ---- phenology ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phenology:
    """One number of every freezing year, such as the day of the freeze onset.

    Attributes
    ----------
    name : str
        Of `PHENOLOGY_NAMES`.
    years : tuple of str
        As the bands are called.
    values : ndarray
        float32 ``[year, cell]``, NaN where there is none.
    unit : str
    first_month : int
        The month in which a freezing year begins; onsets are days from its first day on.
    """

    name: str
    years: tuple[str, ...]
    values: np.ndarray = field(repr=False)
    unit: str
    first_month: int

    @property
    def is_date(self) -> bool:
        """True of the onsets."""
        return self.name.endswith("_onset")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"values": self.values.tolist()}


def phenology(run: Run, name: str) -> Phenology:
    """One quantity of all freezing years.

    Raises
    ------
    StudyError
        There is none of that name.
    """
    maps = day_maps(run)
    if name not in maps.phenology:
        raise StudyError(f"This run has no {name!r}. It has {', '.join(maps.phenology) or 'none'}.")
    values, names, unit = read_bands(run.folder / PHENOLOGY / f"{name}.tif", maps)
    return Phenology(name, names, values, unit, first_month(run))


def trend(run: Run, name: str) -> dict[str, np.ndarray]:
    """Trend of a quantity: ``slope`` per decade and ``p_value``, float32 ``[cell]`` each.

    Raises
    ------
    StudyError
        There is none of that name.
    """
    maps = day_maps(run)
    if name not in maps.trends:
        raise StudyError(f"This run has no trend of {name!r}. It has {', '.join(maps.trends) or 'none'}.")
    values, names, _ = read_bands(run.folder / PHENOLOGY / f"{TREND}{name}.tif", maps)
    found = next((place for place, band in enumerate(names) if band.lower().startswith("p")), 1)
    slope = next((place for place in range(len(names)) if place != found), 0)
    p_value = values[found] if len(values) > 1 else np.full(maps.cells.size, np.nan, np.float32)
    return {"slope": values[slope], "p_value": p_value}


def first_month(run: Run) -> int:
    """The month in which a freezing year begins."""
    return int(run.record["options"]["days"]["phenology"]["first_month"])


def read_bands(path: Path, maps: DayMaps) -> tuple[np.ndarray, tuple[str, ...], str]:
    """All bands of a raster at the mapped cells, float32 ``[band, cell]`` with NaN where missing; their names; the unit."""
    with open_raster(path) as dataset:
        stored = _cells_of(dataset.read(), maps)
        values = stored.astype(np.float32)
        if dataset.nodata is not None and np.isfinite(dataset.nodata):
            values[stored == dataset.nodata] = np.nan
        values = values * np.float32(dataset.scales[0]) + np.float32(dataset.offsets[0])
        names = tuple(name or str(number) for number, name in enumerate(dataset.descriptions, start=1))
        return values, names, (dataset.units[0] or dataset.tags().get("units", ""))


def onset_date(day: float, year: str, month: int) -> date | None:
    """The calendar date of an onset, a day of the freezing year counted from 0 on; None where there is none.

    Examples
    --------
    >>> onset_date(100, "2015", 7)
    datetime.date(2015, 10, 9)
    """
    if not re.fullmatch(r"\d{4}", year) or not np.isfinite(day):
        return None
    return phenology_files.onset_date(int(year), round(float(day)), first_month=month)
