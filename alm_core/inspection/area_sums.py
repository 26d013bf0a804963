"""Sums over an area that a summary is made of, gathered block by block."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alm_core.inspection.area_reader import AreaReader
from alm_core.mapping.area_cells import AreaCells
from alm_core.mapping.area_mean import SAMPLE_CELLS, CellSample, FineHistogram
from alm_core.mapping.true_area import cell_areas

SAMPLE_COLUMNS = 5
"""Columns of the sample of cells."""


@dataclass
class AreaSums:
    """What the first pass gathers; areas in square metres, everything else weighted by them.

    Attributes
    ----------
    sample : CellSample
        Cells inside the area of applicability (all, where the run has none): width of the interval, area, thickness, x, y.
    cells, valid : int
        Cells in the area, and those with a value.
    area, valid_area : float
    value, low, high : float
        Sum, least and largest value.
    known_area, outside_area : float
        Area of which the applicability is known, and of that outside.
    unbounded : int
        Cells whose interval is missing or infinite.
    errors, columns : ErrorSums
        Of the value, and of the value times thickness over the cells that have one.
    water_area, thickness, water, water_value : float
        Over the cells with a thickness: area, thickness, value times thickness, value.
    water_missing : int
        Cells with a value and without a thickness.
    """

    sample: CellSample
    errors: ErrorSums
    columns: ErrorSums
    cells: int = 0
    valid: int = 0
    area: float = 0.0
    valid_area: float = 0.0
    value: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    known_area: float = 0.0
    outside_area: float = 0.0
    unbounded: int = 0
    water_area: float = 0.0
    thickness: float = 0.0
    water: float = 0.0
    water_value: float = 0.0
    water_missing: int = 0


@dataclass
class ErrorSums:
    """Sums of the pull of each cell: its area times the width of its interval (times its thickness).

    Attributes
    ----------
    inside_area : float
    squares : float
        Sum of squares inside the area of applicability.
    outside : float
        Plain sum outside it.
    """

    inside_area: float = 0.0
    squares: float = 0.0
    outside: float = 0.0

    def add(self, area: np.ndarray, width: np.ndarray, outside: np.ndarray) -> None:
        """Add cells."""
        pull = area * width
        self.inside_area += float(area[~outside].sum())
        self.squares += float(pull[~outside] @ pull[~outside])
        self.outside += float(pull[outside].sum())


def add_up(reader: AreaReader, cells: AreaCells) -> AreaSums:
    """The first pass over the cells of an area."""
    sums = AreaSums(CellSample(SAMPLE_CELLS, seed=0), ErrorSums(), ErrorSums())
    for part in cells.blocks():
        area = cell_areas(reader.grid, part.rows, part.columns)
        found = reader.read(part, ("value", "lower", "upper", "inside", "thickness"))
        valid = part.inside & np.isfinite(found["value"])
        sums.cells += int(part.inside.sum())
        sums.area += float(area[part.inside].sum())
        if valid.any():
            row, column = np.nonzero(valid)
            places = np.column_stack([reader.grid.x[part.columns][column], reader.grid.y[part.rows][row]])
            _add(sums, reader, {name: values[valid] for name, values in found.items()}, area[valid], places)
    return sums


def _add(sums: AreaSums, reader: AreaReader, found: dict[str, np.ndarray], area: np.ndarray, places: np.ndarray) -> None:
    value = found["value"]
    sums.valid += value.size
    sums.valid_area += float(area.sum())
    sums.value += float(area @ value)
    sums.low, sums.high = min(sums.low, float(value.min())), max(sums.high, float(value.max()))
    nothing = np.full(value.shape, np.nan)
    inside, thickness = found.get("inside", nothing), found.get("thickness", nothing)
    outside = inside == 0
    sums.known_area += float(area[np.isfinite(inside)].sum())
    sums.outside_area += float(area[outside].sum())
    thick = np.isfinite(thickness) & (thickness >= 0)
    if "thickness" in found:
        sums.water_missing += int((~thick).sum())
        sums.water_area += float(area[thick].sum())
        sums.thickness += float(area[thick] @ thickness[thick])
        sums.water += float(area[thick] @ (value[thick] * thickness[thick]))
        sums.water_value += float(area[thick] @ value[thick])
    if reader.has_interval and "lower" in found:
        width = found["upper"] - found["lower"]
        sums.unbounded += int((~np.isfinite(width)).sum())
        sums.errors.add(area, width, outside)
        sums.columns.add(area[thick], (width * thickness)[thick], outside[thick])
        rows = np.column_stack([width, area, np.where(thick, thickness, np.nan), places])
        sums.sample.add(rows[~outside])


def fine_histogram(reader: AreaReader, cells: AreaCells, sums: AreaSums) -> FineHistogram:
    """The second pass: values between the limits that the first one found."""
    histogram = FineHistogram.empty(sums.low, sums.high)
    for part in cells.blocks():
        value = reader.read(part, ("value",))["value"]
        valid = part.inside & np.isfinite(value)
        if valid.any():
            area = cell_areas(reader.grid, part.rows, part.columns)
            histogram.add(value[valid].astype(float), area[valid])
    return histogram
