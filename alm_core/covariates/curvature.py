"""Plan and profile curvature of elevation, and the smoothing that goes before them.

Two families, which are different quantities and never to be mixed in one model:

``textbook``
    Plan (contour) curvature and profile curvature of the unsmoothed surface, from the polynomial of Zevenbergen and Thorne
    (1987).
``saga``
    What SAGA's Basic Terrain Analysis calls plan and profile curvature: cross-sectional and longitudinal curvature (Wood
    1996) of the surface smoothed over a circle of radius 3 cells. SAGA takes the sink-filled surface: give a layer of
    `filled_elevation` as elevation to get its numbers.

Positive is convex, negative concave. All are 0 where the surface is level, since there is no direction of flow.
Elevation is in metres; cell sizes are given per row, so geographic grids get metres too.

References
----------
Zevenbergen, L. W. and Thorne, C. R. (1987), Earth Surface Processes and Landforms 12, 47-56.
Wood, J. (1996), The geomorphological characterisation of digital elevation models, University of Leicester.
"""

from __future__ import annotations

import numpy as np

from alm_core.errors import StudyError

FAMILIES = ("textbook", "saga")
SMOOTHING_RADIUS_CELLS = 3
HALO = 1 + SMOOTHING_RADIUS_CELLS
"""Cells around a block that `curvatures` takes, for either family."""


def check_family(family: str) -> None:
    """Refuse a family that does not exist.

    Raises
    ------
    StudyError
        With the two that there are.
    """
    if family not in FAMILIES:
        raise StudyError(f"Terrain family {family!r} is not known. Use `textbook` or `saga`.")


def smooth(elevation: np.ndarray, *, radius_cells: int = SMOOTHING_RADIUS_CELLS) -> np.ndarray:
    """Mean of the valid cells within a circle, float64, without the halo of `radius_cells`; missing cells stay missing.

    Examples
    --------
    >>> float(smooth(np.pad([[4.0]], 1, constant_values=1.0), radius_cells=1)[0, 0])
    1.6
    """
    from alm_core.covariates.terrain_kernels import smoothed

    return smoothed(np.asarray(elevation, np.float64), radius_cells)


def smoothed_surface(elevation: np.ndarray) -> np.ndarray:
    """The surface that the ``saga`` family looks at: `smooth`, kept to float32 as SAGA keeps it.

    Without the rounding, lakes filled with rises of a millimetre would get other directions than in SAGA.
    """
    return smooth(elevation).astype(np.float32).astype(np.float64)


def halo_sizes(sizes: np.ndarray, reach: int) -> np.ndarray:
    """Cell sizes of rows with those of a halo added: the first and last go on in a straight line.

    Examples
    --------
    >>> halo_sizes(np.array([10.0, 11.0]), 1).tolist()
    [9.0, 10.0, 11.0, 12.0]
    """
    return np.pad(sizes, reach, mode="reflect", reflect_type="odd") if len(sizes) > reach else np.pad(sizes, reach, mode="edge")


def curvatures(
    elevation: np.ndarray, cell_width: np.ndarray, cell_height: np.ndarray, *, family: str = "textbook"
) -> tuple[np.ndarray, np.ndarray]:
    """Plan and profile curvature in 1/m.

    Not for elevation in whole metres on cells of 30 m or less: the steps of the numbers are then what is measured.

    Parameters
    ----------
    elevation : ndarray
        Metres, ``[row + 8, column + 8]``: with a halo of `HALO` cells, NaN where missing. Row 0 is in the north.
    cell_width, cell_height : ndarray
        Metres, ``[row]``, without the halo.
    family : {"textbook", "saga"}
        See the module.

    Returns
    -------
    plan, profile : ndarray
        float32 ``[row, column]``; NaN where elevation is, and where cells have no width (poles).

    Raises
    ------
    StudyError
        Unknown family.

    Examples
    --------
    >>> rows, columns = np.mgrid[-5:6, -5:6] * 10.0
    >>> cone = -0.1 * np.hypot(rows, columns + 200)  # 200 m west lies the top
    >>> plan, profile = curvatures(cone, np.full(3, 10.0), np.full(3, 10.0))
    >>> round(float(plan[1, 1]), 4), abs(float(profile[1, 1])) < 1e-4
    (0.005, True)
    """
    from alm_core.covariates.terrain_kernels import curvatures as kernel

    check_family(family)
    elevation = np.asarray(elevation, np.float64)
    reach = SMOOTHING_RADIUS_CELLS
    surface = smoothed_surface(elevation) if family == "saga" else elevation[reach:-reach, reach:-reach]
    plan, profile = kernel(surface, *usable_sizes(cell_width, cell_height), family == "textbook")
    return plan.astype(np.float32), profile.astype(np.float32)


def usable_sizes(cell_width: np.ndarray, cell_height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell sizes as float64, the width NaN where it is next to nothing: at a pole of a geographic grid."""
    from alm_core.covariates.terrain import SMALLEST_CELL_RATIO

    width, height = np.asarray(cell_width, np.float64), np.asarray(cell_height, np.float64)
    return np.where(width > SMALLEST_CELL_RATIO * height, width, np.nan), height
