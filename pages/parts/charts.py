"""One look for every plotly figure."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import plotly.io as pio
import streamlit as st

from pages.parts.numbers import unit_text

COLOURS = {
    "text": "#1d2b33",
    "muted": "#5b6b75",
    "grid": "#e3e8ec",
    "paper": "#ffffff",
    "accent": "#1f6f8b",
    "observed": "#4d4d4d",
    "fused": "#1f6f8b",
    "warning": "#c0561b",
    "inside": "#1f6f8b",
    "outside": "#c0561b",
    "kept": "#1f6f8b",
    "removed": "#c0561b",
    "reference": "#8a979f",
}
LEARNER_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a6d3b", "#6a51a3")
"""Okabe and Ito's colours, told apart with any colour vision; by position of the learner."""
CATEGORY_COLOURS = LEARNER_COLOURS
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star", "hexagon")
DIVERGING = ((0.0, "#8c510a"), (0.25, "#d8b365"), (0.5, "#f5f5f5"), (0.75, "#5ab4ac"), (1.0, "#01665e"))
"""Brown to blue-green, for errors and other signed numbers; safe for colour-blind eyes."""
CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["autoScale2d", "toggleSpikelines"], "responsive": True}
FONT = "'Source Sans', 'Source Sans Pro', 'Noto Sans', 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif"


def template() -> go.layout.Template:
    """The template: white ground, thin grid, one font."""
    axis = {
        "gridcolor": COLOURS["grid"],
        "zeroline": False,
        "linecolor": COLOURS["reference"],
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": COLOURS["reference"],
        "title": {"standoff": 8, "font": {"size": 13}},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": COLOURS["text"]},
            "paper_bgcolor": COLOURS["paper"],
            "plot_bgcolor": COLOURS["paper"],
            "colorway": list(LEARNER_COLOURS),
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 56, "r": 16, "t": 28, "b": 48},
            "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0.0, "font": {"size": 12}},
            "hoverlabel": {"bgcolor": "#ffffff", "font": {"size": 12, "color": COLOURS["text"]}},
            "title": {"font": {"size": 15}, "x": 0.0, "xanchor": "left"},
            "dragmode": "zoom",
        }
    )


pio.templates["alm"] = template()
pio.templates.default = "alm"


def axis_title(name: str, unit: str = "") -> str:
    """Title of an axis with its unit.

    Examples
    --------
    >>> axis_title("Water content", "m3 m-3")
    'Water content (m³ m⁻³)'
    """
    text = unit_text(unit)
    return f"{name} ({text})" if text else name


def learner_colour(learners: tuple[str, ...], name: str) -> str:
    """The colour of a learner on every page; the fused value has the accent colour."""
    return LEARNER_COLOURS[learners.index(name) % len(LEARNER_COLOURS)] if name in learners else COLOURS["fused"]


def show(
    figure: go.Figure,
    *,
    key: str,
    height: int = 420,
    on_select: str | None = None,
    selection_mode: Any = ("points", "box", "lasso"),
    alt: str | None = None,
) -> Any:
    """Draw a figure at a fixed height, so that nothing jumps; gives the selection where `on_select` is "rerun"."""
    figure.update_layout(height=height)
    options: dict[str, Any] = {"key": key, "width": "stretch", "theme": None, "config": CONFIG, "alt": alt}
    if on_select is None:
        return st.plotly_chart(figure, **options)
    return st.plotly_chart(figure, on_select=on_select, selection_mode=selection_mode, **options)
