"""The value of one place through all slices of time, with its intervals, and its change."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from rasterio.windows import Window

from alm_core.grid import Grid
from alm_core.inspection.query import checked_place, find_cell, read_bands
from alm_core.inspection.slices import CHANGE_FILE, slice_file, time_slices
from alm_core.mapping.cog import open_raster
from alm_core.workspace import Run


@dataclass(frozen=True)
class PlaceSeries:
    """A place through time; a slice without a value there has NaN.

    Attributes
    ----------
    names : tuple of str
        Slices in the order of time.
    first_years, last_years : tuple of int
    values, lower, upper : tuple of float
    inside : tuple of bool or None
        Inside the area of applicability in that slice; None where that is not known.
    change, trend_per_decade, p_value : float or None
        Last less first slice, Theil-Sen slope, Mann-Kendall's p value; None where there is no change map or no value.
    beyond_interval : bool or None
        True where the change is larger than the intervals of the first and the last slice allow, if their errors are independent.
    unit : str
    """

    names: tuple[str, ...]
    first_years: tuple[int, ...]
    last_years: tuple[int, ...]
    values: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    inside: tuple[bool | None, ...]
    change: float | None
    trend_per_decade: float | None
    p_value: float | None
    beyond_interval: bool | None
    unit: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def place_series(run: Run, longitude: float, latitude: float) -> PlaceSeries | None:
    """The value of one place in every slice, from the rasters of the run cell for cell.

    Parameters
    ----------
    run : Run
    longitude, latitude : float
        Degrees, WGS84.

    Returns
    -------
    PlaceSeries or None
        None where the run has no slices, or the place lies outside the map.

    Raises
    ------
    DomainError
        Coordinates that are no longitude and latitude.
    MissingFileError
        A slice is not mapped yet.
    """
    slices = time_slices(run)
    longitude, latitude = checked_place(longitude, latitude)
    if not slices:
        return None
    with open_raster(run.file("map/fused.tif")) as dataset:
        cell = find_cell(Grid.from_dataset(dataset), longitude, latitude)
    if cell is None:
        return None
    window = Window(cell[1], cell[0], 1, 1)
    values, doubts = [], []
    for slice in slices:
        values.append(next(iter(read_bands(slice_file(run, "fused.tif", slice.name), window).values())))
        doubts.append(read_bands(slice_file(run, "uncertainty.tif", slice.name), window))
    change = read_bands(run.folder / CHANGE_FILE, window) if (run.folder / CHANGE_FILE).is_file() else {}
    beyond = finite(change.get("beyond_interval"))
    return PlaceSeries(
        tuple(slice.name for slice in slices),
        tuple(slice.first_year for slice in slices),
        tuple(slice.last_year for slice in slices),
        tuple(values),
        tuple(doubt.get("lower", math.nan) for doubt in doubts),
        tuple(doubt.get("upper", math.nan) for doubt in doubts),
        tuple(known(doubt.get("inside")) for doubt in doubts),
        finite(change.get("change")),
        finite(change.get("trend_per_decade")),
        finite(change.get("p_value")),
        None if beyond is None else beyond > 0.5,
        run.record["options"]["target"]["unit"],
    )


def finite(value: float | None) -> float | None:
    """A number, None where it is missing."""
    return None if value is None or not math.isfinite(value) else value


def known(value: float | None) -> bool | None:
    """A band of 0 and 1 as a truth, None where it is missing."""
    value = finite(value)
    return None if value is None else value > 0.5
