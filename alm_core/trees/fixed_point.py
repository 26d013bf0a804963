"""Leaf values as whole numbers of a power of two, so that their sums are exact in any order.

A sum of floating-point numbers depends on its order, and block pruning changes the order from tile to tile: the last bit of a
cell would depend on how the map was cut. Whole numbers don't have that fault. Each tree's leaves are first moved to the middle
of their range, so that the 31 bits serve the differences between leaves and not the level of the target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alm_core.errors import LearnerError

LARGEST_SUM = 2**31 - 1
LEAST_RANGE = 2.0**-20
"""Smallest range of the sums, as a part of their level, that the step is made for."""


@dataclass(frozen=True)
class FixedLeaves:
    """Leaf values of an ensemble, rounded to a common step.

    Attributes
    ----------
    whole : ndarray of int32, ``[node, j]``
        ``value / step`` less the middle of its tree; 0 at inner nodes.
    middle : ndarray of int64, ``[output]``
        Sum of the middles of the trees.
    step : float
        A power of two. ``(middle + sum of the leaves of a row) * step`` is the margin without its base.
    largest_error : float
        Bound of what the rounding does to a margin: half a step for each tree of an output.
    """

    whole: np.ndarray
    middle: np.ndarray
    step: float
    largest_error: float


def fix_leaves(value: np.ndarray, is_leaf: np.ndarray, roots: np.ndarray, output: np.ndarray, n_outputs: int) -> FixedLeaves:
    """Round leaf values to the finest power of two for which no sum over trees can overflow 32 bits.

    Parameters
    ----------
    value : ndarray of float64, ``[node, j]``
    is_leaf : ndarray of bool, ``[node]``
    roots, output : ndarray of int, ``[tree]``
        First node of each tree, and the output that its first column adds to.
    n_outputs : int

    Returns
    -------
    FixedLeaves

    Raises
    ------
    LearnerError
        A leaf is not finite.

    Examples
    --------
    >>> leaves = fix_leaves(np.array([[0.0], [1.0], [3.0]]), np.array([False, True, True]), np.array([0]), np.array([0]), 1)
    >>> ((leaves.middle + leaves.whole[1:, 0]) * leaves.step).tolist()
    [1.0, 3.0]
    """
    if not np.isfinite(value[is_leaf]).all():
        raise LearnerError("A leaf of the trees is not a finite number: the target or the training went wrong. Train it again.")
    low = np.minimum.reduceat(np.where(is_leaf[:, None], value, np.inf), roots, axis=0)
    high = np.maximum.reduceat(np.where(is_leaf[:, None], value, -np.inf), roots, axis=0)
    columns = output[:, None] + np.arange(value.shape[1])
    half_range, level, trees = np.zeros(n_outputs), np.zeros(n_outputs), np.zeros(n_outputs)
    np.add.at(half_range, columns, (high - low) / 2)
    np.add.at(level, columns, np.maximum(np.abs(low), np.abs(high)))
    np.add.at(trees, columns, 1.0)
    # Rounding of a leaf and of the middle of its tree can add one step a tree to the sum.
    room = LARGEST_SUM - 2 * trees.max()
    # The level of the target must stay exact in 64-bit floating point, also where all leaves are nearly equal.
    largest = max(half_range.max(), level.max() * LEAST_RANGE, np.finfo(np.float32).tiny)
    step = 2.0 ** math.ceil(math.log2(largest / room))
    middle = np.rint((low + high) / 2 / step)
    tree_of_node = np.repeat(np.arange(roots.size), np.diff(np.append(roots, len(value))))
    whole = np.where(is_leaf[:, None], np.rint(value / step) - middle[tree_of_node], 0).astype(np.int32)
    total = np.zeros(n_outputs, np.int64)
    np.add.at(total, columns, middle.astype(np.int64))
    return FixedLeaves(whole, total, step, float(trees.max() * step / 2))
