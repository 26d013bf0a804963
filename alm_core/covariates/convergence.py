"""Convergence index: do the slopes around a cell face it (-100, a pit) or look away from it (100, a peak)?

The mean angle between the direction in which the surroundings slope and the direction to the cell, less 90 degrees, times
100 / 90. 0 on planes and where everything around is level.

``textbook``
    From the aspects of the eight neighbours, each from its own 3 x 3 cells (Koethe and Lehmeier 1996; Kiss 2004).
``saga``
    From the four 2 x 2 squares that share the cell, on the surface smoothed over a circle of radius 3 cells, as in SAGA's
    Basic Terrain Analysis. Beyond the edge SAGA puts the height of the cell itself, so its rim is no plane's rim.

References
----------
Koethe, R. and Lehmeier, F. (1996), SARA: System zur automatischen Relief-Analyse, University of Goettingen.
Kiss, R. (2004), Determination of drainage network in digital elevation models, Journal of Hungarian Geomathematics 2.
"""

from __future__ import annotations

import numpy as np

from alm_core.covariates.curvature import HALO, check_family, halo_sizes, smoothed_surface, usable_sizes

__all__ = ["HALO", "convergence_index"]


def convergence_index(
    elevation: np.ndarray, cell_width: np.ndarray, cell_height: np.ndarray, *, family: str = "textbook"
) -> np.ndarray:
    """Convergence index, float32 ``[row, column]``, -100 to 100.

    Not on elevation with large level areas in whole metres: most of the index is then 0.

    Parameters
    ----------
    elevation, cell_width, cell_height, family
        As for `alm_core.covariates.curvature.curvatures`: with a halo of four cells.

    Raises
    ------
    StudyError
        Unknown family.

    Examples
    --------
    >>> rows, columns = np.mgrid[-4:5, -4:5]
    >>> pit = np.hypot(rows, columns)
    >>> float(convergence_index(pit, np.ones(1), np.ones(1))[0, 0])
    -100.0
    """
    from alm_core.covariates.terrain_kernels import convergence_of_neighbours, convergence_of_quarters

    check_family(family)
    elevation = np.asarray(elevation, np.float64)
    width, height = usable_sizes(cell_width, cell_height)
    if family == "saga":
        return convergence_of_quarters(smoothed_surface(elevation), width, height).astype(np.float32)
    inner = elevation[HALO - 2 : 2 - HALO, HALO - 2 : 2 - HALO]
    return convergence_of_neighbours(inner, halo_sizes(width, 1), halo_sizes(height, 1)).astype(np.float32)
