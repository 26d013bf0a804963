"""What a check found: faults, and the report that holds them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
TEXT_WIDTH = 130
NARROWEST = 40


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, doubtful or worth knowing.

    Attributes
    ----------
    code : str
        Short name of the rule, the same for every file.
    where : str
        The key, column, row, band or sentence that it is about.
    message : str
        What came, what was expected, what to do.
    severity : str
        ``"error"``: contradicts itself or can't be used; ``"warning"``: most likely wrong or missing; ``"note"``: worth knowing.
    """

    code: str
    where: str
    message: str
    severity: Severity = "error"

    def to_dict(self) -> dict[str, str]:
        """The fault as plain values, for JSON."""
        return {"code": self.code, "where": self.where, "message": self.message, "severity": self.severity}


@dataclass(frozen=True)
class Report:
    """All faults of one file.

    Examples
    --------
    >>> report = Report(Path("a.tif"), "raster", (Fault("no_crs", "file", "No CRS is declared."),))
    >>> report.ok, report.count("error")
    (False, 1)
    """

    path: Path
    kind: str
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """True where no fault is an error."""
        return not any(fault.severity == "error" for fault in self.faults)

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all faults."""
        return frozenset(fault.code for fault in self.faults)

    def count(self, severity: Severity) -> int:
        """Number of faults of one severity."""
        return sum(fault.severity == severity for fault in self.faults)

    def ordered(self) -> list[Fault]:
        """Errors first, then warnings, then notes; in the order found inside each."""
        return sorted(self.faults, key=lambda fault: SEVERITIES.index(fault.severity))

    def text(self, *, width: int = TEXT_WIDTH) -> str:
        """The report as aligned plain text: a head line, then two lines or more for each fault, wrapped at `width` letters."""
        counts = ", ".join(f"{self.count(name)} {name}{'' if self.count(name) == 1 else 's'}" for name in SEVERITIES)
        lines = [f"{self.path} ({self.kind}): {counts}"]
        column = max((len(fault.code) for fault in self.faults), default=0)
        for fault in self.ordered():
            lines.append(f"  {fault.severity:<7}  {fault.code:<{column}}  {fault.where}")
            lines += textwrap.wrap(fault.message, max(width, NARROWEST), initial_indent=" " * 11, subsequent_indent=" " * 11)
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        faults = [fault.to_dict() for fault in self.ordered()]
        return {"path": str(self.path), "kind": self.kind, "ok": self.ok, "faults": faults}


def some(items: list[Any], limit: int = 6) -> str:
    """Join the first items for a message and say how many more there are.

    Examples
    --------
    >>> some([1, 2, 3], limit=2)
    '1, 2 and 1 more'
    """
    shown = ", ".join(str(item) for item in items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"
