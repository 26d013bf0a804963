"""The table of the sites, linked with the figures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from pages.parts.charts import axis_title
from pages.parts.frame import Page
from pages.parts.numbers import unit_text
from pages.parts.sites_charts import method_label
from pages.parts.sites_data import UNCHANGED, numeric
from pages.parts.sites_selection import state, take_from_table

HEIGHT = 380
FILTERS = ("all", "kept", "removed", "changed", "chosen")


def draw_table(page: Page, sites: pd.DataFrame, chosen: Sequence[str]) -> None:
    """The table with a filter above it; marked rows are the chosen sites."""
    kinds = {
        "all": pd.Series(True, index=sites.index),
        "kept": sites["kept"].astype(bool),
        "removed": ~sites["kept"].astype(bool),
        "changed": sites["change"] != UNCHANGED,
        "chosen": sites["site_id"].isin(set(chosen)),
    }
    kind = st.segmented_control(
        page.t("table.filter"),
        FILTERS,
        format_func=lambda name: f"{page.t(f'filter.{name}')} ({int(kinds[name].sum())})",
        default="all",
        required=True,
        key="sites.filter",
        label_visibility="collapsed",
    )
    now = state(page)
    rows = sites[kinds[kind]]
    rows = rows.assign(on_top=~rows["site_id"].isin(set(now["first"]))).sort_values("on_top", kind="stable")
    if rows.empty:
        st.info(page.t("table.empty"), icon=":material/info:")
        return
    ids = rows["site_id"].tolist()
    key = f"sites.table.{page.run.id}.{kind}.{now['generation']}.{len(ids)}"
    marked = [place for place, site in enumerate(ids) if site in set(chosen)]
    st.dataframe(
        table_columns(page, rows),
        key=key,
        height=HEIGHT,
        hide_index=True,
        column_config=column_settings(page, rows),
        on_select=partial(take_from_table, page, key, ids),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": marked}},
    )


def table_columns(page: Page, rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of the table in their order; those that the study does not know are left out."""
    methods = rows["method"].map(lambda name: method_label(page, str(name)), na_action="ignore") if "method" in rows else None
    columns: dict[str, Any] = {
        "site_id": rows["site_id"],
        "kept": rows["kept"].astype(bool),
        "value": rows["value"],
        "reason": rows["reason"] if rows["reason"].any() else None,
        "uncertainty": rows.get("uncertainty"),
        "method": methods,
        "date": rows.get("date"),
        "survey": rows.get("survey"),
        "depth": rows["depth"],
        "longitude": rows["longitude"],
        "latitude": rows["latitude"],
    }
    known = {name: column for name, column in columns.items() if column is not None and column.notna().any()}
    return pd.DataFrame(known)


def column_settings(page: Page, rows: pd.DataFrame) -> dict[str, Any]:
    """Headings with units, and digits."""
    unit = unit_text(page.unit)
    value = st.column_config.NumberColumn(axis_title(page.options.target.name, page.unit), format="%.3f" if unit else "%.4g")
    return {
        "site_id": st.column_config.TextColumn(page.t("column.site"), pinned=True),
        "kept": st.column_config.CheckboxColumn(page.t("column.kept"), width="small"),
        "value": value if numeric(rows) and page.regression else st.column_config.Column(page.options.target.name),
        "uncertainty": st.column_config.NumberColumn(axis_title(page.t("column.uncertainty"), page.unit), format="%.3f"),
        "method": st.column_config.TextColumn(page.t("column.method")),
        "date": st.column_config.DateColumn(page.t("column.date"), format="YYYY-MM-DD"),
        "survey": st.column_config.TextColumn(page.t("column.survey")),
        "depth": st.column_config.NumberColumn(axis_title(page.t("column.depth"), "m"), format="%.2f"),
        "longitude": st.column_config.NumberColumn(f"{page.t('column.longitude')} (°)", format="%.4f"),
        "latitude": st.column_config.NumberColumn(f"{page.t('column.latitude')} (°)", format="%.4f"),
        "reason": st.column_config.TextColumn(page.t("column.reason"), width="medium"),
    }
