"""What a map will take: counted from the mask, timed on some of its own blocks."""

from __future__ import annotations

import shutil
from collections import namedtuple

import numpy as np
import pytest

from alm_core.errors import WorkspaceError
from alm_core.mapping import estimate
from alm_core.mapping.block import MapCounts
from alm_core.mapping.engine import ThreadEngine
from alm_core.mapping.estimate import MapEstimate, estimate_map, spread, survey
from alm_core.mapping.job import BlockJob, BlockOutcome
from alm_core.mapping.ledger import BlockLedger
from alm_core.mapping.products import layers_of, regression_products

from .map_worlds import GRID, NAMES, FileWorld, content, fusion, map_world, members

PRODUCTS = regression_products(("first", "second"), unit="m3 m-3")


@pytest.fixture
def world(tmp_path):
    """Covariates in files."""
    return FileWorld.write(tmp_path / "world")


@pytest.fixture
def job(world, tmp_path):
    """A job whose ledger is empty."""
    ledger = BlockLedger.open(tmp_path / "map", GRID, layers=layers_of(PRODUCTS), block_size=16, fingerprint="abc")
    with_readers = BlockJob(world.reader, NAMES, GRID, members(), fusion(), ledger)
    yield with_readers
    with_readers.close()


def inside(world, block) -> int:
    """Cells of a block inside the mask."""
    return int(np.load(world.folder / "mask.npy")[block.slices].sum())


def outcomes_of(sample, seconds_of):
    """Outcomes of blocks that took what a function says."""
    return [BlockOutcome(block.name, MapCounts(), False, seconds_of(block)) for block in sample]


def test_survey_counts_every_cell_of_the_mask(world, job):
    """By block; nothing is finished yet, and no covariate is read."""
    blocks = job.ledger.blocks()
    found = survey(job, blocks, workers=2)
    assert found.cells == {block.name: inside(world, block) for block in blocks}
    assert sum(found.cells.values()) == 110 * 95
    assert found.finished == frozenset()
    assert not world.notes("read")


def test_sample_is_spread_over_the_mask(world, job):
    """Blocks with cells from its first to its last part, and one without any; at most an eighth of the blocks."""
    blocks = job.ledger.blocks()
    found = survey(job, blocks, workers=2)
    *full, empty = found.sample
    assert all(inside(world, block) for block in full)
    assert not inside(world, empty)
    assert len(full) == 6
    places = np.cumsum([inside(world, block) for block in blocks]) / (110 * 95)
    parts = [places[blocks.index(block)] for block in full]
    np.testing.assert_allclose(parts, (np.arange(6) + 0.5) / 6, atol=0.05)
    order = found.in_order(blocks)
    assert order[:7] == list(found.sample)
    assert sorted(block.name for block in order) == [block.name for block in blocks]


def test_spread_without_cells_or_blocks():
    """Nothing to time."""
    assert spread([], [], 4) == []
    assert spread(["a", "b"], [0, 0], 4) == []
    assert spread(["a", "b"], [0, 5], 4) == ["b"]


def test_seconds_are_those_of_the_sample(world, job, monkeypatch):
    """A millisecond a cell on two workers, ten a block without cells: exact; one slow first block changes nothing."""
    monkeypatch.setattr(estimate, "_raster", lambda *_: estimate._Raster(0.0, 1))
    monkeypatch.setattr(estimate, "_reading_seconds", lambda *_: 0.0)
    blocks = job.ledger.blocks()
    found = survey(job, blocks, workers=2)
    for block in found.sample:
        job(block)
    times = {block.name: inside(world, block) * 1e-3 if inside(world, block) else 1e-2 for block in found.sample}
    times[found.sample[0].name] = 100.0
    outcomes = outcomes_of(found.sample, lambda block: times[block.name])
    empty = sum(inside(world, block) == 0 for block in blocks)
    told = estimate_map(job, PRODUCTS, blocks, found, outcomes, engine=ThreadEngine(2))
    assert told.seconds == pytest.approx((110 * 95 * 1e-3 + empty * 1e-2) / 2)
    assert (told.cells, told.cells_left, told.blocks, told.blocks_left) == (110 * 95, 110 * 95, len(blocks), len(blocks))


def test_disk_is_about_what_the_map_takes(world, job):
    """Blocks and rasters of the finished map against the estimate, whose temporary part is left out."""
    blocks = job.ledger.blocks()
    found = survey(job, blocks, workers=2)
    told = estimate_map(job, PRODUCTS, blocks, found, [job(block) for block in found.sample], engine=ThreadEngine(2))
    job.close()
    result = map_world(world, job.ledger.folder.parent / "whole", block_size=16)
    files = [path for path in (result.paths["fused"].parent / "blocks").glob("r*.block") if path.stat().st_size > 2000]
    taken = sum(path.stat().st_size for path in [*files, *result.paths.values()])
    assert 0.7 * taken < told.disk_bytes < 3 * taken


def test_sampled_blocks_are_part_of_the_map(world, tmp_path):
    """Nothing is computed twice, the estimate comes once, and the map is the clean one."""
    clean = map_world(world, tmp_path / "clean", block_size=16)
    read = len(world.notes("read"))
    told = []
    result = map_world(world, tmp_path / "map", block_size=16, on_estimate=told.append)
    assert len(world.notes("read")) == 2 * read
    assert [estimate.cells for estimate in told] == [110 * 95]
    assert told[0].sample_blocks == 7
    assert told[0].memory_bytes > 0
    assert (content(result), result.counts, result.reused_blocks) == (content(clean), clean.counts, 0)
    assert not (tmp_path / "map" / "blocks" / estimate.SAMPLE_FOLDER).exists()


def test_finished_blocks_count_as_done(world, tmp_path):
    """After an interruption only what is left is estimated; of a finished map nothing is."""

    def stop(done, total, message):
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_world(world, tmp_path, block_size=16, progress=stop)
    blocks = list(GRID.blocks(16))
    left = sum(inside(world, block) for block in blocks if not (tmp_path / "blocks" / f"{block.name}.block").is_file())
    told = []
    map_world(world, tmp_path, block_size=16, on_estimate=told.append)
    map_world(world, tmp_path, block_size=16, on_estimate=told.append)
    assert 0 < left == told[0].cells_left < told[0].cells
    assert f"({told[0].cells - left:,} of them done)" in told[0].text
    assert (told[1].cells_left, told[1].blocks_left, told[1].sample_blocks) == (0, 0, 0)


def test_a_disk_too_small_is_refused_early(world, tmp_path, monkeypatch):
    """The message says how much is missing; the blocks of the sample stay for the next call."""
    usage = namedtuple("usage", "total used free")
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**6, 9 * 10**5, 10**5))
    told = []
    with pytest.raises(WorkspaceError, match=r"100 kB are free .* are missing"):
        map_world(world, tmp_path, block_size=16, on_estimate=told.append)
    made = len(list((tmp_path / "blocks").glob("r*.block")))
    assert told[0].sample_blocks <= made < told[0].blocks
    assert not (tmp_path / "fused.tif").exists()
    monkeypatch.setattr(shutil, "disk_usage", real)
    assert map_world(world, tmp_path, block_size=16).reused_blocks == made


def test_no_mask_no_time(world, tmp_path):
    """A map without a cell is estimated and made."""
    np.save(world.folder / "mask.npy", np.zeros(GRID.shape, bool))
    told = []
    result = map_world(world, tmp_path, on_estimate=told.append)
    assert (told[0].cells, result.counts.mapped) == (0, 0)


def test_exactly_enough_disk_is_enough(tmp_path):
    """Equal numbers pass, one byte less does not."""
    values = {"cells": 1, "cells_left": 1, "blocks": 1, "blocks_left": 1, "seconds": 1.0, "memory_bytes": 1}
    values |= {"sample_blocks": 1, "workers": 1, "disk_bytes": 10_000}
    MapEstimate(**values, free_bytes=10_000).check_disk(tmp_path)
    with pytest.raises(WorkspaceError, match="missing"):
        MapEstimate(**values, free_bytes=9_999).check_disk(tmp_path)
