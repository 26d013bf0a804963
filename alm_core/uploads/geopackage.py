"""Is an SQLite file a GeoPackage of plain tables, and nothing that computes when it is read."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from alm_core.uploads.faults import UploadError
from alm_core.uploads.limits import TABLE_CELLS, TABLE_COLUMNS

SQLITE = b"SQLite format 3\x00"
APPLICATION_IDS = (b"GPKG", b"GP10", b"GP11")
COMPUTED = (2, 3)
"""How SQLite marks generated columns."""


def check_geopackage(path: Path, shown: str) -> None:
    """Refuse what is no GeoPackage, and one whose layers are views, virtual tables or generated columns.

    A view can give rows without end, a virtual table can read other files, a generated column can be of any size.

    Raises
    ------
    UploadError
    """
    with path.open("rb") as stream:
        head = stream.read(72)
    if head[:16] != SQLITE:
        raise UploadError(f"{shown} is not a GeoPackage: it does not start like one. Export it as GeoPackage or GeoJSON.")
    if head[68:72] not in APPLICATION_IDS:
        raise UploadError(f"{shown} is an SQLite file but no GeoPackage. Export the layer as GeoPackage or GeoJSON.")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            database.execute("pragma trusted_schema = off")
            _check_layers(database, shown)
    except sqlite3.Error as fault:
        raise UploadError(f"{shown} is a damaged GeoPackage ({fault}). Export it again.") from fault


def _check_layers(database: sqlite3.Connection, shown: str) -> None:
    kinds = {
        name.casefold(): (kind, sql or "") for name, kind, sql in database.execute("select name, type, sql from sqlite_master")
    }
    layers = [name for (name,) in database.execute("select table_name from gpkg_contents where data_type = 'features'")]
    if not layers:
        raise UploadError(f"{shown} has no layer of features. Export the layer again.")
    for name in layers:
        kind, sql = kinds.get(str(name).casefold(), ("", ""))
        if kind != "table" or sql.upper().split()[1:2] == ["VIRTUAL"]:
            raise UploadError(f"{shown} has a layer that is no plain table but a {kind or 'name'}. Export it as a table.")
        columns = database.execute("select hidden from pragma_table_xinfo(?)", (name,)).fetchall()
        if any(hidden in COMPUTED for (hidden,) in columns):
            raise UploadError(f"{shown} has a layer with generated columns. Export it with plain columns.")
        quoted = str(name).replace('"', '""')
        (rows,) = database.execute(f'select count(*) from "{quoted}"').fetchone()
        if len(columns) > TABLE_COLUMNS or rows * len(columns) > TABLE_CELLS:
            raise UploadError(
                f"{shown} has a layer of {rows} rows and {len(columns)} columns; at most {TABLE_COLUMNS} columns and "
                f"{TABLE_CELLS} cells are read. Keep the rows and columns that matter."
            )
