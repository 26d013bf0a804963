"""Which reader opens a daily file."""

from __future__ import annotations

from pathlib import Path

from alm_core.cubes.fields import FieldFile
from alm_core.errors import MissingFileError, RasterError

MAGIC = (
    (b"\x89HDF\r\n\x1a\n", "netcdf"),
    (b"CDF", "netcdf"),
    (b"GRIB", "grib"),
    (b"II*\x00", "geotiff"),
    (b"MM\x00*", "geotiff"),
    (b"II+\x00", "geotiff"),
    (b"MM\x00+", "geotiff"),
)


def format_of(path: Path) -> str:
    """``"netcdf"`` (HDF5 too), ``"grib"`` or ``"geotiff"``, by the first bytes: names mislead.

    Raises
    ------
    MissingFileError, RasterError
    """
    if not path.is_file():
        raise MissingFileError(f"{path} is not there.")
    with open(path, "rb") as stream:
        start = stream.read(8)
    for magic, name in MAGIC:
        if start.startswith(magic):
            return name
    raise RasterError(f"{path.name} is neither NetCDF, HDF5, GRIB nor GeoTIFF (it begins with {start!r}).")


def open_field(
    path: str | Path, variable: str = "", *, level: int | None = None, crs: str | None = None, missing_value: float | None = None
) -> FieldFile:
    """Open a variable of a daily file, for use in a ``with`` statement.

    Parameters
    ----------
    path : path
    variable : str
        Its name in the file, with groups where there are any; empty where the file holds only one field.
    level : int, optional
        Of several layers, from the shallowest (1) on, whatever their order in the file.
    crs : str, optional
        Stands in where the file declares none.
    missing_value : float, optional
        Means missing besides what the file declares.

    Raises
    ------
    MissingFileError, RasterError, StudyError, GridError, CrsError
        See the readers in `alm_core.cubes.netcdf`, `alm_core.cubes.grib` and `alm_core.cubes.geotiff`.
    """
    path = Path(path)
    kind = format_of(path)
    if kind == "netcdf":
        from alm_core.cubes.netcdf import NetcdfField as Field
    elif kind == "grib":
        from alm_core.cubes.grib import GribField as Field
    else:
        from alm_core.cubes.geotiff import GeotiffField as Field
    return Field(path, variable, level=level, crs=crs, missing_value=missing_value)
