"""Flow over whole grids: exact on planes and pits, nothing lost, the same whichever way the grid is turned."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates import flow
from alm_core.errors import DomainError, StudyError, TooManyPixelsError
from tests.covariates.terrain_surfaces import basin, places, rough, sizes


def test_a_pit_is_filled_to_its_outlet():
    """To the lowest of the cells that shut it in, and no other cell is touched."""
    surface = np.full((9, 9), 5.0)
    surface[3:6, 3:6] = [[2, 2, 2], [2, 1, 2], [2, 2, 2]]
    surface[4, 6:] = [4.0, 3.5, 3.0]  # the way out passes over 4 m
    filled = basin(surface, rise=0.0).filled
    np.testing.assert_array_equal(filled[3:6, 3:6], 4.0)
    np.testing.assert_array_equal(filled[surface >= 3], surface[surface >= 3])
    depth = flow.closed_depressions(basin(surface, rise=0.0))
    assert depth.max() == 3
    assert (depth > 0).sum() == 9


def test_nested_pits_agree_with_morphology():
    """The exact fill is the reconstruction of the surface by erosion from its rim: another algorithm altogether."""
    from scipy.ndimage import grey_erosion

    surface = rough(60, exponent=1.2)
    level = np.full(surface.shape, np.inf)
    level[[0, -1]], level[:, [0, -1]] = surface[[0, -1]], surface[:, [0, -1]]
    while True:
        lower = np.maximum(surface, grey_erosion(level, size=(3, 3), mode="constant", cval=np.inf))
        lower = np.minimum(lower, level)
        if np.array_equal(lower, level):
            break
        level = lower
    np.testing.assert_array_equal(basin(surface, rise=0.0).filled, level)


def test_filled_surfaces_always_lead_out():
    """Every inner cell has a lower neighbour, and rises by no more than a step from it where it was filled."""
    surface = rough(80, exponent=1.5)
    drained = basin(surface)
    filled = drained.filled
    around = np.stack([np.roll(filled, step, (0, 1)) for step in ((0, 1), (0, -1), (1, 0), (-1, 0))])
    diagonal = np.stack([np.roll(filled, step, (0, 1)) for step in ((1, 1), (1, -1), (-1, 1), (-1, -1))])
    inner = np.zeros(filled.shape, bool)
    inner[1:-1, 1:-1] = True
    assert (filled > np.minimum(around.min(0), diagonal.min(0)))[inner].all()
    lifted = inner & (filled > surface)
    assert lifted.sum() > 100
    step = np.minimum(around.min(0) + 0.001, diagonal.min(0) + 0.001 * np.sqrt(2))
    np.testing.assert_allclose(filled[lifted], step[lifted], rtol=0, atol=1e-12)
    levels = filled.ravel()[drained.order]
    assert (np.diff(levels) >= 0).all()
    assert sorted(drained.order.tolist()) == list(range(surface.size))


def test_water_runs_straight_down_a_plane():
    """On a plane to the west every row carries its own water: n cells at the n-th."""
    x, _ = places(9)
    area = flow.catchment_area(basin(0.1 * x))
    np.testing.assert_allclose(area[4], 100.0 * np.arange(9, 0, -1), rtol=0.35)  # some goes sideways and comes back
    column_sums = area.sum(axis=0)
    assert (np.diff(column_sums) < 0).all()


def test_no_water_is_lost():
    """What leaves a funnel through its middle is all that falls on it."""
    x, y = places(41)
    funnel = np.hypot(x, y)
    funnel[20, 20] = np.nan  # a hole that swallows
    drained = basin(funnel)
    area = flow.catchment_area(drained)
    ring = area[19:22, 19:22]
    # Neighbours of the hole pass nothing on but to each other; all of the land inside the circle drains to them.
    assert np.nansum(ring) >= (np.hypot(x, y) < 195).sum() * 100
    assert np.nanmax(area) < 41 * 41 * 100


def test_turning_the_grid_turns_the_answer():
    """Nothing depends on where counting starts."""
    surface = rough(50)
    straight = flow.catchment_area(basin(surface))
    for turned in (np.rot90, np.flipud, np.transpose):
        np.testing.assert_allclose(flow.catchment_area(basin(np.ascontiguousarray(turned(surface)))), turned(straight), rtol=1e-9)


@pytest.mark.parametrize("family", ["textbook", "saga"])
def test_wetness_and_length_slope_of_a_plane_by_hand(family):
    """With slope 0.1 and the catchment area that there is."""
    x, _ = places(9)
    drained = basin(0.1 * x)
    area = flow.catchment_area(drained)
    expected = np.log(area / 10 / 0.1)
    np.testing.assert_allclose(flow.wetness_index(drained, area, family=family), expected, rtol=1e-6)
    sine = 0.1 / np.hypot(1, 0.1)
    factor = 1.4 * (area / 10 / 22.13) ** 0.4 * (sine / 0.0896) ** 1.3
    np.testing.assert_allclose(flow.length_slope_factor(drained, area, family=family), factor, rtol=1e-6)


def test_levels_are_as_wet_as_the_floor_allows():
    """tan(slope) is never 0: 0.001 in SAGA, a millimetre a cell in the textbook family."""
    level = np.zeros((7, 7))
    drained = basin(level, rise=0.0)
    area = flow.catchment_area(drained)
    np.testing.assert_allclose(flow.wetness_index(drained, area, family="saga"), np.log(10 / 0.001), rtol=1e-6)
    np.testing.assert_allclose(flow.wetness_index(drained, area), np.log(10 / 1e-4), rtol=1e-6)
    assert (flow.length_slope_factor(drained, area) == 0).all()
    with pytest.raises(StudyError, match="family"):
        flow.wetness_index(drained, area, family="other")


def test_flow_across_a_corner_is_wider():
    """Down a diagonal a square cell shows 1.41 sides to the water."""
    x, y = places(9)
    drained = basin(0.1 * (x + y))
    area = np.full((9, 9), 1000.0)
    ratio = flow.wetness_index(drained, area) - flow.wetness_index(drained, area, family="saga")
    np.testing.assert_allclose(ratio[1:-1, 1:-1], np.log(np.sqrt(2)), rtol=1e-4)


def test_voids_are_outlets():
    """A hole drains its surroundings, is no land itself, and takes no part in sums."""
    surface = rough(30)
    surface[10:13, 10:13] = np.nan
    drained = basin(surface)
    area = flow.catchment_area(drained)
    assert np.array_equal(np.isnan(area), np.isnan(surface))
    assert len(drained.order) == 30 * 30 - 9
    ring = drained.filled[9:14, 9:14]
    np.testing.assert_array_equal(ring[~np.isnan(ring)], surface[9:14, 9:14][~np.isnan(ring)])
    assert np.isnan(flow.catchment_area(basin(np.full((4, 4), np.nan)))).all()


def test_cells_of_geographic_rows_have_their_own_area():
    """A ramp to the north over rows that grow narrower."""
    width = np.array([1.0, 2.0, 3.0])
    area = flow.catchment_area(flow.drainage(np.array([[1.0], [2.0], [3.0]]), width, np.full(3, 10.0)))
    np.testing.assert_allclose(area[:, 0], [60.0, 50.0, 30.0])


def test_what_is_too_large_is_refused_with_a_resolution_that_fits():
    """Nothing is allocated before."""
    with pytest.raises(TooManyPixelsError, match=r"resolution_cells = 4"):
        flow.check_size(81_000_000 * 16)
    with pytest.raises(TooManyPixelsError, match="GB of memory"):
        flow.drainage(np.zeros((3, 3)), *sizes(3), maximum_cells=8)
    with pytest.raises(DomainError, match="rise"):
        basin(np.zeros((3, 3)), rise=-1.0)
    with pytest.raises(DomainError, match="exponent"):
        flow.catchment_area(basin(np.zeros((3, 3))), exponent=0.0)


def test_facts_are_plain_values():
    """For the report."""
    surface = np.full((5, 5), 3.0)
    surface[2, 2] = 1.0
    assert basin(surface, rise=0.0).to_dict() == {"cells": 25, "cells_filled": 1, "deepest_fill_m": 2.0}
