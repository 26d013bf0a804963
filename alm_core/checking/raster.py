"""Checks of one GeoTIFF: can it be read, where does it lie, what do its numbers say, do its tags tell the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.errors import RasterioIOError

from alm_core.checking.quantities import likely_scale, range_of_name, range_of_unit
from alm_core.checking.report import Fault, Severity, some
from alm_core.checking.scan import BandScan, scan_band
from alm_core.checking.tiff_tags import nodata_text
from alm_core.covariates.raster import TIFF_MAGIC, check_whole, open_raster, raster_environment
from alm_core.errors import AlmError, CrsError, RasterError, TooManyPixelsError
from alm_core.grid import normal_crs

TILED_FROM_CELLS = 512 * 512
OVERVIEWS_FROM_CELLS = 1024
COMPRESSED_FROM_BYTES = 10_000_000
FILL_TAGS = ("_FillValue", "missing_value", "nodata", "NODATA", "fill_value")
LOW_TAGS, HIGH_TAGS = ("valid_min", "VALID_MIN", "minimum"), ("valid_max", "VALID_MAX", "maximum")
STATISTICS_TOLERANCE = 1e-4
"""Part of the range by which stored statistics may miss the cells (they are written with few digits)."""
RANGE_TOLERANCE = 1e-6
SIZE_TOLERANCE_DEGREES = 1e-6

Role = Literal["file", "covariate", "mask"]


def check_raster(
    path: str | Path,
    *,
    role: Role = "file",
    band: int | None = None,
    crs: str | None = None,
    nodata: float | None = None,
    unit: str = "",
    scale: float = 1.0,
    offset: float = 0.0,
) -> list[Fault]:
    """Find every fault of a GeoTIFF.

    Parameters
    ----------
    path : path
    role : {"file", "covariate", "mask"}
        A covariate must vary; a mask may be constant; notes on layout and labels are for single files only.
    band : int, optional
        The one band that is used; default all.
    crs, nodata, unit, scale, offset
        What a study says where the file says nothing, as in `alm_core.options.CovariateOptions`.

    Returns
    -------
    list of Fault
        Nothing is raised for a fault of the file.
    """
    path = Path(path)
    faults: list[Fault] = []
    try:
        dataset = open_raster(path)
    except AlmError as fault:
        faults.append(Fault(_open_code(path, fault), "file", str(fault)))
        dataset = _open_anyway(path)
        if dataset is None:
            return faults
    with dataset:
        faults += _place(dataset, crs)
        if role == "file":
            faults += _layout(dataset, path) + _labels(dataset)
        if faults and faults[0].code in ("raster_too_large", "tile_too_large"):
            return faults
        for number in range(1, dataset.count + 1) if band is None else [band]:
            faults += check_band(dataset, number, role=role, nodata=nodata, unit=unit, scale=scale, offset=offset, name=path.stem)
    return faults


def _open_code(path: Path, fault: AlmError) -> str:
    """The code of what `open_raster` refused."""
    if isinstance(fault, TooManyPixelsError):
        return "raster_too_large"
    if not path.is_file():
        return "file_missing"
    with path.open("rb") as file:
        if file.read(4) not in TIFF_MAGIC:
            return "not_geotiff"
    dataset = _open_anyway(path)
    if dataset is None:
        return "raster_truncated"
    with dataset:
        if dataset.transform.b or dataset.transform.d:
            return "raster_rotated"
        if dataset.crs is None and dataset.transform.is_identity:
            return "no_georeference"
        rows, columns = max(dataset.block_shapes)
        return "tile_too_large" if rows * columns > TILED_FROM_CELLS else "raster_unreadable"


def _open_anyway(path: Path) -> Any:
    """Open a GeoTIFF that `open_raster` refused, so that the other faults can be named as well; None where it can't be."""
    try:
        with raster_environment():
            return rasterio.open(path, driver="GTiff")
    except RasterioIOError:
        return None


def _place(dataset: Any, crs: str | None) -> list[Fault]:
    """CRS and bounds."""
    west, south, east, north = dataset.bounds
    shown = f"({west:.6g}, {south:.6g}, {east:.6g}, {north:.6g})"
    in_degrees = max(abs(west), abs(east)) <= 360 and max(abs(south), abs(north)) <= 90
    try:
        found = normal_crs(dataset.crs.to_wkt() if dataset.crs else crs)
    except CrsError as fault:
        return [Fault("crs_unknown", "file", str(fault))]
    if found is None:
        hint = "they could be degrees (EPSG:4326)" if in_degrees else "they are no degrees: a projected CRS"
        text = f"No CRS is declared; the bounds are {shown}, {hint}. Write the CRS into the file, or set `crs` in the study."
        return [Fault("no_crs", "file", text)]
    if not CRS.from_user_input(found).is_geographic:
        if in_degrees and max(dataset.res) < 1:
            text = f"The CRS is projected, but the bounds {shown} look like degrees. Check which of the two is wrong."
            return [Fault("crs_doubtful", "file", text, "warning")]
        return []
    faults = []
    if (
        max(abs(south), abs(north)) > 90 + SIZE_TOLERANCE_DEGREES
        or west < -180 - max(dataset.res)
        or east > 360 + max(dataset.res)
    ):
        text = f"The CRS is geographic, but the bounds {shown} leave -180..360 and -90..90. Check the CRS and the transform."
        faults.append(Fault("bounds_range", "file", text))
    elif east > 180 + max(dataset.res):
        text = f"Longitudes run to {east:g}: most rasters and tables run from -180 to 180. Shift it where they are used together."
        faults.append(Fault("longitudes_0_360", "file", text, "warning"))
    return faults


def _layout(dataset: Any, path: Path) -> list[Fault]:
    """Tiles, overviews, compression."""
    faults = []
    cells = dataset.width * dataset.height
    if cells > TILED_FROM_CELLS and not dataset.profile.get("tiled"):
        text = (
            f"Stored in strips of {dataset.block_shapes[0][0]} row(s): parts of it are slow to read. Write it as a tiled GeoTIFF."
        )
        faults.append(Fault("not_tiled", "file", text, "note"))
    if max(dataset.width, dataset.height) > OVERVIEWS_FROM_CELLS and not dataset.overviews(1):
        text = "No overviews inside: zooming out reads every cell. Write it as a COG, or add them with `gdaladdo`."
        faults.append(Fault("no_overviews", "file", text, "note"))
    if path.stat().st_size > COMPRESSED_FROM_BYTES and dataset.compression is None:
        faults.append(Fault("not_compressed", "file", "Not compressed. Write it with zstd or deflate compression.", "note"))
    return faults


def _labels(dataset: Any) -> list[Fault]:
    """Unit and description of every band."""
    faults = []
    bands = range(1, dataset.count + 1)
    no_unit = [f"band {band}" for band in bands if not unit_of(dataset, band)]
    no_description = [f"band {band}" for band in bands if not dataset.descriptions[band - 1]]
    if no_unit:
        faults.append(Fault("no_unit", some(no_unit), "No unit is written in the file. Set the unit of the band.", "note"))
    if no_description:
        text = "No description is written in the file. Set what the band holds."
        faults.append(Fault("no_description", some(no_description), text, "note"))
    return faults


def unit_of(dataset: Any, band: int) -> str:
    """The unit that a band declares, by GDAL's unit or by a tag."""
    tags = {name.lower(): text for name, text in dataset.tags(band).items()}
    return (dataset.units[band - 1] or tags.get("units") or tags.get("unit") or "").strip()


def check_band(
    dataset: Any,
    band: int,
    *,
    role: Role = "file",
    nodata: float | None = None,
    unit: str = "",
    scale: float = 1.0,
    offset: float = 0.0,
    name: str = "",
) -> list[Fault]:
    """Find every fault in the numbers of one band; see `check_raster`."""
    where = f"band {band}"
    if not 1 <= band <= dataset.count:
        text = f"Band {band} was asked for; the file has {dataset.count}, counted from 1. Set `band`."
        return [Fault("band_missing", where, text)]
    if dataset.dtypes[band - 1].startswith("complex"):
        return [
            Fault("complex_numbers", where, f"Holds complex numbers ({dataset.dtypes[band - 1]}): real numbers are expected.")
        ]
    try:
        check_whole(dataset, band)
        scan = scan_band(dataset, band, nodata=nodata)
    except RasterError as fault:
        return [Fault("raster_truncated" if "truncated" in str(fault) else "raster_damaged", where, str(fault))]
    faults = _nodata(dataset, band, scan, where, given=nodata) + _emptiness(scan, where, role)
    if scan.valid == 0 or scan.sentinel is not None:
        return faults
    own_scale = dataset.scales[band - 1]
    factor = scale if own_scale in (1.0, scale) else own_scale * scale
    shift = dataset.offsets[band - 1] * (scale if own_scale != scale else 1.0) + offset
    limits = sorted((scan.minimum * factor + shift, scan.maximum * factor + shift))
    faults += _declared_range(dataset, band, scan, where)
    label = dataset.descriptions[band - 1] or name
    faults += _quantity(limits, unit or unit_of(dataset, band), label, where) if role != "mask" else []
    return faults


def _nodata(dataset: Any, band: int, scan: BandScan, where: str, *, given: float | None) -> list[Fault]:
    """Declared and undeclared nodata, NaN, infinities."""
    faults = []
    declared, dtype = dataset.nodatavals[band - 1], np.dtype(dataset.dtypes[band - 1])
    written = nodata_text(dataset.name)
    if written and not _fits(written, dtype):
        text = f"Nodata is declared as {written}, which no {dtype} can be: no cell ever matches it. Declare a value of that type."
        faults.append(Fault("nodata_impossible", where, text))
    if scan.sentinel is not None:
        text = (
            f"{scan.sentinel:g} stands far from all other values and is not declared as nodata: it would count as measured. "
            f"Declare it in the file, or set `nodata = {scan.sentinel:g}` in the study."
        )
        faults.append(Fault("sentinel", where, text))
    tagged = [dataset.tags(band).get(tag) or dataset.tags().get(tag) for tag in FILL_TAGS]
    tagged = next((text for text in tagged if text), None)
    if tagged is not None and declared is None and given is None and scan.sentinel is None:
        text = f"A tag names the fill value {tagged}, but nodata is not declared. Declare it."
        faults.append(Fault("nodata_only_in_tag", where, text, "warning"))
    if declared is not None and scan.minimum < declared < scan.maximum:
        text = f"Nodata {declared:g} lies among the values ({scan.minimum:g} to {scan.maximum:g}): true values may be lost."
        faults.append(Fault("nodata_among_values", where, text, "warning"))
    if scan.nan and declared is not None and not np.isnan(declared):
        text = f"{scan.nan:,} cells are NaN beside nodata {declared:g}. Use one of the two."
        faults.append(Fault("nan_beside_nodata", where, text, "note"))
    if scan.infinite:
        faults.append(Fault("infinite", where, f"{scan.infinite:,} cells are infinite. Set them to nodata."))
    return faults


def _fits(written: str, dtype: np.dtype) -> bool:
    """True where a type can hold the number that a text stands for."""
    try:
        value = float(written)
    except ValueError:
        return False
    if dtype.kind == "f":
        # Programs write the lowest float32 with a few digits too many: what rounds to it is meant.
        return not np.isfinite(value) or abs(value) <= float(np.finfo(dtype).max) * (1 + 1e-6)
    limits = np.iinfo(dtype)
    return bool(np.isfinite(value) and value == int(value) and limits.min <= value <= limits.max)


def _emptiness(scan: BandScan, where: str, role: Role) -> list[Fault]:
    """Nothing but nodata, or one value only."""
    looked = "" if scan.whole else f" (of {scan.cells:,} cells looked at)"
    if scan.valid == 0:
        return [Fault("all_nodata", where, f"Every cell is nodata{looked}. Check how the file was made.")]
    if not scan.constant or role == "mask":
        return []
    severity: Severity = "error" if role == "covariate" and scan.whole else "warning"
    return [
        Fault(
            "constant", where, f"Every cell has the value {scan.minimum:g}{looked}: it explains nothing. Leave it out.", severity
        )
    ]


def _number(tags: dict[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        try:
            return float(tags[name])
        except (KeyError, ValueError):
            continue
    return None


def _declared_range(dataset: Any, band: int, scan: BandScan, where: str) -> list[Fault]:
    """Tags that state a range, against the cells."""
    tags = dataset.tags(band)
    faults = []
    span = max(scan.maximum - scan.minimum, abs(scan.maximum), RANGE_TOLERANCE)
    low, high = _number(tags, LOW_TAGS), _number(tags, HIGH_TAGS)
    if (low is not None and scan.minimum < low - RANGE_TOLERANCE * span) or (
        high is not None and scan.maximum > high + RANGE_TOLERANCE * span
    ):
        text = f"Tags declare {low} to {high}, but the cells hold {scan.minimum:g} to {scan.maximum:g}. Correct one of them."
        faults.append(Fault("declared_range", where, text))
    low, high = _number(tags, ("STATISTICS_MINIMUM",)), _number(tags, ("STATISTICS_MAXIMUM",))
    exact = scan.whole and tags.get("STATISTICS_APPROXIMATE", "NO").upper() != "YES"
    if exact and low is not None and high is not None:
        tolerance = STATISTICS_TOLERANCE * span
        if abs(low - scan.minimum) > tolerance or abs(high - scan.maximum) > tolerance:
            text = f"Stored statistics say {low:g} to {high:g}, the cells hold {scan.minimum:g} to {scan.maximum:g}. "
            text += "The file, or its nodata, was changed after they were made: compute them anew."
            faults.append(Fault("statistics_stale", where, text, "warning"))
    return faults


def _quantity(limits: list[float], unit: str, label: str, where: str) -> list[Fault]:
    """Values against what the unit and the name allow."""
    by_unit, by_name = range_of_unit(unit), range_of_name(label)
    for allowed, what, severity in ((by_unit, f"the unit {unit!r}", "error"), (by_name, f"the name {label!r}", "warning")):
        if allowed is None:
            continue
        slack = RANGE_TOLERANCE * (allowed[1] - allowed[0])
        if limits[0] >= allowed[0] - slack and limits[1] <= allowed[1] + slack:
            return []
        factor = likely_scale(limits[0], limits[1], allowed)
        cure = (
            f"They may be stored times {1 / factor:g}: set the scale {factor:g}." if factor else "Check the unit and the nodata."
        )
        text = f"The values run from {limits[0]:g} to {limits[1]:g}, but {what} allows {allowed[0]:g} to {allowed[1]:g}. {cure}"
        return [Fault("value_range", where, text, severity)]
    return []
