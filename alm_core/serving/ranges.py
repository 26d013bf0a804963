"""What a layer spans: the range that gets colours, and the numbers that occur in a layer of classes."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from rasterio.windows import Window

from alm_core.serving.rasters import FULL, Header, Raster, header, read_block, small_copy

ENOUGH_CELLS = 400_000
"""Cells of an overview that are read for a range."""
SAMPLE_BLOCKS = 16
BLOCK_CELLS = 512
STRIDE = 3
"""Of a block, every third row and column is looked at."""
STRETCH = (2, 98)
NO_DATA_RANGE = (0.0, 1.0)
MAXIMUM_CLASSES = 64


@lru_cache(maxsize=4096)
def display_range(raster: Raster, bands: tuple[int, ...], *, difference: bool = False) -> tuple[float, float]:
    """Range from the 2 % to the 98 % quantile of the bands together, rounded outwards to three digits.

    Parameters
    ----------
    raster : Raster
    bands : tuple of int
    difference : bool
        Of the second band less the first.

    Returns
    -------
    (low, high)
        low < high; 0 to 1 where there is nothing but nodata.
    """
    values = sample(raster, bands)
    values = values[1] - values[0] if difference else values
    values = values[np.isfinite(values)]
    if values.size == 0:
        return NO_DATA_RANGE
    low, high = (float(value) for value in np.percentile(values, STRETCH))
    if not low < high:
        # A constant layer, or one that is 0 almost everywhere.
        low, high = float(values.min()), float(values.max())
    if not low < high:
        return low - 0.5, high + 0.5
    return rounded_outwards(low, high)


def rounded_outwards(low: float, high: float) -> tuple[float, float]:
    """A range with edges that read well: a hundredth of its width or finer, never narrower than it was.

    Examples
    --------
    >>> rounded_outwards(0.10342, 0.41777)
    (0.103, 0.418)
    """
    step = 10.0 ** math.floor(math.log10((high - low) / 100))
    return round(math.floor(low / step) * step, 12), round(math.ceil(high / step) * step, 12)


@lru_cache(maxsize=1024)
def classes_of(raster: Raster, band: int) -> tuple[int, ...]:
    """Whole numbers that occur in a layer of classes, as far as a sample shows, in order."""
    values = sample(raster, (band,))
    found = np.unique(values[np.isfinite(values)])
    return tuple(int(value) for value in found[:MAXIMUM_CLASSES])


def sample(raster: Raster, bands: tuple[int, ...]) -> np.ndarray:
    """Some values of a raster, ``[band, any]``: of the first overview that is small enough, or of blocks spread evenly."""
    small = small_copy(raster)
    if small is not None and bands == (1,):
        raster = small
    facts = header(raster)
    level = _small_level(facts)
    rows, columns = facts.levels[level + 1]
    if level != FULL or rows * columns <= ENOUGH_CELLS:
        return read_block(raster, bands, Window(0, 0, columns, rows), level=level).reshape(len(bands), -1)
    windows = _spread_windows(rows, columns)
    blocks = [read_block(raster, bands, window)[:, ::STRIDE, ::STRIDE] for window in windows]
    return np.concatenate([block.reshape(len(bands), -1) for block in blocks], axis=1)


def _small_level(facts: Header) -> int:
    """The finest overview with few enough cells, else the coarsest."""
    for level, (rows, columns) in enumerate(facts.levels):
        if rows * columns <= ENOUGH_CELLS:
            return level - 1
    return len(facts.levels) - 2


def _spread_windows(rows: int, columns: int) -> list[Window]:
    """At most 16 blocks, evenly over a raster."""
    down, across = -(-rows // BLOCK_CELLS), -(-columns // BLOCK_CELLS)
    side = math.isqrt(SAMPLE_BLOCKS)
    chosen_down = np.unique(np.linspace(0, down - 1, min(side, down)).round().astype(int))
    chosen_across = np.unique(np.linspace(0, across - 1, min(side * side // len(chosen_down), across)).round().astype(int))
    return [
        Window(
            column * BLOCK_CELLS,
            row * BLOCK_CELLS,
            min(BLOCK_CELLS, columns - column * BLOCK_CELLS),
            min(BLOCK_CELLS, rows - row * BLOCK_CELLS),
        )
        for row in chosen_down.tolist()
        for column in chosen_across.tolist()
    ]
