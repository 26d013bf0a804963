"""Handles of one raster for several threads: GDAL's datasets are for one thread at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import rasterio


class DatasetPool:
    """A GeoTIFF opened once for each thread.

    Leaving the ``with`` statement closes all of them; by then no thread may hold one.

    Parameters
    ----------
    path : Path
    size : int
        Threads that read at the same time; one more waits for its turn.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from alm_core.grid import Grid
    >>> from alm_core.mapping.cog import write_cog
    >>> grid = Grid.from_bounds((90, 30, 91, 31), 0.25, crs="EPSG:4326")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_cog(f"{folder}/a.tif", np.full((4, 4), 0.5, np.float32), grid, band_names=["a"]).path
    ...     with DatasetPool(path, 2) as pool, pool.dataset() as one, pool.dataset() as other:
    ...         one is other, float(one.read(1).max())
    (False, 0.5)
    """

    def __init__(self, path: Path, size: int) -> None:
        self._stack = contextlib.ExitStack()
        self._free: SimpleQueue[Any] = SimpleQueue()
        with self._stack:
            for _ in range(size):
                self._free.put(self._stack.enter_context(rasterio.open(path, driver="GTiff")))
            self._stack = self._stack.pop_all()

    def __enter__(self) -> DatasetPool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def dataset(self) -> Iterator[Any]:
        """One of the open datasets, for this thread alone until the ``with`` statement ends."""
        found = self._free.get()
        try:
            yield found
        finally:
            self._free.put(found)
