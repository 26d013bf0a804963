"""A map that is killed, starved of disk or disturbed, and gone on with: always the clean one, and only what was missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from alm_core.errors import LedgerError, WorkspaceError

from .map_worlds import Faulty, FileWorld, Member, content, map_world, members

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def world(tmp_path):
    """Covariates in files."""
    return FileWorld.write(tmp_path / "world")


@pytest.fixture
def clean(world, tmp_path):
    """The map that nothing disturbed."""
    return map_world(world, tmp_path / "clean")


def identities(folder: Path) -> dict[str, tuple[int, int]]:
    """Which file on disk each finished block is: a block that was made again is another file."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("blocks/r*.block")}


def start(world: FileWorld, folder: Path) -> subprocess.Popen[bytes]:
    """A program that maps the world."""
    command = [sys.executable, "-m", "tests.mapping.map_worlds", str(world.folder), str(folder)]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def test_killed_again_and_again(world, clean, tmp_path):
    """SIGKILL at random moments of one map: no block is lost or made twice, no byte differs.

    While a program maps, another one is refused.
    """
    rng = np.random.default_rng(20)
    folder = tmp_path / "map"
    finished: dict[str, tuple[int, int]] = {}
    for _ in range(2):
        program = start(world, folder)
        while len(identities(folder)) <= len(finished) and program.poll() is None:
            time.sleep(0.005)
        os.killpg(program.pid, signal.SIGSTOP)  # it makes no block while the other one is refused
        with pytest.raises(WorkspaceError, match="another program"):
            map_world(world, folder)
        os.killpg(program.pid, signal.SIGCONT)
        time.sleep(rng.uniform(0.0, 0.1))
        os.killpg(program.pid, signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL, "it had ended before: make the members slower"
        now = identities(folder)
        assert finished.items() <= now.items()
        finished = now
    assert 2 <= len(finished) < clean.blocks
    resumed = map_world(world, folder)
    assert finished.items() <= identities(folder).items()
    assert resumed.reused_blocks == len(finished)
    assert (content(resumed), resumed.counts) == (content(clean), clean.counts)
    assert not [path for path in folder.rglob(".*") if path.name != ".lock"]


def test_stopped_between_rasters(world, clean, tmp_path):
    """A raster that was whole is not written again, the others are; the bytes are the same."""

    def stop(done, total, message):
        if message == "members.tif":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_world(world, tmp_path / "map", progress=stop)
    first = (tmp_path / "map" / "members.tif").stat()
    assert not (tmp_path / "map" / "fused.tif").exists()
    resumed = map_world(world, tmp_path / "map")
    second = resumed.paths["members"].stat()
    assert (second.st_ino, second.st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert content(resumed) == content(clean)


@pytest.mark.parametrize(
    ("change", "spoil"),
    [({"tags": {"run": "2"}}, None), ({"compression": "deflate"}, None), ({}, "fused.tif"), ({}, "blocks/r00001c00001.block")],
    ids=["tags", "compression", "raster damaged", "block gone"],
)
def test_rasters_of_other_facts_are_made_again(world, tmp_path, change, spoil):
    """Kept rasters are those of the same blocks, tags and encoding, untouched."""
    map_world(world, tmp_path / "map")
    if spoil == "fused.tif":
        (tmp_path / "map" / spoil).write_bytes(b"half")
    elif spoil:
        (tmp_path / "map" / spoil).unlink()
    before = (tmp_path / "map" / "fused.tif").stat().st_mtime_ns
    again = map_world(world, tmp_path / "map", **change)
    assert again.paths["fused"].stat().st_mtime_ns != before
    assert content(again) == content(map_world(world, tmp_path / "other", **change))


def test_changed_inputs_are_refused_and_never_mixed(world, tmp_path):
    """Half a map of one fingerprint, then another: refused; begun anew it holds nothing of the first."""

    def stop(done, total, message):
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_world(world, tmp_path / "map", progress=stop)
    other = {"fingerprint": "other", "members": (Member("first", (0.1, 0.9, 0.2)), members()[1])}
    with pytest.raises(LedgerError, match="different: fingerprint"):
        map_world(world, tmp_path / "map", **other)
    anew = map_world(world, tmp_path / "map", restart=True, **other)
    assert anew.reused_blocks == 0
    assert content(anew) == content(map_world(world, tmp_path / "own", **other))


def test_a_block_of_another_map_that_slips_in_is_not_assembled(world, clean, tmp_path):
    """A worker that outlived its own map may write late: its block is found out and made again."""
    other = (Member("first", (0.1, 0.9, 0.2)), members()[1])
    foreign = map_world(world, tmp_path / "foreign", fingerprint="other", members=other)
    late = (foreign.paths["fused"].parent / "blocks" / "r00001c00001.block").read_bytes()

    def slip_in(done, total, message):
        if message == f"block {clean.blocks} of {clean.blocks}":
            (tmp_path / "map" / "blocks" / "r00001c00001.block").write_bytes(late)

    with pytest.raises(LedgerError, match="r00001c00001"):
        map_world(world, tmp_path / "map", progress=slip_in)
    resumed = map_world(world, tmp_path / "map")
    assert resumed.reused_blocks == clean.blocks - 1
    assert content(resumed) == content(clean)


def test_two_maps_of_one_folder_at_once(world, clean, tmp_path):
    """The second is refused while the first is under way, though it runs in the same process; the first is not harmed."""
    refused: list[str] = []

    def second():
        try:
            map_world(world, tmp_path / "map")
        except WorkspaceError as fault:
            refused.append(str(fault))

    def disturb(done, total, message):
        if done == 3:
            beside = threading.Thread(target=second)
            beside.start()
            beside.join()

    result = map_world(world, tmp_path / "map", progress=disturb)
    assert len(refused) == 1
    assert "another program" in refused[0]
    assert content(result) == content(clean)


@pytest.fixture
def small_disk(tmp_path):
    """A disk that holds some blocks, and what makes it larger."""
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(mount)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a tmpfs can only be mounted by root")
    try:
        yield mount, lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(mount)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_disk_full_half_way(world, clean, small_disk):
    """A clear message, whole blocks only; after space was made the map is gone on with and is the clean one."""
    folder, make_space = small_disk
    with pytest.raises(WorkspaceError, match=r"could not be written.*Free some space"):
        map_world(world, folder / "map")
    finished = identities(folder / "map")
    assert 0 < len(finished) < clean.blocks
    make_space()
    resumed = map_world(world, folder / "map")
    assert finished.items() <= identities(folder / "map").items()
    assert resumed.reused_blocks == len(finished)
    assert content(resumed) == content(clean)


def test_a_fault_of_the_oracle_comes_before_any_block(world, tmp_path):
    """It sees the first block with cells to predict, and may stop the map."""
    seen = []

    def oracle(values, valid):
        seen.append((values.shape, valid.copy()))
        raise ValueError("not the same")

    with pytest.raises(ValueError, match="not the same"):
        map_world(world, tmp_path / "map", oracle=oracle)
    (shape, valid), mask = seen[0], np.load(world.folder / "mask.npy")
    assert shape == (3, 32, 32)
    np.testing.assert_array_equal(valid, mask[:32, :32])
    assert not list((tmp_path / "map" / "blocks").glob("r*.block"))


def test_a_fault_in_every_block_leaves_nothing_behind(world, tmp_path):
    """Only the ledger's record and its lock stay."""
    with pytest.raises(Exception, match="water content"):
        map_world(world, tmp_path / "map", members=(Faulty("first", (1.0,)), members()[1]))
    names = {path.name for path in (tmp_path / "map" / "blocks").iterdir()}
    assert {"ledger.json", ".lock"} <= names
    assert all(name in ("ledger.json", ".lock") or name.startswith("r0") for name in names)
