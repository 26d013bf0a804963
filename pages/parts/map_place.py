"""The answer for one place: value, interval, trust, members, explanation, analogue sites."""

from __future__ import annotations

import contextlib
import math
import threading
from html import escape
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.covariates.samples import Samples
from alm_core.errors import AlmError
from alm_core.inspection.query import PixelAnswer, ask
from alm_core.inspection.slices import time_slices
from alm_core.scenarios.scenario import load_scenario
from alm_core.workspace import Run
from pages.parts.charts import COLOURS, axis_title, learner_colour, show
from pages.parts.frame import Page, help_box, learner_label
from pages.parts.map_series import series_part
from pages.parts.numbers import fixed, interval_text, number, percent, unit_text, with_unit
from pages.parts.plain_text import plain_text

PLACE, ASKED = "map-place", "map-place-asked"
"""State: longitude and latitude of the chosen place, and those that the address had when it was read."""
LONGITUDE, LATITUDE = "map-longitude", "map-latitude"
SHOWN_FEATURES = 8
LABEL_ROOM = 0.5
"""Room for the numbers beside the steps, as part of their span."""
ANALOGUE_COLUMNS = ("site", "observed", "predicted", "distance", "distance_km")
BAR_HEIGHT, ROW_HEIGHT = 74, 26
WARM_UP_SECONDS = 2.0
"""After the page opened: its tiles come first."""


def place_from_address() -> None:
    """Take the place of the address where it is a new one, so that a place can be shared by link."""
    asked = (st.query_params.get("lon"), st.query_params.get("lat"))
    if asked == st.session_state.get(ASKED, (None, None)):
        return
    st.session_state[ASKED] = asked
    found = (coordinate(asked[0], 360.0), coordinate(asked[1], 90.0))
    st.session_state[PLACE] = None if None in found else found


def coordinate(text: str | None, limit: float) -> float | None:
    """A number of the address, None where it is none or no coordinate."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= limit else None


def set_place(longitude: float | None, latitude: float | None) -> None:
    """Choose a place, or none; the address follows."""
    if longitude is None or latitude is None:
        st.session_state[PLACE], asked = None, (None, None)
        for name in ("lon", "lat"):
            st.query_params.pop(name, None)
    else:
        st.session_state[PLACE] = (round(longitude, 5), round(latitude, 5))
        asked = (f"{longitude:.5f}", f"{latitude:.5f}")
        st.query_params["lon"], st.query_params["lat"] = asked
    st.session_state[ASKED] = asked


def typed_place() -> None:
    """Take the place that was typed, once both numbers are there; a number that was cleared forgets the place."""
    longitude, latitude = st.session_state[LONGITUDE], st.session_state[LATITUDE]
    if longitude is not None and latitude is not None:
        set_place(longitude, latitude)
    elif chosen_place() is not None:
        set_place(None, None)


def forget_place() -> None:
    """Choose no place."""
    set_place(None, None)
    st.session_state[LONGITUDE] = st.session_state[LATITUDE] = None


def chosen_place() -> tuple[float, float] | None:
    """Longitude and latitude."""
    return st.session_state.get(PLACE)


def place_answer(page: Page, scenario: str | None, slice: str | None = None) -> PixelAnswer | AlmError | None:
    """What the run says about the chosen place; a fault where it can say nothing."""
    place = chosen_place()
    if place is None:
        return None
    try:
        return _ask(page.run, place, scenario, slice, scenario_stamp(page, scenario))
    except AlmError as fault:
        return fault


def scenario_stamp(page: Page, scenario: str | None) -> str:
    """Changes when a scenario of that name is saved anew."""
    return "" if scenario is None else load_scenario(page.run, scenario).fingerprint


@st.cache_resource(max_entries=200, show_spinner=False, hash_funcs={Run: lambda run: (str(run.folder), run.id)})
def _ask(run: Run, place: tuple[float, float], scenario: str | None, slice: str | None, stamp: str) -> PixelAnswer:
    """Read-only: kept so that moving a widget does not ask again."""
    return ask(run, *place, scenario=scenario, slice=slice)


@st.cache_resource(max_entries=8, show_spinner=False)
def warm_up(folder: str) -> None:
    """Read the models of a run beside the page, so that the first click is answered as fast as any other."""
    timer = threading.Timer(WARM_UP_SECONDS, _ask_a_site, (Run(Path(folder)),))
    timer.daemon = True
    timer.start()


def _ask_a_site(run: Run) -> None:
    site = Samples.from_parquet(run.file("samples.parquet")).about.iloc[0]
    # A fault is shown where somebody asks; here nobody does.
    with contextlib.suppress(AlmError):
        ask(run, site["longitude"], site["latitude"])


def place_state(page: Page, answer: PixelAnswer | AlmError | None) -> dict[str, Any] | None:
    """Mark of the place and lines to its analogue sites, for the map."""
    place = chosen_place()
    if place is None:
        return None
    sites = answer.analogues.to_dict("records") if isinstance(answer, PixelAnswer) else []
    marks = [
        {
            "longitude": site["longitude"],
            "latitude": site["latitude"],
            "label": f"{site['site_id']}: {with_unit(site['observed'], page.unit)}",
        }
        for site in sites
    ]
    return {"longitude": place[0], "latitude": place[1], "analogues": marks}


def place_panel(page: Page, answer: PixelAnswer | AlmError | None) -> None:
    """The panel beside the map."""
    place = chosen_place()
    if place is not None:
        # Widgets that were hidden forget their numbers; the place stays.
        st.session_state[LONGITUDE], st.session_state[LATITUDE] = place
    left, right = st.columns(2)
    options = {"value": None, "step": 0.01, "format": "%.4f", "on_change": typed_place}
    left.number_input(page.t("longitude"), -360.0, 360.0, key=LONGITUDE, **options)
    right.number_input(page.t("latitude"), -90.0, 90.0, key=LATITUDE, **options)
    if answer is None:
        st.info(page.t("place.empty"), icon=":material/touch_app:")
        return
    if isinstance(answer, AlmError):
        st.error(plain_text(str(answer)))
        return
    st.button(page.t("place.clear"), icon=":material/close:", on_click=forget_place, type="tertiary")
    if not answer.inside_map:
        st.warning(page.t(f"nothing.{answer.state}"), icon=":material/location_off:")
        if answer.covariates:
            covariates_part(page, answer)
        return
    value_part(page, answer)
    series_part(page, place)
    members_part(page, answer)
    explanation_part(page, answer)
    analogues_part(page, answer)
    covariates_part(page, answer)
    terms = ("time_slice", "change_significance") if time_slices(page.run) else ()
    help_box(page, *terms, "interval", "aoa", "di", "lpd", "waterfall", "analogues")


def value_part(page: Page, answer: PixelAnswer) -> None:
    """Value, interval, and in words whether the place is inside the area of applicability."""
    name = page.t("value") if page.regression else page.t("class")
    st.metric(f"{name} · {answer.slice}" if answer.slice else name, answer.label or with_unit(answer.value, page.unit))
    if answer.lower is not None:
        level = percent(page.options.uncertainty.level)
        st.markdown(page.t("interval", level=level, interval=interval_text(answer.lower, answer.upper, page.unit)))
    if answer.inside is None:
        st.info(page.t("aoa.none"), icon=":material/help:")
    elif answer.inside:
        st.success(page.t("aoa.inside", **trust_numbers(answer)), icon=":material/verified:")
    else:
        st.warning(page.t("aoa.outside", **trust_numbers(answer)), icon=":material/warning:")
    st.caption(page.t("cell", longitude=fixed(answer.cell.longitude, 4), latitude=fixed(answer.cell.latitude, 4)))


def trust_numbers(answer: PixelAnswer) -> dict[str, str]:
    """Dissimilarity, its threshold and the local point density as text."""
    return {
        "dissimilarity": fixed(answer.dissimilarity),
        "threshold": fixed(answer.threshold),
        "density": fixed(answer.density, 0),
    }


def members_part(page: Page, answer: PixelAnswer) -> None:
    """What each learner says, beside the fused value and its interval; for classes the fused probabilities and theirs."""
    if page.regression:
        st.markdown(f"**{page.t('members')}**")
        show(members_figure(page, answer), key="map-members", height=BAR_HEIGHT + ROW_HEIGHT * (len(answer.members) + 1))
        return
    st.markdown(f"**{page.t('probabilities')}**")
    st.dataframe(probability_table(page, answer), key="map-members")


def probability_table(page: Page, answer: PixelAnswer) -> pd.DataFrame:
    """Probability of each class, fused and by learner."""
    columns = {page.c("learner.fused"): answer.probabilities}
    for name in page.learners:
        prefix = f"{name}: "
        columns[learner_label(page, name)] = {
            key.removeprefix(prefix): value for key, value in answer.members.items() if key.startswith(prefix)
        }
    return pd.DataFrame(columns).map(percent)


def members_figure(page: Page, answer: PixelAnswer) -> go.Figure:
    """A dot for each learner, the fused value in the accent colour, the interval as a band."""
    names = [*answer.members, "fused"]
    values = [*answer.members.values(), answer.value]
    colours = [learner_colour(page.learners, name) for name in names]
    figure = go.Figure(
        go.Scatter(
            x=values,
            y=[learner_label(page, name) for name in names],
            mode="markers",
            marker={"size": 11, "color": colours, "symbol": ["circle"] * len(answer.members) + ["diamond"]},
            hovertemplate="%{y}: %{x:.4g} " + unit_text(page.unit) + "<extra></extra>",
        )
    )
    if answer.lower is not None:
        figure.add_vrect(answer.lower, answer.upper, fillcolor=COLOURS["fused"], opacity=0.12, line_width=0)
    figure.update_layout(
        xaxis={"title": axis_title(page.options.target.name, page.unit), "nticks": 5},
        yaxis={"autorange": "reversed"},
        margin={"l": 8, "r": 8, "t": 6, "b": 40},
        showlegend=False,
    )
    return figure


def explanation_part(page: Page, answer: PixelAnswer) -> None:
    """Which covariate moved the value how far from the mean of the sites."""
    st.markdown(f"**{page.t('waterfall.title')}**")
    if answer.explanation is None:
        st.caption(page.t("waterfall.none") if page.regression else page.t("waterfall.classes"))
        return
    rows = len(waterfall_steps(page, answer)) + 2
    show(waterfall_figure(page, answer), key="map-waterfall", height=BAR_HEIGHT + ROW_HEIGHT * rows)


def waterfall_steps(page: Page, answer: PixelAnswer) -> list[tuple[str, float]]:
    """Name and size of the largest steps, the small ones as one."""
    steps = [(name.replace("_", " "), value) for name, value in answer.explanation.contributions.items()]
    if len(steps) <= SHOWN_FEATURES + 1:
        return steps
    rest = steps[SHOWN_FEATURES:]
    return [*steps[:SHOWN_FEATURES], (page.t("waterfall.rest", count=len(rest)), sum(value for _, value in rest))]


def waterfall_figure(page: Page, answer: PixelAnswer) -> go.Figure:
    """From the mean of the model to the value of the place, step by step."""
    steps, base = waterfall_steps(page, answer), answer.explanation.base
    names = [page.t("waterfall.base"), *(name for name, _ in steps), page.t("waterfall.value")]
    starts = [base, *(base + total for total in accumulate(value for _, value in steps))]
    colours = [COLOURS["inside"] if value >= 0 else COLOURS["outside"] for _, value in steps]
    unit = unit_text(page.unit)
    bars = go.Bar(
        orientation="h",
        y=names[1:-1],
        x=[value for _, value in steps],
        base=starts[:-1],
        marker={"color": colours},
        text=step_texts([value for _, value in steps]),
        textposition="outside",
        cliponaxis=False,
        customdata=[value for _, value in steps],
        hovertemplate="%{y}: %{customdata:+.3g} " + unit + "<extra></extra>",
    )
    ends = go.Scatter(
        x=[base, starts[-1]],
        y=[names[0], names[-1]],
        mode="markers",
        marker={"symbol": "diamond", "size": 11, "color": [COLOURS["muted"], COLOURS["fused"]]},
        hovertemplate="%{y}: %{x:.4g} " + unit + "<extra></extra>",
    )
    low, high = min(starts), max(starts)
    room = LABEL_ROOM * (high - low) or 1.0
    figure = go.Figure([bars, ends])
    figure.update_layout(
        xaxis={"title": axis_title(page.options.target.name, page.unit), "nticks": 4, "range": [low - room, high + room]},
        yaxis={"categoryorder": "array", "categoryarray": names[::-1]},
        margin={"l": 8, "r": 8, "t": 6, "b": 40},
        showlegend=False,
    )
    return figure


def step_texts(values: list[float]) -> list[str]:
    """Steps with their sign, all with the decimals that the largest one needs.

    Examples
    --------
    >>> step_texts([-0.0262, 0.0041]), step_texts([12.0, -3.4])
    (['-0.026', '+0.004'], ['+12', '-3'])
    """
    largest = max(map(abs, values), default=0.0)
    places = max(0, min(6, 1 - math.floor(math.log10(largest)))) if largest > 0 else 0
    return [f"{value:+.{places}f}" for value in values]


def analogues_part(page: Page, answer: PixelAnswer) -> None:
    """The sites whose covariates are most like those of the place."""
    if answer.analogues.empty:
        return
    st.markdown(f"**{page.t('analogues.title')}**")
    st.caption(page.t("analogues.help", unit=unit_text(page.unit) or page.options.target.name))
    st.html(analogues_table(page, answer.analogues))


def analogues_table(page: Page, sites: pd.DataFrame) -> str:
    """A table that fits the narrow panel; names of sites come from a file, so they are escaped."""
    head = "".join(f"<th>{page.t(f'analogues.{name}')}</th>" for name in ANALOGUE_COLUMNS)
    rows = []
    for site in sites.to_dict("records"):
        numbers = (
            cell_text(site["observed"]),
            cell_text(site["predicted"]),
            fixed(site["distance"]),
            fixed(site["distance_km"], 0),
        )
        cells = "".join(f"<td>{escape(text)}</td>" for text in (str(site["site_id"]), *numbers))
        rows.append(f"<tr>{cells}</tr>")
    return f'<table class="alm-sites"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def cell_text(value: Any) -> str:
    """A number, or the name of a class."""
    return value if isinstance(value, str) else number(value)


def covariates_part(page: Page, answer: PixelAnswer) -> None:
    """The covariates of the cell."""
    with st.expander(page.t("covariates")):
        rows = [(name.replace("_", " "), with_unit(value, unit, 4)) for name, (value, unit) in answer.covariates.items()]
        st.dataframe(pd.DataFrame(rows, columns=[page.t("covariate"), page.t("value")]), hide_index=True)
