"""Numbers as people read them: sensible digits, units with true superscripts."""

from __future__ import annotations

import math
import re

DASH = "–"
SMALL_P = 0.001
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


DEGREES = (("degree_Celsius", "°C"), ("degrees_Celsius", "°C"), ("degC", "°C"), ("degrees", "°"), ("degree", "°"))


def unit_text(unit: str) -> str:
    """Write exponents as superscripts.

    Examples
    --------
    >>> unit_text("m3 m-3"), unit_text("degree_Celsius day"), unit_text("1")
    ('m³ m⁻³', '°C day', '')
    """
    if unit in ("", "1"):
        return ""
    for written, shown in DEGREES:
        unit = unit.replace(written, shown)
    return re.sub(r"(?<=[A-Za-z])-?\d+\b", lambda found: found.group().translate(SUPERSCRIPTS), unit)


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, thousands grouped; a dash where there is none.

    Examples
    --------
    >>> number(0.04567), number(1234567.0), number(float("nan")), number(12.0, 2)
    ('0.0457', '1,234,567', '–', '12')
    """
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, min(places, 12))}f}"


def fixed(value: float | None, places: int = 2) -> str:
    """A number with so many decimals; a dash where there is none."""
    return DASH if value is None or not math.isfinite(value) else f"{value:,.{places}f}"


def percent(part: float | None, places: int = 0) -> str:
    """A part of one as per cent.

    Examples
    --------
    >>> percent(0.876), percent(None)
    ('88 %', '–')
    """
    return DASH if part is None or not math.isfinite(part) else f"{100 * part:.{places}f} %"


def p_text(value: float) -> str:
    """A p value with its sign; a very small one as a bound.

    Examples
    --------
    >>> p_text(0.0321), p_text(0.00001)
    ('= 0.032', '< 0.001')
    """
    return f"< {SMALL_P}" if value < SMALL_P else f"= {fixed(value, 3)}"


def with_unit(value: float | None, unit: str, digits: int = 3) -> str:
    """A number with its unit.

    Examples
    --------
    >>> with_unit(0.2345, "m3 m-3")
    '0.234 m³ m⁻³'
    """
    text = number(value, digits)
    return text if text == DASH else f"{text} {unit_text(unit)}".strip()


def interval_text(low: float | None, high: float | None, unit: str = "", digits: int = 3) -> str:
    """Two bounds with their unit.

    Examples
    --------
    >>> interval_text(0.1, 0.25, "m3 m-3", 2)
    '0.10 – 0.25 m³ m⁻³'
    """
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return DASH
    size = max(abs(low), abs(high))
    places = 0 if size == 0 else max(0, min(12, digits - 1 - math.floor(math.log10(size))))
    return f"{low:,.{places}f} – {high:,.{places}f} {unit_text(unit)}".strip()
