"""Areas and places of cells on the earth, whatever the projection of their grid.

A cell of a polar stereographic grid that is true at 70 N covers 22 % less ground at 45 N than its sides say. Whoever adds up
areas, or measures distances, over half a hemisphere needs the ground and not the plane.
"""

from __future__ import annotations

import math

import numpy as np
from pyproj import CRS, Proj, Transformer
from scipy.interpolate import RegularGridInterpolator

from alm_core.grid import Grid
from alm_core.learning.knndm import EARTH_RADIUS_METRES, space

Cells = slice | np.ndarray
"""Rows or columns of a grid."""
LATTICE_METRES = 100_000.0
"""The scale of a projection is computed this far apart, and taken as linear between: wrong by less than one part in 10,000."""


def cell_areas(grid: Grid, rows: Cells, columns: Cells) -> np.ndarray:
    """Areas of cells on the WGS84 ellipsoid, in square metres, ``[row, column]``.

    On a grid without a CRS they are the plane areas, on a geographic one those of `Grid.cell_area_square_metres`, on any other
    the plane areas over the areal scale of the projection at the cell; 0 where the projection has no place, so that such a
    cell adds nothing to a sum.

    Parameters
    ----------
    grid : Grid
        The whole grid.
    rows, columns : slice or array of int
        The cells: those of a block, or some of them in rising order where a raster is read decimated.

    Examples
    --------
    >>> grid = Grid.from_bounds((-5e6, -5e6, 5e6, 5e6), 1e6, crs="EPSG:3413")
    >>> (cell_areas(grid, np.array([2, 5]), slice(2, 3)) / 1e12).round(3).ravel().tolist()
    [0.909, 0.979]
    """
    x, y = grid.x[columns], grid.y[rows]
    width, height = grid.cell_size_metres(rows)
    plane = np.broadcast_to((width * height)[:, None], (len(y), len(x)))
    if grid.crs is None or grid.is_geographic:
        return plane
    metres = grid.resolution[0] / width[0]
    nodes = [_nodes(axis, LATTICE_METRES * metres) for axis in (y[::-1], x)]
    between = RegularGridInterpolator(nodes, _areal_scale(grid.crs, *np.meshgrid(nodes[1], nodes[0])))
    scale = between(np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1))
    unknown = np.isnan(scale)
    if unknown.any():
        row, column = np.nonzero(unknown)
        scale[unknown] = _areal_scale(grid.crs, x[column], y[row])
    return np.where(np.isnan(scale), 0.0, plane / scale)


def ground_points(grid: Grid, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Places of a grid's CRS as points whose straight distances are metres through the earth, ``[place, 3]``.

    On a grid without a CRS the plane is all there is: ``[place, 2]``.
    """
    if grid.crs is None:
        return np.column_stack([x, y]).astype(float)
    if not grid.is_geographic:
        x, y = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return space(np.asarray(x, float), np.asarray(y, float), geographic=True) * EARTH_RADIUS_METRES


def _nodes(axis: np.ndarray, apart: float) -> np.ndarray:
    """Places from the first to the last of an axis in rising order, at most `apart` from each other; two for a single one."""
    if len(axis) == 1:
        return np.array([axis[0], axis[0] + apart])
    return np.linspace(axis[0], axis[-1], max(2, math.ceil((axis[-1] - axis[0]) / apart) + 1))


def _areal_scale(crs: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Area in the plane of one square metre of ground; NaN where the projection has no place."""
    projection = Proj(CRS.from_user_input(crs))
    longitude, latitude = projection(x, y, inverse=True)
    scale = np.asarray(projection.get_factors(longitude, latitude).areal_scale)
    return np.where(np.isfinite(scale) & (scale > 0), scale, np.nan)
