"""Curves of one variable: piecewise-linear ones that a map applies, and kernel-smoothed ones that data are summed up by.

Everything a map applies is a list of knots, so that it can be stored as JSON and computed by any program with an
interpolation function, the browser's included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import DomainError
from alm_core.learning.interpolation import interpolate


@dataclass(frozen=True)
class Curve:
    """A piecewise-linear function with straight tails.

    Parameters
    ----------
    x, y : ndarray
        Knots [knot]; ``x`` strictly increasing.
    left_slope, right_slope : float
        Slope below the first and above the last knot; 0 holds the end value.

    Examples
    --------
    >>> curve = Curve(np.array([0.0, 1.0]), np.array([1.0, 3.0]), right_slope=1.0)
    >>> curve(np.array([-5.0, 0.5, 2.0])).tolist()
    [1.0, 2.0, 4.0]
    """

    x: np.ndarray
    y: np.ndarray
    left_slope: float = 0.0
    right_slope: float = 0.0

    def __post_init__(self) -> None:
        """Refuse knots that no interpolation can use."""
        x, y = np.asarray(self.x, dtype=float), np.asarray(self.y, dtype=float)
        if x.ndim != 1 or x.shape != y.shape or x.size == 0:
            raise DomainError(f"a curve got knots of shape {x.shape} and {y.shape}: two equal lists of at least one are expected")
        if not (np.isfinite(x).all() and np.isfinite(y).all() and (np.diff(x) > 0).all()):
            raise DomainError("a curve got knots that are not finite or do not increase: give each x once, in order")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def __call__(self, value: np.ndarray) -> np.ndarray:
        """Evaluate at `value` (any shape); NaN stays NaN."""
        value = np.asarray(value, dtype=float)
        result = interpolate(value, self.x, self.y)
        if self.left_slope != 0:
            result += self.left_slope * np.minimum(value - self.x[0], 0)
        if self.right_slope != 0:
            result += self.right_slope * np.maximum(value - self.x[-1], 0)
        return result

    @property
    def is_increasing(self) -> bool:
        """Whether the curve never goes down."""
        return bool((np.diff(self.y) >= 0).all() and self.left_slope >= 0 and self.right_slope >= 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers; `from_dict` gives back the same curve bit for bit."""
        return {"x": self.x.tolist(), "y": self.y.tolist(), "left_slope": self.left_slope, "right_slope": self.right_slope}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Curve:
        """Inverse of `to_dict`."""
        return cls(
            np.array(content["x"], dtype=float),
            np.array(content["y"], dtype=float),
            float(content["left_slope"]),
            float(content["right_slope"]),
        )


@dataclass(frozen=True)
class SmoothedCurve:
    """A kernel-smoothed mean along x.

    `grid`, `mean`, `standard_error` and `count` (effective number of points under the kernel) are [grid].
    """

    grid: np.ndarray
    mean: np.ndarray
    standard_error: np.ndarray
    count: np.ndarray

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists."""
        return {name: getattr(self, name).tolist() for name in ("grid", "mean", "standard_error", "count")}


def kernel_weights(x: np.ndarray, grid: np.ndarray, bandwidth: float) -> np.ndarray:
    """Gaussian kernel [grid, point], scaled to 1 at the point nearest to each grid value.

    The scaling keeps grid values far from every point from dividing zero by zero; ratios of sums don't feel it.
    """
    half_square = 0.5 * ((np.asarray(grid)[:, None] - np.asarray(x)[None, :]) / bandwidth) ** 2
    return np.exp(half_square.min(axis=1, keepdims=True) - half_square)


def effective_count(weights: np.ndarray) -> np.ndarray:
    """Kish's effective number of points (sum w)^2 / sum w^2 along the last axis."""
    return weights.sum(axis=-1) ** 2 / (weights**2).sum(axis=-1)


def smooth_mean(kernel: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Kernel-weighted mean [grid] of y (Nadaraya-Watson) by `kernel_weights`; never leaves the range of y.

    Sums here avoid matrix products, whose last bit depends on how many threads the linear algebra library may use.
    """
    return (kernel * y).sum(axis=1) / kernel.sum(axis=1)


def smooth_line(x: np.ndarray, y: np.ndarray, grid: np.ndarray, bandwidth: float) -> SmoothedCurve:
    """Local-linear smooth of y against x with a Gaussian kernel (Fan and Gijbels 1996), free of the bias at the ends.

    Parameters
    ----------
    x, y : ndarray
        Points [point], finite.
    grid : ndarray
        Where to evaluate [grid].
    bandwidth : float
        Standard deviation of the kernel, in units of x; above 0.

    Returns
    -------
    SmoothedCurve
        Mean, its standard error (from the local residual variance) and the effective count.
    """
    x, y, grid = (np.asarray(part, dtype=float) for part in (x, y, grid))
    kernel = kernel_weights(x, grid, bandwidth)
    offset = x[None, :] - grid[:, None]
    s0 = kernel.sum(axis=1)
    s1 = (kernel * offset).sum(axis=1)
    # A little ridge: beyond the data the local slope has nothing to stand on and the fit falls back to the local mean.
    s2 = (kernel * offset**2).sum(axis=1) + 0.01 * bandwidth**2 * s0
    share = kernel * (s2[:, None] - offset * s1[:, None])
    share /= share.sum(axis=1, keepdims=True)
    mean = (share * y).sum(axis=1)
    residual = y - np.interp(x, grid, mean) if grid.size > 1 else y - mean[0]
    variance = smooth_mean(kernel, residual**2)
    error = np.sqrt(variance * (share**2).sum(axis=1))
    return SmoothedCurve(grid, mean, error, effective_count(kernel))


def increasing(y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The nearest never-falling sequence to y in weighted least squares (pool adjacent violators)."""
    from sklearn.isotonic import isotonic_regression

    return isotonic_regression(np.asarray(y, dtype=float), sample_weight=np.asarray(weights, dtype=float))
