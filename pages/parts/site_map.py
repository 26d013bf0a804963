"""Sites on a map drawn by plotly: longitude and latitude over the relief, linked to other figures by the chosen sites.

It asks no other server for anything: the relief is a picture of our own, the lakes come from ``assets/vectors``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from alm_core.palettes import category_colour, centred_range, colours, is_diverging, unit_palette
from alm_core.serving import urls
from alm_core.serving.hillshade import run_bounds
from alm_core.workspace import Run
from pages.parts.charts import COLOURS, CONFIG, DIVERGING, axis_title
from pages.parts.frame import ROOT, Page
from pages.parts.numbers import number, unit_text

LAKES = ROOT / "assets" / "vectors" / "lakes.geojson"
LAKE_COLOUR = "rgba(86, 148, 196, 0.75)"
WEST_STEPS, MOST_TICKS = (0.5, 1, 2, 5, 10, 20, 30, 60), 7
PALETTE_STEPS = 16
SMALLEST_LAKE = 1 / 400
"""Of the width of the map: smaller lakes would be a pixel or two."""
MARGIN = 0.02
SIDE_PIXELS, EDGE_PIXELS, HIGHEST_PIXELS = 140, 60, 620
"""Room for the scale and the colour bar at the sides, for the tools and the ticks above and below; the tallest map."""
DOT, CROSS = "●", "✕"
MARKER = {"size": 9, "line": {"color": "#ffffff", "width": 0.8}}
DIMMED, GROWN = 0.22, 3
"""Opacity of sites that are not chosen, and how much larger the chosen ones are."""


@dataclass(frozen=True)
class Colouring:
    """What the colour of a site stands for.

    Attributes
    ----------
    column : str
        Of the frame.
    label : str
    unit : str
    kind : {"sequential", "diverging", "category"}
    palette : str
        Of `alm_core.palettes`, for numbers from low to high; empty: that of the unit.
    names : mapping
        Display name of each category, in the order of the legend; categories that it lacks show as they are.
    colours : mapping
        Colour of a category; others take the next one of `category_colour`.
    limit : float or None
        Of a diverging scale: the number at its ends; default the largest size.
    removed_too : bool
        A category that removed sites have too: their crosses take its colours.
    """

    column: str
    label: str
    unit: str = ""
    kind: str = "sequential"
    palette: str = ""
    names: Mapping[str, str] | None = None
    colours: Mapping[str, str] | None = None
    limit: float | None = None
    removed_too: bool = False


def site_map(
    page: Page,
    run: Run,
    frame: pd.DataFrame,
    *,
    colour: Colouring,
    hover: Mapping[str, tuple[str, str]] | None = None,
    selected: Sequence[str] = (),
    key: str = "site_map",
    on_select: str | Callable[[], None] | None = "rerun",
    removed_label: str = "",
    alt: str | None = None,
) -> tuple[str, ...]:
    """Draw sites on the map and give the ids of those that were picked on it, by click, box or lasso.

    Parameters
    ----------
    page : Page
    run : Run
        Gives the relief and the extent.
    frame : DataFrame
        `site_id`, `longitude`, `latitude`, the column of `colour` and those of `hover`; where it has `kept` (and `reason`), sites
        that are not kept are crosses with their reason. Sites without coordinates are not drawn.
    colour : Colouring
    hover : mapping of column to (label, unit), optional
        What the mouse shows beside the id and the colour.
    selected : sequence of str
        Sites to show brightly, whatever figure they were picked in; the others fade.
    key : str
    on_select : "rerun", callable or None
        As `st.plotly_chart`; a callable finds the picked sites by ``picked_sites(st.session_state[key])``. None: only to look at.
    removed_label : str
        Name of the crosses in the legend.

    Returns
    -------
    tuple of str
    """
    figure = site_map_figure(page, run, frame, colour=colour, hover=hover, selected=selected, removed_label=removed_label)
    options: dict[str, Any] = {"key": key, "width": "stretch", "height": "stretch", "theme": None, "config": CONFIG, "alt": alt}
    draw_legend(legend_entries(figure))
    with map_box(map_bounds(str(run.folder), run.id), f"{key.replace('.', '-')}-box"):
        if on_select is None:
            st.plotly_chart(figure, **options)
            return ()
        return picked_sites(st.plotly_chart(figure, on_select=on_select, **options))


def legend_entries(figure: go.Figure) -> list[tuple[str, str, str]]:
    """Colour, mark and name of every named trace of a map."""
    entries = []
    for trace in figure.data:
        if trace.name:
            crosses = set(np.atleast_1d(trace.marker.symbol)) == {"x"}
            entries.append((trace.marker.color, CROSS if crosses else DOT, trace.name))
    return entries


def draw_legend(entries: Sequence[tuple[str, str, str]]) -> None:
    """A legend that flows over as many lines as it needs: colour, mark and name of each entry."""
    marks = "".join(
        f'<span style="white-space:nowrap"><span style="color:{colour}">{mark}</span> {escape(name)}</span>'
        for colour, mark, name in entries
    )
    if marks:
        st.html(f'<div style="display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;font-size:.85rem">{marks}</div>')


def map_box(bounds: tuple[float, float, float, float], key: str) -> Any:
    """A box whose height follows from its width, so that the map fills it at its true proportions on any screen."""
    west, south, east, north = bounds
    ratio = (east - west) * math.cos(math.radians((south + north) / 2)) / (north - south)
    height = f"calc(clamp(160px, (100cqw - {SIDE_PIXELS}px) / {ratio:.4f}, {HIGHEST_PIXELS}px) + {EDGE_PIXELS}px)"
    outer = st.container(key=f"{key}-width", gap=None)
    outer.html(
        f"<style>.st-key-{key}-width {{ container-type: inline-size; }} .st-key-{key} {{ flex: none; height: {height}; }}</style>"
    )
    return outer.container(key=key, gap=None)


def picked_sites(event: Any) -> tuple[str, ...]:
    """Ids of the sites in a plotly selection whose points carry their ids, or lists of ids, as customdata."""
    found: dict[str, None] = {}
    for point in (event or {}).get("selection", {}).get("points", ()):
        data = point.get("customdata")
        # One id, [id, hover text ...], or for a bar a list of all ids in it.
        first = data[0] if isinstance(data, list | tuple) and data else data
        for name in first.split("\n") if isinstance(first, str) else ():
            found[name] = None
    return tuple(found)


def site_map_figure(
    page: Page,
    run: Run,
    frame: pd.DataFrame,
    *,
    colour: Colouring,
    hover: Mapping[str, tuple[str, str]] | None = None,
    selected: Sequence[str] = (),
    removed_label: str = "",
) -> go.Figure:
    """The figure of `site_map`."""
    bounds = map_bounds(str(run.folder), run.id)
    figure = go.Figure()
    draw_ground(figure, run, bounds)
    frame = frame[frame["longitude"].notna() & frame["latitude"].notna()]
    split = "kept" in frame and not colour.removed_too
    kept = frame["kept"].to_numpy(bool) if split else np.ones(len(frame), bool)
    draw = draw_categories if colour.kind == "category" else draw_numbers
    draw(figure, frame[kept], colour, hover or {})
    if not kept.all():
        draw_removed(figure, frame[~kept], colour, hover or {}, removed_label)
    fade_others(figure, selected)
    set_axes(figure, bounds)
    figure.update_layout(showlegend=False)  # the legend stands above the map, where it may take as many lines as it needs
    return figure


# ---- the ground ---------------------------------------------------------------------------------------------------------------


@st.cache_data(show_spinner=False, max_entries=32)
def map_bounds(folder: str, run_id: str) -> tuple[float, float, float, float]:
    """West, south, east, north of the relief picture in degrees."""
    return run_bounds(Run.open(folder))


def draw_ground(figure: go.Figure, run: Run, bounds: tuple[float, float, float, float]) -> None:
    """Relief and lakes, below everything."""
    west, south, east, north = bounds
    figure.add_layout_image(
        source=urls.picture_url(run),
        xref="x",
        yref="y",
        x=west,
        y=north,
        sizex=east - west,
        sizey=north - south,
        sizing="stretch",
        layer="below",
        opacity=0.75,
    )
    longitude, latitude = lake_lines(bounds)
    if len(longitude):
        figure.add_scatter(
            x=longitude,
            y=latitude,
            mode="lines",
            fill="toself",
            fillcolor=LAKE_COLOUR,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )


@st.cache_resource(show_spinner=False, max_entries=32)
def lake_lines(bounds: tuple[float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Outlines of the lakes within bounds, as one line with gaps; only those that can be seen at this size."""
    if not LAKES.is_file():
        return np.empty(0, np.float32), np.empty(0, np.float32)
    west, south, east, north = bounds
    smallest = (east - west) * SMALLEST_LAKE
    parts = []
    for feature in json.loads(LAKES.read_text(encoding="utf-8"))["features"]:
        for ring in outer_rings(feature["geometry"]):
            low, high = ring.min(axis=0), ring.max(axis=0)
            inside = high[0] > west and low[0] < east and high[1] > south and low[1] < north
            if inside and max(high - low) > smallest:
                parts += [ring, np.full((1, 2), np.nan)]
    line = np.concatenate(parts).astype(np.float32) if parts else np.empty((0, 2), np.float32)
    return line[:, 0], line[:, 1]


def outer_rings(geometry: Mapping[str, Any]) -> list[np.ndarray]:
    """Outer ring of each polygon of a GeoJSON geometry, [point, 2]."""
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [np.asarray(polygon[0], float)[:, :2] for polygon in polygons]


def set_axes(figure: go.Figure, bounds: tuple[float, float, float, float]) -> None:
    """True proportions at the middle latitude; room for the sites at the edge."""
    west, south, east, north = bounds
    pad = MARGIN * max(east - west, north - south)
    stretch = 1 / max(0.05, math.cos(math.radians((south + north) / 2)))
    axis = {"constrain": "domain", "showgrid": False, "ticks": "outside", "title": None}
    figure.update_layout(
        xaxis={**axis, "range": [west - pad, east + pad], **degree_ticks(west, east)},
        yaxis={**axis, "range": [south - pad, north + pad], "ticksuffix": "°N", "scaleanchor": "x", "scaleratio": stretch},
        dragmode="select",
        margin={"l": 48, "r": 8, "t": 28, "b": 30},
        plot_bgcolor="#eef1f3",
        legend={"y": 1.01, "itemsizing": "constant"},
    )


def degree_ticks(west: float, east: float) -> dict[str, Any]:
    """Ticks of an axis of longitude: E and W where it passes 0 or 180 degrees, else whatever fits the zoom.

    Examples
    --------
    >>> degree_ticks(80.0, 100.0)
    {'ticksuffix': '°E'}
    >>> degree_ticks(-180.0, 180.0)["ticktext"]
    ['180°', '120°W', '60°W', '0°', '60°E', '120°E', '180°']
    """
    if west >= 0 and east <= 180:
        return {"ticksuffix": "°E"}
    step = next((step for step in WEST_STEPS if (east - west) / step <= MOST_TICKS), WEST_STEPS[-1])
    places = [step * number for number in range(math.ceil(west / step), math.floor(east / step) + 1)]
    turned = [(place + 180) % 360 - 180 for place in places]
    texts = [f"{abs(place):g}°" + ("" if place in (0, -180) else "E" if place > 0 else "W") for place in turned]
    return {"tickvals": places, "ticktext": texts}


# ---- the sites ----------------------------------------------------------------------------------------------------------------


def draw_numbers(figure: go.Figure, sites: pd.DataFrame, colour: Colouring, hover: Mapping[str, tuple[str, str]]) -> None:
    """Kept sites with a colour bar."""
    values = sites[colour.column].to_numpy(float, na_value=np.nan)
    low, high, scale = colour_range(values, colour)
    figure.add_scatter(
        x=sites["longitude"],
        y=sites["latitude"],
        mode="markers",
        customdata=sites[["site_id"]].astype(str).to_numpy(),
        hovertext=hover_texts(sites, colour, hover),
        hoverinfo="text",
        marker={
            **MARKER,
            "color": values,
            "cmin": low,
            "cmax": high,
            "colorscale": scale,
            "colorbar": {
                "title": {"text": axis_title(colour.label, colour.unit), "side": "right", "font": {"size": 12}},
                "thickness": 12,
                "len": 0.95,
                "outlinewidth": 0,
            },
        },
    )


def colour_range(values: np.ndarray, colour: Colouring) -> tuple[float, float, list[tuple[float, str]]]:
    """Ends of the colour bar and its colours."""
    known = values[np.isfinite(values)]
    if colour.kind == "diverging":
        limit = colour.limit or (float(np.abs(known).max()) if len(known) else 1.0) or 1.0
        return -limit, limit, list(DIVERGING)
    palette = colour.palette or unit_palette(colour.unit)
    table = colours(palette)[np.linspace(0, 255, PALETTE_STEPS).round().astype(int)]
    scale = [(step / (PALETTE_STEPS - 1), f"rgb({red},{green},{blue})") for step, (red, green, blue) in enumerate(table.tolist())]
    if not len(known):
        return 0.0, 1.0, scale
    low, high = float(known.min()), float(known.max())
    if is_diverging(palette):
        return *centred_range(low, high), scale
    return (low, high, scale) if low < high else (low - 0.5, high + 0.5, scale)


def draw_categories(figure: go.Figure, sites: pd.DataFrame, colour: Colouring, hover: Mapping[str, tuple[str, str]]) -> None:
    """Kept sites, one colour and one entry of the legend for each category."""
    labels = sites[colour.column].astype("string").fillna("").to_numpy(dtype=object)
    names, given = dict(colour.names or {}), dict(colour.colours or {})
    present = [name for name in names if name in set(labels)] + sorted(set(labels) - set(names))
    for position, name in enumerate(present):
        part = sites[labels == name]
        figure.add_scatter(
            x=part["longitude"],
            y=part["latitude"],
            mode="markers",
            name=names.get(name, name),
            customdata=part[["site_id"]].astype(str).to_numpy(),
            hovertext=hover_texts(part, colour, hover),
            hoverinfo="text",
            marker={
                **MARKER,
                "color": given.get(name, category_colour(position)),
                "symbol": np.where(part["kept"], "circle", "x") if "kept" in part else "circle",
            },
        )


def draw_removed(
    figure: go.Figure, sites: pd.DataFrame, colour: Colouring, hover: Mapping[str, tuple[str, str]], label: str
) -> None:
    """Removed sites as crosses, with the reason under the mouse."""
    texts = hover_texts(sites, colour, hover)
    if "reason" in sites:
        reasons = sites["reason"].astype("string").fillna("").tolist()
        texts = [f"{text}<br><i>{reason}</i>" if reason else text for text, reason in zip(texts, reasons, strict=True)]
    figure.add_scatter(
        x=sites["longitude"],
        y=sites["latitude"],
        mode="markers",
        name=label or None,
        customdata=sites[["site_id"]].astype(str).to_numpy(),
        hovertext=texts,
        hoverinfo="text",
        marker={"symbol": "x", "size": 9, "color": COLOURS["removed"], "line": {"color": "#ffffff", "width": 0.8}},
    )


def hover_texts(sites: pd.DataFrame, colour: Colouring, hover: Mapping[str, tuple[str, str]]) -> list[str]:
    """What the mouse shows of each site: id, then the colour and the other columns, each with its unit."""
    columns = {colour.column: (colour.label, colour.unit), **hover}
    cells = {name: cell_texts(sites[name], unit) for name, (_, unit) in columns.items() if name in sites}
    ids = sites["site_id"].astype(str).tolist()
    names = colour.names or {}
    texts = []
    for row, site in enumerate(ids):
        lines = [f"<b>{escape(site)}</b>"]
        lines += [f"{columns[name][0]}: {escape(names.get(values[row], values[row]))}" for name, values in cells.items()]
        texts.append("<br>".join(lines))
    return texts


def cell_texts(values: pd.Series, unit: str) -> list[str]:
    """Cells as people read them; numbers with their unit."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return [day if isinstance(day, str) else "–" for day in values.dt.strftime("%Y-%m-%d")]
    if pd.api.types.is_integer_dtype(values) or pd.api.types.is_bool_dtype(values):
        return ["–" if pd.isna(value) else str(value) for value in values]
    if pd.api.types.is_numeric_dtype(values):
        return [f"{number(value)} {unit_text(unit)}".strip() for value in values.to_numpy(float)]
    return ["–" if pd.isna(value) else str(value) for value in values]


def escape(text: str) -> str:
    """Plotly reads a few HTML tags in its texts; names from a table must not make any."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fade_others(figure: go.Figure, selected: Sequence[str]) -> None:
    """Show the chosen sites brightly in every trace whose points carry ids; nothing fades where none is chosen."""
    if not selected:
        return
    wanted = set(selected)
    for trace in figure.data:
        if trace.customdata is None:
            continue
        points = [place for place, data in enumerate(trace.customdata) if wanted & set(str(data[0]).split("\n"))]
        bright = {"opacity": 1.0, "size": trace.marker.size + GROWN}
        trace.update(selectedpoints=points, unselected={"marker": {"opacity": DIMMED}}, selected={"marker": bright})
