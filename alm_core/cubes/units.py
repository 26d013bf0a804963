"""Units of daily fields: their spellings, and the few conversions that need nothing but the name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alm_core.errors import DomainError

SPELLINGS = {
    "K": ("k", "kelvin", "degk", "deg_k", "degree_kelvin", "degrees_kelvin"),
    "degC": ("degc", "c", "celsius", "deg_c", "degree_celsius", "degrees_celsius", "degreescelsius", "°c"),
    "m3 m-3": ("m3 m-3", "m3/m3", "m^3/m^3", "m^3 m^-3", "m**3 m**-3", "m3m-3", "cm3 cm-3", "cm3/cm3", "cm**3/cm**3"),
    "kg m-2": ("kg m-2", "kg/m2", "kg/m^2", "kg m^-2", "kg m**-2", "kgm-2", "mm"),
    "percent": ("percent", "%"),
    "1": ("1", "dimensionless", "unitless", "fraction", "-", "class", "flag", "count"),
}
CONVERSIONS: dict[tuple[str, str], tuple[float, float]] = {
    ("degC", "K"): (1.0, 273.15),
    ("K", "degC"): (1.0, -273.15),
    ("percent", "1"): (0.01, 0.0),
    ("1", "percent"): (100.0, 0.0),
    ("percent", "m3 m-3"): (0.01, 0.0),
    ("m3 m-3", "percent"): (100.0, 0.0),
    ("1", "m3 m-3"): (1.0, 0.0),
    ("m3 m-3", "1"): (1.0, 0.0),
}
"""Factor and offset."""


def unit_name(text: str) -> str:
    """One spelling for each unit; an unknown one stays as it came, without brackets.

    Examples
    --------
    >>> unit_name("[K]"), unit_name("kg/m^2"), unit_name("Celsius"), unit_name("dBZ")
    ('K', 'kg m-2', 'degC', 'dBZ')
    """
    bare = text.strip().strip("[]").strip()
    for name, spellings in SPELLINGS.items():
        if bare.lower() in spellings:
            return name
    return bare


def converter(found: str, wanted: str) -> Callable[[np.ndarray], np.ndarray]:
    """What brings values of one unit into another.

    Parameters
    ----------
    found : str
        Unit of the file; empty where it declares none, then values are taken as they are (the caller tells so).
    wanted : str
        Unit to keep; empty keeps that of the file.

    Raises
    ------
    DomainError
        The conversion needs more than the names, such as the depth of a layer, or is none.

    Examples
    --------
    >>> converter("degC", "K")(np.array([0.0])).tolist()
    [273.15]
    """
    own, other = unit_name(found), unit_name(wanted)
    if not own or not other or own == other:
        return lambda values: values
    if (own, other) in CONVERSIONS:
        factor, offset = CONVERSIONS[own, other]
        return lambda values: values * values.dtype.type(factor) + values.dtype.type(offset)
    if {own, other} == {"kg m-2", "m3 m-3"}:
        raise DomainError(
            f"The file is in {own} and {other} is wanted: that takes the depth of the layer, which the file does not say. Keep "
            f'its unit (unit = "{own}", quantity = "other"), or divide by depth and density of water first.'
        )
    raise DomainError(f"The file is in {own!r} and {other!r} is wanted: there is no conversion. Name the right variable or unit.")
