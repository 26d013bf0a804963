"""Checks of a study with time slices: rasters of the slices against one another, measurements against the slices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alm_core.checking.report import Fault, some
from alm_core.checking.table import ParsedTable
from alm_core.sites.slices import OUTSIDE, slice_of_years
from alm_core.study import Study
from alm_core.time_slices import changes, placed
from alm_core.workspace import hash_file

FEW_ROWS = 10
"""Measurements of a slice below which its map rests on the others."""


def check_slices(study: Study, parsed: ParsedTable | None) -> list[Fault]:
    """Every fault that comes of time slices; none in a study without."""
    if not study.options.slices:
        return []
    return _alike(study) + (_measurements(study, parsed) if parsed is not None else [])


def _alike(study: Study) -> list[Fault]:
    """Layers that have the same file for two slices."""
    faults = []
    for layer in study.options.covariates:
        if not changes(layer) or layer.band_of_slice:
            continue
        digests: dict[str, str] = {}
        for one in study.options.slices:
            path = study.file(placed(layer, one.name)[0])
            if not path.is_file():
                continue
            digest = hash_file(path)
            if digest in digests:
                text = (
                    f"The files of the slices {digests[digest]} and {one.name} are the same, byte by byte: a climatology can't "
                    "show how slices differ. Give each slice its own raster, or one for all with a reason in `static`."
                )
                faults.append(Fault("climatology", f"covariate {layer.name}", text))
            digests.setdefault(digest, one.name)
    return faults


def _measurements(study: Study, parsed: ParsedTable) -> list[Fault]:
    """Rows outside every slice, slices with few rows or none, and years that come twice at one site."""
    years = _years(parsed)
    if years is None:
        text = "The study has [[slices]], but no column of the table is a date or a year. Name sites.columns.date or year."
        return [Fault("column_needed", "sites.columns", text)]
    slices = [(one.name, one.first_year, one.last_year) for one in study.options.slices]
    names = slice_of_years(years, slices)
    faults, outside = [], int((names == OUTSIDE).sum())
    if outside:
        unknown = int(np.isnan(years).sum())
        text = f"{outside} of {len(names)} rows lie outside every slice ({slices[0][1]} to {slices[-1][2]})"
        text += f", {unknown} of them without a year" if unknown else ""
        faults.append(Fault("outside_slices", "sites", f"{text}. They will be screened out.", "warning"))
    for name, _, _ in slices:
        count = int((names == name).sum())
        if count < FEW_ROWS:
            text = f"{count} rows were measured in the slice {name}: its map rests on what was learned in the others."
            faults.append(Fault("slice_without_sites", f"slices {name}", text, "warning"))
    return faults + _duplicate_years(parsed, years)


def _years(parsed: ParsedTable) -> np.ndarray | None:
    """Year of each row, NaN where unknown; None without any column of time."""
    if parsed.dates is None and "year" not in parsed.numbers:
        return None
    years = np.full(len(parsed.raw.rows), np.nan)
    if parsed.dates is not None:
        years = pd.to_datetime(parsed.dates).dt.year.to_numpy(float)
    if "year" in parsed.numbers:
        years = np.where(np.isnan(years), parsed.numbers["year"], years)
    return years


def _duplicate_years(parsed: ParsedTable, years: np.ndarray) -> list[Fault]:
    """Sites that give the same year twice; several depths or dates in one year are no fault."""
    if "site_id" not in parsed.texts or parsed.dates is not None:
        return []
    rows = pd.DataFrame({"site": parsed.texts["site_id"].to_numpy(), "year": years}).dropna()
    keys = ["site", "year"]
    for name in ("depth", "depth_top", "method", "survey"):
        if name in parsed.numbers or name in parsed.texts:
            column = parsed.numbers[name] if name in parsed.numbers else parsed.texts[name].to_numpy()
            rows[name] = np.asarray(column)[rows.index]
            keys.append(name)
    doubled = rows[rows.duplicated(keys, keep=False)]
    if doubled.empty:
        return []
    named = some([f"{site} {year:.0f}" for site, year in doubled[["site", "year"]].drop_duplicates().itertuples(index=False)])
    text = f"{len(doubled)} rows give a year of a site more than once: {named}. Each counts in the mean of its slice; keep one."
    return [Fault("duplicate_year", "sites", text, "warning")]
