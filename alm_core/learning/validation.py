"""Scores of the whole procedure under several kinds of folds.

Every fold trains the whole procedure on its training part (`alm_core.learning.procedure.train`) and predicts the part that
was held out; scores are computed once over the pooled predictions, not averaged over folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from alm_core.covariates.samples import Samples
from alm_core.learning.bounded import BoundedValidation
from alm_core.learning.class_metrics import class_scores
from alm_core.learning.folds import Folds
from alm_core.learning.kriging import Kriging
from alm_core.learning.metrics import bootstrap_intervals, regression_scores
from alm_core.learning.out_of_fold import OutOfFold, check_disjoint
from alm_core.learning.procedure import Procedure, train

FUSED = "fused"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class KrigingBaseline:
    """The geostatistical baseline that is scored beside the fusion; `drift` names covariates of regression kriging."""

    drift: tuple[str, ...] = ()

    def predict(self, fitted: Samples, scored: Samples, procedure: Procedure) -> dict[str, np.ndarray]:
        """Ordinary kriging, and regression kriging where there is a drift, of the held-out rows."""
        found = {"ordinary_kriging": ()}
        if self.drift:
            found["regression_kriging"] = self.drift
        return {name: self._one(fitted, scored, procedure, drift) for name, drift in found.items()}

    def _one(self, fitted: Samples, scored: Samples, procedure: Procedure, drift: Sequence[str]) -> np.ndarray:
        model = Kriging(geographic=procedure.geographic, seed=procedure.seed)
        terms = [None, None]
        if drift:
            terms = [part.features[list(drift)].to_numpy(float) for part in (fitted, scored)]
        model.fit(fitted.x, fitted.y, fitted.target, drift=terms[0])
        return model.predict(scored.x, scored.y, drift=terms[1], variance=False)[0]


def validate(
    samples: Samples,
    folds: Folds,
    procedure: Procedure,
    *,
    baseline: KrigingBaseline | None = None,
    bounded: BoundedValidation | None = None,
    progress: Progress | None = None,
) -> tuple[OutOfFold, list[dict[str, Any]]]:
    """Predict every site by a procedure that never saw it.

    Parameters
    ----------
    samples : Samples
    folds : Folds
        The outer folds; inner ones are made of the same kind inside each training part.
    procedure : Procedure
    baseline : KrigingBaseline or None
    bounded : BoundedValidation or None
        Places with censored values; predicted, never trained on.

    Returns
    -------
    OutOfFold
    list of dict
        Per fold: sites trained on, sites scored, the features that were chosen inside, and with `bounded` its places.

    Raises
    ------
    LeakError
        A fold scores a site that it was trained on.
    """
    splits, sites = list(folds.splits()), samples.site_groups
    frames, notes = [], []
    for number, (repeat, fold, fit_rows, score_rows) in enumerate(splits):
        if progress:
            progress(number, len(splits), f"{folds.scheme} fold {number + 1} of {len(splits)}")
        fitted, scored = samples.take(fit_rows), samples.take(score_rows)
        trained = train(fitted, procedure, scheme=folds.scheme)
        check_disjoint(trained.site_ids, scored.site_ids, what=f"fold {fold} of scheme {folds.scheme}")
        check_disjoint(sites[fit_rows], sites[score_rows], what=f"fold {fold} of scheme {folds.scheme} (rows of one site)")
        frame = _frame(scored, trained.predict(scored), procedure)
        if baseline is not None and procedure.task == "regression":
            for name, value in baseline.predict(fitted, scored, procedure).items():
                frame[name] = value
        frame.insert(0, "scheme", folds.scheme)
        frame.insert(1, "repeat", repeat)
        frame.insert(2, "fold", fold)
        frames.append(frame)
        notes.append(
            {
                "repeat": repeat,
                "fold": fold,
                "trained": len(fit_rows),
                "scored": len(score_rows),
                "features": list(trained.features),
            }
        )
        if bounded is not None:
            notes[-1]["bounded"] = bounded.predict(trained, score_rows)
    names = tuple(name for name in ("ordinary_kriging", "regression_kriging") if name in frames[0])
    return OutOfFold(pd.concat(frames, ignore_index=True), procedure.names, names), notes


def _frame(scored: Samples, prediction: Any, procedure: Procedure) -> pd.DataFrame:
    frame = pd.DataFrame({"site_id": scored.site_ids, "observed": scored.target})
    labels = np.asarray(procedure.classes)
    for position, name in enumerate(procedure.names):
        member = prediction.members[position]
        frame[name] = member if procedure.task == "regression" else labels[member.argmax(axis=0)]
    frame[FUSED] = prediction.value
    frame["lower"], frame["upper"] = prediction.lower, prediction.upper
    if prediction.probability is not None:
        for position, label in enumerate(procedure.classes):
            frame[f"p:{label}"] = prediction.probability[position]
    return frame


def score(
    out_of_fold: OutOfFold,
    samples: Samples,
    *,
    task: str,
    classes: Sequence[Any] = (),
    groups: np.ndarray | None = None,
    bootstrap: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Pooled scores of every learner, of the fusion and of the baselines, per scheme.

    Parameters
    ----------
    out_of_fold : OutOfFold
    samples : Samples
        Gives the groups to the sites.
    groups : ndarray or None
        ``[site]`` group of each sample; bootstrap intervals draw whole groups. None: sites are drawn.
    bootstrap : int
        Draws; 0: no intervals.

    Returns
    -------
    dict
        ``{scheme: {column: {metric: value, "interval": {metric: [low, high]}}}}``. Repeats are pooled by averaging the
        scores of each repeat.
    """
    group_of = pd.Series(groups if groups is not None else np.arange(len(samples)), index=samples.site_ids)
    found: dict[str, Any] = {}
    for scheme in out_of_fold.schemes:
        rows = out_of_fold.of(scheme)
        columns = [*out_of_fold.learners, FUSED, *(name for name in out_of_fold.baselines if rows[name].notna().all())]
        found[scheme] = {}
        for column in columns:
            scores = [_score_one(part, column, task, classes) for _, part in rows.groupby("repeat", sort=True)]
            mean = {name: float(np.mean([one[name] for one in scores])) for name in scores[0] if np.isscalar(scores[0][name])}
            mean["interval"] = {}
            if bootstrap:
                first = rows[rows["repeat"] == rows["repeat"].min()]
                within = group_of.loc[first["site_id"]].to_numpy()
                pair = first["observed"].to_numpy(), first[column].to_numpy()
                quick = quick_scores if task == "regression" else partial(quick_class_scores, labels=list(classes))
                intervals = bootstrap_intervals(*pair, quick, groups=within, n=bootstrap, level=level, seed=seed)
                mean["interval"] = {name: list(bounds) for name, bounds in intervals.items()}
            found[scheme][column] = mean
    return found


def quick_scores(observed: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """The scores that get an interval: R2, RMSE, MAE."""
    error = predicted - observed
    squares = float(np.mean(error**2))
    spread = float(np.var(observed))
    r2 = 1 - squares / spread if spread > 0 else float("nan")
    return {"r2": r2, "rmse": squares**0.5, "mae": float(np.mean(np.abs(error)))}


def quick_class_scores(observed: np.ndarray, predicted: np.ndarray, *, labels: list[Any]) -> dict[str, float]:
    """The class scores that get an interval: overall accuracy and kappa."""
    scores = class_scores(observed, predicted, labels=labels)
    return {name: scores[name] for name in ("overall_accuracy", "kappa")}


def _score_one(rows: pd.DataFrame, column: str, task: str, classes: Sequence[Any]) -> dict[str, float]:
    observed, predicted = rows["observed"].to_numpy(), rows[column].to_numpy()
    if task == "classification":
        return class_scores(observed, predicted, labels=list(classes))
    bounds = {}
    if column == FUSED and rows["lower"].notna().all():
        bounds = {"lower": rows["lower"].to_numpy(), "upper": rows["upper"].to_numpy()}
    return regression_scores(observed, predicted, **bounds)


def paired_gain(out_of_fold: OutOfFold, scheme: str, learner: str) -> dict[str, float]:
    """How much less squared error the fusion makes than one learner: mean over folds of the paired difference, and its
    standard error. A gain within two standard errors is not a gain to speak of.
    """
    rows = out_of_fold.of(scheme)
    gain = (rows[learner] - rows["observed"]) ** 2 - (rows[FUSED] - rows["observed"]) ** 2
    per_fold = gain.groupby([rows["repeat"], rows["fold"]]).mean()
    error = float(per_fold.std(ddof=1) / np.sqrt(len(per_fold))) if len(per_fold) > 1 else float("nan")
    return {"mean": float(per_fold.mean()), "standard_error": error, "folds": len(per_fold)}
