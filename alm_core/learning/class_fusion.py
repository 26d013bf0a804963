"""Fusion of class probabilities: several classifiers become one label, its probabilities and a margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import DomainError, LearnerError, SitesError
from alm_core.learning.curves import increasing, smooth_line
from alm_core.learning.fusion import check_no_leak
from alm_core.learning.weighting import (
    METHODS,
    PRIOR_SITES,
    inverse_error_weights,
    manual_weights,
    simplex_least_squares,
    weighted_sum,
)

GRID_SIZE = 33
MINIMUM_SITES = 5
MISSING = -1
FORMAT = 1


@dataclass(frozen=True)
class ClassPrediction:
    """Fused classes.

    Attributes
    ----------
    label : ndarray of int16
        Number of the most probable class [...]; -1 where a member is missing. Of equals the first.
    probability : ndarray
        [class, ...], sums to one; NaN where missing.
    margin : ndarray
        Probability of the first class less that of the second [...].
    """

    label: np.ndarray
    probability: np.ndarray
    margin: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain lists."""
        return {name: getattr(self, name).tolist() for name in ("label", "probability", "margin")}


@dataclass(frozen=True)
class ClassFusion:
    """A fitted fusion of classifiers.

    Attributes
    ----------
    learners, classes : tuple of str
        Names, in the order of the members' first two axes.
    method : str
        As in regression: one of `METHODS`.
    weights : ndarray
        [learner, class], >= 0, each column sums to one.
    calibration : ndarray or None
        [learner, class, grid]: observed share of the class where the learner says the grid's probability; None = as it is.
        The grid is even from 0 to 1.
    sites, left_out : int
        Out-of-fold rows used, and rows left out because something was missing.
    """

    learners: tuple[str, ...]
    classes: tuple[str, ...]
    method: str
    weights: np.ndarray
    calibration: np.ndarray | None = None
    sites: int = 0
    left_out: int = 0

    def predict(self, members: np.ndarray) -> ClassPrediction:
        """Fuse probabilities [learner, class, ...] of any trailing shape.

        Raises
        ------
        DomainError
            The first two axes don't fit the learners and classes.
        """
        members = np.asarray(members)
        if members.ndim < 2 or members.shape[:2] != self.weights.shape:
            raise DomainError(
                f"members of shape {members.shape}: [{len(self.learners)} learners, {len(self.classes)} classes, ...] is expected"
            )
        total = np.zeros(members.shape[1:])
        for learner, number in np.ndindex(self.weights.shape):
            total[number] += self.weights[learner, number] * self._calibrated(members, learner, number)
        missing = ~np.isfinite(members).all(axis=(0, 1))
        whole = weighted_sum(np.ones(len(total)), total)
        # Calibration may find every class impossible; then all are alike.
        probability = np.divide(total, whole, out=np.full_like(total, 1 / len(self.classes)), where=whole > 0)
        probability[:, missing] = np.nan
        return _labelled(probability, missing)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` gives the same predictions bit for bit."""
        return {
            "format": FORMAT,
            "learners": list(self.learners),
            "classes": list(self.classes),
            "method": self.method,
            "weights": self.weights.tolist(),
            "calibration": None if self.calibration is None else self.calibration.tolist(),
            "sites": self.sites,
            "left_out": self.left_out,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ClassFusion:
        """Inverse of `to_dict`."""
        if content.get("format") != FORMAT:
            raise DomainError(
                f"a class fusion of format {content.get('format')!r}: {FORMAT} is expected; run the fusion stage again"
            )
        calibration = content["calibration"]
        return cls(
            tuple(content["learners"]),
            tuple(content["classes"]),
            content["method"],
            np.array(content["weights"], dtype=float),
            None if calibration is None else np.array(calibration, dtype=float),
            content["sites"],
            content["left_out"],
        )

    def _calibrated(self, members: np.ndarray, learner: int, number: int) -> np.ndarray:
        member = np.asarray(members[learner, number], dtype=float)
        if self.calibration is None:
            return member
        table = self.calibration[learner, number]
        return np.interp(member, np.linspace(0, 1, table.size), table)


def fit_class_fusion(
    members: np.ndarray,
    y: np.ndarray,
    *,
    learners: Sequence[str],
    classes: Sequence[str] | None = None,
    method: str = "bias_aware",
    weights: Mapping[str, float] | Sequence[float] | None = None,
    power: float = 2.0,
    gamma: float = 1.0,
    bandwidth: float = 0.35,
    fitted_sites: Sequence[Any] | None = None,
    scored_sites: Sequence[Any] | None = None,
) -> ClassFusion:
    """Fit weights on out-of-fold probabilities.

    Parameters
    ----------
    members : ndarray
        Out-of-fold probabilities [learner, class, site].
    y : ndarray of int
        Observed class numbers [site], from 0; negative = missing.
    learners, classes : sequence of str
        Names; classes default to their numbers.
    method : str
        - ``equal``, ``manual``: as in regression.
        - ``inverse_error``: weight ~ root Brier score ** -power.
        - ``least_squares``: least Brier score with weights >= 0 that sum to one.
        - ``bias_aware``: every learner's probability of every class is first calibrated (smoothed share of the class against the
          probability given, never falling, shrunk to no change where sites are few); the weight in class c is
          ~ 1 / (s_kc^2 + gamma * b_kc^2), with s_kc^2 the mean squared error after calibration and b_kc^2 the mean squared shift
          that calibration made (the reliability part of the Brier score).
    weights, power, gamma, bandwidth
        As in `alm_core.learning.fusion.fit_fusion`; the bandwidth is in standard deviations of the probability.
    fitted_sites, scored_sites : sequence, optional
        Site ids that must not overlap.

    Returns
    -------
    ClassFusion

    Raises
    ------
    LeakError, LearnerError, DomainError, SitesError
        As `fit_fusion`.
    """
    check_no_leak(fitted_sites, scored_sites)
    if method not in METHODS:
        raise LearnerError(f"fusion method {method!r} is unknown: choose one of {', '.join(METHODS)}")
    if not (power > 0 and gamma >= 0 and bandwidth > 0):
        raise DomainError(
            f"power {power}, gamma {gamma}, bandwidth {bandwidth}: power and bandwidth > 0 and gamma >= 0 are expected"
        )
    members, y, names, left_out = _complete_rows(members, y, learners, classes)
    truth = np.eye(len(names))[y].T
    calibration = None
    if method == "bias_aware":
        calibration, table = _calibrate(members, truth, gamma, bandwidth)
    else:
        constant = _constant_weights(members, truth, learners, method, weights, power)
        table = np.repeat(constant[:, None], len(names), axis=1)
    return ClassFusion(tuple(learners), names, method, table, calibration, y.size, left_out)


def _constant_weights(
    members: np.ndarray, truth: np.ndarray, learners: Sequence[str], method: str, weights: Any, power: float
) -> np.ndarray:
    """One weight per learner."""
    if method == "manual":
        return manual_weights(learners, weights)
    errors = members - truth
    if method == "inverse_error":
        return inverse_error_weights(np.sqrt((errors**2).sum(axis=1).mean(axis=1)), power)
    if method == "least_squares":
        return simplex_least_squares(errors.reshape(len(members), -1).T)
    return np.full(len(members), 1 / len(members))


def _calibrate(members: np.ndarray, truth: np.ndarray, gamma: float, bandwidth: float) -> tuple[np.ndarray, np.ndarray]:
    """Calibration tables [learner, class, grid] and weights [learner, class]."""
    grid = np.linspace(0, 1, GRID_SIZE)
    tables = np.empty((*members.shape[:2], GRID_SIZE))
    error = np.empty(members.shape[:2])
    for learner, number in np.ndindex(error.shape):
        given, seen = members[learner, number], truth[number]
        tables[learner, number] = _calibration_table(given, seen, grid, bandwidth)
        mended = np.interp(given, grid, tables[learner, number])
        error[learner, number] = np.mean((mended - seen) ** 2) + gamma * np.mean((given - mended) ** 2)
    weights = 1 / np.maximum(error, 1e-12)
    return tables, weights / weights.sum(axis=0)


def _calibration_table(given: np.ndarray, seen: np.ndarray, grid: np.ndarray, bandwidth: float) -> np.ndarray:
    """Share of the class seen where its probability is given, on the grid."""
    width = bandwidth * float(given.std())
    if width == 0:
        return grid
    inside = np.clip(grid, given.min(), given.max())
    shift = smooth_line(given, seen - given, inside, width)
    table = grid + shift.count / (shift.count + PRIOR_SITES) * shift.mean
    return np.clip(increasing(table, shift.count), 0, 1)


def _labelled(probability: np.ndarray, missing: np.ndarray) -> ClassPrediction:
    """Labels and margins of probabilities [class, ...]."""
    label = probability.argmax(axis=0).astype(np.int16)
    label = np.where(missing, np.int16(MISSING), label)
    if len(probability) < 2:
        return ClassPrediction(label, probability, probability[0].copy())
    best = np.partition(probability, len(probability) - 2, axis=0)[-2:]
    return ClassPrediction(label, probability, np.where(missing, np.nan, best[1] - best[0]))


def _complete_rows(
    members: np.ndarray, y: np.ndarray, learners: Sequence[str], classes: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], int]:
    """Complete rows, class names, and how many rows were left out."""
    members, y = np.asarray(members, dtype=float), np.asarray(y, dtype=float)
    if members.ndim != 3 or len(set(learners)) != len(learners) or members.shape[::2] != (len(learners), y.size):
        raise LearnerError(
            f"members of shape {members.shape} for {len(learners)} learners ({', '.join(learners)}) and {y.size} sites: "
            "[learner, class, site] with different names is expected"
        )
    names = tuple(str(name) for name in (range(members.shape[1]) if classes is None else classes))
    complete = np.isfinite(members).all(axis=(0, 1)) & np.isfinite(y) & (y >= 0)
    if complete.sum() < MINIMUM_SITES:
        raise SitesError(f"{int(complete.sum())} of {y.size} sites have all members and a class: at least {MINIMUM_SITES} needed")
    y_kept = y[complete].astype(int)
    if len(names) != members.shape[1] or y_kept.max() >= members.shape[1]:
        raise DomainError(f"{len(names)} class names and class numbers up to {y_kept.max()} for {members.shape[1]} probabilities")
    return members[:, :, complete], y_kept, names, int(y.size - complete.sum())
