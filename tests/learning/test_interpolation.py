"""The fast interpolation is numpy's bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.learning.interpolation import FEW_VALUES, interpolate, interpolate_tables


@pytest.mark.parametrize("seed", range(30))
def test_it_is_numpys_result_bit_by_bit(seed):
    """Random tables of any scale with knots as near as numbers can be; values on, between and beyond the knots; NaN; infinity."""
    rng = np.random.default_rng(seed)
    x = np.unique(rng.normal(size=rng.integers(2, 600)) * 10 ** rng.uniform(-6, 6) + rng.normal() * (seed % 3) * 1e6)
    if seed % 5 == 0:
        x = np.unique(np.concatenate([x, x[0] + np.arange(6) * np.spacing(x[0])]))
    y = rng.normal(size=x.size) * 10 ** rng.uniform(-6, 6)
    between = rng.uniform(x[0] - 1, x[-1] + 1, FEW_VALUES)
    value = np.concatenate([between, rng.choice(x, 500), x, [np.nan, np.inf, -np.inf, 0.0, -0.0]])
    np.testing.assert_array_equal(interpolate(value, x, y), np.interp(value, x, y))


@pytest.mark.parametrize(
    "x", [[0.0], [0.0, 5e-324, 1e-323], [-1.7e308, 0.0, 1.7e308], [1.0, np.nextafter(1.0, 2.0)], [-1e300, 1e300]]
)
def test_odd_tables_are_left_to_numpy_or_agree_with_it(x):
    """One knot, widths that overflow or underflow, knots side by side."""
    x = np.array(x)
    y = np.arange(x.size, dtype=float)
    value = np.tile([0.0, 5e-324, 1.0, -1.0, 1e308, np.nan, x[0], x[-1]], FEW_VALUES)
    np.testing.assert_array_equal(interpolate(value, x, y), np.interp(value, x, y))


@pytest.mark.parametrize("shape", [(3, 5), (70, 80), (2, 60, 70)])
def test_several_tables_share_their_knots(shape):
    """Any shape, also of arrays that are not in one piece."""
    rng = np.random.default_rng(1)
    x, tables = np.linspace(0, 1, 64), rng.normal(size=(4, 64))
    value = rng.uniform(-0.1, 1.1, (*shape, 2))[..., 0]
    found = interpolate_tables(value, x, tables)
    assert found.shape == (4, *shape)
    np.testing.assert_array_equal(found, np.stack([np.interp(value, x, table) for table in tables]))


def test_a_value_does_not_depend_on_its_neighbours():
    """One by one, or many at once: the same bits."""
    rng = np.random.default_rng(2)
    x, y, value = np.sort(rng.normal(size=300)), rng.normal(size=300), rng.normal(size=2 * FEW_VALUES)
    many = interpolate(value, x, y)
    np.testing.assert_array_equal(many[:50], [interpolate(value[place : place + 1], x, y)[0] for place in range(50)])
