"""Which learners take places with missing covariates."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import LearnerError
from alm_core.learning.learners import LEARNERS, make_learner
from alm_core.learning.missing import check_takes_missing, kind_takes_missing, takes_missing
from alm_core.learning.model_files import load_learner, save_learner

X = np.random.default_rng(8).normal(size=(60, 4)).astype(np.float32)
Y = X[:, 0] - X[:, 1]


class Strict:
    """An estimator that refuses missing values, as old libraries do."""

    def fit(self, X, y):
        """Learn nothing."""
        return self

    def predict(self, X):
        """Zeros, or a fault of its own."""
        if np.isnan(X).any():
            raise TypeError("NaN")
        return np.zeros(len(X))


class Blank(Strict):
    """An estimator that answers missing values with NaN."""

    def predict(self, X):
        """The sum of the features."""
        return X.sum(axis=1)


@pytest.fixture
def registry(monkeypatch):
    """Two more kinds of learner."""
    monkeypatch.setitem(LEARNERS, "strict", lambda task, seed, options: Strict())
    monkeypatch.setitem(LEARNERS, "blank", lambda task, seed, options: Blank())


@pytest.mark.parametrize(
    "kind", ["random_forest", "extra_trees", "xgboost", "catboost", "Ridge", "HistGradientBoostingRegressor"]
)
def test_trees_and_imputed_learners_take_them(kind):
    """Fitted without any gap, they still answer a place with one; asked before or after the fit."""
    assert takes_missing(make_learner(kind).fit(X, Y))
    assert kind_takes_missing(kind)


@pytest.mark.parametrize("kind", ["strict", "blank"])
def test_refusals_are_found(registry, kind):
    """A fault and a NaN for an answer are both a no, before and after the fit."""
    assert not takes_missing(make_learner(kind).fit(X, Y))
    assert not kind_takes_missing(kind)


def test_a_trial_that_fails_otherwise_is_no_refusal():
    """A learner that can't be made is somebody else's message."""
    assert kind_takes_missing("no_such_learner")
    assert kind_takes_missing("KNeighborsRegressor", options={"n_neighbors": 500})


def test_a_saved_learner_knows(tmp_path):
    """The answer of the library is kept with the model and believed."""
    save_learner(make_learner("random_forest", options={"n_estimators": 5}).fit(X, Y), tmp_path, "forest")
    read = load_learner(tmp_path, "forest")
    assert read.takes_missing_ is True
    read.takes_missing_ = False
    assert not takes_missing(read)


def test_every_unable_member_is_named(registry):
    """All at once, with what to do."""
    learners = {name: make_learner(kind).fit(X, Y) for name, kind in (("a", "strict"), ("b", "Ridge"), ("c", "blank"))}
    with pytest.raises(LearnerError, match=r'a \(strict\), c \(blank\) takes no missing .*missing = "leave_out"'):
        check_takes_missing(learners)
    check_takes_missing({"b": learners["b"]})
