"""The ledger: blocks that are whole or absent, and never of another map."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from alm_core.errors import LedgerError, WorkspaceError
from alm_core.grid import Grid
from alm_core.mapping.ledger import BlockLedger, clear_blocks

GRID = Grid.from_bounds((0, 0, 100, 60), 1, crs="EPSG:32645")


def open_ledger(folder, **options):
    """A ledger with some defaults."""
    settings = {"layers": ("a", "b"), "block_size": 32, "fingerprint": "x"}
    return BlockLedger.open(folder, GRID, **(settings | options))


def test_blocks_come_back_bit_for_bit(tmp_path):
    """Values, NaN, infinities and counts survive; layers are read by name in any order."""
    ledger = open_ledger(tmp_path)
    block = ledger.blocks()[1]
    values = np.random.default_rng(0).normal(size=(2, *block.shape)).astype(np.float32)
    values[0, 3, 3], values[1, 2, 2] = np.nan, np.inf
    ledger.write(block, values, {"cells": 7})
    np.testing.assert_array_equal(ledger.read(block, ["b", "a"]), values[::-1])
    assert ledger.counts(block) == {"cells": 7}
    assert ledger.counts(ledger.blocks()[0]) is None


def test_empty_blocks_cost_nothing(tmp_path):
    """A block without values is a file of less than 2 kB."""
    ledger = open_ledger(tmp_path, block_size=60)
    block = ledger.blocks()[0]
    ledger.write(block, np.full((2, *block.shape), np.nan, np.float32), {"cells": 1})
    assert ledger.path(block).stat().st_size < 2000
    assert np.isnan(ledger.read(block, ["a"])).all()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "longer", "folder"])
def test_damaged_blocks_are_made_again(tmp_path, damage):
    """A torn, damaged or absurd file counts as missing; reading it says which block and what to do."""
    ledger = open_ledger(tmp_path)
    block = ledger.blocks()[2]
    values = np.random.default_rng(0).normal(size=(2, *block.shape)).astype(np.float32)
    ledger.write(block, values, {"cells": 7})
    path, content = ledger.path(block), ledger.path(block).read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 4
    changed = {"cut": content[:-1], "flipped": bytes(flipped), "empty": b"", "longer": content + b"\0"}
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(changed[damage])
    assert ledger.counts(block) is None
    if damage != "longer":
        with pytest.raises(LedgerError, match=r"r00000c00002.*made anew"):
            ledger.read(block, ["a", "b"])
    if damage != "folder":
        ledger.write(block, values, {"cells": 7})
        assert (ledger.counts(block), path.read_bytes()) == ({"cells": 7}, content)


def test_blocks_of_others_are_not_taken(tmp_path):
    """A whole file of another run, of other layers, or of another place of this map counts as missing."""
    ours, other_run = open_ledger(tmp_path / "ours"), open_ledger(tmp_path / "run", fingerprint="y")
    other_layers = open_ledger(tmp_path / "layers", layers=("a", "c"))
    block, neighbour = ours.blocks()[0], ours.blocks()[1]
    values = np.ones((2, *block.shape), np.float32)
    for ledger, where in ((other_run, block), (other_layers, block), (ours, neighbour)):
        ledger.write(where, values, {"cells": 1})
        assert ledger.counts(where) == {"cells": 1}
        ours.path(block).write_bytes(ledger.path(where).read_bytes())
        assert ours.counts(block) is None


def test_two_workers_write_one_block(tmp_path):
    """Both succeed, at once and again and again; the file is whole at every moment."""
    ledger = open_ledger(tmp_path, block_size=60)
    block = ledger.blocks()[0]
    values = np.random.default_rng(0).normal(size=(2, *block.shape)).astype(np.float32)
    ledger.write(block, values, {"cells": 1})
    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(ledger.write, block, values, {"cells": 1}) for _ in range(60)]
        seen = [ledger.counts(block) for _ in range(60)]
        for future in written:
            future.result()
    assert seen == [{"cells": 1}] * 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.json", "r00000c00000.block"]


def test_full_disk_is_said_and_leaves_the_block(tmp_path, monkeypatch):
    """The message names the file, what it needs and what is free; the block of before stays."""
    ledger = open_ledger(tmp_path)
    block = ledger.blocks()[0]
    values = np.random.default_rng(0).normal(size=(2, *block.shape)).astype(np.float32)
    ledger.write(block, values, {"cells": 1})

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WorkspaceError, match=r"r00000c00000.*No space left.*are free.*finished blocks stay"):
        ledger.write(block, values + 1, {"cells": 2})
    assert ledger.counts(block) == {"cells": 1}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("change", [{"fingerprint": "y"}, {"layers": ("a",)}])
def test_other_maps_are_refused(tmp_path, change):
    """Other inputs or layers raise, and the blocks stay until restart is asked for."""
    ledger = open_ledger(tmp_path)
    block = ledger.blocks()[0]
    ledger.write(block, np.zeros((2, *block.shape), np.float32), {})
    with pytest.raises(LedgerError, match="restart=True"):
        open_ledger(tmp_path, **change)
    assert ledger.path(block).is_file()
    open_ledger(tmp_path, restart=True, **change)
    assert not ledger.path(block).exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"layout": 1}', ""])
def test_damaged_record_is_named(tmp_path, text):
    """A record that can't be read is not taken for an empty one."""
    open_ledger(tmp_path)
    (tmp_path / "ledger.json").write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError, match="damaged"):
        open_ledger(tmp_path)
    assert open_ledger(tmp_path, restart=True).block_size == 32


def test_blocks_without_record_are_not_trusted(tmp_path):
    """Blocks whose origin nobody knows are refused."""
    ledger = open_ledger(tmp_path)
    block = ledger.blocks()[0]
    ledger.write(block, np.zeros((2, *block.shape), np.float32), {})
    (tmp_path / "ledger.json").unlink()
    with pytest.raises(LedgerError, match=r"no ledger\.json"):
        open_ledger(tmp_path)


def test_clearing_leaves_other_files(tmp_path):
    """Only blocks and the record go."""
    ledger = open_ledger(tmp_path)
    block = ledger.blocks()[0]
    ledger.write(block, np.zeros((2, *block.shape), np.float32), {})
    (tmp_path / "notes.tif").write_text("mine", encoding="utf-8")
    (tmp_path / "r00000c00001.tif").write_text("of an earlier program", encoding="utf-8")
    assert clear_blocks(tmp_path) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["notes.tif"]


def test_missing_block_is_named(tmp_path):
    """Reading a block that is not there says which."""
    ledger = open_ledger(tmp_path)
    with pytest.raises(LedgerError, match="r00000c00000"):
        ledger.read(ledger.blocks()[0], ["a"])
