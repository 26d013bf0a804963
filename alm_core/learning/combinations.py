"""The feature-combination test: which of the ranked covariates, put together, predict held-out sites best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import DomainError
from alm_core.learning.held_out import LearnerEntry, Trial
from alm_core.learning.paired import paired_difference, rmse_error

Progress = Callable[[int, int, str], None]
DROPPED = 4
"""Weakest covariates of the best set that are left out in turn."""
SWAPPED = 2
"""Weakest covariates of the best set, and next ones outside of it, that change places in turn."""
NOTE = (
    "The errors of the sets chose among them, so they are too small for the one chosen. For an honest score run the choice again "
    "inside every outer fold: [selection] nested does that for a map."
)


@dataclass(frozen=True)
class Combination:
    """A set of covariates and its pooled held-out error.

    Attributes
    ----------
    features : tuple of str
        In the order of their rank.
    rmse, rmse_se : float
        In the unit of the target.
    """

    features: tuple[str, ...]
    rmse: float
    rmse_se: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for comparison.json."""
        error = self.rmse_se if np.isfinite(self.rmse_se) else None
        return {"features": list(self.features), "rmse": self.rmse, "rmse_se": error}


@dataclass(frozen=True)
class CombinationTest:
    """All sets that were tried and the one that is enough.

    Attributes
    ----------
    combinations : tuple of Combination
        In the order in which they were tried.
    chosen : tuple of str
        The smallest set within one standard error (paired) of the one with the smallest error.
    best : tuple of str
        The set with the smallest error.
    note : str
        What the errors are not good for.
    """

    combinations: tuple[Combination, ...]
    chosen: tuple[str, ...]
    best: tuple[str, ...]
    note: str = NOTE


def try_combinations(
    trial: Trial, entry: LearnerEntry, ranking: Sequence[str], *, maximum_sets: int = 40, progress: Progress | None = None
) -> CombinationTest:
    """Score sets of covariates in the order of their rank, then look around the best of them.

    The first one, two, three ... covariates of the ranking are tried (some sizes are skipped where there are more than two thirds
    of `maximum_sets`). Around the set that is enough, weak covariates are left out in turn, and weak ones change places with the
    next outside. With p covariates that is about ``p + 8`` sets of ``2 ** p``: a good one, not surely the best.

    Parameters
    ----------
    trial : Trial
        Only the first repeat of its folds is used.
    entry : (name, kind, options)
    ranking : sequence of str
        Most important first; each a column of the trial.
    maximum_sets : int
        Most sets that are tried, 3 or more.
    progress : callable, optional

    Returns
    -------
    CombinationTest

    Raises
    ------
    DomainError
        An empty or unknown ranking, or too few sets.

    Examples
    --------
    >>> import pandas as pd
    >>> from alm_core.learning.folds import make_folds
    >>> from alm_core.learning.held_out import make_trial
    >>> table = pd.DataFrame(np.random.default_rng(1).normal(size=(90, 3)), columns=["a", "b", "c"])
    >>> folds = make_folds("random", x=range(90), y=range(90), geographic=False, n_folds=5)
    >>> trial = make_trial(table, (table["a"] + table["b"]).to_numpy(), folds)
    >>> sorted(try_combinations(trial, ("plane", "linear", {"alpha": 1e-6}), ["a", "b", "c"]).chosen)
    ['a', 'b']
    """
    strangers = sorted(set(ranking) - set(trial.X.columns))
    if not ranking or strangers or len(set(ranking)) < len(ranking) or maximum_sets < 3:
        raise DomainError(
            f"A ranking of {len(ranking)} covariates (unknown: {', '.join(strangers) or 'none'}) and {maximum_sets} sets came: "
            "covariates of the trial, each once, and 3 sets or more are expected."
        )
    once, order = trial.once(), {name: place for place, name in enumerate(ranking)}
    tried: dict[tuple[str, ...], list[np.ndarray]] = {}

    def score(features: Sequence[str]) -> None:
        ordered = tuple(sorted(features, key=order.__getitem__))
        if ordered and ordered not in tried and len(tried) < maximum_sets:
            if progress:
                progress(len(tried), maximum_sets, f"{len(ordered)} covariates")
            tried[ordered] = once.squared_errors(once.predictions(entry, ordered))

    for size in forward_sizes(len(ranking), max(2, 2 * maximum_sets // 3)):
        score(ranking[:size])
    enough = _enough(once, tried)
    for features in neighbours(enough, ranking):
        score(features)
    combinations = tuple(Combination(features, *_error(once, errors)) for features, errors in tried.items())
    best = min(combinations, key=lambda one: (one.rmse, len(one.features)))
    return CombinationTest(combinations, _enough(once, tried), best.features)


def forward_sizes(count: int, most: int) -> list[int]:
    """Sizes of the sets along a ranking: all of them, or `most` of them, close together where sets are small.

    Examples
    --------
    >>> forward_sizes(4, 10), forward_sizes(30, 6)
    ([1, 2, 3, 4], [1, 2, 4, 8, 15, 30])
    """
    if count <= most:
        return list(range(1, count + 1))
    return sorted({int(size) for size in np.round(np.geomspace(1, count, most))})


def neighbours(features: Sequence[str], ranking: Sequence[str]) -> list[tuple[str, ...]]:
    """Sets next to one: without each of its weakest, and with weak ones swapped for the next outside.

    Examples
    --------
    >>> neighbours(("a", "b"), ["a", "b", "c"])
    [('a',), ('b',), ('a', 'c'), ('b', 'c')]
    """
    weakest = [name for name in reversed(ranking) if name in features]
    outside = [name for name in ranking if name not in features][:SWAPPED]
    found = [tuple(name for name in features if name != dropped) for dropped in weakest[:DROPPED] if len(features) > 1]
    for dropped in weakest[:SWAPPED]:
        found += [(*(name for name in features if name != dropped), added) for added in outside]
    return found


def _enough(trial: Trial, tried: dict[tuple[str, ...], list[np.ndarray]]) -> tuple[str, ...]:
    """The smallest set within one standard error of the best, errors paired over the folds; of equals the better."""
    rmse = {features: _error(trial, errors)[0] for features, errors in tried.items()}
    best = min(rmse, key=lambda features: (rmse[features], len(features)))
    near = [best]
    for features, errors in tried.items():
        difference = paired_difference(errors, tried[best], trial.splits)
        if features != best and difference.rmse_difference <= difference.standard_error:
            near.append(features)
    return min(near, key=lambda features: (len(features), rmse[features]))


def _error(trial: Trial, errors: list[np.ndarray]) -> tuple[float, float]:
    return float(np.sqrt(np.mean(np.concatenate(errors)))), rmse_error(errors, trial.splits)
