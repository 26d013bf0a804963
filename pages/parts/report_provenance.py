"""Where the map comes from: hashes, versions, seed, times, options, scenarios."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from alm_core.errors import AlmError
from alm_core.publishing.provenance import Provenance, provenance, study_toml
from alm_core.scenarios.scenario import Scenario, list_scenarios
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, label, learner_label
from pages.parts.numbers import fixed, number

INPUTS_HEIGHT = 320
SECONDS_PER_MINUTE = 60


def provenance_view(page: Page) -> None:
    """Tiles, stages and versions, inputs, options, scenarios."""
    facts = provenance(page.run)
    st.subheader(page.t("provenance.title"), anchor=False)
    columns = narrow_columns("provenance-tiles", per_row=2).columns(4)
    columns[0].metric(page.t("provenance.run"), facts.run)
    columns[1].metric(page.t("provenance.seed"), str(facts.seed))
    columns[2].metric(page.t("provenance.created"), facts.created[:10], help=facts.created)
    columns[3].metric(page.t("provenance.seconds"), duration(facts.seconds))
    st.caption(page.t("provenance.text"))
    left, right = narrow_columns("provenance-tables").columns(2)
    with left:
        st.markdown(f"**{page.t('provenance.stages')}**")
        st.dataframe(stages_table(page, facts), hide_index=True, width="stretch")
    with right:
        st.markdown(f"**{page.t('provenance.versions')}**")
        heads = [page.t("provenance.package"), page.t("provenance.version")]
        st.dataframe(
            pd.DataFrame(list(facts.versions.items()), columns=heads), hide_index=True, width="stretch", height=INPUTS_HEIGHT
        )
    st.markdown(f"**{page.t('provenance.inputs')}**")
    heads = [page.t("provenance.role"), page.t("provenance.hash")]
    st.dataframe(pd.DataFrame(list(facts.inputs.items()), columns=heads), hide_index=True, width="stretch", height=INPUTS_HEIGHT)
    scenarios_part(page)
    st.markdown(f"**{page.t('provenance.options')}**")
    st.caption(page.t("provenance.options_text"))
    with st.expander("study.toml", icon=":material/settings:"):
        st.code(study_toml(page.run), language="toml")


def duration(seconds: float) -> str:
    """A time in seconds or minutes.

    Examples
    --------
    >>> duration(12.34), duration(125)
    ('12 s', '2.1 min')
    """
    return f"{seconds:.0f} s" if seconds < SECONDS_PER_MINUTE else f"{seconds / SECONDS_PER_MINUTE:.1f} min"


def stages_table(page: Page, facts: Provenance) -> pd.DataFrame:
    """Name, state and time of every stage."""
    rows = [
        (
            page.t(f"stage.{name}"),
            page.t(f"state.{state}"),
            fixed(seconds, 1) if seconds is not None else "–",
        )
        for name, state, seconds in facts.stages
    ]
    return pd.DataFrame(rows, columns=[page.t("provenance.stage"), page.t("provenance.state"), page.t("provenance.time")])


def scenarios_part(page: Page) -> None:
    """The scenarios that were saved for this run."""
    st.markdown(f"**{page.t('provenance.scenarios')}**")
    try:
        found = list_scenarios(page.run)
    except AlmError as fault:
        st.error(str(fault))
        return
    if not found:
        st.caption(page.t("provenance.scenarios_none"))
        return
    st.dataframe(pd.DataFrame([scenario_row(page, one) for one in found]), hide_index=True, width="stretch")


def scenario_row(page: Page, scenario: Scenario) -> dict[str, str]:
    """One scenario."""
    by_hand = ", ".join(f"{learner_label(page, name)} {number(weight, 2)}" for name, weight in scenario.weights.items())
    return {
        page.t("provenance.scenario_name"): scenario.name,
        page.t("provenance.scenario_method"): label(page, "fusion", scenario.method),
        page.t("provenance.scenario_weights"): by_hand if scenario.method == "manual" else "–",
        page.t("provenance.scenario_correction"): label(page, "correction", scenario.correction),
        page.t("provenance.scenario_note"): scenario.note,
    }
