"""Overviews of a tiled raster: halved again and again by GDAL, from the cells that have a value.

GDAL's own `build_overviews` looks at every cell of every band on one thread, five times as many as a plateau has values for, and
holds the interpreter's lock for minutes. Here GDAL halves the same cells in the same way as it reads them, tile by tile, on all
cores, and tiles without values are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import Window

from alm_core.mapping.dataset_pool import DatasetPool
from alm_core.mapping.threads import in_threads

RESAMPLING = ("average", "nearest", "mode")
"""Mean of the cells with a value; one cell of four; the commonest value."""


def write_overviews(
    path: Path, profile: Mapping[str, Any], filled: np.ndarray, *, tile: int, resampling: str, threads: int
) -> list[Path]:
    """Write all overviews of a raster beside it, down to the first that fits into one tile.

    They are where GDAL looks for them: ``name.tif.ovr``, ``name.tif.ovr.ovr`` and so on.

    Parameters
    ----------
    path : Path
        A closed GeoTIFF.
    profile : mapping
        How it was written; the overviews are written in the same way.
    filled : ndarray
        bool ``[row, column]``: tiles that may hold a value.
    tile : int
        Cells along a tile.
    resampling : str
        One of RESAMPLING.
    threads : int
        The overviews do not depend on it.

    Returns
    -------
    list of Path
        From the finest to the coarsest.
    """
    found: list[Path] = []
    shape, factor, source = (profile["height"], profile["width"]), 1, path
    while max(-(-size // factor) for size in shape) > tile:
        factor *= 2
        size = tuple(-(-number // factor) for number in shape)
        target = source.with_name(f"{source.name}.ovr")
        options = {**profile, "height": size[0], "width": size[1]}
        with DatasetPool(source, threads) as pool, rasterio.open(target, "w", **options) as coarser:
            filled = _halve(pool, coarser, filled, tile=tile, resampling=resampling, threads=threads)
        found.append(target)
        source = target
    return found


def _halve(pool: DatasetPool, coarser: Any, filled: np.ndarray, *, tile: int, resampling: str, threads: int) -> np.ndarray:
    """Fill one overview; returns which of its tiles may hold a value."""
    size = coarser.height, coarser.width

    def read(place: tuple[int, int]) -> tuple[Window, np.ndarray]:
        window = _cells(place, size, tile)
        with pool.dataset() as finer:
            wanted = finer_window(window, size, (finer.height, finer.width))
            shape = (finer.count, window.height, window.width)
            return window, _resampled(finer, wanted, shape, resampling)

    halved = _tiles_above(filled, (-(-size[0] // tile), -(-size[1] // tile)))
    places = [(int(row), int(column)) for row, column in np.argwhere(halved)]
    for window, values in in_threads(read, places, threads, name="overviews"):
        coarser.write(values, window=window)
    return halved


def _resampled(finer: Any, window: Window, shape: tuple[int, int, int], resampling: str) -> np.ndarray:
    values = finer.read(window=window, out_shape=shape, resampling=Resampling[resampling])
    if resampling == "mode":  # GDAL 3.10 gives 0, not nodata, for cells without a value in all types but uint8
        mean = finer.read(window=window, out_shape=shape, resampling=Resampling.average)
        values[np.isnan(mean) if np.isnan(finer.nodata) else mean == finer.nodata] = finer.nodata
    return values


def _cells(place: tuple[int, int], shape: tuple[int, int], tile: int) -> Window:
    """The cells of a tile, those at the edges are smaller."""
    top, left = place[0] * tile, place[1] * tile
    return Window(left, top, min(tile, shape[1] - left), min(tile, shape[0] - top))


def _tiles_above(filled: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Tiles of the overview that may draw on filled ones.

    Where the number of cells is odd, an overview's cells are a little less than two wide, so a tile may begin before its four.
    """
    above = np.zeros(shape, bool)
    for row, column in np.argwhere(filled):
        above[row // 2 : (row + 1) // 2 + 1, column // 2 : (column + 1) // 2 + 1] = True
    return above


def finer_window(window: Window, coarser: tuple[int, int], finer: tuple[int, int]) -> Window:
    """Where some cells of an overview lie among the finer ones: both cover the same ground.

    Parameters
    ----------
    window : Window
        Cells of the overview.
    coarser, finer : tuple of int
        Rows and columns of both.

    Examples
    --------
    >>> finer_window(Window(512, 0, 512, 100), (500, 2000), (1000, 4000))
    Window(col_off=1024.0, row_off=0.0, width=1024.0, height=200.0)
    """
    down, across = finer[0] / coarser[0], finer[1] / coarser[1]
    return Window(window.col_off * across, window.row_off * down, window.width * across, window.height * down)
