"""What instruments and maps show of the simulated land: the truth behind each layer, plus the error of the layer.

Each function takes a `TrueLand` and returns one band in its unit. Some see the moisture itself a little (radar,
shortwave infrared, surface temperature); some see only what moisture depends on; some see nothing of it at all, so that
a selection of features has something to drop.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from alm_core.studies.active_layer_moisture.truth import TrueLand

Formula = Callable[[TrueLand], np.ndarray]

RADAR_SCENES: dict[str, float | None] = {
    "2019-06-04": 0.0,
    "2019-07-10": 0.55,
    "2019-08-15": 1.0,
    "2019-09-08": None,
    "2019-09-26": None,
    "2019-10-08": None,
}
"""Date of each Sentinel-1 scene and how wet the ground is in it: 0 driest, 1 wettest, None as wet as autumn leaves it."""

MONTHS = range(1, 13)


def speckle(place: TrueLand, name: str) -> np.ndarray:
    """Error that changes from cell to cell, standard deviation about 1."""
    return place.noise(name, 3.0 * place.cell)


# ---- terrain ----------------------------------------------------------------------------------------------------


def elevation(place: TrueLand) -> np.ndarray:
    """Elevation, m."""
    return place.elevation


def topographic_position(place: TrueLand) -> np.ndarray:
    """Height above the smoothed land, m."""
    return place.position


# ---- vegetation -------------------------------------------------------------------------------------------------


def vegetation_index(place: TrueLand) -> np.ndarray:
    """The NDVI that the bands hold: rises with cover, saturates, and is dulled by crust."""
    greenness = 0.08 + 0.70 * place.vegetation**0.85 - 0.05 * place.crust
    return np.clip(greenness + 0.02 * speckle(place, "ndvi"), 0.01, 0.92)


def water_index(place: TrueLand) -> np.ndarray:
    """The NDWI of Gao (near and shortwave infrared) that the bands hold: leaf water and wet ground."""
    leaves_and_ground = -0.32 + 0.35 * place.vegetation + 0.55 * (place.moisture - 0.25) - 0.40 * place.crust
    return np.clip(leaves_and_ground + 0.11 * place.noise("ndwi", 0.12, 3, 0.7), -0.7, 0.6)


def near_infrared(place: TrueLand) -> np.ndarray:
    """Surface reflectance at 0.84 micrometres."""
    return np.clip(0.19 + 0.17 * place.vegetation + 0.08 * place.crust + 0.015 * speckle(place, "brightness"), 0.05, 0.6)


def red(place: TrueLand) -> np.ndarray:
    """Surface reflectance at 0.66 micrometres."""
    index = vegetation_index(place)
    return near_infrared(place) * (1.0 - index) / (1.0 + index)


def shortwave_infrared(place: TrueLand) -> np.ndarray:
    """Surface reflectance at 1.6 micrometres."""
    index = water_index(place)
    return near_infrared(place) * (1.0 - index) / (1.0 + index)


def land_cover(place: TrueLand) -> np.ndarray:
    """Class of land cover."""
    return place.land_cover


# ---- soil -------------------------------------------------------------------------------------------------------


def _on_land(place: TrueLand, value: np.ndarray) -> np.ndarray:
    """Soil maps know nothing of lake floors."""
    return np.where(place.lake, np.nan, value)


def sand(place: TrueLand) -> np.ndarray:
    """Sand of a soil map, %."""
    return _on_land(place, np.clip(place.sand + 3.5 * place.noise("sand map", 0.12, 2), 1.0, 98.0))


def clay(place: TrueLand) -> np.ndarray:
    """Clay of a soil map, %."""
    return _on_land(place, np.clip(place.clay + 2.5 * place.noise("clay map", 0.12, 2), 1.0, 60.0))


def acidity(place: TrueLand) -> np.ndarray:
    """Soil pH: follows precipitation and adds nothing to it."""
    return _on_land(place, np.clip(8.3 - 0.0025 * place.precipitation + 0.2 * place.noise("ph map", 0.5, 3), 4.5, 9.5))


def coarse_fragments(place: TrueLand) -> np.ndarray:
    """Gravel of a soil map, % by volume: pure noise."""
    return _on_land(place, np.clip(22.0 + 9.0 * place.noise("gravel map", 0.6, 4, 0.7), 0.0, 80.0))


def organic_carbon(place: TrueLand) -> np.ndarray:
    """Organic carbon of a soil map, g kg-1."""
    return _on_land(place, place.organic_carbon * np.exp(0.20 * place.noise("carbon map", 0.5, 3)))


# ---- climate ----------------------------------------------------------------------------------------------------


def precipitation(place: TrueLand) -> np.ndarray:
    """Annual precipitation of a gauge-corrected grid, mm."""
    return place.precipitation * np.exp(0.05 * place.noise("gauge error", 2.0, 2))


def air_temperature(place: TrueLand, *, month: int) -> np.ndarray:
    """Mean air temperature of one month, degree C."""
    return place.air_temperature(month)


def snow_days(place: TrueLand) -> np.ndarray:
    """Days with snow a year: follows cold and precipitation and adds little to them."""
    cold = 9.0 * np.maximum(1.0 - place.ground_temperature, 0.0)
    return np.clip(20.0 + cold + 0.08 * place.precipitation + 14.0 * place.noise("snow", 1.5, 3), 0.0, 330.0)


def wind_speed(place: TrueLand) -> np.ndarray:
    """Mean wind speed at 10 m, m s-1: pure noise."""
    return np.clip(4.2 + 1.1 * place.noise("wind", 2.2, 4), 0.5, 12.0)


def surface_temperature(place: TrueLand) -> np.ndarray:
    """Land surface temperature of September and October by day, degree C: plants and wet ground are cooler."""
    bare = 0.5 * (place.air_temperature(9) + place.air_temperature(10)) + 17.0
    cooling = 6.0 * place.vegetation + 10.0 * (place.moisture - 0.25)
    return bare - cooling + 9.0 * place.crust + 1.7 * place.noise("surface temperature", 0.12, 3, 0.7)


# ---- radar ------------------------------------------------------------------------------------------------------


def backscatter(place: TrueLand, *, scene: str) -> np.ndarray:
    """VV backscatter of one scene, dB: wet ground shines more than dry ground, and plants dull the difference."""
    state = RADAR_SCENES[scene]
    if state is None:
        near_surface = place.moisture - 0.25 + 0.09 * place.noise("near surface", 0.12, 3, 0.7)
        state = np.clip(0.5 + 1.6 * near_surface, 0.0, 1.0)
    contrast = 5.0 * (1.0 - 0.35 * place.vegetation)
    rough = 2.0 * place.steepness - 3.0 * place.crust
    return -16.5 + rough + state * contrast + 0.7 * speckle(place, f"radar {scene}")


def scene_formulas() -> dict[str, Formula]:
    """One formula for each radar scene."""
    return {scene: partial(backscatter, scene=scene) for scene in RADAR_SCENES}


def month_formulas() -> dict[int, Formula]:
    """One formula for the air temperature of each month."""
    return {month: partial(air_temperature, month=month) for month in MONTHS}
