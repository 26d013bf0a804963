"""Jobs on disk: one folder each, written so that any process can read how far a job is at any moment.

``<workspace>/.jobs/<id>/`` holds job.json (kind and spec), progress.json, pid.json, log.txt, the flag CANCEL and ``files/``.
"""

from __future__ import annotations

import re
import secrets
import shutil
import sys
import time
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import alm_core
from alm_core.errors import AlmError
from alm_core.jobs import process
from alm_core.jobs.kinds import KINDS, JobError
from alm_core.workspace import disk_faults, read_json, write_json

JOBS_FOLDER = ".jobs"
FILES = "files"
SPEC, PROGRESS, PID, LOG, CANCEL = "job.json", "progress.json", "pid.json", "log.txt", "CANCEL"
KEPT_JOBS = 50
START_SECONDS = 20.0
"""A job without a process number counts as starting for this long, and as died from then on."""
ID_PATTERN = re.compile(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{6}")
State = Literal["queued", "running", "done", "failed", "cancelled", "died"]
OPEN_STATES = ("queued", "running")


@dataclass(frozen=True)
class JobState:
    """How far a job is.

    Attributes
    ----------
    state : str
        queued, running, done, failed, cancelled, or died (its process ended without a word).
    stage : str
        Name of the stage under way; empty for jobs of one step.
    stage_number, stages : int
        Which stage of how many, counted from 1.
    done, total : int
        Steps of the stage.
    fraction : float
        Of the whole job, 0 to 1.
    message : str
        What is being done.
    seconds_left : float or None
        Estimated for the whole job; None while nothing can be said.
    place : int
        Jobs that go first, for a queued one.
    started, ended : float or None
        Seconds since 1970.
    result : dict
        What the job gave, once done.
    error : str
        What went wrong, for a failed one.
    """

    state: State
    stage: str = ""
    done: int = 0
    total: int = 1
    message: str = ""
    seconds_left: float | None = None
    stage_number: int = 1
    stages: int = 1
    fraction: float = 0.0
    place: int = 0
    started: float | None = None
    ended: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def open(self) -> bool:
        """True while it waits or works."""
        return self.state in OPEN_STATES

    def to_dict(self) -> dict[str, Any]:
        """The state as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> JobState:
        """Read what `to_dict` gave; keys of another version are left out."""
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


@dataclass(frozen=True)
class Job:
    """A job by its folder; everything is read from there when it is asked for."""

    folder: Path

    @property
    def id(self) -> str:
        """The job id: the time of its start (UTC) and six random letters, so that ids sort by time."""
        return self.folder.name

    @property
    def kind(self) -> str:
        """One of `alm_core.jobs.kinds.KINDS`."""
        return read_json(self.folder / SPEC)["kind"]

    @property
    def spec(self) -> dict[str, Any]:
        """The values that it was started with."""
        return read_json(self.folder / SPEC)["spec"]

    @property
    def workspace(self) -> Path:
        """The workspace that it belongs to."""
        return self.folder.parents[1]

    @property
    def files_folder(self) -> Path:
        """Where its results lie."""
        return self.folder / FILES

    @property
    def cancel_asked(self) -> bool:
        """True once somebody wants it to end."""
        return (self.folder / CANCEL).exists()

    def state(self) -> JobState:
        """How far it is now. The files of one whose process died are taken away: half a result never stays."""
        found = self._progress()
        if not found.open:
            return found
        if self._alive():
            return replace(found, place=len(self.ahead()) if found.state == "queued" else 0)
        # It may have said its last word between the two looks.
        found = self._progress()
        if not found.open:
            return found
        self.clear_files()
        return replace(found, state="died", seconds_left=None)

    def _progress(self) -> JobState:
        """progress.json; a job whose files are damaged is a dead one, and must not keep others from being shown."""
        try:
            return JobState.from_dict(read_json(self.folder / PROGRESS))
        except AlmError as fault:
            return JobState("died", error=str(fault))

    def _alive(self) -> bool:
        path = self.folder / PID
        if not path.is_file():
            return time.time() - read_json(self.folder / SPEC)["submitted"] < START_SECONDS
        entry = read_json(path)
        return process.alive(entry["pid"], entry["started"], self.folder)

    def ahead(self) -> list[Job]:
        """Older jobs of the workspace that wait or work, and so go first."""
        older = [job for job in list_jobs(self.workspace) if job.id < self.id]
        return [job for job in older if job.unfinished()]

    def unfinished(self) -> bool:
        """True while it waits or works; cheaper than `state`."""
        return self._progress().open and self._alive()

    def cancel(self) -> None:
        """Ask it to end; it does so at its next step, and at once while it is queued."""
        with disk_faults(self.folder):
            (self.folder / CANCEL).touch()

    def delete(self) -> None:
        """Take it out of the list, with its files.

        Raises
        ------
        JobError
            It waits or works: cancel it first.
        """
        if self.unfinished():
            raise JobError(f"The job {self.id} has not ended. Cancel it first.")
        shutil.rmtree(self.folder, ignore_errors=True)

    def again(self) -> Job:
        """Start the same once more, as a new job."""
        return submit(self.workspace, self.kind, **self.spec)

    def clear_files(self) -> None:
        """Empty ``files/``."""
        shutil.rmtree(self.files_folder, ignore_errors=True)
        with disk_faults(self.files_folder):
            self.files_folder.mkdir(exist_ok=True)

    def files(self) -> tuple[str, ...]:
        """Names of its finished files."""
        if self.state().state != "done":
            return ()
        return tuple(sorted(path.name for path in self.files_folder.iterdir() if _is_result(path)))

    def file(self, name: str) -> Path:
        """A finished file, looked up among those that there are: a name is never joined to a path.

        Raises
        ------
        JobError
            The job is not done or has no such file.
        """
        names = self.files()
        if name not in names:
            raise JobError(f"The job {self.id} has no file {name[:80]!r}. Its files: {', '.join(names) or 'none'}.")
        return self.files_folder / names[names.index(name)]


def _is_result(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".")


def submit(workspace: str | Path, kind: str, **spec: Any) -> Job:
    """Start a job in a process of its own, or queue it behind those of the same workspace.

    Parameters
    ----------
    workspace : path
    kind : str
        One of `alm_core.jobs.kinds.KINDS`.
    **spec
        Values for its function; what JSON can hold. Paths must be absolute.

    Returns
    -------
    Job

    Raises
    ------
    JobError
        There is no such kind, or the process can't be started.
    WorkspaceError
        The workspace can't be written.
    """
    if kind not in KINDS:
        raise JobError(f"There is no job {kind!r}. The kinds are {', '.join(sorted(KINDS))}.")
    workspace = Path(workspace).resolve()
    prune(workspace)
    root = workspace / JOBS_FOLDER
    now = datetime.now(UTC)
    job = Job(root / f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(3)}")
    draft = root / f".new-{job.id}"
    with disk_faults(draft):
        (draft / FILES).mkdir(parents=True)
    # The function goes with the job: a kind that was registered here is known to the worker too.
    write_json(draft / SPEC, {"kind": kind, "function": KINDS[kind], "spec": spec, "submitted": now.timestamp()})
    write_json(draft / PROGRESS, JobState("queued").to_dict())
    # Only a whole folder gets a name that others look for.
    draft.rename(job.folder)
    command = [sys.executable, "-m", "alm_core.jobs.worker", str(job.folder)]
    try:
        pid = process.start(command, cwd=Path(alm_core.__file__).resolve().parents[1], log=job.folder / LOG)
    except OSError as fault:
        shutil.rmtree(job.folder, ignore_errors=True)
        raise JobError(f"The job can't be started: {fault}. The machine may be short of memory or of processes.") from fault
    write_json(job.folder / PID, {"pid": pid, "started": process.start_time(pid)})
    return job


def list_jobs(workspace: str | Path) -> list[Job]:
    """Every job of a workspace, newest first."""
    root = Path(workspace).resolve() / JOBS_FOLDER
    if not root.is_dir():
        return []
    return [
        Job(root / name) for name in sorted((path.name for path in root.iterdir()), reverse=True) if ID_PATTERN.fullmatch(name)
    ]


def find_job(workspace: str | Path, id: str) -> Job:
    """A job by its id.

    Raises
    ------
    JobError
        There is none of that id.

    Examples
    --------
    >>> find_job("no/such/workspace", "../../etc")
    Traceback (most recent call last):
        ...
    alm_core.jobs.kinds.JobError: There is no job '../../etc'. It may be an old one that was cleared away.
    """
    for job in list_jobs(workspace):
        if job.id == id:
            return job
    raise JobError(f"There is no job {str(id)[:80]!r}. It may be an old one that was cleared away.")


def prune(workspace: Path, *, keep: int = KEPT_JOBS) -> None:
    """Delete finished jobs beyond the newest `keep`; one that waits or works is never deleted."""
    for job in list_jobs(workspace)[keep:]:
        if not job.unfinished():
            shutil.rmtree(job.folder, ignore_errors=True)
