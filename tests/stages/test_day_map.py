"""The map stage of a study of days: everything that it leaves, and what a second call does."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio

from alm_core.cubes.features import compute_features
from alm_core.cubes.static_layers import read_static
from alm_core.cubes.store import CubeStore
from alm_core.errors import LearnerError
from alm_core.learning.day_model import load_day_model
from alm_core.mapping.day_files import read_series
from alm_core.stages.day_learning import stage_day_models
from alm_core.stages.day_map import stage_day_map
from alm_core.stages.day_samples import day_plan, stage_day_samples
from alm_core.workspace import hash_file
from tests.stages.day_context import CELLS, DAYS, GRID, make_context


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """A context whose map is made."""
    context = make_context(tmp_path_factory.mktemp("map") / "run")
    context.stack.slices, context.stack.checked = (), []
    context.stack.check = lambda names, digest: context.stack.checked.append(tuple(names))
    context.keys, context.run_id = {"map": "key"}, "abcdef"
    context.steps = []
    context.report = lambda done, total, message: context.steps.append((done, total))
    stage_day_samples(context)
    stage_day_models(context)
    context.steps.clear()
    context.files = stage_day_map(context)
    return context


def hashes(context):
    """Every file that the stage returned."""
    return {path.relative_to(context.folder).as_posix(): hash_file(path) for path in context.files}


def test_every_file_of_the_contract_is_there(mapped):
    """Three years of days, the four onsets and counts; two whole freezing years have no trend."""
    names = {
        f"map/days/{name}"
        for year in (2011, 2012, 2013)
        for name in (f"state_{year}.nc", f"state_{year}.tif", f"probability_{year}.tif")
    }
    names |= {f"map/phenology/{name}.tif" for name in ("freeze_onset", "thaw_onset", "frozen_days", "transitions")}
    assert set(hashes(mapped)) == names | {"map/days.json"}
    facts = json.loads((mapped.folder / "map/days.json").read_text())
    assert set(facts["files"]) == names
    assert (facts["years"], facts["days"], facts["cells"]) == ([2011, 2012, 2013], DAYS, CELLS.size)
    assert sum(sum(list(year.values())[:3]) for year in facts["counts"].values()) == DAYS * CELLS.size
    assert facts["counts"]["2011"]["unknown"] >= 20 * 10
    assert all(year["incomplete"] == year["unknown"] for year in facts["counts"].values())
    assert facts["oracle"]["largest_difference"] <= 1e-6
    assert facts["phenology"]["years"] == [2011, 2012]
    assert facts["phenology"]["left_out"] == ["2011-01-01 to 2011-06-30", "2013-07-01 to 2013-12-31"]
    assert (facts["learner"], facts["missing"]) == ("trees", "leave_out")
    assert mapped.steps[-1] == (1000, 1000)
    assert mapped.stack.checked


def test_a_cell_has_what_its_library_predicts(mapped):
    """Through the stored series: features of the cell, the model, the state and the rounded probability."""
    store, model = CubeStore.open(mapped.folder / "cubes"), load_day_model(mapped.folder)
    plan = day_plan(mapped.options.days, store, mapped.stack)
    static = read_static(mapped.stack, store, plan.layers)
    values = compute_features(plan, store, static, 0, DAYS, cells=np.array([7]))
    known = np.isfinite(values[:, :, 0]).all(axis=0)
    probability = model.learner.predict(values[:, known, 0].T)[:, 1]
    row, column = divmod(int(CELLS[7]), GRID.shape[1])
    series = read_series(mapped.folder, row, column)
    assert np.array_equal(series.state != 255, known)
    assert np.abs(series.percent[known] - 100 * probability).max() <= 1.0
    clear = np.abs(probability - 0.5) > 1e-6
    assert np.array_equal(series.state[known][clear] == 1, probability[clear] >= 0.5)


def test_freezing_is_found_where_the_seasons_put_it(mapped):
    """Northern rows are warmer in this world, so they freeze later."""
    with rasterio.open(mapped.folder / "map/phenology/freeze_onset.tif") as dataset:
        onset = np.nanmedian(dataset.read(1), axis=1)
    assert 60 < np.nanmin(onset) < np.nanmax(onset) < 190
    assert onset[0] > onset[-1]


def test_a_second_call_writes_nothing_but_its_facts(mapped):
    """Byte by byte the same, and no raster is touched."""
    before = hashes(mapped)
    stamps = {path: path.stat().st_mtime_ns for path in mapped.files if path.suffix != ".json"}
    assert stage_day_map(mapped) == mapped.files
    assert hashes(mapped) == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_another_model_makes_all_days_again(mapped, monkeypatch):
    """And one that is far from its library makes none."""
    chunk = next((mapped.folder / "map/blocks").glob("*.block"))
    stamp = chunk.stat().st_mtime_ns
    about = mapped.folder / "models/trees.json"
    facts = json.loads(about.read_text())
    about.write_text(json.dumps(facts | {"seed": 99}))
    try:
        stage_day_map(mapped)
    finally:
        about.write_text(json.dumps(facts))
    assert chunk.stat().st_mtime_ns != stamp
    monkeypatch.setattr("alm_core.learning.day_model.DayModel.check_block", refuse)
    with pytest.raises(LearnerError, match="far"):
        stage_day_map(mapped)


def refuse(self, values, valid):
    """An oracle that says no."""
    raise LearnerError("far from its library")
