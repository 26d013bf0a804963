"""Correction of regression to the mean: a curve that is applied to the fused value.

Learners pull towards the mean: low values come out too high and high values too low. A correction can restore the range, or lower
the squared error, but not both (see `alm_core.learning.metrics.frontier`). All curves are fitted on out-of-fold pairs only: on
fitted values they barely correct.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import DomainError, SitesError
from alm_core.learning.curves import Curve

CORRECTIONS = ("none", "regression", "distribution", "zscore", "residual", "blend", "isotonic")
MAXIMUM_KNOTS = 512
TAIL_PART = 0.1


@dataclass(frozen=True)
class BiasCorrection:
    """A fitted correction.

    Attributes
    ----------
    method : str
        One of `CORRECTIONS`.
    curve : Curve or None
        What is applied to the fused value; None leaves it as it is ("none", and "residual", which only adds an array).
    blend : float or None
        Share of distribution matching, of "blend" only.
    """

    method: str
    curve: Curve | None = None
    blend: float | None = None

    def apply(self, value: np.ndarray) -> np.ndarray:
        """Corrected value (any shape, NaN stays NaN), not yet cut to the physical range."""
        value = np.asarray(value, dtype=float)
        return value if self.curve is None else self.curve(value)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; exact."""
        return {"method": self.method, "blend": self.blend, "curve": None if self.curve is None else self.curve.to_dict()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> BiasCorrection:
        """Inverse of `to_dict`."""
        curve = None if content["curve"] is None else Curve.from_dict(content["curve"])
        return cls(content["method"], curve, content["blend"])


def fit_correction(value: np.ndarray, y: np.ndarray, *, method: str = "blend", blend: float = 0.5) -> BiasCorrection:
    """Fit a correction on out-of-fold pairs.

    Parameters
    ----------
    value : ndarray
        Fused out-of-fold values [site].
    y : ndarray
        Observed values [site].
    method : str
        - ``none``: no curve.
        - ``regression``: least-squares line of y on the value (regression on estimates); least squared error, little range.
        - ``distribution``: matching of the empirical distributions through order statistics, straight tails; restores the range.
        - ``zscore``: mean and standard deviation of y.
        - ``blend``: ``(1 - blend) * regression + blend * distribution``.
        - ``residual``: no curve; the prediction of a residual model is added when the fusion predicts.
        - ``isotonic``: least-squares increasing steps. Its plateaus show as bands in a map; never a default.
    blend : float
        Share of distribution matching in ``blend``, 0 to 1.

    Returns
    -------
    BiasCorrection
        All curves never fall: a member that predicts more never ends in less. A line that would fall is made flat.

    Raises
    ------
    DomainError
        Unknown method or a share outside 0 to 1.
    SitesError
        Fewer than three pairs.

    Notes
    -----
    Belitz and Stackelberg (2021), Environmental Modelling & Software 139:105006, methods 1, 2 and 4.

    Examples
    --------
    >>> value = np.array([2.0, 3.0, 4.0])
    >>> fit_correction(value, np.array([1.0, 3.0, 5.0]), method="regression").apply(value).round(9).tolist()
    [1.0, 3.0, 5.0]
    """
    if method not in CORRECTIONS:
        raise DomainError(f"bias correction {method!r} is unknown: choose one of {', '.join(CORRECTIONS)}")
    if not 0 <= blend <= 1:
        raise DomainError(f"blend is {blend}: a share from 0 (regression) to 1 (distribution) is expected")
    if method in ("none", "residual"):
        return BiasCorrection(method)
    value, y = _pairs(value, y)
    if method == "blend":
        curve = blend_curves(regression_curve(value, y), distribution_curve(value, y), blend)
        return BiasCorrection(method, curve, float(blend))
    makers = {
        "regression": regression_curve,
        "distribution": distribution_curve,
        "zscore": zscore_curve,
        "isotonic": isotonic_curve,
    }
    return BiasCorrection(method, makers[method](value, y))


def regression_curve(value: np.ndarray, y: np.ndarray) -> Curve:
    """Least-squares line of y on the value; flat at the mean of y where the value carries no information."""
    centred = value - value.mean()
    variance = float((centred**2).sum())
    slope = max(float((centred * (y - y.mean())).sum()) / variance, 0.0) if variance > 0 else 0.0
    return _line(value, float(y.mean()), slope)


def zscore_curve(value: np.ndarray, y: np.ndarray) -> Curve:
    """Line that gives the value the mean and the standard deviation of y; flat where the value is constant."""
    spread = float(value.std())
    return _line(value, float(y.mean()), float(y.std()) / spread if spread > 0 else 0.0)


def distribution_curve(value: np.ndarray, y: np.ndarray) -> Curve:
    """Quantile of the value to the same quantile of y, through order statistics, with straight tails.

    Equal values are pooled to the mean of their order statistics. Above `MAXIMUM_KNOTS` sites the curve is thinned to as many
    even quantiles. The tails go on with the slope of the line through the outer tenth of the knots.
    """
    x, place = np.unique(value, return_inverse=True)
    order = np.argsort(place, kind="stable")
    matched = np.bincount(place[order], weights=np.sort(y)) / np.bincount(place)
    if x.size > MAXIMUM_KNOTS:
        pick = np.unique(np.linspace(0, x.size - 1, MAXIMUM_KNOTS).round().astype(int))
        x, matched = x[pick], matched[pick]
    tail = max(3, round(TAIL_PART * x.size))
    return Curve(x, matched, _tail_slope(x[:tail], matched[:tail]), _tail_slope(x[-tail:], matched[-tail:]))


def isotonic_curve(value: np.ndarray, y: np.ndarray) -> Curve:
    """Least-squares increasing step curve (pool adjacent violators), held at its ends."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(value, y)
    return Curve(fitted.X_thresholds_, fitted.y_thresholds_)


def blend_curves(first: Curve, second: Curve, share: float) -> Curve:
    """Exactly ``(1 - share) * first + share * second``: both are straight between the knots of either."""
    x = np.union1d(first.x, second.x)
    return Curve(
        x,
        (1 - share) * first(x) + share * second(x),
        (1 - share) * first.left_slope + share * second.left_slope,
        (1 - share) * first.right_slope + share * second.right_slope,
    )


def cut_to_range(value: np.ndarray, minimum: float | None, maximum: float | None) -> tuple[np.ndarray, int]:
    """Cut to the physical range; the second result says how many numbers were changed (NaN never counts)."""
    if minimum is None and maximum is None:
        return value, 0
    clipped = np.clip(value, minimum, maximum)
    return clipped, int(np.count_nonzero((clipped != value) & ~np.isnan(value)))


def _pairs(value: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finite float pairs of one shape."""
    value, y = np.asarray(value, dtype=float), np.asarray(y, dtype=float)
    if value.ndim != 1 or value.shape != y.shape:
        raise DomainError(
            f"fused values of shape {value.shape} and observations of shape {y.shape}: one of each per site expected"
        )
    if not (np.isfinite(value).all() and np.isfinite(y).all()):
        raise DomainError("a bias correction got missing values: leave out the sites without an out-of-fold prediction first")
    if value.size < 3:
        raise SitesError(f"{value.size} out-of-fold pairs: a bias correction needs at least 3; add sites or choose method 'none'")
    return value, y


def _line(value: np.ndarray, level: float, slope: float) -> Curve:
    """The line through (mean of value, level), with knots at the ends of the data."""
    centre = float(value.mean())
    knots = np.unique([value.min(), value.max()])
    return Curve(knots, level + slope * (knots - centre), slope, slope)


def _tail_slope(x: np.ndarray, y: np.ndarray) -> float:
    """Least-squares slope through the tail knots; 0 for a single knot."""
    centred = x - x.mean()
    variance = float((centred**2).sum())
    return max(float((centred * y).sum()) / variance, 0.0) if variance > 0 else 0.0
