"""Blocks on a Dask cluster: the same map, whatever happens to the workers."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time

import dask
import psutil
import pytest
from distributed import LocalCluster

from alm_core.errors import DomainError, EngineError, LedgerError
from alm_core.mapping import dask_engine
from alm_core.mapping.dask_engine import DaskEngine
from alm_core.mapping.dask_worker import Expected, run_block

from .map_worlds import Deadly, Faulty, FileWorld, content, map_world, members


def program_here() -> str:
    """A program that is the same everywhere."""
    return "the same"


def program_of_thread() -> str:
    """A program that is another one in every thread."""
    return str(threading.get_ident())


@pytest.fixture
def world(tmp_path):
    """Covariates in files."""
    return FileWorld.write(tmp_path / "world")


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The map that threads make."""
    folder = tmp_path_factory.mktemp("clean")
    return map_world(FileWorld.write(folder / "world"), folder / "map")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Address of a running scheduler whose two worker threads live in this process."""
    quiet = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            processes=False,
            protocol="tcp://",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=50,
            local_directory=str(tmp_path_factory.mktemp("scratch")),
        ) as cluster,
    ):
        yield cluster.scheduler_address


def workers_of_this_process() -> list[psutil.Process]:
    """Worker processes of our own clusters; what other tests left dead and uncollected has no command line."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_worker_killed_half_way_changes_nothing(world, clean, tmp_path):
    """Worker processes of our own: one dies by SIGKILL; same bytes and counts, and no process is left over."""
    killed = []

    def kill(done, total, message):
        if done == 6 and not killed:
            killed.append(workers_of_this_process()[0])
            killed[0].send_signal(signal.SIGKILL)

    engine = DaskEngine(workers=2, program=program_here)
    result = map_world(world, tmp_path / "map", engine=engine, members=members(seconds=0.02), progress=kill)
    assert killed
    assert content(result) == content(clean)
    assert (result.counts, result.reused_blocks) == (clean.counts, 0)
    assert engine.startup_seconds_ > 0
    assert not workers_of_this_process()
    assert not list((tmp_path / "map" / "blocks").glob(".*.block"))
    assert not list((tmp_path / "map" / "blocks").glob(".probe*"))


def test_a_block_that_kills_its_workers_is_named(world, tmp_path):
    """After so many deaths as Dask allows the map ends; the message says what to look at."""
    deadly = (Deadly("first", (0.5, 0.1, 0.2), folder=tmp_path, times=1000), members()[1])
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), pytest.raises(EngineError, match="died again and again"):
        map_world(world, tmp_path / "map", engine=DaskEngine(workers=1), members=deadly)
    assert not workers_of_this_process()


def test_running_scheduler_makes_the_same_map(world, clean, scheduler, tmp_path):
    """Readers are opened by the workers and closed; a second call reuses every block; block size changes no byte."""
    engine = DaskEngine(scheduler=scheduler, program=program_here)
    engine.check()
    result = map_world(world, tmp_path / "map", engine=engine, block_size=57)
    assert content(result) == content(clean)
    assert 0 < len(world.notes("opened")) == len(world.notes("closed"))
    assert map_world(world, tmp_path / "map", engine=engine).reused_blocks == result.blocks


def test_begun_on_threads_ended_on_a_cluster(world, clean, scheduler, tmp_path):
    """An engine is no part of a map."""

    def stop(done, total, message):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_world(world, tmp_path, progress=stop)
    result = map_world(world, tmp_path, engine=DaskEngine(scheduler=scheduler))
    assert 7 <= result.reused_blocks < result.blocks
    assert content(result) == content(clean)


def test_interrupted_on_a_cluster_ended_on_threads(world, clean, scheduler, tmp_path):
    """Blocks that were sent are finished and stay; nothing writes to the folder afterwards."""

    def stop(done, total, message):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_world(world, tmp_path, engine=DaskEngine(scheduler=scheduler), progress=stop, members=members(seconds=0.02))
    there = sorted(path.name for path in (tmp_path / "blocks").iterdir())
    time.sleep(0.2)
    assert sorted(path.name for path in (tmp_path / "blocks").iterdir()) == there
    result = map_world(world, tmp_path)
    assert 7 <= result.reused_blocks < result.blocks
    assert content(result) == content(clean)


def test_a_fault_in_a_block_comes_as_it_is(world, scheduler, tmp_path):
    """The class and the text of the package's own error, not Dask's."""
    with pytest.raises(DomainError, match=r"The water content is 7\.3"):
        map_world(world, tmp_path, engine=DaskEngine(scheduler=scheduler), members=(Faulty("first", (1.0,)), members()[1]))


def test_other_inputs_are_refused_on_a_cluster_too(world, scheduler, tmp_path):
    """The ledger looks first."""
    map_world(world, tmp_path)
    with pytest.raises(LedgerError, match="different: fingerprint"):
        map_world(world, tmp_path, engine=DaskEngine(scheduler=scheduler), fingerprint="other")


def test_a_scheduler_that_does_not_answer(world, tmp_path):
    """A socket that never replies: a time-out and what to do, before any block; nothing is left in the folder."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        engine = DaskEngine(scheduler=f"tcp://127.0.0.1:{deaf.getsockname()[1]}", answer_seconds=0.5)
        with pytest.raises(EngineError, match=r"did not answer.*dask scheduler"):
            engine.check()
        with pytest.raises(EngineError, match="did not answer"):
            map_world(world, tmp_path, engine=engine)
    assert not list((tmp_path / "blocks").glob("*.block"))


def test_a_port_where_nobody_listens():
    """The same message."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EngineError, match="did not answer"):
        DaskEngine(scheduler=f"tcp://127.0.0.1:{port}", answer_seconds=0.5).check()


def test_another_program_is_refused(world, scheduler, tmp_path):
    """Workers whose program has another hash get no block."""
    with pytest.raises(EngineError, match="another version"):
        map_world(world, tmp_path, engine=DaskEngine(scheduler=scheduler, program=program_of_thread))
    assert not list((tmp_path / "blocks").glob("*.block"))


def test_workers_that_do_not_see_the_folder_are_refused(world, scheduler, tmp_path, monkeypatch):
    """What stands in the file on their side is not what was written here."""
    honest = dask_engine._probe

    def elsewhere(folder):
        return honest(tmp_path)

    def look(self, probe=None, token=""):
        return Expected(None, "", probe, "another token")

    monkeypatch.setattr(dask_engine, "_probe", elsewhere)
    monkeypatch.setattr(DaskEngine, "_expected", look)
    with pytest.raises(EngineError, match="does not see the folder"):
        map_world(world, tmp_path / "map", engine=DaskEngine(scheduler=scheduler))
    assert not list((tmp_path / "map" / "blocks").glob("*.block"))


def test_what_a_worker_must_have(tmp_path):
    """Program, folder and right to write, each with its own words; None where all is well."""
    probe = tmp_path / "probe"
    probe.write_text("abc")
    assert Expected(program_here, "the same", probe, "abc").fault() is None
    assert "another version" in Expected(program_here, "older", probe, "abc").fault()
    assert "does not see" in Expected(None, "", tmp_path / "none", "abc").fault()
    assert Expected(None, "").fault() is None


def test_a_cluster_that_lost_all_workers_is_given_up(monkeypatch):
    """The clock, not the number of blocks, decides."""

    class Client:
        status = "running"

        def nthreads(self):
            return {}

    monkeypatch.setattr(dask_engine, "LOST_SECONDS", -1.0)
    with pytest.raises(EngineError, match="has had no worker"):
        dask_engine._Watch(Client()).threads()
    assert run_block.__module__ == "alm_core.mapping.dask_worker"


def test_a_lost_scheduler_is_said():
    """A closed connection ends the map with a word on what stays."""

    class Client:
        status = "closed"

    with pytest.raises(EngineError, match="Finished blocks stay"):
        dask_engine._Watch(Client()).threads()
