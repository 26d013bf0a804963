"""Distances to training points, fast enough for every pixel of a map and exact to the last bit.

Sums run over the columns in one fixed order for every pair, so that a pixel that equals a training point is at distance 0 and
equal distances compare equal: a matrix product would be faster to write but loses both.
"""

from __future__ import annotations

import math

import numpy as np

from alm_core.trees.compiled import compiled

# Squared distances this near to the limit (relative) are compared again exactly as the training distances were.
DUST = 1e-12


def nearest_and_count(
    points: np.ndarray, columns: np.ndarray, unit: float, limit: float, nearest: np.ndarray, count: np.ndarray
) -> None:
    """Distance to the nearest training point and the number of training points nearer than `limit`, both in units of `unit`.

    Parameters
    ----------
    points : ndarray
        New points [point, column]; a NaN gives NaN results.
    columns : ndarray
        Training points, transposed [column, site], C order.
    unit : float
        Length of one unit.
    limit : float
        Strict upper limit of the count, in units.
    nearest, count : ndarray
        Filled in place [point].
    """
    _nearest_and_count(np.ascontiguousarray(points, dtype=np.float64), columns, unit, limit, nearest, count)


def pairwise_distances(points: np.ndarray) -> np.ndarray:
    """Euclidean distances [site, site] among points [site, column]."""
    points = np.ascontiguousarray(points, dtype=np.float64)
    return _pairwise(points, np.ascontiguousarray(points.T))


@compiled
def squares_to(point: np.ndarray, columns: np.ndarray, squares: np.ndarray) -> None:
    """Squared distances of one point to the first training points; the site runs innermost, so that vectors are full."""
    n_columns, n_sites = len(columns), squares.size
    for site in range(n_sites):
        squares[site] = 0.0
    # Four columns at once spare three in four trips to memory; the order of the sums is that of one at a time.
    whole = n_columns - n_columns % 4
    for column in range(0, whole, 4):
        p0, p1, p2, p3 = point[column], point[column + 1], point[column + 2], point[column + 3]
        for site in range(n_sites):
            d0 = p0 - columns[column, site]
            d1 = p1 - columns[column + 1, site]
            d2 = p2 - columns[column + 2, site]
            d3 = p3 - columns[column + 3, site]
            squares[site] = squares[site] + d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
    for column in range(whole, n_columns):
        p0 = point[column]
        for site in range(n_sites):
            d0 = p0 - columns[column, site]
            squares[site] = squares[site] + d0 * d0


@compiled
def _nearest_and_count(points, columns, unit, limit, nearest, count):
    n_sites = columns.shape[1]
    squares = np.empty(n_sites)
    square_limit = (limit * unit) ** 2
    surely, maybe = square_limit * (1 - DUST), square_limit * (1 + DUST)
    for row in range(points.shape[0]):
        squares_to(points[row], columns, squares)
        least = np.inf
        n_surely = 0
        n_maybe = 0
        for site in range(n_sites):
            square = squares[site]
            least = min(least, square)
            n_surely += square < surely
            n_maybe += square < maybe
        if n_surely != n_maybe:
            n_surely = 0
            for site in range(n_sites):
                n_surely += math.sqrt(squares[site]) / unit < limit
        # A missing covariate makes every square NaN, and then no square was ever the least.
        if least == np.inf:
            nearest[row] = np.nan
            count[row] = np.nan
        else:
            nearest[row] = math.sqrt(least) / unit
            count[row] = n_surely


@compiled
def _pairwise(points, columns):
    n_sites = columns.shape[1]
    distances = np.empty((n_sites, n_sites))
    for row in range(n_sites):
        squares_to(points[row], columns, distances[row])
        for site in range(n_sites):
            distances[row, site] = math.sqrt(distances[row, site])
    return distances
