"""Workspaces with jobs that end with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from alm_core.jobs import list_jobs
from alm_core.jobs.store import PID
from alm_core.workspace import read_json
from tests.jobs import kinds_for_tests


@pytest.fixture
def workspace(tmp_path):
    """A workspace; what still works in it at the end is killed."""
    kinds_for_tests.register_all()
    yield tmp_path / "workspace"
    kinds_for_tests.forget_all()
    for job in list_jobs(tmp_path / "workspace"):
        if job.unfinished():
            kill(job)


def kill(job):
    """kill -9 the worker of a job and wait until it is gone."""
    until = time.monotonic() + 5
    while not (job.folder / PID).is_file() and time.monotonic() < until:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.kill(read_json(job.folder / PID)["pid"], signal.SIGKILL)
    while job.unfinished() and time.monotonic() < until:
        time.sleep(0.02)
