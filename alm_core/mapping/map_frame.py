"""The frame of a printed map: graticule, scale bar, north arrow, true in any CRS."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.grid import EARTH, Grid

INK = "#1D2733"
QUIET = "#5F6B7A"
NICE = (1.0, 2.0, 2.5, 5.0)
LINE_POINTS = 200
Bounds = tuple[float, float, float, float]
"""West, south, east, north."""


@dataclass(frozen=True)
class Projection:
    """Ways between longitude, latitude and the CRS of a map."""

    forward: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    back: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, grid: Grid) -> Projection:
        """Those of a grid; a grid without a CRS counts as longitude and latitude."""
        from pyproj import CRS, Transformer

        if grid.crs is None or CRS.from_user_input(grid.crs) == CRS.from_user_input("EPSG:4326"):
            return cls(lambda x, y: (x, y), lambda x, y: (x, y))
        there = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
        return cls(there.transform, lambda x, y: there.transform(x, y, direction="INVERSE"))


def graticule(axes: Any, bounds: Bounds, projection: Projection, *, size: float = 8.0) -> None:
    """Draw meridians and parallels as thin lines, labelled where they leave the map below and on the left."""
    west, south, east, north = bounds
    edge = _edge(bounds)
    longitude, latitude = projection.back(*edge)
    known = np.isfinite(longitude) & np.isfinite(latitude)
    longitude, latitude = longitude[known], latitude[known]
    if not longitude.size:
        return
    over_date_line = np.ptp(longitude) > 300  # around a pole: meridians all meet
    # A little beyond the map, so that every line crosses its edge.
    tall, wide = np.ptp(latitude) / 20, np.ptp(longitude) / 20
    along = np.linspace(max(latitude.min() - tall, -90), min(latitude.max() + tall, 90), LINE_POINTS)
    around = np.linspace(longitude.min() - wide, longitude.max() + wide, LINE_POINTS)
    if over_date_line:
        around = np.linspace(-180, 180, 8 * LINE_POINTS)
    meridians = np.arange(-180, 180, 30.0) if over_date_line else round_values(longitude.min(), longitude.max(), 6)
    ticks: dict[str, list[tuple[float, str]]] = {"x": [], "y": []}
    for value in meridians:
        line = projection.forward(np.full(along.shape, value), along)
        _line(axes, *line, bounds)
        ticks["x"] += [(place, degrees(value, "E", "W")) for place in _crossing(line[1], line[0], south) if west < place < east]
    for value in round_values(latitude.min(), latitude.max(), 5):
        line = projection.forward(around, np.full(around.shape, value))
        _line(axes, *line, bounds)
        ticks["y"] += [(place, degrees(value, "N", "S")) for place in _crossing(line[0], line[1], west) if south < place < north]
    axes.set_xticks([place for place, _ in ticks["x"]], [text for _, text in ticks["x"]])
    axes.set_yticks([place for place, _ in ticks["y"]], [text for _, text in ticks["y"]], rotation=90, va="center")
    axes.tick_params(direction="out", length=3, width=0.6, labelsize=size, color=QUIET, labelcolor=INK, pad=2)


def _edge(bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    west, south, east, north = bounds
    x, y = np.linspace(west, east, 40), np.linspace(south, north, 40)
    all_x, all_y = np.meshgrid(x, y)
    return all_x.ravel(), all_y.ravel()


def _line(axes: Any, x: np.ndarray, y: np.ndarray, bounds: Bounds) -> None:
    width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
    near = (x > bounds[0] - width) & (x < bounds[2] + width) & (y > bounds[1] - height) & (y < bounds[3] + height)
    axes.plot(np.where(near, x, np.nan), np.where(near, y, np.nan), color=INK, linewidth=0.35, alpha=0.28, zorder=6)


def _crossing(along: np.ndarray, across: np.ndarray, level: float) -> list[float]:
    """Where a line crosses a level of its first coordinate: the second coordinate there."""
    side = along >= level
    steps = np.flatnonzero(np.isfinite(along[:-1]) & np.isfinite(along[1:]) & (side[:-1] != side[1:]))
    shares = (level - along[steps]) / (along[steps + 1] - along[steps])
    return (across[steps] + shares * (across[steps + 1] - across[steps])).tolist()


def round_values(low: float, high: float, most: int) -> np.ndarray:
    """Round numbers between two limits, at most `most`.

    Examples
    --------
    >>> round_values(68.0, 104.7, 6).tolist()
    [70.0, 80.0, 90.0, 100.0]
    """
    if not high > low:
        return np.array([])
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (part * scale for scale in (power, 10 * power, 100 * power) for part in NICE):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return np.arange(first, last + 1) * step
    return np.array([])


def degrees(value: float, positive: str, negative: str) -> str:
    """A longitude or latitude for people.

    Examples
    --------
    >>> degrees(92.5, "E", "W"), degrees(-0.0, "N", "S")
    ('92.5°E', '0°')
    """
    value = (value + 180) % 360 - 180 if positive == "E" and abs(value) > 180 else value
    side = positive if value > 0 else negative if value < 0 else ""
    return f"{round(abs(value), 6):g}°{side}"


def map_width_metres(bounds: Bounds, projection: Projection) -> float:
    """Length of the map from west to east through its middle, along the earth."""
    west, south, east, north = bounds
    x = np.linspace(west, east, 65)
    longitude, latitude = projection.back(x, np.full(x.shape, (south + north) / 2))
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
        return math.nan
    return float(np.sum(EARTH.inv(longitude[:-1], latitude[:-1], longitude[1:], latitude[1:])[2]))


def middle_latitude(bounds: Bounds, projection: Projection) -> float:
    """Latitude of the middle of a map."""
    x, y = np.array([(bounds[0] + bounds[2]) / 2]), np.array([(bounds[1] + bounds[3]) / 2])
    return float(projection.back(x, y)[1][0])


def scale_bar(
    figure: Any, place: Sequence[float], map_inches: float, metres: float, *, words: dict[str, str], note: str = ""
) -> None:
    """Draw a bar of two round halves, black and white, with its left end at `place` (part of the figure).

    Parameters
    ----------
    figure : Figure
    place : left, bottom, most width
        Parts of the figure.
    map_inches, metres : float
        Width of the map on paper and on the ground, at the latitude of `note`.
    words : dict
        Names of units.
    note : str
        Where the bar is true.
    """
    if not (math.isfinite(metres) and metres > 0):
        return
    left, bottom, most = place
    width = figure.get_size_inches()[0]
    longest = most * width / map_inches * metres
    power = 10.0 ** math.floor(math.log10(longest))
    length = max(part * scale for part in (1.0, 2.0, 4.0, 5.0) for scale in (power, power / 10) if part * scale <= longest)
    share = length / metres * map_inches / width
    unit, factor = (words["kilometres"], 1000.0) if length >= 2000 else (words["metres"], 1.0)
    height = 0.009
    from matplotlib.patches import Rectangle

    for number, colour in enumerate((INK, "white")):
        figure.add_artist(
            Rectangle((left + number * share / 2, bottom), share / 2, height, facecolor=colour, edgecolor=INK, linewidth=0.7)
        )
    for number, text in enumerate(("0", f"{length / 2 / factor:g}", f"{length / factor:g} {unit}")):
        figure.text(left + number * share / 2, bottom + height + 0.006, text, fontsize=7.5, ha="center", va="bottom", color=INK)
    if note:
        figure.text(left, bottom - 0.007, note, fontsize=6.5, ha="left", va="top", color=QUIET)


def north_angle(bounds: Bounds, projection: Projection) -> float:
    """Direction of true north in the middle of a map: degrees from up, clockwise."""
    x, y = np.array([(bounds[0] + bounds[2]) / 2]), np.array([(bounds[1] + bounds[3]) / 2])
    longitude, latitude = projection.back(x, y)
    step = 1e-3 if latitude[0] < 89 else -1e-3
    away_x, away_y = projection.forward(longitude, latitude + step)
    if not np.isfinite([away_x[0], away_y[0]]).all():
        return 0.0
    sign = math.copysign(1.0, step)
    return math.degrees(math.atan2(sign * (away_x[0] - x[0]), sign * (away_y[0] - y[0])))


def north_arrow(figure: Any, place: Sequence[float], angle: float, word: str) -> None:
    """Draw an arrow to true north, a dark and a light half, with its foot at `place` (part of the figure)."""
    from matplotlib.patches import Polygon

    width, height = figure.get_size_inches()
    turn = math.radians(angle)

    def on_figure(points: Sequence[tuple[float, float]]) -> np.ndarray:
        x, y = np.array(points).T
        turned = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
        return np.column_stack([place[0] + turned[0] / width, place[1] + turned[1] / height])

    tip, foot, notch = (0.0, 0.46), 0.13, (0.0, 0.11)
    for side, colour in ((-1, INK), (1, "white")):
        figure.add_artist(
            Polygon(on_figure([tip, (side * foot, 0.0), notch]), closed=True, facecolor=colour, edgecolor=INK, linewidth=0.7)
        )
    letter = on_figure([(0.0, 0.54)])[0]
    figure.text(*letter, word, fontsize=10, fontweight="bold", ha="center", va="center", color=INK)
