"""Importance on held-out folds."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import DomainError
from alm_core.learning.importance import held_out_importance
from tests.learning.trials import normal_table, random_trial

FOREST = ("forest", "random_forest", {"n_estimators": 30, "max_features": 1.0})


@pytest.fixture(scope="module")
def trial():
    """A target of 3 a + b; c and d are noise."""
    table = normal_table(160, "dcba")
    y = 3 * table["a"].to_numpy() + table["b"].to_numpy() + 0.1 * np.random.default_rng(1).normal(size=160)
    return random_trial(table, y)


@pytest.mark.parametrize("entry", [FOREST, ("plane", "linear", {})])
def test_ranking_follows_the_law(trial, entry):
    """a, then b; what is noise lies within two standard errors of nothing."""
    found = held_out_importance(trial, entry)
    assert [one.feature for one in found[:2]] == ["a", "b"]
    assert found[0].value > found[1].value > 3 * found[1].standard_error
    assert all(abs(one.value) < 2 * one.standard_error + 0.1 for one in found[2:])


def test_size_for_a_plane_is_that_of_the_law(trial):
    """Taking a from another site adds 3 (a' - a), of which the root mean square is 3 sqrt(2)."""
    found = {one.feature: one.value for one in held_out_importance(trial, ("plane", "linear", {}), permutations=20)}
    assert found["a"] == pytest.approx(3 * np.sqrt(2), rel=0.15)
    assert found["b"] == pytest.approx(np.sqrt(2), rel=0.15)


def test_shares_of_shap_where_there_are_trees(trial):
    """Trees have shares that add up to 1 and agree on the order; other learners have none."""
    found = held_out_importance(trial, FOREST, permutations=1)
    assert sum(one.shap for one in found) == pytest.approx(1.0)
    assert max(found, key=lambda one: one.shap).feature == "a"
    assert all(one.to_dict()["shap"] is None for one in held_out_importance(trial, ("plane", "linear", {}), permutations=1))


def test_no_draw_is_refused(trial):
    """At least one permutation."""
    with pytest.raises(DomainError, match="0 permutations"):
        held_out_importance(trial, FOREST, permutations=0)
