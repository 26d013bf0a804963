"""The sample of the map: regular, inside the mask, and the same however the mask is read."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates import domain
from alm_core.covariates.domain import sample_domain
from alm_core.covariates.layers import LayerSource
from alm_core.covariates.stack import stage
from tests.rasters import write_raster


@pytest.fixture
def masked(tmp_path, grid, relief):
    """A stack whose mask has two thirds of the cells, here and there."""
    mask = (np.random.default_rng(4).random(grid.shape) < 0.66).astype(np.uint8)
    layer = LayerSource(name="elevation", path=write_raster(tmp_path / "e.tif", relief, grid))
    return stage([layer], [], grid, tmp_path / "stack", mask_path=write_raster(tmp_path / "m.tif", mask, grid)), mask == 1


@pytest.mark.parametrize("n", [1, 40, 333, 1000, 10**6])
@pytest.mark.parametrize("block", [7, 16, 64, 2048])
def test_every_so_many_rows_and_columns(masked, monkeypatch, n, block):
    """Cells of every k-th row and column that are inside the mask, row by row, whatever the blocks are."""
    stack, mask = masked
    monkeypatch.setattr(domain, "BLOCK_CELLS", block)
    step = max(1, int(np.sqrt(mask.sum() / n)))
    rows, columns = np.nonzero(mask[::step, ::step])
    expected = np.column_stack([stack.grid.x[columns * step], stack.grid.y[rows * step]])
    np.testing.assert_array_equal(sample_domain(stack, n), expected)
