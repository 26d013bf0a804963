"""Trend of a short series in every cell: slope of Theil and Sen, and the exact test of Mann and Kendall.

A map of slices has series of three to ten values, where the normal approximation of the test is wrong by a factor; so p values
come from the exact distribution. Under no trend all orders of the values are alike. With ``D`` pairs that fall and ``N0`` pairs
that are not tied, ``S = N0 - 2 D``, and the number of orders with ``D`` falling pairs is the coefficient of ``q^D`` in the
q-multinomial of the sizes of the ties (MacMahon 1916). Without ties that is Kendall's table.

References
----------
Sen 1968, J. Am. Stat. Assoc. 63:1379; Mann 1945, Econometrica 13:245; Kendall 1975, Rank Correlation Methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import numpy as np

from alm_core.errors import DomainError

CELLS_AT_ONCE = 1 << 12
"""Cells whose slopes are held at once: with ten values 1.5 MB, which a processor keeps at hand."""
FEWEST, MOST = 2, 60
"""Values of a series; beyond the most, whole numbers of orders are too large to be quick and slopes too many."""


def theil_sen(values: np.ndarray, times: Sequence[float]) -> np.ndarray:
    """Median of the slopes of all pairs of a series.

    Parameters
    ----------
    values : ndarray, ``[time, ...]``
    times : sequence of float
        Growing, one for each value.

    Returns
    -------
    ndarray, ``[...]``
        Slope per unit of `times`, float64; NaN where a value is missing.

    Raises
    ------
    DomainError
        Fewer than two times, or times that do not grow.

    Examples
    --------
    >>> theil_sen(np.array([[1.0], [2.0], [9.0]]), [0, 1, 2]).tolist()
    [4.0]
    """
    values, times = np.asarray(values, float), _checked_times(values, times)
    flat = values.reshape(len(times), -1)
    slopes = np.full(flat.shape[1], np.nan)
    pairs = list(combinations(range(len(times)), 2))
    known = np.flatnonzero(np.isfinite(flat).all(axis=0))
    for start in range(0, len(known), CELLS_AT_ONCE):
        cells = known[start : start + CELLS_AT_ONCE]
        part = flat[:, cells]
        every = np.empty((len(pairs), len(cells)))
        for number, (first, last) in enumerate(pairs):
            every[number] = (part[last] - part[first]) / (times[last] - times[first])
        # A row a cell: numpy sorts short rows that lie together many times faster than it finds their median.
        ordered = np.ascontiguousarray(every.T)
        ordered.sort(axis=1)
        slopes[cells] = (ordered[:, (len(pairs) - 1) // 2] + ordered[:, len(pairs) // 2]) / 2
    return slopes.reshape(values.shape[1:])


def mann_kendall(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kendall's S of a series and the exact two-sided p value of no trend.

    Parameters
    ----------
    values : ndarray, ``[time, ...]``
        In their order in time. Equal values are ties; the p value is that of the ties that came.

    Returns
    -------
    statistic : ndarray, ``[...]``
        Pairs that rise less pairs that fall, float64; NaN where a value is missing.
    p_value : ndarray, ``[...]``
        Chance of an S at least as far from 0 if all orders of these values were alike; NaN where a value is missing, 1 where
        all are equal.

    Raises
    ------
    DomainError
        Fewer than two values, or more than 60.

    Examples
    --------
    >>> statistic, p_value = mann_kendall(np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 1.0]]))
    >>> statistic.tolist(), [round(p, 4) for p in p_value.tolist()]
    ([6.0, 0.0], [0.0833, 1.0])
    """
    values = np.asarray(values)
    count = _checked_count(len(values))
    flat = values.reshape(count, -1)
    known = np.flatnonzero(np.isfinite(flat).all(axis=0))
    part = flat[:, known]
    found, tied = np.zeros(len(known), np.int32), np.zeros(len(known), bool)
    for first, last in combinations(range(count), 2):
        found += part[last] > part[first]
        found -= part[last] < part[first]
        tied |= part[last] == part[first]
    chance = np.asarray(kendall_p_values((1,) * count))[np.abs(found)]
    if tied.any():
        chance[tied] = _with_ties(part[:, tied], np.abs(found[tied]))
    statistic, p_value = np.full(flat.shape[1], np.nan), np.full(flat.shape[1], np.nan)
    statistic[known], p_value[known] = found, chance
    return statistic.reshape(values.shape[1:]), p_value.reshape(values.shape[1:])


def _with_ties(values: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """P values of series with ties, ``[time, cell]``: one table for each way in which values are tied."""
    ordered = np.sort(values, axis=0)
    # Each pattern of equal neighbours is a whole number: one bit for each.
    bits = np.left_shift(np.int64(1), np.arange(len(values) - 1, dtype=np.int64))
    patterns, which = np.unique(np.tensordot(bits, ordered[1:] == ordered[:-1], axes=1), return_inverse=True)
    chance = np.empty(len(distance))
    for number, pattern in enumerate(patterns):
        cells = which == number
        sizes = tie_sizes([bool(pattern & bit) for bit in bits])
        chance[cells] = np.asarray(kendall_p_values(sizes))[distance[cells]]
    return chance


def tie_sizes(same: Sequence[bool]) -> tuple[int, ...]:
    """Sizes of the groups of equal values, from whether each sorted value equals the one before.

    Examples
    --------
    >>> tie_sizes([True, False, False, True])
    (2, 2, 1)
    """
    sizes = [1]
    for equal in same:
        if equal:
            sizes[-1] += 1
        else:
            sizes.append(1)
    return tuple(sorted(sizes, reverse=True))


@cache
def kendall_p_values(ties: tuple[int, ...]) -> tuple[float, ...]:
    """Exact two-sided p value of every ``|S|`` from 0 on, for values with groups of equal ones.

    Parameters
    ----------
    ties : tuple of int
        Sizes of the groups; 1 for a value that no other equals. Their sum is the length of the series.

    Examples
    --------
    >>> kendall_p_values((1, 1, 1))[3] == 2 / 6, kendall_p_values((3,))
    (True, (1.0, 1.0, 1.0, 1.0))
    """
    count = sum(ties)
    orders, total = [1], 0
    for size in ties:
        total += size
        orders = _multiplied(orders, _q_binomial(total, size))
    untied, every = len(orders) - 1, sum(orders)
    beyond = [0] * (count * (count - 1) // 2 + 1)
    for falling, number in enumerate(orders):
        beyond[abs(untied - 2 * falling)] += number
    for distance in range(len(beyond) - 2, -1, -1):
        beyond[distance] += beyond[distance + 1]
    # An S that can't be reached with these ties never comes; its entry is that of the next one that can.
    return tuple(number / every if number else 1.0 if untied == 0 else 0.0 for number in beyond)


@cache
def _q_binomial(count: int, chosen: int) -> list[int]:
    """Coefficients of the Gaussian binomial, by Pascal's rule."""
    if chosen in (0, count):
        return [1]
    found = [0] * (chosen * (count - chosen) + 1)
    for power, number in enumerate(_q_binomial(count - 1, chosen - 1)):
        found[power] += number
    for power, number in enumerate(_q_binomial(count - 1, chosen)):
        found[power + chosen] += number
    return found


def _multiplied(first: list[int], second: list[int]) -> list[int]:
    """Product of two polynomials with whole coefficients of any size."""
    found = [0] * (len(first) + len(second) - 1)
    for power, number in enumerate(first):
        for other, factor in enumerate(second):
            found[power + other] += number * factor
    return found


def _checked_count(count: int) -> int:
    if not FEWEST <= count <= MOST:
        raise DomainError(f"A series of {count} values came: a trend needs {FEWEST} to {MOST}.")
    return count


def _checked_times(values: np.ndarray, times: Sequence[float]) -> np.ndarray:
    found = np.asarray(times, float)
    _checked_count(len(found))
    if found.shape != values.shape[:1] or (np.diff(found) <= 0).any():
        raise DomainError(f"Times {found.tolist()} came for {len(values)} values: one for each is expected, growing.")
    return found
