"""A job for many items on a few threads, with a short queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 2
"""Items under way or waiting, per thread: enough that none waits for work, few enough that memory is small and a stop quick."""


def in_threads(job: Callable[[Item], Result], items: Iterable[Item], threads: int, *, name: str = "job") -> Iterator[Result]:
    """Do a job for each item; results come as they are finished, and items are taken only as fast as they are used.

    Whatever stops it (a fault in a job or in `items`, Ctrl-C, closing the iterator), waiting items are dropped, jobs under way
    are finished, and the fault is passed on. Not for work that holds the interpreter's lock: that gains nothing from threads.

    Parameters
    ----------
    job : callable
        Takes an item; called from several threads at once.
    items : iterable
        Asked from the caller's thread.
    threads : int
    name : str
        What the threads are called in a list of threads.

    Examples
    --------
    >>> sorted(in_threads(lambda number: number * number, range(5), 2))
    [0, 1, 4, 9, 16]
    """
    pending: set[Future[Result]] = set()
    with ThreadPoolExecutor(threads, thread_name_prefix=name) as pool:
        try:
            for item in items:
                if len(pending) >= AHEAD * threads:
                    finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
                pending.add(pool.submit(job, item))
            while pending:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
