"""The two states of a surface, and their codes on every map and in every table."""

from __future__ import annotations

import numpy as np

THAWED, FROZEN = 0, 1
UNKNOWN = 255
"""In maps: outside the mask, or a day without data."""
STATES = ("thawed", "frozen")
"""Words of the codes, in their order."""
LIMIT = 0.5
"""Probability of frozen from which a cell-day is frozen."""
MOST_PERCENT_THAWED = 49


def to_state_and_percent(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The state and the probability in per cent, uint8 both, `UNKNOWN` where the probability is NaN.

    Whole per cent, but never rounded over the limit: what is thawed has 49 at most, so that the two always agree.

    Examples
    --------
    >>> state, percent = to_state_and_percent(np.array([0.2, 0.499, 0.5, np.nan], np.float32))
    >>> state.tolist(), percent.tolist()
    ([0, 0, 1, 255], [20, 49, 50, 255])
    """
    known = ~np.isnan(probability)
    frozen = known & (probability >= LIMIT)
    percent = np.rint(np.where(known, probability, 0) * 100).astype(np.uint8)
    percent[known & ~frozen] = np.minimum(percent[known & ~frozen], MOST_PERCENT_THAWED)
    state = np.where(frozen, np.uint8(FROZEN), np.uint8(THAWED))
    state[~known] = percent[~known] = UNKNOWN
    return state, percent
