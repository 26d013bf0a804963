"""Any scikit-learn regressor or classifier by the name of its class, ready for features with gaps and codes."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from alm_core.errors import LearnerError


def make_estimator(
    kind: str,
    task: str,
    seed: int,
    options: Mapping[str, Any],
    *,
    feature_names: Sequence[str] | None = None,
    categorical: Sequence[str] = (),
    one_hot: bool | None = None,
) -> Any:
    """Make the scikit-learn estimator called `kind`, behind an imputer and a scaler where it can't take missing values.

    Called by `make_learner`; the parameters are explained there.

    Raises
    ------
    LearnerError
        An unknown name or option, a class of the other task, one that needs another estimator, or a classifier that gives
        no probabilities.
    """
    from sklearn.utils import get_tags

    from alm_core.learning.learners import checked_options

    maker = _find_class(kind, task)
    names = tuple(inspect.signature(maker.__init__).parameters)[1:]
    chosen = _defaults(kind) | checked_options(kind, options, names)
    if "random_state" in names:
        chosen["random_state"] = seed
    if "n_jobs" in names:
        chosen["n_jobs"] = 1
    try:
        estimator = maker(**chosen)
    except TypeError as fault:
        raise LearnerError(f"The scikit-learn class {kind!r} can't be made from its options alone: {fault}.") from fault
    if task == "classification" and not hasattr(estimator, "predict_proba"):
        raise LearnerError(
            f"The scikit-learn class {kind!r} gives no class probabilities with these options, and fusion needs them. "
            "Choose another classifier, for example LogisticRegression or HistGradientBoostingClassifier."
        )
    takes_missing = get_tags(estimator).input_tags.allow_nan
    encode = bool(categorical) and (not takes_missing if one_hot is None else one_hot)
    if takes_missing and not encode:
        return estimator
    return pipeline(estimator, feature_names, categorical if encode else ())


def pipeline(
    estimator: Any, feature_names: Sequence[str] | None, categorical: Sequence[str], *, expand: Any | None = None
) -> Any:
    """Impute by the median and scale the quantities, then `expand` them; turn the codes into one column a category.

    Raises
    ------
    LearnerError
        Categorical covariates without names of the columns, or not among them.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    double = FunctionTransformer(np.asarray, kw_args={"dtype": np.float64})  # float32 sums would cost linear models digits
    steps = [double, SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()]
    quantities = make_pipeline(*steps, *([] if expand is None else [expand]))
    if not categorical:
        return Pipeline([("prepare", quantities), ("estimator", estimator)])
    if feature_names is None:
        raise LearnerError("Categorical covariates were named without the names of all columns: give `feature_names` as well.")
    unknown = sorted(set(categorical) - set(feature_names))
    if unknown:
        raise LearnerError(f"The categorical covariates {', '.join(unknown)} are not among {', '.join(feature_names)}.")
    coded = [number for number, name in enumerate(feature_names) if name in set(categorical)]
    plain = [number for number in range(len(feature_names)) if number not in coded]
    codes = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = ColumnTransformer([("quantities", quantities, plain), ("codes", codes, coded)])
    return Pipeline([("prepare", prepare), ("estimator", estimator)])


def _defaults(kind: str) -> dict[str, Any]:
    """Defaults where scikit-learn's own make no sense for sites."""
    if kind == "GaussianProcessRegressor":
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        # scikit-learn's default kernel has a fixed length of 1 and no noise: it memorises the sites
        kernel = ConstantKernel(1.0) * Matern(length_scale=3.0, nu=1.5) + WhiteKernel(0.3)
        return {"kernel": kernel, "normalize_y": True}
    return {}


def _find_class(kind: str, task: str) -> type:
    """The scikit-learn class of that name, or a LearnerError with the nearest names."""
    from alm_core.learning.learners import LEARNERS
    from alm_core.learning.scaled_kinds import OPTIONS

    classes = _classes(task)
    if kind in classes:
        return classes[kind]
    other = "classification" if task == "regression" else "regression"
    if kind in _classes(other):
        raise LearnerError(f"The learner {kind!r} is for {other} and the task is {task}: choose a learner for {task}.")
    known = [*LEARNERS, *OPTIONS, *classes]
    by_lower_case = {name.lower(): name for name in known}
    near = [by_lower_case[name] for name in difflib.get_close_matches(kind.lower(), by_lower_case, n=3)]
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise LearnerError(
        f"The learner {kind!r} is not known. {hint}Give one of {', '.join([*LEARNERS, *OPTIONS])}, or the class name of a "
        f"scikit-learn estimator for {task}."
    )


@cache
def _classes(task: str) -> dict[str, type]:
    """All scikit-learn estimators of a task by class name."""
    from sklearn.utils.discovery import all_estimators

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the search imports deprecated modules
        return dict(all_estimators(type_filter="regressor" if task == "regression" else "classifier"))
