"""The panel of an area: where it comes from, what the map says of it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import shapely
import streamlit as st

from alm_core.covariates.stack import Stack
from alm_core.errors import AlmError
from alm_core.inspection.area_series import AreaSeries, area_series
from alm_core.inspection.water import METRES, VOLUMETRIC_UNITS, Thickness
from alm_core.inspection.zonal import AreaSummary, summarise
from alm_core.mapping.area import LONLAT, Area, make_area
from alm_core.serving.plane import plane_shape
from alm_core.uploads import receive_area
from alm_core.uploads.limits import AREA_BYTES, MEGABYTE
from alm_core.workspace import Run
from pages.parts.charts import COLOURS, axis_title, show
from pages.parts.frame import Page, help_box, hold_choice
from pages.parts.map_export import export_part
from pages.parts.map_layers import LayerView, MapView
from pages.parts.map_place import scenario_stamp
from pages.parts.map_series import series_figure
from pages.parts.numbers import interval_text, percent, with_unit
from pages.parts.plain_text import plain_text

AREA = "map-area"
"""State: geometry of the area as GeoJSON text, its CRS and whether it was drawn; or the fault of a file."""
UPLOADED = "map-upload"
LARGEST_UPLOAD_MB = AREA_BYTES // MEGABYTE
BY_NUMBER = "number"
FEW_CELLS = 400_000
"""Cells of an area that are read for every slice without being asked for."""


def take_drawing(drawings: list[dict[str, Any]], plane: str | None = None) -> None:
    """The newest drawn shape is the area; where the last one was removed there is none.

    Its edges are straight in the view, so one that was drawn in a plane is kept in the CRS of the plane.
    """
    if drawings:
        drawn = drawings[-1]["geometry"]
        kept = {"shape": json.dumps(drawn), "crs": LONLAT, "drawn": True, "shown": json.dumps(drawn)}
        if plane is not None:
            kept |= {"shape": json.dumps(plane_shape(drawn, plane)), "crs": plane}
        st.session_state[AREA] = kept
    elif (st.session_state.get(AREA) or {}).get("drawn"):
        clear_area()


def take_upload() -> None:
    """Read the uploaded file; its fault is kept to be shown in the panel."""
    file = st.session_state.get(UPLOADED)
    if file is None:
        return
    try:
        area = receive_area(file.getvalue(), file.name)
    except AlmError as fault:
        st.session_state[AREA] = {"fault": str(fault)}
        return
    st.session_state[AREA] = {"shape": shapely.to_geojson(area.geometry), "crs": area.crs, "drawn": False}


def clear_area() -> None:
    """Forget the area."""
    st.session_state[AREA] = None


def chosen_area() -> Area | None:
    """The area that was drawn or brought.

    Raises
    ------
    GridError
        It is no polygon that can be used.
    """
    kept = st.session_state.get(AREA) or {}
    return make_area(json.loads(kept["shape"]), crs=kept["crs"]) if "shape" in kept else None


def area_state() -> dict[str, Any] | None:
    """The area for the map; one whose coordinates are no degrees is not drawn."""
    kept = st.session_state.get(AREA) or {}
    if "shown" not in kept and kept.get("crs") != LONLAT:
        return None
    return {"shape": json.loads(kept.get("shown") or kept["shape"]), "drawn": kept["drawn"]}


def area_panel(page: Page, view: MapView) -> None:
    """The panel beside the map."""
    kept = st.session_state.get(AREA) or {}
    area = None
    try:
        area = chosen_area()
    except AlmError as fault:
        st.error(plain_text(str(fault)))
    if "fault" in kept:
        st.error(plain_text(kept["fault"]))
    if area is None:
        st.info(page.t("area.empty"), icon=":material/draw:")
    else:
        st.button(page.t("area.clear"), icon=":material/close:", on_click=clear_area, type="tertiary")
        summary_part(page, view.left, kept)
    with st.expander(page.t("area.upload"), icon=":material/upload_file:", expanded="fault" in kept):
        st.file_uploader(
            page.t("area.file"),
            type=["geojson", "json", "gpkg"],
            key=UPLOADED,
            on_change=take_upload,
            max_upload_size=LARGEST_UPLOAD_MB,
        )
    export_part(page, view.left, area)


# ---- sums ---------------------------------------------------------------------------------------------------------------


def summary_part(page: Page, view: LayerView, kept: dict[str, Any]) -> None:
    """What the map says of the area."""
    try:
        thickness = choose_thickness(page, view)
        scenario = view.scenario if view.layer.id == "fused" else None
        summary = _summarise(
            page.run, kept["shape"], kept["crs"], view.layer.id, scenario, view.slice, thickness, scenario_stamp(page, scenario)
        )
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        return
    st.markdown(f"**{plain_text(view.title)}**")
    if summary.valid == 0:
        st.warning(page.t("area.nothing", cells=f"{summary.cells:,}"))
        return
    numbers_part(page, summary)
    if summary.classes:
        show(classes_figure(page, summary), key="map-area-classes", height=240)
    else:
        show(histogram_figure(page, view, summary), key="map-area-histogram", height=240)
        quantiles_part(page, summary)
    if summary.water is not None:
        water_part(page, summary)
    if view.slice is not None and view.layer.id == "fused" and summary.mean is not None:
        series_part(page, view, kept, few_cells=summary.cells <= FEW_CELLS)
    st.download_button(
        page.t("area.table"),
        summary_csv(summary),
        file_name="area_summary.csv",
        mime="text/csv",
        icon=":material/table:",
        on_click="ignore",
        width="stretch",
    )
    help_box(page, "interval", "aoa", "water_volume")


@st.cache_resource(max_entries=50, show_spinner=False, hash_funcs={Run: lambda run: (str(run.folder), run.id)})
def _summarise(
    run: Run,
    shape: str,
    crs: str | None,
    layer: str,
    scenario: str | None,
    slice: str | None,
    thickness: Thickness | None,
    stamp: str,
) -> AreaSummary:
    """Read-only: kept so that moving a widget does not read the map again."""
    area = make_area(json.loads(shape), crs=crs)
    return summarise(run, area, layer=layer, scenario=scenario, slice=slice, thickness=thickness)


def numbers_part(page: Page, summary: AreaSummary) -> None:
    """Mean with its interval, area, and how much of it lies outside the area of applicability."""
    if summary.mean is not None:
        st.metric(page.t("area.mean"), with_unit(summary.mean, summary.unit), help=page.t("area.interval_help"))
    if summary.lower is not None:
        interval = interval_text(summary.lower, summary.upper, summary.unit)
        st.markdown(page.t("interval", level=percent(summary.level), interval=interval))
    size = with_unit(summary.valid_area_km2, "km2", 4)
    st.markdown(page.t("area.size", size=size, share=percent(summary.valid / summary.cells), cells=f"{summary.valid:,}"))
    if summary.outside_share is not None:
        text = page.t("area.outside", share=percent(summary.outside_share, 1))
        (st.warning if summary.outside_share > 0.1 else st.success)(text, icon=":material/rule:")


def series_part(page: Page, view: LayerView, kept: dict[str, Any], *, few_cells: bool) -> None:
    """The mean of the area in every slice; a large area is read once per slice, so somebody has to ask for it."""
    if not st.toggle(page.t("series.area"), few_cells, key="map-area-series-on"):
        return
    with st.spinner(page.t("series.reading")):
        series = _series(page.run, kept["shape"], kept["crs"], view.scenario, scenario_stamp(page, view.scenario))
    if series is None:
        return
    figure = series_figure(page, series.first_years, series.last_years, series.mean, series.lower, series.upper, series.names)
    show(figure, key="map-area-series", height=230)
    st.caption(page.t("series.area_help"))
    table = pd.DataFrame(series.to_dict())
    st.download_button(
        page.t("series.table"),
        table.to_csv(index=False),
        file_name="area_periods.csv",
        mime="text/csv",
        icon=":material/table:",
        on_click="ignore",
        width="stretch",
    )


@st.cache_resource(max_entries=20, show_spinner=False, hash_funcs={Run: lambda run: (str(run.folder), run.id)})
def _series(run: Run, shape: str, crs: str | None, scenario: str | None, stamp: str) -> AreaSeries | None:
    """Read-only: kept so that moving a widget does not read every slice again."""
    return area_series(run, make_area(json.loads(shape), crs=crs), scenario=scenario)


def histogram_figure(page: Page, view: LayerView, summary: AreaSummary) -> go.Figure:
    """Area by value, the mean as a line."""
    bins = list(pairwise(summary.histogram_edges))
    figure = go.Figure(
        go.Bar(
            x=[(low + high) / 2 for low, high in bins],
            y=summary.histogram_km2,
            width=[high - low for low, high in bins],
            marker={"color": COLOURS["fused"], "line": {"width": 0}},
            hovertemplate="%{x:.4g}: %{y:.4g} km²<extra></extra>",
        )
    )
    figure.add_vline(summary.mean, line={"color": COLOURS["text"], "width": 1.5, "dash": "dot"})
    figure.update_layout(
        xaxis={"title": axis_title(page.t("value"), summary.unit), "nticks": 5},
        yaxis={"title": axis_title(page.t("area.area"), "km2"), "nticks": 5},
        margin={"l": 8, "r": 8, "t": 10, "b": 40},
        bargap=0,
    )
    return figure


def classes_figure(page: Page, summary: AreaSummary) -> go.Figure:
    """Area of each class."""
    figure = go.Figure(
        go.Bar(
            x=list(summary.classes.values()),
            y=list(summary.classes),
            orientation="h",
            marker={"color": COLOURS["fused"]},
            hovertemplate="%{y}: %{x:.4g} km²<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"title": axis_title(page.t("area.area"), "km2"), "nticks": 5}, margin={"l": 8, "r": 8, "t": 10, "b": 40}
    )
    return figure


def quantiles_part(page: Page, summary: AreaSummary) -> None:
    """Five quantiles and the spread as a small table."""
    rows = [(percent(share), with_unit(value, summary.unit)) for share, value in summary.quantiles.items()]
    rows.append((page.t("area.sd"), with_unit(summary.sd, summary.unit)))
    st.dataframe(pd.DataFrame(rows, columns=[page.t("area.quantile"), page.t("value")]), hide_index=True, key="map-quantiles")


# ---- water --------------------------------------------------------------------------------------------------------------


def choose_thickness(page: Page, view: LayerView) -> Thickness | None:
    """How thick the layer is whose water is asked for; only a map of volumetric water content has water."""
    if view.layer.id != "fused" or view.layer.unit not in VOLUMETRIC_UNITS:
        return None
    if not st.toggle(page.t("water_volume.on"), key="map-water-volume"):
        return None
    covariates = thickness_covariates(page.run)
    source = BY_NUMBER
    if covariates:
        hold_choice("map-thickness-source", [BY_NUMBER, *covariates])
        source = st.selectbox(
            page.t("water_volume.source"),
            [BY_NUMBER, *covariates],
            format_func=lambda name: page.t("water_volume.number") if name == BY_NUMBER else name.replace("_", " "),
            key="map-thickness-source",
        )
    first, second = st.columns(2)
    error = second.number_input(page.t("water_volume.sd"), 0.0, 100.0, 0.2, 0.05, key="map-thickness-sd")
    if source != BY_NUMBER:
        return Thickness(covariate=source, sd_metres=error)
    metres = first.number_input(page.t("water_volume.metres"), 0.01, 1000.0, 2.0, 0.1, key="map-thickness")
    return Thickness(metres=metres, sd_metres=error)


def thickness_covariates(run: Run) -> list[str]:
    """Covariates in metres; heights of the terrain are no thickness."""
    stack = Stack.open(run.folder / "covariates")
    return [name for name in stack.names if stack.units[name].strip().lower() in METRES and stack.groups[name] != "terrain"]


def water_part(page: Page, summary: AreaSummary) -> None:
    """Water column and volume with their intervals."""
    water = summary.water
    first, second = st.columns(2)
    first.metric(page.t("water_volume.column"), with_unit(water.millimetres, "mm"))
    second.metric(page.t("water_volume.volume"), with_unit(water.cubic_kilometres, "km3"))
    if water.lower_cubic_kilometres is not None:
        interval = interval_text(water.lower_cubic_kilometres, water.upper_cubic_kilometres, "km3")
        st.markdown(page.t("interval", level=percent(summary.level), interval=interval))


def summary_csv(summary: AreaSummary) -> str:
    """The summary as a table of name, value and unit."""
    found = summary.to_dict()
    rows = [(name, value) for name, value in found.items() if isinstance(value, str | int | float)]
    rows += [(f"quantile_{share}", value) for share, value in found["quantiles"].items()]
    rows += [(f"class_km2_{label}", value) for label, value in found["classes"].items()]
    rows += [(f"water_{name}", value) for name, value in (found["water"] or {}).items()]
    bins = zip(pairwise(summary.histogram_edges), summary.histogram_km2, strict=True)
    rows += [(f"histogram_km2 {low:.6g} to {high:.6g}", size) for (low, high), size in bins]
    return pd.DataFrame(rows, columns=["name", "value"]).to_csv(index=False)
