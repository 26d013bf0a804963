"""How members are weighted: the schemes, and the tables that a map reads weights from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.learning.curves import effective_count, increasing, kernel_weights, smooth_line, smooth_mean
from alm_core.learning.interpolation import interpolate, interpolate_tables

METHODS = ("equal", "inverse_error", "least_squares", "bias_aware", "manual")
GRID_SIZE = 64
STEPS = 2
# Number of sites that the whole-sample fit counts for, where the local one is shrunk towards it.
PRIOR_SITES = 20.0


@dataclass(frozen=True)
class Mixture:
    """A fused value and what it is made of.

    Attributes
    ----------
    value : ndarray
        sum of weights * unbiased, [...]; before any correction.
    weights : ndarray
        [learner, ...], or [learner] where they are the same everywhere.
    unbiased : ndarray
        Members less their expected errors [learner, ...].
    """

    value: np.ndarray
    weights: np.ndarray
    unbiased: np.ndarray

    def full_weights(self) -> np.ndarray:
        """Weights [learner, ...] at every place."""
        if self.weights.shape == self.unbiased.shape:
            return self.weights
        return np.broadcast_to(self.weights.reshape(-1, *[1] * self.value.ndim), self.unbiased.shape).copy()

    def spread(self) -> np.ndarray:
        """Weighted standard deviation of the unbiased members around the fused value."""
        return np.sqrt(weighted_sum(self.weights, (self.unbiased - self.value) ** 2))


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

    def mix(self, members: np.ndarray) -> Mixture:
        """Weigh the unbiased members [learner, ...], the weights read at the fused value.

        That value depends on the weights in turn: starting from the plain mean, `STEPS` rounds are made.
        """
        if self.is_constant:
            unbiased = np.asarray(members, dtype=float)
            return Mixture(weighted_sum(self.weights[:, 0], unbiased), self.weights[:, 0], unbiased)
        unbiased = np.empty(members.shape)
        for learner, member in enumerate(members):
            unbiased[learner] = member - interpolate(member, self.grid, self.biases[learner])
        value = weighted_sum(np.ones(len(members)), unbiased) / len(members)
        for _ in range(STEPS):
            weights = interpolate_tables(value, self.grid, self.weights)
            value = weighted_sum(weights, unbiased)
        return Mixture(value, weights, unbiased)

    def weights_at(self, value: np.ndarray) -> np.ndarray:
        """Weights of all learners [learner, ...] at fused values of any shape."""
        value = np.asarray(value, dtype=float)
        if self.is_constant:
            return np.broadcast_to(self.weights.reshape(-1, *[1] * value.ndim), (len(self.weights), *value.shape)).copy()
        return interpolate_tables(value, self.grid, self.weights)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists; exact."""
        arrays = {name: getattr(self, name).tolist() for name in ("grid", "weights", "biases")}
        return {"method": self.method, "steps": STEPS, **arrays}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Weighting:
        """Inverse of `to_dict`."""
        return cls(content["method"], *(np.array(content[name], dtype=float) for name in ("grid", "weights", "biases")))


def weighted_sum(weights: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Sum over the first axis, one member after the other.

    Library products choose their order of summation by the shape of the arrays, and then the last bit of a pixel would depend on
    the block that it was computed in.
    """
    total = np.zeros(members.shape[1:])
    for weight, member in zip(weights, members, strict=True):
        total += weight * member
    return total


def fit_bias_aware(members: np.ndarray, y: np.ndarray, *, gamma: float = 1.0, bandwidth: float = 0.35) -> Weighting:
    """Value-dependent weights on members freed of their expected error.

    For each learner k, on the out-of-fold pairs: the local-linear smooth of f_k - y against f_k is shrunk towards the
    least-squares line of the same pairs by n / (n + 20), n being the effective number of sites under the kernel, and bent so
    that v - b_k(v) never falls. The variance s_k(v)^2 of what is left is smoothed along the fused value, where its weight will
    be read, and shrunk towards the overall variance in the same way; since the fused value needs weights in turn, that is done
    twice, from the plain mean on. Tables stand on an even grid over the range of all members; beyond its own range a member
    keeps the bias of its last value.

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
    biases = np.stack([_expected_error(member, member - y, grid, bandwidth * scale) for member in members])
    unbiased = np.stack([member - np.interp(member, grid, bias) for member, bias in zip(members, biases, strict=True)])
    value = unbiased.mean(axis=0)
    # Perfect members share the weight instead of dividing by zero.
    least = 1e-12 * max(float(y.var()), np.finfo(float).tiny)
    for _ in range(STEPS):
        error = _variance_along(value, (unbiased - y) ** 2, grid, bandwidth) + gamma * biases**2
        weights = 1 / np.maximum(error, least)
        weighting = Weighting("bias_aware", grid, weights / weights.sum(axis=0), biases)
        value = weighting.mix(members).value
    return weighting


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


def _expected_error(member: np.ndarray, error: np.ndarray, grid: np.ndarray, width: float) -> np.ndarray:
    """Expected error b(v) of a member on the grid."""
    # Off the member's own range there is no evidence: what holds at its ends is held.
    inside = np.clip(grid, member.min(), member.max())
    smooth = smooth_line(member, error, inside, width)
    trust = smooth.count / (smooth.count + PRIOR_SITES)
    centred = member - member.mean()
    slope = float((centred * error).sum()) / max(float((centred**2).sum()), np.finfo(float).tiny)
    line = error.mean() + slope * (inside - member.mean())
    return grid - increasing(grid - (trust * smooth.mean + (1 - trust) * line), smooth.count)


def _variance_along(value: np.ndarray, squares: np.ndarray, grid: np.ndarray, bandwidth: float) -> np.ndarray:
    """Local means [learner, grid] of squared errors [learner, site] along a value [site]."""
    overall = squares.mean(axis=1, keepdims=True)
    width = bandwidth * float(value.std())
    if width == 0:
        return np.repeat(overall, grid.size, axis=1)
    kernel = kernel_weights(value, np.clip(grid, value.min(), value.max()), width)
    trust = effective_count(kernel) / (effective_count(kernel) + PRIOR_SITES)
    local = np.stack([smooth_mean(kernel, square) for square in squares])
    return trust * local + (1 - trust) * overall
