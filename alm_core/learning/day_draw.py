"""Drawing cell-days evenly over the days and cells that have a state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Stretch = tuple[int, int]
"""First day and day after the last, places in the calendar."""


@dataclass(frozen=True)
class CellDays:
    """Some cell-days and their states, as arrays of equal length.

    Attributes
    ----------
    cell, day : ndarray of int64
        Place among the mapped cells, and in the calendar.
    state : ndarray of int8
        0 thawed, 1 frozen.
    row : ndarray of int64
        Row of the site table that the state comes from; -1 where it comes from a product.
    """

    cell: np.ndarray
    day: np.ndarray
    state: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.cell)

    def take(self, chosen: np.ndarray) -> CellDays:
        """Some of them, by place or by mask."""
        return CellDays(self.cell[chosen], self.day[chosen], self.state[chosen], self.row[chosen])

    @classmethod
    def join(cls, parts: Sequence[CellDays]) -> CellDays:
        """Several one after the other."""
        kinds = {"cell": np.int64, "day": np.int64, "state": np.int8, "row": np.int64}
        return cls(
            *(
                np.concatenate([np.zeros(0, kind), *(getattr(part, name) for part in parts)]).astype(kind)
                for name, kind in kinds.items()
            )
        )


ReadStates = Callable[[int, int], CellDays]
"""Gives the cell-days with a state from a day to before another."""


def months(dates: np.ndarray) -> list[Stretch]:
    """The calendar cut into months: what is read and drawn at once, so that memory stays flat.

    Examples
    --------
    >>> months(np.arange("2012-01-30", "2012-03-02", dtype="datetime64[D]"))
    [(0, 2), (2, 31), (31, 32)]
    """
    starts = np.flatnonzero(np.diff(dates.astype("datetime64[M]").astype(int), prepend=-1))
    stops = [*starts[1:].tolist(), len(dates)]
    return list(zip(starts.tolist(), stops, strict=True))


def quotas(available: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """Parts of `count` in the proportion of `weights`; what one stretch can't give, the others share.

    Parameters
    ----------
    available : ndarray of int
        The most that each can give.
    weights : ndarray
        Positive.

    Returns
    -------
    ndarray of int64
        Sums up to `count`, or to all that is available.

    Examples
    --------
    >>> quotas(np.array([2, 100, 100]), np.array([30, 30, 30]), 60).tolist()
    [2, 29, 29]
    """
    available, weights = np.asarray(available, np.int64), np.asarray(weights, float)
    given, total = np.zeros(len(available), np.int64), min(int(count), int(available.sum()))
    while (left := total - int(given.sum())) > 0:
        share = np.where(given < available, weights, 0.0)
        share *= left / share.sum()
        more = np.minimum(np.floor(share).astype(np.int64), available - given)
        if not more.any():  # fewer are left than there are stretches: one each, the longest first
            more[np.argsort(-share, kind="stable")[:left]] = 1
            more[share == 0] = 0
        given += more
    return given


def held_back(check: CellDays, start: int, stop: int, cells: int, days: int) -> np.ndarray:
    """Cell-days that lie within some days of a cell-day of the check, in its cell: bool ``[day, cell]``.

    Parameters
    ----------
    start, stop : int
        The days that are asked for.
    cells : int
        Number of mapped cells.
    days : int
        Reach, before and after.
    """
    held = np.zeros((stop - start, cells), bool)
    near = (check.day >= start - days) & (check.day < stop + days)
    cell, day = check.cell[near], check.day[near] - start
    for shift in range(-days, days + 1):
        inside = (day + shift >= 0) & (day + shift < stop - start)
        held[day[inside] + shift, cell[inside]] = True
    return held


def draw_cell_days(read: ReadStates, stretches: Sequence[Stretch], count: int, *, seed: int, stream: int) -> CellDays:
    """Draw cell-days with a state, evenly over the days and, within a month, over its cell-days.

    Every month gives in the proportion of its days, so that no season is left out because the product has fewer values in it;
    where it has too few, the other months share the rest. Within a month every cell-day is as likely as any other. The draw of
    a month depends on the seed and on its own cell-days only, never on their states. Not for rare classes: the share of frozen
    cell-days stays what it is.

    Parameters
    ----------
    read : callable
        Gives the cell-days of a stretch that may be drawn.
    count : int
        How many; all where there are fewer.
    seed, stream : int
        Draws of different streams are independent.

    Examples
    --------
    >>> def read(start, stop):
    ...     day = np.arange(start, stop)
    ...     return CellDays(day * 0, day, (day % 2).astype(np.int8), day * 0 - 1)
    >>> draw_cell_days(read, [(0, 31), (31, 59)], 4, seed=1, stream=0).day.tolist()
    [13, 15, 23, 38]
    """
    available = np.array([len(read(*stretch)) for stretch in stretches])
    wanted = quotas(available, np.array([stop - start for start, stop in stretches]), count)
    parts = []
    for (start, stop), number in zip(stretches, wanted, strict=True):
        if number:
            found = read(start, stop)
            rng = np.random.default_rng([seed, stream, start])
            parts.append(found.take(np.sort(rng.choice(len(found), int(number), replace=False))))
    return CellDays.join(parts)
