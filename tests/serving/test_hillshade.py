"""The ground: relief where there is elevation, plain grey elsewhere, no seams."""

from __future__ import annotations

import json

import numpy as np

from alm_core.serving.hillshade import FLAT, elevation_name, hillshade_picture, hillshade_tile, plain_ground, shade
from tests.serving.pictures import EDGE, MIDDLE, OUTSIDE, rgba


def test_elevation_is_found_by_group_name_and_unit(dashboard_run, copied_run):
    """Terrain in metres; a layer of that name in degrees is none."""
    assert elevation_name(dashboard_run) == "elevation"
    file = copied_run.folder / "covariates" / "stack.json"
    content = json.loads(file.read_text())
    content["units"]["elevation"] = "degree"
    file.write_text(json.dumps(content))
    assert elevation_name(copied_run) is None
    assert hillshade_tile(copied_run, *MIDDLE) == plain_ground()


def test_flat_land_is_the_plain_grey_and_slopes_turn_with_the_light():
    """Light from the north-west: slopes that face it are light, slopes that turn away dark."""
    flat = shade(np.full((5, 5), 4000.0), 100.0, 100.0)
    assert (flat == FLAT).all()
    down_to_the_south_east = -np.add.outer(np.arange(5.0), np.arange(5.0)) * 20
    assert (shade(-down_to_the_south_east, 100.0, 100.0) > FLAT).all()
    assert (shade(down_to_the_south_east, 100.0, 100.0) < FLAT).all()


def test_a_missing_neighbour_is_flat():
    """No hole and no edge where elevation ends."""
    heights = np.random.default_rng(0).normal(4000, 300, (8, 8))
    heights[4, 4] = np.nan
    grey = shade(heights, 500.0, 500.0)
    assert grey[3, 2] == grey[3, 4] == grey[2, 3] == grey[4, 3] == FLAT
    assert (grey != FLAT).any()


def test_tiles_are_opaque_light_and_show_relief(dashboard_run):
    """Inside the map there is relief; beside it the plain ground."""
    inside, beside = rgba(hillshade_tile(dashboard_run, *MIDDLE)), rgba(hillshade_tile(dashboard_run, *OUTSIDE))
    assert (inside[..., 3] == 255).all()
    assert (beside[..., 3] == 255).all()
    assert np.ptp(inside[..., 0]) > 10
    assert np.ptp(beside[..., 0]) == 0
    assert inside[..., :3].mean() > 200


def test_neighbouring_tiles_meet_without_a_seam(dashboard_run):
    """The step across the border is no larger than the steps inside."""
    z, x, y = MIDDLE
    left, right = (rgba(hillshade_tile(dashboard_run, z, column, y))[..., 2].astype(int) for column in (x, x + 1))
    both = np.concatenate([left, right], axis=1)
    steps = np.abs(np.diff(both, axis=1)).mean(axis=0)
    assert steps[255] <= np.percentile(steps, 99) + 1


def test_the_picture_covers_the_run_evenly_in_degrees(dashboard_run):
    """Bounds of the grid, width as asked for, square pixels."""
    content, bounds = hillshade_picture(dashboard_run, 400)
    assert np.allclose(bounds, (90, 30, 94, 33))
    picture = rgba(content)
    assert picture.shape == (300, 400, 4)
    assert np.ptp(picture[20:-20, 20:-20, 0]) > 10


def test_the_whole_run_fits_into_a_tile_of_its_own(dashboard_run):
    """Zoomed out there is ground around the relief."""
    picture = rgba(hillshade_tile(dashboard_run, *EDGE))
    assert (picture[..., 2] == FLAT).mean() > 0.5
    assert (picture[..., 2] != FLAT).any()
