"""Site tables as they lie in files: text, workbooks, Parquet, vector formats.

Nothing is interpreted here: cells come out as the file holds them, with the row that a person would look for.
Every format is opened by name and by its signature, so that a file of another kind in disguise reads nothing.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import MissingFileError, TableError
from alm_core.sites.faults import name_rows, name_some

DELIMITERS = ("\t", ";", ",")
LARGEST_WORKBOOK_BYTES = 2**30
"""A workbook is a zip archive: one that unpacks to more than this is refused before it is unpacked."""


@dataclass(frozen=True)
class RawTable:
    """Cells of a file, not interpreted.

    Attributes
    ----------
    frame : pandas.DataFrame
        Columns by the file's own names; cells as the file holds them (all text for text files).
    rows : numpy.ndarray
        Row of each record as a person counts it: line of a text file, row of a sheet, else 1, 2, 3 ...
    x, y : numpy.ndarray or None
        Coordinates of the point geometry, for formats that have one.
    crs : str or None
        CRS of the geometry, where the file declares it.
    notes : tuple of str
        What was found out while reading: encoding, delimiter, sheet.
    """

    frame: pd.DataFrame
    rows: np.ndarray
    x: np.ndarray | None = None
    y: np.ndarray | None = None
    crs: str | None = None
    notes: tuple[str, ...] = ()


def read_raw(path: str | Path, *, sheet: str | None = None, layer: str | None = None) -> RawTable:
    """Read the cells of a table by the kind of file its suffix says.

    Raises
    ------
    MissingFileError
        There is no such file.
    TableError
        The suffix is unknown, the content is of another kind, damaged, empty or ragged.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"No site table at {path}. Check the path; it starts at the folder of the study.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise TableError(f"{path}: the suffix {path.suffix!r} is not one of {', '.join(READERS)}. Export the table as CSV.")
    if path.stat().st_size == 0:
        raise TableError(f"{path} is empty (0 bytes). A table with a header row is expected.")
    table = reader(path, sheet, layer)
    if table.frame.empty:
        raise TableError(f"{path} has no rows below its header. At least one site is expected.")
    return table


# ---- text -------------------------------------------------------------------------------------------------------


def decode(data: bytes, path: Path) -> tuple[str, str]:
    """Turn the bytes of a text file into text and name the encoding.

    UTF-8 and UTF-16 are told by their marks, plain UTF-8 by being valid; what is left is read as GB18030, the
    encoding of Chinese office programs.

    Raises
    ------
    TableError
        The bytes are no text.
    """
    if data.startswith((b"PK\x03\x04", b"SQLite format 3\0", b"PAR1", b"II*\0", b"MM\0*")):
        raise TableError(
            f"{path} is no text file but a binary one under a wrong suffix. Give it its own suffix or export as CSV."
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in data[:4096]:
        # Text in UTF-16 without a mark has its zeros on one side only: the side tells the byte order.
        encodings = ["utf-16-le"] if data[1:4096:2].count(0) > data[0:4096:2].count(0) else ["utf-16-be"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, encoding
    raise TableError(f"{path} is not text in UTF-8, UTF-16 or GB18030. Save it as UTF-8 (in Excel: `CSV UTF-8`).")


def _read_text(path: Path, sheet: str | None, layer: str | None) -> RawTable:
    text, encoding = decode(path.read_bytes(), path)
    notes = [] if encoding == "utf-8-sig" else [f"encoding {encoding}"]
    skipped = 0
    if text.lstrip().startswith("/*") and "*/" in text:
        # PANGAEA tables start with a comment block that holds the citation.
        rest = text.split("*/", 1)[1].lstrip("\r\n")
        skipped = text[: len(text) - len(rest)].count("\n")
        text = rest
        notes.append(f"{skipped} lines of leading comment skipped")
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise TableError(f"{path} holds no text. A table with a header row is expected.")
    delimiter = _sniff(first, path)
    notes.append(f"delimiter {delimiter!r}")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        records = [(reader.line_num + skipped, [cell.strip() for cell in record]) for record in reader]
    except csv.Error as fault:
        raise TableError(f"{path} is not a valid delimited table: {fault}. Check the quotes, or save it again as CSV.") from fault
    return _from_records(records, path, notes)


def _sniff(header: str, path: Path) -> str:
    counts = {mark: _count_outside_quotes(header, mark) for mark in DELIMITERS}
    best = max(DELIMITERS, key=lambda mark: counts[mark])
    if counts[best] == 0:
        raise TableError(
            f"{path}: the header {header[:80]!r} holds no comma, semicolon or tab. "
            "A delimited table with at least two columns is expected."
        )
    return best


def _count_outside_quotes(line: str, mark: str) -> int:
    return sum(part.count(mark) for part in line.split('"')[::2])


def _from_records(records: Sequence[tuple[int, list[Any]]], path: Path, notes: list[str]) -> RawTable:
    """Make a table of numbered records, the first of which is the header."""
    filled = [(row, cells) for row, cells in records if any(cell not in ("", None) for cell in cells)]
    blank = len(records) - len(filled)
    if not filled:
        raise TableError(f"{path} has no filled row. A table with a header row is expected.")
    header = [("" if cell is None else str(cell)).strip() for cell in filled[0][1]]
    while header and not header[-1]:
        header.pop()
    if all(_is_number(name) for name in header):
        raise TableError(
            f"{path}: the first row holds numbers only ({name_some(header, shown=4)}). A header row with names is expected."
        )
    width = len(header)
    body = [(row, _trim(cells, width)) for row, cells in filled[1:]]
    ragged = [row for row, cells in body if len(cells) != width]
    if ragged:
        raise TableError(
            f"{path}: {len(ragged)} row(s) do not have the {width} cells of the header: {name_rows(ragged)}. "
            "A delimiter may stand inside a text without quotes, or cells are missing."
        )
    if blank:
        notes.append(f"{blank} blank rows skipped")
    names = [name or f"column {number}" for number, name in enumerate(header, start=1)]
    frame = pd.DataFrame([cells for _, cells in body], columns=pd.Index(names, dtype=object), dtype=object)
    return RawTable(frame, np.array([row for row, _ in body], np.int64), notes=tuple(notes))


def _trim(cells: list[Any], width: int) -> list[Any]:
    """Drop empty cells beyond the header, which spreadsheets like to leave behind."""
    while len(cells) > width and cells[-1] in ("", None):
        cells = cells[:-1]
    return cells


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


# ---- workbooks and Parquet --------------------------------------------------------------------------------------


def _read_workbook(path: Path, sheet: str | None, layer: str | None) -> RawTable:
    import openpyxl

    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
        if unpacked > LARGEST_WORKBOOK_BYTES:
            raise TableError(f"{path} unpacks to {unpacked / 2**30:.1f} GiB. At most 1 GiB is read: export the sheet as CSV.")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, OSError, ValueError) as fault:
        raise TableError(f"{path} is not a readable .xlsx workbook ({fault}). Save it again as .xlsx or CSV.") from fault
    try:
        names = book.sheetnames
        if sheet is not None and sheet not in names:
            raise TableError(f"{path} has no sheet {sheet!r}. Its sheets: {name_some(names, shown=30)}.")
        page = book[sheet or names[0]]
        # Some writers state a wrong size; counting the rows anew reads all of them.
        page.reset_dimensions()
        records = [(row, [_clean(cell) for cell in cells]) for row, cells in enumerate(page.iter_rows(values_only=True), start=1)]
    finally:
        book.close()
    notes = [f"sheet {names[0]!r} taken, the first of {len(names)}"] if sheet is None and len(names) > 1 else []
    width = max((len(cells) for _, cells in records), default=0)
    return _from_records([(row, cells + [None] * (width - len(cells))) for row, cells in records], path, notes)


def _clean(cell: Any) -> Any:
    return cell.strip() if isinstance(cell, str) else cell


def _read_parquet(path: Path, sheet: str | None, layer: str | None) -> RawTable:
    import pyarrow
    import pyarrow.parquet

    try:
        metadata = pyarrow.parquet.read_schema(path).metadata or {}
        frame = pd.read_parquet(path)
    except (pyarrow.ArrowException, OSError, ValueError) as fault:
        raise TableError(f"{path} is not a readable Parquet file ({str(fault)[:120]}). Write it again.") from fault
    if b"geo" in metadata:
        import geopandas

        return _from_geodataframe(geopandas.read_parquet(path), path, [])
    frame.columns = pd.Index([str(name) for name in frame.columns], dtype=object)
    return RawTable(frame.reset_index(drop=True), np.arange(1, len(frame) + 1))


# ---- vector formats ---------------------------------------------------------------------------------------------


def _read_vector(path: Path, sheet: str | None, layer: str | None) -> RawTable:
    import pyogrio

    signature = {".gpkg": b"SQLite format 3\0", ".shp": b"\x00\x00\x27\x0a"}[path.suffix.lower()]
    with path.open("rb") as stream:
        if not stream.read(16).startswith(signature):
            raise TableError(f"{path} does not start like a {path.suffix} file. Export it again.")
    try:
        layers = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
        if layer is not None and layer not in layers:
            raise TableError(f"{path} has no layer {layer!r}. Its layers: {name_some(layers, shown=30)}.")
        frame = pyogrio.read_dataframe(path, layer=layer or layers[0])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, IndexError) as fault:
        raise TableError(f"{path} can't be read ({str(fault)[:160]}). Export it again.") from fault
    notes = [f"layer {layers[0]!r} taken, the first of {len(layers)}"] if layer is None and len(layers) > 1 else []
    return _from_geodataframe(frame, path, notes)


def _from_geodataframe(frame: pd.DataFrame, path: Path, notes: list[str]) -> RawTable:
    geometry = getattr(frame, "_geometry_column_name", None)
    rows = np.arange(1, len(frame) + 1)
    plain = pd.DataFrame(frame.drop(columns=[geometry] if geometry in frame else [])).reset_index(drop=True)
    if geometry not in frame:
        return RawTable(plain, rows, notes=tuple(notes))
    x, y = _points(frame[geometry].to_numpy(), path)
    return RawTable(plain, rows, x, y, frame.crs.to_wkt() if frame.crs else None, tuple(notes))


def _read_geojson(path: Path, sheet: str | None, layer: str | None) -> RawTable:
    import shapely.geometry

    text, _ = decode(path.read_bytes(), path)
    try:
        # json.loads and not GDAL: GDAL would follow a virtual file in disguise to other files.
        content = json.loads(text)
        if content["type"] != "FeatureCollection":
            raise TableError(f"{path} holds a {content['type']!r}. A FeatureCollection of points is expected.")
        features = content["features"]
        records = [dict(feature.get("properties") or {}) for feature in features]
        geometries = [shapely.geometry.shape(feature["geometry"]) if feature.get("geometry") else None for feature in features]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise TableError(f"{path} is not GeoJSON ({str(fault)[:120]}). A FeatureCollection of points is expected.") from fault
    x, y = _points(geometries, path)
    names = list(dict.fromkeys(str(name) for record in records for name in record))
    frame = pd.DataFrame(
        [[record.get(name) for name in names] for record in records], columns=pd.Index(names, dtype=object), dtype=object
    )
    declared = content.get("crs") or {}
    crs = (declared.get("properties") or {}).get("name") if isinstance(declared, dict) else None
    return RawTable(frame, np.arange(1, len(records) + 1), x, y, crs or "EPSG:4326")


def _points(geometries: Iterable[Any], path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of points; a multipoint of one point counts as a point, nothing as missing."""
    x, y, other = [], [], []
    for row, geometry in enumerate(geometries, start=1):
        if geometry is not None and geometry.geom_type == "MultiPoint" and len(geometry.geoms) == 1:
            geometry = geometry.geoms[0]
        if geometry is None or geometry.is_empty:
            x.append(np.nan)
            y.append(np.nan)
        elif geometry.geom_type == "Point":
            x.append(geometry.x)
            y.append(geometry.y)
        else:
            other.append((row, geometry.geom_type))
    if other:
        rows, kinds = zip(*other, strict=True)
        raise TableError(f"{path}: sites must be points, but {name_rows(rows, kinds)}. Turn areas into points first.")
    return np.array(x, float), np.array(y, float)


READERS = {
    ".csv": _read_text,
    ".txt": _read_text,
    ".tsv": _read_text,
    ".tab": _read_text,
    ".xlsx": _read_workbook,
    ".parquet": _read_parquet,
    ".gpkg": _read_vector,
    ".shp": _read_vector,
    ".geojson": _read_geojson,
    ".json": _read_geojson,
}
