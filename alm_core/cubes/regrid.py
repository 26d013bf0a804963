"""Bring fields onto the mapped cells of the study: places are looked up once, then every day is one product of matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyproj import Transformer

from alm_core.cubes.axes import AROUND, FieldGrid, agree
from alm_core.errors import DomainError, GridError
from alm_core.grid import Grid

METHODS = ("nearest", "bilinear", "average", "mode")
SNAP = 1e-3
"""Part of a source cell by which a place may miss a centre and still count as lying on it: no value leaks from next door."""
LEAST_PART = 0.5
"""Part of a cell that must have values for `average` and `mode`."""
FEWEST_POINTS, MOST_POINTS = 8, 32
"""Points along a side of a cell that stand for its area."""
POINTS_TOGETHER = 2**20
FINER = 1.5
"""Source cells along a cell from which `average` (of states `mode`) is the default."""
MOST_CODES = 64


@dataclass(frozen=True)
class Regridder:
    """How the values of some source cells become values of the mapped cells.

    Attributes
    ----------
    method : str
    ratio : float
        Source cells along a cell of the study: 1 where they are alike, below 1 where the source is coarser.
    rows, columns : slice
        The window of the source that is needed.
    needed : ndarray
        Flat indices of the needed cells in that window.
    places : ndarray or None
        By mapped cell its place in `needed`, -1 outside the source; where each cell takes one source cell as it is.
    weights : scipy.sparse.csr_array or None
        ``[cell, needed]``, rows that add up to the covered part of the cell; in all other cases.
    """

    method: str
    ratio: float
    rows: slice
    columns: slice
    needed: np.ndarray
    places: np.ndarray | None
    weights: Any | None

    @property
    def covered(self) -> int:
        """Mapped cells that the source reaches."""
        return int((self.places >= 0).sum() if self.weights is None else (np.diff(self.weights.indptr) > 0).sum())

    def pick(self, raw: np.ndarray) -> np.ndarray:
        """The needed cells of the window, ``[step, row, column]`` to ``[step, needed]``."""
        return raw.reshape(raw.shape[0], -1)[:, self.needed]

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Values of the mapped cells, float32 ``[step, cell]``, from those of the needed cells, ``[step, needed]``.

        Bilinear takes the neighbours that have a value; `average` and `mode` want values on half of the cell.

        Raises
        ------
        DomainError
            `mode` of values that are no codes.
        """
        if self.weights is None:
            found = values[:, np.maximum(self.places, 0)].astype(np.float32)
            found[:, self.places < 0] = np.nan
            return found
        if self.method == "mode":
            return self._commonest(values)
        present = np.isfinite(values)
        total = (self.weights @ np.ascontiguousarray(np.where(present, values, 0.0).T, np.float64)).T
        weight = (self.weights @ np.ascontiguousarray(present.T, np.float64)).T
        least = SNAP if self.method == "bilinear" else LEAST_PART - 1e-9
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(weight >= least, total / weight, np.nan).astype(np.float32)

    def _commonest(self, values: np.ndarray) -> np.ndarray:
        codes = np.unique(values[np.isfinite(values)])
        if codes.size > MOST_CODES:
            raise DomainError(
                f"{codes.size} different values came for `mode`, from {codes[0]:g} to {codes[-1]:g}: states of at most "
                f"{MOST_CODES} codes are expected. Name the right variable, or regrid by average or bilinear."
            )
        best = np.zeros((values.shape[0], self.weights.shape[0]))
        total = np.zeros_like(best)
        found = np.full(best.shape, np.nan, np.float32)
        for code in codes:  # rising: the smaller code keeps a tie
            weight = (self.weights @ np.ascontiguousarray((values == code).T, np.float64)).T
            total += weight
            ahead = weight > best + 1e-12
            best[ahead], found[ahead] = weight[ahead], code
        found[total < LEAST_PART - 1e-9] = np.nan
        return found

    def describe(self) -> str:
        """What is done, in words."""
        if self.weights is None and abs(self.ratio - 1) < SNAP:
            return "nearest cell (cells of the same size)" if self.method == "nearest" else "cells agree: copied"
        words = (
            f"{self.ratio:.2f} source cells along a cell"
            if self.ratio >= 1
            else f"a source cell spans {1 / self.ratio:.2f} cells"
        )
        return f"{self.method}, {words}"


def default_method(ratio: float, is_state: bool) -> str:
    """Regridding where the study names none.

    Examples
    --------
    >>> default_method(1.0, False), default_method(2.8, False), default_method(0.7, True), default_method(2.8, True)
    ('bilinear', 'average', 'nearest', 'mode')
    """
    if ratio >= FINER:
        return "mode" if is_state else "average"
    return "nearest" if is_state else "bilinear"


def make_regridder(source: FieldGrid, grid: Grid, cells: np.ndarray, method: str | None, *, is_state: bool = False) -> Regridder:
    """Look up which source cells each mapped cell takes, and with which weights.

    Longitudes and latitudes are taken to be those of one datum, as products on spheres are commonly read.

    Parameters
    ----------
    source : FieldGrid
    grid : Grid
        The study grid; needs a CRS.
    cells : ndarray
        Flat indices of the mapped cells.
    method : str or None
        One of `METHODS`; None: see `default_method`.
    is_state : bool
        Values are codes of states.

    Raises
    ------
    GridError
        The source does not reach one mapped cell.
    DomainError
        Codes can't be averaged.

    Examples
    --------
    >>> source = FieldGrid.make([80.5, 81.5], [30.5, 31.5], "EPSG:4326")  # from south to north
    >>> target = Grid.from_bounds((80, 30, 82, 32), 1, crs="EPSG:4326")
    >>> regridder = make_regridder(source, target, np.arange(4), "bilinear")
    >>> regridder.apply(regridder.pick(np.array([[[1, 2], [3, 4]]], np.float32))).tolist()
    [[3.0, 4.0, 1.0, 2.0]]
    """
    if grid.crs is None:
        raise GridError('The study grid has no CRS, so daily fields can\'t be placed on it. Name it: [grid] crs = "EPSG:...".')
    ratio = _ratio(source, grid, cells)
    method = method or default_method(ratio, is_state)
    if is_state and method in ("bilinear", "average"):
        raise DomainError(f"Codes of states can't be regridded by {method!r}: nearest, or mode from finer cells, is expected.")
    side = _points_along(ratio) if method in ("average", "mode") else 1
    together = max(1, POINTS_TOGETHER // side**2)
    parts = [
        _entries(source, grid, cells[start : start + together], method, side, start) for start in range(0, cells.size, together)
    ]
    entries = tuple(np.concatenate(part) for part in zip(*parts, strict=True))
    if not entries[0].size:
        raise GridError(
            f"The field ({source.describe()}) does not reach any of the {cells.size} mapped cells. Look at its CRS and extent."
        )
    return _packed(method, ratio, source.shape[1], cells.size, entries)


# ---- places -------------------------------------------------------------------------------------------------------------


def _to_source(source: FieldGrid, grid: Grid, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of the study grid in the CRS of the source."""
    crs = "EPSG:4326" if source.is_geographic else source.crs
    if agree(grid.crs, crs):
        return x, y
    return Transformer.from_crs(grid.crs, crs, always_xy=True).transform(x, y)


def _fraction(axis: np.ndarray, places: np.ndarray, *, around: bool) -> np.ndarray:
    """Fractional index of places along an axis of centres; NaN further than half a cell outside it."""
    index = np.arange(axis.size, dtype=float)
    if axis[0] > axis[-1]:
        axis, index = axis[::-1], index[::-1]
    if around:  # one more column on either side, so that the seam is a place like any other
        step = index[1] - index[0]
        axis = np.concatenate([[axis[-1] - AROUND], axis, [axis[0] + AROUND]])
        index = np.concatenate([[index[0] - step], index, [index[-1] + step]])
        places = axis[1] + np.mod(places - axis[1], AROUND)
    else:
        half = (axis[1] - axis[0]) / 2, (axis[-1] - axis[-2]) / 2
        slack = SNAP * 2 * min(half)
        outside = ~((places >= axis[0] - half[0] - slack) & (places <= axis[-1] + half[1] + slack))
        places = np.where(outside, np.nan, places)
    # Beyond the outermost centre lies half a cell of that cell: np.interp stays at its centre there.
    return np.interp(places, axis, index)


def _fractions(source: FieldGrid, grid: Grid, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fractional row and column in the source, NaN outside; snapped to centres."""
    x, y = _to_source(source, grid, x, y)
    x, y = np.where(np.isfinite(x), x, np.nan), np.where(np.isfinite(y), y, np.nan)
    if source.is_geographic and not source.is_around:
        middle = (source.x[0] + source.x[-1]) / 2
        x = middle + np.mod(x - middle + AROUND / 2, AROUND) - AROUND / 2
    found = []
    for axis, places, around in ((source.y, y, False), (source.x, x, source.is_around)):
        index = _fraction(axis, places, around=around)
        centre = np.round(index)
        found.append(np.where(np.abs(index - centre) < SNAP, centre, index))
    return found[0], found[1]


def _ratio(source: FieldGrid, grid: Grid, cells: np.ndarray) -> float:
    """Source cells along the side of a cell: the median over mapped cells, of the finer side."""
    chosen = cells[np.unique(np.linspace(0, cells.size - 1, 200).astype(int))]
    x, y = grid.x[chosen % grid.shape[1]], grid.y[chosen // grid.shape[1]]
    width, height = grid.resolution
    sides = []
    for across, up in ((width / 2, 0.0), (0.0, height / 2)):
        first, last = (np.stack(_to_source(source, grid, x + sign * across, y + sign * up)) for sign in (-1, 1))
        steps = last - first
        if source.is_geographic:
            steps[0] = np.mod(steps[0] + AROUND / 2, AROUND) - AROUND / 2
        own_width, own_height = source.cell
        sides.append(np.hypot(steps[0] / own_width, steps[1] / own_height))
    sides = np.array(sides)
    finite = sides[:, np.isfinite(sides).all(axis=0)]
    return float(np.median(finite, axis=1).max()) if finite.size else 1.0


def _points_along(ratio: float) -> int:
    """Points along the side of a cell that stand for its area.

    A multiple of the source cells along it, so that areas are exact on grids that nest.
    """
    whole = max(1, round(ratio))
    return min(whole * math.ceil(FEWEST_POINTS / whole), MOST_POINTS)


def _entries(
    source: FieldGrid, grid: Grid, cells: np.ndarray, method: str, side: int, first: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell (its number, from `first` on), source cell (flat) and weight: every pair that belongs together, once."""
    offsets = (np.arange(side) + 0.5) / side - 0.5
    down, across = (part.ravel() for part in np.meshgrid(offsets, offsets, indexing="ij"))
    width, height = grid.resolution
    x = (grid.x[cells % grid.shape[1]][:, None] + across * width).ravel()
    y = (grid.y[cells // grid.shape[1]][:, None] - down * height).ravel()
    rows, columns = _fractions(source, grid, x, y)
    inside = np.isfinite(rows) & np.isfinite(columns)
    number = np.repeat(np.arange(cells.size), side**2)[inside]
    corners = _neighbours(rows[inside], columns[inside], method)
    flat, weights = [], []
    for row, column, weight in corners:
        flat.append(np.ravel_multi_index(_wrapped(source, row, column), source.shape))
        weights.append(weight / side**2)
    pairs = np.concatenate([number * (source.shape[0] * source.shape[1]) + one for one in flat])
    unique, where = np.unique(pairs, return_inverse=True)
    total = np.bincount(where, np.concatenate(weights), minlength=unique.size)
    unique, total = unique[total > 0], total[total > 0]
    cell, place = np.divmod(unique, source.shape[0] * source.shape[1])
    return cell + first, place, total


def _neighbours(rows: np.ndarray, columns: np.ndarray, method: str) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Row, column and weight of the source cells around points: four for bilinear, else the nearest."""
    if method != "bilinear":
        # Halves go to the next cell, as on `alm_core.grid.Grid`; numpy's rounding would go to the even one.
        return [(np.floor(rows + 0.5), np.floor(columns + 0.5), np.ones(rows.size))]
    row, column = np.floor(rows), np.floor(columns)
    down, right = rows - row, columns - column
    return [
        (row, column, (1 - down) * (1 - right)),
        (row, column + 1, (1 - down) * right),
        (row + 1, column, down * (1 - right)),
        (row + 1, column + 1, down * right),
    ]


def _wrapped(source: FieldGrid, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices within the source; columns go around where the source does."""
    rows = np.clip(rows, 0, source.shape[0] - 1).astype(np.int64)
    columns = columns.astype(np.int64)
    columns = np.mod(columns, source.shape[1]) if source.is_around else np.clip(columns, 0, source.shape[1] - 1)
    return rows, columns


def _packed(method: str, ratio: float, width: int, count: int, entries: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Regridder:
    """Cut out the window of the source (`width` columns) that is needed, and number its cells."""
    from scipy.sparse import coo_array

    cell, place, weights = entries
    rows, columns = np.divmod(place, width)
    top, left = int(rows.min()), int(columns.min())
    bottom, right = int(rows.max()) + 1, int(columns.max()) + 1
    needed, numbers = np.unique((rows - top) * (right - left) + (columns - left), return_inverse=True)
    window = slice(top, bottom), slice(left, right)
    single = np.unique(cell).size == cell.size and np.allclose(weights, 1.0)
    if method in ("nearest", "bilinear") and single:
        places = np.full(count, -1)
        places[cell] = numbers
        return Regridder(method, ratio, *window, needed, places, None)
    matrix = coo_array((weights, (cell, numbers)), shape=(count, needed.size)).tocsr()
    return Regridder(method, ratio, *window, needed, None, matrix)
