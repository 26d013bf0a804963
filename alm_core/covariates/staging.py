"""Write every layer onto the study grid, one tiled GeoTIFF each, with bounded memory."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetWriter

from alm_core.covariates.alignment import Aligner, short_crs
from alm_core.covariates.derived import RECIPES, compute_block, in_order
from alm_core.covariates.layers import DerivedSource, LayerReader, LayerSource
from alm_core.covariates.raster import check_whole, open_raster, read_padded, read_window
from alm_core.covariates.terrain_checks import elevation_notes
from alm_core.covariates.whole_layers import WholeLayer, compute_whole
from alm_core.errors import AlmError, GridError, NodataError, RasterError, WorkspaceError
from alm_core.grid import Block, Grid

Progress = Callable[[int, int, str], None]
MASK_FILE = "mask.tif"


@dataclass
class CellCounts:
    """What one staged layer holds, counted over the cells inside the mask as blocks go by."""

    inside: int = 0
    valid: int = 0
    out_of_range: int = 0
    undefined: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    total: float = 0.0

    def add(self, values: np.ndarray, inside: np.ndarray, out_of_range: np.ndarray | None, undefined: np.ndarray | None) -> None:
        """Count one block."""
        good = values[inside & ~np.isnan(values)]
        self.inside += int(np.count_nonzero(inside))
        self.valid += good.size
        if out_of_range is not None:
            self.out_of_range += int(np.count_nonzero(out_of_range & inside))
        if undefined is not None:
            self.undefined += int(np.count_nonzero(undefined & inside))
        if good.size:
            self.minimum = min(self.minimum, float(good.min()))
            self.maximum = max(self.maximum, float(good.max()))
            self.total += float(good.sum(dtype=np.float64))

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain values; minimum, maximum and mean are None where nothing is valid."""
        some = self.valid > 0
        return {
            "cells_inside_mask": self.inside,
            "valid": self.valid,
            "missing": self.inside - self.valid,
            "out_of_range": self.out_of_range,
            "undefined": self.undefined,
            "minimum": self.minimum if some else None,
            "maximum": self.maximum if some else None,
            "mean": self.total / self.valid if some else None,
        }


@dataclass
class StagingJob:
    """What all layers of one staging share: where to, how, and the count of blocks done.

    Attributes
    ----------
    grid : Grid
        The study grid.
    folder : Path
        Where the files go; those of a layer that changes with time into ``slices/<slice>`` of it.
    block_size : int
        Cells of a block, which is also the tile of the files.
    maximum_cells : int
        See `alm_core.covariates.raster.open_raster`.
    progress : callable or None
        Called with blocks done, blocks in all, and the layer's name.
    total : int
        Blocks in all.
    margin_cells : int or None
        Blocks further than this many cells from the mask are left empty; None: every block is filled.
    left_out : frozenset of str
        Names of those blocks; known once the mask is staged.
    slices : tuple of str
        Time slices; none where nothing changes with time.
    changing : frozenset of str
        Names of the layers with a file for each slice.
    whole, shared
        Lets in one layer at a time that needs the whole grid at once, and what such layers share.
    elevation_notes
        What was found in elevation, by file.
    """

    grid: Grid
    folder: Path
    block_size: int
    maximum_cells: int
    progress: Progress | None = None
    total: int = 0
    margin_cells: int | None = None
    left_out: frozenset[str] = frozenset()
    slices: tuple[str, ...] = ()
    changing: frozenset[str] = frozenset()
    done: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    whole: threading.Lock = field(default_factory=threading.Lock)
    shared: dict[str, dict[str, Any]] = field(default_factory=dict)
    elevation_notes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def blocks(self, message: str) -> Iterator[Block]:
        """The blocks to fill; counts each as done when the next is asked for, and ends early once the job is stopped."""
        for block in self.grid.blocks(self.block_size):
            if self.stopped.is_set():
                raise WorkspaceError("Staging was stopped because another layer failed.")
            if block.name not in self.left_out:
                yield block
            with self.lock:
                self.done += 1
                if self.progress is not None:
                    self.progress(self.done, self.total, message)

    def file(self, name: str, time: str = "") -> Path:
        """Path of a staged layer, in the time slice `time` where it changes."""
        return self.folder / f"{file_key(name, time if name in self.changing else '')}.tif"

    def times(self, name: str) -> tuple[str, ...]:
        """The slices for which a layer is staged; one without a name for a layer that does not change."""
        return self.slices if name in self.changing else ("",)


def file_key(name: str, time: str) -> str:
    """Path of a staged file from the folder of the stack, without its suffix; `time` is empty for a layer that stays.

    Examples
    --------
    >>> file_key("clay", ""), file_key("thawing_index", "1980-1984")
    ('clay', 'slices/1980-1984/thawing_index')
    """
    return f"slices/{time}/{name}" if time else name


def changing_layers(layers: Sequence[LayerSource], derived: Sequence[DerivedSource]) -> frozenset[str]:
    """Names of the layers that change with time: those with a raster for each slice and all that is computed from them."""
    found = {layer.name for layer in layers if layer.slices}
    for source in in_order(derived, tuple(layer.name for layer in layers)):
        if found & set(source.input_names):
            found.add(source.name)
    return frozenset(found)


@contextlib.contextmanager
def new_raster(job: StagingJob, path: Path, *, dtype: str, tags: dict[str, str]) -> Iterator[DatasetWriter]:
    """A tiled GeoTIFF on the study grid that appears under its name only once it is whole.

    Raises
    ------
    WorkspaceError
        The folder can't be written to, or is full.
    """
    partial = path.with_name(f".{path.stem}.partial.tif")
    rows, columns = job.grid.shape
    profile = {
        "driver": "GTiff",
        "height": rows,
        "width": columns,
        "count": 1,
        "dtype": dtype,
        "crs": job.grid.crs,
        "transform": job.grid.affine,
        "nodata": np.nan if dtype == "float32" else None,
        "tiled": True,
        "blockxsize": job.block_size,
        "blockysize": job.block_size,
        "compress": "zstd",
        "zstd_level": 1,
        "predictor": 3 if dtype == "float32" else 1,
        "bigtiff": "if_safer",
        # Blocks that are never written take no room and read as nodata (or 0).
        "sparse_ok": True,
    }
    try:
        with rasterio.open(partial, "w", **profile) as dataset:
            dataset.update_tags(**tags)
            dataset.set_band_description(1, path.stem)
            yield dataset
        _check_written(partial, job.grid.size)
        os.replace(partial, path)
    except (RasterioError, OSError) as fault:
        raise WorkspaceError(
            f"{path.name} can't be written ({fault}). Check that the folder is writable and the disk not full."
        ) from fault
    finally:
        partial.unlink(missing_ok=True)


def _check_written(partial: Path, cells: int) -> None:
    """GDAL does not always say that a disk is full when it closes a file: look at its length."""
    try:
        with open_raster(partial, maximum_cells=cells) as written:
            check_whole(written, 1)
    except RasterError as fault:
        raise WorkspaceError(f"A raster was not written whole ({fault}). The disk may be full: free some space.") from fault


class MaskReader(LayerReader):
    """Reads a mask raster as 1 (map here) and 0, on the way to the study grid."""

    def __init__(self, path: str | Path, values: Sequence[int], *, crs: str | None, maximum_cells: int) -> None:
        super().__init__(LayerSource(name="the mask", path=path, kind="categorical", crs=crs), maximum_cells=maximum_cells)
        self.values = np.asarray(values)

    def clean(self, raw: np.ma.MaskedArray) -> tuple[np.ndarray, None]:
        """1.0 where the cell holds one of the mask's values, else 0.0."""
        chosen = np.isin(raw.data, self.values) & ~np.ma.getmaskarray(raw)
        return chosen.astype(np.float32), None


def stage_mask(job: StagingJob, path: str | Path | None, values: Sequence[int], crs: str | None) -> dict[str, Any]:
    """Write mask.tif (1: map here, 0: don't) and tell what it holds; without a path every cell is mapped.

    A mask finer than half a grid cell is brought over by the commonest value, any other by the nearest cell.

    Raises
    ------
    NodataError
        No cell of the grid holds one of the values.
    """
    target, inside = job.folder / MASK_FILE, 0
    report: dict[str, Any] = {"source": None, "done": "no mask: every cell is mapped", "values": [int(value) for value in values]}
    with contextlib.ExitStack() as stack:
        aligner = None
        if path is not None:
            reader = stack.enter_context(MaskReader(path, values, crs=crs, maximum_cells=job.maximum_cells))
            aligner = Aligner(reader, job.grid, "nearest")
            aligner.method = "mode" if aligner.ratio >= 2 else "nearest"
            report |= {"source": Path(path).name, "done": aligner.describe(), "notes": list(reader.notes)}
        raster = stack.enter_context(new_raster(job, target, dtype="uint8", tags={"name": "mask"}))
        for block in job.blocks("mask"):
            chosen = np.ones(block.shape, bool) if aligner is None else aligner.block(block).values == 1
            inside += int(np.count_nonzero(chosen))
            raster.write(chosen.astype(np.uint8), 1, window=block.window)
    if inside == 0:
        raise NodataError(
            f"The mask {report['source']} has none of the values {report['values']} on the study grid. "
            "Check `mask_values` and where it lies."
        )
    job.left_out = _far_from_mask(job)
    report["blocks_left_out"] = len(job.left_out)
    return report | {"cells": job.grid.size, "cells_inside_mask": inside}


def _far_from_mask(job: StagingJob) -> frozenset[str]:
    """Names of the blocks that have no cell of the mask within the margin."""
    if job.margin_cells is None:
        return frozenset()
    with open_raster(job.folder / MASK_FILE) as mask:
        blocks = job.grid.blocks(job.block_size, halo=job.margin_cells)
        return frozenset(block.name for block in blocks if not read_window(mask, 1, block.padded.window).any())


def stage_layer(job: StagingJob, layer: LayerSource, time: str = "") -> dict[str, Any]:
    """Write one raster layer onto the grid, in a time slice where it changes, and tell what was done to it."""
    counts = CellCounts()
    layer = layer.at(time)
    tags = {"name": layer.name, "group": layer.group, "kind": layer.kind, "units": layer.unit, "source": layer.source}
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(LayerReader(layer, maximum_cells=job.maximum_cells))
        aligner = Aligner(reader, job.grid, layer.method)
        mask = stack.enter_context(open_raster(job.folder / MASK_FILE))
        raster = stack.enter_context(new_raster(job, job.file(layer.name, time), dtype="float32", tags=tags))
        for block in job.blocks(f"{layer.name} {time}".rstrip()):
            aligned = aligner.block(block)
            counts.add(aligned.values, read_window(mask, 1, block.window) == 1, aligned.out_of_range, None)
            _write_values(raster, aligned.values, block)
        return {
            "source": f"{Path(layer.path).name}, band {layer.band}",
            "source_crs": short_crs(reader.grid.crs),
            "source_cell": list(reader.grid.resolution),
            "source_shape": list(reader.grid.shape),
            "scale": reader.scale,
            "offset": reader.offset,
            "done": aligner.describe(),
            "resampling": None if aligner.offset is not None else layer.method,
            "notes": [*reader.notes, *aligner.advice()],
            **counts.to_dict(),
        }


def stage_derived(job: StagingJob, source: DerivedSource, time: str = "") -> dict[str, Any]:
    """Compute one derived layer from staged ones, block by block, and tell what it holds.

    In a time slice it is computed from the layers of that slice, and from those that do not change.
    """
    counts = CellCounts()
    recipe = RECIPES[source.method]
    tags = {
        "name": source.name,
        "group": source.group,
        "kind": "continuous",
        "units": source.unit or recipe.unit,
        "method": source.method,
    }
    names = tuple(dict.fromkeys(source.input_names))
    with contextlib.ExitStack() as stack:
        inputs = {name: stack.enter_context(open_raster(job.file(name, time))) for name in names}
        mask = stack.enter_context(open_raster(job.folder / MASK_FILE))
        raster = stack.enter_context(new_raster(job, job.file(source.name, time), dtype="float32", tags=tags))
        notes = elevation_notes(source, job.grid, inputs, mask, job.elevation_notes)
        whole = whole_layer(job, source, inputs) if recipe.whole else None
        for block in job.blocks(f"{source.name} {time}".rstrip()):
            known = {name: _with_halo(dataset, block, recipe.halo) for name, dataset in inputs.items()}
            if whole is not None:
                values = whole.block(block)
            else:
                values = compute_block(source, block, job.grid, lambda name, _, known=known: known[name])
            rows, columns = (slice(recipe.halo, recipe.halo + length) for length in block.shape)
            complete = np.all([np.isfinite(layer[rows, columns]) for layer in known.values()], axis=0)
            inside = read_window(mask, 1, block.window) == 1
            counts.add(values, inside, None, complete & np.isnan(values))
            _write_values(raster, values, block)
    return {
        "source": None,
        "method": source.method,
        "inputs": {role: names if isinstance(names, str) else list(names) for role, names in source.inputs.items()},
        "options": dict(source.options),
        "done": f"computed by {source.method} from {', '.join(names)}",
        "resampling": None,
        "notes": [*notes, *(whole.notes if whole is not None else ())],
        **counts.to_dict(),
    }


def whole_layer(job: StagingJob, source: DerivedSource, inputs: Mapping[str, rasterio.DatasetReader]) -> WholeLayer:
    """A layer that needs the whole grid at once; one at a time, for the sake of memory."""
    with job.whole:
        return compute_whole(source, job.grid, inputs, job.shared)


def _write_values(raster: DatasetWriter, values: np.ndarray, block: Block) -> None:
    if not np.isnan(values).all():
        raster.write(values, 1, window=block.window)


def _with_halo(dataset: rasterio.DatasetReader, block: Block, halo: int) -> np.ndarray:
    def read(row_start: int, row_stop: int, column_start: int, column_stop: int) -> np.ndarray:
        window = rasterio.windows.Window(column_start, row_start, column_stop - column_start, row_stop - row_start)
        return read_window(dataset, 1, window)

    rows, columns = (block.row_start - halo, block.row_stop + halo), (block.column_start - halo, block.column_stop + halo)
    return read_padded(read, block.grid_shape, rows, columns)


def stage_all(
    job: StagingJob,
    layers: Sequence[LayerSource],
    derived: Sequence[DerivedSource],
    *,
    workers: int,
) -> dict[str, dict[str, Any]]:
    """Stage all layers, then the derived ones in waves; the same files for any number of workers.

    Returns
    -------
    dict
        File of the layer (`file_key`) to report: one for a layer that stays, one for each slice for a layer that changes.
    """
    reports: dict[str, dict[str, Any]] = {}
    waves: list[list[LayerSource | DerivedSource]] = [list(layers)]
    known = {layer.name for layer in layers}
    for source in in_order(derived, tuple(known)):
        latest = waves[-1]
        if len(waves) == 1 or set(source.input_names) & {other.name for other in latest}:
            waves.append([])
        waves[-1].append(source)
    for wave in waves:
        tasks = [(source, time) for source in wave for time in job.times(source.name)]
        for (source, time), report in zip(tasks, _run(job, tasks, workers), strict=True):
            reports[file_key(source.name, time)] = report
    return reports


def _run(job: StagingJob, tasks: Sequence[tuple[LayerSource | DerivedSource, str]], workers: int) -> list[dict[str, Any]]:
    def stage_one(source: LayerSource | DerivedSource, time: str) -> dict[str, Any]:
        return stage_layer(job, source, time) if isinstance(source, LayerSource) else stage_derived(job, source, time)

    if workers == 1:
        return [stage_one(*task) for task in tasks]
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(stage_one, *task) for task in tasks]
        try:
            return [future.result() for future in futures]
        except BaseException:
            # Also on Ctrl-C: threads stop at their next block instead of finishing their layers.
            job.stopped.set()
            for future in futures:
                future.cancel()
            raise


def staged_faults(reports: dict[str, dict[str, Any]], unused: Sequence[str]) -> list[AlmError]:
    """Layers that came out empty or constant inside the mask; a constant layer in `unused` is no fault."""
    faults: list[AlmError] = []
    for name, report in reports.items():
        if report["valid"] == 0:
            faults.append(
                NodataError(
                    f"Layer {name} has no valid cell inside the mask ({report['done']}; {report['out_of_range']} out of range, "
                    f"{report['undefined']} undefined). Check its nodata, minimum and maximum, or remove it."
                )
            )
        elif report["minimum"] == report["maximum"] and name not in unused:
            faults.append(
                GridError(
                    f"Layer {name} has the same value {report['minimum']:g} in every cell inside the mask: "
                    "it explains nothing. Remove it."
                )
            )
    return faults
