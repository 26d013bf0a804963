"""Jobs on a few threads, with a short queue."""

from __future__ import annotations

import threading

import pytest

from alm_core.mapping.threads import AHEAD, in_threads


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


def test_closing_early_drops_what_waits():
    """Jobs under way are finished, nothing else is begun, and no thread stays."""
    done = []
    results = in_threads(done.append, iter(range(100)), 2, name="closing")
    next(results)
    results.close()
    assert 1 <= len(done) <= 2 * AHEAD + 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("closing")]
