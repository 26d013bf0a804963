"""Blocks become tiles: every cell once, whatever the blocks are."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import GridError
from alm_core.grid import Grid
from alm_core.mapping.retiling import Retiling
from alm_core.mapping.tile_codec import TILE

GRID = Grid.from_bounds((0, 0, 1300, 1100), 1, crs="EPSG:32645")
VALUES = np.arange(2 * GRID.size, dtype=np.float32).reshape(2, *GRID.shape)


def blocks(size):
    """The values cut into blocks."""
    return [(block, VALUES[(slice(None), *block.slices)]) for block in GRID.blocks(size)]


@pytest.mark.parametrize("size", [100, 300, 512, 700, 1024, 2000])
@pytest.mark.parametrize("order", ["rows", "reversed", "shuffled"])
def test_tiles_are_the_grid(size, order):
    """Six tiles, each once, with its cells."""
    given = blocks(size)
    if order == "reversed":
        given.reverse()
    elif order == "shuffled":
        np.random.default_rng(size).shuffle(given := np.array(given, object))
    found = dict(Retiling(GRID, 2).tiles(given))
    assert sorted(found) == [(row, column) for row in range(3) for column in range(3)]
    for (row, column), values in found.items():
        expected = VALUES[:, row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
        np.testing.assert_array_equal(values, expected)


def test_whole_tiles_are_not_copied():
    """A block of one tile, and a block of many, are passed on in place."""
    for size in (512, 1024):
        assert all(np.shares_memory(values, VALUES) for _, values in Retiling(GRID, 2).tiles(blocks(size)))


def test_rows_of_blocks_hold_a_row_of_tiles():
    """No more tiles are open than one row has."""
    retiling, most = Retiling(GRID, 2), 0
    for _ in retiling.tiles(blocks(100)):
        most = max(most, len(retiling._begun))
    assert most <= 2 * 3
    assert not retiling._begun


@pytest.mark.parametrize("fault", ["missing", "twice", "instead"])
def test_each_cell_is_expected_once(fault):
    """A block left out, given twice, or given instead of another of its size."""
    given = blocks(100)
    given = {"missing": given[:-1], "twice": [*given, given[0]], "instead": [*given[:1], *given[:1], *given[2:]]}[fault]
    with pytest.raises(GridError, match="exactly once"):
        list(Retiling(GRID, 2).tiles(given))
