"""The rules of the screening as sliders, each with the number of sites that it takes, live."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from alm_core.inspection.screening_preview import ScreeningBasis, threshold_range
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, run_key

SHARED = {"values": ("minimum", "maximum")}
"""Rules that one slider sets."""
Z_RANGE = (1.5, 10.0)
MOST_NEIGHBOURS = 100
MOST_CELLS = 20.0


@dataclass
class Panel:
    """The widgets of the rules while they are drawn.

    Attributes
    ----------
    page : Page
    basis : ScreeningBasis
    start : dict
        Screening options at which the widgets begin.
    values : dict
        What they say now.
    slots : dict
        Rule to the place where its count is written afterwards.
    """

    page: Page
    basis: ScreeningBasis
    start: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, Any] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """Session key of a widget."""
        return f"{prefix(self.page)}{name}"

    def widget(self, draw: Callable[..., Any], label: str, name: str, start: Any, **options: Any) -> Any:
        """Draw a widget that begins at `start` and keeps its state over pages."""
        st.session_state.setdefault(self.key(name), start)
        return draw(label, key=self.key(name), persist_state="session", **options)

    def head(self, rule: str, *, switch: bool | None = None) -> bool:
        """Name of a rule, its count, and a switch where it has one; gives whether the rule is on."""
        title, help_text = f"**{self.page.t(f'rule.{rule}')}**", self.page.t(f"rule_help.{rule}")
        on = True
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            if switch is None:
                st.markdown(title, help=help_text, width="content")
            else:
                on = self.widget(st.toggle, title, f"{rule}.on", switch, help=help_text)
            self.slots[rule] = st.empty()
        return on


def prefix(page: Page) -> str:
    """How the session keys of the thresholds of a run begin."""
    return f"sites.threshold.{run_key(page.run)}."


def reset_thresholds(page: Page) -> None:
    """Forget what the widgets say, so that they begin again."""
    for key in [key for key in st.session_state if str(key).startswith(prefix(page))]:
        del st.session_state[key]


def threshold_panel(page: Page, basis: ScreeningBasis, start: dict[str, Any]) -> Panel:
    """Draw the rules that the table of this study can answer."""
    panel = Panel(page, basis, start)
    rules: list[Callable[[Panel], None]] = [values_rule, outlier_rule, neighbour_rule, duplicate_rule]
    rules = [season_rule, years_rule, depth_rule, *rules, missing_rule, mask_rule, porosity_rule]
    drawn = [rule for rule in rules if ASKED[rule](basis)]
    with narrow_columns("sites-rules"):
        columns = st.columns(2, gap="medium")
    for position, rule in enumerate(drawn):
        with columns[position % 2], st.container(border=True):
            rule(panel)
    return panel


def write_counts(panel: Panel, counts: pd.DataFrame) -> None:
    """Fill the places of the counts: sites that each rule takes in the run, and now."""
    table = counts.set_index("rule")
    for rule, slot in panel.slots.items():
        before, after = table.loc[list(SHARED.get(rule, (rule,))), ["before", "after"]].sum()
        text = panel.page.t("takes", count=after) if before == after else panel.page.t("takes_now", before=before, after=after)
        slot.badge(text, color="gray" if before == after else "orange", width="content")


# ---- one rule each -------------------------------------------------------------------------------------------------------------


def season_rule(panel: Panel) -> None:
    """Months to keep; none marked: off."""
    panel.head("season")
    months = panel.widget(
        st.pills,
        panel.page.t("rule.season"),
        "months",
        list(panel.start["season_months"] or ()),
        options=list(range(1, 13)),
        selection_mode="multi",
        format_func=lambda month: panel.page.t(f"month.{month}"),
        label_visibility="collapsed",
    )
    panel.values["season_months"] = tuple(sorted(months)) if months else None


def years_rule(panel: Panel) -> None:
    """First and last year."""
    panel.head("years")
    low, high = threshold_range(panel.basis, "year")
    own = panel.start["first_year"], panel.start["last_year"]
    panel.values["first_year"], panel.values["last_year"] = between(panel, "years", int(low), int(high), own, step=1)


def values_rule(panel: Panel) -> None:
    """Smallest and largest value."""
    panel.head("values")
    low, high = threshold_range(panel.basis, "value")
    step = nice_step(high - low)
    own = panel.start["minimum"], panel.start["maximum"]
    bounds = math.floor(low / step) * step, math.ceil(high / step) * step
    panel.values["minimum"], panel.values["maximum"] = between(panel, "values", *bounds, own, step=step)


def depth_rule(panel: Panel) -> None:
    """Shallowest and deepest middle of the measured layer, m."""
    panel.head("depth")
    low, high = threshold_range(panel.basis, "depth")
    own = panel.start["depth_minimum_m"], panel.start["depth_maximum_m"]
    bounds = math.floor(low * 100) / 100, math.ceil(high * 100) / 100
    found = between(panel, "depths", *bounds, own, step=0.01)
    panel.values["depth_minimum_m"], panel.values["depth_maximum_m"] = found


def between(panel: Panel, name: str, low: Any, high: Any, own: tuple[Any, Any], *, step: Any) -> tuple[Any, Any]:
    """A slider with two ends. An end that was off and still stands at its stop is off."""
    low = min([low, *[end for end in own if end is not None]])
    high = max([high, *[end for end in own if end is not None]])
    if not low < high:
        return own
    start = low if own[0] is None else own[0], high if own[1] is None else own[1]
    decimals = max(0, -math.floor(math.log10(step)))
    first, last = panel.widget(
        st.slider,
        panel.page.t(f"slider.{name}"),
        name,
        start,
        min_value=low,
        max_value=high,
        step=step,
        format=f"%.{decimals}f" if isinstance(step, float) else "%d",
        label_visibility="collapsed",
    )
    return (None if own[0] is None and first <= low else first), (None if own[1] is None and last >= high else last)


def nice_step(span: float) -> float:
    """A round step of about a five-hundredth of a range.

    Examples
    --------
    >>> nice_step(0.86), nice_step(90.0)
    (0.001, 0.1)
    """
    return float(f"{10.0 ** math.floor(math.log10(span / 200)):.12g}") if span > 0 else 1.0


def outlier_rule(panel: Panel) -> None:
    """Robust z over all sites."""
    own = panel.start["outlier_z"]
    on = panel.head("outlier", switch=own is not None)
    value = z_slider(panel, "outlier_z", own if own is not None else 4.5, disabled=not on)
    panel.values["outlier_z"] = value if on else None


def neighbour_rule(panel: Panel) -> None:
    """Robust z against the sites with the most similar covariates."""
    own = panel.start["neighbour_z"]
    on = panel.head("neighbour_outlier", switch=own is not None)
    value = z_slider(panel, "neighbour_z", own if own is not None else 5.0, disabled=not on)
    most = max(MOST_NEIGHBOURS, panel.start["neighbours"])
    count = panel.widget(
        st.slider,
        panel.page.t("slider.neighbours"),
        "neighbours",
        panel.start["neighbours"],
        min_value=4,
        max_value=most,
        disabled=not on,
    )
    panel.values["neighbour_z"] = value if on else None
    panel.values["neighbours"] = count


def z_slider(panel: Panel, name: str, start: float, *, disabled: bool) -> float:
    """Robust standard deviations from the median."""
    low, high = min(Z_RANGE[0], start), max(Z_RANGE[1], start)
    return panel.widget(
        st.slider,
        panel.page.t("slider.z"),
        name,
        float(start),
        min_value=float(low),
        max_value=float(high),
        step=0.05,
        format="%.2f",
        disabled=disabled,
    )


def duplicate_rule(panel: Panel) -> None:
    """Sites of one cell, or nearer than so many cells; which of them is used."""
    own = panel.start["duplicate_distance_cells"]
    on = panel.head("duplicate", switch=own is not None)
    left, right = st.columns(2)
    with left:
        distance = panel.widget(
            st.number_input,
            panel.page.t("slider.duplicate_distance"),
            "duplicate_distance_cells",
            float(own or 0.0),
            min_value=0.0,
            max_value=max(MOST_CELLS, float(own or 0.0)),
            step=0.5,
            disabled=not on,
        )
    choices = ["median"] + ["newest"] * panel.basis.known("date") + ["least_uncertain"] * panel.basis.known("uncertainty")
    with right:
        choice = panel.widget(
            st.selectbox,
            panel.page.t("slider.duplicate_choice"),
            "duplicate_choice",
            panel.start["duplicate_choice"],
            options=list(dict.fromkeys([*choices, panel.start["duplicate_choice"]])),
            format_func=lambda name: panel.page.t(f"duplicate_choice.{name}"),
            disabled=not on,
        )
    panel.values["duplicate_distance_cells"] = distance if on else None
    panel.values["duplicate_choice"] = choice


def missing_rule(panel: Panel) -> None:
    """Largest part of the covariates that may be missing."""
    panel.head("missing_covariates")
    part = panel.widget(
        st.slider,
        panel.page.t("rule.missing_covariates"),
        "maximum_missing",
        float(panel.start["maximum_missing"]),
        min_value=0.0,
        max_value=1.0,
        step=0.01,
        format="percent",
        label_visibility="collapsed",
    )
    panel.values["maximum_missing"] = part


def mask_rule(panel: Panel) -> None:
    """Only sites whose cell is mapped."""
    panel.values["require_inside_mask"] = panel.head("outside_mask", switch=panel.start["require_inside_mask"])


def porosity_rule(panel: Panel) -> None:
    """No more water than pores."""
    panel.values["porosity_bound"] = panel.head("porosity", switch=panel.start["porosity_bound"])


def _regression(basis: ScreeningBasis) -> bool:
    return basis.options.target.task == "regression"


ASKED: dict[Callable[[Panel], None], Callable[[ScreeningBasis], bool]] = {
    season_rule: lambda basis: basis.known("date"),
    years_rule: lambda basis: basis.known("date"),
    depth_rule: lambda basis: threshold_range(basis, "depth") is not None,
    values_rule: lambda basis: _regression(basis) and threshold_range(basis, "value") is not None,
    outlier_rule: _regression,
    neighbour_rule: _regression,
    duplicate_rule: lambda basis: True,
    missing_rule: lambda basis: True,
    mask_rule: lambda basis: True,
    porosity_rule: lambda basis: basis.known("porosity"),
}
"""Rules that a study can answer."""
