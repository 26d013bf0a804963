"""Observed against predicted, site by site, from the out-of-fold table of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import StudyError
from alm_core.learning.class_metrics import class_scores
from alm_core.learning.metrics import coverage_by_tercile, regression_scores
from alm_core.learning.out_of_fold import OutOfFold
from alm_core.learning.validation import FUSED
from alm_core.workspace import Run, read_json

PLACE = ("longitude", "latitude", "survey", "method")
FOLD_SCORES = ("r2", "rmse", "mae", "mean_error")
CLASS_FOLD_SCORES = ("overall_accuracy", "kappa")


def out_of_fold(run: Run) -> OutOfFold:
    """The out-of-fold predictions of a run.

    Raises
    ------
    MissingFileError
        The run has not been validated yet.
    """
    metrics = run.metrics()
    path = run.file("out_of_fold.parquet")
    return OutOfFold.from_parquet(path, learners=metrics["learners"], baselines=metrics["baselines"])


def columns_of(found: OutOfFold, scheme: str) -> tuple[str, ...]:
    """What was predicted under a scheme: the learners, the fusion, and the baselines that answered for every site."""
    if scheme not in found.schemes:
        raise StudyError(f"The scheme {scheme!r} was not run: choose one of {', '.join(found.schemes)}.")
    rows = found.of(scheme)
    return (*found.learners, FUSED, *(name for name in found.baselines if rows[name].notna().all()))


def site_pairs(run: Run, scheme: str, column: str = FUSED, *, repeat: int = 0) -> pd.DataFrame:
    """One row per scored site: what was observed, what a model that never saw it predicted, and where it lies.

    Parameters
    ----------
    run : Run
    scheme : str
        A scheme of the run.
    column : str
        A learner, ``fused``, or a baseline.
    repeat : int
        Repeats hold the same sites, so one at a time.

    Returns
    -------
    DataFrame
        ``site_id, fold, observed, predicted``, where the study has places ``longitude, latitude, survey, method``; in a
        regression also ``residual`` (predicted - observed, unit of the target) and, for the fusion where it has intervals,
        ``lower, upper``; in a classification ``correct``.

    Raises
    ------
    StudyError
        The run has no such scheme or column.
    """
    found = out_of_fold(run)
    known = columns_of(found, scheme)
    if column not in known:
        raise StudyError(f"{column!r} was not predicted under {scheme}: choose one of {', '.join(known)}.")
    rows = found.of(scheme, repeat)
    frame = rows[["site_id", "fold", "observed"]].copy()
    frame["predicted"] = rows[column]
    if run.metrics()["task"] == "regression":
        frame["residual"] = frame["predicted"] - frame["observed"]
        if column == FUSED and rows["lower"].notna().any():
            frame[["lower", "upper"]] = rows[["lower", "upper"]]
    else:
        frame["correct"] = frame["predicted"] == frame["observed"]
    return _with_places(run, frame.reset_index(drop=True))


def _with_places(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    places = pd.read_parquet(run.file("samples.parquet")).set_index("site_id")
    wanted = [name for name in PLACE if name in places]
    return frame.join(places[wanted], on="site_id")


def fold_scores(run: Run, scheme: str, column: str = FUSED) -> pd.DataFrame:
    """Scores of every fold by itself.

    A fold holds few sites, so its R2 swings: it is measured against the spread of that fold's sites alone. Only the pooled
    score answers for the map; this table shows which part of the sites it comes from.

    Returns
    -------
    DataFrame
        ``repeat, fold, label, sites`` and the scores; `label` is the group left out, where each group was, else the number.
    """
    found = out_of_fold(run)
    columns_of(found, scheme)
    details = read_json(run.file("folds.json"))[scheme]["details"]
    names = details.get("group_of_fold") or []
    regression = run.metrics()["task"] == "regression"
    rows = []
    for (repeat, fold), part in found.of(scheme).groupby(["repeat", "fold"], sort=True):
        scores = _scores(part, column, regression)
        label = names[fold] if fold < len(names) else str(fold + 1)
        rows.append({"repeat": int(repeat), "fold": int(fold), "label": label, "sites": len(part), **scores})
    return pd.DataFrame(rows)


def _scores(part: pd.DataFrame, column: str, regression: bool) -> dict[str, float]:
    observed, predicted = part["observed"].to_numpy(), part[column].to_numpy()
    if regression:
        scores = regression_scores(observed, predicted)
        return {name: scores[name] for name in FOLD_SCORES}
    labels = np.unique(np.concatenate([observed, predicted])).tolist()
    scores = class_scores(observed, predicted, labels=labels)
    return {name: scores[name] for name in CLASS_FOLD_SCORES}


def coverage_table(run: Run, scheme: str) -> pd.DataFrame | None:
    """How many held-out sites lie inside their interval: of all, by third of the observed and of the predicted value.

    Returns
    -------
    DataFrame or None
        ``by`` (``all``, ``observed``, ``predicted``), ``third`` (0 low, 1 middle, 2 high; -1 for all), ``coverage`` 0 to 1 and
        ``sites``; None where the run has no intervals. Not a promise for the map far from sites.
    """
    frame = site_pairs(run, scheme)
    if "lower" not in frame:
        return None
    frame = frame.dropna(subset=["lower", "upper"])
    observed, predicted, lower, upper = (frame[name].to_numpy() for name in ("observed", "predicted", "lower", "upper"))
    inside = float(np.mean((lower <= observed) & (observed <= upper)))
    rows: list[dict[str, Any]] = [{"by": "all", "third": -1, "coverage": inside, "sites": len(frame)}]
    for by, order in (("observed", observed), ("predicted", predicted)):
        thirds = np.searchsorted(np.quantile(order, [1 / 3, 2 / 3]), order, side="left")
        for third, part in enumerate(coverage_by_tercile(observed, lower, upper, by=order)):
            rows.append({"by": by, "third": third, "coverage": part, "sites": int((thirds == third).sum())})
    return pd.DataFrame(rows)
