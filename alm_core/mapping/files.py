"""Writing rasters and their companions so that a reader never sees half a file.

Beside what `alm_core.workspace` does for small files this knows how GDAL fails: without an error number, with part of the
file written, and with helper files beside it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from rasterio._err import CPLE_BaseError  # private, but GDAL's own refusals pass through rasterio.shutil.copy as this class
from rasterio.errors import RasterioError

from alm_core.errors import WorkspaceError

MARK_LENGTH = 32
"""Hexadecimal digits between the name of a file and its suffix while it is written."""


@contextlib.contextmanager
def whole_file(
    path: str | Path, *, bytes_needed: int | None = None, to_disk: bool = True, companions: bool = True
) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success it takes the place of `path`, on any failure it goes.

    Parameters
    ----------
    path : path
        The file to write; its folder is made where it is not there.
    bytes_needed : int, optional
        Largest size that the file can reach, for the message.
    to_disk : bool
        Wait until the content is on the disk. False only for files whose readers can tell a torn one.
    companions : bool
        Look for helper files as well, which means to list the whole folder.

    Yields
    ------
    Path
        The temporary name. Helper files whose names begin with it are removed too.

    Raises
    ------
    WorkspaceError
        The disk is full or read-only, or the folder can't be made. The old file stays as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if to_disk:
            _to_disk(temporary)
        os.replace(temporary, path)
    except (OSError, RasterioError, CPLE_BaseError) as fault:
        _remove_all(temporary)  # before the free space is counted
        raise WorkspaceError(_refusal(path, fault, bytes_needed)) from fault
    finally:
        if companions:
            _remove_all(temporary)
        elif temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)


def linked_copy(source: Path, target: Path) -> Path:
    """Give a finished raster a second name, byte for byte; returns the new path.

    The two share their place on the disk where the file system can do that, so neither must ever be written to again.

    Raises
    ------
    WorkspaceError
        The disk is full or read-only.
    """
    remove_leftovers(target.parent, target.stem)
    with whole_file(target, bytes_needed=source.stat().st_size) as temporary:
        linked = False
        with contextlib.suppress(OSError):  # not every file system can
            os.link(source, temporary)
            linked = True
        if not linked:
            shutil.copyfile(source, temporary)
    return target


def remove_leftovers(folder: Path, stem: str = "*") -> int:
    """Remove what a killed program left half written in a folder; returns how many files.

    Only for folders that one program at a time writes to: another one's files in flight look the same.

    Parameters
    ----------
    folder : Path
    stem : str
        Stem of the file that was to be written, or a pattern of it.
    """
    mark = "[0-9a-f]" * MARK_LENGTH
    parts = sorted(Path(folder).glob(f".{stem}.{mark}*"))
    for part in parts:
        part.unlink(missing_ok=True)
    return len(parts)


def _to_disk(path: Path) -> None:
    """Force the content out before the name is given, so that a power cut can't leave a good name on an empty file."""
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def _remove_all(temporary: Path) -> None:
    if temporary.parent.is_dir():
        for part in temporary.parent.glob(f"{temporary.stem}*"):
            part.unlink(missing_ok=True)


def _refusal(path: Path, fault: Exception, bytes_needed: int | None) -> str:
    reason = getattr(fault, "strerror", None) or str(fault.__cause__ or fault) or type(fault).__name__
    if not isinstance(fault, OSError) or isinstance(fault, RasterioError):  # GDAL may notice a full disk only when it reads
        reason += " (the disk may be full)"
    parts = [f"{path} could not be written: {reason.rstrip('.')}."]
    if bytes_needed is not None:
        parts.append(f"It needs up to {readable_bytes(bytes_needed)} ({bytes_needed} bytes); {_free(path)}.")
    parts.append("Free some space or choose a folder that is yours, then run again: finished blocks stay.")
    return " ".join(parts)


def _free(path: Path) -> str:
    folder = next((parent for parent in path.absolute().parents if parent.is_dir()), None)
    if folder is None:
        return "its disk is not there"
    return f"{readable_bytes(shutil.disk_usage(folder).free)} are free in {folder}"


def readable_bytes(count: float) -> str:
    """A size for people, in powers of 1024.

    Examples
    --------
    >>> readable_bytes(512), readable_bytes(3 * 2**30)
    ('512 B', '3.0 GiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
