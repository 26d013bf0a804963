"""The stage that draws cell-days and computes their predictors."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from alm_core.cubes.features import compute_features
from alm_core.cubes.static_layers import read_static
from alm_core.cubes.store import CubeStore
from alm_core.errors import SitesError, StudyError
from alm_core.learning.day_samples import DaySamples
from alm_core.stages.day_samples import day_plan, stage_day_samples
from alm_core.study import parse_options
from tests.stages.day_context import CELLS, DAYS, FIRST, arrays, make_context


def drawn(folder, **options):
    """Samples and facts of a study."""
    context = make_context(folder, **options)
    files = stage_day_samples(context)
    assert all(path.is_file() for path in files)
    return DaySamples.open(folder / "samples.parquet"), json.loads((folder / "samples.json").read_text()), context


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The study as it is."""
    return drawn(tmp_path_factory.mktemp("samples"))


def test_labels_and_predictors_are_those_of_the_cell_and_day(made):
    """Read again from the cubes, every row."""
    samples, facts, context = made
    store = CubeStore.open(context.folder / "cubes")
    plan = day_plan(context.options.days, store, context.stack)
    values = compute_features(plan, store, read_static(context.stack, store, plan.layers), 0, DAYS)
    cell, day = samples.column("cell"), samples.column("day")
    assert np.array_equal(samples.features, values[:, day, cell].T)
    own = samples.learns
    assert np.array_equal(samples.label[own], store.read("label_state")[day, cell][own])
    assert np.array_equal(samples.check[~own], store.read("second_state")[day, cell][~own] - 1)
    assert np.array_equal(samples.column("baseline:vertical_36"), store.read("tb36v")[day, cell])
    assert np.array_equal(samples.dates, np.datetime64(FIRST) + day)
    assert np.array_equal(samples.column("x"), store.x[cell])
    assert facts["kept"] + facts["kept_check"] == len(samples)
    assert facts["check_agrees_with_labels"] == pytest.approx(0.9, abs=0.05)


def test_products_of_labels_and_check_are_no_predictors(made):
    """Although their variables say nothing of being states."""
    samples, facts, _ = made
    assert samples.names == ("tb36v", "tb18h", "quasi_emissivity", "day_of_year_sine", "day_of_year_cosine", "elevation")
    assert facts["features"] == list(samples.names)


def test_what_was_found_is_counted(made):
    """Other values, missing ones, rows that lack a predictor."""
    samples, facts, _ = made
    labels = facts["labels"]
    assert labels["missing"] == DAYS
    assert list(labels["values"]) == ["7"]
    assert labels["frozen"] + labels["thawed"] + labels["missing"] + labels["other_values"] == DAYS * len(CELLS)
    assert facts["drawn"] == 1500
    assert facts["lacking"]["labels"] > 0
    assert facts["kept"] == 1500 - facts["lacking"]["labels"]
    assert min(facts["by_season"].values()) > 300
    assert not np.isnan(samples.features).any()
    assert 5 not in samples.column("cell")[samples.learns]


def test_neither_the_check_nor_the_days_around_it_are_learned_from(made):
    """Ten days before and after, in its cell."""
    samples, facts, _ = made
    cell, day, check = samples.column("cell"), samples.column("day"), samples.is_check
    assert facts["kept_check"] == check.sum() > 100
    near = np.abs(day[samples.learns][:, None] - day[check][None, :]) <= 10
    assert not (near & (cell[samples.learns][:, None] == cell[check][None, :])).any()


def test_a_poisoned_check_changes_nothing_but_itself(made, tmp_path):
    """The same rows, labels and predictors, whatever the second product says."""
    values = arrays()
    values["second_state"] = 3 - values["second_state"]
    samples, _, _ = drawn(tmp_path, values=values)
    clean = made[0]
    assert samples.frame.drop(columns="check").equals(clean.frame.drop(columns="check"))
    assert np.array_equal(samples.check[samples.is_check], 1 - clean.check[clean.is_check])


def test_gaps_stay_where_they_are_routed(tmp_path):
    """None is left out."""
    samples, facts, _ = drawn(tmp_path, missing="route", check=None)
    assert facts["kept"] == 1500
    assert np.isnan(samples.features).any()
    assert facts["check"] is None
    assert not samples.is_check.any()


def test_a_state_that_never_occurs_is_refused_with_what_was_found(tmp_path):
    """The codes of another product: 7 is told."""
    with pytest.raises(SitesError, match=r"never are thawed.*labels\.frozen.*0 \(\d+ times\)"):
        drawn(tmp_path, labels={"variable": "label_state", "frozen": [1], "thawed": [2]})


def test_a_check_without_states_is_refused(tmp_path):
    """Wrong codes of the second product."""
    with pytest.raises(SitesError, match=r"second_state.*check\.frozen"):
        drawn(tmp_path, check={"variable": "second_state", "frozen": [8], "thawed": [9]})


def test_a_predictor_that_is_never_there_is_named(tmp_path):
    """All samples would be left out."""
    values = arrays()
    values["tb18h"][:] = np.nan
    with pytest.raises(SitesError, match=r"tb18h \d+.*route"):
        drawn(tmp_path, values=values)


def test_states_of_sites_stand_for_a_product(tmp_path):
    """Two sites in one cell both stay, at their own places."""
    dates = pd.date_range("2011-01-01", "2012-12-31").strftime("%Y-%m-%d")
    day = np.arange(len(dates))
    celsius = 1 - 10 * np.cos(2 * np.pi * day / 365)
    places = {"a": (91.3, 33.6), "b": (91.6, 33.4), "c": (94.5, 32.5), "outside": (10.0, 50.0)}
    rows = [
        pd.DataFrame({"site": name, "date": dates, "longitude": x, "latitude": y, "value": celsius})
        for name, (x, y) in places.items()
    ]
    pd.concat(rows).to_csv(tmp_path / "states.csv", index=False)
    samples, facts, _ = drawn(tmp_path, labels={"table": "states.csv"}, samples={"count": 5000})
    own = samples.learns
    assert facts["sites"] == 3
    assert facts["labels"]["table"]["outside"] == ["outside"]
    assert set(samples.sites[own]) == {"a", "b", "c"}
    assert set(samples.sites[~own]) == {""}
    expected = celsius[(samples.dates[own] - np.datetime64("2011-01-01")).astype(int)] <= 0
    assert np.array_equal(samples.label[own], expected)
    assert set(samples.column("x")[own]) == {91.3, 91.6, 94.5}


def test_the_label_of_the_next_day_can_not_be_a_predictor():
    """Neither by naming the product, nor by a change that looks ahead."""
    text = {
        "study": {"name": "days", "title": "Days"},
        "target": {"task": "classification"},
        "grid": {"crs": "EPSG:4326", "resolution": 1.0, "bounds": {"west": 0, "south": 0, "east": 1, "north": 1}},
        "learners": [{"name": "extra_trees"}],
    }
    days = {"first": FIRST, "last": FIRST, "variables": [{"name": "s", "path": "s"}, {"name": "tb", "path": "tb"}]}
    days["labels"] = {"variable": "s"}
    leaking = {"name": "next", "method": "change", "inputs": ["s"], "days": 1}
    with pytest.raises(StudyError, match="can't be a predictor"):
        parse_options(text | {"days": days | {"features": [leaking]}})
    with pytest.raises(StudyError, match="greater than or equal to 1"):
        parse_options(text | {"days": days | {"features": [leaking | {"inputs": ["tb"], "days": -1}]}})
