"""Small rasters for tests of any room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from alm_core.grid import Grid

GRID_CRS = "..."
"""Stands for the CRS of the grid in `write_raster`."""


def write_raster(
    path: str | Path,
    array: np.ndarray,
    grid: Grid,
    *,
    nodata: float | None = None,
    dtype: str | None = None,
    crs: str | None = GRID_CRS,
    tags: dict[str, str] | None = None,
    **profile: object,
) -> Path:
    """Write ``[row, column]`` or ``[band, row, column]`` as a GeoTIFF and give its path.

    `crs` is that of the grid unless another, or None, is given; further keywords go to `rasterio.open`.
    """
    bands = array[None] if array.ndim == 2 else array
    options = {"driver": "GTiff", "transform": grid.affine, **profile}
    with rasterio.open(
        path,
        "w",
        count=bands.shape[0],
        height=bands.shape[1],
        width=bands.shape[2],
        dtype=dtype or str(array.dtype),
        crs=grid.crs if crs == GRID_CRS else crs,
        nodata=nodata,
        **options,
    ) as dataset:
        dataset.write(bands.astype(dtype or array.dtype))
        if tags:
            dataset.update_tags(**tags)
    return Path(path)


def read_raster(path: str | Path, band: int = 1) -> np.ndarray:
    """One band, as stored."""
    with rasterio.open(path, driver="GTiff") as dataset:
        return dataset.read(band)
