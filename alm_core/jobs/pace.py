"""Time left of a job of several stages, from what each is expected to take and what the first of them took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from alm_core.errors import AlmError
from alm_core.workspace import list_runs

TYPICAL_SECONDS = {
    "demo": 20.0,
    "covariates": 9.0,
    "sites": 1.0,
    "selection": 11.0,
    "validation": 175.0,
    "comparison": 0.1,
    "models": 6.0,
    "map": 36.0,
    "report": 4.0,
}
"""Seconds of the medium demo on two cores. For other studies only their proportions matter: the pace is measured."""
ENOUGH = 0.02
"""Part of the expected work that must be done before its pace is believed."""


@dataclass
class Pace:
    """Counts finished stages against what they were expected to take.

    Stages that were taken from an earlier run say nothing of the pace and are left out of it.

    Parameters
    ----------
    expected : dict
        Seconds of each stage, in order.
    known : bool
        The seconds are those of an earlier run of the same study: before anything is done they are the estimate.

    Examples
    --------
    >>> pace = Pace({"sites": 10.0, "map": 30.0}, clock=iter([0.0, 20.0, 20.0]).__next__)
    >>> pace.end(skipped=False)
    >>> pace.fraction(), pace.seconds_left()
    (0.25, 60.0)
    """

    expected: dict[str, float]
    known: bool = False
    clock: Callable[[], float] = time.monotonic
    number: int = 0
    part: float = 0.0
    _begun: float = field(init=False)
    _spent: float = 0.0
    _counted: float = 0.0

    def __post_init__(self) -> None:
        self._begun = self.clock()

    @property
    def stage(self) -> str:
        """Name of the stage under way; the last one once all are done."""
        return list(self.expected)[min(self.number, len(self.expected) - 1)]

    def advance(self, part: float) -> None:
        """Note how much of the stage is done, 0 to 1."""
        self.part = min(max(part, 0.0), 1.0)

    def end(self, *, skipped: bool) -> None:
        """Note that the stage is over; `skipped` where its results were there already."""
        now = self.clock()
        if not skipped:
            self._spent += now - self._begun
            self._counted += self.expected[self.stage]
        self.number += 1
        self.part = 0.0
        self._begun = now

    def fraction(self) -> float:
        """Part of the whole job that is done, 0 to 1."""
        seconds = list(self.expected.values())
        done = sum(seconds[: self.number])
        if self.number < len(seconds):
            done += seconds[self.number] * self.part
        return done / sum(seconds)

    def seconds_left(self) -> float | None:
        """Estimate for the whole job; None while too little is done to say."""
        seconds = list(self.expected.values())
        if self.number >= len(seconds):
            return 0.0
        elapsed = self.clock() - self._begun
        current = seconds[self.number]
        counted = self._counted + current * self.part
        if counted >= ENOUGH * sum(seconds):
            pace = (self._spent + elapsed * (self.part > 0)) / counted
        elif self.known:
            pace = 1.0
        else:
            return None
        here = elapsed / self.part * (1 - self.part) if self.part > 0 else max(current * pace - elapsed, 0.0)
        return here + pace * sum(seconds[self.number + 1 :])


def expected_seconds(workspace: Path, study: str, stages: list[str]) -> tuple[dict[str, float], bool]:
    """What each stage of a study took in its earlier runs, and whether all are known; the typical time stands in for others."""
    measured: dict[str, float] = {}
    for run in list_runs(workspace):
        if run.folder.parent.name != study:
            continue
        try:
            entries = run.record["stages"]
        except AlmError:
            continue  # a damaged run only says nothing
        for name, entry in entries.items():
            if entry.get("state") == "done" and not entry.get("linked_from"):
                measured[name] = max(float(entry["seconds"]), 0.1)
    expected = {name: measured.get(name, TYPICAL_SECONDS.get(name, 10.0)) for name in stages}
    return expected, all(name in measured for name in stages)
