"""Lint for inputs and metadata: every fault of a study, a table, a raster or a catalogue record, named at once."""

from __future__ import annotations

import json
from pathlib import Path

from alm_core.checking.report import Fault, Report
from alm_core.errors import MissingFileError

__all__ = ["Fault", "Report", "check"]

RASTER_SUFFIXES = (".tif", ".tiff")
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".xlsx", ".parquet", ".gpkg", ".geojson", ".shp")
KINDS = "study.toml or its folder, GeoTIFF (.tif), table (.csv, .tsv, .xlsx, .parquet, .gpkg, .geojson), record (.json, .txt)"


def check(path: str | Path) -> Report:
    """Find every fault of a file; what it is, is told by its name and its content.

    Parameters
    ----------
    path : path
        A study.toml or its folder, a GeoTIFF, a site table, or a catalogue record.

    Returns
    -------
    Report
        `Report.ok` is True where no fault is an error. A fault of the file is never raised.

    Raises
    ------
    MissingFileError
        There is nothing at the path.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"There is nothing at {path}. Expected: {KINDS}.")
    kind = kind_of(path)
    if kind == "study":
        from alm_core.checking.study import check_study

        faults = check_study(path)
    elif kind == "raster":
        from alm_core.checking.raster import check_raster

        faults = check_raster(path)
    elif kind == "table":
        from alm_core.checking.table import check_table

        faults = check_table(path)
    elif kind == "record":
        from alm_core.checking.record import check_record

        faults = check_record(path)
    else:
        faults = [Fault("kind_unknown", "file", f"{path.name} is of no kind that can be checked. Expected: {KINDS}.")]
    return Report(path, kind, tuple(faults))


def kind_of(path: Path) -> str:
    """What a path is: ``"study"``, ``"raster"``, ``"table"``, ``"record"`` or ``"unknown"``."""
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".toml":
        return "study"
    if suffix in RASTER_SUFFIXES:
        return "raster"
    if suffix in TABLE_SUFFIXES:
        return "table"
    if suffix == ".txt":
        return "table" if _looks_delimited(path) else "record"
    if suffix == ".json":
        return "table" if _is_feature_collection(path) else "record"
    return "unknown"


def _looks_delimited(path: Path) -> bool:
    """True for a text whose first lines all hold the same, non-zero number of tabs, semicolons or commas."""
    with path.open("rb") as file:
        head = file.read(4000).decode("utf-8", errors="replace").splitlines()[:5]
    lines = [line for line in head[:-1] or head if line.strip()]
    return len(lines) >= 2 and any(lines[0].count(mark) > 0 and len({line.count(mark) for line in lines}) == 1 for mark in "\t;,")


def _is_feature_collection(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        return False  # the check of records says what is wrong with it
    return isinstance(content, dict) and content.get("type") == "FeatureCollection"
