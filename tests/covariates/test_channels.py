"""Channels, ridges and the heights between them."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates import channels
from alm_core.errors import DomainError
from tests.covariates.terrain_surfaces import basin, carved, places, rough


def test_base_level_is_harmonic_between_channels():
    """Between two rows of channels at 0 and 40 m it rises evenly."""
    surface = np.full((41, 30), 100.0)
    surface[0], surface[40] = 0.0, 40.0
    known = np.zeros(surface.shape, bool)
    known[[0, 40]] = True
    level = channels.base_level(surface, known)
    np.testing.assert_allclose(level, np.repeat(np.arange(41.0)[:, None], 30, axis=1), atol=1.5)
    np.testing.assert_array_equal(level[known], surface[known])


def test_base_level_keeps_below_the_surface():
    """And is the surface where that dips below what channels would give."""
    surface = np.full((9, 9), 50.0)
    surface[:, 0] = surface[:, 8] = 20.0
    surface[4, 4] = 5.0
    level = channels.base_level(surface, surface == 20.0)
    assert (level <= surface).all()
    assert level[4, 4] == 5.0


def test_orders_of_a_tree_by_hand():
    """Two streams of order 1 make one of 2; a further one of 1 changes nothing."""
    surface = np.full((7, 7), np.nan)
    for cell, height in {
        (0, 1): 9,
        (0, 3): 9,
        (1, 2): 8,
        (2, 2): 7,
        (2, 0): 9,
        (3, 1): 8,
        (4, 2): 5,
        (3, 3): 6,
        (5, 2): 4,
    }.items():
        surface[cell] = height
    orders = channels.stream_orders(basin(surface))
    assert orders[0, 1] == orders[0, 3] == orders[3, 1] == 1
    assert orders[1, 2] == orders[2, 2] == orders[3, 3] == 2
    assert orders[4, 2] == orders[5, 2] == 2
    assert orders[6, 6] == 0


@pytest.fixture(scope="module")
def relief():
    """A rough surface with valleys; order 3 stands for the large streams of it."""
    return basin(carved(rough(120), 90.0), 90.0)


def test_slope_position_goes_from_channels_to_ridges(relief):
    """0 on channels, 1 on ridges, nowhere beyond; depth and height add up to the distance of the levels."""
    position = channels.relative_slope_position(relief, channel_order=3)
    streams, ridges = channels.stream_orders(relief) >= 3, channels.ridge_orders(relief) >= 3
    both = streams & ridges
    assert np.nanmin(position) == 0
    assert np.nanmax(position) == 1
    np.testing.assert_array_equal(position[streams & ~both], 0)
    np.testing.assert_array_equal(position[ridges & ~both], 1)
    depth, height = channels.valley_depth(relief, channel_order=3), channels.height_above_channels(relief, channel_order=3)
    assert depth.min() >= 0
    assert height.min() >= 0
    np.testing.assert_allclose(
        position, np.where(depth + height > 0, height / np.maximum(depth + height, 1e-12), np.nan), rtol=1e-5
    )


def test_slope_position_of_a_trough_by_hand():
    """Straight sides between a channel and two ridges: half way up is a half."""
    x, _ = places(21)
    surface = np.abs(x)
    low, high = channels.base_level(surface, x == 0), -channels.base_level(-surface, np.abs(x) == 100)
    position = (surface - low) / (high - low)
    np.testing.assert_allclose(position[:, 15], 0.5, atol=0.01)


def test_a_grid_without_large_streams_is_refused(relief):
    """With what to do."""
    with pytest.raises(DomainError, match="channel_order"):
        channels.valley_depth(relief, channel_order=12)
