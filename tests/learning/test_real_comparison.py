"""Learners compared on real ground temperatures north of 45 N."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import rasterio

from alm_core.learning.comparison import compare_learners
from alm_core.learning.folds import make_folds
from alm_core.learning.held_out import make_trial
from alm_core.learning.importance import held_out_importance

LAYERS = (
    "elevation_m", "slope_deg", "t2m_annual_c", "t2m_annual_lapse_c", "t2m_jan_lapse_c", "t2m_jul_lapse_c", "tdd_lapse",
    "fdd_lapse", "precip_annual_mm", "precip_djf_mm", "soil_sand_pct", "soil_organic_carbon_pct",
)  # fmt: skip
LEARNERS = [
    ("random_forest", "random_forest", {"n_estimators": 60}),
    ("extra_trees", "extra_trees", {"n_estimators": 60}),
    ("linear", "linear", {}),
]


@pytest.fixture(scope="module")
def trial(shared_data):
    """531 boreholes with their covariates and depth, in five random folds."""
    sites = pd.read_csv(shared_data / "sites_magt_north45" / "magt_sites_north45.csv").sort_values("site_id")
    sites = sites[sites["depth_m"].between(1, 40)].reset_index(drop=True)
    table = sites[["depth_m"]].copy()
    for name in LAYERS:
        with rasterio.open(shared_data / "grids_north45_0p25" / f"{name}.tif", driver="GTiff") as layer:
            values = np.array([value[0] for value in layer.sample(sites[["lon", "lat"]].to_numpy())], float)
            table[name] = np.where(values == layer.nodata, np.nan, values)
    folds = make_folds("random", x=sites["lon"], y=sites["lat"], geographic=True, n_folds=5, seed=1)
    return make_trial(table, sites["magt_c"].to_numpy(), folds)


def test_trees_beat_the_plane(trial):
    """Ground temperature is no plane of its covariates: trees are better by more than a standard error, and good."""
    assert len(trial.y) == 531
    found = compare_learners(trial, LEARNERS, unit="degree Celsius")
    scores = {score.name: score for score in found.learners}
    assert found.leader in ("random_forest", "extra_trees")
    assert scores["extra_trees"].r2 > 0.85
    assert scores["extra_trees"].rmse < scores["linear"].rmse - 0.1
    plane = next(entry.difference for entry in found.differences if entry.learner == "linear")
    assert plane.rmse_difference > 1.5 * plane.standard_error
    assert "linear" not in found.tied


def test_temperature_ranks_above_soil(trial):
    """The air's temperature and degree days lead the ranking, sand is far behind."""
    ranking = [entry.feature for entry in held_out_importance(trial, LEARNERS[1], permutations=1)]
    assert ranking[0] in ("t2m_annual_c", "t2m_annual_lapse_c", "tdd_lapse", "fdd_lapse", "t2m_jan_lapse_c")
    assert ranking.index("soil_sand_pct") > 3
