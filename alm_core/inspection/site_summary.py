"""Counts of sites for figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

UNKNOWN = "unknown"
BIN_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def bin_edges(values: np.ndarray, *, bins: int = 20) -> np.ndarray:
    """Edges of about `bins` equal bins at round numbers that hold every finite value.

    Examples
    --------
    >>> bin_edges(np.array([0.02, 0.88]), bins=10).round(6).tolist()
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    rough = (high - low) / bins
    size = 10.0 ** np.floor(np.log10(rough))
    step = size * next(part for part in BIN_STEPS if part * size >= rough * 0.999)
    first, last = np.floor(low / step), np.ceil(high / step)
    last = last + 1 if last * step <= high else last
    return np.arange(first, last + 1) * step


def value_histogram(sites: pd.DataFrame, *, by: str = "method", bins: int = 20) -> pd.DataFrame:
    """Count the sites by value and group.

    Parameters
    ----------
    sites : DataFrame
        With `site_id`, `value` and, where known, the column `by`; sites without a value are left out.
    by : str
        Column of the groups; sites without one are ``unknown``.
    bins : int
        About so many.

    Returns
    -------
    DataFrame
        One row per filled bin and group: `group`, `low`, `high`, `count`, `site_ids` (tuple). For labels instead of numbers `low`
        and `high` are both the label.
    """
    sites = sites[sites["value"].notna()]
    groups = group_labels(sites, by)
    numeric = pd.api.types.is_numeric_dtype(sites["value"])
    if numeric:
        edges = bin_edges(sites["value"].to_numpy(float), bins=bins)
        place = np.clip(np.searchsorted(edges, sites["value"].to_numpy(float), side="right") - 1, 0, len(edges) - 2)
        bounds: Sequence[tuple[Any, Any]] = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    else:
        labels = sorted(sites["value"].astype(str).unique())
        place = np.array([labels.index(value) for value in sites["value"].astype(str)], dtype=int)
        bounds = [(label, label) for label in labels]
    table = pd.DataFrame({"group": groups, "bin": place, "site_id": sites["site_id"].astype(str).to_numpy()})
    rows = [
        (group, *bounds[number], len(part), tuple(part["site_id"]))
        for (group, number), part in table.groupby(["group", "bin"], sort=True)
    ]
    return pd.DataFrame(rows, columns=["group", "low", "high", "count", "site_ids"])


def group_labels(sites: pd.DataFrame, by: str) -> np.ndarray:
    """Group of each site as text; ``unknown`` where it has none."""
    if by not in sites:
        return np.full(len(sites), UNKNOWN, dtype=object)
    return sites[by].astype("string").fillna(UNKNOWN).to_numpy(dtype=object)
