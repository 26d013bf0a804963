"""The job of a map: what has to be known to make any one of its blocks, on whatever thread, process or machine.

A job is a value: it is sent to the workers of a cluster as it is. Open files are not part of it; each thread opens its own
readers where it works. A finished block is a file, so workers share nothing but storage, and only counts come back.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from alm_core.grid import Block, Grid
from alm_core.learning.learners import single_thread
from alm_core.mapping.block import BlockPrediction, MapCounts, Predictor, empty_prediction, predict_block
from alm_core.mapping.ledger import BlockLedger
from alm_core.mapping.products import ClassCodes, stack_layers

ReaderFactory = Callable[[Sequence[str]], AbstractContextManager[Any]]


@dataclass(frozen=True)
class BlockOutcome:
    """What is known of a finished block.

    Attributes
    ----------
    name : str
        Name of the block.
    counts : MapCounts
    reused : bool
        The block was there already.
    seconds : float
        Wall-clock time that it took.
    """

    name: str
    counts: MapCounts
    reused: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class Readers:
    """Readers of one job in one process, a reader per thread: GDAL handles must not be shared between threads.

    Pickled, it is an empty one: a reader is opened where it is used and never sent.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._opened = contextlib.ExitStack()

    def __reduce__(self) -> tuple[type[Readers], tuple[()]]:
        return Readers, ()

    def of_this_thread(self, factory: ReaderFactory, names: Sequence[str]) -> Any:
        """The calling thread's reader, opened at its first call."""
        if not hasattr(self._local, "reader"):
            with self._lock:
                self._local.reader = self._opened.enter_context(factory(names))
        return self._local.reader

    def close(self) -> None:
        """Close the readers of all threads; none of them may be reading."""
        with self._lock:
            self._opened.close()
            self._local = threading.local()


@dataclass(frozen=True)
class BlockJob:
    """Makes blocks of one map: ``job(block)`` leaves the block in the ledger and says what was counted in it.

    Picklable where its parts are; call `close` in each process once the last block is done.

    Attributes
    ----------
    open_reader : callable
        Given the names of covariates, a context manager whose ``mask(block)`` and ``read(block)`` give bool
        ``[row, column]`` and float32 ``[covariate, row, column]``; such as ``stack.reader``.
    names : tuple of str
        Covariates in the order in which the members were trained.
    grid : Grid
    predictors : tuple of Predictor
    fusion : Fusion or ClassFusion
    ledger : BlockLedger
    applicability, residual : optional
        See `alm_core.mapping.block.predict_block`.
    codes : ClassCodes, optional
        Given for a classification.
    missing : {"leave_out", "route"}
        What becomes of cells that lack some covariates; see `alm_core.mapping.block.predict_block`.
    """

    open_reader: ReaderFactory
    names: tuple[str, ...]
    grid: Grid
    predictors: tuple[Predictor, ...]
    fusion: Any
    ledger: BlockLedger
    applicability: Any | None = None
    residual: Any | None = None
    codes: ClassCodes | None = None
    missing: str = "leave_out"
    _readers: Readers = field(default_factory=Readers, init=False, repr=False, compare=False)

    def __call__(self, block: Block) -> BlockOutcome:
        """Make a block, unless it is in the ledger."""
        begun = time.perf_counter()
        found = self.ledger.counts(block)
        if found is not None:
            return BlockOutcome(block.name, MapCounts(**found), True, time.perf_counter() - begun)
        # One thread for linear algebra: the order of its sums must not depend on the machine or the engine.
        with single_thread():
            prediction = self.predict(block)
        self.ledger.write(block, stack_layers(prediction, self.ledger.layers), prediction.counts.to_dict())
        return BlockOutcome(block.name, prediction.counts, False, time.perf_counter() - begun)

    def predict(self, block: Block) -> BlockPrediction:
        """Predict a block. The mask goes first: most of a grid may lie outside it, and nothing else is read there."""
        mask = self.mask(block)
        if not mask.any():
            counts = MapCounts(cells=mask.size, masked=mask.size)
            return empty_prediction(block.shape, len(self.predictors), len(self.codes.codes) if self.codes else 0, counts)
        rows, columns = block.slices
        return predict_block(
            self.read(block),
            mask,
            self.predictors,
            self.fusion,
            self.applicability,
            residual=self.residual,
            x=self.grid.x[columns],
            y=self.grid.y[rows],
            class_codes=self.codes.codes if self.codes else None,
            missing=self.missing,
        )

    def mask(self, block: Block) -> np.ndarray:
        """True where the map is wanted, ``[row, column]``."""
        return self._readers.of_this_thread(self.open_reader, self.names).mask(block)

    def read(self, block: Block) -> np.ndarray:
        """Covariates of a block, float32 ``[covariate, row, column]``."""
        return self._readers.of_this_thread(self.open_reader, self.names).read(block)

    def close(self) -> None:
        """Close the readers of this process; no thread may be working on a block."""
        self._readers.close()
