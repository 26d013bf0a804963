"""Statistics over the days that end on each day, to the last bit the same however the days are parted.

A sum that runs on from day to day would carry the rounding of wherever it began. Here a window is put together from pieces of
1, 2, 4, 8 ... days, always the same ones for the same window, so that its result depends on its own days and on nothing else;
and the cost grows with the logarithm of its length.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alm_core.errors import DomainError

LEAST_PART = 0.5
"""Part of the days of a window that must be there."""
Pieces = tuple[np.ndarray, ...]


def running_mean(values: np.ndarray, days: int) -> np.ndarray:
    """Mean of each window of days.

    Parameters
    ----------
    values : ndarray ``[days - 1 + day, cell]``
        With the days before the first; NaN where missing.
    days : int
        Length of the window, that ends on the day itself.

    Returns
    -------
    ndarray
        float32 ``[day, cell]``; NaN where fewer than half of the days are there.

    Raises
    ------
    DomainError
        Fewer days than the window has.

    Examples
    --------
    >>> running_mean(np.array([[1.0], [np.nan], [4.0], [np.nan], [np.nan]]), 3)[:, 0].tolist()
    [2.5, nan, nan]
    """
    values = _checked(values, days)
    known = np.isfinite(values)
    # float64 holds the sum of a year of float32 values without loss that would show.
    pieces = known.astype(np.float64), np.where(known, values, 0.0).astype(np.float64)
    return _where_enough(over_windows(pieces, days, add), days, lambda count, total: total / np.maximum(count, 1.0))


def running_sd(values: np.ndarray, days: int) -> np.ndarray:
    """Standard deviation (divisor: days that are there less one) of each window; see `running_mean`.

    Also NaN where one day only is there.

    Notes
    -----
    Means and sums of squares about them are joined by the formula of Chan, Golub and LeVeque (1983), The American Statistician
    37:242-247, which loses no digits to a large mean.

    Examples
    --------
    >>> running_sd(np.array([[1.0], [3.0], [5.0], [5.0]]), 3)[0, 0].item()
    2.0
    """

    def deviation(count: np.ndarray, mean: np.ndarray, squares: np.ndarray) -> np.ndarray:
        return np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)

    return _where_enough(_moments(values, days), days, deviation)


def running_range(values: np.ndarray, days: int) -> np.ndarray:
    """Largest less smallest value of each window; see `running_mean`.

    Examples
    --------
    >>> running_range(np.array([[1.0], [np.nan], [4.0]]), 3).tolist()
    [[3.0]]
    """
    values = _checked(values, days)
    known = np.isfinite(values)
    # Missing days are the neutral elements of the two comparisons.
    pieces = known.astype(np.float64), np.where(known, values, np.inf), np.where(known, values, -np.inf)

    def join(older: Pieces, newer: Pieces) -> Pieces:
        return older[0] + newer[0], np.minimum(older[1], newer[1]), np.maximum(older[2], newer[2])

    return _where_enough(over_windows(pieces, days, join), days, lambda count, low, high: high - low)


def over_windows(pieces: Pieces, days: int, join: Callable[[Pieces, Pieces], Pieces]) -> Pieces:
    """Join the single days of every window of `days` days.

    Parameters
    ----------
    pieces : tuple of ndarray ``[days - 1 + day, ...]``
        What is known of each single day.
    join : callable
        Gives what is known of two neighbouring pieces together, the older first.

    Returns
    -------
    tuple of ndarray ``[day, ...]``

    Examples
    --------
    >>> over_windows((np.arange(5.0),), 3, lambda older, newer: (older[0] + newer[0],))[0].tolist()
    [3.0, 6.0, 9.0]
    """
    found: Pieces | None = None
    done, size = 0, 1
    while True:
        if days & size:
            found = pieces if found is None else _join_before(pieces, found, done, join)
            done += size
        if 2 * size > days:
            return found
        pieces = _join_before(pieces, pieces, size, join)
        size *= 2


def add(older: Pieces, newer: Pieces) -> Pieces:
    """Join pieces by their sums."""
    return tuple(one + two for one, two in zip(older, newer, strict=True))


def _join_before(pieces: Pieces, newer: Pieces, length: int, join: Callable[[Pieces, Pieces], Pieces]) -> Pieces:
    """Join `pieces` to what covers the `length` days after them; all arrays end on the same day."""
    older = tuple(part[: len(part) - length] for part in pieces)
    count = min(len(older[0]), len(newer[0]))
    return join(tuple(part[len(part) - count :] for part in older), tuple(part[len(part) - count :] for part in newer))


def _moments(values: np.ndarray, days: int) -> Pieces:
    """Days that are there, their mean, and the sum of squares about it, of every window."""
    values = _checked(values, days)
    known = np.isfinite(values)
    pieces = known.astype(np.float64), np.where(known, values, 0.0).astype(np.float64), np.zeros(values.shape)

    def join(older: Pieces, newer: Pieces) -> Pieces:
        count = older[0] + newer[0]
        part = newer[0] / np.maximum(count, 1.0)
        step = newer[1] - older[1]
        # An empty piece has the mean 0, which must not move the other: its weight is 0 or 1.
        return count, older[1] + step * part, older[2] + newer[2] + step * step * older[0] * part

    return over_windows(pieces, days, join)


def _checked(values: np.ndarray, days: int) -> np.ndarray:
    values = np.asarray(values)
    if days < 1 or len(values) < days - 1:
        raise DomainError(f"{len(values)} days came for windows of {days}: those before the first day are needed too.")
    return values


def _where_enough(pieces: Pieces, days: int, result: Callable[..., np.ndarray]) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where(pieces[0] >= LEAST_PART * days, result(*pieces), np.nan).astype(np.float32)
