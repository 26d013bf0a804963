"""Nothing is left to compile when the first block is written."""

from __future__ import annotations

import numpy as np

from alm_core.grid import Grid
from alm_core.mapping import tile_kernels
from alm_core.mapping.block_file import encode_block, read_layers
from alm_core.mapping.cog import write_cog
from alm_core.mapping.warm_up import warm_up

KERNELS = [kernel for name in vars(tile_kernels) if hasattr(kernel := getattr(tile_kernels, name), "signatures")]


def compiled_for():
    """The types that each kernel was compiled for."""
    return {kernel.__name__: list(kernel.signatures) for kernel in KERNELS}


def test_a_map_finds_every_kernel_compiled(tmp_path):
    """Blocks, rasters of every type and their overviews need no type that the warm-up did not have."""
    told = []
    assert warm_up(told.append) > 0
    assert len(told) == 1
    before = compiled_for()
    assert len(before) == 9
    values = np.random.default_rng(0).random((2, 700, 600)).astype(np.float32)
    values[:, :99] = np.nan
    read_layers(b"".join(encode_block(values, {})), [1, 0])
    grid = Grid.from_bounds((0, 0, 600, 700), 1, crs="EPSG:32645")
    for dtype, options in {"float32": {}, "int16": {"scale": 0.001}, "uint8": {"resampling": "mode", "scale": 0.01}}.items():
        write_cog(tmp_path / f"{dtype}.tif", values, grid, band_names=["a", "b"], dtype=dtype, **options)
    assert compiled_for() == before
