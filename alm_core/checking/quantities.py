"""What a quantity can be: ranges that follow from a unit, and from the name of a layer."""

from __future__ import annotations

import re

UNIT_RANGES = {
    "%": (0.0, 100.0),
    "percent": (0.0, 100.0),
    "pct": (0.0, 100.0),
    "m3 m-3": (0.0, 1.0),
    "m3/m3": (0.0, 1.0),
    "m³/m³": (0.0, 1.0),
    "m³ m⁻³": (0.0, 1.0),
    "fraction": (0.0, 1.0),
    "degc": (-100.0, 100.0),
    "°c": (-100.0, 100.0),
    "celsius": (-100.0, 100.0),
    "k": (100.0, 400.0),
    "kelvin": (100.0, 400.0),
}
"""Unit in lower case: lowest and highest value that it can have in a map of the land surface."""

NAME_RANGES = (
    (r"(?:^|_)(?:ndvi|ndwi|evi|savi|ndsi)(?:_|$)", (-1.0, 1.0)),
    (r"(?:^|_)slope(?:_deg)?(?:_|$)", (0.0, 90.0)),
    (r"(?:^|_)aspect(?:_deg)?(?:_|$)", (-1.0, 360.0)),
    (r"(?:_pct|_percent)(?:_|$)", (0.0, 100.0)),
)
"""Pattern of a layer name: range of what it names."""
INTEGER_SCALES = (0.0001, 0.001, 0.01, 0.1)
"""Factors by which integer products are commonly stored."""


def range_of_unit(unit: str) -> tuple[float, float] | None:
    """Range of a unit; None where the unit sets none.

    Examples
    --------
    >>> range_of_unit("m3 m-3"), range_of_unit("mm")
    ((0.0, 1.0), None)
    """
    return UNIT_RANGES.get(re.sub(r"\s+", " ", unit.strip().lower()))


def range_of_name(name: str) -> tuple[float, float] | None:
    """Range of the quantity that a layer name stands for; None where it is not known.

    Examples
    --------
    >>> range_of_name("MOD13_NDVI"), range_of_name("elevation")
    ((-1.0, 1.0), None)
    """
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower())
    return next((limits for pattern, limits in NAME_RANGES if re.search(pattern, plain)), None)


def likely_scale(minimum: float, maximum: float, limits: tuple[float, float]) -> float | None:
    """The usual factor that brings a stored range into its limits; None where there is none or it is there already.

    Examples
    --------
    >>> likely_scale(-2000, 9800, (-1, 1))
    0.0001
    """
    if limits[0] <= minimum and maximum <= limits[1]:
        return None
    fits = [scale for scale in INTEGER_SCALES if limits[0] <= minimum * scale and maximum * scale <= limits[1]]
    return max(fits, default=None)
