"""Result files of jobs, found by listing and never by joining what came in a URL."""

from __future__ import annotations

import os
from pathlib import Path

from alm_core.serving.checks import RequestError, shown

JOBS = ".jobs"
FILES = "files"


def job_file(workspace: Path, job: str, name: str) -> Path:
    """A file of ``<workspace>/.jobs/<job>/files/``.

    Raises
    ------
    RequestError
        No such job or file (404); links and folders count as none.
    """
    folder = _listed(workspace / JOBS, job, folder=True)
    if folder is None:
        raise RequestError(f"There is no job {shown(job)}.", status=404)
    file = _listed(folder / FILES, name, folder=False)
    if file is None:
        raise RequestError(f"The job {shown(job)} has no file {shown(name)}.", status=404)
    return file


def _listed(parent: Path, name: str, *, folder: bool) -> Path | None:
    """The entry of a folder with exactly this name."""
    try:
        with os.scandir(parent) as entries:
            for entry in entries:
                right_kind = entry.is_dir(follow_symlinks=False) if folder else entry.is_file(follow_symlinks=False)
                if entry.name == name and right_kind:
                    return Path(entry.path)
    except OSError:  # the parent folder is not there: then neither is what is in it
        return None
    return None
