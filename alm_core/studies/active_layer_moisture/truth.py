"""The true moisture of the simulated active layer: the formula that a map of the demo is judged by.

Volumetric water content of the active layer, mean of September and October, m3 m-3. It rises with vegetation, fine
soil, organic matter and valley position, and falls with sand and slope. Two parts are out of a learner's sight: a smooth
field that no covariate follows, and what happens under climates that no road of the demo leads to.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from alm_core.studies.active_layer_moisture.landscape import Landscape, logistic

LOWEST, HIGHEST = 0.05, 0.65
"""Range of the truth, m3 m-3."""

CENTRE = -0.92
"""Where on the logistic curve average land lies."""

EXPLAINED = 0.52
"""Weight of the part that follows the covariates, on the logistic scale."""

UNEXPLAINED = 0.100
"""Standard deviation of the smooth field that follows no covariate, m3 m-3. With EXPLAINED it sets how well anybody
can do: chosen so that five random folds give an R2 near 0.60 and an RMSE near 0.08, as published."""

BEND = 0.02
"""Width of the bend at both ends of the range, m3 m-3."""


class TrueLand(Landscape):
    """The simulated land with its moisture.

    Examples
    --------
    >>> place = TrueLand(np.array([92.5, 97.0]), np.array([34.8, 33.9]), cell=0.01, seed=1)
    >>> bool((place.moisture > LOWEST).all() and (place.moisture < HIGHEST).all())
    True
    """

    @cached_property
    def explained(self) -> np.ndarray:
        """The part of the score that follows the land: mean about 0, standard deviation about 1.1 in the permafrost."""
        plants = (self.vegetation - 0.38) / 0.27
        coarse_soil = (self.sand - 56.0) / 10.5
        carbon = (np.log(self.organic_carbon) - 2.8) / 0.55
        hollow = (self.valley + 0.3) * (1.0 - 0.5 * self.steepness)
        # water gathers on permafrost near thawing; far below 0 the active layer is thin and drained by cracks
        warm_frost = np.exp(-(((self.ground_temperature + 1.0) / 1.5) ** 2)) - 0.5
        return (
            0.62 * plants
            - 0.40 * coarse_soil
            + 0.22 * carbon
            + 0.45 * hollow
            + 0.30 * plants * hollow
            + 0.12 * self.shade
            - 0.20 * (self.steepness - 0.65)
            + 0.50 * warm_frost
        )

    @cached_property
    def unsampled(self) -> np.ndarray:
        """What happens where no road leads: meltwater on the driest land, free drainage on the wettest."""
        meltwater = 0.8 * logistic((84.0 - self.precipitation) / 4.0)
        drained = -1.5 * logistic((self.precipitation - 610.0) / 15.0)
        return meltwater + drained

    @cached_property
    def unexplained(self) -> np.ndarray:
        """A smooth field that follows no covariate, standard deviation about 1."""
        # mostly a few kilometres wide, so that a neighbour on the same road tells little of it
        return 0.97 * self.noise("unexplained near", 0.10, 2, 0.6) + 0.25 * self.noise("unexplained far", 1.1, 2)

    @cached_property
    def moisture(self) -> np.ndarray:
        """The truth, m3 m-3. Defined on all land, also outside the permafrost; on lakes it has no meaning."""
        follows = LOWEST + (HIGHEST - LOWEST) * logistic(CENTRE + EXPLAINED * self.explained + self.unsampled)
        return soft_bounds(follows + UNEXPLAINED * self.unexplained)


def soft_bounds(value: np.ndarray) -> np.ndarray:
    """Bend values smoothly into LOWEST..HIGHEST; those well inside stay as they are.

    Examples
    --------
    >>> np.round(soft_bounds(np.array([-0.1, 0.3, 0.9])), 3).tolist()
    [0.05, 0.3, 0.65]
    """
    above = LOWEST + BEND * np.logaddexp(0.0, (value - LOWEST) / BEND)
    return HIGHEST - BEND * np.logaddexp(0.0, (HIGHEST - above) / BEND)
