"""Which orbit a daily field comes from, as far as its attributes or its name tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ORBITS = {"a": "ascending", "asc": "ascending", "ascending": "ascending"}
ORBITS |= {"d": "descending", "des": "descending", "desc": "descending", "descending": "descending"}
PARTS_OF_DAY = {"E": "evening", "M": "morning", "AM": "morning", "PM": "evening"}
KEYS = ("orbit_direction", "orbitdirection", "orbit direction", "pass_direction", "orbit_pass", "passdirection")
IN_ONE_WORD = re.compile(r"^(?:EQ[MO]|MWRI)([AD])$")
"""As in names of AMSR2 (EQMA, EQMD) and FY-3 (MWRIA, MWRID)."""
OF_SWATH = re.compile(r"_([AD])\.(?:hdf|h5|nc)")


@dataclass(frozen=True)
class Orbit:
    """What a file tells of its orbit; empty where it tells nothing.

    Attributes
    ----------
    direction : str
        ``"ascending"``, ``"descending"``, ``"mixed"`` or empty.
    part_of_day : str
        ``"morning"``, ``"evening"`` or empty. Which direction that is depends on the satellite: AMSR-E descends in the half
        of the day that its gridded product calls the evening.
    """

    direction: str = ""
    part_of_day: str = ""

    def differs(self, other: Orbit) -> bool:
        """True where both tell something and disagree."""
        pairs = ((self.direction, other.direction), (self.part_of_day, other.part_of_day))
        return any(own and its and own != its for own, its in pairs)

    def __str__(self) -> str:
        """In words."""
        return ", ".join(text for text in (self.direction, self.part_of_day) if text) or "not told"


def orbit_of(name: str, attributes: Mapping[str, Any]) -> Orbit:
    """Look for the orbit in attributes first, then in the name.

    Parameters
    ----------
    name : str
        Of the file.
    attributes : mapping
        Of the variable and of the file.

    Examples
    --------
    >>> orbit_of("SMAP_L1C_TB_26661_D_20200128T131023_R16515_001.h5", {}).direction
    'descending'
    >>> orbit_of("tb-2008278-18H-E-GRD.nc", {"input_file1": "AMSR_E_L2A_V12_200810041324_D.hdf (GSX_version:1.6.0)"})
    Orbit(direction='descending', part_of_day='evening')
    """
    tokens = re.split(r"[_\-. ]", name)
    told = {key.lower(): str(value) for key, value in attributes.items()}
    directions = {ORBITS[word] for key in KEYS if (word := told.get(key, "").strip().lower()) in ORBITS}
    directions = directions or {ORBITS[mark.lower()] for mark in _swaths(told)} or _in_name(tokens)
    parts = {PARTS_OF_DAY[word[0]] for word in [told.get("temporal_division", "").strip().upper()] if word[:1] in ("E", "M")}
    parts = parts or {PARTS_OF_DAY[token] for token in tokens if token in PARTS_OF_DAY}
    return Orbit(_single(directions), _single(parts))


def _swaths(told: Mapping[str, str]) -> Iterable[str]:
    """Marks of the swath files that a gridded file was made of."""
    texts = [text for key, text in told.items() if key.startswith("input_file")]
    return [mark for text in texts for mark in OF_SWATH.findall(text)]


def _in_name(tokens: list[str]) -> set[str]:
    found = {ORBITS[token.lower()] for token in tokens if token in ("A", "D") or (len(token) > 2 and token.lower() in ORBITS)}
    return found | {ORBITS[match[1].lower()] for token in tokens if (match := IN_ONE_WORD.match(token))}


def _single(found: set[str]) -> str:
    return "mixed" if len(found) > 1 else next(iter(found), "")
