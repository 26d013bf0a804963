"""The correlation of errors, found again where it is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from alm_core.errors import SitesError
from alm_core.learning.error_correlation import ErrorCorrelation, fit_error_correlation, regional_part, typical_spacing


def field(points, length, nugget, seed):
    """A Gaussian field of variance 1 with this correlation."""
    covariance = (1 - nugget) * np.exp(-cdist(points, points) / length) + nugget * np.eye(len(points))
    return np.linalg.cholesky(covariance + 1e-9 * np.eye(len(points))) @ np.random.default_rng(seed).normal(size=len(points))


def scattered(count=400, seed=0):
    """Places in a square of 100."""
    return np.random.default_rng(seed).uniform(0, 100, (count, 2))


@pytest.mark.parametrize(("length", "nugget"), [(5.0, 0.1), (15.0, 0.4)])
def test_a_known_correlation_is_found(length, nugget):
    """The correlation at some distances, in the mean of a few fields."""
    points = scattered()
    at = np.array([3.0, 10.0, 25.0])
    found = np.mean([fit_error_correlation(points, field(points, length, nugget, seed)).at(at) for seed in range(4)], axis=0)
    np.testing.assert_allclose(found, (1 - nugget) * np.exp(-at / length), atol=0.13)


def test_noise_shares_nothing_beyond_its_neighbours():
    """Noise: nothing is shared beyond a few site distances."""
    points = scattered()
    found = [
        fit_error_correlation(points, np.random.default_rng(seed).normal(size=400)).at(np.array([20.0])) for seed in range(4)
    ]
    assert np.mean(found) < 0.05


def test_regions_that_are_off_are_noticed():
    """A fifth of the variance between regions is found; noise has hardly any."""
    rng = np.random.default_rng(2)
    centres = rng.uniform(0, 1000, (20, 2))
    points = np.repeat(centres, 20, axis=0) + rng.normal(0, 5, (400, 2))
    shares = []
    for seed in range(20):
        off = np.repeat(np.random.default_rng(seed).normal(size=20), 20)
        shares.append(regional_part(points, 0.5 * off + np.random.default_rng(seed + 99).normal(size=400))[0])
    assert np.mean(shares) == pytest.approx(0.2, abs=0.07)
    nothing = [regional_part(points, np.random.default_rng(seed).normal(size=400))[0] for seed in range(20)]
    assert np.mean(nothing) < 0.03


def test_spacing_ignores_repeated_places():
    """Two sites at one place are no distance."""
    assert typical_spacing(np.array([[0.0, 0], [0, 0], [0, 3], [0, 6]])) == 3.0


@pytest.mark.parametrize(
    ("points", "residual"),
    [
        (scattered(10), np.arange(10.0)),
        (scattered(50), np.zeros(50)),
        (np.zeros((50, 2)), np.arange(50.0)),
        (scattered(50), np.full(50, np.nan)),
    ],
    ids=["few", "alike", "one place", "missing"],
)
def test_too_little_to_tell_is_refused(points, residual):
    """Few sites, no spread, one place, nothing known."""
    with pytest.raises(SitesError, match="at least 20"):
        fit_error_correlation(points, residual)


def test_correlation_falls_from_the_shared_part():
    """Between two different places, next to each other: all but what no two share."""
    near = np.array([0.0, 1e12])
    np.testing.assert_allclose(ErrorCorrelation(0.25, 5.0).at(near), [0.75, 0])
    np.testing.assert_allclose(ErrorCorrelation(0.25, 5.0, regional_share=0.5, region=10.0).at(near), [0.875, 0])
