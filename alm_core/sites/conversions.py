"""Raw field measurements into volumetric water content, with the uncertainty carried along.

Every conversion returns the value and its first-order (linear) uncertainty: for ``f(a, b)`` with independent inputs
``u = sqrt((df/da u_a)^2 + (df/db u_b)^2)``. It is too small where an input is uncertain by more than about a third of
itself, because the curves bend. Results are never cut to what is possible: a water content above the porosity shows a
wrong input, and screening names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import DomainError
from alm_core.sites.faults import name_some

SPEED_OF_LIGHT_M_PER_NS = 0.299792458
CRIM_EXPONENT = 0.26
CRIM_WATER_PERMITTIVITY = 86.0
CRIM_SOLID_PERMITTIVITY = 5.0
TOPP = (-5.3e-2, 2.92e-2, -5.5e-4, 4.3e-6)
"""Coefficients of Topp et al. (1980), by rising power of the permittivity."""


@dataclass(frozen=True)
class Converted:
    """Converted numbers and their standard uncertainties, both of the same shape and unit."""

    value: np.ndarray
    uncertainty: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON."""
        return {"value": np.asarray(self.value).tolist(), "uncertainty": np.asarray(self.uncertainty).tolist()}


def _arrays(*values: Any) -> list[np.ndarray]:
    return [np.asarray(value, float) for value in values]


def refuse(bad: np.ndarray, values: np.ndarray, labels: Sequence[Any] | None, expected: str) -> None:
    """Raise with the first offenders, by label where there are labels, else by position."""
    bad, values = np.broadcast_arrays(np.atleast_1d(bad), np.atleast_1d(values))
    if not bad.any():
        return
    places = np.flatnonzero(bad)
    named = [f"{labels[place] if labels is not None else f'[{place}]'} ({values.flat[place]:g})" for place in places]
    raise DomainError(f"{expected}, but {len(places)} value(s) are not: {name_some(named)}. Correct them in the table.")


# ---- cutting ring -----------------------------------------------------------------------------------------------


def cutting_ring(
    wet_mass: Any,
    dry_mass: Any,
    volume: Any,
    *,
    mass_uncertainty: Any = 0.0,
    volume_uncertainty: Any = 0.0,
    labels: Sequence[Any] | None = None,
) -> Converted:
    """Volumetric water content of a soil ring: water mass over ring volume, ``(m_wet - m_dry) / (rho_w V)``.

    Not for samples with ice lenses thicker than the ring, nor for rings that lost soil on the way.

    Parameters
    ----------
    wet_mass, dry_mass : array_like
        Mass of the moist and of the oven-dry soil without the ring, g.
    volume : array_like
        Volume of the ring, cm3.
    mass_uncertainty, volume_uncertainty : array_like
        Standard uncertainty of each weighing (g) and of the volume (cm3).
    labels : sequence, optional
        Names of the samples, for messages.

    Returns
    -------
    Converted
        Water content, m3 m-3.

    Raises
    ------
    DomainError
        A dry mass or volume is not positive, or the wet mass is smaller than the dry one.

    Examples
    --------
    >>> float(cutting_ring(180.0, 150.0, 100.0).value)
    0.3
    """
    wet, dry, volume, mass_u, volume_u = _arrays(wet_mass, dry_mass, volume, mass_uncertainty, volume_uncertainty)
    refuse(volume <= 0, volume, labels, "The ring volume must be positive (cm3)")
    refuse(dry <= 0, dry, labels, "The dry mass must be positive (g)")
    refuse(wet < dry, wet, labels, "The wet mass must not be smaller than the dry mass (the columns may be swapped)")
    value = (wet - dry) / volume
    return Converted(value, np.sqrt(2 * (mass_u / volume) ** 2 + (value * volume_u / volume) ** 2))


def gravimetric_to_volumetric(
    gravimetric: Any,
    bulk_density: Any,
    *,
    gravimetric_uncertainty: Any = 0.0,
    bulk_density_uncertainty: Any = 0.0,
    labels: Sequence[Any] | None = None,
) -> Converted:
    """Volumetric water content from the gravimetric one: ``w rho_b / rho_w``.

    Parameters
    ----------
    gravimetric : array_like
        Water mass over dry mass, g g-1 (not percent).
    bulk_density : array_like
        Dry bulk density, g cm-3.

    Raises
    ------
    DomainError
        A negative water content, or a bulk density outside 0 to 2.65 g cm-3 (kg m-3 perhaps).

    Examples
    --------
    >>> round(float(gravimetric_to_volumetric(0.2, 1.4).value), 12)
    0.28
    """
    water, density, water_u, density_u = _arrays(gravimetric, bulk_density, gravimetric_uncertainty, bulk_density_uncertainty)
    refuse(water < 0, water, labels, "The gravimetric water content must not be negative")
    refuse((density <= 0) | (density >= 2.65), density, labels, "The dry bulk density must lie between 0 and 2.65 g cm-3")
    return Converted(water * density, np.hypot(density * water_u, water * density_u))


def porosity_from_bulk_density(
    bulk_density: Any, *, particle_density: float = 2.65, labels: Sequence[Any] | None = None
) -> np.ndarray:
    """Porosity ``1 - rho_b / rho_s``, the upper bound of the volumetric water content of unfrozen soil.

    Raises
    ------
    DomainError
        A bulk density that is not between zero and the particle density (g cm-3).

    Examples
    --------
    >>> round(float(porosity_from_bulk_density(1.325)), 12)
    0.5
    """
    density = np.asarray(bulk_density, float)
    expected = f"The dry bulk density must lie between 0 and the particle density {particle_density:g} g cm-3"
    refuse((density <= 0) | (density >= particle_density), density, labels, expected)
    return 1 - density / particle_density


# ---- ground-penetrating radar -----------------------------------------------------------------------------------


def permittivity_from_travel_time(
    time_ns: Any,
    depth_m: Any,
    *,
    time_uncertainty_ns: Any = 0.0,
    depth_uncertainty_m: Any = 0.0,
    labels: Sequence[Any] | None = None,
) -> Converted:
    """Relative permittivity from the two-way travel time to a reflector of known depth: ``(c t / 2 d)^2``.

    Antenna offset is neglected: not for reflectors shallower than about the distance of the antennas.

    Raises
    ------
    DomainError
        A time or a depth is not positive, or the wave would be faster than light (metres and centimetres mixed up).

    Examples
    --------
    >>> round(float(permittivity_from_travel_time(20.0, 0.6).value), 3)
    24.965
    """
    time, depth, time_u, depth_u = _arrays(time_ns, depth_m, time_uncertainty_ns, depth_uncertainty_m)
    refuse(time <= 0, time, labels, "The two-way travel time must be positive (ns)")
    refuse(depth <= 0, depth, labels, "The depth of the reflector must be positive (m)")
    value = (SPEED_OF_LIGHT_M_PER_NS * time / (2 * depth)) ** 2
    expected = "The relative permittivity from travel time (ns) and depth (m) must be 1 or more"
    refuse(value < 1, value, labels, expected)
    return Converted(value, 2 * value * np.hypot(time_u / time, depth_u / depth))


def permittivity_from_velocity(
    velocity: Any, *, velocity_uncertainty: Any = 0.0, labels: Sequence[Any] | None = None
) -> Converted:
    """Relative permittivity from the wave velocity in m ns-1: ``(c / v)^2``.

    Raises
    ------
    DomainError
        A velocity that is not between zero and the speed of light (0.2998 m ns-1).
    """
    velocity, velocity_u = _arrays(velocity, velocity_uncertainty)
    bad = (velocity <= 0) | (velocity > SPEED_OF_LIGHT_M_PER_NS)
    refuse(bad, velocity, labels, "The wave velocity must lie between 0 and 0.2998 m ns-1")
    value = (SPEED_OF_LIGHT_M_PER_NS / velocity) ** 2
    return Converted(value, 2 * value * velocity_u / velocity)


def velocity_from_permittivity(permittivity: Any, *, permittivity_uncertainty: Any = 0.0) -> Converted:
    """Wave velocity in m ns-1 from the relative permittivity: ``c / sqrt(epsilon)``."""
    permittivity, permittivity_u = _arrays(permittivity, permittivity_uncertainty)
    value = SPEED_OF_LIGHT_M_PER_NS / np.sqrt(permittivity)
    return Converted(value, value * permittivity_u / (2 * permittivity))


def topp(permittivity: Any, *, permittivity_uncertainty: Any = 0.0, labels: Sequence[Any] | None = None) -> Converted:
    """Volumetric water content by the polynomial of Topp et al. (1980, Water Resources Research 16:574-582).

    Made for mineral soil up to about 0.5 m3 m-3; not for peat nor for frozen soil.

    Raises
    ------
    DomainError
        A permittivity below 1.

    Examples
    --------
    >>> round(float(topp(20.0).value), 4)
    0.3454
    """
    epsilon, epsilon_u = _arrays(permittivity, permittivity_uncertainty)
    refuse(epsilon < 1, epsilon, labels, "The relative permittivity must be 1 or more")
    a, b, c, d = TOPP
    return Converted(a + epsilon * (b + epsilon * (c + epsilon * d)), np.abs(b + epsilon * (2 * c + 3 * d * epsilon)) * epsilon_u)


def crim(
    permittivity: Any,
    porosity: Any,
    *,
    exponent: float = CRIM_EXPONENT,
    water: float = CRIM_WATER_PERMITTIVITY,
    solid: float = CRIM_SOLID_PERMITTIVITY,
    air: float = 1.0,
    permittivity_uncertainty: Any = 0.0,
    porosity_uncertainty: Any = 0.0,
    labels: Sequence[Any] | None = None,
) -> Converted:
    """Volumetric water content by the refractive-index mixing model, solved for the water.

    ``eps^a = (1 - phi) eps_s^a + theta eps_w^a + (phi - theta) eps_a^a``. The defaults of exponent and water are the
    calibration for the active layer of the Qinghai-Tibet Plateau by Du et al. (2020, Remote Sensing 12:605); its error
    grows as the velocity falls. The permittivity of the solid, 5, is that of common minerals; their paper neglects it.

    Parameters
    ----------
    permittivity, porosity : array_like
        Relative permittivity of the soil; pore volume over soil volume.
    exponent, water, solid, air : float
        Exponent ``a`` and permittivities of the three parts.

    Raises
    ------
    DomainError
        A permittivity below 1 or a porosity not between 0 and 1.

    Examples
    --------
    >>> round(float(crim(15.0, 0.45).value), 4)
    0.3371
    """
    epsilon, phi, epsilon_u, phi_u = _arrays(permittivity, porosity, permittivity_uncertainty, porosity_uncertainty)
    refuse(epsilon < 1, epsilon, labels, "The relative permittivity must be 1 or more")
    refuse((phi <= 0) | (phi >= 1), phi, labels, "The porosity must lie between 0 and 1")
    solid_power, air_power = solid**exponent, air**exponent
    contrast = water**exponent - air_power
    value = (epsilon**exponent - (1 - phi) * solid_power - phi * air_power) / contrast
    slope_epsilon = exponent * epsilon ** (exponent - 1) / contrast
    slope_phi = (solid_power - air_power) / contrast
    return Converted(value, np.hypot(slope_epsilon * epsilon_u, slope_phi * phi_u))


def linear(velocity: Any, intercept: float, slope: float, *, velocity_uncertainty: Any = 0.0, residual: float = 0.0) -> Converted:
    """Volumetric water content as a line of the wave velocity (m ns-1), fitted on one's own rings.

    `residual` is the standard deviation around that line, m3 m-3. Not for velocities outside those it was fitted on.

    Examples
    --------
    >>> round(float(linear(0.08, 0.75, -5.0).value), 12)
    0.35
    """
    velocity, velocity_u = _arrays(velocity, velocity_uncertainty)
    return Converted(intercept + slope * velocity, np.hypot(slope * velocity_u, residual))


# ---- means ------------------------------------------------------------------------------------------------------


def depth_weighted_mean(values: Any, thickness: Any, *, uncertainty: Any = np.nan) -> tuple[float, float]:
    """Mean of the layers of one profile, weighted by thickness: ``sum(theta_i dz_i) / sum(dz_i)``.

    The uncertainty takes the layers as independent; it is NaN where one of them has none.

    Examples
    --------
    >>> depth_weighted_mean([0.2, 0.4], [0.3, 0.1], uncertainty=[0.03, 0.03])[0]
    0.25
    """
    values, thickness = _arrays(values, thickness)
    uncertainty = np.broadcast_to(np.asarray(uncertainty, float), values.shape)
    total = thickness.sum()
    return float((values * thickness).sum() / total), float(np.sqrt(((uncertainty * thickness) ** 2).sum()) / total)
