"""Write one day of a run that maps days as GeoTIFF, or its onsets of freezing and thaw: whole or cut to an area."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from alm_core.errors import StudyError
from alm_core.grid import Grid
from alm_core.mapping.area import Area, box_area
from alm_core.mapping.clip import clip_rasters
from alm_core.mapping.cog import open_raster
from alm_core.mapping.day_files import day_band, probability_file
from alm_core.mapping.phenology import FOLDER, NAMES
from alm_core.options import StudyOptions
from alm_core.publishing.export import Export, wanted_area
from alm_core.workspace import Run

LAYERS = (*NAMES, *(f"trend_{name}" for name in NAMES))
Progress = Callable[[int, int, str], None]


def maps_days(run: Run) -> bool:
    """True of a run that maps days."""
    return bool(run.record["options"].get("days"))


def parse_day(text: str) -> date:
    """A day as it is typed.

    Raises
    ------
    StudyError
        It is no date.

    Examples
    --------
    >>> parse_day("2015-03-01")
    datetime.date(2015, 3, 1)
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError as fault:
        raise StudyError(f"{text!r} is no day: year, month and day are expected, as 2015-03-01.") from fault


def export_day(
    run: Run,
    out: str | Path,
    day: date,
    *,
    clip: str | Path | None = None,
    bbox: Sequence[float] | None = None,
    area: Area | dict[str, Any] | None = None,
    all_touched: bool = False,
    progress: Progress | None = None,
) -> Export:
    """Write the state of one day and the probability of frozen in per cent as the two bands of a GeoTIFF.

    Parameters
    ----------
    run : Run
    out : path
        GeoTIFF to write.
    day : date
    clip, bbox, area, all_touched, progress
        See `alm_core.publishing.export.export_layer`.

    Raises
    ------
    StudyError
        The run maps no days, or more than one area came.
    MissingFileError
        The day is not mapped.
    GridError
        The area lies outside the map, or holds no cell.
    """
    _check_days(run)
    path, band = day_band(run.folder, day)
    sources = {"state": (path, band), "probability": (probability_file(path), band)}
    tags = {"layer": "day", "day": str(day), "time": str(day), "unit": "probability in per cent; state as in classes"}
    return _export(run, out, sources, tags, wanted_area(clip=clip, bbox=bbox, area=area), all_touched, progress)


def export_freezing_years(
    run: Run,
    out: str | Path,
    layer: str,
    *,
    year: int | None = None,
    clip: str | Path | None = None,
    bbox: Sequence[float] | None = None,
    area: Area | dict[str, Any] | None = None,
    all_touched: bool = False,
    progress: Progress | None = None,
) -> Export:
    """Write onset, duration or changes of freezing, or their trend; one band a freezing year.

    Parameters
    ----------
    layer : str
        One of `LAYERS`.
    year : int, optional
        In which the freezing year begins; default: all years. A trend has none.

    Raises
    ------
    StudyError
        The run maps no days, or there is no such layer or year.
    """
    _check_days(run)
    if layer not in LAYERS:
        raise StudyError(f"There is no layer {layer!r} of freezing years. They are {', '.join(LAYERS)}; a day is had by --day.")
    path = run.file(f"{FOLDER}/{layer}.tif")
    with open_raster(path) as dataset:
        bands = {name: (path, number) for number, name in enumerate(dataset.descriptions, start=1)}
    if year is not None:
        if str(year) not in bands:
            raise StudyError(
                f"{layer} has no year {year}: it has {', '.join(bands)}. A freezing year is called by its beginning."
            )
        bands = {str(year): bands[str(year)]}
    return _export(run, out, bands, {"layer": layer}, wanted_area(clip=clip, bbox=bbox, area=area), all_touched, progress)


def _check_days(run: Run) -> None:
    if not maps_days(run):
        raise StudyError("This run maps one value for each cell and no days: leave --day and --year out and choose a --layer.")


def _export(
    run: Run,
    out: str | Path,
    sources: dict[str, tuple[Path, int]],
    tags: dict[str, Any],
    wanted: Area | None,
    all_touched: bool,
    progress: Progress | None,
) -> Export:
    first = next(iter(sources.values()))[0]
    with open_raster(first) as dataset:
        bounds = Grid.from_dataset(dataset).bounds
    result = clip_rasters(
        sources,
        out,
        area=wanted if wanted is not None else box_area(bounds, crs=None),
        all_touched=all_touched and wanted is not None,
        tags=tags,
        compression=StudyOptions.model_validate(run.record["options"]).map.compression,
        progress=progress,
    )
    return Export(result.path, result.cells_inside, max(result.cells_with_data.values()), result.bands, result.notes)
