"""Write an upload to disk: a fresh file, at most so many bytes, gone again where it is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from alm_core.uploads.faults import UploadError
from alm_core.uploads.limits import MEGABYTE
from alm_core.workspace import disk_faults

CHUNK_BYTES = MEGABYTE


@contextlib.contextmanager
def stored(data: bytes | BinaryIO, path: Path, *, maximum_bytes: int, shown: str) -> Iterator[Path]:
    """Store an upload under a path of ours; it stays only where the block ends without a fault.

    Raises
    ------
    UploadError
        It is empty or has more than `maximum_bytes`.
    WorkspaceError
        The disk is full or read-only.
    """
    try:
        # "x": a file that is there already is never written over.
        with disk_faults(path), path.open("xb") as file:
            size = _copy(data, file, maximum_bytes)
        if size == 0:
            raise UploadError(f"{shown} is empty (0 bytes). Choose the file again.")
        if size > maximum_bytes:
            raise UploadError(f"{shown} has more than {maximum_bytes // MEGABYTE} MB. Keep only what matters.")
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _copy(data: bytes | BinaryIO, file: BinaryIO, maximum_bytes: int) -> int:
    if isinstance(data, bytes):
        file.write(data[: maximum_bytes + 1])
        return len(data)
    data.seek(0)
    size = 0
    while size <= maximum_bytes and (chunk := data.read(CHUNK_BYTES)):
        size += len(chunk)
        file.write(chunk)
    return size
