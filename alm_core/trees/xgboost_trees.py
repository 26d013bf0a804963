"""XGBoost models into `TreeEnsemble`, read from XGBoost's own JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.trees.ensemble import RawTree, TreeEnsemble, assemble, positional_names

# Objective -> link between the sum of the leaves and the prediction.
LINKS = {
    "reg:squarederror": "identity",
    "reg:squaredlogerror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
    "count:poisson": "exp",
    "reg:logistic": "sigmoid",
    "binary:logistic": "sigmoid",
    "multi:softprob": "softmax",
}
CLASSIFICATION = ("binary:logistic", "multi:softprob")


def compile_xgboost(model: Any) -> TreeEnsemble:
    """Compile an `XGBRegressor`, `XGBClassifier` or `Booster`; see `alm_core.trees.convert.compile_ensemble`."""
    booster = _booster(model)
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    link = LINKS.get(objective)
    if link is None:
        raise LearnerError(f"The XGBoost objective {objective} has no compiled form. Use one of {', '.join(LINKS)}.")
    n_features = int(learner["learner_model_param"]["num_feature"])
    n_outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    task = "classification" if objective in CLASSIFICATION else "regression"
    n_classes = max(2, n_outputs) if task == "classification" else 0
    return assemble(
        _trees(learner["gradient_booster"], _rounds(model)),
        base=_base(learner["learner_model_param"]["base_score"], link, n_outputs),
        link=link,
        task=task,
        source=type(model).__name__,
        feature_names=learner["feature_names"] or positional_names(n_features),
        classes=list(getattr(model, "classes_", range(n_classes))) if n_classes else (),
    )


def _booster(model: Any) -> Any:
    if not hasattr(model, "get_booster"):
        return model
    if not model.__sklearn_is_fitted__():
        raise LearnerError(f"{type(model).__name__} was not fitted. Fit it before it is compiled.")
    missing = getattr(model, "missing", np.nan)
    if missing is not None and not np.isnan(missing):
        raise LearnerError(f"This XGBoost model takes {missing} as missing. Turn that value into NaN and fit with missing=nan.")
    return model.get_booster()


def _rounds(model: Any) -> int | None:
    """Rounds that `predict` uses: XGBoost's scikit-learn classes stop at the best one, a bare Booster takes all."""
    if not hasattr(model, "get_booster"):
        return None
    best = model.get_booster().attr("best_iteration")
    return None if best is None else int(best) + 1


def _base(text: str, link: str, n_outputs: int) -> np.ndarray:
    """The base score on the margin's scale; XGBoost writes it on the prediction's scale, one number or one per class."""
    score = np.array(text.strip("[]").split(","), np.float32).astype(np.float64)
    if link == "sigmoid":
        score = np.log(score / (1.0 - score))
    if link == "exp":
        score = np.log(score)
    return np.broadcast_to(score, n_outputs)


def _trees(gradient_booster: dict[str, Any], rounds: int | None) -> list[RawTree]:
    if gradient_booster["name"] != "gbtree":
        raise LearnerError(f"An XGBoost booster of type {gradient_booster['name']} has no compiled form. Use booster='gbtree'.")
    model = gradient_booster["model"]
    stop = None if rounds is None else model["iteration_indptr"][rounds]
    return [_tree(tree, output) for tree, output in zip(model["trees"][:stop], model["tree_info"][:stop], strict=True)]


def _tree(tree: dict[str, Any], output: int) -> RawTree:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise LearnerError("XGBoost's multi_output_tree has no compiled form. Use multi_strategy='one_output_per_tree'.")
    if any(tree["split_type"]):
        raise LearnerError("The XGBoost model splits on categories. Give categorical covariates as one column per class.")
    left = np.array(tree["left_children"], np.int64)
    condition = np.array(tree["split_conditions"], np.float32)
    return RawTree(
        feature=np.array(tree["split_indices"], np.int64),
        # x < t  <=>  x <= the float32 just below t
        cut=np.nextafter(condition, np.float32(-np.inf)),
        left=left,
        right=np.array(tree["right_children"], np.int64),
        value=condition.astype(np.float64)[:, None],
        cover=np.array(tree["sum_hessian"], np.float64),
        missing_left=np.array(tree["default_left"], bool),
        output=output,
    )
