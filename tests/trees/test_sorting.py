"""Sorting the cells of a rough block."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.trees.sorting import CELLS, arrange, halve, in_order, open_share, sort_cells


def cuts_of(*features):
    """Cuts as `sort_cells` wants them."""
    begin = np.concatenate([[0], np.cumsum([len(cuts) for cuts in features])])
    return np.concatenate(features).astype(np.float32), begin


@pytest.mark.parametrize("n_cells", [1, CELLS, CELLS + 1, 5 * CELLS - 7])
def test_every_cell_is_there_once(n_cells):
    """Ties, missing values and sizes that fill no tile."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 4, (3, n_cells)).astype(np.float32)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    order = sort_cells(numbers, *cuts_of([0.5, 1.5], [2.5], []))
    assert np.array_equal(np.sort(order), np.arange(n_cells))
    values, valid = arrange(numbers, order)
    assert valid.sum() == n_cells
    sums = np.where(valid, values[:1], 0)
    assert np.array_equal(in_order(sums, order), numbers[:1], equal_nan=True)


def test_tiles_become_narrow():
    """Of two features the one with cuts is sorted, the other is left as it comes."""
    numbers = np.random.default_rng(1).random((2, 8 * CELLS)).astype(np.float32)
    order = sort_cells(numbers, *cuts_of(np.linspace(0, 1, 50), []))
    spread = np.ptp(numbers[:, order].reshape(2, 8, CELLS), axis=2).mean(axis=1)
    assert spread[0] < 0.15
    assert spread[1] > 0.95


def test_halve():
    """Ties at the middle are dealt to both halves; missing values are the largest."""
    numbers, order = np.array([3, np.nan, 1, 2, 2, 2], np.float32), np.arange(6)
    assert halve(numbers, order, 3) == 2
    assert sorted(numbers[order[:3]]) == [1, 2, 2]
    assert np.isnan(numbers[order[3:]]).sum() == 1


def test_open_share():
    """One tile that spans one cut of two, one that spans none, one without a number."""
    low = np.array([[[0.0], [0.6], [np.inf]]], np.float32)
    high = np.array([[[1.0], [0.7], [-np.inf]]], np.float32)
    assert open_share(low, high, *cuts_of([0.5, 9.0])) == 0.25
