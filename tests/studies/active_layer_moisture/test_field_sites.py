"""The simulated field table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.sites.conversions import crim, cutting_ring, permittivity_from_travel_time
from alm_core.studies.active_layer_moisture.field_sites import (
    ASSUMED_POROSITY,
    RADAR,
    RING,
    ROADS,
    SIZES,
    SURVEYS,
    USABLE,
    along,
    land_at,
    measured_sites,
    raw_measurements,
    site_places,
)
from alm_core.studies.active_layer_moisture.layers import map_grid
from alm_core.studies.active_layer_moisture.table_faults import FAULTS, SEASONALLY_FROZEN, field_table

SEED = 7


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The field table of the small demo."""
    return field_table("small", SEED)


def test_surveys_add_up() -> None:
    """The surveys ask for as many sites as the study uses, under names of their own."""
    assert sum(survey.sites for survey in SURVEYS) == USABLE == 342
    assert len({survey.name for survey in SURVEYS}) == len(SURVEYS)


@pytest.mark.parametrize("seed", [0, 1, 7, 8, 10])
def test_places_are_found_with_any_seed(seed: int) -> None:
    """Every survey finds its sites, all in different cells of the coarsest grid."""
    places = site_places(seed)
    cells = map_grid("small").cell_index(places["longitude"].to_numpy(), places["latitude"].to_numpy())
    assert (~places["spare"]).sum() == USABLE
    assert len(set(cells)) == len(places)
    assert (cells >= 0).all()


@pytest.mark.parametrize("size", SIZES)
def test_sites_are_permafrost_on_every_grid(size: str) -> None:
    """The places are the same for every size and inside the mask of each."""
    places = site_places(SEED)
    land = land_at(size, places["longitude"].to_numpy(), places["latitude"].to_numpy(), seed=SEED)
    assert land.permafrost.all()
    far = np.array(SEASONALLY_FROZEN)
    assert not land_at(size, far[:, 0], far[:, 1], seed=SEED).permafrost.any()


def test_sites_lie_along_the_roads() -> None:
    """Nearly all sites of a road's surveys are within 60 km of it."""
    places = site_places(SEED)
    for survey in SURVEYS:
        if survey.road is None:
            continue
        own = places[places["survey"] == survey.name]
        road = along(ROADS[survey.road], np.linspace(0, 1, 500))
        apart = np.hypot(
            (own["longitude"].to_numpy()[:, None] - road[:, 0]) * 0.83, own["latitude"].to_numpy()[:, None] - road[:, 1]
        ).min(axis=1)
        assert np.quantile(apart * 111.2, 0.95) < 60.0


def test_raw_measurements_give_the_values_back() -> None:
    """Ring masses and travel times hold the water content to the last digit that is written."""
    sites = measured_sites("small", SEED)
    raw, ring = raw_measurements(sites), (sites["method"] == RING).to_numpy()
    rings, radar = raw[ring], raw[~ring]
    assert cutting_ring(rings["wet_mass"], rings["dry_mass"], 100.0).value == pytest.approx(sites["vwc"][ring], abs=2e-4)
    permittivity = permittivity_from_travel_time(radar["travel_time"], radar["reflector_depth"]).value
    assert crim(permittivity, ASSUMED_POROSITY).value == pytest.approx(sites["vwc"][~ring].to_numpy(), abs=1e-3)
    assert (sites["vwc"][ring] < 1 - rings["dry_mass"] / 100 / 2.65).all()


def test_label_errors_are_those_of_the_methods() -> None:
    """Rings miss the truth by 0.02 to 0.03, radar by 0.042 to 0.052, and the table says so."""
    sites = measured_sites("small", SEED)
    error = (sites["vwc"] - sites["truth"]) / sites["uncertainty"]
    assert 0.85 < error.std() < 1.15
    spread = (sites["vwc"] - sites["truth"]).groupby(sites["method"]).std()
    assert 0.020 < spread[RING] < 0.031
    assert 0.035 < spread[RADAR] < 0.058


def test_table_has_the_faults_of_real_tables(table: pd.DataFrame) -> None:
    """About 370 rows: the usable ones and every kind of fault as often as it says."""
    assert len(table) == USABLE + sum(FAULTS.values()) == 370
    assert table["station"].is_unique
    assert table.loc[table["fault"] != "", "fault"].value_counts().to_dict() == FAULTS


def test_usable_rows_pass_simple_checks(table: pd.DataFrame) -> None:
    """Usable rows are in season, complete, two methods, 2009 to 2024, 12 surveys or more."""
    usable = table[table["fault"] == ""]
    assert len(usable) == USABLE
    assert usable["date"].dt.month.isin([9, 10]).all()
    assert usable["date"].dt.year.between(2009, 2024).all()
    assert 0.5 < (usable["method"] == RING).mean() < 0.7
    assert usable["survey"].nunique() >= 12
    measured = usable["wet_mass"].notna() & usable["dry_mass"].notna() | usable["travel_time"].notna()
    assert measured.all()
    assert (usable["bottom"] > usable["top"]).all()


def test_each_fault_is_what_it_says(table: pd.DataFrame) -> None:
    """The spoilt rows show their fault."""
    rows = {kind: table[table["fault"] == kind] for kind in FAULTS}
    assert not rows["out of season"]["date"].dt.month.isin([9, 10]).any()
    assert (rows["before the first year"]["date"].dt.year < 2009).all()
    assert rows["nothing measured"][["wet_mass", "travel_time"]].isna().all(axis=None)
    assert (rows["sentinel"][["wet_mass", "travel_time"]].min(axis=1) == -9999.0).all()
    assert rows["no coordinates"]["longitude"].isna().all()
    wet = rows["wetter than its pores"]
    assert ((wet["wet_mass"] - wet["dry_mass"]) / 100 > 1 - wet["dry_mass"] / 265).all()
    again = rows["measured again"].merge(table[table["fault"] == ""], on=["longitude", "latitude"])
    assert len(again) == FAULTS["measured again"]
