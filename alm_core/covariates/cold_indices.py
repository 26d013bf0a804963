"""Indices of frozen ground from freezing and thawing degree days: n-factor, frost number, TTOP, Stefan's thaw depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from alm_core.covariates.annual_cycle import YEAR_DAYS
from alm_core.errors import StudyError

LATENT_HEAT = 334_000.0
"""J kg-1, of melting ice."""
DAY_SECONDS = 86_400.0
LARGEST_INDEX = 36_525.0
"""degree Celsius day: 100 degrees through the year. More is a sum in other units, or of several years."""


def n_factor(surface: Any, air: Any) -> np.ndarray:
    """Degree days at the ground surface as a part of those of the air (Lunardini 1978).

    Parameters
    ----------
    surface, air : array
        Both freezing or both thawing degree days, degree Celsius day.

    Returns
    -------
    ndarray
        1, float32; NaN where the air has none.

    Raises
    ------
    StudyError
        Degree days that are negative or too large.

    Examples
    --------
    >>> n_factor([900.0, 0.0], [3000.0, 0.0]).tolist()
    [0.30000001192092896, nan]
    """
    return _quotient(_index("n_factor", "surface", surface), _index("n_factor", "air", air)).astype(np.float32)


def frost_number(freezing: Any, thawing: Any, *, soil_factor: Any = 1.0) -> np.ndarray:
    """Frost number ``sqrt(DDF) / (sqrt(DDF) + E sqrt(DDT))``; permafrost is expected where it is 0.5 or more.

    Air frost number of Nelson and Outcalt (1987) with ``E = 1``; the soil factor takes in snow, vegetation and soil. Not for
    relict permafrost: it knows the present climate only.

    Parameters
    ----------
    freezing, thawing : array
        Degree days of a year, degree Celsius day, both as positive numbers.
    soil_factor : float or array
        ``E``, above 0.

    Returns
    -------
    ndarray
        1, float32: 0 without frost, 1 without thaw, NaN where there is neither.

    Raises
    ------
    StudyError
        Degree days or a soil factor outside their range.

    Examples
    --------
    >>> frost_number([3600.0, 0.0, 900.0], [400.0, 900.0, 0.0]).tolist()
    [0.75, 0.0, 1.0]
    """
    frost = np.sqrt(_index("frost_number", "freezing", freezing))
    thaw = np.sqrt(_index("frost_number", "thawing", thawing)) * _positive("frost_number", "soil_factor", soil_factor)
    return _quotient(frost, frost + thaw).astype(np.float32)


def ttop(
    freezing: Any,
    thawing: Any,
    *,
    freezing_factor: Any = 1.0,
    thawing_factor: Any = 1.0,
    conductivity_frozen: Any = 1.0,
    conductivity_thawed: Any = 1.0,
    year_days: float = YEAR_DAYS,
) -> np.ndarray:
    """Temperature at the top of permafrost, or at the bottom of seasonal frost, in balance with a climate.

    ``(k_t n_t DDT - k_f n_f DDF) / (k P)`` with ``k = k_f`` where the sum is negative (permafrost) and ``k = k_t`` elsewhere
    (Smith and Riseborough 1996). With all factors 1 it is the mean annual temperature. Not for ground that is still warming or
    cooling: it is a balance.

    Parameters
    ----------
    freezing, thawing : array
        Degree days of the air, degree Celsius day, both as positive numbers.
    freezing_factor, thawing_factor : float or array
        n-factors, not negative.
    conductivity_frozen, conductivity_thawed : float or array
        W m-1 K-1, above 0; only their quotient matters.
    year_days : float
        Days that the degree days were summed over.

    Returns
    -------
    ndarray
        degree Celsius, float32.

    Raises
    ------
    StudyError
        An input outside its range.

    Examples
    --------
    >>> ttop(3652.5, 0.0).item(), ttop(0.0, 3652.5).item()
    (-10.0, 10.0)
    >>> round(ttop(3000.0, 1000.0, freezing_factor=0.5, thawing_factor=0.9, conductivity_thawed=0.8).item(), 3)
    -2.136
    """
    if not year_days > 0:
        raise StudyError(f"ttop: a year of {year_days} days came; a positive number is expected, 365.25 as a rule.")
    thawed = _positive("ttop", "conductivity_thawed", conductivity_thawed)
    frozen = _positive("ttop", "conductivity_frozen", conductivity_frozen)
    warmth = thawed * _factor("ttop", "thawing_factor", thawing_factor) * _index("ttop", "thawing", thawing)
    cold = frozen * _factor("ttop", "freezing_factor", freezing_factor) * _index("ttop", "freezing", freezing)
    balance = warmth - cold
    return _quotient(balance, np.where(balance < 0, frozen, thawed) * year_days).astype(np.float32)


def stefan_thaw_depth(
    thawing: Any,
    *,
    conductivity_thawed: Any,
    bulk_density: Any,
    water: Any,
    unfrozen_water: Any = 0.0,
    thawing_factor: Any = 1.0,
) -> np.ndarray:
    """Active layer thickness by Stefan's equation, ``sqrt(2 k_t 86400 n_t DDT / (L rho_d (w - w_u)))``.

    All heat is taken to melt ice, so it is an upper bound; not for dry or layered ground. For a volumetric ice content give it
    as `water` with a `bulk_density` of 1000 kg m-3.

    Parameters
    ----------
    thawing : array
        Degree days of the air, degree Celsius day.
    conductivity_thawed : float or array
        W m-1 K-1.
    bulk_density : float or array
        Dry bulk density, kg m-3.
    water, unfrozen_water : float or array
        Gravimetric content of all water, and of water that never freezes, kg kg-1.
    thawing_factor : float or array
        n-factor.

    Returns
    -------
    ndarray
        m, float32; 0 without thaw, NaN where there is no water to melt.

    Raises
    ------
    StudyError
        An input outside its range, such as a density in g cm-3 or a water content in percent.

    Examples
    --------
    >>> round(stefan_thaw_depth(1000.0, conductivity_thawed=1.0, bulk_density=1300.0, water=0.25).item(), 4)
    1.2617
    """
    density = _positive("stefan", "bulk_density", bulk_density)
    if np.any((density > 0) & (density < 20)):
        raise StudyError(
            f"stefan: a bulk density of {float(np.nanmin(density)):g} kg m-3 came; it looks like g cm-3: multiply by 1000."
        )
    wet, bound = _factor("stefan", "water", water), _factor("stefan", "unfrozen_water", unfrozen_water)
    if np.any(wet > 20):
        raise StudyError(f"stefan: a water content of {float(np.nanmax(wet)):g} kg kg-1 came; it looks like percent: divide it.")
    heat = 2 * DAY_SECONDS * _positive("stefan", "conductivity_thawed", conductivity_thawed)
    heat = heat * _factor("stefan", "thawing_factor", thawing_factor) * _index("stefan", "thawing", thawing)
    melting = LATENT_HEAT * density * np.maximum(wet - bound, 0.0)
    return np.sqrt(_quotient(heat, melting)).astype(np.float32)


def edaphic_thaw_depth(thawing: Any, *, edaphic_factor: Any, thawing_factor: Any = 1.0) -> np.ndarray:
    """Active layer thickness as ``E sqrt(n_t DDT)`` (Nelson and others 1997), with all of the soil in one factor.

    Parameters
    ----------
    thawing : array
        degree Celsius day.
    edaphic_factor : float or array
        ``E``, m per square root of a degree Celsius day; fitted to measured thaw depths, 0.01 to 0.05 as a rule.
    thawing_factor : float or array
        n-factor.

    Returns
    -------
    ndarray
        m, float32.

    Raises
    ------
    StudyError
        An input outside its range.

    Examples
    --------
    >>> edaphic_thaw_depth([0.0, 900.0], edaphic_factor=0.02).round(6).tolist()
    [0.0, 0.6000000238418579]
    """
    index = _factor("stefan", "thawing_factor", thawing_factor) * _index("stefan", "thawing", thawing)
    return (_positive("stefan", "edaphic_factor", edaphic_factor) * np.sqrt(index)).astype(np.float32)


def _quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """NaN where nothing is divided by."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _index(what: str, name: str, value: Any) -> np.ndarray:
    """Degree days as float64, checked."""
    index = np.asarray(value, np.float64)
    if np.any(index < 0):
        raise StudyError(
            f"{what}: {name} degree days of {float(np.nanmin(index)):g} came; positive numbers are expected, also for frost. "
            "Turn the sign of the layer (scale = -1), or name its nodata value."
        )
    if np.any(index > LARGEST_INDEX):
        raise StudyError(
            f"{what}: {name} degree days of {float(np.nanmax(index)):g} came; a year has at most {LARGEST_INDEX:g} degree "
            "Celsius day. Sums of hours, of several years or of kelvin are something else: convert the layer."
        )
    return index


def _positive(what: str, name: str, value: Any) -> np.ndarray:
    """A number above 0, or a layer in which 0 stands for unknown."""
    found = _factor(what, name, value)
    if found.ndim == 0 and not found > 0:
        raise StudyError(f"{what}: {name} is {value}; a number above 0 is expected.")
    return np.where(found > 0, found, np.nan)


def _factor(what: str, name: str, value: Any) -> np.ndarray:
    """A number or layer that is not negative."""
    found = np.asarray(value, np.float64)
    if np.any(found < 0) or (found.ndim == 0 and not np.isfinite(found)):
        raise StudyError(f"{what}: {name} of {float(np.nanmin(found)):g} came; it is never negative.")
    return found
