"""Small daily files for tests, written as products come."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import rasterio
from pyproj import CRS
from rasterio.transform import from_origin

from alm_core.grid import Grid

GRID = Grid.from_bounds((80, 30, 84, 32), 1, crs="EPSG:4326")
X = np.arange(80.5, 84)
Y = np.arange(31.5, 30, -1)


def days(count: int, *, level: float = 250.0) -> np.ndarray:
    """``[day, 2, 4]``: every number is another, and tells its day."""
    return level + np.arange(count)[:, None, None] + np.arange(8).reshape(2, 4) / 10.0


def write_netcdf(
    path: Path,
    values: np.ndarray,
    *,
    times: Sequence[float] | None = None,
    time_units: str = "days since 2011-01-01",
    calendar: str = "standard",
    x: np.ndarray = X,
    y: np.ndarray = Y,
    crs: str | None = "EPSG:4326",
    name: str = "TB",
    unit: str = "K",
    dtype: str = "f4",
    attributes: dict[str, Any] | None = None,
    file_attributes: dict[str, Any] | None = None,
) -> Path:
    """A CF NetCDF of ``[day, row, column]``; stored numbers where `attributes` say that they are packed."""
    values = np.asarray(values)
    geographic = crs is None or CRS.from_user_input(crs).is_geographic
    names = ("lat", "lon") if geographic else ("y", "x")
    attributes = dict(attributes or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts({"Conventions": "CF-1.8", **(file_attributes or {})})
        for axis, numbers, units in zip(names, (y, x), ("degrees_north", "degrees_east"), strict=True):
            file.createDimension(axis, len(numbers))
            variable = file.createVariable(axis, "f8", (axis,))
            variable[:] = numbers
            variable.units = units if geographic and crs is not None else "m"
        file.createDimension("time", len(values))
        if times is not None or time_units:
            time = file.createVariable("time", "f8", ("time",))
            time.setncatts({"units": time_units, "calendar": calendar})
            time[:] = np.arange(len(values)) if times is None else times
        variable = file.createVariable(name, dtype, ("time", *names), fill_value=attributes.pop("_FillValue", None))
        variable.set_auto_maskandscale(False)
        if unit:
            variable.units = unit
        if crs is not None and not geographic:
            mapping = file.createVariable("crs", "i4")
            mapping.crs_wkt = CRS.from_user_input(crs).to_wkt()
            variable.grid_mapping = "crs"
        variable.setncatts(attributes)
        variable[:] = values
    return path


def write_geotiff(
    path: Path,
    values: np.ndarray,
    *,
    dates: Sequence[str] | None = None,
    crs: str | None = "EPSG:4326",
    west: float = 80.0,
    north: float = 32.0,
    cell: float = 1.0,
    nodata: float | None = None,
) -> Path:
    """A GeoTIFF of ``[band, row, column]``; `dates` become the descriptions of the bands."""
    values = np.asarray(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"count": len(values), "height": values.shape[1], "width": values.shape[2], "dtype": values.dtype, "nodata": nodata}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=from_origin(west, north, cell, cell), **profile) as file:
        file.write(values)
        for band, text in enumerate(dates or (), start=1):
            file.set_band_description(band, text)
    return path
