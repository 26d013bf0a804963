"""What is measured on the simulated land: boreholes and thaw probes, in clusters, in some years, with faults of real tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyproj import Transformer

from alm_core.grid import Grid
from alm_core.studies.circumpolar_permafrost.land import Land

LAST_YEAR = 2019
SOURCES = ("GTN-P", "borehole archive", "station network")
CENSORED = 8
"""Thaw probes that did not reach the frozen ground, or met it above the first mark."""


class Places(NamedTuple):
    """Places of sites and the years in which each was measured."""

    land: Land
    first: np.ndarray
    count: np.ndarray


def places(grid: Grid, land: Land, wanted: np.ndarray, count: int, *, seed: int, what: str) -> Places:
    """Draw sites among the cells of a grid, near roads that the land does not show.

    Parameters
    ----------
    grid : Grid
    land : Land
        Of the cells of the grid, ``[row, column]``.
    wanted : ndarray
        bool ``[row, column]``: cells that may have a site.
    count : int
    """
    random = np.random.default_rng([seed, len(what)])
    cells = np.flatnonzero(wanted)
    near = np.exp(2.2 * land.noise(f"roads of {what}", (8, 16)).ravel()[cells])
    chosen = random.choice(cells, min(count, len(cells)), replace=False, p=near / near.sum())
    row, column = np.divmod(chosen, grid.shape[1])
    width, height = grid.resolution
    x = grid.x[column] + random.uniform(-0.4, 0.4, len(chosen)) * width
    y = grid.y[row] + random.uniform(-0.4, 0.4, len(chosen)) * height
    longitude, latitude = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    first = random.integers(1980, LAST_YEAR - 4, len(chosen))
    return Places(Land(longitude.round(4), latitude.round(4), land.seed), first, random.integers(1, 9, len(chosen)))


def site_years(found: Places) -> tuple[np.ndarray, np.ndarray]:
    """Site number and year of every row."""
    site = np.repeat(np.arange(len(found.first)), found.count)
    year = found.first[site] + np.concatenate([np.arange(count) for count in found.count])
    inside = year <= LAST_YEAR
    return site[inside], year[inside]


def ground_table(found: Places, *, seed: int) -> pd.DataFrame:
    """Mean annual ground temperatures, a row for each site and year, with the depth of the sensor."""
    random = np.random.default_rng([seed, 1])
    site, year = site_years(found)
    depth = np.round(np.exp(random.normal(np.log(9.0), 0.5, len(found.first))).clip(1.0, 40.0), 1)
    value = _measured(site, year, lambda when: found.land.ground_temperature(when, depth))
    table = _head(found, site, year, "B")
    table["source"] = [SOURCES[one % len(SOURCES)] for one in site]
    table["depth_m"] = depth[site]
    table["magt_c"] = (value + random.normal(0.0, 0.35, len(value))).round(2)
    return table


def thaw_table(found: Places, *, seed: int) -> pd.DataFrame:
    """Active layer thickness, a row for each site and year; a few are bounds, and one site has a year twice."""
    random = np.random.default_rng([seed, 2])
    site, year = site_years(found)
    value = _measured(site, year, found.land.thaw_depth)
    value = (value * np.exp(random.normal(0.0, 0.12, len(value)))).round(1)
    text = value.astype(str).astype(object)
    for number, row in enumerate(random.choice(len(value), CENSORED, replace=False)):
        text[row] = f">{0.8 * value[row]:.0f}" if number % 4 else f"<{1.3 * value[row]:.0f}"
    table = _head(found, site, year, "T")
    table["elev_m"] = found.land.elevation[site].round(0)
    table["alt_cm"] = text
    return pd.concat([table, table.iloc[[len(table) // 2]]], ignore_index=True)


def _head(found: Places, site: np.ndarray, year: np.ndarray, letter: str) -> pd.DataFrame:
    names = [f"{letter}{one:03d}" for one in site]
    return pd.DataFrame({"site_id": names, "lat": found.land.latitude[site], "lon": found.land.longitude[site], "year": year})


def _measured(site: np.ndarray, year: np.ndarray, truth: Callable[[float], np.ndarray]) -> np.ndarray:
    """The truth of each row, from that of all sites in each year."""
    value = np.empty(len(site))
    for when in np.unique(year):
        rows = year == when
        value[rows] = truth(float(when))[site[rows]]
    return value
