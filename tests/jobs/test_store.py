"""Jobs on disk, without a worker."""

from __future__ import annotations

import pytest

from alm_core.errors import WorkspaceError
from alm_core.jobs import JobError, JobState, find_job, kinds, list_jobs, register, submit
from alm_core.jobs.store import Job
from tests.jobs.kinds_for_tests import wait_until


def test_state_goes_to_json_and_back():
    """Also where another version wrote a key that is not known."""
    state = JobState("done", stage="map", fraction=1.0, result={"run": "a/b"})
    assert JobState.from_dict({**state.to_dict(), "news": 1}) == state


@pytest.mark.parametrize("id", ["../../etc", "", ".", "20240101-000000-000000-abcdef", "x" * 10_000, ".turn"])
def test_an_unknown_id_is_refused(tmp_path, id):
    """Nothing that is not in the list is opened."""
    (tmp_path / ".jobs" / ".turn").mkdir(parents=True)
    with pytest.raises(JobError, match="There is no job"):
        find_job(tmp_path, id)


def test_an_unknown_kind_is_refused_and_nothing_written(tmp_path):
    """The valid kinds are named."""
    with pytest.raises(JobError, match="bundle, demo, export"):
        submit(tmp_path, "format_disk")
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_that_is_a_file_is_a_clear_fault(tmp_path):
    """Not an OSError."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="a file of that name is in the way"):
        submit(tmp_path / "file", "run", study="x")


def test_the_functions_of_other_rooms_are_named_by_strings():
    """Every kind has a module and a function; the import of the jobs brought none of them."""
    assert all(function.count(":") == 1 for function in kinds.KINDS.values())
    assert {"run", "demo", "export", "figure", "shap_layers", "score_set", "bundle"} <= set(kinds.KINDS)


def test_a_kind_is_registered_once():
    """The same function again is no fault, another one is, and so is what is no function."""
    register("run", kinds.KINDS["run"])
    with pytest.raises(JobError, match="already"):
        register("run", "os:system")
    with pytest.raises(JobError, match="module:function"):
        register("new", "import os")


def test_a_damaged_job_does_not_hide_the_others(workspace):
    """It shows as died; the next ones work."""
    damaged = Job(workspace / ".jobs" / "20240101-000000-000000-abcdef")
    damaged.folder.mkdir(parents=True)
    (damaged.folder / "progress.json").write_text("{")
    job = submit(workspace, "count", steps=1)
    assert wait_until(job, "done").result == {"steps": 1}
    assert damaged.state().state == "died"
    assert [found.id for found in list_jobs(workspace)] == [job.id, damaged.id]


def test_hidden_files_and_links_are_no_results(workspace):
    """What was half written, and what points elsewhere, is not handed out."""
    job = submit(workspace, "count", steps=1)
    wait_until(job, "done")
    (job.files_folder / ".count.abc.txt").write_text("half")
    (job.files_folder / "link.txt").symlink_to("/etc/hostname")
    assert job.files() == ("count.txt",)
    for name in (".count.abc.txt", "link.txt"):
        with pytest.raises(JobError):
            job.file(name)
