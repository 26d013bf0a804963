"""SHAP feature elimination: which signals it finds, and how long it takes beside probatus.

Run: ``python -m benchmarks.shap_selection [--probatus PYTHON] [--seeds 5]``

PYTHON is the interpreter of a separate environment with probatus installed (it is no requirement of this project); without
it only our own figures are taken. Data: the shared set where it lies beside the checkout, and sets of the same recipe.
Every time comes from a process of its own, one after the other. CPU seconds are those of the whole process, imports
included. Our kernels are compiled beforehand: numba keeps them on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import SHARED_DATA, save

FOREST = {"n_estimators": 200, "min_samples_leaf": 1, "max_features": 1.0}
FOUR = ("random_forest", "extra_trees", "xgboost", "catboost")
SMALLEST = 3
FOLDS = 5


def recipe(seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """342 sites x 30 covariates: six signals, three of them copied at r = 0.95, 21 noise columns; and five folds."""
    rng = np.random.default_rng(seed)
    signals = rng.standard_normal((342, 6))
    a, b, c, d, e, f = signals.T
    copies = 0.95 * signals[:, :3] + np.sqrt(1 - 0.95**2) * rng.standard_normal((342, 3))
    y = 3 * a + 2 * b + 1.5 * c + 1.5 * d**2 + np.abs(e) * a + np.sin(2 * f) + 1.5 * rng.standard_normal(342)
    names = [f"inf{i}" for i in range(6)] + [f"dup{i}" for i in range(3)] + [f"noise{i:02d}" for i in range(21)]
    X = pd.DataFrame(np.hstack([signals, copies, rng.standard_normal((342, 21))]), columns=names)
    return X[list(rng.permutation(names))], y, rng.permutation(np.arange(342) % FOLDS)


def shared_set() -> tuple[pd.DataFrame, np.ndarray, np.ndarray] | None:
    """The set of `oracles/shap_rfe` with its own folds; None where it is not beside the checkout."""
    folder = SHARED_DATA / "oracles" / "shap_rfe"
    return read(folder) if folder.is_dir() else None


def read(folder: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Covariates, target and fold of each site."""
    fold = pd.read_csv(folder / "folds.csv")["fold"].to_numpy()
    return pd.read_csv(folder / "X.csv"), pd.read_csv(folder / "y.csv")["y"].to_numpy(), fold - fold.min()


def write(folder: Path, X: pd.DataFrame, y: np.ndarray, fold: np.ndarray) -> None:
    """The inverse of `read`."""
    X.to_csv(folder / "X.csv", index=False)
    pd.DataFrame({"y": y}).to_csv(folder / "y.csv", index=False)
    pd.DataFrame({"fold": fold}).to_csv(folder / "folds.csv", index=False)


def recovery(X: pd.DataFrame, y: np.ndarray, fold: np.ndarray | None, seed: int) -> dict[str, Any]:
    """Select with the defaults of a study (two repeats where the folds are not given) and count the signals found."""
    from alm_core.learning.folds import Folds, make_folds
    from alm_core.learning.selection import select_features

    nowhere = np.zeros(len(y))
    folds = make_folds("random", x=nowhere, y=nowhere, geographic=False, n_folds=FOLDS, repeats=2, seed=seed)
    if fold is not None:
        folds = Folds("random", fold[None], {})
    started = time.process_time()
    found = select_features(X, y, learners=[(kind, kind, {}) for kind in FOUR], folds=folds, seed=seed, workers=2)
    signals = {name[-1] for name in found.chosen if not name.startswith("noise")}
    cpu = round(time.process_time() - started, 1)
    return {"covariates": len(found.chosen), "signals": len(signals), "chosen": list(found.chosen), "cpu_s": cpu}


def run_ours(folder: Path) -> dict[str, Any]:
    """One forest, one worker, the settings of probatus: no groups, no light settings, single steps."""
    return _select(folder, 1, [("forest", "random_forest", FOREST)], {"correlation": 1.0, "learner_options": {}})


def run_four(folder: Path) -> dict[str, Any]:
    """Four learners with the settings that selection uses by default, two workers, single steps."""
    return _select(folder, 2, [(kind, kind, {}) for kind in FOUR], {})


def _select(folder: Path, workers: int, learners: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    from alm_core.learning.folds import Folds
    from alm_core.learning.selection import select_features

    X, y, fold = read(folder)
    folds = Folds("random", fold[None], {})
    found = select_features(X, y, learners=learners, folds=folds, minimum_features=SMALLEST, step=1, workers=workers, **options)
    return {"rounds": len(found.path), "best_score": round(float(found.path["score"].max()), 3)}


def run_probatus(folder: Path) -> dict[str, Any]:
    """ShapRFECV with the same forest, folds and steps."""
    from probatus.feature_elimination import ShapRFECV
    from sklearn.ensemble import RandomForestRegressor

    X, y, fold = read(folder)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]
    model = RandomForestRegressor(**FOREST, n_jobs=1, random_state=0)
    search = ShapRFECV(model, step=1, min_features_to_select=SMALLEST, cv=splits, scoring="r2", n_jobs=1, random_state=0)
    report = search.fit_compute(X, pd.Series(y))
    return {"rounds": len(report), "best_score": round(float(report["val_metric_mean"].max()), 3)}


RUNS = {"ours": run_ours, "four": run_four, "probatus": run_probatus}


def measure(name: str, python: str, folder: Path) -> dict[str, Any]:
    """Run one of `RUNS` in a process of its own; wall and CPU seconds of the process."""
    # One thread per library: what runs side by side is decided by `workers` alone.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    root = str(Path(__file__).resolve().parents[1])
    command = [python, __file__, "--run", name, "--folder", str(folder)]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **threads, "PYTHONPATH": root}, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 1), "cpu_s": round(cpu, 1), **json.loads(done.stdout.splitlines()[-1])}


def times(probatus: str | None) -> dict[str, Any]:
    """All times, on the shared set where there is one."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), *(shared_set() or recipe(0)))
        result = {
            "settings": f"342 sites x 30 covariates to {SMALLEST}, step 1, {FOLDS} folds; forest {FOREST}",
            "load_before": round(os.getloadavg()[0], 1),
            "ours_forest": measure("ours", sys.executable, Path(folder)),
        }
        if probatus:
            theirs = measure("probatus", probatus, Path(folder))
            result["probatus_forest"] = theirs
            for key in ("cpu_s", "wall_s"):
                result[f"times_faster_{key}"] = round(theirs[key] / result["ours_forest"][key], 2)
        result["four_learners_two_workers"] = measure("four", sys.executable, Path(folder))
        return result | {"load_after": round(os.getloadavg()[0], 1)}


def warm_up() -> None:
    """Compile our kernels once, so that no figure holds it."""
    from sklearn.ensemble import RandomForestRegressor

    from alm_core.trees.convert import compile_ensemble
    from alm_core.trees.shap import shap_values

    X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    shap_values(compile_ensemble(RandomForestRegressor(5, random_state=0).fit(X, X[:, 0])), X)


def main() -> None:
    """Take all figures and write them beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--probatus", help="interpreter of an environment with probatus")
    parser.add_argument("--seeds", type=int, default=5, help="sets of the recipe on which the signals are counted")
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        sys.stdout.write(json.dumps(RUNS[arguments.run](arguments.folder)) + "\n")
        return
    warm_up()
    result: dict[str, Any] = {"times": times(arguments.probatus), "signals_found": {}}
    shared = shared_set()
    if shared is not None:
        result["signals_found"]["shared_set"] = recovery(*shared, seed=0)
    # Seeds that were never looked at while the rules were made.
    for seed in range(201, 201 + arguments.seeds):
        X, y, _ = recipe(seed)
        result["signals_found"][f"recipe_seed_{seed}"] = recovery(X, y, None, seed=0)
    save("shap_selection", result)


if __name__ == "__main__":
    main()
