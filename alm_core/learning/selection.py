"""Which covariates are enough: recursive elimination by held-out SHAP values over several learners at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import DomainError, LearnerError, StudyError
from alm_core.learning.elimination import (
    Groups,
    SizeChoice,
    correlated_groups,
    hurts,
    number_to_drop,
    rounds_left,
    smallest_for_both,
    smallest_within_one_error,
    stability,
    weakest,
)
from alm_core.learning.folds import Folds
from alm_core.learning.selection_rounds import LIGHT_OPTIONS, LearnerEntry, Round, SelectionData, prepare, run_round

Progress = Callable[[int, int, str], None]

METRICS = {"regression": "R2", "classification": "Brier skill score"}
NOTE = (
    "The scores along the path chose the set, so they are too good for it. The honest score is that of the nested "
    "validation, where the whole selection is run again inside every outer fold."
)


@dataclass(frozen=True)
class Selection:
    """A finished selection.

    Attributes
    ----------
    chosen : tuple of str
        Names of the chosen covariates, sorted.
    path : DataFrame
        One row per set, largest first: ``features`` (count), ``score`` of the mean of the learners, ``standard_error`` of
        its difference to the best set, ``within_one_error`` (for the mean and for the strongest learner), ``best``,
        ``chosen``, ``score_<learner>``, ``dropped`` (names that left after this set, joined by ``;``) and ``set`` (all names,
        joined by ``;``).
    importance : DataFrame
        One row per covariate: ``importance`` with all covariates present and ``importance_<learner>`` (each sums to 1),
        ``importance_chosen`` within the chosen set (NaN outside), ``frequency``, ``group`` (number, -1: none), ``eliminated_at``
        (size of the last set that held it; 0: never), ``chosen``.
    groups : tuple of tuple of str
        Covariates that correlate above the limit.
    distinct_groups : tuple of tuple of str
        Groups whose members turned out to differ: the score fell when one left, so it came back.
    stability : dict
        ``frequency`` (part of the splits whose own importances, with all covariates present, put a covariate into a set of
        the chosen size), ``jaccard`` and ``kuncheva`` over pairs of these sets.
    learner_paths : DataFrame
        ``learner, features, score, standard_error, chosen``: the same sets as each learner alone would judge them.
    strongest_learner : str
        Name of the learner with the highest score on the path; the chosen set is enough for it too.
    metric : str
        What the scores are. They are pooled over the splits.
    n_splits : int
    """

    chosen: tuple[str, ...]
    path: pd.DataFrame
    importance: pd.DataFrame
    groups: Groups
    distinct_groups: Groups
    stability: dict[str, Any]
    learner_paths: pd.DataFrame
    strongest_learner: str
    metric: str
    n_splits: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for selection.json; `from_dict` is the inverse."""
        return {
            "chosen": list(self.chosen),
            "metric": self.metric,
            "n_splits": self.n_splits,
            "note": NOTE,
            "groups": [list(group) for group in self.groups],
            "distinct_groups": [list(group) for group in self.distinct_groups],
            "stability": self.stability,
            "path": _records(self.path),
            "importance": _records(self.importance.reset_index(names="covariate")),
            "learner_paths": _records(self.learner_paths),
            "strongest_learner": self.strongest_learner,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Selection:
        """The inverse of `to_dict`; other keys are left alone."""
        importance = pd.DataFrame(data["importance"]).set_index("covariate")
        return cls(
            chosen=tuple(data["chosen"]),
            path=pd.DataFrame(data["path"]),
            importance=importance.astype({"importance_chosen": float}),
            groups=tuple(tuple(group) for group in data["groups"]),
            distinct_groups=tuple(tuple(group) for group in data["distinct_groups"]),
            stability=dict(data["stability"]),
            learner_paths=pd.DataFrame(data["learner_paths"]),
            strongest_learner=data["strongest_learner"],
            metric=data["metric"],
            n_splits=int(data["n_splits"]),
        )


def select_features(
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    learners: Sequence[LearnerEntry],
    task: str = "regression",
    folds: Folds,
    keep: Sequence[str] = (),
    minimum_features: int = 4,
    step: float = 0.12,
    correlation: float = 0.9,
    seed: int = 0,
    workers: int = 1,
    learner_options: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> Selection:
    """Choose covariates by SHAP recursive feature elimination with cross-validation.

    Every round fits each learner in each split, takes the SHAP values of the held-out sites and their score, and drops the
    covariates that matter least to all learners together. All learners walk one common path, so that the map's members share
    their covariates. The smallest set within one standard error of the best is chosen (errors paired over the splits), by the
    score of the mean of the learners and by that of the strongest learner at once.

    Covariates that correlate above `correlation` form groups: while a group has more than one member left, members of groups
    leave first. If the score falls clearly by that, the members differ after all: they come back and their group is no
    longer treated as one.

    Not for telling how good the map is. Scores on the path are those of sets that were chosen by them: on pure noise the
    best of them is above 0. Run the selection inside the training part of outer folds for an honest score.

    Parameters
    ----------
    X : DataFrame, ``[site, covariate]``
        NaN where missing. The order of the columns does not matter.
    y : ndarray, ``[site]``
        Numbers, or labels.
    learners : sequence of (name, kind, options)
        Tree learners of `make_learner`.
    task : {"regression", "classification"}
        Scored by R2, or by the Brier skill score (1 - mean squared error of the class probabilities / that of the class
        frequencies): proper, and finite when a forest gives a class probability 0.
    folds : Folds
        The same kind that the map is scored with.
    keep : sequence of str
        Covariates that are never dropped.
    minimum_features : int
        Size at which the elimination ends.
    step : float
        Part of the covariates dropped a round (at least one), or their number where >= 1.
    correlation : float
        ``|rho|`` (Spearman) above which covariates form a group.
    seed : int
        Split number k is fitted with seed ``seed + k`` in every round, so that sets are compared on equal terms.
    workers : int
        Fits that run side by side; the result does not depend on it.
    learner_options : mapping of kind to options, optional
        Laid over the options of the learners while selecting. Default: `LIGHT_OPTIONS`, fewer trees and coarser borders;
        ``{}`` selects with the very settings of the map.
    progress : callable, optional
        Called as ``progress(done, total, message)`` after every round.

    Returns
    -------
    Selection

    Raises
    ------
    StudyError
        If `keep` names a covariate that is not there.
    DomainError
        If `minimum_features`, `step` or `correlation` is outside its range.
    LearnerError
        If there is no learner, one that is not made of trees, or a fit failed.
    SitesError, FoldsError
        If sites, targets and folds don't match, or the target is constant.

    Notes
    -----
    Score of a split, importance and the one-standard-error rule: `alm_core.learning.selection_rounds` and
    `alm_core.learning.elimination`. SHAP values are those of `alm_core.trees.shap`.
    """
    _check_options(X, learners, keep, minimum_features, step, correlation)
    data = prepare(X, y, task, folds)
    light = LIGHT_OPTIONS if learner_options is None else learner_options
    groups = correlated_groups(data.X, correlation)

    def fit_set(features: Sequence[str]) -> Round:
        return run_round(data, features, learners, learner_options=light, seed=seed, workers=workers)

    minimum = max(minimum_features, len(keep))
    rounds, distinct = _eliminate(data, fit_set, groups, keep=tuple(keep), minimum=minimum, step=step, progress=progress)
    names = [name for name, _, _ in learners]
    choice, strongest = _choose(rounds)
    stable = _stability(rounds[0], len(rounds[choice.chosen].features), groups=groups, keep=tuple(keep))
    return Selection(
        chosen=rounds[choice.chosen].features,
        path=_path_table(rounds, choice, names),
        importance=_importance_table(rounds, choice, names, groups, stable["frequency"]),
        groups=groups,
        distinct_groups=distinct,
        stability=stable,
        learner_paths=_learner_paths(rounds, names),
        strongest_learner=names[strongest],
        metric=METRICS[task],
        n_splits=len(data.splits),
    )


def _check_options(
    X: pd.DataFrame, learners: Sequence[LearnerEntry], keep: Sequence[str], minimum_features: int, step: float, correlation: float
) -> None:
    unknown = sorted(set(keep) - set(X.columns))
    if unknown:
        raise StudyError(f"`keep` names {', '.join(unknown)}, which are not among the covariates {', '.join(sorted(X.columns))}.")
    if not learners:
        raise LearnerError("No learner was given to select covariates with. Name at least one tree learner.")
    if minimum_features < 1 or not step > 0 or not 0 < correlation <= 1:
        raise DomainError(
            f"minimum_features = {minimum_features}, step = {step}, correlation = {correlation}: expected minimum_features >= 1, "
            "step > 0 and a correlation above 0 and up to 1."
        )


def _eliminate(
    data: SelectionData,
    fit_set: Callable[[Sequence[str]], Round],
    groups: Groups,
    *,
    keep: tuple[str, ...],
    minimum: int,
    step: float,
    progress: Progress | None,
) -> tuple[list[Round], Groups]:
    """Walk from all covariates down to `minimum`; give the rounds and the groups that turned out to be none."""
    rounds = [fit_set(tuple(data.X.columns))]
    redundant, distinct, fits = groups, [], 1
    while True:
        last = rounds[-1]
        if progress is not None:
            left = rounds_left(len(last.features), step, minimum)
            progress(fits, fits + left, f"{len(last.features)} covariates, score {last.fused_scores.mean():.3f}")
        dropped = weakest(last.mean_importance, number_to_drop(len(last.features), step, minimum), groups=redundant, keep=keep)
        if not dropped:
            return rounds, tuple(distinct)
        found = fit_set(tuple(name for name in last.features if name not in dropped))
        fits += 1
        strongest = max(dropped, key=lambda name: (last.mean_importance[name], name))
        group = next((group for group in redundant if strongest in group and set(group) & set(found.features)), None)
        if group is not None and hurts(last.fused_scores, found.fused_scores):
            redundant = tuple(other for other in redundant if other != group)
            distinct.append(group)
            continue
        rounds.append(found)


def _choose(rounds: list[Round]) -> tuple[SizeChoice, int]:
    """The set that is enough, and the position of the strongest learner."""
    sizes = [len(found.features) for found in rounds]
    scores = np.array([found.scores for found in rounds])
    strongest = int(np.argmax(scores.mean(axis=2).max(axis=0)))
    fused = smallest_within_one_error(np.array([found.fused_scores for found in rounds]), sizes)
    return smallest_for_both(fused, smallest_within_one_error(scores[:, strongest], sizes), sizes), strongest


def _stability(first: Round, size: int, *, groups: Groups, keep: tuple[str, ...]) -> dict[str, Any]:
    """Sets of the chosen size that each split would choose from its own importances with all covariates present."""
    sets = []
    for split in range(first.importance.shape[1]):
        left = dict(zip(first.features, first.importance[:, split].mean(axis=0).tolist(), strict=True))
        # Duplicates leave first and may be fewer than what has to go, so the rule is asked again.
        while len(left) > size:
            dropped = weakest(left, len(left) - size, groups=groups, keep=keep)
            left = {name: value for name, value in left.items() if name not in dropped}
        sets.append(tuple(left))
    return stability(sets, len(first.features))


def _path_table(rounds: list[Round], choice: SizeChoice, names: list[str]) -> pd.DataFrame:
    following = [set(found.features) for found in rounds[1:]] + [set(rounds[-1].features)]
    table = pd.DataFrame(
        {
            "features": [len(found.features) for found in rounds],
            "score": choice.mean,
            "standard_error": choice.standard_error,
            "within_one_error": choice.within,
            "best": np.arange(len(rounds)) == choice.best,
            "chosen": np.arange(len(rounds)) == choice.chosen,
        }
    )
    for i, name in enumerate(names):
        table[f"score_{name}"] = [found.scores[i].mean() for found in rounds]
    pairs = zip(rounds, following, strict=True)
    table["dropped"] = [";".join(name for name in found.features if name not in after) for found, after in pairs]
    table["set"] = [";".join(found.features) for found in rounds]
    return table


def _importance_table(
    rounds: list[Round], choice: SizeChoice, names: list[str], groups: Groups, frequency: Mapping[str, float]
) -> pd.DataFrame:
    first, chosen = rounds[0], rounds[choice.chosen]
    index = pd.Index(first.features, name="covariate")
    table = pd.DataFrame({"importance": first.mean_importance}, index=index)
    for i, name in enumerate(names):
        table[f"importance_{name}"] = first.importance[i].mean(axis=0)
    table["importance_chosen"] = pd.Series(chosen.mean_importance).reindex(index)
    table["frequency"] = [frequency.get(name, 0.0) for name in index]
    number = {name: i for i, group in enumerate(groups) for name in group}
    table["group"] = [number.get(name, -1) for name in index]
    smallest = {name: len(found.features) for found in rounds for name in found.features}
    table["eliminated_at"] = [0 if name in rounds[-1].features else smallest[name] for name in index]
    table["chosen"] = [name in chosen.features for name in index]
    return table


def _learner_paths(rounds: list[Round], names: list[str]) -> pd.DataFrame:
    sizes = [len(found.features) for found in rounds]
    tables = []
    for i, name in enumerate(names):
        choice = smallest_within_one_error(np.array([found.scores[i] for found in rounds]), sizes)
        chosen = np.arange(len(rounds)) == choice.chosen
        columns = {"learner": name, "features": sizes, "score": choice.mean, "standard_error": choice.standard_error}
        tables.append(pd.DataFrame(columns | {"chosen": chosen}))
    return pd.concat(tables, ignore_index=True)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values, NaN as None, so that the file is strict JSON."""
    rows = table.to_dict(orient="records")
    return [{key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()} for row in rows]
