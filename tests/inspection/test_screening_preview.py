"""Screening a finished run again with other thresholds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import SitesError
from alm_core.inspection.screening_preview import ScreeningBasis, preview_screening, read_basis, site_numbers, threshold_range
from alm_core.pipeline import run as run_study
from alm_core.study_editing import change_screening, exclude_site, study_file
from alm_core.workspace import Run


@pytest.fixture(scope="module")
def basis(dashboard_run: Run) -> ScreeningBasis:
    """What every preview of the small run needs."""
    return read_basis(dashboard_run)


def test_own_thresholds_change_nothing(basis: ScreeningBasis) -> None:
    """With the run's own thresholds the verdicts are the run's own."""
    found = preview_screening(basis, {})
    assert found.changed.empty
    assert found.kept_after == found.kept_before == int(basis.screened["kept"].sum())
    pd.testing.assert_series_equal(found.sites["reason"], basis.screened["reason"])


def test_live_counts_equal_those_of_a_real_run(basis: ScreeningBasis, dashboard_run: Run, tmp_path: Path) -> None:
    """A new run with the thresholds of the page keeps the same sites for the same reasons."""
    thresholds = {"maximum": 0.42, "outlier_z": 2.0, "season_months": (9,), "neighbour_z": None}
    found = preview_screening(basis, {**thresholds, "exclude": {"p003": "odd"}})
    copy = tmp_path / "study"
    shutil.copytree(study_file(dashboard_run).parent, copy)
    change_screening(copy / "study.toml", thresholds)
    exclude_site(copy / "study.toml", "p003", "odd")
    real = read_basis(run_study(copy / "study.toml", workspace=tmp_path / "workspace", until="sites"))
    assert found.kept_after < found.kept_before
    pd.testing.assert_frame_equal(
        found.sites[["site_id", "kept", "reason", "rule"]], real.screened[["site_id", "kept", "reason", "rule"]]
    )
    assert found.counts.set_index("rule")["after"]["by_hand"] == 1
    assert found.counts["after"].sum() == len(found.sites) - found.kept_after


def test_counts_before_are_those_of_the_run(basis: ScreeningBasis) -> None:
    """One site of the run lies above its maximum of 0.6; without the limit nobody goes for it."""
    counts = preview_screening(basis, {"maximum": None}).counts.set_index("rule")
    assert counts.loc["maximum", "before"] == 1
    assert counts.loc["maximum", "after"] == 0


def test_site_kept_by_hand_stays(basis: ScreeningBasis) -> None:
    """Keep overrules a threshold, and the change is named."""
    removed = basis.screened.loc[~basis.screened["kept"], "site_id"].iloc[0]
    found = preview_screening(basis, {"keep": (removed,)})
    assert found.changed["site_id"].tolist() == [removed]
    assert found.to_dict()["changed"] == [removed]


def test_unknown_site_is_refused(basis: ScreeningBasis) -> None:
    """A site id that the table does not have can't be kept."""
    with pytest.raises(SitesError, match="nobody"):
        preview_screening(basis, {"keep": ("nobody",)})


def test_rule_without_its_column_is_refused(basis: ScreeningBasis) -> None:
    """The small study has no depths."""
    with pytest.raises(SitesError, match="no depths"):
        preview_screening(basis, {"depth_minimum_m": 0.1})
    assert threshold_range(basis, "depth") is None


def test_ranges_come_from_the_table(basis: ScreeningBasis) -> None:
    """Value and year span those of all sites, removed ones too."""
    low, high = threshold_range(basis, "value")
    assert (low, high) == (basis.screened["value"].min(), 0.65)
    assert threshold_range(basis, "year") == (2019.0, 2019.0)
    assert basis.known("date")
    assert not basis.known("porosity")


def test_depth_is_the_middle_of_the_layer() -> None:
    """Top and bottom give the middle; unknown ones stay unknown."""
    frame = pd.DataFrame({"depth_top": [0.0, 0.5], "depth_bottom": [1.0, np.nan]})
    np.testing.assert_array_equal(site_numbers(frame, "depth"), [0.5, np.nan])


def test_features_cover_removed_sites(basis: ScreeningBasis) -> None:
    """Covariates are read at every site of the table."""
    assert basis.features.index.tolist() == basis.site_ids
    assert basis.features.notna().all(axis=None)
