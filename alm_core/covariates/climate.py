"""Freezing and thawing degree days from monthly temperature."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from alm_core.errors import StudyError

MONTH_DAYS = (31.0, 28.25, 31.0, 30.0, 31.0, 30.0, 31.0, 31.0, 30.0, 31.0, 30.0, 31.0)
"""Days of each month in the mean Gregorian year."""
DAY_COUNTS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MONTH_OF_DAY = np.repeat(np.arange(12), DAY_COUNTS)
DAY_LENGTHS = np.asarray(MONTH_DAYS)[MONTH_OF_DAY] / np.asarray(DAY_COUNTS)[MONTH_OF_DAY]
"""Length of each of 365 days, days: those of February are a little longer and carry the leap day."""
CELLS_AT_ONCE = 32_768


@lru_cache(maxsize=1)
def daily_weights() -> np.ndarray:
    """Weights ``[day, month]`` that turn twelve monthly means into 365 daily values with the same monthly means.

    Daily values follow a trigonometric polynomial of period one year (harmonics 1 to 5 and the cosine of the sixth).

    Examples
    --------
    >>> daily = daily_weights() @ np.arange(1.0, 13.0)
    >>> round(float(daily[:31].mean()), 9), round(float(daily[31:59].mean()), 9)
    (1.0, 2.0)
    """
    phase = 2 * np.pi * (np.arange(365) + 0.5) / 365
    waves = [np.ones(365)]
    for harmonic in range(1, 7):
        waves.append(np.cos(harmonic * phase))
        if harmonic < 6:
            waves.append(np.sin(harmonic * phase))
    basis = np.stack(waves, axis=1)
    monthly = np.stack([basis[month == MONTH_OF_DAY].mean(axis=0) for month in range(12)])
    return basis @ np.linalg.inv(monthly)


def degree_days(temperature: np.ndarray, *, kind: str = "thawing", method: str = "monthly", unit: str = "celsius") -> np.ndarray:
    """Freezing or thawing degree days of a year from twelve monthly mean temperatures.

    Thawing: sum of max(T, 0) over days; freezing: sum of max(-T, 0), a positive number. The ``"monthly"`` method takes
    every day of a month at its mean; it misses thaw in months around 0 C. The ``"sine"`` method draws a smooth yearly
    curve of sines that keeps each monthly mean and sums it by day; it is never below the monthly sum.

    Parameters
    ----------
    temperature : ndarray
        ``[12, row, column]``, January first.
    kind : {"thawing", "freezing"}
    method : {"monthly", "sine"}
    unit : {"celsius", "kelvin"}
        Of `temperature`.

    Returns
    -------
    ndarray
        ``[row, column]`` float32, degree Celsius days. NaN where any month is missing.

    Raises
    ------
    StudyError
        Not twelve months, or an unknown kind, method or unit.

    Examples
    --------
    >>> temperature = np.full((12, 1, 1), -10.0)
    >>> temperature[6] = 8.0
    >>> degree_days(temperature).item(), degree_days(temperature, kind="freezing").item()
    (248.0, 3342.5)
    """
    temperature = np.asarray(temperature, np.float64)
    for name, value, allowed in (
        ("kind", kind, ("thawing", "freezing")),
        ("method", method, ("monthly", "sine")),
        ("unit", unit, ("celsius", "kelvin")),
    ):
        if value not in allowed:
            raise StudyError(f"degree_days: {name} is {value!r}; one of {', '.join(allowed)} is expected.")
    if len(temperature) != 12:
        raise StudyError(f"degree_days: {len(temperature)} temperature layers given; twelve are expected, January first.")
    if unit == "kelvin":
        temperature = temperature - 273.15
    signed = temperature if kind == "thawing" else -temperature
    total = _sum_of_months(signed) if method == "monthly" else _sum_of_days(signed)
    return total.astype(np.float32)


def _sum_of_months(signed: np.ndarray) -> np.ndarray:
    total = np.zeros(signed.shape[1:])
    for month, days in zip(signed, MONTH_DAYS, strict=True):
        total += days * np.maximum(month, 0.0)
    return total


def _sum_of_days(signed: np.ndarray) -> np.ndarray:
    """In parts: 365 daily values of a whole block would fill memory."""
    months = signed.reshape(12, -1)
    total = np.empty(months.shape[1])
    for start in range(0, months.shape[1], CELLS_AT_ONCE):
        part = slice(start, start + CELLS_AT_ONCE)
        daily = daily_weights() @ months[:, part]
        total[part] = (np.maximum(daily, 0.0) * DAY_LENGTHS[:, None]).sum(axis=0)
    return total.reshape(signed.shape[1:])
