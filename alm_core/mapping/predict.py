"""Map a whole grid block by block, so that it can be interrupted and resumed.

Finished blocks are kept in a ledger; the rasters are assembled from them in a fixed order. Neither the number of workers,
nor the engine, nor the block size, nor an interruption changes a byte of the result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.grid import Block, Grid
from alm_core.mapping.assembly import assemble
from alm_core.mapping.block import BlockPrediction, MapCounts, Predictor, predict_block, usable_cells
from alm_core.mapping.engine import Engine, ThreadEngine
from alm_core.mapping.estimate import MapEstimate, Survey, estimate_map, survey
from alm_core.mapping.job import BlockJob, BlockOutcome, ReaderFactory
from alm_core.mapping.ledger import BlockLedger
from alm_core.mapping.products import ClassCodes, Product, class_products, layers_of, regression_products
from alm_core.workspace import hold

__all__ = ["BlockPrediction", "MapCounts", "MapResult", "Predictor", "map_blocks", "predict_block"]

BLOCKS = "blocks"
Progress = Callable[[int, int, str], None]
Oracle = Callable[[np.ndarray, np.ndarray], Any]


@dataclass(frozen=True)
class MapResult:
    """A finished map.

    Attributes
    ----------
    paths : dict
        Name of each raster (members, fused, uncertainty, and probability for classes) to its file.
    counts : MapCounts
    blocks, reused_blocks : int
        Blocks of the map, and those that an earlier, interrupted call had finished.
    block_size : int
        The size that was used: that of the interrupted call, where there was one.
    classes : dict
        Label of each code; empty for a regression.
    oracle : dict
        What the oracle said of the first block; empty without one.
    """

    paths: dict[str, Path]
    counts: MapCounts
    blocks: int
    reused_blocks: int
    block_size: int
    classes: dict[str, str]
    oracle: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for run.json and the card."""
        return {
            "paths": {name: path.as_posix() for name, path in self.paths.items()},
            "counts": self.counts.to_dict(),
            "blocks": self.blocks,
            "reused_blocks": self.reused_blocks,
            "block_size": self.block_size,
            "classes": self.classes,
            "oracle": self.oracle,
        }


def map_blocks(
    stack_reader_factory: ReaderFactory,
    grid: Grid,
    predictors: Sequence[Predictor],
    fusion: Any,
    *,
    names: Sequence[str],
    folder: str | Path,
    fingerprint: str,
    applicability: Any | None = None,
    residual: Any | None = None,
    classes: Sequence[Any] = (),
    unit: str = "",
    tags: Mapping[str, Any] | None = None,
    block_size: int = 512,
    workers: int = 2,
    dtype: str = "float32",
    scale: float = 0.0001,
    compression: str = "zstd",
    restart: bool = False,
    missing: str = "leave_out",
    progress: Progress | None = None,
    engine: Engine | None = None,
    oracle: Oracle | None = None,
    on_estimate: Callable[[MapEstimate], None] | None = None,
) -> MapResult:
    """Predict every cell of a grid and write the rasters of the map.

    Parameters
    ----------
    stack_reader_factory : callable
        ``stack.reader``: given the names of covariates, a context manager whose ``mask(block)`` and ``read(block)`` give
        bool ``[row, column]`` and float32 ``[covariate, row, column]``. Called once per thread of each process; for an
        engine of other processes it must be picklable, as ``stack.reader`` is.
    grid : Grid
    predictors : sequence of Predictor
        In the order of `fusion.learners`.
    fusion : Fusion or ClassFusion
    names : sequence of str
        Covariates in the order in which the members were trained.
    folder : path
        Gets ``members.tif``, ``fused.tif``, ``uncertainty.tif`` (``probability.tif`` for classes) and ``blocks/``.
    fingerprint : str
        Hash of everything that the values depend on (covariates, members, fusion, applicability, residual).
    applicability, residual : optional
        See `predict_block`.
    classes : sequence, optional
        Labels in the order of the probabilities; given for a classification. Whole numbers from 0 to 255 become the codes
        of the raster, other labels are numbered from 1; nodata is 0, or 255 where 0 is a class.
    unit : str
        Unit of the target.
    tags : mapping, optional
        Study, run, weights, licence, software, simulated: written into every raster.
    block_size, workers, dtype, scale, compression
        As in `MapOptions`; `scale` counts for int16 only, which holds members and fused values.
    restart : bool
        Throw away blocks that were made from other inputs, instead of refusing them; blocks of the same inputs are used.
    missing : {"leave_out", "route"}
        What becomes of cells that lack some covariates; see `predict_block`.
    progress : callable, optional
        ``progress(done, total, message)`` after each block and each raster.
    engine : Engine, optional
        Who works on the blocks; default: `workers` threads. See `alm_core.mapping.engine.make_engine`.
    oracle : callable, optional
        ``oracle(values, valid)`` compares the members with another way to predict them, on the first block of the grid that
        has a cell to predict, before any block is made; it raises what stops the map.
    on_estimate : callable, optional
        Called with a `MapEstimate` once some blocks, spread over the mask, have been timed; what it raises stops the map.

    Returns
    -------
    MapResult

    Raises
    ------
    LedgerError
        Blocks in `folder` were made from other inputs.
    WorkspaceError
        The disk is full or read-only, or smaller than the estimate; or another program maps into `folder`. Finished blocks
        stay.
    EngineError
        The workers of `engine` can't be had.
    DomainError
        A value does not fit into int16 with `scale`; finished blocks stay, so that another scale is quick.
    KeyboardInterrupt
        Passed on after the blocks in flight are written; the next call goes on from there.
    """
    # Workers may have another working folder.
    folder = Path(folder).resolve()
    engine = engine or ThreadEngine(workers)
    learners = tuple(predictor.name for predictor in predictors)
    _check_learners(learners, fusion)
    codes = ClassCodes.of(classes) if len(classes) else None
    products = class_products(learners, codes) if codes else regression_products(learners, unit=unit, dtype=dtype, scale=scale)
    # What two programs write into one folder would be neither's map.
    with hold(folder / BLOCKS):
        ledger = BlockLedger.open(
            folder / BLOCKS, grid, layers=layers_of(products), block_size=block_size, fingerprint=fingerprint, restart=restart
        )
        job = BlockJob(
            stack_reader_factory, tuple(names), grid, tuple(predictors), fusion, ledger, applicability, residual, codes, missing
        )
        making = _Making(job, products, ledger.blocks(), engine, compression, progress, on_estimate)
        with contextlib.closing(job):
            said = making.ask(oracle) if oracle is not None else {}
            counts, reused = making.blocks_of_map()
        paths = {}
        rasters = assemble(
            ledger, products, folder, tags=tags or {}, codes=codes, compression=compression, keep=reused == len(making.blocks)
        )
        for done, (name, path) in enumerate(rasters, start=len(making.blocks) + 1):
            paths[name] = path
            making.tell(done, f"{name}.tif")
    return MapResult(paths, counts, len(making.blocks), reused, ledger.block_size, codes.to_dict() if codes else {}, said)


@dataclass(frozen=True)
class _Making:
    """The blocks of a map while they are made."""

    job: BlockJob
    products: tuple[Product, ...]
    blocks: list[Block]
    engine: Engine
    compression: str
    progress: Progress | None
    on_estimate: Callable[[MapEstimate], None] | None

    def tell(self, done: int, message: str) -> None:
        """Pass a step on; the rasters are steps like the blocks."""
        if self.progress is not None:
            self.progress(done, len(self.blocks) + len(self.products), message)

    def ask(self, oracle: Oracle) -> dict[str, Any]:
        """Show the oracle the first block with a cell to predict; what it said, as plain values."""
        for block in self.blocks:
            mask = self.job.mask(block)
            if not mask.any():
                continue
            values = self.job.read(block)
            valid = mask & usable_cells(values, self.job.missing)[1]
            if valid.any():
                self.tell(0, "comparing the members with their own libraries")
                said = oracle(values, valid)
                return said.to_dict() if hasattr(said, "to_dict") else {}
        return {}

    def blocks_of_map(self) -> tuple[MapCounts, int]:
        """Make every block that is not there; what was counted, and how many blocks were there before."""
        there = {block.name for block in self.blocks if self.job.ledger.path(block).is_file()}
        found = self._survey()
        order = found.in_order(self.blocks) if found else self.blocks
        open_sample = {block.name for block in found.sample} if found else set()
        sample: list[BlockOutcome] = []
        counts, reused = MapCounts(), 0
        if self.engine.greeting:
            self.tell(0, self.engine.greeting)
        # Closed by hand: a fault in `progress` must stop the workers before anything else is cleared away.
        with contextlib.closing(self.engine.run(self.job, order)) as outcomes:
            for done, outcome in enumerate(outcomes, start=1):
                # A block can be found again that a worker made, and died before it could tell.
                counts, reused = counts + outcome.counts, reused + (outcome.reused and outcome.name in there)
                if found and outcome.name in open_sample:
                    open_sample.discard(outcome.name)
                    sample.append(outcome)
                    if not open_sample:
                        self._estimate(found, sample)
                self.tell(done, f"block {done} of {len(self.blocks)}")
        return counts, reused

    def _survey(self) -> Survey | None:
        """Look over the map where an estimate is wanted; where nothing is left to time, it is made at once."""
        if self.on_estimate is None:
            return None
        self.tell(0, "counting the cells to map")
        found = survey(self.job, self.blocks, workers=self.engine.workers)
        if not found.sample:
            self._estimate(found, [])
        return found

    def _estimate(self, found: Survey, sample: list[BlockOutcome]) -> None:
        estimate = estimate_map(
            self.job, self.products, self.blocks, found, sample, engine=self.engine, compression=self.compression
        )
        if self.on_estimate is not None:
            self.on_estimate(estimate)
        estimate.check_disk(self.job.ledger.folder)


def _check_learners(learners: tuple[str, ...], fusion: Any) -> None:
    expected = tuple(getattr(fusion, "learners", learners))
    if learners != expected:
        raise LearnerError(
            f"The members are {', '.join(learners)}, but the fusion was fitted for {', '.join(expected)}. "
            "Give the members in that order."
        )
