"""A new study from one's own files: uploaded, checked, looked over, created."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from alm_core.checking import Fault
from alm_core.errors import AlmError
from alm_core.uploads import RASTER_SUFFIXES, TABLE_SUFFIXES, StudyDraft
from alm_core.uploads.draft import Examination, free_name
from alm_core.uploads.limits import ALL_RASTERS_BYTES, MEGABYTE, RASTER_BYTES, TABLE_BYTES
from pages.parts.frame import Page, studies_folder
from pages.parts.plain_text import plain_text
from pages.parts.start_studies import start_job

DRAFT, TITLE, CREATED = "new-study-draft", "new-study-title", "new-study-created"
GUESSED, FOUND = "new-study-guessed", "new-study-found"
TARGET, CRS = "new-study-target", "new-study-crs"
MOST_FAULTS = 12
GUESSES_HEIGHT = 320


def new_study_part(page: Page) -> None:
    """The three steps: choose files, look them over, run."""
    st.subheader(page.t("new.title"), anchor=False)
    if CREATED in st.session_state:
        _created(page)
        return
    with st.container(border=True, key="new-study"):
        if DRAFT in st.session_state:
            _look_over(page)
        else:
            _choose(page)


# ---- step 1 ---------------------------------------------------------------------------------------------------------------


def _choose(page: Page) -> None:
    st.caption(page.t("new.lead"))
    name = st.text_input(page.t("new.name"), key="new-study-name", max_chars=40, placeholder=page.t("new.name_example"))
    left, right = st.container(key="alm-uploads").columns(2, gap="medium")
    table = left.file_uploader(
        page.t("new.table"),
        type=[suffix.strip(".") for suffix in TABLE_SUFFIXES],
        max_upload_size=TABLE_BYTES // MEGABYTE,
        help=page.t("new.table_help"),
        key="new-study-table",
    )
    rasters = right.file_uploader(
        page.t("new.rasters"),
        type=[suffix.strip(".") for suffix in RASTER_SUFFIXES],
        accept_multiple_files=True,
        max_upload_size=RASTER_BYTES // MEGABYTE,
        help=page.t("new.rasters_help", total=ALL_RASTERS_BYTES // MEGABYTE),
        key="new-study-rasters",
    )
    ready = bool(name.strip() and table and rasters)
    if st.button(page.t("new.check"), type="primary", icon=":material/fact_check:", disabled=not ready, key="new-study-check"):
        _receive(name, table, rasters)
    if not ready:
        st.caption(page.t("new.wanted"))


def _receive(name: str, table: object, rasters: list) -> None:
    try:
        free_name(studies_folder(), name)
        uploads = [(raster.name, raster) for raster in rasters]
        draft = StudyDraft.receive(studies_folder(), table=(table.name, table), rasters=uploads)
    except AlmError as fault:
        for line in str(fault).splitlines():
            st.error(plain_text(line))
        return
    st.session_state[DRAFT] = draft.named(name)
    st.session_state[TITLE] = name.strip()
    st.rerun()


# ---- step 2 ---------------------------------------------------------------------------------------------------------------


def _look_over(page: Page) -> None:
    draft: StudyDraft = st.session_state[DRAFT]
    st.markdown(f"**{plain_text(st.session_state[TITLE])}**")
    try:
        with st.spinner(page.t("new.checking")):
            found = _examined(draft)
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        _corrections(page, None)
        _start_over(page, draft)
        return
    st.caption(page.t("new.found", rows=found.rows, layers=found.layers))
    _corrections(page, found)
    _faults(page, found)
    _guesses(page, found)
    with st.expander(page.t("new.preview"), icon=":material/table:"):
        st.dataframe(found.preview, hide_index=True, width="stretch")
    left, right = st.columns([1, 1])
    with left:
        label = page.t("new.create")
        wanted = {"type": "primary", "icon": ":material/check:", "width": "stretch", "disabled": not found.ok}
        if st.button(label, key="new-study-create", **wanted):
            _create(draft)
    with right:
        _start_over(page, draft)
    if not found.ok:
        st.caption(page.t("new.not_ok"))


def _examined(draft: StudyDraft) -> Examination:
    """The examination of the present choice. Only the last one is kept, because it is the one that study.toml holds."""
    target, crs = st.session_state.get(TARGET), (st.session_state.get(CRS) or "").strip()
    # A column that was guessed and not changed stays a guess, with its reason.
    choice = (None if target == st.session_state.get(GUESSED) else target, crs)
    last, found = st.session_state.get(FOUND, (None, None))
    if last != choice:
        st.session_state.pop(FOUND, None)
        found = draft.examine(title=st.session_state[TITLE], target=choice[0], crs=crs)
        st.session_state.setdefault(GUESSED, found.target)
        st.session_state[FOUND] = (choice, found)
    return found


def _corrections(page: Page, found: Examination | None) -> None:
    left, right = st.columns(2, gap="medium")
    if found is not None and found.columns:
        position = found.columns.index(found.target) if found.target in found.columns else None
        left.selectbox(page.t("new.target"), found.columns, index=position, key=TARGET, help=page.t("new.target_help"))
    label = page.t("new.crs_wanted") if found is not None and found.crs_wanted else page.t("new.crs")
    right.text_input(label, key=CRS, placeholder="EPSG:4326", max_chars=60, help=page.t("new.crs_help"))


def _faults(page: Page, found: Examination) -> None:
    if not found.faults:
        st.success(page.t("new.no_fault"), icon=":material/check_circle:")
        return
    for fault in found.faults[:MOST_FAULTS]:
        _fault(page, fault)
    if len(found.faults) > MOST_FAULTS:
        st.caption(page.t("new.more_faults", count=len(found.faults) - MOST_FAULTS))


def _fault(page: Page, fault: Fault) -> None:
    show = {"error": st.error, "warning": st.warning}.get(fault.severity, st.info)
    show(f"**{page.t(f'severity.{fault.severity}')}** · {plain_text(fault.where)}  \n{plain_text(fault.message)}")


def _guesses(page: Page, found: Examination) -> None:
    st.markdown(page.t("new.guesses"))
    rows = [
        {
            page.t("new.what"): guess.what,
            page.t("new.guess"): "–" if guess.value is None else str(guess.value),
            page.t("new.why"): guess.why,
            page.t("new.others"): ", ".join(guess.alternatives),
        }
        for guess in found.guesses
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height=GUESSES_HEIGHT)


def _create(draft: StudyDraft) -> None:
    try:
        path = draft.create(studies_folder())
    except AlmError as fault:
        st.error(plain_text(str(fault)))
        return
    st.session_state[CREATED] = (str(path), st.session_state[TITLE])
    _forget_draft()
    st.rerun()


def _start_over(page: Page, draft: StudyDraft) -> None:
    if st.button(page.t("new.start_over"), icon=":material/restart_alt:", key="new-study-over", width="stretch"):
        draft.discard()
        _forget_draft()
        st.rerun()


def _forget_draft() -> None:
    for key in (DRAFT, TITLE, GUESSED, FOUND, TARGET, CRS):
        st.session_state.pop(key, None)


# ---- step 3 ---------------------------------------------------------------------------------------------------------------


def _created(page: Page) -> None:
    path, title = st.session_state[CREATED]
    with st.container(border=True, key="new-study"):
        st.success(page.t("new.created", name=plain_text(title)), icon=":material/check_circle:")
        with st.container(horizontal=True):
            if st.button(page.t("new.run"), type="primary", icon=":material/play_arrow:", key="new-study-run"):
                del st.session_state[CREATED]
                start_job("run", study=path, title=title)
            if st.button(page.t("new.another"), key="new-study-another"):
                del st.session_state[CREATED]
                st.rerun()
