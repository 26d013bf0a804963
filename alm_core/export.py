"""Write a layer of a finished run as GeoTIFF: whole or cut to an area, fused as computed or with other weights."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

from alm_core.covariates.samples import Samples
from alm_core.errors import StudyError
from alm_core.grid import Block, Grid
from alm_core.learning.folds import Folds
from alm_core.learning.fusion import Fusion
from alm_core.learning.procedure import LearnerSpec, Procedure, fit_regression_fusion
from alm_core.mapping.area import read_area
from alm_core.mapping.clip import STANDARD_LAYERS, ClipResult, clip_rasters
from alm_core.mapping.cog import open_raster, write_cog
from alm_core.options import StudyOptions
from alm_core.stages.mapping import INNER
from alm_core.workspace import Run

BLOCK_CELLS = 1024
TRUST_LAYERS = {"dissimilarity": ("uncertainty.tif", 3), "density": ("uncertainty.tif", 4), "inside": ("uncertainty.tif", 5)}


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes
    ----------
    path : Path
    cells : int
        Cells of the map inside the area.
    valid_cells : int
        Of those, cells with a value.
    notes : tuple of str
    """

    path: Path
    cells: int
    valid_cells: int
    notes: tuple[str, ...]


def export_layer(
    run: Run,
    out: str | Path,
    *,
    layer: str = "fused",
    clip: str | Path | None = None,
    bbox: tuple[float, float, float, float] | None = None,
    weights: dict[str, float] | None = None,
) -> Export:
    """Write a layer of a run.

    Parameters
    ----------
    run : Run
    out : path
        GeoTIFF to write.
    layer : str
        ``fused`` (value, lower, upper, dissimilarity, density, inside), ``members``, or the name of one learner.
    clip : path, optional
        GeoJSON or GeoPackage with the area.
    bbox : tuple, optional
        West, south, east, north in degrees.
    weights : dict, optional
        Weight of each learner by hand; those not named get 0. Bias correction and intervals are fitted anew for them on the
        same out-of-fold predictions.

    Returns
    -------
    Export

    Raises
    ------
    StudyError
        Both `clip` and `bbox`, an unknown layer, or weights for what has none.
    GridError
        The area lies outside the map.
    """
    if clip is not None and bbox is not None:
        raise StudyError("Both an area file and a box came: give one of --clip and --bbox.")
    options = StudyOptions.model_validate(run.record["options"])
    folder = run.file("map")
    area = read_area(clip) if clip is not None else None
    with open_raster(run.file("map/fused.tif")) as dataset:
        grid = Grid.from_dataset(dataset)
    bounds, crs = bbox, "EPSG:4326"
    if area is None and bbox is None:
        bounds, crs = grid.bounds, None
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as temporary:
        sources = _sources(run, options, layer, folder)
        tags: dict[str, object] = {}
        if weights is not None:
            sources, tags = (
                _with_weights(run, options, layer, weights, grid, Path(temporary)),
                {"weights": weights, "fusion": "manual"},
            )
        result = clip_rasters(
            sources,
            out,
            area=area,
            bounds=bounds if area is None else None,
            crs=crs,
            tags=tags,
            compression=options.map.compression,
        )
    return _summary(result)


def _summary(result: ClipResult) -> Export:
    return Export(result.path, result.cells_inside, max(result.cells_with_data.values()), result.notes)


def _sources(run: Run, options: StudyOptions, layer: str, folder: Path) -> dict[str, tuple[Path, int]]:
    names = [learner.name for learner in options.learners]
    if layer == "members" or layer in names:
        wanted = names if layer == "members" else [layer]
        return {name: (folder / "members.tif", names.index(name) + 1) for name in wanted}
    if layer != "fused":
        raise StudyError(f"There is no layer {layer!r}. The layers are fused, members, {', '.join(names)}.")
    found = {name: (folder / file, band) for name, (file, band) in {**STANDARD_LAYERS, **TRUST_LAYERS}.items()}
    if options.target.task == "classification":
        return {"value": (folder / "fused.tif", 1)}
    return found


def _with_weights(
    run: Run, options: StudyOptions, layer: str, weights: dict[str, float], grid: Grid, temporary: Path
) -> dict[str, tuple[Path, int]]:
    """Fuse the members of the map again; the trust layers stay, because they do not depend on weights."""
    if layer != "fused" or options.target.task != "regression":
        raise StudyError("--weights go with the layer fused of a regression only: leave them out, or ask for --layer fused.")
    if options.kriging.residual or options.bias.method == "residual":
        raise StudyError(
            "This run adds a model of the residual, which was fitted for its own weights. "
            "Change [fusion] of the study and run it again."
        )
    path = temporary / "fused.tif"
    with open_raster(run.file("map/members.tif")) as members:
        write_cog(
            path,
            fused_blocks(members, grid, refit_with_weights(run, options, weights)),
            grid,
            band_names=["value", "lower", "upper"],
            units=[options.target.unit] * 3,
            tags=members.tags(),
            compression=options.map.compression,
        )
    fresh = {name: (path, band) for band, name in enumerate(("value", "lower", "upper"), start=1)}
    return {**fresh, **{name: (run.file("map") / file, band) for name, (file, band) in TRUST_LAYERS.items()}}


def fused_blocks(members: rasterio.DatasetReader, grid: Grid, fusion: Fusion) -> Iterator[tuple[Block, np.ndarray]]:
    """Fuse the member bands block by block: value, lower and upper as float32 ``[3, row, column]``."""
    scales = np.array(members.scales)[:, None, None]
    for block in grid.blocks(BLOCK_CELLS):
        raw = members.read(window=block.window, masked=True)
        fused = fusion.predict(np.where(np.ma.getmaskarray(raw), np.nan, raw.data * scales))
        nothing = np.full(fused.value.shape, np.nan)
        layers = [nothing if layer is None else layer for layer in (fused.value, fused.lower, fused.upper)]
        yield block, np.stack(layers).astype(np.float32)


def refit_with_weights(run: Run, options: StudyOptions, weights: dict[str, float]) -> Fusion:
    """A fusion with weights by hand, its bias correction and intervals fitted on the run's own out-of-fold predictions.

    Raises
    ------
    StudyError
        A weight for a learner that the run does not have.
    """
    names = [learner.name for learner in options.learners]
    unknown = sorted(set(weights) - set(names))
    if unknown:
        raise StudyError(f"Weights came for {', '.join(unknown)}; the learners of this run are {', '.join(names)}.")
    samples = Samples.from_parquet(run.file("samples.parquet"))
    inner = pd.read_parquet(run.file(INNER)).set_index("site_id").loc[samples.site_ids]
    target, uncertainty = options.target, options.uncertainty
    plan = Procedure(
        learners=tuple(LearnerSpec(name, name) for name in names),
        fusion={
            "method": "manual",
            "weights": {name: weights.get(name, 0.0) for name in names},
            "correction": options.bias.method,
            "blend": options.bias.blend,
            "minimum": target.minimum,
            "maximum": target.maximum,
        },
        interval={"level": uncertainty.level, "normalise": uncertainty.normalise} if uncertainty.method != "none" else None,
        seed=options.study.seed,
    )
    folds = Folds("random", inner["fold"].to_numpy()[None], {})
    fusion, _, _ = fit_regression_fusion(samples, plan, folds, inner[names].to_numpy().T)
    return fusion
