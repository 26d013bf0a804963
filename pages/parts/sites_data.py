"""What the page of the sites reads, once for each run, and the table that all its figures share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from alm_core.inspection.screening_preview import ScreeningBasis, ScreeningPreview, preview_screening, read_basis, site_numbers
from alm_core.inspection.site_profile import ProfileBasis, SiteProfile, profile_site, read_profile_basis
from alm_core.options import ScreeningOptions
from alm_core.study_editing import read_screening
from alm_core.workspace import Run
from pages.parts.frame import Page
from pages.parts.numbers import number

UNCHANGED, OUT, IN = "unchanged", "out", "in"


@st.cache_resource(show_spinner=False, max_entries=8)
def load_basis(folder: str) -> ScreeningBasis:
    """Sites of a run and the covariates at all of them; read-only."""
    return read_basis(Run.open(folder))


@st.cache_resource(show_spinner=False, max_entries=8)
def load_profiles(folder: str) -> ProfileBasis:
    """What profiles of sites need; read-only."""
    return read_profile_basis(Run.open(folder), load_basis(folder))


@st.cache_data(show_spinner=False, max_entries=64)
def load_profile(folder: str, site_id: str, count: int) -> SiteProfile:
    """One site in detail."""
    return profile_site(load_profiles(folder), site_id, count=count)


@st.cache_data(show_spinner=False, max_entries=64)
def load_preview(folder: str, thresholds: dict[str, Any]) -> ScreeningPreview:
    """The sites of a run under other thresholds."""
    return preview_screening(load_basis(folder), thresholds)


@st.cache_data(show_spinner=False, max_entries=16)
def _screening_of(path: str, changed: int) -> ScreeningOptions:
    return read_screening(Path(path))


def study_screening(path: Path) -> ScreeningOptions:
    """The screening options that the study file has now."""
    return _screening_of(str(path), path.stat().st_mtime_ns)


def site_frame(page: Page, basis: ScreeningBasis, preview: ScreeningPreview) -> pd.DataFrame:
    """All sites with what the figures show: the verdict under the thresholds of the page, its reason in words, year and depth."""
    sites = preview.sites
    frame = sites.assign(
        site_id=sites["site_id"].astype(str),
        year=pd.array(site_numbers(sites, "year"), dtype="Int64"),
        depth=site_numbers(sites, "depth"),
        verdict=np.where(sites["kept"], "kept", sites["rule"]),
        change=np.where(sites["kept"] == sites["kept_before"], UNCHANGED, np.where(sites["kept"], IN, OUT)),
    )
    if not page.regression:
        frame["value"] = frame["value"].map(class_text, na_action="ignore")
    return frame.assign(reason=reason_texts(page, frame), record=sites["reason"])


def class_text(label: Any) -> str:
    """A class as people read it: whole numbers without a decimal point."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def reason_texts(page: Page, frame: pd.DataFrame) -> list[str]:
    """Why each site is out (or in although a rule would take it), in the language of the page."""
    texts = []
    for kept, rule, value in zip(frame["kept"], frame["rule"], frame["rule_value"], strict=True):
        text = page.t(f"reason.{rule}", number=rule_number(value)) if rule else ""
        texts.append(page.t("kept_by_hand", reason=text) if kept and rule else text)
    return texts


def rule_number(value: float) -> str:
    """The number that broke a rule: years and counts whole, others with three digits."""
    return str(int(value)) if np.isfinite(value) and float(value).is_integer() else number(value)


def numeric(frame: pd.DataFrame) -> bool:
    """True where the target is a number, not a label."""
    return pd.api.types.is_numeric_dtype(frame["value"])
