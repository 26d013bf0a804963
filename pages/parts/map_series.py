"""A place or an area through the slices of time: a dot for each with its interval, and what changed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from alm_core.inspection.place_series import PlaceSeries, place_series
from alm_core.inspection.slices import SIGNIFICANCE, can_be_significant, time_slices
from alm_core.workspace import Run
from pages.parts.charts import COLOURS, axis_title, show
from pages.parts.frame import Page
from pages.parts.numbers import number, p_text, percent, unit_text

HEIGHT = 230


def series_part(page: Page, place: tuple[float, float] | None) -> None:
    """The place through time, where the study has slices."""
    if place is None or not page.regression or len(time_slices(page.run)) < 2:
        return
    series = _series(page.run, place)
    if series is None:
        return
    st.markdown(f"**{page.t('series.title')}**")
    figure = series_figure(page, series.first_years, series.last_years, series.values, series.lower, series.upper, series.names)
    show(figure, key="map-series", height=HEIGHT)
    change_text(page, series)


@st.cache_resource(max_entries=200, show_spinner=False, hash_funcs={Run: lambda run: (str(run.folder), run.id)})
def _series(run: Run, place: tuple[float, float]) -> PlaceSeries | None:
    """Read-only: kept so that moving a widget does not read every slice again."""
    return place_series(run, *place)


def series_figure(
    page: Page,
    first_years: Sequence[int],
    last_years: Sequence[int],
    values: Sequence[float | None],
    lower: Sequence[float | None],
    upper: Sequence[float | None],
    names: Sequence[str],
) -> go.Figure:
    """A flat bar over the years of each slice, its interval behind it; a slice without a value is a gap."""
    figure = go.Figure()
    rows = [row for row in zip(first_years, last_years, values, lower, upper, names, strict=True) if known(row[2])]
    unit = unit_text(page.unit)
    for first, last, _, low, high, _ in rows:
        if known(low) and known(high):
            figure.add_shape(
                type="rect", x0=first, x1=last + 1, y0=low, y1=high, fillcolor=COLOURS["fused"], opacity=0.16, line_width=0
            )
    for first, last, value, *_ in rows:
        figure.add_shape(type="line", x0=first, x1=last + 1, y0=value, y1=value, line={"color": COLOURS["fused"], "width": 2.4})
    figure.add_trace(
        go.Scatter(
            x=[(first + last + 1) / 2 for first, last, *_ in rows],
            y=[row[2] for row in rows],
            mode="lines+markers",
            line={"color": COLOURS["reference"], "width": 1, "dash": "dot"},
            marker={"size": 8, "color": COLOURS["fused"]},
            customdata=[[row[5], number(row[3]), number(row[4])] for row in rows],
            hovertemplate="%{customdata[0]}: %{y:.4g} " + unit + "<br>%{customdata[1]} – %{customdata[2]}<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"title": page.t("series.year"), "range": [first_years[0], last_years[-1] + 1], "nticks": 6, "tickformat": "d"},
        yaxis={"title": axis_title(page.options.target.name, page.unit), "nticks": 5, "range": value_range(rows)},
        margin={"l": 8, "r": 8, "t": 6, "b": 40},
        showlegend=False,
    )
    return figure


def value_range(rows: Sequence[tuple]) -> list[float] | None:
    """Range of the axis: shapes alone do not stretch it."""
    numbers = [value for row in rows for value in row[2:5] if known(value)]
    if not numbers:
        return None
    room = 0.06 * (max(numbers) - min(numbers)) or 0.5
    return [min(numbers) - room, max(numbers) + room]


def known(value: float | None) -> bool:
    """True of a number."""
    return value is not None and math.isfinite(value)


def change_text(page: Page, series: PlaceSeries) -> None:
    """How much it changed, how sure that is, in words that claim no more than the tests do."""
    if series.change is None:
        st.caption(page.t("series.no_change"))
        return
    unit = unit_text(series.unit)
    first, last = series.names[0], series.names[-1]
    text = page.t("series.change", change=signed(series.change, unit), first=first, last=last)
    if series.trend_per_decade is not None:
        text += " " + page.t("series.trend", trend=signed(series.trend_per_decade, unit))
    st.markdown(text)
    if series.p_value is not None:
        key = "few" if not can_be_significant(page.run) else "significant" if series.p_value < SIGNIFICANCE else "insignificant"
        told = page.t(f"series.{key}", p=p_text(series.p_value), level=percent(SIGNIFICANCE), count=len(series.names))
        (st.success if key == "significant" else st.info)(told, icon=":material/trending_up:")
    if series.beyond_interval is not None:
        st.caption(page.t("series.beyond") if series.beyond_interval else page.t("series.within"))


def signed(value: float, unit: str) -> str:
    """A change with its sign and unit.

    Examples
    --------
    >>> signed(0.5, "°C"), signed(-0.123, "°C")
    ('+0.500 °C', '−0.123 °C')
    """
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{number(abs(value))} {unit}".strip()
