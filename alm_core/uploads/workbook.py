"""Is an .xlsx a workbook of a size that can be read: looked up in the directory of the archive, then counted row by row."""

from __future__ import annotations

import zipfile
from pathlib import Path

from alm_core.uploads.faults import UploadError
from alm_core.uploads.limits import MEGABYTE, TABLE_CELLS, WORKBOOK_BYTES, WORKBOOK_PARTS

WORKBOOK_PART = "xl/workbook.xml"


def check_workbook(path: Path, shown: str) -> None:
    """Refuse what is no workbook, what unpacks to too much, and a sheet of too many cells.

    Raises
    ------
    UploadError
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as fault:
        raise UploadError(f"{shown} is not an .xlsx workbook ({fault}). Save it again as .xlsx or CSV.") from fault
    if WORKBOOK_PART not in {part.filename for part in parts}:
        raise UploadError(f"{shown} is a zip archive but no .xlsx workbook. Save the table as .xlsx or CSV.")
    # The size that the directory states is also the most that Python unpacks of a part.
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > WORKBOOK_PARTS or unpacked > WORKBOOK_BYTES:
        raise UploadError(
            f"{shown} unpacks to {unpacked / MEGABYTE:,.0f} MB in {len(parts)} parts; at most {WORKBOOK_BYTES // MEGABYTE} MB in "
            f"{WORKBOOK_PARTS} parts are read. Save the sheet as CSV."
        )
    _count_cells(path, shown)


def _count_cells(path: Path, shown: str) -> None:
    """A cell far to the right makes a whole row of empty ones, so a small sheet can be huge once read."""
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        page = book[book.sheetnames[0]]
        page.reset_dimensions()
        cells = 0
        for row in page.iter_rows(values_only=True):
            cells += max(len(row), 1)
            if cells > TABLE_CELLS:
                raise UploadError(f"{shown} has a sheet of more than {TABLE_CELLS} cells. Delete empty columns; save as CSV.")
    finally:
        book.close()
