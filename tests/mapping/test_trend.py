"""Trend of short series: against scipy, against all orders counted out, and against what must hold."""

from __future__ import annotations

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest
from scipy.stats import kendalltau, theilslopes

from alm_core.errors import DomainError
from alm_core.mapping.trend import kendall_p_values, mann_kendall, theil_sen, tie_sizes


def statistic(values) -> int:
    """Kendall's S by its definition."""
    return sum(int(np.sign(values[last] - values[first])) for first, last in combinations(range(len(values)), 2))


@pytest.mark.parametrize("count", range(3, 11))
def test_without_ties_slope_and_p_value_are_those_of_scipy(count):
    """scipy's exact Kendall test and its Theil-Sen slopes, cell by cell."""
    rng = np.random.default_rng(count)
    values, times = rng.normal(size=(count, 4, 5)), np.sort(rng.choice(100, count, replace=False)).astype(float)
    found, chance = mann_kendall(values)
    slopes = theil_sen(values, times)
    for row, column in np.ndindex(4, 5):
        series = values[:, row, column]
        oracle = kendalltau(times, series, method="exact")
        assert chance[row, column] == pytest.approx(oracle.pvalue, rel=1e-12)
        assert found[row, column] == statistic(series)
        assert slopes[row, column] == pytest.approx(theilslopes(series, times)[0], rel=1e-12)


@pytest.mark.parametrize(
    "series", [(1, 1, 2), (1, 2, 2, 3), (1, 1, 2, 2), (3, 1, 1, 1, 2), (1, 2, 2, 5, 5, 5), (1, 1, 2, 3, 3, 4, 4)]
)
def test_with_ties_the_p_value_is_the_share_of_all_orders(series):
    """Every order of the values counted out, as the definition of an exact test has it."""
    scores = np.array([abs(statistic(order)) for order in permutations(series)])
    found, chance = mann_kendall(np.array(series, float)[:, None])
    assert found[0] == statistic(series)
    assert chance[0] == pytest.approx(np.mean(scores >= abs(statistic(series))), rel=1e-12)


def test_extremes_are_known():
    """All rising: two orders of n!. All equal: nothing is said."""
    for count in range(2, 11):
        assert kendall_p_values((1,) * count)[-1] == pytest.approx(min(1, 2 / factorial(count)), rel=1e-12)
        assert mann_kendall(np.ones((count, 1)))[1][0] == 1.0
    assert theil_sen(np.ones((4, 2)), [0, 1, 2, 3]).tolist() == [0.0, 0.0]


def test_an_outlier_moves_the_slope_little_and_a_gap_makes_no_value():
    """The median of the slopes stands one wild value of five; a missing one leaves the cell empty."""
    line = np.arange(5.0)[:, None] * np.ones(3)
    line[4, 1], line[2, 2] = 1000.0, np.nan
    slopes, chance = theil_sen(line, np.arange(5.0)), mann_kendall(line)[1]
    assert slopes[:2].tolist() == [1.0, 1.0]
    assert np.isnan(slopes[2])
    assert np.isnan(chance[2])
    assert chance[0] == chance[1] == pytest.approx(2 / 120)


def test_order_of_growth_and_sign_do_not_matter_to_the_p_value():
    """Turning the series round, or its sign, changes the sign of S and nothing else."""
    values = np.round(np.random.default_rng(1).normal(size=(7, 200)), 1)
    found, chance = mann_kendall(values)
    for other in (values[::-1], -values):
        turned, same = mann_kendall(other)
        np.testing.assert_array_equal(turned, -found)
        np.testing.assert_array_equal(same, chance)
    np.testing.assert_array_equal(mann_kendall(np.exp(values))[1], chance)


def test_many_cells_are_done_in_parts_with_the_same_numbers(monkeypatch):
    """The size of a part changes nothing."""
    values = np.random.default_rng(2).normal(size=(5, 30))
    whole = theil_sen(values, range(5))
    monkeypatch.setattr("alm_core.mapping.trend.CELLS_AT_ONCE", 7)
    np.testing.assert_array_equal(theil_sen(values, range(5)), whole)


def test_what_has_no_trend_is_refused():
    """One value, times that do not grow, and series too long for exact counts."""
    with pytest.raises(DomainError, match="series of 1 values"):
        mann_kendall(np.ones((1, 3)))
    with pytest.raises(DomainError, match="one for each is expected, growing"):
        theil_sen(np.ones((3, 1)), [1, 1, 2])
    with pytest.raises(DomainError, match="2 to 60"):
        mann_kendall(np.ones((61, 1)))
    assert tie_sizes([]) == (1,)
