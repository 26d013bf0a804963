"""The live part of the fusion page: sliders, map, scores and charts in the browser, no rerun while a slider moves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import streamlit as st

from alm_core import palettes
from alm_core.errors import StudyError
from alm_core.scenarios.scenario import CORRECTIONS, DEFAULT, Scenario, default_scenario
from alm_core.scenarios.studio import PRESETS, studio_data
from alm_core.serving import urls
from alm_core.serving.catalogue import AT, find_layer
from alm_core.serving.members import member_codes
from alm_core.serving.vectors import vector_names
from alm_core.serving.view_bounds import data_bounds
from alm_core.workspace import Run
from pages.parts.charts import learner_colour
from pages.parts.frame import ROOT, Page, label, learner_label, metric_label, run_key, scheme_label
from pages.parts.numbers import unit_text

BROWSER = ROOT / "assets" / "browser"
LIVE = "live"
"""Name of a scenario that is shown but not saved."""
WORDS = (
    *("weights", "correction", "blend", "blend_low", "blend_high", "scores", "map", "copy", "copied", "failed"),
    *("is_own", "no_difference", "better", "worse", "observed_title", "observed_note", "predicted_title", "predicted_note"),
    *("frontier_title", "frontier_note", "here", "histogram_title", "histogram_y", "sites", "fitted", "cells"),
)
AXES = ("observed_x", "observed_y", "predicted_x", "predicted_y", "histogram_x")
NATIVE_ZOOM = 12
"""Beyond it tiles are enlarged, as on the map page."""

_component = st.components.v2.component(
    "alm_fusion",
    html='<div class="alm-fusion"></div>',
    css=(BROWSER / "fusion_map.css").read_text(encoding="utf-8"),
    js=(BROWSER / "fusion_map.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def fusion_map(
    page: Page,
    run: Run,
    *,
    scheme: str,
    scenario: Scenario,
    revision: int,
    on_change: Callable[[str], None],
    slice: str | None = None,
) -> None:
    """Show a scenario and let it be changed.

    Parameters
    ----------
    page : Page
    run : Run
    scheme : str
        Which folds score it.
    scenario : Scenario
        Where the controls start.
    revision : int
        Another number makes the controls take `scenario` again; until then the browser keeps its own state.
    on_change : callable
        Called with the key of the component after a control was let go; `read_choice` reads what was chosen.
    slice : str, optional
        The slice of time that the map shows; default: the main one.
    """
    key = f"fusion:{run_key(run)}:{page.lang}:{slice or ''}"
    studio = studio_data(run, scheme)
    data = map_data(str(run.folder), run.file("map/members.tif").stat().st_mtime_ns, slice) | {
        "studio": studio,
        "choice": to_choice(scenario, page.learners),
        "revision": revision,
        "words": words(page, scheme, len(studio["pairs"]["observed"])),
        "labels": labels(page),
        "places": places(studio["edges"]),
    }
    data["display"] = data["display"] | {"unit": unit_text(page.unit), "places": max(data["places"]["rmse"] - 2, 0)}
    _component(key=key, data=data, default={"choice": None}, on_choice_change=lambda: on_change(key), width="stretch")


@st.cache_resource(max_entries=16)
def map_data(folder: str, changed: int, slice: str | None) -> dict[str, Any]:
    """Addresses, codes, colours and bounds of a run, or of one of its slices: what its map is made of."""
    run = Run.open(folder)
    west, south, east, north = view = data_bounds(run)
    waters = vector_names(view)
    layer = find_layer(run, "fused" if slice is None else f"fused{AT}{slice}")
    files = {"fusion": "fusion.js", "charts": "fusion_charts.js"}
    return {
        "urls": {
            **{name: urls.browser_url(file) for name, file in files.items()},
            "leaflet": urls.vendor_url("leaflet.js"),
            "leaflet_style": urls.vendor_url("leaflet.css"),
            "members": urls.members_url(run, slice=slice),
            "hillshade": urls.hillshade_url(run),
            **{name: urls.vector_url(name) if name in waters else None for name in ("lakes", "rivers")},
        },
        "bounds": [[south, west], [north, east]],
        "codes": member_codes(run, slice=slice).to_dict() | {"zoom": NATIVE_ZOOM},
        "display": {"low": layer.low, "high": layer.high, "colours": palettes.colours(layer.palette).tolist()},
    }


def words(page: Page, scheme: str, count: int) -> dict[str, str]:
    """Texts of the component."""
    unit = unit_text(page.unit)
    shown = f" ({unit})" if unit else ""
    return (
        {name: page.t(f"component.{name}") for name in WORDS}
        | {name: page.t(f"component.{name}", unit=shown) for name in AXES}
        | {"scheme_note": page.t("component.scores_note", scheme=scheme_label(page, scheme), count=count)}
    )


def labels(page: Page) -> dict[str, Any]:
    """Display names of presets, learners, corrections and scores."""
    return {
        "presets": {DEFAULT: page.c("fusion.own"), **{name: label(page, "fusion", name) for name in PRESETS}},
        "learners": [learner_label(page, name) for name in page.learners],
        "colours": [learner_colour(page.learners, name) for name in page.learners],
        "corrections": {name: label(page, "correction", name) for name in CORRECTIONS},
        "scores": {
            **{name: metric_label(page, name) for name in ("r2", "rmse", "mae", "sd_ratio")},
            **{name: page.t(f"metric.{name}") for name in ("mean_error", "r")},
        },
    }


def places(edges: list[float]) -> dict[str, int]:
    """Decimals of each score: about a ten-thousandth of the range for those with a unit."""
    error = max(0, min(12, 3 - math.floor(math.log10(edges[-1] - edges[0]))))
    return {"r2": 3, "sd_ratio": 3, "r": 3, "rmse": error, "mae": error, "mean_error": error}


# ---- choices ------------------------------------------------------------------------------------------------------------


def to_choice(scenario: Scenario, learners: tuple[str, ...]) -> dict[str, Any]:
    """A scenario as the controls hold it."""
    weights = [scenario.weights.get(name, 0.0) for name in learners]
    largest = max(weights, default=0.0)
    return {
        "method": scenario.method,
        "weights": [weight / largest if largest > 1 else weight for weight in weights],
        "correction": scenario.correction,
        "blend": scenario.blend,
    }


def read_choice(run: Run, choice: Any, learners: tuple[str, ...]) -> Scenario:
    """The scenario that the controls hold; what comes from the browser is checked.

    Raises
    ------
    StudyError
        It is none.
    """
    own = default_scenario(run)
    if not isinstance(choice, dict) or not isinstance(choice.get("weights"), list) or len(choice["weights"]) != len(learners):
        raise StudyError("Controls with a method, a correction and one weight per learner were expected.")
    manual = choice.get("method") == "manual"
    scenario = Scenario(
        LIVE,
        method=choice.get("method"),
        weights=dict(zip(learners, choice["weights"], strict=True)) if manual else {},
        correction=choice.get("correction"),
        blend=choice.get("blend"),
        gamma=own.gamma,
        power=own.power,
        bandwidth=own.bandwidth,
    )
    return own if scenario.key == own.key else scenario
