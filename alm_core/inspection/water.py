"""The water in the ground of an area: mean moisture times thickness times area, with its error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from alm_core.errors import DomainError, StudyError
from alm_core.workspace import Run

VOLUMETRIC_UNITS = ("m3 m-3", "m3/m3", "m3m-3", "m^3 m^-3", "m³ m⁻³", "m³/m³", "m3.m-3")
METRES = ("m", "metre", "metres", "meter", "meters")


@dataclass(frozen=True)
class Thickness:
    """How thick the layer is whose water is asked for: one number, or a covariate in metres.

    Attributes
    ----------
    metres : float or None
        Same everywhere.
    covariate : str or None
        Name of a staged covariate with unit m.
    sd_metres : float
        Standard error of the thickness. It is taken as the same error everywhere (fully correlated in space), the cautious
        reading: it does not average out over an area.
    """

    metres: float | None = None
    covariate: str | None = None
    sd_metres: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no thickness."""
        if (self.metres is None) == (self.covariate is None):
            raise DomainError("A thickness is either a number of metres or the name of a covariate: give one of them.")
        if self.metres is not None and not (math.isfinite(self.metres) and self.metres > 0):
            raise DomainError(f"A thickness of {self.metres} m came: a number above 0 is expected.")
        if not (math.isfinite(self.sd_metres) and self.sd_metres >= 0):
            raise DomainError(f"A standard error of {self.sd_metres} m came: a number of at least 0 is expected.")


@dataclass(frozen=True)
class WaterVolume:
    """Water in the ground of an area.

    Attributes
    ----------
    millimetres, lower_millimetres, upper_millimetres : float
        Mean water column over the cells with value and thickness; bounds None where the map has no intervals.
    cubic_kilometres, lower_cubic_kilometres, upper_cubic_kilometres : float
    thickness_metres : float
        Area-weighted mean.
    area_km2 : float
        Area of the cells with both.
    """

    millimetres: float
    lower_millimetres: float | None
    upper_millimetres: float | None
    cubic_kilometres: float
    lower_cubic_kilometres: float | None
    upper_cubic_kilometres: float | None
    thickness_metres: float
    area_km2: float

    def to_dict(self) -> dict[str, float | None]:
        """Plain values."""
        return dict(vars(self))


def water_volume(
    *,
    mean_column: float,
    mean_moisture: float,
    mean_thickness: float,
    area_square_metres: float,
    column_error: float | None,
    thickness_error: float,
    z: float,
) -> WaterVolume:
    """Water of an area.

    Parameters
    ----------
    mean_column : float
        Mean of moisture times thickness, m.
    mean_moisture : float
        m3 m-3.
    mean_thickness : float
        m.
    area_square_metres : float
    column_error : float or None
        Standard error of the mean column from moisture alone, m; None gives no bounds.
    thickness_error : float
        Standard error of the thickness, m; the same error everywhere.
    z : float
        Half width of the interval in standard errors.

    Notes
    -----
    Errors of moisture and thickness are independent, and joined to first order:
    ``var(W) = var(moisture part) + (mean moisture * error of thickness)^2``.

    Examples
    --------
    >>> found = water_volume(mean_column=0.6, mean_moisture=0.3, mean_thickness=2.0, area_square_metres=1e9,
    ...                      column_error=0.03, thickness_error=0.1333333, z=1.0)
    >>> found.millimetres, found.cubic_kilometres, round(found.upper_millimetres)
    (600.0, 0.6, 650)
    """
    low = high = None
    if column_error is not None:
        reach = z * math.hypot(column_error, mean_moisture * thickness_error)
        low, high = max(mean_column - reach, 0.0), mean_column + reach
    to_volume = area_square_metres * 1e-9  # m of water over square metres to km3

    def scaled(value: float | None, factor: float) -> float | None:
        return None if value is None else value * factor

    return WaterVolume(
        mean_column * 1000.0,
        scaled(low, 1000.0),
        scaled(high, 1000.0),
        mean_column * to_volume,
        scaled(low, to_volume),
        scaled(high, to_volume),
        mean_thickness,
        area_square_metres / 1e6,
    )


def check_water(layer: str, unit: str) -> None:
    """Raise `StudyError` where a thickness gives no water."""
    if layer != "fused" or " ".join(unit.split()).lower() not in VOLUMETRIC_UNITS:
        raise StudyError(
            f"A thickness came for the layer {layer} in {unit or 'no unit'}. Water is computed from the fused value of a map of "
            "volumetric water content (m3 m-3) only: leave the thickness out."
        )


def thickness_file(run: Run, name: str) -> Path:
    """The staged raster of a covariate in metres.

    Raises
    ------
    DomainError
        It has another unit.
    LayerError
        The run has no such covariate.
    """
    from alm_core.serving.catalogue import find_layer

    found = find_layer(run, f"covariate:{name}")
    if found.unit.strip().lower() not in METRES:
        raise DomainError(
            f"The covariate {name} has the unit {found.unit or '(none)'}: a thickness in m is expected. "
            "Give the unit (and a scale) of the covariate in study.toml."
        )
    return found.file
