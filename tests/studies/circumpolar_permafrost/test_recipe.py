"""The simulated demo: two studies that share their rasters, a climate that warms, tables with the faults of real ones."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
import rasterio

from alm_core.errors import StudyError
from alm_core.studies import DEMOS
from alm_core.studies.circumpolar_permafrost.land import YEARS, Land, slice_name
from alm_core.studies.circumpolar_permafrost.recipe import demo_grid, land_of
from alm_core.study import Study
from tests.rasters import read_raster

WRITE = DEMOS["circumpolar_permafrost"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The small demo, read-only."""
    return WRITE(tmp_path_factory.mktemp("demo"), size="small").parents[1]


@pytest.fixture(scope="module")
def land():
    """The land at the cells of the small grid."""
    return land_of(demo_grid("small"), 11)


def digest(folder):
    """Of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "README.txt")
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_both_studies_can_be_read(demo):
    """Eight slices each, of the same rasters, on a north polar grid."""
    studies = [Study.load(demo / name) for name in ("magt", "alt")]
    for study in studies:
        assert [one.name for one in study.options.slices] == [slice_name(*years) for years in YEARS]
        assert study.options.study.simulated
        assert study.options.comparison.enabled
        assert study.options.grid.crs == "EPSG:3413"
    assert [study.options.target.transform for study in studies] == ["none", "log"]
    assert studies[0].options.reference_maps[0].slice == "1990-1994"


def test_the_same_seed_gives_the_same_bytes(demo, tmp_path):
    """And another seed another land."""
    WRITE(tmp_path, size="small")
    assert digest(tmp_path) == digest(demo)
    place = np.array([100.0]), np.array([60.0])
    assert Land(*place, 11).ground_temperature(1992.0) != Land(*place, 12).ground_temperature(1992.0)


def test_every_raster_says_that_it_is_simulated(demo):
    """And no two slices of a layer are alike: a climatology would be refused."""
    for path in demo.rglob("*.tif"):
        with rasterio.open(path, driver="GTiff") as dataset:
            assert dataset.tags()["SIMULATED"] == "yes"
    for name in ("air_temperature", "thawing_index", "freezing_index", "snow"):
        found = {read_raster(path).tobytes() for path in (demo / "layers").glob(f"{name}_*.tif")}
        assert len(found) == len(YEARS)


def test_the_climate_warms(land):
    """From the first slice to the last, in the mean of the land and most in the north."""
    change = land.air_temperature(2017.0) - land.air_temperature(1982.0)
    assert 1.0 < change[land.dry].mean() < 3.5
    far, near = land.dry & (land.latitude > 68), land.dry & (land.latitude < 55)
    assert change[far].mean() > change[near].mean()


def test_degree_days_are_those_of_the_mean(land):
    """Thawing less freezing index is 365 times the mean temperature."""
    thawing, freezing = land.degree_days(1992.0)
    dry = land.dry
    np.testing.assert_allclose((thawing - freezing)[dry], 365 * land.air_temperature(1992.0)[dry], atol=1e-6)
    assert (thawing[dry] >= 0).all()
    assert (freezing[dry] >= 0).all()


def test_nothing_breaks_at_180_degrees():
    """The land on either side of the line is the same land."""
    west, east = (Land(np.full(9, side), np.linspace(50, 80, 9), 11) for side in (-180.0, 180.0))
    np.testing.assert_allclose(west.ground_temperature(1992.0), east.ground_temperature(1992.0), atol=1e-9)


def test_tables_have_the_faults_of_real_ones(demo):
    """Repeated years, bounds, a year that stands twice, a site in the sea, longitudes on both sides of 180."""
    magt, alt = (pd.read_csv(demo / name / "sites.csv") for name in ("magt", "alt"))
    assert magt.groupby("site_id").size().max() > 3
    assert alt["alt_cm"].astype(str).str.match("[<>]").sum() >= 6
    assert alt.duplicated(["site_id", "year"]).sum() == 1
    assert (magt["lon"] < -90).any()
    assert (magt["lon"] > 90).any()
    assert {"at_sea"} <= set(magt["site_id"]) & set(alt["site_id"])
    assert magt["depth_m"].between(1, 40).all()


@pytest.mark.parametrize(("options", "words"), [({"size": "full"}, "small or medium"), ({"seed": -1}, "0 or more")])
def test_unknown_sizes_and_seeds_are_refused(tmp_path, options, words):
    """By name."""
    with pytest.raises(StudyError, match=words):
        WRITE(tmp_path, **options)
