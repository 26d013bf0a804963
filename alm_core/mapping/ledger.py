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

from alm_core.errors import LedgerError
from alm_core.grid import Block, Grid
from alm_core.mapping.block_file import encode_block, read_facts, read_layers
from alm_core.mapping.files import remove_leftovers, whole_file

RECORD = "ledger.json"
LAYOUT = 2
SUFFIX = ".block"
BLOCK_FILES = "r?????c?????.*"
"""Of this layout and of earlier ones, which were GeoTIFFs."""


@dataclass(frozen=True)
class BlockLedger:
    """Finished blocks of one map.

    Attributes
    ----------
    folder : Path
        Holds ``ledger.json`` and one file per finished block (see `alm_core.mapping.block_file`).
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
        return self.folder / f"{block.name}{SUFFIX}"

    def blocks(self) -> list[Block]:
        """All blocks of the grid in the order in which they are assembled."""
        return list(self.grid.blocks(self.block_size))

    def write(self, block: Block, values: np.ndarray, counts: dict[str, int]) -> None:
        """Keep a finished block.

        Two workers may write the same block at once: each writes its own file, and the last one takes the name. The content
        is not forced to the disk, because a torn file is found by its checksums: after a power cut some blocks are made anew.

        Parameters
        ----------
        block : Block
        values : ndarray
            ``[layer, row, column]`` float32. A block without any value costs least as `alm_core.mapping.block_file.nothing`.
        counts : dict
            What was counted in it; comes back from `counts`.

        Raises
        ------
        WorkspaceError
            The disk is full or read-only.
        """
        facts = {"fingerprint": self.fingerprint, "layers": list(self.layers), "place": _place(block), "counts": counts}
        content = encode_block(values, facts)
        size = sum(len(part) for part in content)
        with (
            whole_file(self.path(block), bytes_needed=size, to_disk=False, companions=False) as temporary,
            temporary.open("wb") as stream,
        ):
            stream.writelines(content)

    def counts(self, block: Block) -> dict[str, int] | None:
        """What was counted in a finished block; None where it is not there, not whole or not of this map.

        Every byte is read and compared with its checksum; nothing is decoded.
        """
        try:
            facts = read_facts(self.path(block))
            own = facts["fingerprint"] == self.fingerprint and facts["layers"] == list(self.layers)
            if not own or facts["place"] != _place(block) or facts["shape"] != [len(self.layers), *block.shape]:
                return None
            return {key: int(value) for key, value in facts["counts"].items()}
        except (OSError, LedgerError, KeyError, ValueError, TypeError, AttributeError):
            return None  # missing or damaged: the caller makes the block again

    def read(self, block: Block, layers: Sequence[str]) -> np.ndarray:
        """Some layers of a finished block, ``[layer, row, column]`` float32; one without values can't be written to.

        Raises
        ------
        LedgerError
            The block is not there or damaged.
        """
        numbers = [self.layers.index(name) for name in layers]
        try:
            # A worker that outlived its own map may have written after `counts` was asked.
            if read_facts(self.path(block), whole=False)["fingerprint"] != self.fingerprint:
                raise LedgerError("it is of another map")
            return read_layers(self.path(block), numbers)
        except (OSError, LedgerError, KeyError, ValueError, TypeError) as fault:
            raise LedgerError(
                f"Block {self.path(block)} can't be read ({fault}). Run again: it will be made anew; finished blocks stay."
            ) from fault


def _place(block: Block) -> list[int]:
    return [block.row_start, block.column_start]


def clear_blocks(folder: Path) -> int:
    """Remove the record and all blocks of a folder, and nothing else; returns how many blocks there were."""
    folder = Path(folder)
    (folder / RECORD).unlink(missing_ok=True)
    blocks = sorted(folder.glob(BLOCK_FILES))
    for path in blocks:
        path.unlink()
    return len(blocks)


def _record(folder: Path, restart: bool) -> dict[str, Any] | None:
    """The record of a folder; None where nothing has begun."""
    path = folder / RECORD
    if not path.is_file():
        if any(folder.glob(BLOCK_FILES)) and not restart:
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
