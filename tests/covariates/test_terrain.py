"""Slope and aspect: exact on planes, the same by tiles, honest at edges and poles."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates import terrain
from alm_core.errors import StudyError
from alm_core.grid import Grid

METHODS = ("horn", "zevenbergen_thorne")


def halo(elevation):
    return np.pad(elevation, 1, constant_values=np.nan)


def plane(east, north, shape=(7, 9), width=30.0, height=20.0):
    """A plane that rises by `east` and `north` metres a metre; with its cell sizes."""
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    return east * columns * width - north * rows * height, np.full(shape[0], width), np.full(shape[0], height)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("east", "north", "facing"),
    [
        (0.1, 0.0, 270.0),
        (-0.1, 0.0, 90.0),
        (0.0, 0.1, 180.0),
        (0.0, -0.1, 0.0),
        (0.2, 0.2, 225.0),
        (-0.2, 0.2, 135.0),
        (-1.0, -1.0, 45.0),
    ],
)
def test_planes_are_exact_up_to_the_edge(method, east, north, facing):
    """Slope, aspect, northness and eastness of a plane are known in every cell, those at the rim too."""
    elevation, width, height = plane(east, north)
    elevation = halo(elevation)
    rise = np.hypot(east, north)
    np.testing.assert_allclose(terrain.slope(elevation, width, height, method=method), np.degrees(np.arctan(rise)), rtol=1e-5)
    found = terrain.aspect(elevation, width, height, method=method)
    np.testing.assert_allclose(np.cos(np.radians(found - facing)), 1, atol=1e-6)
    assert found.min() >= 0
    assert found.max() < 360
    for function, part in ((terrain.northness, np.cos), (terrain.eastness, np.sin)):
        np.testing.assert_allclose(function(elevation, width, height, method=method), part(np.radians(facing)), atol=1e-5)
        weighted = function(elevation, width, height, method=method, weight_by_slope=True)
        np.testing.assert_allclose(weighted, part(np.radians(facing)) * np.sin(np.arctan(rise)), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_geographic_plane_is_exact_with_metric_cells(method):
    """A surface that rises evenly by degrees has the slope that its metres say, row by row."""
    grid = Grid.from_bounds((80, 20, 82, 60), 0.5, crs="EPSG:4326")
    east, north = 900.0, -400.0  # metres a degree
    elevation = halo(east * grid.x[None] + north * grid.y[:, None])
    width, height = grid.cell_size_metres()
    rise = np.hypot(east * 0.5 / width, north * 0.5 / height)
    found = terrain.slope(elevation, width, height, method=method)
    np.testing.assert_allclose(found, np.repeat(np.degrees(np.arctan(rise))[:, None], 4, axis=1), rtol=1e-5)
    assert found[0, 0] > found[-1, 0] * 1.3  # the same metres a degree are steeper where degrees are shorter


def test_horn_by_hand():
    """One cell worked out by hand from the 1-2-1 weights."""
    cells = np.array([[50, 45, 50], [30, 30, 30], [8, 10, 10.0]])
    east, north = terrain.gradient(cells, np.array([5.0]), np.array([5.0]))
    assert east[0, 0] == pytest.approx(((50 + 2 * 30 + 10) - (50 + 2 * 30 + 8)) / 40)
    assert north[0, 0] == pytest.approx(((50 + 2 * 45 + 50) - (8 + 2 * 10 + 10)) / 40)
    assert terrain.slope(cells, np.array([5.0]), np.array([5.0]))[0, 0] == pytest.approx(75.25762, abs=1e-4)


def test_horn_equals_numpy_on_a_rough_surface(relief):
    """An oracle by convolution agrees inside the surface."""
    from scipy.ndimage import correlate

    sizes = np.full(relief.shape[0], 100.0)
    east, north = terrain.gradient(halo(relief), sizes, sizes)
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 800
    np.testing.assert_allclose(east[1:-1, 1:-1], correlate(relief.astype(float), kernel)[1:-1, 1:-1], atol=1e-12)
    np.testing.assert_allclose(north[1:-1, 1:-1], correlate(relief.astype(float), -kernel.T)[1:-1, 1:-1], atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_missing_cells_stay_missing_and_spoil_no_neighbour(method):
    """A hole in a plane leaves the plane's slope around it."""
    elevation, width, height = plane(0.3, -0.1)
    elevation[3, 4] = np.nan
    found = terrain.slope(halo(elevation), width, height, method=method)
    assert np.argwhere(np.isnan(found)).tolist() == [[3, 4]]
    np.testing.assert_allclose(found[np.isfinite(found)], np.degrees(np.arctan(np.hypot(0.3, 0.1))), rtol=1e-5)


def test_a_lone_cell_is_flat():
    """A cell without any neighbour has slope 0."""
    assert terrain.slope(halo(np.array([[5.0]])), np.array([30.0]), np.array([30.0])).item() == 0


def test_flats_have_no_aspect():
    """Aspect is NaN on flats, northness and eastness are 0 there and NaN only where the elevation is missing."""
    elevation, width, height = plane(0, 0)
    elevation[2, 2] = np.nan
    elevation = halo(elevation)
    assert np.isnan(terrain.aspect(elevation, width, height)).all()
    for function in (terrain.northness, terrain.eastness):
        found = function(elevation, width, height)
        assert np.isnan(found).sum() == 1
        assert np.nanmax(np.abs(found)) == 0


def test_rows_at_a_pole_are_nan():
    """Where cells have no width there is no slope, rather than 90 degrees."""
    elevation, _, height = plane(0.1, 0.1, shape=(3, 4))
    found = terrain.slope(halo(elevation), np.array([1e-9, 10.0, 30.0]), height)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1:]).all()


@pytest.mark.parametrize("crs", ["EPSG:3995", "EPSG:3413"])
def test_true_north_on_a_polar_grid(crs):
    """A cone that falls towards the pole faces north everywhere, though the grid's up is another way."""
    grid = Grid.from_bounds((-2e6, -2e6, 2e6, 2e6), 1e5, crs=crs)
    block = next(grid.blocks(100))
    x, y = np.meshgrid(grid.x, grid.y)
    cone = halo(np.hypot(x, y) / 100)
    azimuth = terrain.true_north(grid, block)
    sizes = grid.cell_size_metres()
    far = np.hypot(x, y) > 5e5
    np.testing.assert_allclose(terrain.northness(cone, *sizes, north_azimuth=azimuth)[far], 1, atol=5e-3)
    assert np.abs(terrain.eastness(cone, *sizes, north_azimuth=azimuth)[far]).max() < 0.1
    facing = terrain.aspect(cone, *sizes, north_azimuth=azimuth)[far]
    assert np.minimum(facing, 360 - facing).max() < 6
    assert terrain.northness(cone, *sizes).min() < -0.99


def test_true_north_of_other_grids(grid):
    """On geographic grids, and where no CRS is known, up is north."""
    assert terrain.true_north(grid, next(grid.blocks(10))) == 0
    bare = Grid(None, grid.transform, grid.shape)
    assert terrain.true_north(bare, next(bare.blocks(10))) == 0


def test_unknown_method_is_named():
    """Methods are told apart by name."""
    with pytest.raises(StudyError, match="evans"):
        terrain.slope(np.zeros((3, 3)), np.ones(1), np.ones(1), method="evans")
