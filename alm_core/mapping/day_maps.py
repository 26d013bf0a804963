"""The state of every day: days are mapped in chunks, so that a map of ten years can be interrupted and gone on with.

A chunk is some days of all cells, as many as make a tree kernel quick: its pruning lives on cell-days that are alike. Each
finished chunk is one file of the ledger that other maps keep their blocks in (`alm_core.mapping.ledger`): whole or not there.
Neither the number of threads, nor the length of the chunks, nor an interruption changes a byte of the result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from alm_core.cubes.features import FeaturePlan, compute_features
from alm_core.cubes.states import FROZEN, LIMIT, THAWED, UNKNOWN, to_state_and_percent
from alm_core.cubes.store import CubeStore
from alm_core.errors import LearnerError
from alm_core.grid import Block, Grid
from alm_core.learning.learners import single_thread
from alm_core.mapping.ledger import BlockLedger
from alm_core.mapping.threads import in_threads
from alm_core.workspace import hash_values, hold

BLOCKS = "blocks"
LAYER = "probability"
LONGEST_CHUNK_DAYS = 64
CHUNK_CELL_DAYS = 1 << 19
"""Cell-days of a chunk at most: with 25 features 52 MB, and about four times that while a thread predicts it."""
ORACLE_CELL_DAYS = 1 << 15
Progress = Callable[[int, int, str], None]


class DayPredictor(Protocol):
    """What maps days; `alm_core.learning.day_model.DayModel` is one."""

    names: tuple[str, ...]

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Probability of frozen ``[day, cell]`` from ``[feature, day, cell]``; NaN where a predictor that it needs is missing."""


Oracle = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class DayCounts:
    """Cell-days of one calendar year.

    Attributes
    ----------
    frozen, thawed, unknown : int
    incomplete : int
        Of all, those that lack some predictor: unknown, or routed.
    empty_days : int
        Days on which no cell has a state.
    """

    frozen: int = 0
    thawed: int = 0
    unknown: int = 0
    incomplete: int = 0
    empty_days: int = 0

    def __add__(self, other: DayCounts) -> DayCounts:
        return DayCounts(*(getattr(self, name) + getattr(other, name) for name in asdict(self)))

    def to_dict(self) -> dict[str, int]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class DayMap:
    """Mapped days.

    Attributes
    ----------
    ledger : BlockLedger
        Its rows are days, its columns cells.
    blocks : tuple of Block
        The chunks, in the order of time.
    dates : ndarray
        datetime64[D] ``[day]``.
    grid : Grid
        Of the study.
    cells : ndarray
        Flat indices of the mapped cells.
    counts : dict
        Calendar year to `DayCounts`.
    reused : int
        Chunks that an earlier call had finished.
    oracle : dict
        How far the compiled model is from its own library on the first chunk; empty without an oracle.
    """

    ledger: BlockLedger = field(repr=False)
    blocks: tuple[Block, ...] = field(repr=False)
    dates: np.ndarray = field(repr=False)
    grid: Grid
    cells: np.ndarray = field(repr=False)
    counts: dict[int, DayCounts]
    reused: int
    oracle: dict[str, Any]

    @property
    def years(self) -> tuple[int, ...]:
        """Calendar years, rising."""
        return tuple(self.counts)

    def days_of(self, year: int) -> tuple[int, int]:
        """Places of the days of a calendar year in `dates`, half open."""
        found = np.searchsorted(self.dates, [np.datetime64(f"{year:04d}-01-01"), np.datetime64(f"{year + 1:04d}-01-01")])
        return int(found[0]), int(found[1])

    def probability(self, start: int, stop: int, cells: slice = slice(None)) -> np.ndarray:
        """Probability of frozen, float32 ``[day, cell]``, of days ``start <= day < stop``; NaN where unknown.

        Raises
        ------
        LedgerError
            A chunk is gone or damaged.
        """
        parts = []
        for block in self.blocks:
            first, last = max(start, block.row_start), min(stop, block.row_stop)
            if first < last:
                values = self.ledger.read(block, (LAYER,))[0]
                parts.append(values[first - block.row_start : last - block.row_start, cells])
        return np.concatenate(parts) if parts else np.empty((0, self.cells[cells].size), np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; nothing in it depends on whether the map was interrupted."""
        return {
            "first": str(self.dates[0]),
            "last": str(self.dates[-1]),
            "days": len(self.dates),
            "cells": int(self.cells.size),
            "years": list(self.years),
            "counts": {str(year): found.to_dict() for year, found in self.counts.items()},
            "frozen_from": LIMIT,
            "oracle": self.oracle,
        }


def map_days(
    store: CubeStore,
    plan: FeaturePlan,
    static: Mapping[str, np.ndarray],
    model: DayPredictor,
    *,
    folder: str | Path,
    fingerprint: str,
    workers: int = 2,
    chunk_days: int | None = None,
    oracle: Oracle | None = None,
    progress: Progress | None = None,
) -> DayMap:
    """Probability of frozen of every cell and day of a store.

    Not for grids of which a single day does not fit into memory with all its features (some ten million cells).

    Parameters
    ----------
    store : CubeStore
    plan : FeaturePlan
        With the features of the model, in its order.
    static : mapping
        See `alm_core.cubes.features.compute_features`.
    model : DayPredictor
        Asked from several threads at once. Decides what becomes of cell-days that lack a predictor.
    folder : path
        Gets ``blocks/``.
    fingerprint : str
        Hash of everything that the values depend on (cubes, features, model). Chunks of another one are removed.
    workers : int
        Threads.
    chunk_days : int, optional
        Default: `chunk_length`. The result does not depend on it.
    oracle : callable, optional
        ``oracle(values, valid)`` gives the largest difference from another way to predict, or raises; asked before the first
        chunk is made.
    progress : callable, optional
        ``progress(done, total, message)`` in chunks.

    Returns
    -------
    DayMap

    Raises
    ------
    LearnerError
        Other features than the model was fitted to, or the oracle refuses.
    WorkspaceError
        The disk is full or read-only, or another program maps into `folder`; finished chunks stay.
    """
    if tuple(model.names) != tuple(plan.names):
        raise LearnerError(
            f"The model was fitted to {', '.join(model.names)}; the days give {', '.join(plan.names)}. Run the study again."
        )
    blocks = day_blocks(store.days, store.cells.size, chunk_days or chunk_length(store.cells.size))
    field_of_days = Grid(None, (1.0, 0.0, 0.0, 0.0, -1.0, float(store.days)), (store.days, store.cells.size))
    key = hash_values(fingerprint, str(store.first), blocks[0].row_stop)
    with hold(Path(folder) / BLOCKS):
        ledger = BlockLedger.open(
            Path(folder) / BLOCKS, field_of_days, layers=(LAYER,), block_size=blocks[0].row_stop, fingerprint=key, restart=True
        )
        job = _ChunkJob(store, plan, static, model, ledger)
        said = job.ask(oracle, blocks) if oracle is not None else {}
        counts: dict[int, DayCounts] = {}
        reused = 0
        with contextlib.closing(in_threads(job, blocks, workers, name="days")) as outcomes:
            for done, (found, was_there) in enumerate(outcomes, start=1):
                reused += was_there
                for year, one in found.items():
                    counts[year] = counts.get(year, DayCounts()) + one
                if progress is not None:
                    progress(done, len(blocks), f"days: chunk {done} of {len(blocks)}")
    return DayMap(ledger, tuple(blocks), store.dates, store.grid, store.cells, dict(sorted(counts.items())), reused, said)


def chunk_length(cells: int) -> int:
    """Days of a chunk.

    Examples
    --------
    >>> chunk_length(8200), chunk_length(100), chunk_length(10**6)
    (63, 64, 1)
    """
    return max(1, min(LONGEST_CHUNK_DAYS, CHUNK_CELL_DAYS // max(cells, 1)))


def day_blocks(days: int, cells: int, length: int) -> list[Block]:
    """The chunks of a map: rows are days, columns cells.

    Examples
    --------
    >>> [(block.name, block.shape) for block in day_blocks(5, 10, 3)]
    [('r00000c00000', (3, 10)), ('r00001c00000', (2, 10))]
    """
    starts = range(0, days, length)
    return [Block(number, 0, start, min(days, start + length), 0, cells, 0, (days, cells)) for number, start in enumerate(starts)]


@dataclass(frozen=True)
class _ChunkJob:
    """Makes chunks: ``job(block)`` leaves the chunk in the ledger and says what was counted and whether it was there."""

    store: CubeStore
    plan: FeaturePlan
    static: Mapping[str, np.ndarray]
    model: DayPredictor
    ledger: BlockLedger

    def __call__(self, block: Block) -> tuple[dict[int, DayCounts], bool]:
        found = self.ledger.counts(block)
        if found is not None:
            return _counts_of(found), True
        values = self.features(block.row_start, block.row_stop)
        # One thread for linear algebra: the order of its sums must not depend on the machine.
        with single_thread():
            probability = np.asarray(self.model.predict_block(values, np.ones(block.shape, bool)), np.float32)
        complete = np.isfinite(values).all(axis=0)
        flat = count_days(probability, complete, self.store.dates[block.row_start : block.row_stop])
        self.ledger.write(block, probability[None], flat)
        return _counts_of(flat), False

    def features(self, start: int, stop: int) -> np.ndarray:
        """float32 ``[feature, day, cell]``."""
        return compute_features(self.plan, self.store, self.static, start, stop)

    def ask(self, oracle: Oracle, blocks: list[Block]) -> dict[str, Any]:
        """Show the oracle the first days on which anything can be predicted."""
        for block in blocks:
            days = max(1, min(block.shape[0], ORACLE_CELL_DAYS // block.shape[1]))
            for start in range(block.row_start, block.row_stop, days):
                values = self.features(start, min(start + days, block.row_stop))
                if np.isfinite(values).all(axis=0).any():
                    apart = oracle(values, np.ones(values.shape[1:], bool))
                    return {
                        "largest_difference": float(apart),
                        "first_day": str(self.store.dates[start]),
                        "days": values.shape[1],
                    }
        return {}


def count_days(probability: np.ndarray, complete: np.ndarray, dates: np.ndarray) -> dict[str, int]:
    """Cell-days of each state by calendar year, flat, as the ledger keeps counts; `complete` says which lack no predictor.

    Examples
    --------
    >>> dates = np.array(["2014-12-31", "2015-01-01"], "datetime64[D]")
    >>> probability = np.array([[0.2, 0.7], [np.nan, np.nan]])
    >>> counts = count_days(probability, ~np.isnan(probability), dates)
    >>> counts["2014 frozen"], counts["2015 incomplete"], counts["2015 empty_days"]
    (1, 2, 1)
    """
    state, _ = to_state_and_percent(probability)
    years = dates.astype("datetime64[Y]").astype(int) + 1970
    flat = {}
    for year in np.unique(years):
        part = state[years == year]
        flat[f"{year} frozen"] = int((part == FROZEN).sum())
        flat[f"{year} thawed"] = int((part == THAWED).sum())
        flat[f"{year} unknown"] = int((part == UNKNOWN).sum())
        flat[f"{year} incomplete"] = int((~complete[years == year]).sum())
        flat[f"{year} empty_days"] = int((part == UNKNOWN).all(axis=1).sum())
    return flat


def _counts_of(flat: Mapping[str, int]) -> dict[int, DayCounts]:
    found: dict[int, dict[str, int]] = {}
    for name, count in flat.items():
        year, what = name.split(" ")
        found.setdefault(int(year), {})[what] = count
    return {year: DayCounts(**counts) for year, counts in found.items()}
