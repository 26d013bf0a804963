"""Writing daily values as products come: a CF NetCDF file a year, packed in whole numbers, on any grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS

from alm_core.grid import Grid
from alm_core.workspace import atomic_path

COMPRESSION_LEVEL = 1
CHUNK_DAYS = 32
LICENCE = "CC-BY-4.0"


@dataclass(frozen=True)
class Packing:
    """How a variable is stored.

    Attributes
    ----------
    name, long_name, units : str
    dtype : str
        Of the file.
    fill : int
    scale, offset : float
        value = stored * scale + offset.
    attributes : mapping
        Further ones.
    """

    name: str
    long_name: str
    units: str
    dtype: str = "int16"
    fill: int = -32768
    scale: float = 1.0
    offset: float = 0.0
    attributes: Mapping[str, Any] | None = None

    def pack(self, values: np.ndarray) -> np.ndarray:
        """Stored numbers; NaN becomes the fill value. Whole numbers of the type of the file are taken as they are."""
        if values.dtype == self.dtype:
            return values
        limits = np.iinfo(self.dtype)
        numbers = np.rint((values - np.float32(self.offset)) * np.float32(1.0 / self.scale))
        missing = ~np.isfinite(numbers)
        numbers[missing] = self.fill
        if (np.abs(numbers[~missing]) > limits.max).any():
            raise ValueError(f"{self.name} holds values that {self.dtype} can't with a scale of {self.scale}")
        return numbers.astype(self.dtype)


@dataclass(frozen=True)
class TimeAxis:
    """How a file counts time: unit text, and hours of the day at which a daily value stands."""

    units: str
    origin: str
    per_day: float
    hour: float = 0.0

    def values(self, dates: np.ndarray) -> np.ndarray:
        """Numbers of the time axis for days."""
        days = (dates.astype("datetime64[D]") - np.datetime64(self.origin, "D")).astype(float)
        return days * self.per_day + self.hour * self.per_day / 24.0


DAYS_1972 = TimeAxis("days since 1972-01-01 00:00:00", "1972-01-01", 1.0)
DAYS_1970 = TimeAxis("days since 1970-01-01", "1970-01-01", 1.0)
MINUTES_2000 = TimeAxis("minutes since 2000-01-01 00:00:00", "2000-01-01", 1440.0, hour=12.0)


def write_days(
    path: Path,
    values: np.ndarray,
    dates: np.ndarray,
    grid: Grid,
    packing: Packing,
    *,
    title: str,
    time: TimeAxis = DAYS_1970,
    south_first: bool = False,
    attributes: Mapping[str, Any] | None = None,
) -> Path:
    """Write the days of one variable.

    Parameters
    ----------
    path : Path
    values : ndarray
        ``[day, row, column]``, NaN where missing, or stored numbers; row 0 is the northern edge.
    dates : ndarray
        datetime64[D] ``[day]``.
    grid : Grid
        Of `values`.
    packing : Packing
    title : str
    time : TimeAxis
    south_first : bool
        Rows from the south, as in files of land models.
    attributes : mapping, optional
        Further ones of the file.
    """
    import netCDF4

    stored = packing.pack(values)
    with atomic_path(path) as temporary, netCDF4.Dataset(temporary, "w", format="NETCDF4") as file:
        file.setncatts(
            {
                "Conventions": "CF-1.8",
                "title": f"SIMULATED: {title}",
                "simulated": "yes",
                "comment": "Simulated by written formulas for a demo of Active Layer Mapper; measures nothing.",
                "license": LICENCE,
                **(attributes or {}),
            }
        )
        rows, columns = _axes(file, grid, south_first=south_first)
        file.createDimension("time", None)
        axis = file.createVariable("time", "f8", ("time",))
        axis.setncatts({"standard_name": "time", "units": time.units, "calendar": "standard", "axis": "T"})
        axis[:] = time.values(dates)
        chunks = (min(CHUNK_DAYS, len(dates)), *grid.shape)
        variable = file.createVariable(
            packing.name, packing.dtype, ("time", rows, columns), zlib=True, complevel=COMPRESSION_LEVEL, shuffle=True,
            chunksizes=chunks, fill_value=packing.fill,
        )  # fmt: skip
        variable.set_auto_maskandscale(False)
        variable.setncatts({"long_name": packing.long_name, "units": packing.units, "grid_mapping": "crs"})
        if packing.scale != 1.0 or packing.offset:
            variable.setncatts({"scale_factor": packing.scale, "add_offset": packing.offset})
        variable.setncatts(dict(packing.attributes or {}))
        variable[:] = stored[:, ::-1] if south_first else stored
    return path


def _axes(file: Any, grid: Grid, *, south_first: bool) -> tuple[str, str]:
    """Write coordinates and grid mapping; the names of the dimensions of rows and columns."""
    if grid.is_geographic:
        names, units = ("lat", "lon"), ("degrees_north", "degrees_east")
        standard, long_names = ("latitude", "longitude"), ("latitude", "longitude")
    else:
        names, units = ("y", "x"), ("m", "m")
        standard, long_names = ("projection_y_coordinate", "projection_x_coordinate"), ("y", "x")
    values = (grid.y[::-1] if south_first else grid.y), grid.x
    for name, unit, kind, long_name, letter, numbers in zip(names, units, standard, long_names, "YX", values, strict=True):
        file.createDimension(name, len(numbers))
        axis = file.createVariable(name, "f8", (name,))
        axis.setncatts({"standard_name": kind, "long_name": long_name, "units": unit, "axis": letter})
        axis[:] = numbers
    file.createVariable("crs", "S1", ()).setncatts(CRS.from_user_input(grid.crs).to_cf())
    return names
