"""The plateau's relief: ETOPO5 (NOAA, public domain) refined by seeded noise to any resolution.

README.md of this folder says where `relief.tif` comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import rasterio
from numba import njit
from scipy import ndimage

from alm_core.studies.active_layer_moisture.noise import noise

SMOOTH_CELLS = 4.0
"""Width of the Gauss filter that separates landforms from the broad shape of the land, cells of relief.tif (about 35 km)."""

BASIN_CELLS = 5
"""Size of the window in which a closed depression is looked for, cells of relief.tif (about 45 km)."""

RUGGEDNESS_PART = 0.30
"""Standard deviation of the added noise as a part of the local standard deviation of the relief."""

FIRST_WAVELENGTH = 0.16
"""Degrees: about twice the spacing of relief.tif, the finest wave that it can carry."""

OCTAVES = 7
"""Down to 0.0025 degree, three cells of 3 arc-seconds."""


@dataclass(frozen=True, eq=False)
class CoarseRelief:
    """Fields on the points of relief.tif, ``[row, column]``, float64.

    Attributes
    ----------
    west, north, step : float
        Longitude and latitude of point (0, 0) and the spacing, degrees.
    elevation, broad, ruggedness, basin : ndarray
        Elevation, elevation without landforms, local standard deviation, and depth in closed depressions, all in m.
    """

    west: float
    north: float
    step: float
    elevation: np.ndarray
    broad: np.ndarray
    ruggedness: np.ndarray
    basin: np.ndarray

    def at(self, field: np.ndarray, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        """Interpolate one of the fields (Catmull-Rom cubic); points outside take the value of the edge."""
        x = np.ascontiguousarray(longitude, np.float64).ravel()
        y = np.ascontiguousarray(latitude, np.float64).ravel()
        out = np.empty(x.size)
        _interpolate(out, field, x, y, self.west, self.north, self.step)
        return out.reshape(np.shape(longitude))


@lru_cache(maxsize=1)
def coarse_relief() -> CoarseRelief:
    """Read relief.tif and derive the coarse fields from it once."""
    path = resources.files(__package__).joinpath("relief.tif")
    with resources.as_file(path) as file, rasterio.open(file, driver="GTiff") as dataset:
        elevation = dataset.read(1).astype(np.float64)
        step = dataset.transform.a
        west, north = dataset.transform.c + step / 2, dataset.transform.f - step / 2
    broad = ndimage.gaussian_filter(elevation, SMOOTH_CELLS, mode="nearest")
    # the noise grows with what the relief does here: standard deviation in a window of 5 x 5 points, smoothed
    mean = ndimage.uniform_filter(elevation, 5, mode="nearest")
    square = ndimage.uniform_filter(elevation**2, 5, mode="nearest")
    ruggedness = ndimage.gaussian_filter(np.sqrt(np.maximum(square - mean**2, 0.0)), 1.0, mode="nearest")
    basin = ndimage.grey_closing(elevation, size=(BASIN_CELLS, BASIN_CELLS), mode="nearest") - elevation
    return CoarseRelief(west, north, step, elevation, broad, ruggedness, ndimage.gaussian_filter(basin, 0.7, mode="nearest"))


@njit(cache=True, nogil=True)
def _interpolate(out, field, x, y, west, north, step):
    """Cubic interpolation of `field` at the points (x, y)."""
    rows, columns = field.shape
    across = np.empty(4)
    for i in range(out.size):
        column = min(max((x[i] - west) / step, 0.0), columns - 1.0)
        row = min(max((north - y[i]) / step, 0.0), rows - 1.0)
        left, top = int(column), int(row)
        u, v = column - left, row - top
        for k in range(4):
            line = min(max(top + k - 1, 0), rows - 1)
            across[k] = _catmull_rom(
                field[line, max(left - 1, 0)],
                field[line, left],
                field[line, min(left + 1, columns - 1)],
                field[line, min(left + 2, columns - 1)],
                u,
            )
        out[i] = _catmull_rom(across[0], across[1], across[2], across[3], v)


@njit(cache=True, nogil=True, inline="always")
def _catmull_rom(before, first, second, after, t):
    bend = before * -0.5 + first * 1.5 - second * 1.5 + after * 0.5
    turn = before - 2.5 * first + 2.0 * second - 0.5 * after
    return ((bend * t + turn) * t + 0.5 * (second - before)) * t + first


def elevation(longitude: np.ndarray, latitude: np.ndarray, *, cell: float, seed: int) -> np.ndarray:
    """Elevation in m at any place, refined as far as cells of `cell` degrees can show it.

    A pure function of the coordinates: a raster written block by block equals one written whole.

    Parameters
    ----------
    longitude, latitude : ndarray
        Degrees, the same shape.
    cell : float
        Cell size of the raster, degrees: waves shorter than two cells are left out.
    seed : int
        Seed of the refinement.

    Returns
    -------
    ndarray
        float64, m. Land below sea level keeps its sign.

    Examples
    --------
    >>> import numpy as np
    >>> bool(elevation(np.array([92.0]), np.array([34.5]), cell=0.01, seed=1)[0] > 3500)
    True
    """
    coarse = coarse_relief()
    base = coarse.at(coarse.elevation, longitude, latitude)
    amplitude = RUGGEDNESS_PART * np.maximum(coarse.at(coarse.ruggedness, longitude, latitude), 5.0)
    detail = noise(longitude, latitude, wavelength=FIRST_WAVELENGTH, octaves=OCTAVES, persistence=0.55, cell=cell, seed=seed)
    return base + amplitude * detail
