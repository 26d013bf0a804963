"""The start page, and the server: `streamlit run app.py` reads this file as a launcher, then as a page."""

from __future__ import annotations

import importlib
import threading

import streamlit as st

# Paid before the first visitor comes. Without streamlit_folium: imported before the server runs, its part registers nowhere.
SLOW_IMPORTS = (
    "pages.parts.start_runs",
    "pages.parts.start_new_study",
    "leafmap.foliumap",
    "plotly.express",
    "alm_core.inspection.query",
    "alm_core.scenarios.studio",
)


def warm_up() -> None:
    """Import what the pages need."""
    for module in SLOW_IMPORTS:
        importlib.import_module(module)


if not st.runtime.exists():
    from alm_core.serving.routes import ROUTES

    threading.Thread(target=warm_up, daemon=True).start()
    app = st.App(__file__, routes=ROUTES)
else:
    from pages.parts.frame import open_page
    from pages.parts.start_jobs import failures_part, jobs_part
    from pages.parts.start_new_study import new_study_part
    from pages.parts.start_runs import STYLE, runs_part
    from pages.parts.start_studies import demo_part, studies_part

    page = open_page("start", needs_run=False)
    st.html(STYLE)
    jobs_part(page)
    runs_part(page)
    failures_part(page)
    with st.container(key="alm-pair"):
        left, right = st.columns(2, gap="large")
        with left:
            demo_part(page)
            page.link("tour")
        with right:
            studies_part(page)
    new_study_part(page)
