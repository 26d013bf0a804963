"""Which cells of a grid lie in an area: found block by block, so that an area of any size costs little memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from rasterio.windows import Window

from alm_core.errors import GridError
from alm_core.grid import Block, Grid
from alm_core.mapping.area import Area, box_area
from alm_core.mapping.cog import TILE

EDGE = 1e-6
"""Part of a cell by which an edge may miss a cell centre or border through rounding."""
BLOCK = TILE
"""Cells of a block: one tile, so that a raster which is written block by block has each of its tiles written once."""
MANY_VERTICES = 2000
"""Vertices above which the polygon is cut to each block before it is drawn there."""


@dataclass(frozen=True)
class AreaBlock:
    """One block of an area.

    Attributes
    ----------
    block : Block
        Its place in the frame of the area.
    rows, columns : slice
        The same cells in the whole grid.
    inside : ndarray
        bool ``[row, column]``: the cell lies in the area.
    """

    block: Block
    rows: slice
    columns: slice
    inside: np.ndarray

    @property
    def window(self) -> Window:
        """Where to read it from a raster of the whole grid."""
        return Window.from_slices(self.rows, self.columns)


@dataclass(frozen=True)
class AreaCells:
    """The cells of a grid in an area.

    Attributes
    ----------
    whole : Grid
    frame : Block
        The smallest rectangle of cells that holds the area.
    shape : shapely geometry
        The area in the CRS of the grid.
    all_touched : bool
        True: every cell that the area touches; False: cells whose centre lies in it.
    beyond : bool
        The area reaches beyond the grid.
    """

    whole: Grid
    frame: Block
    shape: shapely.Geometry
    all_touched: bool
    beyond: bool

    @cached_property
    def grid(self) -> Grid:
        """The grid of the frame."""
        return self.whole.window(self.frame)

    @cached_property
    def count(self) -> int:
        """Blocks of the default size."""
        rows, columns = self.grid.shape
        return math.ceil(rows / BLOCK) * math.ceil(columns / BLOCK)

    def blocks(self, size: int = BLOCK) -> Iterator[AreaBlock]:
        """Walk the frame in row-major order."""
        # A box needs no drawing: the frame already holds exactly the cells whose centre is in it.
        plain = not self.all_touched and self.shape.equals(shapely.box(*self.shape.bounds))
        shapely.prepare(self.shape)
        top, left = self.frame.row_start, self.frame.column_start
        for block in self.grid.blocks(size):
            inside = np.ones(block.shape, bool) if plain else self._drawn(block)
            rows = slice(top + block.row_start, top + block.row_stop)
            yield AreaBlock(block, rows, slice(left + block.column_start, left + block.column_stop), inside)

    def _drawn(self, block: Block) -> np.ndarray:
        from rasterio.features import geometry_mask

        grid = self.grid.window(block)
        west, south, east, north = grid.bounds
        box = shapely.box(west, south, east, north)
        if not self.shape.intersects(box):
            return np.zeros(block.shape, bool)
        if self.shape.contains(box):
            return np.ones(block.shape, bool)
        shape = self.shape
        if shapely.get_num_coordinates(shape) > MANY_VERTICES:
            width, height = grid.resolution
            # Two cells of margin keep the new edges away from every cell of the block.
            shape = shapely.clip_by_rect(shape, west - 2 * width, south - 2 * height, east + 2 * width, north + 2 * height)
            if shape.is_empty:
                return np.zeros(block.shape, bool)
        return geometry_mask([shape], block.shape, grid.affine, all_touched=self.all_touched, invert=True)


def cells_of(area: Area, grid: Grid, *, all_touched: bool = False) -> AreaCells:
    """Find the cells of a grid in an area.

    Raises
    ------
    GridError
        The area lies outside the grid, or holds no cell centre.

    Examples
    --------
    >>> grid = Grid.from_bounds((90, 30, 91, 31), 0.25, crs="EPSG:4326")
    >>> cells = cells_of(box_area((90.2, 30.2, 90.7, 30.7)), grid)
    >>> cells.grid.shape, sum(int(block.inside.sum()) for block in cells.blocks())
    ((2, 2), 4)
    """
    shape = area.on(grid)
    west, south, east, north = shape.bounds
    (top, bottom), (left, right) = grid.row_column(np.array([west, east]), np.array([north, south]))
    rows, columns = grid.shape
    if bottom <= 0 or right <= 0 or top >= rows or left >= columns:
        raise GridError(
            f"The area ({_box(area.bounds)}, {area.crs or 'CRS of the map'}) lies outside the map "
            f"({_box(grid.bounds)}, {(grid.crs or 'no CRS')[:60]}; in the map's coordinates the area is {_box(shape.bounds)}). "
            "Check the order west, south, east, north and the CRS."
        )
    first, last = (_touched, _touched_end) if all_touched else (_centre, _centre_end)
    row_start, row_stop = max(0, first(top)), min(rows, last(bottom))
    column_start, column_stop = max(0, first(left)), min(columns, last(right))
    if row_start >= row_stop or column_start >= column_stop:
        raise GridError(
            f"The area ({_box(area.bounds)}) holds no cell centre: it is smaller than a cell of {grid.resolution}. "
            "Pass all_touched=True to take every cell that it touches."
        )
    beyond = bool(top < -EDGE or left < -EDGE or bottom > rows + EDGE or right > columns + EDGE)
    frame = Block(0, 0, row_start, row_stop, column_start, column_stop, 0, grid.shape)
    return AreaCells(grid, frame, shape, all_touched, beyond)


def all_cells(grid: Grid) -> AreaCells:
    """Every cell of a grid."""
    return cells_of(box_area(grid.bounds, crs=None), grid)


def _touched(edge: float) -> int:
    return math.floor(edge + EDGE)


def _touched_end(edge: float) -> int:
    return math.ceil(edge - EDGE)


def _centre(edge: float) -> int:
    return math.ceil(edge - 0.5 - EDGE)


def _centre_end(edge: float) -> int:
    return math.floor(edge - 0.5 + EDGE) + 1


def _box(bounds: Sequence[float]) -> str:
    west, south, east, north = (f"{value:.6g}" for value in bounds)
    return f"west {west}, south {south}, east {east}, north {north}"
