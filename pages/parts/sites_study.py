"""From the page back to the study: thresholds and verdicts by hand are stored in study.toml, and the study is run again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from alm_core.errors import AlmError
from alm_core.jobs import submit
from alm_core.options import ScreeningOptions
from alm_core.study_editing import BY_HAND, OFF, StudyEdit, change_screening, exclude_site, keep_site, release_site, study_file
from pages.parts.frame import Page, workspace
from pages.parts.job_panel import job_panel
from pages.parts.numbers import number
from pages.parts.plain_text import plain_text
from pages.parts.sites_data import study_screening
from pages.parts.sites_thresholds import reset_thresholds

SAID = "sites.said"
SHOWN_SITES = 3


@dataclass(frozen=True)
class StudyState:
    """The study file behind a run, as it is now.

    Attributes
    ----------
    path : Path or None
        None where there is no file to change.
    screening : ScreeningOptions
        Of the file; of the run where there is no file.
    fault : str
        Why there is none; empty otherwise.
    """

    path: Path | None
    screening: ScreeningOptions
    fault: str = ""

    def differences(self, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Options that are others in `values` than in the study: (study, values)."""
        now = self.screening.model_dump()
        return {name: (now[name], value) for name, value in values.items() if plain(now[name]) != plain(value)}


def plain(value: Any) -> Any:
    """Lists and tuples alike."""
    return list(value) if isinstance(value, tuple) else value


def read_study(page: Page) -> StudyState:
    """The study file of the run, or why it can't be used."""
    try:
        path = study_file(page.run)
        return StudyState(path, study_screening(path))
    except AlmError as fault:
        return StudyState(None, page.options.screening, str(fault))


def study_panel(page: Page, study: StudyState, values: Mapping[str, Any]) -> None:
    """What would be stored, the buttons, and how the study differs from the run that is shown."""
    if study.path is None:
        st.warning(f"{page.t('study.gone')} {plain_text(study.fault)}", icon=":material/link_off:")
    pending = study.differences(values)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            page.t("study.write"),
            key="sites.write",
            type="primary",
            icon=":material/save:",
            disabled=study.path is None or not pending,
            on_click=store,
            args=(page, lambda: change_screening(study.path, {name: pair[1] for name, pair in pending.items()})),
        )
        st.button(page.t("study.reset"), key="sites.reset", icon=":material/undo:", on_click=reset_thresholds, args=(page,))
        if pending:
            st.caption(page.t("study.pending", changes=change_text(page, pending)))
        elif study.path is not None:
            st.caption(page.t("study.same"))
    say(page)


def rerun_panel(page: Page, study: StudyState) -> None:
    """A hint where the study has moved on since the run that is shown, and a button that runs it."""
    ahead = {
        name: (old, new)
        for name, new in study.screening.model_dump().items()
        if plain(old := getattr(page.options.screening, name)) != plain(new)
    }
    if study.path is None:
        return
    if ahead:
        st.info(page.t("study.ahead", changes=change_text(page, ahead)), icon=":material/update:")
    if st.button(
        page.t("study.run"), key="sites.run", icon=":material/play_arrow:", disabled=not ahead, help=page.t("study.run_help")
    ):
        try:
            st.query_params["job"] = submit(
                workspace(), "run", study=str(study.path), title=page.options.study.title or page.options.study.name
            ).id
        except AlmError as fault:
            st.error(plain_text(str(fault)))
    if "job" in st.query_params:
        job_panel(page, st.query_params["job"])


def by_hand_panel(page: Page, study: StudyState, site_id: str) -> None:
    """Keep or exclude one site by hand, with a reason that stays in the study."""
    st.markdown(f"**{page.t('hand.title')}**", help=page.t("hand.help"))
    excluded, kept = study.screening.exclude, study.screening.keep
    if site_id in excluded:
        st.caption(page.t("hand.excluded", reason=plain_text(excluded[site_id])))
    elif site_id in kept:
        st.caption(page.t("hand.kept"))
    reason = st.text_input(
        page.t("hand.reason"), key=f"sites.reason.{site_id}", placeholder=page.t("hand.placeholder"), max_chars=200, live="250ms"
    )
    gone = study.path is None
    by_hand = site_id in excluded or site_id in kept
    with st.container(horizontal=True):
        st.button(
            page.t("hand.exclude"),
            key="sites.exclude",
            icon=":material/block:",
            disabled=gone or not reason.strip() or site_id in excluded,
            on_click=store,
            args=(page, lambda: exclude_site(study.path, site_id, reason)),
        )
        st.button(
            page.t("hand.keep"),
            key="sites.keep",
            icon=":material/check_circle:",
            disabled=gone or site_id in kept,
            on_click=store,
            args=(page, lambda: keep_site(study.path, site_id, reason)),
        )
        st.button(
            page.t("hand.release"),
            key="sites.release",
            icon=":material/undo:",
            disabled=gone or not by_hand,
            on_click=store,
            args=(page, lambda: release_site(study.path, site_id)),
        )


def store(page: Page, change: Callable[[], StudyEdit]) -> None:
    """Change the study and remember what to say about it."""
    try:
        edit = change()
    except AlmError as fault:
        st.session_state[SAID] = ("error", plain_text(str(fault)))
        return
    text = (
        page.t("study.stored", file=plain_text(edit.path.name), changes=change_text(page, edit.changes))
        if edit.changes
        else page.t("study.same")
    )
    st.session_state[SAID] = ("success", text)


def say(page: Page) -> None:
    """Say once what the last change did."""
    kind, text = st.session_state.pop(SAID, (None, ""))
    if kind == "error":
        st.error(text)
    elif kind == "success":
        st.toast(text, icon=":material/check:")


def change_text(page: Page, changes: Mapping[str, tuple[Any, Any]]) -> str:
    """Changes of options as people read them."""
    parts = []
    for name, (old, new) in changes.items():
        label = page.t(f"option.{name}")
        if name in BY_HAND:
            out, came = [site for site in old if site not in new], [site for site in new if site not in old]
            parts += [f"{label} +{some(came)}"] * bool(came) + [f"{label} −{some(out)}"] * bool(out)
            continue
        parts.append(f"{label} {option_text(page, old)} → {option_text(page, new)}")
    return "; ".join(parts)


def some(sites: list[str]) -> str:
    """A few names."""
    more = f" +{len(sites) - SHOWN_SITES}" if len(sites) > SHOWN_SITES else ""
    return plain_text(", ".join(sites[:SHOWN_SITES])) + more


def option_text(page: Page, value: Any) -> str:
    """A value of an option as people read it."""
    if value is None or value == OFF:
        return page.t("off")
    if isinstance(value, bool):
        return page.c("yes") if value else page.c("no")
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    if isinstance(value, float):
        return number(value, 4).rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
    return str(value)
