"""Scores of numbers against scikit-learn, SciPy and hand-worked cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from alm_core.errors import DomainError, SitesError
from alm_core.learning.metrics import (
    bias_curves,
    bootstrap_interval,
    bootstrap_intervals,
    coverage_by_tercile,
    frontier,
    interval_scores,
    regression_scores,
)


@pytest.fixture
def pairs():
    """A biased map that varies less than the truth."""
    rng = np.random.default_rng(0)
    y = rng.gamma(4, 0.08, 300)
    return y, 0.05 + 0.6 * y + rng.normal(0, 0.05, 300)


def test_scores_equal_the_libraries(pairs):
    """Everything that scikit-learn or SciPy knows too."""
    y, f = pairs
    scores = regression_scores(y, f)
    assert scores["r2"] == pytest.approx(oracle.r2_score(y, f), abs=1e-12)
    assert scores["rmse"] == pytest.approx(oracle.root_mean_squared_error(y, f), abs=1e-12)
    assert scores["mae"] == pytest.approx(oracle.mean_absolute_error(y, f), abs=1e-12)
    assert scores["r"] == pytest.approx(stats.pearsonr(y, f).statistic, abs=1e-12)
    assert scores["r_squared"] == pytest.approx(stats.pearsonr(y, f).statistic ** 2, abs=1e-12)
    assert scores["slope"] == pytest.approx(stats.linregress(y, f).slope, abs=1e-12)
    assert scores["rpiq"] == pytest.approx(stats.iqr(y) / oracle.root_mean_squared_error(y, f), abs=1e-12)
    assert scores["r2"] != pytest.approx(scores["r_squared"], abs=0.01)


def test_scores_follow_their_formulas(pairs):
    """Concordance, Kling-Gupta, centred error, Taylor's and the target diagram's coordinates."""
    y, f = pairs
    s = regression_scores(y, f)
    r, sy, sf = s["r"], y.std(), f.std()
    assert s["ccc"] == pytest.approx(2 * r * sf * sy / (sf**2 + sy**2 + (f.mean() - y.mean()) ** 2), abs=1e-12)
    kge = 1 - np.sqrt((r - 1) ** 2 + (sf / sy - 1) ** 2 + (f.mean() / y.mean() - 1) ** 2)
    assert s["kge"] == pytest.approx(kge, abs=1e-12)
    assert s["ubrmse"] == pytest.approx(np.sqrt(s["rmse"] ** 2 - s["mean_error"] ** 2), abs=1e-12)
    assert s["ubrmse"] ** 2 == pytest.approx(sf**2 + sy**2 - 2 * sf * sy * r, abs=1e-12)
    assert np.hypot(s["target_x"], s["target_y"]) == pytest.approx(s["rmse"] / sy, abs=1e-12)
    assert s["target_x"] < 0
    assert s["cdf_rmse"] == pytest.approx(np.sqrt(np.mean((np.sort(y) - np.sort(f)) ** 2)), abs=1e-15)


def test_tail_bias_shows_the_pull_towards_the_mean():
    """By hand on eleven values: the lowest and the highest tenth."""
    y = np.arange(11.0)
    scores = regression_scores(y, np.full(11, 5.0))
    assert (scores["tail_bias_low"], scores["tail_bias_high"]) == (4.5, -4.5)


def test_a_perfect_map_is_perfect():
    """No error, no bias, all agreements 1."""
    y = np.array([0.1, 0.2, 0.4, 0.3])
    scores = regression_scores(y, y, lower=y, upper=y)
    assert scores["rmse"] == scores["mean_error"] == scores["mpiw"] == scores["interval_score"] == 0
    for name in ("r2", "r", "ccc", "kge", "sd_ratio", "slope", "picp"):
        assert scores[name] == pytest.approx(1)


def test_what_cannot_be_answered_is_nan():
    """A constant truth has no R2 and no correlation, but an error it has."""
    scores = regression_scores(np.full(5, 2.0), np.arange(5.0))
    assert scores["mae"] == pytest.approx(1.2)
    for name in ("r2", "r", "sd_ratio", "kge"):
        assert np.isnan(scores[name])


def test_missing_pairs_are_counted():
    """They are left out of every score."""
    scores = regression_scores(np.array([1, np.nan, 3, 4.0]), np.array([1, 2, np.nan, 5.0]))
    assert (scores["count"], scores["missing"], scores["mae"]) == (2, 2, 0.5)


def test_interval_scores_by_hand():
    """One inside, one below by 1: coverage 1/2, width 2, penalty 2 / 0.1."""
    scores = interval_scores(np.array([1.0, -1.0]), np.zeros(2), np.full(2, 2.0), level=0.9)
    assert scores == {"picp": 0.5, "mpiw": 2.0, "interval_score": pytest.approx(2 + 0.5 * 20)}


def test_coverage_by_tercile_by_hand():
    """Thirds of the truth, or of another variable."""
    y = np.arange(9.0)
    lower, upper = np.where(y < 3, 100, -100.0), np.full(9, 200.0)
    assert coverage_by_tercile(y, lower, upper) == (0.0, 1.0, 1.0)
    assert coverage_by_tercile(y, lower, upper, by=-y) == (1.0, 1.0, 0.0)


def test_frontier_bounds_every_unbiased_map():
    """Simulated maps of one correlation, stretched: R2 lies on the curve, greatest at sd ratio r."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=2000)
    f = y + rng.normal(size=2000)
    f, y = (f - f.mean()) / f.std(), (y - y.mean()) / y.std()
    r = regression_scores(y, f)["r"]
    for ratio in (0.3, r, 1.0):
        assert regression_scores(y, ratio * f)["r2"] == pytest.approx(float(frontier(r, ratio)), abs=1e-9)
    grid = np.linspace(0, 1.2, 1201)
    assert grid[frontier(r, grid).argmax()] == pytest.approx(r, abs=1e-3)


def test_bias_curves_tell_calibration_from_regression_to_the_mean():
    """E[y|f] = f by construction: nothing against predicted, a falling line against observed."""
    rng = np.random.default_rng(0)
    f = rng.normal(size=4000)
    y = f + rng.normal(size=4000)
    curves = bias_curves(y, f)
    predicted, observed = curves.against_predicted, curves.against_observed
    assert np.abs(predicted.mean / predicted.standard_error).max() < 4
    np.testing.assert_allclose(observed.mean[5:-5], -0.5 * observed.grid[5:-5], atol=0.12)
    assert observed.count[25] > observed.count[0] > 10


def test_bootstrap_covers_the_truth_and_repeats():
    """The interval of the mean error matches theory, and one seed gives one interval."""
    rng = np.random.default_rng(1)
    y, f = np.zeros(400), rng.normal(0.5, 1, 400)
    low, high = bootstrap_interval(y, f, "mean_error", n=400, seed=3)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(400), rel=0.15)
    assert (low, high) == bootstrap_interval(y, f, "mean_error", n=400, seed=3)
    assert (low, high) != bootstrap_interval(y, f, "mean_error", n=400, seed=4)


def test_bootstrap_over_groups_is_wider_where_groups_err_together():
    """Ten surveys of forty sites that share their error."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(10), 40)
    f = rng.normal(size=10)[groups] + 0.1 * rng.normal(size=400)
    sites = bootstrap_interval(np.zeros(400), f, "mean_error", n=300)
    surveys = bootstrap_interval(np.zeros(400), f, "mean_error", groups=groups, n=300)
    assert surveys[1] - surveys[0] > 3 * (sites[1] - sites[0])


def test_bootstrap_ignores_the_order_of_group_names(pairs):
    """Renaming groups without changing their order, and missing pairs, change nothing."""
    y, f = pairs
    groups = np.arange(300) // 30
    once = bootstrap_interval(y, f, "r2", groups=groups, n=50)
    again = bootstrap_interval(np.append(y, np.nan), np.append(f, 1.0), "r2", groups=np.append(groups, 9), n=50)
    assert once == again
    named = bootstrap_intervals(y, f, groups=np.char.add("s", groups.astype(str)), n=50)
    assert named["r2"] == pytest.approx(once, abs=1e-12)
    assert named["ccc"][0] < named["ccc"][1]


def test_bootstrap_takes_class_scores_and_functions():
    """By name or as a function; a single group resamples sites."""
    y = np.array(["wet", "dry"] * 50)
    f = np.where(np.arange(100) < 80, y, "dry")
    low, high = bootstrap_interval(y, f, "overall_accuracy", n=100)
    assert low < 0.9 < high
    assert bootstrap_interval(y, f, lambda a, b: float(np.mean(a == b)), n=100) == pytest.approx((low, high))
    assert bootstrap_interval(y, f, "kappa", groups=np.zeros(100), n=50)[0] < 1


@pytest.mark.parametrize(
    ("call", "fault", "words"),
    [
        (lambda: regression_scores(np.ones(3), np.ones(2)), DomainError, "shapes"),
        (lambda: regression_scores(np.ones(3), np.ones(3), lower=np.ones(3)), DomainError, "only one bound"),
        (lambda: regression_scores(np.full(3, np.nan), np.ones(3)), SitesError, "nothing can be scored"),
        (lambda: bias_curves(np.ones(20), np.ones(20)), SitesError, "at least 10"),
        (lambda: bootstrap_interval(np.ones(3), np.arange(3.0), "magic", n=2), DomainError, "score 'magic' is unknown"),
        (lambda: bootstrap_interval(np.ones(3), np.ones(3), "r2", groups=np.ones(2), n=2), DomainError, "2 groups for 3"),
        (lambda: bootstrap_interval(np.ones(3), np.ones(3), "r2", n=0), DomainError, "at least 1"),
        (lambda: bootstrap_interval(np.ones(3), np.ones(4), "ccc"), DomainError, "3 observations and 4"),
    ],
)
def test_bad_input_is_named(call, fault, words):
    """One clear message each."""
    with pytest.raises(fault, match=words):
        call()
