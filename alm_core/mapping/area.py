"""Areas that people draw or bring: a polygon from a file, from the browser, or a box.

Files are opened by their content, never by GDAL's guess: GeoJSON as JSON, GeoPackage only where its header says so. A VRT
that calls itself ``.geojson`` reads nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Transformer

from alm_core.errors import CrsError, GridError, MissingFileError
from alm_core.grid import Grid, normal_crs

MAXIMUM_VERTICES = 100_000
MAXIMUM_FILE_BYTES = 64 * 2**20
LONLAT = "EPSG:4326"
POLYGONS = ("Polygon", "MultiPolygon")
GEOPACKAGE_MAGIC = (b"SQLite format 3\x00", b"GPKG")
DENSIFY_PARTS = 256
"""A straight edge in one CRS is a curve in another, so edges are cut into about this many parts first."""


@dataclass(frozen=True)
class Area:
    """A polygon and its CRS.

    Attributes
    ----------
    geometry : shapely Polygon or MultiPolygon
    crs : str or None
        None: whatever the grid has.
    """

    geometry: shapely.Geometry
    crs: str | None = LONLAT

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in `crs`."""
        return tuple(float(value) for value in self.geometry.bounds)

    def on(self, grid: Grid) -> shapely.Geometry:
        """The polygon in the CRS of a grid; a grid without a CRS is taken to share that of the area.

        Raises
        ------
        GridError
            The polygon has no finite image there.
        """
        if grid.crs is None or self.crs is None or CRS.from_user_input(self.crs) == CRS.from_user_input(grid.crs):
            return self.geometry
        west, south, east, north = self.bounds
        step = max(east - west, north - south) / DENSIFY_PARTS
        transformer = Transformer.from_crs(self.crs, grid.crs, always_xy=True)
        dense = shapely.segmentize(self.geometry, step)
        moved = shapely.transform(dense, lambda x, y: transformer.transform(x, y), interleaved=False)
        if not np.isfinite(shapely.get_coordinates(moved)).all():
            raise GridError(
                f"The area {_box_text(self.bounds)} ({self.crs}) can't be brought into the CRS of the map. "
                "Draw it nearer to the map, or give it in the map's own CRS."
            )
        return shapely.make_valid(moved)

    def to_dict(self) -> dict[str, Any]:
        """GeoJSON geometry and CRS."""
        return {"geometry": json.loads(shapely.to_geojson(self.geometry)), "crs": self.crs}


def make_area(value: Area | dict[str, Any] | shapely.Geometry, *, crs: str | None = LONLAT) -> Area:
    """Check a polygon and give it as an `Area`.

    Parameters
    ----------
    value : Area, dict or shapely geometry
        GeoJSON of any kind that holds polygons (geometry, Feature, FeatureCollection); several become one.
    crs : str or None
        CRS of the coordinates, unless the GeoJSON says otherwise in its old ``crs`` member.

    Raises
    ------
    GridError
        Not a polygon, empty, more than 100,000 vertices, coordinates that are not finite or no degrees.
    CrsError
        PROJ does not know the CRS.

    Examples
    --------
    >>> ring = [[90, 30], [91, 30], [91, 31], [90, 30]]
    >>> make_area({"type": "Polygon", "coordinates": [ring]}).bounds
    (90.0, 30.0, 91.0, 31.0)
    """
    if isinstance(value, Area):
        return value
    if isinstance(value, dict):
        crs = _stated_crs(value) or crs
        value = _from_geojson(value)
    if value.geom_type not in POLYGONS:
        raise GridError(f"The area is a {value.geom_type}: a Polygon or MultiPolygon is expected.")
    vertices = shapely.get_num_coordinates(value)
    if value.is_empty or vertices > MAXIMUM_VERTICES:
        raise GridError(
            f"The area has {vertices} vertices: between 3 and {MAXIMUM_VERTICES} are expected. "
            "Simplify it, for example with `ogr2ogr -simplify`."
        )
    crs = normal_crs(crs)
    _check_coordinates(value, crs)
    value = value if value.is_valid else _repaired(value)
    return Area(value, crs)


def box_area(bounds: Sequence[float], *, crs: str | None = LONLAT) -> Area:
    """A box as an area.

    Raises
    ------
    GridError
        Edges are swapped, or there are not four of them.

    Examples
    --------
    >>> box_area((104, 25, 68, 40))
    Traceback (most recent call last):
        ...
    alm_core.errors.GridError: West is 104.0 and east is 68.0: west must be smaller than east. The two may be swapped.
    """
    if len(bounds) != 4:
        raise GridError(f"A box of {len(bounds)} numbers came; west, south, east, north are expected.")
    west, south, east, north = (float(value) for value in bounds)
    if not west < east:
        raise GridError(f"West is {west} and east is {east}: west must be smaller than east. The two may be swapped.")
    if not south < north:
        raise GridError(f"South is {south} and north is {north}: south must be smaller than north. The two may be swapped.")
    return make_area(shapely.box(west, south, east, north), crs=crs)


def read_area(path: str | Path) -> Area:
    """Read an area from a GeoJSON or GeoPackage file; several polygons become one.

    Raises
    ------
    MissingFileError
        There is no such file.
    GridError
        It is too large, neither GeoJSON nor GeoPackage, or holds no polygon.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"{path} is not there. A GeoJSON or GeoPackage with a polygon is expected.")
    size = path.stat().st_size
    if size > MAXIMUM_FILE_BYTES:
        raise GridError(f"{path} has {size} bytes; at most {MAXIMUM_FILE_BYTES} are read. Simplify the area.")
    with open(path, "rb") as stream:
        head = stream.read(72)
    if head[:16] == GEOPACKAGE_MAGIC[0]:
        return _read_geopackage(path, head)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as fault:
        raise GridError(f"{path} is neither GeoJSON nor GeoPackage ({fault}). Save the area as GeoJSON.") from fault
    if not isinstance(content, dict):
        raise GridError(f"{path} holds JSON, but no GeoJSON object. Save the area as GeoJSON.")
    return make_area(content)


# ---- parts --------------------------------------------------------------------------------------------------------------


def _read_geopackage(path: Path, head: bytes) -> Area:
    if head[68:72] != GEOPACKAGE_MAGIC[1]:
        raise GridError(f"{path} is an SQLite file but no GeoPackage. Save the area as GeoJSON or GeoPackage.")
    import pyogrio

    layers = pyogrio.list_layers(path)
    if len(layers) != 1:
        raise GridError(f"{path} has {len(layers)} layers: one with the area is expected. Save the area to a file of its own.")
    about, _, wkb, _ = pyogrio.raw.read(path, columns=[], force_2d=True, max_features=MAXIMUM_VERTICES)
    return make_area(_union([part for part in shapely.from_wkb(wkb) if part is not None]), crs=about["crs"] or LONLAT)


def _from_geojson(value: dict[str, Any]) -> shapely.Geometry:
    kind = value.get("type")
    if kind == "FeatureCollection":
        geometries = [feature.get("geometry") for feature in value.get("features") or [] if isinstance(feature, dict)]
    elif kind == "Feature":
        geometries = [value.get("geometry")]
    elif kind == "GeometryCollection":
        geometries = value.get("geometries") or []
    else:
        geometries = [value]
    found = [part for part in geometries if part]
    kinds = {part.get("type") if isinstance(part, dict) else type(part).__name__ for part in found}
    if not found or not kinds <= set(POLYGONS):
        shown = ", ".join(sorted(map(str, kinds))) or "nothing"
        raise GridError(f"The area holds {shown}: Polygon or MultiPolygon is expected. Draw a polygon around the area.")
    vertices = sum(_count_positions(part.get("coordinates")) for part in found)
    if vertices > MAXIMUM_VERTICES:
        raise GridError(f"The area has {vertices} vertices; at most {MAXIMUM_VERTICES} are expected. Simplify it.")
    try:
        return _union([shapely.force_2d(shapely.from_geojson(json.dumps(part))) for part in found])
    except (shapely.errors.ShapelyError, ValueError) as fault:
        raise GridError(f"The polygon can't be read ({fault}). Rings of [x, y] pairs are expected.") from fault


def _count_positions(value: Any) -> int:
    """Positions in nested coordinates, without recursion: the depth comes from a user."""
    count, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            if part and not isinstance(part[0], list):
                count += 1
            else:
                waiting.extend(part)
    return count


def _union(parts: list[shapely.Geometry]) -> shapely.Geometry:
    if len(parts) == 1:
        return parts[0]
    return shapely.union_all([part if part.is_valid else _repaired(part) for part in parts])


def _repaired(geometry: shapely.Geometry) -> shapely.Geometry:
    """A valid polygon in place of one that crosses itself."""
    fixed = shapely.make_valid(geometry)
    pieces = [part for part in shapely.get_parts(fixed) if part.geom_type in POLYGONS]
    if not pieces:
        raise GridError("The polygon has no area: its ring runs back over itself. Draw it again.")
    return shapely.union_all(pieces)


def _stated_crs(value: dict[str, Any]) -> str | None:
    """CRS of the old ``crs`` member of GeoJSON."""
    member = value.get("crs")
    if not isinstance(member, dict):
        return None
    name = (member.get("properties") or {}).get("name")
    if not isinstance(name, str):
        raise CrsError("The GeoJSON has a crs member without a name. Remove it (then longitude and latitude are meant).")
    # The old name of longitude, latitude order.
    return LONLAT if name.upper().endswith("CRS84") else name


def _check_coordinates(geometry: shapely.Geometry, crs: str | None) -> None:
    points = shapely.get_coordinates(geometry)
    if not np.isfinite(points).all():
        raise GridError("The area has coordinates that are not finite numbers. Save it again.")
    if crs is None or not CRS.from_user_input(crs).is_geographic:
        return
    if np.abs(points[:, 1]).max() > 90 or np.abs(points[:, 0]).max() > 360:
        raise GridError(
            f"The area spans {_box_text(geometry.bounds)}, which is no longitude and latitude. "
            "Longitude comes first; state the CRS where the numbers are metres."
        )


def _box_text(bounds: Sequence[float]) -> str:
    west, south, east, north = (f"{value:.6g}" for value in bounds)
    return f"west {west}, south {south}, east {east}, north {north}"
