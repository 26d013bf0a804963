"""Numbers and names that come from a URL, read strictly: what is not exactly right is refused with a reason."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from alm_core.errors import AlmError, StudyError
from alm_core.learning.weighting import METHODS
from alm_core.palettes import PALETTES

MAXIMUM_ZOOM = 16
CURVES = ("none", "regression", "distribution", "zscore", "blend")
"""Bias corrections that need nothing but the fused value."""
MAXIMUM_DIGITS = 6
MAXIMUM_TEXT = 400
WHOLE = re.compile(r"[0-9]+", re.ASCII)
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)


class LayerError(StudyError):
    """A run has no layer of that name."""


class RequestError(AlmError):
    """A request asks for what can't be: a number out of range, an unknown name. `status` is that of the answer."""

    def __init__(self, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def tile_address(z: str, x: str, y: str) -> tuple[int, int, int]:
    """Zoom, column and row of a tile of the web map.

    Raises
    ------
    RequestError
        Not three whole numbers, a zoom above 16, a column or row that the zoom does not have.

    Examples
    --------
    >>> tile_address("3", "6", "3")
    (3, 6, 3)
    """
    numbers = [_whole(text, name) for text, name in ((z, "z"), (x, "x"), (y, "y"))]
    zoom, column, row = numbers
    if zoom > MAXIMUM_ZOOM:
        raise RequestError(f"Zoom {zoom} was asked for: 0 to {MAXIMUM_ZOOM} are served.")
    if column >= 2**zoom or row >= 2**zoom:
        raise RequestError(f"Tile {column}, {row} was asked for: zoom {zoom} has columns and rows from 0 to {2**zoom - 1}.")
    return zoom, column, row


def whole_number(text: str | None, name: str, *, default: int, low: int, high: int) -> int:
    """A whole number of a query, within its range."""
    if text is None:
        return default
    value = _whole(text, name)
    if not low <= value <= high:
        raise RequestError(f"{name} is {value}: {low} to {high} are expected.")
    return value


def number(text: str | None, name: str) -> float | None:
    """A finite number of a query, None where it was not given.

    Examples
    --------
    >>> number("1e-3", "low")
    0.001
    """
    if text is None:
        return None
    if len(text) > MAXIMUM_TEXT or not NUMBER.fullmatch(text):
        raise RequestError(f"{name} is {shown(text)}: a plain number is expected.")
    value = float(text)
    if not math.isfinite(value):
        raise RequestError(f"{name} is {shown(text)}: a finite number is expected.")
    return value


def display_range(low: str | None, high: str | None, default: tuple[float, float]) -> tuple[float, float]:
    """The values that get the first and the last colour."""
    first, last = number(low, "low"), number(high, "high")
    first = default[0] if first is None else first
    last = default[1] if last is None else last
    if not first < last:
        raise RequestError(f"low is {first:g} and high is {last:g}: low must be smaller than high.")
    # Their difference is divided by: it must neither overflow nor vanish.
    if not math.isfinite(last - first) or not math.isfinite(1 / (last - first)):
        raise RequestError("low and high are too far apart or too close to each other.")
    return first, last


def palette_name(text: str | None, default: str) -> str:
    """The name of a palette from the list."""
    if text is None:
        return default
    if text not in PALETTES:
        raise RequestError(f"There is no palette {shown(text)}. There are: {', '.join(PALETTES)}.")
    return text


def one_of(text: str | None, known: Sequence[str]) -> str:
    """A word of a list, the first where none was given.

    Examples
    --------
    >>> one_of(None, ("hatch", "grey"))
    'hatch'
    """
    if text is None:
        return known[0]
    if text not in known:
        raise RequestError(f"There is no {shown(text)} here. There are: {', '.join(known)}.")
    return text


def weights(text: str | None, learners: Sequence[str]) -> tuple[float, ...]:
    """Weights by hand, one per learner in their order, scaled to sum to one.

    Examples
    --------
    >>> weights("1,3", ["forest", "boosted"])
    (0.25, 0.75)
    """
    parts = (text or "").split(",")
    if text is None or len(text) > MAXIMUM_TEXT or len(parts) != len(learners):
        raise RequestError(f"weights: {len(learners)} numbers with commas between them are expected ({', '.join(learners)}).")
    values = [number(part, "a weight") for part in parts]
    found = [value for value in values if value is not None and value >= 0]
    if len(found) != len(learners):
        raise RequestError("A weight is below 0: numbers from 0 on are expected.")
    total = sum(found)
    if not (0 < total < math.inf):
        raise RequestError("The weights sum to 0, or to more than a number can hold. Give at least one above 0.")
    return tuple(value / total for value in found)


def correction(text: str) -> str:
    """The name of a bias correction that is a curve."""
    if text not in CURVES:
        raise RequestError(f"There is no correction {shown(text)}. There are: {', '.join(CURVES)}.")
    return text


def preset(text: str) -> str:
    """The name of a way to weight the members."""
    if text not in METHODS:
        raise RequestError(f"There is no preset {shown(text)}. There are: {', '.join(METHODS)}.")
    return text


def share(text: str, name: str) -> float:
    """A number from 0 to 1."""
    value = number(text, name)
    if value is None or not 0 <= value <= 1:
        raise RequestError(f"{name} is {shown(text)}: a number from 0 to 1 is expected.")
    return value


def shown(text: str) -> str:
    """What came, short enough for a message."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _whole(text: str, name: str) -> int:
    if len(text) > MAXIMUM_DIGITS or not WHOLE.fullmatch(text):
        raise RequestError(f"{name} is {shown(text)}: a whole number from 0 on is expected.")
    return int(text)
