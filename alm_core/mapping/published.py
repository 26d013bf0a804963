"""The raster that goes out: the fused value alone, in longitude and latitude, under the name of the product."""

from __future__ import annotations

from pathlib import Path

from pyproj import CRS

from alm_core.errors import StudyError
from alm_core.grid import Grid
from alm_core.mapping.files import linked_copy

CRS_OF_PRODUCTS = "EPSG:4326"


def check_publishable(grid: Grid, name: str) -> None:
    """Refuse a product on a grid that is not in longitude and latitude; nothing is reprojected.

    Parameters
    ----------
    grid : Grid
    name : str
        `map.publish_as` of the study; empty where nothing is published.

    Raises
    ------
    StudyError

    Examples
    --------
    >>> check_publishable(Grid.from_bounds((0, 0, 3, 3), 1, crs="EPSG:32645"), "ALM_here")
    Traceback (most recent call last):
        ...
    alm_core.errors.StudyError: map.publish_as is 'ALM_here', but the grid is in EPSG:32645 and a product is published in ...
    """
    if not name:
        return
    if grid.crs is None or not CRS.from_user_input(grid.crs).equals(CRS.from_user_input(CRS_OF_PRODUCTS), ignore_axis_order=True):
        raise StudyError(
            f"map.publish_as is {name!r}, but the grid is in {grid.crs or 'no CRS'} and a product is published in "
            f'{CRS_OF_PRODUCTS}, cell by cell as it was mapped. Set [grid] crs = "{CRS_OF_PRODUCTS}", or remove publish_as and '
            "export the map (a cut can be warped by any GIS)."
        )


def publish(fused: Path, name: str) -> Path:
    """Give the fused raster its public name beside it, byte for byte; returns the new path.

    The two share their place on the disk where the file system can do that; neither is ever written to again.

    Raises
    ------
    WorkspaceError
        The disk is full or read-only.
    """
    return linked_copy(fused, fused.with_name(f"{name}.tif"))
