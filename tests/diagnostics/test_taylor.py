"""Taylor diagram."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.diagnostics.taylor import error_arc, taylor_point, taylor_points
from alm_core.errors import StudyError


@pytest.mark.parametrize("scheme", ["random", "knndm"])
def test_the_three_numbers_are_sides_of_one_triangle(dashboard_run, scheme):
    """E'^2 = s_f^2 + s_r^2 - 2 s_f s_r R, with s_r = 1, on the data of a run."""
    points = taylor_points(dashboard_run, scheme)
    assert [point.name for point in points] == ["forest", "boosted", "fused"]
    for point in points:
        expected = point.sd_ratio**2 + 1 - 2 * point.sd_ratio * point.correlation
        assert point.centred_rmse**2 == pytest.approx(expected, abs=1e-12)


def test_the_place_in_the_diagram_is_the_error_away_from_the_observations():
    """Distance from (1, 0) of the point at radius and angle."""
    rng = np.random.default_rng(0)
    observed = rng.normal(size=200)
    point = taylor_point("x", observed, 0.6 * observed + 0.4 * rng.normal(size=200) + 3)
    angle = np.radians(point.angle_degrees)
    distance = np.hypot(point.sd_ratio * np.cos(angle) - 1, point.sd_ratio * np.sin(angle))
    assert distance == pytest.approx(point.centred_rmse, abs=1e-9)
    assert point.mean_error == pytest.approx(3, abs=0.2)


def test_a_perfect_prediction_lies_on_the_star():
    """Radius 1, angle 0, no error."""
    observed = np.arange(10.0)
    point = taylor_point("x", observed, observed)
    assert (point.sd_ratio, point.angle_degrees, point.centred_rmse) == (pytest.approx(1), pytest.approx(0, abs=1e-5), 0)


def test_a_constant_prediction_has_no_place():
    """Its correlation is not defined."""
    assert taylor_point("x", np.arange(10.0), np.ones(10)) is None


def test_an_arc_keeps_its_distance_and_stays_inside():
    """Every point of an arc lies `radius` from the observations and no farther out than the limit."""
    distance, angle = error_arc(0.5, limit=1.25)
    x, y = distance * np.cos(np.radians(angle)), distance * np.sin(np.radians(angle))
    np.testing.assert_allclose(np.hypot(x - 1, y), 0.5, atol=1e-12)
    assert distance.max() <= 1.25
    assert len(distance) > 10


def test_an_unknown_scheme_is_named(dashboard_run):
    """With those that there are."""
    with pytest.raises(StudyError, match=r"'nope'.*random"):
        taylor_points(dashboard_run, "nope")
