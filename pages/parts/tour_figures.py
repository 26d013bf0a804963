"""The pictures of the tour: few, large, and each with one message."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from alm_core.diagnostics.classes import class_name
from alm_core.inspection.tour import Place
from alm_core.learning.metrics import BiasCurves
from alm_core.palettes import centred_range, colours, is_diverging, unit_palette
from pages.parts.charts import CATEGORY_COLOURS, COLOURS, CONFIG, axis_title
from pages.parts.frame import Page
from pages.parts.numbers import number, percent
from pages.parts.site_map import draw_ground, escape, map_bounds, map_box, set_axes
from pages.parts.tour_data import Layer

PALETTE_STEPS = 16
STRETCH = (2, 98)
MOST_CLASSES = len(CATEGORY_COLOURS)


def ground(page: Page) -> go.Figure:
    """Relief and lakes."""
    figure = go.Figure()
    bounds = map_bounds(str(page.run.folder), page.run.id)
    draw_ground(figure, page.run, bounds)
    set_axes(figure, bounds)
    figure.update_layout(dragmode="pan")
    return figure


def show_map(page: Page, figure: go.Figure, *, key: str) -> None:
    """Draw a map at its true proportions, whatever the width."""
    options = {"key": key, "width": "stretch", "height": "stretch", "theme": None, "config": CONFIG}
    with map_box(map_bounds(str(page.run.folder), page.run.id), f"{key}-box"):
        st.plotly_chart(figure, **options)


def value_map(page: Page, layer: Layer) -> go.Figure:
    """Mapped values over the relief."""
    figure = ground(page)
    low, high = np.nanpercentile(layer.values, STRETCH)
    palette = unit_palette(page.unit)
    if is_diverging(palette):
        low, high = centred_range(float(low), float(high))
    table = colours(palette)[np.linspace(0, 255, PALETTE_STEPS).round().astype(int)].tolist()
    scale = [(step / (PALETTE_STEPS - 1), f"rgb({red},{green},{blue})") for step, (red, green, blue) in enumerate(table)]
    figure.add_heatmap(
        z=layer.values,
        x=layer.x,
        y=layer.y,
        zmin=float(low),
        zmax=float(high),
        colorscale=scale,
        opacity=0.9,
        hovertemplate="%{x:.1f}°, %{y:.1f}°: %{z:.3f}<extra></extra>",
        hoverongaps=False,
        colorbar={
            "title": {"text": axis_title(page.t("map.value"), page.unit), "side": "right", "font": {"size": 12}},
            "thickness": 12,
            "len": 0.95,
            "outlinewidth": 0,
        },
    )
    return figure


def category_map(page: Page, layer: Layer, names: Mapping[int, str], palette: Mapping[int, str] | None = None) -> go.Figure:
    """Classes over the relief, one entry of the legend each."""
    figure = ground(page)
    shown = [(palette or {}).get(code, CATEGORY_COLOURS[place % MOST_CLASSES]) for place, code in enumerate(names)]
    steps = len(shown)
    scale = [(edge / steps, colour) for place, colour in enumerate(shown) for edge in (place, place + 1)]
    number_of = np.full(layer.values.shape, np.nan, np.float32)
    for place, code in enumerate(names):
        number_of[layer.values == code] = place + 0.5
    figure.add_heatmap(
        z=number_of,
        x=layer.x,
        y=layer.y,
        zmin=0,
        zmax=steps,
        colorscale=scale,
        showscale=False,
        opacity=0.85,
        hoverinfo="skip",
    )
    for colour, name in zip(shown, names.values(), strict=True):
        # A heat map has no entry of its own in the legend.
        marker = {"symbol": "square", "size": 12, "color": colour}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=escape(name), marker=marker)
    return figure


def pull_figure(page: Page, curves: BiasCurves) -> go.Figure:
    """Mean of map minus measured: against what was measured, and against what the map says."""
    figure = go.Figure()
    for curve, sign, name, colour, fill in (
        (curves.against_observed, 1, page.t("pull.against_observed"), COLOURS["warning"], "rgba(192,86,27,0.14)"),
        (curves.against_predicted, -1, page.t("pull.against_predicted"), COLOURS["fused"], "rgba(31,111,139,0.14)"),
    ):
        middle, half = sign * curve.mean, 1.96 * curve.standard_error
        figure.add_scatter(
            x=np.concatenate([curve.grid, curve.grid[::-1]]),
            y=np.concatenate([middle + half, (middle - half)[::-1]]),
            fill="toself",
            fillcolor=fill,
            mode="lines",
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        line = {"color": colour, "width": 4}
        figure.add_scatter(x=curve.grid, y=middle, mode="lines", name=name, line=line, hovertemplate="%{x:.3f}: %{y:+.3f}")
    figure.add_hline(
        y=0,
        line={"color": COLOURS["observed"], "dash": "dash"},
        annotation={"text": page.t("pull.zero"), "font": {"size": 12}},
        annotation_position="bottom right",
    )
    figure.update_xaxes(title=axis_title(page.t("pull.axis"), page.unit))
    figure.update_yaxes(title=axis_title(page.t("pull.error_axis"), page.unit))
    figure.update_layout(legend={"orientation": "h"})
    return figure


def places_figure(page: Page, places: tuple[Place, ...]) -> go.Figure:
    """Value and range of three places, one below the other."""
    figure = go.Figure()
    names = [page.t(f"sure.{place.kind}") for place in places]
    for place, name in zip(places, names, strict=True):
        colour = COLOURS["outside"] if place.kind == "outside" else COLOURS["inside"]
        ends = [place.lower, place.upper]
        dash = "dot" if place.kind == "outside" else "solid"
        line = {"color": colour, "width": 10 if dash == "solid" else 5, "dash": dash}
        figure.add_scatter(x=ends, y=[name, name], mode="lines", line=line, opacity=0.45, showlegend=False, hoverinfo="skip")
        figure.add_scatter(
            x=[place.value],
            y=[name],
            mode="markers+text",
            marker={"size": 18, "color": colour, "line": {"color": "#ffffff", "width": 2}},
            text=[number(place.value, 2)],
            textposition="top center",
            showlegend=False,
            hovertemplate=f"{name}: %{{x:.3f}}<extra></extra>",
        )
    figure.update_xaxes(title=axis_title(page.t("sure.axis"), page.unit))
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", type="category")
    return figure


def recall_figure(page: Page, classes: tuple[str, ...], recall: tuple[float, ...], worst: str) -> go.Figure:
    """Part of the sites of every class that is found."""
    figure = go.Figure(
        go.Bar(
            x=list(recall),
            y=[escape(class_name(name)) for name in classes],
            orientation="h",
            marker={"color": [COLOURS["warning"] if name == worst else COLOURS["inside"] for name in classes]},
            text=[percent(part) for part in recall],
            textposition="inside",
            insidetextanchor="end",
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(title=page.t("pull.class_axis"), tickformat=".0%", range=[0, 1.02])
    figure.update_yaxes(type="category", title=page.t("map.class"), showgrid=False)
    return figure
