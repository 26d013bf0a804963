"""Tiles as bytes: the inverse gives every bit back, and TIFF's predictors are what they should be."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from alm_core.errors import RasterError
from alm_core.mapping.tile_codec import TILE, TileCodec


@pytest.mark.parametrize("bands", [1, 2, 5])
@pytest.mark.parametrize("compression", ["zstd", "deflate"])
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
def test_every_bit_comes_back(bands, compression, dtype):
    """Random bits, all kinds of NaN among them."""
    size = np.dtype(dtype).itemsize
    raw = np.random.default_rng(bands).integers(0, 256, bands * TILE * TILE * size, np.uint8)
    tile = raw.view(dtype).reshape(bands, TILE, TILE)
    codec = TileCodec(dtype, bands, compression)
    content = codec.encode(tile)
    assert codec.decode(content).tobytes() == tile.tobytes()
    assert codec.encode(tile) == content
    assert codec.predictor == (3 if dtype == "float32" else 2)


def test_predictor_of_whole_numbers():
    """Differences of neighbours in a row, band by band."""
    tile = np.zeros((2, TILE, TILE), np.int16)
    tile[0, 0, :4], tile[1, 0, :4] = (10, 12, 15, 11), (7, 7, 7, 8)
    stored = np.frombuffer(zlib.decompress(TileCodec("int16", 2, "deflate").encode(tile)), np.int16)
    assert stored[:10].tolist() == [10, 7, 2, 0, 3, 0, -4, 1, -11, -8]


def test_predictor_of_floats():
    """Bytes sorted by weight, then differences along the whole row (Adobe's note on predictor 3), told by hand."""
    tile = np.random.default_rng(0).normal(size=(3, TILE, TILE)).astype(np.float32)
    row = tile[:, 7].T.reshape(-1).astype(">f4").view(np.uint8).reshape(-1, 4)  # cell by cell, highest byte first
    planes = row.T.reshape(-1)
    expected = planes.copy()
    expected[3:] -= planes[:-3]
    stored = np.frombuffer(zlib.decompress(TileCodec("float32", 3, "deflate").encode(tile)), np.uint8)
    np.testing.assert_array_equal(stored.reshape(TILE, -1)[7], expected)


@pytest.mark.parametrize("compression", ["zstd", "deflate"])
def test_no_tile_is_named(compression):
    """Bytes that are no tile raise an error of ours."""
    with pytest.raises(RasterError, match="can't be decoded"):
        TileCodec("float32", 1, compression).decode(b"not a tile")
