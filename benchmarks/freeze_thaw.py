"""The medium demo of daily freezing and thaw from nothing to ten years of maps, judged by its known truth.

Run: ``python -m benchmarks.freeze_thaw [--size medium] [--workspace DIR]``. Simulated: figures of real sites are those of
`benchmarks.freeze_thaw_sites`. The noise of the demo's labels is chosen from the literature (see `products` of the study) and
never changed after what comes out here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import rasterio

from alm_core import Run, run
from alm_core.cubes.states import UNKNOWN
from alm_core.stages import DAY_STAGES
from alm_core.studies import DEMOS
from alm_core.studies.surface_freeze_thaw.products import LABEL_MIXED
from alm_core.studies.surface_freeze_thaw.truth import NO_DAY, OUTSIDE, freezing_year, onsets
from alm_core.study import Study
from benchmarks.common import own_peak_memory_gb, save

BARS = {"accuracy_against_labels": 0.86, "map_seconds": 180.0, "onset_median_days": 4.0}
HALF_PERCENT = 50
MEASURES = ("overall_accuracy", "kappa", "mcc", "f1_macro", "balanced_accuracy", "brier")


def timed(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What a call gives, and its seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    return found, {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def label_scores(metrics: dict[str, Any]) -> dict[str, Any]:
    """Scores against the label product: three sets of the random split, the other splits, and the second product."""
    found: dict[str, Any] = {}
    for scheme, learners in metrics["schemes"].items():
        for name, scores in learners.items():
            parts = scores.get("parts", {"test": scores})
            found.setdefault(scheme, {})[name] = {part: short(one) for part, one in parts.items()}
    check = (metrics.get("check") or {}).get("learners", {})
    return {"schemes": found, "second_product": {name: short(one) for name, one in check.items()}}


def short(scores: dict[str, Any]) -> dict[str, Any]:
    """The measures that are told."""
    return {name: scores[name] for name in ("count", *MEASURES) if name in scores}


def transition_scores(finished: Run, learner: str, months: tuple[int, ...]) -> dict[str, Any]:
    """Accuracy of every learner and baseline in the months in which the state changes, by split.

    ``same_cell_days`` holds the map's learner and each other one on the cell-days that both predict: a baseline has nothing to
    say without its two channels, so that its own score is of other days.
    """
    metrics, pairs = finished.metrics(), pd.read_parquet(finished.file("out_of_fold.parquet"))
    dates = pd.read_parquet(finished.file("samples.parquet"), columns=["date"])["date"]
    own = pairs[(pairs["part"] == "test") & pd.to_datetime(dates).dt.month.isin(months).to_numpy()[pairs["sample"]]]
    found: dict[str, Any] = {}
    for scheme, learners in metrics["schemes"].items():
        rows = own[own["scheme"] == scheme]
        guesses = rows.pivot_table(index="sample", columns="learner", values="probability", aggfunc="first")
        state = rows.groupby("sample")["observed"].first().loc[guesses.index]
        same = {}
        for name in guesses:
            both = guesses[[learner, name]].notna().all(axis=1)
            same[name] = {one: float(((guesses[one] >= 0.5) == (state == 1))[both].mean()) for one in (learner, name)}
        as_scored = {
            name: scores["by"]["transition"]["transition months"]["overall_accuracy"]
            for name, scores in learners.items()
            if "by" in scores
        }
        found[scheme] = {"as_scored": as_scored, "same_cell_days": same}
    return found


def read_cube(path: Path, name: str) -> np.ndarray:
    """Stored numbers ``[day, row, column]``."""
    with netCDF4.Dataset(path) as file:
        file.variables[name].set_auto_maskandscale(False)
        return file.variables[name][:]


def against_truth(demo: Path, finished: Run, years: range) -> dict[str, Any]:
    """Accuracy of the map, of the labels and of both on the same cell-days, against the truth, year by year and in all."""
    total: dict[str, np.ndarray] = {}
    by_year = {}
    for year in years:
        truth = read_cube(demo / "truth" / f"truth_{year}.nc", "state")
        label = read_cube(demo / "label" / f"FT_label_{year}.nc", "freeze_thaw_state")
        state = read_cube(finished.file(f"map/days/state_{year}.nc"), "state")
        known, labelled = (state != UNKNOWN) & (truth != UNKNOWN), (label < LABEL_MIXED) & (truth != UNKNOWN)
        both = known & labelled
        counts = {
            "map": right(state, truth, known),
            "labels": right(label, truth, labelled),
            "map_where_labelled": right(state, truth, both),
            "labels_where_mapped": right(label, truth, both),
            "map_where_not_labelled": right(state, truth, known & ~labelled),
            "map_known": np.array([known.sum(), (truth != UNKNOWN).sum()]),
        }
        by_year[str(year)] = {name: ratio(one) for name, one in counts.items()}
        for name, one in counts.items():
            total[name] = total.get(name, np.zeros(2)) + one
    found = {name: ratio(one) for name, one in total.items()}
    return found | {"by_year": by_year}


def right(state: np.ndarray, truth: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Right ones and all."""
    return np.array([(state[chosen] == truth[chosen]).sum(), chosen.sum()], float)


def ratio(pair: np.ndarray) -> float:
    """NaN of nothing."""
    return float(pair[0] / pair[1]) if pair[1] else float("nan")


def onset_errors(demo: Path, finished: Run) -> dict[str, Any]:
    """Errors in days of the onsets of freezing and thaw that the run mapped, against the days that are kept with the truth.

    Beside them, under ``half_ice``, errors against the days on which half of the freezing water had become ice, or water: the
    middle of the zero curtain, through all of which the soil is at 0 degrees and counts as frozen.
    """
    found: dict[str, Any] = {}
    half = half_ice_onsets(demo)
    for name, other in half.items():
        truth = read_cube(demo / "truth" / f"{name}.nc", name).astype(float)
        with rasterio.open(finished.file(f"map/phenology/{name}.tif"), driver="GTiff") as dataset:
            values, bands = dataset.read(masked=True).astype(float).filled(np.nan), list(dataset.descriptions)
        if values.shape != truth.shape:
            raise SystemExit(f"{name} has the bands {bands}, the truth {len(truth)} freezing years")
        inside = truth > OUTSIDE
        found[name] = {"freezing_years": bands} | day_errors(values[inside], truth[inside])
        found[name]["half_ice"] = day_errors(values[inside], other.reshape(truth.shape)[inside])
    return found


def half_ice_onsets(demo: Path) -> dict[str, np.ndarray]:
    """Days of the first five in a row with more ice than water, and with less, of whole freezing years, ``[year, cell]``."""
    files = sorted((demo / "truth").glob("ice_*.nc"))
    cube = np.concatenate([read_cube(path, "ice_share") for path in files])
    years = range(int(files[0].stem[-4:]), int(files[-1].stem[-4:]) + 1)
    dates = np.arange(f"{years[0]}-01-01", f"{years[-1] + 1}-01-01", dtype="datetime64[D]")
    flat = cube.reshape(len(cube), -1) >= HALF_PERCENT
    found = [onsets(flat[freezing_year(dates, year)]) for year in years[:-1]]
    return {f"{name}_onset": np.stack([getattr(one, name) for one in found]).astype(float) for name in ("freeze", "thaw")}


def day_errors(values: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Of days, flat; NaN or NO_DAY where there is none."""
    there = np.isfinite(values) & (truth > NO_DAY)
    error = (values - truth)[there]
    return {
        "cell_years": int(truth.size),
        "both_have_one": float(there.mean()),
        "only_one_has": float((np.isfinite(values) ^ (truth > NO_DAY)).mean()),
        "median_error_days": float(np.median(np.abs(error))),
        "bias_days": float(np.median(error)),
        "rmse_days": float(np.sqrt(np.mean(error**2))),
        "within_7_days": float(np.mean(np.abs(error) <= 7)),
    }


def judged(found: dict[str, Any], learner: str) -> dict[str, bool]:
    """Each bar of the issue: met or not."""
    schemes, truth = found["scores"]["schemes"], found["truth"]
    accuracy = [one["overall_accuracy"] for one in schemes["random"][learner].values()]
    transition = found["transition_months"]
    return {
        "random_sets_above_0.86": min(accuracy) > BARS["accuracy_against_labels"],
        "by_year_above_0.86": schemes["year"][learner]["test"]["overall_accuracy"] > BARS["accuracy_against_labels"],
        "map_better_than_its_labels": truth["map"] > truth["labels"],
        "learner_ahead_of_discriminant": all(ahead(one, learner) for one in transition.values()),
        "onsets_within_4_days": max(one["median_error_days"] for one in found["onsets"].values()) <= BARS["onset_median_days"],
        "maps_within_3_minutes": found["run"]["stages"]["map"]["wall_s"] <= BARS["map_seconds"],
    }


def ahead(found: dict[str, Any], learner: str) -> bool:
    """Is the learner better than the refitted discriminant, on all of its cell-days and on those of both?"""
    scored, same = found["as_scored"], found["same_cell_days"]["discriminant_refitted"]
    return scored[learner] > scored["discriminant_refitted"] and same[learner] > same["discriminant_refitted"]


def main() -> None:
    """Write, run, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="medium")
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.workspace or Path(temporary)
        study, written = timed(lambda: DEMOS["surface_freeze_thaw"](folder / "demo", size=options.size))
        memory = own_peak_memory_gb()
        finished, stages = run_stages(study, folder / "workspace")
        metrics, years = finished.metrics(), whole_years(finished)
        months = Study.load(study).options.days.discriminant.transition_months
        files = [path for path in study.parent.rglob("*") if path.is_file()]
        found = {
            "simulated": True,
            "size": options.size,
            "demo": written | {"peak_memory_gb": memory, "megabytes": sum(path.stat().st_size for path in files) / 1e6},
            "run": {"peak_memory_gb": own_peak_memory_gb(), "stages": stages},
            "samples": json.loads(finished.file("samples.json").read_text()),
            "scores": label_scores(metrics),
            "transition_months": transition_scores(finished, metrics["learner"], months),
            "truth": against_truth(study.parent, finished, years),
            "onsets": onset_errors(study.parent, finished),
        }
        found["bars"] = judged(found, metrics["learner"])
        save("freeze_thaw" if options.size == "medium" else f"freeze_thaw_{options.size}", found)


def run_stages(study: Path, workspace: Path) -> tuple[Run, dict[str, dict[str, float]]]:
    """Run stage by stage: seconds of the wall and of the processors of each."""
    seconds = {}
    for stage in DAY_STAGES:
        finished, seconds[stage.name] = timed(partial(run, study, workspace=workspace, workers=2, until=stage.name))
    return finished, seconds


def whole_years(finished: Run) -> range:
    """Years that were mapped."""
    years = sorted(int(path.stem[-4:]) for path in finished.file("map/days").glob("state_*.nc"))
    return range(years[0], years[-1] + 1)


if __name__ == "__main__":
    main()
