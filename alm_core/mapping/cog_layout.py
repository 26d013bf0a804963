"""How a cloud-optimised GeoTIFF lies on disk: header, directories, then tiles, the coarsest overview first.

GDAL's own driver can only copy a finished raster: every tile is written, read, decoded, encoded and written again. Here the
tiles come encoded. What the directories say of place, bands and tags is GDAL's: it writes a raster of one tile in memory,
whose fields are taken over. The layout is that of GDAL's driver (https://gdal.org/drivers/raster/cog.html, "low level"): its
readers recognise it and fetch a tile by its leader.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.io import MemoryFile

from alm_core.grid import Grid
from alm_core.mapping.tile_codec import TIFF_COMPRESSION, TILE, TileCodec
from alm_core.mapping.tile_store import TileStore

SUBFILE_TYPE, WIDTH, HEIGHT, COMPRESSION, PREDICTOR, TILE_OFFSETS, TILE_SIZES = 254, 256, 257, 259, 317, 324, 325
OVERVIEW_FIELDS = (256, 257, 258, 259, 262, 277, 284, 317, 322, 323, 324, 325, 338, 339, 42113)
"""What a directory of an overview says; place and tags stand in the first one only."""
SHORT, LONG, LONG8 = 3, 4, 16
FIELD_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8, 18: 8}
CLASSIC_LIMIT = 2**31
"""Size from which offsets of 8 bytes are used; old readers take those of 4 bytes for signed numbers."""
STRUCTURE = (
    b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\nBLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"
    b"KNOWN_INCOMPATIBLE_EDITION=NO\n "
)
LEADER_BYTES = TRAILER_BYTES = 4
"""Around each tile: its size before it, its last four bytes once more after it."""


@dataclass(frozen=True)
class Field:
    """A field of a TIFF directory: its tag, its type, how many numbers, and their bytes."""

    tag: int
    kind: int
    count: int
    content: bytes


def describing_fields(grid: Grid, codec: TileCodec, *, nodata: float, describe: Callable[[Any], None]) -> list[Field]:
    """What GDAL writes into the directory of such a raster.

    Parameters
    ----------
    grid : Grid
    codec : TileCodec
    nodata : float
    describe : callable
        Given the open dataset, sets descriptions, units, scales and tags.
    """
    profile = {
        "driver": "GTiff",
        "height": TILE,
        "width": TILE,
        "count": codec.bands,
        "dtype": codec.dtype,
        "nodata": nodata,
        "crs": grid.crs,
        "transform": grid.affine,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "interleave": "pixel",
        "photometric": "minisblack",
        "compress": codec.compression,
        "predictor": codec.predictor,
        "sparse_ok": True,
        "bigtiff": "no",
        "endianness": "little",
    }
    with MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            describe(dataset)
        fields = read_fields(bytes(memory.getbuffer()))
    stated = {field.tag: field for field in fields}
    for tag, expected in ((COMPRESSION, TIFF_COMPRESSION[codec.compression]), (PREDICTOR, codec.predictor)):
        if struct.unpack("<H", stated[tag].content)[0] != expected:
            raise rasterio.errors.RasterioIOError(f"GDAL wrote {stated[tag]} where {expected} was expected")
    return fields


def read_fields(content: bytes) -> list[Field]:
    """The fields of the first directory of a small-endian classic TIFF."""
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    fields = []
    for number in range(count):
        at = start + 2 + 12 * number
        tag, kind, length = struct.unpack_from("<HHI", content, at)
        size = FIELD_BYTES[kind] * length
        place = at + 8 if size <= 4 else struct.unpack_from("<I", content, at + 8)[0]
        fields.append(Field(tag, kind, length, content[place : place + size]))
    return fields


def write_layout(path: Path, fields: Sequence[Field], store: TileStore) -> int:
    """Write the whole file; returns its size.

    A tile that holds nothing but nodata is absent (its offset is 0, "sparse" in GDAL's words): readers fill it with nodata
    without reading or decoding anything.

    Parameters
    ----------
    path : Path
    fields : sequence of Field
        See `describing_fields`.
    store : TileStore
        Every level complete.
    """
    sizes = [_sizes(store, level) for level in range(len(store.shapes))]
    layout = _Layout(fields, tuple(store.shapes), sizes, big=False)
    if layout.end >= CLASSIC_LIMIT:
        layout = _Layout(fields, tuple(store.shapes), sizes, big=True)
    with path.open("wb") as stream:
        stream.write(layout.head())
        for level in reversed(range(len(store.shapes))):
            for place in _places(store, level):
                tile = store.read(level, place)
                if tile is None:
                    continue
                stream.write(struct.pack("<I", len(tile)))
                stream.write(tile)
                stream.write(tile[-4:])
    return layout.end


def _places(store: TileStore, level: int) -> Iterator[tuple[int, int]]:
    rows, columns = store.tiles(level)
    return ((row, column) for row in range(rows) for column in range(columns))


def _sizes(store: TileStore, level: int) -> np.ndarray:
    """Bytes of each tile of a level, 0 for absent ones."""
    return np.array([store.size(level, place) or 0 for place in _places(store, level)], np.int64)


class _Layout:
    """Where everything lies: header, directories with their values, tables of tiles, tiles.

    Attributes
    ----------
    end : int
        Size of the whole file.
    """

    def __init__(
        self, fields: Sequence[Field], shapes: Sequence[tuple[int, int]], sizes: Sequence[np.ndarray], *, big: bool
    ) -> None:
        self.big = big
        self.structure = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n" % len(STRUCTURE) + STRUCTURE
        self.sizes = sizes
        self.levels = [self._of_level(fields, level, shape) for level, shape in enumerate(shapes)]
        position = self._header_bytes + len(self.structure)
        self.first = position = position + position % 2
        self.directory_at: list[int] = []
        self.value_at: dict[tuple[int, int], int] = {}
        for level, directory in enumerate(self.levels):
            self.directory_at.append(position)
            position += 16 + 20 * len(directory) if big else 6 + 12 * len(directory)
            position = self._place_values(level, position, tables=False)
        for level in range(len(self.levels)):
            position = self._place_values(level, position, tables=True)
        self.tiles_at = position
        self.offsets = [np.empty(0, np.int64)] * len(sizes)
        for level in reversed(range(len(sizes))):
            there = sizes[level] > 0
            ends = position + np.cumsum(np.where(there, sizes[level] + LEADER_BYTES + TRAILER_BYTES, 0))
            self.offsets[level] = np.where(there, ends - TRAILER_BYTES - sizes[level], 0)
            position = int(ends[-1])
        self.end = position

    def head(self) -> bytes:
        """Everything before the first tile."""
        content = bytearray(self.tiles_at)

        def put(position: int, part: bytes) -> None:
            content[position : position + len(part)] = part

        header = ("<2sHHHQ", b"II", 43, 8, 0, self.first) if self.big else ("<2sHI", b"II", 42, self.first)
        put(0, struct.pack(*header) + self.structure)
        for level, directory in enumerate(self.levels):
            entries = []
            for field in directory:
                value = self._table(level, field) or field.content
                if (level, field.tag) in self.value_at:
                    place = self.value_at[level, field.tag]
                    put(place, value)
                    value = struct.pack("<Q" if self.big else "<I", place)
                entry = struct.pack("<HHQ" if self.big else "<HHI", field.tag, field.kind, field.count)
                entries.append(entry + value.ljust(self._inline_bytes, b"\0"))
            following = self.directory_at[level + 1] if level + 1 < len(self.levels) else 0
            count = struct.pack("<Q" if self.big else "<H", len(directory))
            put(self.directory_at[level], count + b"".join(entries) + struct.pack("<Q" if self.big else "<I", following))
        return bytes(content)

    def _of_level(self, fields: Sequence[Field], level: int, shape: tuple[int, int]) -> list[Field]:
        """The fields of one level, those of its tiles without their content."""
        count, kind = len(self.sizes[level]), LONG8 if self.big else LONG
        changed = {
            WIDTH: Field(WIDTH, LONG, 1, struct.pack("<I", shape[1])),
            HEIGHT: Field(HEIGHT, LONG, 1, struct.pack("<I", shape[0])),
            TILE_OFFSETS: Field(TILE_OFFSETS, kind, count, b""),
            TILE_SIZES: Field(TILE_SIZES, LONG, count, b""),
        }
        found = [changed.get(field.tag, field) for field in fields if level == 0 or field.tag in OVERVIEW_FIELDS]
        return found if level == 0 else [Field(SUBFILE_TYPE, LONG, 1, struct.pack("<I", 1)), *found]

    def _place_values(self, level: int, position: int, *, tables: bool) -> int:
        """Give the values of a directory that don't fit into their fields a place each; the first free place after them."""
        for field in self.levels[level]:
            size = FIELD_BYTES[field.kind] * field.count
            if size > self._inline_bytes and (field.tag in (TILE_OFFSETS, TILE_SIZES)) == tables:
                self.value_at[level, field.tag] = position
                position += size + size % 2
        return position

    def _table(self, level: int, field: Field) -> bytes:
        if field.tag == TILE_OFFSETS:
            return self.offsets[level].astype("<u8" if self.big else "<u4").tobytes()
        return self.sizes[level].astype("<u4").tobytes() if field.tag == TILE_SIZES else b""

    @property
    def _header_bytes(self) -> int:
        return 16 if self.big else 8

    @property
    def _inline_bytes(self) -> int:
        """Bytes of a value that fit into its field."""
        return 8 if self.big else 4
