"""Runs on disk: folders, atomic writes, content hashes, the record of finished stages.

A run is a folder ``workspace/<study>/<run id>``. The run id is the content hash of the study and of all its inputs, so the
same study finds its run again, finished or interrupted, and a changed one gets a folder of its own. A stage that another
run of the same study has finished with the same key is linked from there instead of being run again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from alm_core.errors import MissingFileError, WorkspaceError

RECORD = "run.json"
HASHES = "hashes.json"
CHUNK_BYTES = 1 << 22
_UMASK = os.umask(0)  # it can only be read by setting it
os.umask(_UMASK)


# ---- writing ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success it takes the place of `path`, on failure it goes.

    A reader never sees half a file, and a full disk leaves the old one as it was.

    Raises
    ------
    WorkspaceError
        The disk is full or read-only, or the folder can't be made.
    """
    path = Path(path)
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_UMASK)  # temporary files are made for their owner alone, results are for all
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into one clear message."""
    try:
        yield
    except OSError as fault:
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WorkspaceError(
                f"The disk is full: {path} could not be written. Free some space and run again; finished stages stay."
            ) from fault
        if fault.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise WorkspaceError(
                f"{path} can't be written: {fault.strerror}. Choose a folder that is yours with --workspace."
            ) from fault
        if fault.errno in (errno.ENOTDIR, errno.EEXIST):
            raise WorkspaceError(
                f"{path} can't be made: a file of that name is in the way. Choose another folder with --workspace."
            ) from fault
        raise


def write_json(path: Path, values: Any) -> None:
    """Write JSON atomically, keys in their own order, numbers in full; what is not a number becomes null."""
    text = json.dumps(_without_nan(values), indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _without_nan(value: Any) -> Any:
    """JSON knows neither NaN nor infinity; both become None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def read_json(path: Path) -> Any:
    """Read JSON; a damaged file is named.

    Raises
    ------
    MissingFileError, WorkspaceError
    """
    if not path.is_file():
        raise MissingFileError(f"{path} is not there. The run may be unfinished: start it again.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise WorkspaceError(f"{path} is damaged ({fault}). Delete its folder and run again.") from fault


# ---- hashes -------------------------------------------------------------------------------------------------------------


def hash_values(*values: Any) -> str:
    """SHA-256 of plain values (what JSON can hold), the same on every machine."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


class FileHashes:
    """Content hashes of input files, remembered by size and time of change so that large rasters are read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, Any] = {}
        if path.is_file():
            with contextlib.suppress(ValueError):  # a damaged cache only costs reading the files again
                self.known = json.loads(path.read_text(encoding="utf-8"))

    def __call__(self, file: Path) -> str:
        """Hash of one file."""
        status = file.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        entry = self.known.get(str(file))
        if entry and entry[:2] == stamp:
            return entry[2]
        digest = hash_file(file)
        self.known[str(file)] = [*stamp, digest]
        return digest

    def save(self) -> None:
        """Keep what was learnt."""
        write_json(self.path, self.known)


# ---- runs ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A finished or unfinished run; everything that a page or an export shows is read from its folder."""

    folder: Path

    @property
    def id(self) -> str:
        """The run id: first part of the content hash."""
        return self.folder.name

    @property
    def record(self) -> dict[str, Any]:
        """run.json as it stands on disk."""
        return read_json(self.folder / RECORD)

    @property
    def finished(self) -> bool:
        """True once every stage of the study is done."""
        record = self.record
        return all(record["stages"].get(name, {}).get("state") == "done" for name in record["order"])

    def file(self, relative: str) -> Path:
        """A file of the run.

        Raises
        ------
        MissingFileError
            The stage that writes it has not been finished.
        """
        path = self.folder / relative
        if not path.exists():
            raise MissingFileError(
                f"{path} is not there: the run has not come that far. Finish it with `python -m alm_core run`."
            )
        return path

    def metrics(self) -> dict[str, Any]:
        """metrics.json."""
        return read_json(self.file("metrics.json"))

    def comparison(self) -> dict[str, Any] | None:
        """comparison.json: learners side by side, ranked covariates, combinations of them; None where [comparison] is off."""
        return read_json(self.file("comparison.json")) if (self.folder / "comparison.json").is_file() else None

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Open a run by its folder.

        Raises
        ------
        MissingFileError
            There is no run.json in it.
        """
        folder = Path(folder).resolve()
        if not (folder / RECORD).is_file():
            raise MissingFileError(
                f"{folder} is not a run: it has no {RECORD}. `python -m alm_core list` shows the runs of a workspace."
            )
        return cls(folder)


@dataclass
class Ledger:
    """The stages of a run under way: what is done, with which key, in how many seconds."""

    folder: Path
    record: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, folder: Path, head: dict[str, Any]) -> Ledger:
        """Open the record of a run, or start it."""
        path = folder / RECORD
        record = read_json(path) if path.is_file() else {**head, "stages": {}}
        record.update({key: value for key, value in head.items() if key != "stages"})
        ledger = cls(folder, record)
        ledger.save()
        return ledger

    def save(self) -> None:
        """Write run.json."""
        write_json(self.folder / RECORD, self.record)

    def is_done(self, stage: str, key: str) -> bool:
        """True where the stage was finished with this key and all its files are still there, at their size."""
        entry = self.record["stages"].get(stage)
        return bool(entry and entry["state"] == "done" and entry["key"] == key and files_match(self.folder, entry["files"]))

    def start(self, stage: str, key: str) -> None:
        """Note that a stage is under way."""
        self.record["stages"][stage] = {"state": "running", "key": key, "started": time.time()}
        self.save()

    def finish(self, stage: str, key: str, files: list[Path], *, seconds: float, source: str | None = None) -> None:
        """Note that a stage is done and which files are its own."""
        sizes = {file.relative_to(self.folder).as_posix(): file.stat().st_size for file in sorted(files)}
        self.record["stages"][stage] = {
            "state": "done",
            "key": key,
            "seconds": round(seconds, 3),
            "files": sizes,
            "linked_from": source,
        }
        self.save()


def files_match(folder: Path, sizes: dict[str, int]) -> bool:
    """True where every file is in the folder with its size."""
    return all((folder / name).is_file() and (folder / name).stat().st_size == size for name, size in sizes.items())


def link_stage(study_folder: Path, folder: Path, stage: str, key: str) -> tuple[str, list[Path]] | None:
    """Find another run of the study that finished this stage with the same key, and link its files here.

    Returns
    -------
    (run id, files) or None
    """
    for other in sorted(study_folder.glob(f"*/{RECORD}")):
        if other.parent == folder:
            continue
        entry = read_json(other).get("stages", {}).get(stage, {})
        if entry.get("state") != "done" or entry.get("key") != key or not files_match(other.parent, entry["files"]):
            continue
        files = [_link(other.parent / name, folder / name) for name in entry["files"]]
        return other.parent.name, files
    return None


def _link(source: Path, target: Path) -> Path:
    with disk_faults(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:  # another disk, or a file system without hard links
            shutil.copy2(source, target)
    return target


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Let one program at a time write to a run; the lock goes with the process, however it ends.

    Raises
    ------
    WorkspaceError
        Another program holds it, or the folder can't be written.
    """
    with disk_faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as fault:
            raise WorkspaceError(
                f"{folder} is being written by another program. Wait for it to end, or choose another --workspace."
            ) from fault
    try:
        yield
    finally:
        lock.release()


def list_runs(workspace: Path) -> list[Run]:
    """Every run of a workspace, oldest study name first."""
    return [Run(path.parent) for path in sorted(Path(workspace).glob(f"*/*/{RECORD}"))]
