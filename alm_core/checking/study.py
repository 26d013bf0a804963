"""Checks of a whole study: the file, its options, and every table and raster that it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from alm_core.checking.choices import check_choices, check_groups
from alm_core.checking.coverage import (
    Places,
    check_categories,
    check_layer,
    check_mask,
    check_sites_on_grid,
    check_values_at_sites,
    site_places,
    values_at_sites,
)
from alm_core.checking.report import Fault, some
from alm_core.checking.salvage import SalvagedStudy, salvage_study
from alm_core.checking.slices import check_slices
from alm_core.checking.table import ParsedTable, parse_table, value_faults
from alm_core.covariates.layers import LayerSource
from alm_core.errors import AlmError, MissingFileError
from alm_core.grid import Grid
from alm_core.sites.reading import read_raw
from alm_core.sites.table import SiteTable
from alm_core.study import Study

FOLDS_MARGIN = 2
"""Sites per fold below which scores say little."""


@dataclass(frozen=True)
class SiteCheck:
    """The cells of the table and the sites that the run makes of them (None where that fails), and all faults."""

    parsed: ParsedTable | None
    table: SiteTable | None
    faults: list[Fault]


def check_study(path: str | Path) -> list[Fault]:
    """Find every fault of a study and of the files that it names; never stops at the first.

    Parameters
    ----------
    path : path
        study.toml or its folder.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "study.toml"
    salvaged = salvage_study(path)
    faults = list(salvaged.faults)
    if salvaged.study is None:
        return faults
    study, lost = salvaged.study, salvaged.lost
    faults += _missing_files(salvaged)
    faults += [fault for fault in check_choices(study) if fault.where.split(".")[0] not in lost]
    grid, found = _grid(salvaged)
    faults += found
    has_sites = study.options.sites is not None and "sites" not in lost
    sites = _sites(study, grid) if has_sites else SiteCheck(None, None, [])
    faults += sites.faults
    places = _places(sites.parsed, grid)
    if places is not None and grid is not None:
        faults += check_sites_on_grid(places, grid)
    faults += _enough(study, sites, grid)
    if study.options.grid.mask and "grid" not in lost and study.file(study.options.grid.mask).is_file():
        faults += check_mask(study.file(study.options.grid.mask), study.options.grid.mask_values, grid, places)
    if "covariates" not in lost:
        faults += _covariates(study, grid, places)
    if not lost & {"covariates", "sites"}:
        faults += check_slices(study, sites.parsed)
    if study.options.days and "days" not in lost:
        from alm_core.checking.days import check_days

        faults += check_days(study, grid)
    return merged(faults)


def merged(faults: list[Fault]) -> list[Fault]:
    """Faults that say the same of several things, as one."""
    groups: dict[tuple[str, str, str], list[Fault]] = {}
    for fault in faults:
        groups.setdefault((fault.code, fault.message, fault.severity), []).append(fault)
    return [replace(found[0], where=some([fault.where for fault in found])) for found in groups.values()]


def _missing_files(salvaged: SalvagedStudy) -> list[Fault]:
    study = salvaged.study
    sections = {"site table": "sites", "states": "days", "days": "days", "grid": "grid", "mask": "grid"}
    faults = []
    for role, file in study.input_files().items():
        known = sections.get(role) or sections.get(role.split(" ")[0])
        section = known or ("covariates" if role.startswith("covariate") else "study")
        if section not in salvaged.lost and not file.is_file():
            text = f"There is no file {file}. Paths start at the folder of study.toml."
            faults.append(Fault("file_missing", role, text))
    return faults


def _grid(salvaged: SalvagedStudy) -> tuple[Grid | None, list[Fault]]:
    # The stages bring every learner with them: a study that is no TOML is told so without that wait.
    from alm_core.stages.data import study_grid

    options = salvaged.study.options.grid
    if "grid" in salvaged.lost or (options.like and not salvaged.study.file(options.like).is_file()):
        return None, []
    if options.like == "":
        return None, [Fault("grid", "grid.like", "The path is empty. Name a raster, or give crs, resolution and bounds instead.")]
    try:
        return study_grid(salvaged.study), []
    except AlmError as fault:
        return None, [Fault("grid", "grid", str(fault))]


def _sites(study: Study, grid: Grid | None) -> SiteCheck:
    from alm_core.stages.data import read_table

    options = study.options.sites
    try:
        raw = read_raw(study.file(options.table), sheet=options.sheet, layer=options.layer)
    except MissingFileError:
        return SiteCheck(None, None, [])
    except AlmError as fault:
        return SiteCheck(None, None, [Fault("table_unreadable", "sites.table", str(fault))])
    bounds = grid.bounds if grid is not None and grid.is_geographic else None
    named = {name: column for name, column in options.columns.model_dump().items() if column}
    parsed = parse_table(raw, columns=named, crs=options.crs, sentinels=options.sentinels, bounds=bounds, repeats=options.repeats)
    faults = parsed.faults + value_faults(parsed, value_unit=options.value_unit, value_maximum=study.options.target.maximum)
    faults += check_groups(study.options, list(parsed.columns)) + _target_range(study, parsed)
    faults = [Fault(fault.code, _in_sites(fault.where), fault.message, fault.severity) for fault in faults]
    if any(fault.severity == "error" for fault in faults):
        return SiteCheck(parsed, None, faults)
    # The reader of the run has the last word: what it refuses is a fault even where no rule here saw it.
    try:
        return SiteCheck(parsed, read_table(study, grid), faults)
    except AlmError as fault:
        return SiteCheck(parsed, None, [*faults, Fault("table_unreadable", "sites.table", str(fault))])


def _in_sites(where: str) -> str:
    return where if "." in where else f"sites, {where}"


def _enough(study: Study, sites: SiteCheck, grid: Grid | None) -> list[Fault]:
    """Sites that have a value and lie on the grid, against the number of folds."""
    if sites.table is not None:
        frame = sites.table.frame
        values, longitude, latitude = (frame[name].to_numpy(float) for name in ("value", "longitude", "latitude"))
    elif sites.parsed is not None and "value" in sites.parsed.numbers:
        values, longitude, latitude = sites.parsed.numbers["value"], sites.parsed.longitude, sites.parsed.latitude
    else:
        return []
    usable_rows = np.isfinite(values)
    if grid is not None and grid.crs is not None and longitude is not None and latitude is not None:
        places = site_places(longitude, latitude, np.arange(values.size), grid)
        usable_rows &= np.isin(np.arange(values.size), places.rows[places.inside])
    usable = int(usable_rows.sum())
    folds = study.options.validation.folds
    if usable < folds:
        text = (
            f"{usable} sites have a value and lie on the grid, fewer than the {folds} folds. Add sites or lower validation.folds."
        )
        return [Fault("too_few_sites", "validation.folds", text)]
    if usable < FOLDS_MARGIN * folds:
        text = f"{usable} sites for {folds} folds: each fold is scored on one or two sites. Lower validation.folds."
        return [Fault("too_few_sites", "validation.folds", text, "warning")]
    return []


def _target_range(study: Study, parsed: ParsedTable) -> list[Fault]:
    if "value" not in parsed.numbers:
        return []
    factor = 0.01 if study.options.sites.value_unit == "percent" else 1.0
    values = parsed.numbers["value"] * factor
    target = study.options.target
    low = -np.inf if target.minimum is None else target.minimum
    high = np.inf if target.maximum is None else target.maximum
    outside = np.isfinite(values) & ((values < low) | (values > high))
    if not outside.any():
        return []
    text = f"{outside.sum()} values lie outside the target's range {low:g} to {high:g}; predictions are cut to it, sites are not."
    return [Fault("value_outside_target", parsed.columns["value"], text, "warning")]


def _places(parsed: ParsedTable | None, grid: Grid | None) -> Places | None:
    if parsed is None or grid is None or grid.crs is None or parsed.longitude is None or parsed.latitude is None:
        return None
    places = site_places(parsed.longitude, parsed.latitude, parsed.raw.rows, grid)
    return places if places.x.size else None


def _layers(study: Study) -> Iterator[LayerSource]:
    """Every raster of the study as a layer; one of each slice, named with it, where the layer changes with time."""
    for options in study.options.covariates:
        try:
            layer = LayerSource(**study.layer_fields(options))
        except AlmError:
            continue  # named by check_choices
        if not layer.slices:
            yield layer
        for name in layer.slices:
            yield replace(layer.at(name), name=f"{layer.name} {name}")


def _covariates(study: Study, grid: Grid | None, places: Places | None) -> list[Fault]:
    faults: list[Fault] = []
    values: dict[str, np.ndarray] = {}
    for layer in _layers(study):
        if not Path(layer.path).is_file():
            continue
        found = check_layer(layer, grid)
        faults += found
        if places is None or grid is None or any(fault.severity == "error" for fault in found):
            continue
        at_sites = values_at_sites(layer, places, grid)
        if layer.use:
            values[layer.name] = at_sites
        if layer.kind == "categorical":
            faults += check_categories(layer, at_sites)
    if places is not None:
        faults += check_values_at_sites(values, places, maximum_missing=study.options.screening.maximum_missing)
    return faults
