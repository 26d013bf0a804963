"""How alike the errors of a map are at two places: the correlation of its out-of-fold residuals.

Two parts, because sites come in clusters and one variogram sees only the short one of them:

- near: a Gaussian process with exponential correlation and a nugget, fitted to the residuals by maximum likelihood (Mardia and
  Marshall 1984), which uses every pair of sites: a variogram in even lags over a continent would begin at a hundred kilometres;
- regional: by how much whole regions are off, from the residuals' means over clusters of sites, as the variance between groups
  of a one-way analysis of variance (Searle, Casella and McCulloch 1992). It is small beside the error of a cell and does not
  average out within a region, so it rules the error of large areas.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from alm_core.errors import SitesError
from alm_core.learning.learners import single_thread

MINIMUM_SITES = 20
MOST_SITES = 600
"""Sites drawn where there are more: the likelihood needs the eigenvectors of a matrix of all sites."""
LENGTHS = 24
SHARES = np.linspace(0.0, 1.0, 101)
LEAST_EIGENVALUE = 1e-10
PRACTICAL = 3.0
"""An exponential correlation has fallen to 5 % at three times its length."""


@dataclass(frozen=True)
class ErrorCorrelation:
    """Correlation of the errors at two different places ``h`` apart.

    ``regional_share * exp(-h / region) + (1 - regional_share) * near``, where ``near`` is
    ``(1 - nugget_share) * exp(-h / length) + nugget_share * exp(-3 h / unresolved)``

    Attributes
    ----------
    nugget_share : float
        Part of the near error variance of which two sites share nothing.
    length : float
        Of the shared part; infinite where all places err alike.
    unresolved : float
        Distance below which sites can't tell: the nugget holds the error of the measurements, which no cell shares, and what
        varies between neighbouring sites, which nearby cells do share. All of it is taken as shared up to this distance, which
        is cautious. 0: by no two cells.
    regional_share : float
        Part of the error variance that a region shares.
    region : float
        Typical distance of two neighbouring regions.

    Examples
    --------
    >>> ErrorCorrelation(0.5, 10.0).at(np.array([0.0, 30.0])).round(3).tolist()
    [0.5, 0.025]
    """

    nugget_share: float
    length: float
    unresolved: float = 0.0
    regional_share: float = 0.0
    region: float = 0.0

    @property
    def range(self) -> float:
        """Distance at which the near part that sites share has fallen to 5 %."""
        return PRACTICAL * self.length

    def at(self, distance: np.ndarray) -> np.ndarray:
        """Correlation at distances between different places, of any shape."""
        distance = np.asarray(distance, float)
        found = (1.0 - self.nugget_share) * np.exp(-distance / self.length)
        if self.unresolved > 0 and self.nugget_share > 0:
            found += self.nugget_share * np.exp(-PRACTICAL * distance / self.unresolved)
        if self.regional_share > 0:
            found = (1.0 - self.regional_share) * found + self.regional_share * np.exp(-distance / self.region)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"range": self.range}


FULLY_CORRELATED = ErrorCorrelation(0.0, float("inf"))
"""Every place errs alike: the most cautious."""


def fit_error_correlation(points: np.ndarray, residual: np.ndarray, *, seed: int = 0) -> ErrorCorrelation:
    """Fit the correlation of residuals.

    Parameters
    ----------
    points : ndarray, ``[site, dimension]``
        Places whose straight distances count, in m.
    residual : ndarray, ``[site]``
        Out-of-fold errors over their expected size; sites without one are left out.
    seed : int
        Of the sites drawn where there are more than 600.

    Returns
    -------
    ErrorCorrelation

    Raises
    ------
    SitesError
        Fewer than 20 sites with a residual, or all residuals alike, or all sites at one place.
    """
    known = np.isfinite(residual)
    points, residual = np.asarray(points, float)[known], np.asarray(residual, float)[known]
    if len(residual) < MINIMUM_SITES or np.ptp(residual) == 0 or not np.ptp(points, axis=0).any():
        raise SitesError(
            f"{len(residual)} sites with an error came: at least {MINIMUM_SITES} in different places, with different errors, are "
            "expected to tell how errors are correlated"
        )
    if len(residual) > MOST_SITES:
        drawn = np.sort(np.random.default_rng(seed).choice(len(residual), MOST_SITES, replace=False))
        points, residual = points[drawn], residual[drawn]
    near = typical_spacing(points)
    far = float(np.linalg.norm(np.ptp(points, axis=0)))
    distance = cdist(points, points)
    best = (-np.inf, 1.0, near)
    with single_thread():
        for length in np.geomspace(near / PRACTICAL, far / 2, LENGTHS):
            likelihood = _log_likelihoods(np.exp(-distance / length), residual)
            place = int(np.argmax(likelihood))
            if likelihood[place] > best[0]:
                best = (float(likelihood[place]), float(SHARES[place]), float(length))
    return ErrorCorrelation(best[1], best[2], near, *regional_part(points, residual))


def regional_part(points: np.ndarray, residual: np.ndarray) -> tuple[float, float]:
    """Part of the variance between regions, and the typical distance of two neighbouring regions.

    Regions are as many clusters (Ward) as the root of the number of sites.
    """
    count = max(2, round(len(residual) ** 0.5))
    region = fcluster(linkage(points, "ward"), count, "maxclust")
    groups = [residual[region == number] for number in np.unique(region)]
    sizes = np.array([len(group) for group in groups])
    sites, regions = sizes.sum(), len(groups)
    if regions < 2 or regions == sites:
        return 0.0, 0.0
    means = np.array([group.mean() for group in groups])
    between = float(sizes @ (means - residual.mean()) ** 2) / (regions - 1)
    within = float(sum(((group - group.mean()) ** 2).sum() for group in groups)) / (sites - regions)
    typical = (sites - float(sizes @ sizes) / sites) / (regions - 1)
    shared = max(between - within, 0.0) / typical
    # The sites of a cluster stand for the land between them and the next cluster.
    centres = np.stack([points[region == number].mean(axis=0) for number in np.unique(region)])
    distance = float(np.median(cKDTree(centres).query(centres, k=2)[0][:, 1]))
    return (float(shared / (shared + within)), distance) if shared > 0 and distance > 0 else (0.0, 0.0)


def typical_spacing(points: np.ndarray) -> float:
    """Median distance to the nearest other place, among sites that share no place."""
    apart = np.unique(points, axis=0)
    return float(np.median(cKDTree(apart).query(apart, k=2)[0][:, 1]))


def _log_likelihoods(correlation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Log-likelihood of each of `SHARES`, with the mean and the variance at their best, ``[share]``.

    ``(1 - share) R + share I`` has the eigenvectors of R for every share.
    """
    eigenvalues, vectors = np.linalg.eigh(correlation)
    ones, turned = vectors.T @ np.ones(value.size), vectors.T @ value
    spectrum = np.maximum((1.0 - SHARES[:, None]) * eigenvalues + SHARES[:, None], LEAST_EIGENVALUE)
    mean = (ones * turned / spectrum).sum(axis=1) / (ones**2 / spectrum).sum(axis=1)
    variance = ((turned - mean[:, None] * ones) ** 2 / spectrum).mean(axis=1)
    return -0.5 * (value.size * np.log(variance) + np.log(spectrum).sum(axis=1))
