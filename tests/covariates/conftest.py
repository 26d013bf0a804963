"""Rasters that the tests of covariates share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from alm_core.covariates.stack import LayerSource, Stack, stage
from alm_core.grid import Grid
from tests.rasters import write_raster


@pytest.fixture
def grid() -> Grid:
    """60 x 80 cells of 0.05 degrees on the plateau."""
    return Grid.from_bounds((90.0, 32.0, 94.0, 35.0), 0.05, crs="EPSG:4326")


@pytest.fixture
def relief(grid: Grid) -> np.ndarray:
    """A smooth random surface, metres, float32 [row, column]."""
    generator = np.random.default_rng(7)
    rows, columns = np.meshgrid(np.arange(grid.shape[0]), np.arange(grid.shape[1]), indexing="ij")
    waves = sum(
        generator.normal(200) * np.sin(rows * generator.uniform(0.05, 0.4) + columns * generator.uniform(0.05, 0.4))
        for _ in range(6)
    )
    return (4800 + waves).astype(np.float32)


@pytest.fixture
def make_stack(tmp_path: Path, grid: Grid) -> Callable[..., Stack]:
    """Write arrays as rasters on the grid and stage them; keywords go to `stage`."""

    def make(arrays: dict[str, np.ndarray], *, derived=(), kinds=None, on: Grid = grid, **options: object) -> Stack:
        layers = [
            LayerSource(
                name=name, path=write_raster(tmp_path / f"in_{name}.tif", array, on), kind=(kinds or {}).get(name, "continuous")
            )
            for name, array in arrays.items()
        ]
        return stage(layers, derived, on, tmp_path / options.pop("folder", "stack"), **options)

    return make
