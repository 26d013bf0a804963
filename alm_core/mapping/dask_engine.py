"""The same blocks on a Dask cluster: worker processes of our own on this machine, or those of a running scheduler.

Not for one machine in daily use: threads are faster there and need less memory. Blocks are written as files by the workers,
so they share nothing but storage; a worker may die at any moment, its blocks are done again.

A scheduler runs what it is sent, and so do its workers: `docs/decisions/011-engines.md` says whom that trusts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from alm_core.errors import EngineError
from alm_core.grid import Block
from alm_core.mapping.engine import QUEUE_PER_WORKER, check_address, check_workers
from alm_core.mapping.job import BlockJob, BlockOutcome

ANSWER_SECONDS = 10.0
"""How long a scheduler may take to answer, and to have a worker."""
LOST_SECONDS = 60.0
"""How long all workers may be gone in the middle of a map."""
POLL_SECONDS = 1.0
DRAIN_SECONDS = 120.0
"""How long blocks in flight are waited for once the map is stopped."""
ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "GDAL_NUM_THREADS")
}
"""A worker has one thread for blocks; libraries that start their own would only be in its way."""


class DaskEngine:
    """Blocks on a Dask cluster.

    Parameters
    ----------
    workers : int
        Processes of our own, one thread each; without meaning where a scheduler is given.
    scheduler : str, optional
        Address of a running scheduler, ``tcp://HOST:PORT`` or ``tls://HOST:PORT`` (certificates: Dask's own configuration).
    program : callable, optional
        Gives a hash of the program, the same on every worker; importable by its name.
    answer_seconds : float

    Attributes
    ----------
    startup_seconds_ : float
        From the call of `run` to the first block that was sent; set by `run`.
    """

    own_processes = True

    def __init__(
        self,
        *,
        workers: int = 2,
        scheduler: str | None = None,
        program: Callable[[], str] | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        check_workers(workers)
        if scheduler is not None:
            check_address(scheduler)
        self.workers = workers
        self.scheduler = scheduler
        self.program = program
        self.answer_seconds = answer_seconds
        self.startup_seconds_ = 0.0

    @property
    def greeting(self) -> str:
        """What is being waited for before the first block."""
        return f"connecting to {self.scheduler}" if self.scheduler else f"starting {self.workers} worker processes"

    def check(self) -> None:
        """Raise `EngineError` where a running scheduler does not answer, has no worker, or runs another program."""
        if self.scheduler is not None:
            with self._client() as client:
                self._ask_workers(client, self._expected())

    def run(self, job: BlockJob, blocks: Iterable[Block]) -> Iterator[BlockOutcome]:
        """Send blocks as workers get free, and give their outcomes as they come.

        Whatever stops it, no more blocks are sent, those that were sent are finished, and the fault is passed on.

        Raises
        ------
        EngineError
            The scheduler does not answer or goes away, its workers can't do the job, or a block kills its workers again
            and again. Finished blocks stay.
        """
        begun = time.monotonic()
        with self._client() as client, _probe(job.ledger.folder) as (path, token):
            expected = self._expected(path, token)
            self._ask_workers(client, expected)
            with self._job_on_workers(client, job, expected) as name:
                self.startup_seconds_ = time.monotonic() - begun
                yield from self._outcomes(client, name, blocks)

    # ---- the cluster ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        """A connection to the cluster; a cluster of our own is started before and is gone after."""
        from distributed import Client

        with contextlib.ExitStack() as opened:
            cluster = self.scheduler or opened.enter_context(self._own_cluster())
            try:
                if self.scheduler:
                    _knock(self.scheduler, self.answer_seconds)
                # Not the default client of the process: others in it may use Dask for themselves.
                client = opened.enter_context(Client(cluster, timeout=self.answer_seconds, set_as_default=False))
                client.wait_for_workers(1, timeout=self.answer_seconds)
            except (OSError, TimeoutError) as fault:
                raise EngineError(self._silence(fault)) from fault
            yield client

    @contextlib.contextmanager
    def _own_cluster(self) -> Iterator[Any]:
        """Worker processes on this machine that talk over TCP on the loopback address; no web page."""
        import dask
        from distributed import LocalCluster

        quiet = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
        with tempfile.TemporaryDirectory(prefix="alm-dask-") as folder, dask.config.set(quiet):
            try:
                cluster = LocalCluster(
                    n_workers=self.workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    protocol="tcp://",
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                    memory_limit=0,
                    local_directory=folder,
                    env=ONE_THREAD,
                )
            except (OSError, RuntimeError, TimeoutError) as fault:
                raise EngineError(
                    f"{self.workers} worker processes could not be started ({fault}). In a script of your own, call the map "
                    "under `if __name__ == \"__main__\":`; or use the engine 'threads'."
                ) from fault
            with cluster:
                yield cluster

    def _silence(self, fault: Exception) -> str:
        where = self.scheduler or "our own cluster"
        return (
            f"The scheduler {where} did not answer, or had no worker, within {self.answer_seconds:.0f} s "
            f"({str(fault)[:200] or type(fault).__name__}). Start it with `dask scheduler` and workers with "
            f"`dask worker {where} --nthreads 1`, check the address and the firewall, or leave out --scheduler to map on threads."
        )

    # ---- the job ----------------------------------------------------------------------------------------------------

    def _expected(self, probe: Path | None = None, token: str = "") -> Any:
        from alm_core.mapping.dask_worker import Expected

        # Processes of our own were started from these very files; asking them would only make them read all of the program.
        program = self.program if self.scheduler else None
        return Expected(program, program() if program else "", probe, token)

    def _ask_workers(self, client: Any, expected: Any) -> None:
        """Refuse workers that can't do the job, before it is sent."""
        from alm_core.mapping.dask_worker import look

        found = client.run(look, expected, on_error="return")
        faults = [f"{address} {_told(answer)}" for address, answer in sorted(found.items()) if answer is not None]
        if faults:
            more = f" ({len(faults)} of {len(found)} workers can't)" if len(faults) > 1 else ""
            raise EngineError(f"The worker {faults[0]}{more}. Nothing was computed.")

    @contextlib.contextmanager
    def _job_on_workers(self, client: Any, job: BlockJob, expected: Any) -> Iterator[str]:
        """Send the job to every worker, once; those that come later get it from the scheduler."""
        from alm_core.mapping.dask_worker import BlockWorker

        # One name for one folder: what a killed program left on a scheduler is replaced, not added to.
        name = f"alm-map-{hashlib.sha256(str(job.ledger.folder).encode()).hexdigest()[:16]}"
        client.register_plugin(BlockWorker(job, expected, ours=self.scheduler is None), name=name)
        try:
            yield name
        finally:
            with contextlib.suppress(Exception):  # the scheduler may be gone
                client.unregister_worker_plugin(name)

    def _outcomes(self, client: Any, name: str, blocks: Iterable[Block]) -> Iterator[BlockOutcome]:
        from alm_core.mapping.dask_worker import run_block

        # New keys for each run: what an earlier one left on a scheduler must not answer for this one.
        prefix = f"alm-block-{secrets.token_hex(8)}"
        waiting, pending = iter(blocks), {}
        watch, ended = _Watch(client), SimpleQueue()
        try:
            while True:
                free = QUEUE_PER_WORKER * watch.threads() - len(pending)
                for block in islice(waiting, max(0, free)):
                    future = client.submit(run_block, name, block, key=f"{prefix}-{block.name}", pure=False)
                    future.add_done_callback(ended.put)
                    pending[future] = block
                if not pending:
                    return
                future = _next(ended)
                if future is not None:
                    yield _outcome(future, pending.pop(future))
        except EngineError:
            raise  # workers or scheduler are gone: there is nobody to wait for
        except BaseException:
            _drain(client, pending, ended)
            raise
        finally:
            with contextlib.suppress(Exception):
                client.cancel(list(pending))


def _knock(address: str, seconds: float) -> None:
    """Exchange greetings with a scheduler.

    Dask's client limits the time to connect but not that to be greeted: it would wait for ever at an open, silent port.

    Raises
    ------
    OSError, TimeoutError
    """
    from distributed.comm import connect
    from distributed.security import Security

    async def greet() -> None:
        arguments = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, timeout=seconds, **arguments), seconds)
        await comm.close()

    # On a thread of its own: the calling one may run an event loop already.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, greet()).result()


class _Watch:
    """How many blocks the workers of a cluster can take at once, asked every second; a cluster without any is given up."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.count = 0
        self.asked = float("-inf")
        self.seen = time.monotonic()

    def threads(self) -> int:
        """Threads of all workers.

        Raises
        ------
        EngineError
            There has been no worker for a minute, or the scheduler is gone.
        """
        now = time.monotonic()
        if now - self.asked >= POLL_SECONDS:
            self.asked = now
            if self.client.status != "running":
                raise EngineError(_gone())
            try:
                self.count = sum(self.client.nthreads().values())
            except Exception as fault:  # a closed connection has many faces
                raise EngineError(_gone()) from fault
            self.seen = now if self.count else self.seen
        if now - self.seen > LOST_SECONDS:
            raise EngineError(
                f"The cluster has had no worker for {LOST_SECONDS:.0f} s. Finished blocks stay: start workers, then run again."
            )
        return self.count


def _outcome(future: Any, block: Block) -> BlockOutcome:
    """What a block gave; a fault in it is raised as it was there."""
    from distributed.scheduler import KilledWorker

    if future.status == "finished":
        return future.result()
    if future.status != "error":
        raise EngineError(_gone())
    fault = future.exception()
    if isinstance(fault, KilledWorker):
        raise EngineError(
            f"Workers died again and again while they made block {block.name} or waited to. Look into their logs: most often "
            "a machine has too little memory (choose a smaller map.block_size, or fewer workers). Finished blocks stay."
        ) from fault
    raise fault


def _next(ended: SimpleQueue[Any]) -> Any | None:
    """The next future that has ended; None where there is none for a second."""
    try:
        return ended.get(timeout=POLL_SECONDS)
    except Empty:
        return None


def _drain(client: Any, pending: dict[Any, Block], ended: SimpleQueue[Any]) -> None:
    """Wait for blocks that were sent already: nobody must write to the folder once the map has ended."""
    last = time.monotonic() + DRAIN_SECONDS
    while pending and client.status == "running" and time.monotonic() < last:
        pending.pop(_next(ended), None)


@contextlib.contextmanager
def _probe(folder: Path) -> Iterator[tuple[Path, str]]:
    """A small file in the folder of the blocks, by which a worker shows that it sees the same folder."""
    token = secrets.token_hex(16)
    path = Path(folder).resolve() / f".probe.{token}"
    path.write_text(token, encoding="utf-8")
    try:
        yield path, token
    finally:
        path.unlink(missing_ok=True)


def _told(answer: Any) -> str:
    """What a worker said, or how it failed to say anything."""
    if isinstance(answer, str):
        return answer
    return f"could not be asked ({type(answer).__name__}: {str(answer)[:200]}). Install this program on every machine"


def _gone() -> str:
    return "The connection to the scheduler was lost. Finished blocks stay: start it again, then run again."
