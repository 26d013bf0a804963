"""Axes of fields that come with the longitude and latitude of every cell instead, as HDF5 products of SMAP do."""

from __future__ import annotations

import numpy as np
from pyproj import Transformer

from alm_core.errors import GridError

LARGEST_MISS = 0.05
"""Part of a cell by which a cell may miss its place on even axes (coordinates are stored as float32)."""


def axes_of_cells(longitude: np.ndarray, latitude: np.ndarray, crs: str) -> tuple[np.ndarray, np.ndarray]:
    """Find the even axes on which cells lie.

    Parameters
    ----------
    longitude, latitude : ndarray
        Degrees, ``[row, column]``; anything that is no place (fills, NaN) is left out.
    crs : str
        In which the cells are a grid.

    Returns
    -------
    (x, y) : tuple of ndarray
        Centres, ``[column]`` and ``[row]``.

    Raises
    ------
    GridError
        Too few places, or the cells are no grid in this CRS, such as a swath.

    Examples
    --------
    >>> longitude, latitude = np.meshgrid([80.5, 81.5, -9999.0], [31.5, 30.5])
    >>> x, y = axes_of_cells(longitude, latitude, "EPSG:4326")
    >>> np.round(x, 6).tolist(), np.round(y, 6).tolist()
    ([80.5, 81.5, 82.5], [31.5, 30.5])
    """
    known = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 360)
    x, y = np.full(latitude.shape, np.nan), np.full(latitude.shape, np.nan)
    transformer = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x[known], y[known] = transformer.transform(longitude[known].astype(float), latitude[known].astype(float))
    known &= np.isfinite(x) & np.isfinite(y)
    return _even(x, known, 1), _even(y, known, 0)


def _even(places: np.ndarray, known: np.ndarray, axis: int) -> np.ndarray:
    """Fit an even axis to the places of cells along it."""
    index = np.broadcast_to(np.arange(places.shape[axis]).reshape((1, -1) if axis else (-1, 1)), places.shape)
    if np.unique(index[known]).size < 2:
        raise GridError("Its cells have longitude and latitude in fewer than two rows or columns: no grid can be found.")
    step, start = np.polyfit(index[known], places[known], 1)
    miss = np.abs(places[known] - (start + step * index[known])).max()
    if not miss < LARGEST_MISS * abs(step):
        raise GridError(
            f"Its cells, known by longitude and latitude, are no grid in this CRS: they miss even axes by {miss:.4g} "
            f"with steps of {abs(step):.4g}. Name the CRS of the product (`crs`); swaths must be gridded first."
        )
    return start + step * np.arange(places.shape[axis])
