"""The tiny study through the whole pipeline, judged by the truth that was kept aside."""

from __future__ import annotations

import netCDF4
import numpy as np
import pandas as pd
import pytest

from alm_core.cubes.states import UNKNOWN
from tests.day_study import EXTENT, FEATURES


def cube(path, name):
    """Stored numbers ``[day, row, column]``."""
    with netCDF4.Dataset(path) as file:
        file.variables[name].set_auto_maskandscale(False)
        return file.variables[name][:]


@pytest.fixture(scope="module")
def days(day_run):
    """Map, label product and truth of every day of the three years."""
    study = day_run.folder.parents[2] / "studies" / "days"
    found = {"map": [], "label": [], "truth": []}
    for year in EXTENT.years:
        found["map"].append(cube(day_run.file(f"map/days/state_{year}.nc"), "state"))
        found["label"].append(cube(study / "label" / f"FT_label_{year}.nc", "freeze_thaw_state"))
        found["truth"].append(cube(study / "truth" / f"truth_{year}.nc", "state"))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def test_every_day_of_every_cell_is_mapped(days):
    """Three years with a leap year; gaps are routed, so nothing is unknown inside the mask."""
    assert len(days["map"]) == 1096
    np.testing.assert_array_equal(days["map"] != UNKNOWN, days["truth"] != UNKNOWN)


def test_the_map_is_better_than_its_labels(days):
    """What errs at random in the labels is averaged out; a day's shift or a turned grid would show here."""
    labelled = (days["label"] < 2) & (days["truth"] != UNKNOWN)
    right = {name: (days[name] == days["truth"])[labelled].mean() for name in ("map", "label")}
    assert right["map"] > right["label"] + 0.02
    shifted = np.roll(days["map"], 3, axis=0)
    assert (shifted == days["truth"])[labelled].mean() < right["map"]


def test_neither_product_of_states_is_a_predictor(day_run):
    """Nor anything of the truth."""
    table = pd.read_parquet(day_run.file("samples.parquet"))
    names = [name.removeprefix("feature:") for name in table if name.startswith("feature:")]
    assert names == [*FEATURES, "elevation"]
    assert not [path for path in day_run.folder.rglob("*") if "truth" in path.name]


def test_scores_are_bounded_by_the_labels(day_run, days):
    """No split scores much better than the labels are right: one that did would have learned their errors."""
    labelled = (days["label"] < 2) & (days["truth"] != UNKNOWN)
    right = (days["label"] == days["truth"])[labelled].mean()
    for scheme, learners in day_run.metrics()["schemes"].items():
        accuracy = learners["extra_trees"]["overall_accuracy"]
        assert 0.75 < accuracy < right + 0.04, scheme
