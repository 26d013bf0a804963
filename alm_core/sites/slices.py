"""Which time slice a measurement belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from alm_core.errors import SitesError

OUTSIDE = ""
"""Slice of a row that belongs to none: its year is unknown, before the first slice or after the last."""
SliceYears = tuple[str, int, int]
"""Name, first and last year of a slice; both years belong to it."""


def slice_of_years(years: np.ndarray, slices: Sequence[SliceYears]) -> np.ndarray:
    """Name of the slice of each year, `OUTSIDE` for a year that is in none or NaN.

    Examples
    --------
    >>> slice_of_years(np.array([1984.0, 1985.0, 2020.0, np.nan]), [("a", 1980, 1984), ("b", 1985, 1989)]).tolist()
    ['a', 'b', '', '']
    """
    years = np.asarray(years, float)
    names = np.full(years.shape, OUTSIDE, object)
    for name, first, last in slices:
        names[(years >= first) & (years <= last)] = name
    return names


def with_slices(frame: pd.DataFrame, slices: Sequence[SliceYears]) -> tuple[pd.DataFrame, list[str]]:
    """Add the column `slice` to rows with a date.

    Returns
    -------
    DataFrame
    list of str
        A note that counts the rows outside every slice.

    Raises
    ------
    SitesError
        The table has neither dates nor years.
    """
    if "date" not in frame:
        raise SitesError(
            "The study has [[slices]], but the table has neither dates nor years, so no row belongs to a slice. "
            "Name the column in [sites.columns]: date or year."
        )
    year = frame["date"].dt.year.to_numpy(float)
    names = slice_of_years(year, slices)
    unknown, outside = int(np.isnan(year).sum()), int((names == OUTSIDE).sum())
    notes = []
    if outside:
        notes.append(
            f"{outside} row(s) outside every slice ({slices[0][1]} to {slices[-1][2]}), {unknown} of them without a year"
        )
    return frame.assign(slice=pd.Series(names, index=frame.index, dtype="str")), notes
