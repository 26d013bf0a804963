"""Nothing is left to compile when the first block is written."""

from __future__ import annotations

import numpy as np

from alm_core.mapping import block_kernels
from alm_core.mapping.block_file import encode_block, read_layers
from alm_core.mapping.warm_up import warm_up

KERNELS = [kernel for name in vars(block_kernels) if hasattr(kernel := getattr(block_kernels, name), "signatures")]


def compiled_for():
    """The types that each kernel was compiled for."""
    return {kernel.__name__: list(kernel.signatures) for kernel in KERNELS}


def test_a_map_finds_every_kernel_compiled():
    """Blocks need no type that the warm-up did not have."""
    told = []
    assert warm_up(told.append) > 0
    assert len(told) == 1
    before = compiled_for()
    assert len(before) == 2
    values = np.random.default_rng(0).random((2, 700, 600)).astype(np.float32)
    values[:, :99] = np.nan
    read_layers(b"".join(encode_block(values, {})), [1, 0])
    assert compiled_for() == before
