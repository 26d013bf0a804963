"""The product: the fused raster under its public name, in longitude and latitude or not at all."""

from __future__ import annotations

import os

import numpy as np
import pytest

from alm_core.errors import StudyError
from alm_core.grid import Grid
from alm_core.mapping.cog import describe_raster, write_cog
from alm_core.mapping.published import check_publishable, publish
from alm_core.study import parse_options


@pytest.fixture
def fused(tmp_path):
    """A fused raster as the map stage writes it."""
    grid = Grid.from_bounds((90, 30, 91, 31), 0.01, crs="EPSG:4326")
    values = np.random.default_rng(0).random(grid.shape)
    options = {"band_names": ["fused"], "units": "m3 m-3", "dtype": "int16", "scale": 0.0001, "tags": {"simulated": "yes"}}
    return write_cog(tmp_path / "fused.tif", values, grid, **options).path


@pytest.mark.parametrize("links", [True, False])
def test_product_is_the_fused_raster(fused, monkeypatch, links):
    """The same bytes, with a link and where the file system knows none; an older product is replaced."""

    def no_links(source, target):
        raise OSError("not supported")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    fused.with_name("ALM_QTP.tif").write_bytes(b"old")
    path = publish(fused, "ALM_QTP")
    assert path.read_bytes() == fused.read_bytes()
    assert sorted(part.name for part in fused.parent.iterdir()) == ["ALM_QTP.tif", "fused.tif"]
    about = describe_raster(path)
    assert (len(about["bands"]), about["crs"], about["dtype"], about["tags"]["simulated"]) == (1, "EPSG:4326", "int16", "yes")


def test_a_new_map_leaves_the_product_alone(fused):
    """Rasters are replaced, never written to: the product stays what it was until it is published again."""
    path = publish(fused, "ALM_QTP")
    before = path.read_bytes()
    grid = Grid.from_bounds((90, 30, 91, 31), 0.01, crs="EPSG:4326")
    write_cog(fused, np.zeros(grid.shape), grid, band_names=["fused"])
    assert path.read_bytes() == before != fused.read_bytes()


@pytest.mark.parametrize("crs", ["EPSG:32645", None])
def test_other_grids_are_refused(crs):
    """A product is never reprojected in silence; without a product any grid will do."""
    grid = Grid.from_bounds((0, 0, 3, 3), 1, crs=crs)
    with pytest.raises(StudyError, match="publish_as"):
        check_publishable(grid, "ALM_here")
    check_publishable(grid, "")


@pytest.mark.parametrize("crs", ["EPSG:4326", "OGC:CRS84"])
def test_longitude_and_latitude_are_taken(tmp_path, crs):
    """However they are spelled: nothing is refused, and the product says the same of its place as the raster."""
    grid = Grid.from_bounds((0, 0, 3, 3), 1, crs=crs)
    assert check_publishable(grid, "ALM_here") is None
    fused = write_cog(tmp_path / "fused.tif", np.ones(grid.shape), grid, band_names=["fused"]).path
    assert describe_raster(publish(fused, "ALM_here"))["crs"] == describe_raster(fused)["crs"]


@pytest.mark.parametrize("name", ["../up", "a/b", "a.tif", "Karte Nord", ".hidden", "-x", "fused", "Members", "x" * 65])
def test_only_plain_names(name):
    """No path, no suffix, no blank, no name of another raster."""
    with pytest.raises(StudyError, match=r"map\.publish_as"):
        parse_options(
            {
                "study": {"name": "a"},
                "grid": {"like": "a.tif"},
                "sites": {"table": "a.csv"},
                "covariates": [{"name": "a", "path": "a.tif"}],
                "map": {"publish_as": name},
            }
        )
