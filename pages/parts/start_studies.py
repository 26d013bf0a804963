"""Studies and the demo on the start page: what there is, and buttons to run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from alm_core.errors import AlmError
from alm_core.jobs import submit
from alm_core.jobs.study_runs import DemoState, demo_states, running_studies
from alm_core.study_list import KnownStudy, list_studies
from pages.parts.frame import Page, studies_folder, workspace
from pages.parts.plain_text import plain_text, shown_title


def start_job(kind: str, **spec: Any) -> None:
    """Submit a job, remember it in the address, and draw the page anew so that its panel shows."""
    try:
        st.query_params["job"] = submit(workspace(), kind, **spec).id
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        return
    st.rerun()


def start_run(page: Page, path: str | Path, title: str) -> None:
    """Run a known study; one whose file has gone is told so."""
    known = {str(study.path): study for study in list_studies(studies_folder(), workspace())}
    study = known.get(str(path))
    if study is None or study.fault:
        st.error(plain_text(study.fault) if study else page.t("studies.gone"))
        return
    start_job("run", study=str(study.path), title=title)


# ---- demo -----------------------------------------------------------------------------------------------------------------


def demo_part(page: Page) -> None:
    """What the demo is, and for each size: not there, running or there."""
    st.subheader(page.t("demo.heading"), anchor=False)
    with st.container(border=True, key="demo"):
        st.markdown(f"**{page.t('demo.title')}**")
        st.caption(page.t("demo.text"))
        for state in demo_states(workspace()):
            demo_row(page, state)


def demo_row(page: Page, state: DemoState) -> None:
    """One size of the demo."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.markdown(f"{page.t(f'demo.{state.size}')}  \n:small[{page.t(f'demo_state.{state.state}')}]")
    with right:
        if state.state == "running":
            st.button(page.t("demo.running"), key=f"demo-{state.size}", disabled=True, width="stretch")
        else:
            label = page.t("demo.start") if state.state == "absent" else page.t("demo.again")
            kind = "primary" if state.state == "absent" and state.size == "medium" else "secondary"
            if st.button(label, key=f"demo-{state.size}", type=kind, width="stretch", icon=":material/play_arrow:"):
                start_job("demo", size=state.size, studies=str(studies_folder().resolve()))


# ---- studies --------------------------------------------------------------------------------------------------------------


def studies_part(page: Page) -> None:
    """Every known study with its button."""
    st.subheader(page.t("studies.title"), anchor=False)
    studies = list_studies(studies_folder(), workspace())
    if not studies:
        st.caption(page.t("studies.none"))
        return
    working = running_studies(workspace())
    for study in studies:
        with st.container(border=True, key=f"study-{study.id}"):
            study_row(page, study, str(study.path) in working)


def study_row(page: Page, study: KnownStudy, working: bool) -> None:
    """One study."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        st.markdown(f"**{plain_text(shown_title(study.title or study.name))}**")
        if not study.fault:
            about = "studies.about_days" if study.variables else "studies.about"
            facts = {"name": study.name, "layers": study.covariates, "variables": study.variables, "runs": len(study.runs)}
            st.caption(page.t(about, **facts))
    with right:
        label = page.t("studies.running") if working else page.t("studies.again") if study.runs else page.t("studies.run")
        pressed = st.button(
            label, key=f"run-{study.id}", icon=":material/play_arrow:", disabled=working or bool(study.fault), width="stretch"
        )
    if study.fault:
        st.error(plain_text(study.fault))
    if pressed:
        start_job("run", study=str(study.path), title=study.title or study.name)
