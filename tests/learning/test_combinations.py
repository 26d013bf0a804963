"""The feature-combination test."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import DomainError
from alm_core.learning.combinations import forward_sizes, neighbours, try_combinations
from tests.learning.trials import normal_table, random_trial

PLANE = ("plane", "linear", {})


def law(names="abcdefgh", count=150, seed=0):
    """Three covariates of eight matter."""
    table = normal_table(count, names, seed=seed)
    y = 2 * table["a"].to_numpy() + table["b"].to_numpy() + 0.7 * table["c"].to_numpy()
    return random_trial(table, y + 0.5 * np.random.default_rng(seed + 1).normal(size=count), n_folds=6, repeats=2)


def test_the_true_set_is_found():
    """With a right ranking the covariates of the law are chosen, and no noise."""
    found = try_combinations(law(), PLANE, list("abcdefgh"))
    assert found.chosen == ("a", "b", "c")
    assert [combination.features for combination in found.combinations[:3]] == [("a",), ("a", "b"), ("a", "b", "c")]


def test_a_wrong_rank_is_repaired_by_a_swap():
    """Noise ranked just before the last covariate of the law is left out in the end."""
    found = try_combinations(law(seed=3), PLANE, list("abdcefgh"))
    assert found.chosen == ("a", "b", "c")


def test_sets_are_bounded_and_tried_once():
    """No more sets than allowed, none twice, and the error of each is its pooled one."""
    trial = law()
    found = try_combinations(trial, PLANE, list("abcdefgh"), maximum_sets=6)
    sets = [frozenset(combination.features) for combination in found.combinations]
    assert len(sets) == len(set(sets)) == 6
    once = trial.once()
    first = found.combinations[0]
    errors = np.concatenate(once.squared_errors(once.predictions(PLANE, first.features)))
    assert first.rmse == pytest.approx(np.sqrt(errors.mean()))
    assert min(found.combinations, key=lambda one: one.rmse).features == found.best


def test_noise_chooses_one_covariate():
    """Where nothing matters the smallest set is enough, and the note warns of its error."""
    table = normal_table(80, "abcdef", seed=8)
    found = try_combinations(random_trial(table, np.random.default_rng(9).normal(size=80)), PLANE, list("abcdef"))
    assert len(found.chosen) <= 2
    assert "too small for the one chosen" in found.note


@pytest.mark.parametrize("count", [1, 7, 40])
def test_sizes_begin_with_one_and_end_with_all(count):
    """Whatever the bound."""
    for most in (2, 5, 50):
        sizes = forward_sizes(count, most)
        assert sizes[0] == 1
        assert sizes[-1] == count
        assert len(sizes) <= max(most, 1)


def test_a_single_covariate_has_no_set_without_it():
    """Nothing is left out of one; it can be swapped."""
    assert neighbours(("a",), ["a", "b"]) == [("b",)]


@pytest.mark.parametrize(("ranking", "most"), [([], 10), (["a", "z"], 10), (["a", "a"], 10), (["a", "b"], 2)])
def test_what_is_refused(ranking, most):
    """An empty, unknown or doubled ranking, or too few sets."""
    with pytest.raises(DomainError, match="each once, and 3 sets"):
        try_combinations(law(count=40), PLANE, ranking, maximum_sets=most)
