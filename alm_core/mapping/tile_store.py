"""A scratch file of finished tiles: they come in any order, and leave in the order of the file that is made of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from alm_core.errors import RasterError
from alm_core.mapping.tile_codec import TILE

AHEAD = 2
"""Jobs that wait for each thread: enough to keep it busy, few enough to keep memory small."""


class TileStore:
    """Encoded tiles of a raster and its overviews, in one temporary file; a tile that was never added holds nothing but nodata.

    Safe to use from many threads. Leaving the ``with`` statement removes the file.

    Parameters
    ----------
    path : Path
        Of the temporary file.
    shape : tuple of int
        Rows and columns of the raster.

    Attributes
    ----------
    shapes : list of tuple
        Rows and columns of each level: the raster first, then each overview half as large, down to one tile.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, TileStore(Path(folder) / "tiles", (1500, 700)) as store:
    ...     store.add(0, (2, 1), b"tile")
    ...     store.shapes, store.tiles(0), store.read(0, (2, 1)), store.read(0, (0, 0))
    ([(1500, 700), (750, 350), (375, 175)], (3, 2), b'tile', None)
    """

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self.path = path
        self.shapes = [shape]
        factor = 1
        while max(shape[0] // factor, shape[1] // factor) > TILE:
            factor *= 2
            self.shapes.append((-(-shape[0] // factor), -(-shape[1] // factor)))
        self._places: list[dict[tuple[int, int], tuple[int, int]]] = [{} for _ in self.shapes]
        self._lock = threading.Lock()
        self._end = 0
        self._file = path.open("w+b")

    def __enter__(self) -> TileStore:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # a full disk can make the last flush fail; that fault is on its way already
            self._file.close()
        self.path.unlink(missing_ok=True)

    def tiles(self, level: int) -> tuple[int, int]:
        """Rows and columns of tiles of a level."""
        rows, columns = self.shapes[level]
        return -(-rows // TILE), -(-columns // TILE)

    def add(self, level: int, place: tuple[int, int], content: bytes) -> None:
        """Keep a tile; `place` is its row and column among the tiles of the level."""
        with self._lock:
            self._file.seek(self._end)
            self._file.write(content)
            self._places[level][place] = (self._end, len(content))
            self._end += len(content)

    def holds(self, level: int, place: tuple[int, int]) -> bool:
        """True where a tile was added."""
        return place in self._places[level]

    def size(self, level: int, place: tuple[int, int]) -> int | None:
        """Bytes of a tile; None where it was never added."""
        found = self._places[level].get(place)
        return None if found is None else found[1]

    def read(self, level: int, place: tuple[int, int]) -> bytes | None:
        """A tile; None where it was never added.

        Raises
        ------
        RasterError
            The scratch file lost its end.
        """
        found = self._places[level].get(place)
        if found is None:
            return None
        with self._lock:
            self._file.seek(found[0])
            content = self._file.read(found[1])
        if len(content) != found[1]:
            raise RasterError(f"{self.path} lost its end while it was in use. Run again.")
        return content


def in_threads(job: Callable[[Any], Any], items: Iterable[Any], threads: int) -> Iterator[Any]:
    """Do a job for each item on some threads, with few items waiting; results come as they are finished.

    A fault in a job, or in `items`, is passed on once the jobs under way are finished.
    """
    pending: set[Future[Any]] = set()
    with ThreadPoolExecutor(threads, thread_name_prefix="tiles") as pool:
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
