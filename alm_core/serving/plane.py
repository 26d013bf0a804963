"""Tiles of a polar view: squares of a plane around the North Pole instead of the web map, which ends at 85 degrees.

The plane is that of a polar stereographic CRS; tile 0/0/0 is the square of `HALF_METRES` around the pole, and every zoom halves
the tiles, as on a web map. A raster in the same CRS needs no warping at all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.serving.mercator import TILE_PIXELS

HALF_METRES = 12_500_000.0
"""Beyond the equator in these projections; `assets/browser/polar_crs.js` has the same number."""
PLANES = {"EPSG:3413": {"latitude": 70.0, "longitude": -45.0}, "EPSG:3995": {"latitude": 71.0, "longitude": 0.0}}
"""Latitude of true scale and central meridian of each CRS, on WGS84."""


@dataclass(frozen=True)
class PlanePixels:
    """Centres of the pixels of a picture in a plane.

    Attributes
    ----------
    crs : str
    x, y : ndarray
        Metres, ``[column]`` from left to right and ``[row]`` from top to bottom.
    """

    crs: str
    x: np.ndarray
    y: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.y.size, self.x.size


def plane_pixels(crs: str, z: int, x: int, y: int, *, pad: int = 0) -> PlanePixels:
    """The pixels of a tile of a plane, with `pad` more on every side.

    Examples
    --------
    >>> plane_pixels("EPSG:3413", 0, 0, 0).x[[0, -1]]
    array([-12451171.875,  12451171.875])
    """
    size = plane_pixel_metres(z)
    steps = np.arange(-pad, TILE_PIXELS + pad) + 0.5
    return PlanePixels(crs, -HALF_METRES + (x * TILE_PIXELS + steps) * size, HALF_METRES - (y * TILE_PIXELS + steps) * size)


def plane_pixel_metres(z: int) -> float:
    """Size of a pixel in the plane, m; on the ground that is true at the latitude of true scale."""
    return 2 * HALF_METRES / 2**z / TILE_PIXELS


def plane_shape(shape: dict[str, Any], crs: str) -> dict[str, Any]:
    """A polygon that was drawn in a plane, with its corners in metres of the plane: there its edges are straight.

    Parameters
    ----------
    shape : dict
        GeoJSON geometry in degrees.
    crs : str
        One of `PLANES`.
    """
    import shapely
    from pyproj import Transformer

    transformer = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    geometry = shapely.from_geojson(json.dumps(shape))
    moved = shapely.transform(geometry, lambda x, y: transformer.transform(x, y), interleaved=False)
    return json.loads(shapely.to_geojson(moved))
