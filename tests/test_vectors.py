"""The vectors of the base map: small, inside the region, without borders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from benchmarks import vectors

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "vectors"


def shapes(name: str) -> list[shapely.Geometry]:
    """The shapes of a file of the repository."""
    content = json.loads((FOLDER / f"{name}.geojson").read_text(encoding="utf-8"))
    return [shapely.from_geojson(json.dumps(feature["geometry"])) for feature in content["features"]]


@pytest.mark.parametrize(("name", "kind"), [("lakes", "Polygon"), ("rivers", "LineString")])
def test_files_are_small_valid_and_inside_the_region(name: str, kind: str) -> None:
    """What a browser fetches: one kind of shape, valid, in the region, at most 150 kB."""
    assert (FOLDER / f"{name}.geojson").stat().st_size <= vectors.MAXIMUM_BYTES
    found = shapes(name)
    assert len(found) > 50
    assert {shape.geom_type for shape in found} == {kind}
    assert all(shape.is_valid for shape in found)
    west, south, east, north = shapely.total_bounds(found)
    assert west >= vectors.REGION[0]
    assert south >= vectors.REGION[1]
    assert east <= vectors.REGION[2]
    assert north <= vectors.REGION[3]


def test_coordinates_have_four_decimals() -> None:
    """No digit more than the source carries."""
    for name in ("lakes", "rivers"):
        for value in shapely.get_coordinates(shapes(name)).ravel():
            assert round(float(value), vectors.DECIMALS) == float(value)


def test_known_lakes_and_rivers_are_there() -> None:
    """Qinghai Lake is water; the Yellow River passes Lanzhou and the Yarlung Zangbo passes near Lhasa."""
    assert any(shape.contains(shapely.Point(100.1, 36.9)) for shape in shapes("lakes"))
    rivers = shapely.union_all(shapes("rivers"))
    assert rivers.distance(shapely.Point(103.8, 36.06)) < 0.15
    assert rivers.distance(shapely.Point(90.9, 29.3)) < 0.15


def test_the_folder_names_every_source_and_holds_no_border() -> None:
    """Each file has its line in the README; nothing is called a border, a country or a province."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    names = sorted(path.name for path in FOLDER.glob("*.geojson"))
    assert names == ["lakes.geojson", "rivers.geojson"]
    assert all(name in readme for name in names)
    assert "public domain" in readme


def test_the_script_clips_simplifies_and_ranks(tmp_path: Path) -> None:
    """A lake across the edge is cut, a speck and a river of the last rank go, the result is what is written."""
    lake = shapely.box(111.0, 30.0, 114.0, 31.0)
    speck = shapely.box(90.0, 30.0, 90.001, 30.001)
    large, small = shapely.LineString([(80, 30), (85, 30.0001), (90, 30)]), shapely.LineString([(80, 32), (90, 32)])
    write_shapes(tmp_path / "lakes.shp", [lake, speck], [0, 0])
    write_shapes(tmp_path / "rivers.shp", [large, small], [1, 9])
    sizes = vectors.write(tmp_path, lakes_path=tmp_path / "lakes.shp", rivers_path=tmp_path / "rivers.shp")
    lakes = json.loads((tmp_path / "lakes.geojson").read_text())["features"]
    rivers = json.loads((tmp_path / "rivers.geojson").read_text())["features"]
    assert [shapely.from_geojson(json.dumps(one["geometry"])).bounds for one in lakes] == [(111.0, 30.0, 112.0, 31.0)]
    assert [one["geometry"]["coordinates"] for one in rivers] == [[[80.0, 30.0], [90.0, 30.0]]]
    assert sizes == {name: (tmp_path / f"{name}.geojson").stat().st_size for name in ("lakes", "rivers")}


def test_a_file_too_large_for_a_browser_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is checked before anything is written."""
    monkeypatch.setattr(vectors, "MAXIMUM_BYTES", 100)
    write_shapes(tmp_path / "lakes.shp", [shapely.box(90, 30, 91, 31)], [0])
    write_shapes(tmp_path / "rivers.shp", [shapely.LineString([(80, 30), (90, 31)])], [1])
    with pytest.raises(ValueError, match="at most 100"):
        vectors.write(tmp_path, lakes_path=tmp_path / "lakes.shp", rivers_path=tmp_path / "rivers.shp")
    assert not (tmp_path / "lakes.geojson").exists()


def write_shapes(path: Path, found: list[shapely.Geometry], ranks: list[int]) -> None:
    """A shapefile with ranks, as Natural Earth has them."""
    pyogrio.raw.write(
        path,
        np.array([shapely.to_wkb(shape) for shape in found], dtype=object),
        field_data=[np.array(ranks)],
        fields=["scalerank"],
        geometry_type=found[0].geom_type,
        crs="EPSG:4326",
    )
