"""Engines: who works on the blocks of a map. Threads of this process by default, a Dask cluster where one is asked for.

An engine decides nothing of what is in a block, so the map is the same whichever is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from rasterio.env import set_gdal_config

from alm_core.errors import EngineError
from alm_core.grid import Block
from alm_core.mapping.job import BlockJob, BlockOutcome
from alm_core.mapping.threads import AHEAD, in_threads

ENGINES = ("threads", "dask")
QUEUE_PER_WORKER = AHEAD
"""Blocks under way or waiting, per worker: enough that none waits for work, few enough that a stop is quick."""
READ_CACHE_BYTES = 2**27
"""Decoded tiles that GDAL may hold in a process that maps; by its own choice that would be a part of the machine's memory."""
ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+):(\d{1,5})")


class Engine(Protocol):
    """Runs a job over blocks.

    Attributes
    ----------
    workers : int
        Blocks that are worked on at the same time, as far as it is known beforehand.
    own_processes : bool
        Workers are processes of their own, each with its own memory.
    greeting : str
        What is being waited for before the first block; empty for nothing.
    """

    workers: int
    own_processes: bool
    greeting: str

    def check(self) -> None:
        """Raise `EngineError` where the workers can't be had; called long before they are needed."""

    def run(self, job: BlockJob, blocks: Iterable[Block]) -> Iterator[BlockOutcome]:
        """Outcomes in order of completion. Closing the iterator stops the work; a fault in a block is passed on."""


@dataclass(frozen=True)
class ThreadEngine:
    """Threads of this process: the choice for one machine, as the kernels hold no lock of the interpreter.

    Attributes
    ----------
    workers : int
    """

    workers: int = 2
    own_processes = False
    greeting = ""

    def __post_init__(self) -> None:
        check_workers(self.workers)

    def check(self) -> None:
        """Threads can always be had."""

    def run(self, job: BlockJob, blocks: Iterable[Block]) -> Iterator[BlockOutcome]:
        """Run the job with a short queue.

        Whatever stops it (a fault in a block, Ctrl-C), queued blocks are dropped, blocks in flight are finished, and the
        fault is passed on.
        """
        limit_read_cache()
        try:
            yield from in_threads(job, blocks, self.workers, name="map")
        finally:
            job.close()


def make_engine(
    name: str | None = None, *, workers: int | None = None, scheduler: str | None = None, program: Callable[[], str] | None = None
) -> Engine:
    """The engine that was asked for.

    Parameters
    ----------
    name : {"threads", "dask"}, optional
        Default: threads, or dask where a scheduler is given.
    workers : int, optional
        Threads, or worker processes of a cluster of our own; default 2. A running scheduler brings its own.
    scheduler : str, optional
        Address of a running Dask scheduler, ``tcp://HOST:PORT``.
    program : callable, optional
        Gives a hash of the program; workers of a running scheduler must give the same. Importable by its name.

    Raises
    ------
    EngineError
        An unknown name, an address of another form, or a combination that means nothing.

    Examples
    --------
    >>> make_engine(workers=3)
    ThreadEngine(workers=3)
    >>> make_engine("threads", scheduler="tcp://node7:8786")
    Traceback (most recent call last):
        ...
    alm_core.errors.EngineError: A scheduler (tcp://node7:8786) was given for the engine 'threads', which has none. ...
    """
    if name is not None and name not in ENGINES:
        raise EngineError(f"There is no engine {name!r}. The engines are {' and '.join(ENGINES)}.")
    if scheduler is not None:
        check_address(scheduler)
        if name == "threads":
            raise EngineError(
                f"A scheduler ({scheduler}) was given for the engine 'threads', which has none. "
                "Leave out one of the two: a scheduler goes with the engine 'dask'."
            )
        if workers is not None:
            raise EngineError(
                f"{workers} workers were asked for, but the workers of {scheduler} are those that were started for it. "
                "Leave out the number of workers, or the scheduler."
            )
    workers = 2 if workers is None else workers
    check_workers(workers)
    if scheduler is None and name != "dask":
        return ThreadEngine(workers)
    from alm_core.mapping.dask_engine import DaskEngine

    return DaskEngine(workers=workers, scheduler=scheduler, program=program)


def check_workers(workers: int) -> None:
    """Refuse a number of workers that is none.

    Raises
    ------
    EngineError
    """
    if not isinstance(workers, int) or workers < 1:
        raise EngineError(f"{workers!r} workers were asked for. Give a whole number, 1 or more.")


def check_address(address: str) -> None:
    """Refuse what is not the address of a scheduler.

    Raises
    ------
    EngineError

    Examples
    --------
    >>> check_address("tcp://10.0.0.7:8786")
    >>> check_address("http://10.0.0.7:8787")
    Traceback (most recent call last):
        ...
    alm_core.errors.EngineError: 'http://10.0.0.7:8787' is not the address of a scheduler. ...
    """
    match = ADDRESS.fullmatch(address)
    if match is None or not 1 <= int(match[3]) <= 65535:
        raise EngineError(
            f"{address[:200]!r} is not the address of a scheduler. Give tcp://HOST:PORT or tls://HOST:PORT, "
            "as `dask scheduler` shows it when it starts (the port of its web page is another one)."
        )


def limit_read_cache() -> None:
    """Bound GDAL's cache of decoded tiles; it belongs to the process and stays bounded.

    By its own choice GDAL would take a twentieth of the machine's memory. Not by `rasterio.Env`: that puts the old bound back
    when it ends.
    """
    set_gdal_config("GDAL_CACHEMAX", READ_CACHE_BYTES)
