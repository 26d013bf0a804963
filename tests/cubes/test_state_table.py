"""Daily states from a table of sites."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from alm_core.cubes.state_table import read_states
from alm_core.cubes.states import FROZEN, THAWED
from alm_core.errors import DomainError, SitesError, TableError
from alm_core.grid import Grid

GRID = Grid.from_bounds((90, 30, 94, 33), 1, crs="EPSG:4326")
COLUMNS = {"site_id": "site", "date": "date", "longitude": "lon", "latitude": "lat", "value": "t"}


def table(**changes) -> pd.DataFrame:
    """Two sites of three days each; columns may be replaced."""
    values = {
        "site": ["b", "b", "b", "a", "a", "a"],
        "date": ["2012-02-28", "2012-02-29", "2012-03-01"] * 2,
        "lon": [92.4] * 3 + [90.1] * 3,
        "lat": [31.5] * 3 + [32.9] * 3,
        "t": [-3.0, 0.0, 0.1, 5.0, -0.01, 2.0],
    }
    return pd.DataFrame(values | changes)


@pytest.fixture
def read(tmp_path):
    """Write a table and read its states."""

    def go(frame: pd.DataFrame, grid: Grid = GRID, **options):
        path = tmp_path / "states.csv"
        frame.to_csv(path, index=False)
        return read_states(path, columns=COLUMNS, grid=grid, **options)

    return go


def test_rows_and_labels(read):
    """One row a site and day, sorted; frozen at the threshold and below; the cell under the site."""
    found = read(table())
    assert found.frame["site"].tolist() == ["a"] * 3 + ["b"] * 3
    assert found.frame["label"].tolist() == [THAWED, FROZEN, THAWED, FROZEN, FROZEN, THAWED]
    assert found.frame["cell"].tolist() == [0] * 3 + [6] * 3
    assert found.frame["x"].tolist() == [90.1] * 3 + [92.4] * 3
    assert found.frame["date"].dtype == "datetime64[ns]"
    assert found.counts["kept"] == 6
    assert found.to_dict()["sites"] == {"a": {"days": 3, "frozen": 1}, "b": {"days": 3, "frozen": 2}}
    assert read(table(), threshold=-1.0).counts["frozen"] == 1


def test_order_of_rows_does_not_matter(read):
    """Permuted rows give the same states."""
    shuffled = table().sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(read(shuffled).frame, read(table()).frame)


def test_projected_grid(read):
    """Sites are brought into the CRS of the grid."""
    grid = Grid.from_bounds((-200_000, 3_300_000, 800_000, 3_800_000), 25_000, crs="EPSG:32646")
    found = read(table(), grid)
    assert len(found.frame) == 6
    row, column = np.divmod(found.frame["cell"].to_numpy(), grid.shape[1])
    np.testing.assert_allclose(grid.x[column], found.frame["x"], atol=12_500)
    np.testing.assert_allclose(grid.y[row], found.frame["y"], atol=12_500)


def test_what_is_left_out_is_counted(read):
    """Repeated rows, missing values and dates, sites outside the grid or the mask, days outside the study."""
    far = pd.DataFrame({"site": ["far"], "date": ["2012-03-01"], "lon": [120.0], "lat": [40.0], "t": [1.0]})
    frame = pd.concat([table(), table().iloc[[1]], far, table().iloc[[0, 0]].assign(date=["2012-04-01", None], t=[-9999, 1])])
    found = read(frame, cells=np.array([6, 7]), first=date(2012, 2, 29), last=date(2012, 12, 31))
    assert found.counts == {
        "rows": 10, "missing_value": 1, "missing_date": 1, "repeated": 1, "outside_grid": 1, "outside_mask": 3,
        "outside_days": 1, "kept": 2, "sites": 1, "frozen": 1,
    }  # fmt: skip
    assert found.outside == ("a", "far")


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"t": [271.0, 273.1, 273.2, 278.0, 273.1, 275.0]}, DomainError, "look like kelvin"),
        ({"t": [-3.0, 0.0, 0.1, 5.0, -120.0, 2.0]}, DomainError, "row 6 -120.0"),
        ({"t": [1, 0, 0, 0, 1, 0]}, DomainError, "only 0 and 1"),
        ({"t": ["-3", "0", "x", "5", "0", "2"]}, TableError, "row 4 'x'"),
        ({"date": ["2012-02-28", "2012-02-30", "2012-03-01"] * 2}, TableError, "row 3 '2012-02-30'"),
        ({"date": ["2012-02", "2012-03", "2012-04"] * 2}, TableError, "6 cell.s. that are no days"),
        ({"date": ["2012-02-28", "2012-02-28", "2012-03-01"] * 2}, SitesError, "2 day.s. of a site have several values"),
        ({"lon": [92.4, 92.5, 92.4, 90.1, 90.1, 90.1]}, SitesError, "several places: b"),
        ({"lon": [None, 92.4, 92.4, 90.1, 90.1, 90.1]}, SitesError, "row 2"),
        ({"lat": [131.5] * 6}, SitesError, "can't be"),
        ({"lon": [120.0] * 6}, SitesError, "no site and day is left"),
        ({"site": ["b", None, "b", "a", "a", "a"]}, TableError, "empty in 1 row"),
    ],
)
def test_tables_that_are_refused(read, changes, kind, text):
    """Each with the reason and the row."""
    with pytest.raises(kind, match=text):
        read(table(**changes))


def test_columns_that_are_not_there(read):
    """The column that was asked for and those found are named."""
    with pytest.raises(TableError, match=r"no column.s. are named 't' \(value\).*site, date, lon, lat, temp"):
        read(table().rename(columns={"t": "temp"}))


@pytest.mark.parametrize(
    ("south", "crest", "doubted"), [(False, 205, False), (False, 320, True), (True, 205, True), (True, 20, False)]
)
def test_sites_out_of_season(read, south, crest, doubted):
    """A site that is warmest in November is kept and named; in the south January is summer."""
    days = pd.date_range("2012-01-01", "2012-12-31")
    t = 8 * np.cos(2 * np.pi * (days.day_of_year - crest) / 366)
    frame = pd.DataFrame({"site": "a", "date": days.strftime("%Y-%m-%d"), "lon": 92.0, "lat": -31.5 if south else 31.5, "t": t})
    found = read(frame, Grid.from_bounds((90, -33, 94, 33), 1, crs="EPSG:4326"))
    assert found.out_of_season == (("a",) if doubted else ())
    assert len(found.frame) == 366
    assert any("midsummer" in note for note in found.notes) == doubted


def test_real_sites(shared_data, tmp_path):
    """All depths at once are refused; one depth is read, and the site whose year is turned round is named."""
    folder = shared_data / "sites_qtp_zhao2021"
    daily = pd.read_csv(folder / "active_layer_temperature_daily.csv.gz").query("site in ('QT09', 'ZNHAL')")
    daily = daily[daily["date"].between("2013-06-01", "2016-06-01")].assign(lon=90.0, lat=35.0).rename(columns={"temp_c": "t"})
    grid = Grid.from_bounds((80, 30, 100, 40), 1, crs="EPSG:4326")
    daily.to_csv(tmp_path / "all.csv", index=False)
    with pytest.raises(SitesError, match="choose the depth"):
        read_states(tmp_path / "all.csv", columns=COLUMNS, grid=grid)
    daily[daily["depth_cm"] == 10].to_csv(tmp_path / "ten.csv", index=False)
    found = read_states(tmp_path / "ten.csv", columns=COLUMNS, grid=grid)
    assert found.counts["kept"] == (daily["depth_cm"] == 10).sum()
    assert found.out_of_season == ("ZNHAL",)
    assert 0.4 < found.frame.query("site == 'QT09'")["label"].mean() < 0.65
