"""Compiled ensembles against the predictions of the libraries that trained them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, RandomForestRegressor

from alm_core.errors import LearnerError
from alm_core.trees.convert import compile_ensemble, float32_not_above
from tests.trees.models import CATBOOST, NAMES, XGBOOST, data, fitted, native, new_rows

TOLERANCE = {"xgb": 1e-6, "cat": 1e-9, "for": 1e-12, "ext": 1e-12}  # of the range of the predictions


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("name", NAMES)
def test_predicts_as_the_library(name, missing):
    """Every kind of model, on training rows (many values on a cut) and unseen rows, with and without NaN."""
    model, X = fitted(name, missing), new_rows(missing)
    expected, found = native(model, X), compile_ensemble(model).predict(X)
    assert found.shape == expected.shape
    assert found.dtype == np.float64
    assert np.abs(found - expected).max() <= TOLERANCE[name[:3]] * max(np.ptp(expected), 1.0)


@pytest.mark.parametrize("name", ["forest", "xgboost", "catboost"])
def test_values_on_cuts_go_the_same_way(name):
    """Each cut itself and its two float32 neighbours are routed as the library routes them."""
    model = fitted(name, False)
    trees = compile_ensemble(model)
    inner = np.flatnonzero(trees.feature >= 0)
    X = np.zeros((3 * len(inner), 5), np.float32)
    for k, node in enumerate(inner):
        cut = trees.cut[node]
        X[3 * k : 3 * k + 3, trees.feature[node]] = np.nextafter(cut, np.float32(-9)), cut, np.nextafter(cut, np.float32(9e9))
    expected = native(model, X)
    assert np.abs(trees.predict(X) - expected).max() <= 1e-6 * np.ptp(expected)


def test_threshold_between_two_float32():
    """A float64 threshold becomes the float32 that parts all float32 values in the same way."""
    thresholds = np.array([0.1, 1 / 3, 2.0, -0.7, 1e-50, 1e300, np.inf])
    cuts = float32_not_above(thresholds)
    for cut, threshold in zip(cuts[:5], thresholds[:5], strict=True):
        for x in (np.nextafter(cut, np.float32(-np.inf)), cut, np.nextafter(cut, np.float32(np.inf))):
            assert (x <= cut) == (np.float64(x) <= threshold)
    assert cuts[5] == np.finfo(np.float32).max
    assert cuts[6] == np.inf


@pytest.mark.parametrize("maker", ["forest", "xgboost", "catboost"])
def test_single_leaf_trees(maker):
    """A constant target gives trees of one leaf."""
    from catboost import CatBoostRegressor
    from xgboost import XGBRegressor

    models = {
        "forest": RandomForestRegressor(3),
        "xgboost": XGBRegressor(**XGBOOST),
        "catboost": CatBoostRegressor(**CATBOOST, allow_const_label=True, bootstrap_type="No"),
    }
    X = data(False)[0]
    model = models[maker].fit(X, np.full(len(X), 2.5))
    trees = compile_ensemble(model)
    np.testing.assert_allclose(trees.predict(X), 2.5, atol=1e-6)
    np.testing.assert_allclose(trees.predict(X), native(model, X), atol=1e-6)


def test_trees_lie_in_preorder():
    """The left child follows its parent, whatever the library's own numbering is."""
    for name in ("forest", "xgboost", "catboost", "catboost-lossguide"):
        trees = compile_ensemble(fitted(name, False))
        inner = np.flatnonzero(trees.feature >= 0)
        assert np.array_equal(trees.left[inner], inner + 1)
        assert np.all(trees.right[inner] > trees.left[inner])


def test_oblivious_trees_are_found_and_take_the_same_ways():
    """The fast way through CatBoost's trees leads to the very leaves of the plain walk, with missing values too."""
    for name in ("catboost", "catboost-maximum", "catboost-three", "xgboost", "forest"):
        trees = compile_ensemble(fitted(name, True))
        if name.startswith("catboost"):
            assert np.all(trees.oblivious_depths >= 0)
        fast = trees.predict(new_rows(True))
        plain = replace(trees)
        plain.__dict__["oblivious_depths"] = np.full(trees.n_trees, -1)
        np.testing.assert_array_equal(plain.predict(new_rows(True)), fast)
    assert np.all(compile_ensemble(fitted("forest", True)).oblivious_depths < 0)


def test_covers_add_up():
    """The training weight of a node is that of its children: no node was joined wrongly."""
    for name in ("forest", "xgboost", "catboost", "catboost-lossguide"):
        trees = compile_ensemble(fitted(name, True))
        inner = np.flatnonzero(trees.feature >= 0)
        children = trees.cover[trees.left[inner]] + trees.cover[trees.right[inner]]
        np.testing.assert_allclose(children, trees.cover[inner], rtol=1e-5)


def test_early_stopping_uses_the_best_round():
    """XGBoost's scikit-learn classes predict with the best rounds only, and so do the compiled trees."""
    from xgboost import XGBRegressor

    X, y = data(False)
    model = XGBRegressor(**XGBOOST | {"n_estimators": 200, "learning_rate": 0.5}, early_stopping_rounds=5)
    model.fit(X[:150], y[:150], eval_set=[(X[150:], y[150:])], verbose=False)
    trees = compile_ensemble(model)
    assert trees.n_trees == model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    np.testing.assert_allclose(trees.predict(X), model.predict(X), atol=1e-5)


def test_bare_booster():
    """A Booster without its scikit-learn class works too."""
    trees = compile_ensemble(fitted("xgboost", False).get_booster())
    np.testing.assert_allclose(trees.predict(new_rows(False)), fitted("xgboost", False).predict(new_rows(False)), atol=1e-5)


def test_dart_is_refused():
    """DART scales its trees while predicting."""
    from xgboost import XGBRegressor

    X, y = data(False)
    with pytest.raises(LearnerError, match="dart"):
        compile_ensemble(XGBRegressor(**XGBOOST, booster="dart").fit(X, y))


def test_other_missing_value_is_refused():
    """XGBoost's `missing` other than NaN has no place in the nodes."""
    from xgboost import XGBRegressor

    X, y = data(False)
    with pytest.raises(LearnerError, match="-9999"):
        compile_ensemble(XGBRegressor(**XGBOOST, missing=-9999.0).fit(X, y))


def test_categorical_catboost_is_refused():
    """Categorical splits have no exact form here; the text says what to do."""
    from catboost import CatBoostRegressor

    frame = pd.DataFrame({"a": np.arange(60.0), "b": ["x", "y", "z"] * 20})
    model = CatBoostRegressor(**CATBOOST, cat_features=["b"]).fit(frame, np.arange(60.0))
    with pytest.raises(LearnerError, match="one column per class"):
        compile_ensemble(model)


@pytest.mark.parametrize("model", [GradientBoostingRegressor(), object()], ids=["boosting", "object"])
def test_other_models_are_refused(model):
    """Models that are no tree ensembles of the known kinds."""
    with pytest.raises(LearnerError, match="not a tree ensemble"):
        compile_ensemble(model)


@pytest.mark.parametrize("name", ["forest", "xgboost", "catboost"])
def test_unfitted_models_are_refused(name):
    """Nothing to compile before a fit."""
    from tests.trees.models import makers

    with pytest.raises(LearnerError, match="not fitted"):
        compile_ensemble(makers()[name][0])


def test_two_targets_are_refused():
    """One model, one target."""
    X, y = data(False)
    with pytest.raises(LearnerError, match="2 targets"):
        compile_ensemble(ExtraTreesRegressor(3).fit(X, np.column_stack([y, y])))


def test_names_of_columns():
    """Names come from the fit; a table with other columns is refused with what differs."""
    X, y = data(False)
    frame = pd.DataFrame(X, columns=list("abcde"))
    trees = compile_ensemble(RandomForestRegressor(3, random_state=0).fit(frame, y))
    assert trees.feature_names == tuple("abcde")
    np.testing.assert_array_equal(trees.predict(frame), trees.predict(X))
    with pytest.raises(LearnerError, match="another order"):
        trees.predict(frame[list("bacde")])
    with pytest.raises(LearnerError, match="missing: e; unexpected: z"):
        trees.predict(frame.rename(columns={"e": "z"}))
    with pytest.raises(LearnerError, match="shape"):
        trees.predict(X[:, :4])
    assert compile_ensemble(trees, feature_names=list("vwxyz")).feature_names == tuple("vwxyz")
    with pytest.raises(LearnerError, match="2 feature names"):
        compile_ensemble(trees, feature_names=["a", "b"])


def test_classes_keep_their_labels():
    """Labels are plain values in the order of the columns."""
    trees = compile_ensemble(fitted("forest-classes", False))
    assert trees.classes == (0, 1, 2)
    assert all(type(label) is int for label in trees.classes)
