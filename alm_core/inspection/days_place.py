"""One place through all days: what was measured, what the map says, what the products say, when it froze and thawed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import numpy as np
from rasterio.windows import Window

from alm_core.cubes.states import FROZEN, THAWED, UNKNOWN
from alm_core.cubes.store import CubeStore, Variable
from alm_core.inspection.days import PHENOLOGY, DayMaps, day_maps, first_month, onset_date, open_cubes
from alm_core.inspection.query import checked_place, find_cell
from alm_core.mapping.cog import open_raster
from alm_core.mapping.day_files import read_series
from alm_core.workspace import Run

LABELS, CHECK = "labels", "check"


@dataclass(frozen=True)
class DayPlace:
    """A mapped cell through time; every array is ``[day]``.

    Attributes
    ----------
    longitude, latitude : float
        As asked.
    row, column, cell : int
        On the grid, and its place among the mapped cells.
    dates : ndarray
        datetime64[D], every day of the study.
    state : ndarray
        uint8: thawed, frozen or unknown; unknown too on days of years that are not mapped.
    percent : ndarray
        Probability of frozen in per cent, NaN where missing.
    products : dict
        ``labels`` and ``check``: state of the product (0, 1, NaN), where the study has one as a daily variable.
    years : tuple of FreezingYear
    """

    longitude: float
    latitude: float
    row: int
    column: int
    cell: int
    dates: np.ndarray = field(repr=False)
    state: np.ndarray = field(repr=False)
    percent: np.ndarray = field(repr=False)
    products: dict[str, np.ndarray] = field(repr=False)
    years: tuple[FreezingYear, ...] = ()

    def place_of(self, day: date) -> int | None:
        """Place of a day in the arrays; None outside the study."""
        place = int((np.datetime64(day, "D") - self.dates[0]).astype(int))
        return place if 0 <= place < self.dates.size else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, days as text."""
        plain = {name: getattr(self, name) for name in ("longitude", "latitude", "row", "column", "cell")}
        arrays = {name: getattr(self, name).tolist() for name in ("state", "percent")}
        products = {name: values.tolist() for name, values in self.products.items()}
        days = self.dates.astype(str).tolist()
        return plain | arrays | {"dates": days, "products": products, "years": [year.to_dict() for year in self.years]}


@dataclass(frozen=True)
class FreezingYear:
    """A freezing year of a cell; None where it has no value.

    Attributes
    ----------
    name : str
    freeze_onset, thaw_onset : date or None
    frozen_days, transitions : int or None
    """

    name: str
    freeze_onset: date | None
    thaw_onset: date | None
    frozen_days: int | None
    transitions: int | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, days as text."""
        return {name: f"{value}" if isinstance(value, date) else value for name, value in asdict(self).items()}


def day_place(run: Run, longitude: float, latitude: float) -> DayPlace | None:
    """A place through all days of a run.

    Parameters
    ----------
    run : Run
    longitude, latitude : float
        Degrees, WGS84.

    Returns
    -------
    DayPlace or None
        None outside the mapped cells.

    Raises
    ------
    DomainError
        Coordinates that are no longitude and latitude.
    MissingFileError
        The run is not mapped yet.
    """
    maps = day_maps(run)
    longitude, latitude = checked_place(longitude, latitude)
    found = find_cell(maps.grid, longitude, latitude)
    if found is None:
        return None
    row, column = found
    flat = row * maps.grid.shape[1] + column
    cell = int(np.searchsorted(maps.cells, flat))
    if cell == maps.cells.size or maps.cells[cell] != flat:
        return None
    store = open_cubes(run)
    state, percent = _mapped_series(run, store, row, column)
    products = {name: values for name in (LABELS, CHECK) if (values := _product(run, store, name, cell)) is not None}
    years = _freezing_years(run, maps, row, column)
    return DayPlace(longitude, latitude, row, column, cell, store.dates, state, percent, products, years)


def cell_values(store: CubeStore, name: str, cell: int) -> np.ndarray:
    """All days of a variable at one mapped cell, float32 ``[day]``; reads that cell alone."""
    return np.array(np.load(store.file(name), mmap_mode="r", allow_pickle=False)[:, cell])


def measured(run: Run) -> tuple[Variable, ...]:
    """Daily variables that are no state, brightness temperatures first."""
    variables = [variable for variable in open_cubes(run).variables if variable.quantity != "state"]
    return tuple(sorted(variables, key=lambda variable: variable.quantity != "brightness_temperature"))


def usual_variables(run: Run) -> tuple[str, ...]:
    """Variables to show first: those of the discriminant where the study has one, else the first two of the same unit."""
    found = measured(run)
    chosen = run.record["options"]["days"].get("discriminant") or {}
    pair = tuple(chosen[key] for key in ("vertical_36", "horizontal_18") if key in chosen)
    if pair:
        return pair
    return tuple(variable.name for variable in found if variable.unit == found[0].unit)[:2]


def product_states(values: np.ndarray, codes: dict[str, Any]) -> np.ndarray:
    """States of a product by its codes: 1 frozen, 0 thawed, NaN for every other value.

    Examples
    --------
    >>> product_states(np.array([0, 1, 2, np.nan]), {"frozen": [1], "thawed": [0]}).tolist()
    [0.0, 1.0, nan, nan]
    """
    states = np.full(values.shape, np.nan, np.float32)
    states[np.isin(values, codes["frozen"])] = FROZEN
    states[np.isin(values, codes["thawed"])] = THAWED
    return states


def _product(run: Run, store: CubeStore, name: str, cell: int) -> np.ndarray | None:
    codes = run.record["options"]["days"].get(name) or {}
    if codes.get("variable") not in store.names:
        return None
    return product_states(cell_values(store, codes["variable"], cell), codes)


def _mapped_series(run: Run, store: CubeStore, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """State and probability of one cell on all days of the study, also of years that are not mapped."""
    found = read_series(run.folder, row, column)
    place = (found.dates - np.datetime64(store.first, "D")).astype(int)
    state, percent = np.full(store.days, UNKNOWN, np.uint8), np.full(store.days, np.nan, np.float32)
    state[place] = found.state
    percent[place] = np.where(found.percent == UNKNOWN, np.nan, found.percent)
    return state, percent


def _freezing_years(run: Run, maps: DayMaps, row: int, column: int) -> tuple[FreezingYear, ...]:
    """Dates and counts of every freezing year of one cell."""
    found: dict[str, dict[str, float]] = {}
    window = Window(column, row, 1, 1)
    for name in maps.phenology:
        with open_raster(run.folder / PHENOLOGY / f"{name}.tif") as dataset:
            values = dataset.read(window=window, masked=True).ravel().astype(float).filled(np.nan)
            values = values * dataset.scales[0] + dataset.offsets[0]
            for band, value in zip(dataset.descriptions, values.tolist(), strict=True):
                found.setdefault(str(band), {})[name] = value
    month = first_month(run)
    return tuple(_freezing_year(band, values, month) for band, values in found.items())


def _freezing_year(band: str, values: dict[str, float], month: int) -> FreezingYear:
    dates = [onset_date(values.get(name, np.nan), band, month) for name in ("freeze_onset", "thaw_onset")]
    counts = [values.get(name, np.nan) for name in ("frozen_days", "transitions")]
    return FreezingYear(band, *dates, *(int(value) if np.isfinite(value) else None for value in counts))
