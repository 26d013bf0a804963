"""TreeSHAP against its definition and against the libraries' own values."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import factorial

import numpy as np
import pytest

from alm_core.errors import LearnerError
from alm_core.trees.convert import compile_ensemble
from alm_core.trees.ensemble import RawTree, assemble
from alm_core.trees.shap import quadrature, shap_values
from alm_core.trees.shap_kernels import ROWS, WORD
from tests.trees.models import NAMES, fitted, new_rows


def worth(trees, node, row, known):
    """Value of a coalition: known features are followed, others are passed on both sides by training weight."""
    feature = trees.feature[node]
    if feature < 0:
        return trees.value[node, 0]
    left, right = trees.left[node], trees.right[node]
    if feature in known:
        x = row[feature]
        goes_left = trees.missing_left[node] if np.isnan(x) else x <= trees.cut[node]
        return worth(trees, left if goes_left else right, row, known)
    cover = trees.cover[node]
    shares = (trees.cover[left] / cover, trees.cover[right] / cover) if cover > 0 else (0.5, 0.5)
    return shares[0] * worth(trees, left, row, known) + shares[1] * worth(trees, right, row, known)


def by_definition(trees, row):
    """Shapley values by going through all coalitions."""
    n = trees.n_features

    def value(known):
        return sum(worth(trees, root, row, known) for root in trees.roots)

    phi = np.zeros(n)
    for feature in range(n):
        others = [k for k in range(n) if k != feature]
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for known in combinations(others, size):
                phi[feature] += weight * (value({*known, feature}) - value(set(known)))
    return phi, value(set()) + trees.base[0]


@pytest.mark.parametrize("name", ["forest", "xgboost", "catboost", "catboost-lossguide"])
def test_equals_the_definition(name):
    """Exact on real trees, with missing values and with leaves that no training row reached."""
    whole = compile_ensemble(fitted(name, True))
    stop = whole.roots[2]
    parts = {key: getattr(whole, key)[:stop] for key in ("feature", "cut", "left", "right", "value", "cover", "missing_left")}
    trees = replace(whole, roots=whole.roots[:2], output=whole.output[:2], **parts)
    rows = new_rows(True)[[0, 7, 300, 333]]
    found = shap_values(trees, rows)
    for row, values in zip(rows, found.values, strict=True):
        phi, base = by_definition(trees, row)
        np.testing.assert_allclose(values, phi, atol=1e-12)
        assert found.base == pytest.approx(base, abs=1e-12)


def test_hand_case():
    """One split on a, one on b below it: phi by hand."""
    tree = RawTree(
        feature=np.array([0, 1, -1, -1, -1]),
        cut=np.zeros(5, np.float32),
        left=np.array([1, 2, -1, -1, -1]),
        right=np.array([4, 3, -1, -1, -1]),
        value=np.array([[0.0], [0.0], [8.0], [4.0], [0.0]]),
        cover=np.array([4.0, 2.0, 1.0, 1.0, 2.0]),
        missing_left=np.zeros(5, bool),
    )
    trees = assemble([tree], base=[1.0], link="identity", task="regression", source="hand", feature_names=("a", "b"))
    found = shap_values(trees, np.array([[-1.0, -1.0]], np.float32))
    # v() = 3, v(a) = 6, v(b) = 4, v(ab) = 8
    np.testing.assert_allclose(found.values, [[3.5, 1.5]], atol=1e-14)
    assert found.base == pytest.approx(4.0)


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("name", NAMES)
def test_adds_up_to_the_margin(name, missing):
    """Base and values sum to the margin of every row and output."""
    trees, X = compile_ensemble(fitted(name, missing)), new_rows(missing)
    found = shap_values(trees, X)
    assert np.abs(found.margin - trees.margin(X)).max() <= 1e-9
    if trees.link == "identity" and trees.task == "regression":
        assert np.abs(found.margin - trees.predict(X)).max() <= 1e-9


@pytest.mark.parametrize("name", ["forest", "extra", "forest-classes"])
def test_equals_the_shap_package_on_forests(name):
    """shap.TreeExplainer on scikit-learn's forests."""
    import shap

    model, X = fitted(name, False), new_rows(False)[::8]
    explainer = shap.TreeExplainer(model)
    found = shap_values(compile_ensemble(model), X)
    np.testing.assert_allclose(found.values, explainer.shap_values(X, check_additivity=False), atol=1e-10)
    np.testing.assert_allclose(found.base, np.squeeze(explainer.expected_value), atol=1e-10)


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("name", ["xgboost", "xgboost-two", "xgboost-three"])
def test_equals_xgboost_contributions(name, missing):
    """XGBoost's pred_contribs, to its float32."""
    from xgboost import DMatrix

    model, X = fitted(name, missing), new_rows(missing)
    expected = model.get_booster().predict(DMatrix(X), pred_contribs=True)
    expected = np.moveaxis(expected, 1, 2) if expected.ndim == 3 else expected
    found = shap_values(compile_ensemble(model), X)
    np.testing.assert_allclose(found.values, expected[:, :-1], atol=1e-5)
    np.testing.assert_allclose(np.broadcast_to(found.base, expected[:, -1].shape), expected[:, -1], atol=1e-5)


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("name", ["catboost", "catboost-maximum", "catboost-two", "catboost-three"])
def test_equals_catboost_shap_values(name, missing):
    """CatBoost's own ShapValues; most of its trees have leaves that no training row reached."""
    from catboost import Pool

    model, X = fitted(name, missing), new_rows(missing)
    expected = model.get_feature_importance(Pool(X), type="ShapValues")
    expected = np.moveaxis(expected, 1, 2) if expected.ndim == 3 else expected
    trees = compile_ensemble(model)
    assert np.any((trees.feature < 0) & (trees.cover == 0))
    found = shap_values(trees, X)
    np.testing.assert_allclose(found.values, expected[:, :-1], atol=1e-10)
    np.testing.assert_allclose(np.broadcast_to(found.base, expected[:, -1].shape), expected[:, -1], atol=1e-10)


def test_row_reaches_a_leaf_without_cover():
    """Values stay finite and add up where a row takes a way that no training row took."""
    tree = RawTree(
        feature=np.array([0, 1, -1, -1, -1]),
        cut=np.zeros(5, np.float32),
        left=np.array([1, 2, -1, -1, -1]),
        right=np.array([4, 3, -1, -1, -1]),
        value=np.array([[0.0], [0.0], [8.0], [4.0], [1.0]]),
        cover=np.array([4.0, 0.0, 0.0, 0.0, 4.0]),
        missing_left=np.zeros(5, bool),
    )
    trees = assemble([tree], base=[0.0], link="identity", task="regression", source="hand", feature_names=("a", "b"))
    X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]], np.float32)
    found = shap_values(trees, X)
    np.testing.assert_allclose(found.margin, [8.0, 4.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(found.values[2], 0.0, atol=1e-12)
    for row, values in zip(X, found.values, strict=True):
        np.testing.assert_allclose(values, by_definition(trees, row)[0], atol=1e-12)


def test_infinite_and_missing_values_are_routed():
    """Shapley values follow the walk of the prediction for infinities and NaN."""
    trees = compile_ensemble(fitted("xgboost", True))
    X = np.array([[np.inf, -np.inf, np.nan, 0, np.inf], [-np.inf, np.nan, np.inf, np.nan, 1]], np.float32)
    found = shap_values(trees, X)
    np.testing.assert_allclose(found.margin, trees.predict(X), atol=1e-9)


@pytest.mark.parametrize("name", ["forest", "forest-classes", "xgboost", "catboost", "catboost-three"])
def test_rows_do_not_depend_on_each_other(name):
    """One row alone (it has a walk of its own), and one in the last incomplete chunk, gives the same values to the last bit."""
    trees, X = compile_ensemble(fitted(name, True)), np.tile(new_rows(True), (2, 1))[: ROWS + 2]
    together = shap_values(trees, X).values
    for row in (0, 63, ROWS - 1, ROWS, ROWS + 1):
        np.testing.assert_array_equal(shap_values(trees, X[row : row + 1]).values[0], together[row])
    np.testing.assert_array_equal(shap_values(trees, X[ROWS:]).values, together[ROWS:])
    assert shap_values(trees, X[:0]).values.shape == (0, *together.shape[1:])


@pytest.mark.parametrize("depth", [40, WORD, WORD + 3])
def test_many_features_on_one_path(depth):
    """Distinct features on a path, more than a word can mark as well: up to 33 quadrature points, still additive."""
    rng = np.random.default_rng(0)
    feature = np.append(np.repeat(np.arange(depth), 2), -1)
    feature[1::2] = -1
    node = np.arange(2 * depth + 1)
    tree = RawTree(
        feature=feature,
        cut=np.zeros(len(node), np.float32),
        left=np.where(feature >= 0, node + 1, -1),
        right=np.where(feature >= 0, node + 2, -1),
        value=np.where(feature[:, None] >= 0, 0.0, rng.normal(size=(len(node), 1))),
        cover=np.repeat(2.0 ** np.arange(depth, -1, -1), 2)[1:].astype(float)[np.minimum(node, 2 * depth)],
        missing_left=np.zeros(len(node), bool),
    )
    names = [f"x{i}" for i in range(depth)]
    trees = assemble([tree], base=[0.0], link="identity", task="regression", source="hand", feature_names=names)
    X = rng.normal(size=(70, depth)).astype(np.float32)
    X[:5] = 1.0  # down to the last leaf
    assert np.abs(shap_values(trees, X).margin - trees.predict(X)).max() <= 1e-9


def test_quadrature_is_exact():
    """k points integrate polynomials of degree 2k - 1 exactly."""
    points, weights = quadrature(40)
    for count in (1, 5, 20):
        degree = 2 * count - 1
        assert weights[count] @ points[count] ** degree == pytest.approx(1 / (degree + 1), abs=1e-14)


def test_importance_and_dict():
    """Importance is the mean size of the values, over outputs together."""
    found = shap_values(compile_ensemble(fitted("forest-classes", False)), new_rows(False))
    np.testing.assert_allclose(found.importance, np.abs(found.values).mean(axis=0).sum(axis=1))
    assert list(found.to_dict()["importance"]) == ["f0", "f1", "f2", "f3", "f4"]


def test_without_training_weights():
    """A model whose covers are all zero can't be explained and says so."""
    trees = compile_ensemble(fitted("forest", False))
    with pytest.raises(LearnerError, match="training weights"):
        shap_values(replace(trees, cover=np.zeros_like(trees.cover)), new_rows(False))
