"""Paired differences of error between two predictors that were scored on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import t as student

from alm_core.errors import FoldsError

Split = tuple[np.ndarray, np.ndarray]
"""Rows that train, rows that are tested."""


@dataclass(frozen=True)
class PairedDifference:
    """How much larger the error of one predictor is than that of another.

    Attributes
    ----------
    rmse_difference : float
        Pooled root mean squared error of the first less that of the second, in the unit of the target.
    standard_error : float
    p_value : float
        Two-sided, that there is no difference; NaN with fewer than two folds.
    """

    rmse_difference: float
    standard_error: float
    p_value: float

    def to_dict(self) -> dict[str, float | None]:
        """Plain values for JSON; None for NaN."""
        return {name: float(value) if np.isfinite(value) else None for name, value in asdict(self).items()}


def paired_difference(first: np.ndarray, second: np.ndarray, splits: Sequence[Split]) -> PairedDifference:
    """Compare two predictors by their squared errors in every fold.

    Parameters
    ----------
    first, second : ndarray, ``[split, ...]`` or sequence of ndarray
        Squared errors of the tested rows of each split, in the order of the split.
    splits : sequence of (training rows, tested rows)
        Of one or of many repeats.

    Returns
    -------
    PairedDifference

    Raises
    ------
    FoldsError
        Errors and folds don't match.

    Notes
    -----
    Training sets of a cross-validation overlap, so the plain standard error of fold means is too small and finds differences
    where there are none. Nadeau and Bengio (2003, Machine Learning 52:239) add the quotient of test and training size:
    ``var = s2 (1 / J + n_test / n_train)`` over J folds, with ``J - 1`` degrees of freedom. Folds of unequal size are weighted
    by their sites, which makes the mean the pooled one; then ``1 / J`` becomes ``sum(w**2)``. A difference of mean squared errors
    over the sum of both root mean squared errors is the difference of the latter; its standard error is divided likewise, the
    sum taken as fixed.

    Examples
    --------
    >>> splits = [(np.arange(2, 6), np.arange(2)), (np.r_[0:2, 4:6], np.arange(2, 4)), (np.arange(4), np.arange(4, 6))]
    >>> errors = [np.array([4.0, 4.0]), np.array([4.0, 4.0]), np.array([4.0, 4.0])]
    >>> found = paired_difference(errors, [np.ones(2)] * 3, splits)
    >>> found.rmse_difference, found.standard_error, found.p_value
    (1.0, 0.0, 0.0)
    """
    if not len(first) == len(second) == len(splits) or not splits:
        raise FoldsError(
            f"Errors of {len(first)} and {len(second)} folds came with {len(splits)} folds: one of each is expected."
        )
    sizes = np.array([len(tested) for _, tested in splits], float)
    weights = sizes / sizes.sum()
    means = [np.array([float(np.mean(part)) for part in errors]) for errors in (first, second)]
    scale = float(np.sqrt(weights @ means[0]) + np.sqrt(weights @ means[1]))
    difference = means[0] - means[1]
    mean = float(weights @ difference)
    if scale == 0.0:
        return PairedDifference(0.0, 0.0, 1.0)
    error = _corrected_error(difference, weights, splits)
    return PairedDifference(mean / scale, error / scale, _p_value(mean, error, 1.0 / float(np.sum(weights**2)) - 1.0))


def rmse_error(errors: Sequence[np.ndarray], splits: Sequence[Split]) -> float:
    """Standard error of a pooled root mean squared error, corrected like that of a difference; NaN with one fold.

    Parameters
    ----------
    errors : sequence of ndarray
        Squared errors of the tested rows of each split.
    splits : sequence of (training rows, tested rows)
    """
    sizes = np.array([len(tested) for _, tested in splits], float)
    weights = sizes / sizes.sum()
    means = np.array([float(np.mean(part)) for part in errors])
    rmse = float(np.sqrt(weights @ means))
    return _corrected_error(means, weights, splits) / (2.0 * rmse) if rmse > 0 else 0.0


def _corrected_error(values: np.ndarray, weights: np.ndarray, splits: Sequence[Split]) -> float:
    """Standard error of the weighted mean of fold values by Nadeau and Bengio."""
    share = float(np.sum(weights**2))
    if share >= 1.0:
        return float("nan")
    variance = float(weights @ (values - weights @ values) ** 2) / (1.0 - share)
    quotient = float(np.mean([len(tested) / len(trained) for trained, tested in splits]))
    return float(np.sqrt(variance * (share + quotient)))


def _p_value(mean: float, error: float, freedom: float) -> float:
    """Two-sided, by Student's t."""
    if not np.isfinite(error):
        return float("nan")
    if error == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return float(2.0 * student.sf(abs(mean) / error, max(freedom, 1.0)))
