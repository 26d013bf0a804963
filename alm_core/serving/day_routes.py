"""Addresses of runs of days below ``/alm/days/<study>/<run>/``.

==========================  =============================================================
``places.bin``              mapped cell under every pixel of the picture
``year/<year>/<part>.bin``  codes of the days of a part of a year
``number/<name>.bin``       a quantity of the freezing years, or its trend
``picture.png``               mean frozen days, small
``file/<name>``             a NetCDF file of a year, as it is
``day/<date>.tif``          one day as GeoTIFF, made when it is asked for
==========================  =============================================================
"""

from __future__ import annotations

import re
import tempfile
from datetime import date
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from alm_core.inspection.days import day_maps
from alm_core.inspection.days_files import year_files
from alm_core.serving import checks
from alm_core.serving.checks import RequestError
from alm_core.serving.day_pictures import days_pack, frozen_picture, numbers_pack, places_pack
from alm_core.serving.responses import ASK_AGAIN, SAFE, answered, in_thread
from alm_core.serving.runs import find_run
from alm_core.workspace import Run

BYTES = "application/octet-stream"
PACKED = {"Content-Encoding": "gzip"}
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
LAST_YEAR, MOST_PARTS = 9999, 366


def _run(request: Request) -> Run:
    return find_run(request.path_params["study"], request.path_params["run"])


def _versioned(request: Request) -> bool:
    return "v" in request.query_params


async def places_route(request: Request) -> Response:
    """Where the pixels lie."""
    content = await in_thread(lambda: places_pack(_run(request)))
    return answered(content, BYTES, keep=_versioned(request), headers=PACKED)


async def days_route(request: Request) -> Response:
    """Days of a part of a year."""

    def make() -> bytes:
        year = checks.whole_number(request.path_params["year"], "year", default=0, low=0, high=LAST_YEAR)
        part = checks.whole_number(request.path_params["part"], "part", default=0, low=0, high=MOST_PARTS)
        return days_pack(_run(request), year, part)

    return answered(await in_thread(make), BYTES, keep=_versioned(request), headers=PACKED)


async def numbers_route(request: Request) -> Response:
    """A quantity of the freezing years."""
    content = await in_thread(lambda: numbers_pack(_run(request), request.path_params["name"]))
    return answered(content, BYTES, keep=_versioned(request), headers=PACKED)


async def picture_route(request: Request) -> Response:
    """The small picture of the run."""
    return answered(await in_thread(lambda: frozen_picture(_run(request))), "image/png", keep=_versioned(request))


async def file_route(request: Request) -> Response:
    """A file of a year, looked up in the list of what there is."""

    def find() -> Path:
        name = request.path_params["name"]
        known = {one.path.name: one.path for one in year_files(_run(request))}
        if name not in known:
            raise RequestError("This run has no such file.", status=404)
        return known[name]

    found = await in_thread(find)
    return FileResponse(found, filename=found.name, content_disposition_type="attachment", headers=SAFE | ASK_AGAIN)


async def day_route(request: Request) -> Response:
    """One day as GeoTIFF."""
    run = await in_thread(_run, request)
    day = asked_day(request.path_params["day"])
    path = await in_thread(_day_file, run, day)
    return FileResponse(
        path,
        media_type="image/tiff",
        filename=f"{run.folder.parent.name}-{day}.tif",
        content_disposition_type="attachment",
        headers=SAFE | ASK_AGAIN,
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


def asked_day(text: str) -> date:
    """A day of an address.

    Raises
    ------
    RequestError
        It is none.

    Examples
    --------
    >>> asked_day("2015-02-03")
    datetime.date(2015, 2, 3)
    """
    try:
        if ISO_DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RequestError(f"The day is {checks.shown(text)}: year-month-day is expected, such as 2015-02-03.")


def _day_file(run: Run, day: date) -> Path:
    from alm_core.publishing.day_export import export_day

    if not day_maps(run).has(day):
        raise RequestError(f"{day} is not mapped.", status=404)
    with tempfile.NamedTemporaryFile(prefix="alm-day-", suffix=".tif", delete=False) as stream:
        path = Path(stream.name)
    try:
        export_day(run, path, day)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


PATHS = {
    "days/{study}/{run}/places.bin": places_route,
    "days/{study}/{run}/year/{year}/{part}.bin": days_route,
    "days/{study}/{run}/number/{name}.bin": numbers_route,
    "days/{study}/{run}/picture.png": picture_route,
    "days/{study}/{run}/file/{name}": file_route,
    "days/{study}/{run}/day/{day}.tif": day_route,
}
