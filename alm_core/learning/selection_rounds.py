"""One round of SHAP feature elimination: fit every learner in every split, explain and score what was held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from alm_core.errors import FoldsError, LearnerError, SitesError
from alm_core.learning.folds import Folds
from alm_core.learning.learners import make_learner
from alm_core.trees.convert import compile_ensemble
from alm_core.trees.ensemble import TreeEnsemble, apply_link
from alm_core.trees.shap import shap_values

LearnerEntry = tuple[str, str, Mapping[str, Any]]

LIGHT_OPTIONS: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 40, "max_features": 1.0},
    "extra_trees": {"n_estimators": 40, "max_features": 1.0},
    "xgboost": {"n_estimators": 160, "learning_rate": 0.07, "max_depth": 3, "max_bin": 64, "colsample_bytree": 1.0},
    "catboost": {"iterations": 200, "learning_rate": 0.1, "depth": 3, "border_count": 32},
}
"""What selection changes in the learners of the map.

A ranking needs fewer trees and coarser borders than a map, and shallow boosting sees weak covariates with less noise from a
few hundred sites. Every split may look at every covariate: where it sees a part of them, that part jumps as the set shrinks
(0.4 of 5 is 2, of 4 is 1), and the jumps drown what the covariates do to the score.
"""


@dataclass(frozen=True)
class Round:
    """What one set of covariates gave.

    Attributes
    ----------
    features : tuple of str
    importance : ndarray, ``[learner, split, feature]``
        Mean ``|SHAP|`` over the held-out sites, scaled to sum 1 over the features.
    scores : ndarray, ``[learner, split]``
    fused_scores : ndarray, ``[split]``
        Of the plain mean of the learners.
    """

    features: tuple[str, ...]
    importance: np.ndarray
    scores: np.ndarray
    fused_scores: np.ndarray

    @property
    def mean_importance(self) -> dict[str, float]:
        """Importance by covariate, averaged over splits and learners."""
        return dict(zip(self.features, self.importance.mean(axis=(0, 1)).tolist(), strict=True))


@dataclass(frozen=True)
class SelectionData:
    """Sites, target and splits, checked once.

    Attributes
    ----------
    X : DataFrame
        float32, columns sorted by name, so that the order of the covariates in the study changes nothing.
    y : ndarray
    target : ndarray, ``[site, column]``
        The target, or one 0/1 column per class.
    classes : ndarray or None
    splits : tuple of (training rows, held-out rows)
    error_of_mean : float
        Squared error of the mean of the held-out sites, summed over all splits.
    """

    X: pd.DataFrame
    y: np.ndarray
    target: np.ndarray
    classes: np.ndarray | None
    splits: tuple[tuple[np.ndarray, np.ndarray], ...]
    error_of_mean: float

    def scores(self, split: int, prediction: np.ndarray) -> float:
        """Part of the split in the pooled skill ``1 - squared error / squared error of the mean``.

        Their mean over the splits is the pooled skill exactly, for folds of any size: R2 for a regression, the Brier skill
        score for classes.
        """
        error = np.sum((self.target[self.splits[split][1]] - prediction) ** 2)
        return float(1.0 - error * len(self.splits) / self.error_of_mean)


def prepare(X: pd.DataFrame, y: np.ndarray, task: str, folds: Folds) -> SelectionData:
    """Check and bring together what every round needs."""
    y = np.asarray(y)
    splits = tuple((train, test) for _, _, train, test in folds.splits())
    n_assigned = folds.assignment.shape[-1]
    if not len(X) == len(y) == n_assigned:
        raise SitesError(
            f"{len(X)} rows of covariates, {len(y)} targets and folds for {n_assigned} sites don't match: one of each a site."
        )
    if X.columns.duplicated().any():
        raise SitesError(f"Covariates share the name {', '.join(sorted(X.columns[X.columns.duplicated()]))}: give each its own.")
    if not splits:
        raise FoldsError("The folds hold no split: nothing can be scored. Make folds with at least one tested site.")
    X = X[sorted(X.columns)].astype(np.float32)
    classes = np.unique(y) if task == "classification" else None
    target = y.astype(float)[:, None] if classes is None else (y[:, None] == classes).astype(float)
    tested = np.concatenate([test for _, test in splits])
    error_of_mean = float(np.sum((target[tested] - target[tested].mean(axis=0)) ** 2))
    if not error_of_mean > 0.0:
        raise SitesError("The target is the same at every held-out site: there is nothing to select covariates for.")
    return SelectionData(X, y, target, classes, splits, error_of_mean)


def run_round(
    data: SelectionData,
    features: Sequence[str],
    learners: Sequence[LearnerEntry],
    *,
    learner_options: Mapping[str, Mapping[str, Any]],
    seed: int,
    workers: int,
) -> Round:
    """Fit, explain and score one set of covariates with every learner in every split."""
    columns = np.ascontiguousarray(data.X[list(features)].to_numpy())
    tasks = [(entry, split) for entry in learners for split in range(len(data.splits))]
    results = Parallel(n_jobs=workers, prefer="threads")(
        delayed(_fit_and_explain)(data, columns, tuple(features), entry, learner_options.get(entry[1], {}), split, seed)
        for entry, split in tasks
    )
    n_learners, n_splits = len(learners), len(data.splits)
    importance = np.array([part for part, _ in results]).reshape(n_learners, n_splits, len(features))
    predictions = [[results[i * n_splits + k][1] for k in range(n_splits)] for i in range(n_learners)]
    scores = [[data.scores(k, predictions[i][k]) for k in range(n_splits)] for i in range(n_learners)]
    fused = [data.scores(k, np.mean([predictions[i][k] for i in range(n_learners)], axis=0)) for k in range(n_splits)]
    return Round(tuple(features), importance, np.array(scores), np.array(fused))


def _fit_and_explain(
    data: SelectionData,
    columns: np.ndarray,
    features: tuple[str, ...],
    entry: LearnerEntry,
    light: Mapping[str, Any],
    split: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Importance ``[feature]`` and held-out prediction ``[site, column]`` of one learner in one split."""
    name, kind, options = entry
    train, test = data.splits[split]
    learner = make_learner(
        kind,
        task="regression" if data.classes is None else "classification",
        seed=seed + split,
        options={**options, **light},
        feature_names=features,
        classes=data.classes,
    )
    learner.fit(columns[train], data.y[train])
    ensemble = _compiled(learner, name)
    explained = shap_values(ensemble, columns[test])
    # The Shapley values add up to the margin, so the held-out prediction costs nothing more.
    margin = explained.margin if ensemble.n_outputs > 1 else explained.margin[:, None]
    prediction = apply_link(margin, ensemble.link, ensemble.task)
    importance = explained.importance
    total = importance.sum()
    scaled = importance / total if total > 0.0 else np.full(len(features), 1.0 / len(features))
    return scaled, prediction[:, None] if data.classes is None else _on_all_classes(prediction, learner, data.classes)


def _compiled(learner: Any, name: str) -> TreeEnsemble:
    try:
        return compile_ensemble(learner.estimator)
    except LearnerError as fault:
        raise LearnerError(
            f"The learner {name} can't take part in the selection by SHAP values: {fault} "
            "Name tree learners in `learners` of [selection], or switch the selection off."
        ) from fault


def _on_all_classes(prediction: np.ndarray, learner: Any, classes: np.ndarray) -> np.ndarray:
    """Probability 0 for a class that the training part lacks."""
    wide = np.zeros((len(prediction), len(classes)))
    wide[:, np.searchsorted(classes, learner.seen_classes_)] = prediction
    return wide
