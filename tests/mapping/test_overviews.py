"""Overviews: means of what has a value, in place, and as GDAL would have them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from alm_core.grid import Grid
from alm_core.mapping.cog import open_raster, write_cog
from alm_core.mapping.overviews import halve as halve_pairs
from alm_core.mapping.overviews import pairs


def halve(values, nodata, resampling="average"):
    """One level of a whole array."""
    shape = [-(-size // 2) for size in values.shape[1:]]
    return halve_pairs(values, pairs(values.shape[1], shape[0]), pairs(values.shape[2], shape[1]), nodata, resampling)


def test_mean_of_what_has_a_value():
    """Four, three, one and none of the cells."""
    nan = np.nan
    values = np.array([[[1, 2, 5, nan], [3, 4, 7, 9], [nan, nan, nan, nan], [nan, 6, nan, nan]]], np.float32)
    np.testing.assert_array_equal(halve(values, nan), np.array([[[2.5, 7.0], [6.0, nan]]], np.float32))


def test_integers_are_rounded_and_never_become_nodata():
    """Nodata is left out, and a mean that equals it is moved by one."""
    values = np.array([[[10, 11, -1, 1], [-32768, 11, 1, -1]]], np.int16)
    assert halve(values, -32768).tolist() == [[[11, 0]]]
    assert halve(values, 0).tolist()[0][0][1] == 1
    assert halve(np.full((1, 2, 2), 255, np.uint8), 255).tolist() == [[[255]]]


def test_mode_is_the_commonest_value():
    """Two of one against one of another; of equals the first in reading order; nodata and NaN have no voice."""
    classes = np.array([[[1, 3, 5, 4, 0, 0], [3, 2, 4, 5, 0, 7]]], np.uint8)
    assert halve(classes, 0, "mode").tolist() == [[[3, 5, 7]]]
    floats = np.array([[[np.nan, 2, np.nan, np.nan], [6, 6, np.nan, np.nan]]], np.float32)
    np.testing.assert_array_equal(halve(floats, np.nan, "mode"), np.array([[[6, np.nan]]], np.float32))


def test_nearest_is_the_upper_left():
    """A cell of four, nodata or not."""
    values = np.array([[[1, 2, -1, 4], [5, 6, 7, 8]]], np.int16)
    assert halve(values, -1, "nearest").tolist() == [[[1, -1]]]


@pytest.mark.parametrize("shape", [(1100, 1537), (1025, 513), (513, 2000), (7, 1200)])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_tiles_do_not_show(tmp_path, shape, dtype):
    """Overviews made tile by tile are those of the whole array at once, whatever the size of the grid."""
    grid = Grid("EPSG:4326", (0.001, 0.0, 90.0, 0.0, -0.001, 32.0), shape)
    field = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    field[:, np.random.default_rng(2).random(shape) < 0.4] = np.nan
    scale = 1.0 if dtype == "float32" else 0.001
    path = write_cog(tmp_path / "a.tif", field, grid, band_names=["a", "b"], dtype=dtype, scale=scale).path
    with open_raster(path) as dataset:
        expected, nodata, levels = dataset.read(), dataset.nodata, len(dataset.overviews(1))
    assert levels == (2 if max(shape) // 2 > 512 else 1)
    for level in range(levels):
        expected = halve(expected, nodata)
        with rasterio.open(path, overview_level=level) as overview:
            np.testing.assert_array_equal(overview.read(), expected)


@pytest.mark.parametrize(("finer", "coarser"), [(1, 1), (2, 1), (3, 2), (1001, 501), (4096, 2048)])
def test_pairs_stay_in_place(finer, coarser):
    """Every cell is in a pair, and no pair is more than half a cell away from where it belongs."""
    found = pairs(finer, coarser)
    assert set(found.ravel()) == set(range(finer))
    middle = found.mean(axis=0) + 0.5
    wanted = (np.arange(coarser) + 0.5) * finer / coarser
    assert np.abs(middle - wanted).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_close_to_those_of_gdal(tmp_path, dtype):
    """A smooth field with holes: level by level within what half a cell may change."""
    grid = Grid.from_bounds((90, 30, 91.701, 31.337), 0.001, crs="EPSG:4326")
    rows, columns = np.indices(grid.shape)
    field = np.sin(rows / 150) + np.cos(columns / 200)
    field[200:300, 400:700] = np.nan
    scale = 1.0 if dtype == "float32" else 0.0005
    path = write_cog(tmp_path / "a.tif", field, grid, band_names=["a"], dtype=dtype, scale=scale).path
    plain = tmp_path / "b.tif"
    with open_raster(path) as dataset:
        profile = {**dataset.profile, "driver": "GTiff"}
        with rasterio.open(plain, "w", **profile) as target:
            target.write(dataset.read())
        levels = dataset.overviews(1)
    with rasterio.open(plain, "r+") as target:
        target.build_overviews(levels, Resampling.average)
    assert levels == [2, 4]
    for level in range(len(levels)):
        with rasterio.open(path, overview_level=level) as ours, rasterio.open(plain, overview_level=level) as theirs:
            a, b = ours.read(1, masked=True), theirs.read(1, masked=True)
            assert a.shape == b.shape
            assert (np.ma.getmaskarray(a) != np.ma.getmaskarray(b)).mean() < 0.003
            assert np.abs((a.astype(float) - b) * scale).max() < 0.02


def test_empty_tiles_stay_empty(tmp_path):
    """A raster with one mapped corner: its overviews hold nodata elsewhere."""
    grid = Grid.from_bounds((90, 30, 93, 33), 0.001, crs="EPSG:4326")
    field = np.full(grid.shape, np.nan, np.float32)
    field[:40, :40] = 0.3
    path = write_cog(tmp_path / "a.tif", field, grid, band_names=["a"]).path
    for level, side in enumerate((20, 10, 5)):
        with rasterio.open(path, overview_level=level) as overview:
            values = overview.read(1)
            assert np.isfinite(values).sum() == side**2
            assert np.nanmax(values) == pytest.approx(0.3)
