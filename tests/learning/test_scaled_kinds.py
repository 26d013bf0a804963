"""Learners without trees by the name of their family."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import LearnerError
from alm_core.learning.learners import make_learner
from alm_core.learning.missing import takes_missing
from alm_core.learning.model_files import can_be_saved
from alm_core.learning.scaled_kinds import OPTIONS

KINDS = tuple(OPTIONS)


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    """150 sites x 4 covariates of very different scale with gaps; the target follows two of them."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(150, 4))
    y = 280.0 + 2.0 * X[:, 0] + np.sin(2 * X[:, 1])
    X = (X * [1.0, 1e4, 1e-3, 10.0]).astype(np.float32)
    X[rng.random(X.shape) < 0.03] = np.nan
    return X, y


@pytest.mark.parametrize("kind", KINDS)
def test_regression_learns_through_gaps_and_scales(kind, table):
    """Each follows the signal, answers in float64 and takes missing values; none has a file that could hold code."""
    X, y = table
    learner = make_learner(kind).fit(X, y)
    found = learner.predict(X)
    assert found.dtype == np.float64
    assert np.corrcoef(found, y)[0, 1] > 0.85
    assert takes_missing(learner)
    assert not can_be_saved(learner)


@pytest.mark.parametrize("kind", KINDS)
def test_units_of_covariates_and_target_do_not_matter(kind, table):
    """Another unit of a covariate, or of the target, gives the same in the other unit."""
    X, y = table
    plain = make_learner(kind).fit(X, y).predict(X)
    other = make_learner(kind).fit(X * np.float32(4.0), y * 8.0).predict(X * np.float32(4.0))
    np.testing.assert_allclose(other / 8.0, plain, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_same_bits_again_and_constant_target(kind, table):
    """A fit is repeatable, and a constant target is learned as it is."""
    X, y = table
    first, again = (make_learner(kind, seed=1).fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(make_learner(kind).fit(X, np.full(150, 0.25)).predict(X), 0.25, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_classes_have_probabilities(kind, table):
    """Columns are the sorted labels and rows add up to one."""
    X, y = table
    labels = np.where(y > 280, "warm", "cold")
    learner = make_learner(kind, task="classification").fit(X, labels)
    probability = learner.predict(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-6)
    assert np.mean(learner.classes_[probability.argmax(axis=1)] == labels) > 0.8


def test_codes_become_columns():
    """A category is no quantity for any of them; codes that were never seen are no fault."""
    codes = np.tile([1.0, 2.0, 3.0], 30)
    X, y = np.column_stack([codes, np.linspace(0, 1, 90)]), np.where(codes == 2, 5.0, 0.0)
    names = {"feature_names": ("soil", "ndvi"), "categorical": ("soil",)}
    for kind in KINDS:
        learner = make_learner(kind, **names).fit(X, y)
        np.testing.assert_allclose(learner.predict(X), y, atol=0.6)
        assert np.isfinite(learner.predict([[9.0, 0.5]])).all()


def test_splines_bend_and_end():
    """They follow a curve that a plane can't, beside constant and nearly constant covariates, and stay flat beyond the sites."""
    x = np.linspace(-2, 2, 120)
    X = np.column_stack([x, np.zeros(120), np.r_[np.zeros(115), np.ones(5)]])
    y = x**2
    splines, plane = (make_learner(kind).fit(X, y) for kind in ("splines", "linear"))
    assert np.sqrt(np.mean((splines.predict(X) - y) ** 2)) < 0.1
    assert np.sqrt(np.mean((plane.predict(X) - y) ** 2)) > 1.0
    beyond = splines.predict([[5.0, 0, 0], [50.0, 0, 0]])
    assert beyond[0] == pytest.approx(beyond[1])
    assert beyond[0] == pytest.approx(4.0, abs=0.3)


def test_linear_equals_least_squares():
    """With no penalty it is the plane of least squares."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(50, 3)).astype(np.float32)
    y = X @ [1.0, -2.0, 0.5] + 3.0 + rng.normal(size=50)
    design = np.column_stack([np.ones(50), X.astype(float)])
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(make_learner("linear", options={"alpha": 1e-9}).fit(X, y).predict(X), expected, atol=1e-7)


def test_penalty_is_chosen_by_the_noise():
    """Where covariates are noise the plane is nearly flat."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(60, 30)), rng.normal(size=60)
    chosen = make_learner("linear").fit(X, y).predict(X)
    free = make_learner("linear", options={"alpha": 1e-9}).fit(X, y).predict(X)
    assert chosen.std() < 0.6 * free.std()


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("linear", {"alfa": 1.0}, "'alfa' of learner 'linear'.*alpha"),
        ("splines", {"knots": 1}, "knots = 1"),
        ("support_vector", {"random_state": 3}, "seed of the study"),
        ("nearest_neighbors", {}, "nearest_neighbours"),
    ],
)
def test_what_is_refused(kind, options, words):
    """Wrong names and numbers, with what is valid."""
    with pytest.raises(LearnerError, match=words):
        make_learner(kind, options=options)
