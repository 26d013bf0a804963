"""Compiled search in tables: where values lie between the knots.

Searching first and reading tables after lets the processor work on several values at once, which one value at a time does not.
"""

from __future__ import annotations

import numpy as np

from alm_core.trees.compiled import compiled

CHUNK = 512  # values at a time: their arrays stay in the processor's first cache


@compiled
def find_knots(value, x, starts, per_unit, knots, steps):
    """For each value, the last knot at or before it and the step from there.

    Parameters
    ----------
    value : ndarray
        ``[place]``.
    x : ndarray
        Knots ``[knot]``, rising.
    starts, per_unit : ndarray of int, float
        Of `alm_core.learning.interpolation.search_bins`.
    knots, steps : ndarray
        Filled ``[place]``. A step of 0 takes the knot's own value, also beyond the ends; the step of a NaN is NaN, but 0 in a
        table of one knot, as ``numpy.interp`` has it.
    """
    last = x.size - 1
    first, end = x[0], x[last]
    for place in range(value.size):
        v = value[place]
        if first < v < end:
            knot = starts[min(int((v - first) * per_unit), starts.size - 1)]
            while x[knot] > v:
                knot -= 1
            while x[knot + 1] <= v:
                knot += 1
            knots[place] = knot
            steps[place] = v - x[knot]
        else:
            knots[place] = last if v >= end else 0
            steps[place] = 0.0 if v <= first or v >= end or last == 0 else v


@compiled
def read_line(low, slope, step):
    """Value at `step` beyond a knot; a value on a knot gets the knot's, even where the slope beside it is not finite."""
    return low if step == 0.0 else slope * step + low


@compiled
def interpolate_into(value, x, tables, slopes, starts, per_unit, result):
    """Fill ``result[table, place]`` from ``tables[table, knot]``; slopes are those after each knot, 0 after the last."""
    knots, steps = np.empty(CHUNK, np.int64), np.empty(CHUNK)
    for start in range(0, value.size, CHUNK):
        stop = min(start + CHUNK, value.size)
        find_knots(value[start:stop], x, starts, per_unit, knots, steps)
        for table in range(tables.shape[0]):
            for place in range(start, stop):
                knot, step = knots[place - start], steps[place - start]
                result[table, place] = read_line(tables[table, knot], slopes[table, knot], step)
