"""A run at one glance."""

from __future__ import annotations

import json
import shutil

import pytest

from alm_core.inspection.run_overview import run_overview, run_overviews
from alm_core.workspace import Run, read_json, write_json


@pytest.fixture
def copied(dashboard_run, tmp_path):
    """A copy of the run that may be written."""
    folder = tmp_path / "workspace" / "small" / dashboard_run.id
    shutil.copytree(dashboard_run.folder, folder)
    return Run(folder)


def test_scores_are_those_of_the_scheme_that_answers_for_the_map(dashboard_run):
    """Value and interval as in metrics.json, with the unit of the target."""
    found = run_overview(dashboard_run)
    fused = dashboard_run.metrics()["schemes"]["knndm"]["fused"]
    assert (found.scheme, found.finished, found.level, found.sites) == ("knndm", True, 0.9, fused["count"])
    assert [score.name for score in found.scores] == ["r2", "rmse", "picp"]
    rmse = found.scores[1]
    assert (rmse.value, rmse.unit) == (fused["rmse"], "m3 m-3")
    assert [rmse.low, rmse.high] == fused["interval"]["rmse"]
    assert found.thumbnail.is_file()
    assert found.card.is_file()
    assert json.dumps(found.to_dict())


def test_classes_have_their_own_scores(class_run):
    """Accuracy and kappa, and no interval of values."""
    found = run_overview(class_run)
    assert [score.name for score in found.scores] == ["overall_accuracy", "kappa"]
    assert found.level is None


def test_an_unfinished_run_names_the_stage_that_it_stopped_at(copied):
    """Scored or not, by what is done."""
    record = read_json(copied.folder / "run.json")
    record["stages"]["map"]["state"] = "running"
    write_json(copied.folder / "run.json", record)
    found = run_overview(copied)
    assert (found.finished, found.next_stage, found.stages_done, found.stages) == (False, "map", 7, 8)
    assert found.scores
    record["stages"]["validation"]["state"] = "running"
    write_json(copied.folder / "run.json", record)
    assert run_overview(copied).scores == ()


@pytest.mark.parametrize("name", ["run.json", "metrics.json"])
@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_a_damaged_run_is_given_with_its_fault(copied, name, text):
    """Nothing is raised: one bad run must not hide the others."""
    (copied.folder / name).write_text(text)
    assert run_overview(copied).fault


def test_the_newest_run_comes_first(copied):
    """By the time of its record."""
    older = copied.folder.with_name("aaaa")
    shutil.copytree(copied.folder, older)
    record = read_json(older / "run.json")
    write_json(copied.folder / "run.json", record)
    found = run_overviews(copied.folder.parents[1])
    assert [item.id for item in found] == [f"small/{copied.id}", "small/aaaa"]
    assert run_overviews(copied.folder / "nothing") == []
