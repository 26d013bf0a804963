"""The nodata text of a TIFF as it stands in the file.

GDAL keeps nodata as text in tag 42113. Where the type of the raster can't hold the number, rasterio reports no nodata at
all, so that the fault would stay unseen: only the tag itself tells.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

NODATA_TAG = 42113
MOST_ENTRIES = 4096
LONGEST_TEXT = 64


def nodata_text(path: str | Path) -> str | None:
    """The text of the nodata tag of the first image; None where there is none or the header is damaged."""
    with Path(path).open("rb") as file:
        try:
            return _nodata_text(file)
        except (struct.error, UnicodeDecodeError, KeyError):
            return None


def _nodata_text(file: BinaryIO) -> str | None:
    order = {b"II": "<", b"MM": ">"}[file.read(2)]
    big = _number(file, order, "H") == 43
    if big:
        file.read(4)
    offset = _number(file, order, "Q" if big else "I")
    file.seek(offset)
    entries = _number(file, order, "Q" if big else "H")
    size = 20 if big else 12
    for index in range(min(entries, MOST_ENTRIES)):
        file.seek(offset + (8 if big else 2) + index * size)
        tag, _kind = struct.unpack(order + "HH", file.read(4))
        if tag != NODATA_TAG:
            continue
        length = _number(file, order, "Q" if big else "I")
        if length > (8 if big else 4):
            file.seek(_number(file, order, "Q" if big else "I"))
        return file.read(min(length, LONGEST_TEXT)).decode("ascii").strip("\x00 ")
    return None


def _number(file: BinaryIO, order: str, kind: str) -> int:
    return struct.unpack(order + kind, file.read(struct.calcsize(order + kind)))[0]
