"""Products err as products do, and as often as the literature says."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from alm_core.studies.surface_freeze_thaw import products
from alm_core.studies.surface_freeze_thaw.ground import Ground
from alm_core.studies.surface_freeze_thaw.land import Plateau
from alm_core.studies.surface_freeze_thaw.products import SENSORS, Reanalysis, StateProducts, days_of, lost_days, seen, sensed
from tests.studies.surface_freeze_thaw.conftest import EXTENTS


@pytest.fixture(scope="module")
def states(land, ground):
    """Labels, second product (on the cells of the map) and truth of the mapped cells."""
    made = StateProducts(land, seed=5)
    label, second = made.label(ground), made.second(made.second_margin(ground))
    return label[:, land.mapped], second[:, land.mapped], ground.frozen[:, land.mapped]


def test_labels_are_as_good_as_published_ones():
    """Right on 0.88 to 0.92 of the cell-days of the place that the medium demo shows (here on cells four times as wide)."""
    from dataclasses import replace

    extent = replace(EXTENTS["medium"], cell=1.0, bounds=(68.0, 25.0, 104.0, 40.0))
    land = Plateau(extent.grid, 5, extent.lowest)
    ground, made = Ground(land, seed=5).year(2011), StateProducts(land, seed=5)
    label = made.label(ground)
    clear = (label != products.LABEL_MIXED) & land.mapped
    assert 0.88 < (label == ground.frozen)[clear].mean() < 0.92
    second = made.second(made.second_margin(ground))
    assert 0.88 < (second == ground.frozen)[:, land.mapped].mean() < 0.93


def test_labels_err_near_zero_and_more_under_trees(states, land, ground):
    """Far from 0 degrees they are nearly always right."""
    label, _, frozen = states
    soil = ground.soil[:, land.mapped]
    right = label == frozen
    assert right[np.abs(soil) < 1.0].mean() < 0.7
    assert right[np.abs(soil) > 12.0].mean() > 0.98
    middle = (np.abs(soil) > 2.0) & (np.abs(soil) < 6.0)
    trees = np.broadcast_to(land.forest[land.mapped] > 0.3, middle.shape)
    assert right[middle & trees].mean() < right[middle & ~trees].mean()


def test_the_second_product_errs_on_its_own(states):
    """Given that the state is near a change, its errors say little of those of the labels."""
    label, second, frozen = states
    wrong, also = (label != frozen).ravel(), (second != frozen).ravel()
    assert np.corrcoef(wrong, also)[0, 1] < 0.35


def test_swaths_leave_strips_and_diamonds():
    """About a third of the cells a day and orbit, other ones the next day; both orbits together miss few."""
    longitude, latitude = (one.ravel() for one in np.meshgrid(np.arange(70, 105, 0.5), np.arange(26, 40, 0.5)))
    dates = days_of(2011)
    up, down = (seen(longitude, latitude, dates, orbit=orbit, shift=0.0) for orbit in "AD")
    assert 0.5 < up.mean() < 0.8
    assert 0.5 < down.mean() < 0.8
    assert 0.0 < (~(up | down)).mean() < 0.25
    assert (up[0] != up[1]).any()
    assert up.any(axis=0).all()
    gaps = ~seen(longitude[:70], latitude[:70], dates[:20], orbit="D", shift=0.0)
    assert (np.abs(np.diff(gaps.astype(int), axis=1)).sum(axis=1) <= 4).all(), "a strip is one piece"


def test_sensors_follow_one_another():
    """No day of the ten years without a sensor, no day with two."""
    days = [date.fromordinal(one) for one in range(date(2011, 1, 1).toordinal(), date(2020, 12, 31).toordinal() + 1)]
    assert all(sum(one.first <= day <= one.last for one in SENSORS) == 1 for day in days)


def test_sensor_noise_keeps_v_above_h():
    """And is as large as said."""
    random = np.random.default_rng(1)
    same = {name: np.full((200, 500), 250.0, np.float32) for name in ("36V", "36H")}
    found = sensed(same, SENSORS[1], random)
    assert (found["36V"] >= found["36H"]).all()
    assert abs(found["36V"].std() - SENSORS[1].noise["36"]) < 0.02
    assert abs(found["36V"].mean() - 250.0 - SENSORS[1].bias["36"]) < 0.02


def test_few_days_are_lost_and_always_the_same():
    """About one in a hundred."""
    lost = np.concatenate([lost_days(days_of(year), seed=3, what="x") for year in range(1970, 2040)])
    assert 0.006 < lost.mean() < 0.022
    np.testing.assert_array_equal(lost[:365], lost_days(days_of(1970), seed=3, what="x"))


def test_reanalysis_is_biased_and_has_no_zero_curtain(land, ground):
    """Its soil crosses 0 degrees without a halt, and is wrong by some degrees."""
    found = Reanalysis(land, seed=5).year(ground)
    error = (found["soil"] - ground.soil)[:, land.mapped]
    assert 0.8 < error.mean(axis=0).std() < 4.0
    near = {name: (np.abs(values) < 0.05).mean() for name, values in {"soil": found["soil"], "true": ground.soil}.items()}
    assert near["soil"] < 0.3 * near["true"]
    assert np.corrcoef(found["air"].ravel(), ground.air.ravel())[0, 1] > 0.9
