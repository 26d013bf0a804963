"""What a map will take, told before it is under way: cells, time, disk and memory.

Nothing is taken from a table of speeds: some of the map's own blocks, spread over the mask, are made first and timed. They
stay in the ledger, so nothing is done twice.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.errors import WorkspaceError
from alm_core.grid import Block
from alm_core.mapping.cog import write_cog
from alm_core.mapping.engine import READ_CACHE_BYTES, Engine
from alm_core.mapping.job import BlockJob, BlockOutcome
from alm_core.mapping.products import Product

SAMPLES_PER_WORKER = 3
LEAST_SAMPLES = 4
LARGEST_PART = 8
"""At most one in so many blocks is made before the estimate."""
TEMPORARY_FACTOR = 2.4
"""A raster while it is written, against its own size: its blocks lie beside it, packed a little less, until they are copied."""
SAMPLE_FOLDER = ".sample"


@dataclass(frozen=True)
class MapEstimate:
    """What a map needs.

    Attributes
    ----------
    cells : int
        Cells inside the mask.
    cells_left : int
        Those in blocks that no earlier call had finished.
    blocks, blocks_left : int
    seconds : float
        Wall-clock time from the first block to the last raster.
    disk_bytes : int
        What has to be free for blocks, rasters and files that are only there while these are written.
    free_bytes : int
        What is free.
    memory_bytes : int
        Peak of all processes together.
    sample_blocks : int
        Blocks that were timed; 0 where none was left.
    workers : int
    """

    cells: int
    cells_left: int
    blocks: int
    blocks_left: int
    seconds: float
    disk_bytes: int
    free_bytes: int
    memory_bytes: int
    sample_blocks: int
    workers: int

    @property
    def text(self) -> str:
        """The estimate in one line.

        Examples
        --------
        >>> MapEstimate(131_000_000, 131_000_000, 2838, 2838, 200.0, 8_100_000_000, 10**12, 1_100_000_000, 6, 2).text
        '131,000,000 cells, about 3 min 20 s, 8.1 GB of disk, 1.1 GB of memory'
        """
        done = self.cells - self.cells_left
        cells = f"{self.cells:,} cells" + (f" ({done:,} of them done)" if done else "")
        return f"{cells}, about {readable_seconds(self.seconds)}, {_size(self.disk_bytes)} of disk, " + (
            f"{_size(self.memory_bytes)} of memory"
        )

    def check_disk(self, folder: Path) -> None:
        """Refuse a map that the disk can't hold.

        Raises
        ------
        WorkspaceError
            Says how much is missing.
        """
        missing = self.disk_bytes - self.free_bytes
        if missing > 0:
            raise WorkspaceError(
                f"The map needs about {_size(self.disk_bytes)} of disk and {_size(self.free_bytes)} are free in {folder}: "
                f"{_size(missing)} are missing. Free that much or choose a folder on another disk, then run again: "
                "finished blocks stay."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for estimate.json."""
        return {**asdict(self), "seconds": round(self.seconds, 1), "text": self.text}


def readable_seconds(seconds: float) -> str:
    """A time for people.

    Examples
    --------
    >>> readable_seconds(0.2), readable_seconds(59.7), readable_seconds(200), readable_seconds(3900)
    ('1 s', '1 min 0 s', '3 min 20 s', '1 h 5 min')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _size(count: float) -> str:
    """Bytes in powers of 1000, as disks are sold."""
    for unit, step in (("GB", 1e9), ("MB", 1e6)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


# ---- before the first block ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Survey:
    """What is known of a map before any of it is made.

    Attributes
    ----------
    cells : dict
        Cells inside the mask of each block, by its name.
    finished : frozenset of str
        Blocks whose files are there.
    sample : tuple of Block
        Blocks to make first.
    free_bytes : int
        Free disk before the first block.
    memory_bytes, peak_bytes : int
        Memory of this process before the first block, and the most that it had held until then.
    """

    cells: dict[str, int]
    finished: frozenset[str]
    sample: tuple[Block, ...]
    free_bytes: int
    memory_bytes: int
    peak_bytes: int

    def in_order(self, blocks: Sequence[Block]) -> list[Block]:
        """The blocks with those of the sample first."""
        first = {block.name for block in self.sample}
        return [*self.sample, *(block for block in blocks if block.name not in first)]


def survey(job: BlockJob, blocks: Sequence[Block], *, workers: int) -> Survey:
    """Read the mask, look which blocks are there, and choose those to be timed."""
    cells = {block.name: int(np.count_nonzero(job.mask(block))) for block in blocks}
    finished = frozenset(block.name for block in blocks if job.ledger.path(block).is_file())
    left = [block for block in blocks if block.name not in finished]
    sample = spread(left, [cells[block.name] for block in left], max(LEAST_SAMPLES, SAMPLES_PER_WORKER * workers))
    empty = [block for block in left if not cells[block.name]][:1]
    return Survey(cells, finished, (*sample, *empty), _free(job.ledger.folder), memory_now(), memory_peak())


def spread(blocks: Sequence[Block], cells: Sequence[int], count: int) -> list[Block]:
    """Blocks at equal steps through the cells of the mask, in the order of the blocks; none outside the mask."""
    count = min(count, -(-len(blocks) // LARGEST_PART))
    summed = np.cumsum(cells)
    if not len(summed) or not summed[-1]:
        return []
    wanted = (np.arange(count) + 0.5) / count * summed[-1]
    return [blocks[number] for number in sorted(set(np.searchsorted(summed, wanted, side="right").tolist()))]


# ---- from the sample ----------------------------------------------------------------------------------------------------


def estimate_map(
    job: BlockJob,
    products: Sequence[Product],
    blocks: Sequence[Block],
    found: Survey,
    outcomes: Sequence[BlockOutcome],
    *,
    engine: Engine,
    compression: str = "zstd",
) -> MapEstimate:
    """What the map needs, from the blocks of the sample.

    Parameters
    ----------
    job, products, blocks
        Of the map.
    found : Survey
    outcomes : sequence of BlockOutcome
        Of the blocks of the sample, in any order.
    engine : Engine
    compression : str
        Of the rasters.
    """
    left = [block for block in blocks if block.name not in found.finished]
    cells, cells_left = sum(found.cells.values()), sum(found.cells[block.name] for block in left)
    made = [outcome for outcome in outcomes if not outcome.reused]
    with_cells = [outcome for outcome in made if found.cells[outcome.name]]
    by_name = {block.name: block for block in blocks}
    # The median: the first block of a worker may have to wait for imports or for the compiler.
    pace = _median([outcome.seconds / found.cells[outcome.name] for outcome in with_cells])
    pace_empty = _median([outcome.seconds for outcome in made if not found.cells[outcome.name]])
    empty_left = sum(not found.cells[block.name] for block in left)
    sizes = [job.ledger.path(by_name[outcome.name]).stat().st_size for outcome in with_cells]
    sampled = sum(found.cells[outcome.name] for outcome in with_cells)
    block_bytes = sum(sizes) / sampled if sampled else 4.0 * len(job.ledger.layers)
    reference = _reference(found, [by_name[outcome.name] for outcome in with_cells], blocks, job)
    rasters = [_raster(job, product, reference, compression) for product in products] if reference else []
    in_reference = found.cells[reference.name] if reference else 1
    check = _reading_seconds(job, reference) if reference else 0.0
    seconds = (cells_left * pace + empty_left * pace_empty + len(found.finished) * check) / engine.workers
    seconds += sum(cells / in_reference * part.seconds for part in rasters)
    raster_bytes = [cells / in_reference * part.bytes for part in rasters]
    disk = cells_left * block_bytes + sum(raster_bytes) + (TEMPORARY_FACTOR - 1) * max(raster_bytes, default=0.0)
    return MapEstimate(
        cells=cells,
        cells_left=cells_left,
        blocks=len(blocks),
        blocks_left=len(left),
        seconds=seconds,
        disk_bytes=int(disk),
        free_bytes=found.free_bytes,
        memory_bytes=_memory(job, found, engine),
        sample_blocks=len(made),
        workers=engine.workers,
    )


@dataclass(frozen=True)
class _Raster:
    """One raster over one block: seconds and bytes over those of an empty one, whose header the whole map pays once."""

    seconds: float
    bytes: int


def _reference(found: Survey, sampled: Sequence[Block], blocks: Sequence[Block], job: BlockJob) -> Block | None:
    """The finished block with most cells: of the sample, else of those that were there."""
    there = sampled or [block for block in blocks if block.name in found.finished and found.cells[block.name]]
    fullest_first = sorted(there, key=lambda block: found.cells[block.name], reverse=True)
    return next((block for block in fullest_first if job.ledger.counts(block) is not None), None)


def _raster(job: BlockJob, product: Product, block: Block, compression: str) -> _Raster:
    """Write a block as a raster of its own, full and empty, and compare."""
    folder = job.ledger.folder / SAMPLE_FOLDER
    values = job.ledger.read(block, product.layers)
    measured = []
    try:
        for array in (np.full_like(values, np.nan), values):
            begun = time.perf_counter()
            written = write_cog(
                folder / f"{product.name}.tif",
                array,
                job.grid.window(block),
                band_names=product.band_names,
                units=product.units,
                nodata=product.nodata,
                dtype=product.dtype,
                scale=product.scale,
                compression=compression,
                resampling=product.resampling,
            )
            measured.append((time.perf_counter() - begun, written.size_bytes))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    (empty_seconds, empty_bytes), (seconds, size) = measured
    # A third more for overviews: a raster of one block has none.
    return _Raster(max(seconds - empty_seconds, 0.0) * 4 / 3, int(max(size - empty_bytes, 1) * 4 / 3))


def _reading_seconds(job: BlockJob, block: Block) -> float:
    """How long it takes to see that a finished block is whole."""
    begun = time.perf_counter()
    job.ledger.counts(block)
    return time.perf_counter() - begun


def _memory(job: BlockJob, found: Survey, engine: Engine) -> int:
    """Memory of all processes: models and libraries, what a block needs on each worker, and GDAL's tiles."""
    side = job.ledger.block_size
    cells = min(side, job.grid.shape[0]) * min(side, job.grid.shape[1])
    members = len([name for name in job.ledger.layers if name.startswith("member:")])
    # Covariates as they are read and as rows, members and layers in double and in single precision.
    computed = cells * (8 * len(job.names) + 12 * members + 24 * len(job.ledger.layers))
    peak = memory_peak()
    # An earlier stage of the same process may have held more; then the sample shows nothing.
    grown = peak - found.memory_bytes - READ_CACHE_BYTES if peak > found.peak_bytes and not engine.own_processes else 0
    per_block = max(computed, grown // engine.workers)
    processes = engine.workers if engine.own_processes else 0
    total = (1 + processes) * found.memory_bytes + max(1, processes) * READ_CACHE_BYTES + engine.workers * per_block
    return int(total)


def memory_now() -> int:
    """Memory that this process holds, bytes; 0 where the system does not say."""
    return _status("VmRSS") or memory_peak()


def memory_peak() -> int:
    """The most memory that this process has held, bytes; 0 where the system does not say."""
    return _status("VmHWM") or _usage()


def _status(name: str) -> int:
    """A size that Linux tells of this process; 0 elsewhere."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def _usage() -> int:
    """What other systems tell: macOS in bytes, others in kB, Windows not at all."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
