"""The ledger: blocks that are whole or absent, and never of another map."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import LedgerError
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
    """A block without values is a sparse file of less than 2 kB."""
    ledger = open_ledger(tmp_path, block_size=60)
    block = ledger.blocks()[0]
    ledger.write(block, np.full((2, *block.shape), np.nan, np.float32), {"cells": 1})
    assert ledger.path(block).stat().st_size < 2000
    assert np.isnan(ledger.read(block, ["a"])).all()


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
    assert clear_blocks(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.tif"]


def test_missing_block_is_named(tmp_path):
    """Reading a block that is not there says which."""
    ledger = open_ledger(tmp_path)
    with pytest.raises(LedgerError, match="r00000c00000"):
        ledger.read(ledger.blocks()[0], ["a"])
