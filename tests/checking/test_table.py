"""Checks of site tables: every fault that a field table can carry, all of them at once."""

from __future__ import annotations

import pytest

from alm_core.checking import check
from alm_core.checking.table import check_table
from tests.checking.conftest import site_rows

HEADER = "site,lon,lat,vwc"


def table(tmp_path, lines, header=HEADER, name="sites.csv"):
    """Write a table."""
    path = tmp_path / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def codes(path, **options):
    """Codes of errors and warnings."""
    return {fault.code for fault in check_table(path, **options) if fault.severity != "note"}


def test_sound_table_is_clean(tmp_path):
    """A sound table has neither errors nor warnings, and the guess of its columns is shown."""
    report = check(table(tmp_path, site_rows()))
    assert report.kind == "table"
    assert report.count("error") == report.count("warning") == 0
    assert "value: vwc" in next(fault.message for fault in report.faults if fault.code == "columns_guessed")


def test_real_tables(shared_data):
    """The real site tables: the sound one is clean, the raw one shows its censored depths by row."""
    assert codes(shared_data / "sites_magt_north45" / "magt_sites_north45.csv") == set()
    faults = check_table(shared_data / "sites_calm_alt" / "GTN-P_CALM_1990-2024.tab")
    censored = next(fault.message for fault in faults if fault.code == "censored")
    assert "'<66'" in censored
    assert "row 1569" in censored
    assert {"censored", "id_missing", "duplicate_id"} <= {fault.code for fault in faults}


ROWS = site_rows()
BROKEN = [
    ([*ROWS, "t1,91,33,<0.2"], "censored", "row 42"),
    ([*ROWS, "t1,91,33,wet"], "text_in_numbers", "'wet'"),
    ([*ROWS, "t1,91,33,-9999"], "sentinel", "row 42"),
    ([*ROWS, "t1,91,33,-999.99"], "sentinel", "-999.99"),
    ([*ROWS, "t1,91,33,77", "t2,92,33,77"], "sentinel_doubtful", "77"),
    ([*ROWS, ROWS[0]], "duplicate_row", "row 42"),
    ([*ROWS, "s0,90.5,33.5,0.2"], "id_of_several_places", "s0"),
    ([*ROWS, ROWS[0][:-5] + "0.111"], "duplicate_id", "s0"),
    ([*ROWS, ",91,33,0.2"], "id_missing", "row 42"),
    ([*ROWS, "t1,91,133,0.2"], "coordinates", "133"),
    ([*ROWS, "t1,0,0,0.2"], "coordinates_zero", "row 42"),
    ([*ROWS, "t1,,33,0.2"], "coordinates_missing", "row 42"),
    ([f"{row.rsplit(',', 1)[0]},0.2" for row in ROWS], "value_constant", "0.2"),
    ([f"{row.rsplit(',', 1)[0]}," for row in ROWS], "values_missing", "No row"),
    ([f"{row.rsplit(',', 1)[0]},{float(row.rsplit(',', 1)[1]) * 100:.1f}" for row in ROWS], "value_unit", "percent"),
    (ROWS[:8], "few_sites", "8 values"),
    ([*ROWS, "t1,91,33,-0.2"], "value_range", "negative"),
]


@pytest.mark.parametrize(("lines", "code", "words"), BROKEN)
def test_every_fault_is_named_with_its_row(tmp_path, lines, code, words):
    """Each fault has its code, and its text shows what came."""
    found = [fault for fault in check_table(table(tmp_path, lines)) if fault.code == code]
    assert found
    assert any(words in fault.message for fault in found), found


def test_swapped_coordinates_are_seen(tmp_path):
    """With longitudes beyond 90 in the latitude column the order is told without a map."""
    swapped = [f"{a},{y},{x},{v}" for a, x, y, v in (row.split(",") for row in ROWS)]
    faults = [fault for fault in check_table(table(tmp_path, swapped)) if fault.code == "coordinates"]
    assert "swapped" in faults[0].message


def test_all_faults_come_together(tmp_path):
    """One report names a censored value, a sentinel, a doubled row and a site at (0, 0)."""
    lines = [*ROWS, "t1,91,33,<0.2", "t2,91,33.1,-9999", ROWS[3], "t3,0,0,0.3"]
    assert {"censored", "sentinel", "duplicate_row", "coordinates_zero"} <= codes(table(tmp_path, lines))


def test_what_a_study_declares_is_no_fault(tmp_path):
    """A declared sentinel is a note, and percent is right where the study says so."""
    path = table(tmp_path, [*ROWS, "t1,91,33,-9999"])
    assert codes(path, sentinels=(-9999.0,)) == set()
    percent = table(tmp_path, [f"{row.rsplit(',', 1)[0]},{float(row.rsplit(',', 1)[1]) * 100:.1f}" for row in ROWS])
    assert codes(percent, value_unit="percent") == set()
    assert codes(percent, value_unit="fraction") == {"value_unit"}


def test_projected_coordinates_need_a_crs(tmp_path):
    """Metres are recognised; with their CRS the table is clean."""
    lines = [f"s{i},{181000 + 30 * i},{333000 + 17 * (i % 7)},{0.1 + i / 100}" for i in range(40)]
    path = table(tmp_path, lines, header="site,x,y,vwc")
    assert codes(path) == {"coordinates_projected"}
    assert codes(path, crs="EPSG:28992") == set()


def test_chinese_table_in_gb18030_with_decimal_comma(tmp_path):
    """Encoding, delimiter and comma are found out and said."""
    path = tmp_path / "sites.csv"
    lines = ["站点;经度;纬度;体积含水量"]
    for row in ROWS:
        name, x, y, v = row.split(",")
        lines.append(";".join([f"站{name}", x.replace(".", ","), y.replace(".", ","), v.replace(".", ",")]))
    path.write_bytes("\n".join(lines).encode("gb18030"))
    faults = check_table(path)
    assert not [fault for fault in faults if fault.severity != "note"]
    assert {"decimal_comma", "how_read"} <= {fault.code for fault in faults}
    assert any("gb18030" in fault.message for fault in faults)


def test_dates_and_depths(tmp_path):
    """A date that is none and a layer that is upside down are named."""
    lines = [f"{row},2015-09-{1 + i % 28:02d},0,{10 + i}" for i, row in enumerate(ROWS)]
    lines[5] = lines[5].replace("2015-09-06", "someday")
    lines[6] = lines[6].rsplit(",", 2)[0] + ",50,10"
    path = table(tmp_path, lines, header=f"{HEADER},date,depth_top,depth_bottom")
    found = {fault.code: fault.message for fault in check_table(path)}
    assert "someday" in found["date_invalid"]
    assert "row 8" in found["depth"]


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", b""), ("a.xlsx", b"no zip"), ("a.parquet", b"PAR1"), ("a.geojson", b"{}")]
)
def test_damaged_files_are_faults(tmp_path, name, content):
    """A file that can't be read gives a fault, never a traceback."""
    path = tmp_path / name
    path.write_bytes(content)
    report = check(path)
    assert report.codes == {"table_unreadable"}
    assert not report.ok


def test_missing_columns_are_named(tmp_path):
    """A table without coordinates and values says what is missing and what is there."""
    found = [fault for fault in check_table(table(tmp_path, ["a,b"], header="one,two")) if fault.code == "column_not_found"]
    assert [fault.where for fault in found] == ["longitude", "latitude", "value"]
    assert "one, two" in found[0].message
