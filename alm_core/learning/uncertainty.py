"""Prediction intervals by cross-conformal calibration.

`fit_interval` serves maps: a few numbers and one small table give the width at any pixel. `cv_plus` is the exact CV+ interval of
Barber et al. (2021), which needs the predictions of every fold's model at every new point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import DomainError, SitesError
from alm_core.learning.curves import effective_count, kernel_weights, smooth_mean

PARTS = 5
MINIMUM_SITES = 10
GRID_SIZE = 32
# In standard deviations of the value: wider than the fusion's kernel, because widths vary slowly and errors are noisy.
BANDWIDTH = 0.5
PRIOR_SITES = 20.0
# The spread of the members may explain at most this share of the variance, so that members that agree never promise certainty.
LARGEST_SHARE = 0.95
# Log-likelihood that a width following the spread must gain over a constant one (about one parameter's worth, with margin).
LEAST_GAIN = 2.0
ALL = "all"


@dataclass(frozen=True)
class ErrorScale:
    """Expected size of the error: ``sqrt(floor^2 + (slope * spread)^2) * factor(value)``.

    Attributes
    ----------
    floor : float
        Size of the error where the members agree; above 0.
    slope : float
        How much of the members' spread counts.
    grid, factor : ndarray
        Table of a factor over the predicted value [grid]; linear between, held at its ends.
    """

    floor: float
    slope: float
    grid: np.ndarray
    factor: np.ndarray

    def at(self, value: np.ndarray, spread: np.ndarray | None) -> np.ndarray:
        """Size of the error for predicted values and spreads of any shape; NaN stays NaN."""
        value = np.asarray(value, dtype=float)
        size = np.interp(value, self.grid, self.factor)
        if self.slope == 0 or spread is None:
            return size * self.floor
        return size * np.sqrt(self.floor**2 + (self.slope * np.asarray(spread, dtype=float)) ** 2)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists; exact."""
        return {"floor": self.floor, "slope": self.slope, "grid": self.grid.tolist(), "factor": self.factor.tolist()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ErrorScale:
        """Inverse of `to_dict`."""
        tables = (np.array(content[name], dtype=float) for name in ("grid", "factor"))
        return cls(float(content["floor"]), float(content["slope"]), *tables)


@dataclass(frozen=True)
class IntervalModel:
    """Bounds ``value - low * size`` and ``value + high * size``.

    Attributes
    ----------
    level : float
        Nominal coverage.
    scale : ErrorScale
        Size of the error.
    quantiles : mapping of str to (low, high)
        Calibrated multiples, per group; "all" serves everything without a group or with an unknown one.
    sites, left_out : int
        Pairs used, and pairs left out because something was missing.
    guaranteed : bool
        False where there are too few sites for the level, so that the largest score was taken instead.
    """

    level: float
    scale: ErrorScale
    quantiles: Mapping[str, tuple[float, float]]
    sites: int = 0
    left_out: int = 0
    guaranteed: bool = True

    def bounds(
        self,
        value: np.ndarray,
        spread: np.ndarray | None = None,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        groups: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bound for predicted values of any shape, cut to the physical range.

        Parameters
        ----------
        value, spread : ndarray
            Predicted value and spread of the members, same shape. The spread may be left out where the model does not use it.
        minimum, maximum : float, optional
            Physical range.
        groups : ndarray, optional
            Labels of a model fitted by group, same shape as the value.
        """
        if spread is None and self.scale.slope != 0:
            raise DomainError("this interval follows the spread of the members, but none was given: pass spread=")
        value = np.asarray(value, dtype=float)
        size = self.scale.at(value, spread)
        low, high = self._multiples(groups, value.shape)
        lower, upper = value - low * size, value + high * size
        if minimum is not None or maximum is not None:
            lower, upper = np.clip(lower, minimum, maximum), np.clip(upper, minimum, maximum)
        return lower, upper

    @property
    def common_multiples(self) -> tuple[float, float]:
        """Multiples below and above of everything without a group."""
        return self.quantiles[ALL]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` gives the same bounds bit for bit."""
        return {
            "level": self.level,
            "scale": self.scale.to_dict(),
            "quantiles": {group: list(pair) for group, pair in self.quantiles.items()},
            "sites": self.sites,
            "left_out": self.left_out,
            "guaranteed": self.guaranteed,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> IntervalModel:
        """Inverse of `to_dict`."""
        return cls(
            content["level"],
            ErrorScale.from_dict(content["scale"]),
            {group: (float(low), float(high)) for group, (low, high) in content["quantiles"].items()},
            content["sites"],
            content["left_out"],
            content["guaranteed"],
        )

    def _multiples(self, groups: np.ndarray | None, shape: tuple[int, ...]) -> tuple[np.ndarray | float, np.ndarray | float]:
        if groups is None:
            return self.common_multiples
        groups = np.asarray(groups).astype(str)
        if groups.shape != shape:
            raise DomainError(f"groups of shape {groups.shape} for values of shape {shape}: one label per value is expected")
        low, high = (np.full(shape, multiple) for multiple in self.common_multiples)
        for group, pair in self.quantiles.items():
            if group != ALL:
                low[groups == group], high[groups == group] = pair
        return low, high


def fit_interval(
    value: np.ndarray,
    spread: np.ndarray | None,
    y: np.ndarray,
    *,
    level: float = 0.9,
    normalise: bool = True,
    asymmetric: bool = False,
    groups: np.ndarray | None = None,
) -> IntervalModel:
    """Calibrate the width of intervals on out-of-fold pairs.

    The score of a site is its absolute error over its expected size; the interval is the predicted value plus and minus the
    ``ceil(level (n + 1))``-th smallest score times the expected size. The expected size is learned from the same pairs, so each
    site's score uses a size learned without its part of the sites (five parts, dealt along the predicted value).

    Parameters
    ----------
    value : ndarray
        Fused and corrected out-of-fold predictions [site]; nothing fitted on a site's own observation.
    spread : ndarray or None
        Spread of the members at the sites [site] (`Fusion.spread`), or None.
    y : ndarray
        Observations [site].
    level : float
        Wanted coverage, between 0 and 1.
    normalise : bool
        False gives one constant width.
    asymmetric : bool
        Calibrate the two sides apart, for skewed errors. Costs sites: each tail must be filled by itself.
    groups : ndarray, optional
        Labels [site] for calibration by group (Mondrian). A group too small for the level uses the common multiple.

    Returns
    -------
    IntervalModel

    Raises
    ------
    DomainError
        Level outside 0 to 1, or arrays that don't fit.
    SitesError
        Fewer than ten complete pairs, or nearly all errors zero.

    Notes
    -----
    Vovk (2015), cross-conformal predictors; Papadopoulos (2011), normalised scores. Coverage holds on average over places like
    the sites: not for a far-off place, for which see `alm_core.learning.applicability`.
    """
    if not 0 < level < 1:
        raise DomainError(f"interval level is {level}: a coverage between 0 and 1 is expected, for example 0.9")
    value, spread, y, groups, left_out = _complete(value, spread, y, groups)
    error = y - value
    # Four parts in five must hold an error to scale by, whichever part is held out.
    if np.count_nonzero(error) <= error.size // PARTS + 1:
        raise SitesError("nearly every error is 0: these are not out-of-fold predictions; an interval needs honest errors")
    scores = _out_of_part_scores(value, spread, error, normalise)
    quantiles = {ALL: _multiples(scores, level, asymmetric)}
    for group in [] if groups is None else np.unique(groups):
        inside = scores[groups == group]
        if _rank(_side_level(level, asymmetric), inside.size) <= inside.size:
            quantiles[str(group)] = _multiples(inside, level, asymmetric)
    enough = _rank(_side_level(level, asymmetric), y.size) <= y.size
    scale = fit_error_scale(value, spread, error, normalise=normalise)
    return IntervalModel(level, scale, quantiles, y.size, left_out, enough)


def fit_error_scale(value: np.ndarray, spread: np.ndarray | None, error: np.ndarray, *, normalise: bool = True) -> ErrorScale:
    """Learn how large errors are, from the members' spread and the predicted value.

    Floor and slope maximise the likelihood of Laplace errors, along a grid of the share that the spread explains; a share above 0
    must earn its parameter. The factor over the value is a kernel mean of absolute error over size, shrunk to 1 where few sites
    support it.
    """
    size, floor, slope = np.ones_like(error), 1.0, 0.0
    if normalise and spread is not None and np.ptp(spread) > 0:
        share, mean_square = _spread_share(spread, error), float(np.mean(spread**2))
        floor, slope = math.sqrt(1 - share), math.sqrt(share / mean_square)
        size = np.sqrt(floor**2 + (slope * spread) ** 2)
    level = float(np.mean(np.abs(error) / size))
    width = BANDWIDTH * float(value.std())
    if not normalise or width == 0:
        return ErrorScale(floor * level, slope * level, np.array([float(value.mean())]), np.ones(1))
    grid = np.linspace(*np.quantile(value, [0.01, 0.99]), GRID_SIZE)
    kernel = kernel_weights(value, grid, width)
    local = smooth_mean(kernel, np.abs(error) / size / level)
    count = effective_count(kernel)
    return ErrorScale(floor * level, slope * level, grid, (count * local + PRIOR_SITES) / (count + PRIOR_SITES))


def cv_plus(
    fold_predictions: np.ndarray, folds: np.ndarray, out_of_fold: np.ndarray, y: np.ndarray, *, level: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    """CV+ interval at new points.

    With Q_i the prediction of the model that did not see site i and R_i the absolute out-of-fold error of site i, the bounds are
    the ``floor((1 - level)(n + 1))``-th smallest Q_i - R_i and the ``ceil(level (n + 1))``-th smallest Q_i + R_i.

    Parameters
    ----------
    fold_predictions : ndarray
        [fold, point]: predictions at the new points of the model trained without that fold.
    folds : ndarray of int
        Fold of each site [site], counted from 0.
    out_of_fold, y : ndarray
        Out-of-fold predictions and observations [site].
    level : float
        Wanted coverage. Guaranteed is 1 - 2 (1 - level), seen is about `level`.

    Returns
    -------
    lower, upper : ndarray
        [point]; infinite where there are too few sites for the level.

    Notes
    -----
    Barber, Candes, Ramdas and Tibshirani (2021), Annals of Statistics 49:486-507.
    """
    predictions = np.asarray(fold_predictions, dtype=float)
    folds, residual = np.asarray(folds), np.abs(np.asarray(y, dtype=float) - np.asarray(out_of_fold, dtype=float))
    if not 0 < level < 1:
        raise DomainError(f"interval level is {level}: a coverage between 0 and 1 is expected, for example 0.9")
    if predictions.ndim != 2 or folds.shape != residual.shape or folds.min() < 0 or folds.max() >= len(predictions):
        raise DomainError(
            f"fold predictions of shape {predictions.shape} for folds {folds.min()} to {folds.max()} of {residual.size} sites: "
            "[fold, point] with one row per fold, counted from 0, is expected"
        )
    if not np.isfinite(residual).all():
        raise DomainError("out-of-fold predictions or observations are missing: leave those sites out first")
    lower_rank, upper_rank = math.floor((1 - level) * (residual.size + 1) + 1e-9), _rank(level, residual.size)
    lower = np.full(predictions.shape[1], -np.inf)
    upper = np.full(predictions.shape[1], np.inf)
    # Chunks hold [site, point] to some 30 MB.
    step = max(1, 4_000_000 // residual.size)
    for start in range(0, predictions.shape[1], step):
        part = predictions[folds, start : start + step]
        if lower_rank >= 1:
            lower[start : start + step] = np.partition(part - residual[:, None], lower_rank - 1, axis=0)[lower_rank - 1]
        if upper_rank <= residual.size:
            upper[start : start + step] = np.partition(part + residual[:, None], upper_rank - 1, axis=0)[upper_rank - 1]
    missing = np.isnan(predictions).any(axis=0)
    lower[missing] = upper[missing] = np.nan
    return lower, upper


def _rank(level: float, count: int) -> int:
    """Finite-sample rank ceil(level (n + 1)); the small number forgives floating-point dust."""
    return math.ceil(level * (count + 1) - 1e-9)


def _side_level(level: float, asymmetric: bool) -> float:
    return (1 + level) / 2 if asymmetric else level


def _multiples(scores: np.ndarray, level: float, asymmetric: bool) -> tuple[float, float]:
    """Multiples below and above, from signed scores (observed less predicted, over size)."""
    rank = min(_rank(_side_level(level, asymmetric), scores.size), scores.size)
    if not asymmetric:
        both = float(np.sort(np.abs(scores))[rank - 1])
        return both, both
    # An interval that excludes its own centre helps nobody, so neither side goes below 0.
    return max(float(np.sort(-scores)[rank - 1]), 0.0), max(float(np.sort(scores)[rank - 1]), 0.0)


def _out_of_part_scores(value: np.ndarray, spread: np.ndarray | None, error: np.ndarray, normalise: bool) -> np.ndarray:
    """Signed error over a size learned without the site's own part."""
    part = np.empty(error.size, dtype=int)
    part[np.lexsort((error, value))] = np.arange(error.size) % PARTS
    scores = np.empty(error.size)
    for number in range(PARTS):
        held, rest = part == number, part != number
        scale = fit_error_scale(value[rest], None if spread is None else spread[rest], error[rest], normalise=normalise)
        # A constant width needs no scale of its own: the quantile alone is exact.
        size = scale.at(value[held], None if spread is None else spread[held]) if normalise else float(np.mean(np.abs(error)))
        scores[held] = error[held] / size
    return scores


def _spread_share(spread: np.ndarray, error: np.ndarray) -> float:
    """Share of the error variance that follows the spread, by the profile likelihood of Laplace errors."""
    relative = spread**2 / np.mean(spread**2)
    shares = np.linspace(0, LARGEST_SHARE, 20)
    size = np.sqrt((1 - shares)[:, None] + shares[:, None] * relative)
    loss = error.size * np.log(np.mean(np.abs(error) / size, axis=1)) + np.log(size).sum(axis=1)
    best = int(np.argmin(loss))
    return float(shares[best]) if loss[0] - loss[best] > LEAST_GAIN else 0.0


def _complete(
    value: np.ndarray, spread: np.ndarray | None, y: np.ndarray, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, np.ndarray | None, int]:
    """Complete rows of all that was given, and the number left out."""
    value, y = np.asarray(value, dtype=float), np.asarray(y, dtype=float)
    spread = None if spread is None else np.asarray(spread, dtype=float)
    groups = None if groups is None else np.asarray(groups).astype(str)
    if value.ndim != 1 or any(part is not None and part.shape != value.shape for part in (y, spread, groups)):
        raise DomainError("values, spreads, observations and groups of different lengths: one of each per site is expected")
    keep = np.isfinite(value) & np.isfinite(y)
    if spread is not None:
        keep &= np.isfinite(spread)
    if keep.sum() < MINIMUM_SITES:
        raise SitesError(
            f"{int(keep.sum())} of {y.size} sites have all that an interval needs: at least {MINIMUM_SITES} are expected"
        )
    left_out = int(y.size - keep.sum())
    return (
        value[keep],
        None if spread is None else spread[keep],
        y[keep],
        None if groups is None else groups[keep],
        left_out,
    )
