"""The numbers of the tour, kept between reruns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from alm_core.diagnostics.distances import ground_distances
from alm_core.inspection import tour
from alm_core.learning.metrics import BiasCurves
from alm_core.mapping.figures import Preview, read_preview
from alm_core.workspace import Run

LONGEST_STAY_SECONDS = 3600
PREVIEW_PIXELS = 640


@dataclass(frozen=True)
class Layer:
    """A coarse layer of the map with its place.

    Attributes
    ----------
    values : ndarray
        float32 ``[row, column]``, from north to south; NaN: nodata.
    x, y : ndarray
        Centres of its cells in degrees.
    """

    values: np.ndarray
    x: np.ndarray
    y: np.ndarray


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def map_facts(folder: str, changed: int) -> tour.MapFacts:
    """What the map shows."""
    return tour.map_facts(Run.open(folder))


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def site_facts(folder: str, changed: int) -> tour.SiteFacts:
    """What it stands on."""
    return tour.site_facts(Run.open(folder))


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def kept_sites(folder: str, changed: int) -> pd.DataFrame:
    """The kept sites with their values."""
    sites = pd.read_parquet(Run.open(folder).file("sites.parquet"))
    return sites.loc[sites["kept"], ["site_id", "longitude", "latitude", "value"]].reset_index(drop=True)


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def middle_distance(folder: str, changed: int) -> float:
    """Kilometres to the nearest site that half of the map exceeds; NaN where it is not known."""
    reach = ground_distances(Run.open(folder)).map_to_site
    return float(np.median(reach)) if reach.size else float("nan")


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def pull_facts(folder: str, changed: int) -> tour.PullFacts | None:
    """How far it is pulled to the middle."""
    return tour.pull_facts(Run.open(folder))


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def pull_curves(folder: str, changed: int) -> BiasCurves | None:
    """Both bias curves."""
    return tour.pull_curves(Run.open(folder))


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def hardest_class(folder: str, changed: int) -> tuple[str, float] | None:
    """The class that is found least often."""
    return tour.hardest_class(Run.open(folder))


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def covered_sites(folder: str, changed: int) -> float | None:
    """Part of the held-out sites inside their interval."""
    return tour.covered_sites(Run.open(folder))


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def example_places(folder: str, changed: int) -> tuple[tour.Place, ...]:
    """Three places of the map."""
    return tour.example_places(Run.open(folder))


@st.cache_data(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def trust_facts(folder: str, changed: int) -> tour.TrustFacts:
    """Where not to trust it."""
    return tour.trust_facts(Run.open(folder))


@st.cache_resource(ttl=LONGEST_STAY_SECONDS, max_entries=16, show_spinner=False)
def layer(folder: str, changed: int, name: str, band_name: str, categorical: bool) -> Layer | None:
    """A coarse layer of a raster of the map, in degrees; None on a grid of another kind."""
    from alm_core.mapping.cog import open_raster

    path = Run.open(folder).file(f"map/{name}.tif")
    with open_raster(path) as dataset:
        band = list(dataset.descriptions).index(band_name) + 1
    found = read_preview(path, band, pixels=PREVIEW_PIXELS, categorical=categorical)
    return placed(found) if found.grid.is_geographic else None


def placed(preview: Preview) -> Layer:
    """Centres of the coarse cells."""
    west, east, south, north = preview.extent
    rows, columns = preview.values.shape
    x = west + (np.arange(columns) + 0.5) * (east - west) / columns
    y = north - (np.arange(rows) + 0.5) * (north - south) / rows
    return Layer(preview.values.astype(np.float32), x, y)
