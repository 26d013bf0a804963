"""The web map: where the pixels of a tile lie.

Tiles are squares of 256 pixels of the spherical Mercator projection (EPSG:3857). Longitude depends on the column alone and
latitude on the row alone, which is what makes rasters in longitude and latitude cheap to cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

TILE_PIXELS = 256
RADIUS_METRES = 6378137.0
HALF_METRES = math.pi * RADIUS_METRES


@dataclass(frozen=True)
class Pixels:
    """Centres of the pixels of a picture whose columns have one longitude and whose rows have one latitude.

    Attributes
    ----------
    longitude, latitude : ndarray
        Degrees, ``[column]`` and ``[row]``, from west to east and from north to south.
    """

    longitude: np.ndarray
    latitude: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.latitude.size, self.longitude.size


def tile_pixels(z: int, x: int, y: int, *, pad: int = 0) -> Pixels:
    """The pixels of a tile, with `pad` more on every side.

    Examples
    --------
    >>> tile_pixels(0, 0, 0).longitude[[0, -1]]
    array([-179.296875,  179.296875])
    """
    size = pixel_metres(z)
    steps = np.arange(-pad, TILE_PIXELS + pad) + 0.5
    longitude = np.degrees((-HALF_METRES + (x * TILE_PIXELS + steps) * size) / RADIUS_METRES)
    north = (HALF_METRES - (y * TILE_PIXELS + steps) * size) / RADIUS_METRES
    return Pixels(longitude, np.degrees(2 * np.arctan(np.exp(north)) - math.pi / 2))


def pixel_metres(z: int) -> float:
    """Size of a pixel at the equator, m; on the ground it is smaller by the cosine of the latitude."""
    return 2 * HALF_METRES / 2**z / TILE_PIXELS


def box_pixels(bounds: tuple[float, float, float, float], width: int) -> Pixels:
    """Pixels of an even grid in longitude and latitude over west, south, east, north; square at no more than `width` columns."""
    west, south, east, north = bounds
    step = (east - west) / width
    rows = max(1, round((north - south) / step))
    longitude = west + step * (np.arange(width) + 0.5)
    return Pixels(longitude, north - (north - south) / rows * (np.arange(rows) + 0.5))
