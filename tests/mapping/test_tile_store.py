"""The scratch file of tiles, and jobs on a few threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from alm_core.errors import RasterError
from alm_core.mapping.tile_store import AHEAD, TileStore, in_threads


def test_tiles_come_back_from_many_threads(tmp_path):
    """Two thousand tiles written and read by eight threads at once; the file goes at the end."""
    path = tmp_path / "tiles"
    with TileStore(path, (20_000, 30_000)) as store, ThreadPoolExecutor(8) as pool:

        def add(number):
            place = divmod(number, 59)
            store.add(0, place, bytes([number % 251]) * (number % 90 + 1))
            return store.read(0, place)

        found = list(pool.map(add, range(2000)))
        assert found == [bytes([number % 251]) * (number % 90 + 1) for number in range(2000)]
        assert (store.size(0, divmod(95, 59)), store.size(1, (0, 0)), store.holds(1, (0, 0))) == (6, None, False)
    assert not path.exists()


def test_levels_end_in_one_tile(tmp_path):
    """Halved until one tile holds it all; a raster of one tile has no overview."""
    with TileStore(tmp_path / "a", (16790, 43990)) as store:
        assert store.shapes[1] == (8395, 21995)
        assert (store.shapes[-1], store.tiles(len(store.shapes) - 1)) == ((132, 344), (1, 1))
    with TileStore(tmp_path / "b", (512, 512)) as store:
        assert store.shapes == [(512, 512)]


def test_lost_end_is_named(tmp_path):
    """A scratch file that somebody cut short raises instead of giving half a tile."""
    with TileStore(tmp_path / "a", (512, 512)) as store:
        store.add(0, (0, 0), b"x" * 100_000)
        store._file.flush()
        store._file.truncate(50_000)
        with pytest.raises(RasterError, match="lost its end"):
            store.read(0, (0, 0))


def test_few_items_wait():
    """Items are taken only as fast as they are used."""
    taken, release = [], threading.Event()

    def items():
        for number in range(100):
            taken.append(number)
            if len(taken) > 2 * AHEAD + 1:
                release.set()
            yield number

    def job(number):
        release.wait(5 if number == 0 else 0)
        return number * number

    found = []
    for square in in_threads(job, items(), 2):
        found.append(square)
        assert len(taken) - len(found) <= 2 * AHEAD + 2
    assert sorted(found) == [number * number for number in range(100)]


@pytest.mark.parametrize("where", ["job", "items"])
def test_faults_are_passed_on(where):
    """From a job or from what feeds it; jobs under way are finished first, waiting ones dropped."""
    done = []

    def items():
        yield from range(10)
        if where == "items":
            raise KeyError("no more")

    def job(number):
        if where == "job" and number == 5:
            raise KeyError("no more")
        done.append(number)

    with pytest.raises(KeyError, match="no more"):
        list(in_threads(job, items(), 2))
    assert len(done) <= 10
