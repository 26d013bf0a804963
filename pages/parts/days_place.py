"""A place through all days: measured values, probability, states of the map and of the products, dates of every winter."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from alm_core.cubes.states import FROZEN, THAWED, UNKNOWN
from alm_core.cubes.store import Variable
from alm_core.inspection.days import open_cubes
from alm_core.inspection.days_place import DayPlace, FreezingYear, cell_values, measured, usual_variables
from pages.parts.charts import CATEGORY_COLOURS, COLOURS, axis_title, show
from pages.parts.days_map import FROZEN_COLOUR, THAWED_COLOUR, UNKNOWN_COLOUR, year_name
from pages.parts.frame import Page
from pages.parts.numbers import DASH, percent
from pages.parts.words import LANGUAGES

HEIGHT = 470
MARGIN_DAYS = 200
"""Days on both sides of the chosen one that the chart opens with."""
ROWS = (0.44, 0.34, 0.22)
UNSURE = 0.5
"""Stands between thawed and frozen in the strips: a day without a state."""
STRIPS = tuple(
    (edge / 3 + step / 3, colour) for edge, colour in enumerate((THAWED_COLOUR, UNKNOWN_COLOUR, FROZEN_COLOUR)) for step in (0, 1)
)
MONTH_FORMATS = dict(zip(LANGUAGES, ("%b %Y", "%Y-%m"), strict=True))


def place_panel(page: Page, place: DayPlace | None, day: date, *, asked: bool) -> None:
    """What the map and the products say of the place on the day, and its winters."""
    st.markdown(f"**{page.t('place.title')}**")
    if place is None:
        st.caption(page.t("place.outside" if asked else "place.none"))
        return
    st.caption(page.t("place.where", longitude=f"{place.longitude:.3f}", latitude=f"{place.latitude:.3f}"))
    at = place.place_of(day)
    if at is not None:
        st.dataframe(day_table(page, place, at, day), hide_index=True, width="stretch", key="days-place-day")
    if place.years:
        st.markdown(f"**{page.t('place.years')}**")
        st.dataframe(years_table(page, place), hide_index=True, width="stretch", key="days-place-years")


def state_text(page: Page, value: float) -> str:
    """A state in words."""
    names = {float(THAWED): "thawed", float(FROZEN): "frozen"}
    return page.t(f"component.{names.get(float(value), 'unknown')}")


def day_table(page: Page, place: DayPlace, at: int, day: date) -> pd.DataFrame:
    """Map and products on the day."""
    state = float("nan") if place.state[at] == UNKNOWN else float(place.state[at])
    chance = DASH if np.isnan(place.percent[at]) else percent(float(place.percent[at]) / 100)
    rows = [(page.t("place.map"), state_text(page, state)), (page.t("place.probability"), chance)]
    rows += [(page.t(f"place.{name}"), state_text(page, float(values[at]))) for name, values in place.products.items()]
    return pd.DataFrame(rows, columns=[page.t("place.on_day"), day.isoformat()])


def years_table(page: Page, place: DayPlace) -> pd.DataFrame:
    """A row for each freezing year."""
    month = page.options.days.phenology.first_month
    heads = [
        page.t("place.year"),
        page.t("place.freeze"),
        page.t("place.thaw"),
        page.t("place.frozen_days"),
        page.t("place.changes"),
    ]
    return pd.DataFrame([year_row(year, month) for year in place.years], columns=heads)


def year_row(year: FreezingYear, month: int) -> tuple[str, ...]:
    """Dates and counts, a dash where there is none."""
    days = (DASH if day is None else day.isoformat() for day in (year.freeze_onset, year.thaw_onset))
    counts = (DASH if count is None else str(count) for count in (year.frozen_days, year.transitions))
    return (year_name(year.name, month), *days, *counts)


# ---- chart --------------------------------------------------------------------------------------------------------------


def series_part(page: Page, place: DayPlace, day: date) -> None:
    """The chart with a choice of the measured quantities."""
    st.subheader(page.t("series.title"), anchor=False)
    known = {variable.name: variable for variable in measured(page.run)}
    names = {name: variable_name(page, variable) for name, variable in known.items()}
    usual = [name for name in usual_variables(page.run) if name in known]
    picked = (
        st.multiselect(page.t("series.variables"), list(known), default=usual, format_func=names.get, key="days-variables")
        if known
        else []
    )
    show(series_figure(page, place, day, [known[name] for name in picked]), key="days-series", height=HEIGHT)
    st.caption(page.t("series.note"))


def variable_name(page: Page, variable: Variable) -> str:
    """Name of a daily variable with its frequency, polarisation and orbit, where it has them."""
    parts = [variable.name.replace("_", " ")]
    if variable.frequency_ghz:
        parts.append(f"{variable.frequency_ghz:g} GHz {variable.polarisation}".strip())
    if variable.orbit and variable.orbit not in variable.name:
        parts.append(page.t(f"orbit.{variable.orbit}"))
    return " · ".join(parts)


def series_figure(page: Page, place: DayPlace, day: date, variables: list[Variable]) -> go.Figure:
    """Measured values above, probability in the middle, strips of states below; all days on one axis."""
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=list(ROWS), vertical_spacing=0.045)
    store = open_cubes(page.run)
    for variable, colour in zip(variables, CATEGORY_COLOURS * 2, strict=False):
        values, name = cell_values(store, variable.name, place.cell), variable_name(page, variable)
        # A day between two gaps is a dot: a line alone would hide it.
        look = {"mode": "lines+markers", "line": {"color": colour, "width": 1.1}, "marker": {"size": 3}}
        figure.add_scattergl(x=place.dates, y=values, name=name, row=1, col=1, hovertemplate="%{y:.1f}", **look)
    chance = {"name": page.t("series.probability"), "line": {"color": FROZEN_COLOUR, "width": 1}, "showlegend": False}
    hover = "%{y:.0f} %"
    figure.add_scattergl(x=place.dates, y=place.percent, mode="lines", hovertemplate=hover, row=2, col=1, **chance)
    figure.add_hline(y=50, line={"color": COLOURS["reference"], "width": 1, "dash": "dot"}, row=2, col=1)
    add_strips(page, figure, place)
    figure.add_vline(x=day.isoformat(), line={"color": COLOURS["text"], "width": 1.5})
    units = {variable.unit for variable in variables}
    figure.update_yaxes(
        title=axis_title(page.t("series.measured"), units.pop()) if len(units) == 1 else page.t("series.measured"), row=1, col=1
    )
    figure.update_yaxes(title=page.t("series.probability_axis"), range=[-3, 103], tickvals=[0, 50, 100], row=2, col=1)
    first, last = place.dates[0].astype(object), place.dates[-1].astype(object)
    window = [max(first, day - timedelta(days=MARGIN_DAYS)), min(last, day + timedelta(days=MARGIN_DAYS))]
    figure.update_xaxes(range=window, tickformat=MONTH_FORMATS[page.lang], hoverformat="%Y-%m-%d")
    figure.update_layout(hovermode="x unified", margin={"l": 8, "r": 12, "t": 34, "b": 28})
    return figure


def add_strips(page: Page, figure: go.Figure, place: DayPlace) -> None:
    """A strip of colours for the map and each product; days without a state are light grey."""
    states = np.where(place.state == UNKNOWN, np.nan, place.state.astype(float))
    rows = {"check": place.products.get("check"), "labels": place.products.get("labels"), "map": states}
    rows = {name: values for name, values in rows.items() if values is not None}
    figure.add_heatmap(
        x=place.dates,
        y=[page.t(f"place.{name}") for name in rows],
        z=np.nan_to_num(np.stack(list(rows.values())), nan=UNSURE),
        customdata=[[state_text(page, value) for value in values.tolist()] for values in rows.values()],
        colorscale=STRIPS,
        zmin=0,
        zmax=1,
        ygap=3,
        showscale=False,
        hovertemplate="%{y}: %{customdata}<extra></extra>",
        row=3,
        col=1,
    )
    figure.update_xaxes(showgrid=False, row=3, col=1)
    figure.update_yaxes(showgrid=False, row=3, col=1)
    figure.update_layout({"yaxis3": {"type": "category"}, "xaxis3": {"type": "date"}})
