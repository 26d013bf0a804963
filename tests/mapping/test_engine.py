"""Engines: who may be asked for, and how threads work through the blocks of a job."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest
import rasterio
from rasterio.env import get_gdal_config

from alm_core.errors import DomainError, EngineError
from alm_core.mapping.dask_engine import DaskEngine
from alm_core.mapping.engine import QUEUE_PER_WORKER, READ_CACHE_BYTES, ThreadEngine, check_address, make_engine
from alm_core.mapping.job import BlockJob
from alm_core.mapping.ledger import BlockLedger
from alm_core.mapping.products import layers_of, regression_products

from .map_worlds import GRID, NAMES, Faulty, FileWorld, fusion, members


@pytest.fixture
def world(tmp_path):
    """Covariates in files."""
    return FileWorld.write(tmp_path / "world")


@pytest.fixture
def make_job(world, tmp_path):
    """Maker of jobs over the world, each with a ledger of its own."""

    def make(*, chosen=None, folder="map"):
        layers = layers_of(regression_products(("first", "second"), unit=""))
        ledger = BlockLedger.open(tmp_path / folder, GRID, layers=layers, block_size=32, fingerprint="abc")
        return BlockJob(world.reader, NAMES, GRID, chosen or members(), fusion(), ledger)

    return make


def test_engines_by_name():
    """Threads by default; a scheduler alone means Dask; the number of workers goes where it belongs."""
    assert make_engine(workers=3) == ThreadEngine(3)
    assert make_engine("threads") == ThreadEngine(2)
    own = make_engine("dask", workers=4)
    assert isinstance(own, DaskEngine)
    assert (own.workers, own.scheduler) == (4, None)
    assert make_engine(scheduler="tcp://node7:8786").scheduler == "tcp://node7:8786"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "spark"}, "The engines are threads and dask"),
        ({"name": "threads", "scheduler": "tcp://node7:8786"}, "goes with the engine 'dask'"),
        ({"scheduler": "tcp://node7:8786", "workers": 4}, "those that were started for it"),
        ({"workers": 0}, "a whole number, 1 or more"),
        ({"name": "dask", "workers": -2}, "a whole number, 1 or more"),
        ({"workers": 1.5}, "a whole number, 1 or more"),
    ],
)
def test_combinations_that_mean_nothing_are_refused(options, words):
    """The message says which of the two to leave out."""
    with pytest.raises(EngineError, match=words):
        make_engine(**options)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tls://node-7.local:1", "tcp://[::1]:65535"])
def test_addresses_of_schedulers(address):
    """Host by name, IPv4 and IPv6: the engine takes the address as it stands."""
    assert check_address(address) is None
    assert make_engine(scheduler=address).scheduler == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "node7:8786",
        "http://node7:8787",
        "tcp://node7",
        "tcp://:8786",
        "tcp://node7:0",
        "tcp://node7:65536",
        "tcp://user@node7:8786",
        "tcp://node7:8786/path",
        "inproc://1",
        "ucx://node7:8786",
        "tcp://node7:8786\n",
        "tcp://node7:8786,tcp://node8:8786",
    ],
)
def test_what_is_no_address_is_refused(address):
    """Only tcp and tls, with a host and a port."""
    with pytest.raises(EngineError, match=r"tcp://HOST:PORT"):
        check_address(address)


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_make_every_block_once(world, make_job, workers):
    """All blocks come back, each thread opens one reader, and all readers are closed."""
    job = make_job()
    blocks = job.ledger.blocks()
    outcomes = list(ThreadEngine(workers).run(job, blocks))
    assert sorted(outcome.name for outcome in outcomes) == [block.name for block in blocks]
    assert not any(outcome.reused for outcome in outcomes)
    assert 1 <= len(world.notes("opened")) <= workers
    assert len(world.notes("closed")) == len(world.notes("opened"))
    assert all(outcome.reused for outcome in ThreadEngine(workers).run(job, blocks))


def test_the_queue_is_short(make_job):
    """Blocks are taken from the list as they are needed, not all at once."""
    job = make_job()
    taken = []

    def blocks():
        for block in job.ledger.blocks():
            taken.append(block)
            yield block

    for done, _ in enumerate(ThreadEngine(2).run(job, blocks())):
        assert len(taken) - done <= 2 * QUEUE_PER_WORKER + 1


def test_a_fault_stops_the_threads(make_job):
    """It comes as it was raised; only the blocks in flight and none of the queue were tried after it."""
    job = make_job(chosen=(Faulty("first", (1.0,)), members()[1]))
    with pytest.raises(DomainError, match=r"7\.3"):
        list(ThreadEngine(2).run(job, job.ledger.blocks()))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("map")]


def test_closing_early_finishes_what_was_begun(world, make_job):
    """No thread goes on, no half block stays, and readers are closed."""
    job = make_job()
    outcomes = ThreadEngine(2).run(job, job.ledger.blocks())
    next(outcomes)
    outcomes.close()
    there = [block for block in job.ledger.blocks() if job.ledger.path(block).is_file()]
    assert 1 <= len(there) <= 2 * QUEUE_PER_WORKER + 1
    assert all(job.ledger.counts(block) is not None for block in there)
    assert not list(job.ledger.folder.glob(".r*"))
    assert len(world.notes("closed")) == len(world.notes("opened"))


def test_a_job_is_sent_without_its_readers(world, make_job):
    """Pickled in the middle of its work it makes the same blocks elsewhere, with a reader that it opens there."""
    job = make_job()
    block = job.ledger.blocks()[6]
    here = job(block)
    job.ledger.path(block).unlink()
    copy = pickle.loads(pickle.dumps(job))
    there = copy(block)
    assert (there.counts, there.name) == (here.counts, here.name)
    assert len(world.notes("opened")) == 2
    copy.close()
    job.close()
    assert len(world.notes("closed")) == 2


def test_mask_goes_first(world, make_job):
    """Covariates are read for blocks with a cell inside the mask, and for no other."""
    job = make_job()
    blocks = job.ledger.blocks()
    list(ThreadEngine(2).run(job, blocks))
    mask = np.load(world.folder / "mask.npy")
    assert world.notes("read") == sorted(block.name for block in blocks if mask[block.slices].any())


def test_the_read_cache_stays_bounded(make_job):
    """The bound is there after the map and after other settings came and went: what it reads next stays bounded too."""
    job = make_job()
    list(ThreadEngine(2).run(job, job.ledger.blocks()[:3]))
    with rasterio.Env(GDAL_NUM_THREADS="2"):
        pass
    assert get_gdal_config("GDAL_CACHEMAX") == READ_CACHE_BYTES
