"""Exact TreeSHAP: our kernels against `shap.TreeExplainer`, and the time of one clicked place.

Rows are the 342 sites; members are the full-size ones of `benchmarks.plateau_window`. Both sides use one thread, explainers and
compiled trees are made beforehand, and CPU seconds are compared: the median of some rounds in which all cases take turns.
CatBoost is compared with its own ShapValues as well. A click explains all four members and the fused value for one place, as
`alm_core.inspection.query.ask` does; the first click is left out, in which kernels are loaded.

Run: ``python -m benchmarks.tree_shap FOLDER [--rounds 3]`` with the folder of `benchmarks.mapping`, or an empty one.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.learning.explanation import explain_fused, explain_members
from alm_core.trees.shap import shap_values
from benchmarks.common import save, take_turns
from benchmarks.plateau_window import MEMBERS, Window, known_size, prepare

BARS = {"times_faster": 15.0, "largest_difference": 1e-6, "click_ms": 50.0}
HELD_TO_SPEED = ("random_forest", "extra_trees", "xgboost")
CLICKS = 30
CELLS = 2000
"""Cells of a raster of Shapley values that are explained together."""
SMALL = 256
"""Side of the window where the folder is empty: only its sites and members are used."""

Values = dict[str, np.ndarray]


def cases_of(window: Window, rows: np.ndarray) -> tuple[dict[str, Callable[[], None]], Values]:
    """What is measured, by ``who/member``, and the Shapley values that each case leaves behind."""
    import catboost
    import shap

    found: Values = {}
    cases: dict[str, Callable[[], None]] = {}
    for name, learner in window.compiled.items():
        cases[f"ours/{name}"] = _keeping(found, f"ours/{name}", lambda trees=learner.estimator: shap_values(trees, rows).values)
    for name, model in window.native.items():
        explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
        cases[f"shap/{name}"] = _keeping(found, f"shap/{name}", lambda by=explainer: by.shap_values(rows, check_additivity=False))
    boosted, pool = window.native["catboost"], catboost.Pool(rows)
    cases["own/catboost"] = _keeping(
        found,
        "own/catboost",
        lambda: boosted.get_feature_importance(pool, type="ShapValues", thread_count=1)[:, :-1],
    )
    return cases, found


def _keeping(found: Values, name: str, explain: Callable[[], np.ndarray]) -> Callable[[], None]:
    def run() -> None:
        found[name] = explain()

    return run


def compared(window: Window, rows: np.ndarray, rounds: int) -> dict[str, Any]:
    """CPU seconds, ratios and differences by member."""
    cases, values = cases_of(window, rows)
    for name in MEMBERS:
        cases[f"ours/{name}"]()
    timings = take_turns(cases, rounds)
    found = {}
    for name in MEMBERS:
        mine, theirs = timings[f"ours/{name}"], timings[f"shap/{name}"]
        found[name] = {
            "ours_cpu_s": mine.cpu,
            "shap_cpu_s": theirs.cpu,
            "times_faster": theirs.cpu / mine.cpu,
            "largest_difference": float(np.abs(values[f"ours/{name}"] - values[f"shap/{name}"]).max()),
        }
    own = timings["own/catboost"]
    found["catboost"] |= {
        "own_cpu_s": own.cpu,
        "times_faster_than_own": own.cpu / timings["ours/catboost"].cpu,
        "largest_difference_from_own": float(np.abs(values["ours/catboost"] - values["own/catboost"]).max()),
    }
    return found


def explain(window: Window, rows: np.ndarray) -> np.ndarray:
    """Shapley values of the fused value, as a click and the raster layers compute them."""
    models = list(window.compiled.values())
    members = explain_members(models, rows)
    predicted = np.stack([model.predict(rows) for model in models])
    return explain_fused(window.fusion.with_interval(None), members, predicted).values


def clicks(window: Window, rows: np.ndarray) -> dict[str, float]:
    """Milliseconds of single places, after the first."""
    taken = []
    for row in rows[: CLICKS + 1]:
        begun = time.perf_counter()
        explain(window, row[None])
        taken.append(1000 * (time.perf_counter() - begun))
    return {"places": CLICKS, "median_ms": float(np.median(taken[1:])), "slowest_ms": max(taken[1:])}


def layers(window: Window, rows: np.ndarray, rounds: int) -> dict[str, float]:
    """Many cells together, as the raster layers of a map are explained."""
    cells = np.random.default_rng(0).choice(rows, CELLS)
    taken = take_turns({"layers": lambda: explain(window, cells)}, rounds)["layers"]
    return {"cells": CELLS, "cpu_s": taken.cpu, "cells_per_cpu_s": CELLS / taken.cpu}


def main() -> None:
    """Prepare the data, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    folder, load = wanted.folder.resolve(), os.getloadavg()[0]
    window = prepare(folder, size=known_size(folder) or SMALL)
    rows = window.samples.features.to_numpy(np.float32)
    found = compared(window, rows, wanted.rounds)
    click = clicks(window, rows)
    met = {
        "times_faster": min(found[name]["times_faster"] for name in HELD_TO_SPEED) >= BARS["times_faster"],
        "largest_difference": max(row["largest_difference"] for row in found.values()) <= BARS["largest_difference"],
        "click_ms": click["median_ms"] <= BARS["click_ms"],
    }
    result = {"rows": len(rows), "rounds": wanted.rounds, "load_before": round(load, 1), "members": found, "click": click}
    save("tree_shap", result | {"layers": layers(window, rows, wanted.rounds), "bars": BARS, "met": met})


if __name__ == "__main__":
    main()
