"""Rules of recursive feature elimination: which covariates say the same, which go next, which size is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

Groups = tuple[tuple[str, ...], ...]
CLEAR_LOSS = 0.02  # of the skill: part of the target's variance


def correlated_groups(X: pd.DataFrame, correlation: float) -> Groups:
    """Group covariates that rank the sites alike.

    Complete linkage on ``1 - |rho|`` (Spearman): in a group every pair has ``|rho| > correlation``. Rows where one of two
    covariates is missing don't count for the pair; a constant covariate is like no other.

    Returns
    -------
    tuple of tuple of str
        Groups of two or more, names sorted.

    Examples
    --------
    >>> a = np.arange(20.0)
    >>> correlated_groups(pd.DataFrame({"a": a, "b": -(a**3), "c": np.cos(9 * a)}), 0.9)
    (('a', 'b'),)
    """
    names = sorted(X.columns)
    if len(names) < 2:
        return ()
    rho = np.nan_to_num(X[names].corr(method="spearman").to_numpy(copy=True))
    distance = 1.0 - np.abs(rho)
    distance = np.clip((distance + distance.T) / 2.0, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    # fcluster joins at <= its threshold; "above" the correlation leaves the threshold itself out.
    labels = fcluster(linkage(squareform(distance, checks=False), "complete"), np.nextafter(1.0 - correlation, -1.0), "distance")
    members = [tuple(name for name, label in zip(names, labels, strict=True) if label == wanted) for wanted in np.unique(labels)]
    return tuple(sorted(group for group in members if len(group) > 1))


def number_to_drop(size: int, step: float, minimum: int) -> int:
    """How many covariates leave a set of `size`: a part of them (at least one) where step < 1, else `step` of them."""
    wanted = max(1, int(step * size)) if step < 1 else int(step)
    return max(0, min(wanted, size - minimum))


def rounds_left(size: int, step: float, minimum: int) -> int:
    """Rounds from a set of `size` down to `minimum`."""
    rounds = 0
    while (count := number_to_drop(size, step, minimum)) > 0:
        size -= count
        rounds += 1
    return rounds


def weakest(importance: Mapping[str, float], count: int, *, groups: Groups = (), keep: Sequence[str] = ()) -> tuple[str, ...]:
    """Choose the covariates that leave the set next.

    While a group of correlated covariates has more than one member in the set, only such members leave, the least important
    first: a duplicate is dropped before a weak covariate that stands alone. Equal importances are settled by name.

    Examples
    --------
    >>> weakest({"a": 0.5, "a2": 0.3, "b": 0.15, "c": 0.05}, 1, groups=(("a", "a2"),))
    ('a2',)
    >>> weakest({"a": 0.8, "b": 0.15, "c": 0.05}, 2, groups=(("a", "a2"),), keep=("c",))
    ('b', 'a')
    """
    order = sorted((name for name in importance if name not in keep), key=lambda name: (importance[name], name))
    left = [set(group) & set(importance) for group in groups]
    if any(len(group) > 1 and group - set(keep) for group in left):
        return _weakest_duplicates(order, count, left)
    return tuple(order[:count])


def _weakest_duplicates(order: list[str], count: int, left: list[set[str]]) -> tuple[str, ...]:
    dropped = []
    for name in order:
        group = next((group for group in left if name in group), set())
        if len(group) > 1 and len(dropped) < count:
            group.discard(name)
            dropped.append(name)
    return tuple(dropped)


@dataclass(frozen=True)
class SizeChoice:
    """Which set of a path is enough.

    Attributes
    ----------
    mean : ndarray, ``[set]``
        Mean score over the splits.
    standard_error : ndarray, ``[set]``
        Standard error of the difference to the best set, paired over the splits.
    best, chosen : int
        Positions in the path.
    within : ndarray of bool, ``[set]``
        Within one standard error of the best.
    """

    mean: np.ndarray
    standard_error: np.ndarray
    best: int
    chosen: int
    within: np.ndarray


def smallest_within_one_error(scores: np.ndarray, sizes: Sequence[int]) -> SizeChoice:
    """Choose the smallest set whose mean score is at least the best mean less one standard error.

    The error is that of the paired differences to the best set, ``sd / sqrt(splits)``: splits that are hard for every set do
    not blur the comparison. With one split there is no error and the best set is chosen.

    Parameters
    ----------
    scores : ndarray, ``[set, split]``
        Larger is better.
    sizes : sequence of int
        Number of covariates of each set.

    Examples
    --------
    >>> scores = np.array([[0.60, 0.50, 0.40], [0.61, 0.52, 0.39], [0.59, 0.53, 0.38], [0.3, 0.2, 0.1]])
    >>> smallest_within_one_error(scores, [8, 6, 4, 2]).chosen
    2
    """
    mean = scores.mean(axis=1)
    n_splits = scores.shape[1]
    best = max(range(len(mean)), key=lambda i: (mean[i], -sizes[i]))
    error = np.zeros(len(mean))
    if n_splits > 1:
        error = (scores - scores[best]).std(axis=1, ddof=1) / np.sqrt(n_splits)
    within = mean >= mean[best] - error
    chosen = min(np.flatnonzero(within), key=lambda i: (sizes[i], -mean[i]))
    return SizeChoice(mean, error, best, int(chosen), within)


def smallest_for_both(fused: SizeChoice, strongest: SizeChoice, sizes: Sequence[int]) -> SizeChoice:
    """Choose the smallest set that is enough for the mean of the learners and for the strongest learner too.

    Where weak learners gain nothing from a covariate, their mean hides what the strongest gains, and the fusion of a map
    leans on the strongest. Where no set is enough for both, the best set of the mean is chosen.
    """
    within = fused.within & strongest.within
    positions = np.flatnonzero(within)
    if len(positions) == 0:
        return replace(fused, chosen=fused.best, within=np.arange(len(within)) == fused.best)
    chosen = min(positions, key=lambda i: (sizes[i], -fused.mean[i]))
    return replace(fused, chosen=int(chosen), within=within)


def hurts(before: np.ndarray, after: np.ndarray) -> bool:
    """Tell whether scores ``[split]`` fell by more than 0.02 and by more than two standard errors of the paired difference.

    The first limit is there because a true duplicate also calms the trees a little, and that shows in many splits.
    """
    if len(before) < 2:
        return False
    loss = before - after
    return bool(loss.mean() > max(CLEAR_LOSS, 2.0 * loss.std(ddof=1) / np.sqrt(len(loss))))


def stability(sets: Sequence[Sequence[str]], n_features: int) -> dict[str, Any]:
    """How alike sets chosen from different parts of the data are.

    Parameters
    ----------
    sets : sequence of sets of names
    n_features : int
        Number of covariates that each was chosen from.

    Returns
    -------
    dict
        ``frequency``: name -> part of the sets that hold it. ``jaccard``: mean over pairs of the shared part of the union.
        ``kuncheva``: mean over pairs of ``(r n - k^2) / (k (n - k))`` with r shared of k names each, 0 for chance and 1 for
        the same sets (Kuncheva 2007); None where sizes differ or nothing was left out. Both are None for one set.

    Examples
    --------
    >>> stability([("a", "b"), ("a", "c")], 4)
    {'frequency': {'a': 1.0, 'b': 0.5, 'c': 0.5}, 'jaccard': 0.3333333333333333, 'kuncheva': 0.0}
    """
    as_sets = [set(names) for names in sets]
    names = sorted(set().union(*as_sets))
    frequency = {name: sum(name in chosen for chosen in as_sets) / len(as_sets) for name in names}
    pairs = list(combinations(as_sets, 2))
    sizes = {len(chosen) for chosen in as_sets}
    k = len(as_sets[0])
    jaccard = float(np.mean([len(a & b) / max(1, len(a | b)) for a, b in pairs])) if pairs else None
    kuncheva = None
    if pairs and len(sizes) == 1 and 0 < k < n_features:
        kuncheva = float(np.mean([(len(a & b) * n_features - k * k) / (k * (n_features - k)) for a, b in pairs]))
    return {"frequency": frequency, "jaccard": jaccard, "kuncheva": kuncheva}
