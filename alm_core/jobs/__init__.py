"""Long work in a process of its own: it survives a reload, a closed browser and a restarted server.

A job is a folder of the workspace. `submit` writes it and starts a worker; `find_job` and `list_jobs` read how far it is.
"""

from __future__ import annotations

from alm_core.jobs.kinds import KINDS, register
from alm_core.jobs.store import Job, JobError, JobState, find_job, list_jobs, submit

__all__ = ["KINDS", "Job", "JobError", "JobState", "find_job", "list_jobs", "register", "submit"]
