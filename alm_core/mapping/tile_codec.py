"""Tiles as a TIFF stores them: pixel by pixel, predicted from the neighbour on the left, compressed.

GDAL does the same, one thread at a time and through several copies; here a tile goes from values to bytes in one pass that
holds no lock. What comes out is plain TIFF (predictors 2 and 3, Zstandard or Deflate), which any reader decodes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from alm_core.errors import RasterError
from alm_core.trees.compiled import compiled

TILE = 512
"""Cells along a tile."""
LEVELS = {"zstd": 1, "deflate": 6}
"""How hard each method tries. On predicted maps a higher level of Zstandard takes twice as long and saves 1 %."""
TIFF_COMPRESSION = {"zstd": 50000, "deflate": 8}
WORDS = {"float32": np.uint32, "int16": np.uint16, "uint8": np.uint8}


@dataclass(frozen=True)
class TileCodec:
    """Turns tiles into bytes and back.

    Attributes
    ----------
    dtype : str
        float32, int16 or uint8.
    bands : int
    compression : str
        zstd or deflate.

    Examples
    --------
    >>> codec = TileCodec("float32", 2, "zstd")
    >>> tile = np.random.default_rng(0).random((2, TILE, TILE)).astype(np.float32)
    >>> bool(np.array_equal(codec.decode(codec.encode(tile)), tile))
    True
    """

    dtype: str
    bands: int
    compression: str

    @property
    def predictor(self) -> int:
        """TIFF's number: 2 takes differences of whole numbers, 3 sorts the bytes of floating point numbers first."""
        return 3 if self.dtype == "float32" else 2

    @property
    def tile_bytes(self) -> int:
        """Size of a tile before it is compressed."""
        return TILE * TILE * self.bands * np.dtype(self.dtype).itemsize

    def encode(self, values: np.ndarray) -> bytes:
        """A tile ``[band, row, column]`` of `dtype` as bytes."""
        words = np.ascontiguousarray(values).view(WORDS[self.dtype])
        predicted = np.empty(self.tile_bytes, np.uint8)
        if self.dtype == "float32":
            predict_floats(words, predicted)
        else:
            predict_whole(words, predicted.view(words.dtype))
        if self.compression == "deflate":
            return zlib.compress(predicted, LEVELS["deflate"])
        return _zstd().compress(predicted, asbytes=True)

    def decode(self, content: bytes) -> np.ndarray:
        """The tile ``[band, row, column]`` again.

        Raises
        ------
        RasterError
            The bytes are no tile.
        """
        try:
            if self.compression == "deflate":
                predicted = np.frombuffer(bytearray(zlib.decompress(content)), np.uint8)
            else:
                predicted = np.frombuffer(_zstd().decompress(content, self.tile_bytes), np.uint8)
        except (zlib.error, OSError) as fault:
            raise RasterError(f"A tile of {len(content)} bytes can't be decoded ({fault}). Write the raster again.") from fault
        words = np.empty((self.bands, TILE, TILE), WORDS[self.dtype])
        if self.dtype == "float32":
            restore_floats(predicted, words)
        else:
            restore_whole(predicted.view(words.dtype), words)
        return words.view(self.dtype)


def _zstd() -> Any:
    return pa.Codec("zstd", compression_level=LEVELS["zstd"])


# ---- predictors (TIFF 6.0, section 14; Adobe Photoshop TIFF Technical Note 3) -------------------------------------------


@compiled
def predict_floats(words, out):
    """Predictor 3: in each row first the highest bytes of all numbers, then the next ones, each less its left neighbour."""
    bands, rows, columns = words.shape
    count = columns * bands
    # Loops over whole arrays that are sliced outside: the compiler then takes 64 bytes at a time.
    line, sorted_bytes = np.empty(count, np.uint32), np.empty((4, count), np.uint8)
    whole = sorted_bytes.reshape(4 * count)
    later, earlier = whole[bands:], whole[: 4 * count - bands]
    for row in range(rows):
        for band in range(bands):
            cells, places = words[band, row], line[band::bands]
            for column in range(columns):
                places[column] = cells[column]
        for plane in range(4):
            place, shift = sorted_bytes[plane], np.uint32(24 - 8 * plane)
            for number in range(count):
                place[number] = np.uint8(line[number] >> shift)
        predicted = out[row * 4 * count : (row + 1) * 4 * count]
        for number in range(bands):
            predicted[number] = whole[number]
        rest = predicted[bands:]
        for number in range(later.size):
            rest[number] = later[number] - earlier[number]


@compiled
def restore_floats(predicted, words):
    """The inverse of `predict_floats`."""
    bands, rows, columns = words.shape
    count = columns * bands
    line, sorted_bytes = np.empty(count, np.uint32), np.empty((4, count), np.uint8)
    whole = sorted_bytes.reshape(4 * count)
    for row in range(rows):
        differences = predicted[row * 4 * count : (row + 1) * 4 * count]
        for band in range(bands):
            value, those, places = np.uint8(0), differences[band::bands], whole[band::bands]
            for number in range(those.size):
                value = np.uint8(value + those[number])
                places[number] = value
        first, second, third, fourth = sorted_bytes[0], sorted_bytes[1], sorted_bytes[2], sorted_bytes[3]
        for number in range(count):
            line[number] = (
                (np.uint32(first[number]) << np.uint32(24))
                | (np.uint32(second[number]) << np.uint32(16))
                | (np.uint32(third[number]) << np.uint32(8))
                | np.uint32(fourth[number])
            )
        for band in range(bands):
            cells, places = words[band, row], line[band::bands]
            for column in range(columns):
                cells[column] = places[column]


@compiled
def predict_whole(words, out):
    """Predictor 2: each number less its left neighbour of the same band."""
    bands, rows, columns = words.shape
    for band in range(bands):
        for row in range(rows):
            start = row * columns * bands
            cells, places = words[band, row], out[start + band : start + columns * bands : bands]
            places[0] = cells[0]
            for column in range(1, columns):
                places[column] = cells[column] - cells[column - 1]


@compiled
def restore_whole(predicted, words):
    """The inverse of `predict_whole`."""
    bands, rows, columns = words.shape
    for band in range(bands):
        for row in range(rows):
            start = row * columns * bands
            cells, places = words[band, row], predicted[start + band : start + columns * bands : bands]
            cells[0] = places[0]
            for column in range(1, columns):
                cells[column] = cells[column - 1] + places[column]
