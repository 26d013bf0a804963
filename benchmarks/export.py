"""Export ten million pixels of a map: time, peak memory, and that they equal the map.

A small study is run for real; its map is replaced by synthetic rasters of 4,000 x 3,000 cells, noisy as real ones are (smooth
ones would compress too well). Every export runs in a process of its own, whose peak memory is its own too.

Run: ``python -m benchmarks.export``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio

from alm_core.grid import Block, Grid
from alm_core.learning.fusion import Fusion
from alm_core.mapping.cog import describe_raster, write_cog
from alm_core.pipeline import run as run_study
from alm_core.publishing.export import export_csv, export_layer
from alm_core.scenarios.scenario import Scenario, load_scenario, save_scenario, scenario_fusion
from alm_core.workspace import Run, read_json
from benchmarks.common import own_peak_memory_gb, save
from tests.small_study import write_small_study

GRID = Grid.from_bounds((80.0, 28.0, 84.0, 31.0), 0.001, crs="EPSG:4326")
BOX = (80.0, 28.25, 84.0, 30.75)
"""4,000 x 2,500 cells."""
MASKED = 0.1
SCENARIO = Scenario("mine", method="manual", weights={"forest": 1.0, "boosted": 2.0}, correction="blend", blend=0.3)
CASES = ("own", "scenario", "table")
TABLE_BOX = (80.0, 28.25, 81.0, 29.25)
SECONDS_BAR, MEMORY_BAR_GB = 15.0, 0.6


def members_of(block: Block) -> np.ndarray:
    """Two noisy members of a block, the same whenever it is asked for."""
    rng = np.random.default_rng([block.row, block.column])
    rows, columns = np.indices(block.shape, dtype=np.float32)
    smooth = 0.25 + 0.1 * np.sin((rows + block.row_start) / 300) * np.cos((columns + block.column_start) / 200)
    members = (smooth + 0.02 * rng.normal(size=(2, *block.shape))).astype(np.float32)
    members[:, rng.random(block.shape) < MASKED] = np.nan
    return members


def blocks_of(product: str, fusion: Fusion) -> Iterator[tuple[Block, np.ndarray]]:
    """One raster of the map, block by block."""
    for block in GRID.blocks(512):
        members = members_of(block)
        fused = fusion.predict(members)
        trust = np.abs(members[0] - members[1]) * 10
        found = {
            "members": members,
            "fused": fused.value[None],
            "uncertainty": np.stack([fused.lower, fused.upper, trust, np.round(trust * 20), trust < 0.4 + 0 * trust]),
        }[product]
        yield block, np.where(np.isnan(fused.value), np.nan, found).astype(np.float32)


def make_run(folder: Path) -> Run:
    """A finished run with a large map."""
    run = run_study(write_small_study(folder / "study"), workspace=folder / "workspace")
    fusion = Fusion.from_dict(read_json(run.file("fusion.json")))
    tags = describe_raster(run.file("map/fused.tif"))["tags"]
    names = {
        "members": ["forest", "boosted"],
        "fused": ["fused"],
        "uncertainty": ["lower", "upper", "dissimilarity", "density", "inside"],
    }
    for product, bands in names.items():
        write_cog(run.folder / "map" / f"{product}.tif", blocks_of(product, fusion), GRID, band_names=bands, tags=tags)
    save_scenario(run, SCENARIO)
    return run


def export_once(case: str, run: Run, out: Path) -> dict[str, float]:
    """Export in this process."""
    begun, cpu = time.perf_counter(), time.process_time()
    if case == "table":
        result = export_csv(run, out, bbox=TABLE_BOX)
    else:
        result = export_layer(run, out, bbox=BOX, scenario=SCENARIO.name if case == "scenario" else None)
    return {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - cpu,
        "peak_memory_gb": own_peak_memory_gb(),
        "cells": result.cells,
        "bands": len(result.bands),
        "megabytes": out.stat().st_size / 1e6,
    }


def equals_the_map(case: str, run: Run, out: Path) -> bool:
    """Every pixel of value and bounds, strip by strip, and the tags."""
    fusion = scenario_fusion(run, load_scenario(run, SCENARIO.name))
    with (
        rasterio.open(out, driver="GTiff") as cut,
        rasterio.open(run.file("map/fused.tif"), driver="GTiff") as fused,
        rasterio.open(run.file("map/uncertainty.tif"), driver="GTiff") as trust,
        rasterio.open(run.file("map/members.tif"), driver="GTiff") as members,
    ):
        if cut.tags()["run"] != run.id or (case == "scenario" and cut.tags()["scenario"] != SCENARIO.name):
            return False
        first = round((fused.bounds.top - cut.bounds.top) / GRID.resolution[1])
        for start in range(0, cut.height, 500):
            strip = rasterio.windows.Window(0, start, cut.width, 500)
            whole = rasterio.windows.Window(0, start + first, cut.width, 500)
            if case == "own":
                expected = np.concatenate([fused.read(window=whole), trust.read([1, 2], window=whole)])
            else:
                found = fusion.predict(members.read(window=whole))
                expected = np.stack([found.value, found.lower, found.upper]).astype(np.float32)
            if not np.array_equal(cut.read([1, 2, 3], window=strip), expected, equal_nan=True):
                return False
    return True


def main() -> None:
    """Measure all cases, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    if wanted.case:
        print(json.dumps(export_once(wanted.case, Run.open(wanted.run), wanted.out)))
        return
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = make_run(folder)
        for case in CASES:
            out = folder / (f"{case}.csv" if case == "table" else f"{case}.tif")
            order = [sys.executable, "-m", "benchmarks.export", "--case", case, "--run", str(run.folder), "--out", str(out)]
            found[case] = json.loads(subprocess.run(order, check=True, capture_output=True, text=True).stdout)
            if case != "table":
                found[case]["equals_the_map"] = equals_the_map(case, run, out)
    met = all(
        found[case]["seconds"] <= SECONDS_BAR and found[case]["peak_memory_gb"] <= MEMORY_BAR_GB and found[case]["equals_the_map"]
        for case in ("own", "scenario")
    )
    save("export", {"cases": found, "bar_seconds": SECONDS_BAR, "bar_memory_gb": MEMORY_BAR_GB, "met": met})


if __name__ == "__main__":
    main()
