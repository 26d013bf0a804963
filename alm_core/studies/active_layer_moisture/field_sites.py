"""Simulated field sites: where people went, what they measured, and the faults that real tables carry.

Sites lie along a few roads (coordinates of towns and passes, good to some kilometres), in clusters, with a few scattered
ones. Their places are the same whatever the size of the demo: each is permafrost on all three map grids, and no two share
a cell of the coarsest. Values are the truth of the map's cell plus the error of the method, turned back into raw
measurements, so that the conversions of `alm_core.sites` find them again.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alm_core.errors import SitesError
from alm_core.grid import Grid
from alm_core.sites.conversions import CRIM_EXPONENT, CRIM_SOLID_PERMITTIVITY, CRIM_WATER_PERMITTIVITY, SPEED_OF_LIGHT_M_PER_NS
from alm_core.studies.active_layer_moisture.layers import cell_degrees, map_grid
from alm_core.studies.active_layer_moisture.noise import KM_PER_DEGREE, REFERENCE_COSINE
from alm_core.studies.active_layer_moisture.truth import TrueLand

USABLE = 342
"""Sites that are left when the study's rules have been asked: as many as the published product had."""

SIZES = ("small", "medium", "full")
RING, RADAR = "cutting_ring", "gpr"
RING_ERROR = (0.020, 0.030)
RADAR_ERROR = (0.042, 0.052)
"""Smallest and largest standard deviation of the label error of each method, m3 m-3."""

RING_VOLUME_CM3 = 100.0
PARTICLE_DENSITY = 2.65
ASSUMED_POROSITY = 0.45
"""What the radar surveys took; the study's `gpr_porosity` says the same."""

DRIEST_VISITED_MM, WETTEST_VISITED_MM = 125.0, 585.0
"""Annual precipitation at the sites: roads lead neither to the driest nor to the wettest permafrost."""

ROADS: dict[str, tuple[tuple[float, float], ...]] = {
    "Qinghai-Tibet Highway": (
        (94.30, 35.85), (94.05, 35.62), (93.45, 35.35), (93.08, 35.20), (92.80, 34.70), (92.44, 34.22), (92.07, 33.60),
        (91.90, 32.95), (91.68, 32.30),
    ),
    "Gonghe-Yushu Highway": ((99.20, 35.40), (98.85, 35.10), (98.20, 34.90), (97.65, 34.10), (97.10, 33.80), (96.40, 33.60)),
    "Qilian Mountains": ((97.60, 38.40), (98.30, 38.70), (98.90, 38.50), (99.30, 38.10), (99.90, 37.90), (100.40, 37.60)),
    "Qumalai-Wudaoliang": ((95.80, 34.20), (95.00, 34.40), (94.20, 34.70), (93.40, 35.00)),
    "Hoh Xil": ((92.80, 35.20), (91.80, 35.40), (90.80, 35.60), (89.80, 35.70), (88.80, 35.50), (87.50, 35.20)),
    "Northern Tibet": (
        (91.60, 32.40), (90.40, 32.70), (89.40, 33.00), (88.40, 33.30), (87.20, 33.10), (86.00, 32.90),
        (84.80, 33.20), (83.50, 33.80),
    ),
}  # fmt: skip
"""Longitude and latitude along each road."""


@dataclass(frozen=True)
class Survey:
    """One field season: where, when, how many sites, and what part of them by cutting ring."""

    name: str
    road: str | None
    year: int
    sites: int
    ring_part: float


SURVEYS = (
    Survey("QTH-2009", "Qinghai-Tibet Highway", 2009, 24, 1.0),
    Survey("QTH-2012", "Qinghai-Tibet Highway", 2012, 26, 0.5),
    Survey("QTH-2016", "Qinghai-Tibet Highway", 2016, 24, 0.4),
    Survey("QTH-2021", "Qinghai-Tibet Highway", 2021, 20, 0.6),
    Survey("GYH-2013", "Gonghe-Yushu Highway", 2013, 22, 0.7),
    Survey("GYH-2019", "Gonghe-Yushu Highway", 2019, 18, 0.4),
    Survey("QL-2011", "Qilian Mountains", 2011, 20, 0.9),
    Survey("QL-2018", "Qilian Mountains", 2018, 18, 0.5),
    Survey("QW-2014", "Qumalai-Wudaoliang", 2014, 20, 0.6),
    Survey("HX-2010", "Hoh Xil", 2010, 24, 1.0),
    Survey("HX-2022", "Hoh Xil", 2022, 22, 0.2),
    Survey("NT-2015", "Northern Tibet", 2015, 28, 0.6),
    Survey("NT-2023", "Northern Tibet", 2023, 26, 0.5),
    Survey("SC-2017", None, 2017, 24, 0.5),
    Survey("SC-2024", None, 2024, 26, 0.6),
)
"""The surveys; the last two went to scattered places."""

SPARE = Survey("NT-2015", "Northern Tibet", 2015, 40, 1.0)
"""Places besides the usable ones, for faults that need a place of their own."""

SCATTERED_BOX = (82.0, 31.5, 100.0, 38.5)
CAMP_SPREAD_KM = 16.0
"""How far the sites of one camp lie from it, km (standard deviation)."""

SITES_A_CAMP = 5
PROPOSALS = 80
"""Places tried for each site that a survey wants."""


def cell_centres(grid: Grid, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the cells that points lie in."""
    row, column = grid.row_column(longitude, latitude)
    return grid.x[np.floor(column).astype(int)], grid.y[np.floor(row).astype(int)]


def land_at(size: str, longitude: np.ndarray, latitude: np.ndarray, *, seed: int) -> TrueLand:
    """The simulated land of the map cells of one size that points lie in."""
    grid = map_grid(size)
    return TrueLand(*cell_centres(grid, longitude, latitude), cell=cell_degrees(grid), seed=seed)


# ---- where ------------------------------------------------------------------------------------------------------


def along(road: tuple[tuple[float, float], ...], part: np.ndarray) -> np.ndarray:
    """Points at some part (0 to 1) of the length of a road, ``[point, 2]``."""
    corners = np.array(road)
    steps = np.hypot(*(np.diff(corners, axis=0) * [REFERENCE_COSINE, 1.0]).T)
    length = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    return np.column_stack([np.interp(part, length, corners[:, 0]), np.interp(part, length, corners[:, 1])])


def suitable(longitude: np.ndarray, latitude: np.ndarray, *, seed: int) -> np.ndarray:
    """True where a crew could dig: permafrost on every map grid, away from lakes, on land that is not too steep."""
    good = np.ones(longitude.shape, bool)
    for size in SIZES:
        land = land_at(size, longitude, latitude, seed=seed)
        good &= land.permafrost & (land.steepness < 0.97) & (land.elevation < 5350.0)
        good &= (land.precipitation > DRIEST_VISITED_MM) & (land.precipitation < WETTEST_VISITED_MM)
        good &= land.shore > 80.0
    return good


def _proposals(survey: Survey, rng: np.random.Generator, *, seed: int) -> np.ndarray:
    """Places that a survey might visit, ``[place, 2]``, in the order in which they are tried."""
    count = PROPOSALS * survey.sites
    if survey.road is None:
        west, south, east, north = SCATTERED_BOX
        return np.column_stack([rng.uniform(west, east, count), rng.uniform(south, north, count)])
    stops = along(ROADS[survey.road], rng.uniform(0.0, 1.0, count))
    # camps stand where there is something to measure
    camps = stops[suitable(stops[:, 0], stops[:, 1], seed=seed)][: max(4, round(1.6 * survey.sites / SITES_A_CAMP))]
    spread = CAMP_SPREAD_KM / KM_PER_DEGREE
    return camps[rng.integers(0, len(camps), count)] + rng.normal(0.0, spread, (count, 2)) / [REFERENCE_COSINE, 1.0]


def site_places(seed: int) -> pd.DataFrame:
    """Longitude, latitude and survey of all places visited, the same for every size of the demo.

    The first USABLE rows are the usable sites; those of SPARE follow, marked `spare`.

    Raises
    ------
    SitesError
        A survey finds too little permafrost on its road; no seed tried so far does this.
    """
    coarsest = map_grid("small")
    taken: set[int] = set()
    rows = []
    for number, survey in enumerate((*SURVEYS, SPARE)):
        rng = np.random.default_rng([seed, number])
        points = np.round(_proposals(survey, rng, seed=seed), 5)
        good = points[suitable(points[:, 0], points[:, 1], seed=seed)]
        found = []
        for point, cell in zip(good, coarsest.cell_index(good[:, 0], good[:, 1]), strict=True):
            if len(found) < survey.sites and cell not in taken:
                taken.add(cell)
                found.append((*point, survey.name, survey.year, survey.ring_part, survey is SPARE))
        if len(found) < survey.sites:
            raise SitesError(
                f"Survey {survey.name} found {len(found)} of {survey.sites} sites with seed {seed}. Take another seed."
            )
        rows += found
    return pd.DataFrame(rows, columns=["longitude", "latitude", "survey", "year", "ring_part", "spare"])


# ---- what -------------------------------------------------------------------------------------------------------


def measured_sites(size: str, seed: int) -> pd.DataFrame:
    """The places visited, with truth, method, label error, date and layer.

    `explained` is the part of the truth's score that covariates tell; raw measurements are made of `vwc` (m3 m-3) and
    `bulk_density` (g cm-3).
    """
    sites = site_places(seed)
    land = land_at(size, sites["longitude"].to_numpy(), sites["latitude"].to_numpy(), seed=seed)
    rng = np.random.default_rng([seed, zlib.crc32(b"measurements")])
    count = len(sites)
    ring = rng.uniform(size=count) < sites["ring_part"].to_numpy()
    lowest, highest = np.where(ring[:, None], RING_ERROR, RADAR_ERROR).T
    sites["method"] = np.where(ring, RING, RADAR)
    sites["uncertainty"] = np.round(rng.uniform(lowest, highest), 3)
    sites["truth"], sites["explained"] = land.moisture, land.explained
    sites["vwc"] = np.clip(sites["truth"] + rng.normal(0.0, 1.0, count) * sites["uncertainty"], 0.02, 0.66)
    sites["bulk_density"] = _possible_density(land.bulk_density + rng.normal(0.0, 0.06, count), sites["vwc"].to_numpy())
    sites["date"] = pd.to_datetime(sites["year"].astype(str) + "-09-01") + pd.to_timedelta(rng.integers(0, 61, count), unit="D")
    thaw_depth = 2.0 + 0.3 * land.ground_temperature - 1.2 * (land.moisture - 0.25) + rng.normal(0.0, 0.25, count)
    sites["bottom"] = np.round(np.clip(thaw_depth, 0.6, 3.6), 2)
    return sites.drop(columns=["year", "ring_part"])


def _possible_density(density: np.ndarray, vwc: np.ndarray) -> np.ndarray:
    """Dry bulk density that leaves room for the water in the pores."""
    porosity = np.maximum(1.0 - density / PARTICLE_DENSITY, vwc + 0.04)
    return (1.0 - porosity) * PARTICLE_DENSITY


def travel_time(vwc: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Two-way travel time in ns to a reflector at `depth` m: the mixing model of Du et al. (2020), forwards.

    Examples
    --------
    >>> float(np.round(travel_time(np.array([0.3]), np.array([2.0]))[0], 1))
    47.8
    """
    solid, water = CRIM_SOLID_PERMITTIVITY**CRIM_EXPONENT, CRIM_WATER_PERMITTIVITY**CRIM_EXPONENT
    power = (1.0 - ASSUMED_POROSITY) * solid + vwc * water + (ASSUMED_POROSITY - vwc)
    return 2.0 * depth * np.sqrt(power ** (1.0 / CRIM_EXPONENT)) / SPEED_OF_LIGHT_M_PER_NS


def raw_measurements(sites: pd.DataFrame) -> pd.DataFrame:
    """The columns of the field table: masses for rings, travel time and reflector depth for radar, the others empty."""
    ring = (sites["method"] == RING).to_numpy()
    vwc, bottom = sites["vwc"].to_numpy(), sites["bottom"].to_numpy()
    dry = np.round(sites["bulk_density"].to_numpy() * RING_VOLUME_CM3, 2)
    table = sites[["longitude", "latitude", "date", "method", "survey"]].copy()
    table["wet_mass"] = np.where(ring, np.round(dry + vwc * RING_VOLUME_CM3, 2), np.nan)
    table["dry_mass"] = np.where(ring, dry, np.nan)
    table["travel_time"] = np.where(ring, np.nan, np.round(travel_time(vwc, bottom), 2))
    table["reflector_depth"] = np.where(ring, np.nan, bottom)
    table["uncertainty"] = sites["uncertainty"]
    table["top"], table["bottom"] = 0.0, bottom
    table["truth"], table["fault"] = sites["truth"], ""
    return table
