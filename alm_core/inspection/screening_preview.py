"""Screen the sites of a finished run again with other thresholds, at once and without touching the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alm_core.covariates.extraction import extract_slices
from alm_core.covariates.stack import Stack
from alm_core.options import ScreeningOptions, StudyOptions
from alm_core.sites.screening import audit, screen
from alm_core.sites.table import AUDIT_FIELDS, SiteTable
from alm_core.stages.data import mask_at, site_places, with_site_columns
from alm_core.workspace import Run


@dataclass(frozen=True, eq=False)
class ScreeningBasis:
    """What every screening of the sites of a run needs, read once.

    Attributes
    ----------
    options : StudyOptions
        Of the run.
    screened : DataFrame
        All sites with the verdicts of the run.
    table : SiteTable
        The same sites without verdicts.
    features : DataFrame
        ``[site, covariate]`` of all sites, removed ones too, indexed by site id; NaN where there is nothing to read.
    stack : Stack
        The staged covariates.
    cell_index : ndarray
        Flat cell of each site, -1 outside the grid.
    inside_mask : ndarray of bool
    """

    options: StudyOptions
    screened: pd.DataFrame
    table: SiteTable
    features: pd.DataFrame
    stack: Stack
    cell_index: np.ndarray
    inside_mask: np.ndarray

    @property
    def thresholds(self) -> dict[str, Any]:
        """The screening options of the run."""
        return self.options.screening.model_dump()

    @property
    def site_ids(self) -> list[str]:
        """Ids of all sites, in the order of every table here."""
        return self.screened["site_id"].astype(str).tolist()

    def known(self, column: str) -> bool:
        """True where at least one site has a value in a column of the site table."""
        return column in self.screened and bool(self.screened[column].notna().any())


@dataclass(frozen=True, eq=False)
class ScreeningPreview:
    """What other thresholds would do.

    Attributes
    ----------
    sites : DataFrame
        All sites with `kept`, `reason`, `rule` and `rule_value` under the new thresholds, and `kept_before`, `reason_before`.
    counts : DataFrame
        One row per rule in the order asked: `rule`, `before`, `after` (sites that it removes).
    kept_before, kept_after : int
    notes : tuple of str
        Rules that could not be judged, and why.
    """

    sites: pd.DataFrame
    counts: pd.DataFrame
    kept_before: int
    kept_after: int
    notes: tuple[str, ...]

    @property
    def changed(self) -> pd.DataFrame:
        """Sites whose verdict is another one than in the run."""
        return self.sites[self.sites["kept"] != self.sites["kept_before"]]

    def to_dict(self) -> dict[str, Any]:
        """Counts and the ids of changed sites."""
        return {
            "kept_before": self.kept_before,
            "kept_after": self.kept_after,
            "counts": self.counts.to_dict("records"),
            "changed": self.changed["site_id"].tolist(),
            "notes": list(self.notes),
        }


def read_basis(run: Run) -> ScreeningBasis:
    """Read the sites of a run and the covariates at all of them.

    Everything comes from the folder of the run, so it works where the study's own files have gone. Takes a second or two on
    large rasters: keep the result.

    Raises
    ------
    MissingFileError, TableError, WorkspaceError
        The run has not come so far, or a file of it is damaged.
    """
    options = StudyOptions.model_validate(run.record["options"])
    screened = SiteTable.from_parquet(run.file("sites.parquet"))
    table = SiteTable(screened.frame.drop(columns=list(AUDIT_FIELDS)), screened.crs)
    stack = Stack.open(run.file("covariates"))
    x, y = site_places(table, stack.grid)
    times, extraction = table.frame["slice"] if "slice" in table.frame else [""] * len(table), options.extraction
    features = extract_slices(stack, x, y, times, method=extraction.method, window_cells=extraction.window_cells)
    features = with_site_columns(features, table, options.derived)
    cells = stack.grid.cell_index(x, y)
    index = pd.Index(table.frame["site_id"].astype(str), name="site_id")
    return ScreeningBasis(options, screened.frame, table, features.set_axis(index), stack, cells, mask_at(stack, cells))


def screen_again(basis: ScreeningBasis, thresholds: Mapping[str, Any]) -> SiteTable:
    """Screen all sites as the pipeline would.

    Parameters
    ----------
    basis : ScreeningBasis
    thresholds : mapping
        Options of `alm_core.options.ScreeningOptions` that differ from those of the run; None switches a rule off.

    Raises
    ------
    SitesError
        A rule that the table has no column for, or a site id that it does not have.
    """
    options = ScreeningOptions.model_validate({**basis.thresholds, **thresholds})
    return screen(
        basis.table,
        **options.model_dump(),
        cell_index=basis.cell_index,
        inside_mask=basis.inside_mask,
        features=basis.features.reset_index(drop=True),
        grid=basis.stack.grid,
        task=basis.options.target.task,
        transform=basis.options.target.transform,
        categorical=tuple(name for name, kind in basis.stack.kinds.items() if kind == "categorical"),
    )


def preview_screening(basis: ScreeningBasis, thresholds: Mapping[str, Any]) -> ScreeningPreview:
    """Compare other thresholds with those of the run, rule by rule and site by site.

    The numbers are those that a new run with these thresholds would report, as long as the site table and the rasters of the
    study have not changed since.

    Raises
    ------
    SitesError
        As `screen_again`.
    """
    table = screen_again(basis, thresholds)
    before = basis.screened
    sites = table.frame.assign(kept_before=before["kept"].to_numpy(bool), reason_before=before["reason"].to_numpy())
    counts = pd.DataFrame(
        {
            "rule": audit(table)["rule"],
            "before": audit(SiteTable(before))["removed"],
            "after": audit(table)["removed"],
        }
    )
    return ScreeningPreview(sites, counts, int(before["kept"].sum()), int(sites["kept"].sum()), table.notes)


def threshold_range(basis: ScreeningBasis, column: str) -> tuple[float, float] | None:
    """Smallest and largest number of a column over all sites: where a threshold makes a difference; None where it has none.

    Parameters
    ----------
    basis : ScreeningBasis
    column : str
        ``value``, ``year`` (from the date) or ``depth`` (middle of the measured layer).
    """
    numbers = site_numbers(basis.screened, column)
    numbers = numbers[np.isfinite(numbers)]
    return (float(numbers.min()), float(numbers.max())) if len(numbers) else None


def site_numbers(sites: pd.DataFrame, column: str) -> np.ndarray:
    """A number of every site: a column of the table, or its ``year``, ``month`` or ``depth``; NaN where unknown."""
    if column in ("year", "month"):
        dates = sites["date"] if "date" in sites else pd.Series(pd.NaT, index=sites.index)
        return getattr(pd.to_datetime(dates).dt, column).to_numpy(float)
    if column == "depth":
        if "depth_top" not in sites:
            return np.full(len(sites), np.nan)
        return (sites["depth_top"].to_numpy(float) + sites["depth_bottom"].to_numpy(float)) / 2
    return sites[column].to_numpy(float) if column in sites else np.full(len(sites), np.nan)
