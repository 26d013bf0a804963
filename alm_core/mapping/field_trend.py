"""Trends of yearly numbers in many places at once, and how many of them are more than chance over the whole field."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alm_core.mapping.change import SIGNIFICANCE, false_discoveries_controlled
from alm_core.mapping.trend import kendall_p_values, mann_kendall, theil_sen

TREND_BANDS = ("trend_per_decade", "p_value")
FEWEST_YEARS = 3
LEAST_PART = 0.7
"""Part of the years in which a place needs a number."""
METHOD = (
    "Theil and Sen's median slope; exact two-sided test of Mann and Kendall, ties included; in cells with a number in at least "
    f"{100 * LEAST_PART:.0f} % of the years"
)


@dataclass(frozen=True)
class FieldTrend:
    """Trends of a field.

    Attributes
    ----------
    slope, p_value : ndarray
        float32 ``[cell]``: per decade, and of no trend; NaN where there are too few numbers.
    unit : str
        Of the slope.
    cells : int
        Cells with a trend.
    mean_per_decade : float or None
        Weighted by area.
    significant_share, rising_share, falling_share : float or None
        Part of `cells` with p below `significance`, and of those that rise and fall.
    significant_share_controlled : float or None
        The same with the rate of false discoveries held over the field (Benjamini and Hochberg 1995; Wilks 2016, Bull. Am.
        Meteorol. Soc. 97:2263): without a trend anywhere five of a hundred cells are below 0.05.
    smallest_p_value : float
        That so many years can give; above `significance` no cell can be significant.
    significance : float
    """

    slope: np.ndarray = field(repr=False)
    p_value: np.ndarray = field(repr=False)
    unit: str
    cells: int
    mean_per_decade: float | None
    significant_share: float | None
    rising_share: float | None
    falling_share: float | None
    significant_share_controlled: float | None
    smallest_p_value: float
    significance: float = SIGNIFICANCE

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the fields."""
        return {name: value for name, value in vars(self).items() if name not in ("slope", "p_value")} | {"method": METHOD}


def field_trend(values: np.ndarray, years: Sequence[int], areas: np.ndarray, *, unit: str = "") -> FieldTrend | None:
    """Trend of every cell and of the field.

    Parameters
    ----------
    values : ndarray
        ``[year, cell]``, NaN where missing. Cells that lack some years have the trend of the others, as long as there are enough.
    years : sequence of int
        Growing.
    areas : ndarray
        ``[cell]``.
    unit : str
        Of the values.

    Returns
    -------
    FieldTrend or None
        None with fewer than three years.

    Examples
    --------
    >>> found = field_trend(np.array([[1.0], [2.0], [3.0], [4.0], [5.0]]), range(2010, 2015), np.ones(1), unit="days")
    >>> found.mean_per_decade, round(float(found.p_value[0]), 4), found.unit
    (10.0, 0.0167, 'days decade-1')
    """
    if len(years) < FEWEST_YEARS:
        return None
    slope, p_value = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    fewest = max(FEWEST_YEARS, math.ceil(LEAST_PART * len(years)))
    known = np.isfinite(values)
    times = np.asarray(years, float)
    # Cells that lack the same years are looked at together.
    patterns, which = np.unique(known, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        if pattern.sum() >= fewest:
            cells = which.reshape(-1) == number
            part = np.asarray(values[pattern][:, cells], float)
            slope[cells] = theil_sen(part, times[pattern]) * 10
            p_value[cells] = mann_kendall(part)[1]
    return _summary(slope, p_value, areas, unit, len(years))


def _summary(slope: np.ndarray, p_value: np.ndarray, areas: np.ndarray, unit: str, years: int) -> FieldTrend:
    known = np.isfinite(slope)
    count = int(known.sum())

    def share(part: float) -> float | None:
        return float(part) / count if count else None

    significant = known & (p_value < SIGNIFICANCE)
    weight = float(areas[known].sum())
    # Not of float32, which would move a p value over a limit that it lies on.
    tests = Counter(p_value[known].tolist())
    return FieldTrend(
        slope=slope.astype(np.float32),
        p_value=p_value.astype(np.float32),
        unit=f"{unit} decade-1" if unit not in ("", "1") else "decade-1",
        cells=count,
        mean_per_decade=float((areas[known] * slope[known]).sum() / weight) if weight > 0 else None,
        significant_share=share(significant.sum()),
        rising_share=share((significant & (slope > 0)).sum()),
        falling_share=share((significant & (slope < 0)).sum()),
        significant_share_controlled=share(false_discoveries_controlled(tests, SIGNIFICANCE)),
        smallest_p_value=kendall_p_values((1,) * years)[-1],
    )
