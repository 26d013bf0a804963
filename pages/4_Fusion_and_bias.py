"""Fusion and bias: weights and correction by hand, with everything they cost and gain in sight."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from alm_core.errors import AlmError, StudyError
from alm_core.inspection.slices import main_slice, time_slices
from alm_core.scenarios.scenario import INNER, QUERY, Scenario, default_scenario, from_query, obstacle, to_query
from alm_core.scenarios.studio import INNER_SCHEME, gain, studio_data, studio_schemes
from pages.parts.frame import Page, help_box, hold_choice, learner_label, open_page, run_key, scheme_label
from pages.parts.fusion_component import fusion_map, read_choice
from pages.parts.fusion_scenarios import scenario_panel
from pages.parts.numbers import percent

CHOICE, REVISION, FAULT = "fusion_choice", "fusion_revision", "fusion_fault"


def shown_scenario(page: Page) -> Scenario:
    """What the controls show: what was chosen in this visit, or what the link carries, or the study's own."""
    chosen = st.session_state.setdefault(CHOICE, {})
    key = run_key(page.run)
    if key not in chosen:
        try:
            chosen[key] = from_query(st.query_params, page.run, name="live") or default_scenario(page.run)
        except StudyError as fault:
            st.session_state[FAULT] = page.t("bad_link", reason=str(fault))
            chosen[key] = default_scenario(page.run)
    return chosen[key]


def show_scenario(page: Page, scenario: Scenario) -> None:
    """Make the controls show a scenario."""
    st.session_state[CHOICE][run_key(page.run)] = scenario
    st.session_state[REVISION] = st.session_state.get(REVISION, 0) + 1


def take_choice(page: Page, component: str) -> None:
    """A control was let go: remember what it says."""
    choice = st.session_state[component].get("choice")
    try:
        st.session_state[CHOICE][run_key(page.run)] = read_choice(page.run, choice, page.learners)
    except StudyError as fault:
        st.session_state[FAULT] = page.t("bad_choice", reason=str(fault))


def write_address(page: Page, scenario: Scenario) -> None:
    """The address of the page carries what is shown; the study's own needs no words."""
    wanted = {} if scenario.key == default_scenario(page.run).key else to_query(scenario, page.learners)
    for name in QUERY:
        if name in wanted and st.query_params.get(name) != wanted[name]:
            st.query_params[name] = wanted[name]
        elif name not in wanted and name in st.query_params:
            del st.query_params[name]


def choose_scheme(page: Page) -> str:
    """Which folds the scores are of."""
    schemes = studio_schemes(page.run)
    headline = page.options.validation.headline

    def title(scheme: str) -> str:
        shown = scheme_label(page, scheme)
        return page.t("headline", scheme=shown) if scheme == headline else shown

    hold_choice("fusion_scheme", schemes)
    return st.selectbox(page.t("scheme"), schemes, format_func=title, key="fusion_scheme", help=page.t("scheme_help"), width=420)


def choose_slice(page: Page) -> str | None:
    """Which slice of time the map shows; None where the study has none."""
    names = [one.name for one in time_slices(page.run)]
    if len(names) < 2:
        return None
    chosen = st.select_slider(page.t("slice"), names, main_slice(page.run), key="fusion_slice")
    st.caption(page.t("slice_note"))
    return None if chosen == main_slice(page.run) else chosen


def honest_words(page: Page, scheme: str) -> None:
    """What the figures do not say by themselves."""
    found = gain(page.run, scheme)
    clear = [learner_label(page, name) for name in found.index[found["clear"]]]
    notes = [page.t("honest_both"), page.t("honest_selection")]
    if scheme == INNER_SCHEME:
        notes.append(page.t("honest_inner"))
    elif not found.empty:
        notes.append(page.t("gain_some", learners=", ".join(clear)) if clear else page.t("gain_none"))
    with st.container(border=True):
        st.markdown(f"**{page.t('honest_title')}**")
        st.markdown("\n".join(f"- {note}" for note in notes))
    if not found.empty:
        show_gain(page, scheme, found)


def show_gain(page: Page, scheme: str, found: pd.DataFrame) -> None:
    """Whether the study's fusion beats its members, in numbers."""
    with st.expander(page.t("gain_title"), icon=":material/balance:"):
        table = pd.DataFrame(
            {
                page.t("gain_learner"): [learner_label(page, name) for name in found.index],
                page.t("gain_part"): [
                    f"{percent(part, 1)} ± {percent(error, 1)}"
                    for part, error in zip(found["part"], found["part_of_two_errors"], strict=True)
                ],
                page.t("gain_clear"): [page.c("yes") if is_clear else page.c("no") for is_clear in found["clear"]],
            }
        )
        st.dataframe(table, hide_index=True, width="content")
        st.caption(page.t("gain_note", scheme=scheme_label(page, scheme)))


def show_studio(page: Page) -> None:
    """Everything below the title."""
    scheme = choose_scheme(page)
    scenario = shown_scenario(page)
    if FAULT in st.session_state:
        st.warning(st.session_state.pop(FAULT), icon=":material/link_off:")
    write_address(page, scenario)
    revision = st.session_state.get(REVISION, 0)
    slice = choose_slice(page)
    fusion_map(
        page,
        page.run,
        scheme=scheme,
        scenario=scenario,
        revision=revision,
        on_change=lambda key: take_choice(page, key),
        slice=slice,
    )
    honest_words(page, scheme)
    edges = studio_data(page.run, scheme)["edges"]
    scenario_panel(page, page.run, scheme=scheme, shown=scenario, edges=edges, on_show=lambda picked: show_scenario(page, picked))
    help_box(page, "weights", "lambda", "bias_curves", "frontier", "sd_ratio", "r2", "rmse", "mae", "scenario", "knndm")


page = open_page("fusion", needs=("metrics.json", "fusion.json", INNER, "map/members.tif"))
reason = obstacle(page.run)
if reason is not None:
    st.info(page.t(f"obstacle.{reason}"), icon=":material/info:")
    page.link("validation")
else:
    try:
        show_studio(page)
    except AlmError as fault:
        st.error(str(fault))
