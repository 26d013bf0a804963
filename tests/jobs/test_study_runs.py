"""Jobs that run a study."""

from __future__ import annotations

import time

import pytest

from alm_core import pipeline, studies
from alm_core.errors import StudyError
from alm_core.jobs import study_runs, submit
from alm_core.workspace import Run, list_runs
from tests.jobs.kinds_for_tests import wait_until
from tests.small_study import write_small_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A small study, scored on one scheme only."""
    validation = 'schemes = ["random"]\nheadline = "random"\nfolds = 3\ninner_folds = 3\nbootstrap = 0\ndomain_points = 100'
    return write_small_study(tmp_path_factory.mktemp("studies") / "small", validation=validation)


def test_a_run_ends_with_the_id_of_its_run(workspace, study):
    """The stages are told in order, the run is finished, and the part done never goes back."""
    job = submit(workspace, "run", study=str(study))
    seen, parts = [], []
    while (state := job.state()).open:
        seen.append((state.stage_number, state.stage, state.stages))
        parts.append(state.fraction)
        time.sleep(0.02)
    assert state.state == "done", state
    run = list_runs(workspace)[0]
    assert run.finished
    assert state.result == {"run": f"small/{run.id}", "title": "A small study"}
    assert parts == sorted(parts)
    numbered = {(number, stage) for number, stage, stages in seen if stages == 7}
    assert {(4, "validation"), (6, "map")} & numbered


def test_a_cancelled_run_keeps_its_finished_stages(workspace, study):
    """It stops in the middle, and another job takes it to its end."""
    job = submit(workspace, "run", study=str(study))
    while (state := job.state()).stage_number < 4 and state.open:
        time.sleep(0.01)
    job.cancel()
    wait_until(job, "cancelled")
    run = list_runs(workspace)[0]
    assert run.record["stages"]["sites"]["state"] == "done"
    assert not run.finished
    done = wait_until(submit(workspace, "run", study=str(study)), "done")
    assert Run.open(workspace / done.result["run"]).finished


def test_a_study_that_is_gone_is_a_clear_failure(workspace, tmp_path):
    """The text names the path and what to do."""
    error = wait_until(submit(workspace, "run", study=str(tmp_path / "none.toml")), "failed").error
    assert "No study at" in error


def test_a_demo_is_written_and_run(workspace, tmp_path, monkeypatch):
    """The writing is the first of eight stages; what is written is run; the second time it is not written again."""
    told, wrote = [], []

    def write_demo(folder, *, size, progress):
        wrote.append(folder.name)
        progress(1, 2, "a block")
        return write_small_study(folder)

    def run(study, *, workspace, progress):
        return Run(workspace / study.name / "0123456789ab")

    monkeypatch.setitem(studies.DEMOS, study_runs.DEMO, write_demo)
    monkeypatch.setattr(pipeline, "run", run)
    for _ in range(2):
        report = _Report(told)
        result = study_runs.demo_job(
            {"size": "small", "studies": str(tmp_path)}, workspace=workspace, folder=tmp_path, report=report
        )
    assert wrote == ["active_layer_moisture_small"]
    assert result == {"run": "small/0123456789ab", "title": "A small study"}
    assert told[:3] == [("plan", "demo", 8), "a block", ("end", False)]
    assert ("end", True) in told


def test_a_demo_has_no_other_sizes(tmp_path):
    """The full one takes half an hour and 15 GB: it is for the command line."""
    with pytest.raises(StudyError, match="small or medium"):
        study_runs.demo_job({"size": "full", "studies": str(tmp_path)}, workspace=tmp_path, folder=tmp_path, report=None)


class _Report:
    """Notes what it is told."""

    def __init__(self, told):
        self.told = told

    def plan(self, expected, *, known):
        self.told.append(("plan", next(iter(expected)), len(expected)))

    def __call__(self, done, total, message):
        self.told.append(message)

    def end_stage(self, *, skipped=False):
        self.told.append(("end", skipped))

    def listen(self, event):
        pass
