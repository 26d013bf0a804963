"""Daily fields in GeoTIFF: one band a day, or one file a day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from alm_core.cubes.axes import FieldGrid
from alm_core.cubes.fields import FieldHead, as_stored, channel_of, check_declared, chosen, times_of_name
from alm_core.cubes.orbits import orbit_of
from alm_core.cubes.times import date_of_text
from alm_core.errors import AlmError, CrsError, GridError, RasterError, StudyError

DATE_TAGS = ("date", "time", "datetime", "acquisition_date", "time_coverage_start")


class BandField:
    """Bands of a raster as steps; what GeoTIFF and GRIB share. See `alm_core.cubes.fields.FieldFile`."""

    head: FieldHead
    steps_together = 1

    def __init__(self, path: Path, driver: str, **environment: str) -> None:
        import rasterio
        from rasterio.errors import RasterioError

        self.path = path
        self._environment = environment
        try:
            with self._settings():
                self._dataset = rasterio.open(path, driver=driver)
        except RasterioError as fault:
            raise RasterError(f"{path.name} can't be read as {driver} ({fault}): is it whole?") from fault

    def _settings(self) -> Any:
        """GDAL's settings, which count when bands are read as well."""
        import rasterio

        return rasterio.Env(**self._environment)

    def _grid(self, crs: str | None) -> FieldGrid:
        transform = self._dataset.transform
        try:
            if transform.b or transform.d:
                raise GridError("The raster is rotated: warp it first, for example with `gdalwarp`.")
            declared = self._dataset.crs.to_wkt() if self._dataset.crs else None
            check_declared(declared, crs)
            x = transform.c + transform.a * (np.arange(self._dataset.width) + 0.5)
            y = transform.f + transform.e * (np.arange(self._dataset.height) + 0.5)
            return FieldGrid.make(x, y, declared or crs)
        except (GridError, CrsError) as fault:
            raise type(fault)(f"{self.path.name}: {fault}") from fault

    def _use(self, bands: list[int], missing_value: float | None) -> tuple[float, ...]:
        """Remember the bands of the steps; their fill values."""
        self._bands = bands
        scaling = {(self._dataset.scales[band - 1], self._dataset.offsets[band - 1]) for band in bands}
        if len(scaling) > 1:
            raise RasterError(f"{self.path.name}: the bands have different scales {sorted(scaling)}: one is expected.")
        self._scaling = scaling.pop()
        found = [self._dataset.nodatavals[band - 1] for band in bands] + [missing_value]
        return tuple(dict.fromkeys(float(one) for one in found if one is not None))

    def read(self, start: int, stop: int, rows: slice, columns: slice) -> np.ndarray:
        """Numbers as stored, ``[step, row, column]``."""
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        window = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        try:
            with self._settings():
                return self._dataset.read(self._bands[start:stop], window=window)
        except RasterioError as fault:
            raise RasterError(f"{self.path.name} can't be read ({fault}): is it whole?") from fault

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """float32 in the unit of the file, NaN where missing."""
        factor, offset = self._scaling
        plain = (factor, offset) == (1.0, 0.0)
        values = raw.astype(np.float32) if plain else (raw * factor + offset).astype(np.float32)
        for fill in self.head.fills:
            values[raw == as_stored(fill, raw.dtype)] = np.nan
        return values

    def __enter__(self) -> BandField:
        """Itself."""
        return self

    def __exit__(self, *fault: object) -> None:
        """Close the file."""
        self._dataset.close()


class GeotiffField(BandField):
    """A GeoTIFF whose bands are days, or one of a day with its date in its name.

    Parameters
    ----------
    path : path
    variable : str
        Where the bands of several fields lie in one file: the description of those that are wanted.
    level : int, optional
        Of a file of one day with several bands, the one that is wanted.
    crs : str, optional
        Stands in where the file declares none.
    missing_value : float, optional
        Means missing besides what the file declares.

    Raises
    ------
    RasterError, StudyError, GridError, CrsError
        The file is damaged or rotated, has no such band, or no dates.
    """

    def __init__(
        self,
        path: Path,
        variable: str = "",
        *,
        level: int | None = None,
        crs: str | None = None,
        missing_value: float | None = None,
    ) -> None:
        super().__init__(path, "GTiff")
        try:
            grid = self._grid(crs)
            bands, times, timed_by = self._steps(variable, level)
            fills = self._use(bands, missing_value)
        except AlmError:
            self._dataset.close()
            raise
        tags = self._dataset.tags() | self._dataset.tags(bands[0])
        unit = self._dataset.units[bands[0] - 1] or tags.get("units", tags.get("unit", ""))
        layer = "" if len(bands) > 1 or self._dataset.count == 1 else f"band {bands[0]}"
        self.head = FieldHead(
            variable or path.stem,
            grid,
            times,
            timed_by,
            unit,
            fills,
            orbit_of(path.stem, tags),
            channel_of(tags.get("channel", "")),
            layer,
        )

    def _steps(self, variable: str, level: int | None) -> tuple[list[int], np.ndarray, str]:
        """Bands (from 1) in the order of time, their times, and where these come from."""
        dates = {band: self._date(band) for band in self._dataset.indexes}
        dated = [band for band, found in dates.items() if found is not None]
        if level is not None:
            if level > self._dataset.count:
                raise StudyError(f"{self.path.name} has no band {level}: it has {self._dataset.count}.")
            return [level], times_of_name(self.path), "file name"
        if dated and len(dated) < self._dataset.count:
            raise RasterError(f"{self.path.name}: {len(dated)} of {self._dataset.count} bands have a date: all or none should.")
        if dated:
            return dated, np.array([dates[band] for band in dated], "datetime64[s]"), "band"
        names = [name or f"band {band}" for band, name in enumerate(self._dataset.descriptions, start=1)]
        if self._dataset.count > 1 and variable not in names:
            raise RasterError(
                f"{self.path.name} has {self._dataset.count} bands without dates ({', '.join(names[:6])}): write the date of "
                "each as its description (2016-01-01), or name one by its number in `level`."
            )
        band = 1 if self._dataset.count == 1 else names.index(chosen(variable, names, self.path.name)) + 1
        return [band], times_of_name(self.path), "file name"

    def _date(self, band: int) -> Any:
        description = self._dataset.descriptions[band - 1] or ""
        tags = {key.lower(): value for key, value in self._dataset.tags(band).items()}
        texts = [description, *(tags[key] for key in DATE_TAGS if key in tags)]
        return next((found for text in texts if (found := date_of_text(text)) is not None), None)
