"""Axes of daily files."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import CRS

from alm_core.cubes.axes import FieldGrid, agree, check_ease_grid, ease_code
from alm_core.errors import CrsError, GridError

Y = np.arange(31.5, 29, -1)


@pytest.mark.parametrize(
    ("crs", "expected"),
    [
        (CRS.from_epsg(3409).to_wkt(), 3409),
        ("+proj=laea +lat_0=-90 +lon_0=0 +datum=WGS84", 6932),
        ("+proj=cea +lat_ts=30 +lon_0=0 +R=6371228", 3410),
        ("+proj=cea +lat_ts=30 +lon_0=90 +datum=WGS84", None),
        ("+proj=laea +lat_0=45 +lon_0=0 +datum=WGS84", None),
        ("EPSG:4326", None),
    ],
)
def test_ease_grids_by_their_numbers(crs, expected):
    """Whatever the text."""
    assert ease_code(crs) == expected


@pytest.mark.parametrize(
    ("crs", "cell"), [("EPSG:6931", 25067.525), ("EPSG:3408", 25000.0), ("EPSG:3410", 25025.26), ("EPSG:6933", 12533.7625)]
)
def test_one_ease_grid_taken_for_the_other(crs, cell):
    """Cell sizes tell them apart."""
    with pytest.raises(CrsError, match="the two miss each other by kilometres"):
        check_ease_grid(crs, cell)


@pytest.mark.parametrize(
    ("crs", "cell"),
    [("EPSG:6931", 36000.0), ("EPSG:3408", 25067.5), ("EPSG:6933", 9008.055), ("EPSG:6931", 77000.0), ("EPSG:32645", 25067.5)],
)
def test_cells_of_their_own(crs, cell):
    """Those of the grid, of no grid, and of other projections pass."""
    check_ease_grid(crs, cell)


def test_longitudes_across_180_are_unrolled():
    """178.5 .. -178.5 becomes one rising axis."""
    grid = FieldGrid.make([178.5, 179.5, -179.5, -178.5], Y, "EPSG:4326")
    assert grid.x.tolist() == [178.5, 179.5, 180.5, 181.5]
    assert not grid.is_around


def test_longitudes_from_0_to_360():
    """They go around; so do those of a global grid from -180."""
    for first in (0.5, -179.5):
        assert FieldGrid.make(np.arange(first, first + 360), Y, "EPSG:4326").is_around


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        ([80.5], Y, "at least two cells"),
        ([80.5, np.nan], Y, "1 places of the x axis are missing"),
        ([80.5, 81.5, 81.0], Y, "turns around"),
        ([80.5, 81.5, 85.5], Y, "even steps"),
        ([80.5, 81.5], [91.5, 92.5], "may be swapped"),
    ],
)
def test_axes_that_are_none(x, y, text):
    """Each with what is wrong."""
    with pytest.raises(GridError, match=text):
        FieldGrid.make(x, y, "EPSG:4326")


def test_without_a_crs():
    """The study must name it."""
    with pytest.raises(CrsError, match="declares no CRS"):
        FieldGrid.make([0, 1], [0, 1], None)


def test_spheres_agree_with_the_ellipsoid_in_degrees():
    """GRIB declares spheres; projected grids must be the same."""
    assert agree("+proj=longlat +R=6367470", "EPSG:4326")
    assert not agree("EPSG:32645", "EPSG:32646")
