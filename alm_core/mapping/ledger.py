"""The ledger of a map under way: one small file per finished block.

A block is either there, whole, or not there at all, so that killing the program loses only the blocks in flight. The ledger
knows which inputs its blocks were made from and refuses to mix them with others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from alm_core.errors import LedgerError
from alm_core.grid import Block, Grid
from alm_core.mapping.files import remove_leftovers, whole_file

RECORD = "ledger.json"
LAYOUT = 1
COUNTS_TAG, FINGERPRINT_TAG = "counts", "fingerprint"


@dataclass(frozen=True)
class BlockLedger:
    """Finished blocks of one map.

    Attributes
    ----------
    folder : Path
        Holds ``ledger.json`` and one GeoTIFF per finished block.
    grid : Grid
    layers : tuple of str
        Bands of every block, float32, NaN where nothing was predicted.
    block_size : int
        Size with which the blocks were begun.
    fingerprint : str
        Hash of everything that the values depend on.
    """

    folder: Path
    grid: Grid
    layers: tuple[str, ...]
    block_size: int
    fingerprint: str

    @classmethod
    def open(
        cls,
        folder: str | Path,
        grid: Grid,
        *,
        layers: Sequence[str],
        block_size: int,
        fingerprint: str,
        restart: bool = False,
    ) -> BlockLedger:
        """Go on with the blocks of a folder, or begin them.

        The block size of an interrupted map is kept, whatever is asked for now: values do not depend on it.

        Parameters
        ----------
        folder : path
        grid : Grid
        layers : sequence of str
        block_size : int
            Used where nothing has begun.
        fingerprint : str
        restart : bool
            Remove blocks that were made from other inputs, instead of refusing; blocks of the same inputs stay.

        Raises
        ------
        LedgerError
            The blocks in the folder were made from other inputs, or their record is damaged or missing.
        """
        folder = Path(folder)
        remove_leftovers(folder)
        wanted = {"layout": LAYOUT, "fingerprint": fingerprint, "layers": list(layers), "grid": grid.to_dict()}
        # Through JSON, so that tuples and lists compare as equal.
        wanted = json.loads(json.dumps(wanted))
        found = _record(folder, restart)
        if found is not None:
            differing = sorted(key for key in wanted if found.get(key) != wanted[key])
            if not differing:
                return cls(folder, grid, tuple(layers), int(found["block_size"]), fingerprint)
            if not restart:
                raise LedgerError(
                    f"The finished blocks in {folder} were made from other inputs (different: {', '.join(differing)}). "
                    "Pass restart=True to map again from the start, or choose another folder."
                )
        clear_blocks(folder)
        with whole_file(folder / RECORD) as temporary:
            temporary.write_text(json.dumps({**wanted, "block_size": block_size}, indent=1) + "\n", encoding="utf-8")
        return cls(folder, grid, tuple(layers), block_size, fingerprint)

    def path(self, block: Block) -> Path:
        """File of a block."""
        return self.folder / f"{block.name}.tif"

    def blocks(self) -> list[Block]:
        """All blocks of the grid in the order in which they are assembled."""
        return list(self.grid.blocks(self.block_size))

    def write(self, block: Block, values: np.ndarray, counts: dict[str, int]) -> None:
        """Keep a finished block.

        Parameters
        ----------
        block : Block
        values : ndarray
            ``[layer, row, column]`` float32.
        counts : dict
            What was counted in it; comes back from `counts`.
        """
        place = self.grid.window(block)
        profile = {
            "driver": "GTiff",
            "height": block.shape[0],
            "width": block.shape[1],
            "count": len(self.layers),
            "dtype": "float32",
            "nodata": float("nan"),
            "crs": place.crs,
            "transform": place.affine,
            "interleave": "band",
            "compress": "zstd",
            "zstd_level": 1,
            "predictor": 3,
            "sparse_ok": True,
        }
        with (
            whole_file(self.path(block), bytes_needed=values.nbytes) as temporary,
            rasterio.open(temporary, "w", **profile) as target,
        ):
            target.descriptions = self.layers
            target.update_tags(**{FINGERPRINT_TAG: self.fingerprint, COUNTS_TAG: json.dumps(counts, sort_keys=True)})
            # A block without a single value stays a sparse file of a few hundred bytes.
            if not np.isnan(values).all():
                target.write(values)

    def counts(self, block: Block) -> dict[str, int] | None:
        """What was counted in a finished block; None where it is not there, not whole or not of this map."""
        if not self.path(block).is_file():
            return None
        try:
            with rasterio.open(self.path(block), driver="GTiff") as source:
                tags = source.tags()
                if tags.get(FINGERPRINT_TAG) != self.fingerprint or source.descriptions != self.layers:
                    return None
                if source.shape != block.shape:
                    return None
                source.read()  # every tile: a file that lost its end opens well
                return {key: int(value) for key, value in json.loads(tags[COUNTS_TAG]).items()}
        except (RasterioError, KeyError, ValueError):
            return None  # damaged: the caller makes the block again

    def read(self, block: Block, layers: Sequence[str]) -> np.ndarray:
        """Some layers of a finished block, ``[layer, row, column]`` float32.

        Raises
        ------
        LedgerError
            The block is not there or damaged.
        """
        numbers = [self.layers.index(name) + 1 for name in layers]
        try:
            with rasterio.open(self.path(block), driver="GTiff") as source:
                return source.read(numbers)
        except RasterioError as fault:
            raise LedgerError(
                f"Block {self.path(block)} can't be read ({fault}). Run again: it will be made anew; finished blocks stay."
            ) from fault


def clear_blocks(folder: Path) -> int:
    """Remove the record and all blocks of a folder, and nothing else; returns how many blocks there were."""
    folder = Path(folder)
    (folder / RECORD).unlink(missing_ok=True)
    blocks = sorted(folder.glob("r?????c?????.tif"))
    for path in blocks:
        path.unlink()
    return len(blocks)


def _record(folder: Path, restart: bool) -> dict[str, Any] | None:
    """The record of a folder; None where nothing has begun."""
    path = folder / RECORD
    if not path.is_file():
        if any(folder.glob("r?????c?????.tif")) and not restart:
            raise LedgerError(
                f"{folder} holds blocks but no {RECORD}, so what they were made from is not known. "
                "Pass restart=True to map again from the start, or choose another folder."
            )
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("an object was expected")
        int(found["block_size"])
    except (ValueError, KeyError, TypeError) as fault:
        if restart:
            return {}
        raise LedgerError(
            f"{path} is damaged ({fault}). Pass restart=True to map again from the start, or choose another folder."
        ) from fault
    return found
