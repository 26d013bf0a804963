"""How the extent of a run agrees with published maps, as the run wrote it down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alm_core.workspace import Run, read_json

REFERENCE_MAPS_FILE = "reference_maps.json"
EXTENT_FILE = "extent.json"


@dataclass(frozen=True)
class PublishedMap:
    """A published map and how far ours agrees with it.

    Attributes
    ----------
    name : str
    kappa, quantity, allocation, accuracy : float or None
        Cohen's kappa; quantity and allocation disagreement and accuracy as parts of one (Pontius and Millones 2011).
    cells : int
        Cells that both maps have.
    difference : Path or None
        Raster of our map less the published one.
    values : dict
        Everything that was written of it.
    """

    name: str
    kappa: float | None
    quantity: float | None
    allocation: float | None
    accuracy: float | None
    cells: int
    difference: Path | None
    values: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the raster by its name."""
        return {**vars(self), "difference": None if self.difference is None else self.difference.name}


@dataclass(frozen=True)
class SliceExtent:
    """Area on one side of a threshold in one slice, or of the whole map where there are no slices.

    Attributes
    ----------
    slice : str
    area_km2 : float
    lower_km2, upper_km2 : float or None
        None where the map has no intervals.
    level : float or None
        Of the interval.
    method : str
        How area and interval were found, in words.
    """

    slice: str
    area_km2: float
    lower_km2: float | None
    upper_km2: float | None
    level: float | None
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class MapExtent:
    """The extent that a study asks for, such as that of permafrost, in every slice.

    Attributes
    ----------
    name : str
        What lies on the side of the threshold that is measured; may be empty.
    threshold : float or None
        In the unit of the target.
    side : str
        ``below`` or ``above``; the threshold belongs to it.
    slices : tuple of SliceExtent
    """

    name: str
    threshold: float | None
    side: str
    slices: tuple[SliceExtent, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "slices": [one.to_dict() for one in self.slices]}


def published_maps(run: Run) -> tuple[PublishedMap, ...]:
    """The published maps that a run was compared with; none where it was compared with none."""
    path = run.folder / REFERENCE_MAPS_FILE
    if not path.is_file():
        return ()
    found = []
    for entry in _entries(read_json(path), "maps"):
        scores = {name: _number(entry.get(name)) for name in ("kappa", "quantity", "allocation", "accuracy")}
        raster = entry.get("difference")
        difference = None if not raster else run.folder / str(raster)
        found.append(PublishedMap(str(entry["name"]), **scores, cells=int(entry["cells"]), difference=difference, values=entry))
    return tuple(found)


def map_extent(run: Run) -> MapExtent | None:
    """The extent of every slice in the order of the run; None where the study asks for none."""
    path = run.folder / EXTENT_FILE
    if not path.is_file():
        return None
    content = read_json(path)
    entries = _entries(content, "slices")
    if not entries:
        return None
    slices = tuple(
        SliceExtent(
            str(entry.get("slice") or ""),
            float(entry["area_km2"]),
            *(_number(entry.get(name)) for name in ("lower_km2", "upper_km2", "level")),
            method=str(entry.get("method", "")),
        )
        for entry in entries
    )
    head = content if isinstance(content, dict) else {}
    threshold, side = _number(entries[0].get("threshold")), str(entries[0].get("side", "below"))
    return MapExtent(str(head.get("name", "")), threshold, side, slices)


def _entries(content: Any, name: str) -> list[dict[str, Any]]:
    """The list of entries: the file itself, or a part of it by its name."""
    return content if isinstance(content, list) else list(content.get(name, ()))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
