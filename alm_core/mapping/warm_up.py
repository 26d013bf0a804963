"""Compile the room's kernels ahead of the first map, so that nobody waits for the compiler without knowing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alm_core.trees.warm_up import timed


def warm_up(tell: Callable[[str], None] | None = None) -> float:
    """Run every kernel that keeps a map's blocks on a block of four cells.

    Parameters
    ----------
    tell : callable, optional
        Gets one line before the work begins.

    Returns
    -------
    float
        Seconds it took: a few once per machine and version of the program, a fraction of one afterwards.
    """
    from alm_core.mapping.block_file import encode_block, read_layers

    with timed("the writing of blocks", tell) as took:
        read_layers(b"".join(encode_block(np.zeros((1, 2, 2), np.float32), {})), [0])
    return took.seconds
