"""Layers come onto the grid as they are where cells agree, and resampled as named where they don't."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from alm_core.covariates import alignment
from alm_core.covariates.alignment import Aligner, bounds_in, lattice_offset, same_crs
from alm_core.covariates.layers import LayerReader, LayerSource
from alm_core.errors import CrsError
from alm_core.grid import Grid
from tests.rasters import write_raster

ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84"


def aligned(path, grid, method="bilinear", block_size=64, **options):
    """The whole layer on a grid, put together from blocks, with its out-of-range cells and description."""
    values = np.full(grid.shape, -1, np.float32)
    outside = np.zeros(grid.shape, bool)
    with LayerReader(LayerSource(name="a", path=path, **options)) as reader:
        aligner = Aligner(reader, grid, method)
        for block in grid.blocks(block_size):
            found = aligner.block(block)
            values[block.slices] = found.values
            if found.out_of_range is not None:
                outside[block.slices] = found.out_of_range
        return values, outside, aligner


@pytest.mark.parametrize("block_size", [7, 64, 1000])
def test_layer_on_the_grid_is_copied_exactly(tmp_path, grid, relief, block_size):
    """Not one bit changes, whatever the block size."""
    values, _, aligner = aligned(write_raster(tmp_path / "a.tif", relief, grid), grid, block_size=block_size)
    np.testing.assert_array_equal(values, relief)
    assert aligner.describe() == "already on the grid"


def test_same_cells_on_another_extent_are_cut_and_padded(tmp_path, grid, relief):
    """A raster on the same lattice is copied where it lies and NaN beyond."""
    path = write_raster(tmp_path / "a.tif", relief, grid)
    moved = Grid.from_bounds((89.5, 33.0, 93.0, 36.0), 0.05, crs="EPSG:4326")
    values, _, aligner = aligned(path, moved, block_size=16)
    assert "same cells" in aligner.describe()
    np.testing.assert_array_equal(values[20:60, 10:], relief[:40, :60])
    assert np.isnan(values[:20]).all()
    assert np.isnan(values[:, :10]).all()


@pytest.mark.parametrize("size", [16, 23, 200])
def test_south_up_layer_is_copied_exactly(tmp_path, grid, relief, size):
    """Inverted latitude is turned, not resampled."""
    path = write_raster(tmp_path / "a.tif", relief[::-1], grid, transform=rasterio.Affine(0.05, 0, 90, 0, 0.05, 32))
    values, _, _ = aligned(path, grid, block_size=size)
    np.testing.assert_array_equal(values, relief)


@pytest.mark.parametrize("size", [16, 37, 200])
@pytest.mark.parametrize("crs", ["EPSG:4326", None])
def test_bilinear_of_a_plane_is_the_plane(tmp_path, size, crs):
    """Refining a tilted plane gives the plane, away from the rim, with and without a CRS."""
    coarse = Grid.from_bounds((80, 30, 90, 40), 0.5, crs=crs)
    fine = Grid.from_bounds((82, 32, 88, 38), 0.1, crs=crs)
    plane = (3 * coarse.x[None] + 7 * coarse.y[:, None]).astype(np.float32)
    values, _, aligner = aligned(write_raster(tmp_path / "a.tif", plane, coarse), fine, block_size=size)
    np.testing.assert_allclose(values, 3 * fine.x[None] + 7 * fine.y[:, None], rtol=1e-6)
    assert aligner.describe() == "resampled by bilinear"


def test_nearest_between_projections_takes_the_cell_under_the_centre(tmp_path):
    """An independent transform of every centre by pyproj names the same source cell."""
    source = Grid.from_bounds((80, 30, 100, 40), 0.25, crs="EPSG:4326")
    codes = np.arange(source.size, dtype=np.float32).reshape(source.shape)
    target = Grid.from_bounds((-1.5e6, 3.5e6, -0.5e6, 4.5e6), 10_000, crs=ALBERS)
    values, _, aligner = aligned(write_raster(tmp_path / "a.tif", codes, source), target, method="nearest", kind="categorical")
    x, y = Transformer.from_crs(ALBERS, "EPSG:4326", always_xy=True).transform(*np.meshgrid(target.x, target.y))
    index = source.cell_index(x, y)
    expected = np.where(index >= 0, index, np.nan)
    assert np.mean(~((values == expected) | (np.isnan(values) & np.isnan(expected)))) < 0.003  # centres on a cell's edge
    assert "reprojected from EPSG:4326" in aligner.describe()


@pytest.mark.parametrize(("method", "atol"), [("nearest", 0), ("bilinear", 2e-3), ("cubic", 2e-3), ("average", 2e-2)])
def test_blocks_leave_no_seams(tmp_path, method, atol, monkeypatch):
    """Small blocks, and blocks met in parts for lack of memory, give what one block gives."""
    source = Grid.from_bounds((80, 30, 100, 40), 0.05, crs="EPSG:4326")
    rows, columns = np.meshgrid(np.arange(200), np.arange(400), indexing="ij")
    path = write_raster(tmp_path / "a.tif", (rows + columns).astype(np.float32), source)
    target = Grid.from_bounds((-1.5e6, 3.6e6, -0.6e6, 4.3e6), 10_000, crs=ALBERS)
    whole, _, _ = aligned(path, target, method, block_size=512)
    parts, _, _ = aligned(path, target, method, block_size=32)
    monkeypatch.setattr(alignment, "MAXIMUM_SOURCE_CELLS", 1500)
    starved, _, _ = aligned(path, target, method, block_size=32)
    assert np.isfinite(whole).mean() > 0.8
    for found in (parts, starved):
        np.testing.assert_array_equal(np.isnan(found), np.isnan(whole))
        changed = ~np.isclose(found, whole, rtol=0, atol=atol) & np.isfinite(whole)
        assert changed.mean() < 0.002


def test_average_of_whole_cells_is_their_mean(tmp_path, grid, relief):
    """Aggregating 4 x 4 cells gives their mean, and missing cells are left out of it."""
    holed = relief.copy()
    holed[0, 0] = -9999
    path = write_raster(tmp_path / "a.tif", holed, grid, nodata=-9999)
    coarse = Grid.from_bounds(grid.bounds, 0.2, crs=grid.crs)
    values, _, aligner = aligned(path, coarse, "average")
    holed[0, 0] = np.nan
    expected = np.nanmean(holed.reshape(15, 4, 20, 4), axis=(1, 3))
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert aligner.advice() == []


@pytest.mark.parametrize(("kind", "method", "words"), [("continuous", "bilinear", "average"), ("categorical", "nearest", "mode")])
def test_finer_layers_get_advice(tmp_path, grid, relief, kind, method, words):
    """A source at least twice as fine as the grid is noted with the resampling that suits it."""
    coarse = Grid.from_bounds(grid.bounds, 0.1, crs=grid.crs)
    _, _, aligner = aligned(write_raster(tmp_path / "a.tif", relief, grid), coarse, method, kind=kind)
    assert words in aligner.advice()[0]
    assert "2.0 source cells" in aligner.advice()[0]


def test_out_of_range_never_enters_a_mean(tmp_path):
    """A bad value is taken out before resampling, and the grid cells above it are counted once for any block size."""
    source = Grid.from_bounds((80, 30, 84, 34), 0.2, crs="EPSG:4326")
    fine = Grid.from_bounds((80, 30, 84, 34), 0.05, crs="EPSG:4326")
    stored = np.full(source.shape, 10, np.float32)
    stored[5:7, 5] = -9999
    path = write_raster(tmp_path / "a.tif", stored, source)
    for size in (9, 64):
        values, outside, _ = aligned(path, fine, minimum=0.0, block_size=size)
        assert np.nanmin(values) == np.nanmax(values) == 10
        assert outside.sum() == 2 * 16


def test_polar_grid_around_the_pole(tmp_path):
    """A longitude-latitude raster reaches every cell of a polar grid, across the antimeridian and at the pole."""
    world = Grid.from_bounds((-180, 40, 180, 90), 1, crs="EPSG:4326")
    latitude = np.repeat(world.y[:, None], 360, axis=1).astype(np.float32)
    polar = Grid.from_bounds((-3e6, -3e6, 3e6, 3e6), 50_000, crs="EPSG:3995")
    values, _, _ = aligned(write_raster(tmp_path / "a.tif", latitude, world), polar, block_size=32)
    _, expected = Transformer.from_crs("EPSG:3995", "EPSG:4326", always_xy=True).transform(*np.meshgrid(polar.x, polar.y))
    assert np.isfinite(values).all()
    # Half a source cell from the pole there is no neighbour to interpolate with.
    np.testing.assert_allclose(values, expected, atol=0.51)
    assert np.abs(values - expected)[expected < 89].max() < 0.01


def test_one_sided_crs_is_refused(tmp_path, grid, relief):
    """A raster with a CRS can't be brought to a grid without one."""
    path = write_raster(tmp_path / "a.tif", relief, grid)
    with pytest.raises(CrsError, match="only one"):
        aligned(path, Grid(None, grid.transform, grid.shape))
    with pytest.raises(CrsError, match="Only one"):
        bounds_in(None, grid)


def test_same_crs_and_offsets():
    """Spellings of one CRS are one; a lattice is shared only within a thousandth of a cell."""
    assert same_crs(None, None)
    assert not same_crs(None, "EPSG:4326")
    assert not same_crs("EPSG:4326", "EPSG:3995")
    first = Grid(None, (1.0, 0, 0.0, 0, -1.0, 100.0), (100, 100))
    assert lattice_offset(first, Grid(None, (1.0, 0, 3.0005, 0, -1.0, 95.0), (10, 10))) == (5, 3)
    assert lattice_offset(first, Grid(None, (1.0, 0, 3.01, 0, -1.0, 95.0), (10, 10))) is None
    assert lattice_offset(first, Grid(None, (1.001, 0, 3.0, 0, -1.0, 95.0), (10, 10))) is None


def test_block_without_overlap_is_nan(tmp_path, grid, relief):
    """Blocks beyond the raster are NaN, reprojected or not."""
    path = write_raster(tmp_path / "a.tif", relief, grid)
    for target in (
        Grid.from_bounds((10, 10, 11, 11), 0.03125, crs="EPSG:4326"),
        Grid.from_bounds((3e6, 0, 4e6, 1e6), 1e5, crs=ALBERS),
    ):
        values, _, _ = aligned(path, target, minimum=0.0)
        assert np.isnan(values).all()
