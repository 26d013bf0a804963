"""Predictions of sites by models that never saw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import LeakError


def check_disjoint(fitted: Sequence[Any] | np.ndarray, scored: Sequence[Any] | np.ndarray, *, what: str) -> None:
    """Refuse to score something on sites that it was fitted on.

    Raises
    ------
    LeakError
        A site is on both sides.
    """
    shared = np.intersect1d(np.asarray(fitted, dtype=str), np.asarray(scored, dtype=str))
    if shared.size:
        raise LeakError(
            f"{what} was fitted on {shared.size} of the {len(scored)} sites that are to score it "
            f"({', '.join(shared[:5])}...). Fit it on the training part of the fold only."
        )


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold predictions in long form: one row per scheme, repeat and scored site.

    Attributes
    ----------
    frame : DataFrame
        Columns ``scheme, repeat, fold, site_id, observed``, one column per learner, ``fused``, ``lower``, ``upper`` and the
        baselines. In a classification the learners' columns hold labels, ``fused`` the fused label, and ``p:<label>`` the
        fused probabilities.
    learners : tuple of str
        The members of the fusion, in order.
    baselines : tuple of str
        Other columns that are scored beside them, such as kriging.
    """

    frame: pd.DataFrame
    learners: tuple[str, ...]
    baselines: tuple[str, ...] = ()

    @property
    def schemes(self) -> tuple[str, ...]:
        """Schemes in the order in which they were run."""
        return tuple(dict.fromkeys(self.frame["scheme"]))

    def of(self, scheme: str, repeat: int | None = None) -> pd.DataFrame:
        """Rows of one scheme (and one repeat), sorted by repeat and site."""
        rows = self.frame[self.frame["scheme"] == scheme]
        if repeat is not None:
            rows = rows[rows["repeat"] == repeat]
        return rows.sort_values(["repeat", "site_id"], kind="stable")

    def to_parquet(self, path: Path) -> None:
        """Write the table."""
        self.frame.to_parquet(path, index=False)

    @classmethod
    def from_parquet(cls, path: Path, *, learners: Sequence[str], baselines: Sequence[str] = ()) -> OutOfFold:
        """Read the table."""
        return cls(pd.read_parquet(path), tuple(learners), tuple(baselines))

    @classmethod
    def join(cls, parts: Sequence[OutOfFold]) -> OutOfFold:
        """Put several schemes into one table."""
        baselines = tuple(dict.fromkeys(name for part in parts for name in part.baselines))
        return cls(pd.concat([part.frame for part in parts], ignore_index=True), parts[0].learners, baselines)
