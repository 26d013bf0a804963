"""Daily freeze/thaw state of the uppermost soil at real sites of the plateau, each site predicted from the others.

Run: ``python -m benchmarks.freeze_thaw_sites``. The data lie beside the checkout, or where ALM_SHARED_DATA says. No satellite is
in it: predictors are the season and the climate of the place, so what is left is the weather and what the soil makes of it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from sklearn.model_selection import LeaveOneGroupOut

from alm_core.covariates.stack import LayerSource, stage
from alm_core.cubes.features import compute_features, make_plan
from alm_core.cubes.state_table import SiteStates, read_states
from alm_core.cubes.static_layers import read_static
from alm_core.cubes.store import CubeStore
from alm_core.grid import Grid
from alm_core.learning.day_learners import frozen_probability, make_day_learner
from alm_core.learning.day_scores import state_scores
from benchmarks.common import SHARED_DATA, save

DEEPEST_CM = 30.0
"""Sites whose uppermost sensor is deeper (QT04: 50 cm) say nothing of the state near the surface."""
COLUMNS = {"site_id": "site", "date": "date", "longitude": "longitude", "latitude": "latitude", "value": "temp_c"}
CLIMATE = ["t2m_annual_lapse_c", "t2m_jan_lapse_c", "t2m_jul_lapse_c"]
CIRCLE = [
    {"name": "day_of_year_sine", "method": "day_of_year_sine"},
    {"name": "day_of_year_cosine", "method": "day_of_year_cosine"},
]
SEASON = [
    {"name": "air", "method": "seasonal_temperature", "inputs": CLIMATE},
    {"name": "air_30_days", "method": "seasonal_temperature", "inputs": CLIMATE, "days": 30},
]
PLAIN_LAYERS = [
    "elevation_m", "slope_deg", *CLIMATE, "precip_annual_mm", "precip_jja_mm", "precip_djf_mm", "soil_sand_pct", "soil_clay_pct",
    "soil_organic_carbon_pct",
]  # fmt: skip
POOLED = ("all", "at 10 cm", "in season")
SETS: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "circle and all layers": (CIRCLE, PLAIN_LAYERS),
    "circle alone": (CIRCLE, []),
    "season of the place": (SEASON + CIRCLE, []),
    "season of the place, two layers": (SEASON + CIRCLE, ["t2m_annual_lapse_c", "precip_jja_mm"]),
}
"""Daily features and static layers. The first takes what there is and is the headline; the others are for comparison, and no
further sets were tried."""
LEARNERS = ("extra_trees", "linear")
"""With the defaults of studies of days; the first is that of the study."""


def site_table(folder: Path) -> pd.DataFrame:
    """Daily temperature of the uppermost sensor of every site, with its place and depth."""
    daily = pd.read_csv(folder / "active_layer_temperature_daily.csv.gz").dropna(subset=["temp_c"])
    upper = daily.groupby("site")["depth_cm"].transform("min")
    daily = daily[(daily["depth_cm"] == upper) & (upper <= DEEPEST_CM)]
    return daily.merge(site_places(folder), on="site", how="left", validate="many_to_one")


def site_places(folder: Path) -> pd.DataFrame:
    """Longitude and latitude by the names that the temperatures have: `ZNHAL` is `ZNH` in the list of places."""
    places = pd.read_csv(folder / "site_locations.csv")
    names = places["Site Name"].str.replace(r"\s*\(.*\)", "", regex=True)
    return pd.DataFrame(
        {
            "site": names.replace({"ZNH": "ZNHAL", "AYK": "AYKAL", "TSH": "TSHAL"}),
            "longitude": places["Longitude (°E)"],
            "latitude": places["Latitude (°N)"],
        }
    )


class Sites:
    """States at the sites, and the fields of their cells, in a folder of their own."""

    def __init__(self, data: Path, folder: Path, *, layers: Sequence[str] = tuple(PLAIN_LAYERS)) -> None:
        self.table = site_table(data / "sites_qtp_zhao2021")
        self.table.to_csv(folder / "states.csv", index=False)
        grids = data / "grids_qtp_0p05"
        with rasterio.open(grids / "elevation_m.tif", driver="GTiff") as like:
            grid = Grid.from_dataset(like)
        self.states: SiteStates = read_states(folder / "states.csv", columns=COLUMNS, grid=grid)
        self.frame = self.states.frame
        cells, self.cell = np.unique(self.frame["cell"].to_numpy(), return_inverse=True)
        first, last = self.frame["date"].min(), self.frame["date"].max()
        self.store = CubeStore.create(folder / "cubes", grid, first.date(), (last - first).days + 1, cells, ())
        self.day = (self.frame["date"] - first).dt.days.to_numpy()
        sources = [LayerSource(name=name, path=grids / f"{name}.tif") for name in layers]
        self.stack = stage(sources, [], grid, folder / "stack")

    def features(self, daily: list[dict[str, Any]], static: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
        """Names of the predictors, and their values ``[sample, feature]``."""
        plan = make_plan(daily, self.store.variables, static, hidden=CLIMATE)
        values = compute_features(plan, self.store, read_static(self.stack, self.store, plan.layers), 0, self.store.days)
        return plan.names, np.ascontiguousarray(values[:, self.day, self.cell].T)

    def leave_site_out(
        self, daily: list[dict[str, Any]], static: list[str], *, kind: str = LEARNERS[0], **options: Any
    ) -> np.ndarray:
        """Probability of frozen of every day, from a learner that never saw its site."""
        names, values = self.features(daily, static)
        site, label = self.frame["site"].to_numpy(), self.frame["label"].to_numpy()
        probability = np.full(len(label), np.nan)
        for train, test in LeaveOneGroupOut().split(values, label, site):
            learner = make_day_learner(kind, names=names, seed=42, options=options)
            probability[test] = frozen_probability(learner.fit(values[train], label[train]), values[test])
        return probability

    def scores(self, probability: np.ndarray) -> dict[str, Any]:
        """Scores of all, of sensors at 10 cm, without records that are warmest far from summer, and of every site."""
        site, label = self.frame["site"].to_numpy(), self.frame["label"].to_numpy()
        depth = self.table.groupby("site")["depth_cm"].first()
        at_10 = depth[site].to_numpy() == 10.0
        in_season = ~np.isin(site, self.states.out_of_season)
        return {
            "all": _short(label, probability),
            "at 10 cm": _short(label[at_10], probability[at_10]),
            "in season": _short(label[in_season], probability[in_season]),
            "sites": {
                name: {"depth_cm": float(depth[name])} | _short(label[site == name], probability[site == name])
                for name in np.unique(site)
            },
        }


def _short(label: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    found = state_scores(label, probability)
    kept = {name: found[name] for name in ("count", "overall_accuracy", "kappa", "mcc", "f1_macro", "brier")}
    return kept | {"frozen_part": float(np.mean(label))}


def own_season(sites: Sites) -> np.ndarray:
    """What nobody can beat without weather: the commoner state of the site's own calendar day, known from all its years."""
    frame = sites.frame.assign(of_year=sites.frame["date"].dt.day_of_year)
    return frame.groupby(["site", "of_year"])["label"].transform("mean").to_numpy()


def show(title: str, scores: dict[str, Any]) -> None:
    """Print one table."""
    print(f"\n{title}\n{'':12}{'cm':>5}{'days':>8}{'frozen':>8}{'accuracy':>10}{'kappa':>8}{'Brier':>8}")
    for name, row in [*((name, scores[name]) for name in POOLED), *scores["sites"].items()]:
        depth = f"{row['depth_cm']:5.0f}" if "depth_cm" in row else " " * 5
        print(
            f"{name:12}{depth}{row['count']:8d}{row['frozen_part']:8.2f}{row['overall_accuracy']:10.3f}{row['kappa']:8.3f}"
            f"{row['brier']:8.3f}"
        )


def main() -> None:
    """Score every set and save the results."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        sites = Sites(SHARED_DATA, Path(temporary))
        results = {
            f"{kind}: {name}": sites.scores(sites.leave_site_out(*chosen, kind=kind))
            for name, chosen in SETS.items()
            for kind in LEARNERS
        }
        results["own calendar day (sees the site)"] = sites.scores(own_season(sites))
    for name, scores in results.items():
        show(name, scores)
    told = {"bar": {"overall_accuracy": 0.87, "kappa": 0.74}, "states": sites.states.to_dict()}
    save("freeze_thaw_sites", {**told, "headline": next(iter(results)), "sets": results})


if __name__ == "__main__":
    main()
