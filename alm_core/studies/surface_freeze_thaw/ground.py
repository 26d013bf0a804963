"""The ground of every day: air, snow, and the temperature and phase of the uppermost soil. This is where the truth is made.

A bulk model, no land surface scheme: the top of the soil relaxes towards the temperature above it, slower under snow and trees,
and towards the soil below it. Heat is counted as enthalpy, so that soil at 0 degrees has to lose its latent heat before it cools
further: the zero curtain (Outcalt et al. 1990, Water Resources Research 26:1509).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from alm_core.studies.surface_freeze_thaw.land import Plateau
from alm_core.studies.surface_freeze_thaw.weather import DailyNoise

YEAR_DAYS = 365.25
WARMEST_DAY = 201
"""Day of the year on which the air is warmest in the mean."""
AIR_BELOW_GROUND = 2.8
"""K by which the air is colder than the ground in the mean of a year."""
SUN_ON_GROUND = 1.2
"""K by which summer sun warms the surface beyond that."""
WARMING = 0.035
"""K in a year."""
YEAR_SPREAD, WEATHER_SPREAD, LOCAL_SPREAD = 0.6, 2.6, 1.2
"""Standard deviations, K: of whole years, of weather as wide as a cyclone, of what is local."""
EXCHANGE = 0.6
"""Part of the difference to the temperature above it that bare soil makes up in a day."""
FROM_BELOW, SLOW = 0.10, 0.02
"""The same towards the soil below, and of that soil towards the top."""
LATENT_K = 4.5
"""Degrees by which the top of the soil would warm from the latent heat that daily means still show, for a water content of 1.

Set from stations: daily means at 10 cm of nine sites of the plateau (Zhao et al. 2021, ESSD 13:4207) lie between -0.3 and 0.1
degrees on 8 days a year in the median, 3.5 in autumn and 4.5 in spring. Most of the latent heat near the surface goes to and fro
within a day."""
SNOW_LAG_MM, FOREST_LAG = 12.0, 1.0
"""Snow, mm water equivalent, and forest cover that halve the exchange."""
SNOW_SHARE, MELT_MM, SUBLIMED = 0.30, 3.0, 0.04
"""Snowfall of a day as a part of the mean daily precipitation; melt, mm for each degree and day; part that dry air takes."""
CURTAIN_K = 0.05
"""Depression of the freezing point while water and ice are side by side, K."""


@dataclass(frozen=True, eq=False)
class GroundDays:
    """Some days of the ground, each field float32 ``[day, cell]``.

    Attributes
    ----------
    air, soil : ndarray
        Daily mean temperature of the air at 2 m and of the top 5 cm, degree Celsius.
    enthalpy, latent : ndarray
        Heat of the top soil above that of ice at 0 degrees, and what melts all its ice, both in K.
    snow : ndarray
        Water equivalent, mm.
    water : ndarray
        Water and ice of the top soil, m3 m-3.
    swing : ndarray
        Half of the daily range of the surface, K.
    cloud : ndarray
        Noise of unit variance, high on cloudy days.
    season : ndarray
        -1 in midwinter to 1 in midsummer, ``[day, 1]``.
    """

    air: np.ndarray
    soil: np.ndarray
    enthalpy: np.ndarray
    latent: np.ndarray
    snow: np.ndarray
    water: np.ndarray
    swing: np.ndarray
    cloud: np.ndarray
    season: np.ndarray

    @property
    def frozen(self) -> np.ndarray:
        """The truth: the top 5 cm are at or below 0 degrees."""
        return self.soil <= 0.0

    @property
    def ice_share(self) -> np.ndarray:
        """Part of the freezing water that is ice, 0 to 1: what lies between frozen and thawed in the zero curtain."""
        return 1.0 - phase(self.enthalpy, self.latent)[1]

    def part(self, start: int, stop: int) -> GroundDays:
        """Some of the days."""
        return GroundDays(**{name: values[start:stop] for name, values in vars(self).items()})


def phase(enthalpy: np.ndarray, latent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Temperature, degree Celsius, and liquid part of the freezing water, from heat.

    Examples
    --------
    >>> temperature, liquid = phase(np.array([-3.0, 5.0, 12.0]), np.array([10.0, 10.0, 10.0]))
    >>> [float(one.round(3)) for one in temperature], [float(one) for one in liquid]
    ([-3.05, -0.025, 2.0], [0.0, 0.5, 1.0])
    """
    liquid = np.clip(enthalpy / latent, 0.0, 1.0)
    return np.minimum(enthalpy, 0.0) + np.maximum(enthalpy - latent, 0.0) - CURTAIN_K * (1.0 - liquid), liquid


class Ground:
    """The ground of a plateau, year after year in order.

    Parameters
    ----------
    land : Plateau
    seed : int
    """

    def __init__(self, land: Plateau, *, seed: int) -> None:
        self.land = land
        self._random = np.random.default_rng([seed, 4])
        place = {"longitude": land.longitude, "latitude": land.latitude, "seed": seed}
        self._weather = DailyNoise("weather", **place, spacing=5.0, persistence=0.80)
        self._local = DailyNoise("local weather", **place, spacing=1.5, persistence=0.55)
        self._rain = DailyNoise("rain", **place, spacing=2.5, persistence=0.65)
        self._years = DailyNoise("years", **place, spacing=8.0, persistence=0.2)
        self._first: int | None = None
        self._heat = self._below = self._snow = np.zeros(0)

    def year(self, year: int) -> GroundDays:
        """Every day of a year; years must be asked for in order, for the soil remembers.

        A year of its own runs ahead of the first, so that the soil does not start from a guess.
        """
        if self._first is None:
            self._first = year
            start = self.land.ground_temperature.astype(np.float32)
            self._heat, self._below, self._snow = start.copy(), start.copy(), np.zeros_like(start)
            self._run(year - 1)
        return self._run(year)

    def _run(self, year: int) -> GroundDays:
        count = (date(year + 1, 1, 1) - date(year, 1, 1)).days
        season = np.cos(2 * np.pi * (np.arange(count)[:, None] - WARMEST_DAY) / YEAR_DAYS).astype(np.float32)
        cloud = self._rain.days(count)
        air = self._air(year, season)
        water = self._water(season, cloud)
        above = air + AIR_BELOW_GROUND + SUN_ON_GROUND * season
        enthalpy, snow = self._exchange(air, above, water * LATENT_K, cloud)
        soil, _ = phase(enthalpy, water * LATENT_K)
        swing = (7.5 - 1.5 * cloud) * (1.0 - 0.45 * self.land.forest.astype(np.float32)) / (1.0 + snow / SNOW_LAG_MM)
        return GroundDays(air, soil, enthalpy, water * LATENT_K, snow, water, np.maximum(swing, 0.5), cloud, season)

    def _air(self, year: int, season: np.ndarray) -> np.ndarray:
        mean = self.land.ground_temperature - AIR_BELOW_GROUND + WARMING * (year - (self._first or year))
        mean = mean + YEAR_SPREAD * self._years.days(1)[0]
        weather = WEATHER_SPREAD * self._weather.days(len(season)) + LOCAL_SPREAD * self._local.days(len(season))
        weather *= 1.0 - 0.25 * season  # winters are more restless
        return weather + mean.astype(np.float32) + self.land.amplitude.astype(np.float32) * season

    def _water(self, season: np.ndarray, cloud: np.ndarray) -> np.ndarray:
        """Water of the top soil: wet where and when it rains."""
        part = 0.18 + 0.38 * self.land.wetness + 0.10 * self.land.vegetation
        part = part.astype(np.float32) * (1.0 + 0.22 * season + 0.12 * cloud)
        return (np.clip(part, 0.08, 0.95) * self.land.porosity.astype(np.float32)).astype(np.float32)

    def _exchange(
        self, air: np.ndarray, above: np.ndarray, latent: np.ndarray, cloud: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Heat of the top soil and snow on it, day by day."""
        enthalpy, snow = np.empty_like(air), np.empty_like(air)
        daily = (SNOW_SHARE * self.land.wetness * 750.0 / YEAR_DAYS).astype(np.float32)
        damping = (1.0 / (1.0 + self.land.forest / FOREST_LAG)).astype(np.float32)
        for day in range(len(air)):
            falling = daily * np.maximum(1.0 + 1.5 * cloud[day], 0.0) * (air[day] < 0.5)
            melt = np.maximum(air[day], 0.0) * MELT_MM + SUBLIMED * self._snow
            self._snow = np.maximum(self._snow + falling - melt, 0.0)
            temperature, _ = phase(self._heat, latent[day])
            rate = EXCHANGE * damping / (1.0 + self._snow / SNOW_LAG_MM)
            surface = np.where(self._snow > 5.0, np.minimum(above[day], 0.0), above[day])  # snow is never warmer
            below = self._below - temperature
            self._heat = self._heat + rate * (surface - temperature) + FROM_BELOW * below
            self._below = self._below - SLOW * below
            enthalpy[day], snow[day] = self._heat, self._snow
        return enthalpy, snow
