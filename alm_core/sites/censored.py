"""Censored values: a probe that did not reach the frozen ground says "more than 124", not 124.

Such a cell is a bound on the target. It never becomes a number to learn from; it is kept apart and held against predictions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from alm_core.sites.columns import parse_numbers
from alm_core.sites.faults import Faults, name_rows

BOUNDS = ("lower_bound", "upper_bound")
"""Columns of the table of bounds; one of the two is a number, the other infinite."""
SIGN = re.compile(r"(<=?|>=?|≤|≥)\s*(.*)")
CHOICES = ("refuse", "bounds")


@dataclass(frozen=True)
class BoundScores:
    """How predictions stand to bounds.

    Attributes
    ----------
    count, below, above : int
        Bounds, of which upper ones (``<66``) and lower ones (``>124``).
    respected : float
        Share of the bounds that the prediction respects.
    mean_violation : float
        By how much the prediction is on the wrong side, in the unit of the target; 0 for those that respect theirs.
    largest_violation : float
    """

    count: int
    below: int
    above: int
    respected: float
    mean_violation: float
    largest_violation: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def split_censored(
    cells: pd.Series, rows: np.ndarray, column: str, faults: Faults, *, comma: bool = False
) -> tuple[pd.Series, np.ndarray, np.ndarray]:
    """Part the cells of a column into plain ones and bounds.

    Parameters
    ----------
    cells : Series
        As the file holds them.
    rows : ndarray
        Row of each cell, for messages.
    column : str
    faults : Faults
        Receives a sign without a number.
    comma : bool
        Numbers have a decimal comma.

    Returns
    -------
    Series
        The cells, empty where there was a bound.
    ndarray, ndarray
        Lower and upper bound; -inf and inf where there is none.

    Examples
    --------
    >>> plain, lower, upper = split_censored(pd.Series(["35", "<66", ">124"]), np.arange(3), "ALT", Faults("table"))
    >>> plain.tolist(), lower.tolist(), upper.tolist()
    (['35', '', ''], [-inf, -inf, 124.0], [inf, 66.0, inf])
    """
    lower, upper = np.full(len(cells), -np.inf), np.full(len(cells), np.inf)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return cells, lower, upper
    found = [SIGN.fullmatch(_plain(cell)) if isinstance(cell, str) else None for cell in cells]
    marked = np.array([match is not None for match in found], bool)
    if not marked.any():
        return cells, lower, upper
    numbers = pd.Series([match.group(2).strip() or "nothing" for match in found if match is not None], dtype=object)
    bounds = np.full(len(cells), np.nan)
    bounds[marked] = parse_numbers(numbers, np.asarray(rows)[marked], column, faults, comma=comma)
    upward = np.array([match is not None and match.group(1)[0] in ">≥" for match in found], bool)
    lower[upward], upper[marked & ~upward] = bounds[upward], bounds[marked & ~upward]
    plain = cells.astype(object).copy()
    plain[marked] = ""
    return plain, lower, upper


def take_bounds(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Take the rows that hold a bound out of a table that has the columns of `BOUNDS`.

    Returns
    -------
    DataFrame
        The other rows, without these columns.
    DataFrame
        The rows with a bound.
    list of str
        A note that counts and names them; none where there are none.
    """
    bounded = np.isfinite(frame[list(BOUNDS)].to_numpy(float)).any(axis=1)
    rest = frame[~bounded].drop(columns=list(BOUNDS)).reset_index(drop=True)
    bounds = frame[bounded].drop(columns="value").sort_values(["site_id", "source_row"], kind="stable").reset_index(drop=True)
    if not len(bounds):
        return rest, bounds, []
    below = int(np.isfinite(bounds["upper_bound"]).sum())
    note = (
        f"{len(bounds)} censored value(s), {below} below and {len(bounds) - below} above a bound, at "
        f"{bounds['site_id'].nunique()} site(s): kept out of training, used as bounds in validation "
        f"({name_rows(bounds['source_row'].tolist())})"
    )
    return rest, bounds, [note]


def bound_scores(lower: np.ndarray, upper: np.ndarray, predicted: np.ndarray) -> BoundScores:
    """Hold predictions against bounds; a place without a prediction does not count.

    Examples
    --------
    >>> scores = bound_scores(np.array([-np.inf, 124.0]), np.array([66.0, np.inf]), np.array([60.0, 100.0]))
    >>> scores.respected, scores.mean_violation
    (0.5, 12.0)
    """
    known = np.isfinite(predicted)
    lower, upper, predicted = (np.asarray(part, float)[known] for part in (lower, upper, predicted))
    beyond = np.maximum(np.maximum(lower - predicted, predicted - upper), 0.0)
    above = int(np.isfinite(lower).sum())
    if not len(beyond):
        return BoundScores(0, 0, 0, float("nan"), float("nan"), float("nan"))
    return BoundScores(
        len(beyond), len(beyond) - above, above, float((beyond == 0).mean()), float(beyond.mean()), float(beyond.max())
    )


def summarise_bounds(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Scores of rows with ``lower, upper, predicted`` (None: no bound), for metrics.json."""
    numbers = pd.DataFrame(rows, columns=["lower", "upper", "predicted"]).astype(float)
    lower, upper = numbers["lower"].fillna(-np.inf).to_numpy(), numbers["upper"].fillna(np.inf).to_numpy()
    return bound_scores(lower, upper, numbers["predicted"].to_numpy()).to_dict()


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()
