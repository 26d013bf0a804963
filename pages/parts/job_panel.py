"""A job on a page: how far it is, time left, a way to cancel it, and what it gave."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alm_core.errors import AlmError
from alm_core.inspection.days import is_of_days
from alm_core.jobs import Job, JobState, find_job
from alm_core.jobs.kinds import RESUMABLE
from alm_core.serving.urls import download_url
from alm_core.workspace import Run
from pages.parts.durations import duration
from pages.parts.frame import PAGES, Page, workspace
from pages.parts.plain_text import plain_text, shown_title
from pages.parts.words import Words

LOOK_SECONDS = 1.0
MEGABYTE = 2**20
HEAD = {"horizontal": True, "vertical_alignment": "center", "horizontal_alignment": "distribute"}
RESULT_PAGES = ("map", "validation", "fusion", "sites", "report")
DAY_PAGES = ("days", "report")


def job_panel(page: Page, job_id: str, *, on_done: Callable[[JobState], None] | None = None) -> None:
    """Show a job. While it waits or works the panel draws itself anew, and the page once at the end.

    Parameters
    ----------
    page : Page
    job_id : str
        As the query parameter ``job`` has it, so that a reload finds the job again.
    on_done : callable, optional
        Draws what a finished job gave, in place of links to its files.
    """
    words = Words(page.lang, "jobs")
    try:
        job = find_job(workspace(), job_id)
        state = job.state()
        name = job_name(words, job)
    except AlmError:
        st.info(words("gone"), icon=":material/info:")
        return
    with st.container(border=True, key=f"job-{job.id}"):
        if state.open:
            _live(words, job, name)
        else:
            _ended(page, words, job, state, name, on_done)


def job_name(words: Words, job: Job) -> str:
    """What the job does, in words."""
    known = words.get(f"kind.{job.kind}")
    what = known or job.kind.replace("_", " ")
    detail = job.spec.get("title") or job.spec.get("size") or ""
    detail = words.get(f"size.{detail}") or str(detail)
    return words("named", what=what, detail=plain_text(shown_title(detail))) if detail else what


# ---- while it works -------------------------------------------------------------------------------------------------------


def _live(words: Words, job: Job, name: str) -> None:
    @st.fragment(run_every=LOOK_SECONDS, key=f"live-{job.id}")
    def draw() -> None:
        try:
            state = job.state()
        except AlmError:
            st.rerun()
        if not state.open:
            # The timer lives as long as the page that started it.
            st.rerun()
        with st.container(**HEAD):
            st.markdown(f"**{name}**")
            _cancel_button(words, job)
        st.progress(min(max(state.fraction, 0.0), 1.0), text=progress_text(words, job, state))

    draw()


def progress_text(words: Words, job: Job, state: JobState) -> str:
    """The line over the bar: stage, step, time left; or the place among those that wait."""
    if job.cancel_asked:
        return words("cancelling")
    if state.state == "queued":
        return words("queued", count=state.place) if state.place else words("starting")
    parts = []
    if state.stages > 1:
        stage = words.get(f"stage.{state.stage}") or state.stage
        parts.append(words("stage_of", number=state.stage_number, stages=state.stages, stage=stage))
    if state.total > 1:
        parts.append(words("step_of", done=state.done, total=state.total))
    if state.seconds_left is not None:
        parts.append(words("left", time=duration(words, state.seconds_left)))
    else:
        parts.append(words("left_unknown"))
    return " · ".join(parts)


def _cancel_button(words: Words, job: Job) -> None:
    with st.popover(words("cancel"), disabled=job.cancel_asked):
        st.markdown(words("cancel_resumable" if job.kind in RESUMABLE else "cancel_plain"))
        if st.button(words("cancel_yes"), key=f"cancel-{job.id}", type="primary", width="stretch"):
            job.cancel()


# ---- at the end -----------------------------------------------------------------------------------------------------------


def _ended(page: Page, words: Words, job: Job, state: JobState, name: str, on_done: Callable[[JobState], None] | None) -> None:
    with st.container(**HEAD):
        st.markdown(f"**{name}**")
        if st.button(words("hide"), key=f"hide-{job.id}"):
            st.query_params.pop("job", None)
            st.rerun()
    if state.state == "done":
        _done(page, words, job, state, on_done)
    elif state.state == "failed":
        st.error(plain_text(state.error), icon=":material/error:")
    elif state.state == "cancelled":
        st.info(words("cancelled_resumable" if job.kind in RESUMABLE else "cancelled_plain"), icon=":material/cancel:")
    else:
        st.warning(words("died_resumable" if job.kind in RESUMABLE else "died_plain"), icon=":material/warning:")
    if state.state != "done":
        again_button(words, job)


def again_button(words: Words, job: Job) -> None:
    """Start the same job once more."""
    label = words("go_on" if job.kind in RESUMABLE else "again")
    if st.button(label, key=f"again-{job.id}", icon=":material/replay:"):
        try:
            st.query_params["job"] = job.again().id
        except AlmError as fault:
            st.error(plain_text(str(fault)))
            return
        st.rerun()


def _done(page: Page, words: Words, job: Job, state: JobState, on_done: Callable[[JobState], None] | None) -> None:
    took = duration(words, (state.ended or 0) - (state.started or 0))
    st.success(words("done", time=took), icon=":material/check_circle:")
    if on_done is not None:
        on_done(state)
        return
    if "run" in state.result and job.kind in RESUMABLE:
        run = str(state.result["run"])
        run_links(page, run, of_days=is_of_days(Run(workspace() / run)))
        return
    with st.container(horizontal=True):
        for name in job.files():
            size = job.file(name).stat().st_size / MEGABYTE
            st.link_button(f"{name} · {size:.1f} MB", download_url(job, name), icon=":material/download:")


def run_links(page: Page, run: str, *, of_days: bool = False) -> None:
    """Links to the pages of a run; a run of days has its own."""
    with st.container(horizontal=True, gap="small"):
        for name in DAY_PAGES if of_days else RESULT_PAGES:
            path, icon = PAGES[name]
            st.page_link(path, label=page.c(f"nav.{name}"), icon=icon, query_params={"run": run, "lang": page.lang})
