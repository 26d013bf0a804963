"""Pictures of tiles: PNG with a palette of at most 256 colours, one byte a pixel.

Written here in full because it is the last step of every tile: a third of the time that a general library takes.
Code 0 is always transparent.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from alm_core.palettes import category_colour, colours, rgb

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEVELS = 254
"""Steps between the codes 1 (low and below) and 255 (high and above)."""
COMPRESSION = 1
MAXIMUM_CLASSES = 254
OTHER_CLASS = "#B9C0C7"


def codes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Numbers as codes, uint8: 0 where missing, 1 at `low` and below, 255 at `high` and above, rounded between.

    Code c is drawn in colour c of the palette (`alm_core.palettes.colours`).

    Examples
    --------
    >>> codes(np.array([np.nan, -1.0, 0.0, 0.5, 1.0, 9.0]), 0.0, 1.0).tolist()
    [0, 1, 1, 128, 255, 255]
    """
    scaled = (values - low) * (LEVELS / (high - low)) + 1
    missing = np.isnan(scaled)
    np.clip(scaled, 1, LEVELS + 1, out=scaled)
    np.rint(scaled, out=scaled)
    scaled[missing] = 0
    return scaled.astype(np.uint8)


def class_codes(values: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Class numbers as codes: 1 for the first of the rising `classes` and so on, the code after the last for any other number.

    Examples
    --------
    >>> class_codes(np.array([np.nan, 3.0, 7.0, 8.0]), (3, 7)).tolist()
    [0, 1, 2, 3]
    """
    known = np.asarray(classes[:MAXIMUM_CLASSES], float)
    if known.size == 0:
        return np.where(np.isnan(values), 0, 1).astype(np.uint8)
    place = np.minimum(np.searchsorted(known, values), known.size - 1)
    place = np.where(known[place] == values, place, known.size)
    return np.where(np.isnan(values), 0, place + 1).astype(np.uint8)


@lru_cache(maxsize=128)
def palette_chunks(name: str) -> bytes:
    """The palette of continuous values as PNG chunks, code 0 transparent."""
    return _chunk(b"PLTE", colours(name).tobytes()) + _chunk(b"tRNS", b"\x00")


@lru_cache(maxsize=128)
def class_chunks(count: int) -> bytes:
    """The palette of `count` classes and of all other numbers."""
    shown = min(count, MAXIMUM_CLASSES)
    table = [(0, 0, 0), *(rgb(category_colour(position)) for position in range(shown)), rgb(OTHER_CLASS)]
    return _chunk(b"PLTE", bytes(part for colour in table for part in colour)) + _chunk(b"tRNS", b"\x00")


def plain_chunks(table: Sequence[tuple[int, int, int, int]]) -> bytes:
    """A palette of red, green, blue and opacity, 0 to 255 each."""
    solid = _chunk(b"PLTE", bytes(part for colour in table for part in colour[:3]))
    opacity = bytes(colour[3] for colour in table).rstrip(b"\xff")  # what is not said is opaque
    return solid + _chunk(b"tRNS", opacity) if opacity else solid


def png(picture: np.ndarray, palette: bytes) -> bytes:
    """Write codes, uint8 ``[row, column]``, with a palette as a PNG.

    Source of the format: PNG specification, third edition (W3C 2025).
    """
    rows, columns = picture.shape
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0))
    # Every row begins with its filter; none of them helps where neighbouring codes are colours and not amounts.
    lines = np.zeros((rows, columns + 1), np.uint8)
    lines[:, 1:] = picture
    return SIGNATURE + head + palette + _chunk(b"IDAT", zlib.compress(lines, COMPRESSION)) + _chunk(b"IEND", b"")


@lru_cache(maxsize=4)
def empty_png(size: int = 256) -> bytes:
    """A transparent tile."""
    return png(np.zeros((size, size), np.uint8), plain_chunks([(0, 0, 0, 0)]))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
