"""The circle of the year and the air temperature of a season."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.cubes.seasons import day_of_year_angle, seasonal_temperature, warmest_day
from alm_core.errors import DomainError


def year(number: int) -> np.ndarray:
    """Every day of a year."""
    return np.arange(np.datetime64(f"{number}-01-01"), np.datetime64(f"{number + 1}-01-01"))


def test_a_circle_closes_in_every_year():
    """Steps are equal, from the last day to the first too, in years of 365 and 366 days."""
    for number, days in ((2011, 365), (2012, 366), (1900, 365), (2000, 366)):
        angle = day_of_year_angle(year(number))
        assert len(angle) == days
        np.testing.assert_allclose(np.diff(np.append(angle, angle[0] + 2 * np.pi)), 2 * np.pi / days, rtol=1e-9)


def test_means_of_the_months_come_back():
    """The days of a year have the annual mean, those of January and July their own."""
    annual, january, july = np.array([-3.0, 5.0]), np.array([-16.0, 20.0]), np.array([8.0, -7.0])
    days = year(2013)
    found = seasonal_temperature(annual, january, july, days)
    month = days.astype("datetime64[M]").astype(int) % 12
    np.testing.assert_allclose(found.mean(axis=0), annual, atol=1e-4)
    np.testing.assert_allclose(found[month == 0].mean(axis=0), january, atol=0.02)
    np.testing.assert_allclose(found[month == 6].mean(axis=0), july, atol=0.05)


def test_a_window_is_the_mean_of_its_days():
    """31 days at once are the mean of 31 single days, and come later in the year."""
    layers = np.array([-3.0]), np.array([-16.0]), np.array([8.0])
    days = np.arange(np.datetime64("2011-12-01"), np.datetime64("2013-01-01"))
    single, month = seasonal_temperature(*layers, days), seasonal_temperature(*layers, days, days=31)
    np.testing.assert_allclose(month[30:, 0], np.convolve(single[:, 0], np.full(31, 1 / 31), "valid"), atol=1e-4)
    assert 13 <= int(month[31:].argmax()) - int(single[31:].argmax()) <= 17


def test_order_of_the_means():
    """An annual mean colder than January is refused; a small range in the tropics is not."""
    with pytest.raises(DomainError, match="Give annual, January, July in this order"):
        seasonal_temperature(np.array([-16.0]), np.array([-3.0]), np.array([8.0]), year(2013))
    assert np.isfinite(seasonal_temperature(np.array([27.0]), np.array([24.0]), np.array([26.0]), year(2013))).all()


def test_missing_means_stay_missing():
    """Nothing is made up where a layer is missing; no days give no rows."""
    layers = np.array([-3.0, np.nan]), np.array([-16.0, -16.0]), np.array([8.0, 8.0])
    assert np.isnan(seasonal_temperature(*layers, year(2013))[:, 1]).all()
    assert seasonal_temperature(*layers, year(2013)[:0]).shape == (0, 2)


def test_warmest_day():
    """The crest of a wave is found in a shuffled record with gaps; half a year tells nothing."""
    rng = np.random.default_rng(0)
    days = rng.permutation(np.arange(np.datetime64("2011-01-01"), np.datetime64("2014-01-01")))[:700]
    values = 2 + 9 * np.cos(day_of_year_angle(days) - 2 * np.pi * 214.5 / 365) + rng.normal(0, 2, 700)
    crest, amplitude = warmest_day(days, values)
    assert crest == pytest.approx(215, abs=2)
    assert amplitude == pytest.approx(9, abs=0.3)
    summer = (days.astype("datetime64[M]").astype(int) % 12 > 3) & (days.astype("datetime64[M]").astype(int) % 12 < 9)
    assert np.isnan(warmest_day(days[summer], values[summer])).all()
