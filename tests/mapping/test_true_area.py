"""Areas on the ellipsoid and distances through the earth, whatever the projection."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod, Transformer

from alm_core.grid import Grid
from alm_core.mapping.true_area import cell_areas, ground_points

POLAR = Grid.from_bounds((-5e6, -5e6, 5e6, 5e6), 25_000.0, crs="EPSG:3413")


def whole(grid):
    """Areas of all cells."""
    return np.block([[cell_areas(grid, *block.slices) for block in grid.blocks(512)]])


@pytest.mark.parametrize("cell", [(200, 200), (50, 60), (10, 390), (399, 0)])
def test_polar_cells_have_their_area_on_the_ellipsoid(cell):
    """Against a geodesic polygon with 40 points on each side."""
    row, column = cell
    step = np.linspace(-12_500.0, 12_500.0, 40)
    side = np.full(40, 12_500.0)
    x = POLAR.x[column] + np.concatenate([step, side, -step, -side])
    y = POLAR.y[row] + np.concatenate([-side, step, side, -step])
    places = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(x, y)
    exact = abs(Geod(ellps="WGS84").polygon_area_perimeter(*places)[0])
    assert whole(POLAR)[row, column] == pytest.approx(exact, rel=2e-4)


def test_blocks_have_the_same_areas_as_the_whole():
    """To within the interpolation of the scale."""
    parts = np.zeros(POLAR.shape)
    for block in POLAR.blocks(70):
        parts[block.slices] = cell_areas(POLAR, *block.slices)
    np.testing.assert_allclose(parts, whole(POLAR), rtol=1e-4)


def test_two_projections_agree_on_an_area():
    """The cap north of 70 N on a polar grid and on one of degrees."""
    x, y = np.meshgrid(POLAR.x, POLAR.y)
    latitude = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(x, y)[1]
    degrees = Grid.from_bounds((-180.0, 70.0, 180.0, 90.0), 0.5, crs="EPSG:4326")
    assert whole(POLAR)[latitude > 70].sum() == pytest.approx(whole(degrees).sum(), rel=2e-3)


def test_a_grid_without_crs_is_a_plane():
    """And its points stay where they are."""
    grid = Grid.from_bounds((0.0, 0.0, 40.0, 20.0), 10.0, crs=None)
    np.testing.assert_array_equal(whole(grid), np.full((2, 4), 100.0))
    assert ground_points(grid, np.array([5.0]), np.array([6.0])).tolist() == [[5.0, 6.0]]


def test_neighbours_across_180_degrees_are_near():
    """A degree of longitude on either side at 60 N is 111 km, on both kinds of grid."""
    degrees = Grid.from_bounds((-180.0, 45.0, 180.0, 84.0), 0.25, crs="EPSG:4326")
    longitude, latitude = np.array([179.0, -179.0]), np.array([60.0, 60.0])
    for grid in (degrees, POLAR):
        x, y = grid.transform_points(longitude, latitude, crs="EPSG:4326")
        apart = np.linalg.norm(np.diff(ground_points(grid, x, y), axis=0))
        assert apart == pytest.approx(111_200.0, rel=2e-3)


def test_some_cells_have_the_areas_they_have_among_all():
    """Rows and columns of a decimated read, a single row and a single cell."""
    rows, columns = np.array([3, 50, 399]), np.array([0, 7, 200, 390])
    np.testing.assert_allclose(cell_areas(POLAR, rows, columns), whole(POLAR)[np.ix_(rows, columns)], rtol=2e-4)
    np.testing.assert_allclose(cell_areas(POLAR, slice(9, 10), columns)[0], whole(POLAR)[9, columns], rtol=2e-4)
    np.testing.assert_allclose(cell_areas(POLAR, slice(9, 10), slice(20, 21)), whole(POLAR)[9:10, 20:21], rtol=2e-4)


def test_feet_and_kilometres_are_no_trouble():
    """The same ground whatever the unit of the plane."""
    text = "+proj=laea +lat_0=33 +lon_0=90 +datum=WGS84 +units={}"
    areas = [
        cell_areas(Grid.from_bounds((-side, -side, side, side), side / 20, crs=text.format(unit)), slice(None), slice(None))
        for unit, side in (("m", 1e6), ("km", 1e3))
    ]
    np.testing.assert_allclose(areas[0], areas[1], rtol=1e-6)
    np.testing.assert_allclose(areas[0], 1e10 / 4, rtol=1e-4)


def test_places_that_the_projection_does_not_have_have_no_area():
    """The corners of a map of the whole earth; its sum is the earth."""
    grid = Grid.from_bounds((-18.1e6, -9.1e6, 18.1e6, 9.1e6), 1e5, crs="+proj=moll +datum=WGS84")
    areas = cell_areas(grid, slice(None), slice(None))
    assert areas[0, 0] == 0
    assert areas.sum() == pytest.approx(510.07e12, rel=5e-3)
