"""Ordinary and regression kriging by GSTools: the geostatistical baseline, and the spatial part of what a model leaves over.

Kriging weighs the sites around a place by how fast values lose their likeness with distance (the variogram). With a drift,
a linear part in covariates is estimated in the same system (universal kriging with external drift, which is regression
kriging with generalised least squares).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.learning.knndm import EARTH_RADIUS_METRES, space, true_distance
from alm_core.learning.learners import single_thread

MODELS = ("exponential", "spherical", "matern")
FEWEST_SITES = 10
MOST_SITES = 4000
"""The system of all sites is inverted: half a minute and 0.3 GB at this number."""
BINS = 15
REACH = 0.4
"""Part of the largest distance between sites up to which the variogram is estimated; beyond, pairs are few and alike."""
MOST_PAIR_SITES = 2000
"""Sites drawn for the empirical variogram where there are more."""
BLOCK_CELLS = 4_000_000
"""Sites x places held at once while predicting: 32 MB."""


@dataclass(frozen=True)
class Variogram:
    """A fitted variogram: nugget + sill part of `model` at a distance in units of `length_unit`.

    Attributes
    ----------
    model : str
        One of `MODELS`; `matern` has smoothness 1.5.
    variance, nugget : float
        In squared units of the value; their sum is the sill.
    length : float
        Length scale of the model.
    length_unit : str
    distance, semivariance, pairs : tuple
        The empirical variogram that it was fitted to.
    misfit : float
        Weighted mean squared misfit over the squared sill; the model with the least one was chosen.
    """

    model: str
    variance: float
    nugget: float
    length: float
    length_unit: str
    distance: tuple[float, ...]
    semivariance: tuple[float, ...]
    pairs: tuple[int, ...]
    misfit: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)
