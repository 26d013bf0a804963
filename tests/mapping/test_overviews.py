"""Overviews: means of what has a value, in place, and as GDAL would have them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import Window

from alm_core.grid import Grid
from alm_core.mapping.cog import open_raster, write_cog
from alm_core.mapping.overviews import finer_window


def overviews(path):
    """All overviews of a raster, from the finest to the coarsest, ``[band, row, column]``."""
    with open_raster(path) as dataset:
        levels = len(dataset.overviews(1))
    found = []
    for level in range(levels):
        with rasterio.open(path, overview_level=level) as dataset:
            found.append(dataset.read())
    return found


def halved(tmp_path, corner, nodata, dtype, resampling="average"):
    """The first overview of a raster that holds a few cells in its corner, nodata elsewhere; the corner of it."""
    values = np.full((600, 700), nodata, dtype)
    corner = np.asarray(corner, dtype)
    values[: corner.shape[0], : corner.shape[1]] = corner
    grid = Grid("EPSG:4326", (0.001, 0.0, 90.0, 0.0, -0.001, 32.0), values.shape)
    options = {} if dtype == "float32" else {"nodata": nodata}
    path = write_cog(tmp_path / "a.tif", values, grid, band_names=["a"], dtype=dtype, resampling=resampling, **options).path
    return overviews(path)[0][0, : corner.shape[0] // 2, : corner.shape[1] // 2]


def test_mean_of_what_has_a_value(tmp_path):
    """Four, three, one and none of the cells."""
    nan = np.nan
    cells = [[1, 2, 5, nan], [3, 4, 7, 9], [nan, nan, nan, nan], [nan, 6, nan, nan]]
    np.testing.assert_array_equal(halved(tmp_path, cells, nan, "float32"), [[2.5, 7.0], [6.0, nan]])


def test_integers_are_rounded_and_never_become_nodata(tmp_path):
    """Nodata is left out, and a mean that equals it is moved by one."""
    cells = [[10, 11, -1, 1], [-32768, 11, 1, -1]]
    assert halved(tmp_path, cells, -32768, "int16").tolist() == [[11, 0]]
    assert abs(halved(tmp_path, cells, 0, "int16")[0, 1]) == 1
    assert halved(tmp_path, [[255, 255], [255, 255]], 255, "uint8").tolist() == [[255]]


def test_mode_is_the_commonest_value(tmp_path):
    """Two of one against one of another; nodata and NaN have no voice."""
    classes = [[1, 3, 4, 4, 0, 0], [3, 2, 4, 5, 0, 7]]
    assert halved(tmp_path, classes, 0, "uint8", "mode").tolist() == [[3, 4, 7]]
    floats = [[np.nan, 2, np.nan, np.nan], [6, 6, np.nan, np.nan]]
    np.testing.assert_array_equal(halved(tmp_path, floats, np.nan, "float32", "mode"), [[6, np.nan]])


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 255), ("int16", -32768), ("float32", np.nan)])
def test_modes_are_classes_or_nodata(tmp_path, dtype, nodata):
    """Where no cell has a class the overview has none either, at odd sizes and in every type."""
    rng = np.random.default_rng(4)
    classes = rng.choice([1, 2, 7], (1025, 613)).astype(dtype)
    classes[rng.random(classes.shape) < 0.6] = nodata
    classes[:, :30] = nodata
    grid = Grid("EPSG:4326", (0.001, 0.0, 90.0, 0.0, -0.001, 32.0), classes.shape)
    path = write_cog(tmp_path / "a.tif", classes, grid, band_names=["a"], dtype=dtype, nodata=nodata, resampling="mode").path
    for values in overviews(path):
        missing = np.isnan(values) if dtype == "float32" else values == nodata
        assert 0 < missing.sum() < missing.size / 2
        assert set(values[~missing].tolist()) == {1, 2, 7}


def test_nearest_is_one_of_the_cells(tmp_path):
    """A cell of four, nodata or not, and the same one of each four."""
    found = halved(tmp_path, [[1, 2, 11, 12], [5, 6, 15, 16]], -1, "int16", "nearest")
    assert found[0, 0] in (1, 2, 5, 6)
    assert found[0, 1] - found[0, 0] == 10


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
        profile, finer = {**dataset.profile, "driver": "GTiff"}, dataset.read()
    found = overviews(path)
    assert len(found) == (2 if -(-max(shape) // 2) > 512 else 1)
    for level, values in enumerate(found):
        plain = tmp_path / f"{level}.tif"
        with rasterio.open(plain, "w", **profile | {"height": finer.shape[1], "width": finer.shape[2]}) as target:
            target.write(finer)
        with open_raster(plain) as dataset:
            whole = dataset.read(out_shape=values.shape, resampling=Resampling.average)
        np.testing.assert_array_equal(np.isnan(values), np.isnan(whole))
        np.testing.assert_allclose(values, whole, rtol=1e-6, atol=0 if dtype == "float32" else 1)
        finer = values


@pytest.mark.parametrize(("finer", "coarser"), [(1, 1), (2, 1), (1001, 501), (4096, 2048), (43990, 21995)])
def test_tiles_cover_the_ground(finer, coarser):
    """The windows of the tiles of an overview lie side by side and end where the finer raster ends."""
    end = 0.0
    for start in range(0, coarser, 512):
        width = min(512, coarser - start)
        window = finer_window(Window(start, 0, width, 1), (1, coarser), (1, finer))
        assert window.col_off == pytest.approx(end)
        assert abs(window.width - 2 * width) <= 1
        end = window.col_off + window.width
    assert end == pytest.approx(finer)


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
