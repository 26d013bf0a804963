"""Linear interpolation in tables, as `numpy.interp` does it bit by bit, but fast on the millions of values of a map.

`numpy.interp` searches the table anew for every value, which on noisy predictions costs more than all the rest of a fusion. The
kernel here looks up where to start in a list of even bins and takes one or two steps. Below some thousand values numpy itself is
used, so that small work never waits for the compiler.
"""

from __future__ import annotations

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
    if value.size < FEW_VALUES or x.size == 1 or not is_searchable(x):
        return np.stack([np.interp(value, x, table) for table in tables])
    # The compiler is loaded on first use.
    from alm_core.learning.table_kernels import interpolate_into

    result = np.empty((len(tables), value.size))
    # Copies, because arrays that came from another process may be read-only, and the kernel would be compiled anew for those.
    x, tables = np.array(x, dtype=float), np.array(tables, dtype=float, order="C")
    interpolate_into(np.ascontiguousarray(value).ravel(), x, tables, slopes_of(x, tables), *search_bins(x), result)
    return result.reshape(len(tables), *value.shape)


def is_searchable(x: np.ndarray) -> bool:
    """Whether `search_bins` can serve these knots; a single one needs no search."""
    with np.errstate(over="ignore"):
        return x.size == 1 or NARROWEST < float(x[-1] - x[0]) < np.inf


def search_bins(x: np.ndarray) -> tuple[np.ndarray, float]:
    """For even bins over the knots, the last knot at or before each bin's beginning, and bins per unit of x."""
    if x.size == 1:
        return np.zeros(1, np.int32), 0.0
    width = float(x[-1] - x[0])
    count = BINS_PER_KNOT * x.size
    edges = x[0] + np.arange(count) * (width / count)
    return np.clip(np.searchsorted(x, edges, side="right") - 1, 0, x.size - 2).astype(np.int32), count / width


def slopes_of(x: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Slopes after each knot ``[table, knot]``, 0 after the last."""
    slopes = np.zeros(tables.shape)
    slopes[:, :-1] = np.diff(tables, axis=1) / np.diff(x)
    return slopes
