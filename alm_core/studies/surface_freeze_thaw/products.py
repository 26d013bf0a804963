"""Products of the simulated land, with faults of real ones: gaps, sensors that change, errors where real products err.

How good the products of states are is chosen from the literature, and nothing here is tuned to what a learner reaches. Published
freeze/thaw products of the plateau agree with soil temperatures on 0.84 to 0.92 of the days: discriminant function with
thresholds 0.915, SMAP 0.894 (Zhang Z. et al. 2026), a refitted discriminant about 0.90 (Wang P. et al. 2019). The errors below
were set so that the label product of the medium demo is right on about 0.90 of its cell-days, 0.88 to 0.92, and the second
product too. The small demo, which is all high land that changes its state for longer, has the same errors: about 0.87.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date

import numpy as np

from alm_core.cubes.states import FROZEN, THAWED
from alm_core.studies.surface_freeze_thaw.ground import GroundDays
from alm_core.studies.surface_freeze_thaw.land import Plateau
from alm_core.studies.surface_freeze_thaw.weather import DailyNoise

LABEL_MIXED, LABEL_MISSING = 2, 255
"""Label product: water on frozen ground, which is neither state; and no value."""
SECOND_MISSING = 254
LABEL_ERROR, LABEL_NOISE = 3.2, 2.8
"""Standard deviations, K, of what errs alike around a place for days, and of every cell and day on its own."""
SECOND_ERROR, SECOND_NOISE = 3.0, 2.6
SECOND_STARTS = date(2015, 4, 1)
"""Like SMAP: nothing before. Demos that end before it start in their second spring."""


@dataclass(frozen=True)
class Sensor:
    """A radiometer in its years.

    Attributes
    ----------
    name : str
    first, last : date
        Its days.
    noise : dict
        Standard deviation, K, by frequency.
    bias : dict
        What is left after the sensors were made to agree, K, by frequency.
    shift : float
        Degrees of longitude by which its swaths lie further east.
    """

    name: str
    first: date
    last: date
    noise: dict[str, float]
    bias: dict[str, float]
    shift: float


SENSORS = (
    Sensor("AMSRE", date(2002, 6, 1), date(2011, 10, 3), {"18": 0.6, "36": 0.7}, {"18": 0.0, "36": 0.0}, 0.0),
    Sensor("MWRI", date(2011, 10, 4), date(2012, 7, 2), {"18": 1.0, "36": 1.0}, {"18": 0.5, "36": -0.6}, 9.0),
    Sensor("AMSR2", date(2012, 7, 3), date(2100, 1, 1), {"18": 0.5, "36": 0.6}, {"18": 0.2, "36": 0.1}, 4.0),
)
"""AMSR-E stopped in October 2011 and AMSR2 began in July 2012; a FY-3 imager stands between them."""

ORBIT_STEP = 24.7
"""Degrees of longitude between two orbits."""
SWATH_KM, SWATH_TILT = 1450.0, 0.32
"""Width of a swath; degrees of longitude by which it moves for each degree of latitude."""
DAILY_DRIFT = 10.2
"""Degrees by which tomorrow's orbits lie further east."""
LOST_DAYS = 0.012
"""Part of the days on which a satellite delivers nothing."""


def days_of(year: int) -> np.ndarray:
    """datetime64[D] of every day of a year."""
    return np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")


def seen(longitude: np.ndarray, latitude: np.ndarray, dates: np.ndarray, *, orbit: str, shift: float) -> np.ndarray:
    """Which cells a swath covers, bool ``[day, cell]``: between two swaths of one direction a slanted strip stays blank.

    Strips of ascending and descending orbits cross, so that only diamonds are missed by both.
    """
    tilt = -SWATH_TILT if orbit == "A" else SWATH_TILT
    width = SWATH_KM / (111.2 * np.cos(np.radians(latitude))) / ORBIT_STEP
    number = dates.astype("datetime64[D]").astype(int)[:, None]
    start = longitude + shift + tilt * (latitude - 33.0) + (0.0 if orbit == "A" else 11.0)
    return np.mod((start[None] + DAILY_DRIFT * number) / ORBIT_STEP, 1.0) < width[None]


def lost_days(dates: np.ndarray, *, seed: int, what: str) -> np.ndarray:
    """Days without any data, bool ``[day]``; about one in a hundred, sometimes two or three in a row."""
    random = np.random.default_rng([seed, int(dates[0].astype("datetime64[D]").astype(int)), zlib.crc32(what.encode())])
    begins = random.random(len(dates)) < LOST_DAYS / 1.6
    second = np.roll(begins, 1) & (random.random(len(dates)) < 0.45)
    third = np.roll(second, 1) & (random.random(len(dates)) < 0.35)
    return begins | second | third


class StateProducts:
    """Two products of states that err in ways of their own, on the cells that they are given; years in order."""

    def __init__(self, land: Plateau, *, seed: int) -> None:
        place = {"longitude": land.longitude, "latitude": land.latitude, "seed": seed}
        self.land = land
        self._label_random, self._second_random = np.random.default_rng([seed, 9]), np.random.default_rng([seed, 10])
        self._label = DailyNoise("label errors", **place, spacing=1.2, persistence=0.75)
        self._second = DailyNoise("second errors", **place, spacing=1.8, persistence=0.70)

    def label(self, ground: GroundDays) -> np.ndarray:
        """uint8 ``[day, cell]``, 0 thawed, 1 frozen, 2 water on frozen ground: errs near 0 degrees, more under trees and snow."""
        count = len(ground.air)
        veiled = 1.0 + 0.9 * self.land.forest.astype(np.float32) + 0.5 * np.minimum(ground.snow / 20.0, 1.0)
        error = LABEL_ERROR * self._label.days(count) + LABEL_NOISE * _white(self._label_random, ground.soil.shape)
        guess = ground.soil + veiled * error + 0.4
        state = np.where(guess <= 0.0, FROZEN, THAWED).astype(np.uint8)
        mixed = (np.abs(guess) < 1.5) & (ground.air > 1.0) & (ground.snow > 1.0)
        return np.where(mixed, np.uint8(LABEL_MIXED), state)

    def second_margin(self, ground: GroundDays) -> np.ndarray:
        """How far above freezing the second product takes the cells of the map to be, degree Celsius, float32 ``[day, cell]``.

        It looks at a cold hour before dawn, and is blind to frost under wet snow. Years in order.
        """
        early = ground.soil - 0.12 * ground.swing
        wet_snow = (ground.air > 0.5) & (ground.snow > 6.0)
        dry = 1.0 + 0.8 * np.maximum(0.35 - self.land.wetness, 0.0).astype(np.float32) / 0.35  # dry soil hardly shows its phase
        return early + dry * SECOND_ERROR * self._second.days(len(ground.air)) + 2.5 * wet_snow

    def second(self, margin: np.ndarray) -> np.ndarray:
        """uint8, 0 thawed, 1 frozen, from the margin on the product's own cells, where its noise of every day is added."""
        return np.where(margin + SECOND_NOISE * _white(self._second_random, margin.shape) <= 0.0, FROZEN, THAWED).astype(np.uint8)


def _white(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return random.standard_normal(shape, dtype=np.float32)


class Reanalysis:
    """Air and soil temperature as a land data assimilation has them: biased where the relief is rough, without a zero curtain."""

    def __init__(self, land: Plateau, *, seed: int) -> None:
        place = {"longitude": land.longitude, "latitude": land.latitude, "seed": seed}
        self._air_noise = DailyNoise("reanalysis air", **place, spacing=4.0, persistence=0.75)
        self._soil_noise = DailyNoise("reanalysis soil", **place, spacing=3.0, persistence=0.90)
        fixed = DailyNoise("reanalysis bias", **place, spacing=2.0, persistence=0.0).days(2)
        high = (0.7 * (land.elevation - 3500.0) / 1000.0).astype(np.float32)
        self._air_bias = 1.3 * fixed[0] - 1.0 - high
        self._soil_bias = 1.8 * fixed[1] - 0.5 - high
        self._soil = land.ground_temperature.astype(np.float32)

    def year(self, ground: GroundDays) -> dict[str, np.ndarray]:
        """``air`` and ``soil``, degree Celsius, float32 ``[day, cell]``; years in order."""
        air = ground.air + self._air_bias + 1.2 * self._air_noise.days(len(ground.air))
        soil = np.empty_like(air)
        for day, value in enumerate(air):
            self._soil = self._soil + 0.30 * (value + 2.8 - self._soil)  # a plain lag: its soil does not hold at 0 degrees
            soil[day] = self._soil
        return {"air": air, "soil": soil + self._soil_bias + 1.3 * self._soil_noise.days(len(air))}


def sensed(values: dict[str, np.ndarray], sensor: Sensor, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Brightness temperatures with a sensor's noise and bias; noise never lifts H above V, for processing mends that."""
    found = {}
    for name, value in values.items():
        noise = np.float32(sensor.noise[name[:2]]) * random.standard_normal(value.shape, dtype=np.float32)
        found[name] = value + np.float32(sensor.bias[name[:2]]) + noise
    for name in [one for one in found if one.endswith("H")]:
        found[name] = np.minimum(found[name], found[name[:2] + "V"])
    return found
