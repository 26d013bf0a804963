"""Open rasters safely: GeoTIFF only, nothing beside the file, no surprise in its size.

A file that ends in .tif may be a VRT that reads other files or the web, carry a sidecar that does, be cut off in the
middle of a download, or decode to hundreds of gigabytes. All of this is found here, from the header, before a cell is read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from alm_core.errors import RasterError, TooManyPixelsError
from alm_core.grid import Grid, normal_crs

MAXIMUM_CELLS = 10_000_000_000
"""Cells of one band above which a raster is refused (the whole plateau at 30 m has 6.6e9)."""
MAXIMUM_TILE_CELLS = 2**28
"""Cells of one stored tile or strip above which a raster is refused: a tile can only be decoded whole."""
TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def raster_environment() -> rasterio.Env:
    """GDAL settings under which rasters are opened: sidecar files (.ovr, .aux.xml, .msk) are not looked at."""
    return rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")


def open_raster(path: str | Path, *, maximum_cells: int = MAXIMUM_CELLS) -> DatasetReader:
    """Open a GeoTIFF for reading, with every fault that the header shows named.

    Parameters
    ----------
    path : str or Path
        A local file. GDAL's virtual paths (``/vsicurl/...``) are no files and are refused.
    maximum_cells : int
        Cells of one band above which the file is refused.

    Returns
    -------
    rasterio.io.DatasetReader
        A context manager; use it from one thread only.

    Raises
    ------
    RasterError
        No such file, not a GeoTIFF (a VRT renamed .tif among them), damaged header, rotated, without georeference,
        complex numbers, or stored as one giant tile.
    TooManyPixelsError
        A band has more than `maximum_cells` cells: a sparse file of a few megabytes can decode to hundreds of gigabytes.
    """
    path = Path(path)
    if not path.is_file():
        raise RasterError(f"No raster at {path}: a GeoTIFF file is expected. Check the path; paths start at the study's folder.")
    try:
        with raster_environment():
            dataset = rasterio.open(path, driver="GTiff")
    except RasterioIOError as fault:
        raise RasterError(_why_unreadable(path, fault)) from fault
    try:
        _check_header(dataset, path.name, maximum_cells)
    except Exception:
        dataset.close()
        raise
    return dataset


def _why_unreadable(path: Path, fault: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(16)
    if start[:4] in TIFF_MAGIC:
        return (
            f"{path.name} starts like a TIFF but its header can't be read ({fault}). "
            "It may be truncated: copy or download it again."
        )
    if start.lstrip()[:4] == b"<VRT":
        return (
            f"{path.name} is not a GeoTIFF but a VRT, a text that points at other files. A GeoTIFF is expected: "
            "convert it with `gdal_translate`."
        )
    return f"{path.name} is not a GeoTIFF (it starts with {start[:8]!r}). Convert it first, for example with `gdal_translate`."


def _check_header(dataset: DatasetReader, name: str, maximum_cells: int) -> None:
    cells = dataset.width * dataset.height
    if cells > maximum_cells:
        gigabytes = cells * np.dtype(_plain_type(dataset.dtypes[0])).itemsize / 1e9
        raise TooManyPixelsError(
            f"{name} has {dataset.width} x {dataset.height} = {cells:.3g} cells a band ({gigabytes:.0f} GB decoded); at most "
            f"{maximum_cells:.3g} are read. Cut it to the study area first, or raise `maximum_cells`."
        )
    if max(rows * columns for rows, columns in dataset.block_shapes) > MAXIMUM_TILE_CELLS:
        raise RasterError(
            f"{name} is stored in tiles of {dataset.block_shapes[0]} cells, too large to decode one by one. "
            "Write it again in tiles: `gdal_translate -co TILED=YES`."
        )
    transform = dataset.transform
    if transform.b or transform.d:
        raise RasterError(
            f"{name} is rotated (transform {tuple(transform)[:6]}). North-up rows are expected: warp it first with `gdalwarp`."
        )
    if transform == Affine.identity() and dataset.crs is None:
        raise RasterError(f"{name} carries no georeference (neither transform nor CRS). A georeferenced GeoTIFF is expected.")
    if transform.a <= 0:
        raise RasterError(f"{name} runs from east to west (cell width {transform.a}). Warp it first with `gdalwarp`.")


def _plain_type(dtype: str) -> str:
    return dtype if dtype in np.sctypeDict else "complex64"


def check_band(dataset: DatasetReader, band: int) -> None:
    """Refuse a band that the file does not have, or whose values are no real numbers.

    Raises
    ------
    RasterError
        With the number of bands that there are.
    """
    name = Path(dataset.name).name
    if not 1 <= band <= dataset.count:
        raise RasterError(f"{name} has {dataset.count} band(s), counted from 1; band {band} was asked for. Set `band`.")
    if "complex" in dataset.dtypes[band - 1] or dataset.dtypes[band - 1][:1] == "c":
        raise RasterError(f"{name}, band {band} holds complex numbers ({dataset.dtypes[band - 1]}). Real numbers are expected.")


def check_whole(dataset: DatasetReader, band: int) -> None:
    """Refuse a file that ends before its last tile, without decoding anything.

    The TIFF directory says where each tile lies and how long it is; a download that broke off is shorter than that.

    Raises
    ------
    RasterError
        With the first tile that lies beyond the end of the file.
    """
    path = Path(dataset.name)
    size = path.stat().st_size
    tile_rows, tile_columns = dataset.block_shapes[band - 1]
    for row in range(-(-dataset.height // tile_rows)):
        for column in range(-(-dataset.width // tile_columns)):
            offset = dataset.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band)
            length = dataset.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=band)
            if offset is not None and length is not None and int(offset) + int(length) > size:
                raise RasterError(
                    f"{path.name}, band {band} is truncated: the file has {size} bytes but its tile at row {row}, "
                    f"column {column} ends at byte {int(offset) + int(length)}. Copy or download it again."
                )


def read_window(dataset: DatasetReader, band: int, window: Window, *, masked: bool = False) -> np.ndarray:
    """Read a window that lies inside the raster, ``[row, column]``; with `masked`, nodata comes masked.

    Raises
    ------
    RasterError
        A tile can't be decoded; file, band and window are named.
    """
    try:
        return dataset.read(band, window=window, masked=masked)
    except RasterioIOError as fault:
        raise RasterError(
            f"{Path(dataset.name).name}, band {band} can't be read at row {window.row_off}, column {window.col_off} "
            f"({fault.__cause__ or fault}). The file is damaged or truncated: copy or download it again."
        ) from fault


def source_grid(dataset: DatasetReader, *, crs: str | None = None) -> tuple[Grid, bool]:
    """The grid of an open raster, and whether its rows run from south to north.

    The grid is always the north-up one: where the flag is True, row 0 of the grid is the last row of the file.
    `crs` stands in where the file declares none.
    """
    transform = dataset.transform
    if transform.e < 0:
        return Grid.from_dataset(dataset, crs=crs), False
    north = transform.f + transform.e * dataset.height
    turned = (transform.a, 0.0, transform.c, 0.0, -transform.e, north)
    found = dataset.crs.to_wkt() if dataset.crs else crs
    return Grid(normal_crs(found), turned, (dataset.height, dataset.width)), True


def read_padded(
    read: Callable[[int, int, int, int], np.ndarray], shape: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> np.ndarray:
    """Read rows and columns that may reach beyond a raster of `shape`; what lies outside is NaN.

    Parameters
    ----------
    read : callable
        ``read(row_start, row_stop, column_start, column_stop)`` for ranges inside the raster, float32 ``[..., row, column]``.
    shape : tuple of int
        Rows and columns that `read` can give.
    rows, columns : tuple of int
        Half-open ranges; may be negative or past the end.
    """
    row_start, row_stop = max(rows[0], 0), min(rows[1], shape[0])
    column_start, column_stop = max(columns[0], 0), min(columns[1], shape[1])
    wanted = rows[1] - rows[0], columns[1] - columns[0]
    if row_start >= row_stop or column_start >= column_stop:
        return np.full(wanted, np.nan, np.float32)
    inner = read(row_start, row_stop, column_start, column_stop)
    if inner.shape[-2:] == wanted:
        return inner
    outer = np.full((*inner.shape[:-2], *wanted), np.nan, np.float32)
    outer[..., row_start - rows[0] : row_stop - rows[0], column_start - columns[0] : column_stop - columns[0]] = inner
    return outer
