"""The field sites: where they are, which are used and why, and what other thresholds would change."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from alm_core.errors import AlmError
from alm_core.inspection.screening_preview import ScreeningPreview
from pages.parts.charts import COLOURS
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, help_box, open_page
from pages.parts.plain_text import plain_text
from pages.parts.site_map import Colouring, site_map
from pages.parts.sites_charts import draw_charts, group_colours, method_label
from pages.parts.sites_data import IN, OUT, UNCHANGED, load_basis, load_preview, site_frame
from pages.parts.sites_profile import draw_profile
from pages.parts.sites_selection import choose_sites, chosen_sites, take_from_chart
from pages.parts.sites_study import StudyState, read_study, rerun_panel, study_panel
from pages.parts.sites_table import draw_table
from pages.parts.sites_thresholds import threshold_panel, write_counts

MAP = "sites.map"
NAMED_SITES = 12
CHANGE_COLOURS = {UNCHANGED: "#9aa7b0", OUT: COLOURS["removed"], IN: "#009e73"}


def preview_of(page: Page, study: StudyState, values: dict[str, Any]) -> ScreeningPreview:
    """The sites under the thresholds of the page and the verdicts by hand of the study; as in the run where these don't fit."""
    by_hand = {"keep": study.screening.keep, "exclude": dict(study.screening.exclude)}
    try:
        return load_preview(str(page.run.folder), values | by_hand)
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        return load_preview(str(page.run.folder), {})


def draw_counts(page: Page, preview: ScreeningPreview, chosen: tuple[str, ...]) -> None:
    """How many sites there are, were used and would be."""
    with narrow_columns("sites-counts", per_row=2):
        columns = st.columns(4)
    difference = preview.kept_after - preview.kept_before
    columns[0].metric(page.t("count.table"), len(preview.sites))
    columns[1].metric(page.t("count.run"), preview.kept_before)
    columns[2].metric(page.t("count.now"), preview.kept_after, delta=difference or None, help=page.t("count.now_help"))
    columns[3].metric(page.t("count.chosen"), len(chosen))


def draw_changes(page: Page, preview: ScreeningPreview) -> None:
    """Which sites would go out or come in."""
    for name, sites in (("out", preview.changed[~preview.changed["kept"]]), ("in", preview.changed[preview.changed["kept"]])):
        if len(sites):
            names = ", ".join(sites["site_id"].astype(str).head(NAMED_SITES)) + (", …" if len(sites) > NAMED_SITES else "")
            st.markdown(f"**{page.t(f'change.{name}')} ({len(sites)}):** {plain_text(names)}")


def colourings(page: Page, sites: pd.DataFrame) -> dict[str, Colouring]:
    """What the colour of the map can stand for."""
    found = {"value": Colouring("value", page.options.target.name, page.unit)}
    if not page.regression:
        found["value"] = Colouring("value", page.options.target.name, kind="category")
    if "method" in sites and sites["method"].notna().any():
        colours = group_colours(sites)
        names = {name: method_label(page, name) for name in colours if name != "unknown"}
        found["method"] = Colouring("method", page.t("column.method"), kind="category", names=names, colours=colours)
    if "survey" in sites and 1 < sites["survey"].nunique() <= 20:
        found["survey"] = Colouring("survey", page.t("column.survey"), kind="category")
    if sites["year"].notna().any():
        found["year"] = Colouring("year", page.t("column.year"), palette="batlow")
    rules = {name: page.t(f"rule.{name}") for name in dict.fromkeys(sites.loc[~sites["kept"].astype(bool), "rule"])}
    verdicts = {"kept": page.t("verdict.kept"), **rules}
    found["verdict"] = Colouring(
        "verdict", page.t("column.verdict"), kind="category", names=verdicts, colours={"kept": "#9aa7b0"}, removed_too=True
    )
    changes = {name: page.t(f"change.{name}") for name in CHANGE_COLOURS}
    found["change"] = Colouring(
        "change", page.t("column.change"), kind="category", names=changes, colours=CHANGE_COLOURS, removed_too=True
    )
    return found


def draw_map(page: Page, sites: pd.DataFrame, chosen: tuple[str, ...]) -> None:
    """The map and what its colour stands for."""
    kinds = colourings(page, sites)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        kind = st.segmented_control(
            page.t("colour"),
            list(kinds),
            format_func=lambda name: page.t(f"colour_by.{name}"),
            default="value",
            required=True,
            key="sites.colour",
            label_visibility="collapsed",
        )
        st.button(
            page.t("clear"),
            key="sites.clear",
            icon=":material/deselect:",
            disabled=not chosen,
            on_click=choose_sites,
            args=(page, ()),
        )
    hover = {name: (page.t(f"column.{name}"), "") for name in ("method", "survey", "date") if name in sites}
    if kind != "value":
        hover = {"value": (page.options.target.name, page.unit), **hover}
    site_map(
        page,
        page.run,
        sites,
        colour=kinds[kind],
        hover=hover,
        selected=chosen,
        key=MAP,
        on_select=partial(take_from_chart, page, MAP),
        removed_label=page.t("verdict.removed"),
        alt=page.t("map_alt"),
    )
    nowhere = int((sites["longitude"].isna() | sites["latitude"].isna()).sum())
    note = f" {page.t('nowhere', count=nowhere)}" if nowhere else ""
    st.caption(f"{page.t('pick')}{note}")


def draw_page(page: Page) -> None:
    """Thresholds first, because everything above them shows what they do."""
    with st.spinner(page.t("reading")):
        basis = load_basis(str(page.run.folder))
    study = read_study(page)
    chosen = chosen_sites(page)
    counts, above = st.container(), st.container()
    names = [page.t("tab.screening"), page.t("tab.table"), page.t("tab.site")]
    screening, table, one = st.tabs(names, key="sites.tab", on_change="rerun")
    with screening:
        help_box(page, "screening")
        panel = threshold_panel(page, basis, study.screening.model_dump())
        preview = preview_of(page, study, panel.values)
        write_counts(panel, preview.counts)
        draw_changes(page, preview)
        study_panel(page, study, panel.values)
        rerun_panel(page, study)
        for note in preview.notes:
            st.caption(plain_text(note))
    sites = site_frame(page, basis, preview)
    with counts:
        draw_counts(page, preview, chosen)
    with above:
        draw_map(page, sites, chosen)
        draw_charts(page, basis, sites, chosen)
    # Only the open tab is drawn; the thresholds always are, because they decide what all figures show.
    if table.open:
        with table:
            draw_table(page, sites, chosen)
    if one.open:
        with one:
            help_box(page, "analogues", "interval")
            draw_profile(page, sites, study)


page = open_page("sites", needs=("sites.parquet", "covariates/stack.json"))
try:
    draw_page(page)
except AlmError as fault:
    st.error(plain_text(str(fault)))
