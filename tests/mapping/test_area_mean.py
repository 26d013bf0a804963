"""The error of a mean with correlated errors: exact answers, and the estimate from a sample against the full sum."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import DomainError
from alm_core.learning.error_correlation import FULLY_CORRELATED, ErrorCorrelation
from alm_core.mapping.area_mean import CellSample, FineHistogram, error_of_mean

ALONE = ErrorCorrelation(1.0, 1.0)


def square(size):
    """Places of a square of cells one apart."""
    return np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(-1, 2).astype(float)


@pytest.mark.parametrize("count", [1, 2, 25])
def test_errors_that_share_nothing_average_out(count):
    """Sigma over the root of n."""
    places = np.arange(2 * count, dtype=float).reshape(-1, 2)
    assert error_of_mean(np.full(count, 0.08), np.ones(count), places, ALONE) == pytest.approx(0.08 / np.sqrt(count))


@pytest.mark.parametrize("count", [1, 2, 25])
def test_one_and_the_same_error_stays(count):
    """Sigma, whatever the number of cells and their weights."""
    places, weight = np.random.default_rng(0).normal(size=(count, 2)), np.arange(1.0, count + 1)
    assert error_of_mean(np.full(count, 0.08), weight, places, FULLY_CORRELATED) == pytest.approx(0.08)


def test_two_cells_by_hand():
    """Weights 3 to 1, errors 0.1 and 0.2, one length apart."""
    found = error_of_mean(np.array([0.1, 0.2]), np.array([3.0, 1.0]), np.array([[0.0, 0], [5.0, 0]]), ErrorCorrelation(0.2, 5.0))
    rho = 0.8 * np.exp(-1)
    assert found == pytest.approx(np.sqrt(0.075**2 + 0.05**2 + 2 * 0.075 * 0.05 * rho))


def test_nugget_shared_by_near_cells():
    """What sites can't resolve is taken as shared by cells nearer than that, and by no others."""
    near, far = np.array([[0.0, 0], [1.0, 0]]), np.array([[0.0, 0], [1e6, 0]])
    partly = ErrorCorrelation(1.0, 1.0, unresolved=10.0)
    ones = np.ones(2)
    assert error_of_mean(ones, ones, far, partly) == pytest.approx(np.sqrt(0.5))
    assert error_of_mean(ones, ones, near, partly) == pytest.approx(np.sqrt((1 + np.exp(-0.3)) / 2))


@pytest.mark.parametrize("length", [3.0, 30.0, np.inf])
def test_a_sample_stands_for_all_cells(length):
    """600 of 3,600 cells give the error of all to a few percent."""
    rng, places = np.random.default_rng(1), square(60)
    sd, weight = 0.05 + 0.1 * rng.random(3600), 1 + rng.random(3600)
    correlation = ErrorCorrelation(0.3, length)
    whole = error_of_mean(sd, weight, places, correlation)
    share = weight / weight.sum()
    drawn = rng.choice(3600, 600, replace=False)
    found = error_of_mean(sd[drawn], weight[drawn], places[drawn], correlation, sum_of_squares=float(((share * sd) ** 2).sum()))
    assert found == pytest.approx(whole, rel=0.06)


def test_no_cell_and_no_weight_are_refused():
    """A mean of nothing has no error."""
    with pytest.raises(DomainError, match="at least one cell"):
        error_of_mean(np.empty(0), np.empty(0), np.empty((0, 2)), ALONE)
    with pytest.raises(DomainError, match="weights above 0"):
        error_of_mean(np.ones(2), np.array([1.0, 0.0]), np.zeros((2, 2)), ALONE)


def test_sample_of_cells_is_even_and_bounded():
    """Every cell is as likely as any other, however many come at once; few cells are all kept."""
    counts = np.zeros(100)
    for seed in range(300):
        sample = CellSample(10, seed=seed)
        for start in range(0, 100, 7):
            sample.add(np.arange(start, min(start + 7, 100), dtype=float)[:, None])
        assert (len(sample.rows), sample.seen, sample.complete) == (10, 100, False)
        counts[sample.rows[:, 0].astype(int)] += 1
    assert counts.sum() == 3000
    assert abs(counts[:50].sum() - 1500) < 130
    few = CellSample(10, seed=0)
    few.add(np.arange(4.0)[:, None])
    assert few.complete
    assert sorted(few.rows[:, 0]) == [0, 1, 2, 3]


def test_quantiles_and_histogram_of_weights():
    """A line of values: quantiles to within a bin, the histogram holds all weight."""
    values = np.linspace(-1, 3, 40_001)
    histogram = FineHistogram.empty(-1.0, 3.0)
    for part in np.array_split(values, 7):
        histogram.add(part, np.full(part.size, 2.0))
    for share in (0.05, 0.5, 0.95):
        assert histogram.quantile(share) == pytest.approx(-1 + 4 * share, abs=1e-3)
    edges, weights = histogram.coarse(40)
    assert (len(edges), weights.sum()) == (41, 80_002)
    assert histogram.sd(1.0) == pytest.approx(np.std(values), rel=1e-4)


def test_histogram_of_one_value():
    """A constant field is one bin, and every quantile is its value."""
    histogram = FineHistogram.empty(0.25, 0.25)
    histogram.add(np.full(9, 0.25), np.ones(9))
    edges, weights = histogram.coarse(40)
    assert edges[0] < 0.25 < edges[1]
    assert (weights.tolist(), histogram.quantile(0.9), histogram.sd(0.25)) == ([9.0], 0.25, 0.0)
