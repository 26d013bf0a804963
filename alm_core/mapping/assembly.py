"""The rasters of a map, put together from its finished blocks.

A raster appears under its name when it is whole. What a killed program had finished already is not made again, as long as
no block was made since: a small record beside the blocks says what each raster was made from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alm_core.errors import AlmError
from alm_core.mapping.cog import CogResult, write_cog
from alm_core.mapping.files import remove_leftovers
from alm_core.mapping.ledger import BlockLedger
from alm_core.mapping.products import ClassCodes, Product, product_blocks
from alm_core.workspace import hash_values, read_json, write_json

RECORD = "rasters.json"


def assemble(
    ledger: BlockLedger,
    products: Sequence[Product],
    folder: Path,
    *,
    tags: Mapping[str, Any],
    codes: ClassCodes | None = None,
    compression: str = "zstd",
    keep: bool = False,
) -> Iterator[tuple[str, Path]]:
    """Write the rasters of a map one after the other; gives the name and the path of each once it is whole.

    Parameters
    ----------
    ledger : BlockLedger
        All blocks are in it.
    products : sequence of Product
    folder : Path
    tags : mapping
        Written into every raster.
    codes : ClassCodes, optional
        Of a classification: their labels become a tag of the fused raster.
    compression : str
    keep : bool
        Keep rasters that were made from these very blocks; say so only where no block was made in between.

    Raises
    ------
    LedgerError
        A block is gone or damaged.
    WorkspaceError
        The disk is full or read-only; the old raster of that name stays.
    DomainError
        A value does not fit into the data type.
    """
    record = ledger.folder / RECORD
    known = _read(record) if keep else {}
    for product in products:
        path = folder / f"{product.name}.tif"
        tagged = dict(tags) | ({"classes": codes.to_dict()} if codes and product.name == "fused" else {})
        key = hash_values(ledger.fingerprint, ledger.grid.to_dict(), asdict(product), tagged, compression)
        if known.get(product.name) != [key, *_stamp(path)]:
            remove_leftovers(folder, product.name)
            write_product(ledger, product, folder, tags=tagged, compression=compression)
            known[product.name] = [key, *_stamp(path)]
            write_json(record, known)
        yield product.name, path


def write_product(
    ledger: BlockLedger, product: Product, folder: Path, *, tags: Mapping[str, Any], compression: str = "zstd"
) -> CogResult:
    """Assemble one raster of the map from its finished blocks."""
    return write_cog(
        Path(folder) / f"{product.name}.tif",
        product_blocks(ledger, product),
        ledger.grid,
        band_names=product.band_names,
        units=product.units,
        nodata=product.nodata,
        dtype=product.dtype,
        scale=product.scale,
        tags=tags,
        compression=compression,
        resampling=product.resampling,
    )


def _read(record: Path) -> dict[str, list[Any]]:
    """The record; an absent or damaged one only costs making the rasters again."""
    try:
        found = read_json(record)
    except AlmError:
        return {}
    return found if isinstance(found, dict) else {}


def _stamp(path: Path) -> list[int]:
    """Size and time of change of a file; empty where it is not there."""
    if not path.is_file():
        return []
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
