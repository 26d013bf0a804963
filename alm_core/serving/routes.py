"""The addresses that the dashboard's server answers beside its pages.

====================================================================  ====================================================
``/alm/tiles/<study>/<run>/<layer>/{z}/{x}/{y}.png``                  ``<layer>`` or ``<layer>@<slice>``;
                                                                      query: palette, low, high, scenario, style, plane
``/alm/tiles/<study>/<run>/live/{z}/{x}/{y}.png``                     members fused by weights, preset, correction, lambda
``/alm/members/<study>/<run>/{z}/{x}/{y}.bin``                        members for fusing in the browser; ``slice``
``/alm/hillshade/<study>/<run>/{z}/{x}/{y}.png``, ``picture.png``     the ground
``/alm/run/<study>/<run>/thumbnail.png``, ``card.html``               what a run wrote for people
``/alm/days/<study>/<run>/...``                                       maps of days (`alm_core.serving.day_routes`)
``/alm/download/<job>/<name>``                                        result files of jobs
``/alm/vendor``, ``/alm/vectors``, ``/alm/browser``                   static files
====================================================================  ====================================================

These addresses are answered before any login of the pages: whoever reaches the port reads them.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route

from alm_core.serving import checks
from alm_core.serving.catalogue import Layer, find_layer
from alm_core.serving.checks import RequestError
from alm_core.serving.day_routes import PATHS as DAY_PATHS
from alm_core.serving.downloads import job_file
from alm_core.serving.fusing import FUSED_LAYERS, STUDY, live_fusion, named_fusion
from alm_core.serving.hillshade import PICTURE_WIDTHS, elevation_raster, hillshade_picture, hillshade_tile
from alm_core.serving.members import packed_tile
from alm_core.serving.plane import PLANES
from alm_core.serving.responses import (
    ASK_AGAIN,
    KEEP,
    SAFE,
    Files,
    answered,
    guarded,
    in_slow_thread,
    in_thread,
    nothing,
    refused,
)
from alm_core.serving.runs import find_run, workspace
from alm_core.serving.small_copies import SmallCopyWantedError, make_small_copy, want_small_copy
from alm_core.serving.tiles import STYLES, layer_tile, scenario_tile
from alm_core.serving.urls import ASSETS, ROOT, vendor_folder
from alm_core.workspace import Run

PNG = "image/png"
CARD_POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The card is one file without scripts: none may run, and nothing may be fetched from elsewhere."""
SMALLEST_ZIPPED = 1024


async def layer_route(request: Request) -> Response:
    """A tile of a layer, stored or of a scenario."""
    return answered(await _made(_layer_tile, request), PNG, keep=_versioned(request))


def _layer_tile(request: Request) -> bytes:
    z, x, y = _address(request)
    run, query = _run(request), request.query_params
    layer = find_layer(run, request.path_params["layer"])
    if layer.band == 1:
        want_small_copy(layer.raster, category=layer.kind == "category")
    palette = checks.palette_name(query.get("palette"), layer.palette)
    low, high = _range(request, layer)
    plane = _plane(request)
    scenario = query.get("scenario", STUDY)
    if scenario == STUDY:
        return layer_tile(
            layer, z, x, y, palette=palette, low=low, high=high, style=checks.one_of(query.get("style"), STYLES), plane=plane
        )
    if layer.id not in FUSED_LAYERS:
        raise RequestError(f"The layer {layer.id!r} is the same in every scenario: leave `scenario` out.")
    fusion = named_fusion(run, scenario)
    return scenario_tile(run, fusion, layer, z, x, y, palette=palette, low=low, high=high, plane=plane)


async def live_route(request: Request) -> Response:
    """A tile fused by weights that are being tried."""
    return answered(await _made(_live_tile, request), PNG, keep=_versioned(request))


def _live_tile(request: Request) -> bytes:
    z, x, y = _address(request)
    run = _run(request)
    fusion = live_fusion(run, request.query_params)
    layer = find_layer(run, "fused")
    palette = checks.palette_name(request.query_params.get("palette"), layer.palette)
    low, high = _range(request, layer)
    return scenario_tile(run, fusion, layer, z, x, y, palette=palette, low=low, high=high)


async def members_route(request: Request) -> Response:
    """Members of a tile for fusing in the browser."""
    content = await _made(_members_tile, request)
    if content is None:
        return nothing(keep=_versioned(request))
    packed = {"Content-Encoding": "gzip"}
    return answered(content, "application/octet-stream", keep=_versioned(request), headers=packed)


def _members_tile(request: Request) -> bytes | None:
    z, x, y = _address(request)
    return packed_tile(_run(request), z, x, y, slice=request.query_params.get("slice"))


async def hillshade_route(request: Request) -> Response:
    """A tile of the ground."""
    return answered(await _made(_hillshade_tile, request), PNG, keep=_versioned(request))


def _hillshade_tile(request: Request) -> bytes:
    z, x, y = _address(request)
    return hillshade_tile(_ground_run(request), z, x, y, plane=_plane(request))


async def picture_route(request: Request) -> Response:
    """The ground as one picture; the header X-Bounds says west, south, east, north."""
    picture, bounds = await _made(_picture, request)
    place = {"X-Bounds": ",".join(f"{edge:.10g}" for edge in bounds)}
    return answered(picture, PNG, keep=_versioned(request), headers=place)


def _picture(request: Request) -> tuple[bytes, tuple[float, float, float, float]]:
    narrowest, widest = PICTURE_WIDTHS
    width = checks.whole_number(request.query_params.get("width"), "width", default=1200, low=narrowest, high=widest)
    return hillshade_picture(_ground_run(request), width)


async def thumbnail_route(request: Request) -> Response:
    """The small picture of the fused map."""
    run = await in_thread(_run, request)
    return _file(request, run.file("map/thumbnail.png"), PNG)


async def card_route(request: Request) -> Response:
    """The model card."""
    run = await in_thread(_run, request)
    return _file(request, run.file("card.html"), "text/html; charset=utf-8", {"Content-Security-Policy": CARD_POLICY})


async def download_route(request: Request) -> Response:
    """A result file of a job."""
    found = await in_thread(job_file, workspace(), request.path_params["job"], request.path_params["name"])
    return FileResponse(found, filename=found.name, content_disposition_type="attachment", headers=SAFE | ASK_AGAIN)


async def unknown_route(request: Request) -> Response:
    """Everything else below our root: without this, Streamlit would answer with its start page."""
    return refused("There is nothing at this address.", 404)


# ---- parts --------------------------------------------------------------------------------------------------------------


def _address(request: Request) -> tuple[int, int, int]:
    return checks.tile_address(*(request.path_params[name] for name in ("z", "x", "y")))


def _plane(request: Request) -> str | None:
    """The plane of a polar view, None for the web map."""
    text = request.query_params.get("plane")
    return None if text is None else checks.one_of(text, tuple(PLANES))


def _run(request: Request) -> Run:
    return find_run(request.path_params["study"], request.path_params["run"])


def _ground_run(request: Request) -> Run:
    """The run, once its elevation can be read fast."""
    run = _run(request)
    raster = elevation_raster(run)
    if raster is not None:
        want_small_copy(raster, category=False)
    return run


async def _made(make: Callable[[Request], Any], request: Request) -> Any:
    """Make an answer beside the event loop; the small copy of a raster that it needs is made first, on a thread of its own."""
    try:
        return await in_thread(make, request)
    except SmallCopyWantedError as wanted:
        await in_slow_thread(partial(make_small_copy, wanted.raster, category=wanted.category))
        return await in_thread(make, request)


def _range(request: Request, layer: Layer) -> tuple[float, float]:
    low, high = request.query_params.get("low"), request.query_params.get("high")
    default = (0.0, 1.0) if low is not None and high is not None else layer.range
    return checks.display_range(low, high, default)


def _versioned(request: Request) -> bool:
    return "v" in request.query_params


def _file(request: Request, path: Path, media_type: str, headers: dict[str, str] | None = None) -> FileResponse:
    caching = KEEP if _versioned(request) else ASK_AGAIN
    return FileResponse(path, media_type=media_type, headers={**SAFE, **caching, **(headers or {})})


def _static(name: str, folder: Path) -> Mount:
    return Mount(f"{ROOT}/{name}", GZipMiddleware(Files(directory=folder, check_dir=False), minimum_size=SMALLEST_ZIPPED))


def _routes() -> list[Route | Mount]:
    # Windows and bare containers know neither type, and nosniff makes a browser refuse a script without one.
    mimetypes.add_type("text/javascript", ".js")
    mimetypes.add_type("application/geo+json", ".geojson")
    tile = "{z}/{x}/{y}"
    pages = {
        f"tiles/{{study}}/{{run}}/live/{tile}.png": live_route,
        f"tiles/{{study}}/{{run}}/{{layer}}/{tile}.png": layer_route,
        f"members/{{study}}/{{run}}/{tile}.bin": members_route,
        f"hillshade/{{study}}/{{run}}/{tile}.png": hillshade_route,
        "hillshade/{study}/{run}/picture.png": picture_route,
        "run/{study}/{run}/thumbnail.png": thumbnail_route,
        "run/{study}/{run}/card.html": card_route,
        "download/{job}/{name}": download_route,
        **DAY_PATHS,
    }
    found: list[Route | Mount] = [Route(f"{ROOT}/{path}", guarded(handler)) for path, handler in pages.items()]
    found += [_static("vendor", vendor_folder()), _static("vectors", ASSETS / "vectors"), _static("browser", ASSETS / "browser")]
    return [*found, Route(f"{ROOT}/{{rest:path}}", guarded(unknown_route)), Route(ROOT, guarded(unknown_route))]


ROUTES = _routes()
"""For `streamlit.App(script, routes=[...])` or any Starlette application."""
