"""Saved scenarios of a run beside the study's own: scores, saving, showing, deleting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import streamlit as st

from alm_core.errors import AlmError
from alm_core.scenarios.scenario import DEFAULT, Scenario, default_scenario, delete_scenario, list_scenarios, save_scenario
from alm_core.scenarios.studio import compare
from alm_core.workspace import Run
from pages.parts.frame import Page, label, learner_label, metric_label, run_key
from pages.parts.fusion_component import LIVE, places
from pages.parts.numbers import fixed, unit_text

SCORES = ("r2", "rmse", "mae", "sd_ratio")
MESSAGE = "fusion_message"


def scenario_panel(page: Page, run: Run, *, scheme: str, shown: Scenario, edges: list[float], on_show: Callable) -> None:
    """The table of scenarios and what can be done with one."""
    st.subheader(page.t("saved.title"), anchor=False)
    save_form(page, run, shown)
    if MESSAGE in st.session_state:
        st.success(st.session_state.pop(MESSAGE), icon=":material/check:")
    saved = list(list_scenarios(run))
    rows = [default_scenario(run), *([shown] if shown.name == LIVE else []), *saved]
    picked = scenario_table(page, run, rows, scheme, edges)
    if not saved:
        st.caption(page.t("saved.none"))
        return
    name = picked if picked and picked != LIVE else "NAME"
    st.caption(page.t("saved.use", command=f"`python -m alm_core export RUN --scenario {name} --out map.tif`"))
    scenario_actions(page, run, next((row for row in rows if row.name == picked), None), on_show)


def save_form(page: Page, run: Run, shown: Scenario) -> None:
    """Name, note, button."""
    with st.form("save_scenario", clear_on_submit=True, border=False):
        first, second = st.columns([1, 2])
        name = first.text_input(page.t("saved.name"), max_chars=41, help=page.t("saved.name_help"))
        note = second.text_input(page.t("saved.note"), max_chars=300)
        if st.form_submit_button(page.t("saved.save"), icon=":material/save:"):
            try:
                save_scenario(run, replace(shown, name=name.strip(), note=note.strip()))
            except AlmError as fault:
                st.error(str(fault))
            else:
                st.session_state[MESSAGE] = page.t("saved.done", name=name.strip())
                st.rerun()


def scenario_table(page: Page, run: Run, rows: list[Scenario], scheme: str, edges: list[float]) -> str | None:
    """Scores of every scenario; gives the name of the picked row."""
    changed = (run.folder / "models" / "inner.parquet").stat().st_mtime_ns
    texts = tuple(json.dumps(row.to_dict()) for row in rows)
    try:
        scores = [one_score(str(run.folder), changed, scheme, text) for text in texts]
    except AlmError as fault:
        st.error(str(fault))
        return None
    decimals, unit = places(edges), unit_text(page.unit)
    table = pd.DataFrame({page.t("column.name"): [display_name(page, row) for row in rows]})
    for name in SCORES:
        title = metric_label(page, name) + (f" ({unit})" if unit and name in ("rmse", "mae") else "")
        table[title] = [fixed(score[name], decimals[name]) for score in scores]
    table[page.t("column.how")] = [weights_text(page, row) for row in rows]
    table[page.t("column.correction")] = [correction_text(page, row) for row in rows]
    table[page.t("column.note")] = [row.note for row in rows]
    event = st.dataframe(
        table, hide_index=True, width="stretch", on_select="rerun", selection_mode="single-row", key=f"scenarios:{run_key(run)}"
    )
    picked = event.selection.rows
    return rows[picked[0]].name if picked and picked[0] < len(rows) else None


@st.cache_data(max_entries=2000, show_spinner=False)
def one_score(folder: str, changed: int, scheme: str, text: str) -> dict[str, float]:
    """Cross-fitted scores of a scenario."""
    scenario = Scenario.from_dict(json.loads(text))
    return compare(Run.open(folder), [scenario], scheme=scheme).loc[scenario.name].to_dict()


def scenario_actions(page: Page, run: Run, picked: Scenario | None, on_show: Callable) -> None:
    """What can be done with the picked row."""
    idle = picked is None or picked.name == LIVE
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(page.t("saved.show"), icon=":material/visibility:", disabled=idle):
            on_show(picked)
            st.rerun()
        if st.button(page.t("saved.remove"), icon=":material/delete:", disabled=idle or picked.name == DEFAULT):
            remove(page, run, picked.name)
        if not idle:
            page.link("map", label=page.t("saved.open_map"), scenario=picked.name)


def remove(page: Page, run: Run, name: str) -> None:
    """Delete a scenario and say so after the table is drawn anew."""
    try:
        delete_scenario(run, name)
    except AlmError as fault:
        st.error(str(fault))
        return
    st.session_state[MESSAGE] = page.t("saved.removed", name=name)
    st.rerun()


def display_name(page: Page, scenario: Scenario) -> str:
    """Name of a row."""
    names = {DEFAULT: page.c("fusion.own"), LIVE: page.t("current")}
    return names.get(scenario.name, scenario.name)


def weights_text(page: Page, scenario: Scenario) -> str:
    """Method, or weights by hand as shares."""
    if scenario.method != "manual":
        return label(page, "fusion", scenario.method)
    total = sum(scenario.weights.values())
    parts = [
        f"{learner_label(page, name)} {100 * weight / total:.0f} %" for name, weight in scenario.weights.items() if weight > 0
    ]
    return ", ".join(parts)


def correction_text(page: Page, scenario: Scenario) -> str:
    """Correction with its lambda."""
    text = label(page, "correction", scenario.correction)
    return f"{text}, λ = {scenario.blend:.2f}" if scenario.correction == "blend" else text
