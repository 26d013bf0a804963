"""Figures of a finished map as PNG bytes, small enough to live inside a page.

Colours are safe for colour-blind readers: `alm_core.palettes` for numbers, the palette of Okabe and Ito for categories.
Rasters are read decimated through their overviews, so a figure of a plateau costs no more than one of a valley.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.enums import Resampling

from alm_core.grid import Grid
from alm_core.mapping.cog import open_raster
from alm_core.mapping.html import unit_text
from alm_core.palettes import centred_range, colours, is_diverging, unit_palette

BLUE, ORANGE, GREEN, RED, SKY, PURPLE, YELLOW, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#F0E442",
    "#5F6B7A",
)
CATEGORIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, GREY)
INK, LAND = "#1D2733", "#EEF1F4"
MAXIMUM_PIXELS = 900
DOTS_PER_INCH = 150
STRETCH = (2, 98)
NICE = (1, 2, 5)
SMOOTH_PIXELS = 5


@dataclass(frozen=True)
class Preview:
    """A decimated layer.

    Attributes
    ----------
    values : ndarray
        ``[row, column]`` in the unit of the layer; NaN: nodata.
    grid : Grid
        Grid of the whole raster.
    unit : str
    """

    values: np.ndarray
    grid: Grid
    unit: str

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """West, east, south, north, as matplotlib wants it."""
        west, south, east, north = self.grid.bounds
        return west, east, south, north


def read_preview(path: str | Path, band: int = 1, *, pixels: int = MAXIMUM_PIXELS, categorical: bool = False) -> Preview:
    """Read a layer at no more than `pixels` along its longer side."""
    with open_raster(path) as dataset:
        step = max(1.0, max(dataset.shape) / pixels)
        shape = max(1, round(dataset.height / step)), max(1, round(dataset.width / step))
        resampling = Resampling.nearest if categorical else Resampling.average
        stored = dataset.read(band, out_shape=shape, masked=True, resampling=resampling)
        scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
        values = np.ma.filled(stored.astype(float) * scale + offset, np.nan)
        return Preview(values, Grid.from_dataset(dataset), dataset.units[band - 1] or "")


def outside_of(uncertainty: str | Path, band: int, *, shape: Sequence[int]) -> np.ndarray:
    """Cells of a preview of `shape` of which most lie outside the area of applicability."""
    with open_raster(uncertainty) as dataset:
        inside = dataset.read(band, out_shape=tuple(shape), masked=True, resampling=Resampling.average)
    return np.ma.filled(inside.astype(float), np.nan) < 0.5


def map_figure(
    layer: Preview,
    *,
    label: str,
    outside: np.ndarray | None = None,
    places: tuple[np.ndarray, np.ndarray] | None = None,
    classes: Mapping[str, str] | None = None,
    palette: str | None = None,
    width: float = 9.0,
) -> bytes:
    """Draw a layer with a legend in its unit, the sites, and a hatch where it should not be trusted.

    Parameters
    ----------
    layer : Preview
    label : str
        Title of the legend.
    outside : ndarray, optional
        bool, shape of the preview: outside the area of applicability.
    places : tuple of ndarray, optional
        x, y of the sites in the CRS of the grid.
    classes : mapping, optional
        Code to label, for a class map.
    palette : str
        A name of `alm_core.palettes.PALETTES` for numbers; default: that of the unit, as on the pages.
    width : float
        Inches.

    Returns
    -------
    bytes
        PNG.
    """
    import matplotlib

    west, east, south, north = layer.extent
    aspect = 1 / math.cos(math.radians((south + north) / 2)) if layer.grid.is_geographic and abs(south + north) < 179 else 1.0
    height = width * 0.86 * min(1.4, max(0.3, (north - south) * aspect / (east - west))) + 0.6
    with matplotlib.rc_context({"hatch.linewidth": 0.6}):
        figure, axes = _figure(width, height)
        axes.set_facecolor(LAND)
        handles = _draw_classes(axes, layer, classes) if classes else _draw_numbers(figure, axes, layer, label, palette)
        if outside is not None and outside.any():
            handles.append(_hatch(axes, layer, outside))
        if places is not None and len(places[0]):
            handles.append(axes.scatter(*places, s=7, c="white", edgecolors=INK, linewidths=0.5, label="sites", zorder=4))
        axes.set(xlim=(west, east), ylim=(south, north), aspect=aspect)
        _ticks(axes, layer.grid)
        _scale_bar(axes, layer.grid)
        if handles:
            axes.legend(
                handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False, fontsize=8, borderaxespad=0.2
            )
        return _png(figure)


def bias_figure(curves: Any, *, unit: str) -> bytes:
    """Draw both bias curves (`alm_core.learning.metrics.BiasCurves`) side by side on one scale."""
    import matplotlib.ticker

    figure, (left, right) = _figure(9.0, 3.5, columns=2, sharey=True)
    shown = _unit_text(unit)
    sides = (
        (left, curves.against_observed, BLUE, f"observed{shown}", "Tail bias: predicted \N{MINUS SIGN} observed"),
        (right, curves.against_predicted, RED, f"predicted{shown}", "Calibration: observed \N{MINUS SIGN} predicted"),
    )
    for axes, curve, colour, label, title in sides:
        spread = 1.96 * curve.standard_error
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.fill_between(curve.grid, curve.mean - spread, curve.mean + spread, color=colour, alpha=0.18, linewidth=0)
        axes.plot(curve.grid, curve.mean, color=colour, linewidth=2)
        axes.set_xlabel(label, fontsize=9)
        axes.set_title(title, fontsize=9.5, loc="left", color=INK)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(6))
    left.set_ylabel(f"mean error{shown}", fontsize=9)
    return _png(figure)


def scores_figure(
    values: Mapping[str, tuple[float, float | None, float | None]], *, label: str, headline: str | None = None
) -> bytes:
    """Draw one score of several schemes as points with their intervals; the headline is filled.

    Parameters
    ----------
    values : mapping
        Name of the scheme to (score, low, high); low and high may be None.
    label : str
    headline : str, optional
    """
    figure, axes = _figure(9.0, 0.75 + 0.36 * len(values))
    for row, (name, (value, low, high)) in enumerate(values.items()):
        chosen = name == headline
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=BLUE if chosen else GREY, linewidth=3 if chosen else 1.6, alpha=0.75)
        axes.scatter(
            [value],
            [row],
            s=70 if chosen else 42,
            color=BLUE if chosen else "white",
            edgecolors=BLUE if chosen else GREY,
            zorder=3,
        )
    axes.set_yticks(range(len(values)), list(values), fontsize=9)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlabel(label, fontsize=9)
    axes.grid(axis="x", color="#D9DEE4", linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return _png(figure)


# ---- parts --------------------------------------------------------------------------------------------------------------


def _figure(width: float, height: float, *, columns: int = 1, sharey: bool = False) -> tuple[Any, Any]:
    """A figure of its own canvas: pyplot keeps figures alive and is not safe on threads."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns, sharey=sharey)
    for one in np.atleast_1d(axes):
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set_color("#8A95A3")
        one.tick_params(labelsize=8, color="#8A95A3", labelcolor=INK)
    return figure, axes


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", bbox_inches="tight", pad_inches=0.04, metadata={"Software": None})
    return stream.getvalue()


def _unit_text(unit: str) -> str:
    shown = _plain(unit_text(unit))
    return f" ({shown})" if shown else ""


def _plain(text: str) -> str:
    """Text without the dollar signs that would start a formula."""
    return text.replace("$", r"\$")


def _draw_numbers(figure: Any, axes: Any, layer: Preview, label: str, palette: str | None) -> list[Any]:
    from matplotlib.colors import ListedColormap

    finite = layer.values[np.isfinite(layer.values)]
    low, high = np.percentile(finite, STRETCH) if finite.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    palette = palette or unit_palette(layer.unit)
    if is_diverging(palette):
        low, high = centred_range(float(low), float(high))
    shades = ListedColormap(colours(palette) / 255)
    image = axes.imshow(
        layer.values, extent=layer.extent, cmap=shades, vmin=low, vmax=high, interpolation="nearest", origin="upper", zorder=1
    )
    extend = "neither"
    if finite.size:
        below, above = finite.min() < low, finite.max() > high
        extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((bool(below), bool(above)), "neither")
    bar = figure.colorbar(image, ax=axes, shrink=0.75, pad=0.015, extend=extend, aspect=28)
    bar.set_label(f"{_plain(label)}{_unit_text(layer.unit)}", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return []


def _draw_classes(axes: Any, layer: Preview, classes: Mapping[str, str]) -> list[Any]:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    codes = [int(code) for code in classes]
    position = np.full(256, np.nan)
    position[codes] = np.arange(len(codes))
    known = np.isfinite(layer.values)
    shown = np.where(known, position[np.where(known, layer.values, 0).astype(int)], np.nan)
    colours = [CATEGORIES[number % len(CATEGORIES)] for number in range(len(codes))]
    axes.imshow(
        shown,
        extent=layer.extent,
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=len(codes) - 0.5,
        interpolation="nearest",
        origin="upper",
        zorder=1,
    )
    return [Patch(color=colour, label=_plain(label)) for colour, label in zip(colours, classes.values(), strict=True)]


def _hatch(axes: Any, layer: Preview, outside: np.ndarray) -> Any:
    from matplotlib.patches import Patch
    from scipy.ndimage import uniform_filter

    west, east, south, north = layer.extent
    rows, columns = outside.shape
    x = west + (np.arange(columns) + 0.5) * (east - west) / columns
    y = north - (np.arange(rows) + 0.5) * (north - south) / rows
    veil = np.zeros((*outside.shape, 4))
    veil[outside] = (1, 1, 1, 0.55)
    axes.imshow(veil, extent=layer.extent, interpolation="nearest", origin="upper", zorder=2)
    if min(outside.shape) > 1:  # a contour needs two rows and two columns
        # Hatching single pixels would only darken them: the veil shows those, the hatch shows areas.
        smooth = uniform_filter(outside.astype(float), SMOOTH_PIXELS)
        drawn = axes.contourf(x, y, smooth, levels=[0.5, 1.5], colors="none", hatches=["//////"], zorder=3)
        drawn.set_edgecolor(INK)
        drawn.set_linewidth(0)
    return Patch(facecolor="white", edgecolor=INK, hatch="//////", linewidth=0, label="outside the area of applicability")


def _ticks(axes: Any, grid: Grid) -> None:
    import matplotlib.ticker as ticker

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(ticker.MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    if grid.is_geographic:
        axes.xaxis.set_major_formatter(lambda value, _: _degrees(value, "E", "W"))
        axes.yaxis.set_major_formatter(lambda value, _: _degrees(value, "N", "S"))
    elif grid.crs is not None:
        for axis, name in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            axis.set_major_formatter(lambda value, _: f"{value / 1000:g}")
            axis.set_label_text(f"{name} (km)", fontsize=8)


def _degrees(value: float, positive: str, negative: str) -> str:
    value = (value + 180) % 360 - 180 if positive == "E" and abs(value) > 180 else value
    return f"{abs(value):g}°{positive if value > 0 else negative if value < 0 else ''}"


def _scale_bar(axes: Any, grid: Grid) -> None:
    """A bar of a round length near a sixth of the width, true in the middle row."""
    if grid.crs is None:
        return
    middle = grid.shape[0] // 2
    cell = float(grid.cell_size_metres(slice(middle, middle + 1))[0][0])
    width = cell * grid.shape[1]
    if not math.isfinite(width) or width <= 0:
        return
    power = 10 ** math.floor(math.log10(width / 6))
    length = max(part * power for part in NICE if part * power <= width / 6)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    right, share = 0.97, length / width
    axes.plot([right - share, right], [0.045, 0.045], transform=axes.transAxes, color=INK, linewidth=2.5, zorder=5)
    axes.text(right - share / 2, 0.06, text, transform=axes.transAxes, ha="center", va="bottom", fontsize=8, color=INK, zorder=5)
