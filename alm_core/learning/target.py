"""The scale on which learners see the target: as it is, or its logarithm.

Every learner is fitted on that scale and answers in the unit of the target. So fusion, correction of bias, intervals, scores and
maps never leave the unit: only the trees inside a member, and their Shapley values, speak of logarithms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import LearnerError

TRANSFORMS = ("none", "log")
LOG_SCALE = "log of the value"
"""What the Shapley values of a member that was fitted on logarithms add up to."""


@dataclass(frozen=True)
class TargetTransform:
    """From the unit of the target to the scale of a learner, and back.

    Attributes
    ----------
    name : {"none", "log"}
    smearing : float
        Factor of the way back. The mean of a quantity is more than the exponential of its mean logarithm; by how much is told
        by the residuals, without any distribution in mind (see `duan_smearing`). 1: none, which gives medians.

    Examples
    --------
    >>> log = TargetTransform("log", 1.5)
    >>> log.backward(log.forward(np.array([40.0, 80.0]))).round(9).tolist()
    [60.0, 120.0]
    """

    name: str = "none"
    smearing: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in TRANSFORMS:
            raise LearnerError(f"The transform {self.name!r} of the target is not known: give one of {', '.join(TRANSFORMS)}.")
        if not (np.isfinite(self.smearing) and self.smearing > 0):
            raise LearnerError(f"The smearing factor is {self.smearing}: a number above 0 is expected.")

    @property
    def identity(self) -> bool:
        """True where nothing is done."""
        return self.name == "none"

    def forward(self, y: np.ndarray) -> np.ndarray:
        """Bring target values to the scale of the learner.

        Raises
        ------
        LearnerError
            A value that has no logarithm.
        """
        if self.identity:
            return y
        y = np.asarray(y, float)
        without = ~(y > 0)
        if without.any():
            raise LearnerError(
                f"{int(without.sum())} of {y.size} target values are not above 0 (the smallest is {np.nanmin(y):g}), so they "
                'have no logarithm. Take these sites out with [screening] minimum, or set transform = "none" in [target].'
            )
        return np.log(y)

    def backward(self, value: np.ndarray) -> np.ndarray:
        """Bring predictions of the learner to the unit of the target, value by value."""
        if self.identity:
            return value
        # One memory layout for all callers: the vector code of a library may round strided input in another way.
        return np.exp(np.array(value, np.float64, order="C")) * self.smearing

    def to_dict(self) -> dict[str, Any]:
        """Plain values; exact."""
        return {"name": self.name, "smearing": self.smearing}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any] | None) -> TargetTransform:
        """Inverse of `to_dict`; None stands for no transform."""
        return cls() if content is None else cls(str(content["name"]), float(content["smearing"]))


def duan_smearing(observed: np.ndarray, median: np.ndarray) -> float:
    """Smearing factor of predictions on the log scale: the mean of ``exp(residual)``, which is the mean of observed / predicted.

    Parameters
    ----------
    observed : ndarray, ``[site]``
        In the unit of the target.
    median : ndarray, ``[site]``
        Back-transformed predictions without smearing, each by a learner that never saw the site: fitted values have residuals
        that are too small, and the factor would be too near 1.

    Raises
    ------
    LearnerError
        No finite pair.

    Notes
    -----
    Duan (1983), Smearing estimate: a nonparametric retransformation method, Journal of the American Statistical Association
    78:605. One factor serves all places, so it takes the spread of the log errors to be the same everywhere.

    Examples
    --------
    >>> round(duan_smearing(np.array([1.0, 4.0]), np.array([2.0, 2.0])), 3)
    1.25
    """
    ratio = np.asarray(observed, float) / np.asarray(median, float)
    ratio = ratio[np.isfinite(ratio)]
    if ratio.size == 0:
        raise LearnerError("No site has both an observation and an out-of-fold prediction: there is nothing to smear with.")
    return float(ratio.mean())


def smear_out_of_fold(
    observed: np.ndarray, median: np.ndarray, splits: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, float]:
    """Bring out-of-fold predictions from medians to means, and give the factor for the learner that is fitted on all sites.

    Parameters
    ----------
    observed : ndarray, ``[site]``
    median : ndarray, ``[site]``
        Out-of-fold predictions without smearing.
    splits : sequence of (ndarray, ndarray)
        Fitted and scored rows of each fold; every row is scored once. The factor of a fold comes from the residuals of the
        other folds, so no prediction is smeared by its own residual.

    Returns
    -------
    ndarray, ``[site]``
    float

    Examples
    --------
    >>> halves = [(np.array([1]), np.array([0])), (np.array([0]), np.array([1]))]
    >>> smear_out_of_fold(np.array([2.0, 8.0]), np.array([1.0, 2.0]), halves)
    (array([4., 4.]), 3.0)
    """
    smeared = np.asarray(median, float).copy()
    for others, scored in splits:
        smeared[scored] *= duan_smearing(np.asarray(observed)[others], np.asarray(median)[others])
    return smeared, duan_smearing(observed, median)


def back_transform_of(learners: Sequence[Any]) -> Callable[[np.ndarray], np.ndarray] | None:
    """From what the trees of each member say to what the member says; None where no member was fitted on another scale.

    The function takes ``[learner]`` or ``[learner, site]``: for `alm_core.learning.explanation.explain_fused`.
    """
    transforms = [getattr(learner, "transform", TargetTransform()) for learner in learners]
    if all(transform.identity for transform in transforms):
        return None

    def back(values: np.ndarray) -> np.ndarray:
        return np.stack([transform.backward(value) for transform, value in zip(transforms, values, strict=True)])

    return back
