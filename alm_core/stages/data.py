"""The stages that make samples: covariates on the grid, screened sites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pyproj import Transformer

from alm_core.covariates.derived import RECIPES
from alm_core.covariates.extraction import extract_slices
from alm_core.covariates.raster import open_raster
from alm_core.covariates.samples import make_samples
from alm_core.covariates.stack import DerivedSource, LayerSource, Stack, stage
from alm_core.errors import CrsError, SitesError
from alm_core.grid import Grid
from alm_core.mapping.published import check_publishable
from alm_core.options import DerivedOptions, StudyOptions
from alm_core.sites.screening import audit, screen
from alm_core.sites.table import SiteTable, check_target, read_sites
from alm_core.stages.bounded import FILE, write_bounded
from alm_core.stages.context import Context
from alm_core.study import Study
from alm_core.workspace import write_json

SMALLEST_MARGIN = 16
"""Cells around the mask that are staged at least: slopes and interpolation at its edge need neighbours."""


def study_grid(study: Study) -> Grid:
    """The grid that the study names, by a raster or by bounds.

    Raises
    ------
    CrsError, GridError, RasterError
        There is no such grid.
    StudyError
        The study is to be published and the grid is not in longitude and latitude.
    """
    grid = _grid(study)
    check_publishable(grid, study.options.map.publish_as)
    return grid


def _grid(study: Study) -> Grid:
    options = study.options.grid
    if options.like:
        with open_raster(study.file(options.like)) as dataset:
            grid = Grid.from_dataset(dataset, crs=options.crs)
        if grid.crs is None:
            raise CrsError(
                f'{options.like} carries no CRS, so sites can\'t be placed on it. Name it in the study: [grid] crs = "EPSG:...".'
            )
        return grid
    box = options.bounds
    return Grid.from_bounds((box.west, box.south, box.east, box.north), options.resolution, crs=options.crs)


def layer_sources(study: Study) -> tuple[list[LayerSource], list[DerivedSource]]:
    """The layers of the study with absolute paths."""
    layers = [LayerSource(**study.layer_fields(layer)) for layer in study.options.covariates]
    return layers, [DerivedSource(**derived.model_dump()) for derived in study.options.derived]


def stage_covariates(context: Context) -> list[Path]:
    """Bring every layer onto the grid and compute the derived ones."""
    options = context.options
    layers, derived = layer_sources(context.study)
    stage(
        layers,
        derived,
        study_grid(context.study),
        context.folder / "covariates",
        mask_path=context.study.file(options.grid.mask) if options.grid.mask else None,
        mask_values=options.grid.mask_values,
        mask_crs=options.grid.crs,
        progress=context.report,
        workers=context.workers,
        margin_cells=staging_margin(options),
        slices=[one.name for one in options.slices],
        main_slice=options.main_slice,
    )
    return context.files("covariates")


def staging_margin(options: StudyOptions) -> int | None:
    """Cells around the mask that need covariates; None where all do: sites outside it may be used, or flow is computed."""
    if options.days and options.grid.mask and not any(RECIPES[source.method].whole for source in options.derived):
        return SMALLEST_MARGIN
    if not options.grid.mask or not options.screening.require_inside_mask or options.screening.keep:
        return None
    if any(RECIPES[source.method].whole for source in options.derived):
        return None  # water comes from beyond the mask
    return max(SMALLEST_MARGIN, options.extraction.window_cells)


def read_table(study: Study, grid: Grid | None = None) -> SiteTable:
    """The site table of the study, converted but not yet screened."""
    options = study.options.sites
    return read_sites(
        study.file(options.table),
        columns=options.columns.model_dump(),
        crs=options.crs,
        sheet=options.sheet,
        layer=options.layer,
        value_unit=options.value_unit,
        sentinels=options.sentinels,
        conversion=options.conversion.model_dump() if options.conversion else None,
        repeats=options.repeats,
        bounds=geographic_bounds(grid) if grid is not None else None,
        value_maximum=study.options.target.maximum,
        censored=study.options.target.censored,
        slices=[(one.name, one.first_year, one.last_year) for one in study.options.slices],
    )


def geographic_bounds(grid: Grid) -> tuple[float, float, float, float]:
    """West, south, east, north of a grid in degrees."""
    if grid.is_geographic:
        return grid.bounds
    return Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform_bounds(*grid.bounds)


def stage_sites(context: Context) -> list[Path]:
    """Read, convert and screen the sites, and take the covariates at them."""
    options, stack = context.options, context.stack
    table = read_table(context.study, stack.grid)
    x, y, features = covariates_at(context, table)
    cells = stack.grid.cell_index(x, y)
    screened = screen(
        table,
        **options.screening.model_dump(),
        cell_index=cells,
        inside_mask=mask_at(stack, cells),
        features=features,
        grid=stack.grid,
        task=options.target.task,
        transform=options.target.transform,
        categorical=tuple(name for name, kind in stack.kinds.items() if kind == "categorical"),
    )
    kept = screened.frame["kept"].to_numpy(bool)
    check_any_left(screened)
    samples = make_samples(screened.frame[kept], features[kept], x[kept], y[kept])
    check_target(samples.target, options.target.task, name=options.target.name, transform=options.target.transform)
    if len(samples) < options.validation.folds:
        raise SitesError(
            f"{len(samples)} sites are left after screening, fewer than the {options.validation.folds} folds. "
            "Look at sites.parquet for the reasons, and loosen [screening] or lower validation.folds."
        )
    screened.to_parquet(context.folder / "sites.parquet")
    samples.to_parquet(context.folder / "samples.parquet")
    summary = {"table": screened.to_dict(), "removed": audit(screened).to_dict("records"), "samples": samples.to_dict()}
    summary["bounds"] = write_bounded(context, table, covariates_at)
    write_json(context.folder / "sites.json", summary)
    names = ["sites.parquet", "samples.parquet", "sites.json"]
    return context.files(*names, *([FILE] if summary["bounds"]["kept"] else []))


def covariates_at(context: Context, table: SiteTable) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Places of the rows of a table in the CRS of the grid, and the covariates there, each row in its own time slice."""
    options, stack = context.options, context.stack
    x, y = site_places(table, stack.grid)
    extraction = options.extraction
    times = table.frame["slice"] if "slice" in table.frame else [""] * len(table)
    features = extract_slices(stack, x, y, times, method=extraction.method, window_cells=extraction.window_cells)
    return x, y, with_site_columns(features, table, options.derived)


def with_site_columns(features: pd.DataFrame, table: SiteTable, derived: Sequence[DerivedOptions]) -> pd.DataFrame:
    """Give `constant` layers the sites' own values, such as the depth of a sensor: the map is made for one of them.

    Raises
    ------
    SitesError
        The table has no such column.
    """
    features = features.copy()
    for layer in derived:
        if layer.method != "constant":
            continue
        column = layer.options["site_column"]
        if column not in table.frame:
            known = ", ".join(table.frame.select_dtypes("number").columns)
            raise SitesError(
                f"Layer {layer.name}: the site table has no {column!r}. Numbers in it: {known}. Map one in [sites.columns]."
            )
        features[layer.name] = table.frame[column].to_numpy(np.float32)
    return features


def check_any_left(screened: SiteTable) -> None:
    """Refuse a table of which nothing is left, and say which rules took the sites.

    Raises
    ------
    SitesError
    """
    frame = screened.frame
    if not frame["kept"].any():
        taken = ", ".join(f"{rule} {count}" for rule, count in frame["rule"].value_counts().items())
        raise SitesError(
            f"No site is left of {len(frame)}; sites taken by each rule: {taken}. Check coordinates, grid and [screening]."
        )


def site_places(table: SiteTable, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Places of the sites in the CRS of the grid."""
    frame = table.frame
    return grid.transform_points(frame["longitude"].to_numpy(float), frame["latitude"].to_numpy(float), crs="EPSG:4326")


def mask_at(stack: Stack, cells: np.ndarray) -> np.ndarray:
    """True for the cells (flat indices, -1 outside) that the mask lets through."""
    inside = np.zeros(len(cells), bool)
    with stack.reader([]) as reader:
        for block in stack.grid.blocks(1024):
            rows, columns = np.divmod(cells, stack.grid.shape[1])
            here = (cells >= 0) & (rows >= block.row_start) & (rows < block.row_stop)
            here &= (columns >= block.column_start) & (columns < block.column_stop)
            if here.any():
                inside[here] = reader.mask(block)[rows[here] - block.row_start, columns[here] - block.column_start]
    return inside
