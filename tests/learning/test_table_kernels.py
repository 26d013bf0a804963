"""The compiled search finds what a binary search finds."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.learning.interpolation import search_bins, slopes_of
from alm_core.learning.table_kernels import CHUNK, find_knots, interpolate_into


@pytest.mark.parametrize("seed", range(12))
def test_knots_are_those_of_a_binary_search(seed):
    """Even and uneven knots; inside, the step leads from the knot to the value; at and beyond the ends it is 0."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 2, 64) if seed < 2 else np.unique(rng.lognormal(0, seed / 3, int(rng.integers(2, 700))))
    value = np.concatenate([x, rng.uniform(x[0] - 1, x[-1] + 1, 3000), [np.inf, -np.inf]])
    knots, steps = np.empty(value.size, np.int64), np.empty(value.size)
    find_knots(value, x, *search_bins(x), knots, steps)
    expected = np.clip(np.searchsorted(x, value, side="right") - 1, 0, x.size - 1)
    np.testing.assert_array_equal(knots, expected)
    inside = (value > x[0]) & (value < x[-1])
    np.testing.assert_array_equal(steps, np.where(inside, value - x[expected], 0))


def test_nan_stays_nan_but_not_in_a_table_of_one_knot():
    """As numpy has it."""
    for x in (np.array([1.0]), np.array([1.0, 2.0])):
        knots, steps = np.empty(1, np.int64), np.empty(1)
        find_knots(np.array([np.nan]), x, *search_bins(x), knots, steps)
        assert np.isnan(steps[0]) == np.isnan(np.interp(np.nan, x, x))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_chunks_join_without_seams(size):
    """Every place is filled once, whatever the number of values."""
    rng = np.random.default_rng(size)
    x, rows, value = np.sort(rng.normal(size=50)), rng.normal(size=(3, 50)), rng.normal(size=size)
    result = np.full((3, size), np.nan)
    interpolate_into(value, x, rows, slopes_of(x, rows), *search_bins(x), result)
    np.testing.assert_array_equal(result, np.stack([np.interp(value, x, row) for row in rows]))
