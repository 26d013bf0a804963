"""The layers of the demo: which raster holds which bands, on which native grid, how it is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from alm_core.grid import Grid
from alm_core.studies.active_layer_moisture import instruments
from alm_core.studies.active_layer_moisture.instruments import Formula
from alm_core.studies.active_layer_moisture.noise import KM_PER_DEGREE

ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84 +units=m +no_defs"
"""The equal-area projection that Chinese national maps use."""

MAP_GRIDS = {
    "small": (68.00, 25.80, 68.00 + 734 / 20, 25.80 + 281 / 20, 0.05),
    "medium": (68.02, 25.81, 68.02 + 3667 / 100, 25.81 + 1400 / 100, 0.01),
    # the corner, cell size and number of cells of the published product, whose stated bounds cut the last cells short
    "full": (68.024444444444444, 39.805 - 16790 / 1200, 68.024444444444444 + 43990 / 1200, 39.805, 1 / 1200),
}
"""West, south, east, north and cell size in degrees of the grid that each size is mapped on."""

NATIVE_DEGREES = {"coarse": 0.02, "climate": 0.1}
"""Finest cell size of layers that are coarser than the map; "map" layers lie on the map's own grid."""

ALBERS_METRES = 2000.0


@dataclass(frozen=True)
class Band:
    """One band of a raster: the covariate's name, its unit, what it is, and the formula that gives it."""

    name: str
    unit: str
    description: str
    formula: Formula


@dataclass(frozen=True)
class Raster:
    """One file of the demo.

    Attributes
    ----------
    file : str
        Name without folder.
    native : str
        Which grid it lies on: "map", "coarse", "climate" or "albers".
    group : str
        Group of its covariates.
    bands : tuple of Band
    dtype : str
        float32 (nodata NaN), or an integer type with `scale`, `offset` and `nodata`.
    use : bool
        False where its bands are only inputs of derived layers.
    kind : str
        "continuous" or "categorical".
    resampling : str
        How it is brought to the map's grid.
    """

    file: str
    native: str
    group: str
    bands: tuple[Band, ...]
    dtype: str = "float32"
    scale: float = 1.0
    offset: float = 0.0
    nodata: float = math.nan
    use: bool = True
    kind: str = "continuous"
    resampling: str = "bilinear"
    tags: dict[str, str] = field(default_factory=dict)


def _reflectance(name: str, description: str, formula: Formula) -> Band:
    return Band(name, "1", f"surface reflectance, {description}", formula)


RASTERS: tuple[Raster, ...] = (
    Raster(
        "elevation.tif",
        "map",
        "terrain",
        (Band("elevation", "m", "elevation above sea level", instruments.elevation),),
    ),
    Raster(
        "topographic_position.tif",
        "map",
        "terrain",
        (Band("topographic_position", "m", "height above the land smoothed over 35 km", instruments.topographic_position),),
    ),
    Raster(
        "reflectance.tif",
        "map",
        "vegetation",
        (
            _reflectance("red", "red, Sept-Oct", instruments.red),
            _reflectance("near_infrared", "near infrared, Sept-Oct", instruments.near_infrared),
            _reflectance("shortwave_infrared", "shortwave infrared, Sept-Oct", instruments.shortwave_infrared),
        ),
        dtype="int16",
        scale=0.0001,
        nodata=-9999,
        use=False,
    ),
    Raster(
        "land_cover.tif",
        "map",
        "vegetation",
        (Band("land_cover", "class", "land cover class", instruments.land_cover),),
        dtype="uint8",
        nodata=0,
        kind="categorical",
        resampling="nearest",
    ),
    Raster(
        "sentinel1_vv.tif",
        "map",
        "radar",
        tuple(
            Band(f"vv_{scene.replace('-', '')}", "dB", f"VV backscatter, {scene}", formula)
            for scene, formula in instruments.scene_formulas().items()
        ),
        dtype="int16",
        scale=0.01,
        nodata=-32768,
        use=False,
    ),
    Raster(
        "surface_temperature.tif",
        "coarse",
        "climate",
        (Band("surface_temperature", "degC", "land surface temperature by day, Sept-Oct", instruments.surface_temperature),),
        dtype="uint16",
        scale=0.02,
        offset=-273.15,
        nodata=0,
    ),
    Raster(
        "soil_texture.tif",
        "coarse",
        "soil",
        (
            Band("sand", "%", "sand of the fine earth", instruments.sand),
            Band("clay", "%", "clay of the fine earth", instruments.clay),
        ),
    ),
    Raster(
        "soil_map.tif",
        "coarse",
        "soil",
        (
            Band("soil_ph", "1", "soil pH in water", instruments.acidity),
            Band("coarse_fragments", "%", "coarse fragments by volume", instruments.coarse_fragments),
        ),
    ),
    Raster(
        "organic_carbon.tif",
        "albers",
        "soil",
        (Band("organic_carbon", "g kg-1", "soil organic carbon", instruments.organic_carbon),),
    ),
    Raster(
        "precipitation.tif",
        "climate",
        "climate",
        (Band("precipitation", "mm", "annual precipitation", instruments.precipitation),),
    ),
    Raster(
        "air_temperature.tif",
        "climate",
        "climate",
        tuple(
            Band(f"temperature_{month:02d}", "degC", f"mean air temperature of month {month}", formula)
            for month, formula in instruments.month_formulas().items()
        ),
        use=False,
    ),
    Raster("snow_days.tif", "climate", "climate", (Band("snow_days", "d", "days with snow a year", instruments.snow_days),)),
    Raster(
        "wind_speed.tif", "climate", "climate", (Band("wind_speed", "m s-1", "mean wind speed at 10 m", instruments.wind_speed),)
    ),
)
"""Every covariate raster of the demo."""


def map_grid(size: str) -> Grid:
    """The grid that a demo of this size is mapped on.

    Examples
    --------
    >>> map_grid("full").shape
    (16790, 43990)
    """
    west, south, east, north, cell = MAP_GRIDS[size]
    return Grid.from_bounds((west, south, east, north), cell, crs="EPSG:4326")


def native_grid(native: str, target: Grid) -> Grid:
    """The grid that a layer of this kind is stored on; it covers the map's grid with a cell to spare."""
    if native == "map":
        return target
    west, south, east, north = target.bounds
    if native == "albers":
        from rasterio.warp import transform_bounds

        step = max(ALBERS_METRES, 1000.0 * round(KM_PER_DEGREE * target.resolution[0]))
        box = transform_bounds(target.crs, ALBERS, west, south, east, north, densify_pts=101)
        return Grid.from_bounds(_outer_box(box, step), step, crs=ALBERS)
    step = max(NATIVE_DEGREES[native], target.resolution[0])
    return Grid.from_bounds(_outer_box((west, south, east, north), step), step, crs=target.crs)


def _outer_box(box: tuple[float, float, float, float], step: float) -> tuple[float, float, float, float]:
    """The next box outwards on whole multiples of `step`, one cell wider on each side."""
    west, south, east, north = (value / step for value in box)
    return (
        (math.floor(west) - 1) * step,
        (math.floor(south) - 1) * step,
        (math.ceil(east) + 1) * step,
        (math.ceil(north) + 1) * step,
    )


def cell_degrees(grid: Grid) -> float:
    """Cell size in degrees of latitude, also of a grid in metres."""
    return grid.resolution[1] if grid.is_geographic else grid.resolution[1] / (1000.0 * KM_PER_DEGREE)
