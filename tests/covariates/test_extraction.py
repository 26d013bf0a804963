"""Values at sites: exact at centres, weighted between them, honest about what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from alm_core.covariates import extraction
from alm_core.covariates.extraction import extract
from alm_core.errors import DomainError, StudyError, TableError

METHODS = ("nearest", "bilinear", "window_mean")


@pytest.fixture
def stack(make_stack, relief, grid):
    """Elevation with a hole, a plane, and codes."""
    holed = relief.copy()
    holed[10:20, 10:20] = np.nan
    plane = (2 * grid.x[None] - 3 * grid.y[:, None]).astype(np.float32)
    codes = (np.arange(grid.size).reshape(grid.shape) // 7 % 5).astype(np.float32)
    return make_stack({"holed": holed, "plane": plane, "codes": codes}, kinds={"codes": "categorical"}, block_size=16)


@pytest.fixture
def points(grid):
    """Two hundred points inside the grid."""
    generator = np.random.default_rng(3)
    west, south, east, north = grid.bounds
    return generator.uniform(west, east, 200), generator.uniform(south, north, 200)


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_cell_centres_give_the_cells(stack, grid, relief, method):
    """At the centre of every cell both methods give its number, and NaN in the hole."""
    x, y = (part.ravel() for part in np.meshgrid(grid.x, grid.y))
    found = extract(stack, x, y, method=method)
    with stack.reader() as reader:
        whole = reader.read(next(grid.blocks(1000)))
    for index, name in enumerate(stack.names):
        expected = whole[index].ravel()
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, err_msg=name)
    assert list(found.columns) == ["holed", "plane", "codes"]
    assert (found.dtypes == np.float32).all()


def test_bilinear_agrees_with_scipy(stack, grid, points):
    """Away from the rim and the hole, bilinear is scipy's linear interpolation; codes come from the nearest cell."""
    x, y = points
    with stack.reader() as reader:
        whole = reader.read(next(grid.blocks(1000)))
    inner = (x > grid.x[0]) & (x < grid.x[-1]) & (y < grid.y[0]) & (y > grid.y[-1])
    found = extract(stack, x[inner], y[inner])
    for name, index in (("holed", 0), ("plane", 1)):
        oracle = RegularGridInterpolator((grid.y[::-1], grid.x), whole[index][::-1].astype(float))(np.c_[y[inner], x[inner]])
        good = np.isfinite(oracle)
        np.testing.assert_allclose(found[name][good], oracle[good], rtol=1e-5)
    nearest = extract(stack, x, y, method="nearest")
    np.testing.assert_array_equal(extract(stack, x, y)["codes"], nearest["codes"])
    np.testing.assert_array_equal(nearest["codes"], whole[2].ravel()[grid.cell_index(x, y)])


def test_missing_neighbours_are_left_out(stack, grid, relief):
    """Beside the hole the valid neighbours share the weight; deep inside it nothing is made up."""
    x = np.array([grid.x[9] + 0.02, grid.x[15]])
    y = np.array([grid.y[15], grid.y[15]])
    found = extract(stack, x, y, names=["holed"])["holed"].to_numpy()
    assert found[0] == pytest.approx(relief[15, 9], rel=1e-6)
    assert np.isnan(found[1])


def test_outside_is_nan(stack, grid):
    """Points beyond the grid or without finite coordinates are NaN in every column; the very rim counts as inside."""
    west, south, east, north = grid.bounds
    x = np.array([west - 1e-6, east, west, np.nan, 92.0, np.inf, east - 1e-9])
    y = np.array([33.0, 33.0, north, 33.0, south - 1, 33.0, south + 1e-9])
    for method in METHODS:
        found = extract(stack, x, y, method=method).to_numpy()
        np.testing.assert_array_equal(np.isnan(found).all(axis=1), [True, True, False, True, True, True, False])


@pytest.mark.parametrize("window", [1, 3, 5])
def test_window_means_and_modes(stack, grid, points, window):
    """Means of valid cells and commonest codes agree with a plain loop, at the rim too."""
    x, y = (np.r_[part, edge] for part, edge in zip(points, (grid.x[[0, -1]], grid.y[[0, -1]]), strict=True))
    with stack.reader() as reader:
        whole = reader.read(next(grid.blocks(1000)))
    found = extract(stack, x, y, method="window_mean", window_cells=window)
    reach = window // 2
    for site, cell in enumerate(grid.cell_index(x, y)):
        row, column = divmod(int(cell), grid.shape[1])
        cut = whole[:, max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1].reshape(3, -1)
        assert found["plane"][site] == pytest.approx(cut[1].mean(dtype=float), rel=1e-5)
        good = cut[0][np.isfinite(cut[0])]
        assert (
            found["holed"][site] == pytest.approx(good.mean(dtype=float), rel=1e-5)
            if good.size
            else np.isnan(found["holed"][site])
        )
        assert found["codes"][site] == np.bincount(cut[2].astype(int)).argmax()


@pytest.mark.parametrize("method", METHODS)
def test_tiles_and_order_change_nothing(stack, points, method, monkeypatch):
    """Reading by small squares or one, and shuffled rows, give the same numbers."""
    x, y = points
    whole = extract(stack, x, y, method=method).to_numpy()
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_array_equal(extract(stack, x[order], y[order], method=method).to_numpy(), whole[order])
    monkeypatch.setattr(extraction, "TILE_CELLS", 8)
    np.testing.assert_array_equal(extract(stack, x, y, method=method).to_numpy(), whole)


def test_no_sites_and_one_name(stack):
    """No points give an empty table with its columns."""
    found = extract(stack, np.array([]), np.array([]), names=["plane"])
    assert found.shape == (0, 1)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"method": "cubic"}, DomainError, "cubic"),
        ({"method": "window_mean", "window_cells": 4}, DomainError, "odd"),
        ({"names": ["slope"]}, StudyError, "slope"),
    ],
)
def test_impossible_options(stack, options, kind, words):
    """Unknown methods, even windows and unknown layers are named."""
    with pytest.raises(kind, match=words):
        extract(stack, [92.0], [33.0], **options)


def test_lengths_must_agree(stack):
    """x and y are columns of one table."""
    with pytest.raises(TableError, match="same length"):
        extract(stack, [92.0, 93.0], [33.0])
