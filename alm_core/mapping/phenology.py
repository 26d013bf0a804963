"""When the ground freezes and thaws in every freezing year, for how long, how often; and whether that changes over the years.

A freezing year begins in a month in which nothing freezes, so that no winter is cut in two. Its days are counted from 0.

The state of a cell changes on the first day of `run_days` known days in a row of the other state. Shorter runs are weather, or
an error of the map, and are ignored. Days without a state neither break a run nor count; after more than `run_days` of them in
a row a run begins anew, and a change right after such a gap has no day. The whole series is looked through at once, so a run
may cross the border of two years, and a cell that is frozen when a year begins has no onset until it has thawed.

- ``freeze_onset``: day of the first change to frozen in the freezing year.
- ``thaw_onset``: day of the last change to thawed, the final thaw: frost for `run_days` days afterwards makes it later.
- ``frozen_days``: frozen days, times all days of the year over its known days.
- ``transitions``: number of changes.

A year with more than the allowed part of unknown days has none of the four. Places that never freeze, or never thaw, have no
onset, and 0 or all days frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alm_core.cubes.states import FROZEN, UNKNOWN, to_state_and_percent
from alm_core.errors import DomainError
from alm_core.mapping.cog import write_cog
from alm_core.mapping.day_files import FileRecord
from alm_core.mapping.field_trend import TREND_BANDS, FieldTrend, field_trend
from alm_core.mapping.files import remove_leftovers
from alm_core.mapping.true_area import cell_areas
from alm_core.workspace import hash_values

if TYPE_CHECKING:
    from alm_core.mapping.day_maps import DayMap

FOLDER = "map/phenology"
RECORD = "phenology.json"
NAMES = ("freeze_onset", "thaw_onset", "frozen_days", "transitions")
UNITS = {"freeze_onset": "days", "thaw_onset": "days", "frozen_days": "days", "transitions": "1"}
CELLS_AT_ONCE = 1 << 15
"""Cells whose states of all days are held at once: ten years of so many are 120 MB."""
LAYOUT = 1
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class FreezingYear:
    """Twelve months that hold one winter.

    Attributes
    ----------
    year : int
        Calendar year in which it begins.
    start, stop : int
        Places of its days, half open.
    """

    year: int
    start: int
    stop: int


@dataclass(frozen=True)
class Phenology:
    """Numbers of every freezing year.

    Attributes
    ----------
    years : tuple of int
        In which each begins; only those of which all days are there.
    left_out : tuple of str
        First and last day of the parts of the series that are no whole freezing year.
    values : dict
        Name (see `NAMES`) to float32 ``[year, cell]``, NaN where there is none.
    """

    years: tuple[int, ...]
    left_out: tuple[str, ...]
    values: dict[str, np.ndarray] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the numbers as how many there are."""
        counts = {name: np.isfinite(values).sum(axis=1).tolist() for name, values in self.values.items()}
        return {"years": list(self.years), "left_out": list(self.left_out), "cells": counts}


def freezing_years(dates: np.ndarray, first_month: int) -> tuple[tuple[FreezingYear, ...], tuple[str, ...]]:
    """The whole freezing years of a series of days, and what is left over at its ends.

    Parameters
    ----------
    dates : ndarray
        datetime64[D], every day once.
    first_month : int
        1 to 12.

    Examples
    --------
    >>> dates = np.arange("2014-01-01", "2016-01-01", dtype="datetime64[D]")
    >>> freezing_years(dates, 7)
    ((FreezingYear(year=2014, start=181, stop=546),), ('2014-01-01 to 2014-06-30', '2015-07-01 to 2015-12-31'))
    """
    first, after = dates[0], dates[-1] + 1
    begin = first.astype(object).year - 1
    edges = [np.datetime64(f"{year:04d}-{first_month:02d}-01") for year in range(begin, after.astype(object).year + 2)]
    found, left_out = [], []
    for number, (start, stop) in enumerate(pairwise(edges)):
        if start >= first and stop <= after:
            found.append(FreezingYear(begin + number, int((start - first).astype(int)), int((stop - first).astype(int))))
        elif start < after and stop > first:
            left_out.append(f"{max(start, first)} to {min(stop, after) - 1}")
    return tuple(found), tuple(left_out)


def find_phenology(
    state: np.ndarray, dates: np.ndarray, *, first_month: int = 7, run_days: int = 5, most_missing: float = 0.3
) -> Phenology:
    """Onsets, frozen days and changes of every freezing year; the head of this module says what they are.

    Parameters
    ----------
    state : ndarray
        uint8 ``[day, cell]``: frozen, thawed or unknown, as `alm_core.cubes.states` has them.
    dates : ndarray
        datetime64[D] ``[day]``, every day once.
    first_month : int
        In which a freezing year begins.
    run_days : int
        Days in a row that make a change.
    most_missing : float
        Part of unknown days above which a year has no number.

    Returns
    -------
    Phenology

    Raises
    ------
    DomainError
        States and days don't fit together.

    Examples
    --------
    >>> dates = np.arange("2014-07-01", "2015-07-01", dtype="datetime64[D]")
    >>> state = np.zeros((365, 1), np.uint8)
    >>> state[100:250] = 1
    >>> found = find_phenology(state, dates)
    >>> [found.values[name][0, 0].item() for name in NAMES]
    [100.0, 250.0, 150.0, 2.0]
    """
    from alm_core.mapping.phenology_kernels import find_changes

    if state.ndim != 2 or len(state) != len(dates) or (np.diff(dates).astype(int) != 1).any():
        raise DomainError(
            f"States of shape {state.shape} came with {len(dates)} days: [day, cell] and every day once are expected."
        )
    years, left_out = freezing_years(dates, first_month)
    changes = np.zeros(state.shape, np.int8)
    find_changes(np.ascontiguousarray(state), run_days, np.uint8(UNKNOWN), changes)
    values = {name: np.full((len(years), state.shape[1]), np.nan, np.float32) for name in NAMES}
    for number, year in enumerate(years):
        found = _of_year(state[year.start : year.stop], changes[year.start : year.stop], most_missing)
        for name, one in found.items():
            values[name][number] = one
    return Phenology(tuple(year.year for year in years), left_out, values)


def _of_year(state: np.ndarray, changes: np.ndarray, most_missing: float) -> dict[str, np.ndarray]:
    """The four numbers of one freezing year ``[cell]``, from its days of states and changes."""
    from alm_core.mapping.phenology_kernels import CHANGE

    days = len(state)
    known = (state != UNKNOWN).sum(axis=0)
    to_frozen, to_thawed = changes > 0, changes < 0
    first = to_frozen.argmax(axis=0)
    last = days - 1 - to_thawed[::-1].argmax(axis=0)
    cells = np.arange(state.shape[1])
    found = {
        "freeze_onset": np.where(changes[first, cells] == CHANGE, first, np.nan),
        "thaw_onset": np.where(changes[last, cells] == -CHANGE, last, np.nan),
        "frozen_days": (state == FROZEN).sum(axis=0) * (days / np.maximum(known, 1)),
        "transitions": (changes != 0).sum(axis=0).astype(float),
    }
    enough = (known > 0) & (days - known <= most_missing * days)
    return {name: np.where(enough, values, np.nan) for name, values in found.items()}


def onset_date(year: int, day: int, *, first_month: int = 7) -> date:
    """The date of a day of a freezing year, counted from 0.

    Examples
    --------
    >>> onset_date(2015, 244)  # 2016 is a leap year
    datetime.date(2016, 3, 1)
    """
    return date(year, first_month, 1) + timedelta(days=day)


# ---- of a map -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PhenologyMaps:
    """Rasters of a map's phenology.

    Attributes
    ----------
    paths : list of Path
    phenology : dict
        Years, means over the area, and what was left out.
    trends : dict
        Name to `FieldTrend`; empty with too few years.
    """

    paths: list[Path] = field(repr=False)
    phenology: dict[str, Any]
    trends: dict[str, FieldTrend]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"phenology": self.phenology, "field_significance": {name: one.to_dict() for name, one in self.trends.items()}}


def map_phenology(
    mapped: DayMap,
    folder: str | Path,
    *,
    first_month: int = 7,
    run_days: int = 5,
    most_missing: float = 0.3,
    tags: Mapping[str, Any] | None = None,
    compression: str = "zstd",
    progress: Progress | None = None,
) -> PhenologyMaps:
    """Write a raster of each of `NAMES` with one band a freezing year, and one of its trend.

    Parameters
    ----------
    mapped : DayMap
    folder : path
        ``map/phenology`` of a run.
    first_month, run_days, most_missing
        See `find_phenology`.
    tags, compression
        See `alm_core.mapping.cog.write_cog`.
    progress : callable, optional
        ``progress(done, total, message)``.
    """
    folder = Path(folder)
    rules = {"first_month": first_month, "run_days": run_days, "most_missing": most_missing}
    found = _of_all_cells(mapped, rules, progress)
    writer = _Writer(mapped, folder, {**(tags or {}), **rules}, compression)
    areas = cell_areas(mapped.grid, slice(None), slice(None)).reshape(-1)[mapped.cells]
    trends = {}
    for name in NAMES if found.years else ():
        writer.write(name, found.values[name], [f"{year:04d}" for year in found.years], UNITS[name])
        trend = field_trend(found.values[name], found.years, areas, unit=UNITS[name])
        if trend is not None:
            trends[name] = trend
            writer.write(f"trend_{name}", np.stack([trend.slope, trend.p_value]), TREND_BANDS, (trend.unit, "1"))
    facts = rules | found.to_dict() | {"means": {name: _means(found.values[name], areas) for name in found.values}}
    return PhenologyMaps(writer.paths, facts, trends)


def _of_all_cells(mapped: DayMap, rules: Mapping[str, Any], progress: Progress | None) -> Phenology:
    parts = []
    starts = range(0, mapped.cells.size, CELLS_AT_ONCE)
    for done, start in enumerate(starts, start=1):
        state, _ = to_state_and_percent(mapped.probability(0, len(mapped.dates), slice(start, start + CELLS_AT_ONCE)))
        parts.append(find_phenology(state, mapped.dates, **rules))
        if progress is not None:
            progress(done, len(starts), "onsets of freezing and thaw")
    values = {name: np.concatenate([part.values[name] for part in parts], axis=1) for name in NAMES}
    return Phenology(parts[0].years, parts[0].left_out, values)


def _means(values: np.ndarray, areas: np.ndarray) -> list[float | None]:
    """Mean of each year over the cells that have a number, weighted by their area."""
    known = np.isfinite(values)
    weights = known * areas
    sums = np.where(known, values, 0).astype(float) * weights
    return [float(part / of) if of > 0 else None for part, of in zip(sums.sum(axis=1), weights.sum(axis=1), strict=True)]


@dataclass(frozen=True)
class _Writer:
    """Writes rasters that are not there yet."""

    mapped: DayMap
    folder: Path
    tags: Mapping[str, Any]
    compression: str
    paths: list[Path] = field(default_factory=list)

    def write(self, name: str, values: np.ndarray, bands: Sequence[str], units: str | Sequence[str]) -> None:
        """One raster of ``[band, cell]``."""
        mapped, path = self.mapped, self.folder / f"{name}.tif"
        self.paths.append(path)
        record = FileRecord(mapped.ledger.folder / RECORD)
        key = hash_values(mapped.ledger.fingerprint, mapped.grid.to_dict(), dict(self.tags), self.compression, name, LAYOUT)
        if record.holds(path, key):
            return
        full = np.full((len(values), mapped.grid.size), np.nan, np.float32)
        full[:, mapped.cells] = values
        remove_leftovers(self.folder, name)
        write_cog(
            path,
            full.reshape(len(values), *mapped.grid.shape),
            mapped.grid,
            band_names=list(bands),
            units=units,
            tags=self.tags | {"layer": name},
            compression=self.compression,
            resampling="nearest",
        )
        record.add(path, key)
        record.save()
