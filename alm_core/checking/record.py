"""Catalogue records: what a data centre publishes about a data set, as JSON or as plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alm_core.checking.phrases import FLAGS, is_chinese, mentions, plain_text
from alm_core.checking.report import Fault
from alm_core.errors import RecordError

MAXIMUM_BYTES = 20_000_000
LANGUAGES = ("zh", "en")
WIDEST_CROSSING_DEGREES = 180.0
"""A box with west > east may cross the antimeridian; one that would then be wider than this has its edges swapped."""

LICENCE = re.compile(r"\bCC[ -]?(?:BY|0)[\w .-]*|creativecommons\.org\S*|licen[cs]ed? \w+|许可协议[：:]?\s*\S+", FLAGS)

SECTION_FIELDS = {
    "title": ("title", "name"),
    "abstract": ("ds_abstract", "abstract", "description"),
    "source": ("ds_source", "source"),
    "process": ("ds_process_way", "process", "method", "methods"),
    "quality": ("ds_quality", "quality"),
    "place": ("ds_acq_place", "place", "region"),
}
VALUE_FIELDS = {
    "west": ("ds_acq_lon_west", "west", "lon_min", "min_lon", "westBoundLongitude"),
    "south": ("ds_acq_lat_south", "south", "lat_min", "min_lat", "southBoundLatitude"),
    "east": ("ds_acq_lon_east", "east", "lon_max", "max_lon", "eastBoundLongitude"),
    "north": ("ds_acq_lat_north", "north", "lat_max", "max_lat", "northBoundLatitude"),
    "start": ("ds_acq_start_time", "start", "start_date", "time_start"),
    "end": ("ds_acq_end_time", "end", "end_date", "time_end"),
    "created": ("created", "publish_time", "last_updated"),
    "time_resolution": ("ds_time_res", "time_resolution"),
    "resolution": ("ds_space_res", "spatial_resolution", "resolution"),
    "coordinate": ("ds_coordinate", "coordinate", "datum", "crs"),
    "projection": ("ds_projection", "projection"),
    "files": ("ds_files_count", "files_count", "files"),
    "licence": ("license_type", "license", "licence"),
    "doi": ("doi_value", "doi"),
    "identifier": ("cstr", "identifier", "handle"),
    "citation": ("ds_ref_way", "paper_ref_way", "ds_ref_instruction", "citation"),
    "time_tags": ("ds_time_tags", "time_tags"),
}


@dataclass(frozen=True)
class Record:
    """A catalogue record, whatever form it came in.

    Attributes
    ----------
    path : Path
    texts : dict
        Language (``"zh"``, ``"en"``) to section (title, abstract, source, process, quality, place) to plain text.
    values : dict
        Single values by our name (west, south, east, north, start, end, resolution, licence, ...); absent means not given.
    names : dict
        Our name to the name of the field in the file, for messages.
    free_text : bool
        True where the file has no fields, only running text.
    """

    path: Path
    texts: dict[str, dict[str, str]]
    values: dict[str, Any]
    names: dict[str, str] = field(default_factory=dict)
    free_text: bool = False

    def text(self, language: str | None = None, *, sections: tuple[str, ...] | None = None) -> str:
        """The sections of one language or of all, one after the other."""
        languages = (language,) if language else LANGUAGES
        found = [
            text
            for name in languages
            for section, text in self.texts.get(name, {}).items()
            if text and (sections is None or section in sections)
        ]
        return "\n".join(found)

    def parts(self) -> list[tuple[str, str, str]]:
        """Language, section and text of every section that has text."""
        return [
            (language, section, text) for language in LANGUAGES for section, text in self.texts.get(language, {}).items() if text
        ]

    def sections_with(self, pattern: str) -> list[str]:
        """The sections in which a pattern occurs, as messages name them."""
        return [f"{section} ({language})" for language, section, text in self.parts() if mentions(pattern, text)]

    def where(self, name: str) -> str:
        """The name of a field in the file."""
        return self.names.get(name, VALUE_FIELDS[name][0] if name in VALUE_FIELDS else name)

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north as given; None unless all four are numbers."""
        edges = [self.values.get(name) for name in ("west", "south", "east", "north")]
        if not all(isinstance(edge, int | float) and not isinstance(edge, bool) for edge in edges):
            return None
        return tuple(float(edge) for edge in edges)

    @property
    def ordered_box(self) -> tuple[float, float, float, float] | None:
        """The box with swapped edges put right, so that other rules can still use it."""
        if self.box is None:
            return None
        west, south, east, north = self.box
        west, east = (west, east + 360) if self.crosses_antimeridian else (min(west, east), max(west, east))
        return west, min(south, north), east, max(south, north)

    @property
    def crosses_antimeridian(self) -> bool:
        """True where west > east makes a sensible box across 180 E; a wider one has its edges swapped."""
        if self.box is None:
            return False
        west, _, east, _ = self.box
        return west > east and 360 + east - west <= WIDEST_CROSSING_DEGREES


def read_record(path: str | Path) -> Record:
    """Read a record from a JSON or plain text file.

    Raises
    ------
    RecordError
        Not UTF-8, not valid JSON, not an object, empty, or larger than any record can be.
    """
    path = Path(path)
    if path.stat().st_size > MAXIMUM_BYTES:
        raise RecordError(f"{path} has {path.stat().st_size:,} bytes: a catalogue record has a few thousand. Check the path.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        raise RecordError(f"{path} is not UTF-8 text (byte {fault.start}). Save the record as UTF-8.") from fault
    if not text.strip():
        raise RecordError(f"{path} is empty: a catalogue record is expected.")
    if path.suffix.lower() != ".json":
        return _from_text(path, text)
    try:
        values = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as fault:
        raise RecordError(f"{path} is not valid JSON: {fault}. Download the record again.") from fault
    while isinstance(values, dict) and len(values) == 1 and isinstance(next(iter(values.values())), dict):
        values = next(iter(values.values()))
    if not isinstance(values, dict):
        raise RecordError(f"{path} holds a {type(values).__name__}: an object with the fields of one record is expected.")
    return _from_fields(path, values)


def _first(values: dict[str, Any], names: tuple[str, ...]) -> tuple[str | None, Any]:
    present = [name for name in names if name in values]
    filled = [name for name in present if values[name] not in (None, "", [])]
    chosen = (filled or present or [None])[0]
    return chosen, values.get(chosen)


def _from_fields(path: Path, values: dict[str, Any]) -> Record:
    main = "en" if str(values.get("lang", "zh")).lower().startswith("en") else "zh"
    texts: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    translated = values.get("i18n") if isinstance(values.get("i18n"), dict) else {}
    for language in LANGUAGES:
        held = values if language == main else translated.get(language)
        for section, names in SECTION_FIELDS.items():
            _, text = _first(held if isinstance(held, dict) else {}, names)
            texts[language][section] = plain_text(text) if isinstance(text, str) else ""
    for language, name in (("zh", "title_cn"), ("en", "title_en")):
        if isinstance(values.get(name), str) and values[name]:
            texts[language]["title"] = plain_text(values[name])
    found, names = {}, {}
    for name, candidates in VALUE_FIELDS.items():
        field_name, value = _first(values, candidates)
        if field_name is not None:
            names[name] = field_name
        if value not in (None, "", []):
            found[name] = value
    box = values.get("bbox")
    if isinstance(box, list) and len(box) == 4:
        for name, edge in zip(("west", "south", "east", "north"), box, strict=True):
            found.setdefault(name, edge)
            names.setdefault(name, "bbox")
    return Record(path, texts, found, names)


def _from_text(path: Path, text: str) -> Record:
    lines = [line.strip() for line in plain_text(text).splitlines() if line.strip()]
    titled = [line for line in lines if len(line) < 200 and mentions(r"数据集|data ?set|\bdata\b|产品", line)]
    title = (titled or lines)[0]
    texts: dict[str, dict[str, str]] = {language: {"title": "", "abstract": ""} for language in LANGUAGES}
    texts["zh" if is_chinese(title) else "en"]["title"] = title
    for line in lines:
        if line != title:
            language = "zh" if is_chinese(line) else "en"
            texts[language]["abstract"] = f"{texts[language]['abstract']}\n{line}".strip()
    values: dict[str, Any] = {}
    doi = re.search(r"\b10\.\d{4,9}/[^\s，。；]+", text, re.ASCII)
    licence = LICENCE.search(text)
    if doi:
        values["doi"] = doi[0]
    if licence:
        values["licence"] = licence[0]
    return Record(path, texts, values, free_text=True)


def check_record(path: str | Path) -> list[Fault]:
    """Apply every rule to a record; they stand in `record_space`, `record_time`, `record_method` and `record_completeness`."""
    from alm_core.checking import record_completeness, record_method, record_space, record_time

    try:
        record = read_record(path)
    except RecordError as fault:
        return [Fault("record_unreadable", "file", str(fault))]
    rules: tuple[Callable[[Record], list[Fault]], ...] = (
        *record_space.RULES,
        *record_time.RULES,
        *record_method.RULES,
        *record_completeness.RULES,
    )
    return [fault for rule in rules for fault in rule(record)]
