"""The jobs that run a study, and that write the demo and run it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from alm_core.errors import AlmError, StudyError
from alm_core.inspection.run_overview import run_overviews
from alm_core.jobs.pace import TYPICAL_SECONDS, expected_seconds
from alm_core.jobs.reporter import JobReporter
from alm_core.jobs.store import Job, list_jobs

DEMO = "active_layer_moisture"
DEMO_SIZES = ("small", "medium")


def run_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: JobReporter) -> dict[str, Any]:
    """Run a study to its end; ``spec["study"]`` is the path of a study.toml that `alm_core.study_list` found.

    Returns
    -------
    dict
        ``run``: the id ``<study>/<run id>``.
    """
    return _run(Path(spec["study"]), workspace, report, first={})


def demo_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: JobReporter) -> dict[str, Any]:
    """Write the demo of ``spec["size"]`` into the folder ``spec["studies"]``, unless it is there, and run it.

    Returns
    -------
    dict
        ``run``: the id ``<study>/<run id>``.

    Raises
    ------
    StudyError
        The demo has no such size.
    """
    from alm_core.studies import DEMOS

    size = spec["size"]
    if size not in DEMO_SIZES:
        raise StudyError(f"The demo has no size {size!r} here. Choose {' or '.join(DEMO_SIZES)}.")
    target = demo_folder(Path(spec["studies"]), size)
    first = {"demo": TYPICAL_SECONDS["demo"]}
    report.plan({**first, **expected_seconds(workspace, target.name, _stages())[0]}, known=False)
    path = target / "study.toml"
    there = path.is_file()
    if not there:
        path = DEMOS[DEMO](target, size=size, progress=report)
    return _run(path, workspace, report, first=first, skipped=there)


def demo_folder(studies: Path, size: str) -> Path:
    """Where the demo of a size lies; its study has the name of the folder."""
    return Path(studies) / f"{DEMO}_{size}"


@dataclass(frozen=True)
class DemoState:
    """What there is of a demo.

    Attributes
    ----------
    size : str
    state : str
        absent, running (or queued), or there.
    job : str
        The job that makes it; empty for none.
    run : str
        Its finished run ``study/run id``; empty for none.
    """

    size: str
    state: Literal["absent", "running", "there"]
    job: str = ""
    run: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The state as plain values, for JSON."""
        return asdict(self)


def demo_states(workspace: str | Path) -> tuple[DemoState, ...]:
    """What there is of the demo in each size; a demo that is made anew counts as running."""
    working = {job.spec.get("size"): job.id for job in list_jobs(workspace) if job.kind == "demo" and job.unfinished()}
    finished = {found.study: found.id for found in reversed(run_overviews(workspace)) if found.finished and found.simulated}
    states = []
    for size in DEMO_SIZES:
        run = finished.get(f"{DEMO}_{size}", "")
        state = "running" if size in working else "there" if run else "absent"
        states.append(DemoState(size, state, working.get(size, ""), run))
    return tuple(states)


def running_studies(workspace: str | Path) -> dict[str, str]:
    """Path of every study.toml that a job runs or will run, with the id of the job."""
    found = {}
    for job in list_jobs(workspace):
        if job.kind in ("run", "demo") and job.unfinished():
            spec = job.spec
            path = spec["study"] if job.kind == "run" else str(demo_folder(Path(spec["studies"]), spec["size"]) / "study.toml")
            found[path] = job.id
    return found


def failed_jobs(workspace: str | Path) -> list[Job]:
    """Jobs that failed, died or were cancelled and were not started again since, newest first."""
    seen: list[tuple[str, dict[str, Any]]] = []
    found = []
    for job in list_jobs(workspace):
        try:
            same = (job.kind, job.spec)
        except AlmError:
            continue  # a damaged job has nothing that could be started again
        if same not in seen and job.state().state in ("failed", "died", "cancelled"):
            found.append(job)
        seen.append(same)
    return found


def _stages(study: Any = None) -> list[str]:
    """Stages of a study; of the demo, which is not there yet, those of a study of sites."""
    from alm_core.stages import STAGES, stages_of

    return [stage.name for stage in (stages_of(study.options) if study else STAGES)]


def _run(path: Path, workspace: Path, report: JobReporter, *, first: dict[str, float], skipped: bool = False) -> dict[str, Any]:
    from alm_core.pipeline import run
    from alm_core.study import Study

    study = Study.load(path)
    if first:
        report.end_stage(skipped=skipped)
    else:
        expected, known = expected_seconds(workspace, study.name, _stages(study))
        report.plan(expected, known=known)
    finished = run(study, workspace=workspace, progress=report.listen)
    return {"run": f"{finished.folder.parent.name}/{finished.id}", "title": study.options.study.title or study.name}
