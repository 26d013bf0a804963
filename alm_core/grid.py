"""The grid that everything is mapped on.

Conventions, said once for the whole package
--------------------------------------------
- A raster array is ``[band, row, column]``; a single layer is ``[row, column]``. Row 0 is the northern edge.
- A table is ``[site, covariate]``; members of an ensemble are ``[learner, ...]``.
- Coordinates are ``x, y`` (longitude, latitude for geographic grids), in that order. Bounds are west, south, east, north.
- A window is half open: ``row_start <= row < row_stop``.
- Missing values are NaN in memory; on disk they are the declared nodata value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from affine import Affine
from pyproj import CRS, Geod, Transformer

from alm_core.errors import CrsError, GridError

EARTH = Geod(ellps="WGS84")
EDGE_TOLERANCE = 1e-6
"""Part of a cell by which bounds may miss a whole number of cells."""


@dataclass(frozen=True)
class Block:
    """A rectangle of cells, with an optional halo around it.

    Attributes
    ----------
    row, column : int
        Position of the block in the sequence of blocks.
    row_start, row_stop, column_start, column_stop : int
        The cells that the block answers for.
    halo : int
        Cells around it that may be read as well (already cut at the edge of the grid by `padded`).
    grid_shape : tuple of int
        Rows and columns of the grid that the block belongs to.
    """

    row: int
    column: int
    row_start: int
    row_stop: int
    column_start: int
    column_stop: int
    halo: int
    grid_shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the block without its halo."""
        return self.row_stop - self.row_start, self.column_stop - self.column_start

    @property
    def name(self) -> str:
        """A name that sorts in row-major order, for files and messages."""
        return f"r{self.row:05d}c{self.column:05d}"

    @property
    def padded(self) -> Block:
        """The block grown by its halo, cut at the edge of the grid."""
        rows, columns = self.grid_shape
        return Block(
            self.row,
            self.column,
            max(0, self.row_start - self.halo),
            min(rows, self.row_stop + self.halo),
            max(0, self.column_start - self.halo),
            min(columns, self.column_stop + self.halo),
            0,
            self.grid_shape,
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for arrays of the whole grid."""
        return slice(self.row_start, self.row_stop), slice(self.column_start, self.column_stop)

    @property
    def window(self):
        """The same rectangle as a `rasterio.windows.Window`."""
        from rasterio.windows import Window

        rows, columns = self.shape
        return Window(self.column_start, self.row_start, columns, rows)


@dataclass(frozen=True)
class Grid:
    """A north-up raster grid: where cell (0, 0) lies, how large a cell is, how many there are.

    Frozen, hashable and comparable, so it can be passed everywhere and used as a key.

    Parameters
    ----------
    crs : str or None
        Well-known text, EPSG code or PROJ string. None only for rasters whose CRS the study can't know.
    transform : tuple of six float
        ``(cell width, 0, west, 0, -cell height, north)``, the order of `affine.Affine`.
    shape : tuple of int
        Rows, columns.

    Examples
    --------
    >>> grid = Grid.from_bounds((90, 30, 91, 31), 0.25, crs="EPSG:4326")
    >>> grid.shape, grid.bounds
    ((4, 4), (90.0, 30.0, 91.0, 31.0))
    >>> [block.shape for block in grid.blocks(3)]
    [(3, 3), (3, 1), (1, 3), (1, 1)]
    """

    crs: str | None
    transform: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        if self.transform[1] != 0 or self.transform[3] != 0:
            raise GridError(
                f"The grid is rotated (transform {self.transform}). A north-up grid is expected: warp the raster first, "
                "for example with `gdalwarp`."
            )
        if self.transform[0] <= 0 or self.transform[4] >= 0:
            raise GridError(
                f"The grid is not north-up (cell width {self.transform[0]}, cell height {self.transform[4]}). "
                "Expected a positive width and a negative height: warp the raster first."
            )
        if min(self.shape) < 1:
            raise GridError(f"The grid has no cells (shape {self.shape}). Check the bounds and the resolution.")

    # ---- makers -------------------------------------------------------------------------------------------------

    @classmethod
    def from_bounds(cls, bounds: tuple[float, float, float, float], resolution: float, *, crs: str | None) -> Grid:
        """Make a grid of square cells from bounds (west, south, east, north) in the units of `crs`.

        Raises
        ------
        GridError
            West is not west of east, south not south of north, or the bounds are not a whole number of cells.
        """
        west, south, east, north = (float(value) for value in bounds)
        if not west < east:
            raise GridError(
                f"West is {west} and east is {east}: west must be smaller than east. The two may be swapped in the study."
            )
        if not south < north:
            raise GridError(
                f"South is {south} and north is {north}: south must be smaller than north. The two may be swapped in the study."
            )
        if not resolution > 0:
            raise GridError(f"The resolution is {resolution}: a positive cell size in units of the CRS is expected.")
        columns, rows = (east - west) / resolution, (north - south) / resolution
        shape = max(1, round(rows)), max(1, round(columns))
        if abs(rows - shape[0]) > EDGE_TOLERANCE * shape[0] or abs(columns - shape[1]) > EDGE_TOLERANCE * shape[1]:
            raise GridError(
                f"Bounds {bounds} are {columns:.6g} x {rows:.6g} cells of {resolution}, not a whole number. "
                f"Set east to {west + math.ceil(columns - 1e-9) * resolution:.10g} "
                f"and south to {north - math.ceil(rows - 1e-9) * resolution:.10g}."
            )
        return cls(normal_crs(crs), (float(resolution), 0.0, west, 0.0, -float(resolution), north), shape)

    @classmethod
    def from_dataset(cls, dataset: Any, *, crs: str | None = None) -> Grid:
        """Read the grid of an open rasterio dataset; `crs` stands in where the file declares none."""
        found = dataset.crs.to_wkt() if dataset.crs else crs
        return cls(normal_crs(found), tuple(float(value) for value in dataset.transform[:6]), (dataset.height, dataset.width))

    # ---- facts --------------------------------------------------------------------------------------------------

    @property
    def affine(self) -> Affine:
        """The transform as an `affine.Affine`, as rasterio wants it."""
        return Affine(*self.transform)

    @property
    def resolution(self) -> tuple[float, float]:
        """Cell width and height, both positive, in units of the CRS."""
        return self.transform[0], -self.transform[4]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        width, height = self.resolution
        west, north = self.transform[2], self.transform[5]
        return west, north - height * self.shape[0], west + width * self.shape[1], north

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.shape[0] * self.shape[1]

    @property
    def is_geographic(self) -> bool:
        """True where coordinates are degrees of longitude and latitude."""
        return self.crs is not None and CRS.from_user_input(self.crs).is_geographic

    @cached_property
    def x(self) -> np.ndarray:
        """x of the cell centres, ``[column]``."""
        return self.transform[2] + self.transform[0] * (np.arange(self.shape[1]) + 0.5)

    @cached_property
    def y(self) -> np.ndarray:
        """y of the cell centres, ``[row]``, from north to south."""
        return self.transform[5] + self.transform[4] * (np.arange(self.shape[0]) + 0.5)

    def __hash__(self) -> int:
        return hash((self.crs, self.transform, self.shape))

    def cell_size_metres(self, rows: slice | np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Width and height of the cells of each row in metres, ``[row]`` each.

        On a geographic grid the width shrinks with the cosine of the latitude; both are measured on the WGS84
        ellipsoid through the cell centre. On a projected grid they are the cell size in metres.
        """
        y = self.y[slice(None) if rows is None else rows]
        width, height = self.resolution
        if not self.is_geographic:
            factor = CRS.from_user_input(self.crs).axis_info[0].unit_conversion_factor if self.crs else 1.0
            return np.full(y.shape, width * factor), np.full(y.shape, height * factor)
        zero = np.zeros_like(y)
        south, north = np.clip(y - height / 2, -90, 90), np.clip(y + height / 2, -90, 90)
        return EARTH.inv(zero, y, zero + width, y)[2], EARTH.inv(zero, south, zero, north)[2]

    def cell_area_square_metres(self, rows: slice | None = None) -> np.ndarray:
        """Area of a cell of each row in the plane of the grid, ``[row]``.

        On a projected grid that is not the ground it covers (`alm_core.mapping.true_area.cell_areas`), and good for sizes only.
        """
        width, height = self.cell_size_metres(rows)
        return width * height

    # ---- cells --------------------------------------------------------------------------------------------------

    def row_column(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fractional row and column of points; the centre of cell (0, 0) is (0.5, 0.5). Not cut at the edges."""
        column = (np.asarray(x, float) - self.transform[2]) / self.transform[0]
        row = (np.asarray(y, float) - self.transform[5]) / self.transform[4]
        return row, column

    def cell_index(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Flat index of the cell under each point, -1 outside the grid."""
        row, column = self.row_column(x, y)
        row, column = np.floor(row), np.floor(column)
        inside = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
        flat = np.full(row.shape, -1, np.int64)
        flat[inside] = row[inside].astype(np.int64) * self.shape[1] + column[inside].astype(np.int64)
        return flat

    def transform_points(self, x: np.ndarray, y: np.ndarray, *, crs: str) -> tuple[np.ndarray, np.ndarray]:
        """Bring points from `crs` into the grid's CRS; a grid without a CRS is taken to share theirs."""
        if self.crs is None or CRS.from_user_input(crs) == CRS.from_user_input(self.crs):
            return np.asarray(x, float), np.asarray(y, float)
        return Transformer.from_crs(crs, self.crs, always_xy=True).transform(np.asarray(x, float), np.asarray(y, float))

    def same_crs(self, other: Grid) -> bool:
        """True where both have the same CRS, or one of them has none."""
        if self.crs is None or other.crs is None:
            return True
        return CRS.from_user_input(self.crs) == CRS.from_user_input(other.crs)

    def window(self, block: Block) -> Grid:
        """The grid of one block (without its halo)."""
        x = self.transform[2] + self.transform[0] * block.column_start
        y = self.transform[5] + self.transform[4] * block.row_start
        return Grid(self.crs, (self.transform[0], 0.0, x, 0.0, self.transform[4], y), block.shape)

    def blocks(self, size: int, halo: int = 0) -> Iterator[Block]:
        """Walk the grid in row-major order by squares of `size` cells; the last ones may be smaller."""
        if size < 1:
            raise GridError(f"The block size is {size}: at least 1 cell is expected.")
        rows, columns = self.shape
        for row, row_start in enumerate(range(0, rows, size)):
            for column, column_start in enumerate(range(0, columns, size)):
                yield Block(
                    row,
                    column,
                    row_start,
                    min(rows, row_start + size),
                    column_start,
                    min(columns, column_start + size),
                    halo,
                    self.shape,
                )

    def to_dict(self) -> dict[str, Any]:
        """The grid as plain values, for JSON."""
        return {"crs": self.crs, "transform": list(self.transform), "shape": list(self.shape)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Grid:
        """The inverse of `to_dict`."""
        return cls(values["crs"], tuple(values["transform"]), tuple(values["shape"]))


def normal_crs(crs: str | None) -> str | None:
    """Write a CRS the same way wherever it came from: an EPSG code where it has one, else well-known text.

    Raises
    ------
    CrsError
        PROJ does not know it.

    Examples
    --------
    >>> normal_crs("epsg:4326")
    'EPSG:4326'
    """
    if crs is None:
        return None
    try:
        found = CRS.from_user_input(crs)
    except Exception as fault:
        raise CrsError(f"The CRS {str(crs)[:80]!r} is not known to PROJ. Give an EPSG code such as EPSG:4326.") from fault
    code = found.to_epsg(min_confidence=100)
    return f"EPSG:{code}" if code else found.to_wkt()
