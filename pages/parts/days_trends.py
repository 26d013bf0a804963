"""Onset, thaw, frozen days and transitions as a whole: means of every freezing year, trends, and how much of them is chance."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import streamlit as st

from alm_core.inspection.days import PHENOLOGY_NAMES, DayMaps, day_maps, first_month, onset_date
from pages.parts.days_map import year_name
from pages.parts.frame import Page
from pages.parts.numbers import DASH, fixed, percent


def trends_part(page: Page) -> None:
    """Means of the years, then a row for each quantity with a trend."""
    maps = day_maps(page.run)
    means = means_table(page, maps)
    if means is not None:
        st.subheader(page.t("means.title"), anchor=False)
        st.dataframe(means, hide_index=True, width="stretch", key="days-means")
        st.caption(page.t("means.note"))
    fields = field_facts(maps)
    if fields:
        st.subheader(page.t("trend.title"), anchor=False)
        st.dataframe(trends_table(page, fields), hide_index=True, width="stretch", key="days-trends")
        least = min(field.get("smallest_p_value") or 0.0 for field in fields.values())
        level = max(field.get("significance") or 0.0 for field in fields.values())
        st.caption(page.t("trend.few", least=fixed(least, 3)) if least > level else page.t("trend.note"))


def means_table(page: Page, maps: DayMaps) -> pd.DataFrame | None:
    """A row for each freezing year, onsets as dates; None where the run has no means."""
    facts = maps.facts.get("phenology") or {}
    years, means = facts.get("years") or [], facts.get("means") or {}
    month = first_month(page.run)
    rows = []
    for place, year in enumerate(years):
        row = {page.t("place.year"): year_name(str(year), month)}
        for name in PHENOLOGY_NAMES:
            values = means.get(name) or []
            row[page.t(f"layer.{name}")] = mean_text(name, values[place] if place < len(values) else None, str(year), month)
        rows.append(row)
    return pd.DataFrame(rows) if rows and means else None


def mean_text(name: str, value: float | None, year: str, month: int) -> str:
    """A mean as people read it: a date for an onset.

    Examples
    --------
    >>> mean_text("freeze_onset", 100.4, "2015", 7), mean_text("transitions", 2.26, "2015", 7)
    ('2015-10-09', '2.3')
    """
    if value is None or not math.isfinite(value):
        return DASH
    if name.endswith("_onset"):
        day = onset_date(value, year, month)
        return DASH if day is None else day.isoformat()
    return fixed(value, 1)


def field_facts(maps: DayMaps) -> dict[str, dict[str, Any]]:
    """What the map stage says of each trend as a whole."""
    found = maps.facts.get("field_significance") or {}
    return {name: found[name] for name in PHENOLOGY_NAMES if isinstance(found.get(name), dict)}


def trends_table(page: Page, fields: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Mean slope, parts of the cells with a significant one, and the part that is left when the field is tested as a whole."""
    rows = []
    for name, facts in fields.items():
        unit = page.t("unit.per_decade", unit=page.t("unit.changes" if name == "transitions" else "unit.days"))
        rows.append(
            {
                page.t("trend.quantity"): page.t(f"layer.{name}"),
                page.t("trend.slope"): f"{signed(facts.get('mean_per_decade'))} {unit}",
                page.t("trend.rising"): percent(facts.get("rising_share"), 1),
                page.t("trend.falling"): percent(facts.get("falling_share"), 1),
                page.t("trend.field"): percent(facts.get("significant_share_controlled"), 1),
            }
        )
    return pd.DataFrame(rows)


def signed(value: float | None) -> str:
    """A slope with its sign.

    Examples
    --------
    >>> signed(-2.34), signed(0.5), signed(-0.01), signed(None)
    ('−2.3', '+0.5', '0.0', '–')
    """
    if value is None or not math.isfinite(value):
        return DASH
    value = round(value, 1)
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{abs(value):.1f}"
