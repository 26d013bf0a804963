"""Where the maps of the time slices of a run lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alm_core.errors import StudyError, WorkspaceError
from alm_core.workspace import read_json, write_json

RECORD = "slices.json"
FOLDER = "map/slices"
CHANGE = "change.tif"
CHANGE_FACTS = "change.json"


@dataclass(frozen=True)
class MapSlice:
    """One time slice of a map.

    Attributes
    ----------
    name : str
    first_year, last_year : int
        Both belong to it.
    folder : str
        Of its rasters, relative to the folder of the run.
    """

    name: str
    first_year: int
    last_year: int
    folder: str

    @property
    def middle(self) -> float:
        """Middle of the slice in years: 1980-1984 begins with 1980.0 and ends with 1985.0.

        Examples
        --------
        >>> MapSlice("1980-1984", 1980, 1984, "map/slices/1980-1984").middle
        1982.5
        """
        return (self.first_year + self.last_year + 1) / 2

    @property
    def time(self) -> str:
        """The years as ISO 8601 writes an interval."""
        return f"{self.first_year}/{self.last_year}"


@dataclass(frozen=True)
class SliceList:
    """The time slices of a run, in their order in time; empty for a study without slices.

    Attributes
    ----------
    run : Path
        Folder of the run.
    main : str
        The slice whose rasters are also those of ``map``; empty without slices.
    slices : tuple of MapSlice

    Examples
    --------
    ::

        found = read_slices(run.folder)
        for name in found.names:
            fused = found.folder(name) / "fused.tif"
        if found.change is not None:
            ...  # bands change, trend_per_decade, p_value, beyond_interval
    """

    run: Path
    main: str = ""
    slices: tuple[MapSlice, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.slices)

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the slices."""
        return tuple(one.name for one in self.slices)

    def slice(self, name: str = "") -> MapSlice:
        """A slice by its name; the main one without.

        Raises
        ------
        StudyError
            There is no such slice.
        """
        wanted = name or self.main
        for one in self.slices:
            if one.name == wanted:
                return one
        known = ", ".join(self.names) or "none: the study has no [[slices]]"
        raise StudyError(f"There is no slice {wanted!r} in this run. Its slices are {known}.")

    def folder(self, name: str = "") -> Path:
        """Folder of the rasters of a slice; ``map`` of the run without a name.

        Raises
        ------
        StudyError
            There is no such slice.
        """
        return self.run / self.slice(name).folder if name else self.run / "map"

    @property
    def change(self) -> Path | None:
        """The raster of change between the first and the last slice; None where there is none."""
        path = self.run / "map" / CHANGE
        return path if self.slices and path.is_file() else None

    @property
    def change_facts(self) -> dict[str, Any]:
        """What change.json says; empty where there is none."""
        path = self.run / "map" / CHANGE_FACTS
        return read_json(path) if self.slices and path.is_file() else {}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for slices.json."""
        return {"main": self.main, "slices": [asdict(one) for one in self.slices]}


def read_slices(run_folder: str | Path) -> SliceList:
    """The slices of a run whose map is finished or under way; an empty list for a study without slices.

    Raises
    ------
    WorkspaceError
        slices.json is damaged.
    """
    run_folder = Path(run_folder)
    path = run_folder / "map" / RECORD
    if not path.is_file():
        return SliceList(run_folder)
    values = read_json(path)
    try:
        return SliceList(run_folder, str(values["main"]), tuple(MapSlice(**one) for one in values["slices"]))
    except (KeyError, TypeError) as fault:
        raise WorkspaceError(f"{path} is damaged ({fault!r}). Run the study again: finished slices stay.") from fault


def make_slices(run_folder: str | Path, slices: Sequence[tuple[str, int, int]], main: str) -> SliceList:
    """The slices of a study as `(name, first year, last year)`, each in a folder of its own."""
    found = tuple(MapSlice(name, first, last, f"{FOLDER}/{name}") for name, first, last in slices)
    return SliceList(Path(run_folder), main if found else "", found)


def write_slices(found: SliceList) -> Path:
    """Write map/slices.json and return its path."""
    path = found.run / "map" / RECORD
    write_json(path, found.to_dict())
    return path
