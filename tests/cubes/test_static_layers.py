"""Static layers at mapped cells."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from alm_core.covariates.stack import LayerSource, stage
from alm_core.cubes.static_layers import read_static
from alm_core.cubes.store import CubeStore
from alm_core.errors import GridError
from alm_core.grid import Grid
from tests.rasters import write_raster

GRID = Grid.from_bounds((80, 30, 84, 33), 1, crs="EPSG:4326")


def test_values_of_the_cells(tmp_path, monkeypatch):
    """Each cell has its own value, whatever the blocks, and layers that no learner is offered can be read too."""
    monkeypatch.setattr("alm_core.cubes.static_layers.BLOCK_CELLS", 2)
    numbers = np.arange(12, dtype=np.float32).reshape(3, 4)
    layers = [
        LayerSource(name="a", path=write_raster(tmp_path / "a.tif", numbers, GRID)),
        LayerSource(name="b", path=write_raster(tmp_path / "b.tif", numbers * 10, GRID), use=False),
    ]
    stack = stage(layers, [], GRID, tmp_path / "stack")
    cells = np.array([1, 4, 6, 11])
    store = CubeStore.create(tmp_path / "cubes", GRID, date(2012, 1, 1), 1, cells, ())
    found = read_static(stack, store, ["b", "a"])
    assert {name: values.tolist() for name, values in found.items()} == {"b": [10, 40, 60, 110], "a": [1, 4, 6, 11]}
    assert read_static(stack, store, []) == {}
    other = Grid.from_bounds((80, 30, 83, 33), 1, crs="EPSG:4326")
    with pytest.raises(GridError, match="one grid is expected"):
        read_static(stack, CubeStore.create(tmp_path / "other", other, date(2012, 1, 1), 1, np.array([0]), ()), ["a"])
