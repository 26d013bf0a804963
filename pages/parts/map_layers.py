"""What the map shows: layer, scenario, colours, range, the layer beside it, and the legend of all that."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from alm_core import palettes
from alm_core.inspection.slices import can_be_significant, main_slice, smallest_p_value, time_slices
from alm_core.scenarios.scenario import DEFAULT, list_scenarios, obstacle
from alm_core.serving import urls
from alm_core.serving.catalogue import Layer, layers
from alm_core.serving.change_layers import CHANGE_GROUP, DIFFERENCE_GROUP, INSIGNIFICANT, MARKS, WITHIN
from alm_core.serving.tiles import COVER, COVERED, HATCHED
from alm_core.serving.vectors import vector_names
from alm_core.serving.view_bounds import data_bounds, run_plane
from alm_core.workspace import Run
from pages.parts.frame import Page, layer_label, seed, to_address
from pages.parts.numbers import fixed, number, unit_text

SCENARIO_LAYERS = ("fused", "lower", "upper", "width")
"""Layers that a scenario changes; members, trust layers and covariates are the same for all."""
SAME_SCALE = ("value", "members", "references")
"""Groups whose layers are the target itself: side by side they share one range, or their colours would lie."""
FUSED, INSIDE = "fused", "inside"
OPACITY = 0.85
POPOVER_WIDTH = 320
SLICE, NO_MARK = "slice", "none"
HATCH_COLOUR = "rgba(255,255,255,0.6)"


@dataclass(frozen=True)
class LayerView:
    """A layer as it is shown.

    Attributes
    ----------
    layer : Layer
    title : str
        Name in the language of the page, with the scenario where it is not the study's own.
    scenario : str or None
    slice : str or None
        Slice of time that it shows; None where it is the same in all of them.
    palette : str
    low, high : float
        Display range.
    """

    layer: Layer
    title: str
    scenario: str | None
    palette: str
    low: float
    high: float
    slice: str | None = None

    def url(self, run: Run, plane: str | None = None) -> str:
        """Address of its tiles, of the web map or of a plane."""
        if self.layer.kind == "category":
            return urls.tile_url(run, self.layer.key, scenario=self.scenario, plane=plane)
        colours = {"palette": self.palette, "low": self.low, "high": self.high}
        return urls.tile_url(run, self.layer.key, **colours, scenario=self.scenario, plane=plane)

    def legend(self, page: Page) -> dict[str, Any]:
        """Its entry in the legend: colour bar with three ticks, or classes."""
        unit = unit_text(self.layer.unit)
        title = f"{self.title} ({unit})" if unit else self.title
        if self.layer.kind == "category":
            return {"title": title, "items": class_items(page, self.layer)}
        return {"title": title, "gradient": palettes.css_gradient(self.palette), "ticks": tick_texts(self.low, self.high)}


@dataclass(frozen=True)
class MapView:
    """All that was chosen for the map.

    Attributes
    ----------
    left : LayerView
    right : LayerView or None
    opacity : float
    hatch : str or None
        Key of the layer that is hatched outside the area of applicability.
    water, relief : bool
    slice : str or None
        Slice of time; None where the study has none.
    mark : str or None
        What marks cells of a change map.
    style : str
        How it is drawn.
    plane : str or None
        CRS of a polar view; None for the web map.
    """

    left: LayerView
    right: LayerView | None
    opacity: float
    hatch: str | None
    water: bool
    relief: bool
    slice: str | None = None
    mark: str | None = None
    style: str = HATCHED
    plane: str | None = None


def tick_texts(low: float, high: float) -> list[str]:
    """Both ends of a colour bar and its middle, with as many decimals as the range needs.

    Examples
    --------
    >>> tick_texts(0.07, 0.443), tick_texts(-1200.0, 5400.0)
    (['0.070', '0.257', '0.443'], ['-1,200', '2,100', '5,400'])
    """
    span = high - low
    places = max(0, 2 - math.floor(math.log10(span))) if span > 0 else 2
    return [fixed(value, min(places, 6)) for value in (low, (low + high) / 2, high)]


def class_items(page: Page, layer: Layer) -> list[dict[str, str]]:
    """Colour and name of each class."""
    names = dict(layer.classes or {})
    if layer.group == CHANGE_GROUP:
        names = {code: page.t(f"beyond_class.{name}") for code, name in names.items()}
    return [{"colour": colour, "label": names[code]} for code, colour in layer.class_colours().items()]


def choose_view(page: Page) -> MapView:
    """The row of controls above the map."""
    slice = choose_slice(page)
    every = {layer.id: layer for layer in layers(page.run, slice=slice)}
    known = shown_layers(every)
    row = st.container(horizontal=True, vertical_alignment="bottom", key="map-controls")
    with row:
        left = choose_layer(page, known, side="left", slice=slice)
        opacity = st.slider(page.t("opacity"), 0.0, 1.0, OPACITY, 0.05, key="map-opacity", width=150)
        with st.popover(page.t("colours"), icon=":material/palette:"), st.container(width=POPOVER_WIDTH):
            left = choose_colours(page, left, side="left")
            mark, style = choose_mark(page, left, every)
            hatched = INSIDE in every and mark is None and st.toggle(page.t("hatch"), True, key="map-hatch")
            water = bool(vector_names(data_bounds(page.run))) and st.toggle(page.t("water"), True, key="map-water")
            relief = st.toggle(page.t("relief"), True, key="map-relief")
            plane = choose_plane(page)
        with st.popover(page.t("compare"), icon=":material/compare:"), st.container(width=POPOVER_WIDTH):
            right = choose_comparison(page, left, slice)
    hatch = every[INSIDE].key if hatched else None
    return MapView(left, right, opacity, hatch, water, relief, slice, mark, style, plane)


def choose_slice(page: Page) -> str | None:
    """The slice of time, as a slider above everything; None where the study has none. It is part of the address."""
    names = [slice.name for slice in time_slices(page.run)]
    if len(names) < 2:
        return names[0] if names else None
    seed(SLICE, (main_slice(page.run), *names))
    chosen = st.select_slider(page.t("slice"), names, key=SLICE)
    to_address(SLICE)
    return chosen


def shown_layers(every: dict[str, Layer]) -> dict[str, Layer]:
    """Layers to choose from: what only marks cells of another layer is none of them."""
    return {id: layer for id, layer in every.items() if id not in (INSIDE, *MARKS)}


def changes_with_time(layer: Layer) -> bool:
    """True of a layer that has a raster of its own in every slice."""
    return bool(layer.companions) or layer.slice is not None


def choose_plane(page: Page) -> str | None:
    """The plane of the run's own polar grid, unless the web map is wanted; other grids have the web map alone."""
    plane = run_plane(page.run)
    if plane is None:
        return None
    return plane if st.toggle(page.t("polar_view"), True, key="map-polar") else None


def choose_mark(page: Page, view: LayerView, every: dict[str, Layer]) -> tuple[str | None, str]:
    """Which cells of a change map are marked as not to be relied on, and how; nothing for other layers."""
    marks = [mark for mark in MARKS if mark in every]
    if view.layer.group != CHANGE_GROUP or view.layer.kind == "category" or not marks:
        return None, HATCHED
    few = not can_be_significant(page.run)
    ordered = [mark for mark in (WITHIN, INSIGNIFICANT) if mark in marks] if few else marks
    chosen = st.radio(page.t("mark.label"), [*ordered, NO_MARK], format_func=lambda name: page.t(f"mark.{name}"), key="map-mark")
    if few:
        st.caption(page.t("mark.few", count=len(time_slices(page.run)), smallest=number(smallest_p_value(page.run), 2)))
    else:
        st.caption(page.t("mark.chance"))
    covered = st.toggle(page.t("mark.cover"), key="map-mark-cover", disabled=chosen == NO_MARK)
    return None if chosen == NO_MARK else chosen, COVERED if covered else HATCHED


def mark_item(page: Page, view: MapView) -> dict[str, Any]:
    """The mark of a change map in the legend."""
    covered = view.style == COVERED
    colour = "rgb({}, {}, {})".format(*COVER[1][:3]) if covered else HATCH_COLOUR
    return {"colour": colour, "label": page.t(f"mark_legend.{view.mark}"), "hatch": not covered}


def choose_layer(page: Page, known: dict[str, Layer], *, side: str, slice: str | None = None) -> LayerView:
    """Layer and scenario; those on the left are part of the address, so that a view can be shared."""
    id = choose(
        page.t("layer") if side == "left" else page.t("layer_right"),
        tuple(known),
        name="layer",
        side=side,
        titles=lambda id: layer_title(page, known[id]),
        width=290,
    )
    return plain_view(page, known[id], choose_scenario(page, id, side=side), slice)


def choose_scenario(page: Page, id: str, *, side: str) -> str | None:
    """A saved scenario, None for the study's own. Only layers that weights change have it."""
    names = scenario_names(page.run)
    if id not in SCENARIO_LAYERS or len(names) < 2:
        return None
    titles = partial(scenario_title, page)
    chosen = choose(page.t("scenario"), names, name="scenario", side=side, titles=titles, width=190)
    return None if chosen == DEFAULT else chosen


def choose(label: str, options: tuple[str, ...], *, name: str, side: str, titles: Callable[[str], str], width: int) -> str:
    """One of some names. On the left the address carries the name itself: the title depends on the language."""
    key, asked_key = f"map-{name}-{side}", f"map-{name}-asked"
    if side == "left":
        asked = st.query_params.get(name)
        if asked in options and asked != st.session_state.get(asked_key):
            st.session_state[key] = st.session_state[asked_key] = asked
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]
    return st.selectbox(
        label,
        options,
        format_func=titles,
        key=key,
        width=width if side == "left" else "stretch",
        on_change=address_follows,
        args=(name, key, asked_key) if side == "left" else (),
        persist_state="session",
    )


def address_follows(name: str = "", key: str = "", asked_key: str = "") -> None:
    """Write a choice into the address."""
    if name:
        st.query_params[name] = st.session_state[asked_key] = st.session_state[key]


def scenario_names(run: Run) -> tuple[str, ...]:
    """The study's own and the saved ones."""
    if obstacle(run) is not None:
        return (DEFAULT,)
    return (DEFAULT, *(scenario.name for scenario in list_scenarios(run)))


def scenario_title(page: Page, name: str | None) -> str:
    """Display name of a scenario."""
    return page.c("fusion.own") if name in (None, DEFAULT) else name


def layer_title(page: Page, layer: Layer) -> str:
    """Display name of a layer; a reference has the name that it was given."""
    if layer.group == "references":
        return f"{page.c('layer.reference')}: {layer.name}"
    if layer.group == CHANGE_GROUP:
        return page.t(f"change_layer.{layer.id}")
    if layer.group == DIFFERENCE_GROUP:
        return page.t("difference", name=layer.name.replace("_", " "))
    return page.t("class") if layer.id == FUSED and layer.kind == "category" else layer_label(page, layer.id)


def plain_view(page: Page, layer: Layer, scenario: str | None, slice: str | None = None) -> LayerView:
    """A layer in its own colours and range."""
    title = layer_title(page, layer)
    # Rasters of the main slice are those of the map itself, so the layer does not name it.
    slice = slice if changes_with_time(layer) else None
    if slice:
        title = f"{title} · {slice}"
    if scenario:
        title = f"{title} · {scenario}"
    return LayerView(layer, title, scenario, layer.palette, layer.low, layer.high, slice)


def choose_colours(page: Page, view: LayerView, *, side: str) -> LayerView:
    """Palette and display range of a layer; classes have their own colours."""
    layer = view.layer
    if layer.kind == "category":
        st.caption(page.t("class_colours"))
        return view
    names = [layer.palette, *(name for name in palettes.PALETTES if name != layer.palette)]
    palette = st.selectbox(page.t("palette"), names, key=f"map-palette-{side}-{layer.id}")
    st.html(f'<div class="alm-legend"><div class="bar" style="background:{palettes.css_gradient(palette)}"></div></div>')
    step = (layer.high - layer.low) / 20 or 0.01
    first, second = st.columns(2)
    low = first.number_input(page.t("low"), value=layer.low, step=step, format="%.4g", key=f"map-low-{side}-{layer.id}")
    high = second.number_input(page.t("high"), value=layer.high, step=step, format="%.4g", key=f"map-high-{side}-{layer.id}")
    if not low < high:
        st.error(page.t("range_swapped", low=number(low), high=number(high)))
        return replace(view, palette=palette)
    return replace(view, palette=palette, low=low, high=high)


def choose_comparison(page: Page, left: LayerView, slice: str | None) -> LayerView | None:
    """The layer on the right of the swipe bar."""
    if not st.toggle(page.t("swipe.on"), key="map-swipe"):
        st.caption(page.t("swipe.help"))
        return None
    if slice is not None:
        names = [one.name for one in time_slices(page.run)]
        slice = st.select_slider(page.t("slice_right"), names, value=names[0], key="map-slice-right")
    known = shown_layers({layer.id: layer for layer in layers(page.run, slice=slice)})
    right = choose_layer(page, known, side="right", slice=slice)
    if right.layer.id == left.layer.id or {right.layer.group, left.layer.group} <= set(SAME_SCALE):
        return replace(right, palette=left.palette, low=left.low, high=left.high)
    return right


def map_state(page: Page, view: MapView, *, place: dict[str, Any] | None, area: dict[str, Any] | None) -> dict[str, Any]:
    """What `map_view.js` shows."""
    rasters = {"left": {"url": view.left.url(page.run, view.plane), "opacity": view.opacity}}
    legend = [view.left.legend(page)]
    swipe = None
    if view.right is not None:
        rasters["right"] = {"url": view.right.url(page.run, view.plane), "opacity": view.opacity}
        swipe = {"left": view.left.title, "right": view.right.title}
        if view.right.legend(page) | {"title": ""} != view.left.legend(page) | {"title": ""}:
            legend.append(view.right.legend(page))
    if view.mark is not None:
        rasters["hatch"] = {"url": urls.tile_url(page.run, view.mark, style=view.style, plane=view.plane), "opacity": 1.0}
        legend.append({"title": "", "items": [mark_item(page, view)]})
    elif view.hatch:
        rasters["hatch"] = {"url": urls.tile_url(page.run, view.hatch, plane=view.plane), "opacity": 1.0}
        legend.append({"title": "", "items": [{"colour": HATCH_COLOUR, "label": page.t("outside_aoa"), "hatch": True}]})
    return {
        "rasters": rasters,
        "legend": legend,
        "swipe": swipe,
        "water": view.water,
        "relief": view.relief,
        "place": place,
        "area": area,
    }
