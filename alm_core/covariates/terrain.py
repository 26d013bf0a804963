"""Slope and aspect from elevation.

Gradients are taken from the 3 x 3 cells around each cell, so a block with a halo of one cell gives what the whole grid
gives. A neighbour that is missing (beyond the grid, or nodata) is put on the straight line through the cell and the
opposite neighbour, or at the height of the cell where that is missing too; a missing corner is put on the plane through
the cell and the two neighbours beside the corner. So a plane keeps its exact slope up to the edge. A cell that is itself
missing stays missing.

Where not to use them: at the poles of a geographic grid, where cells have no width (NaN is given within about a
thousandth of a cell height of a pole). On projected grids the projection's own change of scale is not taken out.
"""

from __future__ import annotations

import numpy as np
from pyproj import Transformer

from alm_core.errors import StudyError
from alm_core.grid import Block, Grid

SMALLEST_CELL_RATIO = 1e-3
"""Cell width over height below which a row counts as a pole."""


def _check_gradient(method: str) -> None:
    if method not in ("horn", "zevenbergen_thorne"):
        raise StudyError(f"Slope method {method!r} is not known. Use `horn` or `zevenbergen_thorne`.")


def gradient(
    elevation: np.ndarray, cell_width: np.ndarray, cell_height: np.ndarray, *, method: str = "horn"
) -> tuple[np.ndarray, np.ndarray]:
    """Rise per metre towards the east and towards the north.

    Parameters
    ----------
    elevation : ndarray
        Metres, ``[row + 2, column + 2]``: with a halo of one cell, NaN where missing. Row 0 is in the north.
    cell_width, cell_height : ndarray
        Metres, ``[row]``, without the halo; see `alm_core.grid.Grid.cell_size_metres`.
    method : {"horn", "zevenbergen_thorne"}
        Horn (1981), eight neighbours weighted 1-2-1; or Zevenbergen and Thorne (1987), four neighbours: sharper on
        smooth elevation, noisier on rough.

    Returns
    -------
    east, north : ndarray
        float64 ``[row, column]``, dimensionless.

    Raises
    ------
    StudyError
        Unknown method.

    Examples
    --------
    >>> plane = np.tile(np.arange(5.0) * 10, (5, 1))  # rises 10 m a cell towards the east
    >>> east, north = gradient(plane, np.full(3, 100.0), np.full(3, 100.0))
    >>> float(east[1, 1]), float(north[1, 1])
    (0.1, 0.0)
    """
    _check_gradient(method)
    around = _neighbours(np.asarray(elevation, np.float64))
    if method == "horn":
        rise_east = _weighted(around, (-1, 1), (0, 1), (1, 1)) - _weighted(around, (-1, -1), (0, -1), (1, -1))
        rise_north = _weighted(around, (-1, -1), (-1, 0), (-1, 1)) - _weighted(around, (1, -1), (1, 0), (1, 1))
    else:
        rise_east = around[0, 1] - around[0, -1]
        rise_north = around[-1, 0] - around[1, 0]
    width = np.where(cell_width > SMALLEST_CELL_RATIO * cell_height, cell_width, np.nan)
    missing = np.where(np.isnan(elevation[1:-1, 1:-1]), np.nan, 0.0)  # the centre has no weight of its own
    return rise_east / (2 * width[:, None]) + missing, rise_north / (2 * cell_height[:, None]) + missing


def _neighbours(elevation: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """The eight neighbours of each inner cell by (row, column) step, missing ones filled from the others."""
    rows, columns = elevation.shape[0] - 2, elevation.shape[1] - 2

    def shifted(row: int, column: int) -> np.ndarray:
        return elevation[1 + row : 1 + row + rows, 1 + column : 1 + column + columns]

    centre = shifted(0, 0)
    filled = {}
    for row, column in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        raw, opposite = shifted(row, column), shifted(-row, -column)
        filled[row, column] = np.where(np.isnan(raw), np.where(np.isnan(opposite), centre, 2 * centre - opposite), raw)
    for row, column in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        raw = shifted(row, column)
        filled[row, column] = np.where(np.isnan(raw), filled[row, 0] + filled[0, column] - centre, raw)
    return filled


def _weighted(around: dict[tuple[int, int], np.ndarray], *steps: tuple[int, int]) -> np.ndarray:
    first, middle, last = (around[step] for step in steps)
    return (first + 2 * middle + last) / 4


def slope(elevation: np.ndarray, cell_width: np.ndarray, cell_height: np.ndarray, *, method: str = "horn") -> np.ndarray:
    """Slope in degrees, float32 ``[row, column]``; parameters as for `gradient`.

    Examples
    --------
    >>> plane = np.tile(np.arange(5.0) * 100, (5, 1))
    >>> slope(plane, np.full(3, 100.0), np.full(3, 100.0))[1, 1].item()
    45.0
    """
    east, north = gradient(elevation, cell_width, cell_height, method=method)
    return np.degrees(np.arctan(np.hypot(east, north))).astype(np.float32)


def aspect(
    elevation: np.ndarray,
    cell_width: np.ndarray,
    cell_height: np.ndarray,
    *,
    method: str = "horn",
    north_azimuth: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Direction that the slope faces (downhill), degrees clockwise from north, 0 <= aspect < 360; NaN on flats.

    Not to be interpolated, averaged or offered to a learner as it is, since 359 and 1 are neighbours: use `northness`
    and `eastness`.

    Parameters
    ----------
    elevation, cell_width, cell_height, method
        As for `gradient`.
    north_azimuth : ndarray or float
        Direction of true north in the grid, degrees clockwise from up; see `true_north`. 0: the grid's own north.

    Examples
    --------
    >>> plane = np.tile(np.arange(5.0) * 100, (5, 1))  # rises to the east: faces west
    >>> aspect(plane, np.full(3, 100.0), np.full(3, 100.0))[1, 1].item()
    270.0
    """
    east, north = gradient(elevation, cell_width, cell_height, method=method)
    degrees = np.mod(np.degrees(np.arctan2(-east, -north)) - north_azimuth, 360.0).astype(np.float32)
    degrees[degrees >= 360] = 0.0  # a tiny negative angle rounds up to 360 in float32
    degrees[(east == 0) & (north == 0)] = np.nan
    return degrees


def northness(
    elevation: np.ndarray,
    cell_width: np.ndarray,
    cell_height: np.ndarray,
    *,
    method: str = "horn",
    weight_by_slope: bool = False,
    north_azimuth: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Cosine of the aspect: 1 faces north, -1 south; 0 on flats. With `weight_by_slope` times the sine of the slope."""
    gradients = gradient(elevation, cell_width, cell_height, method=method)
    return _facing(*gradients, north_azimuth, weight_by_slope)


def eastness(
    elevation: np.ndarray,
    cell_width: np.ndarray,
    cell_height: np.ndarray,
    *,
    method: str = "horn",
    weight_by_slope: bool = False,
    north_azimuth: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Sine of the aspect: 1 faces east, -1 west; 0 on flats. With `weight_by_slope` times the sine of the slope."""
    gradients = gradient(elevation, cell_width, cell_height, method=method)
    return _facing(*gradients, np.asarray(north_azimuth) + 90.0, weight_by_slope)


def _facing(east: np.ndarray, north: np.ndarray, direction: np.ndarray | float, weight_by_slope: bool) -> np.ndarray:
    """How far the slope faces `direction` (degrees clockwise from up): cosine of the angle between them."""
    angle = np.radians(direction)
    rise = np.hypot(east, north)
    downhill = -(east * np.sin(angle) + north * np.cos(angle))
    length = np.hypot(1.0, rise) if weight_by_slope else np.where(rise == 0, 1.0, rise)
    return (downhill / length).astype(np.float32)


def true_north(grid: Grid, block: Block) -> np.ndarray | float:
    """Direction of true north in each cell of a block, degrees clockwise from the grid's up.

    0 on geographic grids and on grids without a CRS. Near a pole of a polar projection it turns through all directions.
    """
    if grid.crs is None or grid.is_geographic:
        return 0.0
    x, y = np.meshgrid(grid.x[block.column_start : block.column_stop], grid.y[block.row_start : block.row_stop])
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(x, y)
    # A step of 1e-3 degrees (about 100 m) is far above rounding and far below any curvature; at the pole step back.
    step = np.where(latitude > 89.99, -1e-3, 1e-3)
    x_step, y_step = to_degrees.transform(longitude, latitude + step, direction="INVERSE")
    sign = np.sign(step)
    return np.degrees(np.arctan2(sign * (x_step - x), sign * (y_step - y)))
