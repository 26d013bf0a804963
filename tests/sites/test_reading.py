"""Files of every kind hold the same table."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import openpyxl
import pandas as pd
import pytest

from alm_core.errors import MissingFileError, TableError
from alm_core.sites.reading import read_raw

HEADER = ["id", "经度", "lat", "vwc"]
ROWS = [["a", 91.5, 33.25, 0.3], ["b", 92.0, 34.5, 0.25]]


def write_text(path, delimiter=",", encoding="utf-8", comma=False):
    """Write the table as text."""
    lines = [HEADER] + [[str(cell).replace(".", ",") if comma else str(cell) for cell in row] for row in ROWS]
    path.write_bytes("\n".join(delimiter.join(line) for line in lines).encode(encoding))
    return path


def check(table):
    """Compare with the table that every writer wrote."""
    assert list(table.frame["id"]) == ["a", "b"]
    np.testing.assert_allclose(table.frame["vwc"].astype(float), [0.3, 0.25])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_text_in_any_encoding_and_delimiter(tmp_path, encoding, delimiter):
    """The same cells come out whatever the encoding and the delimiter."""
    table = read_raw(write_text(tmp_path / "sites.csv", delimiter, encoding))
    check(table)
    assert list(table.frame.columns) == HEADER
    assert list(table.rows) == [2, 3]


def test_pangaea_comment_is_skipped_and_lines_still_counted(tmp_path):
    """Rows are numbered as an editor shows them, comment block included."""
    path = tmp_path / "sites.tab"
    path.write_text("/* DATA\ncitation: x;y,z\n*/\nid\tvwc\na\t0.3\n\nb\t0.25\n", encoding="utf-8")
    table = read_raw(path)
    check(table)
    assert list(table.rows) == [5, 7]
    assert "1 blank rows skipped" in table.notes


def test_workbook_takes_the_named_sheet(tmp_path):
    """A sheet by name, else the first with a note; an unknown one lists what is there."""
    book = openpyxl.Workbook()
    book.active.title = "notes"
    book.active.append(["id", "vwc"])
    book.active.append(["z", 1])
    page = book.create_sheet("sites")
    for line in [HEADER, *ROWS, [None] * 4]:
        page.append(line)
    book.save(tmp_path / "sites.xlsx")
    check(read_raw(tmp_path / "sites.xlsx", sheet="sites"))
    assert any("first of 2" in note for note in read_raw(tmp_path / "sites.xlsx").notes)
    with pytest.raises(TableError, match="notes, sites"):
        read_raw(tmp_path / "sites.xlsx", sheet="Sheet1")


def test_parquet(tmp_path):
    """Typed columns come through."""
    pd.DataFrame(ROWS, columns=HEADER).to_parquet(tmp_path / "sites.parquet")
    check(read_raw(tmp_path / "sites.parquet"))


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".parquet"])
def test_point_geometry_gives_coordinates(tmp_path, suffix):
    """Vector formats carry coordinates and CRS in their geometry."""
    points = geopandas.points_from_xy([91.5, 92.0], [33.25, 34.5])
    frame = geopandas.GeoDataFrame({"id": ["a", "b"], "vwc": [0.3, 0.25]}, geometry=points, crs="EPSG:4326")
    path = tmp_path / f"sites{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    table = read_raw(path)
    check(table)
    np.testing.assert_allclose(table.x, [91.5, 92.0])
    np.testing.assert_allclose(table.y, [33.25, 34.5])
    assert table.crs is not None


def test_geojson_refuses_areas(tmp_path):
    """An area is not a site."""
    ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
    feature = {"type": "Feature", "properties": {"id": 1}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(TableError, match=r"row 1 'Polygon'"):
        read_raw(tmp_path / "a.geojson")


VRT = b'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
BROKEN = {
    "virtual file as GeoJSON": ("a.geojson", VRT, "is not GeoJSON"),
    "virtual file as GeoPackage": ("a.gpkg", VRT, "does not start like"),
    "virtual file as shapefile": ("a.shp", VRT, "does not start like"),
    "one GeoJSON feature": ("a.geojson", b'{"type": "Feature"}', "FeatureCollection"),
    "workbook as CSV": ("a.csv", b"PK\x03\x04rest", "wrong suffix"),
    "text as workbook": ("a.xlsx", b"id,vwc\na,1\n", "not a readable .xlsx"),
    "text as Parquet": ("a.parquet", b"id,vwc\na,1\n", "not a readable Parquet"),
    "binary as CSV": ("a.csv", bytes(range(256)) * 4, "UTF-8, UTF-16 or GB18030"),
    "empty file": ("a.csv", b"", "0 bytes"),
    "blank file": ("a.csv", b"\n\n", "no text"),
    "header only": ("a.csv", b"id,vwc\n", "no rows"),
    "one column": ("a.csv", b"id\na\n", "no comma, semicolon or tab"),
    "no header": ("a.csv", b"1,2\n3,4\n", "A header row"),
    "ragged": ("a.csv", b"id,vwc\na,1\nb,2,3\nc\n", "row 3, row 4"),
    "unknown suffix": ("a.docx", b"id", "is not one of"),
    "virtual suffix": ("a.vrt", VRT, "is not one of"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused_by_name(tmp_path, case):
    """One clear message that names the file; nothing else is opened."""
    name, content, text = BROKEN[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=text) as caught:
        read_raw(tmp_path / name)
    assert name in str(caught.value)


def test_missing_file(tmp_path):
    """A path that leads nowhere."""
    with pytest.raises(MissingFileError, match="No site table"):
        read_raw(tmp_path / "none.csv")
