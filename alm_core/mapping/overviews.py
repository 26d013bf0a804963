"""Overviews of a tiled raster: halved again and again by the mean of the cells that have a value.

GDAL can make them too; these take a fifth of the time and memory. They are written beside the raster, where GDAL finds them
(``name.tif.ovr``, ``name.tif.ovr.ovr``, ...).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window


def write_mean_overviews(path: Path, profile: dict[str, Any], *, tile: int) -> list[Path]:
    """Write all overviews of a raster, down to the first that fits into one tile.

    Parameters
    ----------
    path : Path
        A closed, tiled GeoTIFF.
    profile : dict
        How it was written; the overviews are written in the same way.
    tile : int
        Cells along a tile.

    Returns
    -------
    list of Path
        From the finest to the coarsest.
    """
    found: list[Path] = []
    height, width = profile["height"], profile["width"]
    factor, source = 1, path
    while max(width // factor, height // factor) > tile:
        factor *= 2
        shape = -(-height // factor), -(-width // factor)
        target = source.with_name(f"{source.name}.ovr")
        with rasterio.open(source, driver="GTiff") as finer:
            options = profile | {"height": shape[0], "width": shape[1], "transform": finer.transform @ _stretch(finer, shape)}
            with rasterio.open(target, "w", **options) as coarser:
                _halve(finer, coarser, tile)
        found.append(target)
        source = target
    return found


def _stretch(finer: Any, shape: tuple[int, int]) -> Any:
    """The coarser cells cover the same ground: of an odd number of cells, each is a little less than two wide."""
    return rasterio.Affine.scale(finer.width / shape[1], finer.height / shape[0])


def _halve(finer: Any, coarser: Any, tile: int) -> None:
    rows, columns = pairs(finer.height, coarser.height), pairs(finer.width, coarser.width)
    for top in range(0, coarser.height, tile):
        for left in range(0, coarser.width, tile):
            down, across = rows[:, top : top + tile], columns[:, left : left + tile]
            (first, last), (start, stop) = (int(down.min()), int(down.max())), (int(across.min()), int(across.max()))
            values = finer.read(window=Window(start, first, stop - start + 1, last - first + 1))
            mean = mean_of_four(values, down - first, across - start, finer.nodata)
            empty = np.isnan(mean).all() if mean.dtype.kind == "f" else (mean == finer.nodata).all()
            if not empty:  # tiles that are never written hold nodata
                coarser.write(mean, window=Window(left, top, across.shape[1], down.shape[1]))


def pairs(finer: int, coarser: int) -> np.ndarray:
    """First and second of the finer cells under each coarser one, ``[2, coarser]``.

    Where the number is odd the pairs overlap once, so that no cell is drawn away from its place by more than half of one.

    Examples
    --------
    >>> pairs(5, 3).tolist()
    [[0, 2, 3], [1, 3, 4]]
    """
    first = np.rint(np.arange(coarser) * (finer / coarser)).astype(int)
    return np.stack([first, np.minimum(first + 1, finer - 1)])


def mean_of_four(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, nodata: float | None) -> np.ndarray:
    """Mean of the cells with a value among each two by two, ``[band, row, column]`` of the type of `values`.

    Parameters
    ----------
    values : ndarray, ``[band, row, column]``
    rows, columns : ndarray, ``[2, n]``
        See `pairs`.
    nodata : float or None
        None: every cell has a value.
    """
    total, count = 0.0, 0
    for row in rows:
        line = values[:, row]
        for column in columns:
            part = line[:, :, column]
            if values.dtype.kind == "f" and (nodata is None or np.isnan(nodata)):
                known = ~np.isnan(part)
            else:
                known = np.ones(part.shape, bool) if nodata is None else part != nodata
            total = total + np.where(known, part, 0).astype(np.float32 if values.dtype.kind == "f" else np.float64)
            count = count + known.astype(np.uint8)
    with np.errstate(invalid="ignore"):  # infinite bounds of either sign
        mean = total / np.maximum(count, 1).astype(total.dtype)
    if values.dtype.kind == "f":
        return np.where(count > 0, mean, values.dtype.type(np.nan if nodata is None else nodata)).astype(values.dtype)
    whole = np.rint(mean)
    if nodata is None:
        return whole.astype(values.dtype)
    whole = np.where(whole == nodata, nodata + (1 if nodata < np.iinfo(values.dtype).max else -1), whole)
    return np.where(count > 0, whole, nodata).astype(values.dtype)
