"""A map beside a published one of another grid: classes, numbers, and the raster of their differences."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Transformer

from alm_core.errors import CrsError, DomainError, GridError
from alm_core.grid import Grid
from alm_core.mapping.map_comparison import PublishedMap, compare_with_published
from tests.rasters import read_raster, write_raster

GRID = Grid.from_bounds((0.0, 0.0, 8_000.0, 4_000.0), 1_000.0, crs="EPSG:3413")
COARSE = Grid.from_bounds((-4_000.0, -4_000.0, 12_000.0, 8_000.0), 4_000.0, crs="EPSG:3413")
LABELS = ("permafrost", "none")
CODES = {"permafrost": (3, 4), "none": (0, 1, 2)}


def zones(**fields):
    """The two classes of a map of ground temperature."""
    return {"thresholds": (0.0,), "labels": LABELS, **fields}


def compare(tmp_path, value, published, grid=GRID, **fields):
    """Write both and compare them."""
    fused = write_raster(tmp_path / "fused.tif", value.astype(np.float32), GRID, nodata=-9999.0)
    path = write_raster(tmp_path / "published.tif", published, grid, nodata=255 if published.dtype == np.uint8 else -9999.0)
    return compare_with_published(fused, PublishedMap("zones", path, **fields), tmp_path / "difference_zones.tif")


def test_codes_of_classes(tmp_path):
    """Three quarters agree; what the codes leave out is counted and compared nowhere."""
    value = np.full(GRID.shape, 1.0)
    value[:, :4] = -1.0
    value[0, 0] = 0.0  # the threshold is frozen
    codes = np.full(GRID.shape, 1, np.uint8)
    codes[:, :2] = 4
    codes[3, 7] = 7  # a lake
    codes[3, 6] = 255
    found = compare(tmp_path, value, codes, **zones(codes=CODES))
    assert (found.cells, found.unclassified_cells) == (30, 1)
    assert found.accuracy == pytest.approx(22 / 30, rel=1e-3)
    assert found.quantity == pytest.approx(8 / 30, rel=1e-3)
    assert found.allocation == pytest.approx(0.0, abs=1e-12)
    assert 1 - found.accuracy == pytest.approx(found.quantity + found.allocation)
    difference = read_raster(tmp_path / "difference_zones.tif")
    assert set(np.unique(difference[:, :2])) == {0.0}
    assert set(np.unique(difference[:, 2:4])) == {-1.0}
    assert found.difference == "map/difference_zones.tif"


def test_a_map_agrees_with_itself(tmp_path):
    """Kappa is 1 and every difference 0."""
    value = np.random.default_rng(0).normal(size=GRID.shape)
    found = compare(tmp_path, value, value.astype(np.float32), **zones())
    assert (found.accuracy, found.kappa, found.quantity) == pytest.approx((1.0, 1.0, 0.0), abs=1e-12)
    assert found.rmse == pytest.approx(0.0, abs=1e-6)
    assert found.correlation == pytest.approx(1.0)


def test_numbers_of_the_same_quantity(tmp_path):
    """The mean difference is map less published, after scale and offset."""
    value = np.random.default_rng(1).normal(5.0, 1.0, GRID.shape)
    found = compare(tmp_path, value, (100 * (value - 0.5)).astype(np.float32), scale=0.01)
    assert found.mean_difference == pytest.approx(0.5, abs=1e-4)
    assert found.kappa is None
    np.testing.assert_allclose(read_raster(tmp_path / "difference_zones.tif"), 0.5, atol=1e-4)


def test_ranges_of_another_quantity(tmp_path):
    """A permafrost fraction of half the cell or more is permafrost; the upper end does not belong to its range."""
    value = np.where(np.arange(8) < 4, -1.0, 1.0) * np.ones(GRID.shape)
    fraction = np.where(np.arange(8) < 4, 50.0, 49.9).astype(np.float32) * np.ones(GRID.shape, np.float32)
    found = compare(tmp_path, value, fraction, **zones(ranges={"permafrost": (50.0, 101.0), "none": (0.0, 50.0)}))
    assert found.accuracy == 1.0
    assert found.rmse is None


def test_coarse_codes_are_taken_from_the_nearest_cell(tmp_path):
    """No class appears that the published map does not have."""
    codes = np.array([[0, 4, 0, 0], [4, 0, 4, 0], [0, 0, 4, 4]], np.uint8)
    value = np.full(GRID.shape, -1.0)
    found = compare(tmp_path, value, codes, grid=COARSE, **zones(codes=CODES))
    assert found.cells == GRID.size
    assert found.accuracy == pytest.approx(0.5, rel=1e-3)  # of the middle row, 0 and 4 lie on the map


def test_another_projection(tmp_path):
    """A published map in longitude and latitude that crosses 180 degrees is met where it lies."""
    degrees = Grid.from_bounds((-180.0, 60.0, 180.0, 88.0), 0.5, crs="EPSG:4326")
    polar = Grid.from_bounds(
        (-1.7e6, 1.3e6, -1.3e6, 1.7e6), 25_000.0, crs="EPSG:3413"
    )  # the meridian of 180 degrees runs through
    codes = np.where(degrees.x < 0, 4, 1).astype(np.uint8) * np.ones(degrees.shape, np.uint8)
    longitude = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(*np.meshgrid(polar.x, polar.y))[0]
    fused = write_raster(tmp_path / "fused.tif", np.where(longitude < 0, -1.0, 1.0).astype(np.float32), polar)
    path = write_raster(tmp_path / "published.tif", codes, degrees, nodata=255)
    published = PublishedMap("zones", path, **zones(codes=CODES))
    found = compare_with_published(fused, published, tmp_path / "difference_zones.tif")
    assert found.cells == polar.size
    assert found.accuracy > 0.97


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"thresholds": (0.0,), "labels": ("one",)}, "one more label"),
        ({"thresholds": (2.0, 1.0), "labels": ("a", "b", "c")}, "rising order"),
        ({"codes": CODES}, "`thresholds` must say"),
        (zones(codes={"ice": (1,)}), "ice stands in codes"),
        (zones(codes=CODES, ranges={"none": (0, 1)}), "not both"),
        (zones(codes=CODES, band=3), "band 3 is not there"),
    ],
)
def test_descriptions_that_say_nothing_are_refused(tmp_path, fields, words):
    """By what is wrong with them."""
    with pytest.raises(DomainError, match=words):
        compare(tmp_path, np.zeros(GRID.shape), np.zeros(GRID.shape, np.uint8), **fields)


def test_maps_without_a_common_cell_are_refused(tmp_path):
    """And no raster of differences stays."""
    far = Grid.from_bounds((1e6, 1e6, 1.01e6, 1.01e6), 1_000.0, crs="EPSG:3413")
    with pytest.raises(GridError, match="no cell in common"):
        compare(tmp_path, np.zeros(GRID.shape), np.zeros(far.shape, np.uint8), grid=far, **zones(codes=CODES))
    assert not (tmp_path / "difference_zones.tif").exists()


def test_a_published_map_without_crs_is_refused(tmp_path):
    """Nobody knows where it lies."""
    fused = write_raster(tmp_path / "fused.tif", np.zeros(GRID.shape, np.float32), GRID)
    path = write_raster(tmp_path / "published.tif", np.zeros(GRID.shape, np.uint8), GRID, crs=None)
    with pytest.raises(CrsError, match="no CRS"):
        compare_with_published(fused, PublishedMap("zones", path, **zones(codes=CODES)), tmp_path / "difference.tif")
