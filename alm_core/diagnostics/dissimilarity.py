"""The dissimilarity index (DI): of the mapped cells, and of every site against the sites that trained for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.enums import Resampling
from scipy.spatial import cKDTree

from alm_core.grid import Grid
from alm_core.learning.applicability import Applicability
from alm_core.learning.folds import Folds
from alm_core.mapping.cog import open_raster
from alm_core.workspace import Run, read_json

AREA, TRUST = "applicability.json", "map/uncertainty.tif"
EXACT_CELLS = 12_000_000
"""Larger rasters are read through their overviews."""
BLOCK_CELLS = 1024


def has_applicability(run: Run) -> bool:
    """True where the run has an area of applicability and a map to lay it over."""
    return (run.folder / AREA).is_file() and (run.folder / TRUST).is_file()


def applicability(run: Run) -> Applicability:
    """The fitted area of applicability."""
    return Applicability.from_dict(read_json(run.file(AREA)))


@dataclass(frozen=True)
class MapDissimilarity:
    """Dissimilarity of the mapped cells.

    Attributes
    ----------
    values : ndarray
        float32, sorted, of the cells that have one.
    cells : int
        Mapped cells that the values stand for.
    exact : bool
        False where the raster was read through overviews, whose values are means of neighbouring cells.
    routed : float
        Mapped cells without a dissimilarity, because a covariate is missing there, for each that has one; never inside.
    """

    values: np.ndarray
    cells: int
    exact: bool
    routed: float = 0.0

    def inside(self, threshold: float) -> float:
        """Part of the map, 0 to 1, with a DI up to the threshold; NaN for an empty map."""
        if self.values.size == 0:
            return float("nan")
        return float(np.searchsorted(self.values, threshold, side="right") / (self.values.size * (1 + self.routed)))

    def to_dict(self) -> dict[str, Any]:
        """Counts and quantiles."""
        quantiles = np.quantile(self.values, [0.05, 0.5, 0.95]).tolist() if self.values.size else []
        return {"cells": self.cells, "exact": self.exact, "quantiles": quantiles}


def map_dissimilarity(run: Run) -> MapDissimilarity:
    """Read the dissimilarity of the map: every cell, or through overviews where the raster is large.

    Raises
    ------
    MissingFileError
        The run has no map yet.
    """
    with open_raster(run.file(TRUST)) as dataset:
        band = list(dataset.descriptions).index("dissimilarity") + 1
        grid = Grid.from_dataset(dataset)
        if grid.size > EXACT_CELLS:
            step = int(np.ceil(np.sqrt(grid.size / EXACT_CELLS)))
            shape = grid.shape[0] // step, grid.shape[1] // step
            stored = dataset.read(band, out_shape=shape, masked=True, resampling=Resampling.nearest)
            values = np.ma.filled(stored.astype(np.float32), np.nan)
            values = values[np.isfinite(values)]
        else:
            step, parts = 1, []
            for block in grid.blocks(BLOCK_CELLS):
                part = dataset.read(band, window=block.window)
                parts.append(part[np.isfinite(part)])
            values = np.concatenate(parts)
    counts = read_json(run.file("map/map.json"))["counts"]
    known = counts["mapped"] - counts["routed"]
    routed = counts["routed"] / known if known else 0.0
    return MapDissimilarity(np.sort(values.astype(np.float32)), int(values.size) * step**2, step == 1, routed)


def scheme_dissimilarity(run: Run, area: Applicability) -> dict[str, np.ndarray]:
    """Dissimilarity index of every site against the sites that trained for it, per scheme (first repeat).

    Returns
    -------
    dict
        Scheme to ``[site]`` in the order of samples.parquet; NaN for a site that was never tested or lacks a covariate.
    """
    complete = np.isfinite(area.training_dissimilarity)
    found = {}
    for scheme, content in read_json(run.file("folds.json")).items():
        values = np.full(complete.size, np.nan)
        for repeat, _, train, test in Folds.from_dict(content).splits():
            if repeat:
                break
            values[test] = _nearest(area, complete, train, test)
        found[scheme] = values
    return found


def _nearest(area: Applicability, complete: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Distance of each test site to its nearest training site over the mean distance; NaN where a covariate is missing."""
    row_of = np.cumsum(complete) - 1
    distance = np.full(test.size, np.nan)
    usable, known = complete[test], train[complete[train]]
    if usable.any() and known.size:
        tree = cKDTree(area.points[row_of[known]])
        distance[usable] = tree.query(area.points[row_of[test[usable]]])[0] / area.mean_distance
    return distance
