"""Measurements and the time slices that they belong to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import SitesError
from alm_core.grid import Grid
from alm_core.sites.screening import screen
from alm_core.sites.table import read_sites

SLICES = [("early", 1980, 1984), ("late", 1985, 1989)]


def read(tmp_path, rows, *, repeats: str = "slice_mean", columns: str = "id,lon,lat,value,year"):
    """A table of these rows, read with slices."""
    path = tmp_path / "sites.csv"
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    names = {"site_id": "id", "longitude": "lon", "latitude": "lat", "value": "value"}
    names |= {"year": "year"} if "year" in columns else {}
    return read_sites(path, columns=names, slices=SLICES, repeats=repeats)


ROWS = ["p,90,60,1,1980", "p,90,60,3,1984", "p,90,60,8,1985", "p,90,60,9,2001", "p,90,60,7,", "q,91,60,5,1989", "q,91,60,,1988"]


def test_one_row_for_each_site_and_slice(tmp_path):
    """Means within a slice; rows outside every slice stay apart; the site keeps its id."""
    table = read(tmp_path, ROWS)
    found = table.frame.set_index("site_id")
    assert found.loc[["p@early", "p@late", "q@late"], "value"].tolist() == [2.0, 8.0, 5.0]
    assert found.loc[found["slice"] == "", "value"].tolist() == [9.0, 7.0]
    assert len(found) == 5
    assert set(found["site"]) == {"p", "q"}
    assert any("2 row(s) outside every slice (1980 to 1989), 1 of them without a year" in note for note in table.notes)
    assert any("4 rows averaged to 2" in note for note in table.notes)


def test_order_of_rows_does_not_matter(tmp_path):
    """A permuted table gives the same bits."""
    one = read(tmp_path, ROWS).frame.drop(columns="source_row")
    two = read(tmp_path, ROWS[::-1]).frame.drop(columns="source_row")
    pd.testing.assert_frame_equal(one, two)


def test_rows_kept_apart_have_their_slice(tmp_path):
    """`separate` gives every row its own id and slice, and the site to group by."""
    found = read(tmp_path, ROWS[:3], repeats="separate").frame
    assert found["slice"].tolist() == ["early", "early", "late"]
    assert found["site"].tolist() == ["p", "p", "p"]


def test_screening_names_rows_outside_every_slice(tmp_path):
    """Nobody can overrule it; rows of one place in two slices are no duplicates."""
    table = read(tmp_path, [*ROWS, "r,90,60,4,1981"])
    grid = Grid.from_bounds((89.0, 59.0, 92.0, 61.0), 0.5, crs="EPSG:4326")
    outside = table.frame.loc[table.frame["slice"] == "", "site_id"].tolist()
    screened = screen(table, grid=grid, keep=outside, outlier_z=None).frame.set_index("site_id")
    reasons = screened.loc[outside, "reason"].tolist()
    assert [reason.split(": ", 1)[1] for reason in sorted(reasons)] == [
        "year 2001: can't be kept by hand",
        "year unknown: can't be kept by hand",
    ]
    kept = screened[screened["kept"]]
    # p and r share a cell in the early slice only.
    assert screened.loc[["p@early", "r@early"], "kept"].sum() == 1
    assert {"p@late", "q@late"} <= set(kept.index)


def test_a_table_without_time_is_refused(tmp_path):
    """A row without a year belongs to no slice; a table without the column to none at all."""
    with pytest.raises(SitesError, match="neither dates nor years"):
        read(tmp_path, ["p,90,60,1"], columns="id,lon,lat,value")
    path = tmp_path / "sites.csv"
    with pytest.raises(SitesError, match="no time slices were given"):
        read_sites(path, columns={"site_id": "id", "longitude": "lon", "latitude": "lat", "value": "value"}, repeats="slice_mean")
    assert np.isfinite(read(tmp_path, ROWS[:1]).frame["value"]).all()
