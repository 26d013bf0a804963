"""The libraries' own predictions, and the proof that compiled trees give the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

from alm_core.errors import LearnerError
from alm_core.trees import native as module
from alm_core.trees.convert import compile_ensemble
from alm_core.trees.native import check_conversion, native_predictor
from tests.trees.models import NAMES, XGBOOST, data, fitted, native, new_rows

FOREST_NAMES = [name for name in NAMES if name.startswith(("forest", "extra"))]


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("name", NAMES)
def test_native_is_the_library(name, missing):
    """The predictor of a trained model gives what the model gives, as far as float32 sums go."""
    model, X = fitted(name, missing), new_rows(missing)
    expected = native(model, X)
    found = native_predictor(model).predict(X)
    assert found.dtype == np.float64
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 2e-6 * max(np.ptp(expected), 1.0)


@pytest.mark.parametrize("name", FOREST_NAMES)
def test_a_forest_comes_back_from_its_file(name, tmp_path):
    """From the .npz alone scikit-learn walks to the same leaves, missing values and values on a cut too."""
    compile_ensemble(fitted(name, True)).save(tmp_path / "forest.npz")
    read = module.TreeEnsemble.load(tmp_path / "forest.npz")
    X = np.concatenate([new_rows(True), module._cut_rows(read)])
    np.testing.assert_allclose(native_predictor(read).predict(X), native(fitted(name, True), X), atol=1e-12)


def test_one_wrong_turn_is_seen():
    """A cut moved by one unit in the last place, a child swapped and a missing value sent astray are each refused."""
    model = fitted("forest", True)
    trees = compile_ensemble(model)
    inner = np.flatnonzero(trees.feature >= 0)
    cut, astray, value = trees.cut.copy(), trees.missing_left.copy(), trees.value.copy()
    cut[inner[0]] = np.nextafter(cut[inner[0]], np.float32(np.inf))
    astray[inner[0]] = ~astray[inner[0]]
    value[np.flatnonzero(trees.feature < 0)[0]] += 0.05
    for wrong in (replace(trees, cut=cut), replace(trees, missing_left=astray), replace(trees, value=value)):
        with pytest.raises(LearnerError, match=r"compiled soil predicts .* where the library itself predicts .* f0 "):
            check_conversion(model, wrong, data(True)[0], name="soil")


@pytest.mark.parametrize("name", NAMES)
def test_every_conversion_is_proved(name):
    """Training rows, rows on the cuts, rows with holes: all within a tenth of the tolerance."""
    found = check_conversion(fitted(name, False), compile_ensemble(fitted(name, False)), data(False)[0])
    assert found.rows == 250 + module.CUT_ROWS
    assert found.takes_missing
    assert max(found.difference, found.difference_missing) <= 2e-7
    assert found.to_dict()["difference"] == found.difference


def test_a_target_far_from_zero_is_no_fault():
    """Kelvin: XGBoost's own float32 sum is off by more than the tolerance; round by round it is not."""
    from xgboost import XGBRegressor

    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6)).astype(np.float32)
    y = 273.15 + X[:, 0] * X[:, 1] + np.sin(X[:, 2])
    model = XGBRegressor(n_estimators=300, max_depth=5, learning_rate=0.05, n_jobs=1).fit(X, y)
    trees = compile_ensemble(model)
    rough = np.abs(model.predict(X) - trees.predict(X)).max() / np.ptp(y)
    exact = np.abs(native_predictor(model).predict(X) - trees.predict(X)).max() / np.ptp(y)
    assert exact < 1e-7 < 1e-6 < rough


def test_pieces_that_are_not_the_whole_are_refused():
    """A base score or an objective that was misread does not pass as the library's word."""
    booster = native_predictor(fitted("xgboost", False))
    booster.base = booster.base + 0.01
    with pytest.raises(LearnerError, match="add up to"):
        booster.predict(new_rows(False))


def test_early_stopping_is_followed():
    """Only the rounds that the library predicts with are added up."""
    from xgboost import XGBRegressor

    X, y = data(False)
    model = XGBRegressor(**XGBOOST | {"n_estimators": 200, "learning_rate": 0.5}, early_stopping_rounds=5)
    model.fit(X[:150], y[:150], eval_set=[(X[150:], y[150:])], verbose=False)
    np.testing.assert_allclose(native_predictor(model).predict(X), model.predict(X), atol=1e-5)


def test_a_library_without_missing_values_is_no_fault():
    """Where the library refuses NaN, the proof goes without and says so."""

    class Strict(RandomForestRegressor):
        def predict(self, X):
            if np.isnan(X).any():
                raise ValueError("no NaN, please")
            return super().predict(X)

    X, y = data(False)
    model = Strict(5, random_state=0).fit(X, y)
    found = check_conversion(model, compile_ensemble(model), X)
    assert not found.takes_missing
    assert found.difference < 1e-12


def test_constant_targets_pass():
    """A range of zero is no tolerance of zero."""
    X = data(False)[0]
    from xgboost import XGBRegressor

    model = XGBRegressor(**XGBOOST).fit(X, np.full(len(X), 0.3))
    assert check_conversion(model, compile_ensemble(model), X).difference < 1e-6


def test_another_layout_of_trees_is_named():
    """A scikit-learn with other nodes is refused before anything is read as what it is not."""
    with pytest.raises(LearnerError, match="left_child, other; left_child, right_child"):
        module._check_layout(np.dtype([("left_child", "i8"), ("other", "i8")]))


def test_models_without_a_native_prediction_are_refused():
    """Boosters have files of their own; other estimators have no compiled form to check."""
    with pytest.raises(LearnerError, match="its own library"):
        native_predictor(compile_ensemble(fitted("xgboost", False)))
    with pytest.raises(LearnerError, match="no native prediction"):
        native_predictor(GradientBoostingRegressor())
