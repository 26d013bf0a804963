"""The process of one job: ``python -m alm_core.jobs.worker FOLDER``. `alm_core.jobs.submit` starts it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from alm_core.errors import AlmError
from alm_core.jobs import process
from alm_core.jobs.kinds import resolve
from alm_core.jobs.reporter import Cancelled, JobReporter
from alm_core.jobs.store import PID, PROGRESS, SPEC, Job, JobState
from alm_core.workspace import read_json, write_json

TURN_LOCK = ".turn"
POLL_SECONDS = 0.3
INTERRUPT_SECONDS = 5.0
"""A cancelled job that reports nothing for so long is interrupted."""
EXIT_SECONDS = 20.0
"""One that computes on regardless is ended: every file of a run is written under another name first, so none is harmed."""
log = logging.getLogger("alm_core.jobs")


class Worker:
    """Waits for its turn, does the job, and says how it ended. Exactly one ending is written."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.reporter = JobReporter(job, started=time.time())
        self._ending = threading.Lock()
        self._ended = False

    def work(self) -> None:
        """Do the whole job."""
        turn = self.wait_for_turn()
        if turn is None:
            self.end("cancelled")
            return
        try:
            threading.Thread(target=self._watch_cancel, daemon=True).start()
            self._run()
        finally:
            turn.release()

    def wait_for_turn(self) -> FileLock | None:
        """The lock that one job of a workspace holds at a time, the oldest first; None where it is cancelled while it waits."""
        lock = FileLock(self.job.folder.parent / TURN_LOCK)
        while not self.job.cancel_asked:
            if not self.job.ahead():
                with contextlib.suppress(Timeout):  # the one before is on its way out
                    lock.acquire(timeout=0)
                    return lock
            time.sleep(POLL_SECONDS)
        return None

    def _run(self) -> None:
        entry = read_json(self.job.folder / SPEC)
        self.reporter = JobReporter(self.job, started=time.time())
        try:
            self.reporter(0, 1, "")
            function = resolve(entry["function"])
            result = function(entry["spec"], workspace=self.job.workspace, folder=self.job.files_folder, report=self.reporter)
            self.end("done", result=result)
        except (Cancelled, KeyboardInterrupt):
            self.end("cancelled")
        except AlmError as fault:
            log.exception("A fault in the input")
            self.end("failed", error=str(fault))
        except Exception as fault:
            log.exception("A fault of the program")
            self.end("failed", error=f"{type(fault).__name__}: {str(fault)[:300]}. The log of the job has the whole story.")

    def end(self, state: str, *, error: str = "", result: dict[str, Any] | None = None) -> None:
        """Write how the job ended; whatever is not done leaves no file."""
        with self._ending:
            if self._ended:
                return
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            if state != "done":
                self.job.clear_files()
            last: JobState = self.reporter.state
            done = {"done": last.total, "fraction": 1.0} if state == "done" else {}
            last = replace(
                last, state=state, error=error, result=result or {}, ended=time.time(), seconds_left=None, place=0, **done
            )
            write_json(self.job.folder / PROGRESS, last.to_dict())
            self._ended = True
            log.info("%s", state)

    def _watch_cancel(self) -> None:
        """End a cancelled job that does not come to its next report."""
        while not self.job.cancel_asked:
            time.sleep(POLL_SECONDS)
        time.sleep(INTERRUPT_SECONDS)
        if not self._ended:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(EXIT_SECONDS)
        self.end("cancelled")
        os._exit(0)


def main(folder: str) -> None:
    """Do the job of a folder."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    process.step_back()
    job = Job(Path(folder))
    pid = os.getpid()
    # The server writes it too, but may have been killed before it could.
    write_json(job.folder / PID, {"pid": pid, "started": process.start_time(pid)})
    with FileLock(job.folder / process.ALIVE_LOCK):
        Worker(job).work()


if __name__ == "__main__":
    main(sys.argv[1])
