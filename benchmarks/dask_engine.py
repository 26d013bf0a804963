"""The same map on two threads and on two worker processes of a Dask cluster, one of them killed half way.

The data are those of `benchmarks.plateau_window`: 14 covariates, four full-size ensembles, fusion, interval and area of
applicability. Threads and cluster take turns; what the cluster needs to start is reported apart.

Run: ``python -m benchmarks.dask_engine FOLDER [--size 4000] [--rounds 3]``. FOLDER may be that of `benchmarks.mapping`; a window
of another size that it holds is used.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import signal
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from alm_core.mapping.dask_engine import DaskEngine
from alm_core.mapping.engine import Engine, ThreadEngine
from alm_core.mapping.member import Member
from alm_core.mapping.predict import MapResult, map_blocks
from benchmarks.common import CORES, save

ALLOWED_OVERHEAD = 0.35


def make(window: Any, folder: Path, engine: Engine, progress: Any = None) -> tuple[MapResult, float]:
    """Map the window from nothing; the result and its seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    begun = time.perf_counter()
    result = map_blocks(
        window.stack.reader,
        window.stack.grid,
        [Member(name, learner) for name, learner in window.compiled.items()],
        window.fusion,
        names=window.compiled["catboost"].feature_names,
        folder=folder,
        fingerprint="benchmark",
        applicability=window.applicability,
        engine=engine,
        progress=progress,
    )
    return result, time.perf_counter() - begun


def identical(first: MapResult, second: MapResult) -> bool:
    """Same bytes in every raster, same counts."""
    same = (filecmp.cmp(first.paths[name], second.paths[name], shallow=False) for name in first.paths)
    return all(same) and first.counts == second.counts


def worker_processes() -> list[int]:
    """Numbers of the processes of our own cluster."""
    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]


def kill_half_way(window: Any, folder: Path) -> tuple[MapResult, float, int]:
    """Map on two worker processes and kill one with SIGKILL once half of the blocks are done."""
    killed: list[int] = []

    def watch(done: int, total: int, message: str) -> None:
        if not killed and message.startswith("block") and done >= total // 2:
            killed.append(worker_processes()[0])
            os.kill(killed[0], signal.SIGKILL)

    result, seconds = make(window, folder, DaskEngine(workers=CORES), watch)
    if not killed:
        raise SystemExit("no worker was killed: take a larger window")
    return result, seconds, len(killed)


def main() -> None:
    """Take turns, kill a worker, write the result."""
    # Worker processes import this module again when they start; this is more than they need.
    from benchmarks.plateau_window import SIZE, known_size, prepare

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    folder = wanted.folder.resolve()
    size = wanted.size or known_size(folder) or SIZE
    window, maps = prepare(folder, size=size), folder / "dask_engine"
    clean, _ = make(window, maps / "clean", ThreadEngine(CORES))  # kernels and file cache are warm after it
    rounds, same = [], True
    for _ in range(wanted.rounds):
        threads, threads_s = make(window, maps / "threads", ThreadEngine(CORES))
        engine = DaskEngine(workers=CORES)
        cluster, dask_s = make(window, maps / "dask", engine)
        rounds.append({"threads_s": threads_s, "dask_s": dask_s, "start_s": engine.startup_seconds_})
        same = same and identical(clean, threads) and identical(clean, cluster)
    survived, killed_s, killed = kill_half_way(window, maps / "killed")
    whole = median(one["dask_s"] / one["threads_s"] - 1 for one in rounds)
    started = median((one["dask_s"] - one["start_s"]) / one["threads_s"] - 1 for one in rounds)
    found = {
        "size": size,
        "cells": clean.counts.mapped,
        "blocks": clean.blocks,
        "rounds": rounds,
        "start_s": median(one["start_s"] for one in rounds),
        "overhead": whole,
        "overhead_once_started": started,
        "killed_workers": killed,
        "killed_s": killed_s,
        "identical": same,
        "identical_after_kill": identical(clean, survived),
        "processes_left": len(worker_processes()),
    }
    found["met"] = {
        "overhead": whole <= ALLOWED_OVERHEAD,
        "identical": found["identical"] and found["identical_after_kill"],
        "no_process_left": found["processes_left"] == 0,
    }
    save("dask_engine", found)
    shutil.rmtree(maps)


if __name__ == "__main__":
    main()
