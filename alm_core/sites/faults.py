"""Faults of one file, collected so that one message names them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from alm_core.errors import AlmError

SHOWN = 10
"""How many rows or ids a message names before it only counts."""


@dataclass
class Faults:
    """A list that grows while a file is checked and is raised once, at the end.

    The class of the first fault is the class that is raised; the text holds all of them.
    """

    source: str
    found: list[tuple[type[AlmError], str]] = field(default_factory=list)

    def add(self, kind: type[AlmError], text: str) -> None:
        """Note one fault."""
        self.found.append((kind, text))

    def raise_any(self) -> None:
        """Raise everything that was found, or nothing.

        Raises
        ------
        AlmError
            Of the class of the first fault.
        """
        if not self.found:
            return
        texts = [text for _, text in self.found]
        if len(texts) == 1:
            raise self.found[0][0](f"{self.source}: {texts[0]}")
        raise self.found[0][0](f"{self.source} has {len(texts)} faults:\n  " + "\n  ".join(texts))


def name_some(items: Iterable[Any], *, shown: int = SHOWN) -> str:
    """List the first few items and count the rest.

    Examples
    --------
    >>> name_some(["a", "b", "c"], shown=2)
    'a, b and 1 more'
    """
    texts = [str(item) for item in items]
    rest = len(texts) - shown
    return ", ".join(texts[:shown]) + (f" and {rest} more" if rest > 0 else "")


def name_rows(rows: Sequence[int], values: Sequence[Any] | None = None) -> str:
    """List row numbers, with the value of each where given.

    Examples
    --------
    >>> name_rows([3, 9], ["<66", "--"])
    "row 3 '<66', row 9 '--'"
    """
    if values is None:
        return name_some(f"row {row}" for row in rows)
    return name_some(f"row {row} {value!r}" for row, value in zip(rows, values, strict=True))
