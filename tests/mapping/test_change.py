"""Change between the maps of slices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, theilslopes

from alm_core.errors import GridError
from alm_core.grid import Grid
from alm_core.mapping.change import BANDS, change_between, write_change
from alm_core.mapping.cog import describe_raster, open_raster, write_cog
from alm_core.mapping.slices import make_slices, read_slices, write_slices
from alm_core.mapping.true_area import cell_areas

GRID = Grid.from_bounds((90.0, 60.0, 93.0, 61.0), 0.05, crs="EPSG:4326")
NAMES = [(f"s{number}", 1980 + 5 * number, 1984 + 5 * number) for number in range(6)]


def write_maps(folder, values: np.ndarray, half_width: float, *, grid: Grid = GRID, dtype: str = "float32") -> object:
    """fused.tif and uncertainty.tif of each slice."""
    found = make_slices(folder, NAMES[: len(values)], NAMES[len(values) - 1][0])
    for one, layer in zip(found.slices, values, strict=True):
        place = folder / one.folder
        write_cog(
            place / "fused.tif", layer, grid, band_names=["fused"], units="K", dtype=dtype, scale=0.001 if dtype == "int16" else 1
        )
        bounds = np.stack([layer - half_width, layer + half_width])
        write_cog(place / "uncertainty.tif", bounds, grid, band_names=["lower", "upper"], units="K")
    return found


def world(count: int = 6) -> np.ndarray:
    """Series that rise in the east, fall in the west, with a hole in the middle slice and one in the first."""
    x = np.linspace(-1, 1, GRID.shape[1])
    noise = 0.05 * np.random.default_rng(3).normal(size=(count, *GRID.shape))
    values = (np.arange(count)[:, None, None] * x + noise).astype(np.float32)
    values[0, 0, 0] = values[count // 2, 1, 1] = np.nan
    return values


def test_bands_are_those_of_the_definitions(tmp_path):
    """Change, slope and p value against scipy; beyond the interval by hand; a hole only where it matters."""
    values = world()
    found = write_maps(tmp_path, values, 1.0)
    facts = write_change(found.slices, tmp_path, tmp_path / "map" / "change.tif", unit="K", tags={"study": "t"})
    told = describe_raster(tmp_path / "map" / "change.tif")
    assert [band["name"] for band in told["bands"]] == list(BANDS)
    assert [band["unit"] for band in told["bands"]] == ["K", "K decade-1", "1", "1"]
    assert "independent" in told["tags"]["beyond_interval"]
    with open_raster(tmp_path / "map" / "change.tif") as dataset:
        change, trend, chance, beyond = dataset.read()
    np.testing.assert_allclose(change, values[-1] - values[0], rtol=1e-6)
    times = [one.middle for one in found.slices]
    for row, column in [(5, 3), (10, 30), (19, 59)]:
        series = values[:, row, column].astype(float)
        assert trend[row, column] == pytest.approx(10 * theilslopes(series, times)[0], rel=1e-5)
        assert chance[row, column] == pytest.approx(kendalltau(times, series, method="exact").pvalue, rel=1e-5)
    assert np.isnan(change[0, 0])
    assert np.isnan(beyond[0, 0])
    assert np.isfinite(change[1, 1])
    assert np.isnan(trend[1, 1])
    known = np.isfinite(change)
    np.testing.assert_array_equal(beyond[known] == 1, np.abs(change[known]) > np.hypot(1.0, 1.0))
    assert (facts.cells, facts.trend_cells) == (GRID.size - 1, GRID.size - 2)


def test_the_summary_counts_what_the_raster_holds(tmp_path):
    """Shares from the raster again, the mean weighted by the area of the cells."""
    values = world() + np.linspace(0, 3, GRID.shape[0])[:, None].astype(np.float32) * np.arange(6)[:, None, None]
    found = write_maps(tmp_path, values.astype(np.float32), 1.0)
    facts = write_change(found.slices, tmp_path, tmp_path / "map" / "change.tif", unit="K")
    with open_raster(tmp_path / "map" / "change.tif") as dataset:
        change, trend, chance, beyond = dataset.read()
    area = np.broadcast_to(GRID.cell_area_square_metres()[:, None], change.shape)
    known = np.isfinite(change)
    assert facts.mean_change == pytest.approx(np.average(change[known].astype(float), weights=area[known]), rel=1e-6)
    assert facts.mean_change != pytest.approx(float(change[known].mean()), rel=1e-3)
    assert facts.significant_share == pytest.approx(np.mean(chance[np.isfinite(trend)] < 0.05))
    assert facts.significant_share == pytest.approx(facts.rising_share + facts.falling_share)
    assert 0 < facts.significant_share_controlled <= facts.significant_share
    assert facts.beyond_share == pytest.approx(np.nanmean(beyond))
    assert facts.to_dict()["smallest_p_value"] == pytest.approx(2 / 720)


def test_the_mean_change_of_a_polar_map_is_that_of_the_ground(tmp_path):
    """Cells far from the pole cover less of it than their sides say."""
    polar = Grid.from_bounds((-4e6, -4e6, 4e6, 4e6), 200_000.0, crs="EPSG:3413")
    away = np.hypot(polar.x[None, :], polar.y[:, None]) / 1e6
    values = (away * np.array([0.0, 0.5, 1.0])[:, None, None]).astype(np.float32)
    found = write_maps(tmp_path, values, 1.0, grid=polar)
    facts = write_change(found.slices, tmp_path, tmp_path / "map" / "change.tif")
    expected = np.average(away, weights=cell_areas(polar, slice(None), slice(None)))
    assert facts.mean_change == pytest.approx(expected, rel=1e-6)
    assert facts.mean_change < 0.98 * away.mean()


def test_noise_is_not_called_a_change_once_many_cells_are_thought_of(tmp_path):
    """Of 1200 cells of noise some are below 0.05; held to the rate of false discoveries none stays."""
    noise = np.random.default_rng(5).normal(size=(6, *GRID.shape)).astype(np.float32)
    found = write_maps(tmp_path, noise, 3.0)
    facts = write_change(found.slices, tmp_path, tmp_path / "map" / "change.tif")
    assert 0.01 < facts.significant_share < 0.09
    assert facts.significant_share_controlled == 0
    assert facts.beyond_share < 0.02


def test_blocks_change_no_byte_and_scaled_maps_are_read_in_their_unit(tmp_path, monkeypatch):
    """The size of the blocks is no part of the result; an int16 map gives the change of its values."""
    values = world(3)
    found = write_maps(tmp_path / "a", values, 1.0)
    write_change(found.slices, tmp_path / "a", tmp_path / "one.tif", unit="K")
    monkeypatch.setattr("alm_core.mapping.change.BLOCK_CELLS", 16)
    write_change(found.slices, tmp_path / "a", tmp_path / "two.tif", unit="K")
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "two.tif").read_bytes()
    scaled = write_maps(tmp_path / "b", values, 1.0, dtype="int16")
    write_change(scaled.slices, tmp_path / "b", tmp_path / "three.tif", unit="K")
    with open_raster(tmp_path / "one.tif") as plain, open_raster(tmp_path / "three.tif") as other:
        np.testing.assert_allclose(other.read(1), plain.read(1), atol=0.0011)


def test_intervals_may_be_missing_or_lopsided():
    """A rise is held against the upper room of the first and the lower room of the last; no bounds, no verdict."""
    first, last = np.zeros(3), np.array([2.0, -2.0, 2.0])
    bounds = np.array([[-5.0, -0.1, np.nan], [0.1, 5.0, np.nan]])
    change, beyond = change_between(first, last, bounds, last + np.array([[-0.1] * 3, [5.0, 0.1, 0.1]]))
    assert change.tolist() == [2.0, -2.0, 2.0]
    assert beyond[:2].tolist() == [1.0, 1.0]
    assert np.isnan(beyond[2])


def test_maps_of_two_grids_are_refused(tmp_path):
    """Slices must share their grid."""
    found = write_maps(tmp_path, world(2), 1.0)
    other = Grid.from_bounds((90.0, 60.0, 92.0, 61.0), 0.05, crs="EPSG:4326")
    layer = np.zeros(other.shape, np.float32)
    write_cog(tmp_path / found.slices[1].folder / "fused.tif", layer, other, band_names=["fused"])
    with pytest.raises(GridError, match="on 2 grids"):
        write_change(found.slices, tmp_path, tmp_path / "change.tif")


def test_the_list_of_slices_comes_back(tmp_path):
    """What is written is read; a run without slices has an empty list and its map in `map`."""
    assert not read_slices(tmp_path)
    assert read_slices(tmp_path).folder() == tmp_path / "map"
    made = make_slices(tmp_path, NAMES[:2], "s1")
    write_slices(made)
    assert read_slices(tmp_path) == made
    assert made.folder("s0") == tmp_path / "map" / "slices" / "s0"
    assert made.change is None
