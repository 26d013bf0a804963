"""Jobs that run a study."""

from __future__ import annotations

import time

import pytest

from alm_core import pipeline, studies
from alm_core.errors import StudyError
from alm_core.jobs import Job, JobError, study_runs, submit
from alm_core.workspace import Run, list_runs, write_json
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
    numbered = {(number, stage) for number, stage, stages in seen if stages == 8}
    assert {(5, "validation"), (7, "map")} & numbered


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
    assert told[:3] == [("plan", "demo", 9), "a block", ("end", False)]
    assert ("end", True) in told


def test_the_state_of_the_demo_is_told(tmp_path):
    """Absent, being made, there: by the jobs and the runs of the workspace."""
    assert [found.state for found in study_runs.demo_states(tmp_path)] == ["absent", "absent"]
    job = _ended_job(tmp_path, 1, "demo", {"size": "medium", "studies": str(tmp_path / "studies")}, "queued")
    assert study_runs.demo_states(tmp_path)[1] == study_runs.DemoState("medium", "running", job=job.id)
    assert study_runs.running_studies(tmp_path) == {
        str(tmp_path / "studies" / "active_layer_moisture_medium" / "study.toml"): job.id
    }
    record = {"study": "active_layer_moisture_small", "title": "", "simulated": True, "stages": {}, "order": []}
    target = {"name": "vwc", "unit": "", "task": "regression"}
    record["options"] = {"target": target, "uncertainty": {"method": "none", "level": 0.9}}
    write_json(tmp_path / "active_layer_moisture_small" / "abc" / "run.json", record)
    state = study_runs.demo_states(tmp_path)[0]
    assert (state.state, state.run) == ("there", "active_layer_moisture_small/abc")


def test_only_the_last_failure_of_a_study_is_shown(tmp_path):
    """What was started again since has its own state; other kinds and specs stand for themselves."""
    first = _ended_job(tmp_path, 1, "run", {"study": "a"}, "failed")
    _ended_job(tmp_path, 2, "run", {"study": "b"}, "failed")
    _ended_job(tmp_path, 3, "run", {"study": "b"}, "done")
    last = _ended_job(tmp_path, 4, "run", {"study": "a"}, "cancelled")
    assert [job.id for job in study_runs.failed_jobs(tmp_path)] == [last.id]
    last.delete()
    assert [job.id for job in study_runs.failed_jobs(tmp_path)] == [first.id]


def test_a_working_job_is_not_deleted(workspace):
    """It is to be cancelled first."""
    job = submit(workspace, "deaf")
    with pytest.raises(JobError, match="Cancel it first"):
        job.delete()
    assert job.folder.is_dir()


def _ended_job(workspace, number, kind, spec, state):
    folder = workspace / ".jobs" / f"20240101-00000{number}-000000-abcdef"
    write_json(folder / "job.json", {"kind": kind, "function": "a:b", "spec": spec, "submitted": time.time()})
    write_json(folder / "progress.json", {"state": state})
    return Job(folder)


def test_a_demo_has_no_other_sizes(tmp_path):
    """The full one takes ten minutes and 5 GB: it is for the command line."""
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
