"""What the page of the cross-validation reads, kept between reruns: small tables as copies, large arrays shared."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from alm_core.diagnostics import classes, distances, pairs, taylor, threshold
from alm_core.workspace import RECORD, Run

LONGEST_STAY_SECONDS = 3600


def version(run: Run) -> int:
    """Changes whenever the run does, so that nothing old is shown."""
    return (run.folder / RECORD).stat().st_mtime_ns


def place(run: Run) -> tuple[str, int]:
    """A run as the caches know it: plain values."""
    return str(run.folder), version(run)


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=64, show_spinner=False)
def site_pairs(folder: str, changed: int, scheme: str, column: str) -> pd.DataFrame:
    """Observed against predicted of one scheme and column."""
    return pairs.site_pairs(Run.open(folder), scheme, column)


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=32, show_spinner=False)
def columns(folder: str, changed: int, scheme: str) -> tuple[str, ...]:
    """What was predicted under a scheme."""
    return pairs.columns_of(pairs.out_of_fold(Run.open(folder)), scheme)


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=64, show_spinner=False)
def fold_scores(folder: str, changed: int, scheme: str, column: str) -> pd.DataFrame:
    """Scores of every fold."""
    return pairs.fold_scores(Run.open(folder), scheme, column)


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=32, show_spinner=False)
def coverage_table(folder: str, changed: int, scheme: str) -> pd.DataFrame | None:
    """Coverage of the intervals by third."""
    return pairs.coverage_table(Run.open(folder), scheme)


@st.cache_resource(ttl=LONGEST_STAY_SECONDS, max_entries=32, show_spinner=False)
def taylor_points(folder: str, changed: int, scheme: str) -> tuple[taylor.TaylorPoint, ...]:
    """Places in the Taylor diagram."""
    return taylor.taylor_points(Run.open(folder), scheme)


@st.cache_resource(ttl=LONGEST_STAY_SECONDS, max_entries=8, show_spinner=False)
def ground_distances(folder: str, changed: int) -> distances.DistanceCurves:
    """Distances in km."""
    return distances.ground_distances(Run.open(folder))


@st.cache_resource(ttl=LONGEST_STAY_SECONDS, max_entries=8, show_spinner=False)
def covariate_distances(folder: str, changed: int) -> distances.DistanceCurves | None:
    """Distances between covariates."""
    return distances.covariate_distances(Run.open(folder))


@st.cache_resource(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def threshold_study(folder: str, changed: int, scheme: str, column: str) -> threshold.ThresholdStudy | None:
    """Dissimilarity, errors and map of one scheme."""
    return threshold.threshold_study(Run.open(folder), scheme, column=column)


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def trade_off(folder: str, changed: int, scheme: str, column: str) -> pd.DataFrame:
    """What every threshold leaves."""
    return threshold_study(folder, changed, scheme, column).trade_off()


@st.cache_resource(ttl=LONGEST_STAY_SECONDS, max_entries=32, show_spinner=False)
def class_report(folder: str, changed: int, scheme: str, column: str) -> classes.ClassReport:
    """Confusion matrix and scores per class."""
    return classes.class_report(Run.open(folder), scheme, column)
