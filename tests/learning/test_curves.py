"""Piecewise-linear curves and kernel smoothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alm_core.errors import DomainError
from alm_core.learning.curves import Curve, effective_count, increasing, kernel_weights, smooth_line


def test_curve_goes_straight_on_beyond_its_knots():
    """Inside it interpolates, outside it follows the tail slopes, and NaN stays NaN."""
    curve = Curve(np.array([0.0, 1.0, 3.0]), np.array([1.0, 2.0, 2.5]), left_slope=2.0, right_slope=0.5)
    values = curve(np.array([[-1.0, 0.5], [5.0, np.nan]]))
    np.testing.assert_allclose(values, [[-1.0, 1.5], [3.5, np.nan]])
    assert curve.is_increasing


def test_curve_round_trip_is_exact():
    """JSON gives back the same bits."""
    rng = np.random.default_rng(1)
    curve = Curve(np.sort(rng.normal(size=20)), rng.normal(size=20), 1 / 3, 2 / 7)
    again = Curve.from_dict(json.loads(json.dumps(curve.to_dict())))
    value = rng.normal(size=1000) * 3
    assert np.array_equal(curve(value), again(value))


@pytest.mark.parametrize(("x", "y"), [([0, 0], [1, 2]), ([1, 0], [1, 2]), ([0, np.nan], [1, 2]), ([0, 1], [1, 2, 3]), ([], [])])
def test_curve_refuses_knots_that_do_not_increase(x, y):
    """Doubled, falling, missing, unequal or no knots are faults."""
    with pytest.raises(DomainError, match="knots"):
        Curve(np.array(x, dtype=float), np.array(y, dtype=float))


def test_local_line_reproduces_a_line():
    """A local-linear smooth has no bias on a straight line, at the ends neither."""
    x = np.linspace(0, 1, 200)
    smooth = smooth_line(x, 2 + 3 * x, np.array([0.0, 0.5, 1.0]), 0.1)
    np.testing.assert_allclose(smooth.mean, [2, 3.5, 5], atol=0.01)
    assert smooth.count[1] > 1.5 * smooth.count[0]


def test_local_line_stays_finite_far_from_data():
    """Where no point is near, the nearest points answer instead of 0/0."""
    smooth = smooth_line(np.array([0.0, 0.1, 0.2]), np.array([1.0, 2.0, 3.0]), np.array([-100.0, 100.0]), 0.05)
    assert np.isfinite(smooth.mean).all()
    assert np.isfinite(smooth.standard_error).all()


def test_standard_error_matches_a_plain_mean():
    """With a very wide kernel the error at the centre is that of a mean, sd / sqrt(n)."""
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-1, 1, 4000), rng.normal(size=4000)
    smooth = smooth_line(x, y, np.array([-0.001, 0.0, 0.001]), 50.0)
    assert smooth.standard_error[1] == pytest.approx(1 / np.sqrt(4000), rel=0.05)
    assert smooth.count[1] == pytest.approx(4000, rel=0.01)


def test_effective_count_of_equal_weights_is_their_number():
    """Kish's count."""
    assert effective_count(np.ones((2, 7))).tolist() == [7, 7]
    assert kernel_weights(np.zeros(3), np.zeros(1), 1.0).tolist() == [[1, 1, 1]]


def test_increasing_pools_what_falls():
    """Pool adjacent violators by weight."""
    np.testing.assert_allclose(increasing(np.array([1.0, 3.0, 0.0, 4.0]), np.array([1.0, 1.0, 2.0, 1.0])), [1, 1, 1, 4])
