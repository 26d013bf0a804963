"""Cloud-optimised GeoTIFFs: how every raster of a run is written, and how one is described.

A file states all that a reader needs: a name, a unit, a scale and an offset per band, nodata, and tags that say where the
numbers come from. The same input gives the same bytes: nothing in the file depends on time, machine, or the order of blocks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from alm_core.errors import DomainError, GridError, MissingFileError, NodataError, RasterError
from alm_core.grid import Block, Grid
from alm_core.mapping.block_file import holds_nothing
from alm_core.mapping.cog_layout import describing_fields, write_layout
from alm_core.mapping.files import whole_file
from alm_core.mapping.overviews import RESAMPLING, add_overviews, has_data, padded
from alm_core.mapping.retiling import Retiling
from alm_core.mapping.tile_codec import LEVELS, TILE, TileCodec
from alm_core.mapping.tile_store import TileStore, in_threads

DEFAULT_NODATA = {"float32": float("nan"), "int16": -32768, "uint8": 255}
MOST_THREADS = 4
BlockSource = Iterable[tuple[Block, np.ndarray]]


@dataclass(frozen=True)
class CogResult:
    """What was written.

    Attributes
    ----------
    path : Path
    size_bytes : int
    bands : tuple of str
    cells_with_data : tuple of int
        Cells of each band that are not nodata.
    """

    path: Path
    size_bytes: int
    bands: tuple[str, ...]
    cells_with_data: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for run.json."""
        return {**asdict(self), "path": self.path.as_posix()}


@dataclass(frozen=True)
class Encoding:
    """How physical values become the numbers of a file: ``stored = (value - offset) / scale``, one scale per band."""

    dtype: str
    nodata: float
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.dtype not in DEFAULT_NODATA:
            raise RasterError(f"The data type {self.dtype!r} can't be written. Choose one of {', '.join(DEFAULT_NODATA)}.")
        if any(not value > 0 for value in self.scale):
            raise DomainError(f"The scale is {self.scale}: positive numbers are expected.")
        if self.dtype != "float32":
            limits = np.iinfo(self.dtype)
            if np.isnan(self.nodata) or not limits.min <= self.nodata <= limits.max or self.nodata != int(self.nodata):
                raise NodataError(
                    f"Nodata is {self.nodata}, which {self.dtype} can't hold. "
                    f"Give a whole number between {limits.min} and {limits.max}."
                )

    @property
    def as_they_are(self) -> bool:
        """True where float32 values are stored with nothing done to them: no value can be refused then."""
        plain = all(value == 1 for value in self.scale) and all(value == 0 for value in self.offset)
        return self.dtype == "float32" and plain and bool(np.isnan(self.nodata))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Turn ``[band, row, column]`` of physical values (NaN: missing) into what the file stores.

        Integers that come for an integer file are stored as they are, their own nodata included.

        Raises
        ------
        DomainError
            A value does not fit into the data type, or would be read back as nodata.
        """
        if np.issubdtype(values.dtype, np.integer) and self.dtype != "float32":
            return self._whole(values)
        scale = np.asarray(self.scale, float)[:, None, None]
        offset = np.asarray(self.offset, float)[:, None, None]
        missing = np.isnan(values)
        if values.dtype == np.float32 and self.as_they_are:
            return np.where(missing, np.float32(self.nodata), values)  # one kind of NaN, whatever its bits were
        plain = not (scale != 1).any() and not (offset != 0).any()
        stored = values if plain else (values.astype(float) - offset) / scale
        if self.dtype == "float32":
            with np.errstate(over="ignore"):  # the next line looks for it
                stored = stored.astype(np.float32)
            # An infinite bound of an interval is honest (too few sites for the level) and is kept.
            self._check(values, (np.isinf(stored) & np.isfinite(values)) | ((stored == self.nodata) & ~missing))
            return np.where(missing, np.float32(self.nodata), stored)
        limits = np.iinfo(self.dtype)
        whole = np.rint(np.where(missing, 0, stored))
        self._check(values, ~missing & ((whole < limits.min) | (whole > limits.max) | (whole == self.nodata)))
        return np.where(missing, self.nodata, whole).astype(self.dtype)

    def _whole(self, values: np.ndarray) -> np.ndarray:
        limits = np.iinfo(self.dtype)
        self._check(values, (values < limits.min) | (values > limits.max))
        return values.astype(self.dtype)

    def _check(self, values: np.ndarray, bad: np.ndarray) -> None:
        if not bad.any():
            return
        band = int(np.argmax(bad.any(axis=(1, 2))))
        found = values[band][bad[band]]
        hint = "Check the predictions for numbers that are too large, or choose another nodata."
        if self.dtype != "float32":
            finite = np.abs(values[band][np.isfinite(values[band])].astype(float) - self.offset[band])
            fitting = float(finite.max()) / np.iinfo(self.dtype).max if finite.size else self.scale[band]
            hint = f"Use float32, or a scale of at least {fitting * 1.05:.2g}."
        raise DomainError(
            f"Band {band + 1} holds {int(bad.sum())} values, such as {float(found[0]):.6g}, that {self.dtype} with scale "
            f"{self.scale[band]}, offset {self.offset[band]} and nodata {self.nodata} can't store. {hint}"
        )


def write_cog(
    path: str | Path,
    source: np.ndarray | BlockSource,
    grid: Grid,
    *,
    band_names: Sequence[str],
    units: str | Sequence[str] = "",
    nodata: float | None = None,
    dtype: str = "float32",
    scale: float | Sequence[float] = 1.0,
    offset: float | Sequence[float] = 0.0,
    tags: Mapping[str, Any] | None = None,
    compression: str = "zstd",
    resampling: str = "average",
) -> CogResult:
    """Write a cloud-optimised GeoTIFF, whole or not at all, with bounded memory.

    Tiles are encoded on all cores as the blocks come, kept in a file beside the target, and laid out in order at the end,
    with overviews that leave nodata out. Not for rasters that are changed later: a COG is written once.

    Parameters
    ----------
    path : path
        Target; an older file of that name is replaced at the very end.
    source : ndarray or iterable of (Block, ndarray)
        ``[band, row, column]`` or ``[row, column]``, or blocks that together cover the grid once, in any order (row by row
        takes least memory). Physical values with NaN where missing; integers go into integer files as they are.
    grid : Grid
        Its CRS may be None.
    band_names : sequence of str
        Description of each band.
    units : str or sequence of str
        Unit of all bands, or of each.
    nodata : float, optional
        Default: NaN for float32, -32768 for int16, 255 for uint8.
    dtype : str
        ``float32``, ``int16`` or ``uint8``.
    scale, offset : float or sequence of float
        ``value = stored * scale + offset``.
    tags : mapping, optional
        Study, run, weights, licence and the like. Text is kept, everything else becomes JSON.
    compression : str
        ``zstd``, or ``deflate`` for readers whose GDAL has no zstd.
    resampling : str
        How overviews are made: ``average``, or ``nearest`` or ``mode`` for classes.

    Returns
    -------
    CogResult

    Raises
    ------
    WorkspaceError
        The disk is full or read-only; what was written so far is removed.
    DomainError
        A value does not fit into `dtype` with `scale`.
    GridError
        An array does not fit the grid, or the blocks do not cover it once.

    Examples
    --------
    >>> import tempfile
    >>> grid = Grid.from_bounds((90, 30, 91, 31), 0.25, crs="EPSG:4326")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = write_cog(f"{folder}/wetness.tif", np.full((4, 4), 0.3), grid, band_names=["water"], units="m3 m-3")
    ...     describe_raster(done.path)["bands"][0]["unit"], done.cells_with_data
    ('m3 m-3', (16,))
    """
    path, count = Path(path), len(band_names)
    encoding = Encoding(
        dtype,
        DEFAULT_NODATA.get(dtype, 0) if nodata is None else nodata,
        _per_band(scale, count, "scale"),
        _per_band(offset, count, "offset"),
    )
    if compression not in LEVELS or resampling not in RESAMPLING:
        raise RasterError(
            f"Compression {compression!r} and resampling {resampling!r} were asked for. "
            f"Choose from {', '.join(LEVELS)} and from {', '.join(RESAMPLING)}."
        )
    blocks = _as_blocks(source, grid, count) if isinstance(source, np.ndarray) else source
    texts, threads = _texts(units, count), _threads()
    codec = TileCodec(dtype, count, compression)
    bytes_needed = int(grid.size * count * np.dtype(dtype).itemsize * 2.7)  # tiles and the file, a third more for overviews
    with whole_file(path, bytes_needed=bytes_needed) as temporary:
        fields = describing_fields(
            grid,
            codec,
            nodata=encoding.nodata,
            describe=lambda dataset: _describe_bands(dataset, band_names, texts, encoding, tags or {}),
        )
        with TileStore(temporary.with_name(f"{temporary.stem}.tiles"), grid.shape) as store:
            cells = _add_tiles(store, blocks, grid, encoding, codec, threads)
            add_overviews(store, codec, nodata=encoding.nodata, resampling=resampling, threads=threads)
            size = write_layout(temporary, fields, store)
        _check_size(temporary, size)
    return CogResult(path, path.stat().st_size, tuple(band_names), cells)


def describe_raster(path: str | Path) -> dict[str, Any]:
    """Read back what a GeoTIFF says of itself: size, place, bands with their units and scales, tags, overviews.

    Returns
    -------
    dict
        ``shape, crs, transform, bounds, dtype, nodata, compression, tiled, tile, overviews, bands, tags``; ``bands`` is a
        list of ``name, unit, scale, offset``.

    Raises
    ------
    MissingFileError, RasterError
        The file is not there, or not a GeoTIFF.
    """
    with open_raster(path) as dataset:
        grid = Grid.from_dataset(dataset)
        bands = [
            {"name": name or f"band {number}", "unit": unit or "", "scale": scale, "offset": offset}
            for number, (name, unit, scale, offset) in enumerate(
                zip(dataset.descriptions, dataset.units, dataset.scales, dataset.offsets, strict=True), start=1
            )
        ]
        return {
            "shape": list(grid.shape),
            "crs": grid.crs,
            "transform": list(grid.transform),
            "bounds": list(grid.bounds),
            "dtype": dataset.dtypes[0],
            "nodata": dataset.nodata,
            "compression": dataset.compression.value.lower() if dataset.compression else "none",
            "tiled": dataset.profile.get("tiled", False),
            "tile": list(dataset.block_shapes[0]),
            "overviews": list(dataset.overviews(1)),
            "bands": bands,
            "tags": {key: value for key, value in sorted(dataset.tags().items()) if key != "AREA_OR_POINT"},
        }


def open_raster(path: str | Path) -> rasterio.DatasetReader:
    """Open a GeoTIFF for reading and nothing else: a VRT or another format in disguise is refused.

    Raises
    ------
    MissingFileError, RasterError
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"{path} is not there. Check the path, or finish the run that writes it.")
    try:
        return rasterio.open(path, driver="GTiff")
    except RasterioError as fault:
        raise RasterError(
            f"{path} can't be read as a GeoTIFF ({fault}). Convert it, for example with `gdal_translate`."
        ) from fault


# ---- parts --------------------------------------------------------------------------------------------------------------


def _per_band(value: float | Sequence[float], count: int, what: str) -> tuple[float, ...]:
    values = (float(value),) * count if isinstance(value, (int, float)) else tuple(float(part) for part in value)
    if len(values) != count:
        raise RasterError(f"{len(values)} values of {what} came for {count} bands. Give one for all or one for each.")
    return values


def _texts(value: str | Sequence[str], count: int) -> tuple[str, ...]:
    values = (value,) * count if isinstance(value, str) else tuple(value)
    if len(values) != count:
        raise RasterError(f"{len(values)} units came for {count} bands. Give one for all or one for each.")
    return values


def _as_blocks(array: np.ndarray, grid: Grid, count: int) -> BlockSource:
    array = array if array.ndim == 3 else array[None]
    if array.shape != (count, *grid.shape):
        raise GridError(
            f"The array is {array.shape}, but {count} bands on a grid of {grid.shape} cells were announced. "
            "Expected [band, row, column]."
        )
    for block in grid.blocks(TILE):
        yield block, array[(slice(None), *block.slices)]


def _threads() -> int:
    """Threads that encode tiles; the file does not depend on them."""
    return min(MOST_THREADS, os.cpu_count() or 1)


def _describe_bands(target: Any, names: Sequence[str], units: Sequence[str], encoding: Encoding, tags: Mapping[str, Any]) -> None:
    target.descriptions = tuple(names)
    target.units = tuple(units)
    target.scales, target.offsets = encoding.scale, encoding.offset
    target.update_tags(**{key: tag_text(tags[key]) for key in sorted(tags)})


def tag_text(value: Any) -> str:
    """A tag as text: text as it is, everything else as JSON with sorted keys."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _add_tiles(
    store: TileStore, blocks: BlockSource, grid: Grid, encoding: Encoding, codec: TileCodec, threads: int
) -> tuple[int, ...]:
    """Encode the blocks as tiles; returns how many cells of each band have a value."""

    def add(tile: tuple[tuple[int, int], np.ndarray]) -> np.ndarray:
        place, values = tile
        if holds_nothing(values):
            return np.zeros(codec.bands, np.int64)
        stored = encoding.encode(values)
        if not has_data(stored, encoding.nodata):
            return np.zeros(codec.bands, np.int64)
        store.add(0, place, codec.encode(padded(stored, encoding.nodata)))
        missing = np.isnan(stored) if np.isnan(encoding.nodata) else stored == encoding.nodata
        return stored[0].size - np.count_nonzero(missing, axis=(1, 2))

    cells = np.zeros(codec.bands, np.int64)
    for part in in_threads(add, Retiling(grid, codec.bands).tiles(blocks), threads):
        cells += part
    return tuple(int(value) for value in cells)


def _check_size(path: Path, size: int) -> None:
    """Not every file system says that it is full: look at what is there."""
    found = path.stat().st_size
    if found != size:
        raise OSError(f"{found} bytes were written and {size} were expected: the disk may be full")
