"""CatBoost models into `TreeEnsemble`, read from CatBoost's own JSON."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.trees.ensemble import RawTree, TreeEnsemble, assemble, positional_names

# Loss -> link between the sum of the leaves and the prediction.
LINKS = {
    "RMSE": "identity",
    "MAE": "identity",
    "Quantile": "identity",
    "Huber": "identity",
    "Expectile": "identity",
    "LogCosh": "identity",
    "MAPE": "identity",
    "Lq": "identity",
    "Poisson": "exp",
    "Tweedie": "exp",
    "Logloss": "sigmoid",
    "CrossEntropy": "sigmoid",
    "MultiClass": "softmax",
}
CLASSIFICATION = ("Logloss", "CrossEntropy", "MultiClass")
MAXIMUM_DEPTH = 12  # an oblivious tree of depth d is written out as 2^(d+1) - 1 nodes


def compile_catboost(model: Any) -> TreeEnsemble:
    """Compile a `CatBoostRegressor` or `CatBoostClassifier`; see `alm_core.trees.convert.compile_ensemble`."""
    if not model.is_fitted():
        raise LearnerError(f"{type(model).__name__} was not fitted. Fit it before it is compiled.")
    if model.get_cat_feature_indices() or model.get_text_feature_indices() or model.get_embedding_feature_indices():
        raise LearnerError(
            "The CatBoost model has categorical, text or embedding features. Give categorical covariates as one column per class."
        )
    loss = str(model.get_all_params().get("loss_function", "")).split(":")[0]
    link = LINKS.get(loss)
    if link is None:
        raise LearnerError(f"The CatBoost loss {loss or 'unknown'} has no compiled form. Use one of {', '.join(LINKS)}.")
    content = _as_json(model)
    scale, bias = content["scale_and_bias"]
    task = "classification" if loss in CLASSIFICATION else "regression"
    return assemble(
        _trees(content, float(scale)),
        base=np.atleast_1d(np.asarray(bias, np.float64)),
        link=link,
        task=task,
        source=type(model).__name__,
        feature_names=_feature_names(model.feature_names_),
        classes=list(model.classes_) if task == "classification" else (),
    )


def _as_json(model: Any) -> dict[str, Any]:
    """CatBoost writes its JSON to a file only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        return json.loads(path.read_text(encoding="utf-8"))


def _feature_names(names: list[str]) -> Sequence[str]:
    """CatBoost calls nameless columns 0, 1, ..."""
    return positional_names(len(names)) if names == [str(i) for i in range(len(names))] else names


def _trees(content: dict[str, Any], scale: float) -> list[RawTree]:
    floats = {feature["feature_index"]: feature for feature in content["features_info"]["float_features"]}
    column = {index: feature["flat_feature_index"] for index, feature in floats.items()}
    # AsIs: the training saw no NaN in the feature; `x > border` is then false for NaN, which is the left side.
    missing_left = {index: feature.get("nan_value_treatment", "AsIs") != "AsTrue" for index, feature in floats.items()}
    if "oblivious_trees" in content:
        return [_oblivious(tree, scale, column, missing_left) for tree in content["oblivious_trees"]]
    return [_nested(tree, scale, column, missing_left) for tree in content["trees"]]


def _oblivious(tree: dict[str, Any], scale: float, column: dict[int, int], missing_left: dict[int, bool]) -> RawTree:
    """Write an oblivious tree out as an ordinary one, numbered level by level: the children of h are 2h + 1 and 2h + 2.

    The last split is the root and the first split is next to the leaves, as in CatBoost's own Shapley values; the order does
    not matter to predictions.
    """
    splits = list(reversed(tree["splits"] or []))
    depth = len(splits)
    if depth > MAXIMUM_DEPTH:
        raise LearnerError(
            f"The CatBoost trees have depth {depth}; the compiled form takes up to {MAXIMUM_DEPTH}. Use a smaller depth."
        )
    levels = np.repeat(np.arange(depth + 1), 2 ** np.arange(depth + 1))
    inner = levels < depth
    node = np.arange(len(levels))
    value = np.asarray(tree["leaf_values"], np.float64).reshape(2**depth, -1) * scale
    weights = [np.asarray(tree["leaf_weights"], np.float64)]
    for _ in range(depth):
        weights.insert(0, weights[0].reshape(-1, 2).sum(axis=1))

    def per_level(of_split: list[Any], at_leaf: Any) -> np.ndarray:
        return np.array([*of_split, at_leaf])[levels]

    return RawTree(
        feature=per_level([column[split["float_feature_index"]] for split in splits], -1),
        cut=per_level([np.float32(split["border"]) for split in splits], np.float32(0)),
        left=np.where(inner, 2 * node + 1, -1),
        right=np.where(inner, 2 * node + 2, -1),
        value=np.concatenate([np.zeros((2**depth - 1, value.shape[1])), value]),
        cover=np.concatenate(weights),
        missing_left=per_level([missing_left[split["float_feature_index"]] for split in splits], False),
    )


def _nested(tree: dict[str, Any], scale: float, column: dict[int, int], missing_left: dict[int, bool]) -> RawTree:
    """A tree of the Depthwise or Lossguide policies: dictionaries in dictionaries."""
    nodes: list[dict[str, Any]] = [tree]
    left, right = [], []
    for node in nodes:  # grows while it is walked
        inner = "split" in node
        left.append(len(nodes) if inner else -1)
        right.append(len(nodes) + 1 if inner else -1)
        if inner:
            nodes += [node["left"], node["right"]]
    width = max(np.size(node.get("value", 0.0)) for node in nodes)
    cover = [float(node.get("weight", 0.0)) for node in nodes]
    for i in range(len(nodes) - 1, -1, -1):
        if left[i] >= 0:
            cover[i] = cover[left[i]] + cover[right[i]]
    split = [node.get("split") for node in nodes]
    return RawTree(
        feature=np.array([column[s["float_feature_index"]] if s else -1 for s in split]),
        cut=np.array([s["border"] if s else 0.0 for s in split], np.float32),
        left=np.array(left),
        right=np.array(right),
        value=np.array([np.broadcast_to(node.get("value", 0.0), width) for node in nodes], np.float64) * scale,
        cover=np.array(cover),
        missing_left=np.array([missing_left[s["float_feature_index"]] if s else False for s in split]),
    )
