"""The map of days: drawn in the browser, so that play and slider cost no rerun; Python hears of a chosen day and place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from alm_core import palettes
from alm_core.inspection.days import TREND, DayMaps, day_maps, first_month, phenology, trend
from alm_core.serving import urls
from alm_core.serving.day_pictures import day_picture, day_stamps, part_days
from alm_core.serving.vectors import vector_names
from alm_core.workspace import Run
from pages.parts.frame import ROOT, Page, run_key

BROWSER = ROOT / "assets" / "browser"
FROZEN_COLOUR, THAWED_COLOUR = "#0072b2", "#e69f00"
"""Of Okabe and Ito: told apart with any colour vision, and in grey."""
UNKNOWN_COLOUR, HATCH_COLOUR = "#dde2e6", "#8a979f"
PALETTES = {"probability": "vik_r", "date": "batlow", "count": "lapaz_r", "trend": "vik"}
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
WORDS = (
    *("failed", "layer", "map", "day", "year", "speed", "speed_label", "play", "pause", "back", "next", "empty"),
    *("group_days", "group_years", "group_trends", "frozen", "thawed", "unknown", "insignificant", "no_value", "chance"),
)
DAILY = ("state", "probability")
QUANTILES = (0.02, 0.98)

_component = st.components.v2.component(
    "alm_days",
    html='<div class="alm-days"></div>',
    css=(BROWSER / "days_map.css").read_text(encoding="utf-8"),
    js=(BROWSER / "days_map.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def component_key(page: Page) -> str:
    """Key of the component: of one run in one language."""
    return f"days:{run_key(page.run)}:{page.lang}"


def days_map(page: Page, *, start: dict[str, Any], on_change: Callable[[str], None]) -> None:
    """Show the map.

    Parameters
    ----------
    page : Page
    start : dict
        ``layer``, ``day`` and ``place`` (longitude and latitude, or None) that it opens with.
    on_change : callable
        Called with the key of the component after another layer, day or place was chosen.
    """
    key = component_key(page)
    fixed = map_data(str(page.run.folder), day_stamps(page.run))
    data = fixed | {
        "layers": [layer | {"label": page.t(f"layer.{layer['id']}")} | texts(page, layer) for layer in fixed["layers"]],
        "start": start,
        "locale": LOCALES[page.lang],
        "words": {name: page.t(f"component.{name}") for name in WORDS},
    }
    _component(key=key, data=data, default={"choice": None}, on_choice_change=lambda: on_change(key), width="stretch")


def texts(page: Page, layer: dict[str, Any]) -> dict[str, Any]:
    """Unit and names of the bands of a layer, as people read them."""
    if layer["kind"] == "day":
        return {}
    month = layer["first_month"]
    name = layer["id"].removeprefix(TREND)
    unit = "" if layer["kind"] == "date" else page.t(f"unit.{'changes' if name == 'transitions' else 'days'}")
    unit = page.t("unit.per_decade", unit=unit) if layer["kind"] == "trend" else unit
    return {"unit": unit, "bands": [year_name(band, month) for band in layer.get("years", ())]}


def year_name(band: str, month: int) -> str:
    """A freezing year, with both calendar years where it lies in two.

    Examples
    --------
    >>> year_name("2014", 7), year_name("2014", 1), year_name("1999", 9)
    ('2014/15', '2014', '1999/00')
    """
    if not band[:4].isdigit() or month == 1:
        return band
    year = int(band[:4])
    return f"{year}/{(year + 1) % 100:02d}"


@st.cache_resource(max_entries=16, show_spinner=False)
def map_data(folder: str, stamps: tuple[Any, ...]) -> dict[str, Any]:
    """What the map of a run is made of, in no language: addresses, bounds, years, layers with their ranges, colours."""
    run = Run.open(folder)
    maps = day_maps(run)
    picture = day_picture(maps)
    waters = vector_names(picture.bounds)
    own = palettes_of()
    return {
        "urls": {
            **urls.days_urls(run),
            "leaflet": urls.vendor_url("leaflet.js"),
            "leaflet_style": urls.vendor_url("leaflet.css"),
            "hillshade": urls.hillshade_url(run),
            "lakes": urls.vector_url("lakes") if "lakes" in waters else None,
        },
        "picture": picture.to_dict(),
        "cells": int(maps.cells.size),
        "part_days": part_days(maps),
        "years": [years_of(maps, year) for year in maps.years],
        "layers": [*({"id": name, "kind": "day"} for name in DAILY), *number_layers(run, maps)],
        "colours": own | {"frozen": FROZEN_COLOUR, "thawed": THAWED_COLOUR, "unknown": UNKNOWN_COLOUR, "hatch": HATCH_COLOUR},
        "first_month": first_month(run),
    }


def palettes_of() -> dict[str, list[list[int]]]:
    """Colours of everything that is no state."""
    return {name: palettes.colours(palette).tolist() for name, palette in PALETTES.items()}


def years_of(maps: DayMaps, year: int) -> dict[str, Any]:
    """A calendar year: its first mapped day and how many there are."""
    first, days = maps.days_of(year)
    return {"year": year, "first": first.isoformat(), "days": days}


def number_layers(run: Run, maps: DayMaps) -> list[dict[str, Any]]:
    """Quantities of the freezing years, and their trends, with the values of their first and last colour."""
    found = []
    for name in maps.phenology:
        one = phenology(run, name)
        low, high = value_range(one.values)
        kind = "date" if one.is_date else "count"
        month = one.first_month
        found.append({"id": name, "kind": kind, "years": list(one.years), "low": low, "high": high, "first_month": month})
    for name in maps.trends:
        low, high = value_range(trend(run, name)["slope"])
        most = max(abs(low), abs(high))
        found.append({"id": f"{TREND}{name}", "kind": "trend", "low": -most, "high": most, "first_month": first_month(run)})
    return found


def value_range(values: np.ndarray) -> tuple[float, float]:
    """The 2 % and 98 % quantiles, never the same; 0 and 1 where there are no values."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.quantile(known, QUANTILES))
    return (low, high) if high > low else (low - 0.5, high + 0.5)
