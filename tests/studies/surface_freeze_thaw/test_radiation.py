"""The radiometer: laws of reflection, the signs that a discriminant of freezing lives from."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.studies.surface_freeze_thaw.radiation import (
    BANDS,
    COSINE,
    brightness,
    reflectivity,
    soil_permittivity,
    through,
    water_permittivity,
)

NOTHING = np.zeros(1)


def soil(frequency, *, frozen, water=0.25, porosity=0.45):
    """Permittivity of a soil on either side of 0 degrees."""
    liquid = 0.03 if frozen else water
    values = (np.full(1, one) for one in (-5.0 if frozen else 5.0, liquid, water - liquid, porosity))
    return soil_permittivity(frequency, *values)


@pytest.mark.parametrize("band", BANDS.values(), ids=BANDS)
def test_frozen_soil_has_the_lower_permittivity_and_emits_more(band):
    """Ice is no water: reflectivity falls at both polarisations, most at H."""
    thawed, frozen = soil(band.frequency_ghz, frozen=False), soil(band.frequency_ghz, frozen=True)
    assert 3.0 < frozen.real[0] < 5.0 < thawed.real[0] < 20.0
    assert abs(frozen[0]) < 0.6 * abs(thawed[0])
    (warm_v, warm_h), (cold_v, cold_h) = reflectivity(thawed, band), reflectivity(frozen, band)
    assert warm_h[0] > 1.4 * cold_h[0]
    assert warm_h[0] - cold_h[0] > warm_v[0] - cold_v[0] > 0


def test_water_is_that_of_the_tables():
    """At 20 degrees static permittivity 80.1, and at 17 GHz, near its relaxation, the largest loss (about 37)."""
    assert abs(water_permittivity(0.001, np.array([20.0]))[0] - 80.1) < 0.3
    loss = {one: float(water_permittivity(one, np.array([20.0]))[0].imag) for one in (3.0, 17.0, 90.0)}
    assert loss[17.0] == max(loss.values())
    assert abs(loss[17.0] - 37.5) < 1.0


def test_reflectivity_of_a_smooth_surface_is_that_of_fresnel():
    """A loss-free soil at Brewster's angle reflects nothing at V; roughness lowers H."""
    brewster = np.full(1, np.tan(np.arccos(COSINE)) ** 2, complex)
    smooth = BANDS["18"].__class__(18.7, 0.0, 0.0, 0, 0, 0, 0, 0, 0)
    vertical, horizontal = reflectivity(brewster, smooth)
    assert abs(vertical[0]) < 1e-12
    assert reflectivity(brewster, BANDS["18"])[1][0] < horizontal[0]


def test_a_layer_passes_all_or_nothing():
    """No layer changes nothing; an opaque one without scattering shows its own temperature."""
    below, reflected = np.full(1, 200.0), np.full(1, 0.3)
    assert through(below, reflected, NOTHING, 0.0, np.full(1, 270.0))[0] == 200.0
    np.testing.assert_allclose(through(below, reflected, np.full(1, 50.0), 0.0, np.full(1, 270.0)), 270.0)
    assert through(below, reflected, np.full(1, 50.0), 0.5, np.full(1, 270.0))[0] < 140.0


@pytest.mark.parametrize("orbit", ["A", "D"])
def test_brightness_temperatures_are_those_of_land(land, ground, orbit):
    """Finite, of earth, V above H everywhere; descending nights are colder than afternoons."""
    found = brightness(land, ground, orbit)
    assert set(found) == {"18V", "18H", "36V", "36H"}
    for values in found.values():
        assert values.dtype == np.float32
        assert values.shape == ground.soil.shape
        assert 150 < values.min() < values.max() < 320
    assert (found["18V"] > found["18H"]).all()
    assert (found["36V"] > found["36H"]).all()


def test_thaw_shows_as_published(land, ground):
    """Of bare, open land: frozen soil emits more at 18.7 GHz H in terms of 36.5 GHz V, and is colder at 36.5 GHz V."""
    found = brightness(land, ground, "D")
    open_land = (land.forest < 0.1)[None] & (ground.snow < 2.0)
    frozen, thawed = open_land & (ground.soil < -3.0), open_land & (ground.soil > 3.0)
    ratio = found["18H"] / found["36V"]
    assert ratio[frozen].mean() > ratio[thawed].mean() + 0.03
    assert found["36V"][frozen].mean() < found["36V"][thawed].mean() - 5.0


def test_dry_snow_darkens_the_higher_frequency(land, ground):
    """By about 0.2 K for each mm, as in the retrievals of snow."""
    from dataclasses import replace

    cold = ground.part(10, 20)
    none, some = (brightness(land, replace(cold, snow=np.full_like(cold.snow, mm)), "D") for mm in (0.0, 20.0))
    dry = cold.air - 0.5 * cold.swing < 0.0
    change = {name: float((some[name] - none[name])[dry & (land.forest < 0.1)].mean()) for name in some}
    assert -8.0 < change["36V"] < -2.0
    assert abs(change["18V"]) < 0.25 * abs(change["36V"])
