"""Uploaded site tables."""

from __future__ import annotations

import io
import json

import geopandas
import pytest

from alm_core.uploads import UploadError, limits
from alm_core.uploads.table import receive_table
from tests.uploads import files


def refused(folder, data, name):
    """The message of a refusal that left nothing on disk and tells no path."""
    with pytest.raises(UploadError) as caught:
        receive_table(data, name, folder)
    assert list(folder.iterdir()) == []
    assert str(folder) not in str(caught.value)
    return str(caught.value)


def test_a_table_is_stored_under_a_name_of_ours(folder):
    """The user's name is not used."""
    path, raw = receive_table(io.BytesIO(files.csv_table()), "../../my sites.csv", folder)
    assert path == folder / "sites.csv"
    assert path.read_bytes() == files.csv_table()
    assert raw.frame.shape == (60, 5)


def test_other_formats_are_read(folder, tmp_path):
    """Workbook, GeoPackage and GeoJSON give their rows."""
    points = geopandas.GeoDataFrame({"vwc": [0.1, 0.2]}, geometry=geopandas.points_from_xy([91, 92], [31, 32]), crs="EPSG:4326")
    points.to_file(tmp_path / "p.gpkg", driver="GPKG")
    points.to_file(tmp_path / "p.geojson", driver="GeoJSON")
    for suffix in ("gpkg", "geojson"):
        _, raw = receive_table((tmp_path / f"p.{suffix}").read_bytes(), f"p.{suffix}", folder)
        assert list(raw.x) == [91, 92]
    _, raw = receive_table(files.workbook([["id", "vwc"], ["a", 0.1]]), "P.XLSX", folder)
    assert raw.frame.shape == (1, 2)


@pytest.mark.parametrize("name", ["sites.exe", "sites", "sites.csv.vrt", "sites.shp", "sites.csv/", ".."])
def test_other_suffixes_are_refused(folder, name):
    """The kinds that are taken are named."""
    assert ".csv, .xlsx, .gpkg, .geojson" in refused(folder, files.csv_table(), name)


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "gpkg", "geojson"])
def test_an_empty_file_is_refused(folder, suffix):
    """0 bytes."""
    assert "empty (0 bytes)" in refused(folder, b"", f"sites.{suffix}")


def test_too_large_a_file_is_refused(folder, monkeypatch):
    """Stopped while it is written, not after."""
    monkeypatch.setattr("alm_core.uploads.table.TABLE_BYTES", 1000)
    assert "more than 0 MB" in refused(folder, io.BytesIO(b"a,b\n" * 1000), "sites.csv")


def test_a_million_columns_are_refused(folder):
    """Found by counting commas, before any cell becomes an object."""
    header = b",".join(b"c%d" % number for number in range(1_000_000))
    assert "1000000 columns; at most 2000" in refused(folder, header + b"\n" + header, "sites.csv")


def test_too_many_cells_are_refused(folder):
    """Many short rows."""
    assert "cells; at most" in refused(folder, b"a,b\n" + b"1,2\n" * 3_000_000, "sites.csv")


def test_nul_bytes_are_refused(folder):
    """They are no text."""
    assert "not text" in refused(folder, b"id,lon\0,lat\n" + b"\0" * 4000, "sites.csv")


@pytest.mark.parametrize("content", [files.VRT, files.OGR_VRT, b"no table at all", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04"])
@pytest.mark.parametrize("suffix", ["csv", "xlsx", "gpkg", "geojson"])
def test_files_in_disguise_are_refused(folder, suffix, content):
    """A VRT, a text, a picture, a broken archive under every suffix: one message, and nothing of what they point at."""
    text = refused(folder, content, f"sites.{suffix}")
    assert "root:" not in text
    assert "Traceback" not in text


def test_a_zip_bomb_is_refused_by_its_directory(folder):
    """300 MB of zeros in a workbook are not unpacked."""
    bomb = files.archive({"xl/workbook.xml": b"<a/>", "xl/worksheets/sheet1.xml": bytes(300 * 2**20)})
    assert len(bomb) < limits.TABLE_BYTES
    assert "unpacks to 300 MB" in refused(folder, bomb, "sites.xlsx")


def test_an_archive_that_is_no_workbook_is_refused(folder):
    """It says so."""
    assert "no .xlsx workbook" in refused(folder, files.archive({"a.txt": b"a"}), "sites.xlsx")


def test_a_sheet_of_far_away_cells_is_refused(folder, monkeypatch):
    """One cell far to the right makes a row of thousands."""
    monkeypatch.setattr("alm_core.uploads.workbook.TABLE_CELLS", 10_000)
    assert "more than 10000 cells" in refused(folder, files.workbook([["id", "vwc"]], XFD2=1), "sites.xlsx")


def test_an_entity_bomb_is_refused(folder):
    """A workbook whose text grows while it is read."""
    assert "sites.xlsx" in refused(
        folder, files.archive({"xl/workbook.xml": files.BOMB_XML, "[Content_Types].xml": files.BOMB_XML}), "sites.xlsx"
    )


def test_an_sqlite_file_that_is_no_geopackage_is_refused(folder, tmp_path):
    """By its application id."""
    assert "no GeoPackage" in refused(folder, files.database(tmp_path / "a.db", application_id=0), "sites.gpkg")


def test_a_geopackage_of_a_view_without_end_is_refused(folder, tmp_path):
    """It would give rows for ever."""
    endless = "create view sites as with recursive r(a) as (select 1 union all select a + 1 from r) select a from r"
    text = refused(folder, files.database(tmp_path / "a.db", *files.CONTENTS, endless), "sites.gpkg")
    assert "no plain table but a view" in text


def test_a_geopackage_of_generated_columns_is_refused(folder, tmp_path):
    """They can be of any size."""
    table = "create table sites (a integer, b blob generated always as (zeroblob(1000000000)))"
    assert "generated columns" in refused(folder, files.database(tmp_path / "a.db", *files.CONTENTS, table), "sites.gpkg")


def test_a_geopackage_of_a_virtual_table_is_refused(folder, tmp_path):
    """It could read other files."""
    table = "create virtual table sites using rtree(id, a, b)"
    assert "no plain table" in refused(folder, files.database(tmp_path / "a.db", *files.CONTENTS, table), "sites.gpkg")


def test_a_geopackage_without_layers_and_a_damaged_one_are_refused(folder, tmp_path):
    """Each with its reason."""
    whole = files.database(tmp_path / "a.db", *files.CONTENTS[:1])
    assert "no layer" in refused(folder, whole, "sites.gpkg")
    assert "damaged" in refused(folder, whole[:2000] + bytes(len(whole) - 2000), "sites.gpkg")


def test_deep_json_is_refused(folder):
    """No recursion fault."""
    assert "sites.geojson" in refused(folder, b"[" * 100_000, "sites.geojson")


def test_geojson_of_areas_is_refused(folder):
    """Sites are points."""
    polygon = {"type": "Polygon", "coordinates": [[[90, 30], [91, 30], [91, 31], [90, 30]]]}
    content = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": polygon}]}
    assert "must be points" in refused(folder, json.dumps(content).encode(), "sites.geojson")
