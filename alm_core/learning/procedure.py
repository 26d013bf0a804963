"""The whole fitting procedure as one function of a training set.

Selection, tuning, members, fusion, bias correction, residual model and intervals are all fitted by `train` from the rows it
is given and from nothing else. Validation calls it with the training part of each fold, the final map with every site: what
is scored is the procedure that makes the map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from alm_core.covariates.samples import Samples
from alm_core.learning.class_fusion import fit_class_fusion
from alm_core.learning.folds import Folds, make_folds
from alm_core.learning.fusion import fit_fusion
from alm_core.learning.learners import make_learner
from alm_core.learning.residual import Residual, fit_residual
from alm_core.learning.selection import Selection, select_features
from alm_core.learning.target import TargetTransform, smear_out_of_fold
from alm_core.learning.tuning import tune_learner
from alm_core.learning.uncertainty import fit_interval

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class LearnerSpec:
    """Name, registry kind and constructor options of one member."""

    name: str
    kind: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Procedure:
    """Everything that decides how a training set becomes a fused predictor.

    Attributes
    ----------
    learners : tuple of LearnerSpec
    task : str
        ``regression`` or ``classification``.
    transform : str
        Scale on which members are fitted, ``none`` or ``log``; everything after them is in the unit of the target.
    classes : tuple
        All class labels of the study, so that a fold that misses one still predicts it with probability 0.
    features : tuple of str or None
        Fixed set of covariates; None: all, or those that `selection` chooses.
    selection : dict or None
        Keyword arguments of `select_features`; None: no selection inside.
    selection_folds : int
        Folds of that selection.
    tuning : dict or None
        Keyword arguments of `tune_learner`; None: no tuning.
    fusion : dict
        Keyword arguments of `fit_fusion` or `fit_class_fusion`.
    interval : dict or None
        Keyword arguments of `fit_interval`; None: no intervals.
    residual : str
        ``none``, ``model`` (bias correction by a second learner) or ``kriging``.
    inner_folds : int
    categorical : tuple of str
    geographic : bool
        True where x, y are degrees.
    domain : ndarray or None
        ``[point, 2]`` places of the map, for kNNDM.
    block_size_km : float
    block_size_degrees : float or None
    seed : int
    workers : int
        Fits that run side by side; the result does not depend on it.
    """

    learners: tuple[LearnerSpec, ...]
    task: str = "regression"
    transform: str = "none"
    classes: tuple[Any, ...] = ()
    features: tuple[str, ...] | None = None
    selection: dict[str, Any] | None = None
    selection_folds: int = 5
    tuning: dict[str, Any] | None = None
    fusion: dict[str, Any] = field(default_factory=dict)
    interval: dict[str, Any] | None = None
    residual: str = "none"
    inner_folds: int = 5
    categorical: tuple[str, ...] = ()
    geographic: bool = True
    domain: np.ndarray | None = None
    block_size_km: float = 100.0
    block_size_degrees: float | None = None
    seed: int = 0
    workers: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members in order."""
        return tuple(learner.name for learner in self.learners)


@dataclass(frozen=True)
class Prediction:
    """What a trained procedure says of some places.

    Attributes
    ----------
    members : ndarray
        ``[learner, site]``, or ``[learner, class, site]`` probabilities.
    value : ndarray
        Fused and corrected value, or label.
    lower, upper : ndarray
        Interval; NaN where there is none.
    probability : ndarray or None
        ``[class, site]``, classification only.
    """

    members: np.ndarray
    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    probability: np.ndarray | None = None


@dataclass(frozen=True)
class Trained:
    """A fitted procedure.

    Attributes
    ----------
    procedure : Procedure
    features : tuple of str
    learners : tuple
        Fitted members, in order.
    fusion : Fusion or ClassFusion
    residual : Residual or None
    selection : Selection or None
    site_ids : ndarray
        The sites that it was fitted on.
    inner_members : ndarray
        Their out-of-fold member predictions, on which the fusion was fitted.
    inner_value : ndarray
        Their cross-fitted fused values without residual (regression), on which the residual model was fitted.
    inner_folds : Folds
    """

    procedure: Procedure
    features: tuple[str, ...]
    learners: tuple[Any, ...]
    fusion: Any
    residual: Residual | None
    selection: Selection | None
    site_ids: np.ndarray
    inner_members: np.ndarray
    inner_value: np.ndarray
    inner_folds: Folds

    def predict(self, samples: Samples) -> Prediction:
        """Predict other sites."""
        features = samples.features[list(self.features)].to_numpy(np.float32)
        members = np.stack([member_predict(learner, features) for learner in self.learners])
        if self.procedure.task == "classification":
            fused = self.fusion.predict(members)
            empty = np.full(len(samples), np.nan)
            return Prediction(members, np.asarray(self.procedure.classes)[fused.label], empty, empty, fused.probability)
        extra = None
        if self.residual is not None:
            extra = self.residual.predict(features, without_residual(self.fusion, members), samples.x, samples.y)
        fused = self.fusion.predict(members, residual=extra)
        return Prediction(members, fused.value, fused.lower, fused.upper)


def train(samples: Samples, procedure: Procedure, *, scheme: str = "random", progress: Progress | None = None) -> Trained:
    """Fit everything on `samples`.

    Parameters
    ----------
    samples : Samples
        The training rows; nothing else is looked at.
    procedure : Procedure
    scheme : str
        Kind of the inner folds: the same kind as the folds that score the result.

    Returns
    -------
    Trained
    """
    selection = None
    features = procedure.features or tuple(samples.features.columns)
    if procedure.selection is not None:
        selection = _select(samples.take(np.arange(len(samples)), features), procedure, scheme, progress)
        features = selection.chosen
    samples = samples.take(np.arange(len(samples)), features)
    procedure = _tuned(samples, procedure)
    folds = inner_folds(samples, procedure, scheme, procedure.inner_folds)
    members, learners = _fit_members(samples, procedure, folds)
    if procedure.task == "classification":
        codes = _codes(samples.target, procedure)
        classes = [str(label) for label in procedure.classes]
        fusion = fit_class_fusion(members, codes, learners=procedure.names, classes=classes, **procedure.fusion)
        value, residual = np.full(len(samples), np.nan), None
    else:
        fusion, value, residual = fit_regression_fusion(samples, procedure, folds, members)
    return Trained(procedure, features, learners, fusion, residual, selection, samples.site_ids, members, value, folds)


def without_residual(fusion: Any, members: np.ndarray) -> np.ndarray:
    """Fused and corrected value before any residual is added."""
    return fusion.predict(members, residual=np.zeros(members.shape[1:])).value


def inner_folds(samples: Samples, procedure: Procedure, scheme: str, n_folds: int, *, repeats: int = 1) -> Folds:
    """Folds inside a training set, of the kind that scores it; kinds that need whole groups fall back to random folds."""
    kind = scheme if scheme in ("block", "knndm") else "random"
    return make_folds(
        kind,
        x=samples.x,
        y=samples.y,
        geographic=procedure.geographic,
        n_folds=min(n_folds, int(samples.site_groups.max()) + 1),
        repeats=repeats,
        seed=procedure.seed,
        block_size_km=procedure.block_size_km,
        block_size_degrees=procedure.block_size_degrees,
        domain=procedure.domain,
        strata=samples.target.astype(str) if procedure.task == "classification" else None,
        together=samples.site_groups,
    )


def member_predict(learner: Any, features: np.ndarray) -> np.ndarray:
    """Predict with one member: ``[site]``, or ``[class, site]`` over all classes of the study."""
    return np.asarray(learner.predict(features), float).T


def cross_fitted(samples: Samples, procedure: Procedure, folds: Folds, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fused values and member spread of each site by a fusion (and residual model) that never saw the site.

    Fusion and correction are refitted without each inner fold in turn, so that intervals are not fitted on residuals that
    the correction has already shrunk.
    """
    value, spread = np.full(len(samples), np.nan), np.full(len(samples), np.nan)
    for _, _, fit_rows, score_rows in folds.splits():
        fusion = fit_fusion(members[:, fit_rows], samples.target[fit_rows], learners=procedure.names, **procedure.fusion)
        first = without_residual(fusion, members[:, score_rows])
        extra = None
        if procedure.residual != "none":
            part = samples.take(fit_rows)
            inside = without_residual(fusion, members[:, fit_rows])
            residual = fit_residual(procedure.residual, part, inside, seed=procedure.seed, geographic=procedure.geographic)
            scored = samples.take(score_rows)
            extra = residual.predict(scored.features.to_numpy(np.float32), first, scored.x, scored.y)
        value[score_rows] = first if extra is None else fusion.predict(members[:, score_rows], residual=extra).value
        spread[score_rows] = fusion.spread(members[:, score_rows])
    return value, spread


def fit_regression_fusion(
    samples: Samples, procedure: Procedure, folds: Folds, members: np.ndarray
) -> tuple[Any, np.ndarray, Residual | None]:
    """Fit fusion, intervals and residual model on out-of-fold members.

    Returns
    -------
    Fusion
        With its interval model.
    ndarray
        Cross-fitted fused values of the sites, without residual.
    Residual or None
    """
    fusion = fit_fusion(members, samples.target, learners=procedure.names, **procedure.fusion)
    final, spread = cross_fitted(samples, procedure, folds, members)
    plain, residual = final, None
    if procedure.residual != "none":
        plain, _ = cross_fitted(samples, replace(procedure, residual="none"), folds, members)
        residual = fit_residual(procedure.residual, samples, plain, seed=procedure.seed, geographic=procedure.geographic)
    if procedure.interval is not None:
        fusion = fusion.with_interval(fit_interval(final, spread, samples.target, **procedure.interval))
    return fusion, plain, residual


def _fit_members(samples: Samples, procedure: Procedure, folds: Folds) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Out-of-fold predictions of every member, and the members fitted on all rows."""
    everything = np.arange(len(samples))
    splits = [(fit_rows, score_rows) for _, _, fit_rows, score_rows in folds.splits()]
    tasks = [(spec, rows) for rows in [*[fit for fit, _ in splits], everything] for spec in procedure.learners]
    fitted = Parallel(n_jobs=procedure.workers, prefer="threads")(delayed(_fit_one)(samples, procedure, *task) for task in tasks)
    size = len(procedure.learners)
    classes = (len(procedure.classes),) if procedure.task == "classification" else ()
    members = np.full((size, *classes, len(samples)), np.nan)
    values = samples.features.to_numpy(np.float32)
    for number, (_, score_rows) in enumerate(splits):
        for position in range(size):
            learner = fitted[number * size + position]
            members[position][..., score_rows] = member_predict(learner, values[score_rows])
    if procedure.transform == "none":
        return members, tuple(fitted[-size:])
    for position, learner in enumerate(fitted[-size:]):
        members[position], factor = smear_out_of_fold(samples.target, members[position], splits)
        learner.transform = replace(learner.transform, smearing=factor)
    return members, tuple(fitted[-size:])


def _fit_one(samples: Samples, procedure: Procedure, spec: LearnerSpec, rows: np.ndarray) -> Any:
    learner = make_learner(
        spec.kind,
        task=procedure.task,
        seed=procedure.seed,
        options=spec.options,
        feature_names=tuple(samples.features.columns),
        categorical=tuple(name for name in procedure.categorical if name in samples.features),
        classes=procedure.classes or None,
        transform=TargetTransform(procedure.transform),
    )
    return learner.fit(samples.features.to_numpy(np.float32)[rows], samples.target[rows])


def _select(samples: Samples, procedure: Procedure, scheme: str, progress: Progress | None) -> Selection:
    options = dict(procedure.selection or {})
    repeats = options.pop("repeats", 1)
    folds = inner_folds(samples, procedure, options.pop("scheme", scheme), procedure.selection_folds, repeats=repeats)
    wanted = options.pop("learners", ()) or procedure.names
    learners = [(spec.name, spec.kind, spec.options) for spec in procedure.learners if spec.name in wanted]
    return select_features(
        pd.DataFrame(samples.features),
        TargetTransform(procedure.transform).forward(samples.target),
        learners=learners,
        task=procedure.task,
        folds=folds,
        seed=procedure.seed,
        workers=procedure.workers,
        progress=progress,
        **options,
    )


def _tuned(samples: Samples, procedure: Procedure) -> Procedure:
    if procedure.tuning is None:
        return procedure
    values = samples.features.to_numpy(np.float32)
    learners = tuple(
        replace(
            spec,
            options=tune_learner(
                spec.kind,
                values,
                TargetTransform(procedure.transform).forward(samples.target),
                task=procedure.task,
                seed=procedure.seed,
                options=spec.options,
                together=samples.site_groups,
                **procedure.tuning,
            ).options,
        )
        for spec in procedure.learners
    )
    return replace(procedure, learners=learners, tuning=None)


def _codes(labels: np.ndarray, procedure: Procedure) -> np.ndarray:
    """Position of each label in the classes of the study."""
    position = {label: number for number, label in enumerate(procedure.classes)}
    return np.array([position[label] for label in labels], dtype=np.int64)
