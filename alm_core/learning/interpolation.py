"""Linear interpolation in tables, as `numpy.interp` does it bit by bit, but fast on the millions of values of a map.

`numpy.interp` searches the table anew for every value, which on noisy predictions costs more than all the rest of a fusion. The
kernel here looks up where to start in a list of even bins and takes one or two steps. Below some thousand values numpy itself is
used, so that small work never waits for the compiler.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

FEW_VALUES = 4096
BINS_PER_KNOT = 4
NARROWEST = 1e-290
"""Width of a table below which dividing by it could overflow."""


def interpolate(value: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of a table at `value` (any shape): linear between knots, held at the ends, NaN stays NaN.

    Parameters
    ----------
    value : ndarray
    x, y : ndarray
        Knots ``[knot]``, finite, x rising.

    Returns
    -------
    ndarray of float64
        Bit for bit ``numpy.interp(value, x, y)``.

    Examples
    --------
    >>> interpolate(np.array([-1.0, 0.25, 9.0]), np.array([0.0, 1.0]), np.array([0.0, 4.0])).tolist()
    [0.0, 1.0, 4.0]
    """
    return interpolate_tables(value, x, y[None])[0]


def interpolate_tables(value: np.ndarray, x: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Values of several tables over the same knots, ``[table, ...]``; each place is searched once."""
    value = np.asarray(value, dtype=float)
    with np.errstate(over="ignore"):
        width = float(x[-1] - x[0])
    if value.size < FEW_VALUES or not NARROWEST < width < np.inf:
        return np.stack([np.interp(value, x, table) for table in tables])
    slopes = np.diff(tables, axis=1) / np.diff(x)
    result = np.empty((len(tables), value.size))
    _kernel()(np.ascontiguousarray(value).ravel(), x, np.ascontiguousarray(tables), slopes, *_bins(x, width), result)
    return result.reshape(len(tables), *value.shape)


def _bins(x: np.ndarray, width: float) -> tuple[np.ndarray, float]:
    """For even bins over the knots, the last knot at or before each bin's beginning, and bins per unit of x."""
    count = BINS_PER_KNOT * x.size
    edges = x[0] + np.arange(count) * (width / count)
    return np.clip(np.searchsorted(x, edges, side="right") - 1, 0, x.size - 2), count / width


@cache
def _kernel() -> Any:
    """The compiled loop; the compiler is loaded on first use."""
    from alm_core.trees.compiled import compiled

    return compiled(_interpolate_into)


def _interpolate_into(value, x, tables, slopes, starts, per_unit, result):
    """Fill ``result[table, place]``; `starts` and `per_unit` are those of `_bins`."""
    last = x.size - 1
    for place in range(value.size):
        v = value[place]
        if np.isnan(v):
            result[:, place] = v
        elif v <= x[0]:
            result[:, place] = tables[:, 0]
        elif v >= x[last]:
            result[:, place] = tables[:, last]
        else:
            knot = starts[min(int((v - x[0]) * per_unit), starts.size - 1)]
            while x[knot] > v:
                knot -= 1
            while x[knot + 1] <= v:
                knot += 1
            step = v - x[knot]
            for table in range(tables.shape[0]):
                low = tables[table, knot]
                # A value on a knot gets the knot's, even where the slope beside it is not finite.
                result[table, place] = low if step == 0 else slopes[table, knot] * step + low
