"""Compile the room's kernels ahead of the first map, so that nobody waits for the compiler without knowing."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


def warm_up(tell: Callable[[str], None] | None = None) -> float:
    """Run every kernel that writes a map on an empty tile of each data type.

    Parameters
    ----------
    tell : callable, optional
        Gets one line before the work begins.

    Returns
    -------
    float
        Seconds it took: some ten once per machine and version of the program, a fraction of one afterwards.
    """
    from alm_core.mapping.block_file import encode_block, read_layers
    from alm_core.mapping.overviews import halve, pairs
    from alm_core.mapping.tile_codec import TILE, TileCodec

    started = time.perf_counter()
    if tell is not None:
        tell("preparing the writing of rasters: some ten seconds the first time on a machine, then none")
    halves = pairs(TILE, TILE // 2)
    for dtype, nodata in (("float32", np.nan), ("int16", -32768), ("uint8", 255)):
        codec, tile = TileCodec(dtype, 1, "zstd"), np.zeros((1, TILE, TILE), dtype)
        codec.decode(codec.encode(tile))
        for resampling in ("average", "mode"):
            halve(tile, halves, halves, nodata, resampling)
    read_layers(b"".join(encode_block(np.zeros((1, 2, 2), np.float32), {})), [0])
    return time.perf_counter() - started
