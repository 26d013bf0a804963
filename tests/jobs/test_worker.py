"""Jobs from start to end, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alm_core.jobs import JobError, find_job, kinds, list_jobs, submit
from alm_core.jobs.store import PID, PROGRESS, START_SECONDS, Job
from alm_core.workspace import read_json, write_json
from tests.jobs.conftest import kill
from tests.jobs.kinds_for_tests import wait_until

ROOT = Path(__file__).resolve().parents[2]


def test_a_job_ends_with_its_result_and_its_file(workspace):
    """The state says done, the result and the file are there."""
    job = submit(workspace, "count", steps=3)
    state = wait_until(job, "done")
    assert state.result == {"steps": 3}
    assert state.fraction == 1.0
    assert state.ended >= state.started
    assert job.files() == ("count.txt",)
    assert job.file("count.txt").read_text() == "3"


def test_progress_is_told_while_it_works(workspace):
    """Steps, message, part and time left are on disk before the end."""
    job = submit(workspace, "count", steps=60)
    until = time.monotonic() + 90
    while (state := job.state()).done < 10 and time.monotonic() < until:
        assert state.open
        time.sleep(0.02)
    assert state.state == "running"
    assert state.message == f"step {state.done}"
    assert state.fraction == pytest.approx(state.done / 60)
    assert 0.5 < state.seconds_left < 20


def test_files_of_a_job_are_looked_up_not_joined(workspace):
    """A name that is not in the list is refused, whatever it points at."""
    job = submit(workspace, "count", steps=1)
    wait_until(job, "done")
    for name in ("../job.json", "/etc/passwd", "", ".", "count.txt/", "COUNT.TXT"):
        with pytest.raises(JobError, match="has no file"):
            job.file(name)


def test_nothing_is_handed_out_before_the_end(workspace):
    """A file that is there already belongs to an unfinished job."""
    job = submit(workspace, "half")
    wait_until(job, "running")
    while not (job.files_folder / "first.txt").is_file():
        time.sleep(0.02)
    assert job.files() == ()
    with pytest.raises(JobError):
        job.file("first.txt")


def test_cancel_midway_leaves_no_half_result(workspace):
    """The job says cancelled, and its files are gone."""
    job = submit(workspace, "half")
    wait_until(job, "running")
    while not list(job.files_folder.glob("*.txt")):
        time.sleep(0.02)
    job.cancel()
    assert wait_until(job, "cancelled").seconds_left is None
    assert list(job.files_folder.iterdir()) == []


def test_a_killed_worker_has_died_and_leaves_no_half_result(workspace):
    """kill -9: the state says died, the files are gone, also the begun one."""
    job = submit(workspace, "half")
    wait_until(job, "running")
    while len(list(job.files_folder.iterdir())) < 2:
        time.sleep(0.02)
    kill(job)
    assert job.state().state == "died"
    assert list(job.files_folder.iterdir()) == []
    assert read_json(job.folder / PROGRESS)["state"] == "running"  # what it said last


def test_a_killed_worker_is_no_zombie(workspace):
    """The process is collected by the one that started it."""
    job = submit(workspace, "deaf")
    wait_until(job, "running")
    pid = read_json(job.folder / PID)["pid"]
    kill(job)
    until = time.monotonic() + 5
    # A process is collected once its last thread is gone, which takes the kernel a moment.
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        job.state()
    assert not Path(f"/proc/{pid}").exists()


def test_a_reused_process_number_is_not_believed(workspace):
    """A job whose number belongs to another program has died."""
    job = submit(workspace, "count", steps=1)
    wait_until(job, "done")
    write_json(job.folder / PROGRESS, {**read_json(job.folder / PROGRESS), "state": "running"})
    write_json(job.folder / PID, {"pid": os.getpid(), "started": "12345"})
    assert job.state().state == "died"


def test_the_second_job_waits_for_the_first(workspace):
    """It is queued with its place, and works once the first is done."""
    first = submit(workspace, "count", steps=40)
    second = submit(workspace, "count", steps=1)
    third = submit(workspace, "count", steps=1)
    wait_until(first, "running")
    assert (second.state().state, second.state().place) == ("queued", 1)
    assert third.state().place == 2
    wait_until(third, "done")
    assert first.state().ended <= second.state().started
    assert second.state().ended <= third.state().started


def test_a_queued_job_can_be_cancelled(workspace):
    """It never begins, and those behind it move up."""
    first = submit(workspace, "deaf")
    second = submit(workspace, "count", steps=1)
    third = submit(workspace, "count", steps=1)
    wait_until(first, "running")
    second.cancel()
    assert wait_until(second, "cancelled").result == {}
    assert third.state().place == 1
    assert first.state().state == "running"


def test_a_killed_job_gives_its_turn_away(workspace):
    """The one behind a killed job begins."""
    first = submit(workspace, "deaf")
    second = submit(workspace, "count", steps=1)
    wait_until(first, "running")
    kill(first)
    wait_until(second, "done")


def test_a_fault_of_the_input_is_told_in_its_own_words(workspace):
    """The text of the fault is the error; no file stays."""
    job = submit(workspace, "refuse")
    state = wait_until(job, "failed")
    assert state.error == "3 came, 2 was expected. Give 2."
    assert list(job.files_folder.iterdir()) == []


def test_a_defect_is_told_shortly_and_its_traceback_logged(workspace):
    """The page gets one line, log.txt the traceback."""
    job = submit(workspace, "break_down", zero=0)
    error = wait_until(job, "failed").error
    assert error.startswith("ZeroDivisionError: division by zero")
    assert "Traceback" not in error
    assert "Traceback" in (job.folder / "log.txt").read_text()


def test_a_result_that_json_can_not_hold_is_a_failure(workspace):
    """The job does not hang or die, it failed."""
    assert "no JSON form" in wait_until(submit(workspace, "odd_result"), "failed").error


def test_a_kind_that_is_not_installed_fails_with_a_reason(workspace, monkeypatch):
    """The worker says that the function is not there."""
    monkeypatch.setitem(kinds.KINDS, "ghost", "alm_core.no_such_room:job")
    assert "no_such_room" in wait_until(submit(workspace, "ghost"), "failed").error


def test_a_job_that_reports_nothing_is_interrupted(workspace):
    """A cancelled job that is deaf ends all the same."""
    job = _draft(workspace, "deaf")
    process = _worker_with(job, "INTERRUPT_SECONDS = 0.2")
    wait_until(job, "running")
    job.cancel()
    wait_until(job, "cancelled", seconds=30)
    assert process.wait(30) == 0


def test_a_job_that_can_not_be_interrupted_is_ended(workspace):
    """After the last wait the process goes, with the word cancelled."""
    job = _draft(workspace, "deaf")
    process = _worker_with(job, "INTERRUPT_SECONDS = 0.2; worker.EXIT_SECONDS = 0.3; worker.os.kill = lambda *_: None")
    wait_until(job, "running")
    job.cancel()
    wait_until(job, "cancelled", seconds=30)
    assert process.wait(30) == 0


def test_a_restarted_server_sees_the_progress(workspace):
    """A fresh interpreter reads the job that this one started, running and then done."""
    job = submit(workspace, "count", steps=60)
    wait_until(job, "running")
    code = f"from alm_core.jobs import find_job; print(find_job({str(workspace)!r}, {job.id!r}).state().state)"
    look = [sys.executable, "-c", code]
    assert subprocess.run(look, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "running"
    wait_until(job, "done")
    assert subprocess.run(look, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "done"


def test_a_job_outlives_the_program_that_started_it(workspace):
    """The interpreter that submits ends at once; the job goes on to its end."""
    code = (
        "from tests.jobs.kinds_for_tests import register_all; register_all()\n"
        f"from alm_core.jobs import submit; print(submit({str(workspace)!r}, 'count', steps=10).id)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    job = find_job(workspace, done.stdout.strip())
    assert wait_until(job, "done").result == {"steps": 10}


def test_a_job_whose_worker_never_came_has_died(workspace):
    """Without a process number it counts as starting for a while only."""
    job = _draft(workspace, "count")
    assert job.state().state == "queued"
    entry = read_json(job.folder / "job.json")
    write_json(job.folder / "job.json", {**entry, "submitted": entry["submitted"] - START_SECONDS - 1})
    assert job.state().state == "died"


def test_old_jobs_are_pruned_but_never_a_working_one(workspace):
    """Beyond the kept number finished ones go, the working one stays."""
    from alm_core.jobs.store import prune

    working = submit(workspace, "deaf")
    wait_until(working, "running")
    finished = [submit(workspace, "count", steps=1) for _ in range(3)]
    for job in finished:
        job.cancel()
    for job in finished:
        wait_until(job, "cancelled")
    prune(workspace, keep=1)
    assert [job.id for job in list_jobs(workspace)] == [finished[-1].id, working.id]


def _draft(workspace: Path, kind: str) -> Job:
    """A job whose worker has not been started."""
    folder = workspace / ".jobs" / f"20240101-000000-000000-{os.urandom(3).hex()}"
    (folder / "files").mkdir(parents=True)
    function = f"tests.jobs.kinds_for_tests:{kind}_job"
    entry = {"kind": kind, "function": function, "spec": {}, "submitted": time.time()}
    (folder / "job.json").write_text(json.dumps(entry))
    (folder / "progress.json").write_text('{"state": "queued"}')
    return Job(folder)


def _worker_with(job: Job, change: str) -> subprocess.Popen:
    code = f"from alm_core.jobs import worker; worker.{change}; worker.main({str(job.folder)!r})"
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
