"""A guided tour of five minutes, from what the map shows to where not to trust it."""

from __future__ import annotations

import streamlit as st

from alm_core.errors import AlmError
from pages.parts.frame import Page, open_page
from pages.parts.tour_steps import map_step, pull_step, score_step, sites_step, sure_step, trust_step
from pages.parts.validation_choice import choose_segment

NEEDS = ("metrics.json", "out_of_fold.parquet", "folds.json", "map/map.json", "map/fused.tif", "map/uncertainty.tif")
STEPS = {
    "map": map_step,
    "sites": sites_step,
    "score": score_step,
    "pull": pull_step,
    "sure": sure_step,
    "trust": trust_step,
}
NUMBERS = tuple(str(number) for number in range(1, len(STEPS) + 1))


def choose_step(page: Page) -> int:
    """The step of the address, and buttons for all of them."""
    names = {number: f"{number} · {page.t(f'steps.{step}')}" for number, step in zip(NUMBERS, STEPS, strict=True)}
    return int(choose_segment(page.t("step"), NUMBERS, key="step", names=names.get, label_visibility="collapsed"))


def walk(page: Page, step: int) -> None:
    """Back, how far, next."""
    last = len(STEPS)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.button(page.t("back"), icon=":material/arrow_back:", disabled=step == 1, on_click=go, args=(step - 1,))
    row.progress(step / last, text=page.t("progress", number=step, total=last))
    if step < last:
        row.button(page.t("next"), icon=":material/arrow_forward:", type="primary", on_click=go, args=(step + 1,))
    else:
        row.button(page.t("again"), icon=":material/replay:", on_click=go, args=(1,))


def go(step: int) -> None:
    """Turn to a step."""
    st.session_state["step"] = str(step)


page = open_page("tour", needs=NEEDS)
chosen = choose_step(page)
try:
    STEPS[list(STEPS)[chosen - 1]](page)
except AlmError as fault:
    st.error(str(fault))
if page.options.study.simulated:
    st.caption(page.t("simulated"))
walk(page, chosen)
