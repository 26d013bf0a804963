"""Fusion: several learners' predictions become one value, corrected for bias, with an interval.

`Fusion.predict` is pure array maths on stored tables (linear interpolation, sums, products), so the same code serves 342 sites, a
tile and a plateau, and a browser can repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alm_core.errors import DomainError, LeakError, LearnerError, SitesError
from alm_core.learning.bias import BiasCorrection, cut_to_range, fit_correction
from alm_core.learning.interpolation import FEW_VALUES, is_searchable
from alm_core.learning.uncertainty import IntervalModel
from alm_core.learning.weighting import METHODS, Mixture, Weighting, constant_weighting, constant_weights, fit_bias_aware

MINIMUM_SITES = 5
FORMAT = 1


@dataclass(frozen=True)
class FusedPrediction:
    """What a fusion gives: arrays of the members' trailing shape.

    Attributes
    ----------
    value : ndarray
        Fused and corrected value; NaN where a member is missing.
    lower, upper : ndarray or None
        Bounds of the prediction interval; None for a fusion without interval model.
    clipped : int
        How many values were cut to the physical range.
    """

    value: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    clipped: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain lists."""
        arrays = {name: getattr(self, name) for name in ("value", "lower", "upper")}
        return {name: None if part is None else part.tolist() for name, part in arrays.items()} | {"clipped": self.clipped}


@dataclass(frozen=True)
class Fusion:
    """A fitted fusion: weights, bias correction, interval model and physical range.

    Attributes
    ----------
    learners : tuple of str
        Names, in the order of the members.
    weighting : Weighting
        How members are weighted.
    correction : BiasCorrection
        Curve of the fused value.
    interval : IntervalModel or None
        Width of the prediction interval.
    bounds : tuple of (float or None)
        Physical minimum and maximum.
    sites, left_out : int
        Out-of-fold pairs used, and pairs left out because a member or the observation was missing.
    """

    learners: tuple[str, ...]
    weighting: Weighting
    correction: BiasCorrection
    interval: IntervalModel | None = None
    bounds: tuple[float | None, float | None] = (None, None)
    sites: int = 0
    left_out: int = 0

    def predict(self, members: np.ndarray, *, residual: np.ndarray | None = None) -> FusedPrediction:
        """Fuse members.

        Parameters
        ----------
        members : ndarray
            Predictions [learner, ...] with any trailing shape; a place where any member is not finite gives NaN.
        residual : ndarray, optional
            Added to the corrected value (trailing shape of the members): predictions of a residual model, which was fitted on
            values predicted without it.

        Returns
        -------
        FusedPrediction
            Value and, with an interval model, its bounds, all within the physical range.

        Raises
        ------
        DomainError
            Wrong number of members or shape of the residual.
        """
        members = self._checked(members)
        if residual is not None:
            residual = self._checked_residual(residual, members.shape[1:])
        if self._is_for_kernel(members):
            return self._predict_block(members, residual)
        mixture = self.weighting.mix(members)
        value = self.correction.apply(mixture.value)
        if residual is not None:
            value = value + residual
        # An infinite member would be held at the last knot and look like a number.
        value = np.where(np.isfinite(members.sum(axis=0)), value, np.nan)
        value, clipped = cut_to_range(value, *self.bounds)
        if self.interval is None:
            return FusedPrediction(value, clipped=clipped)
        minimum, maximum = self.bounds
        # The spread of an infinite member is undefined, and its pixel is missing already.
        with np.errstate(invalid="ignore"):
            lower, upper = self.interval.bounds(value, mixture.spread(), minimum=minimum, maximum=maximum)
        return FusedPrediction(value, lower, upper, clipped)

    def _is_for_kernel(self, members: np.ndarray) -> bool:
        """Whether the compiled pass serves: many cells, plain numbers, tables that it can search.

        Few values never wait for the compiler.
        """
        knots = [self.weighting.grid]
        if self.correction.curve is not None:
            knots.append(self.correction.curve.x)
        if self.interval is not None:
            knots.append(self.interval.scale.grid)
        plain = members.dtype in (np.float32, np.float64)
        return plain and members.size >= FEW_VALUES * len(members) and all(is_searchable(x) for x in knots)

    def _predict_block(self, members: np.ndarray, residual: np.ndarray | None) -> FusedPrediction:
        """What `predict` says, bit for bit, without arrays in between."""
        from alm_core.learning.fusion_kernels import bound_block, correct_block, cut_block, mix_block

        shape = members.shape[1:]
        minimum, maximum = self.bounds
        follows_spread = self.interval is not None and self.interval.scale.slope != 0
        value, spread = mix_block(self.weighting, members.reshape(len(members), -1), with_spread=follows_spread)
        correct_block(self.correction, value)
        if residual is not None:
            # A missing member is NaN already, and stays it.
            value += residual.ravel()
        clipped = cut_block(value, minimum, maximum)
        if self.interval is None:
            return FusedPrediction(value.reshape(shape), clipped=clipped)
        lower, upper = bound_block(self.interval, value, spread, minimum=minimum, maximum=maximum)
        return FusedPrediction(value.reshape(shape), lower.reshape(shape), upper.reshape(shape), clipped)

    def weights(self, members: np.ndarray) -> np.ndarray:
        """Weights in force [learner, ...] for these members; they sum to one."""
        return self.mix(members).full_weights()

    def spread(self, members: np.ndarray) -> np.ndarray:
        """Weighted standard deviation of the unbiased members around their fused value; NaN where a member is missing."""
        return self.mix(members).spread()

    def mix(self, members: np.ndarray) -> Mixture:
        """What stands behind the fused value before correction: the unbiased members and their weights, for explanations."""
        return self.weighting.mix(self._checked(members))

    def with_interval(self, interval: IntervalModel) -> Fusion:
        """The same fusion with an interval model."""
        return replace(self, interval=interval)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` gives a fusion whose predictions are the same bit for bit.

        Another program repeats the value so (``table(v)``: linear between grid values, held at the ends):

        1. ``u_k = f_k - biases_k(f_k)`` (constant weights have one grid value and biases 0);
        2. v = plain mean of u_k, then ``steps`` times ``v = sum_k weights_k(v) u_k``;
        3. correction: linear between the knots of its curve, straight on with its slopes outside; then the residual, if any;
        4. cut to ``bounds``.
        """
        return {
            "format": FORMAT,
            "learners": list(self.learners),
            "weighting": self.weighting.to_dict(),
            "correction": self.correction.to_dict(),
            "interval": None if self.interval is None else self.interval.to_dict(),
            "bounds": list(self.bounds),
            "sites": self.sites,
            "left_out": self.left_out,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Fusion:
        """Inverse of `to_dict`."""
        if content.get("format") != FORMAT:
            raise DomainError(f"a fusion of format {content.get('format')!r}: {FORMAT} is expected; run the fusion stage again")
        return cls(
            tuple(content["learners"]),
            Weighting.from_dict(content["weighting"]),
            BiasCorrection.from_dict(content["correction"]),
            None if content["interval"] is None else IntervalModel.from_dict(content["interval"]),
            (content["bounds"][0], content["bounds"][1]),
            content["sites"],
            content["left_out"],
        )

    def _checked(self, members: np.ndarray) -> np.ndarray:
        members = np.asarray(members)
        if members.ndim == 0 or members.shape[0] != len(self.learners):
            raise DomainError(f"members of shape {members.shape}: the first axis must hold {', '.join(self.learners)}")
        return members

    @staticmethod
    def _checked_residual(residual: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        residual = np.asarray(residual, dtype=float)
        if residual.shape != shape:
            raise DomainError(
                f"a residual of shape {residual.shape} for values of shape {shape}: one residual per value is expected"
            )
        return residual


def fit_fusion(
    members: np.ndarray,
    y: np.ndarray,
    *,
    learners: Sequence[str],
    method: str = "bias_aware",
    weights: Mapping[str, float] | Sequence[float] | None = None,
    power: float = 2.0,
    gamma: float = 1.0,
    bandwidth: float = 0.35,
    correction: str = "blend",
    blend: float = 0.5,
    minimum: float | None = None,
    maximum: float | None = None,
    fitted_sites: Sequence[Any] | None = None,
    scored_sites: Sequence[Any] | None = None,
) -> Fusion:
    """Fit weights and bias correction on out-of-fold pairs.

    Parameters
    ----------
    members : ndarray
        Out-of-fold predictions [learner, site], each made by a model that never saw the site: fitted values
        give worthless weights.
    y : ndarray
        Observed values [site].
    learners : sequence of str
        Names of the members.
    method : str
        - ``equal``: the plain mean, which every other scheme must beat.
        - ``manual``: `weights`, scaled to sum to one.
        - ``inverse_error``: weight ~ RMSE ** -power.
        - ``least_squares``: least squared error with weights >= 0 that sum to one (super learner).
        - ``bias_aware``: the expected error b_k(v) = E[f_k - y | f_k = v] is taken off each member, and the weight at the fused
          value v is ~ 1 / (s_k(v)^2 + gamma * b_k(v)^2), s_k(v)^2 being the variance of what is left at v.
    weights : mapping or sequence, optional
        Of ``manual``: by learner name (a name left out weighs 0) or in order.
    power, gamma, bandwidth : float
        See `method`; `bandwidth` is that of the kernel, in standard deviations of the members.
    correction, blend : str, float
        See `alm_core.learning.bias.fit_correction`.
    minimum, maximum : float, optional
        Physical range.
    fitted_sites, scored_sites : sequence, optional
        Ids of the sites in `members` and of those that the fusion will be scored on: they must not overlap.

    Returns
    -------
    Fusion
        Without interval; see `Fusion.with_interval`.

    Raises
    ------
    LeakError
        Fitted and scored sites overlap.
    LearnerError
        Unknown method, names that don't fit the members, negative weights.
    SitesError
        Fewer than five complete pairs.

    Notes
    -----
    No published definition of "bias-aware fusion" exists; this one is documented in full here and in `fit_bias_aware`. Members of
    one study are so alike that fusion gains little over their mean: compare with ``equal``.

    Examples
    --------
    >>> y = np.linspace(0, 1, 50)
    >>> good, bad = y + 0.01 * np.sin(40 * y), 0.5 + 0.2 * np.cos(31 * y)
    >>> fusion = fit_fusion(np.stack([good, bad]), y, learners=["good", "bad"], method="least_squares", correction="none")
    >>> bool(fusion.weighting.weights[0, 0] > 0.95)
    True
    """
    check_no_leak(fitted_sites, scored_sites)
    members, y, left_out = _complete_pairs(members, y, learners)
    _check_options(method, power, gamma, bandwidth, minimum, maximum)
    if method == "bias_aware":
        weighting = fit_bias_aware(members, y, gamma=gamma, bandwidth=bandwidth)
    else:
        weighting = constant_weighting(method, constant_weights(members, y, tuple(learners), method, weights, power))
    curve = fit_correction(weighting.mix(members).value, y, method=correction, blend=blend)
    return Fusion(tuple(learners), weighting, curve, None, (minimum, maximum), y.size, left_out)


def check_no_leak(fitted_sites: Sequence[Any] | None, scored_sites: Sequence[Any] | None) -> None:
    """Raise `LeakError` where a site is both fitted on and scored."""
    if fitted_sites is None or scored_sites is None:
        return
    both = sorted({str(site) for site in fitted_sites} & {str(site) for site in scored_sites})
    if both:
        raise LeakError(
            f"{len(both)} sites are fitted on and scored ({', '.join(both[:5])}{', ...' if len(both) > 5 else ''}): "
            "fit weights and corrections on the training part of the fold that scores them"
        )


def _complete_pairs(members: np.ndarray, y: np.ndarray, learners: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int]:
    """Pairs without missing values, and how many were left out."""
    members, y = np.asarray(members, dtype=float), np.asarray(y, dtype=float)
    if len(set(learners)) != len(learners) or members.ndim != 2 or members.shape != (len(learners), y.size):
        raise LearnerError(
            f"members of shape {members.shape} for {len(learners)} learners ({', '.join(learners)}) and {y.size} sites: "
            "[learner, site] with different names is expected"
        )
    complete = np.isfinite(members).all(axis=0) & np.isfinite(y)
    if complete.sum() < MINIMUM_SITES:
        raise SitesError(
            f"{int(complete.sum())} of {y.size} sites have all members and an observation: at least {MINIMUM_SITES} needed"
        )
    return members[:, complete], y[complete], int(y.size - complete.sum())


def _check_options(
    method: str, power: float, gamma: float, bandwidth: float, minimum: float | None, maximum: float | None
) -> None:
    if method not in METHODS:
        raise LearnerError(f"fusion method {method!r} is unknown: choose one of {', '.join(METHODS)}")
    if not (power > 0 and gamma >= 0 and bandwidth > 0):
        raise DomainError(
            f"power {power}, gamma {gamma}, bandwidth {bandwidth}: power and bandwidth > 0 and gamma >= 0 are expected"
        )
    if minimum is not None and maximum is not None and not minimum < maximum:
        raise DomainError(f"minimum {minimum} and maximum {maximum} of the target: minimum must be smaller")
