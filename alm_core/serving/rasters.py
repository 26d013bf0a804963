"""Values of a raster at the pixels of a tile, through the overview that fits.

A tile shows the raster cell under the centre of each pixel: no mixing at the edge of the data, no classes averaged. Zoomed
out, the cells are those of the coarsest overview that is no coarser than the tile. The place of every pixel in the raster is
computed first and one window is read for all of them; GDAL's own warping was measured to leave the overviews unused.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.errors import RasterioError
from rasterio.windows import Window

from alm_core.covariates.raster import open_raster, raster_environment
from alm_core.errors import CrsError, RasterError
from alm_core.grid import Grid
from alm_core.serving.cache import BoundedCache
from alm_core.serving.mercator import Pixels
from alm_core.serving.plane import PlanePixels

LONGITUDE_LATITUDE = ("EPSG:4326", "OGC:CRS84")
MAXIMUM_HANDLES = 48
"""Files that one thread keeps open."""
FULL = -1
"""Level of the raster itself; 0 is its first overview."""
LARGE_CELLS = 1_000_000
"""Cells above which a raster without overviews is given a small copy."""
SMALL_FACTOR = 4
CHUNK_SIDES = (128, 256, 512, 1024)
MAXIMUM_WINDOW = 100_000_000
"""Cells that are ever read for one tile; more would fill the memory of a small machine."""
SMALL_FOLDER = ".tiles"
LEVEL_TOLERANCE = 1.02
"""A level may be coarser than the tile by this factor, so that rounding does not send a tile to four times the cells."""

_local = threading.local()
_places = BoundedCache(96 * 2**20)
_chunks = BoundedCache(192 * 2**20)


@dataclass(frozen=True)
class Raster:
    """A GeoTIFF as it is now on disk; a changed file is another one.

    Attributes
    ----------
    path : Path
    stamp : tuple of int
        Time of change in nanoseconds, size in bytes.
    """

    path: Path
    stamp: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> Raster:
        """The file of that name.

        Raises
        ------
        FileNotFoundError
        """
        status = os.stat(path)
        return cls(path, (status.st_mtime_ns, status.st_size))


@dataclass(frozen=True)
class Header:
    """What the header of a raster says.

    Attributes
    ----------
    grid : Grid
    levels : tuple of (rows, columns)
        Shape of the raster, then of each overview.
    nodata : float or None
    scales, offsets : tuple of float
    names, units : tuple of str
        Of every band.
    dtype : str
    chunk : int or None
        Side of the square tiles that the raster and its overviews are stored in, None where they are not.
    """

    grid: Grid
    levels: tuple[tuple[int, int], ...]
    nodata: float | None
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    dtype: str
    chunk: int | None

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.names)


@lru_cache(maxsize=1024)
def header(raster: Raster) -> Header:
    """Read the header of a raster.

    Raises
    ------
    RasterError, GridError, CrsError
        Not a GeoTIFF, rotated, without place.
    """
    with open_raster(raster.path) as dataset:
        grid = Grid.from_dataset(dataset)
        factors = dataset.overviews(1)
        shapes, stored = [(dataset.height, dataset.width)], {dataset.block_shapes[0]}
        for level in range(len(factors)):
            with raster_environment(), rasterio.open(raster.path, driver="GTiff", overview_level=level) as overview:
                shapes.append((overview.height, overview.width))
                stored.add(overview.block_shapes[0])
        return Header(
            grid,
            tuple(shapes),
            dataset.nodata,
            tuple(dataset.scales),
            tuple(dataset.offsets),
            tuple(name or f"band {number}" for number, name in enumerate(dataset.descriptions, start=1)),
            tuple(unit or dataset.tags().get("units", "") for unit in dataset.units),
            dataset.dtypes[0],
            _chunk_side(stored),
        )


def _chunk_side(stored: set[tuple[int, int]]) -> int | None:
    """The side of stored tiles, where all are equal squares of a size worth keeping."""
    side, other = stored.copy().pop()
    return side if len(stored) == 1 and side == other and side in CHUNK_SIDES else None


def read_pixels(raster: Raster, pixels: Pixels | PlanePixels, bands: Sequence[int], *, smooth: bool = False) -> np.ndarray | None:
    """Values at pixels.

    Parameters
    ----------
    raster : Raster
    pixels : Pixels or PlanePixels
    bands : sequence of int
        From 1 on.
    smooth : bool
        Bilinear between cell centres instead of the nearest cell; for relief, not for values that are read off.

    Returns
    -------
    ndarray or None
        float32 ``[band, row, column]`` in physical units, NaN where there is no data; None where the pixels lie wholly
        outside the raster.

    Raises
    ------
    RasterError
        The file is damaged.
    """
    facts = header(raster)
    rows, columns = _cached_places(facts.grid, pixels)
    wanted = _cells_per_pixel(rows, columns) * LEVEL_TOLERANCE
    small = small_copy(raster)
    if small is not None and wanted >= SMALL_FACTOR and tuple(bands) == (1,):
        return read_pixels(small, pixels, bands, smooth=smooth)
    level = _fitting_level(facts, wanted)
    shape = facts.levels[level + 1]
    row_scale, column_scale = shape[0] / facts.grid.shape[0], shape[1] / facts.grid.shape[1]
    place = _bilinear if smooth else _nearest
    return place(raster, facts, level, rows * row_scale, columns * column_scale, tuple(bands))


def small_copy(raster: Raster) -> Raster | None:
    """The copy of a raster with cells four times as large, where `alm_core.serving.small_copies` has made one."""
    path = small_copy_path(raster)
    if path is None:
        return None
    with contextlib.suppress(FileNotFoundError):  # not made yet
        return Raster.of(path)
    return None


def small_copy_path(raster: Raster) -> Path | None:
    """Where the small copy of a raster's first band belongs; None where it needs none: it is small itself or has overviews."""
    facts = header(raster)
    if len(facts.levels) > 1 or facts.grid.size <= LARGE_CELLS:
        return None
    name = f"{raster.path.stem}-{raster.stamp[0]:x}-{raster.stamp[1]:x}.tif"
    return raster.path.parent / SMALL_FOLDER / name


def read_block(raster: Raster, bands: Sequence[int], window: Window, *, level: int = FULL) -> np.ndarray:
    """A window of a raster or of one of its overviews as float32 ``[band, row, column]``, NaN where there is no data."""
    facts = header(raster)
    try:
        stored = _handle(raster, level).read(list(bands), window=window)
    except RasterioError as fault:
        raise RasterError(f"{raster.path.name} can't be read to its end. It may be truncated: write it again.") from fault
    values = stored.astype(np.float32, copy=False)
    if facts.nodata is not None and not np.isnan(facts.nodata):
        values[stored == facts.nodata] = np.nan
    for index, band in enumerate(bands):
        scale, offset = facts.scales[band - 1], facts.offsets[band - 1]
        if (scale, offset) != (1.0, 0.0):
            # In double precision, as everything else that reads scaled integers does.
            values[index] = values[index].astype(float) * scale + offset
    return values


# ---- where the pixels lie ---------------------------------------------------------------------------------------------


def _cached_places(grid: Grid, pixels: Pixels | PlanePixels) -> tuple[np.ndarray, np.ndarray]:
    """Fractional rows and columns of pixels; those of a projected raster cost milliseconds and serve all layers of a run."""
    if isinstance(pixels, PlanePixels):
        return _plane_places(grid, pixels)
    if is_longitude_latitude(grid):
        return _separable_places(grid, pixels)
    key = (grid, pixels.longitude[0], pixels.longitude[-1], pixels.latitude[0], pixels.latitude[-1], pixels.shape)
    return _places.get(key, lambda: _projected_places(grid, pixels))


def is_longitude_latitude(grid: Grid) -> bool:
    """True where x is longitude and y latitude on WGS84, so that rows and columns can be found one by one.

    Raises
    ------
    CrsError
        The grid has no CRS and its bounds are no degrees, so nobody knows where it lies.
    """
    if grid.crs is not None:
        return grid.crs in LONGITUDE_LATITUDE
    west, south, east, north = grid.bounds
    if west < -360 or east > 360 or south < -91 or north > 91:
        raise CrsError("A raster without CRS can't be placed on a map: give `crs` in [grid] of the study and run again.")
    return True


def _separable_places(grid: Grid, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``[row, 1]`` and columns ``[1, column]`` of a raster in longitude and latitude."""
    west = grid.bounds[0]
    # A raster may count longitude from 0 to 360, or go on beyond 180.
    longitude = west + np.mod(pixels.longitude - west, 360.0)
    row, column = grid.row_column(longitude, pixels.latitude)
    return row[:, None], column[None, :]


def _projected_places(grid: Grid, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns ``[row, column]``; infinite where the projection has no such place."""
    longitude, latitude = np.meshgrid(pixels.longitude, pixels.latitude)
    x, y = _transformer(grid.crs).transform(longitude, latitude)
    return grid.row_column(x, y)


def _plane_places(grid: Grid, pixels: PlanePixels) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of a plane: one by one where the raster lies in the same plane."""
    if grid.crs == pixels.crs:
        row, column = grid.row_column(pixels.x, pixels.y)
        return row[:, None], column[None, :]

    def place() -> tuple[np.ndarray, np.ndarray]:
        x, y = np.meshgrid(pixels.x, pixels.y)
        if not is_longitude_latitude(grid):
            return grid.row_column(*_transformer(grid.crs, pixels.crs).transform(x, y))
        longitude, latitude = _transformer("EPSG:4326", pixels.crs).transform(x, y)
        west = grid.bounds[0]
        return grid.row_column(west + np.mod(longitude - west, 360.0), latitude)

    key = (grid, pixels.crs, pixels.x[0], pixels.x[-1], pixels.y[0], pixels.y[-1], pixels.shape)
    return _places.get(key, place)


def _transformer(crs: str | None, source: str = "EPSG:4326") -> Transformer:
    """From another CRS, longitude and latitude by default; one per thread, as PROJ wants it."""
    known = _local.__dict__.setdefault("transformers", {})
    if (crs, source) not in known:
        known[crs, source] = Transformer.from_crs(source, crs, always_xy=True)
    return known[crs, source]


def _fitting_level(facts: Header, wanted: float) -> int:
    """The coarsest level whose cells are no larger than the pixels, which span `wanted` cells of the raster."""
    full = facts.levels[0]
    best = FULL
    for level, shape in enumerate(facts.levels[1:]):
        if full[1] / shape[1] <= wanted:
            best = level
    return best


def _cells_per_pixel(rows: np.ndarray, columns: np.ndarray) -> float:
    """How many cells of the raster a pixel spans along its shorter side."""
    if rows.shape[1] == 1:
        down, right = np.abs(np.diff(rows[:, 0])), np.abs(np.diff(columns[0]))
    else:
        down = np.hypot(np.diff(rows, axis=0)[:, 1:], np.diff(columns, axis=0)[:, 1:])
        right = np.hypot(np.diff(rows, axis=1)[1:], np.diff(columns, axis=1)[1:])
    steps = [np.median(part[np.isfinite(part)]) for part in (down, right) if np.isfinite(part).any()]
    return float(min(steps)) if steps else 1.0


# ---- reading ----------------------------------------------------------------------------------------------------------


def _nearest(
    raster: Raster, facts: Header, level: int, rows: np.ndarray, columns: np.ndarray, bands: tuple[int, ...]
) -> np.ndarray | None:
    """The cell that holds each pixel's centre."""
    shape = facts.levels[level + 1]
    row, row_inside = _cells(rows, shape[0])
    column, column_inside = _cells(columns, shape[1])
    inside = row_inside & column_inside
    if not inside.any():
        return None
    separable = rows.shape[1] == 1
    used_rows = row[row_inside] if separable else row[inside]
    used_columns = column[column_inside] if separable else column[inside]
    top, left = int(used_rows.min()), int(used_columns.min())
    window = Window(left, top, int(used_columns.max()) - left + 1, int(used_rows.max()) - top + 1)
    block = _read_by_chunks(raster, facts, bands, window, level)
    row = np.clip(row - top, 0, block.shape[1] - 1)
    column = np.clip(column - left, 0, block.shape[2] - 1)
    # Two takes along one axis each are much faster than one with both; a projected raster needs the latter.
    values = block[:, row[:, 0]][:, :, column[0]] if separable else block[:, row, column]
    if not inside.all():
        values[:, ~inside] = np.nan
    return values


def _cells(places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole cell numbers, and which of them the raster has."""
    with np.errstate(invalid="ignore"):
        inside = (places >= 0) & (places < count)
    return np.where(inside, places, 0).astype(np.int64), inside


def _bilinear(
    raster: Raster, facts: Header, level: int, rows: np.ndarray, columns: np.ndarray, bands: tuple[int, ...]
) -> np.ndarray | None:
    """Between the four cell centres around each pixel; NaN where one of them has no data."""
    shape = facts.levels[level + 1]
    rows, columns = np.broadcast_arrays(rows, columns)
    with np.errstate(invalid="ignore"):
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    if not inside.any():
        return None
    row = np.clip(np.where(inside, rows, 0) - 0.5, 0, shape[0] - 1)
    column = np.clip(np.where(inside, columns, 0) - 0.5, 0, shape[1] - 1)
    top, left = int(row[inside].min()), int(column[inside].min())
    bottom = min(shape[0], int(row[inside].max()) + 2)
    right = min(shape[1], int(column[inside].max()) + 2)
    block = _read_by_chunks(raster, facts, bands, Window(left, top, right - left, bottom - top), level)
    row, column = np.clip(row - top, 0, bottom - top - 1), np.clip(column - left, 0, right - left - 1)
    above, west = np.minimum(row.astype(int), max(0, bottom - top - 2)), np.minimum(column.astype(int), max(0, right - left - 2))
    below, east = np.minimum(above + 1, bottom - top - 1), np.minimum(west + 1, right - left - 1)
    down, over = (row - above).astype(np.float32), (column - west).astype(np.float32)
    upper = block[:, above, west] * (1 - over) + block[:, above, east] * over
    lower = block[:, below, west] * (1 - over) + block[:, below, east] * over
    values = upper * (1 - down) + lower * down
    values[:, ~inside] = np.nan
    return values


def _read_by_chunks(raster: Raster, facts: Header, bands: tuple[int, ...], window: Window, level: int) -> np.ndarray:
    """A window put together from the tiles that the file is stored in, each decoded once for all threads.

    Neighbouring map tiles share stored tiles, and threads that each decode them for themselves were the larger part of the time.
    """
    if window.width * window.height * len(bands) > MAXIMUM_WINDOW:
        raise RasterError(f"{raster.path.name} has no overviews that fit: add some with `gdaladdo`.")
    side = facts.chunk
    if side is None:
        return read_block(raster, bands, window, level=level)
    shape = facts.levels[level + 1]
    top, left, bottom, right = window.row_off, window.col_off, window.row_off + window.height, window.col_off + window.width
    result = np.empty((len(bands), window.height, window.width), np.float32)
    for row in range(top // side, -(-bottom // side)):
        for column in range(left // side, -(-right // side)):
            chunk = _chunk(raster, bands, level, row, column, side, shape)
            first, last = max(top, row * side), min(bottom, (row + 1) * side)
            west, east = max(left, column * side), min(right, (column + 1) * side)
            source = chunk[:, first - row * side : last - row * side, west - column * side : east - column * side]
            result[:, first - top : last - top, west - left : east - left] = source
    return result


def _chunk(
    raster: Raster, bands: tuple[int, ...], level: int, row: int, column: int, side: int, shape: tuple[int, int]
) -> np.ndarray:
    window = Window(column * side, row * side, min(side, shape[1] - column * side), min(side, shape[0] - row * side))
    return _chunks.get((raster, bands, level, row, column), lambda: read_block(raster, bands, window, level=level))


def _handle(raster: Raster, level: int) -> rasterio.DatasetReader:
    """An open file of this thread: GDAL's handles must not be shared. The one used longest ago is closed."""
    handles: OrderedDict[tuple[Raster, int], rasterio.DatasetReader] = _local.__dict__.setdefault("handles", OrderedDict())
    key = (raster, level)
    if key in handles:
        handles.move_to_end(key)
        return handles[key]
    choice = {} if level == FULL else {"overview_level": level}
    try:
        with raster_environment():
            handles[key] = rasterio.open(raster.path, driver="GTiff", sharing=False, **choice)
    except RasterioError as fault:
        raise RasterError(f"{raster.path.name} can't be read as a GeoTIFF. Write it again.") from fault
    if len(handles) > MAXIMUM_HANDLES:
        handles.popitem(last=False)[1].close()
    return handles[key]


def longitude_latitude_bounds(grid: Grid) -> tuple[float, float, float, float]:
    """West, south, east, north of a grid in degrees; across 180 degrees the east goes on beyond it."""
    if is_longitude_latitude(grid):
        return grid.bounds
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    west, south, east, north = back.transform_bounds(*grid.bounds, densify_pts=41)
    return west, south, east + 360.0 if east < west else east, north
