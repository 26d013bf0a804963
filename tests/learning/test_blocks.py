"""Blocks of space and time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.learning.blocks import as_days, block_labels, deal_groups, deal_stretches
from alm_core.learning.knndm import EARTH_RADIUS_METRES


def test_blocks_of_a_plane():
    """Four corners of a 2 x 2 pattern, with the edges half open and units other than metres."""
    x, y = np.array([0.0, 0.9, 1.0, 1.9]), np.array([0.0, 0.9, 0.0, 1.9])
    labels = block_labels(x, y, geographic=False, size_metres=1000.0, unit_metres=1000.0)
    assert labels[0] == labels[1]
    assert len(np.unique(labels)) == 3


def test_blocks_on_the_sphere_keep_their_size():
    """At 60 degrees half as many blocks go around as at the equator, and the 180th meridian cuts none."""
    size = np.radians(10.0) * EARTH_RADIUS_METRES
    x = np.arange(-180.0, 180.0, 0.5)
    counts = [
        len(np.unique(block_labels(x, np.full_like(x, latitude), geographic=True, size_metres=size))) for latitude in (5, 65, 89)
    ]
    assert counts == [36, round(36 * np.cos(np.radians(65))), round(36 * np.cos(np.radians(85)))]
    both = block_labels(np.array([180.0, -180.0]), np.array([65.0, 65.0]), geographic=True, size_metres=size)
    assert both[0] == both[1]


def test_deal_keeps_groups_whole_and_folds_even():
    """No group is split and folds differ by less than the largest group."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 40, 400)
    folds = deal_groups(labels, 5, np.random.default_rng(1))
    assert all(len(np.unique(folds[labels == label])) == 1 for label in np.unique(labels))
    assert np.ptp(np.bincount(folds)) <= np.bincount(labels).max()


@pytest.mark.parametrize("sizes", [[1, 1, 1], [100, 1, 1], [1, 1, 100], [5, 50, 5, 5, 5], list(range(1, 20))])
def test_stretches_follow_and_none_is_empty(sizes):
    """Stretches are in order and every fold has a unit."""
    folds = deal_stretches(np.array(sizes), 3)
    assert (np.diff(folds) >= 0).all()
    assert np.unique(folds).tolist() == [0, 1, 2]


def test_days_from_years_dates_and_gaps():
    """Whole years, text, timestamps and missing values all become days."""
    for dates in (np.array([2010, 2011]), np.array(["2010-01-01", "2011-01-01"]), pd.to_datetime(["2010", "2011"]).to_numpy()):
        assert as_days(dates).tolist() == np.array(["2010-01-01", "2011-01-01"], "datetime64[D]").tolist()
    assert np.isnat(as_days(np.array([2010.0, np.nan]))).tolist() == [False, True]
    assert np.isnat(as_days(np.array([2010, None], dtype=object))).tolist() == [False, True]
