"""A cache with a bounded number of bytes that computes each value once, however many ask at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

OVERHEAD_BYTES = 256
"""What an entry costs beside its value: key, links, bookkeeping."""


class BoundedCache:
    """Keeps the values that were used last, up to a number of bytes.

    A value that several threads want at once is computed by one of them while the others wait. A failure is not kept.
    Values are shared between threads: never change one.

    Parameters
    ----------
    maximum_bytes : int
        Sizes as `size_of` counts them.

    Examples
    --------
    >>> cache = BoundedCache(10_000)
    >>> cache.get("answer", lambda: b"42"), cache.get("answer", lambda: b"not asked again")
    (b'42', b'42')
    """

    def __init__(self, maximum_bytes: int) -> None:
        self.maximum_bytes = maximum_bytes
        self.bytes = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._busy: dict[Hashable, threading.Event] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """The value of a key, computed where it is not there."""
        while True:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key][0]
                waiting = self._busy.get(key)
                if waiting is None:
                    mine = self._busy[key] = threading.Event()
                    break
            # Afterwards it is there, unless the other thread failed or it was too large to keep: then this one computes.
            waiting.wait()
        try:
            value = compute()
            self._keep(key, value)
            return value
        finally:
            with self._lock:
                del self._busy[key]
            mine.set()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.bytes = 0

    def _keep(self, key: Hashable, value: Any) -> None:
        size = size_of(value) + OVERHEAD_BYTES
        if size > self.maximum_bytes:
            return
        with self._lock:
            self._values[key] = (value, size)
            self.bytes += size
            while self.bytes > self.maximum_bytes:
                _, (_, freed) = self._values.popitem(last=False)
                self.bytes -= freed


def size_of(value: Any) -> int:
    """Bytes of an array, of bytes, or of a sequence of them; everything else counts as nothing beside the overhead.

    Examples
    --------
    >>> size_of(b"four"), size_of((b"four", None)), size_of(None)
    (4, 4, 0)
    """
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, tuple | list):
        return sum(size_of(part) for part in value)
    return int(getattr(value, "nbytes", 0))
