"""Map a whole grid block by block, on threads, so that it can be interrupted and resumed.

Finished blocks are kept in a ledger; the rasters are assembled from them in a fixed order. Neither the number of workers,
nor the block size, nor an interruption changes a byte of the result.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alm_core.errors import LearnerError
from alm_core.grid import Block, Grid
from alm_core.mapping.block import BlockPrediction, MapCounts, Predictor, empty_prediction, predict_block
from alm_core.mapping.cog import CogResult, write_cog
from alm_core.mapping.files import remove_leftovers
from alm_core.mapping.ledger import BlockLedger
from alm_core.mapping.products import (
    ClassCodes,
    Product,
    class_products,
    layers_of,
    product_blocks,
    regression_products,
    stack_layers,
)

__all__ = ["BlockPrediction", "MapCounts", "MapResult", "Predictor", "map_blocks", "predict_block"]

BLOCKS = "blocks"
QUEUE_PER_WORKER = 2
Progress = Callable[[int, int, str], None]
ReaderFactory = Callable[[Sequence[str]], AbstractContextManager[Any]]


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
    """

    paths: dict[str, Path]
    counts: MapCounts
    blocks: int
    reused_blocks: int
    block_size: int
    classes: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for run.json and the card."""
        return {
            "paths": {name: path.as_posix() for name, path in self.paths.items()},
            "counts": self.counts.to_dict(),
            "blocks": self.blocks,
            "reused_blocks": self.reused_blocks,
            "block_size": self.block_size,
            "classes": self.classes,
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
    progress: Progress | None = None,
) -> MapResult:
    """Predict every cell of a grid and write the rasters of the map.

    Parameters
    ----------
    stack_reader_factory : callable
        ``stack.reader``: given the names of covariates, a context manager whose ``mask(block)`` and ``read(block)`` give
        bool ``[row, column]`` and float32 ``[covariate, row, column]``. Called once per thread.
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
    progress : callable, optional
        ``progress(done, total, message)`` after each block and each raster.

    Returns
    -------
    MapResult

    Raises
    ------
    LedgerError
        Blocks in `folder` were made from other inputs.
    WorkspaceError
        The disk is full or read-only; finished blocks stay.
    DomainError
        A value does not fit into int16 with `scale`; finished blocks stay, so that another scale is quick.
    KeyboardInterrupt
        Passed on after the blocks in flight are written; the next call goes on from there.
    """
    folder = Path(folder)
    learners = tuple(predictor.name for predictor in predictors)
    _check_learners(learners, fusion)
    codes = ClassCodes.of(classes) if len(classes) else None
    products = class_products(learners, codes) if codes else regression_products(learners, unit=unit, dtype=dtype, scale=scale)
    ledger = BlockLedger.open(
        folder / BLOCKS, grid, layers=layers_of(products), block_size=block_size, fingerprint=fingerprint, restart=restart
    )
    blocks = ledger.blocks()
    total = len(blocks) + len(products)
    with _readers_per_thread(stack_reader_factory, names) as reader:

        def finish(block: Block) -> tuple[MapCounts, bool]:
            found = ledger.counts(block)
            if found is not None:
                return MapCounts(**found), True
            prediction = _predict(reader(), grid, block, predictors, fusion, applicability, residual, codes)
            ledger.write(block, stack_layers(prediction, ledger.layers), prediction.counts.to_dict())
            return prediction.counts, False

        counts, reused = MapCounts(), 0
        # Closed by hand: a fault in `progress` must stop the threads before their readers are closed.
        with contextlib.closing(_in_threads(finish, blocks, workers)) as results:
            for done, (part, known) in enumerate(results, start=1):
                counts, reused = counts + part, reused + known
                _tell(progress, done, total, f"block {done} of {len(blocks)}")
    paths = {}
    for done, product in enumerate(products, start=len(blocks) + 1):
        remove_leftovers(folder, product.name)
        tagged = {**(tags or {}), **_class_tags(product, codes)}
        paths[product.name] = write_product(ledger, product, folder, tags=tagged, compression=compression).path
        _tell(progress, done, total, f"{product.name}.tif")
    return MapResult(paths, counts, len(blocks), reused, ledger.block_size, codes.to_dict() if codes else {})


def write_product(
    ledger: BlockLedger, product: Product, folder: Path, *, tags: Mapping[str, Any], compression: str = "zstd"
) -> CogResult:
    """Assemble one raster of the map from its finished blocks."""
    return write_cog(
        Path(folder) / f"{product.name}.tif",
        product_blocks(ledger, product),
        ledger.grid,
        band_names=product.band_names,
        units=product.units,
        nodata=product.nodata,
        dtype=product.dtype,
        scale=product.scale,
        tags=tags,
        compression=compression,
        resampling=product.resampling,
    )


def _predict(
    reader: Any,
    grid: Grid,
    block: Block,
    predictors: Sequence[Predictor],
    fusion: Any,
    applicability: Any,
    residual: Any,
    codes: ClassCodes | None,
) -> BlockPrediction:
    mask = reader.mask(block)
    if not mask.any():
        # Most of a grid may lie outside the mask: its covariates are never read.
        counts = MapCounts(cells=mask.size, masked=mask.size)
        return empty_prediction(block.shape, len(predictors), len(codes.codes) if codes else 0, counts)
    rows, columns = block.slices
    return predict_block(
        reader.read(block),
        mask,
        predictors,
        fusion,
        applicability,
        residual=residual,
        x=grid.x[columns],
        y=grid.y[rows],
        class_codes=codes.codes if codes else None,
    )


def _check_learners(learners: tuple[str, ...], fusion: Any) -> None:
    expected = tuple(getattr(fusion, "learners", learners))
    if learners != expected:
        raise LearnerError(
            f"The members are {', '.join(learners)}, but the fusion was fitted for {', '.join(expected)}. "
            "Give the members in that order."
        )


def _class_tags(product: Product, codes: ClassCodes | None) -> dict[str, Any]:
    return {"classes": codes.to_dict()} if codes and product.name == "fused" else {}


def _tell(progress: Progress | None, done: int, total: int, message: str) -> None:
    if progress is not None:
        progress(done, total, message)


@contextlib.contextmanager
def _readers_per_thread(factory: ReaderFactory, names: Sequence[str]) -> Iterator[Callable[[], Any]]:
    """Give a function that returns the calling thread's own reader; all are closed at the end.

    GDAL handles must not be shared between threads.
    """
    local, lock = threading.local(), threading.Lock()
    with contextlib.ExitStack() as opened:

        def reader() -> Any:
            if not hasattr(local, "reader"):
                with lock:
                    local.reader = opened.enter_context(factory(names))
            return local.reader

        yield reader


def _in_threads(job: Callable[[Block], Any], blocks: Iterable[Block], workers: int) -> Iterator[Any]:
    """Run `job` over the blocks and give the results as they come, with a short queue.

    Whatever stops it (a fault in a block, Ctrl-C), queued blocks are dropped, blocks in flight are finished, and the fault
    is passed on.
    """
    pending: set[Future[Any]] = set()
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="map") as pool:
        try:
            for block in blocks:
                if len(pending) >= QUEUE_PER_WORKER * max(1, workers):
                    finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
                pending.add(pool.submit(job, block))
            while pending:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
