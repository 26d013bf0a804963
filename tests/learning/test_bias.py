"""Bias corrections: exact cases, the promises of each method, and bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alm_core.errors import DomainError, SitesError
from alm_core.learning.bias import CORRECTIONS, MAXIMUM_KNOTS, BiasCorrection, cut_to_range, fit_correction
from alm_core.learning.metrics import frontier, regression_scores


@pytest.fixture
def pairs():
    """Predictions that pull towards the mean: sd ratio about 0.6."""
    rng = np.random.default_rng(0)
    y = rng.normal(0.3, 0.12, 400)
    return 0.3 + 0.5 * (y - 0.3) + rng.normal(0, 0.03, 400), y


def test_regression_is_the_least_squares_line(pairs):
    """Equal to numpy's polynomial fit, also outside the data."""
    value, y = pairs
    slope, intercept = np.polyfit(value, y, 1)
    at = np.array([-1.0, 0.2, 0.3, 2.0])
    np.testing.assert_allclose(fit_correction(value, y, method="regression").apply(at), intercept + slope * at, rtol=1e-9)


def test_distribution_maps_order_statistics(pairs):
    """The i-th smallest prediction becomes the i-th smallest observation, exactly."""
    value, y = pairs
    corrected = fit_correction(value, y, method="distribution").apply(value)
    np.testing.assert_array_equal(np.sort(corrected), np.sort(y))
    assert np.array_equal(np.argsort(corrected), np.argsort(value))


def test_distribution_pools_equal_predictions():
    """Ties get the mean of their order statistics."""
    correction = fit_correction(np.array([1.0, 1.0, 2.0]), np.array([5.0, 3.0, 9.0]), method="distribution")
    np.testing.assert_allclose(correction.apply(np.array([1.0, 2.0])), [4, 9])


def test_distribution_is_thinned_for_many_sites():
    """Ten thousand sites leave a bounded number of knots and the same quantiles."""
    rng = np.random.default_rng(0)
    value = rng.normal(size=10_000)
    correction = fit_correction(value, 3 * value + rng.normal(size=10_000), method="distribution")
    assert correction.curve.x.size == MAXIMUM_KNOTS
    assert np.std(correction.apply(value)) == pytest.approx(np.sqrt(10), rel=0.02)


def test_zscore_restores_mean_and_spread(pairs):
    """Exact moments on the fitted pairs."""
    value, y = pairs
    corrected = fit_correction(value, y, method="zscore").apply(value)
    assert corrected.mean() == pytest.approx(y.mean(), abs=1e-12)
    assert corrected.std() == pytest.approx(y.std(), abs=1e-12)


@pytest.mark.parametrize("blend", [0.0, 0.3, 0.5, 1.0])
def test_blend_is_the_exact_mixture(pairs, blend):
    """(1 - lambda) regression + lambda distribution, everywhere."""
    value, y = pairs
    at = np.linspace(-1, 2, 999)
    line = fit_correction(value, y, method="regression").apply(at)
    matched = fit_correction(value, y, method="distribution").apply(at)
    mixed = fit_correction(value, y, method="blend", blend=blend).apply(at)
    np.testing.assert_allclose(mixed, (1 - blend) * line + blend * matched, atol=1e-12)


def test_range_costs_squared_error(pairs):
    """Regression has the least error, distribution the full range, and both sit on the frontier of their correlation."""
    value, y = pairs
    scores = {m: regression_scores(y, fit_correction(value, y, method=m).apply(value)) for m in ("regression", "blend", "zscore")}
    assert scores["regression"]["r2"] > scores["blend"]["r2"] > scores["zscore"]["r2"]
    assert scores["regression"]["sd_ratio"] < scores["blend"]["sd_ratio"] < scores["zscore"]["sd_ratio"] + 1e-9
    for method in ("regression", "zscore"):
        one = scores[method]
        assert one["r2"] == pytest.approx(float(frontier(one["r"], one["sd_ratio"])), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([m for m in CORRECTIONS if m not in ("none", "residual")]))
def test_curves_never_fall(seed, method):
    """Whatever the pairs, a higher prediction never ends lower."""
    rng = np.random.default_rng(seed)
    value = np.round(rng.normal(size=rng.integers(3, 60)), rng.integers(0, 4))
    y = rng.normal(size=value.size) - rng.uniform(-2, 2) * value
    correction = fit_correction(value, y, method=method)
    corrected = correction.apply(np.linspace(-6, 6, 2001))
    assert (np.diff(corrected) >= -1e-12).all()
    assert correction.curve.is_increasing or np.diff(correction.curve.y).min() > -1e-12


@pytest.mark.parametrize("method", CORRECTIONS)
def test_constant_predictions_give_the_mean(method):
    """Predictions without information end at the mean of the observations; with no curve they stay."""
    y = np.array([1.0, 2.0, 6.0, 7.0])
    corrected = fit_correction(np.full(4, 3.0), y, method=method).apply(np.array([3.0]))
    assert corrected[0] == pytest.approx(3.0 if method in ("none", "residual") else 4.0)


def test_isotonic_equals_scikit_learn(pairs):
    """The named extra is scikit-learn's."""
    from sklearn.isotonic import IsotonicRegression

    value, y = pairs
    at = np.linspace(0, 0.6, 300)
    expected = IsotonicRegression(out_of_bounds="clip").fit(value, y).predict(at)
    np.testing.assert_allclose(fit_correction(value, y, method="isotonic").apply(at), expected, atol=1e-9)


@pytest.mark.parametrize("method", CORRECTIONS)
def test_round_trip_is_exact(pairs, method):
    """JSON gives back the same bits, and NaN stays NaN."""
    correction = fit_correction(*pairs, method=method)
    again = BiasCorrection.from_dict(json.loads(json.dumps(correction.to_dict())))
    at = np.append(np.linspace(-1, 2, 501), np.nan)
    assert np.array_equal(correction.apply(at), again.apply(at), equal_nan=True)


def test_cut_counts_what_it_changes():
    """NaN is neither changed nor counted; no bounds change nothing."""
    value = np.array([-0.1, 0.2, 0.9, np.nan])
    cut, count = cut_to_range(value, 0.0, 0.6)
    np.testing.assert_array_equal(cut, [0, 0.2, 0.6, np.nan])
    assert count == 2
    assert cut_to_range(value, None, None)[1] == 0
    assert cut_to_range(value, 0.0, None)[1] == 1


@pytest.mark.parametrize(
    ("value", "y", "options", "fault", "words"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], {"method": "magic"}, DomainError, "unknown"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], {"blend": 1.5}, DomainError, "blend is 1.5"),
        ([1.0, 2.0], [1.0, 2.0], {}, SitesError, "at least 3"),
        ([1.0, 2.0, np.nan], [1.0, 2.0, 3.0], {}, DomainError, "missing"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], {}, DomainError, "shape"),
    ],
)
def test_bad_input_is_named(value, y, options, fault, words):
    """One clear message each."""
    with pytest.raises(fault, match=words):
        fit_correction(np.array(value), np.array(y), **options)
