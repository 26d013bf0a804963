"""Result files of jobs, found by listing and never by joining what came in an address."""

from __future__ import annotations

from pathlib import Path

from alm_core.jobs.store import JobError, find_job
from alm_core.serving.checks import RequestError


def job_file(workspace: Path, job: str, name: str) -> Path:
    """A result file of a job that is done.

    Raises
    ------
    RequestError
        No such job or file, or a job that is not done (404); links, folders and hidden files count as none.
    """
    try:
        return find_job(workspace, job).file(name)
    except JobError as fault:
        raise RequestError(str(fault), status=404) from fault
