"""Nearest training points for the cells of a map block, most points never visited, the result exact to the last bit.

The cells of a small tile fill a box in covariate space. A training point whose least possible distance to the box exceeds
another's greatest possible distance is nearest to no cell of the tile; a point that is nearer, or farther, than the limit of the
count from everywhere in the box is counted, or not, once for all cells. Only the rest is visited cell by cell. Tiles are pruned
in two steps, a large one and then its parts, so that the parts begin with few points.

The bounds need no allowance for rounding: a rounded difference, square or sum never falls when its exact value grows, and bounds
are summed over the columns in the order in which distances are. So a bound is a true bound of the rounded distance, and every
visited distance has the bits that `alm_core.learning.nearest` gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alm_core.learning.nearest import DUST, squares_to
from alm_core.trees.compiled import compiled

TILE = 32  # cells along the side of a tile
PART = 8  # and of its parts; divides TILE
LEAST = 32  # parts with fewer cells than that are joined with the next
NARROW = 16  # with fewer cells, vectors run along the sites instead of the cells
FEW = 8  # with so few cells, bounds cost more than the distances they spare
# Numbers from one coordinate of a tile to the next: a power of two would send all of a part to the same few cache lines.
STRIDE = TILE * TILE + PART * PART + 8


@dataclass(frozen=True)
class Placing:
    """How covariates become coordinates: ``(covariate - mean) / sd * weight``, or its level's indicator in the covariate's place.

    Attributes
    ----------
    source : ndarray of int
        Covariate behind each coordinate ``[column]``.
    level : ndarray
        Level whose indicator is scaled ``[column]``; NaN where the covariate itself is.
    mean, sd, weight : ndarray
        ``[column]``; sd and weight above 0.
    categorical : ndarray of bool
        ``[covariate]``: whether an infinite value is just another level instead of a missing one.
    """

    source: np.ndarray
    level: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    weight: np.ndarray
    categorical: np.ndarray


def nearest_and_count_in_block(
    values: np.ndarray, valid: np.ndarray, placing: Placing, points: np.ndarray, unit: float, limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest training point and number of points nearer than `limit`, for the valid cells of a block.

    Parameters
    ----------
    values : ndarray
        Covariates, float32 or float64 ``[covariate, row, column]``; a cell that lacks one gets NaN results.
    valid : ndarray
        bool ``[row, column]``.
    placing : Placing
        From covariates to coordinates.
    points : ndarray
        Training points ``[site, column]`` in coordinates, finite.
    unit, limit : float
        Length of one unit, and the strict upper limit of the count in units.

    Returns
    -------
    nearest, count : ndarray
        float64 ``[n]``, in row-major order: bit for bit what `alm_core.learning.nearest.nearest_and_count` gives. Work memory
        is less than 1 MB and 9 bytes a cell; the GIL is released.
    """
    values = np.ascontiguousarray(values)
    wanted = np.array(valid, bool, order="C")
    places = np.cumsum(wanted.ravel()).reshape(wanted.shape) - 1
    n = int(places[-1, -1]) + 1 if places.size else 0
    nearest, count = np.full(n, np.nan), np.full(n, np.nan)
    if n == 0:
        return nearest, count
    cells = values.reshape(len(values), -1)
    largest = np.where(placing.categorical, np.inf, np.finfo(values.dtype).max).astype(values.dtype)
    _leave_out_missing(cells, largest, wanted.reshape(-1))
    tables = (placing.source, placing.level, placing.mean, placing.sd, placing.weight)
    # A copy, because arrays that came from another process may be read-only, and kernels would be compiled anew for those.
    columns = np.array(points.T, np.float64, order="C")
    _fill(cells, wanted, places, *tables, columns, unit, limit, nearest, count)
    return nearest, count


@compiled
def _leave_out_missing(cells, largest, wanted):
    """Unset the cells that lack a covariate: those with NaN, or more than the largest number it may have."""
    for covariate in range(cells.shape[0]):
        row, limit = cells[covariate], largest[covariate]
        for cell in range(row.size):
            wanted[cell] &= abs(row[cell]) <= limit


@compiled
def _fill(cells, wanted, places, source, level, mean, sd, weight, columns, unit, limit, nearest, count):
    """Go through the tiles of a block."""
    n_columns, n_sites = columns.shape
    x = np.empty((n_columns, STRIDE))
    index, parts = np.empty(TILE * TILE, np.int64), np.empty((TILE // PART) ** 2 + 1, np.int64)
    tile_columns, part_columns = np.empty((n_columns, n_sites)), np.empty((n_columns, n_sites))
    work = np.empty((4, max(n_columns, n_sites)))
    best, surely, maybe = np.empty(TILE * TILE), np.empty(TILE * TILE, np.int64), np.empty(TILE * TILE, np.int64)
    square_limit = (limit * unit) ** 2
    limits = (square_limit * (1 - DUST), square_limit * (1 + DUST))
    flat_places = places.reshape(-1)
    for row in range(0, wanted.shape[0], TILE):
        for column in range(0, wanted.shape[1], TILE):
            n_parts = _list_cells(wanted, row, column, index, parts)
            n = parts[n_parts]
            if n == 0:
                continue
            for k in range(n_columns):
                _place(cells[source[k]], index[:n], level[k], mean[k], sd[k], weight[k], x[k])
            near, n_near, n_sure = _prune(x, parts[0], n, columns, n_sites, limits, work, tile_columns)
            for part in range(n_parts):
                start, stop = parts[part], parts[part + 1]
                rest, n_rest, n_more = near, n_near, 0
                if n_parts > 1:
                    rest, n_rest, n_more = _prune(x, start, stop, near, n_near, limits, work, part_columns)
                if stop - start < NARROW:
                    _visit_narrow(x, start, stop, rest, n_rest, limits, best, surely, maybe)
                else:
                    _visit(x, start, stop, rest, n_rest, limits, best, surely, maybe)
                for j in range(start, stop):
                    # Infinite coordinates are as good as missing ones.
                    if not best[j] < np.inf:
                        continue
                    counted = surely[j]
                    if counted != maybe[j]:
                        counted = _count_exactly(x[:, j], rest, n_rest, unit, limit)
                    place = flat_places[index[j]]
                    nearest[place] = math.sqrt(best[j]) / unit
                    count[place] = n_sure + n_more + counted


@compiled
def _list_cells(wanted, row, column, index, parts):
    """List the wanted cells of a tile part by part.

    Returns the number of parts; `parts` gets where each begins, and the end.
    """
    rows, columns = wanted.shape
    n = 0
    n_parts = 0
    parts[0] = 0
    for top in range(row, min(row + TILE, rows), PART):
        for left in range(column, min(column + TILE, columns), PART):
            for i in range(top, min(top + PART, rows)):
                for j in range(left, min(left + PART, columns)):
                    if wanted[i, j]:
                        index[n] = i * columns + j
                        n += 1
            if n - parts[n_parts] >= LEAST:
                n_parts += 1
                parts[n_parts] = n
    if n > parts[n_parts]:
        n_parts += 1
        parts[n_parts] = n
    return n_parts


@compiled
def _place(values, index, level, mean, sd, weight, x):
    """Coordinates of the cells in one column, by the operations of `CovariateSpace.place`."""
    if level == level:
        for k in range(index.size):
            x[k] = 1.0 if np.float64(values[index[k]]) == level else 0.0
    else:
        for k in range(index.size):
            x[k] = values[index[k]]
    for k in range(index.size):
        x[k] = (x[k] - mean) / sd * weight


@compiled
def _prune(x, start, stop, columns, n_sites, limits, work, kept):
    """The sites that must be visited for the cells from `start` to `stop`, in `kept` where it isn't all of them.

    Returns their columns and number, and how many of the others are nearer than the limit to every cell.
    """
    n_columns = len(columns)
    inner, outer = limits
    if stop - start <= FEW:
        return columns, n_sites, 0
    low, high, least, most = work[0, :n_columns], work[1, :n_columns], work[2, :n_sites], work[3, :n_sites]
    for k in range(n_columns):
        low[k], high[k] = _range(x[k, start:stop])
    _bounds(low, high, columns, least, most)
    reach = np.inf
    for site in range(n_sites):
        reach = min(reach, most[site])
    chosen = np.empty(n_sites, np.int64)
    n_kept = 0
    n_sure = 0
    for site in range(n_sites):
        if least[site] <= reach or (least[site] < outer and most[site] >= inner):
            chosen[n_kept] = site
            n_kept += 1
        elif most[site] < inner:
            n_sure += 1
    if n_kept == n_sites:
        return columns, n_sites, 0
    for k in range(n_columns):
        for j in range(n_kept):
            kept[k, j] = columns[k, chosen[j]]
    return kept, n_kept, n_sure


@compiled
def _range(x):
    """Least and greatest, four at a time: the compiler may not turn one running minimum into several by itself."""
    a0, a1, a2, a3 = x[0], x[0], x[0], x[0]
    b0, b1, b2, b3 = x[0], x[0], x[0], x[0]
    whole = x.size - x.size % 4
    for k in range(0, whole, 4):
        a0, a1, a2, a3 = min(a0, x[k]), min(a1, x[k + 1]), min(a2, x[k + 2]), min(a3, x[k + 3])
        b0, b1, b2, b3 = max(b0, x[k]), max(b1, x[k + 1]), max(b2, x[k + 2]), max(b3, x[k + 3])
    for k in range(whole, x.size):
        a0, b0 = min(a0, x[k]), max(b0, x[k])
    return min(min(a0, a1), min(a2, a3)), max(max(b0, b1), max(b2, b3))


@compiled
def _bounds(low, high, columns, least, most):
    """Least and greatest squared distance of each site to a box."""
    for site in range(least.size):
        least[site] = 0.0
        most[site] = 0.0
    for k in range(columns.shape[0]):
        lowest, highest = low[k], high[k]
        column = columns[k]
        for site in range(least.size):
            p = column[site]
            below, above = lowest - p, p - highest
            outside = below if below > above else above
            outside = outside if outside > 0.0 else 0.0
            farthest = below if below < above else above
            least[site] += outside * outside
            most[site] += farthest * farthest


@compiled
def _visit(x, start, stop, columns, n_sites, limits, best, surely, maybe):
    """Least squared distance of each cell, and the number of sites within the inner and the outer limit; cells run innermost."""
    n_columns = len(columns)
    inner, outer = limits
    n = stop - start
    square = np.empty(n)
    own_best, own_surely, own_maybe = best[start:stop], surely[start:stop], maybe[start:stop]
    for j in range(n):
        own_best[j] = np.inf
        own_surely[j] = 0
        own_maybe[j] = 0
    whole = n_columns - n_columns % 4
    for site in range(n_sites):
        for j in range(n):
            square[j] = 0.0
        # Four columns at once spare trips to memory; the order of the sums is that of one at a time.
        for k in range(0, whole, 4):
            x0, x1, x2, x3 = x[k, start:stop], x[k + 1, start:stop], x[k + 2, start:stop], x[k + 3, start:stop]
            p0, p1, p2, p3 = columns[k, site], columns[k + 1, site], columns[k + 2, site], columns[k + 3, site]
            for j in range(n):
                d0, d1, d2, d3 = x0[j] - p0, x1[j] - p1, x2[j] - p2, x3[j] - p3
                square[j] = square[j] + d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
        for k in range(whole, n_columns):
            x0, p0 = x[k, start:stop], columns[k, site]
            for j in range(n):
                d0 = x0[j] - p0
                square[j] = square[j] + d0 * d0
        for j in range(n):
            s, b = square[j], own_best[j]
            own_best[j] = s if s < b else b
            own_surely[j] += s < inner
            own_maybe[j] += s < outer


@compiled
def _visit_narrow(x, start, stop, columns, n_sites, limits, best, surely, maybe):
    """What `_visit` does; sites run innermost."""
    inner, outer = limits
    square, point = np.empty(n_sites), np.empty(len(columns))
    for j in range(start, stop):
        for k in range(len(columns)):
            point[k] = x[k, j]
        squares_to(point, columns, square)
        least = np.inf
        n_surely = 0
        n_maybe = 0
        for site in range(n_sites):
            least = min(least, square[site])
            n_surely += square[site] < inner
            n_maybe += square[site] < outer
        best[j], surely[j], maybe[j] = least, n_surely, n_maybe


@compiled
def _count_exactly(point, columns, n_sites, unit, limit):
    """Sites nearer than the limit, compared as the training distances were."""
    count = 0
    for site in range(n_sites):
        square = 0.0
        for k in range(columns.shape[0]):
            square += (point[k] - columns[k, site]) ** 2
        count += math.sqrt(square) / unit < limit
    return count
