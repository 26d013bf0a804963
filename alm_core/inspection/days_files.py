"""Files of a run of days that somebody may take home."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alm_core.inspection.days import DAYS
from alm_core.workspace import Run

NETCDF = re.compile(r"[A-Za-z_]+_(\d{4})\.nc")


@dataclass(frozen=True)
class YearFile:
    """A NetCDF file of one calendar year.

    Attributes
    ----------
    year : int
    path : Path
    size : int
        Bytes.
    """

    year: int
    path: Path
    size: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the file by its name."""
        return {"year": self.year, "file": self.path.name, "size": self.size}


def year_files(run: Run) -> tuple[YearFile, ...]:
    """The yearly NetCDF files, in the order of time."""
    found = []
    for path in (run.folder / DAYS).glob("*.nc"):
        match = NETCDF.fullmatch(path.name)
        if match:
            found.append(YearFile(int(match.group(1)), path, path.stat().st_size))
    return tuple(sorted(found, key=lambda one: (one.year, one.path.name)))
