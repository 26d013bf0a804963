"""Grid: cells, blocks, metres."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import CrsError, GridError
from alm_core.grid import Grid, normal_crs

BOX = (68.0, 25.8, 105.0, 39.8)


def test_from_bounds_counts_cells_and_gives_bounds_back():
    """A box of whole cells is kept exactly."""
    grid = Grid.from_bounds(BOX, 0.05, crs="EPSG:4326")
    assert grid.shape == (280, 740)
    np.testing.assert_allclose(grid.bounds, BOX, atol=1e-9)


def test_the_published_grid_has_its_published_shape():
    """3 arc-seconds over the published box is 43,990 x 16,790 cells."""
    grid = Grid("EPSG:4326", (1 / 1200, 0.0, 68.02444444444444, 0.0, -1 / 1200, 39.805), (16790, 43990))
    np.testing.assert_allclose(grid.bounds, (68.02444, 25.81333, 104.68277, 39.805), atol=1e-4)


@pytest.mark.parametrize(
    ("bounds", "resolution", "words"),
    [
        ((105, 25, 68, 39), 0.05, "swapped"),
        ((68, 39, 105, 25), 0.05, "swapped"),
        ((68, 25, 105.01, 39), 0.05, "whole number"),
        ((68, 25, 105, 39), 0.0, "positive"),
    ],
)
def test_impossible_boxes_are_refused_with_the_cure(bounds, resolution, words):
    """The message says what is wrong with the box."""
    with pytest.raises(GridError, match=words):
        Grid.from_bounds(bounds, resolution, crs="EPSG:4326")


def test_rotated_and_south_up_transforms_are_refused():
    """Only north-up grids travel."""
    with pytest.raises(GridError, match="rotated"):
        Grid("EPSG:4326", (1.0, 0.1, 0.0, 0.0, -1.0, 10.0), (5, 5))
    with pytest.raises(GridError, match="north-up"):
        Grid("EPSG:4326", (1.0, 0.0, 0.0, 0.0, 1.0, 10.0), (5, 5))


@pytest.mark.parametrize("size", [1, 3, 4, 7, 100])
def test_blocks_cover_every_cell_once(size):
    """Every cell is in exactly one block, whatever the block size."""
    grid = Grid.from_bounds((0, 0, 13, 7), 1, crs="EPSG:4326")
    seen = np.zeros(grid.shape, int)
    for block in grid.blocks(size):
        seen[block.slices] += 1
    assert (seen == 1).all()


def test_halo_is_cut_at_the_edge():
    """A corner block grows only inwards."""
    grid = Grid.from_bounds((0, 0, 10, 10), 1, crs="EPSG:4326")
    first = next(iter(grid.blocks(4, halo=2))).padded
    assert first.slices == (slice(0, 6), slice(0, 6))


def test_window_of_a_block_has_its_place():
    """The grid of a block starts at its own corner."""
    grid = Grid.from_bounds((0, 0, 10, 10), 1, crs="EPSG:4326")
    block = list(grid.blocks(4))[4]
    assert grid.window(block).bounds == (4.0, 2.0, 8.0, 6.0)


def test_cell_index_and_centres_agree():
    """The centre of every cell lies in that cell; points outside get -1."""
    grid = Grid.from_bounds((90, 30, 91, 31), 0.25, crs="EPSG:4326")
    x, y = np.meshgrid(grid.x, grid.y)
    assert (grid.cell_index(x.ravel(), y.ravel()) == np.arange(grid.size)).all()
    assert grid.cell_index(np.array([89.9, 91.0]), np.array([30.5, 30.5])).tolist() == [-1, -1]


def test_cell_width_shrinks_with_latitude():
    """At the equator a degree is 111.3 km wide, at 60 N about half of it (WGS84)."""
    grid = Grid.from_bounds((0, -0.5, 1, 60.5), 1, crs="EPSG:4326")
    width, height = grid.cell_size_metres()
    assert width[-1] == pytest.approx(111_319.49, abs=1)
    assert width[0] == pytest.approx(55_800, abs=15)
    assert height[-1] == pytest.approx(110_574, abs=5)


def test_projected_cells_are_their_own_size():
    """Metres stay metres."""
    width, height = Grid.from_bounds((0, 0, 400, 400), 40, crs="EPSG:28992").cell_size_metres()
    assert set(width) == {40.0}
    assert set(height) == {40.0}


def test_grids_compare_and_hash_by_value():
    """Two grids made alike are one key, whatever way the CRS was written."""
    one, two = (Grid.from_bounds(BOX, 0.05, crs=crs) for crs in ("EPSG:4326", "epsg:4326"))
    assert one == two
    assert len({one, two}) == 1
    assert Grid.from_dict(one.to_dict()) == one


def test_unknown_crs_is_refused():
    """The message gives an example of a good one."""
    with pytest.raises(CrsError, match="EPSG:4326"):
        normal_crs("EPSG:999999")
