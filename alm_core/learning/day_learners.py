"""Learners of cell-days: those of the registry, with defaults for tens of thousands of samples.

The defaults of `alm_core.learning.learners` are for a few hundred sites. On 60,000 cell-days they would grow forests of tens of
millions of leaves, one for nearly every sample and its neighbour of the day before: slow to fit, slow to map 30 million
cell-days with, and no better. So leaves hold more samples, trees are fewer, and few predictors are tried at a split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alm_core.cubes.states import FROZEN, THAWED
from alm_core.learning.learners import Learner, make_learner

DAY_DEFAULTS: dict[str, dict[str, Any]] = {
    "extra_trees": {"n_estimators": 100, "min_samples_leaf": 10, "max_features": "sqrt"},
    "random_forest": {"n_estimators": 100, "min_samples_leaf": 10, "max_features": "sqrt", "max_samples": 0.3},
    "xgboost": {"n_estimators": 200, "max_depth": 6, "learning_rate": 0.1},
    "catboost": {"iterations": 300, "depth": 6, "learning_rate": 0.1},
}
"""What a kind starts from; options of the study come on top.

Chosen on the demo of ten years (48,000 training cell-days, 34 predictors, new years): accuracy lay between 0.904 and 0.907 for
every setting that was tried; extra trees with the square root of the predictors were fitted in 5 s instead of 13 s with four
tenths of them, and 300 trees with leaves of 5 were no better in 17 s.
"""


def make_day_learner(
    kind: str,
    *,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    names: Sequence[str] | None = None,
    categorical: Sequence[str] = (),
) -> Learner:
    """Make an unfitted classifier of the two states.

    Parameters
    ----------
    kind : str
        As in `alm_core.learning.learners.make_learner`.
    options : mapping, optional
        On top of `DAY_DEFAULTS`.
    names : sequence of str, optional
        Of the predictors.
    categorical : sequence of str
        Predictors whose numbers are codes.

    Examples
    --------
    >>> make_day_learner("extra_trees", options={"n_estimators": 7}).estimator.get_params()["min_samples_leaf"]
    10
    """
    chosen = DAY_DEFAULTS.get(kind, {}) | dict(options or {})
    known = tuple(name for name in categorical if name in (names or ()))
    return make_learner(
        kind, task="classification", seed=seed, options=chosen, feature_names=names, categorical=known, classes=(THAWED, FROZEN)
    )


def frozen_probability(learner: Learner, features: np.ndarray) -> np.ndarray:
    """Probability of frozen ``[sample]`` of predictors ``[sample, feature]``."""
    return learner.predict(features)[:, list(learner.classes_).index(FROZEN)]
