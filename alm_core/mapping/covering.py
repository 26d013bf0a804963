"""Whether blocks cover a grid, each cell exactly once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alm_core.errors import GridError
from alm_core.grid import Block, Grid


def check_covering(grid: Grid, blocks: Sequence[Block]) -> None:
    """Refuse blocks that leave cells of a grid out or cover some twice.

    The edges of all blocks cut the grid into few rectangles; what is counted is how many blocks lie on each, so neither
    memory nor time depends on the number of cells.

    Parameters
    ----------
    grid : Grid
    blocks : sequence of Block
        Of any size, in any order.

    Raises
    ------
    GridError

    Examples
    --------
    >>> grid = Grid.from_bounds((0, 0, 600, 300), 1, crs="EPSG:32645")
    >>> blocks = list(grid.blocks(200))
    >>> check_covering(grid, blocks)
    >>> check_covering(grid, [*blocks[1:], blocks[1]])
    Traceback (most recent call last):
        ...
    alm_core.errors.GridError: The blocks cover row 0, column 0 0 times. Each cell is expected exactly once: ...
    """
    rows = np.unique([0, grid.shape[0], *(edge for block in blocks for edge in (block.row_start, block.row_stop))])
    columns = np.unique([0, grid.shape[1], *(edge for block in blocks for edge in (block.column_start, block.column_stop))])
    changes = np.zeros((len(rows), len(columns)), np.int64)
    for row, down in ((0, 1), (1, -1)):
        at_row = np.searchsorted(rows, [(block.row_start, block.row_stop)[row] for block in blocks])
        for column, across in ((0, 1), (1, -1)):
            at_column = np.searchsorted(columns, [(block.column_start, block.column_stop)[column] for block in blocks])
            np.add.at(changes, (at_row, at_column), down * across)
    times = changes.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    wrong = np.argwhere(times != 1)
    if len(wrong):
        row, column = wrong[0]
        raise GridError(
            f"The blocks cover row {rows[row]}, column {columns[column]} {times[row, column]} times. "
            f"Each cell is expected exactly once: give all blocks of one division of the grid of {grid.size} cells."
        )
