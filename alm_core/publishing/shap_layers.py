"""Why the map says what it says, as a raster: Shapley values of the fused value on a coarse grid, one band per covariate.

Explaining a cell costs about as much as predicting a thousand, so a map is explained on every n-th cell. Nothing is averaged:
each coarse cell shows its middle cell, and the bands add up to the fused value there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.grid import Grid
from alm_core.inspection.query import load_models, own_fusion
from alm_core.mapping.cog import open_raster, write_cog
from alm_core.options import StudyOptions
from alm_core.publishing.export import find_run, read_physical
from alm_core.workspace import Run, read_json

FILE = "map/shap.tif"
OTHER = "other"
"""The band of all covariates that have none of their own."""
CELLS = 20_000
TOP = 6
CHUNK = 2_000
Progress = Callable[[int, int, str], None]


def write_shap_layers(run: Run, *, cells: int = CELLS, top: int = TOP, progress: Progress | None = None) -> Path:
    """Explain a map on a coarse grid and write ``map/shap.tif``.

    Parameters
    ----------
    run : Run
        Of a regression whose members are all trees.
    cells : int
        At most so many mapped cells are explained.
    top : int
        Covariates with a band of their own, those with the largest mean |contribution|; the last band, ``other``, holds all
        the rest, and the residual model where the run has one.
    progress : callable, optional
        ``progress(done, total, message)``.

    Returns
    -------
    Path
        Float32 in the unit of the target. Tags: ``base`` (base plus all bands is the fused value of the middle cell of each
        coarse cell), ``factor`` (cells of the map along the side of a coarse cell), ``explained_cells``, and those of the map.

    Raises
    ------
    LearnerError
        The run is a classification, or a member is not made of trees.
    """
    options = StudyOptions.model_validate(run.record["options"])
    facts = read_json(run.file("models.json"))
    _check(options, facts)
    with open_raster(run.file("map/fused.tif")) as dataset:
        grid = Grid.from_dataset(dataset)
        tags = {key: value for key, value in dataset.tags().items() if key != "AREA_OR_POINT"}
    _tell(progress, 0, 100, "choosing cells")
    factor, value = _coarse(run, grid, cells)
    coarse = coarse_grid(grid, factor)
    known = np.isfinite(value)
    _tell(progress, 5, 100, "reading covariates")
    features = _features(run, grid, factor, known, tuple(facts["features"]), progress)
    parts, base = _explained(run, features, progress)
    parts, names = _largest(parts, tuple(facts["features"]), value[known] - base, top)
    bands = np.full((len(names), *coarse.shape), np.nan, np.float32)
    bands[:, known] = parts.T
    about = {
        "base": f"{base:.9g}",
        "factor": factor,
        "explained_cells": int(known.sum()),
        "content": "Shapley values of the fused value of the middle cell of each coarse cell",
    }
    target = run.folder / FILE
    write_cog(
        target, bands, coarse, band_names=names, units=options.target.unit, tags=tags | about, compression=options.map.compression
    )
    _tell(progress, 100, 100, "written")
    return target


def shap_layers_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Progress) -> dict[str, Any]:
    """The job ``shap_layers``: `spec` holds study, run, and any of cells and top; the raster goes into the run."""
    run = find_run(workspace, spec["study"], spec["run"])
    path = write_shap_layers(run, cells=int(spec.get("cells", CELLS)), top=int(spec.get("top", TOP)), progress=report)
    with open_raster(path) as dataset:
        return {
            "files": [],
            "cells": int(dataset.tags()["explained_cells"]),
            "layers": [f"shap:{name}" for name in dataset.descriptions],
            "notes": [],
        }


def coarse_grid(grid: Grid, factor: int) -> Grid:
    """The grid of squares of `factor` cells; the last ones may reach beyond the map.

    Examples
    --------
    >>> coarse_grid(Grid.from_bounds((90, 30, 91, 31), 0.1, crs="EPSG:4326"), 4).shape
    (3, 3)
    """
    width, height = grid.resolution
    west, north = grid.transform[2], grid.transform[5]
    shape = math.ceil(grid.shape[0] / factor), math.ceil(grid.shape[1] / factor)
    return Grid(grid.crs, (width * factor, 0.0, west, 0.0, -height * factor, north), shape)


def middles(count: int, factor: int) -> np.ndarray:
    """The middle cell of each coarse cell along one side; the last one within the grid.

    Examples
    --------
    >>> middles(10, 4).tolist()
    [2, 6, 9]
    """
    return np.minimum(np.arange(math.ceil(count / factor)) * factor + factor // 2, count - 1)


# ---- parts --------------------------------------------------------------------------------------------------------------


def _check(options: StudyOptions, facts: dict[str, Any]) -> None:
    if options.target.task != "regression":
        raise LearnerError("This run maps classes: the layers explain the fused value of a number.")
    untold = [spec["name"] for spec in facts["learners"] if spec["name"] not in facts["saved"]]
    if untold:
        raise LearnerError(
            f"The members {', '.join(untold)} are not made of trees and can't be explained exactly. "
            "Leave them out of [[learners]] and run the study again."
        )


def _coarse(run: Run, grid: Grid, cells: int) -> tuple[int, np.ndarray]:
    """The factor that leaves at most `cells` mapped cells, and the fused values of the middle cells."""
    mapped = int(read_json(run.file("map/map.json"))["counts"]["mapped"])
    factor = max(1, math.floor(math.sqrt(mapped / cells)))
    while True:
        with open_raster(run.file("map/fused.tif")) as dataset:
            value = _at_middles(dataset, grid, factor)
        if np.isfinite(value).sum() <= cells:
            return factor, value
        factor += 1


def _at_middles(dataset: Any, grid: Grid, factor: int) -> np.ndarray:
    """The middle cells of a raster, read block by block."""
    rows, columns = middles(grid.shape[0], factor), middles(grid.shape[1], factor)
    found = np.full((len(rows), len(columns)), np.nan)
    for block in grid.blocks(1024):
        down = np.flatnonzero((rows >= block.row_start) & (rows < block.row_stop))
        across = np.flatnonzero((columns >= block.column_start) & (columns < block.column_stop))
        if not (down.size and across.size):
            continue
        values = read_physical(dataset, 1, block.window)
        found[np.ix_(down, across)] = values[np.ix_(rows[down] - block.row_start, columns[across] - block.column_start)]
    return found


def _features(
    run: Run, grid: Grid, factor: int, known: np.ndarray, names: tuple[str, ...], progress: Progress | None
) -> np.ndarray:
    """Covariates of the mapped middle cells, float32 ``[cell, covariate]``."""
    features = np.empty((int(known.sum()), len(names)), np.float32)
    for number, name in enumerate(names):
        with open_raster(run.file(f"covariates/{name}.tif")) as dataset:
            features[:, number] = _at_middles(dataset, grid, factor)[known]
        _tell(progress, 5 + round(15 * (number + 1) / len(names)), 100, name)
    return features


def _explained(run: Run, features: np.ndarray, progress: Progress | None) -> tuple[np.ndarray, float]:
    """Contributions ``[cell, covariate]`` and base, cells in chunks: the tables of all members stay small."""
    from alm_core.learning.explanation import explain_fused, explain_members

    models, fusion = load_models(run), own_fusion(run).with_interval(None)
    parts, base = np.empty(features.shape), float("nan")
    for start in range(0, len(features), CHUNK):
        rows = features[start : start + CHUNK]
        members = explain_members(models, rows)
        found = explain_fused(fusion, members, np.stack([model.predict(rows) for model in models]))
        parts[start : start + CHUNK], base = found.values, float(found.base)
        done = min(start + CHUNK, len(features))
        _tell(progress, 20 + round(79 * done / len(features)), 100, f"{done:,} of {len(features):,} cells")
    return parts, base


def _largest(parts: np.ndarray, names: tuple[str, ...], whole: np.ndarray, top: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """The largest columns, and a last one with what they leave of `whole`."""
    order = (
        np.argsort(-np.abs(parts).mean(axis=0), kind="stable")[: max(1, top)] if len(parts) else np.arange(min(top, len(names)))
    )
    kept = parts[:, order]
    rest = whole - kept.sum(axis=1)
    return np.column_stack([kept, rest]), (*(names[number] for number in order), OTHER)


def _tell(progress: Progress | None, done: int, total: int, message: str) -> None:
    if progress is not None:
        progress(done, total, message)
