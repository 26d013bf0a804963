"""Layers that are added to a run: SHAP maps, and published maps to compare with."""

from __future__ import annotations

import streamlit as st

from alm_core.serving.catalogue import layers
from pages.parts.frame import Page, help_box
from pages.parts.map_export import show_job, start_job
from pages.parts.map_layers import LayerView
from pages.parts.map_references import references_part
from pages.parts.plain_text import plain_text


def additions_panel(page: Page, view: LayerView) -> None:
    """The panel beside the map."""
    shap_part(page)
    st.divider()
    references_part(page, view)


def shap_part(page: Page) -> None:
    """Maps of what each covariate adds to the value; a job, because each cell is explained."""
    st.markdown(f"**{page.t('shap.title')}**")
    st.caption(page.t("shap.help"))
    if not page.regression:
        st.info(page.t("shap.classes"), icon=":material/info:")
        return
    known = [layer.name for layer in layers(page.run) if layer.group == "shap"]
    if known:
        names = plain_text(", ".join(name.replace("_", " ") for name in known))
        st.success(page.t("shap.there", names=names), icon=":material/check:")
    label = page.t("shap.again") if known else page.t("shap.start")
    if st.button(label, icon=":material/insights:", key="map-shap", width="stretch"):
        start_job(page, "shap_layers", {"study": page.run.folder.parent.name, "run": page.run.id})
    show_job(page, ("shap_layers",))
    help_box(page, "shap")
