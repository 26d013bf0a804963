"""Held-out predictions of one learner: fitted in every fold, asked for the rest of the sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from alm_core.errors import FoldsError, LeakError, SitesError
from alm_core.learning.folds import Folds
from alm_core.learning.learners import Learner, make_learner
from alm_core.learning.paired import Split
from alm_core.learning.target import TargetTransform, smear_out_of_fold

LearnerEntry = tuple[str, str, Mapping[str, Any]]
"""Name, kind and options."""


@dataclass(frozen=True)
class Trial:
    """Sites and folds on which learners are tried, checked once by `make_trial`.

    Attributes
    ----------
    X : DataFrame, ``[site, covariate]``
        float32, columns sorted by name, so that the order of the covariates in a study changes nothing.
    y : ndarray, ``[site]``
    folds : Folds
    categorical : tuple of str
    transform : str
        Scale on which learners are fitted; see `alm_core.learning.target`.
    seed, workers : int
    """

    X: pd.DataFrame
    y: np.ndarray
    folds: Folds
    categorical: tuple[str, ...] = ()
    transform: str = "none"
    seed: int = 0
    workers: int = 1
    splits: tuple[Split, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "splits", tuple((train, test) for _, _, train, test in self.folds.splits()))

    @property
    def tested(self) -> np.ndarray:
        """Observed values of the tested rows of all splits, one after the other."""
        return np.concatenate([self.y[test] for _, test in self.splits])

    def once(self) -> Trial:
        """The same with the first repeat of the folds only."""
        return replace(self, folds=replace(self.folds, assignment=self.folds.assignment[:1]))

    def learner(self, entry: LearnerEntry, features: Sequence[str], split: int) -> Learner:
        """One learner fitted to the training rows of a split."""
        _, kind, options = entry
        made = make_learner(
            kind,
            seed=self.seed + split,
            options=options,
            feature_names=tuple(features),
            categorical=tuple(name for name in self.categorical if name in features),
            transform=TargetTransform(self.transform),
        )
        train = self.splits[split][0]
        return made.fit(self.X[list(features)].to_numpy(np.float32)[train], self.y[train])

    def predictions(self, entry: LearnerEntry, features: Sequence[str] | None = None) -> list[np.ndarray]:
        """Predictions of the tested rows of each split, in the unit of the target."""
        names = tuple(self.X.columns if features is None else features)
        values = self.X[list(names)].to_numpy(np.float32)

        def one(split: int) -> np.ndarray:
            return self.learner(entry, names, split).predict(values[self.splits[split][1]])

        found = Parallel(n_jobs=self.workers, prefer="threads")(delayed(one)(split) for split in range(len(self.splits)))
        return list(found) if self.transform == "none" else self._smeared(found)

    def squared_errors(self, predictions: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Squared errors of the tested rows of each split."""
        return [(found - self.y[test]) ** 2 for found, (_, test) in zip(predictions, self.splits, strict=True)]

    def _smeared(self, predictions: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Means instead of medians, by the residuals of the other folds of the same repeat."""
        found = list(predictions)
        repeats = [repeat for repeat, _, _, _ in self.folds.splits()]
        for repeat in sorted(set(repeats)):
            own = [number for number, of in enumerate(repeats) if of == repeat]
            rows = np.concatenate([self.splits[number][1] for number in own])
            edges = np.cumsum([0] + [len(self.splits[number][1]) for number in own])
            places = np.arange(len(rows))
            parts = [places[start:stop] for start, stop in pairwise(edges)]
            inside = [(np.setdiff1d(places, part), part) for part in parts]
            smeared, _ = smear_out_of_fold(self.y[rows], np.concatenate([found[number] for number in own]), inside)
            for number, part in zip(own, parts, strict=True):
                found[number] = smeared[part]
        return found


def make_trial(
    X: pd.DataFrame,
    y: np.ndarray,
    folds: Folds,
    *,
    groups: Sequence[Any] | None = None,
    categorical: Sequence[str] = (),
    transform: str = "none",
    seed: int = 0,
    workers: int = 1,
) -> Trial:
    """Check sites and folds and bring them together.

    Parameters
    ----------
    X : DataFrame, ``[site, covariate]``
        NaN where missing.
    y : ndarray, ``[site]``
        Numbers.
    folds : Folds
    groups : array ``[site]``, optional
        Label of the site that a row belongs to, where a site has many rows. No fold may train on a site that it tests.
    categorical : sequence of str
    transform : {"none", "log"}
    seed : int
        Split number k is fitted with ``seed + k`` for every learner and every set of covariates: all are on equal terms.
    workers : int
        Fits side by side; the result does not depend on it.

    Raises
    ------
    SitesError, FoldsError
        Sites, targets and folds don't match, a target that is no number, or the same everywhere.
    LeakError
        A group is trained on and tested in one split.
    """
    y = np.asarray(y)
    if y.dtype.kind not in "fiu":
        raise SitesError(f"A target of type {y.dtype} came: learners are compared by squared errors, so numbers are needed.")
    if not len(X) == len(y) == folds.assignment.shape[-1]:
        raise SitesError(
            f"{len(X)} rows of covariates, {len(y)} targets and folds for {folds.assignment.shape[-1]} sites don't match: "
            "one of each a site."
        )
    trial = Trial(
        X[sorted(X.columns)].astype(np.float32), y.astype(float), folds, tuple(categorical), transform, int(seed), int(workers)
    )
    if len(trial.splits) < 2:
        raise FoldsError(f"{len(trial.splits)} folds came: at least 2 are needed to tell a difference from its error.")
    if np.ptp(trial.tested) == 0:
        raise SitesError("The target is the same at every tested site: there is nothing to compare learners by.")
    if groups is not None:
        check_whole(folds, groups)
    return trial


def check_whole(folds: Folds, groups: Sequence[Any]) -> None:
    """Refuse folds that train on a group that they test.

    Raises
    ------
    LeakError
    """
    labels = np.asarray(groups).astype(str)
    for repeat, fold, train, test in folds.splits():
        shared = np.intersect1d(labels[train], labels[test])
        if len(shared):
            raise LeakError(
                f"Fold {fold} of repeat {repeat} trains on and tests rows of {len(shared)} sites, such as {shared[0]}: scores "
                "would be those of sites that were seen. Keep the rows of a site in one fold."
            )
