"""Small copies of large rasters that have no overviews, such as staged covariates.

Zoomed out, a tile of such a raster would need all of its cells. A copy with cells four times as large and overviews of its own
is made once, beside the raster, and found again by the raster's time of change and size.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from alm_core.errors import AlmError, WorkspaceError
from alm_core.grid import Block, Grid
from alm_core.mapping.cog import write_cog
from alm_core.serving.rasters import SMALL_FACTOR, Raster, header, read_block, small_copy_path

LOG = logging.getLogger(__name__)
BLOCK_CELLS = 512
_making = threading.Lock()
_impossible: set[Raster] = set()


class SmallCopyWantedError(AlmError):
    """A tile should wait until the small copy of its raster is made."""

    def __init__(self, raster: Raster, *, category: bool) -> None:
        super().__init__(f"{raster.path.name} has no small copy yet.")
        self.raster = raster
        self.category = category


def want_small_copy(raster: Raster, *, category: bool) -> None:
    """Raise `SmallCopyWantedError` where a small copy would help, is not there, and has not failed before."""
    path = small_copy_path(raster)
    if path is not None and raster not in _impossible and not path.is_file():
        raise SmallCopyWantedError(raster, category=category)


def make_small_copy(raster: Raster, *, category: bool) -> Path | None:
    """Make the small copy of a raster; seconds for a raster of a hundred million cells.

    Parameters
    ----------
    raster : Raster
    category : bool
        Take every fourth cell instead of the mean of sixteen.

    Returns
    -------
    Path or None
        None where none is needed, or the folder can't be written: then tiles are made from the raster itself, slowly.
    """
    path = small_copy_path(raster)
    if path is None:
        return None
    with _making:
        if path.is_file():
            return path
        facts = header(raster)
        grid = small_grid(facts.grid)
        try:
            _remove_old(path.parent, raster.path.stem)
            write_cog(
                path,
                _small_blocks(raster, grid, category),
                grid,
                band_names=[facts.names[0]],
                units=[facts.units[0]],
                resampling="mode" if category else "average",
            )
        except (WorkspaceError, OSError) as fault:
            LOG.warning("no small copy of %s: %s", raster.path.name, fault)
            _impossible.add(raster)
            return None
    return path


def _remove_old(folder: Path, stem: str) -> None:
    """Copies of what the raster was before."""
    for old in folder.glob("*.tif"):
        if re.fullmatch(f"{re.escape(stem)}-[0-9a-f]+-[0-9a-f]+", old.stem):
            old.unlink()


def small_grid(grid: Grid) -> Grid:
    """The grid with cells four times as large; the last ones may reach beyond the edge."""
    width, height = (side * SMALL_FACTOR for side in grid.resolution)
    transform = (width, 0.0, grid.transform[2], 0.0, -height, grid.transform[5])
    return Grid(grid.crs, transform, (-(-grid.shape[0] // SMALL_FACTOR), -(-grid.shape[1] // SMALL_FACTOR)))


def _small_blocks(raster: Raster, grid: Grid, category: bool) -> Iterator[tuple[Block, np.ndarray]]:
    rows, columns = header(raster).grid.shape
    for block in grid.blocks(BLOCK_CELLS):
        top, left = block.row_start * SMALL_FACTOR, block.column_start * SMALL_FACTOR
        bottom, right = min(rows, block.row_stop * SMALL_FACTOR), min(columns, block.column_stop * SMALL_FACTOR)
        window = Window(left, top, right - left, bottom - top)
        yield block, shrink(read_block(raster, [1], window)[0], category=category)


def shrink(values: np.ndarray, *, category: bool) -> np.ndarray:
    """Every fourth cell, or the mean of the sixteen cells that have data; NaN where none has.

    Examples
    --------
    >>> shrink(np.array([[1.0, np.nan], [3.0, 5.0]], np.float32), category=False)
    array([[3.]], dtype=float32)
    """
    rows, columns = (-(-size // SMALL_FACTOR) for size in values.shape)
    padded = np.full((rows * SMALL_FACTOR, columns * SMALL_FACTOR), np.nan, np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    if category:
        middle = padded[1::SMALL_FACTOR, 1::SMALL_FACTOR]
        corner = padded[::SMALL_FACTOR, ::SMALL_FACTOR]
        return np.where(np.isnan(middle), corner, middle)
    cells = padded.reshape(rows, SMALL_FACTOR, columns, SMALL_FACTOR)
    known = ~np.isnan(cells)
    count = known.sum(axis=(1, 3))
    total = np.where(known, cells, 0).sum(axis=(1, 3), dtype=float)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0).astype(np.float32)
