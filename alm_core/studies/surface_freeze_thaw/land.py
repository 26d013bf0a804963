"""The simulated plateau: what stays the same from day to day.

Relief, climate, soil and cover are those of the moisture demo (`Landscape`), so both demos show one land.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alm_core.grid import Grid
from alm_core.studies.active_layer_moisture.landscape import LAND_COVER, WATER, Landscape, logistic

FOREST = 8
COVERS = {**LAND_COVER, FOREST: "forest"}
TREE_LINE_M = 3900.0
PARTICLE_DENSITY = 2.65
"""Of minerals, g cm-3: parts bulk density from porosity."""


@dataclass(frozen=True)
class Extent:
    """Where and when the demo of a size is.

    Attributes
    ----------
    bounds : tuple of float
        West, south, east, north, degrees.
    cell : float
        Cell size, degrees.
    lowest : float
        Cells below this elevation, m, are not mapped.
    first_year, last_year : int
    coarser : int
        Cells of the equal-area grids are this many times those of the real products.
    """

    bounds: tuple[float, float, float, float]
    cell: float
    lowest: float
    first_year: int
    last_year: int
    coarser: int

    @property
    def grid(self) -> Grid:
        """The grid of the map."""
        return Grid.from_bounds(self.bounds, self.cell, crs="EPSG:4326")

    @property
    def years(self) -> range:
        """Every year."""
        return range(self.first_year, self.last_year + 1)


EXTENTS = {
    "small": Extent((80.0, 28.0, 102.0, 40.0), 1.0, 3500.0, 2011, 2013, 4),
    "medium": Extent((68.0, 25.0, 104.75, 40.5), 0.25, 125.0, 2011, 2020, 1),
}
"""Sizes of the demo."""


@dataclass(frozen=True, eq=False)
class Plateau:
    """Fields of every cell of a grid, flat in the order of rows.

    Parameters
    ----------
    grid : Grid
        Geographic.
    seed : int
        Other seeds give another land on the same broad relief.
    lowest : float
        Cells below this elevation, m, are outside `mapped`.

    Examples
    --------
    >>> land = Plateau(EXTENTS["small"].grid, seed=5, lowest=3500.0)
    >>> land.elevation.shape, bool((land.porosity > 0.3).all())
    ((264,), True)
    """

    grid: Grid
    seed: int
    lowest: float = 0.0

    @cached_property
    def longitude(self) -> np.ndarray:
        """Degrees."""
        return np.tile(self.grid.x, self.grid.shape[0])

    @cached_property
    def latitude(self) -> np.ndarray:
        """Degrees."""
        return np.repeat(self.grid.y, self.grid.shape[1])

    @cached_property
    def _landscape(self) -> Landscape:
        return Landscape(self.longitude, self.latitude, cell=self.grid.resolution[0], seed=self.seed)

    @cached_property
    def elevation(self) -> np.ndarray:
        """Height, m."""
        return self._landscape.elevation

    @cached_property
    def mapped(self) -> np.ndarray:
        """True in cells of the study: high enough and no lake."""
        return (self.elevation > self.lowest) & (self._landscape.land_cover != WATER)

    @cached_property
    def ground_temperature(self) -> np.ndarray:
        """Mean annual temperature of the ground, degree Celsius."""
        return self._landscape.ground_temperature

    @cached_property
    def amplitude(self) -> np.ndarray:
        """Half of the yearly range of the air, K; smaller where the monsoon brings clouds."""
        return 11.0 + 0.45 * (self.latitude - 33.0) - 2.5 * (self.wetness - 0.4)

    @cached_property
    def wetness(self) -> np.ndarray:
        """Annual precipitation as a part of the wettest, 0 to 1."""
        return np.clip(self._landscape.precipitation / 750.0, 0.05, 1.0)

    @cached_property
    def forest(self) -> np.ndarray:
        """Part of the cell under trees, 0 to 1: wet land below the tree line that is not too cold."""
        below = logistic((TREE_LINE_M - self.elevation) / 150.0)
        return below * logistic((self.wetness - 0.62) / 0.06) * logistic((self.ground_temperature - 1.0) / 1.0)

    @cached_property
    def vegetation(self) -> np.ndarray:
        """Cover of grass and shrubs, 0 to 1."""
        return self._landscape.vegetation * (1.0 - self.forest)

    @cached_property
    def land_cover(self) -> np.ndarray:
        """Class of COVERS, uint8."""
        return np.where(self.forest > 0.5, FOREST, self._landscape.land_cover).astype(np.uint8)

    @cached_property
    def clay(self) -> np.ndarray:
        """Clay, % of the fine earth."""
        return self._landscape.clay

    @cached_property
    def sand(self) -> np.ndarray:
        """Sand, % of the fine earth."""
        return self._landscape.sand

    @cached_property
    def porosity(self) -> np.ndarray:
        """Part of the soil that is no solid, m3 m-3."""
        return 1.0 - self._landscape.bulk_density / PARTICLE_DENSITY

    def raster(self, values: np.ndarray) -> np.ndarray:
        """``[..., cell]`` to ``[..., row, column]``."""
        return values.reshape(*values.shape[:-1], *self.grid.shape)
