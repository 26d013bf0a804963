"""Drawing cell-days: evenly over the calendar, by seed, away from the check."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.learning.day_draw import CellDays, draw_cell_days, held_back, months, quotas

DATES = np.arange("2011-01-01", "2013-01-01", dtype="datetime64[D]")


def reader(known):
    """Reads the True places of ``[day, cell]``; the state is that of the cell."""

    def read(start, stop):
        day, cell = np.nonzero(known[start:stop])
        return CellDays(cell, day + start, (cell % 2).astype(np.int8), np.full(len(day), -1))

    return read


def test_months_cover_every_day_once():
    """Leap day included."""
    found = months(DATES)
    assert len(found) == 24
    assert [found[0][0], *(stop for _, stop in found)] == [*(start for start, _ in found), len(DATES)]
    assert found[13] == (396, 425)  # February 2012 has 29 days


@pytest.mark.parametrize(
    ("available", "count", "expected"),
    [
        ([10, 10, 10], 9, [3, 3, 3]),
        ([1, 10, 10], 9, [1, 4, 4]),
        ([0, 3, 2], 99, [0, 3, 2]),
        ([5, 5, 5], 2, [1, 1, 0]),
        ([0, 0], 5, [0, 0]),
    ],
)
def test_quotas_are_shared_and_never_exceed_what_is_there(available, count, expected):
    """What one can't give the others share."""
    assert quotas(np.array(available), np.ones(len(available)), count).tolist() == expected


def test_no_season_is_left_out_where_the_product_is_sparse_in_it():
    """A product with a tenth of its values in winter gives as many samples in January as in July."""
    known = np.random.default_rng(0).random((len(DATES), 200)) < 0.9
    month = DATES.astype("datetime64[M]").astype(int) % 12
    known[month < 3] &= np.random.default_rng(1).random((int((month < 3).sum()), 200)) < 0.1
    drawn = draw_cell_days(reader(known), months(DATES), 4000, seed=3, stream=0)
    assert len(drawn) == 4000
    counts = np.bincount(month[drawn.day], minlength=12) / 24
    assert counts.max() / counts.min() < 1.2
    assert known[drawn.day, drawn.cell].all()
    assert len(np.unique(drawn.day * 200 + drawn.cell)) == 4000
    assert len(np.unique(drawn.cell)) == 200


def test_a_draw_depends_on_seed_and_stream_and_not_on_states():
    """Same seed, same draw; another stream another one; turned states the same places."""
    known = np.ones((len(DATES), 20), bool)
    draws = {
        key: draw_cell_days(reader(known), months(DATES), 300, seed=key[0], stream=key[1]) for key in [(1, 1), (1, 2), (2, 1)]
    }
    again = draw_cell_days(lambda *span: turned(reader(known)(*span)), months(DATES), 300, seed=1, stream=1)
    assert np.array_equal(again.cell, draws[1, 1].cell)
    assert np.array_equal(again.day, draws[1, 1].day)
    assert not np.array_equal(draws[1, 1].cell, draws[1, 2].cell)
    assert not np.array_equal(draws[1, 1].cell, draws[2, 1].cell)


def turned(found):
    """The same with the other state."""
    return CellDays(found.cell, found.day, 1 - found.state, found.row)


def test_the_days_around_the_check_are_held_back_in_its_cell_only():
    """Across the border of a month too."""
    check = CellDays(np.array([1, 0]), np.array([9, 30]), np.zeros(2, np.int8), np.zeros(2, int))
    held = held_back(check, 10, 20, 3, 2)
    assert np.argwhere(held).tolist() == [[0, 1], [1, 1]]
    assert not held_back(check, 40, 50, 3, 2).any()
