"""A STAC item for a finished map: what a catalogue needs to find it, read it and trust it.

Plain JSON after STAC 1.1.0 with the extensions projection 2.0.0, raster 2.0.0, file 2.1.0, processing 1.2.0 and scientific
1.0.0 (https://github.com/radiantearth/stac-spec, https://stac-extensions.github.io).
"""

from __future__ import annotations

import calendar
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS, Transformer

from alm_core.errors import DomainError, MissingFileError
from alm_core.grid import Grid
from alm_core.mapping.cog import describe_raster, open_raster
from alm_core.mapping.files import whole_file

STAC_VERSION = "1.1.0"
EXTENSIONS = {
    "projection": "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "raster": "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "file": "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "processing": "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "scientific": "https://stac-extensions.github.io/scientific/v1.0.0/schema.json",
}
COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
MEDIA_TYPES = {
    ".html": "text/html",
    ".json": "application/json",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
}
SHA256_MULTIHASH = "1220"
"""Multihash prefix: function sha2-256, 32 bytes."""
CHUNK_BYTES = 1 << 20
EDGE_POINTS = 21
FULL_CIRCLE = 360 - 1e-6
SEARCH_PIXELS = 512
DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
SPDX = re.compile(r"[\w\-.+]+")
YEARS = re.compile(r"(\d{4})\s*[-\u2013]\s*(\d{4})")


@dataclass(frozen=True)
class ItemFacts:
    """What the files of a map do not say themselves.

    Attributes
    ----------
    id : str
        Study and run.
    title, description, licence, citation : str
        `licence` is an SPDX name such as CC-BY-4.0, or any other text.
    time : str
        What the map is valid for: ``2010``, ``2009/2024``, ``2009-09-01/2024-10-31``, or two years with a hyphen.
    created : str
        ISO time of the run; stands in where `time` is empty.
    simulated : bool
    seed : int or None
    software : dict
        Name to version.
    inputs : dict
        Name of each input to its hash.
    properties : dict
        Anything else, such as weights or scores.
    """

    id: str
    title: str = ""
    description: str = ""
    licence: str = ""
    citation: str = ""
    time: str = ""
    created: str = ""
    simulated: bool = False
    seed: int | None = None
    software: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def build_item(facts: ItemFacts, assets: Mapping[str, str | Path], *, root: str | Path) -> dict[str, Any]:
    """Describe the files of a map as one STAC item.

    Parameters
    ----------
    facts : ItemFacts
    assets : mapping
        Name to file. The first GeoTIFF gives the place; other files (card, tables) become plain assets.
    root : path
        Folder in which the item will lie: hrefs are relative to it.

    Returns
    -------
    dict
        Geometry and bbox in longitude and latitude; both absent (null) for a grid without a CRS.

    Raises
    ------
    MissingFileError
        An asset is not there, or none is a GeoTIFF.
    DomainError
        Neither `time` nor `created` says when, or the text is no date.
    """
    paths = {name: Path(path) for name, path in assets.items()}
    rasters = [path for path in paths.values() if path.suffix.lower() in (".tif", ".tiff")]
    if not rasters:
        raise MissingFileError("No GeoTIFF among the assets: a STAC item describes at least one raster.")
    with open_raster(rasters[0]) as dataset:
        grid = Grid.from_dataset(dataset)
    geometry, bbox = footprint(grid)
    item = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [url for name, url in EXTENSIONS.items() if name != "scientific" or facts.citation],
        "id": facts.id,
        "geometry": geometry,
        "bbox": bbox,
        "properties": _properties(facts, grid),
        "links": [],
        "assets": {name: _asset(name, path, Path(root)) for name, path in paths.items()},
    }
    if bbox is None:
        item.pop("bbox")  # the specification forbids a bbox beside a null geometry
    return item


def write_item(path: str | Path, item: Mapping[str, Any]) -> Path:
    """Write an item as JSON, whole or not at all."""
    path = Path(path)
    text = json.dumps(item, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with whole_file(path, bytes_needed=len(text.encode())) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def time_range(text: str) -> tuple[str, str]:
    """First and last second of a period given as text.

    Raises
    ------
    DomainError
        The text is no date, or ends before it begins.

    Examples
    --------
    >>> time_range("2010")
    ('2010-01-01T00:00:00Z', '2010-12-31T23:59:59Z')
    >>> time_range("2009-09/2024-10")
    ('2009-09-01T00:00:00Z', '2024-10-31T23:59:59Z')
    """
    years = YEARS.fullmatch(text.strip())
    parts = list(years.groups()) if years else [part.strip()[:10] for part in text.split("/")]
    found = [DATE.fullmatch(part) for part in parts]
    if not 1 <= len(parts) <= 2 or None in found:
        raise DomainError(f"The time {text!r} is no period. Write for example 2010, 2009/2024 or 2009-09-01/2024-10-31.")
    begin, end = _day(found[0], last=False), _day(found[-1], last=True)
    if end < begin:
        raise DomainError(f"The time {text!r} ends before it begins. Write the earlier date first.")
    return f"{begin}T00:00:00Z", f"{end}T23:59:59Z"


def footprint(grid: Grid) -> tuple[dict[str, Any] | None, list[float] | None]:
    """Geometry and bounding box of a grid in longitude and latitude; (None, None) without a CRS.

    The edges of a projected grid are curves in degrees and are given as 20 points a side. A grid that holds a pole, or
    crosses longitude 180, is given by its box, cut in two at 180 as RFC 7946 asks.
    """
    if grid.crs is None:
        return None, None
    transformer = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    west, south, east, north = (float(part) for part in transformer.transform_bounds(*grid.bounds, densify_pts=EDGE_POINTS))
    if not np.isfinite([west, south, east, north]).all():
        raise DomainError(f"The corners of the grid ({grid.bounds}) have no longitude and latitude. Check its CRS.")
    if east - west >= FULL_CIRCLE:
        west, east = -180.0, 180.0
    elif east > 180 or west < -180:
        west, east = _wrap(west), _wrap(east)
    bbox = [round(part, 9) for part in (west, south, east, north)]
    if west > east:
        rings = [[_box_ring(west, south, 180, north)], [_box_ring(-180, south, east, north)]]
        return {"type": "MultiPolygon", "coordinates": rings}, bbox
    if grid.is_geographic or (east - west) > 180:
        return {"type": "Polygon", "coordinates": [_box_ring(west, south, east, north)]}, bbox
    return {"type": "Polygon", "coordinates": [_edge_ring(grid, transformer)]}, bbox


# ---- parts --------------------------------------------------------------------------------------------------------------


def _properties(facts: ItemFacts, grid: Grid) -> dict[str, Any]:
    if facts.time:
        begin, end = time_range(facts.time)
        when = {"datetime": None, "start_datetime": begin, "end_datetime": end}
    elif facts.created:
        when = {"datetime": facts.created, "alm:time_note": "the study states no time; this is the time of the run"}
    else:
        raise DomainError("The map has no time. State `time` in [map] of the study, for example 2009/2024.")
    properties = {
        "title": facts.title or facts.id,
        "description": facts.description,
        **when,
        "license": facts.licence if SPDX.fullmatch(facts.licence) else "other",
        "alm:licence": facts.licence,
        **_projection(grid),
        "gsd": _ground_distance(grid),
        "processing:level": "L4",
        "processing:software": dict(facts.software),
        "alm:simulated": facts.simulated,
        "alm:seed": facts.seed,
        "alm:inputs": dict(facts.inputs),
        **facts.properties,
    }
    if facts.created:
        properties["created"] = facts.created
    if facts.citation:
        properties["sci:citation"] = facts.citation
    optional = ("description", "gsd", "alm:licence", "alm:seed")
    return _finite({key: value for key, value in properties.items() if key not in optional or value not in ("", None)})


def _projection(grid: Grid) -> dict[str, Any]:
    # null says "not known", which the projection extension allows.
    code, wkt = None, None
    if grid.crs is not None:
        crs = CRS.from_user_input(grid.crs)
        authority = crs.to_authority(min_confidence=100)
        code, wkt = (":".join(authority) if authority else None), crs.to_wkt()
    west, south, east, north = grid.bounds
    found = {
        "proj:code": code,
        "proj:shape": list(grid.shape),
        "proj:transform": [*grid.transform, 0.0, 0.0, 1.0],
        "proj:bbox": [west, south, east, north],
    }
    return found if wkt is None else {**found, "proj:wkt2": wkt}


def _ground_distance(grid: Grid) -> float | None:
    """Cell height of the middle row in metres."""
    if grid.crs is None:
        return None
    middle = grid.shape[0] // 2
    return round(float(grid.cell_size_metres(slice(middle, middle + 1))[1][0]), 3)


def _asset(name: str, path: Path, root: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"{path} ({name}) is not there, so it can't be listed. Finish the run first.")
    asset = {
        "href": Path(os.path.relpath(path, root)).as_posix(),
        "title": name,
        "roles": ["metadata"],
        "file:size": path.stat().st_size,
        "file:checksum": SHA256_MULTIHASH + _sha256(path),
    }
    if path.suffix.lower() in (".tif", ".tiff"):
        return {**asset, "type": COG_TYPE, "roles": ["data"], "bands": _bands(path)}
    kind = MEDIA_TYPES.get(path.suffix.lower())
    if kind == "image/png":
        asset["roles"] = ["thumbnail"]
    return {**asset, "type": kind} if kind else asset


def _bands(path: Path) -> list[dict[str, Any]]:
    about = describe_raster(path)
    nodata = about["nodata"]
    stored = "nan" if isinstance(nodata, float) and math.isnan(nodata) else nodata
    bands = []
    for number, band in enumerate(about["bands"], start=1):
        found = {"name": band["name"], "data_type": about["dtype"], "nodata": stored, "unit": band["unit"]}
        if (band["scale"], band["offset"]) != (1.0, 0.0):
            found |= {"raster:scale": band["scale"], "raster:offset": band["offset"]}
        found["statistics"] = _statistics(path, number, band["scale"], band["offset"])
        bands.append({key: value for key, value in found.items() if value not in ("", None)})
    return bands


def _statistics(path: Path, number: int, scale: float, offset: float) -> dict[str, float] | None:
    """Approximate statistics of a band in its unit, from an overview of at most 512 by 512 pixels."""
    with open_raster(path) as dataset:
        step = max(1, math.ceil(max(dataset.shape) / SEARCH_PIXELS))
        small = dataset.read(number, out_shape=(math.ceil(dataset.height / step), math.ceil(dataset.width / step)), masked=True)
    values = small.compressed().astype(float) * scale + offset
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    return {
        "minimum": round(float(values.min()), 6),
        "maximum": round(float(values.max()), 6),
        "mean": round(float(values.mean()), 6),
        "stddev": round(float(values.std()), 6),
        "valid_percent": round(100 * values.size / small.size, 3),
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _day(found: re.Match[str], *, last: bool) -> str:
    year = int(found[1])
    month = int(found[2] or (12 if last else 1))
    if not 1 <= month <= 12 or year < 1:
        raise DomainError(f"{found[0]!r} is no date: year-month-day is expected.")
    days = calendar.monthrange(year, month)[1]
    day = int(found[3] or (days if last else 1))
    if not 1 <= day <= days:
        raise DomainError(f"{found[0]!r} is no date: month {month} of {year} has {days} days.")
    return f"{year:04d}-{month:02d}-{day:02d}"


def _finite(value: Any) -> Any:
    """The same value with NaN and infinity as null, which is all that JSON has for them."""
    if isinstance(value, Mapping):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(part) for part in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _wrap(longitude: float) -> float:
    return (longitude + 180) % 360 - 180


def _box_ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return [[round(x, 9), round(y, 9)] for x, y in ring]


def _edge_ring(grid: Grid, transformer: Transformer) -> list[list[float]]:
    """The edge of the grid, counter-clockwise, in longitude and latitude."""
    west, south, east, north = grid.bounds
    x, y = np.linspace(west, east, EDGE_POINTS), np.linspace(south, north, EDGE_POINTS)
    edge_x = np.concatenate([x[:-1], np.full(EDGE_POINTS - 1, east), x[:0:-1], np.full(EDGE_POINTS - 1, west), [west]])
    edge_y = np.concatenate([np.full(EDGE_POINTS - 1, south), y[:-1], np.full(EDGE_POINTS - 1, north), y[:0:-1], [south]])
    longitude, latitude = transformer.transform(edge_x, edge_y)
    ring = [[round(float(a), 9), round(float(b), 9)] for a, b in zip(longitude, latitude, strict=True)]
    twice_area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))
    return ring if twice_area > 0 else ring[::-1]
