"""Soil moisture by change detection."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates.backscatter import percentiles_of_stack, soil_moisture_change
from alm_core.errors import StudyError


@pytest.fixture
def gaps():
    """Twenty scenes with a quarter missing, and one cell missing throughout."""
    generator = np.random.default_rng(1)
    stack = generator.normal(-14, 2, (20, 6, 7))
    stack[generator.random(stack.shape) < 0.25] = np.nan
    stack[:, 0, 0] = np.nan
    return stack


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_percentiles_equal_numpy(gaps):
    """The fast percentiles are numpy's, gaps and all."""
    found = percentiles_of_stack(gaps, (0, 5, 50, 95, 100))
    np.testing.assert_allclose(found, np.nanpercentile(gaps, (0, 5, 50, 95, 100), axis=0), rtol=1e-12)


def test_known_moisture_is_found_again():
    """Backscatter that is linear in moisture gives the moisture back, whatever the cell's roughness and sensitivity."""
    generator = np.random.default_rng(2)
    wetness = np.r_[0.0, 1.0, generator.uniform(0, 1, 18)][:, None, None] * np.ones((1, 4, 5))
    vv = generator.uniform(-20, -10, (4, 5)) + generator.uniform(2, 8, (4, 5)) * wetness
    found = soil_moisture_change(vv, target=[7], percentiles=(0, 100), minimum=0.05, maximum=0.45)
    np.testing.assert_allclose(found, 0.05 + 0.4 * wetness[7], rtol=1e-6)


def test_result_keeps_within_its_bounds(gaps):
    """Scenes beyond the percentiles are cut to the dry and the wet state; the dry end is drier than the wet end."""
    values = [soil_moisture_change(gaps, target=[scene], minimum=0.1, maximum=0.4) for scene in range(20)]
    assert np.nanmin(values) == pytest.approx(0.1)
    assert np.nanmax(values) == pytest.approx(0.4)


def test_statistics_over_scenes():
    """Mean and median over the named scenes, those missing left out."""
    vv = np.array([-20.0, -10, -18, -16, np.nan]).reshape(5, 1, 1)
    options = {"percentiles": (0, 100), "minimum": 0.0, "maximum": 1.0}
    assert soil_moisture_change(vv, target=[1, 2, 3, 4], **options).item() == pytest.approx((1 + 0.2 + 0.4) / 3)
    assert soil_moisture_change(vv, target=[1, 2, 3, 4], statistic="median", **options).item() == pytest.approx(0.4)
    assert soil_moisture_change(vv, **options).item() == pytest.approx(0.4)
    assert np.isnan(soil_moisture_change(vv, target=[4], **options).item())


def test_linear_power_becomes_decibels():
    """Power and decibels of the same scenes agree; no power is missing, not minus infinity."""
    decibels = np.array([-20.0, -10, -15, -12]).reshape(4, 1, 1)
    power = 10 ** (decibels / 10)
    assert soil_moisture_change(power, unit="linear").item() == pytest.approx(soil_moisture_change(decibels).item())
    power[0] = 0
    assert np.isfinite(soil_moisture_change(power, unit="linear").item())


def test_cells_without_answer_are_nan():
    """Too few scenes, no contrast, or less than the asked contrast give NaN."""
    vv = np.array([[-15.0, -15, -15, -15], [np.nan, np.nan, -14, -10], [-14, -14.5, -14.2, -14.1]]).T.reshape(4, 1, 3)
    assert np.isnan(soil_moisture_change(vv)).tolist() == [[True, True, False]]
    assert np.isnan(soil_moisture_change(vv, minimum_contrast_db=1.0)).all()


def test_bounds_may_be_layers():
    """Water content of the dry and wet state may differ from cell to cell."""
    vv = np.repeat(np.array([-20.0, -10, -15])[:, None, None], 2, axis=2)
    wet = np.array([[0.3, 0.5]])
    found = soil_moisture_change(vv, target=[1], percentiles=(0, 100), minimum=0.1, maximum=wet)
    np.testing.assert_allclose(found, wet, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"percentiles": (95, 5)}, "rising"), ({"percentiles": (5,)}, "rising"), ({"statistic": "max"}, "max"),
     ({"unit": "power"}, "power"), ({"minimum_scenes": 30}, "30")],
)  # fmt: skip
def test_impossible_options(gaps, options, words):
    """Options that make no sense are named."""
    with pytest.raises(StudyError, match=words):
        soil_moisture_change(gaps, **options)
