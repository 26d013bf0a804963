"""Regridding: exact answers on small grids."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Transformer

from alm_core.cubes.axes import FieldGrid
from alm_core.cubes.regrid import make_regridder
from alm_core.errors import DomainError, GridError
from alm_core.grid import Grid

GRID = Grid.from_bounds((80, 30, 84, 32), 1, crs="EPSG:4326")
ALL = np.arange(GRID.size)


def brought(
    source: FieldGrid, values: np.ndarray, method: str | None, *, grid: Grid = GRID, cells: np.ndarray | None = None, **options
):
    """The regridder, and the values of one step on the cells."""
    regridder = make_regridder(source, grid, np.arange(grid.size) if cells is None else cells, method, **options)
    window = np.asarray(values, np.float32)[None, regridder.rows, regridder.columns]
    return regridder, regridder.apply(regridder.pick(window))[0]


def centres(west: float, east: float, step: float) -> np.ndarray:
    """Places of cells between two edges."""
    return np.arange(west + step / 2, east, step)


@pytest.mark.parametrize("method", ["nearest", "bilinear", "average", "mode"])
def test_the_same_cells_are_copied(method):
    """By every method, gaps too, and nothing leaks from next door."""
    values = np.arange(8.0).reshape(2, 4)
    values[0, 1] = np.nan
    regridder, found = brought(FieldGrid.make(GRID.x, GRID.y, GRID.crs), values, method)
    assert np.array_equal(found, values.ravel().astype(np.float32), equal_nan=True)
    assert regridder.ratio == pytest.approx(1.0)


@pytest.mark.parametrize("first", [-180.0, 0.0, 60.0])
@pytest.mark.parametrize("north_first", [True, False])
def test_global_grids_begin_anywhere(first, north_first):
    """-180..180, 0..360 and 60..420, from the north or from the south: the same cells."""
    x, y = centres(first, first + 360, 1.0), centres(-90, 90, 1.0)
    if north_first:
        y = y[::-1]
    longitude = (x + 180) % 360 - 180
    values = longitude[None, :] + 1000 * y[:, None]
    for west in (80, 178):
        grid = Grid.from_bounds((west, 30, west + 4, 32), 1, crs="EPSG:4326")
        wanted = ((grid.x + 180) % 360 - 180)[None, :] + 1000 * grid.y[:, None]
        for method in ("nearest", "bilinear", "average"):
            _, found = brought(FieldGrid.make(x, y, "EPSG:4326"), values, method, grid=grid)
            assert found == pytest.approx(wanted.ravel(), abs=1e-2), (west, method)


def test_bilinear_across_the_seam():
    """Between 179.5 and -179.5 lies 180."""
    x, y = centres(-180, 180, 1.0), centres(-90, 90, 1.0)
    values = np.tile(np.where(x < 0, 10.0, 20.0), (180, 1))
    grid = Grid.from_bounds((179.5, 0.5, 181.5, 1.5), 1, crs="EPSG:4326")
    _, found = brought(FieldGrid.make(x, y, "EPSG:4326"), values, "bilinear", grid=grid)
    assert found.tolist() == [15.0, 10.0]


def test_bilinear_of_a_plane_is_exact():
    """Half a cell off, a linear field comes out as it is."""
    source = FieldGrid.make(centres(78.5, 86.5, 1), centres(28.5, 34.5, 1), "EPSG:4326")
    values = source.x[None, :] + 10 * source.y[:, None]
    _, found = brought(source, values, "bilinear")
    assert found == pytest.approx((GRID.x[None, :] + 10 * GRID.y[:, None]).ravel(), abs=1e-4)


def test_bilinear_over_neighbours_that_have_a_value():
    """Missing neighbours leave the weight to the others; all missing is missing."""
    source = FieldGrid.make([80.0, 81.0, 82.0], [32.0, 31.0], "EPSG:4326")
    values = np.array([[1.0, np.nan, np.nan], [3.0, np.nan, np.nan]])
    _, found = brought(source, values, "bilinear", cells=np.array([0, 1]))
    assert np.array_equal(found, np.array([2.0, np.nan], np.float32), equal_nan=True)


def test_average_of_cells_that_nest():
    """2 x 2 source cells to a cell: their mean; half of them is enough, less is not."""
    source = FieldGrid.make(centres(80, 84, 0.5), centres(30, 32, 0.5)[::-1], "EPSG:4326")
    values = np.arange(32.0).reshape(4, 8)
    values[0, 2] = values[1, 2] = values[0, 4] = values[0, 5] = values[1, 4] = np.nan
    regridder, found = brought(source, values, None)
    assert (regridder.method, regridder.ratio) == ("average", pytest.approx(2.0))
    assert found[0] == np.mean([0, 1, 8, 9])
    assert found[1] == np.mean([3, 11])
    assert np.isnan(found[2])
    assert found[7] == np.mean([22, 23, 30, 31])


def test_average_of_cells_that_do_not_nest():
    """1.6 source cells to a cell: parts by area, within one part of the points."""
    source = FieldGrid.make(centres(80, 85, 0.625), centres(30, 35, 0.625)[::-1], "EPSG:4326")
    values = np.zeros((8, 8))
    values[:, 1] = 1.0  # 80.625 to 81.25
    _, found = brought(source, values, "average", grid=Grid.from_bounds((80, 31, 84, 35), 1, crs="EPSG:4326"))
    assert found[:3] == pytest.approx([0.375, 0.25, 0.0], abs=0.001)


def test_average_and_outside():
    """A cell that the source covers by less than half has no value."""
    source = FieldGrid.make(centres(81.6, 84, 0.2), centres(30, 32, 0.2), "EPSG:4326")
    regridder, found = brought(source, np.ones((10, 12)), "average")
    assert np.isfinite(found).tolist() == [False, False, True, True] * 2
    assert regridder.covered == 6  # the second column a little


def test_mode_of_states():
    """The commonest code; the smaller one of a tie; half of the cell must be known."""
    source = FieldGrid.make(centres(80, 84, 0.5), centres(30, 32, 0.5)[::-1], "EPSG:4326")
    values = np.ones((4, 8))
    values[0, 0:2], values[0, 2:4], values[1, 2] = 0, 0, 0
    values[0:2, 4], values[0, 5] = np.nan, np.nan
    regridder, found = brought(source, values, None, is_state=True)
    assert regridder.method == "mode"
    assert np.array_equal(found[:4], np.array([0, 0, np.nan, 1], np.float32), equal_nan=True)


@pytest.mark.parametrize("method", ["bilinear", "average"])
def test_codes_are_never_averaged(method):
    """0.5 is no state."""
    with pytest.raises(DomainError, match="can't be regridded"):
        make_regridder(FieldGrid.make(GRID.x, GRID.y, GRID.crs), GRID, ALL, method, is_state=True)


def test_mode_of_temperatures():
    """Too many codes are no codes."""
    source = FieldGrid.make(centres(80, 84, 0.2), centres(30, 32, 0.2), "EPSG:4326")
    with pytest.raises(DomainError, match="at most 64 codes"):
        brought(source, np.arange(200.0).reshape(10, 20), "mode")


def test_no_overlap():
    """Told with the grid of the field."""
    with pytest.raises(GridError, match="does not reach any of the 8 mapped cells"):
        make_regridder(FieldGrid.make([10.5, 11.5], [31.5, 30.5], "EPSG:4326"), GRID, ALL, "nearest")


def test_from_ease_grid_2_by_an_independent_way():
    """Nearest is the source cell under the centre, as the map projection says."""
    source = FieldGrid.make(np.arange(-8987500.0, 9e6, 25000), np.arange(8987500.0, -9e6, -25000), "EPSG:6931")
    grid = Grid.from_bounds((90, 30, 92, 32), 0.25, crs="EPSG:4326")
    values = np.arange(720 * 720, dtype=np.float64).reshape(720, 720)
    x, y = np.meshgrid(grid.x, grid.y)
    east, north = Transformer.from_crs("EPSG:4326", "EPSG:6931", always_xy=True).transform(x.ravel(), y.ravel())
    wanted = values[np.floor((9e6 - north) / 25000).astype(int), np.floor((east + 9e6) / 25000).astype(int)]
    _, found = brought(source, values, "nearest", grid=grid)
    assert np.array_equal(found, wanted.astype(np.float32))


def test_steps_do_not_depend_on_one_another():
    """One step alone and among others: the same bytes."""
    source = FieldGrid.make(centres(79.7, 85, 0.7), centres(29.7, 33, 0.7), "EPSG:4326")
    values = np.random.default_rng(1).normal(260, 5, (7, source.shape[0], source.shape[1])).astype(np.float32)
    values[values > 265] = np.nan
    for method in ("bilinear", "average"):
        regridder = make_regridder(source, GRID, ALL, method)
        picked = regridder.pick(values[:, regridder.rows, regridder.columns])
        together = regridder.apply(picked)
        alone = np.concatenate([regridder.apply(picked[step : step + 1]) for step in range(7)])
        assert together.tobytes() == alone.tobytes()
