"""Uploaded areas."""

from __future__ import annotations

import json
import tempfile

import geopandas
import pytest
import shapely

from alm_core.uploads import UploadError, receive_area
from tests.uploads import files

RING = {"type": "Polygon", "coordinates": [[[90, 30], [91, 30], [91, 31], [90, 30]]]}

DISGUISED = [b"", files.OGR_VRT, files.VRT, b"text", b"\0" * 50, b"[" * 100_000, b"[1]", b"PK\x03\x04"]


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Temporary files of the test lie in a folder that must be empty at the end."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def refused(data, name="area.geojson"):
    """The message of a refusal, without a path of this machine."""
    with pytest.raises(UploadError) as caught:
        receive_area(data, name)
    assert tempfile.gettempdir() not in str(caught.value)
    return str(caught.value)


def test_areas_are_read(tmp_path):
    """GeoJSON and GeoPackage."""
    assert receive_area(json.dumps(RING).encode(), "../my area.JSON").bounds == (90, 30, 91, 31)
    frame = geopandas.GeoDataFrame(geometry=[shapely.box(90, 30, 91, 31)], crs="EPSG:4326")
    frame.to_file(tmp_path / "a.gpkg", driver="GPKG")
    assert receive_area((tmp_path / "a.gpkg").read_bytes(), "a.gpkg").bounds == (90, 30, 91, 31)


@pytest.mark.parametrize("content", DISGUISED)
@pytest.mark.parametrize("suffix", ["geojson", "gpkg"])
def test_files_in_disguise_are_refused(content, suffix):
    """One message each, which names the file as its owner does."""
    assert f"area.{suffix}" in refused(content, f"area.{suffix}")


def test_another_suffix_is_refused():
    """Shapefiles, archives, KML."""
    assert ".geojson, .json, .gpkg" in refused(b"x", "area.zip")


def test_too_large_an_area_is_refused(monkeypatch):
    """By its size, before it is read."""
    monkeypatch.setattr("alm_core.uploads.area.AREA_BYTES", 2**20)
    assert "more than 1 MB" in refused(b" " * 2**21)


def test_a_million_vertices_are_refused():
    """By their number."""
    ring = [[90 + i / 1e6, 30] for i in range(1_000_000)]
    assert "1000000 vertices" in refused(json.dumps({"type": "Polygon", "coordinates": [ring]}).encode())


def test_a_database_in_disguise_is_refused(tmp_path):
    """An SQLite file under the suffix of GeoJSON is looked at as a GeoPackage, and is none."""
    assert "no GeoPackage" in refused(files.database(tmp_path / "a.db", application_id=0))


def test_a_self_crossing_area_is_mended_and_an_empty_one_refused():
    """A bow tie has two halves; a line has no area."""
    tie = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    assert receive_area(json.dumps(tie).encode(), "a.json").geometry.area == pytest.approx(2)
    flat = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]}
    assert "no area" in refused(json.dumps(flat).encode())
