"""Blocks of any size, in any order, put together to the tiles of a raster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from alm_core.errors import GridError
from alm_core.grid import Block, Grid
from alm_core.mapping.tile_codec import TILE

Place = tuple[int, int]


class Retiling:
    """Gives a tile as soon as all of its cells are there. A block that covers a tile is passed on without a copy.

    Holds the tiles that are begun: none where blocks and tiles agree, about a row of them where blocks come row by row.

    Parameters
    ----------
    grid : Grid
    bands : int

    Examples
    --------
    >>> grid = Grid.from_bounds((0, 0, 600, 300), 1, crs="EPSG:32645")
    >>> blocks = ((block, np.zeros((1, *block.shape), np.float32)) for block in grid.blocks(200))
    >>> [(place, values.shape) for place, values in Retiling(grid, 1).tiles(blocks)]
    [((0, 0), (1, 300, 512)), ((0, 1), (1, 300, 88))]
    """

    def __init__(self, grid: Grid, bands: int) -> None:
        self.grid = grid
        self.bands = bands
        self._begun: dict[Place, tuple[np.ndarray, np.ndarray]] = {}
        self._done: set[Place] = set()

    def tiles(self, blocks: Iterable[tuple[Block, np.ndarray]]) -> Iterator[tuple[Place, np.ndarray]]:
        """Row and column of each tile and its values ``[band, row, column]``; tiles at the edges are smaller.

        A tile that holds nothing but NaN may come as an array that repeats one number; it can only be read.

        Raises
        ------
        GridError
            A block has another shape than its values, or the blocks do not cover the grid exactly once.
        """
        covered = 0
        for block, given in blocks:
            values = given if given.ndim == 3 else given[None]
            if values.shape != (self.bands, *block.shape):
                raise GridError(f"Block {block.name} is {values.shape}; {(self.bands, *block.shape)} was expected.")
            covered += block.shape[0] * block.shape[1]
            yield from self._split(block, values)
        if covered != self.grid.size:
            raise GridError(
                f"The blocks cover {covered} cells of a grid of {self.grid.size}. Each cell is expected exactly once."
            )

    def _split(self, block: Block, values: np.ndarray) -> Iterator[tuple[Place, np.ndarray]]:
        for row in range(block.row_start // TILE, (block.row_stop - 1) // TILE + 1):
            for column in range(block.column_start // TILE, (block.column_stop - 1) // TILE + 1):
                place = row, column
                top, left, bottom, right = self._edges(place)
                first_row, last_row = max(top, block.row_start), min(bottom, block.row_stop)
                first_column, last_column = max(left, block.column_start), min(right, block.column_stop)
                part = values[
                    :,
                    first_row - block.row_start : last_row - block.row_start,
                    first_column - block.column_start : last_column - block.column_start,
                ]
                shape = bottom - top, right - left
                inside = slice(first_row - top, last_row - top), slice(first_column - left, last_column - left)
                tile = (
                    part
                    if part.shape[1:] == shape and place not in self._begun
                    else self._fill(place, shape, inside, part, block)
                )
                if tile is not None:
                    if place in self._done:
                        raise _twice(block)
                    self._done.add(place)
                    yield place, tile

    def _fill(
        self, place: Place, shape: tuple[int, int], inside: tuple[slice, slice], part: np.ndarray, block: Block
    ) -> np.ndarray | None:
        """Add a part to the tile that is begun there; the tile, once it is complete."""
        if place not in self._begun:
            self._begun[place] = np.empty((self.bands, *shape), part.dtype), np.zeros(shape, bool)
        values, known = self._begun[place]
        if place in self._done or known[inside].any():
            raise _twice(block)
        values[(slice(None), *inside)] = part
        known[inside] = True
        return self._begun.pop(place)[0] if known.all() else None

    def _edges(self, place: Place) -> tuple[int, int, int, int]:
        """First row and column of a tile, and those after its last."""
        (rows, columns), (row, column) = self.grid.shape, place
        return row * TILE, column * TILE, min(rows, (row + 1) * TILE), min(columns, (column + 1) * TILE)


def _twice(block: Block) -> GridError:
    return GridError(f"Block {block.name} covers cells that another one covered already. Each cell is expected exactly once.")
