"""Drainage of a whole grid: filled elevation, catchment area, wetness, and the factors that rest on them.

Water knows no blocks: what flows through a cell depends on every cell above it. So these functions take whole grids.
`BYTES_PER_CELL` bytes of memory are needed for each cell; grids above `MAXIMUM_CELLS` are refused, with the advice to use
a coarser resolution (see `alm_core.covariates.whole_layers`).

The loops are our own, compiled by numba. pyflwdir, the well-kept library for this, gives every cell one way down (D8);
the indices here ask for flow shared among all lower neighbours (Freeman 1991) over lakes that are filled to a slight
slope, which it does not have. Filling and ordering come out of one priority flood (Barnes et al. 2014), so nothing is
sorted afterwards.

Two families:

``saga``
    SAGA's Basic Terrain Analysis: slope by Zevenbergen and Thorne on the filled surface; specific catchment area is
    catchment area by the width of flow across the cell in the direction of its aspect; tan(slope) is at least 0.001.
``textbook``
    Slope by Horn; specific catchment area is catchment area by the mean side of the cell; tan(slope) is at least that of
    one millimetre a cell.

Both share the fill and the catchment area. What flows over the edge of the grid, or into cells without elevation, has
left: near an edge that is no divide, areas are too small. Geographic grids use the metres of each row.

References
----------
Freeman, T. G. (1991), Computers and Geosciences 17, 413-422. Barnes, R., Lehman, C. and Mulla, D. (2014), Computers and
Geosciences 62, 117-127. Beven, K. J. and Kirkby, M. J. (1979), Hydrological Sciences Bulletin 24, 43-69. Moore, I. D.,
Grayson, R. B. and Ladson, A. R. (1991), Hydrological Processes 5, 3-30.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.covariates import terrain
from alm_core.covariates.curvature import check_family
from alm_core.errors import DomainError, TooManyPixelsError

BYTES_PER_CELL = 72
"""Most memory that a cell of a whole grid takes while its drainage is found (measured by benchmarks/terrain.py)."""
MAXIMUM_CELLS = 100_000_000
"""Cells of a whole grid above which drainage is refused: 7.2 GB."""
FREEMAN_EXPONENT = 1.1
RISE_METRES = 0.001
"""How much filled surfaces rise from cell to cell towards their inner end, so that water finds its way out."""
SMALLEST_TAN_SLOPE = 0.001
"""Of the ``saga`` family."""
STRIP_ROWS = 256


@dataclass(frozen=True)
class Drainage:
    """The filled surface of a grid, and its cells in the order in which water reaches them last.

    Attributes
    ----------
    elevation : ndarray
        As given, metres ``[row, column]``.
    filled : ndarray
        float64, the same with every depression filled to its outlet.
    order : ndarray
        int32 ``[cell]``: flat indices of the cells with elevation, lowest first.
    cell_width, cell_height : ndarray
        Metres, ``[row]``.
    """

    elevation: np.ndarray
    filled: np.ndarray
    order: np.ndarray
    cell_width: np.ndarray
    cell_height: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """What was filled, as plain values."""
        depth = self.filled - self.elevation
        land = int(np.count_nonzero(~np.isnan(depth)))
        return {
            "cells": land,
            "cells_filled": int(np.count_nonzero(depth > 0)),
            "deepest_fill_m": float(np.nanmax(depth)) if land else 0.0,
        }


def drainage(
    elevation: np.ndarray,
    cell_width: np.ndarray,
    cell_height: np.ndarray,
    *,
    rise: float = RISE_METRES,
    maximum_cells: int = MAXIMUM_CELLS,
) -> Drainage:
    """Fill every depression to its outlet and order the cells from low to high.

    Not for landscapes of real closed basins (most of the inner plateau): there the fill is a lake that is not there.
    Look at `closed_depressions` first.

    Parameters
    ----------
    elevation : ndarray
        Metres, ``[row, column]``, NaN where missing: there water leaves.
    cell_width, cell_height : ndarray
        Metres, ``[row]``.
    rise : float
        Metres by which filled cells rise from one to the next; 0 fills to exact levels, on which water stands.
    maximum_cells : int
        Largest grid that is taken.

    Raises
    ------
    TooManyPixelsError
        The grid is larger than that.
    DomainError
        A negative rise.

    Examples
    --------
    >>> pit = np.full((5, 5), 3.0)
    >>> pit[2, 2] = 1.0
    >>> drainage(pit, np.ones(5), np.ones(5), rise=0.0).filled[2, 2].item()
    3.0
    """
    from alm_core.covariates.flow_kernels import filled_and_ordered

    elevation = np.asarray(elevation)
    check_size(elevation.size, maximum_cells=maximum_cells)
    if not rise >= 0:
        raise DomainError(f"The rise of filled surfaces is {rise}: 0 or more metres are expected.")
    filled, order = filled_and_ordered(elevation, float(rise))
    sizes = (np.asarray(size, np.float64) for size in (cell_width, cell_height))
    return Drainage(elevation, filled, order, *sizes)


def check_size(cells: int, *, maximum_cells: int = MAXIMUM_CELLS, fine_cells: int | None = None) -> None:
    """Refuse a whole grid that needs too much memory; `fine_cells` are those of the grid that it was coarsened from.

    Raises
    ------
    TooManyPixelsError
        With the memory it would need and the coarsening that would fit.

    Examples
    --------
    >>> check_size(100)
    """
    if cells > maximum_cells:
        factor = int(np.ceil(np.sqrt((fine_cells or cells) / maximum_cells)))
        raise TooManyPixelsError(
            f"Flow is computed on whole grids: {cells:.3g} cells need {cells * BYTES_PER_CELL / 1e9:.1f} GB of memory; at most "
            f"{maximum_cells:.3g} cells are taken. Use a coarser resolution: set `resolution_cells = {factor}` or more."
        )


def closed_depressions(basin: Drainage) -> np.ndarray:
    """Depth below the outlet in metres, 0 outside depressions; float32 ``[row, column]``.

    Examples
    --------
    >>> pit = np.full((5, 5), 3.0)
    >>> pit[2, 2] = 1.0
    >>> closed_depressions(drainage(pit, np.ones(5), np.ones(5), rise=0.0))[2].tolist()
    [0.0, 0.0, 2.0, 0.0, 0.0]
    """
    return (basin.filled - basin.elevation).astype(np.float32)


def catchment_area(basin: Drainage, *, exponent: float = FREEMAN_EXPONENT) -> np.ndarray:
    """Area that drains through each cell, its own included, in m2, float64 ``[row, column]``.

    Skewed over many orders of magnitude: offer its logarithm to linear learners.

    Parameters
    ----------
    basin : Drainage
        See `drainage`.
    exponent : float
        Flow is shared among all lower neighbours by slope to this power (Freeman 1991: 1.1).

    Raises
    ------
    DomainError
        An exponent that is not above 0.

    Examples
    --------
    >>> ramp = np.array([[3.0, 2.0, 1.0]])
    >>> catchment_area(drainage(ramp, np.array([10.0]), np.array([10.0])))[0].tolist()
    [100.0, 200.0, 300.0]
    """
    from alm_core.covariates.flow_kernels import accumulated

    if not exponent > 0:
        raise DomainError(f"The exponent of shared flow is {exponent}: a number above 0 is expected (Freeman 1991: 1.1).")
    return accumulated(basin.filled, basin.order, basin.cell_width, basin.cell_height, float(exponent))


def _by_strips(basin: Drainage, area: np.ndarray, family: str, index: Callable[..., np.ndarray]) -> np.ndarray:
    """``index(tan slope, specific catchment area, mean cell side)`` of the whole grid, with the memory of a strip of rows."""
    check_family(family)
    result = np.empty(area.shape, np.float32)
    for start in range(0, len(area), STRIP_ROWS):
        stop = min(start + STRIP_ROWS, len(area))
        first, last = max(start - 1, 0), min(stop + 1, len(area))
        padding = ((first - (start - 1), stop + 1 - last), (1, 1))
        around = np.pad(basin.filled[first:last], padding, constant_values=np.nan)
        strip = slice(start, stop)
        result[strip] = index(
            *_slope_and_specific_area(around, area[strip], basin.cell_width[strip], basin.cell_height[strip], family)
        )
    return result


def _slope_and_specific_area(
    around: np.ndarray, area: np.ndarray, cell_width: np.ndarray, cell_height: np.ndarray, family: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tangent of the slope of the filled surface, catchment area by the width of flow, and the mean side of cells, metres."""
    method = "zevenbergen_thorne" if family == "saga" else "horn"
    east, north = terrain.gradient(around, cell_width, cell_height, method=method)
    steep = np.hypot(east, north)
    width, height = cell_width[:, None], cell_height[:, None]
    side = np.sqrt(width * height)
    if family == "textbook":
        return steep, area / side, side
    # A cell crossed from south to north is as wide as it is; one crossed at an angle shows parts of both sides.
    with np.errstate(invalid="ignore", divide="ignore"):
        across = np.where(steep > 0, (np.abs(north) * width + np.abs(east) * height) / steep, side)
    return steep, area / across, side


def wetness_index(basin: Drainage, area: np.ndarray, *, family: str = "textbook") -> np.ndarray:
    """Topographic wetness index ``ln(specific catchment area / tan(slope))``, float32 ``[row, column]``.

    Not where soil depth or climate change over the area more than relief does: it knows only relief.

    Parameters
    ----------
    basin : Drainage
        See `drainage`.
    area : ndarray
        Its `catchment_area`.
    family : {"textbook", "saga"}
        See the module.

    Raises
    ------
    StudyError
        Unknown family.
    """

    def index(steep: np.ndarray, specific: np.ndarray, side: np.ndarray) -> np.ndarray:
        floor = SMALLEST_TAN_SLOPE if family == "saga" else RISE_METRES / side
        return np.log(specific / np.maximum(steep, floor))

    return _by_strips(basin, area, family, index)


def length_slope_factor(basin: Drainage, area: np.ndarray, *, family: str = "textbook") -> np.ndarray:
    """Length and slope factor of soil loss (Moore et al. 1991), float32 ``[row, column]``.

    ``1.4 (specific catchment area / 22.13)^0.4 (sin(slope) / 0.0896)^1.3``. An index of relief here: for slopes beyond
    about 25 degrees or 300 m it was never measured.

    Parameters
    ----------
    basin, area, family
        As for `wetness_index`.

    Raises
    ------
    StudyError
        Unknown family.
    """

    def index(steep: np.ndarray, specific: np.ndarray, _: np.ndarray) -> np.ndarray:
        return 1.4 * (specific / 22.13) ** 0.4 * (steep / np.hypot(1.0, steep) / 0.0896) ** 1.3

    return _by_strips(basin, area, family, index)
