"""Make `assets/vectors` from Natural Earth shapefiles: lakes and rivers of the region, small enough for a browser.

Run: ``python -m benchmarks.vectors --lakes ne_10m_lakes.shp --rivers ne_10m_rivers_lake_centerlines.shp``

Borders are left out: they are disputed here. See `assets/vectors/README.md` for the sources.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import pyogrio
import shapely

REGION = (60.0, 18.0, 112.0, 46.0)
"""West, south, east, north in degrees."""
LAKE_TOLERANCE_DEGREES, RIVER_TOLERANCE_DEGREES = 0.001, 0.015
"""The sources are drawn for 1:10 million, where a line is about 0.02 degrees wide."""
RIVER_RANK = 8
"""Natural Earth ranks rivers from 1 (largest) to 9; the last rank is left out."""
DECIMALS = 4
SMALLEST_LAKE_DEGREES2 = 2e-4
"""About 2 km2; smaller ones are specks at the scales shown."""
MAXIMUM_BYTES = 150_000
FOLDER = Path(__file__).resolve().parents[1] / "assets" / "vectors"


def clipped(path: str | Path, *, where: str | None = None) -> list[shapely.Geometry]:
    """The shapes of a file inside the region, single parts."""
    _, _, wkb, _ = pyogrio.raw.read(path, columns=None, bbox=REGION, force_2d=True, where=where)
    shapes = [shapely.make_valid(shape) for shape in shapely.from_wkb(wkb) if shape is not None]
    parts = shapely.get_parts(shapely.intersection(shapes, shapely.box(*REGION)))
    return [part for part in parts if not part.is_empty]


def simplified(shapes: Iterable[shapely.Geometry], tolerance: float) -> list[shapely.Geometry]:
    """Fewer vertices, coordinates of four decimals, largest shapes first."""
    thin = shapely.set_precision(shapely.simplify(list(shapes), tolerance), 10**-DECIMALS)
    parts = [part for part in shapely.get_parts(thin) if not part.is_empty]
    return sorted(parts, key=lambda part: (-part.length, part.bounds))


def lakes(path: str | Path) -> list[shapely.Geometry]:
    """Lakes of some size; islands in them stay."""
    found = [shape for shape in clipped(path) if shape.geom_type == "Polygon" and shape.area >= SMALLEST_LAKE_DEGREES2]
    return [shape for shape in simplified(found, LAKE_TOLERANCE_DEGREES) if shape.geom_type == "Polygon"]


def rivers(path: str | Path) -> list[shapely.Geometry]:
    """Rivers and the middle lines of the lakes that they run through, joined where they touch."""
    found = [shape for shape in clipped(path, where=f"scalerank <= {RIVER_RANK}") if shape.geom_type == "LineString"]
    return simplified(shapely.get_parts(shapely.line_merge(shapely.union_all(found))), RIVER_TOLERANCE_DEGREES)


def feature_collection(shapes: Iterable[shapely.Geometry]) -> str:
    """Compact GeoJSON text in longitude and latitude."""
    features = [{"type": "Feature", "properties": {}, "geometry": _geometry(shape)} for shape in shapes]
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")) + "\n"


def _geometry(shape: shapely.Geometry) -> dict[str, object]:
    """GeoJSON of one shape, coordinates rounded to what they carry."""
    if shape.geom_type == "LineString":
        return {"type": "LineString", "coordinates": _pairs(shape)}
    return {"type": "Polygon", "coordinates": [_pairs(ring) for ring in (shape.exterior, *shape.interiors)]}


def _pairs(line: shapely.Geometry) -> list[list[float]]:
    return [[round(float(x), DECIMALS), round(float(y), DECIMALS)] for x, y in shapely.get_coordinates(line)]


def write(folder: Path, *, lakes_path: str | Path, rivers_path: str | Path) -> dict[str, int]:
    """Write both files and give their sizes in bytes.

    Raises
    ------
    ValueError
        A file would be larger than a browser should have to fetch.
    """
    texts = {"lakes": feature_collection(lakes(lakes_path)), "rivers": feature_collection(rivers(rivers_path))}
    for name, text in texts.items():
        if len(text) > MAXIMUM_BYTES:
            raise ValueError(f"{name} would have {len(text)} bytes; at most {MAXIMUM_BYTES} are wanted. Raise the tolerance.")
    for name, text in texts.items():
        (folder / f"{name}.geojson").write_text(text, encoding="utf-8")
    return {name: len(text) for name, text in texts.items()}


def main() -> None:
    """Read the arguments and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lakes", required=True, help="ne_10m_lakes.shp")
    parser.add_argument("--rivers", required=True, help="ne_10m_rivers_lake_centerlines.shp")
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    write(arguments.out, lakes_path=arguments.lakes, rivers_path=arguments.rivers)


if __name__ == "__main__":
    main()
