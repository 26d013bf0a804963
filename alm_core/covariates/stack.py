"""The staged covariates of a study: one file per layer, all on the study grid."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from alm_core.covariates.checks import check_layers, raise_together
from alm_core.covariates.derived import RECIPES, derived_faults
from alm_core.covariates.layers import DerivedSource, LayerSource
from alm_core.covariates.raster import MAXIMUM_CELLS, open_raster, read_window
from alm_core.covariates.staged_facts import WHAT_TO_DO, Digest, StagedFile, file_faults, header_fault, resized, staged_files
from alm_core.covariates.staging import (
    Progress,
    StagingJob,
    changing_layers,
    file_key,
    stage_all,
    stage_mask,
    staged_faults,
)
from alm_core.errors import AlmError, GridError, RasterError, StudyError, WorkspaceError
from alm_core.grid import Block, Grid
from alm_core.workspace import hash_file

__all__ = ["DerivedSource", "LayerSource", "Stack", "StackReader", "stage"]

STACK_FILE = "stack.json"
VERSION = 2
"""2: stack.json holds facts of every staged file; without them a changed file would pass unseen."""
CACHE_BYTES = 2**28
"""Memory that GDAL may keep decoded tiles in: enough for two rows of blocks of the whole plateau stored in strips."""


@dataclass(frozen=True)
class Stack:
    """Staged layers on one grid.

    Attributes
    ----------
    folder : Path
        Where the files are.
    grid : Grid
        The study grid, shared by all files.
    names : tuple of str
        Layers offered to the learners, covariates first, then derived layers, each in the order of the study.
    groups, kinds, units : dict
        Of every staged layer, by name.
    report : dict
        By layer name: source, what was done, resampling, notes, and counts over the cells inside the mask (valid,
        missing, out_of_range, undefined, minimum, maximum, mean). Under ``"mask"``: what the mask holds.
    inputs : tuple of str
        Layers that were staged only to compute others.
    files : dict
        Facts of every staged file by its path in the folder without suffix (`alm_core.covariates.staging.file_key`): the name of
        its layer, and for a layer that changes with time ``slices/<slice>/<name>``; and of ``"mask"``.
    slices : tuple of str
        Time slices in their order; empty in a study without.
    changing : tuple of str
        Names of the layers with a file for each slice.
    time : str
        The slice that is looked at: an opened stack shows the main one, `at` gives another. Empty without slices.
    reports : dict
        As `report`, by slice and layer, of the layers that change.
    """

    folder: Path
    grid: Grid
    names: tuple[str, ...]
    groups: dict[str, str]
    kinds: dict[str, str]
    units: dict[str, str]
    report: dict[str, dict[str, Any]]
    inputs: tuple[str, ...] = ()
    files: dict[str, StagedFile] = field(default_factory=dict)
    slices: tuple[str, ...] = ()
    changing: tuple[str, ...] = ()
    time: str = ""
    reports: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: str | Path) -> Stack:
        """Open a folder that `stage` wrote; looks at the sizes of its files, not into them (see `check`).

        Raises
        ------
        WorkspaceError
            The folder was never finished, was written by an older program, or a file of it is gone or of another size.
        """
        folder = Path(folder)
        try:
            values = json.loads((folder / STACK_FILE).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as fault:
            raise WorkspaceError(f"{folder.name} holds no finished stack ({fault}). Stage the covariates again.") from fault
        if values.get("version") != VERSION:
            raise WorkspaceError(
                f"{STACK_FILE} has version {values.get('version')}, {VERSION} is expected: another version of this program wrote "
                "it. Stage the covariates again: run the study once more."
            )
        try:
            stack = cls._from_dict(folder, values)
        except (KeyError, TypeError) as fault:
            raise WorkspaceError(f"{STACK_FILE} is damaged ({fault!r}). Stage the covariates again.") from fault
        paths = stack.all_paths
        gone = [name for name, path in paths.items() if not path.is_file()]
        if gone:
            raise WorkspaceError(f"{folder.name} lacks the staged file(s) of {', '.join(gone)}. Stage the covariates again.")
        changed = resized(paths, stack.files)
        if changed:
            raise WorkspaceError(
                f"The staged file(s) of {', '.join(changed)} in {folder.name} have another size than when they were staged: they "
                f"were changed or cut short. {WHAT_TO_DO}"
            )
        return stack

    @classmethod
    def _from_dict(cls, folder: Path, values: dict[str, Any]) -> Stack:
        return cls(
            folder,
            Grid.from_dict(values["grid"]),
            tuple(values["names"]),
            values["groups"],
            values["kinds"],
            values["units"],
            values["report"],
            tuple(values["inputs"]),
            {name: StagedFile.from_dict(facts) for name, facts in values["files"].items()},
            tuple(values.get("slices", ())),
            tuple(values.get("changing", ())),
            values.get("time", ""),
            values.get("reports", {}),
        )

    def at(self, time: str) -> Stack:
        """The stack in another time slice: the same names, grid and mask, and the files of that slice.

        Raises
        ------
        StudyError
            There is no such slice.
        """
        if time not in self.slices:
            raise StudyError(
                f"The staged covariates have no slice {time!r}. Their slices are {', '.join(self.slices) or 'none'}."
            )
        return replace(self, time=time, report=self.report | self.reports.get(time, {}))

    @property
    def paths(self) -> dict[str, Path]:
        """The file of every staged layer by its name, and of ``"mask"``; of the slice that is looked at."""
        return {name: self.file(name) for name in (*self.kinds, "mask")}

    @property
    def all_paths(self) -> dict[str, Path]:
        """The files of all slices, by their keys in `files`."""
        found = [self] if not self.slices else [self.at(time) for time in self.slices]
        return {part.key(name): path for part in found for name, path in part.paths.items()}

    def key(self, name: str) -> str:
        """The key in `files` of a layer, or of ``"mask"``, in the slice that is looked at."""
        return file_key(name, self.time if name in self.changing else "")

    def facts(self, name: str) -> StagedFile | None:
        """Facts of the file of a layer, or of ``"mask"``; None where stack.json knows none."""
        return self.files.get(self.key(name))

    def check(self, names: Sequence[str] | None = None, *, digest: Digest = hash_file) -> None:
        """Refuse a stack of which a file is not what was staged; once before a map, not for every block.

        Headers are read, contents only of files that were touched since they were staged (see
        `alm_core.covariates.staged_facts.changed_content`), so a stack of 15 GB costs some milliseconds.

        Parameters
        ----------
        names : sequence of str, optional
            Layers that will be read; default all. The mask is always looked at.
        digest : callable
            Gives the SHA-256 of a file.

        Raises
        ------
        RasterError, CrsError, GridError, NodataError
            Every fault of every file, in one error: which layer, what came, what was expected, what to do.
        """
        wanted = {*(self.kinds if names is None else names), "mask"}
        chosen = {name: path for name, path in self.paths.items() if name in wanted}
        known = {name: facts for name in chosen if (facts := self.facts(name)) is not None}
        raise_together(file_faults(chosen, known, self.grid, digest=digest))

    def file(self, name: str) -> Path:
        """The file of a layer, or of ``"mask"``, in the slice that is looked at."""
        return self.folder / f"{self.key(name)}.tif"

    def reader(self, names: Sequence[str] | None = None) -> StackReader:
        """A reader of blocks, for use in a ``with`` statement; by default of all `names`, in their order.

        Raises
        ------
        StudyError
            A name is not among the staged layers.
        """
        return StackReader(self, tuple(self.names if names is None else names))

    def to_dict(self) -> dict[str, Any]:
        """The stack as plain values, for JSON; holds no path."""
        return {
            "version": VERSION,
            "grid": self.grid.to_dict(),
            "names": list(self.names),
            "inputs": list(self.inputs),
            "groups": self.groups,
            "kinds": self.kinds,
            "units": self.units,
            "report": self.report,
            "files": {name: facts.to_dict() for name, facts in self.files.items()},
            **({"slices": list(self.slices), "changing": list(self.changing), "time": self.time} if self.slices else {}),
            **({"reports": self.reports} if self.slices else {}),
        }


class StackReader:
    """Reads blocks of staged layers; one reader may be used from many threads, each gets its own file handles.

    Examples
    --------
    ::

        with stack.reader(["elevation", "slope"]) as reader:
            for block in stack.grid.blocks(512):
                mask = reader.mask(block)
                if mask.any():
                    covariates = reader.read(block)  # [band, row, column], NaN where missing
    """

    def __init__(self, stack: Stack, names: tuple[str, ...]) -> None:
        unknown = [name for name in names if name not in stack.kinds]
        if unknown:
            raise StudyError(f"No staged layer is called {', '.join(unknown)}. There are: {', '.join(stack.kinds)}.")
        self.stack = stack
        self.names = names
        self._local = threading.local()
        self._opened: list[rasterio.DatasetReader] = []
        self._lock = threading.Lock()

    def __enter__(self) -> StackReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file handles of all threads; none of them may be reading."""
        with self._lock:
            for dataset in self._opened:
                dataset.close()
            self._opened.clear()
            self._local = threading.local()

    def read(self, block: Block) -> np.ndarray:
        """The layers on a block (without its halo; give `block.padded` for the halo), float32 ``[band, row, column]``."""
        values = np.empty((len(self.names), *block.shape), np.float32)
        for index, name in enumerate(self.names):
            values[index] = read_window(self._dataset(name), 1, block.window)
        return values

    def mask(self, block: Block) -> np.ndarray:
        """True where the cell is to be mapped, ``[row, column]``."""
        return read_window(self._dataset("mask"), 1, block.window) == 1

    def _dataset(self, name: str) -> rasterio.DatasetReader:
        handles: dict[str, rasterio.DatasetReader] | None = getattr(self._local, "handles", None)
        if handles is None:
            handles = self._local.handles = {}
        if name not in handles:
            dataset = open_raster(self.stack.file(name))
            fault = header_fault(dataset, name, self.stack.files[self.stack.key(name)], self.stack.grid)
            if fault is not None:
                dataset.close()
                raise fault
            with self._lock:
                self._opened.append(dataset)
            handles[name] = dataset
        return handles[name]


def stage(
    layers: Sequence[LayerSource],
    derived: Sequence[DerivedSource],
    grid: Grid,
    folder: str | Path,
    *,
    mask_path: str | Path | None = None,
    mask_values: Sequence[int] = (1,),
    mask_crs: str | None = None,
    progress: Progress | None = None,
    block_size: int = 512,
    workers: int = 1,
    maximum_cells: int = MAXIMUM_CELLS,
    margin_cells: int | None = None,
    check: bool = True,
    slices: Sequence[str] = (),
    main_slice: str = "",
) -> Stack:
    """Bring all layers onto the study grid, compute the derived ones, and write them as tiled GeoTIFFs.

    A layer whose cells agree with the grid is copied number by number; any other is resampled as it says, from cleaned
    numbers. Memory is bounded by the block size, whatever the size of the rasters. Every file appears under its name
    only when it is whole, and ``stack.json`` last of all.

    Parameters
    ----------
    layers, derived : sequence of LayerSource, of DerivedSource
        What to stage; a derived layer may be computed from another.
    grid : Grid
        The study grid.
    folder : str or Path
        Made where it is not there; files of the same name are replaced.
    mask_path, mask_values, mask_crs
        A raster on any grid, the values that mean "map here", and the CRS that stands in where it has none.
    progress : callable, optional
        ``progress(done, total, message)``, in blocks; may be called from any thread, never from two at once.
    block_size : int
        Cells of a block and of a tile of the files; a multiple of 16.
    workers : int
        Threads, one layer each. The files are the same for any number.
    maximum_cells : int
        See `alm_core.covariates.raster.open_raster`.
    margin_cells : int, optional
        Leave blocks empty that lie further than this many cells from the mask; by default every block is filled. Only
        where nothing outside the mask is ever asked for: sites there would have no covariates.
    check : bool
        Look for faults first (`alm_core.covariates.checks.layer_faults`). Leave out only where that was just done.
    slices : sequence of str
        Time slices. Layers that have a raster for each (`LayerSource.slices`), and all that is computed from them, are staged
        once for each slice, all others once.
    main_slice : str
        The slice that an opened stack shows; default: the last.

    Returns
    -------
    Stack

    Raises
    ------
    StudyError
        Two layers share a name, or a derived layer is not possible.
    RasterError, CrsError, GridError, NodataError, TooManyPixelsError
        Every fault of every layer, in one error.
    WorkspaceError
        The folder can't be written to, or is full.
    """
    folder = Path(folder)
    if block_size < 16 or block_size % 16:
        raise GridError(f"The block size is {block_size}: a multiple of 16 cells is expected.")
    _check_names(layers, derived)
    raise_together(derived_faults(derived, [layer.name for layer in layers]))
    if check:
        check_layers(_of_all_slices(layers, slices), grid, maximum_cells=maximum_cells)
    try:
        for place in (folder, *(folder / "slices" / time for time in slices)):
            place.mkdir(parents=True, exist_ok=True)
        (folder / STACK_FILE).unlink(missing_ok=True)
    except OSError as fault:
        raise WorkspaceError(f"The folder {folder} can't be written to ({fault}). Choose another or free it.") from fault
    changing = changing_layers(layers, derived)
    rasters = 1 + sum(len(slices) if source.name in changing else 1 for source in (*layers, *derived))
    blocks = -(-grid.shape[0] // block_size) * -(-grid.shape[1] // block_size)
    job = StagingJob(grid, folder, block_size, maximum_cells, progress, blocks * rasters, margin_cells)
    job.slices, job.changing = tuple(slices), changing
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        mask_report = stage_mask(job, mask_path, mask_values, mask_crs)
        reports = stage_all(job, layers, derived, workers=workers)
    inputs = tuple(layer.name for layer in layers if not layer.use)
    constant = [source.name for source in derived if source.method == "constant"]
    raise_together(staged_faults(reports, [*inputs, *constant]))
    every = (*layers, *derived)
    main = (main_slice or slices[-1]) if slices else ""
    by_slice = {
        time: {source.name: reports[file_key(source.name, time)] for source in every if source.name in changing}
        for time in slices
    }
    stack = Stack(
        folder,
        grid,
        tuple(source.name for source in every if source.name not in inputs),
        {source.name: source.group for source in every},
        {source.name: getattr(source, "kind", "continuous") for source in every},
        {source.name: source.unit or _default_unit(source) for source in every},
        {"mask": mask_report}
        | {source.name: reports[file_key(source.name, main if source.name in changing else "")] for source in every},
        inputs,
        {},
        tuple(slices),
        tuple(source.name for source in every if source.name in changing),
        main,
        by_slice,
    )
    stack = replace(stack, files=staged_files(stack.all_paths, workers=workers))
    _check_slices_differ(stack, layers)
    _write_json(folder / STACK_FILE, stack.to_dict())
    return stack


def _of_all_slices(layers: Sequence[LayerSource], slices: Sequence[str]) -> list[LayerSource]:
    """Every raster that is staged, as a layer of its own that says which slice it is."""
    found: list[LayerSource] = []
    for layer in layers:
        found += [replace(layer.at(time), name=f"{layer.name} {time}") for time in slices] if layer.slices else [layer]
    return found


def _check_slices_differ(stack: Stack, layers: Sequence[LayerSource]) -> None:
    """Refuse a layer that holds the same numbers in two slices: a climatology in all but name."""
    faults: list[AlmError] = []
    for layer in layers:
        if not layer.slices:
            continue
        first: dict[str, str] = {}
        for time in stack.slices:
            digest = stack.files[file_key(layer.name, time)].sha256
            if digest in first:
                faults.append(
                    RasterError(
                        f"Covariate {layer.name} has the same numbers in every cell of the slices {first[digest]} and {time}: a "
                        "climatology can't show how slices differ. Give each slice its own raster, or give one raster for all "
                        "and say in `static` why it does not change."
                    )
                )
            first.setdefault(digest, time)
    raise_together(faults)


def _default_unit(source: LayerSource | DerivedSource) -> str:
    return RECIPES[source.method].unit if isinstance(source, DerivedSource) else ""


def _check_names(layers: Sequence[LayerSource], derived: Sequence[DerivedSource]) -> None:
    names = [source.name.casefold() for source in (*layers, *derived)]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise StudyError(f"Layers share the name {', '.join(doubled)} (upper and lower case count as one). Rename them.")


def _write_json(path: Path, values: dict[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        os.replace(partial, path)
    except OSError as fault:
        raise WorkspaceError(
            f"{path.name} can't be written ({fault}). Check that the folder is writable and the disk not full."
        ) from fault
