"""The simulated land: what is true at any place, by written formulas of relief, position and noise.

Every field is a pure function of longitude and latitude, the cell size (how fine a detail can be) and the seed. Nothing
here is observed: `layers.py` adds what an instrument would add.

Formulas are shaped by what is known of the plateau, not fitted to it. The ground temperature follows the regression of
Nan et al. (2002, Journal of Glaciology and Geocryology 24:349) on latitude and elevation; precipitation falls from the
south-east to the north-west.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alm_core.studies.active_layer_moisture.noise import KM_PER_DEGREE, noise
from alm_core.studies.active_layer_moisture.relief import coarse_relief, elevation

MEADOW, STEPPE, DESERT_STEPPE, BARE, SWAMP, WATER, ICE = range(1, 8)
LAND_COVER = {
    MEADOW: "alpine meadow",
    STEPPE: "alpine steppe",
    DESERT_STEPPE: "desert steppe",
    BARE: "bare ground",
    SWAMP: "swamp meadow",
    WATER: "water",
    ICE: "ice and rock",
}

WARMING_SINCE_2002 = 0.7
"""Degrees added to the regression of 2002, so that the simulated permafrost covers about as much as recent maps say."""

LAKE_DEPTH_M = 400.0
"""A depression of the coarse relief deeper than this holds a lake."""

ICE_LINE_M = 5900.0
"""Above it the simulated land is ice and rock, without an active layer."""


def logistic(value: np.ndarray) -> np.ndarray:
    """The logistic function of `value`, safe for any finite number."""
    return 0.5 * (1.0 + np.tanh(0.5 * value))


@dataclass(frozen=True, eq=False)
class Landscape:
    """Fields of the simulated land at some places; each is computed when it is first asked for.

    Parameters
    ----------
    longitude, latitude : ndarray
        Degrees, the same shape; every field has that shape.
    cell : float
        Cell size in degrees of the raster that the fields are for.
    seed : int
        Other seeds give another land on the same broad relief.

    Examples
    --------
    >>> place = Landscape(np.array([92.5]), np.array([34.8]), cell=0.01, seed=1)
    >>> bool(place.ground_temperature[0] < 0), bool(0 <= place.vegetation[0] <= 1)
    (True, True)
    """

    longitude: np.ndarray
    latitude: np.ndarray
    cell: float
    seed: int

    def noise(self, name: str, wavelength: float, octaves: int = 1, persistence: float = 0.5) -> np.ndarray:
        """A random field of its own for every `name`, mean 0, standard deviation about 1."""
        return noise(
            self.longitude,
            self.latitude,
            wavelength=wavelength,
            octaves=octaves,
            persistence=persistence,
            cell=self.cell,
            seed=zlib.crc32(f"{name} {self.seed}".encode()),
        )

    def _elevation_at(self, east: float = 0.0, north: float = 0.0) -> np.ndarray:
        """Elevation a little to the side, degrees."""
        seed = zlib.crc32(f"relief {self.seed}".encode())
        return elevation(self.longitude + east, self.latitude + north, cell=self.cell, seed=seed)

    # ---- terrain ------------------------------------------------------------------------------------------------

    @cached_property
    def elevation(self) -> np.ndarray:
        """Elevation, m."""
        return self._elevation_at()

    @cached_property
    def position(self) -> np.ndarray:
        """Topographic position: height above the land smoothed over 35 km, m. Negative in valleys and basins."""
        coarse = coarse_relief()
        return self.elevation - coarse.at(coarse.broad, self.longitude, self.latitude)

    @cached_property
    def valley(self) -> np.ndarray:
        """-1 on summits to 1 on valley floors."""
        return -np.tanh(self.position / 300.0)

    @cached_property
    def gradient(self) -> tuple[np.ndarray, np.ndarray]:
        """Rise to the east and to the north, m per m, from the cell to its neighbour."""
        metres = 1000.0 * self.cell * KM_PER_DEGREE
        east = (self._elevation_at(east=self.cell) - self.elevation) / (metres * np.cos(np.radians(self.latitude)))
        north = (self._elevation_at(north=self.cell) - self.elevation) / metres
        return east, north

    @cached_property
    def steepness(self) -> np.ndarray:
        """Slope from 0 (flat) to 1 (as steep as land gets at this cell size)."""
        east, north = self.gradient
        # coarse cells show gentler slopes of the same land
        typical = 0.034 * (0.01 / self.cell) ** 0.15
        return np.tanh(np.hypot(east, north) / typical)

    @cached_property
    def shade(self) -> np.ndarray:
        """Slope that looks north: -1 sunny to 1 shady."""
        east, north = self.gradient
        return self.steepness * -north / np.maximum(np.hypot(east, north), 1e-9)

    # ---- climate ------------------------------------------------------------------------------------------------

    @cached_property
    def ground_temperature(self) -> np.ndarray:
        """Mean annual ground temperature, degree C."""
        regional = 50.633 + WARMING_SINCE_2002 - 0.83 * self.latitude - 0.0049 * self.elevation
        return regional + 0.5 * self.noise("ground temperature", 1.6, 3)

    @cached_property
    def precipitation(self) -> np.ndarray:
        """Annual precipitation, mm."""
        wet = logistic(0.16 * (self.longitude - 91.0) - 0.35 * (self.latitude - 33.5))
        return 60.0 + 620.0 * wet * np.exp(0.16 * self.noise("precipitation", 2.5, 3))

    @cached_property
    def crust(self) -> np.ndarray:
        """Salt crust and desert pavement of the driest land, 0 to 1. No road of the demo leads there."""
        return logistic((86.0 - self.precipitation) / 4.0)

    def air_temperature(self, month: int) -> np.ndarray:
        """Mean air temperature of a month (1 to 12), degree C."""
        amplitude = 11.0 + 0.45 * (self.latitude - 33.0)
        season = np.cos(2.0 * np.pi * (month - 7.2) / 12.0)
        return self.ground_temperature - 2.8 + amplitude * season + 0.3 * self.noise(f"air temperature {month}", 4.0)

    # ---- vegetation and soil ------------------------------------------------------------------------------------

    @cached_property
    def vegetation(self) -> np.ndarray:
        """Vegetation cover, 0 to 1."""
        too_high = np.maximum(self.elevation - 5000.0, 0.0) / 300.0
        growth = (self.precipitation - 330.0) / 150.0 + 0.6 * self.valley + 0.25 * self.shade - 0.8 * too_high
        return logistic(0.5 + growth + 1.1 * self.noise("vegetation", 0.9, 4, 0.7))

    @cached_property
    def clay(self) -> np.ndarray:
        """Clay, % of the fine earth."""
        return np.clip(17.0 + 3.0 * self.valley + 5.0 * self.noise("clay", 1.3, 4, 0.65), 2.0, 45.0)

    @cached_property
    def sand(self) -> np.ndarray:
        """Sand, % of the fine earth."""
        coarse = 54.0 - 0.9 * (self.clay - 17.0) - 10.0 * (self.vegetation - 0.5)
        return np.clip(coarse + 9.0 * self.noise("sand", 1.0, 4, 0.7), 5.0, 95.0 - self.clay)

    @cached_property
    def organic_carbon(self) -> np.ndarray:
        """Soil organic carbon, g kg-1."""
        growth = 1.5 * self.vegetation - 0.10 * np.clip(self.ground_temperature, -6.0, 4.0)
        return np.exp(2.0 + growth + 0.35 * self.noise("organic carbon", 0.8, 4, 0.65))

    @cached_property
    def bulk_density(self) -> np.ndarray:
        """Dry bulk density, g cm-3."""
        return np.clip(1.62 - 0.22 * np.log(self.organic_carbon / 6.0) + 0.05 * self.noise("bulk density", 0.5, 3), 0.5, 1.75)

    # ---- what the land is ---------------------------------------------------------------------------------------

    @cached_property
    def shore(self) -> np.ndarray:
        """Height above the lake shore of the nearest closed depression, m; negative on lakes."""
        coarse = coarse_relief()
        depth = coarse.at(coarse.basin, self.longitude, self.latitude) + 45.0 * self.noise("lake shore", 0.2, 3)
        return LAKE_DEPTH_M - depth

    @cached_property
    def lake(self) -> np.ndarray:
        """True in the deeper parts of closed depressions."""
        return (self.shore < 0.0) & (self.elevation > 2500.0) & (self.elevation < 5300.0)

    @cached_property
    def permafrost(self) -> np.ndarray:
        """True where the ground stays frozen and is neither lake nor ice."""
        return (self.ground_temperature < 0.0) & ~self.lake & (self.elevation < ICE_LINE_M)

    @cached_property
    def land_cover(self) -> np.ndarray:
        """Class of LAND_COVER, uint8."""
        green = self.vegetation + 0.06 * self.noise("land cover", 0.15, 3)
        swamp = (green > 0.55) & (self.valley > 0.35) & (self.steepness < 0.6)
        conditions = [self.lake, self.elevation >= ICE_LINE_M, swamp, green > 0.55, green > 0.3, green > 0.12]
        classes = [WATER, ICE, SWAMP, MEADOW, STEPPE, DESERT_STEPPE]
        return np.select(conditions, classes, default=BARE).astype(np.uint8)
