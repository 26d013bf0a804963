"""Runs of days: the state of every day on the map, freeze and thaw of every winter, a place through time, scores, files."""

from __future__ import annotations

from datetime import date

import streamlit as st

from alm_core.errors import AlmError
from pages.parts.columns import narrow_columns
from pages.parts.days_data import chosen, place_of, take_choice
from pages.parts.days_files import day_button, files_view
from pages.parts.days_map import days_map
from pages.parts.days_place import place_panel, series_part
from pages.parts.days_scores import scores_view
from pages.parts.days_trends import trends_part
from pages.parts.frame import DAYS, Page, check_run, help_box, open_page
from pages.parts.plain_text import plain_text
from pages.parts.validation_choice import choose_segment

VIEWS = {"map": ("cubes/cubes.json", "map/days"), "scores": ("metrics.json",), "files": ("cubes/cubes.json",)}
"""The parts of the page, and the files that each can't do without."""


@st.fragment
def map_view(page: Page) -> None:
    """Map, place and series: a fragment, so that the rest of the page stays as it is."""
    choice = chosen(page)
    left, right = narrow_columns("days-row").columns([3, 2], gap="medium")
    with left:
        days_map(page, start=choice, on_change=lambda key: take_choice(page, key))
    day = date.fromisoformat(choice["day"])
    place = place_of(page, choice["place"])
    with right:
        place_panel(page, place, day, asked=choice["place"] is not None)
        day_button(page, day)
    if place is not None:
        series_part(page, place, day)
    trends_part(page)
    help_box(page, "frozen_surface", "freeze_onset", "state_probability", "field_significance")


def draw(page: Page) -> None:
    """The chosen part."""
    names = {name: page.t(f"views.{name}") for name in VIEWS}
    view = choose_segment(page.t("view"), tuple(VIEWS), key="view", names=names.get, label_visibility="collapsed")
    check_run(page, VIEWS[view], DAYS)
    if view == "map":
        map_view(page)
    elif view == "scores":
        scores_view(page)
    else:
        files_view(page)


page = open_page("days", kind=DAYS)
try:
    draw(page)
except AlmError as fault:
    st.error(plain_text(str(fault)))
