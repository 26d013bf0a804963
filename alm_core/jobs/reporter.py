"""What a working job tells: progress.json, rewritten as it goes, and a stop where it has been cancelled."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from alm_core.jobs.pace import Pace
from alm_core.jobs.store import PROGRESS, Job, JobState
from alm_core.progress import Event
from alm_core.workspace import write_json

WRITE_SECONDS = 0.2
"""Least time between two writes: a reader looks once a second."""
LOG_SECONDS = 5.0
SKIPPED = ("unchanged", "taken from run")
"""How the pipeline begins its word for a stage whose results were there."""
log = logging.getLogger(__name__)


class Cancelled(BaseException):
    """Somebody cancelled the job. Not an Exception, so that nothing on its way out takes it for a fault."""


class JobReporter:
    """The `report` of a job: ``report(done, total, message)``.

    Raises
    ------
    Cancelled
        From any call, once the job has been cancelled.
    """

    def __init__(self, job: Job, *, started: float) -> None:
        self.job = job
        self.state = JobState("running", started=started)
        self.pace = Pace({"": 1.0})
        self._written = self._logged = float("-inf")

    def plan(self, expected: dict[str, float], *, known: bool) -> None:
        """Announce the stages of the job and the seconds that each is expected to take."""
        self.pace = Pace(expected, known)
        self._tell(0, 1, "", always=True)

    def __call__(self, done: int, total: int, message: str) -> None:
        """Tell a step of the job, or of its stage."""
        self.pace.advance(done / total if total else 0.0)
        self._tell(done, total, message)

    def listen(self, event: Event) -> None:
        """Tell an event of the pipeline."""
        if event.lasting:
            log.info("%s: %s", event.stage, event.message)
        over = (event.done, event.total) == (1, 1) and (event.message == "done" or event.message.startswith(SKIPPED))
        if over:
            self.end_stage(skipped=event.message != "done")
        else:
            self(event.done, event.total, event.message)

    def end_stage(self, *, skipped: bool = False) -> None:
        """Go on to the next stage of the plan."""
        log.info("%s: %s", self.pace.stage, "taken from an earlier run" if skipped else "done")
        self.pace.end(skipped=skipped)
        self._tell(0, 1, "", always=True)

    def _tell(self, done: int, total: int, message: str, *, always: bool = False) -> None:
        if self.job.cancel_asked:
            raise Cancelled
        now = time.monotonic()
        if now - self._logged >= LOG_SECONDS and message:
            self._logged = now
            log.info("%s %d/%d %s", self.pace.stage, done, total, message)
        if not always and done < total and now - self._written < WRITE_SECONDS:
            return
        self._written = now
        stages = len(self.pace.expected)
        self.state = replace(
            self.state,
            stage=self.pace.stage,
            stage_number=min(self.pace.number + 1, stages),
            stages=stages,
            done=int(done),
            total=int(total),
            message=message,
            # What was once shown is never taken back, even where the steps of a stage turn out to be more.
            fraction=max(self.state.fraction, self.pace.fraction()),
            seconds_left=self.pace.seconds_left(),
        )
        write_json(self.job.folder / PROGRESS, self.state.to_dict())
