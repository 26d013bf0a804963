"""Leaf values as whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import LearnerError
from alm_core.trees.fixed_point import LARGEST_SUM, fix_leaves


def leaves_only(values):
    """Trees of leaves alone (no walk is made here): ``[tree, leaf]`` to what `fix_leaves` wants."""
    values = np.asarray(values, float)
    n_trees, n_leaves = values.shape
    roots = np.arange(n_trees) * n_leaves
    return values.reshape(-1, 1), np.ones(values.size, bool), roots, np.zeros(n_trees, int), 1


def test_values_come_back_within_half_a_step():
    """Each leaf is rounded once, whatever the level of its tree."""
    values = np.random.default_rng(0).normal(270, 5, (50, 20))
    fixed = fix_leaves(*leaves_only(values))
    middle = np.rint((values.min(axis=1) + values.max(axis=1)) / 2 / fixed.step)
    back = (fixed.whole.reshape(values.shape) + middle[:, None]) * fixed.step
    assert np.abs(back - values).max() <= fixed.step / 2
    assert fixed.middle[0] == middle.sum()
    assert fixed.largest_error == 50 * fixed.step / 2


def test_the_worst_sums_fit_into_32_bits():
    """All trees at their lowest, and all at their highest leaf."""
    values = np.random.default_rng(1).normal(0, 1, (500, 30)) * 10.0 ** np.random.default_rng(2).integers(-3, 4, (500, 1))
    whole = fix_leaves(*leaves_only(values)).whole.reshape(values.shape).astype(np.int64)
    assert abs(whole.min(axis=1).sum()) <= LARGEST_SUM
    assert abs(whole.max(axis=1).sum()) <= LARGEST_SUM
    assert max(abs(whole.min(axis=1).sum()), whole.max(axis=1).sum()) > LARGEST_SUM / 4  # no bit is given away


def test_the_level_of_the_target_costs_no_bits():
    """Kelvin and degrees Celsius have the same step."""
    values = np.random.default_rng(3).normal(0, 5, (20, 10))
    assert fix_leaves(*leaves_only(values)).step == fix_leaves(*leaves_only(values + 273.15)).step


def test_step_is_a_power_of_two_even_for_equal_leaves():
    """A constant ensemble has no range to derive a step from."""
    fixed = fix_leaves(*leaves_only(np.full((3, 2), 0.25)))
    assert np.frexp(fixed.step)[0] == 0.5
    assert ((fixed.middle + fixed.whole[:6:2].sum()) * fixed.step)[0] == 0.75


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_leaves_that_are_not_numbers(bad):
    """A leaf of NaN or infinity is a training that went wrong."""
    with pytest.raises(LearnerError, match="not a finite number"):
        fix_leaves(*leaves_only([[1.0, bad]]))
