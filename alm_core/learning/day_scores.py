"""Scores of frozen and thawed cell-days, with intervals that draw whole cells.

The days of a cell err together: its soil, its snow and its mixed pixels stay the same. Drawing single cell-days would promise
far too narrow an interval, so cells (or sites) are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from alm_core.cubes.states import FROZEN, STATES
from alm_core.errors import DomainError, SitesError
from alm_core.learning.class_metrics import NAN, confusion_matrix, confusion_scores

SEASONS = {
    12: "DJF",
    1: "DJF",
    2: "DJF",
    3: "MAM",
    4: "MAM",
    5: "MAM",
    6: "JJA",
    7: "JJA",
    8: "JJA",
    9: "SON",
    10: "SON",
    11: "SON",
}
TRANSITION_MONTHS = (3, 4, 5, 9, 10, 11)
"""Where a study names none: the months in which the plateau freezes and thaws."""
RESAMPLES = 300
LEVEL = 0.95
LEAST_OF_A_CELL = 5
"""Cells with fewer tested days are not ranked."""
WORST = 20
SHORT = ("overall_accuracy", "kappa", "mcc", "balanced_accuracy", "f1_macro")


@dataclass(frozen=True)
class Resamples:
    """Draws of whole places with replacement, the same for all that is scored.

    Attributes
    ----------
    place : ndarray of int
        Number of the place of every sample, from 0.
    count, seed : int
        Draws, and their seed.
    """

    place: np.ndarray
    count: int = RESAMPLES
    seed: int = 0

    @classmethod
    def of(cls, places: np.ndarray, *, count: int = RESAMPLES, seed: int = 0) -> Resamples:
        """Of names or numbers of places ``[sample]``."""
        return cls(np.unique(np.asarray(places).astype(str), return_inverse=True)[1], count, seed)

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each place is in each draw, float32 ``[draw, place]``."""
        places = int(self.place.max(initial=0)) + 1
        rng = np.random.default_rng(self.seed)
        return np.stack([np.bincount(rng.integers(0, places, places), minlength=places) for _ in range(self.count)]).astype(
            np.float32
        )

    def sums(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Sums of values ``[row, column]`` over the samples of each draw: ``[draw, column]``."""
        places = self.weights.shape[1]
        by_place = [np.bincount(self.place[rows], weights=column, minlength=places) for column in values.T]
        return self.weights @ np.stack(by_place, axis=1)


def state_scores(observed: np.ndarray, probability: np.ndarray, predicted: np.ndarray | None = None) -> dict[str, Any]:
    """All scores of two states.

    Parameters
    ----------
    observed : ndarray
        0 thawed, 1 frozen ``[sample]``; NaN is left out and counted.
    probability : ndarray
        Of frozen; NaN is left out and counted.
    predicted : ndarray, optional
        Default: frozen from a probability of one half on.

    Returns
    -------
    dict
        As `alm_core.learning.class_metrics.class_scores` (``overall_accuracy, kappa, mcc, balanced_accuracy, f1_macro,
        quantity_disagreement, allocation_disagreement``; by state ``users_accuracy`` (precision), ``producers_accuracy``
        (recall), ``f1``; ``confusion`` [predicted, observed], ``count``, ``missing``), and ``brier``: the mean square of
        probability minus state, 0 to 1 (half of the Brier score summed over both states).

    Raises
    ------
    SitesError
        No complete pair.
    DomainError
        Arrays of different lengths.

    Examples
    --------
    >>> scores = state_scores(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.8, 1.0]))
    >>> scores["overall_accuracy"], scores["kappa"], round(scores["brier"], 4), scores["confusion"]
    (0.75, 0.5, 0.1025, [[1, 0], [1, 2]])
    """
    observed, probability, predicted, keep = _complete(observed, probability, predicted)
    if not keep.any():
        raise SitesError(f"none of {keep.size} cell-days has both a state and a prediction: nothing can be scored")
    matrix = confusion_matrix(observed[keep], predicted[keep], len(STATES))
    scores = {"count": int(keep.sum()), "missing": int((~keep).sum())} | confusion_scores(matrix, STATES)
    return scores | {"brier": float(np.mean((probability[keep] - observed[keep]) ** 2))}


def _complete(
    observed: np.ndarray, probability: np.ndarray, predicted: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    observed, probability = np.asarray(observed, float), np.asarray(probability, float)
    predicted = np.where(probability >= 0.5, 1.0, 0.0) if predicted is None else np.asarray(predicted, float)
    if not observed.shape == probability.shape == predicted.shape:
        raise DomainError(
            f"{observed.size} states, {probability.size} probabilities and {predicted.size} predictions came: one of each "
            "is expected"
        )
    keep = np.isfinite(observed) & np.isfinite(probability)
    return observed, probability, predicted, keep


def quick_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """The scores that get an interval, of many confusion matrices ``[..., predicted, observed]`` at once; NaN where undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = confusion / confusion.sum(axis=(-2, -1), keepdims=True)
        mapped, reference = share.sum(axis=-1), share.sum(axis=-2)
        right = np.diagonal(share, axis1=-2, axis2=-1)
        accuracy, chance = right.sum(axis=-1), (mapped * reference).sum(axis=-1)
        spread = np.sqrt((1 - (mapped**2).sum(axis=-1)) * (1 - (reference**2).sum(axis=-1)))
        return {
            "overall_accuracy": accuracy,
            "kappa": np.where(chance < 1, (accuracy - chance) / (1 - chance), np.nan),
            "mcc": np.where(spread > 0, (accuracy - chance) / spread, 0.0),
            "balanced_accuracy": _mean_of_known(right / reference),
            "f1_macro": _mean_of_known(2 * right / (mapped + reference)),
        }


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.where(known, values, 0.0).sum(axis=-1) / known.sum(axis=-1)


def intervals(rows: np.ndarray, observed: np.ndarray, probability: np.ndarray, draws: Resamples) -> dict[str, list[float]]:
    """Intervals of 95 % of the scores and of ``brier``, drawing whole places.

    Parameters
    ----------
    rows : ndarray of int
        Samples that the arrays are of, as `draws` numbers them.
    """
    observed, probability, predicted, keep = _complete(observed, probability, None)
    rows, observed, probability, predicted = rows[keep], observed[keep], probability[keep], predicted[keep]
    cells = [(predicted == first) & (observed == second) for first in range(2) for second in range(2)]
    sums = draws.sums(rows, np.column_stack([*cells, (probability - observed) ** 2]).astype(float)).astype(float)
    found = quick_scores(sums[:, :4].reshape(-1, 2, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        found["brier"] = sums[:, 4] / sums[:, :4].sum(axis=1)
    return {name: _bounds(values) for name, values in found.items()}


def mean_interval(rows: np.ndarray, values: np.ndarray, draws: Resamples) -> list[float]:
    """Interval of 95 % of the mean of some values ``[row]``, drawing whole places."""
    sums = draws.sums(rows, np.column_stack([values, np.ones(len(values))]).astype(float)).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _bounds(sums[:, 0] / sums[:, 1])


def _bounds(values: np.ndarray) -> list[float]:
    values = values[np.isfinite(values)]
    if not values.size:
        return [NAN, NAN]
    return np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()


def group_scores(
    rows: np.ndarray, observed: np.ndarray, probability: np.ndarray, groups: Mapping[str, np.ndarray], draws: Resamples
) -> dict[str, dict[str, dict[str, Any]]]:
    """Scores by season, year, land cover and whatever else has groups.

    Parameters
    ----------
    rows : ndarray of int
        Samples that the arrays are of.
    groups : mapping
        Kind of group to the group of **every** sample, texts; empty: none.

    Returns
    -------
    dict
        ``{kind: {group: {count, frozen, overall_accuracy, kappa, mcc, balanced_accuracy, f1_macro, f1_frozen, interval}}}``;
        ``frozen`` is the share of frozen cell-days. Kappa and its kin say nothing of a group of one state and are NaN there.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for kind, labels in groups.items():
        own = np.asarray(labels)[rows]
        found[kind] = {}
        for name in sorted({str(label) for label in own.tolist()} - {""}):
            chosen = own == name
            if not (np.isfinite(observed[chosen]) & np.isfinite(probability[chosen])).any():
                continue
            found[kind][name] = _short(rows[chosen], observed[chosen], probability[chosen], draws)
    return found


def _short(rows: np.ndarray, observed: np.ndarray, probability: np.ndarray, draws: Resamples) -> dict[str, Any]:
    scores = state_scores(observed, probability)
    one_state = len(np.unique(observed[np.isfinite(observed)])) < 2
    undefined = ("kappa", "mcc", "balanced_accuracy", "f1_macro") if one_state else ()
    bounds = intervals(rows, observed, probability, draws)
    return {
        "count": scores["count"],
        "frozen": float(np.nanmean(observed)),
        **{name: NAN if name in undefined else scores[name] for name in SHORT},
        "f1_frozen": scores["f1"][STATES[FROZEN]],
        "confusion": scores["confusion"],
        "interval": {"overall_accuracy": bounds["overall_accuracy"]},
    }


def day_groups(
    dates: np.ndarray,
    *,
    transition_months: Sequence[int] = TRANSITION_MONTHS,
    categories: Mapping[str, np.ndarray] | None = None,
    heights: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Groups of samples: season, months of transition or not, year, categories and quarters of a height.

    Parameters
    ----------
    dates : ndarray of datetime64
    categories : mapping of str to ndarray
        Codes ``[sample]``, NaN where unknown.
    heights : mapping of str to ndarray
        Numbers ``[sample]``, cut at their quartiles.

    Examples
    --------
    >>> found = day_groups(np.array(["2012-01-05", "2012-04-05"], "datetime64[D]"), categories={"cover": np.array([3.0, np.nan])})
    >>> {kind: labels.tolist() for kind, labels in found.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'season': ['DJF', 'MAM'], 'transition': ['other months', 'transition months'], 'year': ['2012', '2012'],
     'cover': ['3', 'missing']}
    """
    month = dates.astype("datetime64[M]").astype(int) % 12 + 1
    found = {
        "season": np.array([SEASONS[one] for one in range(1, 13)], object)[month - 1],
        "transition": np.where(np.isin(month, transition_months), "transition months", "other months").astype(object),
        "year": (dates.astype("datetime64[Y]").astype(int) + 1970).astype(str).astype(object),
    }
    for name, codes in (categories or {}).items():
        codes = np.asarray(codes, float)
        found[name] = np.array([f"{code:g}" if np.isfinite(code) else "missing" for code in codes.tolist()], object)
    for name, values in (heights or {}).items():
        found[name] = _quarters(np.asarray(values, float))
    return found


def _quarters(values: np.ndarray) -> np.ndarray:
    """The quarter of each value, lowest first, under the bounds of it."""
    known = np.isfinite(values)
    labels = np.full(len(values), "missing", object)
    if not known.any():
        return labels
    edges = np.quantile(values[known], [0, 0.25, 0.5, 0.75, 1])
    quarter = np.searchsorted(edges[1:4], values[known], side="right")
    names = [f"{place + 1}: {edges[place]:.0f} to {edges[place + 1]:.0f}" for place in range(4)]
    labels[known] = np.array(names, object)[quarter]
    return labels


def worst_places(
    place: np.ndarray,
    observed: np.ndarray,
    probability: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *,
    least: int = LEAST_OF_A_CELL,
    most: int = WORST,
) -> list[dict[str, Any]]:
    """The cells with the lowest accuracy among those with enough tested days, worst first."""
    keep = np.isfinite(observed) & np.isfinite(probability)
    names, first, code = np.unique(place[keep], return_index=True, return_inverse=True)
    counts = np.bincount(code)
    right = np.bincount(code, weights=(probability[keep] >= 0.5) == (observed[keep] == 1))
    ranked = [number for number in np.lexsort([names, right / np.maximum(counts, 1)]) if counts[number] >= least]
    return [
        {
            "cell": int(names[number]),
            "x": float(x[keep][first[number]]),
            "y": float(y[keep][first[number]]),
            "count": int(counts[number]),
            "overall_accuracy": float(right[number] / counts[number]),
        }
        for number in ranked[:most]
    ]


def site_scores(sites: np.ndarray, observed: np.ndarray, probability: np.ndarray) -> dict[str, dict[str, Any]]:
    """Every site's own scores, sites by name."""
    found = {}
    for name in sorted(set(sites.tolist()) - {""}):
        chosen = sites == name
        if not np.isfinite(probability[chosen]).any():
            continue
        scores = state_scores(observed[chosen], probability[chosen])
        found[name] = {key: scores[key] for key in ("count", *SHORT, "brier", "confusion")}
        found[name]["frozen"] = float(np.mean(observed[chosen]))
    return found
