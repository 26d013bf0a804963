"""What a training set knows of its test set."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import LeakError
from alm_core.learning.leaks import (
    Leaks,
    Places,
    check_leaks,
    measure_leaks,
    near_in_both,
    same_cell_days,
    same_day_distance,
)


def random_places(count, seed):
    """Cell-days on a plane of 20 x 20 cells of 25 km."""
    rng = np.random.default_rng(seed)
    cell, day = rng.integers(0, 400, count), rng.integers(0, 60, count)
    return Places.make(cell, day, 25.0 * (cell % 20), 25.0 * (cell // 20), geographic=False, unit_metres=1000.0)


def test_nearest_of_cell_and_day_agree_with_all_pairs():
    """Against every pair, by brute force."""
    test, train = random_places(300, 1), random_places(500, 2)
    days = np.abs(test.day[:, None] - train.day[None, :]).astype(float)
    km = np.linalg.norm(test.position[:, None] - train.position[None, :], axis=2)
    same_cell = np.where(test.cell[:, None] == train.cell[None, :], days, np.inf).min(axis=1)
    same_day = np.where(days == 0, km, np.inf).min(axis=1)
    assert np.array_equal(same_cell_days(test, train), same_cell)
    assert np.allclose(same_day_distance(test, train), same_day)
    assert np.array_equal(near_in_both(test, train, days=3, km=60.0), ((days <= 3) & (km <= 60)).any(axis=1))


def test_distances_on_the_sphere_are_kilometres():
    """One degree of latitude is 111 km, across the 180th meridian too."""
    flat = np.array([0, 1])
    test = Places.make(flat, [5, 5], [179.5, 10.0], [0.0, 40.0], geographic=True)
    train = Places.make(flat, [5, 5], [-179.5, 10.0], [0.0, 41.0], geographic=True)
    assert same_day_distance(test, train) == pytest.approx([111.2, 111.2], abs=0.1)


def test_nothing_to_learn_from_is_infinitely_far():
    """Without training samples nothing leaks."""
    some, none = random_places(5, 1), random_places(0, 1)
    found = measure_leaks("block", some.take(np.arange(5)), [(np.arange(0), np.arange(5))])
    assert (found.same_cell, found.same_day, found.both) == (0.0, 0.0, 0.0)
    assert np.isinf(same_cell_days(some, none)).all()
    assert "none trains" in found.words


def test_a_leak_above_the_limit_is_refused_and_says_so():
    """One per cent passes, more does not."""
    check_leaks(Leaks("year", 100, 0.01, 0.0, 0.5, 20.0, 300.0))
    with pytest.raises(LeakError, match=r"2 % of the test samples have a training sample of the same cell within 10 days"):
        check_leaks(Leaks("year", 100, 0.02, 0.0, 0.5, 20.0, 300.0))
    with pytest.raises(LeakError, match="leaks"):
        check_leaks(Leaks("block", 100, 0.0, 0.02, 0.5, 20.0, 300.0))
