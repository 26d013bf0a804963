"""Curvatures: exact on planes, cones, spheres and saddles; the same by blocks."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates import curvature
from alm_core.covariates.curvature import HALO, curvatures
from alm_core.errors import StudyError
from tests.covariates.terrain_surfaces import halo, places, sizes

FAMILIES = ("textbook", "saga")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plane_has_none_up_to_the_edge(family):
    """Also in the cells of the rim, where the halo is missing; smoothing bends the rim, so that of `saga` is left out."""
    x, y = places(21)
    plan, profile = curvatures(halo(0.2 * x - 0.1 * y, HALO), *sizes(21), family=family)
    rim = slice(None) if family == "textbook" else slice(HALO, -HALO)
    np.testing.assert_allclose(plan[rim, rim], 0, atol=2e-7)
    np.testing.assert_allclose(profile[rim, rim], 0, atol=2e-7)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_cone_is_curved_across_its_slope_only(sign):
    """Plan curvature is one over the distance from the top: positive on a hill, negative in a funnel."""
    x, y = places(81)
    distance = np.hypot(x, y)
    plan, profile = curvatures(halo(-sign * 0.3 * distance, HALO), *sizes(81))
    far = (distance > 250) & (np.abs(x) < 390) & (np.abs(y) < 390)
    np.testing.assert_allclose(plan[far], sign / distance[far], rtol=3e-3)
    np.testing.assert_allclose(profile[far], 0, atol=2e-6)


def test_a_parabola_by_hand():
    """Down the x axis of z = -a x2 the profile curvature is 2a / (1 + p2)^1.5; plan is 0; SAGA's is -2 f_xx / 2."""
    x, _ = places(21)
    plan, profile = curvatures(halo(-0.001 * x**2, HALO), *sizes(21))
    slope = 0.002 * x[10, 15]
    assert profile[10, 15] == pytest.approx(0.002 / (1 + slope**2) ** 1.5, rel=1e-5)
    assert plan[10, 15] == pytest.approx(0, abs=1e-9)
    _, along = curvatures(halo(-0.001 * x**2, HALO), *sizes(21), family="saga")
    assert along[10, 12] == pytest.approx(0.002, rel=1e-3)


def test_a_saddle_is_curved_both_ways():
    """On z = xy / s along the diagonals flow runs straight down a valley or up a ridge."""
    x, y = places(21)
    plan, profile = curvatures(halo(x * y / 1000, HALO), *sizes(21))
    assert plan[10, 10] == profile[10, 10] == 0  # level: no direction of flow
    ridge, valley = (6, 14), (6, 6)  # along x = y it curves up, along x = -y down
    assert profile[ridge] < 0 < plan[ridge]
    assert plan[valley] < 0 < profile[valley]


def test_voids_stay_voids_and_touch_their_neighbours_only():
    """A missing cell is missing in the result; cells beyond the halo don't notice."""
    x, y = places(31)
    surface = np.sin(x / 40) * 30 + np.cos(y / 30) * 20
    holed = surface.copy()
    holed[15, 15] = np.nan
    for family, reach in (("textbook", 1), ("saga", HALO)):
        whole, found = (curvatures(halo(z, HALO), *sizes(31), family=family)[0] for z in (surface, holed))
        assert np.isnan(found).sum() == 1
        assert np.isnan(found[15, 15])
        away = np.ones(found.shape, bool)
        away[15 - reach : 16 + reach, 15 - reach : 16 + reach] = False
        np.testing.assert_array_equal(found[away], whole[away])


@pytest.mark.parametrize("family", FAMILIES)
def test_geographic_rows_use_their_own_width(family):
    """Twice as high in cells twice as wide and high: half the curvature."""
    x, y = places(15)
    surface = halo(np.sin(x / 40) * 30 + np.cos(y / 30) * 20, HALO)
    near = curvatures(surface, *sizes(15), family=family)
    far = curvatures(2 * surface, *sizes(15, 20.0), family=family)
    tolerance = {"rtol": 2e-3, "atol": 1e-6}  # SAGA's rounding to float32 is not scaled
    for one, other in zip(near, far, strict=True):
        factor = 0.5
        np.testing.assert_allclose(other[HALO:-HALO], one[HALO:-HALO] * factor, **tolerance)
    narrow = curvatures(surface, np.linspace(1e-9, 10, 15), np.full(15, 10.0), family=family)[0]
    assert np.isnan(narrow[0]).all()  # a pole: no width
    assert np.isfinite(narrow[1:]).all()


def test_smoothing_is_the_mean_of_29_cells():
    """A spike of 29 m is spread evenly over the circle of radius 3."""
    spike = np.zeros((15, 15))
    spike[7, 7] = 29.0
    found = curvature.smooth(halo(spike, 3))
    assert (found > 0.5).sum() == 29
    np.testing.assert_allclose(found[found > 0.5], 1.0)
    with pytest.raises(StudyError, match="textbook"):
        curvatures(halo(spike, HALO), *sizes(15), family="arcgis")
