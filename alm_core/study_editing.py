"""Change a few values of a study.toml and leave everything else as its author wrote it: comments, order, spacing.

A change is checked twice before the file is replaced: the new text must be a valid study, and all that was not to change must
read the same as before. The old file stays as it was until the new one is wholly on disk.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Array, Comment, Table, Whitespace

from alm_core.errors import MissingFileError, StudyError, WorkspaceError
from alm_core.options import ScreeningOptions
from alm_core.study import parse_options
from alm_core.workspace import Run, atomic_path

SECTION = "screening"
OFF = "off"
"""How study.toml writes a rule that is switched off: TOML has no null."""
BY_HAND = ("keep", "exclude")
LONGEST_REASON = 200
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class StudyEdit:
    """What was changed.

    Attributes
    ----------
    path : Path
        The study.toml.
    changes : dict
        Name of the option to its value before and after, as plain values; empty where nothing had to change.
    """

    path: Path
    changes: dict[str, tuple[Any, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"path": self.path.as_posix(), "changes": {name: list(pair) for name, pair in self.changes.items()}}


def study_file(run: Run) -> Path:
    """The study.toml that a run was started from.

    Raises
    ------
    MissingFileError
        The run was started without a file, or the file has been moved or deleted since.
    """
    recorded = run.record.get("study_file")
    if not recorded:
        raise MissingFileError("This run was started without a study file, so there is none to change. Write one and run it.")
    path = Path(recorded)
    if not path.is_file():
        raise MissingFileError(
            f"The study of this run was at {path} and is not there any more. Put it back, or run the study from its new place."
        )
    return path


def read_screening(path: Path) -> ScreeningOptions:
    """The screening options as the study file has them now; they may differ from those of an older run.

    Raises
    ------
    MissingFileError, StudyError
    """
    return parse_options(_read(Path(path)).unwrap(), path).screening


def change_screening(path: Path, values: Mapping[str, Any]) -> StudyEdit:
    """Store thresholds in the ``[screening]`` section of a study.

    Parameters
    ----------
    path : Path
        The study.toml.
    values : mapping
        Option of `alm_core.options.ScreeningOptions` to its value; None switches a rule off. `keep` and `exclude` have functions
        of their own.

    Returns
    -------
    StudyEdit
        Only what differs from the file is written, so an unchanged line keeps its very text.

    Raises
    ------
    StudyError
        An unknown option or a value outside its range (the file is untouched), or a file that can't be written.
    MissingFileError
        No such file.
    """
    ours = sorted(set(values) & set(BY_HAND))
    if ours:
        raise StudyError(f"{', '.join(ours)} came among the thresholds: sites are kept and excluded by hand one by one.")

    def write(document: tomlkit.TOMLDocument, now: ScreeningOptions) -> None:
        for name, value in values.items():
            if _plain(getattr(now, name, None)) != _plain(value) or name not in ScreeningOptions.model_fields:
                _put(_section(document), name, value)

    return _edit(Path(path), write)


def exclude_site(path: Path, site_id: str, reason: str) -> StudyEdit:
    """Take a site out by hand; it leaves `keep` where it stood there.

    Raises
    ------
    StudyError
        No reason: somebody will ask for it later. Or the file can't be written.
    """
    reason = _one_line(reason)
    if not reason:
        raise StudyError(f"Site {site_id} has no reason to go: write one, because the next reader of the study will ask for it.")

    def write(document: tomlkit.TOMLDocument, now: ScreeningOptions) -> None:
        section = _section(document)
        _forget(section, site_id, now)
        if "exclude" not in section:
            _append(section, "exclude", tomlkit.table())
        _append(section["exclude"], site_id, reason)

    return _edit(Path(path), write)


def keep_site(path: Path, site_id: str, reason: str = "") -> StudyEdit:
    """Keep a site whatever the rules say; it leaves `exclude` where it stood there. The reason becomes a comment beside it."""
    reason = _one_line(reason)

    def write(document: tomlkit.TOMLDocument, now: ScreeningOptions) -> None:
        section = _section(document)
        _forget(section, site_id, now)
        if "keep" not in section:
            _append(section, "keep", tomlkit.array())
        kept: Array = section["keep"]
        kept.add_line(site_id, comment=reason or None, indent="    ")
        # The closing bracket gets a line of its own, or the comment would swallow it.
        kept.add_line(indent="")
        section["keep"] = _without_empty_lines(kept)

    return _edit(Path(path), write)


def release_site(path: Path, site_id: str) -> StudyEdit:
    """Leave a site to the rules again: neither kept nor excluded by hand."""
    return _edit(Path(path), lambda document, now: _forget(_section(document), site_id, now))


# ---- one change, from reading to writing ------------------------------------------------------------------------------------


def _edit(path: Path, write: Callable[[tomlkit.TOMLDocument, ScreeningOptions], None]) -> StudyEdit:
    """Read, change, check, replace; one at a time, so that two pages never undo each other's change."""
    with _ONE_AT_A_TIME:
        document = _read(path)
        before = document.unwrap()
        now = parse_options(before, path).screening
        write(document, now)
        text = tomlkit.dumps(document)
        if b"\r\n" in path.read_bytes():
            text = re.sub(r"(?<!\r)\n", "\r\n", text)
        after = _checked(text, before, path)
        changes = _differences(now, after)
        if changes:
            _replace(path, text)
    return StudyEdit(path, changes)


def _read(path: Path) -> tomlkit.TOMLDocument:
    if not path.is_file():
        raise MissingFileError(f"No study at {path}: it has been moved or deleted. Put it back, or run it from its new place.")
    try:
        return tomlkit.parse(path.read_bytes().decode("utf-8"))
    except (tomlkit.exceptions.TOMLKitError, UnicodeDecodeError) as fault:
        raise StudyError(f"{path} is not valid TOML: {fault}. Mend it in an editor first.") from fault


def _checked(text: str, before: Mapping[str, Any], path: Path) -> ScreeningOptions:
    """Read the new text as the pipeline will, and make sure that only the screening section has changed."""
    try:
        after = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise StudyError(f"{path} can't be changed safely from here ({fault}). Change [{SECTION}] in an editor.") from fault
    options = parse_options(after, path)
    names = (set(before) | set(after)) - {SECTION}
    moved = sorted(name for name in names if before.get(name) != after.get(name))
    if moved:
        raise StudyError(
            f"{path} can't be changed safely from here: {', '.join(moved)} would change too. Change [{SECTION}] in an editor."
        )
    return options.screening


def _differences(before: ScreeningOptions, after: ScreeningOptions) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (_plain(getattr(before, name)), _plain(getattr(after, name))) for name in ScreeningOptions.model_fields}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _replace(path: Path, text: str) -> None:
    """Put the new text in place of the old, with the permissions of the old."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(path, os.W_OK):
        raise StudyError(f"{path} is read-only, so nothing was stored. Make it writable, or change [{SECTION}] in an editor.")
    with _write_faults(path), atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))
        temporary.chmod(mode)


@contextlib.contextmanager
def _write_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except WorkspaceError as fault:
        raise StudyError(f"{path} could not be written, and stays as it was: {fault.__cause__ or fault}.") from fault


# ---- the section --------------------------------------------------------------------------------------------------------------


def _section(document: tomlkit.TOMLDocument) -> Any:
    if SECTION not in document:
        document.append(SECTION, tomlkit.table())
    return document[SECTION]


def _put(section: Any, name: str, value: Any) -> None:
    """Set one option; a rule that was never named and is off by default stays unnamed."""
    if value is None:
        field = ScreeningOptions.model_fields.get(name)
        if name not in section and field is not None and field.default is None:
            return
        value = OFF
    value = list(value) if isinstance(value, tuple | set | frozenset) else value
    if name in section:
        section[name] = value
    else:
        _append(section, name, value)


def _append(table: Any, name: str, value: Any) -> None:
    """Add a key behind the last one of a table, before the comments that lead over to what follows it."""
    tail: list[Any] = []
    if isinstance(table, Table):
        body = table.value.body
        start = len(body)
        while start and body[start - 1][0] is None and isinstance(body[start - 1][1], Comment | Whitespace):
            start -= 1
        # Comments that follow the last key without an empty line still belong to this table.
        while start < len(body) and not isinstance(body[start][1], Whitespace):
            start += 1
        tail = body[start:]
        del body[start:]
    table[name] = value
    if tail:
        table.value.body.extend(tail)


def _forget(section: Any, site_id: str, now: ScreeningOptions) -> None:
    """Take a site out of both lists."""
    if site_id in now.keep:
        kept: Array = section["keep"]
        for place in reversed([place for place, name in enumerate(kept) if str(name).strip() == site_id]):
            del kept[place]
    if site_id in now.exclude:
        for name in [name for name in section["exclude"] if str(name).strip() == site_id]:
            del section["exclude"][name]


def _without_empty_lines(array: Array) -> Array:
    """Every line that is added to an array brings its own line break; those already there become empty lines."""
    text = re.sub(r"\n(?:[ \t]*\r?\n)+", "\n", array.as_string())
    return tomlkit.parse(f"array = {text}")["array"]


def _one_line(text: str) -> str:
    """Text on one line, without control characters, of bounded length."""
    cleaned = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(cleaned.split())[:LONGEST_REASON]


def _plain(value: Any) -> Any:
    """Values that compare as people mean them: lists and tuples alike."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple | list | set | frozenset) else value
