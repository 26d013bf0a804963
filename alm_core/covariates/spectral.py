"""Indices from optical bands."""

from __future__ import annotations

import numpy as np

from alm_core.errors import StudyError


def normalised_difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(first - second) / (first + second), float32, any shape.

    NaN where either is missing, where the sum is not positive, and where a negative reflectance (a trace of the
    atmospheric correction over water and shadow) would push the index outside -1..1.

    Examples
    --------
    >>> normalised_difference(np.array([0.3, 0.0, 0.2]), np.array([0.1, 0.0, -0.1])).tolist()
    [0.5, nan, nan]
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    total = first + second
    with np.errstate(divide="ignore", invalid="ignore"):
        index = (first - second) / total
    index[~(total > 0) | (np.abs(index) > 1)] = np.nan
    return index.astype(np.float32)


def ndvi(nir: np.ndarray, red: np.ndarray) -> np.ndarray:
    """Normalised difference vegetation index, (nir - red) / (nir + red) (Rouse et al. 1974); -1..1.

    Parameters
    ----------
    nir, red : ndarray
        Reflectance of the near infrared and red bands, on any common scale without offset.

    Examples
    --------
    >>> float(ndvi(np.array([0.45]), np.array([0.05]))[0])
    0.800000011920929
    """
    return normalised_difference(nir, red)


def ndwi(
    nir: np.ndarray, *, green: np.ndarray | None = None, swir: np.ndarray | None = None, definition: str = "mcfeeters"
) -> np.ndarray:
    """Normalised difference water index; two quantities share this name.

    ``"mcfeeters"``: (green - nir) / (green + nir), open water (McFeeters 1996). ``"gao"``: (nir - swir) / (nir + swir),
    water in leaves and soil (Gao 1996).

    Parameters
    ----------
    nir, green, swir : ndarray
        Reflectance, on any common scale without offset. `green` for McFeeters, `swir` for Gao.

    Raises
    ------
    StudyError
        Unknown definition, or the band that it needs is not given.

    Examples
    --------
    >>> nir, swir = np.array([0.30]), np.array([0.10])
    >>> float(ndwi(nir, swir=swir, definition="gao")[0])
    0.5
    """
    bands = {"mcfeeters": ("green", green), "gao": ("swir", swir)}
    if definition not in bands:
        raise StudyError(f"NDWI definition {definition!r} is not known. Use `mcfeeters` (green, nir) or `gao` (nir, swir).")
    name, band = bands[definition]
    if band is None:
        raise StudyError(f"NDWI by {definition} needs the band `{name}`, which is not given. Add it to `inputs`.")
    return normalised_difference(band, nir) if definition == "mcfeeters" else normalised_difference(nir, band)
