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
        from alm_core.mapping.tile_kernels import predict_floats, predict_whole

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
        from alm_core.mapping.tile_kernels import restore_floats, restore_whole

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
