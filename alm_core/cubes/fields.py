"""What every reader of daily files gives: the head of a variable in a file, and its numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pyproj import CRS

from alm_core.cubes.axes import FieldGrid, agree
from alm_core.cubes.orbits import Orbit
from alm_core.cubes.times import date_of_text
from alm_core.errors import CrsError, RasterError, StudyError

CHANNEL = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(?:GHZ)?\s*([VH])\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class FieldHead:
    """One variable in one file.

    Attributes
    ----------
    variable : str
        Its name in the file.
    grid : FieldGrid
    times : ndarray
        datetime64[s] ``[step]``; midnight where only the date is known.
    timed_by : str
        Where the times come from: ``"time axis"``, ``"band"`` or ``"file name"``.
    unit : str
        As the file writes it; empty where it declares none.
    fills : tuple of float
        Values in the file that mean missing.
    orbit : Orbit
    channel : tuple
        Frequency in GHz (rounded as the file writes it) and polarisation; ``(None, "")`` where it tells none.
    layer : str
        Of several layers, the one that is read.
    """

    variable: str
    grid: FieldGrid
    times: np.ndarray
    timed_by: str
    unit: str
    fills: tuple[float, ...]
    orbit: Orbit
    channel: tuple[float | None, str] = (None, "")
    layer: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The head as plain values, for messages and JSON."""
        return {
            "variable": self.variable,
            "grid": self.grid.describe(),
            "first": str(self.times[0]),
            "last": str(self.times[-1]),
            "steps": int(self.times.size),
            "timed_by": self.timed_by,
            "unit": self.unit,
            "fills": list(self.fills),
            "orbit": str(self.orbit),
            "layer": self.layer,
        }


class FieldFile(Protocol):
    """An open file of daily fields; closed by leaving its ``with`` block.

    `read` gives numbers as they lie in the file, ``[step, row, column]``; `decode` makes float32 of any part of them: NaN
    where missing, infinite where the file itself says that a value is not valid, else the value in the unit of the file.
    """

    head: FieldHead
    steps_together: int
    """Steps that lie in one piece in the file, so that reading one costs as much as reading all of them."""

    def read(self, start: int, stop: int, rows: slice, columns: slice) -> np.ndarray:
        """Numbers of some steps, of a window."""

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """float32 of numbers from `read`."""

    def __enter__(self) -> FieldFile:
        """Itself."""

    def __exit__(self, *fault: object) -> None:
        """Close the file."""


def times_of_name(path: Path) -> np.ndarray:
    """The one day of a file that has no time inside.

    Raises
    ------
    RasterError
        The name has no date either, or several.
    """
    found = date_of_text(path.stem)
    if found is None:
        raise RasterError(
            f"{path.name} has no time inside and no date in its name, such as 20160101, 2016-01-01 or 2016001 (day of year). "
            "Write its date into its name."
        )
    return np.array([found], "datetime64[s]")


def channel_of(text: str) -> tuple[float | None, str]:
    """Frequency and polarisation of a label such as ``18H``.

    Examples
    --------
    >>> channel_of("36.5V"), channel_of("brightness")
    ((36.5, 'V'), (None, ''))
    """
    match = CHANNEL.match(text)
    return (float(match[1]), match[2].upper()) if match else (None, "")


def chosen(name: str, names: Sequence[str], where: str) -> str:
    """The name that is wanted, or the only one there is.

    Raises
    ------
    StudyError
        It is not there, or none was named where there are several; the text lists what is there.
    """
    listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    if name in names:
        return name
    if name:
        raise StudyError(f"{where} has no variable {name!r}. Fields in it: {listed or 'none'}.")
    if len(names) != 1:
        raise StudyError(f"{where} holds {len(names)} fields ({listed or 'none'}): name one in `variable`.")
    return names[0]


def chosen_layer(level: int | None, layers: Sequence[str], where: str) -> int:
    """Place of the layer that is wanted among layers that run from the shallowest.

    Raises
    ------
    StudyError
        There are several and none was named, or there is no such layer.
    """
    if level is None and len(layers) == 1:
        return 0
    listed = ", ".join(f"{number}: {layer}" for number, layer in enumerate(layers, start=1))
    if level is None:
        raise StudyError(f"{where} has {len(layers)} layers ({listed}): name one by its number in `level`.")
    if level > len(layers):
        raise StudyError(f"{where} has no layer {level}. Its layers are {listed}.")
    return level - 1


def check_declared(declared: str | None, wanted: str | None) -> None:
    """Refuse a CRS of the study that is not that of the file.

    Raises
    ------
    CrsError
    """
    if declared is not None and wanted is not None and not agree(declared, wanted):
        own, other = (CRS.from_user_input(one).name for one in (declared, wanted))
        raise CrsError(f"The file declares {own}, the study says {other}. Leave `crs` out, or mend the file.")


def as_stored(fill: float, dtype: np.dtype) -> Any:
    """A fill value as an array would hold it; itself where it can't."""
    if dtype.kind == "f" or (float(fill).is_integer() and np.iinfo(dtype).min <= fill <= np.iinfo(dtype).max):
        return dtype.type(fill)
    return fill
