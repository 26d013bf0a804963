"""Is a process still there."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from alm_core.jobs import process


@pytest.fixture
def sleeper():
    """A process that does nothing."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield child
    child.kill()
    child.wait()


def test_start_time_is_that_of_the_process(sleeper):
    """It is the same at every look, and later than our own."""
    first = process.start_time(sleeper.pid)
    assert first == process.start_time(sleeper.pid)
    assert int(first) >= int(process.start_time(os.getpid()))


def test_a_zombie_is_not_alive(sleeper, tmp_path):
    """A process that has ended and was not collected counts as gone."""
    started = process.start_time(sleeper.pid)
    assert process.alive(sleeper.pid, started, tmp_path)
    sleeper.kill()
    until = time.monotonic() + 5
    while process.start_time(sleeper.pid) is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert not process.alive(sleeper.pid, started, tmp_path)


def test_nobody_has_the_number_of_no_process():
    """A number beyond all numbers is no process."""
    assert process.start_time(2**22 + 1) is None


def test_where_there_is_no_proc_the_lock_of_the_worker_is_tried(tmp_path, monkeypatch):
    """Held: alive; free: not."""
    monkeypatch.setattr(process, "PROC", tmp_path / "none")
    path = str(tmp_path / process.ALIVE_LOCK)
    code = f"import filelock, time; lock = filelock.FileLock({path!r}); lock.acquire(); print(1, flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    holder.stdout.readline()
    assert process.alive(1, None, tmp_path)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert not process.alive(1, None, tmp_path)
    with FileLock(tmp_path / process.ALIVE_LOCK, timeout=0):
        pass  # the look let go of it
