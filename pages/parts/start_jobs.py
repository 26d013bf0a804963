"""Jobs on the start page: those that wait or work, the one of the address, and those that did not end well."""

from __future__ import annotations

import streamlit as st

from alm_core.errors import AlmError
from alm_core.jobs import find_job, list_jobs
from alm_core.jobs.kinds import RESUMABLE
from alm_core.jobs.study_runs import failed_jobs
from pages.parts.durations import moment
from pages.parts.frame import Page, workspace
from pages.parts.job_panel import again_button, job_name, job_panel
from pages.parts.plain_text import plain_text
from pages.parts.words import Words

SHOWN_FAILURES = 5


def jobs_part(page: Page) -> None:
    """A panel for every open job, the oldest first, and for the job that the address names."""
    asked = st.query_params.get("job")
    ids = [job.id for job in reversed(list_jobs(workspace())) if job.unfinished()]
    if asked is not None and asked not in ids:
        ids.insert(0, asked)
    if ids:
        st.subheader(page.t("jobs.title"), anchor=False)
    for id in ids:
        job_panel(page, id)


def failures_part(page: Page) -> None:
    """Runs that failed, died or were cancelled, why, and a button to go on; other jobs tell their end on their own page."""
    words = Words(page.lang, "jobs")
    asked = st.query_params.get("job")
    failed = [job for job in failed_jobs(workspace()) if job.id != asked and job.kind in RESUMABLE][:SHOWN_FAILURES]
    if not failed:
        return
    st.subheader(page.t("failures.title"), anchor=False)
    for job in failed:
        state = job.state()
        with st.container(border=True, key=f"failure-{job.id}"):
            when = f" · {moment(state.started)}" if state.started else ""
            st.markdown(f"**{job_name(words, job)}** · {page.t(f'state.{state.state}')}{when}")
            if state.error:
                st.error(plain_text(state.error))
            elif state.state == "died":
                st.caption(words("died_resumable"))
            with st.container(horizontal=True):
                again_button(words, job)
                if st.button(words("hide"), key=f"forget-{job.id}", icon=":material/visibility_off:"):
                    forget(job.id)


def forget(id: str) -> None:
    """Delete an ended job; another tab may have been quicker."""
    try:
        find_job(workspace(), id).delete()
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        return
    st.rerun()
