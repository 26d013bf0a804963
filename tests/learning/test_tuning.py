"""Search of options inside a training set."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alm_core.errors import FoldsError, LearnerError
from alm_core.learning.folds import make_folds
from alm_core.learning.learners import make_learner
from alm_core.learning.tuning import SEARCH_SPACES, tune_learner

RNG = np.random.default_rng(3)
X = RNG.normal(size=(70, 5)).astype(np.float32)
Y = X[:, 0] + 0.5 * RNG.normal(size=70)
LIGHT = {"random_forest": {}, "extra_trees": {}, "xgboost": {"n_estimators": 20}, "catboost": {"iterations": 20}}


@pytest.mark.parametrize("kind", LIGHT)
def test_best_is_never_worse_than_the_defaults(kind):
    """Trial 0 has the defaults; the answer can be given to make_learner and keeps what the user chose."""
    found = tune_learner(kind, X, Y, folds=2, trials=3, seed=1, options=LIGHT[kind])
    assert found.table["loss"].min() <= found.table["loss"][0]
    assert len(found.table) == 3
    assert LIGHT[kind].items() <= found.options.items()
    assert make_learner(kind, options=found.options).kind == kind


def test_same_seed_same_answer():
    """The search repeats to the bit, and another seed tries other options."""
    first, again, other = (tune_learner("Ridge", X, Y, trials=6, seed=seed).table for seed in (4, 4, 5))
    assert first.equals(again)
    assert not first["alpha"].equals(other["alpha"])


def test_only_the_given_rows_are_used():
    """Leak: changing rows outside the training part changes nothing, for they are never handed over."""
    train = np.arange(50)
    noisy = np.where(np.arange(70) < 50, Y, 1e6)
    assert (
        tune_learner("Ridge", X[train], Y[train], trials=4).options
        == tune_learner("Ridge", X[train], noisy[train], trials=4).options
    )


def test_strong_noise_asks_for_a_strong_penalty():
    """Many noise columns and few sites: the search finds a larger ridge penalty than the default of 1."""
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(40, 30))
    found = tune_learner("Ridge", wide, wide[:, 0] + 3 * rng.normal(size=40), trials=20)
    assert found.options["alpha"] > 10


def test_folds_made_elsewhere_are_used():
    """Block folds of the caller decide the loss of the defaults."""
    place = np.arange(70.0)
    folds = make_folds("block", x=place, y=place, geographic=False, n_folds=3, block_size_km=0.01)
    found = tune_learner("Ridge", X, Y, folds=folds, trials=1)
    squares = [
        ((make_learner("Ridge").fit(X[train], Y[train]).predict(X[test]) - Y[test]) ** 2).sum()
        for _, _, train, test in folds.splits()
    ]
    assert found.table["loss"][0] == pytest.approx(np.sqrt(sum(squares) / 70))


def test_classes_by_log_loss():
    """A classifier is tuned on probabilities; the loss of a usable one is below that of a guess."""
    labels = np.where(Y > 0, "wet", "dry")
    found = tune_learner("xgboost", X, labels, task="classification", folds=2, trials=2, options={"n_estimators": 30})
    assert found.table["loss"].min() < np.log(2)


def test_kind_without_a_space_keeps_its_options():
    """Nothing is searched and the note says so; JSON holds no NaN."""
    found = tune_learner("KNeighborsRegressor", X, Y, options={"n_neighbors": 3})
    assert found.options == {"n_neighbors": 3}
    assert "no search space" in found.note
    assert "KNeighborsRegressor" not in SEARCH_SPACES
    text = json.dumps(tune_learner("Ridge", X, Y, trials=2).to_dict(), allow_nan=False)
    assert json.loads(text)["trials"][0]["alpha"] is None


def test_all_options_fixed_by_the_user():
    """A user who fixes every option gets it back."""
    assert tune_learner("Ridge", X, Y, trials=3, options={"alpha": 2.0}).options == {"alpha": 2.0}


def test_faults():
    """No trials, unknown options and too few sites are told before anything is fitted."""
    with pytest.raises(LearnerError, match="0 trials"):
        tune_learner("Ridge", X, Y, trials=0)
    with pytest.raises(LearnerError, match="'alfa'"):
        tune_learner("Ridge", X, Y, options={"alfa": 1})
    with pytest.raises(FoldsError, match="2 sites came and 3 folds"):
        tune_learner("Ridge", X[:2], Y[:2])
