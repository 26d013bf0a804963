"""Empirical variogram and its model."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import LearnerError
from alm_core.learning.variogram import BINS, REACH, fit_variogram


def field(length: float, nugget: float, count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian field of exponential covariance on the unit square, by Cholesky."""
    rng = np.random.default_rng(7)
    points = rng.uniform(0, 1 / np.sqrt(2), (count, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    root = np.linalg.cholesky(np.exp(-distance / length) + 1e-9 * np.eye(count))
    return points, root @ rng.normal(size=count) + np.sqrt(nugget) * rng.normal(size=count)


def test_empirical_variogram_equals_its_definition():
    """Half the mean squared difference of the pairs in each bin, each pair counted once."""
    points, values = field(0.1, 0.1, 80)
    found = fit_variogram(points, values)
    first, second = np.triu_indices(80, 1)
    distance = np.linalg.norm(points[first] - points[second], axis=1)
    edges = np.linspace(0, REACH, BINS + 1)
    place = np.digitize(distance, edges) - 1
    half = (values[first] - values[second]) ** 2 / 2
    expected = [half[place == b].mean() for b in range(BINS) if (place == b).any()]
    np.testing.assert_allclose(found.semivariance, expected, rtol=1e-12)
    assert sum(found.pairs) == (distance < REACH).sum()


def test_known_field_is_recovered():
    """Sill and nugget of a simulated field come back within the noise of one realisation."""
    found = fit_variogram(*field(0.05, 0.5))
    assert found.nugget + found.variance == pytest.approx(1.5, rel=0.25)
    assert found.nugget == pytest.approx(0.5, abs=0.25)
    assert found.misfit[found.model] == min(found.misfit.values())


def test_noise_is_nugget():
    """Values without any spatial likeness give a variogram that is nearly flat from the first bin on."""
    rng = np.random.default_rng(0)
    found = fit_variogram(rng.uniform(0, 0.7, (400, 2)), rng.normal(size=400))
    model = found.covariance_model(2)
    assert model.variogram(0.1) == pytest.approx(model.variogram(0.4), rel=0.1)


def test_rescaled_units():
    """Distances scale by one factor, semivariances by the square of the other."""
    found = fit_variogram(*field(0.1, 0.1, 60))
    other = found.rescaled(distance=1000.0, value=3.0)
    assert other.length == pytest.approx(1000 * found.length)
    assert (other.variance, other.nugget) == pytest.approx((9 * found.variance, 9 * found.nugget))
    assert other.covariance_model(2).variogram(50.0) == pytest.approx(9 * found.covariance_model(2).variogram(0.05))
    assert other.to_dict()["pairs"] == found.pairs


def test_sites_at_two_places_are_refused():
    """Two spots give one distance, from which no variogram can be fitted."""
    points = np.repeat([[0.0, 0.0], [0.3, 0.0]], 20, axis=0)
    with pytest.raises(LearnerError, match="very few places"):
        fit_variogram(points, np.random.default_rng(0).normal(size=40))
