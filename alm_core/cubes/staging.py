"""Bring all files of a daily variable onto the mapped cells, and tell what was found."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.cubes.checks import check_head, check_period, check_values
from alm_core.cubes.fields import FieldFile, FieldHead
from alm_core.cubes.formats import open_field
from alm_core.cubes.orbits import Orbit
from alm_core.cubes.regrid import Regridder, make_regridder
from alm_core.cubes.rows import Rows
from alm_core.cubes.store import Variable
from alm_core.cubes.times import days_since
from alm_core.cubes.units import converter, unit_name
from alm_core.errors import AlmError, DomainError, RasterError
from alm_core.grid import Grid
from alm_core.workspace import atomic_path

RAW_BYTES = 2**26
"""Numbers of a file that are held at once."""
WORK_VALUES = 2**22
"""Values that are regridded at once."""
COARSER = 4.0
"""Source cells this many times as wide as those of the study are told."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class CubeSource:
    """A daily variable and where it comes from.

    Attributes
    ----------
    variable : Variable
        What is kept; an empty unit keeps that of the files.
    files : tuple of Path
        In the order of their names.
    field : str
        Its name in the files; empty where they hold only one field.
    level : int or None
        Of several layers, from the shallowest (1) on.
    method : str or None
        One of `alm_core.cubes.regrid.METHODS`; None: by the sizes of the cells.
    crs : str or None
        Stands in where the files declare none.
    missing_value : float or None
        Means missing besides what the files declare.
    low, high : float or None
        Values beyond are missing, in the unit that is kept.
    most_missing_days : float
        Largest part of the days without any value.
    """

    variable: Variable
    files: tuple[Path, ...]
    field: str = ""
    level: int | None = None
    method: str | None = None
    crs: str | None = None
    missing_value: float | None = None
    low: float | None = None
    high: float | None = None
    most_missing_days: float = 0.5

    @property
    def is_state(self) -> bool:
        """True where values are codes."""
        return self.variable.quantity == "state"

    def open(self, path: Path) -> FieldFile:
        """Open one of the files."""
        return open_field(path, self.field, level=self.level, crs=self.crs, missing_value=self.missing_value)


@dataclass
class Regridders:
    """Regridders by the grid of the source and the method: files and variables on the same cells share one."""

    grid: Grid
    cells: np.ndarray
    known: dict[tuple[str, str | None, bool], Regridder] = field(default_factory=dict)

    def of(self, head: FieldHead, method: str | None, is_state: bool) -> Regridder:
        """The regridder of a file."""
        key = head.grid.key, method, is_state
        if key not in self.known:
            self.known[key] = make_regridder(head.grid, self.grid, self.cells, method, is_state=is_state)
        return self.known[key]


def stage_variable(
    source: CubeSource, regridders: Regridders, first: date, days: int, path: Path, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Write a variable as ``[day, cell]`` and tell what was found.

    Parameters
    ----------
    source : CubeSource
    regridders : Regridders
        Of the study grid and its mapped cells.
    first : date
    days : int
    path : Path
        The .npy that is written.
    progress : callable, optional
        Called with the number of files that are done.

    Returns
    -------
    dict
        Plain values: ``files``, ``first_file``, ``last_file``, ``field``, ``layer``, ``grid``, ``unit_in_files``, ``unit``,
        ``regridding``, ``orbit``, ``steps``, ``days_missing`` (no file), ``days_empty`` (a file without a value),
        ``days_averaged``, ``days_twice`` (identical), ``steps_outside`` (of the period), ``values`` (read), ``filled``,
        ``out_of_range``, ``valid``, ``minimum``, ``maximum``, ``mean``, ``codes``, ``notes``.

    Raises
    ------
    AlmError
        Whatever is wrong with the files (see the readers and `alm_core.cubes.checks`), with the name of the variable.
    """
    try:
        with (
            atomic_path(path) as temporary,
            Rows(temporary, days, regridders.cells.size, np.float32, np.nan) as rows,
            _Collector(source, regridders, first, rows) as collector,
        ):
            for number, file in enumerate(source.files, start=1):
                with source.open(file) as opened:
                    collector.add(file, opened)
                if progress is not None:
                    progress(number)
            facts = collector.facts()
    except AlmError as fault:
        raise type(fault)(f"Daily variable {source.variable.name}: {fault}") from fault
    return facts


class _Collector:
    """Puts the steps of all files into their days; a day of several steps gets their mean."""

    def __init__(self, source: CubeSource, regridders: Regridders, first: date, rows: Rows) -> None:
        self.source, self.regridders, self.first, self.rows = source, regridders, first, rows
        self.heads: list[FieldHead] = []
        self.grids: set[str] = set()
        self.files: dict[int, Path] = {}
        self.steps = np.zeros(rows.days, np.int64)
        self.counts: Rows | None = None
        self.orbit = Orbit()
        self.tally = dict.fromkeys(("values", "filled", "out_of_range", "steps_outside", "days_twice"), 0)
        self.unit = ""
        self._scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)

    def __enter__(self) -> _Collector:
        return self

    def __exit__(self, *fault: object) -> None:
        if self.counts is not None:
            self.counts.__exit__()
        self._scratch.cleanup()

    def add(self, path: Path, opened: FieldFile) -> None:
        """All steps of a file that lie in the period."""
        head = opened.head
        self.orbit = check_head(path, head, self.source.variable, self.orbit, self.heads[0] if self.heads else None)
        self.heads = [*self.heads[:1], head]
        self.grids.add(head.grid.key)
        wanted = self.source.variable.unit
        self.unit = unit_name(wanted or head.unit)
        convert = converter("" if self.source.is_state else head.unit, wanted)  # codes have no unit, whatever the file calls it
        if np.unique(head.times).size < head.times.size:
            raise RasterError(f"{path.name} gives a time twice: each step needs its own.")
        places = days_since(head.times, self.first)
        inside = (places >= 0) & (places < self.rows.days)
        self.tally["steps_outside"] += int((~inside).sum())
        if not inside.any():
            return
        regridder = self.regridders.of(head, self.source.method, self.source.is_state)
        start, stop = int(np.flatnonzero(inside)[0]), int(np.flatnonzero(inside)[-1]) + 1
        for low, high in _parts(start, stop, _steps_at_once(opened, regridder)):
            picked = regridder.pick(opened.read(low, high, regridder.rows, regridder.columns))
            for begin, end in _parts(low, high, max(1, WORK_VALUES // max(regridder.needed.size, self.rows.cells))):
                used = np.flatnonzero(inside[begin:end]) + begin
                if used.size:
                    values = self._cleaned(convert, opened.decode(picked[used - low]))
                    self._put(path, head.times[used], places[used], regridder.apply(values))

    def _cleaned(self, convert: Callable[[np.ndarray], np.ndarray], values: np.ndarray) -> np.ndarray:
        """Values in the unit that is kept; what can't be is missing, and counted."""
        missing = np.isnan(values)
        values = convert(values)
        outside = np.isinf(values)
        if self.source.low is not None:
            outside |= values < self.source.low
        if self.source.high is not None:
            outside |= values > self.source.high
        values[outside] = np.nan
        self.tally["values"] += values.size
        self.tally["filled"] += int(missing.sum())
        self.tally["out_of_range"] += int(outside.sum())
        return values

    def _put(self, path: Path, times: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
        """Write days that are new, merge those that have a step already."""
        new = self._new_steps(path, times, places, values)
        if not new.any():
            return
        places, values = places[new], values[new]
        days, owner, counts = np.unique(places, return_inverse=True, return_counts=True)
        if (counts == 1).all() and not self.steps[days].any() and self.counts is None:
            self._write(days, values[np.argsort(places, kind="stable")])
        else:
            self._merge(days, owner, values)
        self.steps[days] += counts

    def _new_steps(self, path: Path, times: np.ndarray, places: np.ndarray, values: np.ndarray) -> np.ndarray:
        """False for steps that another file gave with the same values."""
        new = np.ones(times.size, bool)
        for number, (time, place) in enumerate(zip(times.astype(np.int64).tolist(), places.tolist(), strict=True)):
            other = self.files.setdefault(time, path)
            if other is path:
                continue
            alone = self.steps[place] == 1
            if not alone or not np.array_equal(self.rows.read(place, place + 1)[0], values[number], equal_nan=True):
                raise RasterError(
                    f"{times[number]} comes in two files with different values: {other.name} and {path.name}. One field "
                    "of a time is expected: files of different orbits, channels or versions may share the pattern of `path`."
                )
            new[number] = False
            self.tally["days_twice"] += 1
        return new

    def _write(self, days: np.ndarray, values: np.ndarray) -> None:
        """Rising days that have nothing yet, in runs that follow one another."""
        for run in np.split(np.arange(days.size), np.flatnonzero(np.diff(days) != 1) + 1):
            self.rows.write(int(days[run[0]]), values[run])

    def _merge(self, days: np.ndarray, owner: np.ndarray, values: np.ndarray) -> None:
        """The mean of what the days have and of new steps, weighted by the steps that have a value."""
        if self.source.is_state:
            raise DomainError(
                f"The day {np.datetime64(self.first, 'D') + days[0]} has several steps: codes of states can't be averaged. "
                "Name a field or layer with one step a day."
            )
        counts = self._counts()
        for number, day in enumerate(days.tolist()):
            steps = values[owner == number].astype(np.float64)
            known = counts.read(day, day + 1)[0].astype(np.float64)
            own = np.where(known > 0, self.rows.read(day, day + 1)[0].astype(np.float64), 0.0)
            total = known + np.isfinite(steps).sum(axis=0)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = (own * known + np.nansum(steps, axis=0)) / total
            self.rows.write(day, mean[None])
            counts.write(day, total[None])

    def _counts(self) -> Rows:
        """Steps with a value, by day and cell; kept from the first day that has several."""
        if self.counts is None:
            self.counts = Rows(Path(self._scratch.name) / "counts.npy", self.rows.days, self.rows.cells, np.uint16, 0)
            for start, stop in self.rows.blocks():
                self.counts.write(start, np.isfinite(self.rows.read(start, stop)))
        return self.counts

    def facts(self) -> dict[str, Any]:
        """What was found, of the finished rows.

        Raises
        ------
        DomainError, GridError
            Nothing is left, or too many days are missing.
        """
        found = _summary(self.rows, self.source.is_state)
        empty = found.pop("empty_days")
        missing = int((self.steps == 0).sum())
        head = self.heads[0]
        check_values(self.tally, found["valid"], self.source.low, self.source.high, head, self.unit)
        check_period(missing, empty - missing, self.rows.days, self.source.most_missing_days)
        regridder = self.regridders.of(head, self.source.method, self.source.is_state)
        facts: dict[str, Any] = {
            "files": len(self.source.files),
            "first_file": self.source.files[0].name,
            "last_file": self.source.files[-1].name,
            "field": head.variable,
            "layer": head.layer,
            "grid": head.grid.describe(),
            "timed_by": head.timed_by,
            "unit_in_files": head.unit,
            "unit": self.unit,
            "method": regridder.method,
            "regridding": regridder.describe(),
            "cells_covered": regridder.covered,
            "orbit": str(self.orbit),
            "steps": int(self.steps.sum()),
            "days_missing": missing,
            "days_empty": empty - missing,
            "days_averaged": int((self.steps > 1).sum()),
        }
        return {**facts, **self.tally, **found, "notes": self._notes(regridder, head)}

    def _notes(self, regridder: Regridder, head: FieldHead) -> list[str]:
        notes = []
        if not head.unit and not self.source.is_state:
            notes.append(f"the files declare no unit: values are taken as {self.unit or 'they are'}")
        if regridder.ratio * COARSER < 1:
            notes.append(f"its cells are {1 / regridder.ratio:.1f} times as wide as those of the study: neighbours share values")
        if regridder.covered < self.rows.cells:
            notes.append(f"it does not reach {self.rows.cells - regridder.covered} of {self.rows.cells} mapped cells")
        if len(self.grids) > 1:
            notes.append(f"the files lie on {len(self.grids)} different grids")
        if self.source.variable.orbit and not self.orbit.direction:
            notes.append(f"the files do not tell their orbit: taken as {self.source.variable.orbit}")
        if self.orbit.direction == "mixed":
            notes.append("the files are made of ascending and descending passes")
        return notes


def _parts(start: int, stop: int, together: int) -> list[tuple[int, int]]:
    return [(one, min(stop, one + together)) for one in range(start, stop, together)]


def _steps_at_once(opened: FieldFile, regridder: Regridder) -> int:
    """As many steps as fit, in whole pieces of the file where these are smaller."""
    rows, columns = regridder.rows, regridder.columns
    fit = max(1, RAW_BYTES // ((rows.stop - rows.start) * (columns.stop - columns.start) * 8))
    return max(1, fit // opened.steps_together) * opened.steps_together if fit >= opened.steps_together else fit


def _summary(rows: Rows, is_state: bool) -> dict[str, Any]:
    """Counts over the finished rows."""
    valid, empty, total = 0, 0, 0.0
    low, high = np.inf, -np.inf
    codes: dict[int, int] = {}
    for start, stop in rows.blocks():
        values = rows.read(start, stop)
        finite = np.isfinite(values)
        empty += int((~finite.any(axis=1)).sum())
        known = values[finite]
        if not known.size:
            continue
        valid, total = valid + known.size, total + float(known.sum(dtype=np.float64))
        low, high = min(low, float(known.min())), max(high, float(known.max()))
        if is_state:
            for code, count in zip(*np.unique(known, return_counts=True), strict=True):
                codes[int(code)] = codes.get(int(code), 0) + int(count)
    facts = {"valid": valid, "empty_days": empty, "minimum": None, "maximum": None, "mean": None, "codes": {}}
    if valid:
        facts |= {"minimum": low, "maximum": high, "mean": total / valid}
    return facts | {"codes": {str(code): codes[code] for code in sorted(codes)}}
