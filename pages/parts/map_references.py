"""Published maps beside our own: bring one, look at it as a layer, see how far the two agree."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from alm_core.errors import AlmError
from alm_core.publishing.references import Comparison, Reference, add_reference, compare, delete_reference, list_references
from alm_core.uploads.raster import receive_raster
from alm_core.workspace import Run
from pages.parts.frame import Page
from pages.parts.map_layers import LayerView
from pages.parts.map_place import scenario_stamp
from pages.parts.numbers import fixed, percent, with_unit
from pages.parts.plain_text import plain_text

FILE, NAME, UNIT, SOURCE, SCALE = (f"map-reference-{part}" for part in ("file", "name", "unit", "source", "scale"))
FAULT, COMPARED = "map-reference-fault", "map-reference-compared"


def references_part(page: Page, view: LayerView) -> None:
    """Published maps of the study: agreement with the shown layer, and a form for a new one."""
    st.markdown(f"**{page.t('reference.title')}**")
    st.caption(page.t("reference.help"))
    known = {reference.id: reference for reference in list_references(page.run)}
    if known:
        agreement_part(page, view, known)
    else:
        st.info(page.t("reference.empty"), icon=":material/public:")
    with st.expander(page.t("reference.add"), icon=":material/upload_file:", expanded=FAULT in st.session_state):
        add_form(page)


def agreement_part(page: Page, view: LayerView, known: dict[str, Reference]) -> None:
    """Choice of a published map and how it agrees with the shown layer."""
    id = st.selectbox(page.t("reference.which"), list(known), format_func=lambda id: known[id].name, key="map-reference")
    if known[id].source:
        st.caption(plain_text(known[id].source))
    layer = view.layer.id if view.layer.group != "references" else "fused"
    scenario = view.scenario if layer == "fused" else None
    first, second = st.columns(2)
    if first.button(page.t("reference.compare"), icon=":material/balance:", width="stretch"):
        st.session_state[COMPARED] = (id, layer, scenario)
    second.button(page.c("delete"), icon=":material/delete:", on_click=remove, args=(page.run, id), width="stretch")
    if st.session_state.get(COMPARED) != (id, layer, scenario):
        return
    try:
        with st.spinner(page.t("reference.comparing")):
            found = _compare(page.run, id, layer, scenario, (scenario_stamp(page, scenario), known[id].path.stat().st_mtime_ns))
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        return
    agreement_numbers(page, found)


@st.cache_resource(max_entries=20, show_spinner=False, hash_funcs={Run: lambda run: (str(run.folder), run.id)})
def _compare(run: Run, id: str, layer: str, scenario: str | None, stamp: tuple[str, int]) -> Comparison:
    """Read-only: kept so that moving a widget does not read both maps again."""
    return compare(run, id, layer=layer, scenario=scenario)


def agreement_numbers(page: Page, found: Comparison) -> None:
    """The numbers of a comparison, of values or of classes."""
    first, second = st.columns(2)
    if found.scores:
        first.metric(page.c("metric.overall_accuracy"), percent(found.scores["overall_accuracy"]))
        second.metric(page.c("metric.kappa"), fixed(found.scores["kappa"]))
        first.metric(page.t("reference.quantity"), percent(found.scores["quantity_disagreement"]))
        second.metric(page.t("reference.allocation"), percent(found.scores["allocation_disagreement"]))
    else:
        first.metric(page.t("reference.correlation"), fixed(found.correlation))
        second.metric(page.t("reference.rmse"), with_unit(found.rmse, found.unit, 2))
        first.metric(page.t("reference.difference"), with_unit(found.mean_difference, found.unit, 2))
        second.metric(page.t("reference.spread"), fixed(found.sd / found.reference_sd if found.reference_sd else None))
    size = with_unit(found.area_km2, "km2", 3)
    st.caption(page.t("reference.cells", cells=f"{found.cells:,}", size=size, only=with_unit(found.only_map_km2, "km2", 3)))
    if found.notes:
        st.caption(page.t("reference.no_unit"))


def add_form(page: Page) -> None:
    """The form for a new published map."""
    if FAULT in st.session_state:
        st.error(plain_text(st.session_state[FAULT]))
    with st.form("map-reference-form", border=False):
        st.file_uploader(page.t("reference.file"), type=["tif", "tiff"], key=FILE)
        st.text_input(page.t("reference.name"), key=NAME, max_chars=120)
        st.text_input(page.t("reference.source"), key=SOURCE, max_chars=500)
        if page.regression:
            first, second = st.columns(2)
            first.text_input(page.t("reference.unit"), page.unit, key=UNIT, max_chars=40)
            second.number_input(page.t("reference.scale"), value=1.0, format="%g", key=SCALE, help=page.t("reference.scale_help"))
        st.form_submit_button(page.t("reference.keep"), on_click=take_reference, args=(page,), width="stretch")


def take_reference(page: Page) -> None:
    """Keep the map of the form; its fault is kept to be shown in the form."""
    state: Any = st.session_state
    state.pop(FAULT, None)
    if state.get(FILE) is None or not (state.get(NAME) or "").strip():
        state[FAULT] = page.t("reference.incomplete")
        return
    values = {"name": state[NAME].strip(), "source": state[SOURCE] or ""}
    if page.regression:
        values |= {"unit": state[UNIT] or "", "scale": state[SCALE]}
    else:
        values |= {"kind": "category"}
    try:
        keep_bytes(page.run, state[FILE].getvalue(), **values)
    except AlmError as fault:
        state[FAULT] = str(fault)


def keep_bytes(run: Run, content: bytes, **values: Any) -> Reference:
    """Keep an uploaded raster; neither its name nor anything beside it is used."""
    with tempfile.TemporaryDirectory(prefix="alm-reference-") as folder:
        return add_reference(run, receive_raster(content, "reference.tif", Path(folder)), **values)


def remove(run: Run, id: str) -> None:
    """Remove a published map from the study."""
    try:
        delete_reference(run, id)
    except AlmError as fault:
        st.session_state[FAULT] = str(fault)
