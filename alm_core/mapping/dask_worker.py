"""What runs on a worker of a Dask cluster. Imported by `alm_core.mapping.dask_engine` when it starts, and by the workers.

The job is a plugin of the worker: it is sent to each worker once, also to those that join or come back later, and not with
every block.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker
from threadpoolctl import threadpool_limits

from alm_core.errors import EngineError
from alm_core.grid import Block
from alm_core.mapping.engine import limit_read_cache
from alm_core.mapping.job import BlockJob, BlockOutcome


@dataclass(frozen=True)
class Expected:
    """What a worker must have in common with the program that started the map.

    Attributes
    ----------
    program : callable or None
        Gives a hash of the program; sent by its name, so that a worker asks its own.
    digest : str
        What it gives at home.
    probe : Path, optional
        A file in the folder of the blocks; None where that is not looked at yet.
    token : str
        What stands in it.
    """

    program: Callable[[], str] | None
    digest: str
    probe: Path | None = None
    token: str = ""

    def fault(self) -> str | None:
        """What is wrong on this machine; None where nothing is."""
        if self.program is not None and self.program() != self.digest:
            return "runs another version of this program or of its libraries. Install the same on every machine"
        if self.probe is None:
            return None
        try:
            found = self.probe.read_text(encoding="utf-8")
        except OSError:
            found = ""
        if found != self.token:
            return f"does not see the folder {self.probe.parent}. Choose a workspace that all machines share under one path"
        if not os.access(self.probe.parent, os.W_OK):
            return f"may not write to {self.probe.parent}. Run the workers as a user who may"
        return None


class BlockWorker(WorkerPlugin):
    """Holds the job of a map on a worker; `ours` for a process that was started for this map."""

    def __init__(self, job: BlockJob, expected: Expected, *, ours: bool = False) -> None:
        self.job = job
        self.expected = expected
        self.ours = ours
        self.fault: str | None = None

    def setup(self, worker: Worker) -> None:
        """Look whether the worker can do the job; keep libraries to the one thread that a block is worked on."""
        self.fault = self.expected.fault()
        threadpool_limits(1)
        limit_read_cache()
        if self.ours and threading.current_thread() is threading.main_thread():
            # Ctrl-C reaches every process of a terminal: blocks in flight are to be finished, the program that asked ends it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def teardown(self, worker: Worker) -> None:
        """Close the readers of all threads."""
        self.job.close()


def look(expected: Expected) -> str | None:
    """What keeps this worker from the job; asked before the job is sent, as another program may not be able to read it."""
    return expected.fault()


def run_block(name: str, block: Block) -> BlockOutcome:
    """Make a block on a worker.

    Raises
    ------
    EngineError
        The worker can't do the job; it may have joined after the others were asked.
    """
    worker: Any = get_worker()
    plugin = worker.plugins.get(name)
    fault = "never got the job" if plugin is None else plugin.fault
    if fault is not None:
        raise EngineError(f"The worker {worker.address} {fault}.")
    return plugin.job(block)
