"""Which covariates a learner needs: the error that their loss adds on held-out sites, and SHAP values where there are trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from alm_core.errors import DomainError, LearnerError
from alm_core.learning.held_out import LearnerEntry, Trial
from alm_core.learning.paired import paired_difference
from alm_core.trees.convert import compile_ensemble
from alm_core.trees.shap import shap_values

PERMUTATIONS = 5


@dataclass(frozen=True)
class FeatureImportance:
    """How much a learner leans on one covariate.

    Attributes
    ----------
    feature : str
    value : float
        Added root mean squared error of held-out sites when the covariate is taken from other sites; negative by chance.
    standard_error : float
    shap : float or None
        Its part in the mean ``|SHAP|`` of held-out sites, all covariates adding up to 1; None for learners without trees.
    """

    feature: str
    value: float
    standard_error: float
    shap: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for comparison.json."""
        error = self.standard_error if np.isfinite(self.standard_error) else None
        return {"feature": self.feature, "value": self.value, "standard_error": error, "shap": self.shap}


def held_out_importance(trial: Trial, entry: LearnerEntry, *, permutations: int = PERMUTATIONS) -> tuple[FeatureImportance, ...]:
    """Rank covariates by permutation on held-out folds.

    The learner is fitted in every fold; for its held-out sites one covariate at a time is replaced by that of sites drawn from
    the whole table, `permutations` times. Drawing from the fold itself would see nothing in a fold of one region, where the
    climate hardly differs. Not for covariates that say the same: each is spared by the other, and all look unimportant.

    Parameters
    ----------
    trial : Trial
    entry : (name, kind, options)
    permutations : int
        Draws; more make `standard_error` smaller only as far as the draws are its cause.

    Returns
    -------
    tuple of FeatureImportance
        Most important first.

    Raises
    ------
    DomainError
        Less than one draw.
    LearnerError
        A fit failed.

    Notes
    -----
    Breiman (2001), Random Forests, Machine Learning 45:5, on held-out folds instead of out-of-bag sites. Errors of `value` are
    those of `alm_core.learning.paired`.

    Examples
    --------
    >>> import pandas as pd
    >>> from alm_core.learning.folds import make_folds
    >>> from alm_core.learning.held_out import make_trial
    >>> table = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 2)), columns=["noise", "signal"])
    >>> folds = make_folds("random", x=range(90), y=range(90), geographic=False, n_folds=5)
    >>> found = held_out_importance(make_trial(table, 2 * table["signal"].to_numpy(), folds), ("plane", "linear", {}))
    >>> [entry.feature for entry in found]
    ['signal', 'noise']
    """
    if permutations < 1:
        raise DomainError(f"{permutations} permutations came: at least 1 is expected.")
    names = tuple(trial.X.columns)
    parts = Parallel(n_jobs=trial.workers, prefer="threads")(
        delayed(_one_split)(trial, entry, split, permutations) for split in range(len(trial.splits))
    )
    plain = [part[0] for part in parts]
    shares = [part[2] for part in parts]
    shap = None if any(share is None for share in shares) else np.mean(shares, axis=0)
    found = []
    for number, name in enumerate(names):
        loss = paired_difference([part[1][number] for part in parts], plain, trial.splits)
        share = None if shap is None else float(shap[number])
        found.append(FeatureImportance(name, loss.rmse_difference, loss.standard_error, share))
    return tuple(sorted(found, key=lambda one: (-one.value, one.feature)))


def _one_split(
    trial: Trial, entry: LearnerEntry, split: int, permutations: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Squared errors of a split, those without each covariate ``[feature, site]``, and shares of SHAP ``[feature]``."""
    names = tuple(trial.X.columns)
    learner = trial.learner(entry, names, split)
    values = trial.X.to_numpy(np.float32)
    test = trial.splits[split][1]
    rng = np.random.default_rng([trial.seed, split])
    donors = np.stack([rng.permutation(len(values))[: len(test)] for _ in range(permutations)])
    tables = np.broadcast_to(values[test], (len(names), permutations, len(test), len(names))).copy()
    for number in range(len(names)):
        tables[number, :, :, number] = values[donors, number]
    asked = np.concatenate([values[test], tables.reshape(-1, len(names))])
    error = (learner.predict(asked) - np.tile(trial.y[test], 1 + len(names) * permutations)) ** 2
    without = error[len(test) :].reshape(len(names), permutations, len(test)).mean(axis=1)
    return error[: len(test)], without, _shap_share(learner, values[test])


def _shap_share(learner: Any, rows: np.ndarray) -> np.ndarray | None:
    """Mean ``|SHAP|`` by covariate, adding up to 1; None where the learner is not made of trees."""
    try:
        ensemble = compile_ensemble(learner.estimator)
    except LearnerError:
        return None
    importance = shap_values(ensemble, rows).importance
    total = float(importance.sum())
    return importance / total if total > 0 else np.full(len(importance), 1.0 / len(importance))
