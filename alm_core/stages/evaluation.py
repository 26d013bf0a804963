"""What is measured on the finished maps where the study asks: areas beyond a threshold, published maps beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from alm_core.errors import StudyError
from alm_core.mapping.extent import ExtentErrors, extent, fit_extent_errors
from alm_core.mapping.map_comparison import PublishedMap, compare_with_published
from alm_core.mapping.true_area import ground_points
from alm_core.options import ReferenceMapOptions
from alm_core.stages.context import Context
from alm_core.workspace import read_json, write_json

EXTENT = "extent.json"
REFERENCE_MAPS = "reference_maps.json"


def map_folders(context: Context) -> dict[str, Path]:
    """Folder with the rasters of each time slice; of a study without slices, the map under an empty name."""
    slices = context.options.slices
    if not slices:
        return {"": context.folder / "map"}
    return {one.name: context.folder / "map" / "slices" / one.name for one in slices}


def write_extent(context: Context) -> list[Path]:
    """extent.json: the area on one side of the threshold of the study, in each slice; nothing where none is asked for.

    Raises
    ------
    StudyError
        The study is a classification.
    """
    options = context.options
    wanted = options.extent
    if wanted is None:
        return []
    if options.target.task != "regression":
        raise StudyError("[extent] measures a map of numbers, and this study maps classes: remove it; the card has their areas.")
    level = options.uncertainty.level if options.uncertainty.method != "none" else None
    errors = _errors(context, level)
    rows = []
    for name, folder in map_folders(context).items():
        found = extent(folder, errors, threshold=wanted.threshold, side=wanted.side, level=level, seed=options.study.seed)
        rows.append({"slice": name, **found.to_dict()})
    path = context.folder / EXTENT
    facts = {"name": wanted.name, "unit": options.target.unit, "correlation": errors.correlation.to_dict()}
    write_json(path, facts | {"common_share": errors.common_share, "slices": rows})
    return [path]


def _errors(context: Context, level: float | None) -> ExtentErrors:
    """How the errors of the map hang together, from the out-of-fold errors of the scheme that answers for it.

    Where a site has rows in several slices its mean error counts: the rows are no independent witnesses of the place.
    """
    samples = context.samples
    points = ground_points(context.stack.grid, samples.x, samples.y)
    if level is None:
        return fit_extent_errors(points, np.full(len(samples), np.nan))
    pairs = pd.read_parquet(context.folder / "out_of_fold.parquet")
    headline = read_json(context.folder / "metrics.json")["headline"]
    scheme = headline if headline in set(pairs["scheme"]) else pairs["scheme"].iloc[0]
    pairs = pairs[(pairs["scheme"] == scheme) & (pairs["repeat"] == 0)].set_index("site_id").reindex(samples.site_ids)
    z = float(norm.ppf((1.0 + level) / 2.0))
    sd = (pairs["upper"] - pairs["lower"]).to_numpy(float) / (2.0 * z)
    error = (pairs["observed"].astype(float) - pairs["fused"].astype(float)).to_numpy()
    standardised = np.divide(error, sd, out=np.full(error.shape, np.nan), where=np.isfinite(sd) & (sd > 0))
    sites = samples.site_groups
    first = np.unique(sites, return_index=True)[1]
    mean = pd.Series(standardised).groupby(sites).mean().to_numpy()
    return fit_extent_errors(points[first], mean, seed=context.options.study.seed)


def write_reference_maps(context: Context) -> list[Path]:
    """reference_maps.json and a raster of differences for each published map of the study; nothing where it names none."""
    options = context.options
    if not options.reference_maps:
        return []
    folders = map_folders(context)
    rows, written = [], []
    for one in options.reference_maps:
        name = one.slice or options.main_slice
        target = context.folder / "map" / f"difference_{one.name}.tif"
        published = published_map(context, one)
        found = compare_with_published(
            folders[name] / "fused.tif", published, target, unit=options.target.unit, tags=_tags(context, name)
        )
        rows.append({"slice": name, **found.to_dict()})
        written.append(target)
    path = context.folder / REFERENCE_MAPS
    write_json(path, {"maps": rows})
    return [*written, path]


def published_map(context: Context, one: ReferenceMapOptions) -> PublishedMap:
    """A published map as the study describes it."""
    fields: dict[str, Any] = one.model_dump(exclude={"slice", "path", "codes", "ranges"})
    return PublishedMap(path=context.study.file(one.path), codes=one.codes or None, ranges=one.ranges or None, **fields)


def _tags(context: Context, name: str) -> dict[str, Any]:
    head = context.options.study
    tags = {"study": head.name, "run": context.run_id, "target": context.options.target.name, "slice": name}
    if head.simulated:
        tags["simulated"] = "yes: sites and rasters come from written formulas"
    return {key: value for key, value in tags.items() if value}
