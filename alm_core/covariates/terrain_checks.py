"""Is this elevation what it is taken for? Looked at when the first terrain index is staged, block by block.

Refused: a grid whose cells look like degrees that are taken for metres, and a mask of which most has no elevation.
Reported: metres that look like feet, voids, the end of coverage (SRTM ends at 60 N), and steps along straight lines,
where tiles of different heights were put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from alm_core.covariates.layers import DerivedSource
from alm_core.covariates.raster import read_window
from alm_core.errors import CrsError, NodataError
from alm_core.grid import Grid

ROLE = "elevation"
HIGHEST_METRES, LOWEST_METRES = 9000.0, -500.0
"""The highest mountain has 8849 m, the lowest land -430 m."""
SMALLEST_METRIC_CELL = 0.05
"""Cells below this many metres are taken for degrees: 3 arc seconds are 0.00083."""
DEGREE_CELL = 1.0
"""Cells up to this size are taken for degrees where there is no CRS and all coordinates are such of degrees."""
MOST_LOST = 0.5
"""Share of the mask without elevation from which it is refused."""
STEP_METRES = 2.0
STEP_SPREADS = 10.0
"""A line is a step where it lies this many metres, and this many times the usual spread of lines, off its neighbours."""
STRIP_ROWS = 512


@dataclass
class ElevationFacts:
    """What was seen of one layer of elevation.

    Attributes
    ----------
    inside, missing, voids : int
        Cells of the mask; those without elevation; of these, those with elevation both before and after in their row.
    minimum, maximum : float
        Metres, over all valid cells; NaN where there are none.
    first_row, last_row : int or None
        First and last row of the grid that has any elevation.
    missing_above, missing_below : int
        Cells of the mask in rows before the first and after the last of these.
    steps : list of tuple
        ``("row" | "column", index, height in metres)`` of the lines between `index` and the next one.
    """

    inside: int = 0
    missing: int = 0
    voids: int = 0
    minimum: float = np.nan
    maximum: float = np.nan
    first_row: int | None = None
    last_row: int | None = None
    missing_above: int = 0
    missing_below: int = 0
    steps: list[tuple[str, int, float]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain values."""
        return {
            "inside": self.inside,
            "missing": self.missing,
            "voids": self.voids,
            "minimum": float(self.minimum),
            "maximum": float(self.maximum),
            "first_row": self.first_row,
            "last_row": self.last_row,
            "missing_above": self.missing_above,
            "missing_below": self.missing_below,
            "steps": [list(step) for step in self.steps],
        }


def check_units_of_grid(grid: Grid) -> None:
    """Refuse a grid whose cells look like degrees though they would be taken for metres.

    Raises
    ------
    CrsError
        With the size that came.

    Examples
    --------
    >>> check_units_of_grid(Grid("EPSG:32645", (90.0, 0.0, 4e5, 0.0, -90.0, 4e6), (10, 10)))
    """
    if grid.is_geographic:
        return
    size = min(grid.resolution)
    if grid.crs is None:
        left, bottom, right, top = grid.bounds
        like_degrees = size <= DEGREE_CELL and max(abs(left), abs(right)) <= 360 and max(abs(bottom), abs(top)) <= 90
        like_degrees = like_degrees and (left, top) != (0.0, 0.0) and (left, bottom) != (0.0, 0.0)
    else:
        like_degrees = float(grid.cell_size_metres(slice(0, 1))[1][0]) < SMALLEST_METRIC_CELL
    if like_degrees or size < SMALLEST_METRIC_CELL:
        raise CrsError(
            f"Terrain needs cells in metres, but a cell is {size:g} wide"
            f"{' and the grid has no CRS' if grid.crs is None else ''}: that looks like degrees (3 arc seconds are 0.00083). "
            "State the grid's own CRS, for example EPSG:4326, or bring it to a projected one."
        )


def elevation_facts(elevation: DatasetReader, mask: DatasetReader) -> ElevationFacts:
    """Look through one staged layer of elevation by strips of rows; memory is that of a strip."""
    facts = ElevationFacts()
    rows, columns = elevation.height, elevation.width
    by_row = np.zeros(rows, np.int64)
    down = _Steps("row", columns)
    across = _Steps("column", rows)
    for first in range(0, rows, STRIP_ROWS):
        # Two rows more on either side, so that a step between strips is seen; counted are only the strip's own.
        start, stop, last = max(0, first - 2), min(rows, first + STRIP_ROWS + 2), min(rows, first + STRIP_ROWS)
        cells = read_window(elevation, 1, Window(0, start, columns, stop - start))
        own = slice(first - start, last - start)
        inside = read_window(mask, 1, Window(0, first, columns, last - first)) == 1
        _count(facts, cells[own], inside, first)
        by_row[first:last] = inside.sum(axis=1)
        down.add(cells, start, (first, last))
        across.add(cells[own].T, 0, (0, columns))
    if facts.first_row is not None and facts.last_row is not None:
        facts.missing_above = int(by_row[: facts.first_row].sum())
        facts.missing_below = int(by_row[facts.last_row + 1 :].sum())
    facts.steps = [*down.found(), *across.found()]
    return facts


def _count(facts: ElevationFacts, cells: np.ndarray, inside: np.ndarray, first: int) -> None:
    valid = ~np.isnan(cells)
    facts.inside += int(np.count_nonzero(inside))
    facts.missing += int(np.count_nonzero(inside & ~valid))
    before = np.logical_or.accumulate(valid, axis=1)
    after = np.logical_or.accumulate(valid[:, ::-1], axis=1)[:, ::-1]
    facts.voids += int(np.count_nonzero(inside & ~valid & before & after))
    filled = np.flatnonzero(valid.any(axis=1))
    if filled.size:
        facts.first_row = first + int(filled[0]) if facts.first_row is None else facts.first_row
        facts.last_row = first + int(filled[-1])
        facts.minimum = float(np.fmin(facts.minimum, np.nanmin(cells)))
        facts.maximum = float(np.fmax(facts.maximum, np.nanmax(cells)))


class _Steps:
    """Looks for lines along which the surface is broken: segments of a strip at a time, each judged by its own strip."""

    def __init__(self, kind: str, width: int) -> None:
        self.kind = kind
        self.width = width
        self.heights: dict[int, float] = {}

    def add(self, cells: np.ndarray, start: int, own: tuple[int, int]) -> None:
        """Look between the lines of one strip; `start` is the number of its first line, `own` those to be counted."""
        if cells.shape[0] < 4:
            return
        for left in range(0, cells.shape[1], STRIP_ROWS):
            segment = cells[:, left : left + STRIP_ROWS]
            differences = np.diff(segment.astype(np.float64), axis=0)
            # What is left of a difference when its neighbours' is taken off: 0 on any even slope.
            breaks = differences[1:-1] - (differences[:-2] + differences[2:]) / 2
            enough = np.count_nonzero(~np.isnan(breaks), axis=1) >= max(8, segment.shape[1] // 4)
            if not enough.any():
                continue
            size = np.full(len(breaks), np.nan)
            size[enough] = np.nanmedian(breaks[enough], axis=1)
            spread = np.nanmedian(np.abs(size))
            for line in np.flatnonzero(np.abs(size) > max(STEP_METRES, STEP_SPREADS * spread)):
                # The break's own neighbours look broken by half as much: only the largest of the three is one.
                near = np.abs(size[max(0, line - 1) : line + 2])
                number = start + int(line) + 1
                if np.abs(size[line]) >= np.nanmax(near) and own[0] <= number < own[1]:
                    height = float(size[line])
                    if abs(height) > abs(self.heights.get(number, 0.0)):
                        self.heights[number] = height

    def found(self) -> list[tuple[str, int, float]]:
        """The steps, in order."""
        return [(self.kind, number, round(height, 1)) for number, height in sorted(self.heights.items())]


def facts_notes(facts: ElevationFacts, grid: Grid, name: str) -> tuple[str, ...]:
    """What a person should know of the elevation.

    Raises
    ------
    NodataError
        Most of the mask has no elevation.
    """
    notes = []
    if facts.maximum > HIGHEST_METRES or facts.minimum < LOWEST_METRES:
        feet = (
            f" In feet it would be {facts.maximum * 0.3048:.0f} m: use `scale = 0.3048`."
            if facts.maximum > HIGHEST_METRES
            else ""
        )
        notes.append(
            f"elevation {name} reaches from {facts.minimum:.0f} to {facts.maximum:.0f}; land lies between "
            f"{LOWEST_METRES:.0f} and {HIGHEST_METRES:.0f} m. Check its unit and nodata.{feet}"
        )
    if facts.missing:
        notes.append(_missing_note(facts, grid, name))
    if facts.inside and facts.missing > MOST_LOST * facts.inside:
        raise NodataError(
            f"{notes[-1]} More than half of the mask would have no terrain: use elevation that covers it, or a smaller mask."
        )
    if facts.steps:
        notes.append(_steps_note(facts, grid, name))
    return tuple(notes)


def _missing_note(facts: ElevationFacts, grid: Grid, name: str) -> str:
    share = 100 * facts.missing / facts.inside
    text = f"elevation {name} is missing in {facts.missing} of {facts.inside} cells of the mask ({share:.1f} %)"
    height = grid.resolution[1]
    if facts.missing_above and facts.first_row is not None:
        text += f"; it ends at y = {grid.y[facts.first_row] + height / 2:g}, beyond which lie {facts.missing_above} cells"
    if facts.missing_below and facts.last_row is not None:
        text += f"; it begins at y = {grid.y[facts.last_row] - height / 2:g}, before which lie {facts.missing_below} cells"
    if facts.voids:
        text += f"; {facts.voids} cells are voids inside it, around which indices are made from what is there"
    return text + "."


def _steps_note(facts: ElevationFacts, grid: Grid, name: str) -> str:
    largest = max(facts.steps, key=lambda step: abs(step[2]))
    kind, number, height = largest
    place = grid.y[number] - grid.resolution[1] / 2 if kind == "row" else grid.x[number] + grid.resolution[0] / 2
    axis = "y" if kind == "row" else "x"
    return (
        f"elevation {name} has {len(facts.steps)} step(s) along straight lines, as where tiles meet; the largest is "
        f"{abs(height):.1f} m at {axis} = {place:g}. Slopes and flow are wrong there: use elevation that was put together evenly."
    )


def elevation_notes(
    source: DerivedSource,
    grid: Grid,
    inputs: Mapping[str, DatasetReader],
    mask: DatasetReader,
    known: dict[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Check the elevation that a derived layer is computed from; nothing where it is computed from none.

    Parameters
    ----------
    source : DerivedSource
        The layer to be computed.
    grid : Grid
        The study grid.
    inputs : mapping of str to DatasetReader
        Its staged inputs by name.
    mask : DatasetReader
        The staged mask.
    known : dict
        Notes of the files seen before, by path; added to.

    Raises
    ------
    CrsError
        Cells look like degrees that are taken for metres.
    NodataError
        Most of the mask has no elevation.
    """
    name = source.inputs.get(ROLE)
    if not isinstance(name, str):
        return ()
    check_units_of_grid(grid)
    dataset = inputs[name]
    if dataset.name not in known:
        known[dataset.name] = facts_notes(elevation_facts(dataset, mask), grid, name)
    return known[dataset.name]
