"""Conversions against hand numbers, and their uncertainty against Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import DomainError
from alm_core.sites import conversions as c

DRAWS = 200_000


def test_cutting_ring_by_hand():
    """30 g of water in 100 cm3; weighing to 1 g twice, volume to 2 %."""
    found = c.cutting_ring(180.0, 150.0, 100.0, mass_uncertainty=1.0, volume_uncertainty=2.0)
    assert found.value == pytest.approx(0.30, abs=1e-15)
    assert found.uncertainty == pytest.approx(np.sqrt(2 * 0.01**2 + 0.006**2), abs=1e-15)


def test_ring_and_gravimetric_agree():
    """theta = w rho_b is the same water."""
    wet, dry, volume = 183.0, 141.0, 100.0
    water = c.gravimetric_to_volumetric((wet - dry) / dry, dry / volume).value
    assert water == pytest.approx(float(c.cutting_ring(wet, dry, volume).value), abs=1e-15)
    assert c.porosity_from_bulk_density(1.325) == pytest.approx(0.5)


def test_velocity_and_permittivity_are_inverse():
    """2 d / t, (c / v)^2 and back."""
    epsilon = c.permittivity_from_travel_time(20.0, 0.6).value
    velocity = c.velocity_from_permittivity(epsilon).value
    assert velocity == pytest.approx(2 * 0.6 / 20.0, abs=1e-15)
    assert c.permittivity_from_velocity(velocity).value == pytest.approx(float(epsilon), rel=1e-14)


def test_topp_by_hand():
    """The polynomial at 10: -0.053 + 0.292 - 0.055 + 0.0043."""
    assert c.topp(10.0).value == pytest.approx(0.1883, abs=1e-12)


def test_crim_is_the_mixture_solved():
    """Mixing the answer again gives the permittivity back; dry and full soil are the ends."""
    theta, phi, a = c.crim(18.0, 0.45).value, 0.45, 0.26
    mixed = ((1 - phi) * 5.0**a + theta * 86.0**a + (phi - theta) * 1.0**a) ** (1 / a)
    assert mixed == pytest.approx(18.0, rel=1e-12)
    dry = (0.55 * 5.0**a + 0.45) ** (1 / a)
    assert c.crim(dry, 0.45).value == pytest.approx(0.0, abs=1e-12)
    full = (0.55 * 5.0**a + 0.45 * 86.0**a) ** (1 / a)
    assert c.crim(full, 0.45).value == pytest.approx(0.45, abs=1e-12)


def test_linear_by_hand():
    """0.75 - 5 v, slope times the uncertainty, residual in quadrature."""
    found = c.linear(0.08, 0.75, -5.0, velocity_uncertainty=0.006, residual=0.04)
    assert found.value == pytest.approx(0.35)
    assert found.uncertainty == pytest.approx(0.05)


MONTE_CARLO = {
    "ring": (
        lambda g: c.cutting_ring(180 + g(1.0), 150 + g(1.0), 100 + g(2.0)).value,
        c.cutting_ring(180.0, 150.0, 100.0, mass_uncertainty=1.0, volume_uncertainty=2.0),
    ),
    "gravimetric": (
        lambda g: c.gravimetric_to_volumetric(0.2 + g(0.01), 1.4 + g(0.05)).value,
        c.gravimetric_to_volumetric(0.2, 1.4, gravimetric_uncertainty=0.01, bulk_density_uncertainty=0.05),
    ),
    "travel time": (
        lambda g: c.permittivity_from_travel_time(40 + g(1.0), 1.2 + g(0.02)).value,
        c.permittivity_from_travel_time(40.0, 1.2, time_uncertainty_ns=1.0, depth_uncertainty_m=0.02),
    ),
    "velocity": (
        lambda g: c.permittivity_from_velocity(0.08 + g(0.001)).value,
        c.permittivity_from_velocity(0.08, velocity_uncertainty=0.001),
    ),
    "to velocity": (
        lambda g: c.velocity_from_permittivity(15 + g(0.5)).value,
        c.velocity_from_permittivity(15.0, permittivity_uncertainty=0.5),
    ),
    "topp": (lambda g: c.topp(15 + g(0.5)).value, c.topp(15.0, permittivity_uncertainty=0.5)),
    "crim": (
        lambda g: c.crim(15 + g(0.5), 0.45 + g(0.03)).value,
        c.crim(15.0, 0.45, permittivity_uncertainty=0.5, porosity_uncertainty=0.03),
    ),
}


@pytest.mark.parametrize("case", MONTE_CARLO)
def test_uncertainty_is_that_of_monte_carlo(case):
    """First-order propagation against 200,000 draws, within 3 %; the value is that of the centre."""
    draw, found = MONTE_CARLO[case]
    rng = np.random.default_rng(7)
    drawn = draw(lambda spread: rng.normal(0, spread, DRAWS))
    assert found.uncertainty == pytest.approx(drawn.std(), rel=0.03)
    assert found.value == pytest.approx(drawn.mean(), rel=0.01)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: c.cutting_ring([180, 100], [150, 150], 100), r"swapped.*\[1\] \(100\)"),
        (lambda: c.cutting_ring(180, 0, 100), "dry mass must be positive"),
        (lambda: c.cutting_ring(180, 150, 0), "volume must be positive"),
        (lambda: c.gravimetric_to_volumetric(0.2, 1400), "2.65"),
        (lambda: c.gravimetric_to_volumetric(-0.2, 1.4), "negative"),
        (lambda: c.porosity_from_bulk_density(2.7), "particle density"),
        (lambda: c.permittivity_from_travel_time(0, 1), "travel time must be positive"),
        (lambda: c.permittivity_from_travel_time(20, -1), "depth of the reflector"),
        (lambda: c.permittivity_from_travel_time(20, 60), "1 or more"),
        (lambda: c.permittivity_from_velocity(0.4), "0.2998"),
        (lambda: c.topp(0.5), "1 or more"),
        (lambda: c.crim(15, 1.2), "porosity"),
        (lambda: c.crim(0.5, 0.4, labels=["row 7"]), r"row 7 \(0.5\)"),
    ],
)
def test_impossible_inputs_are_named(call, text):
    """Nothing is cut to what is possible: it is refused."""
    with pytest.raises(DomainError, match=text):
        call()


def test_missing_stays_missing():
    """NaN goes through every conversion."""
    assert np.isnan(c.topp([np.nan, 10.0]).value).tolist() == [True, False]
    assert np.isnan(c.crim(np.nan, 0.4).value)
    assert np.isnan(c.cutting_ring(np.nan, 150.0, 100.0).value)


def test_depth_weighted_mean_by_hand():
    """(0.2 x 0.3 + 0.4 x 0.1) / 0.4, layers independent."""
    value, uncertainty = c.depth_weighted_mean([0.2, 0.4], [0.3, 0.1], uncertainty=[0.02, 0.06])
    assert value == pytest.approx(0.25)
    assert uncertainty == pytest.approx(np.hypot(0.02 * 0.3, 0.06 * 0.1) / 0.4)
    assert np.isnan(c.depth_weighted_mean([0.2, 0.4], [0.3, 0.1])[1])
