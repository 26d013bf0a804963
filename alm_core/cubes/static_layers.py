"""Static layers at the mapped cells of a store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alm_core.covariates.stack import Stack
from alm_core.cubes.store import CubeStore
from alm_core.errors import GridError

BLOCK_CELLS = 512


def read_static(stack: Stack, store: CubeStore, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Staged layers at the cells of a store, as `alm_core.cubes.features.compute_features` takes them.

    Parameters
    ----------
    stack : Stack
    store : CubeStore
        On the same grid.
    names : sequence of str
        Layers, also those that no learner is offered; `FeaturePlan.layers` names what is needed.

    Returns
    -------
    dict
        float32 ``[cell]`` by name; NaN where missing.

    Raises
    ------
    GridError
        The stack is on another grid.
    """
    if (stack.grid.transform, stack.grid.shape) != (store.grid.transform, store.grid.shape):
        raise GridError(
            f"The static layers have {stack.grid.shape} cells from {stack.grid.bounds}, the days {store.grid.shape} from "
            f"{store.grid.bounds}: one grid is expected. Run the study again."
        )
    found = {name: np.full(store.cells.size, np.nan, np.float32) for name in names}
    if not names:
        return found
    row, column = np.divmod(store.cells, store.grid.shape[1])
    with stack.reader(names) as reader:
        for block in stack.grid.blocks(BLOCK_CELLS):
            inside = (row >= block.row_start) & (row < block.row_stop)
            inside &= (column >= block.column_start) & (column < block.column_stop)
            if inside.any():
                values = reader.read(block)[:, row[inside] - block.row_start, column[inside] - block.column_start]
                for name, layer in zip(names, values, strict=True):
                    found[name][inside] = layer
    return found
