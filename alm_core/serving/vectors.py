"""The waters of the base map: which vectors there are, and for which views they are worth drawing."""

from __future__ import annotations

from alm_core.serving.urls import ASSETS

VECTORS = ("lakes", "rivers", "plateau")
VECTOR_BOUNDS = (60.0, 18.0, 112.0, 46.0)
"""West, south, east, north of what the vectors hold."""
WIDE_DEGREES = 100.0
"""A wider view would show the waters of one part of it alone."""


def vector_names(view: tuple[float, float, float, float] = VECTOR_BOUNDS) -> tuple[str, ...]:
    """Vectors that are there for a view (west, south, east, north in degrees); an outline of the plateau where somebody put one.

    Examples
    --------
    >>> vector_names((-180.0, 45.0, 180.0, 85.0))
    ()
    """
    west, south, east, north = view
    left, bottom, right, top = VECTOR_BOUNDS
    if not (west < right and east > left and south < top and north > bottom) or east - west > WIDE_DEGREES:
        return ()
    return tuple(name for name in VECTORS if (ASSETS / "vectors" / f"{name}.geojson").is_file())
