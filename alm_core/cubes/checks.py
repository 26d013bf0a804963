"""Faults of daily variables that one file alone does not show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np

from alm_core.cubes.fields import FieldHead
from alm_core.cubes.orbits import Orbit
from alm_core.cubes.store import CubeStore, Variable
from alm_core.errors import DomainError, MissingFileError, NodataError, RasterError

SAMPLED_DAYS = 200
WRONG_ORDER = 0.5
"""Part of cells and days with V below H from which the two are taken to be swapped: over land V is above H nearly always."""
CHANNEL_TOLERANCE_GHZ = 1.0
"""Products write 18 for 18.7 GHz."""


def check_head(path: Path, head: FieldHead, variable: Variable, orbit: Orbit, first: FieldHead | None) -> Orbit:
    """Refuse a file of another orbit, channel or unit than the variable's, or than the files before it.

    Parameters
    ----------
    orbit : Orbit
        What the files before told.
    first : FieldHead or None
        Of the first file.

    Returns
    -------
    Orbit
        What is known of the orbit now.

    Raises
    ------
    RasterError
        Orbits or channels are mixed, or not those that are declared.
    """
    own = head.orbit
    if orbit.differs(own):
        raise RasterError(
            f"Its files mix orbits: {path.name} is {own}, the files before are {orbit}. Make a variable of each, with a pattern "
            "in `path` that fits the files of one orbit only."
        )
    if variable.orbit and own.direction and own.direction != variable.orbit:
        raise RasterError(f"{path.name} tells that its orbit is {own}; the study says {variable.orbit}. Mend `orbit` or `path`.")
    frequency, polarisation = head.channel
    if variable.polarisation and polarisation and polarisation != variable.polarisation:
        raise RasterError(
            f"{path.name} holds {polarisation} polarisation; the study says {variable.polarisation}. Mend `polarisation` "
            "or `path`."
        )
    if variable.frequency_ghz and frequency and abs(frequency - variable.frequency_ghz) > CHANNEL_TOLERANCE_GHZ:
        raise RasterError(
            f"{path.name} holds the channel of {frequency:g} GHz; the study says {variable.frequency_ghz:g}. Mend "
            "`frequency_ghz` or `path`."
        )
    if first is not None and first.unit != head.unit and not variable.unit:
        raise RasterError(f"{path.name} is in {head.unit!r}, the first file in {first.unit!r}: name the `unit` to keep.")
    return Orbit(orbit.direction or own.direction, orbit.part_of_day or own.part_of_day)


def check_values(tally: Mapping[str, int], valid: int, low: float | None, high: float | None, head: FieldHead, unit: str) -> None:
    """Refuse a variable without a single value.

    Raises
    ------
    DomainError
        All values are out of range.
    NodataError
        There is nothing but missing values.
    MissingFileError
        No step lies in the period.
    """
    if valid:
        return
    if tally["out_of_range"]:
        raise DomainError(
            f"All {tally['out_of_range']} values that are not missing are out of range: {_range(low, high)} {unit} is expected. "
            f"The file says {head.unit or 'no unit'}. Check `variable`, `unit`, `missing_value`, and `minimum` and `maximum`."
        )
    if tally["values"]:
        raise NodataError(
            f"All {tally['values']} values at the mapped cells are missing. Check `variable`, `missing_value` and where the "
            "field lies."
        )
    raise MissingFileError(
        f"No step lies in the period of the study ({tally['steps_outside']} lie outside; the first file begins {head.times[0]}). "
        "Check `path` and [days] first and last."
    )


def _range(low: float | None, high: float | None) -> str:
    return f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}"


def check_period(missing: int, empty: int, days: int, most: float) -> None:
    """Refuse a variable with too many days without a value.

    Parameters
    ----------
    missing, empty : int
        Days without a file, and with a file but without a value.
    most : float
        Largest part of `days`.

    Raises
    ------
    DomainError

    Examples
    --------
    >>> check_period(10, 5, 30, 0.5)
    """
    if missing + empty > most * days:
        raise DomainError(
            f"{missing} of {days} days have no file and {empty} no value, more than most_missing_days = {most:g} allows. Add the "
            "files, shorten the period of [days], or raise it."
        )


def check_polarisations(store: CubeStore) -> list[str]:
    """Refuse V and H of one channel and orbit that are swapped; looks at some days spread over the period.

    A surface seen aslant emits more in V than in H (Fresnel), so V is at or above H but for noise.

    Returns
    -------
    list of str
        What was found of each pair, in words.

    Raises
    ------
    DomainError
        V is below H in most cells and days of a pair.
    """
    found = []
    for one, other in combinations(store.variables, 2):
        pair = {one.polarisation: one, other.polarisation: other}
        alike = one.frequency_ghz == other.frequency_ghz and one.orbit == other.orbit
        if one.frequency_ghz is None or not alike or set(pair) != {"V", "H"}:
            continue
        part, count = _below(store, pair["V"].name, pair["H"].name)
        names = f"{pair['V'].name} (V) is below {pair['H'].name} (H)"
        if count and part > WRONG_ORDER:
            raise DomainError(
                f"{names} in {part:.0%} of {count} cell-days: V is at or above H over land. The two are swapped, in `path`, "
                "`variable` or `polarisation`."
            )
        if count:
            found.append(f"{names} in {part:.1%} of {count} cell-days")
    return found


def _below(store: CubeStore, vertical: str, horizontal: str) -> tuple[float, int]:
    """Part of cell-days with V below H, and how many have both."""
    below = count = 0
    for day in np.unique(np.linspace(0, store.days - 1, SAMPLED_DAYS).astype(int)).tolist():
        v, h = (store.read(name, day, day + 1) for name in (vertical, horizontal))
        both = np.isfinite(v) & np.isfinite(h)
        count += int(both.sum())
        below += int((v[both] < h[both]).sum())
    return (below / count if count else 0.0), count


def absent_codes(codes: Mapping[str, int], wanted: Mapping[str, Collection[int]]) -> list[str]:
    """States of which no code occurs, and codes that mean none of the states, in words.

    Parameters
    ----------
    codes : mapping
        How often each code occurs (facts of `alm_core.cubes.staging.stage_variable`).
    wanted : mapping
        Codes of each state.

    Examples
    --------
    >>> absent_codes({"0": 10, "254": 3}, {"frozen": (1,), "thawed": (0,)})
    ['no cell-day is frozen: code 1 never occurs', 'code 254 (3 cell-days) means no state: missing']
    """
    notes = []
    for state, numbers in wanted.items():
        if not any(str(number) in codes for number in numbers):
            listed = ", ".join(str(number) for number in numbers)
            notes.append(f"no cell-day is {state}: code {listed} never occurs")
    known = {str(number) for numbers in wanted.values() for number in numbers}
    return notes + [
        f"code {code} ({count} cell-days) means no state: missing" for code, count in codes.items() if code not in known
    ]
