"""Splits of cell-days into what trains and what is tested.

`random` is what is usually published: days and cells beside each other fall on both sides, and the score says how well a model
fills in between its own samples. `year` asks for days that no training sample is near, `block` and `site` for places. Each
answers one question only; `alm_core.learning.leaks` measures what each lets through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alm_core.errors import FoldsError
from alm_core.learning.blocks import block_labels, deal_groups, deal_stretches
from alm_core.learning.day_samples import DaySamples
from alm_core.learning.leaks import NEAR_KM, Leaks, Places, measure_leaks, same_day_distance

SCHEMES = ("random", "year", "block", "site")
GROUPS_PER_FOLD = 4
"""Up to this many sites for each fold are left out one by one."""
PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class DayFold:
    """One model of a split: the rows that it learns from and those that it is asked for.

    Attributes
    ----------
    number : int
    name : str
        What is left out: years, the site, or the number of the fold.
    train : ndarray of int
    asked : dict
        Rows by part: ``test``, of a random split also ``validation`` (and ``training``, its own rows), and ``check``.
    """

    number: int
    name: str
    train: np.ndarray
    asked: dict[str, np.ndarray]


@dataclass(frozen=True)
class DaySplit:
    """A split of cell-days.

    Attributes
    ----------
    scheme : str
    folds : tuple of DayFold
        Every row of the check is asked for in one of them, by a model that learned nothing of its year, block or cell.
    near_km : float
        To which leaks of the same day are measured.
    details : dict
        Plain values for the report.
    """

    scheme: str
    folds: tuple[DayFold, ...]
    near_km: float = NEAR_KM
    details: dict[str, Any] = field(default_factory=dict)

    def leaks(self, places: Places, *, seed: int = 0) -> Leaks:
        """What its training samples know of its test samples."""
        parts = [(fold.train, fold.asked["test"]) for fold in self.folds]
        return measure_leaks(self.scheme, places, parts, near_km=self.near_km, seed=seed)


def make_split(
    scheme: str,
    samples: DaySamples,
    *,
    geographic: bool,
    unit_metres: float = 1.0,
    folds: int = 5,
    parts: tuple[float, float, float] = (0.70, 0.15, 0.15),
    gap_days: int = 10,
    block_size_km: float = 300.0,
    near_km: float | None = None,
    seed: int = 0,
) -> DaySplit:
    """Part cell-days; rows of the check never train.

    Parameters
    ----------
    scheme : str
        ``random``: three parts; ``year``: following years, in up to `folds` groups; ``block``: squares of `block_size_km` dealt
        to folds; ``site``: all days of a cell (and of all sites in it) together, each left out in turn where there are few.
    geographic, unit_metres
        Of the grid: degrees, or the metres of a unit.
    gap_days : int
        Of ``year``: days before and after a test period that train nothing.
    near_km : float, optional
        Of ``block`` and ``site``: training samples of the same day nearer to a sample that is asked for train nothing. Default:
        100 km, or a third of the block where that is less. 0: none is left out.

    Raises
    ------
    FoldsError
        Too few years, blocks or cells, or a fold without training samples of both states.

    Examples
    --------
    >>> import pandas as pd
    >>> date = pd.date_range("2012-12-01", "2013-01-31")
    >>> days = pd.DataFrame({"cell": 0, "day": range(62), "date": date, "x": 90.0, "y": 33.0, "check": np.nan})
    >>> days = days.assign(label=days["day"] % 2.0, year=date.year, month=date.month)
    >>> split = make_split("year", DaySamples(days), geographic=True, folds=5, gap_days=10)
    >>> [(fold.name, len(fold.train), len(fold.asked["test"])) for fold in split.folds]
    [('2012', 21, 31), ('2013', 21, 31)]
    """
    if scheme not in SCHEMES:
        raise FoldsError(f"The split {scheme!r} is not known: give one of {', '.join(SCHEMES)}.")
    learns = np.flatnonzero(samples.learns)
    if len(learns) < 2:
        raise FoldsError(f"{len(learns)} labelled cell-days came to be split: at least 2 are expected. Look at the labels.")
    rng = np.random.default_rng([seed, SCHEMES.index(scheme)])
    if scheme == "random":
        return _random_split(samples, learns, parts, rng)
    if scheme == "year":
        return _year_split(samples, learns, folds, gap_days)
    places = places_of(samples, geographic=geographic, unit_metres=unit_metres)
    reach = min(NEAR_KM, block_size_km / 3)
    spans = reach, reach if near_km is None else near_km
    if scheme == "site":
        return _by_place(scheme, samples, *_cells_dealt(samples, learns, folds, rng), places, spans, {})
    labels = _blocks(samples, geographic, unit_metres, block_size_km, rng)
    details = {"block_size_km": block_size_km, "blocks": len(np.unique(labels[learns]))}
    return _by_place(scheme, samples, *_dealt(labels, learns, folds, rng, "blocks"), places, spans, details)


def places_of(samples: DaySamples, *, geographic: bool, unit_metres: float = 1.0) -> Places:
    """Where and when the samples are."""
    columns = [samples.column(name) for name in ("cell", "day", "x", "y")]
    return Places.make(*columns, geographic=geographic, unit_metres=unit_metres)


def _random_split(
    samples: DaySamples, learns: np.ndarray, parts: tuple[float, float, float], rng: np.random.Generator
) -> DaySplit:
    """Three parts at random, as published studies have them."""
    order = rng.permutation(learns)
    edges = np.round(np.cumsum(parts) / sum(parts) * len(order)).astype(int)
    train, validation, test = (np.sort(part) for part in np.split(order, edges[:2]))
    if min(len(validation), len(test)) < 1:
        raise FoldsError(f"{len(learns)} labelled cell-days are too few for parts of {parts}: draw more samples.")
    asked = {"training": train, "validation": validation, "test": test, "check": np.flatnonzero(samples.is_check)}
    fold = DayFold(0, "random", train, asked)
    _check_folds("random", samples, (fold,))
    return DaySplit("random", (fold,), details={"parts": dict(zip(PARTS, map(len, (train, validation, test)), strict=True))})


def _year_split(samples: DaySamples, learns: np.ndarray, folds: int, gap_days: int) -> DaySplit:
    """Years in a row, with days at the borders that train nothing."""
    years, sizes = np.unique(samples.column("year")[learns], return_counts=True)
    if len(years) < 2:
        raise FoldsError(
            f"All labelled cell-days are of the year {years[0]}: a split by year needs two or more. Leave `year` out of "
            "splits.schemes and name another headline."
        )
    group = deal_stretches(sizes, min(folds, len(years)))
    first = [years[group == number][0] for number in range(group.max() + 1)]
    last = [years[group == number][-1] for number in range(group.max() + 1)]
    # A period reaches from its first year to the day before the next one begins, so that every day belongs to one.
    begin = np.array([f"{year:04d}-01-01" for year in first], "datetime64[D]")
    begin[0] = np.datetime64("0001-01-01")
    end = np.append(begin[1:], np.datetime64("9999-12-31"))
    dates, learnable, check = samples.dates, samples.learns, samples.is_check
    found = []
    for number, (start, stop) in enumerate(zip(begin, end, strict=True)):
        inside = (dates >= start) & (dates < stop)
        far = (dates < start - gap_days) | (dates >= stop + gap_days) if 0 < number < len(begin) - 1 else None
        if far is None:  # the first and the last period have one border only
            far = dates >= stop + gap_days if number == 0 else dates < start - gap_days
        name = f"{first[number]}" if first[number] == last[number] else f"{first[number]}-{last[number]}"
        asked = {"test": np.flatnonzero(inside & learnable), "check": np.flatnonzero(inside & check)}
        found.append(DayFold(number, name, np.flatnonzero(far & learnable), asked))
    _check_folds("year", samples, tuple(found))
    return DaySplit("year", tuple(found), details={"gap_days": gap_days, "groups": [fold.name for fold in found]})


def _blocks(
    samples: DaySamples, geographic: bool, unit_metres: float, block_size_km: float, rng: np.random.Generator
) -> np.ndarray:
    return block_labels(
        samples.column("x"),
        samples.column("y"),
        geographic=geographic,
        size_metres=block_size_km * 1000,
        unit_metres=unit_metres,
        shift=tuple(rng.random(2)),
    )


def _dealt(
    labels: np.ndarray, learns: np.ndarray, folds: int, rng: np.random.Generator, what: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Deal groups to folds so that each holds about as many labelled samples; groups without any follow at random."""
    names = np.unique(labels[learns])
    if len(names) < 2:
        raise FoldsError(
            f"All labelled cell-days lie in one of the {what}: a split needs two or more. Choose smaller blocks, or leave this "
            "scheme out of splits.schemes."
        )
    folds = min(folds, len(names))
    fold_of = rng.integers(0, folds, int(labels.max()) + 1)
    fold_of[labels[learns]] = deal_groups(labels[learns], folds, rng)
    return fold_of[labels], tuple(str(number + 1) for number in range(folds))


def _cells_dealt(
    samples: DaySamples, learns: np.ndarray, folds: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Cells in place of blocks; few of them are left out one by one, under the names of their sites."""
    cell, sites = samples.column("cell").astype(np.int64), samples.sites
    known = np.unique(cell[learns])
    if len(known) > GROUPS_PER_FOLD * folds:
        return _dealt(cell, learns, folds, rng, "cells")
    number, names = _dealt(cell, learns, len(known), rng, "cells")
    label = cell.astype(str) if sites is None else sites
    return number, tuple(
        " + ".join(sorted({str(one) for one in label[learns][number[learns] == fold]})) for fold in range(len(names))
    )


def _by_place(
    scheme: str,
    samples: DaySamples,
    number: np.ndarray,
    names: Sequence[str],
    places: Places,
    spans: tuple[float, float],
    details: dict[str, Any],
) -> DaySplit:
    """Folds of whole places, without the training samples that lie near on the day itself.

    Parameters
    ----------
    spans : tuple of float
        Kilometres to which leaks are measured, and within which training samples are left out.
    """
    told_km, near_km = spans
    learnable, check, found, left_out = samples.learns, samples.is_check, [], []
    for fold, name in enumerate(names):
        inside = number == fold
        train, asked = np.flatnonzero(~inside & learnable), np.flatnonzero(inside & (learnable | check))
        if near_km > 0:
            far = same_day_distance(places.take(train), places.take(asked)) > near_km
            left_out.append(int((~far).sum()))
            train = train[far]
        parts = {"test": np.flatnonzero(inside & learnable), "check": np.flatnonzero(inside & check)}
        found.append(DayFold(fold, name, train, parts))
    _check_folds(scheme, samples, tuple(found))
    details = details | {"places": len(np.unique(places.cell[learnable])), "near_km": near_km, "left_out_of_training": left_out}
    return DaySplit(scheme, tuple(found), told_km, details)


def _check_folds(scheme: str, samples: DaySamples, folds: tuple[DayFold, ...]) -> None:
    """Every fold must have both states to learn from."""
    label = samples.label
    for fold in folds:
        found = np.unique(label[fold.train])
        if len(found) < 2:
            what = "no labelled cell-day" if not len(fold.train) else f"{len(fold.train)} cell-days of one state"
            raise FoldsError(
                f"The split {scheme!r} leaves {what} to train fold {fold.name}: cell-days of both states are expected. Draw more "
                "samples, use fewer folds or smaller blocks, or leave this scheme out of splits.schemes."
            )
