"""Blocks of any size, in any order, gathered in a plain tiled GeoTIFF, which GDAL can copy as a whole.

It lies beside the raster that is made of it, for seconds. Not for readers: it has no overviews and says nothing of itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from alm_core.errors import GridError
from alm_core.grid import Block, Grid
from alm_core.mapping.block_file import holds_nothing
from alm_core.mapping.covering import check_covering
from alm_core.mapping.encoding import Encoding
from alm_core.mapping.threads import in_threads

TILE = 512
"""Cells along a tile of every raster."""


@dataclass(frozen=True)
class StagedRaster:
    """What was gathered.

    Attributes
    ----------
    path : Path
    filled : ndarray
        bool ``[row, column]`` of tiles: those that may hold a value.
    cells : tuple of int
        Cells of each band that are not nodata.
    """

    path: Path
    filled: np.ndarray
    cells: tuple[int, ...]


def staging_profile(grid: Grid, count: int, encoding: Encoding) -> dict[str, Any]:
    """How GDAL writes the staged file and its overviews: band by band, nothing for tiles without a value, packed fast.

    Band by band, because GDAL halves and copies single bands several times faster than cells of many.
    """
    rows, columns = grid.shape
    return {
        "driver": "GTiff",
        "height": rows,
        "width": columns,
        "count": count,
        "dtype": encoding.dtype,
        "nodata": encoding.nodata,
        "crs": grid.crs,
        "transform": grid.affine,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "interleave": "band",
        "photometric": "minisblack",  # or three bands of bytes would be taken for red, green and blue
        "compress": "zstd",
        "zstd_level": 1,
        "sparse_ok": True,
        "bigtiff": "YES",
    }


def stage_blocks(
    path: Path,
    blocks: Iterable[tuple[Block, np.ndarray]],
    grid: Grid,
    encoding: Encoding,
    profile: Mapping[str, Any],
    *,
    describe: Callable[[Any], None],
    threads: int,
) -> StagedRaster:
    """Write blocks into a new staged file.

    Parameters
    ----------
    path : Path
    blocks : iterable of (Block, ndarray)
        ``[band, row, column]``, or ``[row, column]`` of one band.
    grid : Grid
    encoding : Encoding
    profile : mapping
        See `staging_profile`.
    describe : callable
        Gets the open dataset, to say of its bands what the final raster is to say.
    threads : int
        That encode; what is stored does not depend on them.

    Raises
    ------
    GridError
        A block has another shape than its values, or the blocks do not cover the grid exactly once.
    DomainError
        A value does not fit into the data type.
    """
    filled = np.zeros([-(-size // TILE) for size in grid.shape], bool)
    cells, given, lock = np.zeros(profile["count"], np.int64), [], threading.Lock()
    with rasterio.open(path, "w", **profile) as target:
        describe(target)

        def add(item: tuple[Block, np.ndarray]) -> tuple[Block, np.ndarray | None]:
            """Encode one block, in a thread; None where it holds nothing."""
            block, values = item
            values = values if values.ndim == 3 else values[None]
            if values.shape != (target.count, *block.shape):
                raise GridError(f"Block {block.name} is {values.shape}; {(target.count, *block.shape)} was expected.")
            if holds_nothing(values):
                return block, None
            stored = encoding.encode(values)
            known = count_cells(stored, encoding.nodata)
            if known.any():
                with lock:  # GDAL's datasets are for one thread at a time
                    target.write(stored, window=block.window)
            return block, known

        for block, known in in_threads(add, blocks, threads, name="staging"):
            given.append(block)
            if known is not None and known.any():
                cells += known
                rows, columns = ((part.start // TILE, (part.stop - 1) // TILE + 1) for part in block.slices)
                filled[slice(*rows), slice(*columns)] = True
    check_covering(grid, given)
    return StagedRaster(path, filled, tuple(int(number) for number in cells))


def count_cells(stored: np.ndarray, nodata: float) -> np.ndarray:
    """Cells of each band ``[band, row, column]`` that are not nodata."""
    missing = np.isnan(stored) if np.isnan(nodata) else stored == nodata
    return stored[0].size - np.count_nonzero(missing, axis=(1, 2))
