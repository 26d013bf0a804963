"""The file of one finished block: only cells with a value, packed fast, with checksums that tell a whole file from a torn one.

A plateau has 5 GB of values in thousands of blocks, each written once and read once or twice: here that costs seconds where
GeoTIFFs cost a minute. Not for other programs: what they read are the rasters that are made of the blocks.

Layout: a line with the magic word, the length of the header and its checksum; the header in JSON; one bit for each cell, set
where any layer has a value; then for each layer its values there. All parts are compressed by LZ4; the header has the size
and the checksum (CRC-32) of each.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from alm_core.errors import LedgerError

MAGIC = b"ALM-BLOCK-1"
START_BYTES = len(MAGIC) + 19
LARGEST_HEADER = 2**20


def encode_block(values: np.ndarray, facts: dict[str, Any]) -> list[bytes]:
    """The content of a block's file, piece by piece.

    Parameters
    ----------
    values : ndarray
        ``[layer, row, column]`` float32, NaN where there is no value. Infinities and every bit of the numbers are kept.
    facts : dict
        What else is to be known of the block, as JSON can hold it.

    Examples
    --------
    >>> values = np.array([[[1.5, np.nan]], [[np.inf, np.nan]]], np.float32)
    >>> content = b"".join(encode_block(values, {"cells": 2}))
    >>> read_facts(content)["cells"], read_layers(content, [1]).tolist()
    (2, [[[inf, nan]]])
    """
    from alm_core.mapping.block_kernels import spread_bytes

    parts = []
    known = _some_value(values)
    count = int(np.count_nonzero(known))
    if count:
        parts.append(_pack(np.packbits(known)))
        for layer in values:
            parts.append(_pack(spread_bytes(np.ascontiguousarray(layer).view(np.uint32), known, count)))
    described = [{"size": len(part), "crc32": zlib.crc32(part)} for part in parts]
    header = json.dumps({**facts, "shape": list(values.shape), "values": count, "parts": described}, sort_keys=True).encode()
    return [_start(len(header), zlib.crc32(header)), header, *parts]


def holds_nothing(values: np.ndarray) -> bool:
    """True for an array that repeats one NaN (no strides): the cheap form of a block without values."""
    return not any(values.strides) and (values.size == 0 or bool(np.isnan(values.flat[0])))


def nothing(shape: tuple[int, ...]) -> np.ndarray:
    """NaN in every cell, float32, in the memory of one; can't be written to."""
    return np.broadcast_to(np.float32(np.nan), shape)


def read_facts(source: bytes | Path, *, whole: bool = True) -> dict[str, Any]:
    """What `encode_block` was given, and ``shape``.

    Parameters
    ----------
    source : bytes or Path
    whole : bool
        Check every part; else only the header.

    Raises
    ------
    LedgerError
        The file is torn or damaged, by a single bit even.
    OSError
        It can't be read.
    """
    with _open(source) as stream:
        header = _header(stream)
        if whole:
            for number in range(len(header["parts"])):
                _part(stream, header, number)
            if stream.read(1):
                raise LedgerError("it goes on after its end")
    return {name: value for name, value in header.items() if name not in ("parts", "values")}


def read_layers(source: bytes | Path, layers: Sequence[int]) -> np.ndarray:
    """Some layers by their numbers, ``[layer, row, column]`` float32; checks what it reads.

    A block without values comes as an array that repeats one NaN and can't be written to.

    Raises
    ------
    LedgerError
        The file is torn or damaged.
    OSError
        It can't be read.
    """
    from alm_core.mapping.block_kernels import gather_bytes

    with _open(source) as stream:
        header = _header(stream)
        count, shape = header["values"], tuple(header["shape"])
        if not count:
            return nothing((len(layers), *shape[1:]))
        cells = shape[1] * shape[2]
        known = np.unpackbits(_unpack(_part(stream, header, 0), -(-cells // 8)), count=cells).view(bool).reshape(shape[1:])
        values = np.empty((len(layers), *shape[1:]), np.float32)
        for place, number in enumerate(layers):
            gather_bytes(_unpack(_part(stream, header, 1 + number), 4 * count), known, values[place].view(np.uint32))
    return values


# ---- parts --------------------------------------------------------------------------------------------------------------


def _open(source: bytes | Path) -> BinaryIO:
    if isinstance(source, Path):
        return source.open("rb")
    return io.BytesIO(source)


def _start(length: int, checksum: int) -> bytes:
    return MAGIC + b" %08d %08x\n" % (length, checksum)


def _header(stream: BinaryIO) -> dict[str, Any]:
    start = stream.read(START_BYTES)
    try:
        length, checksum = int(start[len(MAGIC) + 1 : -10]), int(start[-9:-1], 16)
        if start != _start(length, checksum):
            raise ValueError
    except ValueError:
        raise LedgerError("it does not begin like a block") from None
    text = stream.read(min(length, LARGEST_HEADER))
    if len(text) != length or zlib.crc32(text) != checksum:
        raise LedgerError("its header is damaged")
    header = json.loads(text)
    # Where the parts begin, for readers that skip some.
    places = np.cumsum([START_BYTES + length, *(part["size"] for part in header["parts"])])
    for part, place in zip(header["parts"], places, strict=False):
        part["place"] = int(place)
    return header


def _part(stream: BinaryIO, header: dict[str, Any], number: int) -> bytes:
    part = header["parts"][number]
    stream.seek(part["place"])
    content = stream.read(part["size"])
    if len(content) != part["size"]:
        raise LedgerError("its end is missing")
    if zlib.crc32(content) != part["crc32"]:
        raise LedgerError(f"part {number} is damaged")
    return content


def _some_value(values: np.ndarray) -> np.ndarray:
    """True for cells in which any layer is not NaN, ``[row, column]``."""
    known = np.zeros(values.shape[1:], bool)
    if not holds_nothing(values):
        for layer in values:
            known |= ~np.isnan(layer)
    return known


def _pack(content: np.ndarray) -> bytes:
    return pa.Codec("lz4_raw").compress(content, asbytes=True)


def _unpack(content: bytes, size: int) -> np.ndarray:
    return np.frombuffer(pa.Codec("lz4_raw").decompress(content, size), np.uint8)
