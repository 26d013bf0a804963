"""Places of the map: a regular sample of the cells that will be predicted."""

from __future__ import annotations

import numpy as np

from alm_core.covariates.stack import Stack
from alm_core.errors import GridError

BLOCK_CELLS = 2048


def sample_domain(stack: Stack, n: int) -> np.ndarray:
    """Take about `n` cell centres, regularly spaced in rows and columns, from the cells inside the mask.

    Nearest-neighbour distances from the map to the sites, which decide the kNNDM folds, are measured from these points.

    Parameters
    ----------
    stack : Stack
    n : int
        Smallest number of points wanted; all cells are taken where the mask has fewer.

    Returns
    -------
    ndarray
        ``[point, 2]``: x, y in the CRS of the grid.

    Raises
    ------
    GridError
        The mask has no cell to map.
    """
    grid = stack.grid
    mask = np.zeros(grid.shape, bool)
    with stack.reader([]) as reader:
        for block in grid.blocks(BLOCK_CELLS):
            mask[block.slices] = reader.mask(block)
    inside = int(mask.sum())
    if inside == 0:
        raise GridError("The mask leaves no cell to map. Check grid.mask and grid.mask_values of the study.")
    step = max(1, int(np.sqrt(inside / n)))
    rows, columns = np.nonzero(mask[::step, ::step])
    return np.column_stack([grid.x[columns * step], grid.y[rows * step]])
