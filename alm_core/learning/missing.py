"""Whether a learner predicts a place of which some covariates are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.learning.learners import Learner, make_learner

TRIAL_SITES = 60
TRIAL_COVARIATES = 3
TRIAL_TREES = {
    "random_forest": {"n_estimators": 5},
    "extra_trees": {"n_estimators": 5},
    "xgboost": {"n_estimators": 5},
    "catboost": {"iterations": 5},
}
"""What a learner takes does not depend on how many trees it has."""


def takes_missing(learner: Learner) -> bool:
    """True where a fitted learner gives finite predictions for places with a gap in any of their covariates.

    The library itself is asked, because what it takes changes with its version. XGBoost and CatBoost take missing values
    whatever they were trained on. So do scikit-learn's forests: a feature that was never missing in training sends a missing
    value to the child that more training sites went to. Learners by the name of their class stand behind an imputer where their
    class takes none.

    Parameters
    ----------
    learner : Learner
        Fitted. One that was read from a file knows the answer, which was found while its library's model was at hand.
    """
    if learner.takes_missing_ is not None:
        return learner.takes_missing_
    count = len(learner.feature_names)
    rows = np.where(np.eye(count, dtype=bool), np.nan, 0.0).astype(np.float32)
    try:
        return bool(np.isfinite(learner.predict(rows)).all())
    except Exception:  # each library has a class of its own for "no missing values, please"
        return False


def check_takes_missing(learners: Mapping[str, Learner]) -> None:
    """Refuse members that can't be asked for cells with missing covariates.

    Raises
    ------
    LearnerError
        Names every such member and what to do.
    """
    unable = [name for name, learner in learners.items() if not takes_missing(learner)]
    if unable:
        kinds = ", ".join(f"{name} ({learners[name].kind})" for name in unable)
        raise LearnerError(missing_refused(kinds))


def missing_refused(kinds: str) -> str:
    """The message for members that take no missing values."""
    return (
        f'[map] missing = "route" sends cells that lack a covariate through every member, but {kinds} takes no missing values. '
        'Set missing = "leave_out", leave these learners out, or use trees (random_forest, extra_trees, xgboost, catboost).'
    )


def kind_takes_missing(kind: str, *, task: str = "regression", options: Mapping[str, Any] | None = None) -> bool:
    """Ask a kind of learner before any training: it is fitted to some made-up sites and asked for a place with a gap.

    True also where that trial fails for another reason: the training itself will say it better.
    """
    generator = np.random.default_rng(0)
    features = generator.normal(size=(TRIAL_SITES, TRIAL_COVARIATES)).astype(np.float32)
    target = features[:, 0] if task == "regression" else (features[:, 0] > 0).astype(int)
    try:
        learner = make_learner(kind, task=task, options={**(options or {}), **TRIAL_TREES.get(kind, {})}).fit(features, target)
        learner.predict(features)
    except Exception:  # any fault of a library, on places without a gap
        return True
    return takes_missing(learner)
