"""Receive a site table."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from alm_core.sites.reading import RawTable, read_raw
from alm_core.uploads.faults import UploadError, told_as
from alm_core.uploads.geopackage import check_geopackage
from alm_core.uploads.limits import TABLE_BYTES, TABLE_CELLS, TABLE_COLUMNS, TABLE_SUFFIXES
from alm_core.uploads.names import checked_suffix, shown_name
from alm_core.uploads.storing import stored
from alm_core.uploads.workbook import check_workbook

STEM = "sites"


def receive_table(data: bytes | BinaryIO, name: str, folder: Path) -> tuple[Path, RawTable]:
    """Store a site table as ``sites.<suffix>`` in a folder of ours, and read its cells.

    Parameters
    ----------
    data : bytes or binary file
    name : str
        What its owner calls it; only its suffix is used.
    folder : Path

    Raises
    ------
    UploadError
        It is empty, too large, of another kind than its suffix says, damaged, or has too many columns or cells.
    """
    shown, suffix = shown_name(name), checked_suffix(name, TABLE_SUFFIXES)
    with stored(data, folder / f"{STEM}{suffix}", maximum_bytes=TABLE_BYTES, shown=shown) as path, told_as(path, shown):
        if suffix == ".xlsx":
            check_workbook(path, shown)
        elif suffix == ".gpkg":
            check_geopackage(path, shown)
        else:
            _check_text(path, shown)
        raw = read_raw(path)
        if len(raw.frame.columns) > TABLE_COLUMNS:
            raise UploadError(_too_many(shown, len(raw.frame.columns)))
        return path, raw


def _check_text(path: Path, shown: str) -> None:
    """Bound the cells of a text by its marks, before it becomes many small objects."""
    data = path.read_bytes()
    if path.suffix == ".csv":
        # Quotes and encodings do not matter for a bound.
        first = data.lstrip().split(b"\n", 1)[0]
        columns = 1 + max(first.count(mark) for mark in (b",", b";", b"\t"))
        if columns > TABLE_COLUMNS:
            raise UploadError(_too_many(shown, columns))
        cells = max(data.count(mark) for mark in (b",", b";", b"\t")) + data.count(b"\n")
    else:
        cells = sum(data.count(mark) for mark in (b",", b"{", b"["))
    if cells > TABLE_CELLS:
        raise UploadError(
            f"{shown} has about {cells} cells; at most {TABLE_CELLS} are read. Keep the rows and columns that matter."
        )


def _too_many(shown: str, columns: int) -> str:
    return f"{shown} has {columns} columns; at most {TABLE_COLUMNS} are read. Keep the columns that matter."
