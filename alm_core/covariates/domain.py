"""Places of the map: a regular sample of the cells that will be predicted."""

from __future__ import annotations

import numpy as np

from alm_core.covariates.stack import Stack
from alm_core.errors import GridError
from alm_core.grid import Block

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
    # Twice by blocks: the mask of a whole plateau would take most of the memory that a map of it may use.
    with stack.reader([]) as reader:
        inside = sum(np.count_nonzero(reader.mask(block)) for block in grid.blocks(BLOCK_CELLS))
        if inside == 0:
            raise GridError("The mask leaves no cell to map. Check grid.mask and grid.mask_values of the study.")
        step = max(1, int(np.sqrt(inside / n)))
        chosen = [_lattice_cells(reader.mask(block), block, step) for block in grid.blocks(BLOCK_CELLS)]
    rows, columns = np.concatenate(chosen, axis=1)
    order = np.lexsort((columns, rows))
    return np.column_stack([grid.x[columns[order]], grid.y[rows[order]]])


def _lattice_cells(mask: np.ndarray, block: Block, step: int) -> np.ndarray:
    """Rows and columns in the grid, ``[2, n]``, of a block's cells inside the mask: those of every `step`-th row and column."""
    first_row, first_column = -block.row_start % step, -block.column_start % step
    rows, columns = np.nonzero(mask[first_row::step, first_column::step])
    return np.stack([block.row_start + first_row + rows * step, block.column_start + first_column + columns * step])
