"""Terrain indices: seconds for ten million pixels of local ones, and what 81 million (1 km, north of 45 N) would take.

Local indices go by block through the recipes that staging uses, two threads, from memory. Flow goes over the whole grid.
The circumpolar part is 3000 x 3000 cells of the 1 km polar stereographic grid, a ninth of it.
Give `local` or `circumpolar` to run one of them; each runs in a process of its own, so that its peak of memory is
its own.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from alm_core.covariates import channels, flow
from alm_core.covariates.derived import RECIPES, compute_block
from alm_core.covariates.layers import DerivedSource
from alm_core.covariates.raster import read_padded
from alm_core.grid import Block, Grid
from benchmarks.common import CORES, own_peak_memory_gb, save

BLOCK = 512
LOCAL = {
    "slope": ("slope", {}),
    "northness": ("northness", {"north": "grid"}),
    "eastness": ("eastness", {"north": "grid"}),
    "plan_curvature": ("plan_curvature", {}),
    "profile_curvature": ("profile_curvature", {}),
    "convergence_index": ("convergence_index", {}),
    "plan_curvature, saga": ("plan_curvature", {"family": "saga"}),
    "profile_curvature, saga": ("profile_curvature", {"family": "saga"}),
    "convergence_index, saga": ("convergence_index", {"family": "saga"}),
}
TEXTBOOK = tuple(name for name in LOCAL if "saga" not in name)
TRUE_NORTH = {"northness, true north": ("northness", {}), "eastness, true north": ("eastness", {})}
CIRCUMPOLAR_CELLS = 81_000_000


def surface(grid: Grid) -> np.ndarray:
    """Rough relief of any size, cheaply: waves of many lengths and some noise."""
    generator = np.random.default_rng(1)
    rows, columns = np.arange(grid.shape[0], dtype=np.float32), np.arange(grid.shape[1], dtype=np.float32)
    elevation = np.full(grid.shape, 2000, np.float32)
    for length in (3000, 900, 400, 150, 60, 25, 11):
        turn, shift = generator.uniform(0, np.pi), generator.uniform(0, 6, 2)
        across = np.cos(rows * 2 * np.pi / length * np.cos(turn) + shift[0]).astype(np.float32)
        along = np.cos(columns * 2 * np.pi / length * np.sin(turn) + shift[1]).astype(np.float32)
        elevation += across[:, None] * along[None, :] * length**0.8
    elevation += generator.normal(0, 0.5, grid.shape).astype(np.float32)
    return elevation


def compute(method: str, options: dict[str, Any], elevation: np.ndarray, grid: Grid) -> None:
    """One local index over the whole grid, by block, with all cores."""
    source = DerivedSource(method, method, {"elevation": "elevation"}, options)

    def read(block: Block) -> Callable[[str, int], np.ndarray]:
        def part(_: str, reach: int) -> np.ndarray:
            rows = block.row_start - reach, block.row_stop + reach
            columns = block.column_start - reach, block.column_stop + reach
            return read_padded(lambda a, b, c, d: elevation[a:b, c:d], grid.shape, rows, columns)

        return part

    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(lambda block: compute_block(source, block, grid, read(block)), grid.blocks(BLOCK)))


def local() -> dict[str, Any]:
    """Ten million cells."""
    grid = Grid("EPSG:3413", (1000.0, 0.0, -2e6, 0.0, -1000.0, -1e6), (3200, 3125))
    elevation = surface(grid)
    seconds = times(LOCAL | TRUE_NORTH, elevation, grid)
    return {
        "cells": grid.size,
        "seconds": seconds,
        "textbook_six_wall_s": sum(seconds[name]["wall_s"] for name in TEXTBOOK),
        "textbook_six_cpu_s": sum(seconds[name]["cpu_s"] for name in TEXTBOOK),
        "peak_memory_gb": own_peak_memory_gb(),
    }


def times(cases: dict[str, tuple[str, dict[str, Any]]], elevation: np.ndarray, grid: Grid) -> dict[str, dict[str, float]]:
    """Wall-clock and CPU seconds of each index, after one small block that compiles its kernels."""
    found = {}
    small = Grid(grid.crs, grid.transform, (64, 64))
    for name, (method, options) in cases.items():
        compute(method, options, elevation[:64, :64], small)
        wall, cpu = time.perf_counter(), time.process_time()
        compute(method, options, elevation, grid)
        found[name] = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return found


def circumpolar() -> dict[str, Any]:
    """Nine million cells, local and flow, and what 81 million would take: local ones by count, flow by count and depth."""
    grid = Grid("EPSG:3413", (1000.0, 0.0, -2e6, 0.0, -1000.0, -1e6), (3000, 3000))
    elevation = surface(grid)
    before = own_peak_memory_gb()
    seconds = times({name: LOCAL[name] for name in TEXTBOOK}, elevation, grid)
    after_local = own_peak_memory_gb()
    steps = flow_steps(elevation, grid)
    ratio = CIRCUMPOLAR_CELLS / grid.size
    local_wall = sum(one["wall_s"] for one in seconds.values())
    flow_wall = sum(one["wall_s"] for one in steps.values())
    return {
        "cells": grid.size,
        "local": seconds,
        "flow": steps,
        "peak_memory_gb": {"elevation": before, "local": after_local, "flow": own_peak_memory_gb()},
        "flow_bytes_per_cell": (own_peak_memory_gb() - before) * 1e9 / grid.size,
        "projected_to_81_million_cells": {
            "local_wall_s": local_wall * ratio,
            "local_cpu_s": sum(one["cpu_s"] for one in seconds.values()) * ratio,
            "flow_cpu_s": sum(one["cpu_s"] for one in steps.values()) * ratio * 1.1,
            # A heap of n cells costs log n a step: a tenth more on nine times the cells.
            "flow_wall_s": flow_wall * ratio * 1.1,
            "flow_memory_gb": (own_peak_memory_gb() - before) * ratio,
        },
    }


def flow_steps(elevation: np.ndarray, grid: Grid) -> dict[str, dict[str, float]]:
    """Each step of flow over a whole grid."""
    width, height = grid.cell_size_metres()
    small = flow.drainage(elevation[:64, :64].copy(), width[:64], height[:64])
    flow.catchment_area(small)
    channels.relative_slope_position(small, channel_order=1)
    found: dict[str, dict[str, float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        found[name] = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        return result

    basin = timed("fill and order", lambda: flow.drainage(elevation, width, height))
    area = timed("catchment area", lambda: flow.catchment_area(basin))
    timed("wetness index", lambda: flow.wetness_index(basin, area))
    timed("LS factor", lambda: flow.length_slope_factor(basin, area))
    timed("valley depth", lambda: channels.valley_depth(basin, channel_order=4))
    timed("relative slope position", lambda: channels.relative_slope_position(basin, channel_order=4))
    return found


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"local": local, "circumpolar": circumpolar}


def main() -> None:
    """Run the parts that are named, or each in a process of its own."""
    if len(sys.argv) > 1:
        for name in sys.argv[1:]:
            missing = [method for method, _ in LOCAL.values() if method not in RECIPES]
            assert not missing, missing
            save(f"terrain_{name}", PARTS[name]())
        return
    for name in PARTS:
        subprocess.run([sys.executable, "-m", "benchmarks.terrain", name], check=True)


if __name__ == "__main__":
    main()
