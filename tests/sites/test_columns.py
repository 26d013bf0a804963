"""Columns are found by name; cells become numbers, words and dates or named faults."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import TableError
from alm_core.options import Columns
from alm_core.sites.columns import ALIASES, choose_columns, decimal_comma, parse_dates, parse_numbers, parse_text
from alm_core.sites.faults import Faults


def cells(*values):
    """A column of anything."""
    return pd.Series(list(values), dtype=object)


def rows(count):
    """Rows 2, 3, 4 ... as in a spreadsheet."""
    return np.arange(2, count + 2)


def choose(found, columns=None, **options):
    """Choose with defaults, raising faults."""
    faults = Faults("sites.csv")
    chosen = choose_columns(found, columns or {}, faults, **{"raw_measurements": False, "geometry": False, **options})
    faults.raise_any()
    return chosen


def test_fields_are_those_of_the_study():
    """Every field of the options can be found, and no other."""
    assert set(ALIASES) == set(Columns.model_fields)


@pytest.mark.parametrize(
    "found",
    [
        ["Site ID", "Longitude (°E)", "Latitude (°N)", "VWC [m3/m3]", "Date"],
        ["编号", "经度", "纬度", "含水量", "日期"],
        ["name", "X", "Y", "value", "Sampling-Date"],
        ["站点", "经度(度)", "纬度(度)", "土壤含水量", "采样日期"],
    ],
)
def test_usual_names_are_guessed(found):
    """English and Chinese names, whatever the case and the units."""
    chosen = choose(found)
    assert [chosen.names[field] for field in ("site_id", "longitude", "latitude", "value", "date")] == found
    assert len(chosen.notes) == 5


def test_named_columns_go_before_guesses():
    """A named column is used, and no other field may then guess it."""
    assert choose(["lat", "latitude", "lon"], {"latitude": "lat"}).names["latitude"] == "lat"
    assert "site_id" not in choose(["lon", "lat", "name"], {"survey": "name"}).names


def test_raw_columns_are_only_guessed_for_a_conversion():
    """A velocity is no business of a table without conversion."""
    assert "velocity" not in choose(["velocity"]).names
    assert choose(["velocity"], raw_measurements=True).names["velocity"] == "velocity"


def test_incomplete_column_is_not_guessed_as_id():
    """An id that is empty somewhere can't be the id."""
    assert choose(["id", "site"], incomplete={"id"}).names["site_id"] == "site"


def test_missing_columns_name_the_nearest():
    """All missing columns in one text, with what is there."""
    with pytest.raises(TableError, match=r"2 faults(.|\n)*The nearest is 'longitude'(.|\n)*columns.value names 'q'"):
        choose(["longitude", "latitude"], {"longitude": "longitud", "value": "q"})
    with pytest.raises(TableError, match="2 columns named 'lat'"):
        choose(["lat", "lat"], {"latitude": "lat"})
    with pytest.raises(TableError, match="no such field"):
        choose(["lat"], {"lattitude": "lat"})


def test_numbers_are_exact():
    """Signs, exponents, full-width digits, true minus; missing is NaN."""
    faults = Faults("t")
    found = parse_numbers(
        cells("1.5", " -2", "3e-2", "\uff14\uff15", "\u22127", "", "NaN", "NA", None, 8, np.nan), rows(11), "v", faults
    )
    np.testing.assert_array_equal(found, [1.5, -2, 0.03, 45, -7, np.nan, np.nan, np.nan, np.nan, 8, np.nan])
    assert not faults.found


@pytest.mark.parametrize(
    "cell", ["<66", ">124", "n/a", "--", "inf", "12 %", "1,234.5", "35N", "1_000", True, float("inf"), datetime.date(2012, 1, 1)]
)
def test_text_is_never_a_number(cell):
    """A cell that is no number is named with its row and column."""
    faults = Faults("t")
    assert np.isnan(parse_numbers(cells("1", cell), rows(2), "vwc", faults)[1])
    with pytest.raises(TableError, match=r"column 'vwc'.*row 3"):
        faults.raise_any()


def test_ten_rows_are_named_and_the_rest_counted():
    """A long list stays readable."""
    faults = Faults("t")
    parse_numbers(cells(*["<66"] * 14), rows(14), "v", faults)
    with pytest.raises(TableError, match=r"14 cell.*row 11 '<66' and 4 more"):
        faults.raise_any()


def test_decimal_comma_is_judged_over_all_columns():
    """Commas count as decimal marks only where no number has a point."""
    assert decimal_comma([cells("91,5"), cells("3")])
    assert not decimal_comma([cells("91,5"), cells("3.5")])
    assert not decimal_comma([cells("91"), cells("3")])
    assert parse_numbers(cells("-0,25"), rows(1), "v", Faults("t"), comma=True)[0] == -0.25


def test_words_keep_leading_zeros():
    """Ids are words; a spreadsheet's 7.0 is 7."""
    assert list(parse_text(cells("007", 7.0, 7, " a "))) == ["007", "7", "7", "a"]
    assert parse_text(cells(None, "", np.nan)).isna().all()


@pytest.mark.parametrize(
    "cell",
    [
        "2012-09-05", "2012/9/5", "20120905", 20120905, "05.09.2012", "2012年9月5日", "2012-09-05T00:00:00Z",
        datetime.datetime(2012, 9, 5), datetime.date(2012, 9, 5), np.datetime64("2012-09-05"),
    ],
)  # fmt: skip
def test_dates(cell):
    """Every usual way to write one day."""
    dates, only_year = parse_dates(cells(cell, None), rows(2), "d", Faults("t"))
    assert dates[0] == pd.Timestamp("2012-09-05")
    assert pd.isna(dates[1])
    assert not only_year.any()


def test_slashed_dates_need_one_reading():
    """Day or month first is told by the column as a whole, or refused."""
    faults = Faults("t")
    assert parse_dates(cells("03/04/2012", "25/04/2012"), rows(2), "d", faults)[0][0] == pd.Timestamp("2012-04-03")
    assert parse_dates(cells("03/04/2012", "04/25/2012"), rows(2), "d", faults)[0][0] == pd.Timestamp("2012-03-04")
    assert not faults.found
    parse_dates(cells("03/04/2012"), rows(1), "d", faults)
    with pytest.raises(TableError, match="two ways"):
        faults.raise_any()


def test_year_alone_is_marked():
    """A year is no date: its month must not be believed."""
    dates, only_year = parse_dates(cells("2012", 2013), rows(2), "d", Faults("t"))
    assert list(dates.dt.year) == [2012, 2013]
    assert only_year.all()


def test_bad_dates_are_named():
    """An impossible day is no date."""
    faults = Faults("t")
    parse_dates(cells("2012-09-31", "autumn"), rows(2), "d", faults)
    with pytest.raises(TableError, match=r"row 2 '2012-09-31', row 3 'autumn'"):
        faults.raise_any()
