"""What the page of the features reads, once for each run."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from alm_core.inspection.feature_set import FeatureSetScore, SetDifference, compare_sets, list_sets
from alm_core.inspection.selection_summary import Correlations, read_correlations, read_selection
from alm_core.inspection.shap_table import ShapTable, interaction_strengths, learner_shap, read_fused_shap
from alm_core.learning.selection import Selection
from alm_core.workspace import Run, read_json

FUSED = "fused"


@st.cache_resource(show_spinner=False, max_entries=8)
def load_selection(folder: str) -> Selection | None:
    """The selection of a run, None where it was off; read-only."""
    return read_selection(Run.open(folder))


@st.cache_resource(show_spinner=False, max_entries=8)
def load_correlations(folder: str) -> Correlations:
    """Correlations of all covariates; read-only."""
    return read_correlations(Run.open(folder))


@st.cache_resource(show_spinner=False, max_entries=24)
def load_shap(folder: str, whose: str) -> ShapTable:
    """SHAP values of the fused value or of one learner; read-only."""
    run = Run.open(folder)
    return read_fused_shap(run) if whose == FUSED else learner_shap(run, whose)


@st.cache_data(show_spinner=False, max_entries=256)
def load_strengths(folder: str, whose: str, feature: str) -> pd.Series:
    """How strongly each other covariate acts together with one."""
    return interaction_strengths(load_shap(folder, whose), feature)


def covariate_names(run: Run) -> dict[str, str]:
    """Every covariate that was offered to the learners, with its group."""
    stack = read_json(run.file("covariates/stack.json"))
    return {name: stack["groups"].get(name, "other") for name in stack["names"]}


def kept_sets(run: Run) -> tuple[FeatureSetScore, ...]:
    """Sets that were scored by hand, the newest first; read again when a job has added one."""
    folder = run.folder / "feature_sets"
    stamps = tuple(sorted((path.name, path.stat().st_mtime_ns) for path in folder.glob("*.json")))
    return _sets(str(run.folder), stamps)


@st.cache_resource(show_spinner=False, max_entries=8)
def _sets(folder: str, stamps: tuple[Any, ...]) -> tuple[FeatureSetScore, ...]:
    return list_sets(Run.open(folder))


def difference(first: FeatureSetScore, reference: FeatureSetScore, scheme: str) -> SetDifference | None:
    """How much better one set is than another."""
    return compare_sets(first.pairs, reference.pairs, scheme, task=first.task)
