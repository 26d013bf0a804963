"""Every fault of every layer, found before a long job starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from alm_core.covariates.alignment import bounds_in, same_crs, short_crs
from alm_core.covariates.layers import LayerReader, LayerSource
from alm_core.covariates.raster import MAXIMUM_CELLS, check_whole
from alm_core.errors import AlmError, CrsError, GridError, NodataError, RasterError
from alm_core.grid import Grid

SENTINELS = (-9999.0, -99999.0, -999.0, -32768.0, -32767.0, 32767.0, 65535.0, -2147483648.0, 2147483647.0)
HUGE = 1e19
"""Floating numbers beyond this are nodata of some program (-3.4e38, 1e20, 9.97e36), never a measurement."""
SENTINEL_SHARE = 0.001
SENTINEL_GAP = 0.25
"""Part of the range of the other values by which a sentinel must stand off."""
SAMPLE_TILES = 8
SAMPLE_TILE_CELLS = 256


def check_layers(layers: Sequence[LayerSource], grid: Grid, *, maximum_cells: int = MAXIMUM_CELLS) -> None:
    """Raise one error that names every fault of every layer on this grid; silent where there is none.

    Parameters
    ----------
    layers : sequence of LayerSource
        The layers of the study.
    grid : Grid
        The study grid.
    maximum_cells : int
        See `alm_core.covariates.raster.open_raster`.

    Raises
    ------
    RasterError, CrsError, GridError, NodataError, TooManyPixelsError
        The class of the faults where all are of one class, else RasterError.
    """
    raise_together(layer_faults(layers, grid, maximum_cells=maximum_cells))


def raise_together(faults: Sequence[AlmError]) -> None:
    """Raise all faults as one; nothing happens where there is none."""
    if not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    kinds = {type(fault) for fault in faults}
    kind = kinds.pop() if len(kinds) == 1 else RasterError
    raise kind(f"{len(faults)} faults in the covariates:\n  " + "\n  ".join(str(fault) for fault in faults))


def layer_faults(layers: Sequence[LayerSource], grid: Grid, *, maximum_cells: int = MAXIMUM_CELLS) -> list[AlmError]:
    """Every fault of every layer on this grid, in the order of the layers; nothing is raised.

    Looks at the header, at the length of the file, at the CRS and the overlap with the grid, and at a sample of at
    most four million cells of the overlap (for an undeclared sentinel, a constant layer and a layer of nodata only;
    the last two are confirmed on all cells before they are named).
    """
    faults: list[AlmError] = []
    for layer in layers:
        try:
            with LayerReader(layer, maximum_cells=maximum_cells) as reader:
                check_whole(reader.dataset, layer.band)
                found = _place_fault(reader, grid) or _value_fault(reader, grid)
        except AlmError as fault:
            found = fault
        if found is not None:
            faults.append(type(found)(f"Covariate {layer.name}: {found}"))
    return faults


def _place_fault(reader: LayerReader, grid: Grid) -> AlmError | None:
    name = reader.dataset.name.replace("\\", "/").rsplit("/", 1)[-1]
    if reader.grid.crs is None and grid.crs is not None:
        return CrsError(f"{name} declares no CRS. Set `crs` of this covariate in study.toml, for example crs = 'EPSG:4326'.")
    if reader.grid.crs is not None and grid.crs is None:
        return CrsError(
            f"{name} is in {short_crs(reader.grid.crs)} but the study grid has no CRS, so nothing can be brought onto it. "
            "Set `crs` in [grid] of study.toml."
        )
    bounds = bounds_in(grid.crs, reader.grid)
    if not _overlap(bounds, grid.bounds):
        return GridError(
            f"{name} does not overlap the study grid: it covers {_text(bounds)}, the grid {_text(grid.bounds)} "
            "(west, south, east, north in the grid's CRS). Check its CRS and whether its longitudes run 0..360."
        )
    return _longitude_fault(reader, grid, name)


def _longitude_fault(reader: LayerReader, grid: Grid, name: str) -> AlmError | None:
    if not reader.grid.is_geographic or reader.grid.bounds[2] <= 180 + reader.grid.resolution[0]:
        return None
    west = bounds_in(reader.grid.crs, grid)[0]
    if west >= min(0.0, reader.grid.bounds[0]):
        return None
    return GridError(
        f"{name} has longitudes from {reader.grid.bounds[0]:g} to {reader.grid.bounds[2]:g}, and the study grid reaches west of "
        "Greenwich. Write it with longitudes -180..180 first: `gdalwarp -t_srs EPSG:4326 -te -180 -90 180 90`."
    )


def _overlap(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _text(bounds: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in bounds) + ")"


def _value_fault(reader: LayerReader, grid: Grid) -> AlmError | None:
    window = _overlap_window(reader.grid, grid)
    raw_parts, clean_parts = [], []
    for part in _sample_windows(window):
        raw = reader.read_raw(*part)
        values, _ = reader.clean(raw)
        good = np.isfinite(values)
        raw_parts.append(raw.data[good])
        clean_parts.append(values[good])
    raw, clean = np.concatenate(raw_parts), np.concatenate(clean_parts)
    sentinel = find_sentinel(raw)
    if sentinel is not None:
        share = 100 * np.count_nonzero(raw == sentinel) / raw.size
        return NodataError(
            f"{_file(reader)} holds the value {sentinel:g} in {share:.2g} % of its cells, far from all others, "
            f"and does not declare it as nodata. Set `nodata = {sentinel:g}` of this covariate in study.toml, "
            "or `minimum`/`maximum` if it is real."
        )
    if clean.size and clean.min() != clean.max():
        return None
    return _uniform_fault(reader, window)


def _file(reader: LayerReader) -> str:
    name = reader.dataset.name.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{name}, band {reader.layer.band},"


def find_sentinel(values: np.ndarray) -> float | None:
    """A number that is nodata in all but name: a usual sentinel, the smallest or largest value, frequent, far from the rest.

    Parameters
    ----------
    values : ndarray
        Numbers as stored, without those declared as nodata, ``[n]``.

    Returns
    -------
    float or None
        The sentinel; None where nothing looks like one.

    Examples
    --------
    >>> find_sentinel(np.array([-9999, 4500, 4700, 5100], np.int16))
    -9999.0
    >>> find_sentinel(np.arange(-32768, 32767, dtype=np.int16)) is None
    True
    """
    if values.size == 0:
        return None
    low, high = values.min(), values.max()
    for extreme in (low, high):
        if low == high or not _is_usual_sentinel(float(extreme), values.dtype):
            continue
        rest = values[values != extreme].astype(np.float64)
        if 1 - rest.size / values.size <= SENTINEL_SHARE:
            continue
        gap = rest.min() - float(low) if extreme == low else float(high) - rest.max()
        if gap > max(1.0, SENTINEL_GAP * (rest.max() - rest.min())):
            return float(extreme)
    return None


def _is_usual_sentinel(value: float, dtype: np.dtype) -> bool:
    if dtype == np.uint8:
        return value == 255
    return value in SENTINELS or (dtype.kind == "f" and abs(value) > HUGE)


def _overlap_window(source: Grid, grid: Grid) -> tuple[int, int, int, int]:
    west, south, east, north = bounds_in(source.crs, grid) if not same_crs(source.crs, grid.crs) else grid.bounds
    if not np.all(np.isfinite([west, south, east, north])):
        return 0, source.shape[0], 0, source.shape[1]
    top, left = source.row_column(west, north)
    bottom, right = source.row_column(east, south)
    row_start, row_stop = max(0, int(np.floor(top))), min(source.shape[0], int(np.ceil(bottom)))
    column_start, column_stop = max(0, int(np.floor(left))), min(source.shape[1], int(np.ceil(right)))
    if row_start >= row_stop or column_start >= column_stop:
        # The boxes overlap by less than rounding: one cell on that side stands for it.
        row_start, column_start = min(row_start, source.shape[0] - 1), min(column_start, source.shape[1] - 1)
        row_stop, column_stop = max(row_stop, row_start + 1), max(column_stop, column_start + 1)
    return row_start, row_stop, column_start, column_stop


def _sample_windows(window: tuple[int, int, int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Squares spread evenly over a window; all of it where it is small enough."""
    row_start, row_stop, column_start, column_stop = window
    rows = _spread(row_start, row_stop)
    columns = _spread(column_start, column_stop)
    for row in rows:
        for column in columns:
            yield (*row, *column)


def _spread(start: int, stop: int) -> list[tuple[int, int]]:
    if stop - start <= SAMPLE_TILES * SAMPLE_TILE_CELLS:
        return [(start, stop)]
    firsts = np.linspace(start, stop - SAMPLE_TILE_CELLS, SAMPLE_TILES).astype(int)
    return [(int(first), int(first) + SAMPLE_TILE_CELLS) for first in firsts]


def _uniform_fault(reader: LayerReader, window: tuple[int, int, int, int]) -> AlmError | None:
    """Read all cells of the overlap until two differ; a fault where none do."""
    row_start, row_stop, column_start, column_stop = window
    found: float | None = None
    for row in range(row_start, row_stop, 1024):
        for column in range(column_start, column_stop, 4096):
            values, _ = reader.read(row, min(row + 1024, row_stop), column, min(column + 4096, column_stop))
            good = values[np.isfinite(values)]
            if good.size == 0:
                continue
            if found is None:
                found = float(good[0])
            if np.any(good != np.float32(found)):
                return None
    if found is None:
        return NodataError(
            f"{_file(reader)} has nothing but nodata on the study grid. Check its nodata, minimum and maximum, and where it lies."
        )
    return GridError(
        f"{_file(reader)} has the same value {found:g} in every cell of the study grid: it explains nothing. Remove it."
    )
