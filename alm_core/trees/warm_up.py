"""Compile the room's kernels before they are needed, so that nobody waits for them in silence."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from alm_core.trees.ensemble import RawTree, assemble
from alm_core.trees.shap import shap_values
from alm_core.trees.sorting import sort_cells


def warm_up(tell: Callable[[str], None] | None = None) -> float:
    """Compile every kernel of maps, predictions and explanations, or load it from the cache.

    Compiling takes about half a minute, once per machine and version of the program; loading takes a second.

    Parameters
    ----------
    tell : callable, optional
        Gets one message before the work begins.

    Returns
    -------
    float
        Seconds.
    """
    with timed("trees and explanations", tell) as took:
        row, block = np.zeros((1, 1), np.float32), np.array([[[-1, 0], [1, 2]]], np.float32)
        sort_cells(block.reshape(1, 4), np.zeros(1, np.float32), np.array([0, 1]))
        for tree in (lopsided_tree(), even_tree()):
            ensemble = assemble([tree], base=[0.0], link="identity", task="regression", source="warm-up", feature_names=["x"])
            ensemble.predict(row)
            ensemble.predict_block(block, np.ones((2, 2), bool))
            shap_values(ensemble, row)
    return took.seconds


@dataclass
class Took:
    """Seconds that a piece of work took; 0 until it is done."""

    seconds: float = 0.0


@contextlib.contextmanager
def timed(what: str, tell: Callable[[str], None] | None) -> Iterator[Took]:
    """Say what is being compiled and take the time: the frame of every room's `warm_up`.

    Examples
    --------
    >>> with timed("nothing", print) as took:
    ...     pass
    preparing nothing: up to a minute the first time on a machine, then a second
    >>> took.seconds > 0
    True
    """
    took, begun = Took(), time.perf_counter()
    if tell is not None:
        tell(f"preparing {what}: up to a minute the first time on a machine, then a second")
    yield took
    took.seconds = time.perf_counter() - begun


def lopsided_tree() -> RawTree:
    """Two splits, the second below the right side only."""
    return RawTree(
        feature=np.array([0, -1, 0, -1, -1]),
        cut=np.array([0, 0, 1, 0, 0], np.float32),
        left=np.array([1, -1, 3, -1, -1]),
        right=np.array([2, -1, 4, -1, -1]),
        value=np.arange(5.0)[:, None],
        cover=np.array([4.0, 2, 2, 1, 1]),
        missing_left=np.zeros(5, bool),
    )


def even_tree() -> RawTree:
    """One split: the smallest oblivious tree."""
    return RawTree(
        feature=np.array([0, -1, -1]),
        cut=np.zeros(3, np.float32),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        value=np.arange(3.0)[:, None],
        cover=np.array([2.0, 1, 1]),
        missing_left=np.zeros(3, bool),
    )
