"""Degree days of a yearly sine and of daily records."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from alm_core.covariates.annual_cycle import annual_degree_days, daily_degree_days
from alm_core.covariates.climate import degree_days
from alm_core.errors import StudyError

DAYS = np.arange(365)


@pytest.mark.parametrize("kind", ["thawing", "freezing"])
@pytest.mark.parametrize(("mean", "amplitude"), [(-4, 14), (2, 10), (-12, 15), (0, 12), (-3, 3)])
def test_closed_form_equals_the_integral(kind, mean, amplitude):
    """The formula is the integral of the curve, by quadrature."""
    sign = 1 if kind == "thawing" else -1
    truth = 365.25 * quad(lambda t: max(0.0, sign * (mean + amplitude * np.cos(2 * np.pi * t))), 0, 1, limit=200, points=[0.5])[0]
    found = annual_degree_days(mean, 2 * amplitude, kind=kind, range_of="extremes")
    assert float(found) == pytest.approx(truth, rel=1e-5, abs=0.1)


def test_limits_by_hand():
    """All thaw, no thaw, a flat year on either side of zero, and a flat year at zero."""
    found = annual_degree_days([10.0, -10.0, 5.0, -5.0, 0.0], [8.0, 8.0, 0.0, 0.0, 0.0], range_of="extremes")
    np.testing.assert_allclose(found, [3652.5, 0.0, 1826.25, 0.0, 0.0])
    frost = annual_degree_days([10.0, -10.0], [8.0, 8.0], kind="freezing", range_of="extremes")
    np.testing.assert_allclose(frost, [0.0, 3652.5])


def test_range_of_months_is_wider_than_it_looks():
    """Monthly means of a sine have less range than the sine; from them the same degree days follow as from the months."""
    edges = np.arange(13) / 12
    months = -3 + 12 * np.diff(np.sin(2 * np.pi * (edges - 13 / 24)) / (2 * np.pi)) * 12
    found = annual_degree_days(-3.0, np.ptp(months))
    assert float(found) == pytest.approx(float(annual_degree_days(-3.0, 24.0, range_of="extremes")), rel=1e-6)
    assert float(found) == pytest.approx(degree_days(months.reshape(12, 1, 1), method="sine").item(), rel=0.01)


def test_daily_sum_of_a_sine():
    """A year of daily values gives the closed form but for half a percent of the length of the year."""
    daily = -2 + 11 * np.cos(2 * np.pi * (DAYS + 0.5) / 365)
    for kind in ("thawing", "freezing"):
        closed = float(annual_degree_days(-2.0, 22.0, kind=kind, range_of="extremes"))
        assert float(daily_degree_days(daily, kind=kind)) == pytest.approx(closed * 365 / 365.25, rel=1e-3)


def test_kelvin_and_gaps():
    """Kelvin gives the same; what is missing stays missing and nothing else is."""
    mean = np.array([-5.0, np.nan, 2.0])
    expected = annual_degree_days(mean, [20.0, 20.0, np.nan])
    np.testing.assert_allclose(annual_degree_days(mean + 273.15, [20.0, 20.0, np.nan], unit="kelvin"), expected, rtol=1e-6)
    assert np.isnan(expected).tolist() == [False, True, True]
    daily = np.zeros((365, 2))
    daily[7, 1] = np.nan
    assert np.isnan(daily_degree_days(daily)).tolist() == [False, True]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: annual_degree_days(268.0, 20.0), "looks like kelvin"),
        (lambda: annual_degree_days(-8.0, 20.0, unit="kelvin"), "after reading it as kelvin"),
        (lambda: annual_degree_days(-8.0, -20.0), "never negative"),
        (lambda: annual_degree_days(-8.0, 20.0, kind="melting"), "melting"),
        (lambda: annual_degree_days(-8.0, 20.0, range_of="days"), "days"),
        (lambda: daily_degree_days(np.zeros(360)), "360 days"),
        (lambda: daily_degree_days(np.full(365, 270.0)), "looks like kelvin"),
    ],
)
def test_what_is_refused(call, words):
    """Units that can't be, and words that are not known."""
    with pytest.raises(StudyError, match=words):
        call()
