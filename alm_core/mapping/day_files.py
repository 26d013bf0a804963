"""Files of mapped days: for each calendar year a NetCDF file after the CF conventions and two GeoTIFFs; and their readers.

The same map gives the same bytes: no file holds a time of the clock. A file of a year that is there already is not written
again as long as it was made from the same map with the same words in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio

from alm_core.cubes.states import FROZEN, STATES, THAWED, UNKNOWN, to_state_and_percent
from alm_core.errors import AlmError, GridError, MissingFileError
from alm_core.grid import Grid
from alm_core.mapping.cog import LEVELS, open_raster, tag_text
from alm_core.mapping.files import remove_leftovers, whole_file
from alm_core.workspace import hash_values, read_json, write_json

if TYPE_CHECKING:
    from alm_core.mapping.day_maps import DayMap

FOLDER = "map/days"
RECORD = "files.json"
CONVENTIONS = "CF-1.9"
"""The first version that lets the unsigned bytes of the states be what they are."""
EPOCH = "1970-01-01"
DAYS_AT_ONCE = 32
"""Days of a chunk of a NetCDF file, and days that are written at once."""
CELLS_AT_ONCE = 64
"""Cells along a side of a chunk or tile: one day is read as quickly as all days of one cell."""
ZLIB_LEVEL = 1
LAYOUT = 1
STATE_COLOURS = {THAWED: "#c8733b", FROZEN: "#3b6fc8"}
LAYERS = {"state": "1", "probability": "%"}
_ONE_AT_A_TIME = threading.Lock()
Progress = Callable[[int, int, str], None]


# ---- writing ------------------------------------------------------------------------------------------------------------


def write_years(
    mapped: DayMap,
    folder: str | Path,
    *,
    attributes: Mapping[str, str],
    tags: Mapping[str, Any],
    compression: str = "zstd",
    progress: Progress | None = None,
) -> list[Path]:
    """Write the files of every calendar year that are not there yet.

    Parameters
    ----------
    mapped : DayMap
    folder : path
        ``map/days`` of a run.
    attributes : mapping
        Global attributes of the NetCDF files: title, source, history, licence, references; without times of the clock.
    tags : mapping
        Tags of the GeoTIFFs.
    compression : {"zstd", "deflate"}
        Of the GeoTIFFs; the NetCDF files have zlib, which every reader knows.
    progress : callable, optional
        ``progress(done, total, message)`` in years.

    Returns
    -------
    list of Path
        All files, those that were there included.

    Raises
    ------
    WorkspaceError
        The disk is full or read-only; finished files stay.
    """
    folder = Path(folder)
    key = hash_values(mapped.ledger.fingerprint, mapped.grid.to_dict(), dict(attributes), dict(tags), compression, LAYOUT)
    record = FileRecord(mapped.ledger.folder / RECORD)
    paths = []
    for done, year in enumerate(mapped.years, start=1):
        names = [f"state_{year:04d}.nc", f"state_{year:04d}.tif", f"probability_{year:04d}.tif"]
        found = [folder / name for name in names]
        if not all(record.holds(path, key) for path in found):
            start, stop = mapped.days_of(year)
            days = YearOfDays(mapped, start, *to_state_and_percent(mapped.probability(start, stop)))
            remove_leftovers(folder, f"*_{year:04d}")
            write_netcdf(found[0], days, attributes)
            for path, name in zip(found[1:], LAYERS, strict=True):
                write_bands(path, days, name, tags, compression)
            for path in found:
                record.add(path, key)
            record.save()
        paths += found
        if progress is not None:
            progress(done, len(mapped.years), f"files of {year}")
    return paths


@dataclass(frozen=True)
class YearOfDays:
    """Days of one year, ``[day, cell]``.

    Attributes
    ----------
    mapped : DayMap
    start : int
        Place of the first day.
    state, percent : ndarray
        uint8, `UNKNOWN` where missing.
    """

    mapped: DayMap
    start: int
    state: np.ndarray
    percent: np.ndarray

    @property
    def dates(self) -> np.ndarray:
        """datetime64[D] ``[day]``."""
        return self.mapped.dates[self.start : self.start + len(self.state)]

    def slabs(self, name: str) -> Iterator[tuple[slice, np.ndarray]]:
        """Some days at once, uint8 ``[day, row, column]``."""
        values = self.state if name == "state" else self.percent
        grid, cells = self.mapped.grid, self.mapped.cells
        for first in range(0, len(values), DAYS_AT_ONCE):
            part = values[first : first + DAYS_AT_ONCE]
            full = np.full((len(part), grid.size), UNKNOWN, np.uint8)
            full[:, cells] = part
            yield slice(first, first + len(part)), full.reshape(len(part), *grid.shape)


def write_netcdf(path: Path, days: YearOfDays, attributes: Mapping[str, str]) -> None:
    """Write the NetCDF file of a year, whole or not at all."""
    with whole_file(path, bytes_needed=days.state.size * 3) as temporary:
        try:
            _fill_netcdf(temporary, days, attributes)
        except RuntimeError as fault:  # what the library says of a full disk
            raise OSError(str(fault)) from fault


def _fill_netcdf(path: Path, days: YearOfDays, attributes: Mapping[str, str]) -> None:
    import netCDF4

    grid = days.mapped.grid
    chunks = tuple(np.minimum((DAYS_AT_ONCE, CELLS_AT_ONCE, CELLS_AT_ONCE), (len(days.state), *grid.shape)).tolist())
    with _ONE_AT_A_TIME, netCDF4.Dataset(path, "w", format="NETCDF4") as dataset:
        dataset.setncatts({"Conventions": CONVENTIONS, **{name: str(attributes[name]) for name in sorted(attributes)}})
        _time_axis(dataset, days.dates)
        placed = _space_axes(dataset, grid)
        for name, unit in LAYERS.items():
            variable = dataset.createVariable(
                name, "u1", ("time", "y", "x"), zlib=True, complevel=ZLIB_LEVEL, chunksizes=chunks, fill_value=UNKNOWN
            )
            variable.setncatts({"units": unit, **LAYER_ATTRIBUTES[name], **placed})
            variable.set_auto_mask(False)
            for slab, values in days.slabs(name):
                variable[slab] = values


LAYER_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "state": {
        "long_name": "state of the surface",
        "flag_values": np.array([THAWED, FROZEN], np.uint8),
        "flag_meanings": " ".join(STATES),
        "ancillary_variables": "probability",
    },
    "probability": {
        "long_name": "probability that the surface is frozen, rounded on its side of 50 per cent",
        "valid_range": np.array([0, 100], np.uint8),
    },
}


def _time_axis(dataset: Any, dates: np.ndarray) -> None:
    numbers = dates.astype(np.int64)
    dataset.createDimension("time", len(numbers))
    dataset.createDimension("bounds", 2)
    time = dataset.createVariable("time", "i4", ("time",))
    words = {"standard_name": "time", "long_name": "day", "units": f"days since {EPOCH}", "calendar": "standard", "axis": "T"}
    time.setncatts(words | {"bounds": "time_bounds"})
    time[:] = numbers
    bounds = dataset.createVariable("time_bounds", "i4", ("time", "bounds"))
    bounds[:] = np.stack([numbers, numbers + 1], axis=1)


def _space_axes(dataset: Any, grid: Grid) -> dict[str, str]:
    """Write the axes and the grid mapping; gives what every layer says of them."""
    for name, values in (("y", grid.y), ("x", grid.x)):
        dataset.createDimension(name, len(values))
        dataset.createVariable(name, "f8", (name,))[:] = values
        dataset[name].setncatts(_axis_words(grid, name))
    if grid.crs is None:
        return {}
    from pyproj import CRS, Transformer

    mapping = dataset.createVariable("crs", "i4", ())
    found = {name: value for name, value in CRS.from_user_input(grid.crs).to_cf().items() if value is not None}
    # GDAL takes the exact corner from it; the axes alone give it to rounding.
    west, width, north, height = grid.transform[2], grid.transform[0], grid.transform[5], grid.transform[4]
    mapping.setncatts(found | {"GeoTransform": f"{west!r} {width!r} 0 {north!r} 0 {height!r}"})
    mapping[...] = 0
    if grid.is_geographic:
        return {"grid_mapping": "crs"}
    longitude, latitude = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(*np.meshgrid(grid.x, grid.y))
    for name, values, unit in (("latitude", latitude, "degrees_north"), ("longitude", longitude, "degrees_east")):
        variable = dataset.createVariable(name, "f8", ("y", "x"), zlib=True, complevel=ZLIB_LEVEL, fill_value=np.nan)
        variable.setncatts({"standard_name": name, "long_name": name, "units": unit})
        variable[:] = np.where(np.isfinite(values), values, np.nan)
    return {"grid_mapping": "crs", "coordinates": "latitude longitude"}


def _axis_words(grid: Grid, name: str) -> dict[str, str]:
    if grid.is_geographic:
        words = ("latitude", "degrees_north") if name == "y" else ("longitude", "degrees_east")
    else:
        words = (f"projection_{name}_coordinate", "m" if grid.crs is None else _metre_or_foot(grid.crs))
    return {"standard_name": words[0], "long_name": words[0].replace("_", " "), "units": words[1], "axis": name.upper()}


def _metre_or_foot(crs: str) -> str:
    from pyproj import CRS

    unit = CRS.from_user_input(crs).axis_info[0].unit_name
    return {"metre": "m", "kilometre": "km"}.get(unit, unit.replace(" ", "_"))


def write_bands(path: Path, days: YearOfDays, name: str, tags: Mapping[str, Any], compression: str) -> None:
    """Write a GeoTIFF with one band a day, whole or not at all.

    GDAL keeps a colour table only in files of one band, so the colours of the states stand in a tag.
    """
    grid = days.mapped.grid
    bands = [str(day) for day in days.dates]
    profile = {
        "driver": "GTiff",
        "height": grid.shape[0],
        "width": grid.shape[1],
        "count": len(bands),
        "dtype": "uint8",
        "crs": grid.crs,
        "transform": grid.affine,
        "nodata": UNKNOWN,
        "compress": compression,
        "zstd_level" if compression == "zstd" else "zlevel": LEVELS[compression],
        "interleave": "band",
        "tiled": True,
        "blockxsize": CELLS_AT_ONCE,
        "blockysize": CELLS_AT_ONCE,
        "photometric": "minisblack",
        "bigtiff": "if_safer",
    }
    words = dict(tags) | {"layer": name, "nodata_means": "unknown, or outside the mask"}
    if name == "state":
        words |= {"classes": {str(code): word for code, word in enumerate(STATES)}, "colours": STATE_COLOURS}
    settings = {"GDAL_NUM_THREADS": "1", "GDAL_PAM_ENABLED": "NO", "GDAL_CACHEMAX": 2**26}
    with whole_file(path, bytes_needed=len(bands) * grid.size) as temporary, rasterio.Env(**settings):
        with rasterio.open(temporary, "w", **profile) as target:
            target.descriptions = bands
            target.units = (LAYERS[name],) * len(bands)
            target.update_tags(**{key: tag_text(words[key]) for key in sorted(words)})
            for slab, values in days.slabs(name):
                target.write(values, indexes=_numbers(slab))
        # On a full disk GDAL can lose parts of a file without an error.
        with rasterio.open(temporary, driver="GTiff") as written:
            for slab, values in days.slabs(name):
                if not np.array_equal(written.read(_numbers(slab)), values):
                    raise OSError(f"days from {bands[slab.start]} on are not what was written (the disk may be full)")


def _numbers(slab: slice) -> list[int]:
    """Numbers of the bands of some days."""
    return list(range(slab.start + 1, slab.stop + 1))


class FileRecord:
    """What each finished file was made from, and its size and time: a file that was touched since is made again.

    Parameters
    ----------
    path : Path
        A small JSON file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            known = read_json(path)
        except AlmError:  # absent or damaged: that only costs making the files again
            known = {}
        self.known: dict[str, list[Any]] = known if isinstance(known, dict) else {}

    def holds(self, path: Path, key: str) -> bool:
        """True of a file that is there as it was written for this key."""
        return path.is_file() and self.known.get(path.name) == [key, *_stamp(path)]

    def add(self, path: Path, key: str) -> None:
        """Note a finished file."""
        self.known[path.name] = [key, *_stamp(path)]

    def save(self) -> None:
        """Write the record."""
        write_json(self.path, self.known)


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


# ---- reading ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DaySeries:
    """All mapped days of one cell.

    Attributes
    ----------
    dates : ndarray
        datetime64[D] ``[day]``.
    state, percent : ndarray
        uint8 ``[day]``, `UNKNOWN` where missing; the probability of frozen in per cent.
    """

    dates: np.ndarray
    state: np.ndarray
    percent: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"dates": self.dates.astype(str).tolist(), "state": self.state.tolist(), "percent": self.percent.tolist()}


def mapped_years(run_folder: str | Path) -> tuple[int, ...]:
    """Calendar years of a run whose files are all there, rising.

    Raises
    ------
    MissingFileError
        None is.
    """
    folder = Path(run_folder) / FOLDER
    names = {path.name for path in folder.glob("*.tif")}
    years = sorted(name[6:10] for name in names if name.startswith("state_") and f"probability_{name[6:]}" in names)
    if not years:
        raise MissingFileError(f"{folder} holds no mapped days: the run maps none, or has not come that far. Finish the run.")
    return tuple(int(year) for year in years)


def day_band(run_folder: str | Path, day: date) -> tuple[Path, int]:
    """The file of the states of a day and its band; that of the probabilities lies beside it and has the same bands.

    Raises
    ------
    MissingFileError
        The day was not mapped.
    """
    years = mapped_years(run_folder)
    path = Path(run_folder) / FOLDER / f"state_{day.year:04d}.tif"
    if day.year in years:
        with open_raster(path) as dataset:
            if str(day) in dataset.descriptions:
                return path, dataset.descriptions.index(str(day)) + 1
    first, last = (_bands(run_folder, years[end])[end] for end in (0, -1))
    raise MissingFileError(f"{day} was not mapped: this run has the days from {first} to {last}. Choose one of them.")


def read_day(run_folder: str | Path, day: date) -> tuple[np.ndarray, np.ndarray]:
    """State and probability of frozen in per cent of one day, uint8 ``[row, column]``, `UNKNOWN` where missing.

    Raises
    ------
    MissingFileError
        The day was not mapped.
    """
    path, band = day_band(run_folder, day)
    found = []
    for file in (path, probability_file(path)):
        with open_raster(file) as dataset:
            found.append(dataset.read(band))
    return found[0], found[1]


def read_series(run_folder: str | Path, row: int, column: int) -> DaySeries:
    """All mapped days of one cell, from the NetCDF files.

    Raises
    ------
    GridError
        There is no such cell.
    MissingFileError
        Nothing was mapped.
    """
    import netCDF4

    parts = []
    for year in mapped_years(run_folder):
        # Opening a GeoTIFF of 366 bands takes ten times as long. The library is not made for several threads.
        with _ONE_AT_A_TIME, netCDF4.Dataset(Path(run_folder) / FOLDER / f"state_{year:04d}.nc") as dataset:
            dataset.set_auto_maskandscale(False)
            rows, columns = dataset["state"].shape[1:]
            if not (0 <= row < rows and 0 <= column < columns):
                raise GridError(f"Row {row}, column {column} was asked for: the grid has {rows} x {columns} cells.")
            parts.append([dataset["time"][:], dataset["state"][:, row, column], dataset["probability"][:, row, column]])
    dates, state, percent = (np.concatenate(part) for part in zip(*parts, strict=True))
    return DaySeries(dates.astype("datetime64[D]"), state, percent)


def probability_file(path: Path) -> Path:
    """The file of the probabilities beside that of the states."""
    return path.with_name(path.name.replace("state_", "probability_"))


def _bands(run_folder: str | Path, year: int) -> tuple[str, ...]:
    with open_raster(Path(run_folder) / FOLDER / f"state_{year:04d}.tif") as dataset:
        return dataset.descriptions
