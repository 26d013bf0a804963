"""Covariate values at sites, read from the staged layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from alm_core.covariates.stack import Stack, StackReader
from alm_core.errors import DomainError, TableError
from alm_core.grid import Block

TILE_CELLS = 512
"""Sites are read together by squares of this many cells."""
SMALLEST_WEIGHT = 1e-6
"""Valid weight below which a bilinear value is missing: at the centre of a missing cell only rounding is left."""


def extract(
    stack: Stack,
    x: np.ndarray,
    y: np.ndarray,
    *,
    method: str = "bilinear",
    window_cells: int = 3,
    names: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Values of the staged layers at points.

    Parameters
    ----------
    stack : Stack
        The staged layers.
    x, y : ndarray
        Points in the CRS of the grid, ``[site]``; see `alm_core.grid.Grid.transform_points`.
    method : {"nearest", "bilinear", "window_mean"}
        The cell under the point; the mean of the four cells around it weighted by distance, missing ones left out; or
        the mean of the valid cells in a square around its cell. Categories always come from the cell under the point,
        or, for the window, as the commonest code of the square (the smallest of equally common ones).
    window_cells : int
        Side of the square, an odd number.
    names : sequence of str, optional
        Layers; default all that are offered to the learners.

    Returns
    -------
    DataFrame
        float32 ``[site, covariate]``, one row a point in their order. NaN outside the grid, at coordinates that are not
        finite, and where no cell that counts is valid.

    Raises
    ------
    DomainError
        Unknown method, or an even window.
    TableError
        `x` and `y` differ in length.
    """
    x, y = np.atleast_1d(np.asarray(x, np.float64)), np.atleast_1d(np.asarray(y, np.float64))
    if x.shape != y.shape or x.ndim != 1:
        raise TableError(f"x has shape {x.shape} and y {y.shape}: two columns of the same length are expected.")
    if method not in ("nearest", "bilinear", "window_mean"):
        raise DomainError(f"Extraction method {method!r} is not known. Use nearest, bilinear or window_mean.")
    if method == "window_mean" and (window_cells < 1 or window_cells % 2 == 0):
        raise DomainError(f"window_cells is {window_cells}: an odd number is expected, so that the site lies in the middle cell.")
    reach = {"nearest": 0, "bilinear": 1, "window_mean": window_cells // 2}[method]
    with stack.reader(names) as reader:
        values = np.full((len(x), len(reader.names)), np.nan, np.float32)
        row, column = (np.where(np.isfinite(part), part, -1.0) for part in stack.grid.row_column(x, y))
        inside = np.flatnonzero(stack.grid.cell_index(x, y) >= 0) if len(x) else np.empty(0, np.intp)
        for sites in _by_tile(row, column, inside):
            cells, corner = _read_around(reader, row[sites], column[sites], reach)
            at = row[sites] - corner[0], column[sites] - corner[1]
            for index, name in enumerate(reader.names):
                categorical = stack.kinds[name] == "categorical"
                values[sites, index] = _choose(method, categorical, reach)(cells[index], *at)
        return pd.DataFrame(values, columns=list(reader.names))


def extract_slices(
    stack: Stack,
    x: np.ndarray,
    y: np.ndarray,
    slices: Sequence[str],
    *,
    method: str = "bilinear",
    window_cells: int = 3,
    names: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Values of the staged layers at points, each in its own time slice.

    Parameters
    ----------
    stack : Stack
        With or without slices.
    slices : sequence of str
        Slice of each point; layers that change are NaN where it is none of the stack's.
    x, y, method, window_cells, names
        See `extract`.

    Returns
    -------
    DataFrame
        As `extract` gives it.
    """
    wanted = list(stack.names if names is None else names)
    stay = [name for name in wanted if name not in stack.changing]
    options = {"method": method, "window_cells": window_cells}
    values = extract(stack, x, y, names=stay, **options)
    changing = [name for name in wanted if name in stack.changing]
    if changing:
        x, y, slices = np.atleast_1d(x), np.atleast_1d(y), np.asarray(slices, object)
        found = pd.DataFrame(np.nan, index=values.index, columns=changing, dtype=np.float32)
        for time in stack.slices:
            rows = np.flatnonzero(slices == time)
            if rows.size:
                found.iloc[rows] = extract(stack.at(time), x[rows], y[rows], names=changing, **options).to_numpy()
        values = pd.concat([values, found], axis=1)
    return values[wanted]


def _by_tile(row: np.ndarray, column: np.ndarray, inside: np.ndarray) -> list[np.ndarray]:
    """Indices of the sites inside the grid, one array for each tile that holds any."""
    tiles = np.stack([row[inside] // TILE_CELLS, column[inside] // TILE_CELLS], axis=1).astype(np.int64)
    _, group = np.unique(tiles, axis=0, return_inverse=True)
    group = group.ravel()
    return [inside[group == number] for number in range(group.max() + 1)] if inside.size else []


def _read_around(reader: StackReader, row: np.ndarray, column: np.ndarray, reach: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The cells around some sites with a border of `reach` cells, NaN beyond the grid; and its first row and column."""
    rows, columns = reader.stack.grid.shape
    row_start, row_stop = int(row.min()) - reach, int(row.max()) + 1 + reach
    column_start, column_stop = int(column.min()) - reach, int(column.max()) + 1 + reach
    window = Block(
        0, 0, max(0, row_start), min(rows, row_stop), max(0, column_start), min(columns, column_stop), 0, reader.stack.grid.shape
    )
    cells = np.full((len(reader.names), row_stop - row_start, column_stop - column_start), np.nan, np.float32)
    first_row, first_column = window.row_start - row_start, window.column_start - column_start
    height, width = window.shape
    cells[:, first_row : first_row + height, first_column : first_column + width] = reader.read(window)
    return cells, (row_start, column_start)


def _choose(method: str, categorical: bool, reach: int) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    if method == "window_mean":
        middle = mode_of_window if categorical else mean_of_window
        return lambda cells, row, column: middle(cells, row, column, reach)
    return nearest if method == "nearest" or categorical else bilinear


def nearest(cells: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The cell under each point; fractional row and column, the centre of cell (0, 0) at (0.5, 0.5)."""
    return cells[np.floor(row).astype(np.intp), np.floor(column).astype(np.intp)]


def bilinear(cells: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Mean of the four cells whose centres surround each point, weighted by nearness, over those that are valid.

    The array must reach one cell further than the cells under the points.

    Examples
    --------
    >>> cells = np.array([[0, 1], [2, np.nan]], np.float32)
    >>> bilinear(cells, np.array([0.5, 1.0]), np.array([1.0, 1.0])).tolist()
    [0.5, 1.0]
    """
    first_row, first_column = np.floor(row - 0.5).astype(np.intp), np.floor(column - 0.5).astype(np.intp)
    down, right = row - 0.5 - first_row, column - 0.5 - first_column
    total, weight = np.zeros(row.shape), np.zeros(row.shape)
    for step_row, row_weight in ((0, 1 - down), (1, down)):
        for step_column, column_weight in ((0, 1 - right), (1, right)):
            # A point on a centre line needs no further cell: its weight is 0, so the index may be cut to the array.
            at = (
                np.minimum(first_row + step_row, cells.shape[0] - 1),
                np.minimum(first_column + step_column, cells.shape[1] - 1),
            )
            value = cells[at].astype(np.float64)
            part = np.where(np.isnan(value), 0.0, row_weight * column_weight)
            total += part * np.where(np.isnan(value), 0.0, value)
            weight += part
    with np.errstate(invalid="ignore"):
        return np.where(weight > SMALLEST_WEIGHT, total / weight, np.nan).astype(np.float32)


def _windows(cells: np.ndarray, row: np.ndarray, column: np.ndarray, reach: int) -> np.ndarray:
    """The squares around the points, ``[site, cell]``."""
    steps = np.arange(-reach, reach + 1)
    rows = np.floor(row).astype(np.intp)[:, None, None] + steps[None, :, None]
    columns = np.floor(column).astype(np.intp)[:, None, None] + steps[None, None, :]
    return cells[rows, columns].reshape(len(row), -1)


def mean_of_window(cells: np.ndarray, row: np.ndarray, column: np.ndarray, reach: int) -> np.ndarray:
    """Mean of the valid cells of the square of side ``2 reach + 1`` around each point's cell."""
    around = _windows(cells, row, column, reach).astype(np.float64)
    valid = ~np.isnan(around)
    count = valid.sum(axis=1)
    total = np.where(valid, around, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def mode_of_window(cells: np.ndarray, row: np.ndarray, column: np.ndarray, reach: int) -> np.ndarray:
    """Commonest code of the square around each point's cell; the smallest of equally common ones.

    Examples
    --------
    >>> cells = np.array([[3, 3, 1], [2, 2, 3], [1, 2, 5]], np.float32)
    >>> mode_of_window(cells, np.array([1.5]), np.array([1.5]), 1).tolist()
    [2.0]
    """
    result = np.full(len(row), np.nan, np.float32)
    for site, around in enumerate(_windows(cells, row, column, reach)):
        codes, count = np.unique(around[~np.isnan(around)], return_counts=True)
        if codes.size:
            result[site] = codes[np.argmax(count)]
    return result
