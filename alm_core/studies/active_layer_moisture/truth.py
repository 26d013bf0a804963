"""The true moisture of the simulated active layer: the formula that a map of the demo is judged by.

Volumetric water content of the active layer, mean of September and October, m3 m-3. It rises with vegetation, fine
soil, organic matter and valley position, and falls with sand and slope. Two parts are out of a learner's sight: a smooth
field that no covariate follows, and what happens under climates that no road of the demo leads to.
"""

from __future__ import annotations

import numpy as np

from alm_core.studies.active_layer_moisture.landscape import Landscape, logistic

LOWEST, HIGHEST = 0.05, 0.65
"""Range of the truth, m3 m-3."""

CENTRE = -0.70
"""Where on the logistic curve average land lies."""

EXPLAINED = 0.62
"""Weight of the part that follows the covariates."""

UNEXPLAINED = 0.55
"""Weight of the smooth field that follows none. With EXPLAINED it sets how well anybody can do (see tests/studies)."""


def explained(place: Landscape) -> np.ndarray:
    """The part of the moisture score that follows the land: mean about 0, standard deviation about 1."""
    plants = (place.vegetation - 0.50) / 0.28
    coarse_soil = (place.sand - 53.0) / 10.0
    carbon = (np.log(place.organic_carbon) - 2.9) / 0.6
    hollow = place.valley * (1.0 - 0.5 * place.steepness)
    # water gathers on permafrost near thawing; far below 0 the active layer is thin and drained by cracks
    warm_frost = np.exp(-(((place.ground_temperature + 1.0) / 1.5) ** 2)) - 0.5
    return (
        0.62 * plants
        - 0.40 * coarse_soil
        + 0.22 * carbon
        + 0.45 * hollow
        + 0.30 * plants * hollow
        + 0.12 * place.shade
        - 0.20 * place.steepness
        + 0.50 * warm_frost
    )


def unsampled(place: Landscape) -> np.ndarray:
    """What happens where no road leads: meltwater on the driest land, free drainage on the wettest and warmest slopes."""
    meltwater = 1.3 * logistic((135.0 - place.precipitation) / 12.0)
    drained = -1.5 * logistic((place.precipitation - 610.0) / 15.0)
    return meltwater + drained


def unexplained(place: Landscape) -> np.ndarray:
    """A smooth field that follows no covariate, standard deviation about 1."""
    # mostly a few kilometres wide, so that a neighbour on the same road tells little of it
    return 0.9 * place.noise("unexplained near", 0.12, 2, 0.6) + 0.43 * place.noise("unexplained far", 1.1, 2)


def moisture(place: Landscape) -> np.ndarray:
    """The truth at some places, m3 m-3, between LOWEST and HIGHEST.

    Defined on all land, also outside the permafrost mask; lakes have no meaning here.

    Examples
    --------
    >>> place = Landscape(np.array([92.5, 97.0]), np.array([34.8, 33.9]), cell=0.01, seed=1)
    >>> value = moisture(place)
    >>> bool((value > LOWEST).all() and (value < HIGHEST).all())
    True
    """
    score = EXPLAINED * explained(place) + unsampled(place) + UNEXPLAINED * unexplained(place)
    return LOWEST + (HIGHEST - LOWEST) * logistic(CENTRE + score)
