"""Copies of finished runs that a test may write to."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from alm_core.grid import Grid
from alm_core.mapping.cog import describe_raster, open_raster, write_cog
from alm_core.workspace import Run


def copy_run(run: Run, workspace: Path) -> Run:
    """The study folder of a run with this run alone, in another workspace."""
    target = workspace / run.folder.parent.name / run.id
    shutil.copytree(run.folder, target)
    return Run(target)


def grid_of(run: Run) -> Grid:
    """The grid of a run's map."""
    with open_raster(run.file("map/fused.tif")) as dataset:
        return Grid.from_dataset(dataset)


def rewrite_map(
    run: Run, value: np.ndarray, *, width: float = 0.2, inside: np.ndarray | None = None, grid: Grid | None = None
) -> None:
    """Put other values, an interval of constant width and an area of applicability into the map of a copied run."""
    grid = grid or grid_of(run)
    tags = describe_raster(run.file("map/fused.tif"))["tags"]
    value = np.broadcast_to(np.asarray(value, float), grid.shape).astype(np.float32)
    hole = np.where(np.isnan(value), np.nan, 0.0)
    inside = np.ones(grid.shape) if inside is None else inside
    write_cog(run.folder / "map/fused.tif", value, grid, band_names=["fused"], units="m3 m-3", tags=tags)
    trust = np.stack([value - width / 2, value + width / 2, hole + 0.1, hole + 3, hole + inside])
    names = ["lower", "upper", "dissimilarity", "density", "inside"]
    units = ["m3 m-3", "m3 m-3", "1", "sites", "1"]
    write_cog(run.folder / "map/uncertainty.tif", trust, grid, band_names=names, units=units, tags=tags)
