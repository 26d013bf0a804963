"""Jobs that do nothing of use, for tests; workers import this module."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from alm_core.errors import DomainError
from alm_core.jobs import Job, JobState, kinds, register
from alm_core.workspace import atomic_path

HERE = "tests.jobs.kinds_for_tests"


def register_all() -> None:
    """Make the kinds known to `submit`."""
    for name in ("count", "refuse", "break_down", "deaf", "half", "odd_result"):
        register(name, f"{HERE}:{name}_job")


def forget_all() -> None:
    """Take them out again."""
    for name in [name for name, function in kinds.KINDS.items() if function.startswith(HERE)]:
        del kinds.KINDS[name]


def count_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Any) -> dict[str, Any]:
    """Count to ``steps`` and write it down."""
    for step in range(spec["steps"]):
        report(step, spec["steps"], f"step {step}")
        time.sleep(spec.get("seconds", 0.05))
    with atomic_path(folder / "count.txt") as path:
        path.write_text(str(spec["steps"]), encoding="utf-8")
    return {"steps": spec["steps"]}


def half_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Any) -> dict[str, Any]:
    """Finish one file, begin another, and never end."""
    (folder / "first.txt").write_text("whole", encoding="utf-8")
    with atomic_path(folder / "second.txt") as path:
        path.write_text("hal", encoding="utf-8")
        for step in range(10_000):
            report(step, 10_000, "writing")
            time.sleep(0.05)
    return {}


def refuse_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Any) -> dict[str, Any]:
    """Fail with a fault of the input."""
    (folder / "part.txt").write_text("half", encoding="utf-8")
    raise DomainError("3 came, 2 was expected. Give 2.")


def break_down_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Any) -> dict[str, Any]:
    """Fail with a defect of the program."""
    return {"value": 1 / spec["zero"]}


def deaf_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Any) -> dict[str, Any]:
    """Report once and then no more."""
    report(0, 1, "deaf")
    while True:
        time.sleep(0.05)


def odd_result_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Any) -> dict[str, Any]:
    """Give what JSON can't hold."""
    return {"value": object()}


def wait_until(job: Job, *states: str, seconds: float = 90.0) -> JobState:
    """Wait for one of the states; fails where another one that is final comes, or none does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = job.state()
        if found.state in states:
            return found
        assert found.open, found
        time.sleep(0.03)
    raise AssertionError(f"{job.id} is {job.state()}, not {states}")
