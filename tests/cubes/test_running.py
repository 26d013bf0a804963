"""Statistics of windows of days."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.cubes.running import over_windows, running_mean, running_range, running_sd
from alm_core.errors import DomainError


@pytest.fixture
def values():
    """60 days of 40 cells about 250 K, a third of them missing, float32."""
    rng = np.random.default_rng(3)
    field = (250 + rng.normal(0, 8, (60, 40))).astype(np.float32)
    field[rng.random(field.shape) < 0.35] = np.nan
    return field


@pytest.mark.parametrize("days", [1, 2, 3, 5, 7, 8, 13, 30])
def test_same_as_pandas(values, days):
    """Mean, spread and range of every window are those of pandas, with half of the days as the least."""
    frame, least = pd.DataFrame(values.astype(np.float64)), -(-days // 2)
    windows = frame.rolling(days, min_periods=least)
    for found, expected in (
        (running_mean(values, days), windows.mean()),
        (running_sd(values, days), windows.std()),
        (running_range(values, days), windows.max() - windows.min()),
    ):
        np.testing.assert_allclose(found, expected.to_numpy()[days - 1 :], rtol=1e-6, atol=1e-5)
        assert found.dtype == np.float32


def test_a_large_mean_costs_no_digits():
    """The spread of what never changes is 0, and 1e6 more changes nothing."""
    constant = np.full((30, 2), 273.1, np.float32)
    assert (running_sd(constant, 7) == 0).all()
    steps = np.random.default_rng(1).integers(0, 9, (50, 3)).astype(np.float64)
    np.testing.assert_allclose(running_sd(steps + 1e6, 9), running_sd(steps, 9), rtol=1e-6)


def test_half_of_the_days_are_enough():
    """Two of four days answer, one does not; one day alone has no spread."""
    column = np.array([[1.0], [np.nan], [3.0], [np.nan], [np.nan]])
    assert running_mean(column, 4)[:, 0].tolist() == [2.0, pytest.approx(np.nan, nan_ok=True)]
    assert np.isnan(running_sd(np.array([[1.0], [np.nan]]), 2)).all()
    assert running_range(np.array([[1.0], [np.nan]]), 2).tolist() == [[0.0]]


def test_pieces_are_joined_in_their_order():
    """Joining is not commutative here: each window comes out oldest first, whole, once."""
    words = np.array([[letter] for letter in "abcdefghijk"], object)
    for days in range(1, 12):
        found = over_windows((words,), days, lambda older, newer: (older[0] + newer[0],))[0][:, 0]
        assert found.tolist() == ["abcdefghijk"[start : start + days] for start in range(12 - days)]


def test_too_few_days():
    """A window needs its days before the first."""
    with pytest.raises(DomainError, match="3 days came for windows of 9"):
        running_mean(np.zeros((3, 2)), 9)
    assert running_mean(np.zeros((8, 2)), 9).shape == (0, 2)
