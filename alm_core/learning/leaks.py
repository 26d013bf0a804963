"""How much of a test set its training set already knows: samples of the same cell days before, of the same day next door.

The state of a surface hardly changes from one day to the next and from one cell to its neighbour. A model that was trained on
the day before need not know how to tell frozen from thawed, it only has to remember. So every split of cell-days is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import LeakError
from alm_core.learning.knndm import EARTH_RADIUS_METRES, space

NEAR_DAYS = 10
NEAR_KM = 100.0
LIMIT = 0.01
"""Part of the test samples that may have a near training sample before a split is refused."""
MOST_LOOKED_AT = 2000
"""Test samples of which the neighbourhood in space and time together is looked at, for each fold."""
DAY_APART_KM = 1e5
"""Length of a day in the space of `same_day_distance`: longer than any distance on earth, so the nearest is of the same day."""


@dataclass(frozen=True)
class Places:
    """Where and when cell-days are.

    Attributes
    ----------
    cell, day : ndarray of int
    position : ndarray
        ``[sample, 2 or 3]``, kilometres: in the plane of the CRS, or straight through the sphere, where the chord of 100 km is
        one metre shorter than its arc.
    """

    cell: np.ndarray
    day: np.ndarray
    position: np.ndarray

    @classmethod
    def make(
        cls, cell: np.ndarray, day: np.ndarray, x: np.ndarray, y: np.ndarray, *, geographic: bool, unit_metres: float = 1.0
    ) -> Places:
        """From coordinates in the CRS of the grid: degrees, or units of `unit_metres`."""
        scale = EARTH_RADIUS_METRES if geographic else unit_metres
        position = space(x, y, geographic=geographic) * (scale / 1000.0)
        return cls(np.asarray(cell, np.int64), np.asarray(day, np.int64), position)

    def take(self, rows: np.ndarray) -> Places:
        """Some rows."""
        return Places(self.cell[rows], self.day[rows], self.position[rows])

    def __len__(self) -> int:
        return len(self.cell)


@dataclass(frozen=True)
class Leaks:
    """What the training samples of a split know of its test samples.

    Attributes
    ----------
    scheme : str
    test_samples : int
    same_cell : float
        Part of the test samples with a training sample of the same cell within `near_days`.
    same_day : float
        Part with a training sample of the same day within `near_km`.
    both : float
        Part with a training sample within `near_days` and `near_km`, any cell; from up to 2000 samples a fold. Splits by block
        and site don't rule it out: it is told, and no reason to refuse.
    median_days, median_km : float
        To the nearest training sample of the same cell, and of the same day; infinite where half of them have none.
    near_days, near_km : float
    """

    scheme: str
    test_samples: int
    same_cell: float
    same_day: float
    both: float
    median_days: float
    median_km: float
    near_days: int = NEAR_DAYS
    near_km: float = NEAR_KM

    @property
    def words(self) -> str:
        """One sentence that says it.

        Examples
        --------
        >>> Leaks("random", 100, 0.9, 0.25, 0.95, 3.0, 140.0).words  # doctest: +ELLIPSIS
        '90 % of the test samples have a training sample of the same cell within 10 days, 25 % one of the same day within...'
        """
        days = "none trains" if np.isinf(self.median_days) else f"{self.median_days:.0f} days away"
        km = "none trains" if np.isinf(self.median_km) else f"{self.median_km:.0f} km away"
        near = [_percent(share) for share in (self.same_cell, self.same_day, self.both)]
        return (
            f"{near[0]} of the test samples have a training sample of the same cell within {self.near_days} days, {near[1]} one "
            f"of the same day within {self.near_km:.0f} km, {near[2]} one within both spans. Nearest of the same cell: {days}; "
            f"of the same day: {km} (medians)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for metrics.json."""
        return {
            "test_samples": self.test_samples,
            "same_cell": self.same_cell,
            "same_day": self.same_day,
            "both": self.both,
            "median_days": self.median_days,
            "median_km": self.median_km,
            "near_days": self.near_days,
            "near_km": self.near_km,
            "words": self.words,
        }


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.095 else f"{100 * share:.2g} %"


def same_cell_days(test: Places, train: Places) -> np.ndarray:
    """Days from each test sample to the nearest training sample of its cell; infinite where there is none.

    Examples
    --------
    >>> flat = np.zeros((2, 2))
    >>> same_cell_days(Places(np.array([1, 2]), np.array([10, 10]), flat), Places(np.array([1, 1]), np.array([4, 30]), flat))
    array([ 6., inf])
    """
    if not len(train):
        return np.full(len(test), np.inf)
    span = int(max(train.day.max(), test.day.max(initial=0))) + 1
    keys = np.unique(train.cell * span + train.day)
    wanted = test.cell * span + test.day
    after = np.searchsorted(keys, wanted)
    found = np.full(len(test), np.inf)
    for place in (after - 1, after):
        inside = (place >= 0) & (place < len(keys))
        neighbour = keys[np.clip(place, 0, len(keys) - 1)]
        same = inside & (neighbour // span == test.cell)
        found = np.minimum(found, np.where(same, np.abs(neighbour - wanted), np.inf))
    return found


def same_day_distance(test: Places, train: Places) -> np.ndarray:
    """Kilometres from each test sample to the nearest training sample of its day; infinite where there is none."""
    from scipy.spatial import cKDTree

    if not len(train) or not len(test):
        return np.full(len(test), np.inf)
    tree = cKDTree(np.column_stack([train.position, train.day * DAY_APART_KM]))
    reach = tree.query(np.column_stack([test.position, test.day * DAY_APART_KM]), distance_upper_bound=DAY_APART_KM / 2)[0]
    return reach


def near_in_both(test: Places, train: Places, *, days: int, km: float) -> np.ndarray:
    """True where a training sample lies within some days and kilometres of a test sample, whatever its cell."""
    order = np.argsort(train.day, kind="stable")
    day, position = train.day[order], train.position[order]
    low, high = np.searchsorted(day, test.day - days, "left"), np.searchsorted(day, test.day + days, "right")
    found = np.zeros(len(test), bool)
    for row, (start, stop) in enumerate(zip(low, high, strict=True)):
        squares = ((position[start:stop] - test.position[row]) ** 2).sum(axis=1)
        found[row] = squares.min(initial=np.inf) <= km**2
    return found


def measure_leaks(
    scheme: str,
    places: Places,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    near_days: int = NEAR_DAYS,
    near_km: float = NEAR_KM,
    seed: int = 0,
) -> Leaks:
    """Measure a split over all its folds.

    Parameters
    ----------
    places : Places
        Of all samples.
    folds : sequence of (train, test)
        Rows of each fold.

    Examples
    --------
    >>> places = Places(np.array([1, 1, 2]), np.array([0, 3, 3]), np.array([[0.0, 0.0], [0.0, 0.0], [50.0, 0.0]]))
    >>> found = measure_leaks("random", places, [(np.array([0, 2]), np.array([1]))])
    >>> found.same_cell, found.same_day, found.median_days, found.median_km
    (1.0, 1.0, 3.0, 50.0)
    """
    rng = np.random.default_rng(seed)
    days, km, both = [], [], []
    for train_rows, test_rows in folds:
        train, test = places.take(train_rows), places.take(test_rows)
        days.append(same_cell_days(test, train))
        km.append(same_day_distance(test, train))
        some = rng.permutation(len(test))[:MOST_LOOKED_AT]
        both.append(near_in_both(test.take(some), train, days=near_days, km=near_km))
    days, km, both = np.concatenate(days), np.concatenate(km), np.concatenate(both)
    return Leaks(
        scheme,
        len(days),
        float(np.mean(days <= near_days)),
        float(np.mean(km <= near_km)),
        float(np.mean(both)),
        float(np.median(days)),
        float(np.median(km)),
        near_days,
        near_km,
    )


def check_leaks(leaks: Leaks, *, because: str = "", limit: float = LIMIT) -> None:
    """Refuse a split whose training samples know its test samples, unless the study says why it is wanted.

    Raises
    ------
    LeakError
        Names what leaks and what to do.
    """
    if because or max(leaks.same_cell, leaks.same_day) <= limit:
        return
    raise LeakError(
        f"The split {leaks.scheme!r} leaks: {leaks.words}. At most {100 * limit:g} % is let pass. Use larger blocks and a gap of "
        f"{leaks.near_days} days or more, or leave the scheme out; a random split needs its reason in random_because."
    )
