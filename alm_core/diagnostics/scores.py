"""Scores of every scheme and learner side by side, as tables that a figure can draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from alm_core.learning.validation import FUSED

NAN = float("nan")
REGRESSION_METRICS = ("r2", "rmse", "mae", "mean_error", "ccc", "sd_ratio", "picp")
CLASS_METRICS = ("overall_accuracy", "kappa", "balanced_accuracy", "f1_macro", "mcc")
NOTEWORTHY = 0.05
"""A difference of the first score between random folds and the headline that is worth a sentence."""


def metric_names(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """Scores that a page offers, those that this run has."""
    wanted = REGRESSION_METRICS if metrics["task"] == "regression" else CLASS_METRICS
    found = {name for columns in metrics["schemes"].values() for scores in columns.values() for name in scores}
    return tuple(name for name in wanted if name in found)


def first_metric(metrics: Mapping[str, Any]) -> str:
    """The score that stands for all others: R2, or the overall accuracy of classes."""
    return "r2" if metrics["task"] == "regression" else "overall_accuracy"


def headline_scheme(metrics: Mapping[str, Any]) -> str:
    """The scheme that answers for the map, or the first one where that was not run."""
    schemes = list(metrics["schemes"])
    return metrics["headline"] if metrics["headline"] in schemes else schemes[0]


def score_table(metrics: Mapping[str, Any], metric: str) -> pd.DataFrame:
    """One score of every scheme and column with its bootstrap interval.

    Parameters
    ----------
    metrics : mapping
        metrics.json.
    metric : str

    Returns
    -------
    DataFrame
        ``scheme, column, value, low, high``; the bounds are NaN where the run gave none.
    """
    rows = []
    for scheme, columns in metrics["schemes"].items():
        for column, scores in columns.items():
            value = scores.get(metric)
            low, high = (scores.get("interval") or {}).get(metric) or (None, None)
            rows.append((scheme, column, *(NAN if part is None else float(part) for part in (value, low, high))))
    return pd.DataFrame(rows, columns=["scheme", "column", "value", "low", "high"])


@dataclass(frozen=True)
class HonestGap:
    """What random folds alone would have printed against what answers for the map.

    Attributes
    ----------
    metric : str
        R2 or overall accuracy, of the fused prediction.
    scheme : str
        The headline scheme.
    random, honest : float
        NaN `random` where random folds were not run.
    interval : tuple of float
        Bootstrap interval of `honest`, NaN where there is none.
    """

    metric: str
    scheme: str
    random: float
    honest: float
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """How much too good random folds look."""
        return self.random - self.honest

    @property
    def noteworthy(self) -> bool:
        """True where the difference is worth a sentence."""
        return bool(np.isfinite(self.difference) and self.difference > NOTEWORTHY)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def honest_gap(metrics: Mapping[str, Any], metric: str | None = None) -> HonestGap:
    """Compare random folds with the scheme that answers for the map."""
    metric = metric or first_metric(metrics)
    scheme = headline_scheme(metrics)
    table = score_table(metrics, metric)
    fused = table[table["column"] == FUSED].set_index("scheme")
    random = float(fused["value"].get("random", NAN))
    row = fused.loc[scheme]
    return HonestGap(metric, scheme, random, float(row["value"]), (float(row["low"]), float(row["high"])))
