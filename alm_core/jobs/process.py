"""Is the process of a job still there: its number and the time that it was started, so that a reused number is not believed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock, Timeout

PROC = Path("/proc")
ALIVE_LOCK = ".alive"
NICENESS = 10
"""Of a worker: pages and tiles of the same machine go first."""
_children: dict[int, subprocess.Popen[bytes]] = {}


def start_time(pid: int) -> str | None:
    """When a process was started, in clock ticks since the machine was; None where there is no such living process.

    A zombie has ended and counts as none. Without /proc nothing can be said: None.
    """
    try:
        # The name of the program stands in brackets and may hold spaces and brackets of its own.
        fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def start(command: list[str], *, cwd: Path, log: Path) -> int:
    """Start a program of its own session, its output into a file, and return its process number."""
    options = {"creationflags": subprocess.DETACHED_PROCESS} if sys.platform == "win32" else {"start_new_session": True}
    with log.open("ab") as stream:
        child = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, **options)
    _children[child.pid] = child
    return child.pid


def reap() -> None:
    """Collect our own children that have ended, so that none stays as a zombie."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


def step_back() -> None:
    """Let other programs of the machine go first."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def alive(pid: int, started: str | None, folder: Path) -> bool:
    """True while the worker of a job is there.

    Parameters
    ----------
    pid : int
    started : str or None
        Its `start_time` when it was started.
    folder : Path
        Its job; where there is no /proc, the lock that a worker holds there is tried instead.
    """
    reap()
    if PROC.is_dir():
        return started is not None and start_time(pid) == started
    lock = FileLock(folder / ALIVE_LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
