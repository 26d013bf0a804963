"""Derived layers that need the whole grid at once: what flows through a cell depends on all cells above it.

The input is read whole, brought to the resolution that ``resolution_cells`` says (the mean of the valid cells of each
square), computed, and brought back block by block by bilinear interpolation. Memory is that of the coarse grid:
`alm_core.covariates.flow.BYTES_PER_CELL` for each of its cells; reading is by strips, so the fine grid is never held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from alm_core.covariates.derived import RECIPES, Place, role_names
from alm_core.covariates.flow import check_size
from alm_core.covariates.layers import DerivedSource
from alm_core.covariates.raster import read_window
from alm_core.covariates.terrain_recipes import check_resolution
from alm_core.grid import Block, Grid


@dataclass(frozen=True)
class WholeLayer:
    """A layer on a grid that is `factor` cells coarser than the study's.

    Attributes
    ----------
    values : ndarray
        float32 ``[row, column]`` of the coarse grid.
    factor : int
        Cells of the study grid along the side of a coarse cell.
    notes : tuple of str
        What a person should know of how it was made.
    """

    values: np.ndarray
    factor: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """How it was made, as plain values."""
        return {"resolution_cells": self.factor, "shape": list(self.values.shape), "notes": list(self.notes)}

    def block(self, block: Block) -> np.ndarray:
        """The layer on one block of the study grid, float32: mean of the four coarse cells around, by nearness.

        Examples
        --------
        >>> layer = WholeLayer(np.array([[0.0, 1.0]], np.float32), 2)
        >>> layer.block(Block(0, 0, 0, 1, 0, 4, 0, (2, 4))).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
        """
        rows, columns = slice(block.row_start, block.row_stop), slice(block.column_start, block.column_stop)
        if self.factor == 1:
            return self.values[rows, columns]
        at_row = _position(np.arange(rows.start, rows.stop), self.factor, self.values.shape[0])
        at_column = _position(np.arange(columns.start, columns.stop), self.factor, self.values.shape[1])
        total, weight = np.zeros(block.shape), np.zeros(block.shape)
        for row, row_weight in at_row:
            for column, column_weight in at_column:
                value = self.values[np.ix_(row, column)]
                share = np.where(np.isnan(value), 0.0, row_weight[:, None] * column_weight[None, :])
                total += share * np.where(np.isnan(value), 0.0, value)
                weight += share
        own = self.values[
            np.ix_(np.arange(rows.start, rows.stop) // self.factor, np.arange(columns.start, columns.stop) // self.factor)
        ]
        with np.errstate(invalid="ignore"):
            return np.where(np.isnan(own), np.nan, total / weight).astype(np.float32)


def _position(index: np.ndarray, factor: int, length: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The two coarse cells on either side of each fine one, and their weights."""
    place = (index + 0.5) / factor - 0.5
    first = np.floor(place).astype(np.intp)
    part = place - first
    return [(np.clip(first, 0, length - 1), 1 - part), (np.clip(first + 1, 0, length - 1), part)]


def coarse_grid(grid: Grid, factor: int) -> Grid:
    """The grid with cells `factor` times as large; the last row and column may reach beyond the fine grid."""
    a, b, c, d, e, f = grid.transform
    shape = tuple(-(-length // factor) for length in grid.shape)
    return Grid(grid.crs, (a * factor, b, c, d, e * factor, f), shape)


def read_coarse(dataset: DatasetReader, factor: int) -> np.ndarray:
    """A layer at a coarser resolution, float32: the mean of the valid cells of each square, NaN where none is."""
    rows, columns = dataset.height, dataset.width
    if factor == 1:
        return read_window(dataset, 1, Window(0, 0, columns, rows))
    coarse = np.empty((-(-rows // factor), -(-columns // factor)), np.float32)
    strip = max(1, 512 // factor)
    for first in range(0, coarse.shape[0], strip):
        last = min(first + strip, coarse.shape[0])
        height = min(last * factor, rows) - first * factor
        cells = read_window(dataset, 1, Window(0, first * factor, columns, height))
        padding = ((0, (last - first) * factor - height), (0, coarse.shape[1] * factor - columns))
        squares = np.pad(cells, padding, constant_values=np.nan).reshape(last - first, factor, coarse.shape[1], factor)
        valid = ~np.isnan(squares)
        count = valid.sum(axis=(1, 3))
        total = np.where(valid, squares, 0.0).sum(axis=(1, 3), dtype=np.float64)
        coarse[first:last] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return coarse


def compute_whole(
    source: DerivedSource, grid: Grid, inputs: Mapping[str, DatasetReader], shared: dict[str, dict[str, Any]]
) -> WholeLayer:
    """Compute one whole-grid layer.

    Parameters
    ----------
    source : DerivedSource
        Its recipe must be a whole one.
    grid : Grid
        The study grid.
    inputs : mapping of str to DatasetReader
        The staged layers that it is computed from.
    shared : dict
        What layers of the same input and resolution can share (filled elevation, catchment area). One set is kept: that
        of the latest; only one layer may be computed at a time.

    Raises
    ------
    TooManyPixelsError
        The grid is too large at that resolution: the text says which would fit.
    StudyError, DomainError
        From the recipe.
    """
    recipe = RECIPES[source.method]
    options = dict(source.options)
    factor = options.get("resolution_cells", 1)
    check_resolution(factor)
    coarse = coarse_grid(grid, factor)
    check_size(coarse.size, fine_cells=grid.size)
    roles = role_names(source)
    key = f"{[inputs[name].name for names in roles.values() for name in names]} {factor}"
    if key not in shared:
        shared.clear()
        shared[key] = {role: read_coarse(inputs[names[0]], factor) for role, names in roles.items()}
    block = next(coarse.blocks(max(coarse.shape)))
    place = Place(coarse, block, roles, shared[key])
    values = recipe.compute({role: shared[key][role] for role in roles}, place, **options)
    notes = (f"computed on the whole grid at {factor} cell(s): {coarse.shape[0]} x {coarse.shape[1]}",)
    return WholeLayer(np.asarray(values, np.float32), factor, notes)
