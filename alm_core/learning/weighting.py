"""How members are weighted: the schemes, and the tables that a map reads weights from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.learning.curves import increasing, kernel_weights, smooth_line

METHODS = ("equal", "inverse_error", "least_squares", "bias_aware", "manual")
GRID_SIZE = 64
STEPS = 2
# Number of sites that the whole-sample fit counts for, where the local one is shrunk towards it.
PRIOR_SITES = 20.0


@dataclass(frozen=True)
class Weighting:
    """Weights and member biases as tables over a value.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    grid : ndarray
        Values [grid], increasing; a single one for weights that don't depend on the value.
    weights : ndarray
        [learner, grid], >= 0, each column sums to one; between grid values linear, held at the ends.
    biases : ndarray
        [learner, grid]: expected error of the member where it predicts the grid value; taken off before weighting.
    """

    method: str
    grid: np.ndarray
    weights: np.ndarray
    biases: np.ndarray

    @property
    def is_constant(self) -> bool:
        """Whether the weights are the same at every value."""
        return self.grid.size == 1

    def unbiased(self, members: np.ndarray, learner: int) -> np.ndarray:
        """A member less its expected error; `members` is [learner, ...]."""
        member = np.asarray(members[learner], dtype=float)
        return member if self.is_constant else member - np.interp(member, self.grid, self.biases[learner])

    def weight(self, value: np.ndarray, learner: int) -> np.ndarray | float:
        """Weight of one learner where the fused value is `value`."""
        return float(self.weights[learner, 0]) if self.is_constant else np.interp(value, self.grid, self.weights[learner])

    def weights_at(self, value: np.ndarray) -> np.ndarray:
        """Weights of all learners [learner, ...] at fused values of any shape."""
        value = np.asarray(value, dtype=float)
        return np.stack([np.broadcast_to(self.weight(value, k), value.shape) for k in range(len(self.weights))])

    def fuse(self, members: np.ndarray) -> np.ndarray:
        """Weighted sum of the unbiased members, the weights taken at the fused value (fixed number of fixed-point steps)."""
        return self.fuse_with_centre(members)[0]

    def fuse_with_centre(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The fused value and the value at which its weights were read (the step before the last)."""
        unbiased = np.stack([self.unbiased(members, k) for k in range(len(self.weights))])
        centre = unbiased.mean(axis=0)
        if self.is_constant:
            return np.tensordot(self.weights[:, 0], unbiased, axes=1), centre
        value = centre
        for _ in range(STEPS):
            centre = value
            value = np.zeros_like(centre)
            for k, member in enumerate(unbiased):
                value += self.weight(centre, k) * member
        return value, centre

    def to_dict(self) -> dict[str, Any]:
        """Plain lists; exact."""
        arrays = {name: getattr(self, name).tolist() for name in ("grid", "weights", "biases")}
        return {"method": self.method, "steps": STEPS, **arrays}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Weighting:
        """Inverse of `to_dict`."""
        return cls(content["method"], *(np.array(content[name], dtype=float) for name in ("grid", "weights", "biases")))


def fit_bias_aware(members: np.ndarray, y: np.ndarray, *, gamma: float = 1.0, bandwidth: float = 0.35) -> Weighting:
    """Value-dependent weights on members freed of their expected error.

    For each learner k, on the out-of-fold pairs: the local-linear smooth of f_k - y against f_k is shrunk towards the
    least-squares line of the same pairs by n / (n + 20), n being the effective number of sites under the kernel, and bent so
    that v - b_k(v) never falls; the local variance s_k(v)^2 of what is left is shrunk towards the overall one in the same way.
    Tables stand on an even grid over the range of all members; beyond its own range a member keeps the bias of its last value.

    Parameters
    ----------
    members, y : ndarray
        Complete out-of-fold pairs [learner, site] and [site].
    gamma : float
        How much squared bias counts against variance.
    bandwidth : float
        Kernel width in standard deviations of the members.
    """
    low, high = float(members.min()), float(members.max())
    scale = float(np.mean(members.std(axis=1)))
    if not (high > low and scale > 0):
        return constant_weighting("bias_aware", np.full(len(members), 1 / len(members)))
    grid = np.linspace(low, high, GRID_SIZE)
    tables = [_bias_and_variance(member, y, grid, bandwidth * scale) for member in members]
    biases = np.stack([bias for bias, _ in tables])
    error = np.stack([variance for _, variance in tables]) + gamma * biases**2
    # Two perfect members share the weight instead of dividing by zero.
    weights = 1 / np.maximum(error, 1e-12 * max(float(y.var()), np.finfo(float).tiny))
    return Weighting("bias_aware", grid, weights / weights.sum(axis=0), biases)


def constant_weights(
    members: np.ndarray, y: np.ndarray, learners: tuple[str, ...], method: str, weights: Any, power: float
) -> np.ndarray:
    """Weights that don't depend on the value."""
    if method == "manual":
        return manual_weights(learners, weights)
    if method == "inverse_error":
        return inverse_error_weights(np.sqrt(np.mean((members - y) ** 2, axis=1)), power)
    if method == "least_squares":
        return simplex_least_squares((members - y).T)
    return np.full(len(members), 1 / len(members))


def simplex_least_squares(errors: np.ndarray) -> np.ndarray:
    """Weights >= 0 with sum one that make the sum of squares of ``errors @ weights`` least.

    Exact by one non-negative least-squares problem: for u = t w with sum(w) = 1, the least of |E u|^2 + (sum(u) - 1)^2 over t is
    |E w|^2 / (1 + |E w|^2), which grows with |E w|^2, so both have the same w.
    """
    from scipy.optimize import nnls

    scale = float(np.sqrt(np.mean(errors**2))) * np.sqrt(len(errors))
    if scale == 0:
        return np.full(errors.shape[1], 1 / errors.shape[1])
    system = np.vstack([errors / scale, np.ones(errors.shape[1])])
    solution, _ = nnls(system, np.append(np.zeros(len(errors)), 1.0))
    return solution / solution.sum()


def manual_weights(learners: Sequence[str], weights: Mapping[str, float] | Sequence[float] | None) -> np.ndarray:
    """Weights given by hand, in the order of the learners, scaled to sum to one."""
    if weights is None or len(weights) == 0:
        raise LearnerError(f"method 'manual' got no weights: give one per learner ({', '.join(learners)})")
    if isinstance(weights, Mapping):
        unknown = sorted(set(weights) - set(learners))
        if unknown:
            raise LearnerError(f"weights name {', '.join(unknown)}, which are no members: the members are {', '.join(learners)}")
        weights = [weights.get(name, 0.0) for name in learners]
    values = np.asarray(weights, dtype=float)
    if values.shape != (len(learners),) or not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise LearnerError(
            f"weights {values.tolist()}: one number >= 0 per learner, not all 0, is expected for {', '.join(learners)}"
        )
    return values / values.sum()


def inverse_error_weights(error: np.ndarray, power: float) -> np.ndarray:
    """Weights ~ error ** -power, scaled to sum to one; errors of 0 share all the weight."""
    error = np.asarray(error, dtype=float)
    perfect = error <= 0
    raw = perfect.astype(float) if perfect.any() else (error / error.min()) ** -power
    return raw / raw.sum()


def constant_weighting(method: str, weights: np.ndarray) -> Weighting:
    return Weighting(method, np.zeros(1), weights[:, None], np.zeros((len(weights), 1)))


def _bias_and_variance(member: np.ndarray, y: np.ndarray, grid: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Expected error b(v) and variance s(v)^2 of what it leaves, on the grid."""
    error = member - y
    # Off the member's own range there is no evidence: what holds at its ends is held.
    inside = np.clip(grid, member.min(), member.max())
    smooth = smooth_line(member, error, inside, width)
    trust = smooth.count / (smooth.count + PRIOR_SITES)
    centred = member - member.mean()
    slope = float(centred @ error) / max(float(centred @ centred), np.finfo(float).tiny)
    line = error.mean() + slope * (inside - member.mean())
    bias = grid - increasing(grid - (trust * smooth.mean + (1 - trust) * line), smooth.count)
    left = (error - np.interp(member, grid, bias)) ** 2
    kernel = kernel_weights(member, inside, width)
    variance = kernel @ left / kernel.sum(axis=1)
    return bias, trust * variance + (1 - trust) * left.mean()
