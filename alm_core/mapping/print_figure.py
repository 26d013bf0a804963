"""A map on a sheet of paper: A4 landscape, with everything that lets it stand alone."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alm_core.grid import Grid
from alm_core.mapping.html import unit_text
from alm_core.mapping.map_frame import (
    INK,
    QUIET,
    Bounds,
    Projection,
    degrees,
    graticule,
    map_width_metres,
    middle_latitude,
    north_angle,
    north_arrow,
    scale_bar,
)
from alm_core.mapping.print_words import PLAIN_FONT, chinese_font

SHEET = (11.69, 8.27)
"""A4 landscape, inches."""
DOTS_PER_INCH = 200
PAPER, GROUND = "#FFFFFF", "#E9EBEE"
WATER, WATER_EDGE, RIVER = "#CFE3F1", "#7FA9C7", "#8DB4D1"
RED = "#B3261E"
FLAT_GREY = 226.0
RELIEF_IN_COLOURS = 0.30
"""How much of the relief shows through the colours: enough to see the land, too little to change a value's colour."""
LEFT, RIGHT, TOP = 0.052, 0.03, 0.885
"""Margins of the sheet, and where the map begins below the titles."""
TALL = 1.35
"""Width over height of a map below which the legend stands beside it."""
SMOOTH_PIXELS = 5
LABEL_CHARACTERS = 165
"""Characters of the legend's type across the whole sheet."""
FORMATS = ("png", "pdf")
_drawing = threading.Lock()


@dataclass(frozen=True)
class PrintLayer:
    """A layer at the resolution of the print.

    Attributes
    ----------
    values : ndarray
        ``[row, column]``; NaN: nothing to show.
    bounds : west, south, east, north
        Of the values, in the CRS of the grid.
    grid : Grid
        Of the whole map: its CRS.
    label, unit : str
    colours : ndarray
        uint8 ``[256, 3]``.
    low, high : float
        Values of the first and the last colour.
    classes : dict
        Number to (label, ``#rrggbb``), for a layer of classes.
    """

    values: np.ndarray
    bounds: Bounds
    grid: Grid
    label: str
    unit: str
    colours: np.ndarray
    low: float
    high: float
    classes: Mapping[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class PrintSheet:
    """Everything on the sheet beside the layer.

    Attributes
    ----------
    title, subtitle, source : str
    words : mapping
        See `alm_core.mapping.print_words.WORDS`.
    simulated : bool
    view : west, south, east, north
        What the map shows, in the CRS of the grid.
    ground : ndarray or None
        Grey levels of the relief, uint8, same cells as the values of the layer.
    outside : ndarray or None
        bool, same cells: outside the area of applicability.
    lakes, rivers, outlines : sequence of ndarray
        Rings and lines ``[point, 2]`` in the CRS of the grid.
    """

    title: str
    subtitle: str
    source: str
    words: Mapping[str, str]
    simulated: bool
    view: Bounds
    ground: np.ndarray | None = None
    outside: np.ndarray | None = None
    lakes: Sequence[np.ndarray] = ()
    rivers: Sequence[np.ndarray] = ()
    outlines: Sequence[np.ndarray] = ()


def draw_sheet(layer: PrintLayer, sheet: PrintSheet, *, file_format: str = "png") -> bytes:
    """Draw a map as PNG (200 dpi) or PDF (text as text).

    One figure is drawn at a time: matplotlib's settings are shared by all threads.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fonts = [name for name in (PLAIN_FONT, chinese_font()) if name]  # the second draws what the first lacks
    settings = {"font.family": fonts, "pdf.fonttype": 42, "hatch.linewidth": 0.5, "axes.unicode_minus": False}
    with _drawing, matplotlib.rc_context(settings):
        figure = Figure(figsize=SHEET, dpi=DOTS_PER_INCH, facecolor=PAPER)
        FigureCanvasAgg(figure)
        projection = Projection.of(layer.grid)
        places = layout(sheet_aspect(sheet.view, layer.grid))
        _draw_map(figure.add_axes(places.map), layer, sheet, projection)
        _draw_titles(figure, sheet)
        _draw_legend(figure, layer, sheet, projection, places)
        stream = io.BytesIO()
        empty = {"Software": None} if file_format == "png" else {"CreationDate": None, "Producer": None, "Creator": None}
        if file_format == "pdf":
            empty["Title"] = sheet.title
        fast = {"pil_kwargs": {"compress_level": 4}} if file_format == "png" else {}
        figure.savefig(stream, format=file_format, dpi=DOTS_PER_INCH, metadata=empty, **fast)
    return stream.getvalue()


# ---- layout -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """Where things stand, as parts of the sheet: rectangles are left, bottom, width, height, points left, top.

    Attributes
    ----------
    beside : bool
        The legend stands beside the map, not below it.
    map, bar : rectangle
    classes, keys : point
    scale : left, bottom, most width
    arrow : point
    """

    beside: bool
    map: tuple[float, float, float, float]
    bar: tuple[float, float, float, float]
    classes: tuple[float, float]
    keys: tuple[float, float]
    scale: tuple[float, float, float]
    arrow: tuple[float, float]


def sheet_aspect(view: Bounds, grid: Grid) -> float:
    """Width over height of a map on paper."""
    west, south, east, north = view
    aspect = (east - west) / (north - south)
    if not grid.is_geographic:
        return aspect
    return aspect * max(math.cos(math.radians((south + north) / 2)), 0.05)


def layout(aspect: float) -> Layout:
    """Place everything around a map of this width over height.

    Examples
    --------
    >>> layout(2.2).beside, layout(0.7).beside
    (False, True)
    """
    return _legend_beside(aspect) if aspect < TALL else _legend_below(aspect)


def _legend_below(aspect: float) -> Layout:
    left, width, height = _fitted_box(aspect, LEFT, 1 - LEFT - RIGHT, 0.67)
    bottom = TOP - height  # the map hangs below the title, the legend below the map
    line = bottom - 0.055
    return Layout(
        False,
        (left, bottom, width, height),
        (LEFT, line - 0.085, 0.33, 0.020),
        (LEFT, line),
        (0.445, line),
        (0.715, line - 0.072, 0.17),
        (0.945, line - 0.085),
    )


def _legend_beside(aspect: float) -> Layout:
    gap, column = 0.045, 0.235
    _, width, height = _fitted_box(aspect, LEFT, 1 - LEFT - RIGHT - gap - column, TOP - 0.105)
    bottom = TOP - height
    x = LEFT + width + gap  # the map in line with the title, the legend next to the map
    return Layout(
        True,
        (LEFT, bottom, width, height),
        (x, TOP - 0.105, column, 0.020),
        (x, TOP),
        (x, TOP - 0.185),
        (x, bottom + 0.030, 0.16),
        (x + 0.205, bottom + 0.015),
    )


def _fitted_box(aspect: float, left: float, width: float, height: float) -> tuple[float, float, float]:
    """Left, width and height of the largest rectangle of this aspect in a space, centred from side to side."""
    inches = width * SHEET[0], height * SHEET[1]
    if inches[0] / inches[1] > aspect:
        shown = inches[1] * aspect / SHEET[0]
        return left + (width - shown) / 2, shown, height
    return left, width, inches[0] / aspect / SHEET[1]


def _draw_titles(figure: Any, sheet: PrintSheet) -> None:
    figure.text(LEFT, 0.965, _fitted(sheet.title, 92), fontsize=15, fontweight="bold", color=INK, va="top")
    figure.text(LEFT, 0.923, _fitted(sheet.subtitle, 165), fontsize=9.5, color=QUIET, va="top")
    figure.text(LEFT, 0.018, _wrapped(sheet.source, 240, 2), fontsize=6.5, color=QUIET, va="bottom", linespacing=1.35)


def _fitted(text: str, most: int) -> str:
    """One line of at most so many Latin characters; a Chinese one counts as two."""
    width = 0
    for place, character in enumerate(text):
        width += 2 if character > "\u2e80" else 1
        if width > most:
            return _plain(text[:place].rstrip() + "…")
    return _plain(text)


def _wrapped(text: str, most: int, lines: int) -> str:
    """At most so many lines of so many Latin characters."""
    import textwrap

    narrow = most // 2 if sum(character > "\u2e80" for character in text) > len(text) / 3 else most
    return _plain("\n".join(textwrap.wrap(text, narrow, max_lines=lines, placeholder=" …")))


def _plain(text: str) -> str:
    """Text without the dollar signs that would start a formula."""
    return text.replace("$", r"\$")


# ---- the map ------------------------------------------------------------------------------------------------------------


def _draw_map(axes: Any, layer: PrintLayer, sheet: PrintSheet, projection: Projection) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    west, south, east, north = layer.bounds
    axes.set_facecolor(GROUND)
    axes.imshow(
        picture(layer, sheet.ground),
        extent=(west, east, south, north),
        interpolation="nearest",
        origin="upper",
        zorder=1,
        aspect="auto",
    )
    if sheet.outside is not None and sheet.outside.any():
        _hatch(axes, layer, sheet.outside)
    if sheet.rivers:
        axes.add_collection(LineCollection(list(sheet.rivers), colors=RIVER, linewidths=0.6, zorder=4))
    if sheet.lakes:
        axes.add_collection(PolyCollection(list(sheet.lakes), facecolors=WATER, edgecolors=WATER_EDGE, linewidths=0.4, zorder=5))
    for ring in sheet.outlines:
        axes.plot(*ring.T, color=INK, linewidth=1.1, zorder=7)
    axes.set(xlim=(sheet.view[0], sheet.view[2]), ylim=(sheet.view[1], sheet.view[3]))
    graticule(axes, sheet.view, projection)
    axes.set(xlim=(sheet.view[0], sheet.view[2]), ylim=(sheet.view[1], sheet.view[3]))
    for spine in axes.spines.values():
        spine.set(color=INK, linewidth=0.8)
    if sheet.simulated:
        axes.annotate(
            sheet.words["simulated"],
            xy=(1, 1),
            xycoords="axes fraction",
            xytext=(-10, -10),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=9.5,
            fontweight="bold",
            color=RED,
            zorder=9,
            bbox={"facecolor": "white", "edgecolor": RED, "linewidth": 0.9, "boxstyle": "square,pad=0.35", "alpha": 0.94},
        )


def picture(layer: PrintLayer, ground: np.ndarray | None) -> np.ndarray:
    """The colours of the layer over its relief, float ``[row, column, 4]``; without a relief unmapped cells are transparent."""
    known = np.isfinite(layer.values)
    found = np.zeros((*layer.values.shape, 4))
    if ground is not None:
        found[..., :3] = ground[..., None] / 255.0
        found[..., 3] = 1.0
    found[known, :3] = _colours(layer, known)
    found[known, 3] = 1.0
    if ground is not None:
        relief = 1.0 + RELIEF_IN_COLOURS * (ground[known] / FLAT_GREY - 1.0)
        found[known, :3] = np.clip(found[known, :3] * relief[:, None], 0.0, 1.0)
    return found


def _colours(layer: PrintLayer, known: np.ndarray) -> np.ndarray:
    values = layer.values[known]
    if layer.classes:
        from matplotlib.colors import to_rgb

        table = np.full((256, 3), 0.5)
        for number, (_, colour) in layer.classes.items():
            table[int(number) % 256] = to_rgb(colour)
        return table[values.astype(int) % 256]
    width = layer.high - layer.low
    place = (values - layer.low) / width if width > 0 else np.full(values.shape, 0.5)
    return layer.colours[np.clip(place * 256, 0, 255).astype(int)] / 255.0


def _hatch(axes: Any, layer: PrintLayer, outside: np.ndarray) -> None:
    from scipy.ndimage import uniform_filter

    west, south, east, north = layer.bounds
    rows, columns = outside.shape
    if min(rows, columns) < 2:
        return
    x = west + (np.arange(columns) + 0.5) * (east - west) / columns
    y = north - (np.arange(rows) + 0.5) * (north - south) / rows
    veil = np.zeros((rows, columns, 4))
    veil[outside] = (1, 1, 1, 0.30)
    axes.imshow(veil, extent=(west, east, south, north), interpolation="nearest", origin="upper", zorder=2, aspect="auto")
    # Hatching single pixels would only darken them: the veil shows those, the hatch shows areas.
    smooth = uniform_filter(outside.astype(float), SMOOTH_PIXELS)
    drawn = axes.contourf(x, y, smooth, levels=[0.5, 1.5], colors="none", hatches=["///////"], zorder=3)
    drawn.set_edgecolor((0.11, 0.15, 0.20, 0.75))
    drawn.set_linewidth(0)


# ---- legend -------------------------------------------------------------------------------------------------------------


def _draw_legend(figure: Any, layer: PrintLayer, sheet: PrintSheet, projection: Projection, places: Layout) -> None:
    keys = places.keys
    if layer.classes:
        rows = _class_keys(figure, layer, places)
        keys = (keys[0], places.classes[1] - 0.0235 * (rows + 2)) if places.beside else keys
    else:
        _colour_bar(figure, layer, places.bar)
    _draw_keys(figure, layer, sheet, keys)
    latitude = middle_latitude(sheet.view, projection)
    note = degrees(round(latitude, 1), "N", "S") if math.isfinite(latitude) else ""
    inches = places.map[2] * SHEET[0]
    scale_bar(figure, places.scale, inches, map_width_metres(sheet.view, projection), words=dict(sheet.words), note=note)
    north_arrow(figure, places.arrow, north_angle(sheet.view, projection), sheet.words["north"])


def _colour_bar(figure: Any, layer: PrintLayer, place: Sequence[float]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.ticker import MaxNLocator

    finite = layer.values[np.isfinite(layer.values)]
    low, high = (layer.low, layer.high) if layer.high > layer.low else (layer.low - 0.5, layer.low + 0.5)
    below, above = (bool(finite.min() < low), bool(finite.max() > high)) if finite.size else (False, False)
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
    axes = figure.add_axes(place)
    mappable = ScalarMappable(Normalize(low, high), ListedColormap(layer.colours / 255.0))
    bar = figure.colorbar(mappable, cax=axes, orientation="horizontal", extend=extend, extendfrac=0.035)
    bar.outline.set(linewidth=0.5, edgecolor=QUIET)
    bar.locator = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10])
    bar.update_ticks()
    bar.ax.tick_params(labelsize=8.5, length=3, width=0.6, color=QUIET, labelcolor=INK)
    unit = unit_text(layer.unit)
    label = _wrapped(f"{layer.label} ({unit})" if unit else layer.label, int(place[2] * LABEL_CHARACTERS), 3)
    figure.text(place[0], place[1] + place[3] + 0.011, label, fontsize=9.5, color=INK, va="bottom", ha="left", linespacing=1.3)


def _class_keys(figure: Any, layer: PrintLayer, places: Layout) -> int:
    """Draw the classes and return how many rows they take."""
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=colour, edgecolor=QUIET, linewidth=0.4, label=_fitted(label, 30))
        for label, colour in layer.classes.values()
    ]
    columns = 1 if places.beside and len(handles) <= 12 else 1 + (len(handles) - 1) // 4
    _legend(figure, handles, places.classes, columns=columns, title=layer.label)
    return math.ceil(len(handles) / columns)


def _draw_keys(figure: Any, layer: PrintLayer, sheet: PrintSheet, place: Sequence[float]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    words, handles = sheet.words, []
    if sheet.outside is not None and sheet.outside.any():
        handles.append(Patch(facecolor="white", edgecolor=INK, hatch="//////", linewidth=0.4, label=words["outside"]))
    if not np.isfinite(layer.values).all():
        handles.append(Patch(facecolor=GROUND, edgecolor=QUIET, linewidth=0.4, label=words["unmapped"]))
    if sheet.lakes:
        handles.append(Patch(facecolor=WATER, edgecolor=WATER_EDGE, linewidth=0.4, label=words["lakes"]))
    if sheet.rivers:
        handles.append(Line2D([], [], color=RIVER, linewidth=1.0, label=words["rivers"]))
    if sheet.outlines:
        handles.append(Line2D([], [], color=INK, linewidth=1.1, label=words["area"]))
    if handles:
        _legend(figure, handles, place, columns=1)


def _legend(figure: Any, handles: list[Any], place: Sequence[float], *, columns: int, title: str | None = None) -> None:
    legend = figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=tuple(place),
        ncols=columns,
        frameon=False,
        fontsize=8.5,
        handlelength=2.0,
        handleheight=0.95,
        labelspacing=0.5,
        borderaxespad=0.0,
        title=None if title is None else _plain(title),
        title_fontsize=9.5,
        alignment="left",
        labelcolor=INK,
    )
    legend.get_title().set_color(INK)
