"""Whether a STAC item would be taken by a catalogue: what is there, what is missing, what a publisher still adds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

REQUIRED = ("type", "stac_version", "id", "geometry", "properties", "links", "assets")
SPDX = re.compile(r"[A-Za-z0-9][\w\-.+]*")
Level = Literal["good", "hint", "fault"]


@dataclass(frozen=True)
class Hint:
    """One thing about an item.

    Attributes
    ----------
    code : str
        ``members``, ``time``, ``place``, ``files``, ``licence``, ``links``, ``simulated``.
    level : str
        ``good``, ``hint`` (worth adding) or ``fault`` (a catalogue refuses it).
    detail : str
        The value that it is about: names, numbers.
    """

    code: str
    level: Level
    detail: str = ""

    def to_dict(self) -> dict[str, str]:
        """Plain values."""
        return asdict(self)


def stac_hints(item: Mapping[str, Any], root: Path) -> tuple[Hint, ...]:
    """Look an item over. Not a validation against the JSON schemas, which needs the internet.

    Parameters
    ----------
    item : mapping
    root : Path
        Folder that its hrefs start from.
    """
    properties = item.get("properties", {})
    return (
        _members(item),
        _time(properties),
        _place(item),
        _files(item.get("assets", {}), root),
        _licence(properties),
        Hint("links", "good" if item.get("links") else "hint", str(len(item.get("links", ())))),
        *([Hint("simulated", "hint")] if properties.get("alm:simulated") else []),
    )


def _members(item: Mapping[str, Any]) -> Hint:
    missing = [name for name in REQUIRED if name not in item]
    if missing or item.get("type") != "Feature":
        return Hint("members", "fault", ", ".join(missing) or f"type {item.get('type')}")
    return Hint("members", "good", f"STAC {item['stac_version']}")


def _time(properties: Mapping[str, Any]) -> Hint:
    start, end, moment = (properties.get(name) for name in ("start_datetime", "end_datetime", "datetime"))
    if start and end:
        return Hint("time", "good", f"{start[:10]} – {end[:10]}")
    return Hint("time", "good", moment[:10]) if moment else Hint("time", "fault")


def _place(item: Mapping[str, Any]) -> Hint:
    box = item.get("bbox")
    if item.get("geometry") is None or not box:
        return Hint("place", "hint")
    return Hint("place", "good", ", ".join(f"{value:g}" for value in box))


def _files(assets: Mapping[str, Any], root: Path) -> Hint:
    """Every asset must be there with the size that the item tells; hrefs that lead out of the folder are not followed."""
    wrong = []
    for name, asset in assets.items():
        path = (root / asset["href"]).resolve()
        inside = path.is_relative_to(Path(root).resolve())
        if not inside or not path.is_file() or path.stat().st_size != asset.get("file:size", path.stat().st_size):
            wrong.append(name)
    return Hint("files", "fault", ", ".join(wrong)) if wrong else Hint("files", "good", str(len(assets)))


def _licence(properties: Mapping[str, Any]) -> Hint:
    licence = properties.get("license") or ""
    if licence in ("", "other", "proprietary", "various"):
        return Hint("licence", "hint", licence)
    return Hint("licence", "good" if SPDX.fullmatch(licence) else "hint", licence)
