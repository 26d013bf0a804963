"""Ten years of daily maps at full size: 3,653 days, 8,200 cells, 25 predictors, 300 extremely randomised trees.

The cubes are made up from seasons, weather and noise (their values mean nothing, their spread is that of brightness
temperatures), the trees are fitted to 60,000 of their cell-days with one label in twelve wrong. Timed is what the map stage does:
the days themselves, the NetCDF and GeoTIFF files of every year, onsets of freezing and thaw with their trends.

Run: ``python -m benchmarks.day_maps FOLDER [--days 3653] [--trees 300]``
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.cubes.features import FeaturePlan, compute_features, make_plan
from alm_core.cubes.store import CubeStore, Variable, write_array
from alm_core.grid import Grid
from alm_core.learning.day_learners import make_day_learner
from alm_core.learning.day_model import DayModel, load_day_model
from alm_core.learning.model_files import save_learner
from alm_core.mapping.day_files import write_years
from alm_core.mapping.day_maps import map_days
from alm_core.mapping.phenology import map_phenology
from alm_core.trees.warm_up import warm_up
from alm_core.workspace import write_json
from benchmarks.common import CORES, own_peak_memory_gb, save

GRID = Grid.from_bounds((70, 25, 105, 40.5), 0.25, crs="EPSG:4326")
CELLS = 8200
FIRST, DAYS = date(2011, 1, 1), 3653
SAMPLES, WRONG = 60_000, 1 / 12
TB = ("tb06v", "tb10h", "tb18h", "tb18v", "tb36h", "tb36v")
AIR = ("air", "soil")
STATIC = tuple(f"static_{number}" for number in range(8))
SEED = 11
DAYS_AT_ONCE = 200
BAR_SECONDS = 180


def static_layers() -> dict[str, np.ndarray]:
    """Smooth layers ``[cell]``."""
    random = np.random.default_rng(SEED)
    return {name: (0.05 * random.normal(size=CELLS).cumsum()).astype(np.float32) for name in STATIC}


def celsius(start: int, stop: int, static: dict[str, np.ndarray], random: np.random.Generator) -> np.ndarray:
    """Ground temperature ``[day, cell]``: seasons, weather of a week, place, noise."""
    day = np.arange(start, stop)[:, None]
    season = -12 * np.cos(2 * np.pi * (day - 20) / 365.25) - 2
    weather = 2 * np.sin(day / 3.1) + 1.5 * np.sin(day / 1.7)
    return season + weather + 3 * static["static_0"] + 2 * static["static_1"] + random.normal(size=(stop - start, CELLS))


def make_cubes(folder: Path, days: int) -> CubeStore:
    """Write the cubes; float32, one in a hundred cell-days missing."""
    random, static = np.random.default_rng(SEED + 1), static_layers()
    arrays = {name: np.empty((days, CELLS), np.float32) for name in (*TB, *AIR)}
    for start in range(0, days, DAYS_AT_ONCE):
        stop = min(days, start + DAYS_AT_ONCE)
        ground = celsius(start, stop, static, random)
        gone = random.random(ground.shape) < 0.01
        for number, name in enumerate(TB):
            emissivity = 0.93 - 0.02 * number + 0.03 * (ground < 0) - 0.02 * static[STATIC[2 + number]]
            noise = random.standard_normal(ground.shape, dtype=np.float32)
            arrays[name][start:stop] = np.where(gone, np.nan, emissivity * (273.15 + ground) + noise)
        for name, part in zip(AIR, (1.0, 0.8), strict=True):
            arrays[name][start:stop] = 273.15 + part * ground + random.standard_normal(ground.shape, dtype=np.float32)
    cells = np.arange(CELLS) + (GRID.size - CELLS) // 2
    for name in list(arrays):
        write_array(folder / f"{name}.npy", arrays.pop(name))
    return CubeStore.create(folder, GRID, FIRST, days, cells, variables())


def variables() -> tuple[Variable, ...]:
    """Six channels and two temperatures."""
    channels = [Variable(name, "K", "brightness_temperature", float(name[2:4]), name[4].upper()) for name in TB]
    return (*channels, *(Variable(name, "K", "temperature") for name in AIR))


def feature_plan() -> FeaturePlan:
    """25 predictors: 17 of the day, 8 that never change."""
    daily = [{"name": name, "inputs": [name]} for name in (*TB, *AIR)]
    daily += [
        {"name": f"{name}_mean", "method": "running_mean", "inputs": [name], "days": 5} for name in ("tb18h", "tb36v", "air")
    ]
    daily += [{"name": f"{name}_sd", "method": "running_sd", "inputs": [name], "days": 5} for name in ("tb18h", "tb36v")]
    daily += [{"name": "quasi_emissivity", "method": "ratio", "inputs": ["tb18h", "tb36v"]}]
    daily += [{"name": "npr", "method": "polarisation_ratio", "inputs": ["tb36v", "tb36h"]}]
    daily += [{"name": name, "method": name} for name in ("day_of_year_sine", "day_of_year_cosine")]
    return make_plan(daily, variables(), STATIC)


def fit(store: CubeStore, plan: FeaturePlan, folder: Path, trees: int) -> DayModel:
    """Fit and save the trees; the label is the sign of the ground temperature, some wrong."""
    random, static = np.random.default_rng(SEED + 2), static_layers()
    rows, labels = [], []
    for start in np.linspace(10, store.days - 10, 60).astype(int):
        values = compute_features(plan, store, static, start, start + 8)
        known = np.flatnonzero(np.isfinite(values).all(axis=0))
        chosen = np.sort(random.choice(known, SAMPLES // 60, replace=False))
        rows.append(values.reshape(len(values), -1)[:, chosen].T)
        labels.append(rows[-1][:, plan.names.index("soil")] < 273.15)
    label = np.concatenate(labels)
    label ^= random.random(len(label)) < WRONG
    learner = make_day_learner("extra_trees", options={"n_estimators": trees}, names=plan.names)
    learner.fit(np.concatenate(rows), label.astype(int))
    save_learner(learner, folder / "models", "extra_trees", features=np.concatenate(rows)[:200])
    facts = {"features": list(plan.names), "learner": "extra_trees", "saved": ["extra_trees"], "missing": "route"}
    write_json(folder / "models.json", facts)
    return load_day_model(folder)


def timed(parts: dict[str, Any], name: str, run: Callable[[], Any]) -> Any:
    """Run one part and keep its seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    parts[name] = {"seconds": round(time.perf_counter() - wall, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
    print(name, parts[name], flush=True)
    return found


def main() -> None:
    """Make, fit, map, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--trees", type=int, default=300)
    chosen = parser.parse_args()
    plan, folder = feature_plan(), chosen.folder
    shutil.rmtree(folder / "map", ignore_errors=True)
    store = make_cubes(folder / "cubes", chosen.days)
    (folder / "models").mkdir(parents=True, exist_ok=True)
    making: dict[str, Any] = {}
    model = timed(making, "fit", lambda: fit(store, plan, folder, chosen.trees))
    warm_up()
    parts: dict[str, Any] = {}
    inputs = {"folder": folder / "map", "fingerprint": "benchmark", "workers": CORES, "oracle": model.check_block}
    mapped = timed(parts, "days", lambda: map_days(store, plan, static_layers(), model, **inputs))
    words = {"attributes": {"title": "made-up days"}, "tags": {"study": "benchmark"}}
    files = timed(parts, "files", lambda: write_years(mapped, folder / "map/days", **words))
    onsets = timed(parts, "phenology", lambda: map_phenology(mapped, folder / "map/phenology", tags={"study": "benchmark"}))
    seconds, cpu = (round(sum(part[name] for part in parts.values()), 1) for name in ("seconds", "cpu_seconds"))
    ensemble = model.learner.estimator
    result = {
        "days": chosen.days,
        "cells": CELLS,
        "features": len(plan.names),
        "trees": ensemble.n_trees,
        "nodes_a_tree": round(len(ensemble.feature) / ensemble.n_trees),
        "chunk_days": mapped.blocks[0].row_stop,
        "threads": CORES,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "bar_seconds": BAR_SECONDS,
        "load_average": [round(load, 1) for load in os.getloadavg()],  # more than the threads: others took a part of the seconds
        "parts": parts,
        "fit": making["fit"],
        "peak_memory_gb": round(own_peak_memory_gb(), 2),
        "files_mb": round(sum(path.stat().st_size for path in (*files, *onsets.paths)) / 1e6, 1),
        "oracle": mapped.oracle,
    }
    save("day_maps", result)


if __name__ == "__main__":
    main()
