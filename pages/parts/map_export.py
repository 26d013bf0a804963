"""What can be taken home from the map: GeoTIFF, table of cells, figure for print. Each is a job with its progress."""

from __future__ import annotations

from typing import Any

import streamlit as st

from alm_core.errors import AlmError
from alm_core.jobs import find_job, submit
from alm_core.mapping.area import Area
from alm_core.serving.change_layers import CHANGE_GROUP
from pages.parts.frame import Page, workspace
from pages.parts.job_panel import job_panel
from pages.parts.map_layers import FUSED, LayerView
from pages.parts.plain_text import plain_text

FORMATS = {"tif": "export", "csv": "export", "png": "figure", "pdf": "figure"}


def export_part(page: Page, view: LayerView, area: Area | None) -> None:
    """Choice of the file and the job that makes it."""
    st.markdown(f"**{page.t('export.title')}**")
    st.caption(page.t("export.area") if area is not None else page.t("export.whole"))
    chosen = st.segmented_control(
        page.t("export.format"),
        list(FORMATS),
        format_func=lambda name: page.t(f"format.{name}"),
        default="tif",
        required=True,
        key="map-format",
        label_visibility="collapsed",
        width="stretch",
        wrap=False,
    )
    st.caption(page.t(f"format_help.{help_name(page, view, chosen)}"))
    if st.button(page.t("export.start"), type="primary", icon=":material/download:", key="map-export", width="stretch"):
        start_export(page, view, area, chosen)
    show_job(page, ("export", "figure"))


def help_name(page: Page, view: LayerView, chosen: str) -> str:
    """Which explanation of a format fits: a GeoTIFF of members, of a covariate or of classes has other bands."""
    layer = exported_layer(view)
    if chosen != "tif":
        return chosen
    if layer.startswith("covariate:"):
        return "tif_covariate"
    if layer in ("members", CHANGE_GROUP):
        return f"tif_{layer}"
    return "tif" if page.regression else "tif_classes"


def start_export(page: Page, view: LayerView, area: Area | None, chosen: str) -> None:
    """Submit the job of the chosen format."""
    spec: dict[str, Any] = {"study": page.run.folder.parent.name, "run": page.run.id}
    if area is not None:
        spec["area"] = area_geojson(area)
    if FORMATS[chosen] == "figure":
        spec |= {"formats": [chosen], "layer": view.layer.key, "lang": page.lang}
        if view.layer.kind == "continuous":
            spec |= {"palette": view.palette, "low": view.low, "high": view.high}
    else:
        spec |= {"format": chosen, "layer": exported_layer(view) if chosen == "tif" else FUSED}
        if view.slice is not None and spec["layer"] != CHANGE_GROUP:
            spec["slice"] = view.slice
    if view.scenario is not None and view.layer.id == FUSED and spec["layer"] in (FUSED, view.layer.key):
        spec["scenario"] = view.scenario
    start_job(page, FORMATS[chosen], spec)


def exported_layer(view: LayerView) -> str:
    """Layer of the GeoTIFF: what is shown where it has a file of its own, else the fused value with its bounds and trust."""
    if view.layer.group == "members":
        return "members"
    if view.layer.id.startswith("probability:"):
        return "probability"
    if view.layer.group == CHANGE_GROUP:
        return CHANGE_GROUP
    return view.layer.id if view.layer.group == "covariates" else FUSED


def area_geojson(area: Area) -> dict[str, Any]:
    """GeoJSON of an area; its CRS goes along where it is not longitude and latitude."""
    found = area.to_dict()
    crs = {} if found["crs"] == "EPSG:4326" else {"crs": {"type": "name", "properties": {"name": found["crs"]}}}
    return {"type": "Feature", "properties": {}, "geometry": found["geometry"], **crs}


def start_job(page: Page, kind: str, spec: dict[str, Any]) -> None:
    """Start a job; the address remembers it, so that a reload finds it again."""
    try:
        job = submit(workspace(), kind, **spec)
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        return
    st.query_params["job"] = job.id
    st.toast(page.t("export.started"), icon=":material/hourglass_top:")


def show_job(page: Page, kinds: tuple[str, ...]) -> None:
    """The job of the address, where it is of these kinds: each panel shows its own."""
    id = st.query_params.get("job")
    if not id:
        return
    try:
        kind = find_job(workspace(), id).kind
    except AlmError:
        return
    if kind in kinds:
        job_panel(page, id)
