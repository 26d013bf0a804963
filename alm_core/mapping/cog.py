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
import rasterio.shutil
from rasterio.errors import RasterioError

from alm_core.errors import GridError, MissingFileError, RasterError
from alm_core.grid import Block, Grid
from alm_core.mapping.dataset_pool import DatasetPool
from alm_core.mapping.encoding import DEFAULT_NODATA, Encoding
from alm_core.mapping.files import whole_file
from alm_core.mapping.overviews import RESAMPLING, write_overviews
from alm_core.mapping.staged_raster import TILE, StagedRaster, count_cells, stage_blocks, staging_profile
from alm_core.mapping.threads import in_threads

LEVELS = {"zstd": 1, "deflate": 6}
"""How hard each method tries. On predicted maps a higher level of Zstandard takes twice as long and saves 1 %."""
CACHE_BYTES = 2**26
"""Decoded tiles that GDAL may hold while it writes; by its own choice that would be a part of the machine's memory."""
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

    The blocks go into a plain tiled GeoTIFF beside the target first; GDAL's COG driver copies that, with overviews that
    leave nodata out, and the result is read back. Not for rasters that are changed later: a COG is written once.

    Parameters
    ----------
    path : path
        Target; an older file of that name is replaced at the very end.
    source : ndarray or iterable of (Block, ndarray)
        ``[band, row, column]`` or ``[row, column]``, or blocks that together cover the grid once, in any order.
        Physical values with NaN where missing; integers go into integer files as they are.
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
    texts, threads, profile = _texts(units, count), _threads(), staging_profile(grid, count, encoding)
    bytes_needed = int(grid.size * count * np.dtype(dtype).itemsize * 2.7)  # staged and final file, a third more for overviews
    settings = {"GDAL_NUM_THREADS": str(threads), "GDAL_PAM_ENABLED": "NO", "GDAL_CACHEMAX": CACHE_BYTES}
    with whole_file(path, bytes_needed=bytes_needed) as temporary, rasterio.Env(**settings):
        staged = stage_blocks(
            temporary.with_name(f"{temporary.stem}.staged.tif"),
            blocks,
            grid,
            encoding,
            profile,
            describe=lambda dataset: _describe_bands(dataset, band_names, texts, encoding, tags or {}),
            threads=threads,
        )
        write_overviews(staged.path, profile, staged.filled, tile=TILE, resampling=resampling, threads=threads)
        _copy_as_cog(staged.path, temporary, dtype=dtype, compression=compression, threads=threads)
        _read_back(temporary, staged, grid, threads)
    return CogResult(path, path.stat().st_size, tuple(band_names), staged.cells)


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


def _copy_as_cog(staged: Path, target: Path, *, dtype: str, compression: str, threads: int) -> None:
    rasterio.shutil.copy(
        staged,
        target,
        driver="COG",
        COMPRESS=compression.upper(),
        LEVEL=LEVELS[compression],
        PREDICTOR="FLOATING_POINT" if dtype == "float32" else "STANDARD",
        BLOCKSIZE=TILE,
        OVERVIEWS="FORCE_USE_EXISTING",  # for several bands GDAL's COG driver takes ten minutes to make its own
        SPARSE_OK="TRUE",
        BIGTIFF="IF_SAFER",
        NUM_THREADS=threads,
    )


def _read_back(path: Path, staged: StagedRaster, grid: Grid, threads: int) -> None:
    """Count the values in the finished file: on a full disk GDAL can lose parts of a file without an error."""
    found = np.zeros(len(staged.cells), np.int64)
    with DatasetPool(path, threads) as pool:

        def count(block: Block) -> np.ndarray:
            with pool.dataset() as dataset:
                return count_cells(dataset.read(window=block.window), dataset.nodata)

        filled = (block for block in grid.blocks(TILE) if staged.filled[block.row, block.column])
        for cells in in_threads(count, filled, threads, name="reading back"):
            found += cells
    if tuple(found) != staged.cells:
        raise OSError(f"{found.sum()} values are in the file and {sum(staged.cells)} were written (the disk may be full)")
