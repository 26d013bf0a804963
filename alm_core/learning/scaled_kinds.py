"""Learners without trees, by the name of their family: linear, splines, support vectors, nearest neighbours.

Each is a scikit-learn pipeline that imputes by the median, scales and codes categories from the training part of a fold alone,
and has defaults for a few hundred sites. None has a file format without code: a map fits them again from the samples of its run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alm_core.errors import LearnerError

PENALTIES = tuple(float(value) for value in np.logspace(-3, 4, 22))
"""Ridge penalties that leave-one-out inside the training part chooses from."""
KNOTS = 5
NEIGHBOURS = 7
SUPPORT_VECTOR_DEFAULTS = {"C": 10.0, "epsilon": 0.1, "gamma": "scale"}
CALIBRATION_FOLDS = 3
SPLINE_OPTIONS = {"knots": KNOTS, "degree": 3}
OPTIONS: dict[str, tuple[str, ...]] = {
    "linear": ("alpha",),
    "splines": ("alpha", "knots", "degree"),
    "support_vector": ("C", "epsilon", "gamma", "kernel", "degree", "coef0"),
    "nearest_neighbours": ("n_neighbors", "weights", "p"),
}
"""Kind -> options that a study may set."""


def make_scaled(
    kind: str,
    task: str,
    seed: int,
    options: Mapping[str, Any],
    *,
    feature_names: Sequence[str] | None = None,
    categorical: Sequence[str] = (),
    one_hot: bool | None = None,
) -> Any:
    """Make an unfitted estimator of a kind of `OPTIONS`; called by `make_learner`, where the parameters are explained.

    Parameters
    ----------
    kind : {"linear", "splines", "support_vector", "nearest_neighbours"}
        Ridge regression, whose penalty is chosen by leave-one-out inside the training part unless ``alpha`` is given. Additive
        cubic splines of every covariate under one ridge penalty: like a generalised additive model, but without a penalty for
        each term, and constant beyond the range of the sites. Support vector regression with a scaled target. The mean of
        neighbours in scaled covariates, weighted by distance. For classes: logistic regression, calibrated support vectors,
        votes of neighbours.

    Raises
    ------
    LearnerError
        An unknown option.
    """
    from alm_core.learning.learners import checked_options
    from alm_core.learning.scikit_learn import pipeline

    chosen = checked_options(kind, options, OPTIONS[kind])
    expand = None
    if kind == "splines":
        spline = {name: chosen.pop(name, default) for name, default in SPLINE_OPTIONS.items()}
        expand = _spline_terms(**spline)
    try:
        estimator = _MAKERS[kind](task, seed, chosen)
    except TypeError as fault:
        raise LearnerError(f"The learner {kind!r} can't be made from the options {dict(options)}: {fault}.") from fault
    return pipeline(estimator, feature_names, () if one_hot is False else categorical, expand=expand)


def _spline_terms(knots: int, degree: int) -> Any:
    """Knots at quantiles, because covariates are skewed; constant outside, so that a map does not run off."""
    from sklearn.preprocessing import SplineTransformer

    if not (isinstance(knots, int) and knots >= 2 and isinstance(degree, int) and degree >= 1):
        raise LearnerError(f"The learner 'splines' got knots = {knots!r}, degree = {degree!r}: whole numbers from 2 and 1 on.")
    return SplineTransformer(n_knots=knots, degree=degree, knots="quantile", extrapolation="constant", include_bias=False)


def _linear(task: str, seed: int, options: dict[str, Any]) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV

    if task == "classification":
        return LogisticRegression(C=1.0 / options["alpha"] if "alpha" in options else 1.0, max_iter=2000, random_state=seed)
    return Ridge(**options, random_state=seed) if options else RidgeCV(alphas=PENALTIES)


def _support_vector(task: str, seed: int, options: dict[str, Any]) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, SVR

    chosen = SUPPORT_VECTOR_DEFAULTS | options
    if task == "regression":
        # C and epsilon are in the unit of the target: scaling it gives both one meaning for all studies
        return TransformedTargetRegressor(SVR(**chosen), transformer=StandardScaler())
    from sklearn.calibration import CalibratedClassifierCV

    chosen.pop("epsilon")
    return CalibratedClassifierCV(SVC(**chosen, random_state=seed), ensemble=False, cv=CALIBRATION_FOLDS)


def _nearest_neighbours(task: str, seed: int, options: dict[str, Any]) -> Any:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    maker = KNeighborsRegressor if task == "regression" else KNeighborsClassifier
    return maker(**{"n_neighbors": NEIGHBOURS, "weights": "distance"} | options, n_jobs=1)


_MAKERS = {
    "linear": _linear,
    "splines": _linear,
    "support_vector": _support_vector,
    "nearest_neighbours": _nearest_neighbours,
}
