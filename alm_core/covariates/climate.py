"""Freezing and thawing degree days from monthly temperature."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from alm_core.errors import StudyError

MONTH_DAYS = (31.0, 28.25, 31.0, 30.0, 31.0, 30.0, 31.0, 31.0, 30.0, 31.0, 30.0, 31.0)
"""Days of each month in the mean Gregorian year."""
STEPS_A_YEAR = 365
CELLS_AT_ONCE = 32_768


@lru_cache(maxsize=1)
def daily_weights() -> np.ndarray:
    """Weights ``[day, month]`` that turn twelve monthly means into daily values with the same monthly means.

    Daily values are the trigonometric polynomial of period one year (harmonics 1 to 5 and the cosine of the sixth)
    whose mean over each month is the given one. Sampled at the middle of 365 equal days.

    Examples
    --------
    >>> bool(np.allclose(daily_weights().sum(axis=1), 1))
    True
    """
    edges = np.concatenate([[0.0], np.cumsum(MONTH_DAYS)]) / sum(MONTH_DAYS)
    days = (np.arange(STEPS_A_YEAR) + 0.5) / STEPS_A_YEAR
    at_day, mean_of_month = [np.ones(STEPS_A_YEAR)], [np.ones(12)]
    width = np.diff(edges)
    for harmonic in range(1, 7):
        omega = 2 * np.pi * harmonic
        at_day.append(np.cos(omega * days))
        mean_of_month.append(np.diff(np.sin(omega * edges)) / (omega * width))
        if harmonic < 6:
            at_day.append(np.sin(omega * days))
            mean_of_month.append(-np.diff(np.cos(omega * edges)) / (omega * width))
    return np.stack(at_day, 1) @ np.linalg.inv(np.stack(mean_of_month, 1))


def degree_days(temperature: np.ndarray, *, kind: str = "thawing", method: str = "monthly", unit: str = "celsius") -> np.ndarray:
    """Freezing or thawing degree days of a year from twelve monthly mean temperatures.

    Thawing: sum of max(T, 0) over days; freezing: sum of max(-T, 0), a positive number. The ``"monthly"`` method takes
    every day of a month at its mean; it misses thaw in months around 0 C. The ``"sine"`` method draws a smooth yearly
    curve of sines that keeps each monthly mean and sums it by day; it is never below the monthly sum by more than
    rounding.

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
    return np.tensordot(np.asarray(MONTH_DAYS), np.where(signed < 0, 0.0, signed), axes=1)


def _sum_of_days(signed: np.ndarray) -> np.ndarray:
    """In parts: 365 daily values of a whole block would fill memory."""
    months = signed.reshape(12, -1)
    total = np.empty(months.shape[1])
    day_length = sum(MONTH_DAYS) / STEPS_A_YEAR
    for start in range(0, months.shape[1], CELLS_AT_ONCE):
        part = slice(start, start + CELLS_AT_ONCE)
        daily = daily_weights() @ months[:, part]
        total[part] = np.where(daily < 0, 0.0, daily).sum(axis=0) * day_length
    return total.reshape(signed.shape[1:])
