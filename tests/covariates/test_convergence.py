"""Convergence index: exact on pits, peaks, planes and saddles."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates.convergence import HALO, convergence_index
from alm_core.errors import StudyError
from tests.covariates.terrain_surfaces import halo, places, sizes

FAMILIES = ("textbook", "saga")


@pytest.mark.parametrize("family", FAMILIES)
def test_pit_peak_plane_and_saddle(family):
    """-100 in a pit, 100 on a peak, 0 on planes, on levels and in the middle of a saddle."""
    x, y = places(17)
    middle = 8, 8
    for surface, expected in (
        (np.hypot(x, y), -100.0),
        (-np.hypot(x, y), 100.0),
        (0.3 * x + 0.1 * y, 0.0),
        (np.zeros_like(x), 0.0),
        ((x**2 - y**2) / 100, 0.0),
    ):
        found = convergence_index(halo(surface, HALO), *sizes(17), family=family)
        assert found[middle] == pytest.approx(expected, abs=1e-3)
        assert found.min() >= -100.001
        assert found.max() <= 100.001


@pytest.mark.parametrize("family", FAMILIES)
def test_valleys_are_negative_and_mirror_ridges(family):
    """Turned upside down, the index changes its sign."""
    x, y = places(17)
    valley = np.abs(x) * 0.2 + y * 0.1
    found = convergence_index(halo(valley, HALO), *sizes(17), family=family)
    turned = convergence_index(halo(-valley, HALO), *sizes(17), family=family)
    assert found[8, 8] < -10
    np.testing.assert_allclose(turned, -found, atol=2e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_cells_need_not_be_square(family):
    """Far from the equator geographic cells are narrow: a round pit is still a pit, its wall still a wall."""
    x, y = places(17)
    narrow = np.full(17, 4.0), np.full(17, 10.0)
    pit = (x * 0.4) ** 2 + y**2
    assert convergence_index(halo(pit, HALO), *narrow, family=family)[8, 8] == pytest.approx(-100, abs=0.01)
    np.testing.assert_allclose(convergence_index(halo(x + y, HALO), *narrow, family=family)[6:-6, 6:-6], 0, atol=1e-3)


def test_planes_stay_planes_at_the_edge():
    """The textbook family goes on straight beyond the edge; SAGA puts the cell's own height there."""
    x, y = places(13)
    plane = halo(0.3 * x + 0.1 * y, HALO)
    np.testing.assert_allclose(convergence_index(plane, *sizes(13)), 0, atol=1e-4)
    assert np.abs(convergence_index(plane, *sizes(13), family="saga")[0]).max() > 1


def test_missing_cells_stay_missing():
    """Only they."""
    x, y = places(13)
    surface = np.hypot(x, y)
    surface[3, 4] = np.nan
    for family in FAMILIES:
        found = convergence_index(halo(surface, HALO), *sizes(13), family=family)
        assert np.argwhere(np.isnan(found)).tolist() == [[3, 4]]
    with pytest.raises(StudyError, match="family"):
        convergence_index(halo(surface, HALO), *sizes(13), family="grass")
