"""Sites with a known law, for tests of comparison, importance and combinations."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alm_core.learning.folds import make_folds
from alm_core.learning.held_out import Trial, make_trial


def random_trial(X: pd.DataFrame, y: np.ndarray, *, n_folds: int = 5, repeats: int = 1, seed: int = 0, **options) -> Trial:
    """Random folds over any table."""
    places = np.arange(len(X))
    folds = make_folds("random", x=places, y=places, geographic=False, n_folds=n_folds, repeats=repeats, seed=seed)
    return make_trial(X, y, folds, seed=seed, **options)


def normal_table(count: int, names: str, seed: int = 0) -> pd.DataFrame:
    """Independent covariates."""
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(count, len(names))), columns=list(names))
