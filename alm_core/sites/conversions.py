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
import pandas as pd

from alm_core.errors import DomainError, StudyError, TableError
from alm_core.sites.columns import RAW_FIELDS
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


def _refuse(bad: np.ndarray, values: np.ndarray, labels: Sequence[Any] | None, expected: str) -> None:
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
    _refuse(volume <= 0, volume, labels, "The ring volume must be positive (cm3)")
    _refuse(dry <= 0, dry, labels, "The dry mass must be positive (g)")
    _refuse(wet < dry, wet, labels, "The wet mass must not be smaller than the dry mass (the columns may be swapped)")
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
    _refuse(water < 0, water, labels, "The gravimetric water content must not be negative")
    _refuse((density <= 0) | (density >= 2.65), density, labels, "The dry bulk density must lie between 0 and 2.65 g cm-3")
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
    _refuse((density <= 0) | (density >= particle_density), density, labels, expected)
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
    _refuse(time <= 0, time, labels, "The two-way travel time must be positive (ns)")
    _refuse(depth <= 0, depth, labels, "The depth of the reflector must be positive (m)")
    value = (SPEED_OF_LIGHT_M_PER_NS * time / (2 * depth)) ** 2
    expected = "The relative permittivity from travel time (ns) and depth (m) must be 1 or more"
    _refuse(value < 1, value, labels, expected)
    return Converted(value, 2 * value * np.hypot(time_u / time, depth_u / depth))


def permittivity_from_velocity(velocity: Any, *, velocity_uncertainty: Any = 0.0, labels: Sequence[Any] | None = None) -> Converted:
    """Relative permittivity from the wave velocity in m ns-1: ``(c / v)^2``.

    Raises
    ------
    DomainError
        A velocity that is not between zero and the speed of light (0.2998 m ns-1).
    """
    velocity, velocity_u = _arrays(velocity, velocity_uncertainty)
    bad = (velocity <= 0) | (velocity > SPEED_OF_LIGHT_M_PER_NS)
    _refuse(bad, velocity, labels, "The wave velocity must lie between 0 and 0.2998 m ns-1")
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
    _refuse(epsilon < 1, epsilon, labels, "The relative permittivity must be 1 or more")
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
    _refuse(epsilon < 1, epsilon, labels, "The relative permittivity must be 1 or more")
    _refuse((phi <= 0) | (phi >= 1), phi, labels, "The porosity must lie between 0 and 1")
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


# ---- a whole table ----------------------------------------------------------------------------------------------


def convert(
    frame: pd.DataFrame,
    *,
    ring_volume_cm3: float = 100.0,
    ring_uncertainty: float = 0.02,
    particle_density: float = 2.65,
    gpr_model: str = "crim",
    gpr_travel_time_uncertainty_ns: float = 1.0,
    gpr_depth_uncertainty_m: float = 0.05,
    gpr_permittivity_uncertainty: float = 0.5,
    gpr_porosity: float = 0.45,
    gpr_linear_intercept: float | None = None,
    gpr_linear_slope: float | None = None,
    ring_methods: tuple[str, ...] = ("cutting_ring", "cutting ring", "ring", "环刀", "环刀法"),
    gpr_methods: tuple[str, ...] = ("gpr", "ground_penetrating_radar", "探地雷达"),
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Fill `value` and `uncertainty` from raw measurements, row by row as the method says.

    Rows of a ring method use wet and dry mass, else gravimetric water content and bulk density; rows of a radar method
    use travel time and reflector depth, else permittivity, else velocity. Rows of other methods, and rows without raw
    numbers, keep their value. Without a `method` column the raw numbers that a row has decide. Where the table
    gives an uncertainty it stays.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns by our names (`alm_core.options.Columns`); `source_row` names rows in messages.
    others
        As in `alm_core.options.ConversionOptions`.

    Returns
    -------
    frame : pandas.DataFrame
        A copy, with `porosity` filled from the bulk density where it was missing.
    notes : tuple of str
        How many rows were converted and how.

    Raises
    ------
    DomainError
        A raw number that can't be; the rows are named.
    StudyError
        The model is unknown, or `linear` lacks its intercept or slope.
    TableError
        A row has both ring and radar numbers and no method.
    """
    if gpr_model not in ("topp", "crim", "linear"):
        raise StudyError(f"gpr_model is {gpr_model!r}: topp, crim or linear is expected.")
    if gpr_model == "linear" and (gpr_linear_intercept is None or gpr_linear_slope is None):
        raise StudyError("gpr_model = 'linear' needs both gpr_linear_intercept and gpr_linear_slope.")
    table = frame.copy()
    for name in (*RAW_FIELDS, "value", "uncertainty", "porosity"):
        if name not in table:
            table[name] = np.nan
    ring, radar = _rows_by_method(table, ring_methods, gpr_methods)
    given = table["value"].notna().to_numpy()
    notes = _convert_rings(table, ring, ring_volume_cm3, ring_uncertainty, particle_density)
    permittivity = _radar_permittivity(
        table, radar, gpr_travel_time_uncertainty_ns, gpr_depth_uncertainty_m, gpr_permittivity_uncertainty
    )
    notes += _convert_radar(table, permittivity, gpr_model, gpr_porosity, gpr_linear_intercept, gpr_linear_slope)
    notes += _remarks(table, frame, ring | radar, given)
    keep = [name for name in table if name in frame or name not in RAW_FIELDS]
    if table["porosity"].isna().all() and "porosity" not in frame:
        keep.remove("porosity")
    return table[keep], tuple(notes)


def _has(table: pd.DataFrame, *names: str) -> np.ndarray:
    return table[list(names)].notna().all(axis=1).to_numpy()


def _labels(table: pd.DataFrame, rows: np.ndarray) -> list[str]:
    source = table["source_row"] if "source_row" in table else pd.Series(np.arange(1, len(table) + 1), index=table.index)
    return [f"row {row}" for row in source[rows]]


def _rows_by_method(table: pd.DataFrame, ring_methods: Sequence[str], gpr_methods: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    if "method" in table:
        words = table["method"].fillna("").astype(object).map(lambda word: str(word).strip().casefold())
        return tuple(words.isin([name.casefold() for name in names]).to_numpy() for names in (ring_methods, gpr_methods))
    ring = _has(table, "wet_mass", "dry_mass") | _has(table, "gravimetric", "bulk_density")
    radar = _has(table, "travel_time", "reflector_depth") | _has(table, "permittivity") | _has(table, "velocity")
    both = ring & radar
    if both.any():
        raise TableError(f"ring and radar numbers in the same rows ({name_some(_labels(table, both))}) and no `method` column. Set columns.method.")
    return ring, radar


def _fill(table: pd.DataFrame, rows: np.ndarray, value: np.ndarray, uncertainty: np.ndarray | float) -> None:
    """Set the value of some rows, and the uncertainty where the table has none."""
    table.loc[rows, "value"] = value
    own = table.loc[rows, "uncertainty"].to_numpy()
    table.loc[rows, "uncertainty"] = np.where(np.isfinite(own), own, uncertainty)


def _convert_rings(table: pd.DataFrame, ring: np.ndarray, volume: float, uncertainty: float, particle_density: float) -> list[str]:
    notes = []
    weighed = ring & _has(table, "wet_mass", "dry_mass")
    if weighed.any():
        part, labels = table[weighed], _labels(table, weighed)
        _fill(table, weighed, cutting_ring(part["wet_mass"], part["dry_mass"], volume, labels=labels).value, uncertainty)
        notes.append(f"{weighed.sum()} row(s) converted from ring masses, volume {volume:g} cm3")
    dried = ring & ~weighed & _has(table, "gravimetric", "bulk_density")
    if dried.any():
        part, labels = table[dried], _labels(table, dried)
        _fill(table, dried, gravimetric_to_volumetric(part["gravimetric"], part["bulk_density"], labels=labels).value, uncertainty)
        notes.append(f"{dried.sum()} row(s) converted from gravimetric water content and bulk density")
    plain = ring & ~weighed & ~dried & table["value"].notna().to_numpy()
    _fill(table, plain, table.loc[plain, "value"].to_numpy(), uncertainty)
    density = table["bulk_density"].where(table["bulk_density"].notna(), table["dry_mass"] / volume)
    known = ring & density.notna().to_numpy() & table["porosity"].isna().to_numpy()
    if known.any():
        table.loc[known, "porosity"] = porosity_from_bulk_density(
            density[known], particle_density=particle_density, labels=_labels(table, known)
        )
    return notes


def _radar_permittivity(table: pd.DataFrame, radar: np.ndarray, time_u: float, depth_u: float, permittivity_u: float) -> pd.DataFrame:
    """Permittivity, its uncertainty and its origin for every row that has radar numbers; index as the table's."""
    result = pd.DataFrame({"value": np.nan, "uncertainty": np.nan, "origin": ""}, index=table.index)
    timed = radar & _has(table, "travel_time", "reflector_depth")
    direct = radar & ~timed & _has(table, "permittivity")
    fast = radar & ~timed & ~direct & _has(table, "velocity")
    part = table[timed]
    from_time = permittivity_from_travel_time(
        part["travel_time"],
        part["reflector_depth"],
        time_uncertainty_ns=time_u,
        depth_uncertainty_m=depth_u,
        labels=_labels(table, timed),
    )
    result.loc[timed, ["value", "uncertainty"]] = np.column_stack([from_time.value, from_time.uncertainty])
    from_velocity = permittivity_from_velocity(table.loc[fast, "velocity"], labels=_labels(table, fast)).value
    result.loc[direct, "value"], result.loc[fast, "value"] = table.loc[direct, "permittivity"], from_velocity
    result.loc[direct | fast, "uncertainty"] = permittivity_u
    for rows, origin in ((timed, "travel time"), (direct, "permittivity"), (fast, "velocity")):
        result.loc[rows, "origin"] = origin
    return result


def _convert_radar(
    table: pd.DataFrame, permittivity: pd.DataFrame, model: str, porosity: float, intercept: float | None, slope: float | None
) -> list[str]:
    rows = (permittivity["origin"] != "").to_numpy()
    if not rows.any():
        return []
    labels = _labels(table, rows)
    epsilon, epsilon_u = permittivity.loc[rows, "value"].to_numpy(), permittivity.loc[rows, "uncertainty"].to_numpy()
    notes = [
        f"{count} row(s) converted from radar {origin} by {model}"
        for origin, count in permittivity.loc[rows, "origin"].value_counts().sort_index().items()
    ]
    if model == "topp":
        water = topp(epsilon, permittivity_uncertainty=epsilon_u, labels=labels)
    elif model == "crim":
        own = table.loc[rows, "porosity"]
        water = crim(epsilon, own.fillna(porosity), permittivity_uncertainty=epsilon_u, labels=labels)
        if own.isna().any():
            notes.append(f"{own.isna().sum()} radar row(s) without porosity: {porosity:g} taken")
    else:
        _refuse(epsilon < 1, epsilon, labels, "The relative permittivity must be 1 or more")
        speed = velocity_from_permittivity(epsilon, permittivity_uncertainty=epsilon_u)
        water = linear(speed.value, intercept, slope, velocity_uncertainty=speed.uncertainty)
    _fill(table, rows, water.value, water.uncertainty)
    return notes


def _remarks(table: pd.DataFrame, frame: pd.DataFrame, measured: np.ndarray, given: np.ndarray) -> list[str]:
    """What a reader should know of the result: replaced, missing and impossible values."""
    notes = []
    before = frame["value"].to_numpy(float) if "value" in frame else np.full(len(frame), np.nan)
    after = table["value"].to_numpy(float)
    replaced = int((given & (before != after)).sum())
    if replaced:
        notes.append(f"{replaced} row(s) had a value beside raw numbers: the converted one is used")
    empty = int((measured & ~np.isfinite(after)).sum())
    if empty:
        notes.append(f"{empty} ring or radar row(s) have neither raw numbers nor a value")
    above = int((after > table["porosity"].to_numpy(float)).sum())
    if above:
        notes.append(f"{above} row(s) hold more water than their pores: see screening.porosity_bound")
    return notes
