"""Write the whole demo: daily products of every year, rasters, the truth beside them, and study.toml."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio

from alm_core.errors import StudyError, WorkspaceError
from alm_core.grid import Grid
from alm_core.studies.surface_freeze_thaw import products
from alm_core.studies.surface_freeze_thaw.files import DAYS_1972, MINUTES_2000, Packing, write_days
from alm_core.studies.surface_freeze_thaw.grids import ease_grid, footprints, places
from alm_core.studies.surface_freeze_thaw.ground import Ground, GroundDays
from alm_core.studies.surface_freeze_thaw.land import COVERS, EXTENTS, Extent, Plateau
from alm_core.studies.surface_freeze_thaw.radiation import BANDS, CHANNELS, ORBITS, brightness
from alm_core.studies.surface_freeze_thaw.study_text import LAYERS, study_text
from alm_core.studies.surface_freeze_thaw.truth import write_onsets, write_states

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DEFAULT_SEED = 5
FOLDERS = ("tb", "gldas", "label", "second", "layers", "truth")
BLOCK_DAYS = 32
"""Days that are computed at once: what they need fits a processor's cache."""
FOOTPRINTS = {"18": 1.2, "36": 0.8}
"""Width at half height, cells of 25 km."""
SECOND_FOOTPRINT = 1.5
KELVIN = 273.15
TB = Packing("TB", "brightness temperature", "K", scale=0.1, attributes={"standard_name": "brightness_temperature"})
GLDAS = {
    "air": Packing("Tair_f_inst", "air temperature at 2 m", "K", scale=0.01, offset=KELVIN),
    "soil": Packing("SoilTMP0_10cm_inst", "soil temperature, 0 to 10 cm", "K", scale=0.01, offset=KELVIN),
}
LABEL = Packing(
    "freeze_thaw_state", "state of the surface", "1", dtype="uint8", fill=products.LABEL_MISSING,
    attributes={"flag_values": np.array([0, 1, 2], np.uint8), "flag_meanings": "thawed frozen water_on_frozen_ground"},
)  # fmt: skip
SECOND = Packing(
    "freeze_thaw", "state of the surface", "1", dtype="uint8", fill=products.SECOND_MISSING,
    attributes={"flag_values": np.array([0, 1], np.uint8), "flag_meanings": "thawed frozen"},
)  # fmt: skip
README = """SIMULATED DATA. Nothing in this folder was measured.

A demo of Active Layer Mapper, size "{size}", seed {seed}: surface freeze/thaw of a plateau, every day of {first} to {last}.
The broad relief is real (NOAA ETOPO5, 1988, public domain). Everything else follows written formulas.
Run it with   python -m alm_core run {study}

tb/       brightness temperatures at 18.7 and 36.5 GHz, V and H, ascending (A) and descending (D), EASE-Grid 2.0
          of {tb_km:.0f} km; AMSR-E-like, then (October 2011 to July 2012) MWRI-like, then AMSR2-like; swath gaps, missing days
gldas/    air and soil temperature as a land data assimilation has them, latitude and longitude, rows from the south
label/    the product of states that is learned from, right on about nine days in ten
second/   another product of states, SMAP-like, {second_km:.0f} km: an independent check, never learned from
layers/   relief, soil, vegetation and cover that stay the same
truth/    states, ice in the soil, onset of freezing and thaw as they are; no study names it and the pipeline never reads it

Licence: CC-BY-4.0
"""


def write_demo(
    folder: str | Path,
    *,
    size: str = "medium",
    seed: int = DEFAULT_SEED,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Write a complete simulated study of the daily freeze/thaw state.

    The same size and seed give the same bytes. Not a data source: everything is tagged as simulated.

    Parameters
    ----------
    folder : path
        Made where it is not there. Files of an earlier demo are replaced, study.toml last.
    size : {"small", "medium"}
        Cells of 1 degree and three years (seconds), or of 0.25 degree and ten years (a minute or two, 0.3 GB).
    seed : int
        Other seeds give another land and other weather on the same broad relief.
    progress : callable, optional
        Called with done, total and a message after each year.

    Returns
    -------
    Path
        The study.toml.

    Raises
    ------
    StudyError
        The size is unknown or the seed negative.
    WorkspaceError
        The folder can't be written.

    Examples
    --------
    >>> write_demo("anywhere", size="huge")
    Traceback (most recent call last):
        ...
    alm_core.errors.StudyError: The demo has no size 'huge'. Choose small or medium.
    """
    if size not in EXTENTS:
        raise StudyError(f"The demo has no size {size!r}. Choose small or medium.")
    if seed < 0:
        raise StudyError(f"The seed is {seed}: a whole number of 0 or more is expected.")
    folder = Path(folder)
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
            for old in (folder / name).glob("*.nc"):  # a pattern of the study would take those of another size for days of this
                old.unlink()
        # without it a demo that was broken off can't be taken for a whole one
        (folder / "study.toml").unlink(missing_ok=True)
        write_extent(folder, EXTENTS[size], seed=seed, progress=progress or (lambda done, total, message: None))
        path = folder / "study.toml"
        path.write_bytes(study_text(size, seed).encode())
        (folder / "README.txt").write_bytes(_readme(size, seed, path).encode())
    except OSError as fault:
        raise WorkspaceError(f"The demo can't be written to {folder}: {fault}. Choose a folder with space and rights.") from fault
    return path


def write_extent(folder: Path, extent: Extent, *, seed: int, progress: Callable[[int, int, str], None]) -> None:
    """Write every product of a place and time: the layers, the days year by year, the truth at the end.

    Its folders must be there. Use `write_demo`; tests call it with extents of their own.
    """
    demo = _Demo(folder, extent, seed)
    total = len(extent.years) + 1
    demo.write_layers()
    frozen, dates = [], []
    for number, year in enumerate(extent.years, start=1):
        ground = demo.write_year(year)
        frozen.append(ground.frozen)
        dates.append(products.days_of(year))
        write_states(folder / "truth", ground.frozen, ground.ice_share, dates[-1], demo.land)
        progress(number, total, str(year))
    write_onsets(folder / "truth", np.concatenate(frozen), np.concatenate(dates), demo.land)
    progress(total, total, "truth")


class _Demo:
    """What the years of a demo share."""

    def __init__(self, folder: Path, extent: Extent, seed: int) -> None:
        self.folder, self.extent, self.seed, self.grid = folder, extent, seed, extent.grid
        self.land = Plateau(extent.grid, seed, extent.lowest)
        self.ground = Ground(self.land, seed=seed)
        self.reanalysis = products.Reanalysis(self.land, seed=seed)
        self.states = products.StateProducts(self.land, seed=seed)
        self.random = np.random.default_rng([seed, 1])

    @cached_property
    def tb_grid(self) -> Grid:
        return ease_grid("M25", self.grid, coarser=self.extent.coarser)

    @cached_property
    def second_grid(self) -> Grid:
        return ease_grid("M36", self.grid, coarser=self.extent.coarser)

    @cached_property
    def _to_tb(self) -> dict[str, csr_array]:
        return {name: footprints(self.grid, self.tb_grid, width=width) for name, width in FOOTPRINTS.items()}

    @cached_property
    def _to_second(self) -> csr_array:
        return footprints(self.grid, self.second_grid, width=SECOND_FOOTPRINT)

    def write_year(self, year: int) -> GroundDays:
        """Write the products of a year; its ground, which is the truth."""
        ground, dates = self.ground.year(year), products.days_of(year)
        for orbit in ORBITS:
            self._write_orbit(ground, dates, orbit)
        for name, values in self.reanalysis.year(ground).items():
            packing, cube = GLDAS[name], self.land.raster(values + np.float32(KELVIN))
            path = self.folder / "gldas" / f"GLDAS_NOAH025_{packing.name}_{year}.nc"
            write_days(path, cube, dates, self.grid, packing, title=packing.long_name, time=MINUTES_2000, south_first=True)
        self._write_label(ground, dates)
        self._write_second(ground, dates)
        return ground

    def _write_orbit(self, ground: GroundDays, dates: np.ndarray, orbit: str) -> None:
        """Four channels of one overpass of every day, a file for each sensor of the year."""
        whole = {name: np.empty((len(dates), self.tb_grid.size), np.float32) for name in CHANNELS}
        for start in range(0, len(dates), BLOCK_DAYS):
            for name, values in brightness(self.land, ground.part(start, start + BLOCK_DAYS), orbit).items():
                whole[name][start : start + BLOCK_DAYS] = (self._to_tb[name[:2]] @ values.T).T
        for sensor in products.SENSORS:
            own = (dates >= np.datetime64(sensor.first)) & (dates <= np.datetime64(sensor.last))
            if own.any():
                own &= ~products.lost_days(dates, seed=self.seed, what=sensor.name)
                self._write_sensor({name: values[own] for name, values in whole.items()}, dates[own], sensor, orbit)

    def _write_sensor(self, whole: dict[str, np.ndarray], dates: np.ndarray, sensor: products.Sensor, orbit: str) -> None:
        """The files of one sensor and overpass of a year, V and H of a frequency together."""
        outside = ~products.seen(*places(self.tb_grid), dates, orbit=orbit, shift=sensor.shift)
        for band in BANDS:
            pair = {name: whole.pop(name) for name in list(whole) if name.startswith(band)}
            for name, values in products.sensed(pair, sensor, self.random).items():
                values[outside] = np.nan
                path = self.folder / "tb" / f"{sensor.name}_{name}_{orbit}_EASE2_{str(dates[0])[:4]}.nc"
                cube = values.reshape(-1, *self.tb_grid.shape)
                about = {"sensor": sensor.name, "orbit": ORBITS[orbit], "frequency_and_polarization": name}
                title = f"brightness temperature, {name}, {ORBITS[orbit]}"
                write_days(path, cube, dates, self.tb_grid, TB, title=title, time=DAYS_1972, attributes=about)

    def _write_label(self, ground: GroundDays, dates: np.ndarray) -> None:
        """The product to learn from: on the grid of the map, with gaps where no swath was and on lost days."""
        state = self.states.label(ground)
        inside = products.seen(self.land.longitude, self.land.latitude, dates, orbit="D", shift=2.0)
        inside |= products.seen(self.land.longitude, self.land.latitude, dates, orbit="A", shift=2.0)
        inside[products.lost_days(dates, seed=self.seed, what="label product")] = False
        state[~(inside & self.land.mapped)] = products.LABEL_MISSING
        path = self.folder / "label" / f"FT_label_{str(dates[0])[:4]}.nc"
        write_days(path, self.land.raster(state), dates, self.grid, LABEL, title="product of freeze/thaw states")

    def _write_second(self, ground: GroundDays, dates: np.ndarray) -> None:
        """The independent product: coarser cells, later years, swaths of its own."""
        late = self.extent.last_year > products.SECOND_STARTS.year
        starts = products.SECOND_STARTS if late else date(self.extent.first_year + 1, 4, 1)
        own = dates >= np.datetime64(starts)
        margin = (self._to_second @ self.states.second_margin(ground).T).T
        if not own.any():
            return
        state = self.states.second(margin[own])
        longitude, latitude = places(self.second_grid)
        inside = products.seen(longitude, latitude, dates[own], orbit="D", shift=15.0)
        inside[products.lost_days(dates[own], seed=self.seed, what="the second product")] = False
        state[~inside] = products.SECOND_MISSING
        path = self.folder / "second" / f"SMAP_like_FT_EASE2_{str(dates[0])[:4]}.nc"
        cube = state.reshape(-1, *self.second_grid.shape)
        write_days(path, cube, dates[own], self.second_grid, SECOND, title="another product of freeze/thaw states")

    def write_layers(self) -> None:
        """Rasters that stay the same."""
        land = self.land
        self._raster("mask", land.mapped.astype(np.uint8), "1")
        self._raster("land_cover", land.land_cover, "; ".join(f"{code} {name}" for code, name in COVERS.items()))
        for name, unit in LAYERS.items():
            self._raster(name, getattr(land, name), unit)

    def _raster(self, name: str, values: np.ndarray, unit: str) -> None:
        whole = np.issubdtype(values.dtype, np.integer)
        values = self.land.raster(values if whole else values.astype(np.float32))
        options = {"nodata": 255 if whole else -9999.0, "predictor": 2 if whole else 3, "compress": "deflate"}
        with rasterio.open(
            self.folder / "layers" / f"{name}.tif", "w", driver="GTiff", crs=self.grid.crs, transform=self.grid.affine,
            height=self.grid.shape[0], width=self.grid.shape[1], count=1, dtype=values.dtype, **options,
        ) as dataset:  # fmt: skip
            dataset.write(values, 1)
            dataset.set_band_description(1, name)
            dataset.units = (unit,)
            dataset.update_tags(SIMULATED="yes", TITLE=f"Simulated {name}", SEED=str(self.seed), LICENCE="CC-BY-4.0")


def _readme(size: str, seed: int, study: Path) -> str:
    extent = EXTENTS[size]
    kilometres = {f"{key}_km": extent.coarser * side for key, side in (("tb", 25), ("second", 36))}
    return README.format(size=size, seed=seed, study=study, first=extent.first_year, last=extent.last_year, **kilometres)
