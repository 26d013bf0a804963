"""Block kernels against the plain walk over the same rounded leaves (to the last bit) and against the libraries."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestRegressor

from alm_core.errors import LearnerError
from alm_core.trees.block_form import ForestForm, ObliviousForm, tile_ranges
from alm_core.trees.convert import compile_ensemble
from alm_core.trees.ensemble import RawTree, TreeEnsemble, assemble
from alm_core.trees.forest_kernels import WALK_FROM
from alm_core.trees.sorting import ROUGH, open_share
from tests.trees.models import CATBOOST, NAMES, data, fitted, native

ROWS, COLUMNS = 150, 75  # more than one superblock down, tiles cut short on both sides


@cache
def block(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Covariates ``[feature, row, column]`` and valid cells; "smooth" is what maps are like, "shuffled" the worst case."""
    rng = np.random.default_rng(5)
    slope = np.add.outer(np.linspace(-2, 2, ROWS), np.linspace(-1, 1, COLUMNS))
    smooth = np.stack([np.sin(slope * (k + 1) + k) * 2 for k in range(5)]) + rng.normal(0, 0.05, (5, ROWS, COLUMNS))
    values = smooth.astype(np.float32).round(2)  # many values lie on cuts
    valid = rng.random((ROWS, COLUMNS)) < 0.9
    valid[:40, 30:70] = False
    if kind == "gentle":
        values = (smooth * 0.2).astype(np.float32)
    if kind == "shuffled":
        order = rng.permutation(ROWS * COLUMNS)
        values = values.reshape(5, -1)[:, order].reshape(values.shape)
    if kind == "holed":
        values[rng.random(values.shape) < 0.02] = np.nan
        values[2, 64:96, :32] = np.nan  # one covariate missing all over a tile
        values[:, 100, 10] = np.nan
    return values, valid


def rounded(ensemble: TreeEnsemble) -> TreeEnsemble:
    """The same trees with the leaf values that the block kernels sum; multiples of a power of two add up without rounding."""
    step = ensemble.block_form.fixed.step
    return replace(ensemble, value=np.rint(ensemble.value / step) * step)


@pytest.mark.parametrize("kind", ["smooth", "shuffled", "holed"])
@pytest.mark.parametrize("name", NAMES)
def test_blocks_equal_the_plain_walk_to_the_last_bit(name, kind):
    """Every kind of model: pruned trees in any order give exactly what walking every cell down every tree gives."""
    values, valid = block(kind)
    ensemble = compile_ensemble(fitted(name, kind == "holed"))
    found = ensemble.predict_block(values, valid)
    rows = np.ascontiguousarray(values[:, valid].T)
    assert np.array_equal(found, rounded(ensemble).predict(rows))
    exact = ensemble.margin(rows).reshape(len(rows), -1)
    near = rounded(ensemble).margin(rows).reshape(len(rows), -1)
    assert np.abs(near - exact).max() <= ensemble.block_form.fixed.largest_error * (1 + 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_are_near_the_library(name):
    """Against native predict: a millionth of the range of the predictions."""
    values, valid = block("holed")
    model = fitted(name, True)
    expected = native(model, np.ascontiguousarray(values[:, valid].T))
    found = compile_ensemble(model).predict_block(values, valid)
    assert np.abs(found - expected).max() <= 1e-6 * max(np.ptp(expected), 1.0)


@pytest.mark.parametrize("name", ["forest", "forest-classes", "xgboost-three", "catboost", "catboost-lossguide"])
def test_any_tiling_gives_the_same_bits(name):
    """A cell's number doesn't depend on the block that it was computed in."""
    values, valid = block("holed")
    ensemble = compile_ensemble(fitted(name, True))
    whole = ensemble.predict_block(values, valid)
    joined = np.full((ROWS, COLUMNS, *whole.shape[1:]), np.nan)
    for top in range(0, ROWS, 47):
        for left in range(0, COLUMNS, 13):
            part = slice(top, top + 47), slice(left, left + 13)
            inner = joined[part]
            inner[valid[part]] = ensemble.predict_block(values[(slice(None), *part)], valid[part])
    assert np.array_equal(joined[valid], whole)


def test_forms():
    """CatBoost's symmetric trees take the form of their own; several outputs a leaf and other trees take that of nodes."""
    forms = {name: type(compile_ensemble(fitted(name, False)).block_form) for name in NAMES}
    oblivious = {name for name, form in forms.items() if form is ObliviousForm}
    assert oblivious == {"catboost", "catboost-maximum", "catboost-poisson", "catboost-two"}


@pytest.mark.parametrize("options", [{"depth": 10}, {"border_count": 1000, "iterations": 400}], ids=["deep", "many-cuts"])
def test_oblivious_trees_that_a_byte_cannot_hold(options):
    """Deeper trees than a byte has bits, or more cuts than it can rank, are mapped by nodes, as exactly."""
    from catboost import CatBoostRegressor

    X = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    model = CatBoostRegressor(**CATBOOST | {"depth": 6} | options).fit(X, np.sin(5 * X[:, 0]) * X[:, 1])
    ensemble = compile_ensemble(model)
    assert isinstance(ensemble.block_form, ForestForm)
    values, valid = block("smooth")[0][:2], block("smooth")[1]
    rows = np.ascontiguousarray(values[:, valid].T)
    assert np.array_equal(ensemble.predict_block(values, valid), rounded(ensemble).predict(rows))


@pytest.mark.parametrize("kind", ["gentle", "shuffled", "holed"])
@pytest.mark.parametrize("model", [RandomForestRegressor, ExtraTreesRegressor])
def test_full_depth(model, kind):
    """Trees grown until every leaf is one site; the cells of the shuffled block are sorted first."""
    X, y = data(kind == "holed")
    ensemble = compile_ensemble(model(40, random_state=0).fit(X, y))
    values, valid = block(kind)
    rows = np.ascontiguousarray(values[:, valid].T)
    assert np.array_equal(ensemble.predict_block(values, valid), rounded(ensemble).predict(rows))
    form = ensemble.block_form
    assert form.is_large
    assert (open_share(*tile_ranges(values, valid)[:2], form.cuts, form.begin) > ROUGH) == (kind != "gentle")


def chain(depth: int, *, missing_left: bool) -> RawTree:
    """A tree that parts one unit of x a split, all on one side: as deep as it has splits."""
    inner = np.arange(0, 2 * depth, 2)
    feature, cut = np.full(2 * depth + 1, -1), np.zeros(2 * depth + 1, np.float32)
    left, right = np.full(2 * depth + 1, -1), np.full(2 * depth + 1, -1)
    feature[inner], cut[inner], left[inner], right[inner] = 0, np.arange(depth), inner + 1, inner + 2
    value = np.arange(2 * depth + 1, dtype=float)[:, None]
    return RawTree(feature, cut, left, right, value, np.ones(2 * depth + 1), np.full(2 * depth + 1, missing_left))


@pytest.mark.parametrize("missing_left", [False, True])
def test_very_deep_tree(missing_left):
    """A chain of 300 splits, with exact answers and with missing values on either way."""
    made = {"base": [0.0], "link": "identity", "task": "regression", "source": "chain", "feature_names": ["x"]}
    ensemble = assemble([chain(300, missing_left=missing_left)], **made)
    x = np.array([[[-5, 0, 0.5, 299, 299.5, np.nan]]], np.float32)
    expected = [1, 1, 3, 599, 600, 1 if missing_left else 600]
    found = ensemble.predict_block(x, np.ones((1, 6), bool))
    assert np.abs(found - expected).max() <= ensemble.block_form.fixed.largest_error


@pytest.mark.parametrize("cut", [np.inf, -np.inf])
@pytest.mark.parametrize("missing_left", [False, True])
def test_infinite_cuts_and_missing_values(cut, missing_left):
    """A split that parts only missing from present values, alone in its tile and beside numbers."""
    tree = RawTree(
        np.array([0, -1, -1]),
        np.array([cut, 0, 0], np.float32),
        np.array([1, -1, -1]),
        np.array([2, -1, -1]),
        np.array([[0.0], [1.0], [2.0]]),
        np.ones(3),
        np.full(3, missing_left),
    )
    made = {"base": [0.0], "link": "identity", "task": "regression", "source": "cut", "feature_names": ["x"]}
    ensemble = assemble([tree], **made)
    for cells in ([np.nan, np.nan], [np.nan, 3.0], [3.0, 4.0]):
        x = np.array([[cells]], np.float32)
        assert np.array_equal(ensemble.predict_block(x, np.ones((1, 2), bool)), ensemble.predict(x[0].T))


def test_constant_block_one_cell_and_no_cell():
    """Where all splits are decided by the box, one leaf a tree is left; an empty mask gives no number."""
    ensemble = compile_ensemble(fitted("forest", False))
    values = np.ones((5, 40, 40), np.float32)
    found = ensemble.predict_block(values, np.ones((40, 40), bool))
    assert len(found) == 1600
    assert np.ptp(found) == 0
    one = np.zeros((40, 40), bool)
    one[39, 39] = True
    assert np.array_equal(ensemble.predict_block(values, one), found[:1])
    assert ensemble.predict_block(values, np.zeros((40, 40), bool)).shape == (0,)


def test_cells_outside_the_mask_may_hold_anything():
    """What lies in cells that aren't predicted changes nothing: neither the box nor a result."""
    ensemble = compile_ensemble(fitted("xgboost", False))
    values, valid = block("smooth")
    soiled = values.copy()
    soiled[:, ~valid] = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30], np.float32)[:, None]
    assert np.array_equal(ensemble.predict_block(soiled, valid), ensemble.predict_block(values, valid))


def test_other_features_are_refused():
    """A block of another number of covariates, or a mask of another size, is named."""
    ensemble = compile_ensemble(fitted("forest", False))
    with pytest.raises(LearnerError, match="5, row, column"):
        ensemble.predict_block(np.zeros((4, 3, 3), np.float32), np.ones((3, 3), bool))
    with pytest.raises(LearnerError, match="mask of shape"):
        ensemble.predict_block(np.zeros((5, 3, 3), np.float32), np.ones((3, 4), bool))


@pytest.mark.parametrize("name", ["forest-classes", "extra-classes"])
def test_trees_of_one_class_give_its_probability(name):
    """For forests, with missing values too; other ensembles have no such part."""
    values, valid = block("holed")
    ensemble = compile_ensemble(fitted(name, True))
    whole = ensemble.predict_block(values, valid)
    for number, label in enumerate(ensemble.classes):
        alone = ensemble.of_class(label)
        assert (alone.n_outputs, alone.task) == (1, "regression")
        assert np.abs(alone.predict_block(values, valid) - whole[:, number]).max() < 1e-7
    assert ensemble.of_class("no such class") is None
    assert compile_ensemble(fitted("xgboost-two", True)).of_class(1) is None
    assert compile_ensemble(fitted("forest", True)).of_class(1) is None


@pytest.mark.parametrize("kind", ["smooth", "shuffled", "holed"])
@pytest.mark.parametrize("task", ["value", "classes"])
def test_large_trees_are_walked_to_the_same_bits(kind, task):
    """Trees of thousands of nodes, of which hundreds are left in a tile: cells go down side by side, deep ones too."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(4000, 5)).astype(np.float32).round(2)
    X[rng.random(X.shape) < 0.02] = np.nan
    y = np.nansum(X, axis=1) + rng.normal(size=4000)
    maker = ExtraTreesRegressor if task == "value" else ExtraTreesClassifier
    model = maker(3, random_state=1).fit(X, y if task == "value" else np.digitize(y, [-1, 1]))
    ensemble = compile_ensemble(model)
    assert len(ensemble.feature) / 3 > 10 * WALK_FROM
    values, valid = block(kind)
    values = values.copy()
    values[0, 5, :20], values[1, 7, :20] = np.inf, -np.inf
    rows = np.ascontiguousarray(values[:, valid].T)
    assert np.array_equal(ensemble.predict_block(values, valid), rounded(ensemble).predict(rows))
