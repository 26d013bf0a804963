"""Rules of the elimination: hand cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.learning.elimination import (
    correlated_groups,
    hurts,
    number_to_drop,
    rounds_left,
    smallest_for_both,
    smallest_within_one_error,
    stability,
    weakest,
)


def test_groups_of_alike_covariates():
    """Monotone copies form a group, whatever their sign, shape, gaps or order; the limit itself is outside."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    table = pd.DataFrame({"z": rng.normal(size=300), "b": -np.exp(a), "a": a, "flat": 1.0})
    table.loc[::7, "b"] = np.nan
    assert correlated_groups(table, 0.9) == (("a", "b"),)
    assert correlated_groups(table[["flat", "a", "z", "b"]], 0.9) == (("a", "b"),)
    assert correlated_groups(table, 1.0) == ()
    assert correlated_groups(table[["a"]], 0.9) == ()


def test_groups_hold_only_alike_pairs():
    """A chain of neighbours is not one group: every pair must be alike."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 2000))
    angles = np.radians([0, 20, 40])
    table = pd.DataFrame({f"x{k}": np.cos(t) * first + np.sin(t) * second for k, t in enumerate(angles)})
    groups = correlated_groups(table, 0.9)
    assert len(groups) == 1
    assert len(groups[0]) == 2


@pytest.mark.parametrize(
    ("size", "step", "minimum", "expected"),
    [(30, 0.12, 4, 3), (5, 0.12, 4, 1), (4, 0.12, 4, 0), (3, 0.5, 4, 0), (30, 1, 3, 1), (30, 5, 27, 3), (10, 0.99, 1, 9)],
)
def test_number_to_drop(size, step, minimum, expected):
    """A part of the set, at least one, never below the minimum."""
    assert number_to_drop(size, step, minimum) == expected


def test_rounds_left():
    """Thirty to three in single steps are 27 rounds."""
    assert rounds_left(30, 1, 3) == 27
    assert rounds_left(30, 0.12, 30) == 0


def test_duplicates_leave_before_lone_covariates():
    """The least important member of a group goes, never its last one; kept names stay."""
    importance = {"a": 0.4, "a2": 0.3, "a3": 0.2, "b": 0.06, "c": 0.04}
    groups = (("a", "a2", "a3"),)
    assert weakest(importance, 1, groups=groups) == ("a3",)
    assert weakest(importance, 4, groups=groups) == ("a3", "a2")
    assert weakest(importance, 1, groups=groups, keep=("a3",)) == ("a2",)
    assert weakest(importance, 2, groups=groups, keep=("a", "a2", "a3")) == ("c", "b")
    assert weakest(importance, 2) == ("c", "b")


def test_ties_are_settled_by_name():
    """Equal importances: the order in which the covariates came does not matter."""
    assert weakest({"b": 0.1, "a": 0.1, "c": 0.8}, 1) == weakest({"c": 0.8, "a": 0.1, "b": 0.1}, 1) == ("a",)


def test_one_standard_error_is_that_of_paired_differences():
    """Hand case: differences 0.01, 0.02, 0.03 have sd 0.01 and error 0.01 / sqrt(3)."""
    best = np.array([0.9, 0.5, 0.1])
    scores = np.array([best, best - [0.01, 0.02, 0.03], best - [0.0, 0.01, -0.007]])
    choice = smallest_within_one_error(scores, [10, 5, 7])
    assert choice.best == 0
    assert choice.standard_error[1] == pytest.approx(0.01 / np.sqrt(3))
    assert choice.within.tolist() == [True, False, True]
    assert choice.chosen == 2


def test_hard_splits_do_not_hide_a_loss():
    """Splits differ by 0.8, yet a steady loss of 0.02 is seen."""
    best = np.array([0.9, 0.5, 0.1])
    assert smallest_within_one_error(np.array([best, best - 0.02]), [10, 4]).chosen == 0


def test_one_split_chooses_the_best():
    """Without an error to speak of, nothing is given away."""
    assert smallest_within_one_error(np.array([[0.5], [0.52], [0.51]]), [9, 6, 3]).chosen == 1


def test_equal_scores_choose_the_smallest():
    """Ties go to fewer covariates."""
    choice = smallest_within_one_error(np.full((3, 4), 0.5), [9, 6, 3])
    assert (choice.best, choice.chosen) == (2, 2)


def test_enough_for_the_mean_and_the_strongest():
    """The smallest set that both allow; the best of the mean where they agree on none."""
    sizes = [9, 6, 3]
    flat = smallest_within_one_error(np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]), sizes)
    falling = smallest_within_one_error(np.array([[0.6, 0.6], [0.6, 0.6], [0.4, 0.4]]), sizes)
    assert smallest_for_both(flat, falling, sizes).chosen == 1
    assert smallest_for_both(flat, falling, sizes).within.tolist() == [True, True, False]
    only_large = smallest_within_one_error(np.array([[0.6, 0.6], [0.5, 0.5], [0.4, 0.4]]), sizes)
    only_small = smallest_within_one_error(np.array([[0.4, 0.4], [0.5, 0.5], [0.6, 0.6]]), sizes)
    assert smallest_for_both(only_large, only_small, sizes).chosen == 0


def test_hurts():
    """A clear, steady fall; not a rise, not one split's mood, not a trifle, not a single split."""
    before = np.array([0.5, 0.6, 0.7, 0.6])
    assert hurts(before, before - [0.1, 0.12, 0.09, 0.1])
    assert not hurts(before, before + 0.1)
    assert not hurts(before, before - [0.3, -0.1, 0.0, 0.01])
    assert not hurts(before, before - 0.01)
    assert not hurts(before[:1], before[:1] - 0.5)


def test_stability_hand_cases():
    """Same sets: 1 and 1. Disjoint halves: 0 and -1. One set says nothing."""
    same = stability([("a", "b"), ("b", "a")], 4)
    assert (same["jaccard"], same["kuncheva"]) == (1.0, 1.0)
    apart = stability([("a", "b"), ("c", "d")], 4)
    assert (apart["jaccard"], apart["kuncheva"]) == (0.0, -1.0)
    assert apart["frequency"] == dict.fromkeys("abcd", 0.5)
    assert stability([("a",)], 4)["jaccard"] is None
    assert stability([("a",), ("a", "b")], 4)["kuncheva"] is None
    assert stability([("a", "b"), ("a", "b")], 2)["kuncheva"] is None
