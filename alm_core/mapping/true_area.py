"""Areas and places of cells on the earth, whatever the projection of their grid.

A cell of a polar stereographic grid that is true at 70 N covers 22 % less ground at 45 N than its sides say. Whoever adds up
areas, or measures distances, over half a hemisphere needs the ground and not the plane.
"""

from __future__ import annotations

import numpy as np
from pyproj import CRS, Proj, Transformer
from scipy.interpolate import RegularGridInterpolator

from alm_core.grid import Block, Grid
from alm_core.learning.knndm import EARTH_RADIUS_METRES, space

LATTICE_METRES = 100_000.0
"""The scale of a projection is computed this far apart, and taken as linear between: wrong by less than one part in 10,000."""


def cell_areas(grid: Grid, block: Block) -> np.ndarray:
    """Areas of the cells of a block on the WGS84 ellipsoid, in square metres, ``[row, column]``.

    On a grid without a CRS they are the plane areas, on a geographic one those of `Grid.cell_area_square_metres`, on any other
    the plane areas over the areal scale of the projection at the cell (NaN where the projection has no place).

    Examples
    --------
    >>> grid = Grid.from_bounds((-5e6, -5e6, 5e6, 5e6), 1e6, crs="EPSG:3413")
    >>> block = next(grid.blocks(16))
    >>> (cell_areas(grid, block)[[5, 2], [5, 2]] / 1e12).round(3).tolist()
    [1.056, 0.909]
    """
    rows, columns = block.slices
    plane = np.broadcast_to(grid.cell_area_square_metres(rows)[:, None], block.shape)
    if grid.crs is None or grid.is_geographic:
        return plane
    x, y = grid.x[columns], grid.y[rows]
    step = max(1, int(LATTICE_METRES / float(grid.cell_size_metres(slice(0, 1))[0][0])))
    nodes = [_nodes(axis, step) for axis in (y, x)]
    scale = _areal_scale(grid.crs, *np.meshgrid(nodes[1], nodes[0]))
    if min(len(part) for part in nodes) < 2:
        return plane / scale
    ordered = [np.sort(part) for part in nodes]
    upright = scale[np.ix_(*(np.argsort(part) for part in nodes))]
    between = RegularGridInterpolator(ordered, upright)(np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1))
    return plane / between


def ground_points(grid: Grid, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Places of a grid's CRS as points whose straight distances are metres through the earth, ``[place, 3]``.

    On a grid without a CRS the plane is all there is: ``[place, 2]``.
    """
    if grid.crs is None:
        return np.column_stack([x, y]).astype(float)
    if not grid.is_geographic:
        x, y = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return space(np.asarray(x, float), np.asarray(y, float), geographic=True) * EARTH_RADIUS_METRES


def _nodes(axis: np.ndarray, step: int) -> np.ndarray:
    """Every so many-th place along an axis, both ends included."""
    picked = np.unique(np.append(np.arange(0, len(axis), step), len(axis) - 1))
    return axis[picked]


def _areal_scale(crs: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    projection = Proj(CRS.from_user_input(crs))
    longitude, latitude = projection(x, y, inverse=True)
    return np.asarray(projection.get_factors(longitude, latitude).areal_scale)
