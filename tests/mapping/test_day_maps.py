"""Mapped days: exact values, gaps, chunks, threads, resuming, refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from alm_core.cubes.features import make_plan
from alm_core.cubes.states import to_state_and_percent
from alm_core.errors import LearnerError
from alm_core.workspace import hash_file
from tests.mapping.day_world import CELLS, CHUNK_DAYS, DAYS, GAP, Logistic, celsius, make_all, make_map, write_cubes

CHUNKS = -(-DAYS // CHUNK_DAYS)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The temperatures of the world."""
    return write_cubes(tmp_path_factory.mktemp("days") / "cubes")


def files_of(folder: Path) -> dict[str, str]:
    """Hash of every result of a map."""
    found = [path for path in (folder / "map").rglob("*") if path.suffix in (".nc", ".tif", ".block")]
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in found}


def test_every_day_has_the_value_of_the_model(store, tmp_path):
    """Nothing is shifted by a day or a cell, and missing days are unknown and counted."""
    mapped = make_map(store, tmp_path)
    expected = (1 / (1 + np.exp(celsius().astype(float)))).astype(np.float32)
    assert np.array_equal(mapped.probability(0, DAYS), expected, equal_nan=True)
    assert np.array_equal(mapped.probability(195, 260, slice(2, 4)), expected[195:260, 2:4], equal_nan=True)
    assert mapped.years == (2011, 2012, 2013)
    counts = mapped.counts
    assert [sum((one.frozen, one.thawed, one.unknown)) for one in counts.values()] == [184 * 8, 366 * 8, 250 * 8]
    assert [one.empty_days for one in counts.values()] == [0, GAP.stop - GAP.start, 0]
    assert [one.incomplete for one in counts.values()] == [0, 8 * (GAP.stop - GAP.start), 0]
    assert sum(one.frozen for one in counts.values()) == (expected >= 0.5).sum()


def test_chunks_and_threads_change_nothing(store, tmp_path):
    """The same numbers from one thread in short chunks and from two in long ones."""
    one = make_map(store, tmp_path / "one", workers=1, chunk_days=7)
    two = make_map(store, tmp_path / "two", workers=2, chunk_days=300)
    assert np.array_equal(one.probability(0, DAYS), two.probability(0, DAYS), equal_nan=True)
    assert one.to_dict() == two.to_dict()


def test_finished_chunks_are_kept_and_damaged_ones_made_again(store, tmp_path):
    """Another fingerprint makes all of them again."""
    first = make_map(store, tmp_path)
    model = Logistic()
    again = make_map(store, tmp_path, model)
    assert (again.reused, model.asked) == (CHUNKS, 0)
    path = first.ledger.path(first.blocks[3])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    mended = make_map(store, tmp_path, model)
    assert (mended.reused, model.asked) == (CHUNKS - 1, 1)
    assert np.array_equal(mended.probability(0, DAYS), celsius_probability(), equal_nan=True)
    other = make_map(store, tmp_path, model, fingerprint="two")
    assert other.reused == 0


def celsius_probability() -> np.ndarray:
    """What the model says."""
    return (1 / (1 + np.exp(celsius().astype(float)))).astype(np.float32)


def test_the_oracle_is_asked_first_and_its_refusal_stops_the_map(store, tmp_path):
    """Its difference is kept; where it raises no chunk is made."""
    model = Logistic()
    said = make_map(store, tmp_path / "good", model, oracle=model.check_block).oracle
    assert said["largest_difference"] == 0.0
    assert said["first_day"] == "2011-07-01"

    def refuse(values, valid):
        raise LearnerError("too far from its library")

    with pytest.raises(LearnerError, match="too far"):
        make_map(store, tmp_path / "bad", model, oracle=refuse)
    assert not list((tmp_path / "bad").rglob("*.block"))


def test_a_model_of_other_features_is_refused(store, tmp_path):
    """By their names, before anything is written."""
    model = Logistic()
    model.names = ("wind",)
    with pytest.raises(LearnerError, match=r"fitted to wind; the days give temperature"):
        make_map(store, tmp_path, model)


def test_percent_never_crosses_the_limit_of_the_states():
    """What is shown as 50 per cent is frozen."""
    probability = np.linspace(0, 1, 2001, dtype=np.float32)
    state, percent = to_state_and_percent(probability)
    assert np.array_equal(state == 1, percent >= 50)
    assert np.abs(percent - 100 * probability).max() <= 1.0
    assert (percent[0], percent[-1]) == (0, 100)


@dataclass
class Killed:
    """A map in another process that was killed when it told a message."""

    folder: Path
    told: list[str]


def kill_at(folder: Path, cubes: Path, message: str) -> Killed:
    """Run the world as a program and end it by SIGKILL once it says `message`."""
    program = [sys.executable, "-m", "tests.mapping.day_world", str(folder), str(cubes)]
    told = []
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as running:
        for line in running.stdout:
            told.append(line.strip())
            if line.startswith(message):
                os.kill(running.pid, signal.SIGKILL)
                break
    assert running.returncode == -signal.SIGKILL
    return Killed(folder, told)


def test_a_killed_map_goes_on_and_ends_with_the_same_bytes(store, tmp_path):
    """Killed among its chunks and again among its yearly files, it makes only what is missing."""
    make_all(store, tmp_path / "clean")
    folder = tmp_path / "killed"
    kill_at(folder, store.folder, "days: chunk 5 ")
    there = len(list((folder / "map/blocks").glob("*.block")))
    assert 4 <= there < CHUNKS
    kill_at(folder, store.folder, "files of 2012")
    stamps = {path: path.stat().st_mtime_ns for path in (folder / "map/days").glob("*_2011.*")}
    assert len(stamps) == 3
    model = Logistic()
    assert make_all(store, folder, model).reused == CHUNKS
    assert model.asked == 0
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert files_of(folder) == files_of(tmp_path / "clean")
    assert len(files_of(folder)) == CHUNKS + 9 + 4


def test_static_layers_and_masked_cells_keep_their_places(store, tmp_path):
    """A second map with a static layer that moves the temperature of one cell."""

    class Shifted(Logistic):
        names = ("temperature", "shift")

        def predict_block(self, values, valid):
            return super().predict_block(values[:1] + values[1:], valid)

    from alm_core.mapping.day_maps import map_days

    plan = make_plan([{"name": "temperature", "inputs": ["temperature"]}], store.variables, ["shift"])
    shift = np.zeros(CELLS.size, np.float32)
    shift[3] = 100
    shift[5] = np.nan
    mapped = map_days(store, plan, {"shift": shift}, Shifted(), folder=tmp_path, fingerprint="x")
    found = mapped.probability(0, 10)
    assert (found[:, 3] < 1e-20).all()
    assert np.isnan(found[:, 5]).all()
    assert np.array_equal(found[:, 4], celsius_probability()[:10, 4])
