"""Freezing and thawing degree days."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from alm_core.covariates.climate import DAY_COUNTS, DAY_LENGTHS, MONTH_DAYS, daily_weights, degree_days
from alm_core.errors import StudyError


def sine_months(mean, amplitude):
    """Monthly means of a yearly sine, coldest in mid January, each month an exact integral."""
    edges = np.concatenate([[0], np.cumsum(DAY_COUNTS)]) / 365
    peak = 0.54
    integral = np.sin(2 * np.pi * (edges - peak)) / (2 * np.pi)
    return (mean + amplitude * np.diff(integral) / np.diff(edges)).reshape(12, 1, 1), peak


@pytest.mark.parametrize("kind", ["thawing", "freezing"])
@pytest.mark.parametrize(("mean", "amplitude"), [(-4, 14), (2, 10), (-12, 15), (0, 12)])
def test_sine_method_equals_the_integral(kind, mean, amplitude):
    """For a yearly sine the degree days of its monthly means are those of the curve, to half a percent."""
    months, peak = sine_months(mean, amplitude)
    sign = 1 if kind == "thawing" else -1
    truth = 365.25 * quad(lambda t: max(0.0, sign * (mean + amplitude * np.cos(2 * np.pi * (t - peak)))), 0, 1, limit=200)[0]
    assert degree_days(months, kind=kind, method="sine").item() == pytest.approx(truth, rel=5e-3, abs=1)


def test_monthly_by_hand():
    """Sum of month mean times days; freezing is a positive number."""
    months = np.array([-10, -8, -2, 3, 8, 12, 14, 13, 7, 0, -5, -9], float).reshape(12, 1, 1)
    thaw = 3 * 30 + 8 * 31 + 12 * 30 + 14 * 31 + 13 * 31 + 7 * 30
    freeze = 10 * 31 + 8 * 28.25 + 2 * 31 + 5 * 30 + 9 * 31
    assert degree_days(months).item() == pytest.approx(thaw)
    assert degree_days(months, kind="freezing").item() == pytest.approx(freeze)


@pytest.mark.parametrize("method", ["monthly", "sine"])
def test_thawing_minus_freezing_is_the_yearly_sum(method):
    """The two differ by the mean temperature times the year, cell by cell, and neither is negative."""
    months = np.random.default_rng(0).normal(-3, 9, (12, 5, 4))
    thaw, freeze = (degree_days(months, kind=kind, method=method) for kind in ("thawing", "freezing"))
    yearly = np.tensordot(MONTH_DAYS, months, axes=1)
    np.testing.assert_allclose(thaw - freeze, yearly, rtol=1e-4, atol=0.01)
    assert min(thaw.min(), freeze.min()) >= 0


def test_sine_is_never_below_monthly():
    """Days spread around their month's mean can only add thaw and frost."""
    months = np.random.default_rng(1).normal(0, 8, (12, 30, 30))
    for kind in ("thawing", "freezing"):
        assert np.all(degree_days(months, kind=kind, method="sine") >= degree_days(months, kind=kind) - 1e-2)


def test_daily_curve_keeps_the_months():
    """Means of the daily curve over each month are the monthly values, and the days make up a year."""
    months = np.random.default_rng(2).normal(0, 10, 12)
    daily = daily_weights() @ months
    parts = np.split(daily, np.cumsum(DAY_COUNTS)[:-1])
    np.testing.assert_allclose([part.mean() for part in parts], months, atol=1e-10)
    assert DAY_LENGTHS.sum() == pytest.approx(365.25)


@pytest.mark.parametrize("method", ["monthly", "sine"])
def test_kelvin_and_missing_months(method):
    """Kelvin gives the same; one missing month leaves the cell missing and no other."""
    months = np.random.default_rng(3).normal(0, 8, (12, 2, 3))
    expected = degree_days(months, method=method)
    np.testing.assert_allclose(degree_days(months + 273.15, unit="kelvin", method=method), expected, rtol=1e-5, atol=1e-3)
    months[4, 1, 1] = np.nan
    found = degree_days(months, method=method)
    assert np.isnan(found).tolist() == [[False, False, False], [False, True, False]]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"kind": "melting"}, "melting"), ({"method": "daily"}, "daily"), ({"unit": "fahrenheit"}, "fahrenheit")],
)
def test_impossible_options(options, words):
    """Unknown words are named."""
    with pytest.raises(StudyError, match=words):
        degree_days(np.zeros((12, 1, 1)), **options)


def test_twelve_months_are_needed():
    """Eleven layers are no year."""
    with pytest.raises(StudyError, match="11 temperature layers"):
        degree_days(np.zeros((11, 1, 1)))
