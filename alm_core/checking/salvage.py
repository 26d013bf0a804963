"""Read as much of a faulty study.toml as can be read, so that its files are checked all the same."""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from alm_core.checking.report import Fault
from alm_core.errors import StudyError
from alm_core.options import StudyOptions
from alm_core.study import Study, parse_options

ROUNDS = 8
"""Faults can hide others; this many rounds of taking out what is wrong are tried."""
STAND_INS: dict[str, Any] = {
    "study": {"name": "study"},
    "grid": {"like": "grid.tif"},
    "sites": {"table": "sites.csv"},
    "covariates": [{"name": "covariate", "path": "covariate.tif"}],
    "days": {"first": "2000-01-01", "last": "2000-01-01", "labels": {"table": "states.csv"}},
}
"""What replaces a section that is missing or can't be mended; nothing inside it is checked then."""


@dataclass(frozen=True)
class SalvagedStudy:
    """A study as far as it could be read.

    Attributes
    ----------
    study : Study or None
        None where the file is no TOML.
    lost : frozenset of str
        Sections that were replaced by a stand-in.
    faults : tuple of Fault
        Everything that is wrong in the file itself.
    """

    study: Study | None
    lost: frozenset[str]
    faults: tuple[Fault, ...]


def salvage_study(path: Path) -> SalvagedStudy:
    """Read a study.toml; what is wrong becomes faults, what is right becomes a study."""
    if not path.is_file():
        text = f"No study at {path}: a study.toml is expected. `python -m alm_core new` writes one."
        return SalvagedStudy(None, frozenset(), (Fault("file_missing", "file", text),))
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        text = f"{path.name} is not valid TOML: {fault}. Strings need quotes, tables a [heading]."
        return SalvagedStudy(None, frozenset(), (Fault("toml", "file", text),))
    try:
        return SalvagedStudy(Study(parse_options(values, path), path.resolve().parent, path.resolve()), frozenset(), ())
    except StudyError as fault:
        faults = tuple(_fault_of(line) for line in str(fault).splitlines()[1:])
    options, lost = _mend(values)
    study = None if options is None else Study(options, path.resolve().parent, path.resolve())
    return SalvagedStudy(study, frozenset(lost), faults)


def _fault_of(line: str) -> Fault:
    where, _, message = line.strip().partition(": ")
    return Fault("study_option", where, f"{message[:1].upper()}{message[1:]}")


def _mend(values: dict[str, Any]) -> tuple[StudyOptions | None, set[str]]:
    values, lost = copy.deepcopy(values), set()
    for _ in range(ROUNDS):
        try:
            return StudyOptions.model_validate(values), lost
        except ValidationError as fault:
            for error in fault.errors():
                lost |= _take_out(values, error)
    return None, lost


def _take_out(values: dict[str, Any], error: dict[str, Any]) -> set[str]:
    """Delete what an error points at; a whole section is replaced by its stand-in."""
    location = error["loc"]
    if not location:
        return _without_doubles(values) or _without_slices(values)
    section = str(location[0])
    inner = location[1:]
    broken = error["type"] == "missing" and len(inner) <= 1
    if not inner or broken or not _delete(values, location, keep_parent=error["type"] == "missing"):
        if section in STAND_INS:
            values[section] = copy.deepcopy(STAND_INS[section])
            return {section}
        values.pop(section, None)
    return set()


def _without_doubles(values: dict[str, Any]) -> set[str]:
    """The rule that names differ: the first of each name is kept. Names the sections that it shortened; they are not lost."""
    shortened = set()
    for name in ("covariates", "derived", "learners"):
        items = values.get(name)
        if isinstance(items, list):
            kept = list({item.get("name"): item for item in reversed(items) if isinstance(item, dict)}.values())[::-1]
            shortened |= {f"doubled {name}"} if len(kept) < len(items) else set()
            values[name] = kept
    return shortened


def _without_slices(values: dict[str, Any]) -> set[str]:
    """The rules of time slices tie several sections together: all that depend on them are replaced."""
    values.pop("slices", None)
    replaced = ("covariates", "days" if "days" in values and "sites" not in values else "sites")
    for name in replaced:
        values[name] = copy.deepcopy(STAND_INS[name])
    if "sites" in replaced:
        values.pop("days", None)
    else:
        values["days"]["learner"] = next((one.get("name") for one in values.get("learners", []) if "name" in one), "extra_trees")
    values.pop("map", None)
    values["study"] = {key: value for key, value in values["study"].items() if key != "truth"}
    return set(replaced)


def _delete(values: Any, location: tuple[Any, ...], *, keep_parent: bool) -> bool:
    """Delete the item at a location; for a missing key, the list item that lacks it. False where there is nothing to delete."""
    path = list(location)
    if keep_parent:
        while path and not isinstance(path[-1], int):
            path.pop()
    for depth in range(len(path), 0, -1):
        parent = values
        for part in path[: depth - 1]:
            parent = _child(parent, part)
        if _child(parent, path[depth - 1]) is not None and depth > 1:
            del parent[path[depth - 1]]
            return True
    return False


def _child(parent: Any, part: Any) -> Any:
    if isinstance(parent, dict):
        return parent.get(part)
    if isinstance(parent, list) and isinstance(part, int) and part < len(parent):
        return parent[part]
    return None
