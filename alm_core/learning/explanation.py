"""Why a map says what it says: exact Shapley values of every member and of the fused, corrected value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import factorial
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import DomainError, LearnerError
from alm_core.learning.learners import Learner
from alm_core.learning.target import LOG_SCALE, back_transform_of
from alm_core.trees.convert import compile_ensemble
from alm_core.trees.ensemble import TreeEnsemble, positional_names
from alm_core.trees.shap import shap_values

MAXIMUM_MEMBERS = 8  # the game over K members asks the fusion 2^K times
AGREEMENT = 1e-4  # of the largest member: libraries that sum in float32 stay far below it


@dataclass(frozen=True)
class MemberExplanation:
    """Shapley values of several members for the same sites or pixels.

    Attributes
    ----------
    values : ndarray
        ``[learner, site, feature]``, or ``[learner, site, feature, class]`` for a classification.
    base : ndarray
        ``[learner]`` or ``[learner, class]``.
    scales : tuple of str
        ``value``, ``log of the value``, ``probability`` or ``log-odds`` of each learner: what its values add up to.
    feature_names : tuple of str
    back : callable, optional
        From what the trees add up to, ``[learner]`` or ``[learner, site]``, to what the members predict; None: the same.
    """

    values: np.ndarray
    base: np.ndarray
    scales: tuple[str, ...]
    feature_names: tuple[str, ...]
    back: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def members(self) -> np.ndarray:
        """What the values add up to: ``[learner, site]`` or ``[learner, site, class]``."""
        return self.base[:, None] + self.values.sum(axis=2)

    @property
    def importance(self) -> np.ndarray:
        """Mean ``|value|`` over the sites, summed over classes: ``[learner, feature]``."""
        mean = np.abs(self.values).mean(axis=1)
        return mean if mean.ndim == 2 else mean.sum(axis=2)

    def to_dict(self) -> dict[str, Any]:
        """Base and importance of each learner."""
        return {
            "features": list(self.feature_names),
            "scales": list(self.scales),
            "base": self.base.tolist(),
            "importance": self.importance.tolist(),
        }


@dataclass(frozen=True)
class FusedExplanation:
    """Shapley values of the fused value.

    Attributes
    ----------
    values : ndarray, ``[site, feature]``
        In the unit of the target; NaN where the fused value is.
    base : float
        The fused value of the members' bases.
    member_parts : ndarray, ``[learner, site]``
        Part of each member in ``value - base``.
    feature_names : tuple of str
    """

    values: np.ndarray
    base: float
    member_parts: np.ndarray
    feature_names: tuple[str, ...]

    @property
    def value(self) -> np.ndarray:
        """What the values add up to: the fused value ``[site]``."""
        return self.base + self.values.sum(axis=1)

    @property
    def importance(self) -> np.ndarray:
        """Mean ``|value|`` over the sites that have one: ``[feature]``."""
        return np.abs(self.values[np.isfinite(self.values).all(axis=1)]).mean(axis=0)

    def by_group(self, groups: Mapping[str, str]) -> pd.DataFrame:
        """Sum the covariates of each group: ``[site, group]``, which adds up to the same value.

        Parameters
        ----------
        groups : mapping of covariate to group
            Covariates without a group are summed under ``other``.
        """
        labels = [groups.get(name, "other") for name in self.feature_names]
        names = list(dict.fromkeys(labels))
        sums = {name: self.values[:, [label == name for label in labels]].sum(axis=1) for name in names}
        return pd.DataFrame(sums, columns=names)

    def to_dict(self) -> dict[str, Any]:
        """Base and importance by covariate."""
        return {"base": self.base, "importance": dict(zip(self.feature_names, self.importance.tolist(), strict=True))}


def explain_members(members: Sequence[Any], X: np.ndarray | pd.DataFrame) -> MemberExplanation:
    """Explain every member exactly by TreeSHAP.

    Parameters
    ----------
    members : sequence
        Fitted learners, trained estimators or `TreeEnsemble`; all of one task and of the same covariates.
    X : ndarray or DataFrame, ``[site, feature]``

    Returns
    -------
    MemberExplanation
        A regression in the unit of the target, or in its logarithm where a learner was fitted on that. For classes, forests add
        up to probabilities and boosters to log-odds (`scales` says which); a booster of two classes gives the log-odds of the
        second, and their negative for the first.

    Raises
    ------
    LearnerError
        If a member is not made of trees, or members differ in covariates or classes.
    """
    ensembles = [_ensemble(member, X) for member in members]
    if not ensembles:
        raise LearnerError("No member was given to explain. Give at least one fitted tree learner.")
    names = ensembles[0].feature_names
    table = X.to_numpy(np.float32) if isinstance(X, pd.DataFrame) else X
    explained = [shap_values(ensemble, table) for ensemble in ensembles]
    values = [_per_class(found.values, ensemble) for found, ensemble in zip(explained, ensembles, strict=True)]
    base = [_per_class(np.asarray(found.base), ensemble) for found, ensemble in zip(explained, ensembles, strict=True)]
    shapes = {part.shape for part in values}
    if len(shapes) > 1:
        raise LearnerError(
            f"The members give values of the shapes {', '.join(str(shape) for shape in sorted(shapes))} and can't be stacked. "
            "Explain members of one task, trained on the same covariates and classes."
        )
    scales = tuple(_scale(ensemble, member) for ensemble, member in zip(ensembles, members, strict=True))
    return MemberExplanation(np.stack(values), np.stack(base), scales, names, back_transform_of(members))


def _ensemble(member: Any, X: np.ndarray | pd.DataFrame) -> TreeEnsemble:
    """The compiled trees of a member, with the names of its covariates."""
    # Only our own learners are unwrapped: scikit-learn's forests also have an `estimator`, an unfitted tree.
    names = member.feature_names if isinstance(member, Learner) else None
    ensemble = compile_ensemble(member.estimator if isinstance(member, Learner) else member, feature_names=names)
    if isinstance(X, pd.DataFrame):
        columns = [str(name) for name in X.columns]
        if ensemble.feature_names == positional_names(len(columns)):
            return replace(ensemble, feature_names=tuple(columns))
        ensemble.check_names(columns)
    return ensemble


def _per_class(values: np.ndarray, ensemble: TreeEnsemble) -> np.ndarray:
    two_classes_one_margin = ensemble.task == "classification" and ensemble.n_outputs == 1
    return np.stack([-values, values], axis=-1) if two_classes_one_margin else values


def _scale(ensemble: TreeEnsemble, member: Any) -> str:
    if ensemble.task == "regression":
        return LOG_SCALE if isinstance(member, Learner) and not member.transform.identity else "value"
    return "probability" if ensemble.link == "identity" else "log-odds"


def explain_fused(
    fusion: Any,
    explanation: MemberExplanation,
    members: np.ndarray,
    *,
    transform: Callable[[np.ndarray], np.ndarray] | None = None,
) -> FusedExplanation:
    """Explain the fused and corrected value, whatever the weights and the curve of the correction are.

    Two games, one in the other. First the members play: with F the fusion, m the members and b their bases, a coalition S of
    members is worth ``F(m of S, b of the others)``; Delta_k is the exact Shapley value of member k (2^K fusions) and the
    Delta_k add up to ``F(m) - F(b)``. Then each member hands its part on to the covariates in the proportion of its own
    TreeSHAP values:

        phi_j = sum_k  Delta_k / (m_k - b_k) * phi_kj

    It adds up to ``F(m) - F(b)`` for any F. For a linear fusion the slopes are the weights and phi is the exact TreeSHAP of
    the weighted sum of trees. A member at its base has no part (Delta_k = 0) and hands nothing on.

    Not for a residual model or kriged residual: these are added to F and are not explained here.

    Parameters
    ----------
    fusion : Fusion
        Anything with ``predict(members [learner, site]).value``.
    explanation : MemberExplanation
        Of a regression.
    members : ndarray, ``[learner, site]``
        Predictions of the same members for the same sites; a place where one is NaN stays NaN.
    transform : callable, optional
        From the scale of the trees to that of `members`, value by value, where the learners were trained on a transformed
        target (for example ``numpy.exp``). Default: that of the learners that were explained.

    Returns
    -------
    FusedExplanation
        Adds up to ``fusion.predict(members).value``, also where `members` carry the rounding of a library's float32 sums.

    Raises
    ------
    DomainError
        If shapes don't match, or `members` are not what the explanation adds up to.
    LearnerError
        If there are more than 8 members, or the explanation is one of classes.

    Examples
    --------
    >>> class Mean:
    ...     def predict(self, members):
    ...         return type("Fused", (), {"value": members.mean(axis=0) ** 2})
    >>> values = np.array([[[1.0, 2.0]], [[3.0, 0.0]]])
    >>> explanation = MemberExplanation(values, np.zeros(2), ("value", "value"), ("a", "b"))
    >>> explain_fused(Mean(), explanation, np.full((2, 1), 3.0)).value
    array([9.])
    """
    members = _checked_members(explanation, members)
    transform = transform or explanation.back
    trees, base = explanation.members, explanation.base
    apart = _apart(members, trees if transform is None else transform(trees))
    parts, base_value = member_game(fusion, members, base if transform is None else transform(base))
    difference = trees - base[:, None]
    # A member within rounding of its base has nothing to hand on: its part is rounding too, and their ratio would be noise.
    rounding = np.maximum(1e-12 * np.maximum(np.abs(trees), np.abs(base)[:, None]), 2.0 * apart)
    slopes = np.divide(parts, difference, out=np.zeros_like(parts), where=np.abs(difference) > rounding)
    slopes[:, np.isnan(parts).any(axis=0)] = np.nan
    values = np.einsum("kn,knf->nf", slopes, explanation.values)
    return FusedExplanation(values, base_value, parts, explanation.feature_names)


def _checked_members(explanation: MemberExplanation, members: np.ndarray) -> np.ndarray:
    members = np.asarray(members, float)
    if explanation.values.ndim != 3:
        raise LearnerError("The fused value of a regression can be explained, and the explanation is one of classes.")
    expected = explanation.values.shape[:2]
    if members.shape != expected:
        raise DomainError(f"Members of shape {members.shape} don't match the explanation of shape {expected} [learner, site].")
    if len(members) > MAXIMUM_MEMBERS:
        raise LearnerError(f"{len(members)} members can't be explained together: at most {MAXIMUM_MEMBERS}. Fuse fewer learners.")
    return members


def _apart(members: np.ndarray, explained: np.ndarray) -> np.ndarray:
    """Difference between the members and what their explanation adds up to, after a check that it's rounding; 0 where NaN."""
    apart = np.where(np.isfinite(members), np.abs(explained - members), 0.0)
    size = np.max(np.abs(members), initial=0.0, where=np.isfinite(members))
    if np.any(apart > AGREEMENT * size):
        raise DomainError(
            f"The members differ from what the explanation adds up to by up to {apart.max():.3g}. Give predictions of the "
            "same learners for the same rows; with a transformed target, give its back-transform as `transform`."
        )
    return apart


def member_game(fusion: Any, members: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, float]:
    """Exact Shapley values of the members of a fusion.

    Parameters
    ----------
    fusion : object
        With ``predict(members [learner, site]).value``.
    members : ndarray, ``[learner, site]``
    base : ndarray, ``[learner]``
        What a member outside the coalition says.

    Returns
    -------
    parts : ndarray, ``[learner, site]``
        They add up to ``F(members) - F(base)``.
    base_value : float
        ``F(base)``.
    """
    count = len(members)
    outside = np.broadcast_to(base[:, None], members.shape)
    worth = []
    for coalition in range(2**count):
        inside = np.array([bool(coalition >> k & 1) for k in range(count)])
        worth.append(np.asarray(fusion.predict(np.where(inside[:, None], members, outside)).value, float))
    parts = np.zeros(members.shape)
    for coalition in range(2**count):
        size = coalition.bit_count()
        weight = factorial(size) * factorial(count - size - 1) / factorial(count) if size < count else 0.0
        for k in range(count):
            if not coalition >> k & 1:
                parts[k] += weight * (worth[coalition | 1 << k] - worth[coalition])
    return parts, float(np.asarray(fusion.predict(base[:, None]).value, float)[0])
