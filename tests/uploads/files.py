"""Uploads for tests, good and hostile, as bytes."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import rasterio
from rasterio.io import MemoryFile

from alm_core.grid import Grid

GRID = Grid.from_bounds((90.0, 30.0, 94.0, 33.0), 0.1, crs="EPSG:4326")
VRT = b"""<VRTDataset rasterXSize="20" rasterYSize="20"><VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">
<SourceFilename relativetoVRT="0">/etc/hostname</SourceFilename></VRTRasterBand></VRTDataset>"""
OGR_VRT = b"""<OGRVRTDataSource><OGRVRTLayer name="passwd">
<SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"""
BOMB_XML = b"""<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">
<!ENTITY g "&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;"><!ENTITY h "&g;&g;&g;&g;&g;&g;&g;&g;&g;&g;">]><w>&h;&h;&h;&h;&h;&h;&h;&h;&h;&h;</w>"""


def geotiff(values: np.ndarray | None = None, **profile: object) -> bytes:
    """A GeoTIFF of smooth values on the grid."""
    if values is None:
        x, y = np.meshgrid(GRID.x, GRID.y)
        values = (4000 + 300 * np.sin(3 * x) * np.cos(2 * y)).astype(np.float32)
    values = values if values.ndim == 3 else values[None]
    options = {
        "driver": "GTiff",
        "crs": "EPSG:4326",
        "transform": rasterio.Affine(*GRID.transform),
        "width": values.shape[2],
        "height": values.shape[1],
        "count": values.shape[0],
        "dtype": values.dtype,
        **profile,
    }
    with MemoryFile() as memory:
        with memory.open(**options) as file:
            file.write(values)
        return memory.read()


def sparse_geotiff(side: int, **profile: object) -> bytes:
    """A few kilobytes that decode to side x side cells of nothing."""
    with MemoryFile() as memory:
        options = {"SPARSE_OK": True, "tiled": True, "blockxsize": 4096, "blockysize": 4096, "dtype": "float64", **profile}
        with memory.open(driver="GTiff", crs="EPSG:4326", transform=rasterio.Affine(1e-4, 0, 90, 0, -1e-4, 33), width=side,
                         height=side, count=1, BIGTIFF="YES", compress="deflate", **options):  # fmt: skip
            pass
        return memory.read()


def csv_table(rows: int = 60) -> bytes:
    """A table of sites on the grid."""
    rng = np.random.default_rng(5)
    west, south, east, north = GRID.bounds
    x, y = rng.uniform(west, east, rows), rng.uniform(south, north, rows)
    lines = ["id,lon,lat,vwc,note_depth"]
    lines += [f"p{i},{x[i]:.4f},{y[i]:.4f},{0.2 + 0.1 * np.sin(x[i]):.3f},{i / 100}" for i in range(rows)]
    return "\n".join(lines).encode()


def archive(parts: dict[str, bytes]) -> bytes:
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return stream.getvalue()


def workbook(rows: list[list[object]], **cells: object) -> bytes:
    """A workbook of one sheet; keywords put a value into a cell by its address."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for address, value in cells.items():
        book.active[address] = value
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def database(path: Path, *statements: str, application_id: int = 0x47504B47) -> bytes:
    """An SQLite file; by its application id a GeoPackage."""
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute(f"pragma application_id = {application_id}")
        connection.execute("create table t (a)")
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path.read_bytes()


CONTENTS = (
    "create table gpkg_contents (table_name text, data_type text)",
    "insert into gpkg_contents values ('sites', 'features')",
)
