"""Two baselines that tell frozen ground by two numbers: Tb at 36.5 GHz V, and Tb at 18.7 GHz H over it.

Warm ground is seldom frozen, and water that freezes leaves the permittivity, so that emission at 18.7 GHz H rises against the
temperature that 36.5 GHz V stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from alm_core.cubes.states import FROZEN, THAWED, UNKNOWN
from alm_core.errors import DomainError, LearnerError, ModelFileError

UNVERIFIED = (
    "Coefficients unverified: they are those of Zhao et al. (2011) as later papers print them; the paper itself was not at hand."
)
KELVIN = (50.0, 340.0)
"""What a brightness temperature of the ground can be."""


def quasi_emissivity(tb36v: np.ndarray, tb18h: np.ndarray) -> np.ndarray:
    """Tb at 18.7 GHz H over Tb at 36.5 GHz V, float64, NaN where one is missing.

    Raises
    ------
    DomainError
        Other shapes, or values that are no brightness temperatures in kelvin (fill values, degree Celsius).

    Examples
    --------
    >>> quasi_emissivity(np.array([250.0, np.nan]), np.array([240.0, 240.0])).tolist()
    [0.96, nan]
    """
    tb36v, tb18h = np.asarray(tb36v, np.float64), np.asarray(tb18h, np.float64)
    if tb36v.shape != tb18h.shape:
        raise DomainError(f"Tb 36.5 V has the shape {tb36v.shape} and Tb 18.7 H {tb18h.shape}: the same is expected.")
    for name, values in (("36.5 V", tb36v), ("18.7 H", tb18h)):
        wrong = (values < KELVIN[0]) | (values > KELVIN[1])
        if wrong.any():
            raise DomainError(
                f"Tb {name} holds {int(wrong.sum())} value(s) outside {KELVIN[0]:g} to {KELVIN[1]:g} K, such as "
                f"{values[wrong].flat[0]:g}: give kelvin, and NaN where a value is missing."
            )
    return tb18h / tb36v


def _state(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """State and probability of frozen from the log odds, NaN where unknown."""
    with np.errstate(over="ignore"):
        probability = 1.0 / (1.0 + np.exp(-above))
    state = np.where(above > 0, FROZEN, THAWED)
    return np.where(np.isnan(above), UNKNOWN, state).astype(np.uint8), probability


@dataclass(frozen=True)
class PublishedDiscriminant:
    """The discriminant function of Zhao et al. (2011), with its printed coefficients, which nobody here could verify.

    Not to be taken as the best of its kind: coefficients hold for the sensor, orbit and sites that they were made from; see
    `RefittedDiscriminant`.

    Attributes
    ----------
    verified : bool
        False.
    note : str
        The same in words, for every table that shows its scores.

    Notes
    -----
    ``Q = Tb18.7H / Tb36.5V``; frozen where ``D_F > D_T``, ``D_F = 1.47 Tb36.5V + 91.69 Q - 226.77`` and
    ``D_T = 1.55 Tb36.5V + 86.33 Q - 242.41``. Zhao T. et al. (2011), Hydrological Processes 25:1704-1716. The two are
    classification functions of Fisher, so the probability of frozen is ``1 / (1 + exp(D_T - D_F))``; it is as unverified as they.

    Examples
    --------
    >>> state, probability = PublishedDiscriminant().predict(np.array([230.0, 275.0, np.nan]), np.array([222.0, 250.0, 240.0]))
    >>> state.tolist(), PublishedDiscriminant().verified
    ([1, 0, 255], False)
    """

    kind: ClassVar[str] = "discriminant_published"
    verified: ClassVar[bool] = False
    note: ClassVar[str] = UNVERIFIED
    frozen: ClassVar[tuple[float, float, float]] = (1.47, 91.69, -226.77)
    thawed: ClassVar[tuple[float, float, float]] = (1.55, 86.33, -242.41)

    def predict(self, tb36v: np.ndarray, tb18h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """State (uint8, 255 where unknown) and probability of frozen (float64, NaN where unknown), of any shape.

        Raises
        ------
        DomainError
            As `quasi_emissivity`.
        """
        ratio = quasi_emissivity(tb36v, tb18h)
        by_temperature, by_ratio, constant = (one - two for one, two in zip(self.frozen, self.thawed, strict=True))
        return _state(by_temperature * np.asarray(tb36v, np.float64) + by_ratio * ratio + constant)

    def to_dict(self) -> dict[str, Any]:
        """The coefficients, and that they are unverified, for JSON."""
        values = {"kind": self.kind, "verified": self.verified, "note": self.note}
        return values | {"frozen": list(self.frozen), "thawed": list(self.thawed)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PublishedDiscriminant:
        """The inverse of `to_dict`.

        Raises
        ------
        ModelFileError
            It is another model, or has other coefficients.
        """
        if dict(values) != cls().to_dict():
            raise ModelFileError(f"A {values.get('kind', 'model')} came that is not {cls.kind} of this version. Fit it again.")
        return cls()


@dataclass(frozen=True)
class RefittedDiscriminant:
    """A linear discriminant of the same two numbers, refitted on a training set.

    Made by `fit`. Frozen where ``by_temperature * Tb36.5V + by_ratio * Q + constant > 0``; the logistic of that sum is the
    probability.

    Attributes
    ----------
    by_temperature, by_ratio, constant : float
        1/K, 1 and 1.
    count, missing : int
        Rows that were fitted, and rows left out because a number was missing.
    frozen_part : float
        Part of the rows that were frozen; the prior probability.
    """

    by_temperature: float
    by_ratio: float
    constant: float
    count: int = 0
    missing: int = 0
    frozen_part: float = float("nan")

    kind: ClassVar[str] = "discriminant_refitted"
    verified: ClassVar[bool] = True
    note: ClassVar[str] = "Refitted on the training set."

    @classmethod
    def fit(cls, tb36v: np.ndarray, tb18h: np.ndarray, label: np.ndarray) -> RefittedDiscriminant:
        """Fit to brightness temperatures and labels ``[row]`` (0 thawed, 1 frozen).

        Raises
        ------
        LearnerError
            Fewer than two rows of a class, another label, or numbers that never change.
        DomainError
            As `quasi_emissivity`.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> label = np.arange(400) % 2
        >>> tb36v = np.where(label, 235.0, 265.0) + rng.normal(0, 5, 400)
        >>> model = RefittedDiscriminant.fit(tb36v, tb36v * np.where(label, 0.97, 0.92), label)
        >>> model.predict(np.array([230.0]), np.array([223.0]))[0].tolist(), model.by_ratio > 0
        ([1], True)
        """
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        ratio, tb36v, label = quasi_emissivity(tb36v, tb18h), np.asarray(tb36v, np.float64), np.asarray(label)
        if label.shape != tb36v.shape or label.ndim != 1:
            raise LearnerError(f"Labels of shape {label.shape} came with temperatures of {tb36v.shape}: one a row is expected.")
        if not np.isin(label, (THAWED, FROZEN)).all():
            strange = label[~np.isin(label, (THAWED, FROZEN))][0]
            raise LearnerError(f"A label {strange} came: {THAWED} (thawed) and {FROZEN} (frozen) are expected; leave others out.")
        known = np.isfinite(ratio)
        rows, label = np.column_stack([tb36v, ratio])[known], label[known]
        counts = [int((label == state).sum()) for state in (THAWED, FROZEN)]
        if min(counts) < 2:
            raise LearnerError(
                f"{counts[0]} thawed and {counts[1]} frozen rows have both brightness temperatures: two of each are needed."
            )
        spread = rows.std(axis=0)
        if (spread == 0).any():
            raise LearnerError("Tb 36.5 V or its ratio to 18.7 H never changes: two variables of the ground are expected.")
        # The ratio varies by hundredths, the temperature by tens of kelvin: on one scale the solver has nothing to lose.
        centre = rows.mean(axis=0)
        fitted = LinearDiscriminantAnalysis().fit((rows - centre) / spread, label)
        slopes = fitted.coef_[0] / spread
        constant = float(fitted.intercept_[0] - slopes @ centre)
        return cls(*map(float, slopes), constant, len(label), int((~known).sum()), counts[1] / len(label))

    def predict(self, tb36v: np.ndarray, tb18h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """State (uint8, 255 where unknown) and probability of frozen (float64, NaN where unknown), of any shape.

        Raises
        ------
        DomainError
            As `quasi_emissivity`.
        """
        ratio = quasi_emissivity(tb36v, tb18h)
        return _state(self.by_temperature * np.asarray(tb36v, np.float64) + self.by_ratio * ratio + self.constant)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RefittedDiscriminant:
        """The inverse of `to_dict`.

        Raises
        ------
        ModelFileError
            It is another model, or a coefficient is missing or no number.
        """
        values = dict(values)
        if values.pop("kind", None) != cls.kind:
            raise ModelFileError(f"The values are not of a {cls.kind}. Fit it again.")
        try:
            model = cls(**values)
            if not np.isfinite([model.by_temperature, model.by_ratio, model.constant]).all():
                raise ValueError("a coefficient is not finite")
        except (TypeError, ValueError) as fault:
            raise ModelFileError(f"The {cls.kind} is damaged ({fault}). Fit it again.") from fault
        return model
