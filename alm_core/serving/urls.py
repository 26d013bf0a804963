"""Addresses of tiles and files, made in this one place. Every one carries a version: changed data changes the address."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from alm_core.palettes import PALETTES
from alm_core.serving.catalogue import Layer, find_layer, learners
from alm_core.serving.day_pictures import day_stamps
from alm_core.serving.fusing import FUSED_LAYERS, STUDY
from alm_core.serving.hillshade import elevation_raster
from alm_core.serving.members import CODES, member_raster
from alm_core.workspace import Run

ROOT = "/alm"
TILE = "{z}/{x}/{y}"
ASSETS = Path(__file__).parents[2] / "assets"
DRAWING = 2
"""Raised when tiles of the same data are drawn another way."""


def tile_url(
    run: Run,
    layer_id: str,
    *,
    palette: str | None = None,
    low: float | None = None,
    high: float | None = None,
    scenario: str | None = None,
    style: str | None = None,
    plane: str | None = None,
) -> str:
    """Address of the tiles of a layer, with ``{z}/{x}/{y}`` for the map to fill in.

    Parameters
    ----------
    run : Run
    layer_id : str
        `key` of `alm_core.serving.catalogue.Layer`: its id, and its slice of time where that is not the main one.
    palette : str, optional
        A name of `alm_core.palettes.PALETTES`; default: that of the layer.
    low, high : float, optional
        Values of the first and the last colour; default: the range of the layer.
    scenario : str, optional
        A saved scenario, for the layers ``fused``, ``lower``, ``upper`` and ``width``; others are the same in all of them.
    style : str, optional
        How a mark of a change map is drawn: ``hatch`` or ``grey``.
    plane : str, optional
        CRS of a polar view (`alm_core.serving.plane`) instead of the web map.

    Raises
    ------
    LayerError
        No such layer.
    """
    layer = find_layer(run, layer_id)
    query: dict[str, Any] = {"v": layer_version(run, layer)}
    if scenario is not None and scenario != STUDY and layer.id in FUSED_LAYERS:
        query |= {"scenario": scenario, "v": scenario_version(run, scenario, slice=layer.slice)}
    query |= _style(palette, low, high) | {name: text for name, text in (("style", style), ("plane", plane)) if text}
    return f"{_run_root('tiles', run)}/{quote(layer_id, safe=':@')}/{TILE}.png?{urlencode(query)}"


def live_url(
    run: Run,
    *,
    weights: dict[str, float] | None = None,
    correction: str | None = None,
    blend: float | None = None,
    preset: str | None = None,
    palette: str | None = None,
    low: float | None = None,
    high: float | None = None,
) -> str:
    """Address of tiles fused by weights from a slider; what is left out is as in the study."""
    query: dict[str, Any] = {"v": version(member_raster(run).stamp, (run.folder / "fusion.json").stat().st_mtime_ns)}
    if preset is not None:
        query["preset"] = preset
    if weights is not None:
        query["weights"] = ",".join(f"{weights.get(name, 0.0):.6g}" for name in learners(run))
    if correction is not None:
        query["correction"] = correction
    if blend is not None:
        query["lambda"] = f"{blend:.6g}"
    query |= _style(palette, low, high)
    return f"{_run_root('tiles', run)}/live/{TILE}.png?{urlencode(query, safe=',')}"


def members_url(run: Run, *, slice: str | None = None) -> str:
    """Address of the member tiles that the browser fuses, of the main slice where no other is named."""
    query = {"v": version(member_raster(run, slice=slice).stamp, CODES)} | ({} if slice is None else {"slice": slice})
    return f"{_run_root('members', run)}/{TILE}.bin?{urlencode(query)}"


def hillshade_url(run: Run, *, plane: str | None = None) -> str:
    """Address of the ground tiles, of the web map or of a plane."""
    query = {"v": _ground_version(run)} | ({} if plane is None else {"plane": plane})
    return f"{_run_root('hillshade', run)}/{TILE}.png?{urlencode(query)}"


def picture_url(run: Run, *, width: int = 1200) -> str:
    """Address of the ground as one picture in longitude and latitude (`alm_core.serving.hillshade.hillshade_picture`)."""
    return f"{_run_root('hillshade', run)}/picture.png?v={_ground_version(run)}&width={width}"


def thumbnail_url(run: Run) -> str:
    """Address of the small picture of the fused map."""
    return f"{_run_root('run', run)}/thumbnail.png?v={_file_version(run.folder / 'map' / 'thumbnail.png')}"


def card_url(run: Run) -> str:
    """Address of the model card."""
    return f"{_run_root('run', run)}/card.html?v={_file_version(run.folder / 'card.html')}"


def days_urls(run: Run) -> dict[str, str]:
    """Addresses of the maps of days: ``places``, ``year`` (``{year}/{part}`` to fill in) and ``number`` (``{name}``)."""
    changed = version(*day_stamps(run))
    parts = {"places": "places", "year": "year/{year}/{part}", "number": "number/{name}"}
    return {name: f"{_run_root('days', run)}/{path}.bin?v={changed}" for name, path in parts.items()}


def day_picture_url(run: Run) -> str:
    """Address of the small picture of a run of days."""
    return f"{_run_root('days', run)}/picture.png?v={version(*day_stamps(run))}"


def day_file_url(run: Run, name: str) -> str:
    """Address of a NetCDF file of a year."""
    return f"{_run_root('days', run)}/file/{quote(name, safe='')}"


def day_tiff_url(run: Run, day: str) -> str:
    """Address of one day, such as ``2015-02-03``, as GeoTIFF."""
    return f"{_run_root('days', run)}/day/{quote(day, safe='')}.tif"


def download_url(job: Any, name: str) -> str:
    """Address of a result file of a job, given by its id or as the job itself."""
    return f"{ROOT}/download/{quote(str(getattr(job, 'id', job)), safe='')}/{quote(name, safe='')}"


def vendor_url(name: str) -> str:
    """Address of a file of Leaflet as the installed package ships it: ``leaflet.js``, ``draw/leaflet.draw.css``."""
    return f"{ROOT}/vendor/{quote(name)}?v={_file_version(vendor_folder() / name)}"


def vector_url(name: str) -> str:
    """Address of a vector layer of the base map: ``lakes``, ``rivers``, ``plateau``."""
    return f"{ROOT}/vectors/{quote(name)}.geojson?v={_file_version(ASSETS / 'vectors' / f'{name}.geojson')}"


def browser_url(name: str) -> str:
    """Address of one of our own files for the browser."""
    return f"{ROOT}/browser/{quote(name)}?v={_file_version(ASSETS / 'browser' / name)}"


@cache
def vendor_folder() -> Path:
    """Static files of Leaflet in the installed package, which itself is not imported: it would want Django set up."""
    found = importlib.util.find_spec("leaflet")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("The package django-leaflet, which holds the map's JavaScript, is missing: see requirements.")
    return Path(found.origin).parent / "static" / "leaflet"


def layer_version(run: Run, layer: Layer) -> str:
    """Changes with the data of a layer, its colours and its range's source."""
    stamps = [layer.raster.stamp]
    if layer.ranged is not None:
        stamps.append(_stamp(layer.ranged[0]))
    return version(*stamps, layer.band, layer.palette, sorted((layer.classes or {}).items()))


def scenario_version(run: Run, scenario: str, *, slice: str | None = None) -> str:
    """Changes when a scenario of that name fuses otherwise."""
    from alm_core.scenarios.scenario import load_scenario

    return version(member_raster(run, slice=slice).stamp, _stamp(run.folder / "fusion.json"), load_scenario(run, scenario).key)


def version(*parts: Any) -> str:
    """A short text that changes with any of the parts."""
    return hashlib.sha256(repr((DRAWING, PALETTES, *parts)).encode()).hexdigest()[:12]


def _style(palette: str | None, low: float | None, high: float | None) -> dict[str, str]:
    style = {} if palette is None else {"palette": palette}
    return style | {name: f"{value:.12g}" for name, value in (("low", low), ("high", high)) if value is not None}


def _run_root(kind: str, run: Run) -> str:
    return f"{ROOT}/{kind}/{quote(run.folder.parent.name, safe='')}/{quote(run.id, safe='')}"


def _ground_version(run: Run) -> str:
    raster = elevation_raster(run)
    return version("plain" if raster is None else raster.stamp)


def _file_version(path: Path) -> str:
    return version(_stamp(path))


def _stamp(path: Path) -> tuple[int, int] | None:
    if not path.is_file():
        return None
    status = path.stat()
    return status.st_mtime_ns, status.st_size
