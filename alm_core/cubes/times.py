"""Times of daily fields: from CF time axes and from names of files and bands."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import numpy as np

from alm_core.errors import RasterError

PARTED = re.compile(r"(?<!\d)(\d{4})([-_.])(\d{2})\2(\d{2})(?!\d)")
MONTH_AND_DAY = re.compile(r"(?<!\d)(\d{4})(\d{2})(\d{2})(?!\d)")
DAY_OF_YEAR = re.compile(r"(?<!\d)(\d{4})(\d{3})(?!\d)")
YEARS = range(1950, 2101)
"""Digits that would be a day of another year are no date."""
STANDARD = ("standard", "gregorian", "proleptic_gregorian", "noleap", "365_day", "all_leap", "366_day")


def cf_times(values: np.ndarray, units: str, calendar: str = "standard") -> np.ndarray:
    """Decode a CF time axis to datetime64[s].

    Parameters
    ----------
    values : ndarray
        Numbers of the axis.
    units : str
        Such as ``"minutes since 2000-01-01 03:00:00"``.
    calendar : str
        A CF calendar whose days are days of ours; one of 360 days is refused.

    Raises
    ------
    RasterError
        Units that are no CF time, a calendar with days that don't exist, or missing times.

    Examples
    --------
    >>> str(cf_times(np.array([8415540.0]), " minutes since 2000-01-01 03:00:00")[0])
    '2016-01-01T06:00:00'
    """
    from netCDF4 import num2date

    values = np.atleast_1d(np.ma.filled(np.ma.asarray(values, float), np.nan))
    if not np.isfinite(values).all():
        raise RasterError(f"{(~np.isfinite(values)).sum()} of {values.size} times are missing: every step needs its time.")
    if calendar.strip().lower() not in STANDARD:
        raise RasterError(f"The calendar is {calendar!r}: its days are not those of the calendar. Convert the file first.")
    try:
        # Their own class for every calendar: the standard library's has no 29 February in a year that lacks one.
        found = num2date(values, units.strip(), calendar.strip().lower(), only_use_cftime_datetimes=True)
        exact = np.array([one.isoformat() for one in found], "datetime64[us]")
    except (ValueError, OverflowError) as fault:
        raise RasterError(f"Time {values[0]:g} in {units!r} can't be decoded ({fault}): CF units are expected.") from fault
    # Axes of rounded numbers miss midnight by some milliseconds, which would be the day before.
    return (exact + np.timedelta64(500, "ms")).astype("datetime64[s]")


def date_of_text(text: str) -> date | None:
    """Find the date in the text of a band or the name of a file: 2016-01-01, 20160101, A20160101 or 2008278 (day of year).

    Raises
    ------
    RasterError
        The text holds several dates.

    Examples
    --------
    >>> date_of_text("EASE2_N25km-AQUA_AMSRE-2008278-18H-E-GRD-RSS-v1.0").isoformat()
    '2008-10-04'
    >>> date_of_text("SMAP_L4_SM_aup_20200128T150000_Vv4030_001").isoformat()
    '2020-01-28'
    >>> date_of_text("N25km-v1.0") is None
    True
    """
    found = {_day(*match.group(1, 3, 4)) for match in PARTED.finditer(text)}
    for pattern in (MONTH_AND_DAY, DAY_OF_YEAR):
        found |= {_day(*match.groups()) for match in pattern.finditer(text)}
    found.discard(None)
    if len(found) > 1:
        days = ", ".join(sorted(one.isoformat() for one in found))
        raise RasterError(f"{text[:120]!r} holds several dates ({days}): one is expected. Rename the file or write a time axis.")
    return found.pop() if found else None


def _day(year: str, *rest: str) -> date | None:
    """A day by year, month and day, or by year and day of the year; None where there is no such day."""
    if int(year) not in YEARS:
        return None
    try:
        if len(rest) == 2:
            return date(int(year), int(rest[0]), int(rest[1]))
        number = int(rest[0])
        found = datetime(int(year), 1, 1) + timedelta(days=number - 1)
        return found.date() if number >= 1 and found.year == int(year) else None
    except ValueError:
        return None


def days_since(times: np.ndarray, first: date) -> np.ndarray:
    """Days from `first` of times, int64; negative before it.

    Examples
    --------
    >>> days_since(np.array(["2012-02-29T23:59:59", "2012-03-01"], "datetime64[s]"), date(2012, 2, 28)).tolist()
    [1, 2]
    """
    return (np.asarray(times).astype("datetime64[D]") - np.datetime64(first, "D")).astype(np.int64)
