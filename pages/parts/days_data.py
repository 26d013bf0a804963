"""What the days page shows: chosen day, layer and place; series of a place, remembered."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from alm_core.errors import AlmError
from alm_core.inspection.days import TREND, DayMaps, day_maps
from alm_core.inspection.days_place import DayPlace, day_place
from alm_core.serving.day_pictures import day_stamps
from alm_core.workspace import Run
from pages.parts.days_map import DAILY
from pages.parts.frame import Page, run_key

CHOICE = "days_choice"
PLACES_KEPT = 200


def chosen(page: Page) -> dict[str, Any]:
    """Layer, day and place: of this visit, or of the address, or the first of each."""
    known = st.session_state.setdefault(CHOICE, {})
    key = run_key(page.run)
    if key not in known:
        known[key] = checked(day_maps(page.run), from_address())
    return known[key]


def from_address() -> dict[str, Any]:
    """What the address asks for, as text."""
    query = st.query_params
    place = [query["lon"], query["lat"]] if "lon" in query and "lat" in query else None
    return {"layer": query.get("layer"), "day": query.get("day"), "place": place}


def checked(maps: DayMaps, asked: Any) -> dict[str, Any]:
    """A choice that fits the run, whatever came from the address or the browser."""
    asked = asked if isinstance(asked, dict) else {}
    layers = (*DAILY, *maps.phenology, *(f"{TREND}{name}" for name in maps.trends))
    layer = asked.get("layer")
    day = checked_day(maps, asked.get("day"))
    return {"layer": layer if layer in layers else layers[0], "day": day.isoformat(), "place": checked_place(asked.get("place"))}


def checked_day(maps: DayMaps, text: Any) -> date:
    """A mapped day; the middle of the first winter that is mapped where there is none of that name."""
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        day = None
    if day is not None and maps.has(day):
        return day
    winters = (date(year, 1, 15) for year in maps.years)
    first = maps.days_of(maps.years[0])[0]
    return next((day for day in winters if maps.has(day)), first)


def checked_place(place: Any) -> list[float] | None:
    """Longitude and latitude, or None."""
    try:
        longitude, latitude = (float(value) for value in place)
    except (TypeError, ValueError):
        return None
    return [longitude, latitude] if abs(longitude) <= 540 and abs(latitude) <= 90 else None


def take_choice(page: Page, component: str) -> None:
    """Somebody chose another layer, day or place: remember it, and write it into the address."""
    choice = checked(day_maps(page.run), st.session_state[component].get("choice"))
    st.session_state[CHOICE][run_key(page.run)] = choice
    wanted = {"layer": choice["layer"], "day": choice["day"]}
    if choice["place"]:
        wanted |= {"lon": f"{choice['place'][0]:.5f}", "lat": f"{choice['place'][1]:.5f}"}
    for name, value in wanted.items():
        if st.query_params.get(name) != value:
            st.query_params[name] = value


def place_of(page: Page, place: list[float] | None) -> DayPlace | None:
    """The series of the chosen place; None outside the mapped cells, or where none is chosen."""
    if place is None:
        return None
    try:
        return _place(page.run, tuple(place), day_stamps(page.run))
    except AlmError as fault:
        st.error(str(fault))
        return None


@st.cache_resource(max_entries=PLACES_KEPT, show_spinner=False, hash_funcs={Run: lambda run: (str(run.folder), run.id)})
def _place(run: Run, place: tuple[float, float], stamps: tuple[Any, ...]) -> DayPlace | None:
    """Read-only: kept so that moving a widget does not read every year again."""
    return day_place(run, *place)
