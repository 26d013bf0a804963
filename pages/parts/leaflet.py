"""The Leaflet map of leafmap, with every script, style, tile and shape served by the program itself.

A map has two parts. The base (relief, lakes, rivers, drawing tools) is written once: as long as its script stays the same, the
browser keeps its map. What changes (layers, opacity, legend, place, area) travels as one state that ``map_view.js`` compares
with what is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from folium import FeatureGroup
from folium.elements import JSCSSMixin, MacroElement
from folium.plugins import Draw
from folium.template import Template

from alm_core.serving import urls
from alm_core.serving.catalogue import find_layer
from alm_core.serving.rasters import header, longitude_latitude_bounds
from alm_core.serving.vectors import WIDE_DEGREES, vector_names
from alm_core.serving.view_bounds import data_bounds, plane_bounds
from alm_core.workspace import Run
from pages.parts.frame import Page

SCRIPTS = (("leaflet.draw", "draw/leaflet.draw.js"), ("/leaflet@", "leaflet.js"))
STYLES = (("leaflet.draw", "draw/leaflet.draw.css"), ("/leaflet@", "leaflet.css"))
"""What part of an outside address stands for which file of our own server; every other outside address is dropped."""
ZOOMS = (3, 13)
WIDE_ZOOM = 1
"""A map that goes around the pole needs the whole world in one window."""
NATIVE_ZOOM = 12
ZOOM_STEP = 0.5
"""Half steps let a raster fill the map when the page opens."""
RETURNED = ("last_clicked", "all_drawings")
AREA_COLOUR = "#c0561b"
WEB_MAP, POLE = "EPSG3857", (90.0, 0.0)


class StartMap(JSCSSMixin):
    """Hands a new map to ``map_view.js``."""

    _template = Template("""{% macro script(this, kwargs) %}
        almMap.start({{ this._parent.get_name() }}, {{ this.settings }});
    {% endmacro %}""")

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self._name = "StartMap"
        self.settings = script_json(settings)
        scripts = {"alm_polar_crs": "polar_crs.js", "alm_map_view": "map_view.js"}
        self.default_js = [(name, urls.browser_url(file)) for name, file in scripts.items()]
        self.default_css = [("alm_map_view_css", urls.browser_url("map_view.css"))]


class DrawWords(MacroElement):
    """Texts of the drawing tools; must come before them."""

    _template = Template("""{% macro script(this, kwargs) %}
        {%- for path, text in this.words.items() %}
        L.drawLocal.{{ path }} = {{ text|tojson }};
        {%- endfor %}
    {% endmacro %}""")

    def __init__(self, words: dict[str, str]) -> None:
        super().__init__()
        self._name = "DrawWords"
        self.words = words


class MapState(MacroElement):
    """What the map shows now."""

    _template = Template("""{% macro script(this, kwargs) %}
        almMap.show({{ this.state }});
    {% endmacro %}""")

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__()
        self._name = "MapState"
        self.state = script_json(state)


def script_json(value: Any) -> str:
    """JSON that may stand in a script which is read as a template once more.

    folium compiles a finished script as a template again, so braces in a name that somebody gave would be run on the server.

    Examples
    --------
    >>> print(script_json(["{{ 7 * 7 }}", {"a": "</script>"}]))
    ["\\u007b\\u007b 7 * 7 }}", {"a": "\\u003c/script\\u003e"}]
    """
    text = json.dumps(value)
    for sign in "<>&'":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    # Two opening braces, or one with % or #, stand only inside the strings of JSON.
    return re.sub(r"\{(?=[{%#])|(?<=\{)\{", r"\\u007b", text)


def base_map(page: Page, run: Run, *, draw: bool = True, plane: str | None = None) -> Any:
    """A leafmap map with relief, lakes and rivers, fitted to the raster of a run.

    Parameters
    ----------
    page : Page
        For the words of its controls.
    run : Run
    draw : bool
        With tools for a polygon and a rectangle; a polar view has no rectangle, which would be none on the ground.
    plane : str, optional
        CRS of a polar view instead of the web map.
    """
    # leafmap takes two seconds to import; the program does it before the first visitor comes.
    import leafmap.foliumap as leafmap

    west, south, east, north = view = data_bounds(run)
    zooms = (ZOOMS[0] if east - west < WIDE_DEGREES else WIDE_ZOOM, ZOOMS[1])
    figure = leafmap.Map(
        center=[(south + north) / 2, (west + east) / 2] if plane is None else POLE,
        zoom=zooms[0] + 2,
        crs=WEB_MAP if plane is None else plane.replace(":", ""),
        tiles=None,
        min_zoom=zooms[0],
        max_zoom=zooms[1],
        zoom_snap=ZOOM_STEP if plane is None else ZOOM_STEP / 2,
        draw_control=False,
        measure_control=False,
        fullscreen_control=False,
        layers_control=False,
        scale_control=False,
    )
    relief = urls.hillshade_url(run, plane=plane)
    if relief:
        attribution = page.t("attribution") if vector_names(view) else page.t("attribution_relief")
        figure.add_tile_layer(relief, name="relief", attribution=attribution, max_native_zoom=NATIVE_ZOOM)
    if draw:
        DrawWords({path: page.t(f"draw.{key}") for key, path in DRAW_WORDS.items()}).add_to(figure)
        draw_tools(rectangle=plane is None).add_to(figure)
    StartMap(
        {
            "bounds": corners(view),
            "limits": corners(raster_bounds(run)),
            "plane": None if plane is None else plane_bounds(run),
            "max_native_zoom": NATIVE_ZOOM,
            "max_zoom": ZOOMS[1],
            "vectors": [{"kind": kind, "url": urls.vector_url(kind)} for kind in vector_names(view)],
            "words": {"swipe": page.t("swipe.handle")},
        }
    ).add_to(figure)
    localize(figure.get_root())
    return figure


def raster_bounds(run: Run) -> tuple[float, float, float, float]:
    """West, south, east, north of the raster of a run in degrees: no tile lies outside."""
    return longitude_latitude_bounds(header(find_layer(run, "fused").raster).grid)


def corners(bounds: tuple[float, float, float, float]) -> list[list[float]]:
    """Bounds as Leaflet writes them: south-west and north-east, latitude first."""
    west, south, east, north = bounds
    return [[south, west], [north, east]]


def draw_tools(*, rectangle: bool = True) -> Draw:
    """Polygon and rectangle, with editing and removing."""
    style = {"color": AREA_COLOUR, "weight": 2, "opacity": 1, "fillOpacity": 0.06}
    # The area shown while a rectangle is drawn fails in this version of the tool.
    shapes = {
        "polygon": {"shapeOptions": style, "allowIntersection": False},
        "rectangle": {"shapeOptions": style, "showArea": False} if rectangle else False,
    }
    others = dict.fromkeys(("polyline", "circle", "marker", "circlemarker"), False)
    return Draw(
        draw_options={**shapes, **others}, edit_options={"poly": {"allowIntersection": False}}, show_geometry_on_click=False
    )


def localize(element: Any) -> list[str]:
    """Make a folium tree load only files of our own server.

    Returns
    -------
    list of str
        Outside addresses that were dropped: scripts and styles that this map does not use.
    """
    dropped: list[str] = []
    for part in walk(element):
        for attribute, known in (("default_js", SCRIPTS), ("default_css", STYLES)):
            links = getattr(part, attribute, None)
            if not links:
                continue
            local = [(name, local_address(address, known)) for name, address in links]
            dropped += [address for (_, address), (_, own) in zip(links, local, strict=True) if own is None]
            # Set on the element: the lists of the classes belong to all maps of the process.
            setattr(part, attribute, [(name, own) for name, own in local if own is not None])
    return dropped


def local_address(address: str, known: tuple[tuple[str, str], ...]) -> str | None:
    """Our own address for an outside one; None where there is none."""
    if not address.startswith(("http:", "https:", "//")):
        return address
    return next((urls.vendor_url(name) for part, name in known if part in address), None)


def walk(element: Any) -> Iterator[Any]:
    """An element and all below it."""
    yield element
    for child in list(element._children.values()):
        yield from walk(child)


def show_map(
    figure: Any, *, key: str, state: dict[str, Any], height: int = 620, on_change: Callable[[], None] | None = None
) -> Any:
    """Show a map; `state` is what `map_view.js` reads.

    Returns
    -------
    dict
        ``last_clicked`` and ``all_drawings``: an edited or a removed drawing is known from the list of all alone.
    """
    # Its component is registered with the running program, so not at import.
    from streamlit_folium import st_folium

    changing = FeatureGroup(name="state")
    MapState(state).add_to(changing)
    return st_folium(
        figure,
        key=key,
        height=height,
        use_container_width=True,
        feature_group_to_add=changing,
        returned_objects=list(RETURNED),
        on_change=on_change,
    )


DRAW_WORDS = {
    "cancel_title": "draw.toolbar.actions.title",
    "cancel": "draw.toolbar.actions.text",
    "finish_title": "draw.toolbar.finish.title",
    "finish": "draw.toolbar.finish.text",
    "undo_title": "draw.toolbar.undo.title",
    "undo": "draw.toolbar.undo.text",
    "polygon": "draw.toolbar.buttons.polygon",
    "rectangle": "draw.toolbar.buttons.rectangle",
    "polygon_start": "draw.handlers.polygon.tooltip.start",
    "polygon_go": "draw.handlers.polygon.tooltip.cont",
    "polygon_end": "draw.handlers.polygon.tooltip.end",
    "crossing": "draw.handlers.polyline.error",
    "rectangle_start": "draw.handlers.rectangle.tooltip.start",
    "rectangle_end": "draw.handlers.simpleshape.tooltip.end",
    "save_title": "edit.toolbar.actions.save.title",
    "save": "edit.toolbar.actions.save.text",
    "undo_edit_title": "edit.toolbar.actions.cancel.title",
    "undo_edit": "edit.toolbar.actions.cancel.text",
    "clear_title": "edit.toolbar.actions.clearAll.title",
    "clear": "edit.toolbar.actions.clearAll.text",
    "edit": "edit.toolbar.buttons.edit",
    "edit_disabled": "edit.toolbar.buttons.editDisabled",
    "remove": "edit.toolbar.buttons.remove",
    "remove_disabled": "edit.toolbar.buttons.removeDisabled",
    "edit_help": "edit.handlers.edit.tooltip.text",
    "edit_undo_help": "edit.handlers.edit.tooltip.subtext",
    "remove_help": "edit.handlers.remove.tooltip.text",
}
"""Our word for each text of the drawing tools."""
