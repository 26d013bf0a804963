"""Freezing and thawing degree days where a year is known by its mean and range, or day by day."""

from __future__ import annotations

from typing import Any

import numpy as np

from alm_core.errors import StudyError

YEAR_DAYS = 365.25
"""Days of the mean Gregorian year."""
DAYS_OF_YEARS = (365, 366)
HOTTEST = 150.0
"""degree Celsius: a larger annual mean is a temperature in kelvin."""
MONTHLY_PART = float(np.sinc(1.0 / 12.0))
"""Amplitude of the twelve monthly means of a yearly sine, as a part of the amplitude of the sine."""
RANGES = ("extremes", "months")


def annual_degree_days(
    mean: Any, temperature_range: Any, *, kind: str = "thawing", range_of: str = "months", unit: str = "celsius"
) -> np.ndarray:
    """Freezing or thawing degree days of a yearly sine of known mean and range.

    The integral of the positive (or negative) part of ``M + A cos(2 pi t)`` over a year of 365.25 days, in closed form. Not
    for climates whose winter and summer differ in length: with monthly temperatures use
    `alm_core.covariates.climate.degree_days`.

    Parameters
    ----------
    mean : array
        Mean annual temperature ``M``.
    temperature_range : array
        Warmest less coldest, degree Celsius or kelvin; not negative.
    kind : {"thawing", "freezing"}
        Both are positive numbers.
    range_of : {"months", "extremes"}
        The range is that of the warmest and coldest monthly means (then ``2 A = range / sinc(1 / 12)``), or of the curve.
    unit : {"celsius", "kelvin"}
        Of `mean`.

    Returns
    -------
    ndarray
        degree Celsius day, float32, NaN where an input is missing.

    Raises
    ------
    StudyError
        An unknown word, a negative range, or a mean that can't be in the unit named.

    Examples
    --------
    >>> float(annual_degree_days(10.0, 8.0)), float(annual_degree_days(-10.0, 8.0))
    (3652.5, 0.0)
    >>> round(float(annual_degree_days(0.0, 20.0, range_of="extremes")), 2)  # 365.25 * 10 / pi
    1162.63
    """
    check_word("annual_degree_days", "kind", kind, ("thawing", "freezing"))
    check_word("annual_degree_days", "range_of", range_of, RANGES)
    check_word("annual_degree_days", "unit", unit, ("celsius", "kelvin"))
    centre = in_celsius("annual_degree_days", mean, unit)
    amplitude = np.asarray(temperature_range, np.float64) / 2.0
    if np.any(amplitude < 0):
        raise StudyError(
            f"annual_degree_days: a temperature range of {2 * float(np.nanmin(amplitude)):g} came; warmest less coldest is "
            "expected, which is never negative. Swap the two, also south of the equator."
        )
    if range_of == "months":
        amplitude = amplitude / MONTHLY_PART
    thawing = _above_zero(centre, amplitude)
    return (thawing if kind == "thawing" else thawing - YEAR_DAYS * centre).astype(np.float32)


def _above_zero(mean: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """Integral of max(M + A cos, 0) over the year, degree Celsius day."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # half of the time above zero, as an angle: all of the year where the mean is above the amplitude, none below
        half = np.arccos(np.clip(-mean / amplitude, -1.0, 1.0))
    half = np.where(amplitude == 0, np.where(mean > 0, np.pi, 0.0), half)
    found = np.maximum(YEAR_DAYS / np.pi * (mean * half + amplitude * np.sin(half)), 0.0)
    return np.where(np.isnan(mean) | np.isnan(amplitude), np.nan, found)


def daily_degree_days(temperature: np.ndarray, *, kind: str = "thawing", unit: str = "celsius") -> np.ndarray:
    """Freezing or thawing degree days of one year from its daily mean temperatures.

    Not for part of a year or for several years at once: the index is a sum, and a longer record would be taken for a colder one.

    Parameters
    ----------
    temperature : ndarray
        ``[day, ...]``, 365 or 366 days.
    kind : {"thawing", "freezing"}
    unit : {"celsius", "kelvin"}

    Returns
    -------
    ndarray
        ``[...]`` float32, degree Celsius day; NaN where any day is missing.

    Raises
    ------
    StudyError
        Another number of days, an unknown word, or values that can't be in the unit named.

    Examples
    --------
    >>> daily = np.full(365, -1.0)
    >>> daily[:10] = 4.0
    >>> float(daily_degree_days(daily)), float(daily_degree_days(daily, kind="freezing"))
    (40.0, 355.0)
    """
    check_word("daily_degree_days", "kind", kind, ("thawing", "freezing"))
    check_word("daily_degree_days", "unit", unit, ("celsius", "kelvin"))
    if len(temperature) not in DAYS_OF_YEARS:
        raise StudyError(
            f"daily_degree_days: {len(temperature)} days came; 365 or 366 are expected. Cut the record into years of its own."
        )
    total = np.zeros(np.shape(temperature)[1:])
    for day in temperature:  # a year of a whole block in float64 would fill memory
        value = in_celsius("daily_degree_days", day, unit)
        total += np.maximum(value if kind == "thawing" else -value, 0.0)
    return total.astype(np.float32)


def in_celsius(what: str, temperature: Any, unit: str) -> np.ndarray:
    """Bring a temperature to degree Celsius, float64.

    Raises
    ------
    StudyError
        Values that can't be in the unit that was named.
    """
    value = np.asarray(temperature, np.float64) - (273.15 if unit == "kelvin" else 0.0)
    if unit == "celsius" and np.any(value > HOTTEST):
        raise StudyError(
            f"{what}: a temperature of {float(np.nanmax(value)):g} degree Celsius came; it looks like kelvin. "
            'Say unit = "kelvin".'
        )
    if np.any((value < -HOTTEST) & (np.asarray(temperature) != 0)):  # recipes are checked on zeros, which are no measurement
        raise StudyError(
            f"{what}: a temperature of {float(np.nanmin(value)):g} degree Celsius came after reading it as {unit}; "
            "name the unit that it has, and the nodata value of the layer."
        )
    return value


def check_word(what: str, name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse an option that is none of the words allowed.

    Raises
    ------
    StudyError
    """
    if value not in allowed:
        raise StudyError(f"{what}: {name} is {value!r}; one of {', '.join(allowed)} is expected.")
