"""Which sites may teach the learners, and why the others may not.

Rules are asked in a fixed order; the first that a site breaks is its reason. Nobody is dropped: the table keeps every
site with `kept`, `reason`, `rule` and `rule_value`, and any verdict can be overruled by hand. Values are never altered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from alm_core.errors import SitesError
from alm_core.grid import Grid
from alm_core.sites import rules
from alm_core.sites.faults import name_some
from alm_core.sites.rules import Context
from alm_core.sites.table import AUDIT_FIELDS, SiteTable

UNUSABLE = rules.by_name(
    (rules.no_value, rules.no_coordinates, rules.outside_grid, rules.outside_slices, rules.outside_covariates)
)
"""Rules that nobody can overrule: there is nothing to learn from such a site."""
RULES = UNUSABLE | rules.by_name(
    (
        rules.outside_mask,
        rules.missing_covariates,
        rules.season,
        rules.years,
        rules.minimum,
        rules.maximum,
        rules.porosity,
        rules.depth,
        rules.duplicate,
        rules.outlier,
        rules.neighbour_outlier,
    )
)
"""Every rule, in the order in which it is asked. Statistics come last, over what the others left."""
BY_HAND = "by_hand"
"""Name of the rule of sites in `exclude`; it is asked first."""


def screen(
    table: SiteTable,
    *,
    season_months: Sequence[int] | None = None,
    first_year: int | None = None,
    last_year: int | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    porosity_bound: bool = False,
    depth_minimum_m: float | None = None,
    depth_maximum_m: float | None = None,
    duplicate_distance_cells: float | None = 0.0,
    duplicate_choice: str = "median",
    outlier_z: float | None = 4.5,
    neighbour_z: float | None = 5.0,
    neighbours: int = 12,
    require_inside_mask: bool = False,
    maximum_missing: float = 0.3,
    keep: Sequence[str] = (),
    exclude: Mapping[str, str] | None = None,
    cell_index: np.ndarray | None = None,
    inside_mask: np.ndarray | None = None,
    features: pd.DataFrame | None = None,
    grid: Grid | None = None,
    task: str = "regression",
    transform: str = "none",
    neighbour_floor: float = 0.5,
    categorical: Sequence[str] = (),
) -> SiteTable:
    """Ask every rule of every site.

    Outlier rules suit a target with one bulk of values. Where several regimes are real (lowland and alpine active
    layers), use `transform="log"`, or switch `outlier_z` off and leave `neighbour_z` on.

    Parameters
    ----------
    table : SiteTable
        Sites; verdicts of an earlier screening are forgotten.
    season_months ... exclude
        As in `alm_core.options.ScreeningOptions`; None switches a rule off.
    cell_index : ndarray of int [site], optional
        Flat cell of each site in the order of `table.frame`, -1 outside; `Grid.cell_index`. Made from `grid` if absent.
    inside_mask : ndarray of bool [site], optional
        Whether the cell of the site is mapped.
    features : DataFrame [site, covariate], optional
        Covariates at the sites, by row in the order of `table.frame`, or with the site ids as index.
    grid : Grid, optional
        Needed where `duplicate_distance_cells` is above 0. Sites nearer than that join; chains of sites are one group.
    task : {"regression", "classification"}
        Outlier rules are not asked of class labels.
    transform : {"none", "log"}
        How the outlier rules see the values.
    neighbour_floor : float
        Part of the global robust spread below which the spread of the neighbours is not trusted.
    categorical : sequence of str
        Covariates that are codes: not used to find neighbours.

    Returns
    -------
    SiteTable
        The same sites with `kept`, `reason`, `rule` and `rule_value`.

    Raises
    ------
    SitesError
        Unknown or contradictory ids in `keep` and `exclude`; a rule that lacks its column; arrays of another length.
    """
    frame = table.frame.drop(columns=[name for name in AUDIT_FIELDS if name in table.frame])
    options = {
        "season_months": season_months,
        "first_year": first_year,
        "last_year": last_year,
        "minimum": minimum,
        "maximum": maximum,
        "porosity_bound": porosity_bound,
        "depth_minimum_m": depth_minimum_m,
        "depth_maximum_m": depth_maximum_m,
        "duplicate_distance_cells": duplicate_distance_cells,
        "duplicate_choice": duplicate_choice,
        "outlier_z": outlier_z,
        "neighbour_z": neighbour_z,
        "neighbours": neighbours,
        "require_inside_mask": require_inside_mask,
        "maximum_missing": maximum_missing,
        "task": task,
        "transform": transform,
        "neighbour_floor": neighbour_floor,
    }
    context = Context(frame, options, np.ones(len(frame), bool))
    _place(context, table, grid, cell_index)
    _attach(context, inside_mask, features, categorical)
    exclude = dict(exclude or {})
    _check_ids(frame["site_id"], keep, exclude)
    audited = _ask(context, set(keep), exclude)
    return SiteTable(audited, table.crs, (*table.notes, *context.notes), table.bounds)


def _check_ids(known: pd.Series, keep: Sequence[str], exclude: Mapping[str, str]) -> None:
    unknown = sorted((set(keep) | set(exclude)) - set(known))
    if unknown:
        raise SitesError(f"keep or exclude name sites that the table does not have: {name_some(unknown)}. Correct the ids.")
    both = sorted(set(keep) & set(exclude))
    if both:
        raise SitesError(f"Site(s) both in keep and in exclude: {name_some(both)}. Remove them from one.")


def _place(context: Context, table: SiteTable, grid: Grid | None, cell_index: np.ndarray | None) -> None:
    """Say which cell each site lies in."""
    if cell_index is not None:
        cell_index = np.asarray(cell_index)
        _same_length(cell_index, len(table), "cell_index")
    if grid is not None:
        x, y = grid.transform_points(context.numbers("longitude"), context.numbers("latitude"), crs=table.crs)
        context.row_column = grid.row_column(x, y)
        cell_index = grid.cell_index(x, y) if cell_index is None else cell_index
    context.cell_index = cell_index


def _attach(context: Context, inside_mask: np.ndarray | None, features: pd.DataFrame | None, categorical: Sequence[str]) -> None:
    """Bring mask and covariates into the order of the frame."""
    if inside_mask is not None:
        context.inside_mask = np.asarray(inside_mask, bool)
        _same_length(context.inside_mask, len(context.frame), "inside_mask")
    if features is None:
        return
    ids = context.frame["site_id"]
    if len(features) == len(ids) and set(features.index) == set(ids):
        features = features.loc[ids]
    _same_length(features, len(ids), "features")
    context.features = features.to_numpy(float)
    context.continuous = ~np.isin(features.columns, list(categorical))


def _same_length(values: object, expected: int, name: str) -> None:
    if len(values) != expected:
        raise SitesError(
            f"{name} has {len(values)} rows, the table {expected} sites. Give one row per site, in the order of the table."
        )


def _ask(context: Context, keep: set[str], exclude: Mapping[str, str]) -> pd.DataFrame:
    """Ask the rules one after the other; each sees only the sites that are still in."""
    frame, ids = context.frame, context.frame["site_id"]
    by_hand = ids.isin(list(keep)).to_numpy()
    reason, rule, number = np.full(len(frame), "", object), np.full(len(frame), "", object), np.full(len(frame), np.nan)
    for site in np.flatnonzero(ids.isin(list(exclude))):
        text = exclude[ids[site]]
        reason[site], rule[site] = f"taken out by hand: {text}" if text else "taken out by hand", BY_HAND
        context.inside[site] = False
    for name, ask in RULES.items():
        verdict = ask(context)
        if verdict is None:
            continue
        for site in np.flatnonzero(verdict.broken & context.inside & (rule == "")):
            reason[site], rule[site], number[site] = verdict.reason(site), name, verdict.number[site]
            context.inside[site] = bool(by_hand[site]) and name not in UNUSABLE
    overruled = context.inside & (rule != "")
    for site in np.flatnonzero(overruled):
        reason[site] = f"kept by hand ({reason[site]})"
    for site in np.flatnonzero(by_hand & ~context.inside):
        reason[site] = f"{reason[site]}: can't be kept by hand"
    return frame.assign(
        kept=context.inside.copy(), reason=pd.Series(reason, dtype="str"), rule=pd.Series(rule, dtype="str"), rule_value=number
    )


def audit(table: SiteTable) -> pd.DataFrame:
    """Count what every rule did.

    Returns
    -------
    DataFrame
        One row per rule in the order asked: `rule`, `removed`, `kept_by_hand`, `smallest` and `largest` rule value.
        Removed and kept sites add up to the table.

    Raises
    ------
    SitesError
        The table was not screened.
    """
    if "kept" not in table.frame:
        raise SitesError("The table was not screened yet. Call `screen` first.")
    rows = []
    for name in (BY_HAND, *RULES):
        broken = table.frame[table.frame["rule"] == name]
        removed = int((~broken["kept"]).sum())
        rows.append((name, removed, len(broken) - removed, broken["rule_value"].min(), broken["rule_value"].max()))
    return pd.DataFrame(rows, columns=["rule", "removed", "kept_by_hand", "smallest", "largest"])
