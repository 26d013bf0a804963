"""A table as people have it becomes a table of sites, or one clear message."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import openpyxl
import pandas as pd
import pytest

from alm_core.errors import DomainError, MissingFileError, SitesError, TableError
from alm_core.options import SiteOptions
from alm_core.sites.table import SiteTable, check_target, read_sites

PLATEAU = (68.0, 25.0, 105.0, 40.0)
GOOD = pd.DataFrame(
    {
        "site_id": ["c", "a", "b"],
        "longitude": [90.5, 91.5, 92.5],
        "latitude": [33.25, 34.25, 35.25],
        "value": [0.3, 0.2, 0.25],
        "date": ["2012-09-05", "2013-10-01", "2014-09-30"],
        "method": ["ring", "gpr", "ring"],
    }
)


def check(table):
    """The good table, sorted."""
    assert table.frame["site_id"].tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(table.frame[["longitude", "latitude"]], [[91.5, 34.25], [92.5, 35.25], [90.5, 33.25]])
    np.testing.assert_allclose(table.frame["value"], [0.2, 0.25, 0.3])


# ---- good tables ------------------------------------------------------------------------------------------------


def test_csv_is_sorted_and_typed(tmp_path):
    """One row per site, by id; dates are dates; rows of the file are known."""
    GOOD.to_csv(tmp_path / "sites.csv", index=False)
    table = read_sites(tmp_path / "sites.csv")
    check(table)
    assert table.frame["date"].dtype == "datetime64[us]"
    assert table.frame["source_row"].tolist() == [3, 4, 2]
    assert table.crs == "EPSG:4326"
    assert "guessed: value is column 'value'" in table.notes


def test_chinese_spreadsheet_export(tmp_path):
    """GB18030, semicolons, decimal comma, percent."""
    text = (
        "编号;经度;纬度;含水量;日期\nc;90,5;33,25;30;2012年9月5日\na;91,5;34,25;20;2013年10月1日\nb;92,5;35,25;25;2014年9月30日\n"
    )
    (tmp_path / "sites.csv").write_bytes(text.encode("gb18030"))
    table = read_sites(tmp_path / "sites.csv", value_unit="percent", bounds=PLATEAU, value_maximum=1.0)
    check(table)
    assert {"encoding gb18030", "numbers have a decimal comma", "values divided by 100 (percent)"} <= set(table.notes)


def test_named_columns_of_a_workbook(tmp_path):
    """Numbers, dates and numeric ids as a spreadsheet stores them."""
    book = openpyxl.Workbook()
    book.active.append(["nr", "E", "N", "w", "when"])
    book.active.append([7.0, 90.5, 33.25, 0.3, pd.Timestamp("2012-09-05").to_pydatetime()])
    book.active.append(["007", 91.5, "34.25", 0.2, "2013-10-01"])
    book.save(tmp_path / "sites.xlsx")
    columns = {"site_id": "nr", "longitude": "E", "latitude": "N", "value": "w", "date": "when"}
    table = read_sites(tmp_path / "sites.xlsx", columns=columns)
    assert table.frame["site_id"].tolist() == ["007", "7"]
    assert table.frame["latitude"].tolist() == [34.25, 33.25]
    assert table.frame["date"].dt.year.tolist() == [2013, 2012]


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp"])
def test_vector_file_in_metres(tmp_path, suffix):
    """Geometry in its own CRS is brought to longitude and latitude."""
    points = geopandas.points_from_xy(GOOD["longitude"], GOOD["latitude"])
    frame = geopandas.GeoDataFrame(GOOD[["site_id", "value", "method"]], geometry=points, crs="EPSG:4326")
    frame = frame if suffix == ".geojson" else frame.to_crs("EPSG:32646")
    frame.to_file(tmp_path / f"sites{suffix}")
    table = read_sites(tmp_path / f"sites{suffix}")
    check(table)
    assert any("brought from" in note for note in table.notes) == (suffix != ".geojson")


def test_named_coordinates_go_before_the_geometry(tmp_path):
    """A rounded geometry beside exact columns."""
    frame = geopandas.GeoDataFrame(GOOD, geometry=geopandas.points_from_xy([0, 0, 0], [0, 0, 0]), crs="EPSG:4326")
    frame.to_file(tmp_path / "sites.gpkg")
    check(read_sites(tmp_path / "sites.gpkg", columns={"longitude": "longitude", "latitude": "latitude"}))


def test_a_crs_of_the_study_goes_before_the_files(tmp_path):
    """Declarations of old shapefiles can be wrong; the study says so, and it is noted."""
    frame = geopandas.GeoDataFrame(
        {"site_id": ["a"], "value": [1.0]}, geometry=geopandas.points_from_xy([500000.0], [0.0]), crs="EPSG:32645"
    )
    frame.to_file(tmp_path / "sites.gpkg")
    table = read_sites(tmp_path / "sites.gpkg", crs="EPSG:32646")
    assert table.frame["longitude"][0] == pytest.approx(93.0)
    assert any("another CRS" in note for note in table.notes)


def test_profile_in_centimetres(tmp_path):
    """Layers in cm become metres and one site."""
    text = "id,lon,lat,vwc,top (cm),bottom (cm)\na,91,34,0.2,0,10\na,91,34,0.4,10,40\n"
    (tmp_path / "sites.csv").write_text(text)
    table = read_sites(tmp_path / "sites.csv")
    assert table.frame["value"].tolist() == pytest.approx([0.35])
    assert table.frame["depth_bottom"].tolist() == [0.4]
    assert sum("divided by 100" in note for note in table.notes) == 2


def test_conversion_of_a_table(tmp_path):
    """Rings and radar in one table without a value column."""
    text = "id,lon,lat,method,wet_mass,dry_mass,permittivity\na,91,34,环刀,180,150,\nb,92,34,GPR,,,15\nc,93,34,TDR,,,\n"
    (tmp_path / "sites.csv").write_text(text, encoding="utf-8")
    table = read_sites(tmp_path / "sites.csv", conversion={})
    np.testing.assert_allclose(table.frame["value"], [0.3, 0.3371, np.nan], atol=5e-5)
    assert table.frame["uncertainty"][0] == 0.02
    assert "permittivity" not in table.frame


def test_year_only_is_marked(tmp_path):
    """The month of a year-only date must not be believed."""
    (tmp_path / "sites.csv").write_text("id,lon,lat,value,year\na,91,34,0.2,2012\n")
    table = read_sites(tmp_path / "sites.csv")
    assert table.frame["date"].tolist() == [pd.Timestamp("2012-07-01")]
    assert table.frame["date_is_year"].tolist() == [True]


def test_sentinels_are_missing_and_counted(tmp_path):
    """-9999 is no value, also where float32 blurred it; the site stays in the table."""
    frame = GOOD.assign(value=np.array([0.3, -9999, -999.9], np.float32))
    frame.to_parquet(tmp_path / "sites.parquet")
    table = read_sites(tmp_path / "sites.parquet")
    assert table.frame["value"].isna().tolist() == [True, True, False]
    text = " | ".join(table.notes)
    assert "column 'value': 1 cell(s) of -9999 taken as missing" in text
    assert "column 'value': 1 cell(s) of -999.9 taken as missing" in text
    assert "2 row(s) without a value" in text


def test_order_of_rows_does_not_matter(tmp_path):
    """Permuted rows give the same table, also without ids."""
    for columns in (list(GOOD), [name for name in GOOD if name != "site_id"]):
        GOOD[columns].to_csv(tmp_path / "a.csv", index=False)
        GOOD[columns].iloc[[1, 2, 0]].to_csv(tmp_path / "b.csv", index=False)
        first, second = (read_sites(tmp_path / name).frame.drop(columns="source_row") for name in ("a.csv", "b.csv"))
        pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_parquet_round_trip(tmp_path):
    """What is written is what is read, notes included, and readable as a plain site table too."""
    GOOD.assign(value=[0.3, np.nan, 0.25]).to_csv(tmp_path / "sites.csv", index=False)
    table = read_sites(tmp_path / "sites.csv")
    table.to_parquet(tmp_path / "sites.parquet")
    again = SiteTable.from_parquet(tmp_path / "sites.parquet")
    pd.testing.assert_frame_equal(table.frame, again.frame, check_exact=True)
    assert (again.crs, again.notes) == (table.crs, table.notes)
    assert [file.name for file in tmp_path.iterdir() if "partial" in file.name] == []
    assert len(read_sites(tmp_path / "sites.parquet")) == 3
    GOOD.to_parquet(tmp_path / "other.parquet")
    with pytest.raises(TableError, match="not a site table of this program"):
        SiteTable.from_parquet(tmp_path / "other.parquet")
    with pytest.raises(MissingFileError, match="No site table"):
        SiteTable.from_parquet(tmp_path / "none.parquet")


def test_counts_are_plain_values(tmp_path):
    """to_dict goes into JSON."""
    GOOD.to_csv(tmp_path / "sites.csv", index=False)
    counts = read_sites(tmp_path / "sites.csv").to_dict()
    assert json.loads(json.dumps(counts)) == counts
    assert counts["methods"] == {"gpr": 1, "ring": 2}
    assert counts["dates"] == ["2012-09-05", "2014-09-30"]
    assert counts["values"] == [0.2, 0.25, 0.3]


def test_site_table_checks_itself():
    """Ids differ and the four columns are there."""
    with pytest.raises(TableError, match="needs the column"):
        SiteTable(GOOD.drop(columns="value"))
    with pytest.raises(SitesError, match="a come"):
        SiteTable(pd.concat([GOOD, GOOD.iloc[[1]]]))


def test_options_of_the_study_fit():
    """Every site option is a keyword of read_sites, but for those that the pipeline uses itself."""
    keywords = set(read_sites.__kwdefaults__)
    assert set(SiteOptions.model_fields) - {"table", "groups"} <= keywords


# ---- pathology --------------------------------------------------------------------------------------------------

HEAD = "id,lon,lat,vwc\n"
SWAPPED = "id,lon,lat,vwc\na,33.2,91.5,0.2\nb,34.2,88.5,0.3\nc,34.9,93.5,0.3\n"
PATHOLOGY = {
    "censored value": (
        HEAD + "a,91,34,<66\nb,92,34,n/a\nc,93,34,--\n", {}, TableError, r"'vwc'.*row 2 '<66', row 3 'n/a', row 4 '--'",
    ),
    "text as coordinate": (HEAD + "a,91E,34,0.2\n", {}, TableError, r"'lon'.*row 2 '91E'"),
    "thousands mark": (HEAD + 'a,91.5,34,"1,234"\n', {}, TableError, r"row 2 '1,234'"),
    "no value column": ("id,lon,lat,q\na,91,34,0.2\n", {}, TableError, r"no column for value.*id, lon, lat, q.*columns\.value"),
    "no coordinates": ("id,vwc\na,0.2\n", {}, TableError, r"2 faults(.|\n)*longitude(.|\n)*latitude"),
    "misspelt column": (HEAD + "a,91,34,0.2\n", {"columns": {"value": "vwcc"}}, TableError, "The nearest is 'vwc'"),
    "swapped, impossible": (SWAPPED, {}, SitesError, "swapped"),
    "swapped, by the map": ("id,lon,lat,vwc\na,33.2,81.5,0.2\nb,34.2,78.5,0.3\n", {"bounds": PLATEAU}, SitesError, "swapped"),
    "latitude 95": (
        HEAD + "a,91,95,0.2\n" + "".join(f"s{n},91,34,0.2\n" for n in range(30)), {}, SitesError, r"row 2 '\(91, 95\)'",
    ),
    "0 to 360": (HEAD + "a,210,68,0.2\n", {"bounds": (-170, 55, -130, 72)}, SitesError, "Subtract 360"),
    "west positive": (HEAD + "a,150,68,0.2\n", {"bounds": (-170, 55, -130, 72)}, SitesError, "by -1"),
    "percent for fraction": (
        HEAD + "a,91,34,21\nb,92,34,35\n", {"value_unit": "fraction"}, DomainError, 'value_unit = "percent"',
    ),
    "percent above maximum": (HEAD + "a,91,34,21\nb,92,34,35\n", {"value_maximum": 1.0}, DomainError, 'value_unit = "percent"'),
    "fraction for percent": (
        HEAD + "a,91,34,0.2\nb,92,34,0.3\n", {"value_unit": "percent"}, DomainError, 'value_unit = "fraction"',
    ),
    "one id, two places": (
        HEAD + "a,91,34,0.2\na,92,34,0.3\nb,93,34,0.3\n", {}, SitesError, r"1 site id\(s\) stand for several places: a",
    ),
    "one id, no depths": (HEAD + "a,91,34,0.2\na,91,34,0.3\n", {}, SitesError, r"a \(2 rows\)"),
    "empty id": (HEAD + "a,91,34,0.2\n,91,34,0.3\n", {"columns": {"site_id": "id"}}, TableError, r"'id' is empty.*row 3"),
    "bad date": ("id,lon,lat,vwc,date\na,91,34,0.2,2012-13-01\n", {}, TableError, r"no dates: row 2 '2012-13-01'"),
    "bad year": ("id,lon,lat,vwc,year\na,91,34,0.2,12\n", {}, TableError, "years that can't be"),
    "layer upside down": ("id,lon,lat,vwc,top,bottom\na,91,34,0.2,0.4,0.1\n", {}, TableError, "bottom above the top"),
    "top alone": ("id,lon,lat,vwc,top\na,91,34,0.2,0.4\n", {}, TableError, "depth_top was given alone"),
    "wet and dry swapped": (
        "id,lon,lat,method,wet_mass,dry_mass\na,91,34,ring,150,180\n", {"conversion": {}}, DomainError, r"swapped.*row 2 \(150\)",
    ),
    "unknown unit": (HEAD + "a,91,34,0.2\n", {"value_unit": "permille"}, TableError, "as_is, fraction or percent"),
    "many at once": (
        HEAD + "a,91,95,<66\n" + "a,91,34,0.2\n" * 30, {}, TableError,
        r"3 faults(.|\n)*'<66'(.|\n)*can't be(.|\n)*several places",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PATHOLOGY)
def test_pathology(tmp_path, case):
    """One clear message that names the file, the rows or ids, and the cure."""
    text, options, kind, expected = PATHOLOGY[case]
    (tmp_path / "field work.csv").write_text(text, encoding="utf-8")
    with pytest.raises(kind, match=expected) as caught:
        read_sites(tmp_path / "field work.csv", **options)
    assert "field work.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "task", "text"),
    [
        ([], "regression", "No site is left"),
        ([np.nan, np.nan], "regression", "All 2 sites have no value"),
        ([0.1, np.nan], "regression", "1 of 2 sites"),
        ([0.1, np.inf], "regression", "1 of 2 sites"),
        ([0.2, 0.2, 0.2], "regression", "same value 0.2"),
        ([1, 1], "classification", "same class 1"),
        ([1, 1.5], "classification", "whole numbers, but 1.5"),
    ],
)
def test_targets_without_information(values, task, text):
    """Nothing can be learned from them, and the message says why."""
    with pytest.raises(SitesError, match=text):
        check_target(values, task)


# ---- real tables ------------------------------------------------------------------------------------------------


def test_real_boreholes(shared_data):
    """Mean annual ground temperature north of 45 N: 744 sites, columns guessed."""
    table = read_sites(shared_data / "sites_magt_north45" / "magt_sites_north45.csv", bounds=(-180, 45, 180, 90))
    assert len(table) == 744
    assert int(table.frame["depth_top"].between(1, 40).sum()) == 531


def test_real_censored_thaw_depths(shared_data):
    """The 34 censored depths of the original CALM file are named by line."""
    with pytest.raises(TableError, match=r"holds 34 cell\(s\).*row 1569 '<66'"):
        read_sites(shared_data / "sites_calm_alt" / "GTN-P_CALM_1990-2024.tab", columns={"value": "ALD [cm]"})


def test_real_site_years(shared_data):
    """3819 site-years become 263 sites, or stay apart."""
    path = shared_data / "sites_calm_alt" / "calm_alt_site_years.csv"
    assert len(read_sites(path, columns={"value": "alt_cm"}, repeats="mean")) == 263
    assert len(read_sites(path, columns={"value": "alt_cm"}, repeats="separate")) == 3819


def test_real_shapefile_with_a_wrong_declaration(shared_data):
    """Zinc along the Meuse: the study's Dutch grid puts the sites near 50.97 N, 5.74 E."""
    table = read_sites(shared_data / "benchmark_meuse" / "meuse.shp", columns={"value": "zinc"}, crs="EPSG:28992")
    assert len(table) == 155
    assert table.frame["latitude"].between(50.95, 51.0).all()
    assert table.frame["longitude"].between(5.7, 5.8).all()
