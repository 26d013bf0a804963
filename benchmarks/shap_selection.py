"""How long SHAP feature elimination takes: ours against probatus at equal settings, and ours with four learners.

    python -m benchmarks.shap_selection --probatus PYTHON [--data FOLDER]

PYTHON is the interpreter of a separate environment with probatus installed (it is no requirement of this project); without
it only our own figures are taken. FOLDER holds X.csv, y.csv and folds.csv; without it a set of the same recipe is drawn.
Every figure comes from a process of its own, one after the other, on the same machine. CPU seconds are those of the whole
process, imports included for all. Our kernels are compiled beforehand (numba keeps them on disk).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

RESULT = Path(__file__).parent / "results" / "shap_selection.json"
FOREST = {"n_estimators": 200, "min_samples_leaf": 1, "max_features": 1.0}
SMALLEST = 3
FOLDS = 5


def draw_data(folder: Path) -> None:
    """Write 342 sites x 30 covariates: six signals, three of them copied at r = 0.95, 21 noise columns."""
    rng = np.random.default_rng(2025)
    signals = rng.standard_normal((342, 6))
    a, b, c, d, e, f = signals.T
    copies = 0.95 * signals[:, :3] + np.sqrt(1 - 0.95**2) * rng.standard_normal((342, 3))
    y = 3 * a + 2 * b + 1.5 * c + 1.5 * d**2 + np.abs(e) * a + np.sin(2 * f) + 1.5 * rng.standard_normal(342)
    names = [f"inf{i}" for i in range(6)] + [f"dup{i}" for i in range(3)] + [f"noise{i:02d}" for i in range(21)]
    X = pd.DataFrame(np.hstack([signals, copies, rng.standard_normal((342, 21))]), columns=names)
    X[list(rng.permutation(names))].to_csv(folder / "X.csv", index=False)
    pd.DataFrame({"y": y}).to_csv(folder / "y.csv", index=False)
    pd.DataFrame({"fold": rng.permutation(np.arange(342) % FOLDS)}).to_csv(folder / "folds.csv", index=False)


def read_data(folder: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Covariates, target and fold of each site."""
    fold = pd.read_csv(folder / "folds.csv")["fold"].to_numpy()
    return pd.read_csv(folder / "X.csv"), pd.read_csv(folder / "y.csv")["y"].to_numpy(), fold - fold.min()


def select_ours(folder: Path, workers: int, learners: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Run our selection from 30 to 3 covariates in single steps."""
    from alm_core.learning.folds import Folds
    from alm_core.learning.selection import select_features

    X, y, fold = read_data(folder)
    started = time.perf_counter()
    found = select_features(
        X,
        y,
        learners=learners,
        folds=Folds("random", fold[None], {}),
        minimum_features=SMALLEST,
        step=1,
        workers=workers,
        **options,
    )
    return {"select_wall_s": time.perf_counter() - started, "chosen": list(found.chosen), "rounds": len(found.path)}


def run_ours(folder: Path) -> dict[str, Any]:
    """One forest, one worker, the settings of probatus: no groups, no light settings."""
    return select_ours(folder, 1, [("forest", "random_forest", FOREST)], {"correlation": 1.0, "learner_options": {}})


def run_four(folder: Path) -> dict[str, Any]:
    """Four learners with the settings that selection uses by default, two workers."""
    kinds = ("random_forest", "extra_trees", "xgboost", "catboost")
    return select_ours(folder, 2, [(kind, kind, {}) for kind in kinds], {})


def run_probatus(folder: Path) -> dict[str, Any]:
    """ShapRFECV with the same forest, folds and steps."""
    from probatus.feature_elimination import ShapRFECV
    from sklearn.ensemble import RandomForestRegressor

    X, y, fold = read_data(folder)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]
    model = RandomForestRegressor(**FOREST, n_jobs=1, random_state=0)
    started = time.perf_counter()
    search = ShapRFECV(model, step=1, min_features_to_select=SMALLEST, cv=splits, scoring="r2", n_jobs=1, random_state=0)
    report = search.fit_compute(X, pd.Series(y))
    return {"select_wall_s": time.perf_counter() - started, "rounds": len(report)}


RUNS = {"ours": run_ours, "four": run_four, "probatus": run_probatus}


def measure(name: str, python: str, folder: Path) -> dict[str, Any]:
    """Run one of `RUNS` in a process of its own; wall and CPU seconds of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    # One thread per library: what runs side by side is decided by `workers` alone.
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [python, __file__, "--run", name, "--data", str(folder)],
        env={**os.environ, **threads, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = json.loads(done.stdout.splitlines()[-1])
    return {"wall_s": round(time.perf_counter() - started, 1), "cpu_s": round(cpu, 1), **found}


def main() -> None:
    """Take all figures and write them beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--probatus", help="interpreter of an environment with probatus")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        sys.stdout.write(json.dumps(RUNS[arguments.run](arguments.data)) + "\n")
        return
    with tempfile.TemporaryDirectory() as drawn:
        folder = arguments.data or Path(drawn)
        if arguments.data is None:
            draw_data(folder)
        warm_up()
        result: dict[str, Any] = {
            "settings": f"342 sites x 30 covariates to {SMALLEST}, step 1, {FOLDS} folds; forest {FOREST}",
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 1),
            "ours": measure("ours", sys.executable, folder),
        }
        if arguments.probatus:
            result["probatus"] = measure("probatus", arguments.probatus, folder)
            result["times_faster_cpu"] = round(result["probatus"]["cpu_s"] / result["ours"]["cpu_s"], 2)
            result["times_faster_wall"] = round(result["probatus"]["wall_s"] / result["ours"]["wall_s"], 2)
        result["four_learners_two_workers"] = measure("four", sys.executable, folder)
        result["load_after"] = round(os.getloadavg()[0], 1)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def warm_up() -> None:
    """Compile our kernels once, so that no figure holds it."""
    from sklearn.ensemble import RandomForestRegressor

    from alm_core.trees.convert import compile_ensemble
    from alm_core.trees.shap import shap_values

    X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    shap_values(compile_ensemble(RandomForestRegressor(5).fit(X, X[:, 0])), X)


if __name__ == "__main__":
    main()
