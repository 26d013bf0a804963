"""Scores of predicted numbers against observed ones, with intervals from a bootstrap over groups.

R2 here is always 1 - SSE/SST (model efficiency), which punishes bias; the squared correlation, which does not, is `r_squared`.
Scores of classes are in `alm_core.learning.class_metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import DomainError, SitesError
from alm_core.learning.class_metrics import class_scores
from alm_core.learning.curves import SmoothedCurve, smooth_line

NAN = float("nan")
Metric = Callable[[np.ndarray, np.ndarray], float | Mapping[str, Any]]
# The scores that every table shows, in the few operations that thousands of resamples can afford; they take complete pairs.
QUICK: dict[str, Metric] = {
    "r2": lambda y, f: 1 - _ratio(float(np.sum((f - y) ** 2)), float(np.sum((y - y.mean()) ** 2))),
    "rmse": lambda y, f: float(np.sqrt(np.mean((f - y) ** 2))),
    "mae": lambda y, f: float(np.mean(np.abs(f - y))),
    "mean_error": lambda y, f: float(np.mean(f - y)),
}
CLASS_SCORES = (
    "overall_accuracy",
    "kappa",
    "balanced_accuracy",
    "mcc",
    "f1_macro",
    "quantity_disagreement",
    "allocation_disagreement",
    "brier",
    "log_loss",
)


def regression_scores(
    y: np.ndarray,
    f: np.ndarray,
    *,
    lower: np.ndarray | None = None,
    upper: np.ndarray | None = None,
    level: float = 0.9,
) -> dict[str, float]:
    """All scores of a prediction.

    Parameters
    ----------
    y, f : ndarray
        Observed and predicted values [site]. Pairs with a missing side are left out and counted under ``missing``.
    lower, upper : ndarray, optional
        Bounds of the prediction interval [site].
    level : float
        Nominal coverage of the interval, for its score.

    Returns
    -------
    dict
        ``count, missing``;
        ``mean_error`` (f - y), ``mae``, ``rmse``, ``ubrmse`` (RMSE without the mean error; Taylor's centred RMSE);
        ``r2`` 1 - SSE/SST, ``r`` correlation, ``r_squared`` its square; ``slope`` of f on y;
        ``ccc`` Lin's concordance, ``kge`` Kling-Gupta efficiency (2009); ``rpiq`` interquartile range of y over RMSE;
        ``sd_observed, sd_predicted, sd_ratio``;
        ``tail_bias_low, tail_bias_high`` mean error in the lowest and highest tenth of y;
        ``cdf_rmse`` RMSE between the sorted values of both;
        ``target_x, target_y`` target diagram: signed ubRMSE and mean error over sd of y, x < 0 where f varies less than y;
        with bounds ``picp`` coverage, ``mpiw`` mean width, ``interval_score`` (Gneiting and Raftery 2007).
        What a sample can't answer (one site, a constant) is NaN.

    Raises
    ------
    DomainError
        Different lengths, or only one bound.
    SitesError
        No complete pair.

    Examples
    --------
    >>> scores = regression_scores(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    >>> round(scores["rmse"], 3), round(scores["r2"], 3)
    (0.577, 0.5)
    """
    y, f, lower, upper, missing = _complete(y, f, lower, upper)
    error = f - y
    mean_error, rmse = float(error.mean()), float(np.sqrt(np.mean(error**2)))
    scores: dict[str, float] = {
        "count": float(y.size),
        "missing": float(missing),
        "mean_error": mean_error,
        "mae": float(np.abs(error).mean()),
        "rmse": rmse,
        "ubrmse": float(error.std()),
        "cdf_rmse": float(np.sqrt(np.mean((np.sort(f) - np.sort(y)) ** 2))),
        "rpiq": _ratio(float(np.subtract(*np.quantile(y, [0.75, 0.25]))), rmse),
    }
    scores |= _agreement(y, f, rmse) | tail_bias(y, f)
    if lower is not None and upper is not None:
        scores |= interval_scores(y, lower, upper, level=level)
    return scores


def tail_bias(y: np.ndarray, f: np.ndarray, *, part: float = 0.1) -> dict[str, float]:
    """Mean error f - y in the lowest and in the highest `part` of the observed values."""
    low, high = np.quantile(y, [part, 1 - part])
    error = f - y
    return {"tail_bias_low": float(error[y <= low].mean()), "tail_bias_high": float(error[y >= high].mean())}


def interval_scores(y: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, level: float = 0.9) -> dict[str, float]:
    """Coverage, mean width and interval score (width + 2 / (1 - level) times the miss) of prediction intervals."""
    miss = np.maximum(lower - y, 0) + np.maximum(y - upper, 0)
    return {
        "picp": float(np.mean((lower <= y) & (y <= upper))),
        "mpiw": float(np.mean(upper - lower)),
        "interval_score": float(np.mean(upper - lower + 2 / (1 - level) * miss)),
    }


def coverage_by_tercile(
    y: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, by: np.ndarray | None = None
) -> tuple[float, ...]:
    """Coverage in the lowest, middle and highest third of `by` (default: the observed values themselves).

    Equal values stay in one third, so thirds of a discrete variable differ in size; an empty third gives NaN.
    """
    by = y if by is None else by
    third = np.searchsorted(np.quantile(by, [1 / 3, 2 / 3]), by, side="left")
    inside = (lower <= y) & (y <= upper)
    return tuple(float(inside[third == number].mean()) if (third == number).any() else NAN for number in range(3))


def frontier(r: float, sd_ratio: np.ndarray | float) -> np.ndarray:
    """R2 of an unbiased map that correlates by r with the truth and is stretched to `sd_ratio`.

    R2 = 2 r s - s^2: greatest (r^2) at s = r, and 2 r - 1 where the range is restored in full (s = 1). The price of range.

    Examples
    --------
    >>> float(frontier(0.8, 0.8).round(9)), float(frontier(0.8, 1.0).round(9))
    (0.64, 0.6)
    """
    sd_ratio = np.asarray(sd_ratio, dtype=float)
    return 2 * r * sd_ratio - sd_ratio**2


@dataclass(frozen=True)
class BiasCurves:
    """The two faces of bias.

    `against_observed` is E[f - y | y]: too high at the low end and too low at the high end for every imperfect map.
    `against_predicted` is E[y - f | f]: zero everywhere for a calibrated map; only this fault can be mended at no price.
    """

    against_observed: SmoothedCurve
    against_predicted: SmoothedCurve

    def to_dict(self) -> dict[str, dict[str, list[float]]]:
        """Plain lists."""
        return {"against_observed": self.against_observed.to_dict(), "against_predicted": self.against_predicted.to_dict()}


def bias_curves(y: np.ndarray, f: np.ndarray, *, bandwidth: float = 0.35, points: int = 50) -> BiasCurves:
    """Both bias curves, local-linear smoothed, with standard errors and effective counts.

    Parameters
    ----------
    y, f : ndarray
        Observed and out-of-fold predicted values [site]; incomplete pairs are left out.
    bandwidth : float
        Kernel width in standard deviations of the abscissa.
    points : int
        Grid values per curve, even from the 1st to the 99th percentile.

    Raises
    ------
    SitesError
        Fewer than ten complete pairs, or all of one value.
    """
    y, f, *_ = _complete(y, f, None, None)
    if y.size < 10 or np.ptp(y) == 0 or np.ptp(f) == 0:
        raise SitesError(f"{y.size} pairs, or all of one value: bias curves need at least 10 pairs that differ")
    return BiasCurves(_smoothed(y, f - y, bandwidth, points), _smoothed(f, y - f, bandwidth, points))


def bootstrap_interval(
    y: np.ndarray,
    f: np.ndarray,
    metric: str | Metric,
    *,
    groups: np.ndarray | None = None,
    n: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of one score, by resampling whole groups with replacement.

    Parameters
    ----------
    y, f : ndarray
        Observed and predicted [site, ...].
    metric : str or callable
        A number that `regression_scores` or `class_scores` names, or ``metric(y, f) -> float``.
    groups : ndarray, optional
        Group (survey) of each site. Sites of one survey err together, so resampling single sites would promise too much.
        None, or a single group, resamples sites.
    n, level, seed : int, float, int
        Resamples, coverage, seed.

    Returns
    -------
    low, high : float
        NaN where the score can't be computed on any resample.
    """
    y, f = np.asarray(y), np.asarray(f)
    if metric in QUICK and y.shape == f.shape:
        keep = np.isfinite(y) & np.isfinite(f)
        y, f, groups = y[keep], f[keep], None if groups is None else _group_names(groups, keep.size)[keep]
    if isinstance(metric, str):
        scored = QUICK.get(metric, class_scores if metric in CLASS_SCORES else regression_scores)
        name = "score" if metric in QUICK else metric
    else:
        scored, name = metric, "score"
    intervals = bootstrap_intervals(y, f, scored, groups=groups, n=n, level=level, seed=seed)
    if name not in intervals:
        raise DomainError(f"score {name!r} is unknown: choose one of {', '.join(sorted(intervals))}")
    return intervals[name]


def bootstrap_intervals(
    y: np.ndarray,
    f: np.ndarray,
    scores: Metric = regression_scores,
    *,
    groups: np.ndarray | None = None,
    n: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of every score that `scores` gives, all from the same resamples; see `bootstrap_interval`."""
    y, f = np.asarray(y), np.asarray(f)
    if y.shape[0] != f.shape[0]:
        raise DomainError(f"{y.shape[0]} observations and {f.shape[0]} predictions: one of each per site is expected")
    if n < 1 or not 0 < level < 1:
        raise DomainError(f"{n} resamples at level {level}: at least 1, and a level between 0 and 1, are expected")
    members = _group_members(y.shape[0], groups)
    rng = np.random.default_rng(seed)
    drawn: list[Mapping[str, Any]] = []
    for _ in range(n):
        pick = np.concatenate([members[number] for number in rng.integers(0, len(members), len(members))])
        result = scores(y[pick], f[pick])
        drawn.append(result if isinstance(result, Mapping) else {"score": float(result)})
    edges = [(1 - level) / 2, (1 + level) / 2]
    intervals = {}
    for name in [name for name, value in drawn[0].items() if isinstance(value, int | float)]:
        values = np.array([one[name] for one in drawn], dtype=float)
        values = values[np.isfinite(values)]
        low, high = np.quantile(values, edges) if values.size else (NAN, NAN)
        intervals[name] = (float(low), float(high))
    return intervals


def _group_members(count: int, groups: np.ndarray | None) -> list[np.ndarray]:
    """Row numbers of each group, groups in the order of their names."""
    if groups is None:
        return list(np.arange(count)[:, None])
    names, place = np.unique(_group_names(groups, count), return_inverse=True)
    if names.size < 2:
        return list(np.arange(count)[:, None])
    return [np.flatnonzero(place == number) for number in range(names.size)]


def _group_names(groups: np.ndarray, count: int) -> np.ndarray:
    groups = np.asarray(groups).astype(str)
    if groups.shape != (count,):
        raise DomainError(f"{groups.size} groups for {count} sites: one group per site is expected")
    return groups


def _agreement(y: np.ndarray, f: np.ndarray, rmse: float) -> dict[str, float]:
    """Scores made of means, standard deviations and correlation."""
    sd_y, sd_f = float(y.std()), float(f.std())
    mean_y, mean_f = float(y.mean()), float(f.mean())
    covariance = float(np.mean((y - mean_y) * (f - mean_f)))
    r = _ratio(covariance, sd_y * sd_f)
    ubrmse = float((f - y).std())
    return {
        "r2": 1 - _ratio(rmse**2, sd_y**2),
        "r": r,
        "r_squared": r**2,
        "slope": _ratio(covariance, sd_y**2),
        "ccc": _ratio(2 * covariance, sd_f**2 + sd_y**2 + (mean_f - mean_y) ** 2),
        "kge": 1 - float(np.sqrt((r - 1) ** 2 + (_ratio(sd_f, sd_y) - 1) ** 2 + (_ratio(mean_f, mean_y) - 1) ** 2)),
        "sd_observed": sd_y,
        "sd_predicted": sd_f,
        "sd_ratio": _ratio(sd_f, sd_y),
        "target_x": _ratio(ubrmse, sd_y) * (1 if sd_f >= sd_y else -1),
        "target_y": _ratio(mean_f - mean_y, sd_y),
    }


def _ratio(above: float, below: float) -> float:
    """Quotient, NaN for a zero divisor."""
    return above / below if below != 0 else NAN


def _smoothed(x: np.ndarray, error: np.ndarray, bandwidth: float, points: int) -> SmoothedCurve:
    low, high = np.quantile(x, [0.01, 0.99])
    if low == high:
        low, high = x.min(), x.max()
    return smooth_line(x, error, np.linspace(low, high, points), bandwidth * float(x.std()))


def _complete(
    y: np.ndarray, f: np.ndarray, lower: np.ndarray | None, upper: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None, int]:
    """Complete rows as floats, and how many were left out."""
    if (lower is None) != (upper is None):
        raise DomainError("only one bound of the interval was given: give lower and upper, or neither")
    parts = [None if part is None else np.asarray(part, dtype=float) for part in (y, f, lower, upper)]
    shapes = {part.shape for part in parts if part is not None}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        raise DomainError(f"scores got arrays of shapes {sorted(shapes)}: one value per site in each is expected")
    keep = np.logical_and.reduce([np.isfinite(part) for part in parts[:2] if part is not None])
    for bound in parts[2:]:
        # An infinite bound is honest (too few sites for the level); a missing one is not.
        keep &= True if bound is None else ~np.isnan(bound)
    if not keep.any():
        raise SitesError(f"none of {keep.size} sites has both an observation and a prediction: nothing can be scored")
    first, second, third, fourth = (None if part is None else part[keep] for part in parts)
    return first, second, third, fourth, int(keep.size - keep.sum())
