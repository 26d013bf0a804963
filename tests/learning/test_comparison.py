"""Learners side by side: the best is named, a tie is declared, noise wins nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alm_core.errors import LearnerError
from alm_core.learning.comparison import compare_learners
from alm_core.learning.metrics import regression_scores
from tests.learning.trials import normal_table, random_trial

PLANE = ("plane", "linear", {})
NEAR = ("near", "nearest_neighbours", {})
VECTORS = ("vectors", "support_vector", {})


def test_the_right_model_is_named_best():
    """A plane is best fitted by a plane: named, significant, said; differences are against it and never negative."""
    table = normal_table(150, "abcd")
    y = 2 * table["a"].to_numpy() - table["b"].to_numpy() + 0.2 * np.random.default_rng(1).normal(size=150)
    found = compare_learners(random_trial(table, y, n_folds=10, repeats=2), [NEAR, PLANE, VECTORS], unit="K")
    assert (found.best, found.tied, found.leader) == ("plane", (), "plane")
    assert (found.folds, found.repeats) == (10, 2)
    assert {entry.against for entry in found.differences} == {"plane"}
    assert all(entry.difference.rmse_difference > 0 and entry.difference.p_value < 0.05 for entry in found.differences)
    assert "plane predicts best" in found.sentence
    assert " K, R2" in found.sentence
    assert "chance" not in found.sentence


def test_scores_are_pooled():
    """One repeat: the scores are those of all held-out predictions at once."""
    table = normal_table(90, "ab", seed=2)
    y = table["a"].to_numpy() ** 2
    trial = random_trial(table, y)
    scores = {score.name: score for score in compare_learners(trial, [PLANE, NEAR]).learners}
    expected = regression_scores(trial.tested, np.concatenate(trial.predictions(NEAR)))
    expected |= {"me": expected["mean_error"]}
    for name in ("r2", "rmse", "mae", "me"):
        assert getattr(scores["near"], name) == pytest.approx(expected[name])
    assert scores["near"].rmse_se > 0


def test_twins_tie():
    """Two learners that hardly differ tie, whatever their order, and the text names both."""
    table = normal_table(100, "abc", seed=3)
    y = table["a"].to_numpy() + np.random.default_rng(4).normal(size=100)
    trial = random_trial(table, y, n_folds=10)
    learners = [("one", "linear", {"alpha": 1.0}), ("two", "linear", {"alpha": 1.2})]
    found, turned = compare_learners(trial, learners), compare_learners(trial, learners[::-1])
    assert found.best is None
    assert set(found.tied) == {"one", "two"}
    assert "no learner is best: " in found.sentence
    assert found.to_dict() == turned.to_dict()


def test_noise_learners_are_not_told_apart():
    """Among learners of pure noise, in most seeds nobody is best by more than chance; and the text says they know nothing."""
    claims, told = 0, 0
    for seed in range(12):
        table = normal_table(60, "abcd", seed=seed)
        y = np.random.default_rng(100 + seed).normal(size=60)
        learners = [("near7", "nearest_neighbours", {}), ("near9", "nearest_neighbours", {"n_neighbors": 9}), VECTORS]
        found = compare_learners(random_trial(table, y, seed=seed), learners)
        claims += found.best is not None and all(entry.difference.p_value < 0.05 for entry in found.differences)
        told += "better than the mean" in found.sentence
    assert claims <= 2
    assert told >= 9


def test_values_are_plain():
    """What is written is JSON, with the agreed keys."""
    table = normal_table(40, "ab", seed=5)
    written = json.loads(json.dumps(compare_learners(random_trial(table, table["a"].to_numpy()), [PLANE, NEAR]).to_dict()))
    assert set(written) == {"folds", "repeats", "learners", "differences", "best", "tied", "sentence"}
    assert set(written["learners"][0]) == {"name", "kind", "r2", "rmse", "mae", "me", "rmse_se"}
    assert set(written["differences"][0]) == {"learner", "against", "rmse_difference", "standard_error", "p_value"}


@pytest.mark.parametrize("learners", [[PLANE], [PLANE, PLANE], []])
def test_two_learners_with_names_are_needed(learners):
    """One alone, or two of one name, can't be compared."""
    table = normal_table(40, "ab", seed=5)
    with pytest.raises(LearnerError, match="two or more"):
        compare_learners(random_trial(table, table["a"].to_numpy()), learners)
