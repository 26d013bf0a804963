"""The whole plateau end to end: seconds of the map stage, peak memory, disk, and how time follows the number of cells.

Uses the full demo in FOLDER, or writes it there (5 GB), stages its covariates (15 GB) and fits its members; each step is done
once. The map itself (about 7 GB) is made in a fresh process, first of strips of the same grid with growing numbers of cells,
then of the whole grid, and removed again but for the last.

Run: ``python -m benchmarks.full_map FOLDER [--size full] [--cells 4 16 64] [--rounds 1] [--refit]``
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.covariates.stack import Stack, StackReader
from alm_core.grid import Block, Grid
from alm_core.progress import Event, Reporter
from alm_core.stages import Context
from alm_core.stages.data import stage_covariates, stage_sites
from alm_core.stages.learning import stage_selection
from alm_core.stages.mapping import make_map, prepare_map, stage_models
from alm_core.stages.slices import map_parts
from alm_core.studies import DEMOS
from alm_core.study import Study
from benchmarks.common import CORES, own_peak_memory_gb, save

MILLION = 1_000_000
STRIP_CELLS = 512
"""Strips are as high as the grid and a whole number of blocks wide, around the middle of its mask."""
SECONDS_ALLOWED, GIGABYTES_ALLOWED, DEVIATION_ALLOWED = 360.0, 2.0, 0.15
STEPS: tuple[tuple[str, Callable[[Context], Any]], ...] = (
    ("covariates/stack.json", stage_covariates),
    ("samples.parquet", stage_sites),
    ("selection.json", stage_selection),
    ("models.json", stage_models),
)
"""What a map needs, and the stage that makes it."""


@dataclass(frozen=True)
class StripOfStack:
    """Some columns of a staged stack, as a stack of its own; no file is copied."""

    stack: Stack
    columns: tuple[int, int]

    @property
    def grid(self) -> Grid:
        """Grid of the strip."""
        rows = self.stack.grid.shape[0]
        return self.stack.grid.window(Block(0, 0, 0, rows, *self.columns, 0, self.stack.grid.shape))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stack, name)

    def reader(self, names: Sequence[str] | None = None) -> StripReader:
        """A reader of blocks of the strip."""
        return StripReader(self.stack, tuple(self.stack.names if names is None else names), self.columns[0])


class StripReader(StackReader):
    """Reads the blocks of a strip from the files of the whole."""

    def __init__(self, stack: Stack, names: tuple[str, ...], first_column: int) -> None:
        super().__init__(stack, names)
        self.first_column = first_column

    def _moved(self, block: Block) -> Block:
        columns = block.column_start + self.first_column, block.column_stop + self.first_column
        return replace(block, column_start=columns[0], column_stop=columns[1], grid_shape=self.stack.grid.shape)

    def read(self, block: Block) -> np.ndarray:
        """Layers of a block of the strip."""
        return super().read(self._moved(block))

    def mask(self, block: Block) -> np.ndarray:
        """Mask of a block of the strip."""
        return super().mask(self._moved(block))


@dataclass(frozen=True)
class StripContext(Context):
    """The context of a run that maps some columns only."""

    columns: tuple[int, int] = (0, 0)

    @property
    def stack(self) -> Any:
        """The strip of the staged covariates."""
        return StripOfStack(Stack.open(self.folder / "covariates"), self.columns)


# ---- what a map needs ---------------------------------------------------------------------------------------------------


def prepare(folder: Path, size: str, *, refit: bool) -> dict[str, float]:
    """Write the demo, stage its covariates and fit its members where that was not done; returns the seconds of what was."""
    seconds: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Any]) -> None:
        print(f"{name} ...", file=sys.stderr, flush=True)
        begun = time.perf_counter()
        step()
        seconds[name] = time.perf_counter() - begun

    demo, run = folder / "demo", folder / "run"
    if not (demo / "study.toml").is_file():
        timed("demo written", lambda: DEMOS["active_layer_moisture"](demo, size=size))
    run.mkdir(parents=True, exist_ok=True)
    if refit:
        (run / "models.json").unlink(missing_ok=True)
    context = Context(Study.load(demo), run, "benchmark", {}, CORES, Reporter("", None))
    for made, stage in STEPS:
        if not (run / made).is_file():
            timed(stage.__name__, lambda stage=stage: stage(context))
    return seconds


def strips(stack: Stack, millions: Sequence[float]) -> list[tuple[int, int]]:
    """Columns of strips that hold about as many cells of the mask; all columns for more than there are."""
    width = stack.grid.shape[1]
    counts = np.zeros(-(-width // STRIP_CELLS))
    with stack.reader([]) as reader:
        for block in stack.grid.blocks(STRIP_CELLS):
            counts[block.column] += np.count_nonzero(reader.mask(block))
    middle = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    found = []
    for wanted in millions:
        first = last = middle
        while counts[first : last + 1].sum() < wanted * MILLION and (first > 0 or last < counts.size - 1):
            if first == 0 or (last - middle <= middle - first and last < counts.size - 1):
                last += 1
            else:
                first -= 1
        found.append((first * STRIP_CELLS, min(width, (last + 1) * STRIP_CELLS)))
    return found


# ---- one map, in a process of its own -----------------------------------------------------------------------------------


def map_here(run: Path, shadow: Path, columns: tuple[int, int]) -> dict[str, Any]:
    """Map some columns in this process: the map stage with everything that it reads, checks and writes."""
    _link(run, shadow)
    times: list[tuple[float, Event]] = []
    reporter = Reporter("map", lambda event: times.append((time.perf_counter(), event)))
    study = Study.load(run.parent / "demo")
    context = StripContext(study, shadow, "benchmark", {}, CORES, reporter, keys={"map": "benchmark"}, columns=columns)
    begun = time.perf_counter()
    estimates: list[Any] = []
    part = map_parts(context)[0]
    result = make_map(context, prepare_map(context), part, progress=context.report, on_estimate=estimates.append)
    seconds = time.perf_counter() - begun
    blocks_done = max((at for at, event in times if event.message.startswith("block ")), default=begun)
    return {
        "columns": list(columns),
        "cells": result.counts.cells,
        "cells_mapped": result.counts.mapped,
        "counts": result.counts.to_dict(),
        "seconds": seconds,
        "seconds_blocks": blocks_done - begun,
        "seconds_rasters": begun + seconds - blocks_done,
        "seconds_estimated": estimates[0].seconds if estimates else None,
        "cpu_seconds": time.process_time(),
        "peak_memory_gb": own_peak_memory_gb(),
        "disk_gb": {"blocks": _gigabytes((shadow / "map" / "blocks").iterdir())}
        | {name: _gigabytes([path]) for name, path in result.paths.items()},
    }


def _link(run: Path, shadow: Path) -> None:
    """A folder that reads like the run and has a map of its own."""
    shutil.rmtree(shadow, ignore_errors=True)
    shadow.mkdir(parents=True)
    for path in run.iterdir():
        if path.name != "map":
            (shadow / path.name).symlink_to(path.resolve())


def _gigabytes(paths: Any) -> float:
    return sum(path.stat().st_size for path in paths) / 1e9


def map_elsewhere(folder: Path, columns: tuple[int, int]) -> dict[str, Any]:
    """The same in a fresh process, so that nothing is compiled, cached or held in memory from before."""
    command = [sys.executable, "-m", "benchmarks.full_map", str(folder), "--columns", str(columns[0]), str(columns[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the map of columns {columns} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


# ---- how time follows cells ---------------------------------------------------------------------------------------------


def line(measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The line of seconds against mapped cells, and how far each map lies from it.

    The start (loading members, comparing the first block) is the same for all; weights make the relative distances small.
    """
    cells = np.array([part["cells_mapped"] / MILLION for part in measured])
    seconds = np.array([part["seconds"] for part in measured])
    if len(cells) < 2 or np.ptp(cells) == 0:
        return {}
    slope, start = np.polyfit(cells, seconds, 1, w=1 / seconds)
    away = seconds / (start + slope * cells) - 1
    return {
        "seconds_per_million_cells": float(slope),
        "seconds_to_start": float(start),
        "deviation": [float(part) for part in away],
        "largest_deviation": float(np.abs(away).max()),
        "linear_within_15_percent": bool(np.abs(away).max() <= DEVIATION_ALLOWED),
    }


def measure(folder: Path, millions: Sequence[float], rounds: int) -> list[dict[str, Any]]:
    """Every strip and the whole grid, each as often as asked; the median of the seconds counts."""
    stack = Stack.open(folder / "run" / "covariates")
    whole = (0, stack.grid.shape[1])
    wanted = [part for part in dict.fromkeys(strips(stack, millions)) if part != whole]
    print("first map, not counted: kernels are compiled and files read once", file=sys.stderr, flush=True)
    map_elsewhere(folder, (wanted or [whole])[0])
    found = []
    for columns in [*wanted, whole]:
        maps = [map_elsewhere(folder, columns) for _ in range(rounds)]
        best = sorted(maps, key=lambda part: part["seconds"])[len(maps) // 2]
        found.append({**best, "seconds_of_rounds": [part["seconds"] for part in maps]})
        print(f"{best['cells_mapped'] / MILLION:.1f} M cells: {best['seconds']:.1f} s", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Prepare, map, save; or map one strip for the process that asked for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="full")
    parser.add_argument("--cells", type=float, nargs="*", default=[4, 16, 64], help="millions of cells of the strips")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--refit", action="store_true", help="fit the members again, for example after the trees changed")
    parser.add_argument("--columns", type=int, nargs=2, help="map these columns only and print what came of it")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.columns:
        print(json.dumps(map_here(folder / "run", folder / "mapped", tuple(options.columns)), default=float))
        return
    prepared = prepare(folder, options.size, refit=options.refit)
    measured = measure(folder, options.cells, options.rounds)
    full = measured[-1]
    name = "full_map" if options.size == "full" else f"full_map_{options.size}"
    save(
        name,
        {
            "rasters_by": "gdal",
            "size": options.size,
            "workers": CORES,
            "seconds_to_prepare": prepared,
            "disk_gb": {
                "demo": _gigabytes(path for path in (folder / "demo").rglob("*") if path.is_file()),
                "covariates": _gigabytes((folder / "run" / "covariates").iterdir()),
                **full["disk_gb"],
            },
            "full": full,
            "cells_per_second": full["cells_mapped"] / full["seconds"],
            "within_6_minutes": full["seconds"] <= SECONDS_ALLOWED,
            "within_2_gb": full["peak_memory_gb"] <= GIGABYTES_ALLOWED,
            "line": line(measured),
            "measured": measured,
        },
    )


if __name__ == "__main__":
    main()
