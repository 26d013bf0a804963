"""Bring a layer onto the study grid, block by block, with bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import rasterio
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

from alm_core.covariates.layers import LayerReader
from alm_core.covariates.raster import read_padded
from alm_core.errors import CrsError
from alm_core.grid import Block, Grid

LATTICE_TOLERANCE = 1e-3
"""Part of a cell by which a raster may miss the study grid and still count as lying on it."""
FINER = 2.0
"""How many source cells a grid cell must span before `average` is advised."""
SLIGHTLY_FINER = 1.5
"""Source cells to a grid cell up to which bilinear and cubic take their usual 2 x 2 and 4 x 4 cells."""
MAXIMUM_SOURCE_CELLS = 2**23
"""Source cells that are held at once while a block is resampled; larger needs are met in parts."""
TRANSFORM_TOLERANCE = 1e-3
"""Part of a source cell by which GDAL may approximate a change of CRS (its default is 0.125)."""
SPREAD = 7
STAND_IN_CRS = "EPSG:3857"
KERNEL_RADIUS = {"nearest": 1, "bilinear": 2, "cubic": 3}


@dataclass(frozen=True)
class AlignedBlock:
    """A block of a layer on the study grid.

    Attributes
    ----------
    values : ndarray
        float32 ``[row, column]``, NaN where missing.
    out_of_range : ndarray of bool or None
        Cells whose nearest source cell lies outside minimum..maximum; None where the study names neither.
    """

    values: np.ndarray
    out_of_range: np.ndarray | None


def same_crs(first: str | None, second: str | None) -> bool:
    """True where both are None or mean the same CRS, whatever their text and the order of their axes.

    Examples
    --------
    >>> same_crs("EPSG:4326", "OGC:CRS84")
    True
    """
    if first is None or second is None:
        return first is second
    return first == second or _equal_crs(first, second)


@lru_cache(maxsize=64)
def _equal_crs(first: str, second: str) -> bool:
    return CRS.from_user_input(first).equals(CRS.from_user_input(second), ignore_axis_order=True)


def lattice_offset(source: Grid, target: Grid) -> tuple[int, int] | None:
    """Row and column of the target's first cell in the source, where both share one lattice of cells; else None.

    Examples
    --------
    >>> source = Grid.from_bounds((80, 30, 84, 34), 0.5, crs="EPSG:4326")
    >>> lattice_offset(source, Grid.from_bounds((81, 30, 83, 33), 0.5, crs="EPSG:4326"))
    (2, 2)
    >>> lattice_offset(source, Grid.from_bounds((81.1, 30.1, 83.1, 33.1), 0.5, crs="EPSG:4326")) is None
    True
    """
    if not same_crs(source.crs, target.crs):
        return None
    for own, other, cells in zip(source.resolution, target.resolution, target.shape[::-1], strict=True):
        if abs(own / other - 1) * cells > LATTICE_TOLERANCE:
            return None
    column = (target.transform[2] - source.transform[2]) / source.resolution[0]
    row = (source.transform[5] - target.transform[5]) / source.resolution[1]
    if abs(row - round(row)) > LATTICE_TOLERANCE or abs(column - round(column)) > LATTICE_TOLERANCE:
        return None
    return round(row), round(column)


def bounds_in(target_crs: str | None, grid: Grid) -> tuple[float, float, float, float]:
    """Bounds of a grid in another CRS; a box across the antimeridian comes as -180..180.

    Raises
    ------
    CrsError
        Only one of the two has a CRS.
    """
    if same_crs(grid.crs, target_crs):
        return grid.bounds
    if grid.crs is None or target_crs is None:
        raise CrsError("Only one of two rasters has a CRS, so they can't be brought together. Give `crs` for the one without.")
    west, south, east, north = _transformer(grid.crs, target_crs).transform_bounds(*grid.bounds, densify_pts=21)
    if west > east:
        west, east = -180.0, 180.0
    return west, south, east, north


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


class Aligner:
    """Gives blocks of the study grid from a layer, copied where the cells agree and resampled where they don't.

    Copies are exact. Resampling is GDAL's, from the cleaned numbers: nodata, infinities and values out of range are
    taken out first, so no sentinel is ever mixed into a mean. Not thread-safe; open one per thread.

    Parameters
    ----------
    reader : LayerReader
        The open layer.
    grid : Grid
        Where to bring it.
    method : str
        One of `alm_core.covariates.layers.RESAMPLINGS`.
    """

    def __init__(self, reader: LayerReader, grid: Grid, method: str) -> None:
        if not same_crs(reader.grid.crs, grid.crs) and (reader.grid.crs is None or grid.crs is None):
            raise CrsError(
                f"Layer {reader.layer.name} and the study grid: only one of them has a CRS. "
                "Set `crs` of the layer or of [grid] in study.toml."
            )
        self.reader = reader
        self.grid = grid
        self.method = method
        self.offset = lattice_offset(reader.grid, grid)
        self.reprojects = not same_crs(reader.grid.crs, grid.crs)
        self.column_ratio, self.row_ratio = self._ratios()
        self.ratio = max(self.column_ratio, self.row_ratio)

    def _ratios(self) -> tuple[float, float]:
        """How many source columns and rows a grid cell spans: the median over cells spread over the grid."""
        own_width, own_height = self.reader.grid.resolution
        if not self.reprojects:
            return self.grid.resolution[0] / own_width, self.grid.resolution[1] / own_height
        rows, columns = (np.unique(np.linspace(0, length - 1, SPREAD).astype(int)) for length in self.grid.shape)
        cells = [Block(0, 0, row, row + 1, column, column + 1, 0, self.grid.shape) for row in rows for column in columns]
        boxes = np.array([bounds_in(self.reader.grid.crs, self.grid.window(cell)) for cell in cells])
        boxes = boxes[np.isfinite(boxes).all(axis=1)]
        if len(boxes) == 0:
            return 1.0, 1.0
        # The median passes over cells at a pole or across the antimeridian, which seem to span all longitudes.
        width, height = np.median(boxes[:, 2:] - boxes[:, :2], axis=0)
        return float(width / own_width), float(height / own_height)

    def describe(self) -> str:
        """What is done to the layer, in words."""
        if self.offset == (0, 0) and self.reader.grid.shape == self.grid.shape:
            return "already on the grid"
        if self.offset is not None:
            return "same cells as the grid: cut or padded to it"
        done = f"resampled by {self.method}"
        return f"{done}, reprojected from {short_crs(self.reader.grid.crs)}" if self.reprojects else done

    def advice(self) -> list[str]:
        """Notes on the choice of resampling."""
        if self.offset is None and self.ratio >= FINER and self.method in ("nearest", "bilinear", "cubic"):
            better = "mode" if self.reader.layer.kind == "categorical" else "average"
            return [f"a grid cell spans {self.ratio:.1f} source cells: resampling = {better!r} is advised"]
        return []

    def block(self, block: Block) -> AlignedBlock:
        """The layer on one block of the study grid (without its halo)."""
        if self.offset is not None:
            return self._copied(block)
        values = np.full(block.shape, np.nan, np.float32)
        outside = np.zeros(block.shape, bool) if self.reader.has_range else None
        self._warp_into(block, (0, 0), values, outside)
        return AlignedBlock(values, outside)

    def _copied(self, block: Block) -> AlignedBlock:
        row, column = self.offset
        rows = block.row_start + row, block.row_stop + row
        columns = block.column_start + column, block.column_stop + column

        def read(*window: int) -> np.ndarray:
            values, outside = self.reader.read(*window)
            return np.stack([values, np.zeros_like(values) if outside is None else outside.astype(np.float32)])

        if not self.reader.has_range:
            return AlignedBlock(
                read_padded(lambda *window: self.reader.read(*window)[0], self.reader.grid.shape, rows, columns), None
            )
        both = read_padded(read, self.reader.grid.shape, rows, columns)
        values, outside = (both, both) if both.ndim == 2 else both
        return AlignedBlock(values, outside == 1)

    def _warp_into(self, block: Block, corner: tuple[int, int], values: np.ndarray, outside: np.ndarray | None) -> None:
        """Resample a block into `values` at `corner`, in parts where the source window would not fit in memory."""
        window = self._source_window(block)
        if window is None:
            return
        row_start, row_stop, column_start, column_stop = window
        if (row_stop - row_start) * (column_stop - column_start) > MAXIMUM_SOURCE_CELLS and max(block.shape) > 1:
            for half in _halves(block):
                offset = corner[0] + half.row_start - block.row_start, corner[1] + half.column_start - block.column_start
                self._warp_into(half, offset, values, outside)
            return
        source, cut = self.reader.read(*window)
        place = slice(corner[0], corner[0] + block.shape[0]), slice(corner[1], corner[1] + block.shape[1])
        if np.isfinite(source).any():
            values[place] = self._warp(source, window, block, self.method)
        if cut is not None and cut.any():
            outside[place] = self._warp(cut.astype(np.float32), window, block, "nearest") == 1

    def _source_window(self, block: Block) -> tuple[int, int, int, int] | None:
        """Rows and columns of the source that a block needs, with the kernel's reach; None where there is no overlap."""
        source = self.reader.grid
        west, south, east, north = bounds_in(source.crs, self.grid.window(block))
        if not np.all(np.isfinite([west, south, east, north])):
            return 0, source.shape[0], 0, source.shape[1]
        top, left = source.row_column(west, north)
        bottom, right = source.row_column(east, south)
        reach = KERNEL_RADIUS.get(self.method, 1) * max(1.0, self.ratio) + 2
        # Bounds come from points along the edges: a curved edge may bulge a little further.
        row_margin = reach + (0.02 * (bottom - top) if self.reprojects else 0)
        column_margin = reach + (0.02 * (right - left) if self.reprojects else 0)
        rows = max(0, math.floor(top - row_margin)), min(source.shape[0], math.ceil(bottom + row_margin))
        columns = max(0, math.floor(left - column_margin)), min(source.shape[1], math.ceil(right + column_margin))
        return (*rows, *columns) if rows[0] < rows[1] and columns[0] < columns[1] else None

    def _warp(self, source: np.ndarray, window: tuple[int, int, int, int], block: Block, method: str) -> np.ndarray:
        cells = Block(0, 0, *window, 0, self.reader.grid.shape)
        source_grid, target = self.reader.grid.window(cells), self.grid.window(block)
        # The same text on both sides keeps GDAL from a change of datum between two spellings of one CRS.
        target_crs = target.crs or STAND_IN_CRS
        source_crs = source_grid.crs if self.reprojects else target_crs
        profile = {
            "driver": "GTiff",
            "height": source.shape[0],
            "width": source.shape[1],
            "count": 1,
            "dtype": "float32",
            "nodata": np.nan,
            "crs": source_crs,
            "transform": source_grid.affine,
        }
        with MemoryFile() as memory:
            with memory.open(**profile) as dataset:
                dataset.write(source, 1)
            with (
                rasterio.open(memory.name, driver="GTiff") as dataset,
                WarpedVRT(
                    dataset,
                    crs=target_crs,
                    transform=target.affine,
                    width=target.shape[1],
                    height=target.shape[0],
                    resampling=_resampling(method),
                    nodata=np.nan,
                    tolerance=TRANSFORM_TOLERANCE,
                    # GDAL would choose the width of its kernel by the window, so that each block would be smoothed differently.
                    XSCALE=_kernel_scale(self.column_ratio),
                    YSCALE=_kernel_scale(self.row_ratio),
                ) as warped,
            ):
                return warped.read(1)


def _kernel_scale(ratio: float) -> float:
    """How far GDAL widens its kernel so that it covers a grid cell of `ratio` source cells; not at all for a small excess."""
    return 1 / ratio if ratio > SLIGHTLY_FINER else 1.0


def _resampling(method: str) -> Resampling:
    return Resampling.med if method == "median" else Resampling[method]


def _halves(block: Block) -> list[Block]:
    """Cut a block in two across its longer side."""
    row, column = (block.row_start + block.row_stop) // 2, (block.column_start + block.column_stop) // 2
    rows, columns = block.shape
    if rows >= columns:
        parts = [
            (block.row_start, row, block.column_start, block.column_stop),
            (row, block.row_stop, block.column_start, block.column_stop),
        ]
    else:
        parts = [
            (block.row_start, block.row_stop, block.column_start, column),
            (block.row_start, block.row_stop, column, block.column_stop),
        ]
    return [Block(block.row, block.column, *part, 0, block.grid_shape) for part in parts]


def short_crs(crs: str | None) -> str:
    """A CRS in a few words, for messages: its code, else its name."""
    if crs is None:
        return "no CRS"
    return crs if len(crs) <= 40 else CRS.from_user_input(crs).name
