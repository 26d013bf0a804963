"""The cache: bounded, each value computed once, failures not kept."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from alm_core.serving.cache import OVERHEAD_BYTES, BoundedCache


def test_the_least_used_goes_first_and_bytes_stay_bounded():
    """Ten arrays of 1000 bytes into room for four."""
    cache = BoundedCache(4 * (1000 + OVERHEAD_BYTES))
    for key in range(10):
        cache.get(key, lambda: np.zeros(1000, np.uint8))
        cache.get(0, lambda: np.zeros(1000, np.uint8))
        assert cache.bytes <= cache.maximum_bytes
    assert len(cache) == 4
    assert 0 in cache
    assert 1 not in cache


def test_empty_results_count_too():
    """A cache of nothing but None does not grow for ever."""
    cache = BoundedCache(10 * OVERHEAD_BYTES)
    for key in range(1000):
        cache.get(key, lambda: None)
    assert len(cache) == 10


def test_what_is_too_large_is_given_but_not_kept():
    """One value larger than the cache does not empty it."""
    cache = BoundedCache(2000)
    cache.get("small", lambda: b"x")
    assert len(cache.get("large", lambda: bytes(5000))) == 5000
    assert "small" in cache
    assert "large" not in cache


def test_many_threads_compute_a_value_once():
    """Sixteen ask at the same time, one computes."""
    cache, calls, found = BoundedCache(10_000), [], []

    def slow() -> bytes:
        calls.append(1)
        time.sleep(0.05)
        return b"value"

    threads = [threading.Thread(target=lambda: found.append(cache.get("key", slow))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"value"] * 16
    assert len(calls) == 1


def test_a_failure_is_raised_and_tried_again():
    """The next one computes anew instead of waiting for ever."""
    cache = BoundedCache(10_000)
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 // 0)
    assert cache.get("key", lambda: b"now") == b"now"
