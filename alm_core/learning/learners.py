"""Learners by name: one way to make, fit and ask any of them.

Random forest, extremely randomised trees, XGBoost and CatBoost have defaults chosen for a few hundred sites and some
fifteen covariates; any other scikit-learn regressor or classifier can be had by its class name. Every fit runs on one
thread and from one seed, so that a result never depends on how many workers are busy at the same time.
"""

from __future__ import annotations

import difflib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import LearnerError
from alm_core.learning.target import TargetTransform
from alm_core.trees.ensemble import TreeEnsemble

TASKS = ("regression", "classification")

FOREST_DEFAULTS = {"n_estimators": 500, "min_samples_leaf": 3, "max_features": 0.33}
EXTRA_TREES_DEFAULTS = {"n_estimators": 500, "min_samples_leaf": 2, "max_features": 0.6}
XGBOOST_DEFAULTS = {
    "n_estimators": 400,
    "max_depth": 4,
    "learning_rate": 0.04,
    "subsample": 0.8,
    "colsample_bynode": 0.4,
    "min_child_weight": 2,
    "reg_lambda": 1.0,
    "max_bin": 64,
}
CATBOOST_DEFAULTS = {"iterations": 800, "depth": 4, "learning_rate": 0.04, "l2_leaf_reg": 3.0, "border_count": 32}
# Few bins cost boosting no accuracy at a few hundred sites and make a fit three times faster; leaves of two or three sites
# make forests map twice as fast. Compared on ground temperatures (531 sites), meuse zinc (155) and a synthetic set (342).

KEPT_BY_US = {
    "n_jobs": "fits are single-threaded, so that results never depend on the number of workers",
    "nthread": "fits are single-threaded, so that results never depend on the number of workers",
    "thread_count": "fits are single-threaded, so that results never depend on the number of workers",
    "random_state": "the seed of the study is used",
    "random_seed": "the seed of the study is used",
    "device": "fits run on the processor",
    "task_type": "fits run on the processor",
    "tree_method": "the histogram method is used",
    "warm_start": "every fit starts from nothing",
    "allow_writing_files": "learners write no files",
    "train_dir": "learners write no files",
    "save_snapshot": "learners write no files",
    "snapshot_file": "learners write no files",
    "logging_level": "learners are silent",
    "verbose": "learners are silent",
    "verbosity": "learners are silent",
    "silent": "learners are silent",
    "memory": "learners write no files",
}
"""Options that a study can't set, and why."""

Maker = Callable[[str, int, Mapping[str, Any]], Any]


class Learner:
    """One learner: made by `make_learner`, fitted once, asked as often as wanted.

    Not for training in steps: a second `fit` starts from nothing.

    Attributes
    ----------
    kind, task, seed, options
        As given to `make_learner`; `options` holds only what the caller chose.
    estimator : object
        The library's own estimator (scikit-learn, XGBoost, CatBoost), or a compiled ensemble after `load_learner`.
    feature_names : tuple of str
        Names of the columns; of the table that was fitted where none were given.
    classes_ : numpy.ndarray
        Classification only: sorted labels, the columns of `predict`.
    transform : TargetTransform
        Regression only: the estimator is fitted on this scale; `predict` answers in the unit of the target.
    """

    def __init__(
        self,
        kind: str,
        estimator: Any,
        *,
        task: str = "regression",
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        feature_names: Sequence[str] | None = None,
        categorical: Sequence[str] = (),
        classes: Sequence[Any] | None = None,
        transform: TargetTransform | None = None,
    ) -> None:
        self.transform = transform or TargetTransform()
        self.kind = kind
        self.estimator = estimator
        self.task = task
        self.seed = seed
        self.options = dict(options or {})
        self.feature_names = tuple(feature_names) if feature_names is not None else None
        self.categorical = tuple(categorical)
        self.declared_classes = None if classes is None else np.unique(np.asarray(classes))
        self.seen_classes_: np.ndarray | None = None
        self.classes_: np.ndarray | None = None
        self.takes_missing_: bool | None = None  # known where the model was saved and read; see alm_core.learning.missing
        self.fitted_ = False

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Learner:
        """Fit to features ``[site, covariate]`` (NaN where missing) and a target ``[site]``.

        Parameters
        ----------
        X : pandas.DataFrame or array
            Read as float32. Categories are numeric codes.
        y : array
            Numbers for regression, labels for classification.
        sample_weight : array, optional
            One weight of a site, not negative.

        Raises
        ------
        LearnerError
            Shapes that don't match, infinite features, a missing target, one class only, or the library failed.
        """
        features = self._features(X, fitting=True)
        target = self._target(y, len(features))
        keywords = {} if sample_weight is None else {"sample_weight": _weights(sample_weight, len(features))}
        if keywords and hasattr(self.estimator, "steps"):
            # a pipeline hands options on by the name of its step
            keywords = {"estimator__sample_weight": keywords["sample_weight"]}
        try:
            with single_thread(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # libraries warn of convergence on tiny folds; the scores show it
                self.estimator.fit(features, target, **keywords)
        except Exception as fault:
            raise LearnerError(
                f"The learner {self.kind!r} failed while it was fitted to {features.shape[0]} sites x {features.shape[1]} "
                f"covariates: {fault} Check its options ({self.options or 'defaults'}) and the target."
            ) from fault
        self.fitted_ = True
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict values ``[n]`` (regression) or class probabilities ``[n, class]``, always float64.

        Raises
        ------
        LearnerError
            The learner is not fitted, or the columns are not those it was fitted to.
        """
        if not self.fitted_:
            raise LearnerError(f"The learner {self.kind!r} was asked to predict before it was fitted: call fit first.")
        features = self._features(X, fitting=False)
        if len(features) == 0:
            return np.empty((0,) if self.task == "regression" else (0, len(self.classes_)))
        with single_thread():
            if self.task == "regression" or not hasattr(self.estimator, "predict_proba"):
                raw = np.asarray(self.estimator.predict(features), dtype=np.float64)
            else:
                raw = np.asarray(self.estimator.predict_proba(features), dtype=np.float64)
        return self.transform.backward(raw.reshape(-1)) if self.task == "regression" else self._all_classes(raw)

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Predict the valid cells of a block of the map, ``[cell]`` or ``[cell, class]`` in row-major order.

        Parameters
        ----------
        values : ndarray, float32 ``[covariate, row, column]``
        valid : ndarray, bool ``[row, column]``

        Raises
        ------
        LearnerError
            As `predict`.
        """
        if not (self.fitted_ and isinstance(self.estimator, TreeEnsemble)):
            return self.predict(np.ascontiguousarray(values[:, valid].T))
        found = self.estimator.predict_block(values, valid)
        return self.transform.backward(found) if self.task == "regression" else self._all_classes(found)

    def _all_classes(self, probabilities: np.ndarray) -> np.ndarray:
        """Give declared classes that the training part never held a column of zeros."""
        if np.array_equal(self.seen_classes_, self.classes_):
            return probabilities
        wide = np.zeros((len(probabilities), len(self.classes_)))
        wide[:, np.searchsorted(self.classes_, self.seen_classes_)] = probabilities
        return wide

    def _features(self, X: Any, *, fitting: bool) -> np.ndarray:
        """Check a feature table and bring it to float32."""
        if isinstance(X, pd.DataFrame):
            X = self._named_columns(X)
        values = np.ascontiguousarray(X, dtype=np.float32)
        if values.ndim != 2:
            raise LearnerError(f"Features of shape {values.shape} came: a table [site, covariate] is expected.")
        if fitting and self.feature_names is None:
            self.feature_names = tuple(f"feature_{number}" for number in range(values.shape[1]))
        if values.shape[1] != len(self.feature_names):
            raise LearnerError(
                f"{values.shape[1]} covariates came and {len(self.feature_names)} are expected "
                f"({', '.join(self.feature_names)}): give the same columns as in the fit."
            )
        if np.isinf(values).any():
            column = self.feature_names[int(np.isinf(values).any(axis=0).argmax())]
            raise LearnerError(f"The covariate {column!r} holds infinite values: set them to NaN (missing) first.")
        return values

    def _named_columns(self, table: pd.DataFrame) -> pd.DataFrame:
        """Take the columns by name, in the order of the fit."""
        names = [str(name) for name in table.columns]
        if self.feature_names is None:
            self.feature_names = tuple(names)
        missing = [name for name in self.feature_names if name not in names]
        if missing:
            raise LearnerError(
                f"The covariates {', '.join(missing)} are missing (found {', '.join(names)}): give those of the fit."
            )
        return table if tuple(names) == self.feature_names else table.set_axis(names, axis=1)[list(self.feature_names)]

    def _target(self, y: Any, count: int) -> np.ndarray:
        """Check a target and, for classes, turn labels into 0, 1, 2, ..."""
        target = np.asarray(y)
        if target.shape != (count,):
            raise LearnerError(f"A target of shape {target.shape} came with {count} sites: one value a site is expected.")
        if count < 2:
            raise LearnerError(f"{count} sites came to train on: at least 2 are expected.")
        if pd.isna(target).any():
            raise LearnerError(f"{int(pd.isna(target).sum())} target values are missing: take these sites out before the fit.")
        if self.task == "regression":
            target = target.astype(np.float64)
            if np.isinf(target).any():
                raise LearnerError("The target holds infinite values: take these sites out before the fit.")
            return self.transform.forward(target)
        self.seen_classes_, codes = np.unique(target, return_inverse=True)
        self.classes_ = self.seen_classes_ if self.declared_classes is None else self.declared_classes
        unknown = np.setdiff1d(self.seen_classes_, self.classes_)
        if len(unknown):
            raise LearnerError(f"The target holds the classes {list(unknown)}: only {list(self.classes_)} were declared.")
        if len(self.seen_classes_) < 2:
            raise LearnerError(
                f"All {count} training sites are of class {self.seen_classes_[0]!r}: two classes are needed. "
                "Use stratified or larger folds, so that each training part holds more than one class."
            )
        return codes.astype(np.int64)


def make_learner(
    kind: str,
    *,
    task: str = "regression",
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    feature_names: Sequence[str] | None = None,
    categorical: Sequence[str] = (),
    classes: Sequence[Any] | None = None,
    one_hot: bool | None = None,
    transform: TargetTransform | None = None,
) -> Learner:
    """Make an unfitted learner by name.

    Parameters
    ----------
    kind : str
        A name of `LEARNERS`; ``linear``, ``splines``, ``support_vector`` or ``nearest_neighbours`` (see
        `alm_core.learning.scaled_kinds`); or a scikit-learn class such as "Ridge" or "HistGradientBoostingRegressor". Classes
        that can't take missing values are put behind a median imputer and a standard scaler.
    task : {"regression", "classification"}
    seed : int
        Same seed, same data: same model to the last bit.
    options : mapping, optional
        Given to the constructor on top of the defaults. Threads, seed, device and logging are not open.
    feature_names : sequence of str, optional
        Names of the columns; needed with `categorical` where features come as an array.
    categorical : sequence of str
        Covariates whose numbers are codes. Tree learners split on the codes as they are; see `one_hot`.
    classes : sequence, optional
        All labels there can be; one that a training part lacks gets probability 0.
    one_hot : bool, optional
        Turn codes into one column a category, for scikit-learn classes by name only. By default where the class can't take
        missing values (linear models, kernels, neighbours): to those a code would be a quantity.
    transform : TargetTransform, optional
        The scale that a regression is fitted on; see `alm_core.learning.target`.

    Raises
    ------
    LearnerError
        An unknown name or option (with the nearest valid ones), or a class that does not fit the task.

    Examples
    --------
    >>> X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60.0)
    >>> make_learner("extra_trees", seed=1, options={"n_estimators": 20}).fit(X, y).predict(X[:2]).dtype
    dtype('float64')
    >>> try:
    ...     make_learner("random_florest")
    ... except LearnerError as fault:
    ...     print(str(fault)[:80])
    The learner 'random_florest' is not known. Did you mean random_forest or RandomF
    """
    if task not in TASKS:
        raise LearnerError(f"The task {task!r} is not known: give one of {', '.join(TASKS)}.")
    options = dict(options or {})
    if kind in LEARNERS:
        estimator = LEARNERS[kind](task, seed, options)
    else:
        from alm_core.learning import scaled_kinds, scikit_learn

        maker = scaled_kinds.make_scaled if kind in scaled_kinds.OPTIONS else scikit_learn.make_estimator
        estimator = maker(kind, task, seed, options, feature_names=feature_names, categorical=categorical, one_hot=one_hot)
    return Learner(
        kind,
        estimator,
        task=task,
        seed=seed,
        options=options,
        feature_names=feature_names,
        categorical=categorical,
        classes=classes,
        transform=transform if task == "regression" else None,
    )


def checked_options(kind: str, options: Mapping[str, Any], valid: Sequence[str]) -> dict[str, Any]:
    """Return the options as a dict after every name is known to be valid and open to the user.

    Raises
    ------
    LearnerError
        Names the option and the valid ones, the nearest first.
    """
    for name in options:
        if name in KEPT_BY_US:
            raise LearnerError(f"The option {name!r} of learner {kind!r} can't be set ({KEPT_BY_US[name]}): remove it.")
        if name not in valid:
            open_names = sorted(set(valid) - set(KEPT_BY_US))
            near = difflib.get_close_matches(name, open_names, n=3)
            hint = f"Did you mean {' or '.join(near)}? " if near else ""
            raise LearnerError(
                f"The option {name!r} of learner {kind!r} is not known. {hint}Valid options: {', '.join(open_names)}."
            )
    return dict(options)


def _make_random_forest(task: str, seed: int, options: Mapping[str, Any]) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    maker = RandomForestRegressor if task == "regression" else RandomForestClassifier
    chosen = FOREST_DEFAULTS | checked_options("random_forest", options, _constructor_names(maker))
    return maker(**chosen, n_jobs=1, random_state=seed)


def _make_extra_trees(task: str, seed: int, options: Mapping[str, Any]) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    maker = ExtraTreesRegressor if task == "regression" else ExtraTreesClassifier
    chosen = EXTRA_TREES_DEFAULTS | checked_options("extra_trees", options, _constructor_names(maker))
    return maker(**chosen, n_jobs=1, random_state=seed)


def _make_xgboost(task: str, seed: int, options: Mapping[str, Any]) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    maker = XGBRegressor if task == "regression" else XGBClassifier
    chosen = XGBOOST_DEFAULTS | checked_options("xgboost", options, tuple(maker().get_params()))
    return maker(**chosen, n_jobs=1, random_state=seed, device="cpu", tree_method="hist", verbosity=0)


def _make_catboost(task: str, seed: int, options: Mapping[str, Any]) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    maker = CatBoostRegressor if task == "regression" else CatBoostClassifier
    chosen = CATBOOST_DEFAULTS | checked_options("catboost", options, _constructor_names(maker))
    if task == "regression":
        chosen = {"allow_const_label": True} | chosen  # a fold of equal values is the caller's affair, not a fault
    return maker(**chosen, thread_count=1, random_seed=seed, task_type="CPU", allow_writing_files=False, logging_level="Silent")


LEARNERS: dict[str, Maker] = {
    "random_forest": _make_random_forest,
    "extra_trees": _make_extra_trees,
    "xgboost": _make_xgboost,
    "catboost": _make_catboost,
}
"""Open registry: name -> function (task, seed, options) that returns an unfitted estimator with scikit-learn's verbs."""


@cache
def _constructor_names(maker: type) -> tuple[str, ...]:
    """Names of the constructor's arguments."""
    import inspect

    parameters = inspect.signature(maker.__init__).parameters.values()
    return tuple(item.name for item in parameters if item.name != "self" and item.kind is not item.VAR_KEYWORD)


def _weights(sample_weight: Any, count: int) -> np.ndarray:
    """Check weights of sites."""
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (count,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise LearnerError(
            f"Weights of shape {weights.shape} came with {count} sites: one finite weight a site is expected, none negative "
            "and not all zero."
        )
    return weights


_thread_limit_lock = threading.Lock()
_thread_limit_state: dict[str, Any] = {"users": 0, "controller": None, "limit": None}


@contextmanager
def single_thread() -> Iterator[None]:
    """Hold linear algebra and OpenMP libraries to one thread while any learner works.

    The number of threads of a linear algebra library belongs to the whole process and changes the order of sums. So the
    first learner that starts sets the limit and the last that ends lifts it; each thread limits its own OpenMP.
    """
    from threadpoolctl import ThreadpoolController

    state = _thread_limit_state
    with _thread_limit_lock:
        if state["controller"] is None:
            state["controller"] = ThreadpoolController()
        if state["users"] == 0:
            state["limit"] = state["controller"].limit(limits=1, user_api="blas")
        state["users"] += 1
    try:
        with state["controller"].limit(limits=1, user_api="openmp"):
            yield
    finally:
        with _thread_limit_lock:
            state["users"] -= 1
            if state["users"] == 0:
                state["limit"].restore_original_limits()
