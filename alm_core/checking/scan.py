"""Looking at the numbers of a band: counts, range, few distinct values, a sentinel that nobody declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.windows import Window

from alm_core.covariates.checks import find_sentinel
from alm_core.covariates.raster import read_window

WHOLE_CELLS = 32_000_000
"""Bands up to this many cells are read whole; larger ones by windows spread over them."""
CHUNK_CELLS = 1_000_000
SPREAD_WINDOWS = 8
SPREAD_CELLS = 512
MOST_DISTINCT = 64
SAMPLE_CELLS = 200_000


@dataclass(frozen=True)
class BandScan:
    """What the cells of one band hold; minimum and maximum are of stored numbers that are neither nodata nor NaN.

    Attributes
    ----------
    cells, valid, missing, nan, infinite : int
        Cells looked at; of these usable, declared nodata (or NaN), NaN, infinite.
    minimum, maximum : float
        NaN where no cell is usable.
    distinct : tuple of float or None
        The values, where there are at most `MOST_DISTINCT`.
    low, high : float
        The 0.1 and 99.9 percentiles of a sample.
    sentinel : float or None
        A usual nodata number that stands far off and is not declared.
    whole : bool
        False where only a part of the band was looked at.
    """

    cells: int
    valid: int
    missing: int
    nan: int
    infinite: int
    minimum: float
    maximum: float
    distinct: tuple[float, ...] | None
    low: float
    high: float
    sentinel: float | None
    whole: bool

    @property
    def constant(self) -> bool:
        """True where all usable cells are equal."""
        return self.valid > 0 and self.minimum == self.maximum


def band_windows(dataset: Any, band: int) -> tuple[list[Window], bool]:
    """Windows to look at, along the stored tiles; and whether they cover the band."""
    rows, columns = dataset.height, dataset.width
    if rows * columns <= WHOLE_CELLS:
        tile_rows = dataset.block_shapes[band - 1][0]
        step = max(1, CHUNK_CELLS // (columns * tile_rows)) * tile_rows
        return [Window(0, row, columns, min(step, rows - row)) for row in range(0, rows, step)], True
    return list(_spread_windows(rows, columns)), False


def _spread_windows(rows: int, columns: int) -> Iterator[Window]:
    height, width = min(SPREAD_CELLS, rows), min(SPREAD_CELLS, columns)
    for row in np.unique(np.linspace(0, rows - height, SPREAD_WINDOWS).astype(int)):
        for column in np.unique(np.linspace(0, columns - width, SPREAD_WINDOWS).astype(int)):
            yield Window(int(column), int(row), width, height)


def scan_band(dataset: Any, band: int, *, nodata: float | None = None) -> BandScan:
    """Look at the cells of a band; `nodata` counts as missing beside what the file declares.

    Raises
    ------
    RasterError
        A tile can't be decoded.
    """
    windows, whole = band_windows(dataset, band)
    counts = {"cells": 0, "valid": 0, "missing": 0, "nan": 0, "infinite": 0}
    minimum, maximum = np.inf, -np.inf
    distinct: set[float] | None = set()
    samples = []
    each = max(1, SAMPLE_CELLS // len(windows))
    for window in windows:
        raw = read_window(dataset, band, window, masked=True)
        values, missing = raw.data, np.ma.getmaskarray(raw)
        if nodata is not None:
            missing = missing | (values == np.asarray(nodata).astype(values.dtype, casting="unsafe"))
        nan = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        infinite = np.isinf(values) & ~missing if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        good = values[~(missing | nan | infinite)]
        counts["cells"] += values.size
        counts["valid"] += good.size
        counts["missing"] += int(np.count_nonzero(missing | nan))
        counts["nan"] += int(np.count_nonzero(nan))
        counts["infinite"] += int(np.count_nonzero(infinite))
        if good.size == 0:
            continue
        minimum, maximum = min(minimum, float(good.min())), max(maximum, float(good.max()))
        distinct = _grown(distinct, good)
        samples.append(good[:: max(1, good.size // each)])
    sample = np.concatenate(samples) if samples else np.empty(0)
    low, high = np.percentile(sample.astype(float), [0.1, 99.9]) if sample.size else (np.nan, np.nan)
    return BandScan(
        **counts,
        minimum=minimum if samples else np.nan,
        maximum=maximum if samples else np.nan,
        distinct=None if distinct is None else tuple(sorted(distinct)),
        low=float(low),
        high=float(high),
        sentinel=find_sentinel(sample),
        whole=whole,
    )


def _grown(distinct: set[float] | None, values: np.ndarray) -> set[float] | None:
    """Add the values of a window; None from the moment that there are too many."""
    if distinct is None:
        return None
    if np.unique(values[:: max(1, values.size // 1000)]).size > MOST_DISTINCT:
        return None
    grown = distinct | {float(value) for value in np.unique(values)}
    return grown if len(grown) <= MOST_DISTINCT else None
