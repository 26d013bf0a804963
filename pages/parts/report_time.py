"""What the maps say through time: extent of every slice, change as a whole, agreement with published maps."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.inspection.published_maps import MapExtent, PublishedMap, map_extent, published_maps
from alm_core.inspection.slices import can_be_significant, change_facts, smallest_p_value, time_slices
from pages.parts.charts import COLOURS, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box
from pages.parts.map_series import signed
from pages.parts.numbers import DASH, fixed, number, percent, unit_text, with_unit
from pages.parts.plain_text import plain_text

MILLION = 1e6
CHART_HEIGHT = 320
MANY_SLICES = 5


def has_time(page: Page) -> bool:
    """True where the run has anything to say here."""
    return bool(time_slices(page.run)) or map_extent(page.run) is not None or bool(published_maps(page.run))


def time_view(page: Page) -> None:
    """All of it, one below the other."""
    extent, published, facts = map_extent(page.run), published_maps(page.run), change_facts(page.run)
    if extent is None and not published and not facts:
        st.info(page.t("time.none"), icon=":material/info:")
        return
    if extent is not None:
        extent_part(page, extent)
    if facts:
        change_part(page, facts)
    if published:
        maps_part(page, published)
    help_box(page, "time_slice", "change_significance", "kappa")


# ---- extent -------------------------------------------------------------------------------------------------------------


def extent_part(page: Page, extent: MapExtent) -> None:
    """Area of each slice with its interval, as a figure and as a table."""
    several = len(extent.slices) > 1
    name = plain_text(extent.name)
    title = page.t("time.extent_one") if not several else page.t("time.extent")
    if several and name:
        title = page.t("time.extent_named", name=name)
    st.subheader(title, anchor=False)
    if extent.threshold is not None:
        side = page.t("time.at_least") if extent.side == "above" else page.t("time.at_most")
        threshold = with_unit(extent.threshold, page.unit)
        target = plain_text(page.options.target.description or page.options.target.name)
        st.markdown(page.t("time.rule", target=target, side=side, threshold=threshold))
    if several:
        show(extent_figure(page, extent), key="extent-figure", height=CHART_HEIGHT)
        st.caption(page.t("time.overlap"))
    st.dataframe(extent_table(page, extent), hide_index=True, width="stretch", key="extent-table")
    method = extent.slices[-1].method
    if method:
        with st.expander(page.t("time.method"), icon=":material/help:"):
            st.markdown(plain_text(method))


def extent_figure(page: Page, extent: MapExtent) -> go.Figure:
    """A dot with its interval for each slice, at the middle of its years."""
    years = {one.name: one.middle for one in time_slices(page.run)}
    rows = [one for one in extent.slices if one.slice in years]
    area = [one.area_km2 / MILLION for one in rows]
    bounds = [(one.lower_km2, one.upper_km2) for one in rows]
    up = [0.0 if high is None else high / MILLION - value for (_, high), value in zip(bounds, area, strict=True)]
    down = [0.0 if low is None else value - low / MILLION for (low, _), value in zip(bounds, area, strict=True)]
    figure = go.Figure(
        go.Scatter(
            x=[years[one.slice] for one in rows],
            y=area,
            mode="lines+markers",
            line={"color": COLOURS["reference"], "width": 1.2, "dash": "dot"},
            marker={"size": 10, "color": COLOURS["fused"]},
            error_y={"type": "data", "array": up, "arrayminus": down, "symmetric": False, "color": COLOURS["fused"], "width": 6},
            customdata=[[one.slice, interval(one.lower_km2, one.upper_km2)] for one in rows],
            hovertemplate="%{customdata[0]}: %{y:.2f}<br>%{customdata[1]}<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={
            "title": page.t("time.year"),
            "tickvals": [years[one.slice] for one in rows],
            "ticktext": [one.slice for one in rows],
            # Turned labels end at their tick: the last one is not cut off.
            "tickangle": -35 if len(rows) > MANY_SLICES else 0,
            "range": [min(years.values()) - 3, max(years.values()) + 3],
        },
        yaxis={"title": f"{page.t('time.area_axis')} ({page.t('time.million')})", "nticks": 6},
        margin={"l": 8, "r": 16, "t": 12, "b": 56},
        showlegend=False,
    )
    return figure


def extent_table(page: Page, extent: MapExtent) -> pd.DataFrame:
    """A row per slice."""
    level = next((one.level for one in extent.slices if one.level is not None), None)
    told = page.t("time.table_interval")
    if level is not None:
        told = f"{page.t('time.interval', level=percent(level))} ({page.t('time.million')})"
    rows = []
    for one in extent.slices:
        row = {page.t("time.table_period"): one.slice} if one.slice else {}
        rows.append(
            row | {page.t("time.table_area"): fixed(one.area_km2 / MILLION), told: interval(one.lower_km2, one.upper_km2)}
        )
    return pd.DataFrame(rows)


def interval(low: float | None, high: float | None) -> str:
    """Two areas in million km2."""
    return DASH if low is None or high is None else f"{low / MILLION:.2f} – {high / MILLION:.2f}"


# ---- change -------------------------------------------------------------------------------------------------------------


def change_part(page: Page, facts: dict) -> None:
    """The change map in four numbers, and what they are not."""
    st.subheader(page.t("time.change", first=facts.get("first", ""), last=facts.get("last", "")), anchor=False)
    unit = unit_text(page.unit)
    tiles = narrow_columns("change-tiles", per_row=2).columns(4)
    tiles[0].metric(page.t("time.change_mean"), known_signed(facts.get("mean_change"), unit))
    tiles[1].metric(page.t("time.trend_mean"), known_signed(facts.get("mean_trend_per_decade"), unit))
    tiles[2].metric(page.t("time.significant"), percent(facts.get("significant_share")))
    tiles[3].metric(page.t("time.beyond"), percent(facts.get("beyond_share")))
    if can_be_significant(page.run):
        shares = {
            "share": percent(facts.get("significant_share_controlled")),
            "rising": percent(facts.get("rising_share")),
            "falling": percent(facts.get("falling_share")),
        }
        st.markdown(page.t("time.controlled", **shares))
    else:
        smallest = number(smallest_p_value(page.run), 2)
        st.info(page.t("time.few", count=len(time_slices(page.run)), smallest=smallest), icon=":material/info:")
    st.caption(page.t("time.method_beyond"))


def known_signed(value: float | None, unit: str) -> str:
    """A change with its sign, a dash where there is none."""
    return DASH if value is None or not math.isfinite(value) else signed(value, unit)


# ---- published maps -----------------------------------------------------------------------------------------------------


def maps_part(page: Page, published: tuple[PublishedMap, ...]) -> None:
    """A row for each published map, of classes or of values."""
    st.subheader(page.t("time.maps"), anchor=False)
    st.dataframe(maps_table(page, published), hide_index=True, width="stretch", key="published-maps")
    st.caption(page.t("time.maps_help"))
    shown = [one for one in published if one.difference is not None and one.difference.is_file()]
    if shown:
        page.link("map", label=page.t("time.look"), layer=f"difference:{shown[0].name}")


def maps_table(page: Page, published: tuple[PublishedMap, ...]) -> pd.DataFrame:
    """Scores of every published map; a column that no map has is left out."""
    rows = []
    for one in published:
        area = one.values.get("area_km2")
        rows.append(
            {
                page.t("time.map"): one.name.replace("_", " "),
                page.t("time.period"): one.values.get("slice") or DASH,
                page.t("time.accuracy"): percent(one.accuracy),
                page.t("time.kappa"): fixed(one.kappa),
                page.t("time.quantity"): percent(one.quantity),
                page.t("time.allocation"): percent(one.allocation),
                page.t("time.rmse"): with_unit(one.values.get("rmse"), page.unit),
                page.t("time.bias"): with_unit(one.values.get("mean_difference"), page.unit),
                page.t("time.area"): DASH if area is None else fixed(area / MILLION),
            }
        )
    table = pd.DataFrame(rows)
    return table[[name for name in table if not (table[name] == DASH).all()]]
