"""What frames a map: true lengths, true north, labelled lines."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from pyproj import Geod

from alm_core.grid import Grid
from alm_core.mapping.map_frame import Projection, graticule, map_width_metres, middle_latitude, north_angle, scale_bar
from alm_core.mapping.print_words import WORDS

VIEW = (80.0, 28.0, 100.0, 38.0)
DEGREES = Grid.from_bounds(VIEW, 0.1, crs="EPSG:4326")


def test_width_is_that_of_the_middle_latitude():
    """20 degrees at 33 N, along the parallel."""
    found = map_width_metres(VIEW, Projection.of(DEGREES))
    steps = Geod(ellps="WGS84").inv(np.arange(80, 100, 0.1), [33] * 200, np.arange(80, 100, 0.1) + 0.1, [33] * 200)[2]
    assert found == pytest.approx(np.sum(steps), rel=1e-3)
    assert middle_latitude(VIEW, Projection.of(DEGREES)) == 33


def test_scale_bar_has_its_length():
    """The drawn bar is as long on paper as its label says on the ground."""
    figure = Figure(figsize=(10, 5))
    scale_bar(figure, (0.1, 0.1, 0.3), map_inches=8.0, metres=800_000.0, words=WORDS["en"])
    bars = [patch for patch in figure.artists if hasattr(patch, "get_width")]
    text = [part.get_text() for part in figure.texts]
    shown = sum(bar.get_width() for bar in bars) * 10 / 8.0 * 800
    assert text[-1] == f"{shown:g} km"
    assert shown <= 300


@pytest.mark.parametrize(("place", "angle"), [((0.0, -1e6), 0.0), ((1e6, 0.0), -90.0), ((-1e6, 0.0), 90.0), ((0.0, 1e6), 180.0)])
def test_north_points_to_the_pole(place, angle):
    """On a polar map, north is wherever the pole is."""
    x, y = place
    grid = Grid.from_bounds((x - 1e5, y - 1e5, x + 1e5, y + 1e5), 1e4, crs="EPSG:3995")
    found = north_angle(grid.bounds, Projection.of(grid))
    assert (found - angle + 180) % 360 - 180 == pytest.approx(0, abs=0.1)


def test_graticule_is_labelled_where_it_meets_the_edge():
    """Round degrees below and on the left."""
    axes = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set(xlim=VIEW[::2], ylim=VIEW[1::2])
    graticule(axes, VIEW, Projection.of(DEGREES))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["85°E", "90°E", "95°E"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["30°N", "32.5°N", "35°N", "37.5°N"]
    np.testing.assert_allclose(axes.get_xticks(), [85, 90, 95])
