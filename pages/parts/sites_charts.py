"""Figures of the sites beside the map: histogram by method, value against depth and against a covariate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.inspection.screening_preview import ScreeningBasis
from alm_core.inspection.site_summary import UNKNOWN, group_labels, value_histogram
from alm_core.serving.hillshade import elevation_name
from pages.parts.charts import CATEGORY_COLOURS, COLOURS, axis_title, show
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page
from pages.parts.numbers import interval_text
from pages.parts.site_map import CROSS, DIMMED, DOT, Colouring, draw_legend, escape, fade_others, hover_texts
from pages.parts.sites_data import numeric
from pages.parts.sites_selection import take_from_chart

HEIGHT, HEAD_PIXELS = 270, 44
MARGIN = {"l": 52, "r": 8, "t": 10, "b": 44}


def draw_charts(page: Page, basis: ScreeningBasis, sites: pd.DataFrame, chosen: Sequence[str]) -> None:
    """Three linked figures side by side, with one legend for all."""
    groups = group_colours(sites)
    draw_legend(shared_legend(page, sites, groups))
    with narrow_columns("sites-charts"):
        first, second, third = st.columns(3)
    with first:
        head(page.t("chart.histogram"), page.t("chart.histogram_help"))
        _linked(page, histogram(page, sites[sites["kept"]], groups, chosen), "sites.histogram", ("points", "box"))
    with second:
        head(page.t("chart.depth"), page.t("chart.depth_help"))
        if np.isfinite(sites["depth"]).any():
            figure = scatter(page, sites, sites["depth"], axis_title(page.t("column.depth"), "m"), groups, chosen)
            _linked(page, figure, "sites.depth")
        else:
            st.info(page.t("empty.depth"), icon=":material/info:")
    with third:
        name = choose_covariate(page, basis)
        title = axis_title(name.replace("_", " "), basis.stack.units.get(name, ""))
        figure = scatter(page, sites, basis.features[name].reset_index(drop=True), title, groups, chosen)
        _linked(page, figure, "sites.covariate")


def head(title: str, help_text: str) -> None:
    """Title of a figure, as high as the title with a box beside it."""
    with st.container(height=HEAD_PIXELS, border=False, vertical_alignment="center"):
        st.markdown(f"**{title}**", help=help_text)


def shared_legend(page: Page, sites: pd.DataFrame, groups: dict[str, str]) -> list[tuple[str, str, str]]:
    """What colours and crosses mean in the three figures."""
    present = set(group_labels(sites, "method"))
    entries = [(colour, DOT, group_title(page, name)) for name, colour in groups.items() if name in present]
    if present == {UNKNOWN}:
        entries = [(groups[UNKNOWN], DOT, page.t("verdict.kept"))]
    return entries if sites["kept"].all() else [*entries, (COLOURS["removed"], CROSS, page.t("verdict.removed"))]


def _linked(page: Page, figure: go.Figure, key: str, mode: tuple[str, ...] = ("points", "box", "lasso")) -> None:
    show(figure, key=key, height=HEIGHT, on_select=partial(take_from_chart, page, key), selection_mode=mode)


def choose_covariate(page: Page, basis: ScreeningBasis) -> str:
    """The covariate of the third figure: elevation where the study has one."""
    names = list(basis.features.columns)
    height = elevation_name(page.run)
    with st.container(height=HEAD_PIXELS, border=False, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{page.t('chart.covariate')}**", width="content")
        return st.selectbox(
            page.t("chart.covariate"),
            names,
            index=names.index(height) if height in names else 0,
            format_func=lambda name: name.replace("_", " "),
            key="sites.covariate_name",
            label_visibility="collapsed",
        )


def group_colours(sites: pd.DataFrame) -> dict[str, str]:
    """Colour of each method, the same in every figure."""
    labels = sorted(set(group_labels(sites, "method")) - {UNKNOWN})
    colours = {name: CATEGORY_COLOURS[position % len(CATEGORY_COLOURS)] for position, name in enumerate(labels)}
    return {**colours, UNKNOWN: COLOURS["reference"]}


def method_label(page: Page, name: str) -> str:
    """Display name of a method: known ones in the language of the page, others as the table has them."""
    return page.t.get(f"method.{name}") or name.replace("_", " ")


def group_title(page: Page, name: str) -> str:
    """Display name of a group of the figures."""
    return page.t("method_unknown") if name == UNKNOWN else method_label(page, name)


def histogram(page: Page, sites: pd.DataFrame, groups: dict[str, str], chosen: Sequence[str]) -> go.Figure:
    """Stacked bars of the values of kept sites; the part of a bar that is chosen stays bright."""
    counts = value_histogram(sites)
    figure = go.Figure()
    for name, colour in groups.items():
        part = counts[counts["group"] == name]
        if part.empty:
            continue
        if not chosen:
            figure.add_bar(**bars(page, part, list(part["site_ids"]), name, colour))
            continue
        bright = [tuple(site for site in ids if site in set(chosen)) for ids in part["site_ids"]]
        dim = [tuple(site for site in ids if site not in set(chosen)) for ids in part["site_ids"]]
        figure.add_bar(**bars(page, part, bright, name, colour))
        figure.add_bar(**bars(page, part, dim, name, colour), opacity=DIMMED + 0.1)
    title = axis_title(page.options.target.name, page.unit)
    figure.update_layout(
        showlegend=False,
        barmode="stack",
        bargap=0,
        margin=MARGIN,
        xaxis_title=title,
        yaxis_title=page.c("sites"),
        dragmode="select",
    )
    if not numeric(sites):
        figure.update_xaxes(type="category")
    return figure


def bars(page: Page, part: pd.DataFrame, ids: list[tuple[str, ...]], name: str, colour: str) -> dict:
    """One trace of bars whose points carry the ids of their sites."""
    label = group_title(page, name)
    if pd.api.types.is_numeric_dtype(part["low"]):
        place = {"x": (part["low"] + part["high"]) / 2, "width": part["high"] - part["low"]}
        ranges = [interval_text(low, high, page.unit) for low, high in zip(part["low"], part["high"], strict=True)]
    else:
        place, ranges = {"x": part["low"]}, part["low"].astype(str).tolist()
    return {
        **place,
        "y": [len(sites) for sites in ids],
        "name": label,
        "marker": {"color": colour, "line": {"width": 1, "color": "#ffffff"}},
        "customdata": [["\n".join(sites)] for sites in ids],
        "hovertext": [
            f"{escape(label)}<br>{bounds}<br>{len(sites)} {page.c('sites')}" for bounds, sites in zip(ranges, ids, strict=True)
        ],
        "hoverinfo": "text",
    }


def scatter(
    page: Page, sites: pd.DataFrame, x: pd.Series, title: str, groups: dict[str, str], chosen: Sequence[str]
) -> go.Figure:
    """Value against a number of each site; removed sites are crosses."""
    labels = group_labels(sites, "method")
    kept = sites["kept"].to_numpy(bool)
    colouring = Colouring("value", page.options.target.name, page.unit)
    table = sites.assign(x=np.asarray(x, float))
    hover = {"x": (title.split(" (")[0], title.partition(" (")[2].rstrip(")"))}
    figure = go.Figure()
    for name, colour in groups.items():
        part = table[kept & (labels == name)]
        if len(part):
            label = group_title(page, name)
            marker = {"color": colour, "size": 6.5, "opacity": 0.85, "line": {"color": "#ffffff", "width": 0.5}}
            figure.add_scatter(**points(part, hover_texts(part, colouring, hover), label, marker))
    part = table[~kept & table["value"].notna()]
    if len(part):
        marker = {"color": COLOURS["removed"], "symbol": "x", "size": 7, "line": {"color": "#ffffff", "width": 0.5}}
        texts = [f"{text}<br><i>{why}</i>" for text, why in zip(hover_texts(part, colouring, hover), part["reason"], strict=True)]
        figure.add_scatter(**points(part, texts, page.t("verdict.removed"), marker))
    fade_others(figure, chosen)
    value = axis_title(page.options.target.name, page.unit)
    figure.update_layout(margin=MARGIN, xaxis_title=title, yaxis_title=value, dragmode="select", showlegend=False)
    if not page.regression:
        figure.update_yaxes(type="category")
    return figure


def points(part: pd.DataFrame, texts: list[str], name: str, marker: dict) -> dict:
    """One trace of points that carry their ids."""
    return {
        "x": part["x"],
        "y": part["value"],
        "mode": "markers",
        "name": name,
        "customdata": part[["site_id"]].to_numpy(),
        "hovertext": texts,
        "hoverinfo": "text",
        "marker": marker,
    }
