"""The maps of a run: one, or one for each time slice; and what is made of the slices together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alm_core.covariates.stack import Stack
from alm_core.errors import AlmError
from alm_core.mapping.change import write_change
from alm_core.mapping.estimate import MapEstimate
from alm_core.mapping.files import linked_copy
from alm_core.mapping.predict import MapResult
from alm_core.mapping.slices import CHANGE, CHANGE_FACTS, MapSlice, SliceList, make_slices, write_slices
from alm_core.stages.context import Context
from alm_core.workspace import files_match, hash_values, read_json, write_json

RECORD = "map.json"
FEWEST_FOR_CHANGE = 2


@dataclass(frozen=True)
class MapPart:
    """One map of a run: the only one, or that of a time slice.

    Attributes
    ----------
    folder : Path
        Of its rasters.
    stack : Stack
        The covariates of its time.
    fingerprint : str
        Hash of everything that its values depend on.
    slice : MapSlice or None
        None in a study without slices.
    """

    folder: Path
    stack: Stack
    fingerprint: str
    slice: MapSlice | None = None

    @property
    def tags(self) -> dict[str, str]:
        """What its rasters say of their time."""
        return {"slice": self.slice.name, "time": self.slice.time} if self.slice else {}

    @property
    def label(self) -> str:
        """What stands before its messages."""
        return f"{self.slice.name}: " if self.slice else ""

    @property
    def finished(self) -> bool:
        """True where an earlier call made all of it, of these very inputs. The stage itself answers for a map without slices."""
        if self.slice is None or not (self.folder / RECORD).is_file():
            return False
        try:
            record = read_json(self.folder / RECORD)
        except AlmError:
            return False  # damaged: the map is assembled again from its blocks
        return record.get("fingerprint") == self.fingerprint and files_match(self.folder, record.get("sizes", {}))


def run_slices(context: Context) -> SliceList:
    """The slices of the study; an empty list where it has none."""
    options = context.options
    slices = [(one.name, one.first_year, one.last_year) for one in options.slices]
    return make_slices(context.folder, slices, options.main_slice)


def map_parts(context: Context) -> list[MapPart]:
    """What there is to map, in the order of time."""
    key, stack = context.keys["map"], context.stack
    slices = run_slices(context).slices
    parts = [MapPart(context.folder / one.folder, stack.at(one.name), hash_values(key, one.name), one) for one in slices]
    return parts or [MapPart(context.folder / "map", stack, key)]


def write_part(context: Context, part: MapPart, result: MapResult) -> list[Path]:
    """Write what is known of a finished map beside its rasters, and return all its files.

    For a slice that is also the mark that it is finished, so it comes last.
    """
    facts = result.to_dict()
    facts["paths"] = {name: path.relative_to(context.folder).as_posix() for name, path in result.paths.items()}
    record = {name: facts[name] for name in ("paths", "counts", "classes", "oracle")}
    if part.slice is not None:
        sizes = {path.name: path.stat().st_size for path in result.paths.values()}
        record |= {"slice": part.slice.name, "fingerprint": part.fingerprint, "sizes": sizes}
    write_json(part.folder / RECORD, record)
    return [*result.paths.values(), part.folder / RECORD]


def part_files(context: Context, part: MapPart) -> list[Path]:
    """Files of a map that an earlier call finished."""
    record = read_json(part.folder / RECORD)
    return [*(context.folder / path for path in record["paths"].values()), part.folder / RECORD]


def of_all_parts(found: MapEstimate, parts: int, left: int) -> MapEstimate:
    """The estimate of all maps of a run, from that of the first unfinished one.

    Parameters
    ----------
    found : MapEstimate
        Of one map.
    parts, left : int
        Maps in all, and those that are not finished.

    Examples
    --------
    >>> one = MapEstimate(100, 50, 4, 2, 5.0, 1000, 10**9, 10**6, 2, 1)
    >>> both = of_all_parts(one, 2, 2)
    >>> both.cells, both.cells_left, both.blocks_left, both.seconds
    (200, 150, 6, 15.0)
    """
    if parts == 1:
        return found
    more = max(left - 1, 0)
    whole = found.cells / found.cells_left if found.cells_left else 1.0
    return replace(
        found,
        cells=found.cells * parts,
        cells_left=found.cells_left + found.cells * more,
        blocks=found.blocks * parts,
        blocks_left=found.blocks_left + found.blocks * more,
        seconds=found.seconds * (1 + whole * more),
        disk_bytes=int(found.disk_bytes * (1 + whole * more)),
    )


def part_progress(context: Context, part: MapPart, number: int, of: int) -> Callable[[int, int, str], None]:
    """Progress of one of several maps of the same grid."""
    return lambda done, total, message: context.report(number * total + done, of * total, part.label + message)


# ---- all slices together ------------------------------------------------------------------------------------------------


def join_slices(context: Context, tags: dict[str, Any]) -> list[Path]:
    """Make the map of the main slice that of the run, write the list of slices and the change map; nothing without slices."""
    found = run_slices(context)
    if not found:
        return []
    written = _main_map(context, found)
    if len(found) >= FEWEST_FOR_CHANGE and context.options.target.task == "regression":
        written += _change(context, found, tags)
    return [*written, write_slices(found)]


def _main_map(context: Context, found: SliceList) -> list[Path]:
    """The rasters of the main slice under the names that a map without slices has: no reader has to ask for one."""
    target = context.folder / "map"
    record = read_json(found.folder(found.main) / RECORD)
    paths = {}
    for name, path in record["paths"].items():
        source = context.folder / path
        paths[name] = linked_copy(source, target / source.name)
    kept = {name: path.relative_to(context.folder).as_posix() for name, path in paths.items()}
    write_json(target / RECORD, {name: record[name] for name in ("counts", "classes", "oracle", "slice")} | {"paths": kept})
    return [*paths.values(), target / RECORD]


def _change(context: Context, found: SliceList, tags: dict[str, Any]) -> list[Path]:
    path, facts = context.folder / "map" / CHANGE, context.folder / "map" / CHANGE_FACTS
    whole = f"{found.slices[0].first_year}/{found.slices[-1].last_year}"
    result = write_change(
        found.slices,
        context.folder,
        path,
        unit=context.options.target.unit,
        tags=tags | {"time": whole},
        compression=context.options.map.compression,
        progress=lambda done, total, message: context.report(done, total, f"{message}: block {done} of {total}"),
    )
    write_json(facts, result.to_dict())
    return [path, facts]
