"""The equal-area grids that satellite products come on, cut to a region, and how a map's values get there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pyproj import Transformer

from alm_core.grid import Grid

if TYPE_CHECKING:
    from scipy.sparse import csr_array

EASE2_WEST = -17_367_530.445
EASE2 = {"M25": (25_025.26, 7_307_375.92), "M36": (36_032.22, 7_314_540.83)}
"""Cell size and northern edge, m, of the global EASE-Grid 2.0 (EPSG:6933) at 25 and 36 km (Brodzik et al. 2012 and its
correction, ISPRS International Journal of Geo-Information 1:32 and 3:1154)."""
EASE2_CRS = "EPSG:6933"


def ease_grid(name: str, region: Grid, *, coarser: int = 1) -> Grid:
    """The cells of an EASE-Grid 2.0 that touch a geographic region, on the lines of the global grid.

    Parameters
    ----------
    name : {"M25", "M36"}
    region : Grid
        Geographic.
    coarser : int
        Cells this many times as large, for small demos.
    """
    size, north = EASE2[name]
    size *= coarser
    west_edge, south_edge, east_edge, north_edge = region.bounds
    x, y = Transformer.from_crs("EPSG:4326", EASE2_CRS, always_xy=True).transform(
        [west_edge, east_edge], [south_edge, north_edge]
    )
    left, right = int((x[0] - EASE2_WEST) // size), int(np.ceil((x[1] - EASE2_WEST) / size))
    top, bottom = int((north - y[1]) // size), int(np.ceil((north - y[0]) / size))
    bounds = (EASE2_WEST + left * size, north - bottom * size, EASE2_WEST + right * size, north - top * size)
    return Grid(EASE2_CRS, (size, 0.0, bounds[0], 0.0, -size, bounds[3]), (bottom - top, right - left))


def places(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of every cell centre, flat in the order of rows."""
    x, y = (one.ravel() for one in np.meshgrid(grid.x, grid.y))
    if grid.is_geographic:
        return x, y
    return Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)


def footprints(source: Grid, target: Grid, *, width: float) -> csr_array:
    """Weights that turn values of the cells of a map into those of another grid: a Gauss-shaped footprint.

    Parameters
    ----------
    source : Grid
        Geographic, the grid of the map.
    target : Grid
    width : float
        Full width of the footprint at half of its height, in cells of `source`.

    Returns
    -------
    csr_array
        ``[target cell, source cell]``, each row adds up to 1.
    """
    from scipy.sparse import csr_array

    longitude, latitude = places(target)
    step, _ = source.resolution
    column, row = (longitude - source.x[0]) / step, (source.y[0] - latitude) / step
    spread, reach = width / 2.3548, int(np.ceil(width))
    rows, columns, weights = [], [], []
    height, breadth = source.shape
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            at_row, at_column = np.rint(row) + down, np.rint(column) + across
            inside = (at_row >= 0) & (at_row < height) & (at_column >= 0) & (at_column < breadth)
            distance = (at_row - row) ** 2 + (at_column - column) ** 2
            rows.append(np.flatnonzero(inside))
            columns.append((at_row * breadth + at_column)[inside].astype(int))
            weights.append(np.exp(-0.5 * distance[inside] / spread**2))
    row_of, value = np.concatenate(rows), np.concatenate(weights)
    total = np.bincount(row_of, value, minlength=target.size)
    shape = (target.size, source.size)
    return csr_array((value / total[row_of], (row_of, np.concatenate(columns))), shape=shape, dtype=np.float32)
