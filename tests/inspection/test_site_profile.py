"""One site in detail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import SitesError
from alm_core.inspection.screening_preview import read_basis
from alm_core.inspection.site_profile import ProfileBasis, nearest_analogues, percentile, profile_site, read_profile_basis
from alm_core.workspace import Run


@pytest.fixture(scope="module")
def basis(dashboard_run: Run) -> ProfileBasis:
    """What every profile of the small run needs."""
    return read_profile_basis(dashboard_run, read_basis(dashboard_run))


def first_site(basis: ProfileBasis, *, kept: bool) -> str:
    """A site that was kept, or one that was removed."""
    screened = basis.screening.screened
    return str(screened.loc[screened["kept"] == kept, "site_id"].iloc[0])


def test_profile_of_a_kept_site(basis: ProfileBasis, dashboard_run: Run) -> None:
    """Values are those of the samples, predictions those of the out-of-fold table, and all is plain."""
    site = first_site(basis, kept=True)
    found = profile_site(basis, site, count=4)
    samples = pd.read_parquet(dashboard_run.file("samples.parquet")).set_index("site_id")
    values = found.covariates.set_index("name")["value"]
    assert values["wetness"] == pytest.approx(samples.at[site, "covariate:wetness"])
    assert found.covariates.set_index("name")["used"].sum() == len(basis.chosen)
    pairs = pd.read_parquet(dashboard_run.file("out_of_fold.parquet"))
    wanted = pairs[(pairs["site_id"] == site) & (pairs["scheme"] == "knndm")].iloc[0]
    row = found.predictions.set_index("scheme").loc["knndm"]
    assert (row["predicted"], row["lower"]) == (wanted["fused"], wanted["lower"])
    assert json.loads(json.dumps(found.to_dict(), default=str))["site_id"] == site
    assert isinstance(found.site["kept"], bool)


def test_analogues_are_the_nearest_and_not_the_site_itself(basis: ProfileBasis) -> None:
    """Distances grow, the site is left out, and they are the dissimilarity index of the site without its own row."""
    site = first_site(basis, kept=True)
    found = nearest_analogues(basis, site, count=5)
    assert len(found) == 5
    assert site not in set(found["site_id"])
    assert found["distance"].is_monotonic_increasing
    screened = basis.screening.screened
    others = screened.loc[screened["kept"] & (screened["site_id"] != site), "site_id"]
    names = list(basis.chosen)
    points = basis.space.place(basis.screening.features.loc[others, names].to_numpy(float))
    own = basis.space.place(basis.screening.features.loc[[site], names].to_numpy(float))
    distance = np.sqrt(((points - own) ** 2).sum(axis=1)) / basis.mean_distance
    assert found["distance"].iloc[0] == pytest.approx(distance.min())
    assert (found["distance_km"] > 0).all()


def test_kilometres_on_the_ground(basis: ProfileBasis) -> None:
    """A degree of latitude is about 111 km."""
    site = first_site(basis, kept=True)
    own = basis.screening.screened.set_index("site_id").loc[site]
    row = nearest_analogues(basis, site, count=1).iloc[0]
    mean = np.radians((own["latitude"] + row["latitude"]) / 2)
    flat = 111.2 * np.hypot((own["longitude"] - row["longitude"]) * np.cos(mean), own["latitude"] - row["latitude"])
    assert row["distance_km"] == pytest.approx(flat, rel=0.01)


def test_removed_site_has_analogues_but_no_prediction(basis: ProfileBasis) -> None:
    """A removed site is described too; nobody predicted it."""
    found = profile_site(basis, first_site(basis, kept=False))
    assert found.predictions.empty
    assert len(found.analogues) == 5
    assert found.site["kept"] is False
    assert "above the maximum" in found.site["reason"]


def test_unknown_site_is_refused(basis: ProfileBasis) -> None:
    """Only sites of the run have a profile."""
    with pytest.raises(SitesError, match="nobody"):
        profile_site(basis, "nobody")


def test_run_without_applicability_weighs_all_alike(dashboard_run: Run, tmp_path: Path) -> None:
    """Without its file, likeness still works, with equal weights; without scores there are no predictions."""
    folder = tmp_path / "run"
    shutil.copytree(
        dashboard_run.folder, folder, ignore=shutil.ignore_patterns("applicability.json", "out_of_fold.parquet", "map")
    )
    basis = read_profile_basis(Run(folder), read_basis(Run(folder)))
    found = profile_site(basis, first_site(basis, kept=True))
    assert len(found.analogues) == 5
    assert found.predictions.empty
    assert set(basis.space.weight) == {1.0}


def test_percentile_counts_ties_half() -> None:
    """The middle of five is at 50; nothing to compare gives none."""
    assert percentile(np.arange(5.0), 2.0) == 50.0
    assert percentile(np.array([1.0, np.nan]), 2.0) == 100.0
    assert np.isnan(percentile(np.array([np.nan]), 2.0))
    assert np.isnan(percentile(np.arange(5.0), np.nan))
