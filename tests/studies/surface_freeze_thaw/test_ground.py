"""The ground of every day: heat is kept, soil holds at 0 degrees, years go on where the last ended."""

from __future__ import annotations

import numpy as np

from alm_core.studies.surface_freeze_thaw.ground import CURTAIN_K, Ground, phase
from alm_core.studies.surface_freeze_thaw.weather import DailyNoise


def test_phase_counts_latent_heat():
    """Between ice at 0 degrees and water at 0 degrees lies the latent heat, and temperature hardly moves."""
    heat = np.linspace(-5.0, 15.0, 201)
    temperature, liquid = phase(heat, np.full(201, 10.0))
    assert (np.diff(temperature) >= 0).all()
    between = (heat > 0) & (heat < 10)
    assert (np.abs(temperature[between]) <= CURTAIN_K).all()
    np.testing.assert_allclose(liquid[between], heat[between] / 10.0)
    np.testing.assert_allclose(temperature[heat > 10], heat[heat > 10] - 10.0)


def test_the_truth_is_the_temperature_of_the_soil(ground):
    """Frozen at or below 0 degrees; nearly always in January, hardly ever in July."""
    np.testing.assert_array_equal(ground.frozen, ground.soil <= 0.0)
    assert ground.frozen[:31].mean() > 0.9
    assert ground.frozen[181:212].mean() < 0.05


def test_soil_holds_at_zero_for_about_a_week_a_year(ground, land):
    """As at stations: 8 days between -0.3 and 0.1 degrees, autumn and spring together; longer than at other temperatures."""
    soil = ground.soil[:, land.mapped]
    near, beside = ((soil > low) & (soil <= low + 0.4) for low in (-0.3, -0.9))
    days = np.median(near.sum(axis=0))
    assert 5 <= days <= 11
    assert near.sum() > 2 * beside.sum()


def test_soil_lags_and_snow_insulates(ground):
    """The soil changes less from day to day than the air, and less still under snow."""
    air, soil = np.abs(np.diff(ground.air, axis=0)), np.abs(np.diff(ground.soil, axis=0))
    winter = ground.soil[1:] < -1.0
    thick = winter & (ground.snow[1:] > 15.0)
    bare = winter & (ground.snow[1:] < 1.0)
    assert thick.sum() > 500
    assert soil[bare].mean() < 0.8 * air[bare].mean()
    assert soil[thick].mean() < 0.7 * soil[bare].mean()


def test_years_go_on_where_the_last_ended(land):
    """No jump at the turn of the year, and the same years whoever asks."""
    one, two = Ground(land, seed=5), Ground(land, seed=5)
    first, second = one.year(2011), one.year(2012)
    jump = np.abs(second.soil[0] - first.soil[-1]).mean()
    assert jump < 2.0 * np.abs(np.diff(first.soil[-30:], axis=0)).mean()
    two.year(2011)
    np.testing.assert_array_equal(two.year(2012).soil, second.soil)
    assert len(second.soil) == 366


def test_noise_goes_on(land):
    """Two calls of 50 days are one call of 100, and its variance and persistence are those asked for."""
    options = {"spacing": 3.0, "persistence": 0.7, "seed": 1}
    whole, parts = (DailyNoise("x", land.longitude, land.latitude, **options) for _ in range(2))
    days = whole.days(1500)
    np.testing.assert_allclose(np.concatenate([parts.days(700), parts.days(800)]), days, atol=1e-5)
    assert abs(days.std() - 1.0) < 0.05
    assert abs(np.mean(days[1:] * days[:-1]) - 0.7) < 0.05
