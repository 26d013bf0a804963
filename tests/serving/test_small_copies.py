"""Small copies of large rasters without overviews."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import RasterError
from alm_core.grid import Grid
from alm_core.serving import rasters
from alm_core.serving.mercator import tile_pixels
from alm_core.serving.rasters import Raster, header, read_pixels, small_copy
from alm_core.serving.small_copies import SmallCopyWantedError, make_small_copy, shrink, small_grid, want_small_copy
from alm_core.serving.urls import tile_url
from tests.rasters import read_raster, write_raster
from tests.serving.conftest import client_of

GRID = Grid.from_bounds((90, 30, 94.1, 33.1), 0.005, crs="EPSG:4326")


@pytest.fixture
def raster(tmp_path, monkeypatch) -> Raster:
    """A raster that counts as large."""
    monkeypatch.setattr(rasters, "LARGE_CELLS", 10_000)
    values = np.add.outer(np.arange(GRID.shape[0]), np.arange(GRID.shape[1])).astype(np.float32)
    values[:100] = np.nan
    return Raster.of(write_raster(tmp_path / "r.tif", values, GRID, nodata=np.nan))


def test_the_mean_of_what_there_is(raster):
    """Sixteen cells, fewer where some are missing or beyond the edge; the grid starts where the raster does."""
    path = make_small_copy(raster, category=False)
    stored, small = read_raster(raster.path), read_raster(path)
    assert small.shape == small_grid(GRID).shape == (-(-GRID.shape[0] // 4), -(-GRID.shape[1] // 4))
    assert np.isnan(small[:25]).all()
    np.testing.assert_allclose(small[30, 7], stored[120:124, 28:32].mean())
    np.testing.assert_allclose(small[-1, -1], stored[616:, 816:].mean())
    assert header(Raster.of(path)).grid.bounds[0] == 90


def test_classes_are_picked_and_not_averaged():
    """Only numbers that were there come out."""
    values = np.random.default_rng(0).choice(np.array([1, 5, np.nan], np.float32), (30, 30))
    found = np.unique(shrink(values, category=True))
    assert set(found[np.isfinite(found)]) <= {1.0, 5.0}


def test_far_zooms_read_the_copy_and_near_ones_the_raster(raster, monkeypatch):
    """What they show agrees to the size of a cell of the copy."""
    with pytest.raises(SmallCopyWantedError):
        want_small_copy(raster, category=False)
    far = tile_pixels(5, 24, 13)
    before = read_pixels(raster, far, [1])
    make_small_copy(raster, category=False)
    want_small_copy(raster, category=False)
    assert small_copy(raster) is not None
    after = read_pixels(raster, far, [1])
    known = np.isfinite(before) & np.isfinite(after)
    assert known.sum() > 500
    assert np.abs(before - after)[known].max() < 2 * 8
    near = read_pixels(raster, tile_pixels(11, 1556, 830), [1])
    assert np.unique(near[np.isfinite(near)] % 1).tolist() == [0]


def test_a_changed_raster_gets_a_new_copy_and_the_old_one_goes(raster):
    """The name holds time and size."""
    first = make_small_copy(raster, category=False)
    write_raster(raster.path, np.zeros(GRID.shape, np.float32), GRID)
    changed = Raster.of(raster.path)
    with pytest.raises(SmallCopyWantedError):
        want_small_copy(changed, category=False)
    second = make_small_copy(changed, category=False)
    assert second != first
    assert not first.exists()
    assert second.is_file()


def test_only_copies_of_the_same_layer_go(raster):
    """A layer whose name begins alike keeps its own."""
    other = raster.path.with_name("r-other.tif")
    write_raster(other, np.ones(GRID.shape, np.float32), GRID)
    kept = make_small_copy(Raster.of(other), category=False)
    make_small_copy(raster, category=False)
    assert kept.is_file()


def test_a_window_that_would_fill_the_memory_is_refused(raster, monkeypatch):
    """With what to do."""
    monkeypatch.setattr(rasters, "MAXIMUM_WINDOW", 1000)
    with pytest.raises(RasterError, match="gdaladdo"):
        read_pixels(raster, tile_pixels(5, 24, 13), [1])


def test_where_nothing_can_be_written_tiles_are_made_all_the_same(raster, monkeypatch):
    """Asked for once, logged, and never again."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "read-only")

    monkeypatch.setattr("alm_core.serving.small_copies.write_cog", refuse)
    assert make_small_copy(raster, category=False) is None
    want_small_copy(raster, category=False)
    assert np.isfinite(read_pixels(raster, tile_pixels(5, 24, 13), [1])).any()


def test_the_route_makes_the_copy_before_its_first_tile(copied_run, monkeypatch):
    """One request is enough; the second finds it."""
    monkeypatch.setattr(rasters, "LARGE_CELLS", 100)
    client = client_of(copied_run, monkeypatch)
    url = tile_url(copied_run, "covariate:wetness").format(z=5, x=24, y=13)
    first = client.get(url)
    assert first.status_code == 200
    assert len(list((copied_run.folder / "covariates" / ".tiles").glob("wetness-*.tif"))) == 1
    assert client.get(url).content == first.content
