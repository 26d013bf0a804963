"""Where a map has values, in degrees: what a viewer shows when it opens.

The box of a polar grid reaches far beyond its land, and the edges of a box in metres say nothing of longitudes around a pole, so
the place of the data is asked.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from pyproj import Transformer
from rasterio.windows import Window

from alm_core.serving.catalogue import find_layer
from alm_core.serving.plane import PLANES
from alm_core.serving.rasters import Raster, header, is_longitude_latitude, longitude_latitude_bounds, read_block
from alm_core.workspace import Run

LOOKED_AT = 200_000
"""Cells of an overview that are enough to see where the data lie."""
MERCATOR_LIMIT = 85.0
"""Degrees: a web map ends there."""
WIDEST_GAP = 20.0
"""Degrees of longitude without data that are worth cutting the circle at."""
Bounds = tuple[float, float, float, float]


def data_bounds(run: Run) -> Bounds:
    """West, south, east, north of the cells with a value, in degrees, within what a web map can show.

    Parameters
    ----------
    run : Run
        A mapped run.

    Returns
    -------
    (west, south, east, north)
        The east goes on beyond 180 where the data cross that meridian; -180 to 180 where they go around the pole.

    Raises
    ------
    LayerError
        The run is not mapped yet.
    """
    return _data_bounds(find_layer(run, "fused").raster)


def plane_bounds(run: Run) -> Bounds | None:
    """Left, bottom, right, top of the cells with a value in the run's own polar plane; None where its grid is in no such plane.

    Raises
    ------
    LayerError
        The run is not mapped yet.
    """
    raster = find_layer(run, "fused").raster
    if header(raster).grid.crs not in PLANES:
        return None
    x, y = _data_corners(raster)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def run_plane(run: Run) -> str | None:
    """CRS of the polar plane in which the run was mapped; None for every other grid."""
    crs = header(find_layer(run, "fused").raster).grid.crs
    return crs if crs in PLANES else None


def reaches_beyond(run: Run) -> float:
    """Latitude up to which the grid of a run reaches, where that is beyond the end of the web map; else 0."""
    north = longitude_latitude_bounds(header(find_layer(run, "fused").raster).grid)[3]
    return north if north > MERCATOR_LIMIT + 0.1 else 0.0


@lru_cache(maxsize=64)
def _data_corners(raster: Raster) -> tuple[np.ndarray, np.ndarray]:
    """x and y of two corners of every cell with a value, of an overview and half a cell around; the box where there is none."""
    facts = header(raster)
    level = next((place for place, (rows, columns) in enumerate(facts.levels) if rows * columns <= LOOKED_AT), None)
    level = len(facts.levels) - 1 if level is None else level
    rows, columns = facts.levels[level]
    found = np.nonzero(np.isfinite(read_block(raster, (1,), Window(0, 0, columns, rows), level=level - 1)[0]))
    if found[0].size == 0:
        left, bottom, right, top = facts.grid.bounds
        return np.array([left, right]), np.array([bottom, top])
    x, y = (np.stack([place - 0.5, place + 1.5]) for place in (found[1].astype(float), found[0].astype(float)))
    a, _, c, _, e, f = facts.grid.transform
    x, y = c + a * x * facts.grid.shape[1] / columns, f + e * y * facts.grid.shape[0] / rows
    return np.concatenate([x[0], x[1]]), np.concatenate([y[0], y[1]])


@lru_cache(maxsize=64)
def _data_bounds(raster: Raster) -> Bounds:
    facts = header(raster)
    longitude, latitude = _data_corners(raster)
    if not is_longitude_latitude(facts.grid):
        longitude, latitude = Transformer.from_crs(facts.grid.crs, "EPSG:4326", always_xy=True).transform(longitude, latitude)
        west, east = longitude_range(np.asarray(longitude))
    else:
        west, east = float(longitude.min()), float(longitude.max())
    return _clipped((west, float(latitude.min()), east, float(latitude.max())))


def longitude_range(longitude: np.ndarray) -> tuple[float, float]:
    """The shortest way around the earth that passes all longitudes; the whole circle where no gap is wide.

    Examples
    --------
    >>> longitude_range(np.array([170.0, -170.0, 179.0]))
    (170.0, 190.0)
    >>> longitude_range(np.arange(-180.0, 180.0))
    (-180.0, 180.0)
    """
    ordered = np.unique(np.mod(longitude, 360.0))
    gaps = np.diff(np.append(ordered, ordered[0] + 360.0))
    widest = int(gaps.argmax())
    if gaps[widest] < WIDEST_GAP:
        return -180.0, 180.0
    west = float(ordered[(widest + 1) % ordered.size])
    east = float(ordered[widest])
    east += 360.0 if east < west else 0.0
    return (west - 360.0, east - 360.0) if west >= 180.0 else (west, east)


def _clipped(bounds: Bounds) -> Bounds:
    west, south, east, north = bounds
    return west, max(-MERCATOR_LIMIT, south), east, min(MERCATOR_LIMIT, north)
