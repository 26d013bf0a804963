"""Checks of a study with time slices."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from alm_core.checking.study import check_study
from tests.rasters import write_raster
from tests.sliced_study import GRID, sites_table, write_sliced_study


def codes(path) -> dict[str, str]:
    """Code of each fault that is no note, to its text."""
    return {fault.code: f"{fault.where}: {fault.message}" for fault in check_study(path) if fault.severity != "note"}


def test_a_right_study_has_nothing_but_the_row_after_the_last_slice(tmp_path):
    """Every raster of every slice is looked at; rows outside the slices are counted."""
    found = codes(write_sliced_study(tmp_path))
    assert set(found) == {"outside_slices"}
    assert "1 of 159 rows lie outside every slice (1980 to 1994)" in found["outside_slices"]


def test_rasters_of_slices_are_checked_one_by_one(tmp_path):
    """A missing file, an empty one and a copied one are named with their slices."""
    path = write_sliced_study(tmp_path)
    shutil.copy(tmp_path / "air_early.tif", tmp_path / "air_late.tif")
    write_raster(tmp_path / "air_middle.tif", np.full(GRID.shape, -9999.0, np.float32), GRID, nodata=-9999.0)
    found = codes(path)
    assert "slices early and late are the same, byte by byte" in found["climatology"]
    assert any("air middle" in text for text in found.values())
    (tmp_path / "air_early.tif").unlink()
    assert "air_early.tif" in codes(path)["file_missing"]


def test_years_that_come_twice_and_slices_without_rows_are_named(tmp_path):
    """A doubled year weighs twice in the mean of its slice; a slice without rows is mapped from the others."""
    path = write_sliced_study(tmp_path)
    table = sites_table()
    table = table[table["year"] < 1990]
    pd.concat([table, table.iloc[[3]].assign(magt=0.5)]).to_csv(tmp_path / "sites.csv", index=False)
    found = codes(path)
    site = table.iloc[3]
    assert f"2 rows give a year of a site more than once: {site['id']} {site['year']}" in found["duplicate_year"]
    assert found["slice_without_sites"].startswith("slices late: 0 rows")
    table.drop(columns="year").to_csv(tmp_path / "sites.csv", index=False)
    assert "no column of the table is a date or a year" in codes(write_without_year(tmp_path))["column_needed"]


def write_without_year(folder) -> str:
    """The study with no column for the year."""
    text = (folder / "study.toml").read_text(encoding="utf-8").replace('\nyear = "year"', "")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


@pytest.mark.parametrize("last", [1985, 1983])
def test_a_list_of_slices_with_a_gap_or_an_overlap_is_a_fault_and_the_rest_is_checked(tmp_path, last):
    """The file is named as faulty; what does not depend on the slices is looked at all the same."""
    slices = (("early", 1980, last), ("middle", 1985, 1989), ("late", 1990, 1994))
    path = write_sliced_study(tmp_path, slices=slices)
    (tmp_path / "mask.tif").write_bytes(b"no raster")
    found = codes(path)
    text = "early and middle, have the year 1985" if last == 1985 else "o slice has the year 1984, between"
    assert text in found["study_option"]
    assert len(found) > 1
