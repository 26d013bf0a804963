"""Blocks far from the mask are left empty: nothing that a map asks for may change by it."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from alm_core.covariates.extraction import extract
from alm_core.covariates.stack import DerivedSource, LayerSource, stage
from tests.rasters import write_raster

BLOCK = 16
DERIVED = (
    DerivedSource(name="slope", method="slope", inputs={"elevation": "elevation"}),
    DerivedSource(name="northness", method="northness", inputs={"elevation": "elevation"}),
)


@pytest.fixture
def staged(tmp_path, grid, relief):
    """The same layers staged everywhere, and around the mask only; and the mask, which ends at the edge of a block."""
    mask = np.zeros(grid.shape, np.uint8)
    mask[16:30, 32:47] = 1
    mask[59, 79] = 1
    coarse = write_raster(tmp_path / "coarse.tif", relief[::4, ::4], grid.__class__(grid.crs, scaled(grid, 4), (15, 20)))
    layers = [
        LayerSource(name="elevation", path=write_raster(tmp_path / "e.tif", relief, grid)),
        LayerSource(name="coarse", path=coarse),
    ]
    options = {"mask_path": write_raster(tmp_path / "m.tif", mask, grid), "block_size": BLOCK}
    return [
        stage(layers, DERIVED, grid, tmp_path / str(margin), margin_cells=margin, **options) for margin in (None, 3)
    ], mask == 1


def scaled(grid, factor):
    """Transform of cells `factor` times as large."""
    width, _, west, _, height, north = grid.transform
    return width * factor, 0.0, west, 0.0, height * factor, north


def read(stack, name):
    """A whole staged layer."""
    with rasterio.open(stack.file(name)) as dataset:
        return dataset.read(1)


def test_cells_of_the_mask_are_the_same(staged):
    """Every layer, derived ones that look at neighbours too; and the counts of the report."""
    (everywhere, near), mask = staged
    for name in everywhere.kinds:
        np.testing.assert_array_equal(read(near, name)[mask], read(everywhere, name)[mask])
        assert not np.isnan(read(near, name)[mask][:-1]).any()
        assert near.report[name] == everywhere.report[name]


def test_far_blocks_are_empty_and_take_no_room(staged):
    """Blocks with a cell of the mask within the margin are filled whole, all others are absent from the files."""
    (_, near), mask = staged
    found = read(near, "elevation")
    filled = {(row // BLOCK, column // BLOCK) for row, column in np.argwhere(np.isfinite(found))}
    wanted = {
        (near_row // BLOCK, near_column // BLOCK)
        for row, column in np.argwhere(mask)
        for near_row in (max(0, row - 3), row, min(59, row + 3))
        for near_column in (max(0, column - 3), column, min(79, column + 3))
    }
    assert filled == wanted
    assert near.report["mask"]["blocks_left_out"] == 20 - len(wanted)
    with rasterio.open(near.file("coarse")) as dataset:
        assert dataset.get_tag_item("BLOCK_OFFSET_0_3", "TIFF", bidx=1) is None
        assert dataset.get_tag_item("BLOCK_OFFSET_2_1", "TIFF", bidx=1) is not None


def test_sites_inside_the_mask_get_the_same_values(staged, grid):
    """By every method of extraction, also where neighbours lie in the next block."""
    stacks, mask = staged
    rows, columns = np.nonzero(mask)
    x, y = grid.x[columns] + 0.02, grid.y[rows] - 0.02
    for method in ("nearest", "bilinear", "window_mean"):
        first, second = (extract(stack, x, y, method=method, window_cells=5) for stack in stacks)
        np.testing.assert_array_equal(first.to_numpy(), second.to_numpy())


def test_progress_still_counts_every_block(tmp_path, grid, relief):
    """Blocks left out count as done: the bar ends at its end."""
    mask = np.zeros(grid.shape, np.uint8)
    mask[:4, :4] = 1
    told = []
    stage(
        [LayerSource(name="elevation", path=write_raster(tmp_path / "e.tif", relief, grid))],
        [],
        grid,
        tmp_path / "stack",
        mask_path=write_raster(tmp_path / "m.tif", mask, grid),
        block_size=BLOCK,
        margin_cells=0,
        progress=lambda done, total, message: told.append((done, total)),
    )
    assert told[-1] == (40, 40)
