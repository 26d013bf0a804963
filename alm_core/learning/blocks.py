"""Blocks of space and time, and how whole blocks are dealt to folds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alm_core.learning.knndm import EARTH_RADIUS_METRES


def block_labels(
    x: np.ndarray,
    y: np.ndarray,
    *,
    geographic: bool,
    size_metres: float,
    size_degrees: float | None = None,
    unit_metres: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Number of the square block under every site.

    On the sphere, rows of blocks follow the parallels and every row is cut into as many blocks as fit around it, so that
    blocks keep their size towards the poles and none is cut by the 180th meridian.

    Parameters
    ----------
    shift : tuple of float
        Part of a block by which the pattern is moved, across and along.
    """
    if not geographic:
        size = size_metres / unit_metres
        column, row = np.floor(x / size + shift[0]), np.floor(y / size + shift[1])
        return np.unique(np.column_stack([column, row]), axis=0, return_inverse=True)[1].reshape(-1)
    if size_degrees is not None:
        row = np.floor((y + 90.0) / size_degrees + shift[1])
        column = np.floor((x + 180.0) % 360.0 / size_degrees + shift[0])
        return np.unique(np.column_stack([column, row]), axis=0, return_inverse=True)[1].reshape(-1)
    height = np.degrees(size_metres / EARTH_RADIUS_METRES)
    row = np.floor((y + 90.0) / height + shift[1])
    middle = np.clip((row + 0.5 - shift[1]) * height - 90.0, -90.0, 90.0)
    around = np.maximum(1, np.round(360.0 * np.cos(np.radians(middle)) / height))
    column = np.floor(((x + 180.0) / 360.0 % 1.0) * around + shift[0]) % around
    return np.unique(np.column_stack([column, row]), axis=0, return_inverse=True)[1].reshape(-1)


def deal_groups(labels: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Give whole groups to folds so that folds hold about the same number of sites."""
    names, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    fold_of, load = np.empty(len(names), dtype=np.int64), np.zeros(n_folds)
    for group in np.lexsort([rng.random(len(names)), -sizes]):
        fold = int(np.argmin(load))
        fold_of[group] = fold
        load[fold] += sizes[group]
    return fold_of[codes]


def as_days(dates: np.ndarray) -> np.ndarray:
    """Dates, or whole years as numbers, as datetime64 days."""
    if np.issubdtype(dates.dtype, np.number):
        years = pd.Series(dates, dtype="Float64").round()
        text = years.map(lambda year: f"{int(year):04d}-01-01", na_action="ignore")
        return pd.to_datetime(text, errors="coerce").to_numpy().astype("datetime64[D]")
    return pd.to_datetime(pd.Series(dates)).to_numpy().astype("datetime64[D]")


def deal_stretches(sizes: np.ndarray, n_folds: int) -> np.ndarray:
    """Cut a row of counts into stretches of about the same sum, none empty."""
    fold_of, fold, held, left = np.empty(len(sizes), dtype=np.int64), 0, 0, int(sizes.sum())
    for place, size in enumerate(sizes):
        target = (held + left) / (n_folds - fold)
        units_left = len(sizes) - place
        full = held > 0 and held + size / 2 > target
        if fold < n_folds - 1 and held > 0 and (full or units_left <= n_folds - 1 - fold):
            fold, held = fold + 1, 0
        fold_of[place] = fold
        held += int(size)
        left -= int(size)
    return fold_of
