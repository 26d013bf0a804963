"""Receive an area."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO

from alm_core.mapping.area import Area, read_area
from alm_core.uploads.faults import told_as
from alm_core.uploads.geopackage import SQLITE, check_geopackage
from alm_core.uploads.limits import AREA_BYTES, AREA_SUFFIXES
from alm_core.uploads.names import checked_suffix, shown_name
from alm_core.uploads.storing import stored


def receive_area(data: bytes | BinaryIO, name: str) -> Area:
    """Read an area from an uploaded GeoJSON or GeoPackage; nothing of it stays on disk.

    Parameters
    ----------
    data : bytes or binary file
    name : str
        What its owner calls it; only its suffix is looked at.

    Raises
    ------
    UploadError
        It is empty, too large, neither GeoJSON nor GeoPackage, or holds no polygon that can be used.

    Examples
    --------
    >>> ring = b'{"type": "Polygon", "coordinates": [[[90, 30], [91, 30], [91, 31], [90, 30]]]}'
    >>> receive_area(ring, "my area.geojson").bounds
    (90.0, 30.0, 91.0, 31.0)
    """
    shown, suffix = shown_name(name), checked_suffix(name, AREA_SUFFIXES)
    with tempfile.TemporaryDirectory(prefix="area-") as folder:
        target = Path(folder) / f"area{suffix}"
        with stored(data, target, maximum_bytes=AREA_BYTES, shown=shown) as path, told_as(path, shown):
            with path.open("rb") as stream:
                is_database = stream.read(len(SQLITE)) == SQLITE
            if is_database or suffix == ".gpkg":
                check_geopackage(path, shown)
            return read_area(path)
