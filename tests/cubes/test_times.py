"""Times of files."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from alm_core.cubes.times import cf_times, date_of_text, days_since
from alm_core.errors import RasterError


@pytest.mark.parametrize(
    ("value", "units", "expected"),
    [
        (13426.0, "days since 1972-01-01 00:00:00", "2008-10-04T00:00:00"),
        (633495600.0, "seconds since 2000-01-01 11:58:55.816", "2020-01-28T14:58:56"),
        (504921600.0, "seconds since 2000-01-01", "2016-01-01T00:00:00"),
        (1.0 - 1e-9, "days since 2011-12-31", "2012-01-01T00:00:00"),
        (59.0, "days since 2012-01-01", "2012-02-29T00:00:00"),
    ],
)
def test_cf_times(value, units, expected):
    """Units as products write them; a rounded midnight is not the day before."""
    assert cf_times(np.array([value]), units).astype(str).tolist() == [expected]


def test_a_calendar_without_leap_days():
    """Day 59 of 2012 is 1 March there."""
    assert str(cf_times(np.array([59.0]), "days since 2012-01-01", "noleap")[0]) == "2012-03-01T00:00:00"


@pytest.mark.parametrize(
    ("value", "units", "calendar", "text"),
    [
        (np.nan, "days since 2012-01-01", "standard", "1 of 1 times are missing"),
        (1.0, "days since 2012-01-01", "360_day", "360_day"),
        (1.0, "fortnights since yesterday", "standard", "CF units are expected"),
    ],
)
def test_times_that_are_none(value, units, calendar, text):
    """Refused with what came."""
    with pytest.raises(RasterError, match=text):
        cf_times(np.array([value]), units, calendar)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2008278", date(2008, 10, 4)),
        ("GLDAS_NOAH025_3H.A20160101.0600.021", date(2016, 1, 1)),
        ("GLDAS_NOAH025SUBP_3H.A2015001.0600.001.2015037193230", date(2015, 1, 1)),
        ("tb_2012-02-29", date(2012, 2, 29)),
        ("2012_02_29", date(2012, 2, 29)),
        ("2012366", date(2012, 12, 31)),
        ("2011366", None),
        ("20110230", None),
        ("tile_1234567", None),
        ("", None),
    ],
)
def test_dates_in_names(text, expected):
    """Only digits that are a day count."""
    assert date_of_text(text) == expected


def test_two_dates_in_a_name():
    """Which one is meant can't be told."""
    with pytest.raises(RasterError, match=r"several dates .2011-01-01, 2011-12-31"):
        date_of_text("tb_20110101_20111231")


def test_days_before_the_first_are_negative():
    """Whole days, whatever the hour."""
    times = np.array(["2010-12-31T23:00", "2011-01-01T00:00", "2011-01-01T23:59:59"], "datetime64[s]")
    assert days_since(times, date(2011, 1, 1)).tolist() == [-1, 0, 0]
