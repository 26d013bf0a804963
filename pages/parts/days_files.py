"""What can be taken home from a run of days: the day that is shown, the yearly files; and what the daily files held."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from alm_core.inspection.days import open_cubes
from alm_core.inspection.days_files import year_files
from alm_core.serving.urls import day_file_url, day_tiff_url
from pages.parts.columns import narrow_columns
from pages.parts.days_place import variable_name
from pages.parts.frame import Page
from pages.parts.numbers import DASH, number, unit_text

MEGABYTE = 2**20
FILES_IN_A_ROW = 4
FACTS = ("files", "days_missing", "days_empty", "out_of_range", "minimum", "maximum", "valid", "regridding", "grid")
"""What is told of the reading of a variable, in this order."""


def day_button(page: Page, day: date) -> None:
    """The day that is shown, as GeoTIFF."""
    st.link_button(page.t("files.day", day=day.isoformat()), day_tiff_url(page.run, day.isoformat()), icon=":material/download:")


def files_view(page: Page) -> None:
    """The yearly files, and what was found in the files that were read."""
    st.subheader(page.t("files.title"), anchor=False)
    files = year_files(page.run)
    if files:
        st.caption(page.t("files.text"))
        columns = narrow_columns("days-files", per_row=2).columns(FILES_IN_A_ROW)
        for place, one in enumerate(files):
            label = f"{one.path.name} · {one.size / MEGABYTE:.1f} MB"
            columns[place % FILES_IN_A_ROW].link_button(
                label, day_file_url(page.run, one.path.name), icon=":material/download:", width="stretch"
            )
    else:
        st.caption(page.t("files.none"))
    st.subheader(page.t("found.title"), anchor=False)
    st.caption(page.t("found.text"))
    st.dataframe(found_table(page), hide_index=True, width="stretch", key="days-found")


def found_table(page: Page) -> pd.DataFrame:
    """A row for each daily variable: what it is, and every count that the reading of its files gave."""
    store = open_cubes(page.run)
    rows = []
    for variable in store.variables:
        facts = store.facts.get(variable.name) or {}
        counts = {page.t(f"found.{key}"): found_text(facts[key]) for key in FACTS if key in facts}
        head = {page.t("found.variable"): variable_name(page, variable), page.t("found.unit"): unit_text(variable.unit)}
        rows.append(head | counts)
    return pd.DataFrame(rows).fillna(DASH)


def found_text(value: object) -> str:
    """A fact as text: counts in full, values with three digits."""
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if isinstance(value, int) else DASH if value is None else str(value)
