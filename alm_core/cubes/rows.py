"""An array of days and cells on disk that is filled day by day."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

BYTES_TOGETHER = 2**25


class Rows:
    """``[day, cell]`` in NumPy's own format, first full of one value; for use in a ``with`` statement.

    Plain writes instead of a memory map: a full disk raises an error (a map would kill the program), and the memory does not
    grow with the file.

    Parameters
    ----------
    path : path
        Overwritten.
    days, cells : int
    dtype : dtype
    fill : float
        Of rows that are never written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Rows(Path(folder) / "a.npy", 3, 2, np.float32, np.nan) as rows:
    ...         rows.write(1, np.array([[5, 6]]))
    ...     np.load(Path(folder) / "a.npy").tolist()
    [[nan, nan], [5.0, 6.0], [nan, nan]]
    """

    def __init__(self, path: Path, days: int, cells: int, dtype: type, fill: float) -> None:
        self.days, self.cells, self.dtype = days, cells, np.dtype(dtype)
        self._stream: BinaryIO = open(path, "w+b")  # noqa: SIM115 (closed by __exit__)
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (days, cells)}
        np.lib.format.write_array_header_1_0(self._stream, header)
        self._start = self._stream.tell()
        for start, stop in self.blocks():
            self._stream.write(np.full((stop - start, cells), fill, self.dtype).tobytes())

    def blocks(self) -> list[tuple[int, int]]:
        """Ranges of days that fit in memory together."""
        together = max(1, BYTES_TOGETHER // max(1, self.cells * self.dtype.itemsize))
        return [(start, min(self.days, start + together)) for start in range(0, self.days, together)]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Some days, a copy."""
        self._stream.seek(self._start + start * self.cells * self.dtype.itemsize)
        size = (stop - start) * self.cells
        return np.frombuffer(self._stream.read(size * self.dtype.itemsize), self.dtype).reshape(stop - start, self.cells).copy()

    def write(self, start: int, values: np.ndarray) -> None:
        """Days from `start` on."""
        self._stream.seek(self._start + start * self.cells * self.dtype.itemsize)
        self._stream.write(np.ascontiguousarray(values, self.dtype).tobytes())

    def __enter__(self) -> Rows:
        """Itself."""
        return self

    def __exit__(self, *fault: object) -> None:
        """Close the file."""
        self._stream.close()
