"""Blocks that cover a grid exactly once, and those that do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alm_core.errors import GridError
from alm_core.grid import Grid
from alm_core.mapping.covering import check_covering

GRID = Grid.from_bounds((0, 0, 130, 110), 1, crs="EPSG:32645")


@pytest.mark.parametrize("size", [1, 10, 37, 110, 1000])
def test_divisions_cover(size):
    """Every division of the grid, in any order."""
    blocks = list(GRID.blocks(size))
    check_covering(GRID, blocks)
    check_covering(GRID, [blocks[number] for number in np.random.default_rng(size).permutation(len(blocks))])


def test_mixed_divisions_cover():
    """Sizes may differ as long as nothing is left out."""
    large = list(GRID.blocks(40))
    small = [replace(large[0], row_stop=7), replace(large[0], row_start=7)]
    check_covering(GRID, [*large[1:], *small])


@pytest.mark.parametrize("fault", ["missing", "twice", "instead", "shifted", "none"])
def test_each_cell_is_expected_once(fault):
    """A block left out, given twice, given instead of another of its size, moved by a cell, or no block at all."""
    given = list(GRID.blocks(10))
    moved = replace(given[5], column_start=given[5].column_start + 1, column_stop=given[5].column_stop + 1)
    given = {
        "missing": given[:-1],
        "twice": [*given, given[0]],
        "instead": [*given[:1], *given[:1], *given[2:]],
        "shifted": [*given[:5], moved, *given[6:]],
        "none": [],
    }[fault]
    with pytest.raises(GridError, match="exactly once"):
        check_covering(GRID, given)
