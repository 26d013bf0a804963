"""STAC items: found in a catalogue, checked by hash, honest about time and place."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import shapely

from alm_core.errors import DomainError, MissingFileError
from alm_core.grid import Grid
from alm_core.mapping.cog import write_cog
from alm_core.mapping.stac import ItemFacts, build_item, footprint, time_range, write_item

GRID = Grid.from_bounds((90, 30, 91, 31.5), 0.01, crs="EPSG:4326")


@pytest.fixture
def assets(tmp_path):
    """A small map and a card."""
    field = np.full(GRID.shape, 0.3)
    field[:75] = np.nan
    fused = write_cog(
        tmp_path / "map" / "fused.tif", field, GRID, band_names=["fused"], units="m3 m-3", dtype="int16", scale=0.0001
    )
    unknown = write_cog(tmp_path / "map" / "empty.tif", field * np.nan, GRID, band_names=["nothing"])
    (tmp_path / "card.html").write_text("<p>", encoding="utf-8")
    (tmp_path / "map" / "small.png").write_bytes(b"png")
    others = {"card": tmp_path / "card.html", "thumbnail": tmp_path / "map" / "small.png"}
    return {"fused": fused.path, "empty": unknown.path, **others}


def facts(**options):
    """Facts with some defaults."""
    return ItemFacts("demo-1a2b", **({"time": "2009/2024", "licence": "CC-BY-4.0"} | options))


def test_item_has_what_the_specification_asks(assets, tmp_path):
    """Required fields, extensions, relative links and the place in degrees."""
    item = build_item(facts(citation="Doe 2026", seed=42, simulated=True), assets, root=tmp_path)
    assert {"type", "stac_version", "id", "geometry", "bbox", "properties", "links", "assets", "stac_extensions"} <= set(item)
    assert (item["type"], item["stac_version"], item["id"]) == ("Feature", "1.1.0", "demo-1a2b")
    assert item["bbox"] == [90, 30, 91, 31.5]
    assert shapely.from_geojson(json.dumps(item["geometry"])).bounds == (90, 30, 91, 31.5)
    properties = item["properties"]
    assert (properties["datetime"], properties["start_datetime"]) == (None, "2009-01-01T00:00:00Z")
    assert properties["proj:code"] == "EPSG:4326"
    assert properties["proj:shape"] == [150, 100]
    assert properties["proj:transform"][:6] == list(GRID.transform)
    assert properties["sci:citation"] == "Doe 2026"
    assert properties["alm:simulated"] is True
    assert item["assets"]["fused"]["href"] == "map/fused.tif"
    assert item["assets"]["card"]["type"] == "text/html"
    assert (item["assets"]["fused"]["roles"], item["assets"]["thumbnail"]["roles"]) == (["data"], ["thumbnail"])


def test_bands_state_unit_scale_and_statistics(assets, tmp_path):
    """Scale, unit, nodata and statistics in the unit; NaN never reaches JSON; an empty band has no statistics."""
    item = build_item(facts(), assets, root=tmp_path)
    (band,) = item["assets"]["fused"]["bands"]
    assert (band["name"], band["unit"], band["data_type"], band["nodata"]) == ("fused", "m3 m-3", "int16", -32768)
    assert (band["raster:scale"], band["raster:offset"]) == (0.0001, 0.0)
    assert band["statistics"]["mean"] == pytest.approx(0.3)
    assert band["statistics"]["valid_percent"] == 50
    (empty,) = item["assets"]["empty"]["bands"]
    assert empty["nodata"] == "nan"
    assert "statistics" not in empty
    json.dumps(item, allow_nan=False)


def test_checksums_are_multihashes_of_the_files(assets, tmp_path):
    """file:checksum is 1220 and the SHA-256 of the content."""
    item = build_item(facts(), assets, root=tmp_path)
    for name, path in assets.items():
        found = item["assets"][name]
        assert found["file:checksum"] == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()
        assert found["file:size"] == path.stat().st_size


def test_item_is_written_and_read_back(assets, tmp_path):
    """The file holds the item; numbers that JSON can't hold are null."""
    item = build_item(facts(properties={"alm:scores": {"r2": np.float64(0.5), "kge": float("nan")}}), assets, root=tmp_path)
    assert item["properties"]["alm:scores"] == {"r2": 0.5, "kge": None}
    path = write_item(tmp_path / "stac.json", item)
    assert json.loads(path.read_text(encoding="utf-8")) == item


def test_time_is_never_guessed(assets, tmp_path):
    """Without a stated time the time of the run stands in and says so; without both the item is refused."""
    item = build_item(facts(time="", created="2026-01-02T03:04:05Z"), assets, root=tmp_path)
    assert item["properties"]["datetime"] == "2026-01-02T03:04:05Z"
    assert "time of the run" in item["properties"]["alm:time_note"]
    with pytest.raises(DomainError, match="State `time`"):
        build_item(facts(time=""), assets, root=tmp_path)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2010", "2010-01-01", "2010-12-31"),
        ("2009-2024", "2009-01-01", "2024-12-31"),
        ("2009/2024", "2009-01-01", "2024-12-31"),
        ("2012-02", "2012-02-01", "2012-02-29"),
        ("2009-09-01/2024-10-31", "2009-09-01", "2024-10-31"),
        ("2009-09-01T00:00:00Z / 2024-10-31T12:00:00Z", "2009-09-01", "2024-10-31"),
    ],
)
def test_periods_are_read(text, begin, end):
    """Years, months, days and ranges of them."""
    assert time_range(text) == (f"{begin}T00:00:00Z", f"{end}T23:59:59Z")


@pytest.mark.parametrize("text", ["autumn", "2024/2009", "2010-13", "2010-02-30", "2010/2011/2012", "2009-9"])
def test_bad_periods_are_refused(text):
    """What is no period, ends before it begins or has no such day."""
    with pytest.raises(DomainError):
        time_range(text)


def test_grid_without_crs_has_no_place(tmp_path):
    """No CRS: geometry null, no bbox, and the projection says unknown."""
    grid = Grid(None, GRID.transform, GRID.shape)
    path = write_cog(tmp_path / "a.tif", np.zeros(grid.shape), grid, band_names=["a"]).path
    item = build_item(facts(), {"a": path}, root=tmp_path)
    assert item["geometry"] is None
    assert "bbox" not in item
    assert item["properties"]["proj:code"] is None
    assert "gsd" not in item["properties"]


@pytest.mark.parametrize(
    ("bounds", "step", "crs", "expected", "kind"),
    [
        ((-180, 45, 180, 90), 0.25, "EPSG:4326", (-180, 45, 180, 90), "Polygon"),
        ((0, 45, 360, 90), 0.25, "EPSG:4326", (-180, 45, 180, 90), "Polygon"),
        ((170, 30, 190, 31), 0.5, "EPSG:4326", (170, 30, -170, 31), "MultiPolygon"),
        ((-4e6, -4e6, 4e6, 4e6), 1e5, "EPSG:3995", (-180, 41.03, 180, 90), "Polygon"),
        ((-1e6, 2e6, 1e6, 3e6), 1e5, "EPSG:3995", (153.43, 61.48, -153.43, 71.74), "MultiPolygon"),
        ((5e5, 3e6, 6e5, 3.1e6), 1e4, "EPSG:32646", (93, 27.12, 94.02, 28.03), "Polygon"),
    ],
    ids=["globe", "0-360", "antimeridian", "pole", "projected antimeridian", "utm"],
)
def test_footprints(bounds, step, crs, expected, kind):
    """Poles, longitude 180 and 0 to 360 degrees: a valid geometry inside the globe, counter-clockwise."""
    geometry, bbox = footprint(Grid.from_bounds(bounds, step, crs=crs))
    assert bbox == pytest.approx(expected, abs=0.01)
    shape = shapely.from_geojson(json.dumps(geometry))
    assert shape.geom_type == kind
    assert shape.is_valid
    assert shape.bounds[0] >= -180
    assert shape.bounds[2] <= 180
    assert all(part.exterior.is_ccw for part in shapely.get_parts(shape))


def test_assets_must_be_there(assets, tmp_path):
    """A missing asset and an item without a raster are refused."""
    with pytest.raises(MissingFileError, match="none"):
        build_item(facts(), {**assets, "none": tmp_path / "none.csv"}, root=tmp_path)
    with pytest.raises(MissingFileError, match="at least one raster"):
        build_item(facts(), {"card": assets["card"]}, root=tmp_path)
