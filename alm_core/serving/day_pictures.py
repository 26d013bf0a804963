"""Maps of days for the browser, which draws them itself: the colours of a day change with no request to the server.

Three things travel, each gzip-packed: where the pixels of the picture lie among the mapped cells (once), the days of a year in
parts of a few megabytes (one byte a cell and day, `alm_core.inspection.days.year_codes`), and numbers of the freezing years.
"""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyproj import Transformer

from alm_core.cubes.states import UNKNOWN
from alm_core.grid import Grid
from alm_core.inspection.days import (
    DAYS,
    FACTS_FILE,
    FROZEN_CODE,
    PHENOLOGY,
    TREND,
    DayMaps,
    day_maps,
    phenology,
    trend,
    year_codes,
)
from alm_core.serving.cache import BoundedCache
from alm_core.serving.checks import LayerError, RequestError
from alm_core.serving.images import codes, palette_chunks, png
from alm_core.serving.mercator import Pixels
from alm_core.serving.rasters import is_longitude_latitude
from alm_core.serving.view_bounds import MERCATOR_LIMIT, longitude_range
from alm_core.workspace import Run

PART_BYTES = 4_000_000
"""Of a part before packing: a year of 8,200 cells is one part."""
YEAR_DAYS = 366
PIXELS_A_CELL = 5
WIDTHS = (240, 1800)
MOST_PIXELS = 1_200_000
COMPRESSION = 4
LONLAT = "EPSG:4326"
FROZEN_DAYS, FROZEN_PALETTE = "frozen_days", "lapaz_r"
_packed = BoundedCache(64 * 2**20)


@dataclass(frozen=True)
class Picture:
    """Where the picture of every day lies.

    Attributes
    ----------
    bounds : tuple of float
        West, south, east, north in degrees; the east goes on beyond 180.
    shape : tuple of int
        Rows and columns; rows are even on the web map, not in degrees.
    """

    bounds: tuple[float, float, float, float]
    shape: tuple[int, int]

    @property
    def pixels(self) -> Pixels:
        """Centres of the pixels."""
        west, south, east, north = self.bounds
        rows, columns = self.shape
        longitude = west + (east - west) * (np.arange(columns) + 0.5) / columns
        top, bottom = mercator_y(north), mercator_y(south)
        y = top - (top - bottom) * (np.arange(rows) + 0.5) / rows
        return Pixels(longitude, np.degrees(2 * np.arctan(np.exp(y)) - math.pi / 2))

    def to_dict(self) -> dict[str, Any]:
        """Plain values: corners as Leaflet writes them."""
        west, south, east, north = self.bounds
        return {"bounds": [[south, west], [north, east]], "rows": self.shape[0], "columns": self.shape[1]}


def mercator_y(latitude: float) -> float:
    """Height on the web map in radii of the earth.

    Examples
    --------
    >>> round(mercator_y(45.0), 4)
    0.8814
    """
    return math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))


def day_picture(maps: DayMaps) -> Picture:
    """The smallest picture around the mapped cells, about five pixels to a cell."""
    west, south, east, north = cell_bounds(maps.grid, maps.cells)
    columns = np.unique(maps.cells % maps.grid.shape[1])
    across = int(columns[-1] - columns[0]) + 1
    width = min(max(across * PIXELS_A_CELL, WIDTHS[0]), WIDTHS[1])
    ratio = (mercator_y(north) - mercator_y(south)) / math.radians(east - west)
    width = int(min(width, math.sqrt(MOST_PIXELS / max(ratio, 1e-6))))
    return Picture((west, south, east, north), (max(1, round(width * ratio)), max(1, width)))


def cell_bounds(grid: Grid, cells: np.ndarray) -> tuple[float, float, float, float]:
    """West, south, east, north of cells in degrees, within what a web map can show."""
    row, column = np.divmod(cells, grid.shape[1])
    a, _, c, _, e, f = grid.transform
    steps = np.array([0.0, 0.5, 1.0])
    x = c + a * (column[:, None, None] + steps[None, None, :]) + np.zeros((1, 3, 1))
    y = f + e * (row[:, None, None] + steps[None, :, None]) + np.zeros((1, 1, 3))
    if is_longitude_latitude(grid):
        west, east, latitude = float(x.min()), float(x.max()), y
    else:
        longitude, latitude = Transformer.from_crs(grid.crs, LONLAT, always_xy=True).transform(x.ravel(), y.ravel())
        known = np.isfinite(longitude) & np.isfinite(latitude)
        west, east = longitude_range(np.asarray(longitude)[known])
        latitude = np.asarray(latitude)[known]
    return west, max(-MERCATOR_LIMIT, float(latitude.min())), east, min(MERCATOR_LIMIT, float(latitude.max()))


def pixel_cells(maps: DayMaps, picture: Picture) -> np.ndarray:
    """Mapped cell under every pixel, uint32 ``[row, column]``: its place and one, 0 where there is none."""
    pixels = picture.pixels
    longitude, latitude = np.meshgrid(pixels.longitude, pixels.latitude)
    if is_longitude_latitude(maps.grid):
        west = maps.grid.bounds[0]
        x, y = west + np.mod(longitude - west, 360.0), latitude
    else:
        x, y = maps.grid.transform_points(longitude, latitude, crs=LONLAT)
    known = np.isfinite(x) & np.isfinite(y)
    flat = maps.grid.cell_index(np.where(known, x, -np.inf), np.where(known, y, -np.inf))
    places = np.zeros(maps.grid.size + 1, np.uint32)
    places[maps.cells] = np.arange(1, maps.cells.size + 1)
    return places[flat]  # -1 is the last one, which no cell has


def part_days(maps: DayMaps) -> int:
    """Days in one part of a year: all of it, unless the grid is large."""
    return max(1, min(YEAR_DAYS, PART_BYTES // maps.cells.size))


# ---- what travels -------------------------------------------------------------------------------------------------------


def places_pack(run: Run) -> bytes:
    """Mapped cell under every pixel, little-endian uint32, gzip."""
    maps = day_maps(run)

    def make() -> bytes:
        return packed(pixel_cells(maps, day_picture(maps)).astype("<u4"))

    return _packed.get(("places", run.folder, day_stamps(run)), make)


def days_pack(run: Run, year: int, part: int) -> bytes:
    """Codes of the days of one part of a year, uint8 ``[day, cell]``, gzip.

    Raises
    ------
    RequestError
        No such year or part (404).
    """
    maps = day_maps(run)
    size = part_days(maps)
    if year not in maps.years or part * size >= maps.days_of(year)[1]:
        raise RequestError(f"There is no part {part} of {year}.", status=404)
    key = ("days", run.folder, day_stamps(run), year, part)
    return _packed.get(key, lambda: packed(year_codes(run, year, part * size, (part + 1) * size)))


def numbers_pack(run: Run, name: str) -> bytes:
    """One quantity of every freezing year, or its trend (slope, then p), little-endian float32 ``[band, cell]``, gzip.

    Raises
    ------
    LayerError
        There is none of that name.
    """
    maps = day_maps(run)
    if name in maps.phenology:
        return packed(phenology(run, name).values.astype("<f4"))
    if name.removeprefix(TREND) in maps.trends and name.startswith(TREND):
        found = trend(run, name.removeprefix(TREND))
        return packed(np.stack([found["slope"], found["p_value"]]).astype("<f4"))
    raise LayerError(f"This run has no {name[:40]!r}. It has {', '.join(maps.phenology) or 'none'}.")


def frozen_picture(run: Run) -> bytes:
    """A small picture of the map for lists of runs: mean frozen days of the freezing years, PNG.

    Without a whole freezing year the part of frozen days of the last mapped calendar year is drawn.
    """
    maps = day_maps(run)

    def make() -> bytes:
        values = mean_frozen(run, maps)
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        places = pixel_cells(maps, day_picture(maps)).astype(np.int64)
        drawn = np.concatenate([[np.nan], values])[places]
        return png(codes(drawn, low, high if high > low else low + 1), palette_chunks(FROZEN_PALETTE))

    return _packed.get(("frozen", run.folder, day_stamps(run)), make)


def mean_frozen(run: Run, maps: DayMaps) -> np.ndarray:
    """Mean frozen days of the freezing years, or the part of frozen days of the last year, ``[cell]``; NaN where unknown."""
    if FROZEN_DAYS in maps.phenology:
        values = phenology(run, FROZEN_DAYS).values.astype(float)
        count = np.isfinite(values).sum(axis=0)
        return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
    found = year_codes(run, maps.years[-1])
    known = (found != UNKNOWN).sum(axis=0)
    frozen = ((found >= FROZEN_CODE) & (found != UNKNOWN)).sum(axis=0)
    return np.where(known > 0, frozen / np.maximum(known, 1), np.nan)


def packed(values: np.ndarray) -> bytes:
    """Bytes of an array, gzip; the same for the same values."""
    return gzip.compress(np.ascontiguousarray(values).tobytes(), COMPRESSION, mtime=0)


def day_stamps(run: Run) -> tuple[Any, ...]:
    """Changes with the maps of a run."""
    watched = [run.folder / name for name in (FACTS_FILE, "cubes/cubes.json")]
    watched += sorted((run.folder / DAYS).glob("*.tif")) + sorted((run.folder / PHENOLOGY).glob("*.tif"))
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in watched if path.is_file())
