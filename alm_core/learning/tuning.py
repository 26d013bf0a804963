"""Search of a learner's options inside a training set (Optuna, tree-structured Parzen estimator).

Tuning sees only the rows it is given: call it with the training part of each outer fold. At a few hundred sites it seldom
gains more than the noise of its own folds; the defaults are always among the trials, so the best trial is never worse than
them on these folds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import LearnerError
from alm_core.learning.folds import Folds, make_folds
from alm_core.learning.learners import make_learner

FOREST_TRIAL_TREES = 150
"""Trees of a forest while options are compared: the ranking hardly depends on their number, the time does."""
LEAST_PROBABILITY = 1e-6
"""Probabilities are held above it in the log loss, so that one sure mistake does not decide the search."""


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes
    ----------
    kind : str
    options : dict
        The caller's options and the best ones found, ready for `make_learner`.
    table : pandas.DataFrame
        One row a trial: ``trial``, ``loss`` (RMSE, or log loss for classes) and one column an option; row 0 has the defaults.
    note : str
        Why nothing was searched, where nothing was.
    """

    kind: str
    options: dict[str, Any]
    table: pd.DataFrame
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = self.table.astype(object).where(self.table.notna(), None).to_dict("records")
        return {"kind": self.kind, "options": self.options, "trials": rows, "note": self.note}


def tune_learner(
    kind: str,
    X: Any,
    y: Any,
    *,
    task: str = "regression",
    folds: int | Folds = 3,
    trials: int = 20,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    feature_names: Sequence[str] | None = None,
    categorical: Sequence[str] = (),
    together: Sequence[Any] | None = None,
) -> Tuning:
    """Search the options of one learner by the pooled out-of-fold loss.

    Parameters
    ----------
    kind : str
        As for `make_learner`; kinds without a space in `SEARCH_SPACES` keep their options.
    X, y : array ``[site, covariate]``, ``[site]``
        Training rows only.
    folds : int or Folds
        A number of random folds, spread evenly over the target, or folds made elsewhere (of the kind that scores the map).
    trials : int
        The first one takes the defaults.
    options : mapping, optional
        Options the user chose; they are kept and not searched.
    together : array [site], optional
        The site of every row where some are of one site: random folds never split them.

    Raises
    ------
    LearnerError
        Unknown kind or options, or no trial asked for.
    FoldsError
        Fewer sites than folds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 4))
    >>> found = tune_learner("Ridge", X, X[:, 0], folds=3, trials=5)
    >>> len(found.table), bool(found.table["loss"].min() <= found.table["loss"][0])
    (5, True)
    """
    options = dict(options or {})
    if trials < 1:
        raise LearnerError(f"{trials} trials came: at least 1 is expected.")
    make_learner(kind, task=task, options=options, feature_names=feature_names, categorical=categorical)  # names checked here
    if kind not in SEARCH_SPACES:
        return Tuning(kind, options, pd.DataFrame({"trial": [], "loss": []}), f"no search space is known for {kind}")
    values, target = np.asarray(X, dtype=np.float32), np.asarray(y)
    made = folds if isinstance(folds, Folds) else _random_folds(target, folds, seed, together)
    shared = {"task": task, "seed": seed, "feature_names": feature_names, "categorical": categorical}
    if task == "classification":
        shared["classes"] = np.unique(target)
    lighter = {"n_estimators": FOREST_TRIAL_TREES} if kind in ("random_forest", "extra_trees") else {}

    def loss(trial: Any) -> float:
        searched = {} if trial.number == 0 else SEARCH_SPACES[kind](_Free(trial, options))
        chosen = lighter | searched | options
        trial.set_user_attr("searched", searched)
        return _pooled_loss(kind, values, target, made, options=chosen, **shared)

    study = _search(loss, trials, seed)
    rows = [{"trial": trial.number, "loss": trial.value, **trial.user_attrs["searched"]} for trial in study.trials]
    return Tuning(kind, options | study.best_trial.user_attrs["searched"], pd.DataFrame(rows))


def _search(loss: Callable[[Any], float], trials: int, seed: int) -> Any:
    """Run Optuna silently and from one seed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), direction="minimize")
    study.optimize(loss, n_trials=trials, n_jobs=1)
    return study


def _pooled_loss(kind: str, X: np.ndarray, y: np.ndarray, folds: Folds, **learner: Any) -> float:
    """RMSE or log loss over all out-of-fold predictions at once."""
    total, count = 0.0, 0
    for _, _, train, test in folds.splits():
        model = make_learner(kind, **learner).fit(X[train], y[train])
        found = model.predict(X[test])
        if learner["task"] == "regression":
            total += float(((found - y[test]) ** 2).sum())
        else:
            given = found[np.arange(len(test)), np.searchsorted(model.classes_, y[test])]
            total -= float(np.log(np.clip(given, LEAST_PROBABILITY, 1.0)).sum())
        count += len(test)
    return float(np.sqrt(total / count)) if learner["task"] == "regression" else total / count


def _random_folds(target: np.ndarray, n_folds: int, seed: int, together: Sequence[Any] | None) -> Folds:
    """Random folds need no coordinates; any will do."""
    place = np.arange(len(target), dtype=float)
    return make_folds("random", x=place, y=place, geographic=False, n_folds=n_folds, seed=seed, strata=target, together=together)


class _Free:
    """Asks a trial only for options that the user left open."""

    def __init__(self, trial: Any, fixed: Mapping[str, Any]) -> None:
        self.trial = trial
        self.fixed = fixed

    def whole(self, **ranges: tuple[int, int]) -> dict[str, int]:
        """Whole numbers, both ends included."""
        return {name: self.trial.suggest_int(name, *ends) for name, ends in ranges.items() if name not in self.fixed}

    def part(self, **ranges: tuple[float, float]) -> dict[str, float]:
        """Numbers spread evenly."""
        return {name: self.trial.suggest_float(name, *ends) for name, ends in ranges.items() if name not in self.fixed}

    def size(self, **ranges: tuple[float, float]) -> dict[str, float]:
        """Numbers spread evenly in their logarithm."""
        return {name: self.trial.suggest_float(name, *ends, log=True) for name, ends in ranges.items() if name not in self.fixed}


def _forest_space(free: _Free) -> dict[str, Any]:
    return free.whole(min_samples_leaf=(1, 12)) | free.part(max_features=(0.15, 1.0))


def _xgboost_space(free: _Free) -> dict[str, Any]:
    return (
        free.whole(n_estimators=(150, 700), max_depth=(2, 6), min_child_weight=(1, 10))
        | free.size(learning_rate=(0.01, 0.15), reg_lambda=(0.3, 20.0))
        | free.part(subsample=(0.5, 1.0), colsample_bynode=(0.2, 1.0))
    )


def _catboost_space(free: _Free) -> dict[str, Any]:
    return free.whole(iterations=(200, 1000), depth=(3, 7)) | free.size(learning_rate=(0.015, 0.15), l2_leaf_reg=(0.5, 20.0))


def _histogram_boosting_space(free: _Free) -> dict[str, Any]:
    return (
        free.whole(max_iter=(50, 400), max_leaf_nodes=(4, 31), min_samples_leaf=(3, 30))
        | free.size(learning_rate=(0.01, 0.2), l2_regularization=(1e-3, 10.0))
    )  # fmt: skip


def _ridge_space(free: _Free) -> dict[str, Any]:
    return free.size(alpha=(1e-2, 1e3))


SEARCH_SPACES: dict[str, Callable[[_Free], dict[str, Any]]] = {
    "random_forest": _forest_space,
    "extra_trees": _forest_space,
    "xgboost": _xgboost_space,
    "catboost": _catboost_space,
    "HistGradientBoostingRegressor": _histogram_boosting_space,
    "HistGradientBoostingClassifier": _histogram_boosting_space,
    "Ridge": _ridge_space,
}
"""Open registry: kind -> function that asks for the options to try."""
