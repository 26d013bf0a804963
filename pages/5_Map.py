"""The map: layers, a click with its answer, an area with its sums, and what can be taken home."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from alm_core.serving.view_bounds import data_bounds
from pages.parts.frame import ROOT, Page, open_page
from pages.parts.leaflet import base_map, show_map
from pages.parts.map_additions import additions_panel
from pages.parts.map_area import area_panel, area_state, take_drawing
from pages.parts.map_layers import choose_view, map_state
from pages.parts.map_place import place_answer, place_from_address, place_panel, place_state, set_place, warm_up
from pages.parts.numbers import number

PANEL, MAP, SEEN, PLANE = "map-panel", "map-events", "map-events-seen", "map-plane"
HEIGHT = 640
POLAR_LATITUDE, NEAR_POLE = 70.0, 80


def take_event() -> None:
    """A click on the map chooses a place, a drawing chooses an area; the panel beside the map follows."""
    event: dict[str, Any] = st.session_state.get(MAP) or {}
    seen: dict[str, Any] = st.session_state.get(SEEN, {})
    st.session_state[SEEN] = dict(event)
    clicked, drawings = event.get("last_clicked"), event.get("all_drawings")
    if drawings is not None and drawings != seen.get("all_drawings"):
        take_drawing(drawings, st.session_state.get(PLANE))
        st.session_state[PANEL] = "area"
    elif clicked and clicked != seen.get("last_clicked"):
        set_place(clicked["lng"], clicked["lat"])
        st.session_state[PANEL] = "place"


@st.fragment
def map_and_panels(page: Page) -> None:
    """Everything that moves together: a fragment, so that the rest of the page stays as it is."""
    view = choose_view(page)
    st.session_state[PLANE] = view.plane
    answer = place_answer(page, view.left.scenario, view.slice)
    state = map_state(page, view, place=place_state(page, answer), area=area_state())
    with st.container(key="map-row"):
        left, right = st.columns([2, 1])
    with left:
        show_map(base_map(page, page.run, plane=view.plane), key=MAP, state=state, height=HEIGHT, on_change=take_event)
        if view.plane is None:
            polar_note(page)
    # Set here and not as a default: a click on the map chooses a panel too.
    st.session_state.setdefault(PANEL, "place")
    with right:
        chosen = st.segmented_control(
            page.t("panel.label"),
            ["place", "area", "more"],
            format_func=lambda name: page.t(f"panel.{name}"),
            required=True,
            key=PANEL,
            label_visibility="collapsed",
            width="stretch",
        )
        with st.container(height=HEIGHT - 56, border=True, key="map-panel-body"):
            if chosen == "place":
                place_panel(page, answer)
            elif chosen == "area":
                area_panel(page, view)
            else:
                additions_panel(page, view.left)


def polar_note(page: Page) -> None:
    """What a web map does to land near the pole, where the map has some."""
    _, south, _, north = data_bounds(page.run)
    if north < POLAR_LATITUDE or south < 0:
        return
    stretch = (math.cos(math.radians(south)) / math.cos(math.radians(NEAR_POLE))) ** 2
    crs = page.options.grid.crs or page.t("own_crs")
    st.caption(page.t("polar", south=round(south), north=NEAR_POLE, stretch=number(stretch, 2), crs=crs))


page = open_page("map", needs=("map/fused.tif", "map/members.tif"))
st.html(ROOT / "assets" / "browser" / "map_page.css")
place_from_address()
warm_up(str(page.run.folder))
map_and_panels(page)
