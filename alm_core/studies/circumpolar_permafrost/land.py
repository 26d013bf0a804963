"""The simulated land north of 45 N: relief, soil, a climate that warms, and the cold ground under it.

Everything is a formula of the place on the sphere, so nothing breaks at 180 degrees or at the pole, and a site has the numbers of
the very point where it stands.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

YEARS = tuple((first, first + 4) for first in range(1980, 2020, 5))
"""First and last year of the eight slices."""
WAVES = 14
"""Waves of each octave of a noise."""
SOUTH = 45.0


def slice_name(first: int, last: int) -> str:
    """Name of a slice, such as 1980-1984."""
    return f"{first}-{last}"


def middle(years: tuple[int, int]) -> float:
    """Middle of a slice in years."""
    return (years[0] + years[1]) / 2


def spell(year: float) -> int:
    """First year of the five whose weather a year has: what is left of the climate after the trend."""
    return int(year // 5) * 5


@dataclass(frozen=True)
class Land:
    """The land at some places.

    Attributes
    ----------
    longitude, latitude : ndarray
        Degrees, any shape; infinite where a grid has a cell beyond the earth.
    seed : int
    """

    longitude: np.ndarray
    latitude: np.ndarray
    seed: int

    @cached_property
    def _sphere(self) -> np.ndarray:
        longitude, latitude = np.radians(self.longitude), np.radians(self.latitude)
        across = np.cos(latitude)
        return np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=-1)

    def noise(self, what: str, octaves: tuple[float, ...]) -> np.ndarray:
        """Smooth noise of about unit variance: waves in every direction, slower ones larger.

        Parameters
        ----------
        what : str
            Names the field; each has waves of its own.
        octaves : tuple of float
            Radians of phase for each radian of the sphere.
        """
        random = np.random.default_rng([self.seed, zlib.crc32(what.encode())])
        total, power = np.zeros(np.shape(self.longitude)), 0.0
        for octave in octaves:
            direction = random.normal(size=(WAVES, 3))
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            phase, size = random.uniform(0, 2 * np.pi, WAVES), octave**-0.7
            for one in range(WAVES):
                total += size * np.cos(self._sphere @ (octave * direction[one]) + phase[one])
            power += WAVES * size**2 / 2
        return total / np.sqrt(power)

    @cached_property
    def dry(self) -> np.ndarray:
        """True on land."""
        return (self.noise("continents", (3, 6, 12, 24)) > 0.0) & (self.latitude >= SOUTH) & (self.latitude <= 83.5)

    @cached_property
    def elevation(self) -> np.ndarray:
        """Height in m."""
        ridges = np.maximum(self.noise("relief", (6, 12, 24, 48, 96)), 0.0)
        return 20 + 900 * ridges**1.4 + 60 * np.abs(self.noise("hills", (60, 120)))

    @cached_property
    def continentality(self) -> np.ndarray:
        """0 at an ocean to 1 far inland."""
        return _share(self.noise("continentality", (2, 4, 8)))

    @cached_property
    def organic_carbon(self) -> np.ndarray:
        """Organic carbon of the soil, kg m-2."""
        return 2 + 38 * _share(self.noise("carbon", (10, 20, 40)) - self.elevation / 900)

    @cached_property
    def clay(self) -> np.ndarray:
        """Clay in percent of mass."""
        return 8 + 35 * _share(self.noise("clay", (8, 16, 32)))

    def air_temperature(self, year: float) -> np.ndarray:
        """Mean annual air temperature, degree Celsius; the north warms fastest, and no five years are like the last."""
        decades = (year - 1980) / 10
        warming = 0.42 * decades * (0.6 + 1.1 * (self.latitude - SOUTH) / 40)
        weather = 0.45 * self.noise(f"weather {spell(year)}", (3, 6))
        place = 29 - 0.55 * self.latitude - 0.0055 * self.elevation - 4 * (self.continentality - 0.5)
        return place + warming + weather + 0.5 * self.noise("air", (10, 20))

    def amplitude(self) -> np.ndarray:
        """Half of the yearly range of air temperature, degree Celsius."""
        return 13 + 10 * self.continentality

    def degree_days(self, year: float) -> tuple[np.ndarray, np.ndarray]:
        """Thawing and freezing index of a yearly sine, degree Celsius day."""
        mean, amplitude = self.air_temperature(year), self.amplitude()
        ratio = np.clip(mean / amplitude, -1.0, 1.0)
        angle = np.arcsin(ratio)
        thawing = 365 / np.pi * (amplitude * np.cos(angle) + mean * (np.pi / 2 + angle))
        return np.maximum(thawing, 0.0), np.maximum(thawing - 365 * mean, 0.0)

    def snow(self, year: float) -> np.ndarray:
        """Largest snow water equivalent of a winter, mm."""
        place = 40 + 160 * _share(self.noise("snow", (6, 12, 24)) - 1.2 * (self.continentality - 0.5))
        return place * (1 + 0.002 * (year - 2000)) + 8 * self.noise(f"snow {spell(year)}", (4, 8))

    def ground_temperature(self, year: float, depth: float | np.ndarray = 10.0) -> np.ndarray:
        """Mean annual ground temperature, degree Celsius: the truth of one study."""
        offset = 1.2 + 0.02 * (self.snow(year) - 100) - 0.05 * (self.organic_carbon - 15)
        lag = 0.03 * (np.asarray(depth) - 10.0)
        return 0.93 * self.air_temperature(year) + offset + lag + 0.5 * self.noise("ground", (60, 120))

    def thaw_depth(self, year: float) -> np.ndarray:
        """Active layer thickness, cm: the truth of the other study. Bedrock of the mountains thaws several times deeper."""
        thawing = self.degree_days(year)[0]
        soil = 2.1 + 1.6 * np.exp(-self.organic_carbon / 12) + 0.02 * (self.clay - 20)
        bedrock = 1 + 3.5 * _share((self.elevation - 1100) / 60)
        return np.maximum(soil * np.sqrt(thawing) * bedrock * np.exp(0.15 * self.noise("thaw", (40, 80))), 5.0)


def _share(value: np.ndarray) -> np.ndarray:
    """From any number to a share between 0 and 1."""
    return 1 / (1 + np.exp(-1.7 * np.clip(value, -20, 20)))
