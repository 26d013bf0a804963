"""The season of a day: its place on the circle of the year, and the air temperature that a climate gives it."""

from __future__ import annotations

import numpy as np

from alm_core.cubes.running import add, over_windows
from alm_core.errors import DomainError

MID_JANUARY = 15.5 / 365.0
"""Middle of January as a part of the year; that of July comes half a year later, to within two days."""
MONTH_OF_YEAR, MONTH_OF_HALF_YEAR = float(np.sinc(1.0 / 12.0)), float(np.sinc(1.0 / 6.0))
"""A monthly mean about the peak of a wave of a year, and of half a year, as part of its amplitude."""
SEASONAL_RANGE = 10.0
"""K between January and July above which no climate has its annual mean outside the two."""
LEAST_MONTHS = 10
"""Calendar months that a record must have before its yearly wave is believed."""


def day_of_year_angle(dates: np.ndarray) -> np.ndarray:
    """Place of the middle of each day on the circle of its own year, of 365 or 366 days, in radians.

    Parameters
    ----------
    dates : ndarray of datetime64[D] any shape

    Returns
    -------
    ndarray
        float64 of the same shape, 0 to 2 pi.

    Examples
    --------
    >>> days = np.array(["2011-01-01", "2012-07-02", "2012-12-31"], "datetime64[D]")
    >>> (day_of_year_angle(days) / np.pi).round(4).tolist()
    [0.0027, 1.0027, 1.9973]
    """
    dates = np.asarray(dates, "datetime64[D]")
    years = dates.astype("datetime64[Y]")
    first, following = years.astype("datetime64[D]"), (years + 1).astype("datetime64[D]")
    past, length = (dates - first).astype(np.float64), (following - first).astype(np.float64)
    return 2.0 * np.pi * (past + 0.5) / length


def seasonal_temperature(
    annual: np.ndarray, january: np.ndarray, july: np.ndarray, dates: np.ndarray, *, days: int = 1
) -> np.ndarray:
    """Air temperature that the climate gives to a day, or its mean over the days that end on it.

    The wave of a year and that of half a year which have the given means of the year, of January and of July, coldest or warmest
    in the middle of these months. It knows no weather: every year has the same course. The mean over `days` days lags by half of
    them and is smaller, as the ground does.

    Parameters
    ----------
    annual, january, july : ndarray ``[cell]``
        Mean air temperatures in one unit.
    dates : ndarray of datetime64[D] ``[day]``
    days : int
        Days that end on the day itself.

    Returns
    -------
    ndarray
        float32 ``[day, cell]``, NaN where a mean is missing.

    Raises
    ------
    DomainError
        The annual mean lies outside those of January and July where these differ much: another order or another unit.

    Notes
    -----
    ``T = M - A cos(p) + B cos(2 p)``, p the angle since mid-January, ``A = (July - January) / 2 / sinc(1/12)``,
    ``B = ((July + January) / 2 - M) / sinc(1/6)``: what a month's mean takes off the peak is put back.

    Examples
    --------
    >>> days = np.array(["2011-01-16", "2011-07-17"], "datetime64[D]")
    >>> found = seasonal_temperature(np.array([-2.0]), np.array([-15.0]), np.array([9.0]), days)
    >>> [round(float(value), 1) for value in found[:, 0]]
    [-15.2, 9.1]
    """
    annual, january, july = (np.asarray(layer, np.float64) for layer in (annual, january, july))
    low, high = np.minimum(january, july), np.maximum(january, july)
    strange = (high - low > SEASONAL_RANGE) & ((annual < low) | (annual > high))
    if strange.any():
        cell = int(strange.argmax())
        raise DomainError(
            f"seasonal_temperature: annual mean {annual[cell]:g}, January {january[cell]:g} and July {july[cell]:g} came "
            f"({int(strange.sum())} cell(s) like this): the annual mean lies between the two. Give annual, January, July in this "
            "order and in one unit."
        )
    dates = np.asarray(dates, "datetime64[D]")
    window = dates - np.arange(days - 1, -1, -1)[:, None]
    angle = day_of_year_angle(window) - 2.0 * np.pi * MID_JANUARY
    waves = over_windows((np.cos(angle), np.cos(2.0 * angle)), days, add)
    year, half_year = (wave[0, :, None] / days for wave in waves)
    amplitude = (july - january) / 2.0 / MONTH_OF_YEAR
    second = ((july + january) / 2.0 - annual) / MONTH_OF_HALF_YEAR
    return (annual - amplitude * year + second * half_year).astype(np.float32)


def warmest_day(dates: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Day of the year at the crest of the yearly wave that fits a record best (least squares), and the amplitude of the wave.

    Parameters
    ----------
    dates : ndarray of datetime64 ``[day]``
        In any order, with gaps.
    values : ndarray ``[day]``
        Without NaN.

    Returns
    -------
    tuple of float
        1 to 366, and the unit of the values; NaN and NaN where fewer than `LEAST_MONTHS` calendar months are there, since half a
        wave tells nothing of its crest.

    Examples
    --------
    >>> days = np.arange("2013-01-01", "2014-01-01", dtype="datetime64[D]")
    >>> crest, amplitude = warmest_day(days, 3 + 8 * np.cos(day_of_year_angle(days) - 2 * np.pi * 199.5 / 365))
    >>> round(crest), round(amplitude, 6)
    (200, 8.0)
    """
    months = np.asarray(dates, "datetime64[M]").astype(int) % 12
    if len(np.unique(months)) < LEAST_MONTHS:
        return float("nan"), float("nan")
    angle = day_of_year_angle(dates)
    waves = np.column_stack([np.ones(angle.size), np.cos(angle), np.sin(angle)])
    _, cosine, sine = np.linalg.lstsq(waves, np.asarray(values, np.float64), rcond=None)[0]
    crest = np.arctan2(sine, cosine) % (2.0 * np.pi)
    return float(crest / (2.0 * np.pi) * 365.25 + 0.5), float(np.hypot(cosine, sine))
