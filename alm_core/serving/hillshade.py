"""The ground under the map: a light hillshade of the run's own elevation, so that no map service is needed.

Shading from four directions at once (Mark 1992), in light greys around the grey of flat land; where there is no elevation the
ground is that plain grey.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from alm_core.covariates.stack import STACK_FILE, Stack
from alm_core.serving.cache import BoundedCache
from alm_core.serving.catalogue import find_layer, layers, stamps
from alm_core.serving.images import plain_chunks, png
from alm_core.serving.mercator import Pixels, box_pixels, pixel_metres, tile_pixels
from alm_core.serving.plane import PlanePixels, plane_pixel_metres, plane_pixels
from alm_core.serving.rasters import Raster, header, longitude_latitude_bounds, read_pixels
from alm_core.serving.small_copies import make_small_copy
from alm_core.workspace import Run

ELEVATION_WORDS = ("elevation", "dem", "altitude", "srtm")
METRE_UNITS = ("m", "metre", "metres", "meter", "meters", "")
AZIMUTHS = ((315.0, 0.55), (270.0, 0.15), (360.0, 0.15), (225.0, 0.15))
"""Direction of the light in degrees and its share."""
ALTITUDE = math.radians(45.0)
FLAT = 226
CONTRAST = 150.0
DARKEST, LIGHTEST = 120, 252
METRES_PER_DEGREE = 111_320.0
EXAGGERATION_METRES = 60.0
MAXIMUM_EXAGGERATION = 14.0
PICTURE_WIDTHS = (64, 2400)
GREYS = plain_chunks([(max(0, level - 3), max(0, level - 1), level, 255) for level in range(256)])
_tiles = BoundedCache(48 * 2**20)


def elevation_name(run: Run) -> str | None:
    """The covariate that holds the height of the ground, guessed: terrain, in metres, called elevation or the like."""
    return _elevation_name(run.folder, stamps(run))


@lru_cache(maxsize=64)
def _elevation_name(folder: Path, stamps: tuple[tuple[int, int] | None, ...]) -> str | None:
    if not (folder / "covariates" / STACK_FILE).is_file():
        return None
    stack = Stack.open(folder / "covariates")
    for word in ELEVATION_WORDS:
        for name in (*stack.names, *stack.inputs):
            unit = stack.units[name].strip().lower()
            if word in name.lower() and stack.groups[name] == "terrain" and unit in METRE_UNITS:
                return name
    return None


def elevation_raster(run: Run) -> Raster | None:
    """The elevation of a run, None where it has none."""
    name = elevation_name(run)
    return None if name is None else find_layer(run, f"covariate:{name}").raster


def hillshade_tile(run: Run, z: int, x: int, y: int, *, plane: str | None = None) -> bytes:
    """A tile of the ground, PNG, opaque everywhere; of the web map, or of a plane (`alm_core.serving.plane`)."""
    raster = elevation_raster(run)
    if raster is None:
        return plain_ground()
    return _tiles.get((raster, z, x, y, plane), lambda: _shaded_tile(raster, z, x, y, plane))


def plain_ground(shape: tuple[int, int] = (256, 256)) -> bytes:
    """A tile without relief."""
    return png(np.full(shape, FLAT, np.uint8), GREYS)


def hillshade_picture(run: Run, width: int = 1200) -> tuple[bytes, tuple[float, float, float, float]]:
    """The ground of a whole run as one picture in longitude and latitude, for figures.

    Parameters
    ----------
    run : Run
    width : int
        Pixels from west to east, 64 to 2400.

    Returns
    -------
    (PNG, (west, south, east, north))
        An even grid in degrees over the bounds of the map; plain grey where the run has no elevation.
    """
    bounds = run_bounds(run)
    pixels = box_pixels(bounds, max(PICTURE_WIDTHS[0], min(width, PICTURE_WIDTHS[1])))
    raster = elevation_raster(run)
    if raster is None:
        return plain_ground(pixels.shape), bounds
    make_small_copy(raster, category=False)
    step = (bounds[2] - bounds[0]) / pixels.shape[1]
    heights = read_pixels(raster, _padded(pixels, step), [1], smooth=True)
    if heights is None:
        return plain_ground(pixels.shape), bounds
    metres = step * METRES_PER_DEGREE
    grey = shade(heights[0], metres * np.cos(np.radians(pixels.latitude)), metres, detail_metres=_cell_metres(raster))
    return png(grey, GREYS), bounds


def run_bounds(run: Run) -> tuple[float, float, float, float]:
    """West, south, east, north of a run's grid in degrees.

    Raises
    ------
    LayerError
        The run has no layer yet.
    """
    found = layers(run)
    layer = found[0] if found else find_layer(run, "fused")
    return longitude_latitude_bounds(header(layer.raster).grid)


def shade(
    heights: np.ndarray, width_metres: np.ndarray | float, height_metres: np.ndarray | float, *, detail_metres: float = 0.0
) -> np.ndarray:
    """Grey levels of a relief.

    Parameters
    ----------
    heights : ndarray
        Metres, with one more cell on every side than the result, ``[row + 2, column + 2]``.
    width_metres, height_metres : ndarray or float
        Size of a cell, of each row ``[row]`` or of all.
    detail_metres : float
        Size of the cells that the heights were measured at, where these are larger.

    Returns
    -------
    ndarray
        uint8 ``[row, column]``; the grey of flat land where a neighbour is missing.

    Notes
    -----
    The relief is exaggerated more the larger the cells are, because slopes between distant points are small.
    """
    width = np.broadcast_to(np.asarray(width_metres, float), heights.shape[0] - 2)[:, None]
    height = np.broadcast_to(np.asarray(height_metres, float), heights.shape[0] - 2)[:, None]
    factor = np.clip((np.maximum(width, detail_metres) / EXAGGERATION_METRES) ** 0.55, 1.0, MAXIMUM_EXAGGERATION)
    east = (heights[1:-1, 2:] - heights[1:-1, :-2]) / (2 * width) * factor
    south = (heights[2:, 1:-1] - heights[:-2, 1:-1]) / (2 * height) * factor
    steepness = np.sqrt(1 + east**2 + south**2)
    light = np.zeros(east.shape)
    for azimuth, part in AZIMUTHS:
        angle = math.radians(azimuth)
        # Lambert: the normal of the ground (-east, -north, 1) against the direction to the light.
        facing = -east * math.sin(angle) + south * math.cos(angle)
        light += part * np.maximum(0, (math.sin(ALTITUDE) + math.cos(ALTITUDE) * facing) / steepness)
    grey = FLAT + CONTRAST * (light - math.sin(ALTITUDE))
    return np.where(np.isnan(grey), FLAT, np.clip(grey, DARKEST, LIGHTEST)).astype(np.uint8)


def _shaded_tile(raster: Raster, z: int, x: int, y: int, plane: str | None) -> bytes:
    pixels = tile_pixels(z, x, y, pad=1) if plane is None else plane_pixels(plane, z, x, y, pad=1)
    heights = read_pixels(raster, pixels, [1], smooth=True)
    if heights is None:
        return plain_ground()
    if isinstance(pixels, PlanePixels):
        ground = plane_pixel_metres(z)
    else:
        ground = pixel_metres(z) * np.cos(np.radians(pixels.latitude[1:-1]))
    return png(shade(heights[0], ground, ground, detail_metres=_cell_metres(raster)), GREYS)


def _cell_metres(raster: Raster) -> float:
    """Size of the cells of a raster in the middle of it, from south to north."""
    grid = header(raster).grid
    middle = grid.shape[0] // 2
    return float(grid.cell_size_metres(slice(middle, middle + 1))[1][0])


def _padded(pixels: Pixels, step: float) -> Pixels:
    """One more pixel on every side."""
    down = step if pixels.latitude.size < 2 else float(pixels.latitude[0] - pixels.latitude[1])
    return Pixels(
        np.concatenate([[pixels.longitude[0] - step], pixels.longitude, [pixels.longitude[-1] + step]]),
        np.concatenate([[pixels.latitude[0] + down], pixels.latitude, [pixels.latitude[-1] - down]]),
    )
