"""Real tables and rasters north of 45 N: what is read, what goes out and why. Figures are those of benchmarks/circumpolar.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyproj import Transformer

from alm_core.errors import SitesError, TableError
from alm_core.grid import Grid
from alm_core.mapping.map_comparison import PublishedMap, compare_with_published
from alm_core.pipeline import run
from alm_core.sites.table import read_sites
from tests.rasters import read_raster, write_raster

CALM = "sites_calm_alt/GTN-P_CALM_1990-2024.tab"
CALM_COLUMNS = {
    "site_id": "Site", "longitude": "Longitude", "latitude": "Latitude", "value": "ALD [cm]", "year": "Date/Time",
    "date": None,
}  # fmt: skip
POLAR = Grid.from_bounds((-5.3e6, -5.3e6, 5.3e6, 5.3e6), 50_000.0, crs="EPSG:3413")
DEGREES = Grid.from_bounds((-180.0, 45.0, 180.0, 84.0), 0.25, crs="EPSG:4326")
STUDY = """
[study]
name = "circumpolar"
[target]
name = "magt"
unit = "degree_Celsius"
[grid]
crs = "EPSG:3413"
resolution = 50000.0
bounds = {{ west = -5300000.0, south = -5300000.0, east = 5300000.0, north = 5300000.0 }}
mask = "{grids}/koppen_code.tif"
mask_values = [{land}]
[sites]
table = "sites.csv"
groups = "survey"
[sites.columns]
site_id = "site_id"
longitude = "lon"
latitude = "lat"
value = "magt_c"
depth = "depth_m"
survey = "source"
[screening]
depth_minimum_m = 1
depth_maximum_m = 40
duplicate_distance_cells = "off"
outlier_z = "off"
neighbour_z = "off"
require_inside_mask = true
[[derived]]
name = "depth"
method = "constant"
options = {{ value = 10.0, site_column = "depth_top" }}
"""


@pytest.fixture(scope="module")
def magt_sites(shared_data, tmp_path_factory):
    """A run of real boreholes on the polar grid up to its samples, with one site set into the sea."""
    folder = tmp_path_factory.mktemp("magt")
    grids = (shared_data / "grids_north45_0p25").as_posix()
    table = pd.read_csv(shared_data / "sites_magt_north45" / "magt_sites_north45.csv")
    at_sea = table.iloc[[0]].assign(site_id="ship", lat=80.0, lon=-150.0, depth_m=10.0)
    pd.concat([table, at_sea]).to_csv(folder / "sites.csv", index=False)
    text = STUDY.format(grids=grids, land=", ".join(str(code) for code in range(1, 32)))
    for name in ("elevation_m", "t2m_annual_lapse_c", "tdd_lapse", "fdd_lapse"):
        text += f'[[covariates]]\nname = "{name}"\npath = "{grids}/{name}.tif"\n'
    (folder / "study.toml").write_text(text)
    return run(folder / "study.toml", workspace=folder / "workspace", until="sites")


def test_boreholes_get_their_own_depth(magt_sites):
    """The map is made for 10 m, and every site keeps the depth of its sensor."""
    samples = pd.read_parquet(magt_sites.file("samples.parquet"))
    sites = pd.read_parquet(magt_sites.file("sites.parquet")).set_index("site_id")
    depth = samples.set_index("site_id")["covariate:depth"]
    np.testing.assert_allclose(depth, sites.loc[depth.index, "depth_top"], rtol=1e-6)
    assert depth.between(1, 40).all()
    assert len(samples) > 480


def test_sites_in_the_sea_are_named_and_counted(magt_sites):
    """The ship goes out with its reason, and nobody is lost without one."""
    sites = pd.read_parquet(magt_sites.file("sites.parquet")).set_index("site_id")
    assert sites.loc["ship", "rule"] in ("outside_mask", "outside_covariates")
    assert not sites.loc["ship", "kept"]
    removed = {row["rule"]: row["removed"] for row in json.loads(magt_sites.file("sites.json").read_text())["removed"]}
    assert removed["depth"] > 100
    assert sum(removed.values()) + int(sites["kept"].sum()) == len(sites)


def test_sites_on_both_sides_of_180_degrees_have_covariates(magt_sites, shared_data):
    """The layers end at 180 degrees and the polar grid does not: Chukotka and Alaska are both there."""
    samples = pd.read_parquet(magt_sites.file("samples.parquet"))
    assert (samples["longitude"] > 170).any()
    assert (samples["longitude"] < -160).any()
    assert samples["covariate:t2m_annual_lapse_c"].notna().mean() > 0.99
    staged = read_raster(magt_sites.file("covariates/t2m_annual_lapse_c.tif"))
    source = read_raster(shared_data / "grids_north45_0p25" / "t2m_annual_lapse_c.tif")
    x, y = np.meshgrid(POLAR.x, POLAR.y)
    longitude, latitude = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(x, y)
    cells = DEGREES.cell_index(longitude.ravel(), latitude.ravel()).reshape(POLAR.shape)
    seam = (np.abs(longitude) > 178.5) & (cells >= 0)
    land = seam & (source.ravel()[np.maximum(cells, 0)] > -9000)
    assert land.sum() > 10
    assert (np.isfinite(staged) & (staged > -9000))[land].mean() > 0.9


def test_calm_bounds_are_kept_out(shared_data):
    """The table as PANGAEA publishes it: 34 bounds, of which none becomes a number."""
    table = read_sites(shared_data / CALM, columns=CALM_COLUMNS, repeats="separate", censored="bounds")
    assert len(table.bounds) == 34
    assert table.frame["value"].notna().sum() + len(table.bounds) <= 3819
    assert np.isfinite(table.bounds[["lower_bound", "upper_bound"]].to_numpy()).sum() == 34
    assert any("34 censored value(s)" in note for note in table.notes)


def test_calm_bounds_are_refused_where_nobody_asked(shared_data):
    """With their rows."""
    with pytest.raises(TableError, match="34 cell"):
        read_sites(shared_data / CALM, columns=CALM_COLUMNS, repeats="separate")


def test_duplicate_years_are_named(shared_data, tmp_path):
    """A year that stands twice is averaged, and the note says where it was."""
    table = pd.read_csv(shared_data / "sites_calm_alt" / "calm_alt_site_years.csv").dropna(subset=["alt_cm"])
    table = table[table["site"] == "U1"]
    pd.concat([table, table.iloc[[2]]]).to_csv(tmp_path / "sites.csv", index=False)
    columns = {"site_id": "site", "longitude": "lon", "latitude": "lat", "value": "alt_cm", "year": "year"}
    found = read_sites(tmp_path / "sites.csv", columns=columns, repeats="mean")
    assert len(found) == 1
    assert any("2 row(s) share site and date (or year)" in note and "U1 in 1995" in note for note in found.notes)


def test_longitudes_of_0_to_360_are_refused_by_name(shared_data, tmp_path):
    """On a map of -180 to 180 nobody guesses where a site at 210 degrees lies."""
    table = pd.read_csv(shared_data / "sites_magt_north45" / "magt_sites_north45.csv")
    table.assign(lon=table["lon"] % 360).to_csv(tmp_path / "sites.csv", index=False)
    columns = {"site_id": "site_id", "longitude": "lon", "latitude": "lat", "value": "magt_c"}
    with pytest.raises(SitesError, match=r"run from 0 to 360 .* Subtract 360"):
        read_sites(tmp_path / "sites.csv", columns=columns, bounds=(-180.0, 45.0, 180.0, 84.0))


def test_published_maps_agree_with_each_other(shared_data, tmp_path):
    """Brown's zones drawn as a map, against the fraction of ESA CCI: far from chance, far from the same."""
    folder: Path = shared_data / "permafrost_maps"
    zones = read_raster(shared_data / "grids_north45_0p25" / "permafrost_brown_extent.tif")
    value = np.where(zones > 4, np.nan, np.where(zones >= 3, -2.0, 2.0)).astype(np.float32)
    fused = write_raster(tmp_path / "fused.tif", np.nan_to_num(value, nan=-9999.0), DEGREES, nodata=-9999.0)
    shared = {"thresholds": (0.0,), "labels": ("permafrost", "none")}
    ranges = {"permafrost": (50.0, 101.0), "none": (0.0, 50.0)}
    cci = PublishedMap("cci", folder / "cci_pfr_2018_nh_14km_percent.tif", ranges=ranges, **shared)
    found = compare_with_published(fused, cci, tmp_path / "difference_cci.tif")
    assert 0.7 < found.accuracy < 0.99
    codes = {"permafrost": (3, 4), "none": (0, 1, 2)}
    brown = PublishedMap("brown", folder / "brown_ipa_nh_12km_extent.tif", codes=codes, **shared)
    same = compare_with_published(fused, brown, tmp_path / "difference_brown.tif")
    assert same.accuracy > 0.97
    assert same.kappa > 0.93
    # continuous and discontinuous permafrost north of 45 N: 12 to 16 million km2
    assert 11e6 < same.classes["confusion"][0][0] < 17e6
