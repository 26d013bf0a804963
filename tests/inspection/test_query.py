"""Asking a map about one place: its own numbers, why, which sites are like it, and places where there is nothing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import rasterio

from alm_core.errors import DomainError, StudyError
from alm_core.inspection.query import ANALOGUE_COLUMNS, ask
from alm_core.learning.applicability import Applicability
from alm_core.scenarios.scenario import Scenario, load_scenario, save_scenario, scenario_fusion
from alm_core.workspace import read_json
from tests.run_copies import copy_run, grid_of


def mapped_cells(run, count=12):
    """Some mapped cells, (row, column)."""
    with rasterio.open(run.file("map/fused.tif"), driver="GTiff") as dataset:
        rows, columns = np.nonzero(np.isfinite(dataset.read(1)))
    drawn = np.random.default_rng(0).choice(len(rows), count, replace=False)
    return list(zip(rows[drawn].tolist(), columns[drawn].tolist(), strict=True))


def test_every_number_is_that_of_the_rasters(dashboard_run):
    """Value, bounds, trust and members are the pixels exactly, wherever in the cell one clicks."""
    grid, rng = grid_of(dashboard_run), np.random.default_rng(1)
    folder = dashboard_run.folder / "map"
    with (
        rasterio.open(folder / "fused.tif") as fused,
        rasterio.open(folder / "uncertainty.tif") as trust,
        rasterio.open(folder / "members.tif") as members,
    ):
        value, doubt, parts = fused.read(1), trust.read(), members.read()
    for row, column in mapped_cells(dashboard_run):
        longitude, latitude = grid.x[column] + rng.uniform(-0.049, 0.049), grid.y[row] + rng.uniform(-0.049, 0.049)
        answer = ask(dashboard_run, longitude, latitude, explain=False)
        assert (answer.cell.row, answer.cell.column, answer.state, answer.inside_map) == (row, column, "mapped", True)
        assert answer.value == float(value[row, column])
        assert [answer.lower, answer.upper, answer.dissimilarity, answer.density] == doubt[:4, row, column].tolist()
        assert answer.inside == bool(doubt[4, row, column])
        assert list(answer.members.values()) == parts[:, row, column].tolist()
        assert (answer.cell.longitude, answer.cell.latitude) == pytest.approx((grid.x[column], grid.y[row]))
        assert (answer.unit, answer.note) == ("m3 m-3", "")


def test_explanation_adds_up(dashboard_run):
    """Base and contributions are the value, groups are sums of covariates, and the largest comes first."""
    grid = grid_of(dashboard_run)
    for row, column in mapped_cells(dashboard_run, 5):
        answer = ask(dashboard_run, grid.x[column], grid.y[row])
        explanation = answer.explanation
        assert explanation.value == pytest.approx(answer.value, abs=1e-6)
        assert sum(explanation.groups.values()) == pytest.approx(sum(explanation.contributions.values()), abs=1e-12)
        sizes = np.abs(list(explanation.contributions.values()))
        assert (np.diff(sizes) <= 0).all()
        assert set(explanation.contributions) == set(read_json(dashboard_run.file("models.json"))["features"])


def test_covariates_are_those_of_the_cell(dashboard_run):
    """All staged covariates with their units, those of the models first."""
    grid = grid_of(dashboard_run)
    row, column = mapped_cells(dashboard_run, 1)[0]
    answer = ask(dashboard_run, grid.x[column], grid.y[row], explain=False)
    features = read_json(dashboard_run.file("models.json"))["features"]
    assert list(answer.covariates)[: len(features)] == features
    for name, (value, _) in answer.covariates.items():
        with rasterio.open(dashboard_run.file(f"covariates/{name}.tif")) as dataset:
            assert value == float(dataset.read(1)[row, column])


def test_analogues_are_the_nearest_sites(dashboard_run):
    """In order of distance, the first at the dissimilarity of the map, with their own observed value and distance."""
    grid = grid_of(dashboard_run)
    samples = pd.read_parquet(dashboard_run.file("samples.parquet")).set_index("site_id")
    for row, column in mapped_cells(dashboard_run, 5):
        answer = ask(dashboard_run, grid.x[column], grid.y[row], explain=False, analogues=7)
        found = answer.analogues
        assert tuple(found.columns) == ANALOGUE_COLUMNS
        assert len(found) == 7
        assert (np.diff(found["distance"]) >= 0).all()
        assert found["distance"].iloc[0] == pytest.approx(answer.dissimilarity, rel=1e-5, abs=1e-6)
        np.testing.assert_array_equal(found["observed"], samples.loc[found["site_id"], "target"])
        assert (found["distance_km"] < 700).all()
    area = Applicability.from_dict(read_json(dashboard_run.file("applicability.json")))
    assert answer.threshold == area.threshold


def test_predictions_of_analogues_are_out_of_fold(dashboard_run):
    """They come from the scheme that answers for the map."""
    grid = grid_of(dashboard_run)
    row, column = mapped_cells(dashboard_run, 1)[0]
    found = ask(dashboard_run, grid.x[column], grid.y[row], explain=False).analogues
    frame = pd.read_parquet(dashboard_run.file("out_of_fold.parquet"))
    rows = frame[frame["scheme"] == "knndm"].set_index("site_id")["fused"]
    np.testing.assert_allclose(found["predicted"], rows.loc[found["site_id"]])


def test_a_site_is_its_own_nearest_analogue(dashboard_run):
    """Asked at a site, the covariates of its cell are nearly its own."""
    samples = pd.read_parquet(dashboard_run.file("samples.parquet"))
    inside = samples[samples["longitude"] > 90.5].iloc[3]
    answer = ask(dashboard_run, inside["longitude"], inside["latitude"], explain=False)
    assert answer.analogues["site_id"].iloc[0] == inside["site_id"]
    assert answer.analogues["distance_km"].iloc[0] == pytest.approx(0, abs=0.01)


def test_a_scenario_is_fused_from_the_members(dashboard_run, tmp_path):
    """Value and bounds of a named scenario are its fusion of the pixel's members, and its explanation adds up too."""
    run = copy_run(dashboard_run, tmp_path)
    save_scenario(run, Scenario("mine", method="manual", weights={"forest": 1.0, "boosted": 3.0}, correction="zscore"))
    fusion, grid = scenario_fusion(run, load_scenario(run, "mine")), grid_of(run)
    for row, column in mapped_cells(run, 4):
        answer = ask(run, grid.x[column], grid.y[row], scenario="mine")
        expected = fusion.predict(np.array(list(answer.members.values())))
        wanted = [np.float32(part) for part in (expected.value, expected.lower, expected.upper)]
        assert [answer.value, answer.lower, answer.upper] == wanted
        assert answer.explanation.value == pytest.approx(answer.value, abs=1e-6)
        assert answer.scenario == "mine"
    with pytest.raises(StudyError, match="no scenario 'other'"):
        ask(run, grid.x[column], grid.y[row], scenario="other")


@pytest.mark.parametrize(
    ("place", "state"),
    [((10.0, 10.0), "outside"), ((-170.0, -89.0), "outside"), ((90.15, 31.55), "masked"), ((92.05, 31.55), "mapped")],
)
def test_places_without_a_value_are_answers_too(dashboard_run, place, state):
    """Outside the grid and outside the mask are said, not raised."""
    answer = ask(dashboard_run, *place)
    assert answer.state == state
    assert answer.inside_map == (state == "mapped")
    assert bool(answer.note) == (state != "mapped")
    assert (answer.value is None) == (state != "mapped")
    json.dumps({**answer.to_dict(), "covariates": {}}, default=str)


def test_a_missing_covariate_is_said(dashboard_run, tmp_path):
    """Inside the mask without a value: a covariate is missing."""
    run = copy_run(dashboard_run, tmp_path)
    with rasterio.open(run.folder / "map/fused.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as fused:
        values = fused.read(1)
        values[10, 20] = np.nan
        fused.write(values, 1)
    grid = grid_of(run)
    assert ask(run, grid.x[20], grid.y[10]).state == "missing"


def test_longitudes_beyond_the_date_line_are_understood(dashboard_run):
    """A map dragged once around the earth gives the same answer."""
    here, there = ask(dashboard_run, 92.05, 31.55, explain=False), ask(dashboard_run, 92.05 - 360, 31.55, explain=False)
    assert here.cell == there.cell


@pytest.mark.parametrize(
    "place", [(float("nan"), 31.0), (92.0, float("inf")), (1e300, 31.0), (92.0, 91.0), (None, 31.0), ("east", 31.0)]
)
def test_what_is_no_place_is_refused(dashboard_run, place):
    """Not finite, huge, or no numbers: a clear fault."""
    with pytest.raises(DomainError, match="degrees"):
        ask(dashboard_run, *place)


def test_classes_answer_with_probabilities(class_run):
    """The label, the fused and the members' probabilities; nothing is explained, and that is said."""
    answer = ask(class_run, 92.05, 31.55)
    assert answer.value == float(answer.label)
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert max(answer.probabilities, key=answer.probabilities.get) == answer.label
    assert len(answer.members) == 4
    assert answer.explanation is None
    assert "not explained" in answer.note
    assert answer.lower is None
    assert set(answer.analogues["observed"]) <= {1, 2}
