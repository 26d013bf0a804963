"""Trained models of scikit-learn, XGBoost and CatBoost into `TreeEnsemble`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.trees.ensemble import RawTree, TreeEnsemble, assemble, positional_names

FORESTS = {
    "RandomForestRegressor": "regression",
    "ExtraTreesRegressor": "regression",
    "RandomForestClassifier": "classification",
    "ExtraTreesClassifier": "classification",
}


def compile_ensemble(model: Any, *, feature_names: Sequence[str] | None = None) -> TreeEnsemble:
    """Compile a trained model.

    The split tests are those of the library, exactly: scikit-learn's float64 thresholds become the largest float32 that is not
    above them, XGBoost's ``x < t`` becomes ``x <= nextafter(t, -inf)``, CatBoost's ``x > border`` is the same test turned round.
    A missing value takes the way it takes in the library.

    Parameters
    ----------
    model : RandomForest*, ExtraTrees* (scikit-learn), XGB* or Booster (XGBoost), CatBoost*
        Fitted; regression or classification with one target. With early stopping the trees up to the best round are taken.
        A `TreeEnsemble` is given back.
    feature_names : sequence of str, optional
        Names of the columns. Default: those that the model was fitted with, else ``f0, f1, ...``.

    Returns
    -------
    TreeEnsemble

    Raises
    ------
    LearnerError
        If the model is of another class, not fitted, or uses what has no exact form here (categorical splits, several
        targets, DART, losses with their own transform).

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> X = np.arange(8, dtype=np.float32).reshape(8, 1)
    >>> forest = RandomForestRegressor(5, random_state=0).fit(X, X[:, 0])
    >>> bool(np.allclose(compile_ensemble(forest).predict(X), forest.predict(X)))
    True
    """
    if isinstance(model, TreeEnsemble):
        return model if feature_names is None else _renamed(model, feature_names)
    kinds = {(base.__module__.split(".")[0], base.__name__) for base in type(model).__mro__}
    forest = next((name for name in FORESTS if ("sklearn", name) in kinds), None)
    if forest is not None:
        ensemble = _compile_forest(model, FORESTS[forest])
    elif kinds & {("xgboost", "XGBModel"), ("xgboost", "Booster")}:
        from alm_core.trees.xgboost_trees import compile_xgboost

        ensemble = compile_xgboost(model)
    elif ("catboost", "CatBoost") in kinds or ("catboost", "_CatBoostBase") in kinds:
        from alm_core.trees.catboost_trees import compile_catboost

        ensemble = compile_catboost(model)
    else:
        raise LearnerError(
            f"{type(model).__name__} is not a tree ensemble that can be compiled. Expected a random forest or extra trees of "
            "scikit-learn, an XGBoost or a CatBoost model; use the model's own predict for others."
        )
    return ensemble if feature_names is None else _renamed(ensemble, feature_names)


def _renamed(ensemble: TreeEnsemble, feature_names: Sequence[str]) -> TreeEnsemble:
    if len(feature_names) != ensemble.n_features:
        raise LearnerError(
            f"{len(feature_names)} feature names were given for a model of {ensemble.n_features} features. "
            "Give one name per column."
        )
    names = tuple(str(name) for name in feature_names)
    # The same object wherever it will do: what was computed for it stays with it.
    return ensemble if names == ensemble.feature_names else replace(ensemble, feature_names=names)


def float32_not_above(threshold: np.ndarray) -> np.ndarray:
    """The largest float32 that is <= each float64: ``x <= threshold`` and ``x <= result`` agree for every float32 x.

    Examples
    --------
    >>> bool(float32_not_above(np.array([0.1]))[0] <= 0.1)
    True
    """
    with np.errstate(over="ignore"):
        nearest = np.asarray(threshold, np.float64).astype(np.float32)
    above = nearest.astype(np.float64) > threshold
    return np.where(above, np.nextafter(nearest, np.float32(-np.inf)), nearest).astype(np.float32)


def _compile_forest(model: Any, task: str) -> TreeEnsemble:
    if not hasattr(model, "estimators_"):
        raise LearnerError(f"{type(model).__name__} was not fitted. Fit it before it is compiled.")
    if model.n_outputs_ != 1:
        raise LearnerError(f"{type(model).__name__} predicts {model.n_outputs_} targets at once; fit one model per target.")
    trees = [_forest_tree(estimator.tree_, len(model.estimators_)) for estimator in model.estimators_]
    return assemble(
        trees,
        base=np.zeros(trees[0].value.shape[1]),
        link="identity",
        task=task,
        source=type(model).__name__,
        feature_names=getattr(model, "feature_names_in_", positional_names(model.n_features_in_)),
        classes=getattr(model, "classes_", ()),
    )


def _forest_tree(tree: Any, n_trees: int) -> RawTree:
    return RawTree(
        feature=tree.feature,
        cut=float32_not_above(tree.threshold),
        left=tree.children_left,
        right=tree.children_right,
        value=tree.value[:, 0, :] / n_trees,
        cover=tree.weighted_n_node_samples,
        missing_left=tree.missing_go_to_left.astype(bool),
    )
