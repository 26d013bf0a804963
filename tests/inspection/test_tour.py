"""The numbers of the tour."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from alm_core.diagnostics.pairs import site_pairs
from alm_core.grid import Grid
from alm_core.inspection import tour
from alm_core.mapping.cog import open_raster
from alm_core.workspace import Run, read_json


@pytest.fixture(scope="module")
def layers(dashboard_run):
    """Value, lower, upper, dissimilarity and inside of every cell, and the grid."""
    with (
        open_raster(dashboard_run.file("map/fused.tif")) as fused,
        open_raster(dashboard_run.file("map/uncertainty.tif")) as trust,
    ):
        band = {name: number for number, name in enumerate(trust.descriptions, start=1)}
        names = ("lower", "upper", "dissimilarity", "inside")
        found = {"value": fused.read(1)} | {name: trust.read(band[name]) for name in names}
        return found, Grid.from_dataset(fused)


def test_the_map_is_summed_up_by_area(dashboard_run, layers):
    """Area of the mapped cells, and quantiles between their smallest and largest value."""
    values, grid = layers
    valid = np.isfinite(values["value"])
    area = np.broadcast_to(grid.cell_area_square_metres()[:, None], grid.shape)[valid]
    facts = tour.map_facts(dashboard_run)
    assert facts.area_km2 == pytest.approx(area.sum() / 1e6)
    assert facts.low < facts.median < facts.high
    below = values["value"][valid] <= facts.median
    assert area[below].sum() / area.sum() == pytest.approx(0.5, abs=0.01)


def test_classes_share_the_area(class_run):
    """Parts add up to one, and there are no quantiles."""
    facts = tour.map_facts(class_run)
    assert sum(facts.classes.values()) == pytest.approx(1)
    assert np.isnan(facts.median)


def test_sites_are_counted(dashboard_run):
    """Kept and all, surveys, methods, years."""
    sites = pd.read_parquet(dashboard_run.file("sites.parquet"))
    facts = tour.site_facts(dashboard_run)
    assert (facts.total, facts.kept) == (len(sites), int(sites["kept"].sum()))
    assert facts.kept < facts.total
    assert (facts.surveys, facts.first_year, facts.last_year) == (5, 2019, 2019)
    assert sum(facts.methods.values()) == facts.kept
    mapped = read_json(dashboard_run.file("map/map.json"))["counts"]["mapped"]
    assert facts.cells_per_site == mapped / facts.kept


def test_the_pull_is_the_error_of_both_tails(dashboard_run):
    """Of the highest and lowest tenth under the honest scheme."""
    scores = dashboard_run.metrics()["schemes"]["knndm"]["fused"]
    facts = tour.pull_facts(dashboard_run)
    assert facts.low_error == pytest.approx(scores["tail_bias_low"])
    assert facts.high_error == pytest.approx(scores["tail_bias_high"])
    assert facts.sd_ratio == scores["sd_ratio"]
    assert facts.pulls == (facts.low_error > 0 > facts.high_error)
    observed = site_pairs(dashboard_run, "knndm")["observed"]
    assert observed.min() <= facts.low_observed < facts.high_observed <= observed.max()
    assert 0 <= facts.word < 0.1


def test_places_are_cells_of_the_map(dashboard_run, layers):
    """Their numbers are those of the cell under them, and each is of its kind."""
    values, grid = layers
    places = {place.kind: place for place in tour.example_places(dashboard_run)}
    assert {"low", "high"} <= set(places)
    assert places["low"].value < places["high"].value
    for place in places.values():
        row, column = (int(part) for part in grid.row_column(place.longitude, place.latitude))
        for name in ("value", "lower", "upper", "dissimilarity"):
            assert getattr(place, name) == pytest.approx(float(values[name][row, column]))
        assert (values["inside"][row, column] == 0) == (place.kind == "outside")


def test_low_and_high_are_near_their_quantiles(dashboard_run, layers):
    """Of the cells inside the area."""
    values, _ = layers
    inside = values["value"][values["inside"] == 1]
    for place in tour.example_places(dashboard_run):
        if place.kind != "outside":
            part = {"low": 0.1, "high": 0.9}[place.kind]
            assert (inside <= place.value).mean() == pytest.approx(part, abs=0.02)


def test_what_a_classification_lacks_is_none(class_run):
    """No pull, no interval, no places, but a hardest class."""
    assert tour.pull_facts(class_run) is None
    assert tour.pull_curves(class_run) is None
    assert tour.covered_sites(class_run) is None
    assert tour.example_places(class_run) == ()
    name, part = tour.hardest_class(class_run)
    pairs = site_pairs(class_run, "knndm")
    of_class = pairs[pairs["observed"].astype(str) == name]
    assert part == pytest.approx(of_class["correct"].mean())
    assert part <= pairs["correct"].mean()


def test_the_part_outside_is_what_the_run_counted(dashboard_run, tmp_path):
    """NaN without an area of applicability."""
    counts = read_json(dashboard_run.file("map/map.json"))["counts"]
    assert tour.trust_facts(dashboard_run).outside == counts["outside"] / counts["mapped"]
    folder = tmp_path / "run"
    shutil.copytree(dashboard_run.folder, folder)
    (folder / "applicability.json").unlink()
    assert np.isnan(tour.trust_facts(Run.open(folder)).outside)


def test_weighted_quantiles_reach_both_ends():
    """Equal weights give the plain order; a heavy value takes the middle."""
    values, ones = np.array([3.0, 1.0, 2.0]), np.ones(3)
    assert tour.weighted_quantiles(values, ones, (0.0, 0.5, 1.0)) == (1.0, 2.0, 3.0)
    assert tour.weighted_quantiles(values, np.array([10.0, 1.0, 1.0]), (0.5,)) == (3.0,)
