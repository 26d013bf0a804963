"""The variogram: how the difference between two sites grows with their distance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from alm_core.errors import LearnerError

MODELS = ("exponential", "spherical", "matern")
MATERN_SMOOTHNESS = 1.5
BINS = 15
REACH = 0.4
"""Part of the largest distance up to which the variogram is estimated: beyond, pairs come from few sites at the rim."""
MOST_SITES = 2000
"""Sites drawn for the empirical variogram where there are more."""
LEAST_NUGGET = 1e-4
"""Of the sill: sites at one place would make the kriging system singular without it."""


@dataclass(frozen=True)
class Variogram:
    """A fitted variogram: ``nugget + variance * (1 - correlation(distance / length))``.

    Attributes
    ----------
    model : str
        One of `MODELS`; ``matern`` has smoothness 1.5.
    variance, nugget : float
        In squared units of the value; their sum is the sill.
    length : float
        Length scale of the model, in units of distance.
    distance, semivariance, pairs : tuple
        The empirical variogram that it was fitted to.
    misfit : dict
        Weighted mean squared misfit of every model, over the squared variance of the values; the least one was chosen.
    """

    model: str
    variance: float
    nugget: float
    length: float
    distance: tuple[float, ...]
    semivariance: tuple[float, ...]
    pairs: tuple[int, ...]
    misfit: dict[str, float]

    def covariance_model(self, dimensions: int) -> Any:
        """The same as a `gstools.CovModel`."""
        return _model(self.model, dimensions, self.variance, self.length, self.nugget)

    def rescaled(self, *, distance: float, value: float) -> Variogram:
        """The same in other units: distances and values are multiplied."""
        return Variogram(
            self.model,
            self.variance * value**2,
            self.nugget * value**2,
            self.length * distance,
            tuple(item * distance for item in self.distance),
            tuple(item * value**2 for item in self.semivariance),
            self.pairs,
            self.misfit,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def fit_variogram(points: np.ndarray, values: np.ndarray, *, seed: int = 0) -> Variogram:
    """Estimate the empirical variogram (Matheron) and fit the best of `MODELS` by least squares weighted with the pairs.

    Parameters
    ----------
    points : array [site, dimension]
        Scaled so that the largest distance is near 1.
    values : array [site]
        Scaled to a variance near 1.
    seed : int
        Of the sites drawn where there are more than `MOST_SITES`.

    Raises
    ------
    LearnerError
        No pair of sites within reach, or no model converged.
    """
    import gstools

    edges = np.linspace(0.0, REACH, BINS + 1)
    drawn = min(len(points), MOST_SITES)
    distance, semivariance, pairs = gstools.vario_estimate(
        points.T, values, edges, sampling_size=drawn, sampling_seed=seed, return_counts=True
    )
    held = pairs > 0
    distance, semivariance, pairs = distance[held], semivariance[held], pairs[held]
    if len(pairs) < 4:
        raise LearnerError(
            f"The sites give a variogram of {len(pairs)} distances, too few to fit one: they lie in very few places. "
            "Switch kriging off, or merge sites of one place."
        )
    fitted, failed = {}, {}
    for name in MODELS:
        model = _model(name, points.shape[1], variance=0.7, length=0.15, nugget=0.3)
        model.set_arg_bounds(var=[1e-6, 10.0], len_scale=[1e-3, 1.0], nugget=[0.0, 10.0])
        fixed = {"nu": MATERN_SMOOTHNESS} if name == "matern" else {}
        try:
            model.fit_variogram(
                distance, semivariance, weights=np.sqrt(pairs), init_guess="current", loss="linear", nugget=True, **fixed
            )
        except RuntimeError as fault:
            failed[name] = str(fault)
            continue
        fitted[name] = (float(np.average((model.variogram(distance) - semivariance) ** 2, weights=pairs)), model)
    if not fitted:
        raise LearnerError(f"No variogram model could be fitted ({failed}): switch kriging off for this target.")
    misfit = {name: found[0] for name, found in fitted.items()}
    best = min(misfit, key=misfit.__getitem__)
    model = fitted[best][1]
    nugget = max(float(model.nugget), LEAST_NUGGET * float(model.sill))
    lists = (tuple(float(item) for item in column) for column in (distance, semivariance))
    return Variogram(best, float(model.var), nugget, float(model.len_scale), *lists, tuple(int(n) for n in pairs), misfit)


def _model(name: str, dimensions: int, variance: float, length: float, nugget: float) -> Any:
    """A GSTools covariance model."""
    import gstools

    shared = {"dim": dimensions, "var": variance, "len_scale": length, "nugget": nugget}
    if name == "matern":
        return gstools.Matern(**shared, nu=MATERN_SMOOTHNESS)
    return gstools.Exponential(**shared) if name == "exponential" else gstools.Spherical(**shared)
