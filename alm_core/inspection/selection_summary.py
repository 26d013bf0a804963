"""What a page shows of a finished selection: paths, how stable the choice is, which covariates say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from alm_core.covariates.samples import Samples
from alm_core.learning.selection import Selection
from alm_core.workspace import Run, read_json

FUSED = "fused"


def read_selection(run: Run) -> Selection | None:
    """The selection of a run; None where the study switched it off.

    Raises
    ------
    MissingFileError
        The run has not come so far.
    """
    values = read_json(run.file("selection.json"))
    return Selection.from_dict(values) if values["enabled"] else None


def elimination_paths(selection: Selection) -> pd.DataFrame:
    """The path as the mean of the learners (``fused``) and each learner alone judge it.

    Returns
    -------
    DataFrame
        `learner`, `features` (count), `score`, `standard_error` (of the difference to the learner's best set, paired over the
        splits), `chosen`.
    """
    columns = ["learner", "features", "score", "standard_error", "chosen"]
    return pd.concat([selection.path.assign(learner=FUSED)[columns], selection.learner_paths[columns]], ignore_index=True)


def path_steps(selection: Selection) -> pd.DataFrame:
    """One row per set of the path, largest first.

    Returns
    -------
    DataFrame
        `features`, `score`, `standard_error`, `within_one_error`, `best`, `chosen`, and `dropped` (tuple of names that left after
        this set).
    """
    names = ["features", "score", "standard_error", "within_one_error", "best", "chosen"]
    dropped = [tuple(text.split(";")) if isinstance(text, str) and text else () for text in selection.path["dropped"]]
    return selection.path[names].assign(dropped=dropped)


@dataclass(frozen=True, eq=False)
class ChoiceStability:
    """How often each covariate is chosen.

    Attributes
    ----------
    frequency : DataFrame
        One row per covariate, the most important first: `covariate`, `chosen`, `importance`, `splits` (part of the selection's
        own splits that would choose it) and one column per scheme (part of the outer folds whose own selection chose it).
    folds : dict
        Scheme to its number of outer folds; empty where the selection was not run again inside them.
    n_splits : int
    """

    frequency: pd.DataFrame
    folds: dict[str, int]
    n_splits: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"frequency": self.frequency.to_dict("records"), "folds": self.folds, "n_splits": self.n_splits}


def choice_stability(selection: Selection, metrics: Mapping[str, Any] | None = None) -> ChoiceStability:
    """Put the frequencies of a covariate's choice side by side.

    Parameters
    ----------
    selection : Selection
    metrics : mapping, optional
        metrics.json of the run; its folds count only where the selection was nested.
    """
    table = selection.importance.sort_values("importance", ascending=False, kind="stable")
    frequency = table[["chosen", "importance"]].assign(splits=table["frequency"]).reset_index(names="covariate")
    folds: dict[str, int] = {}
    if metrics is not None and metrics["selection_nested"]:
        for scheme, notes in metrics["folds"].items():
            folds[scheme] = len(notes)
            found = fold_frequency(notes)
            frequency[scheme] = [found.get(name, 0.0) for name in frequency["covariate"]]
    return ChoiceStability(frequency, folds, selection.n_splits)


def fold_frequency(notes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Part of the folds that used a covariate.

    Examples
    --------
    >>> fold_frequency([{"features": ["ndvi", "slope"]}, {"features": ["ndvi"]}])
    {'ndvi': 1.0, 'slope': 0.5}
    """
    names = sorted({name for note in notes for name in note["features"]})
    return {name: sum(name in note["features"] for note in notes) / len(notes) for name in names}


@dataclass(frozen=True, eq=False)
class Correlations:
    """Which covariates rank the sites alike.

    Attributes
    ----------
    matrix : DataFrame
        ``|rho|`` (Spearman) of every pair, ordered so that alike covariates are neighbours; NaN where one is constant.
    groups : tuple of tuple of str
        As the selection used them.
    distinct : tuple of tuple of str
        Groups whose members turned out to differ.
    limit : float
        ``|rho|`` above which covariates form a group.
    """

    matrix: pd.DataFrame
    groups: tuple[tuple[str, ...], ...]
    distinct: tuple[tuple[str, ...], ...]
    limit: float

    def pairs(self, count: int = 10) -> pd.DataFrame:
        """The pairs most alike: `first`, `second`, `rho` (absolute), largest first."""
        names = list(self.matrix)
        rows, columns = np.triu_indices(len(names), k=1)
        rho = self.matrix.to_numpy()[rows, columns]
        order = np.argsort(-np.nan_to_num(rho), kind="stable")[:count]
        return pd.DataFrame(
            {
                "first": [names[row] for row in rows[order]],
                "second": [names[column] for column in columns[order]],
                "rho": rho[order],
            }
        )

    def weakest_pair(self, group: Sequence[str]) -> float:
        """Smallest ``|rho|`` within a group."""
        part = self.matrix.loc[list(group), list(group)].to_numpy()
        return float(part[np.triu_indices(len(group), k=1)].min())


def read_correlations(run: Run) -> Correlations:
    """Correlations of all covariates over the kept sites of a run."""
    options = run.record["options"]["selection"]
    samples = Samples.from_parquet(run.file("samples.parquet"))
    selection = read_selection(run)
    groups = selection.groups if selection else ()
    distinct = selection.distinct_groups if selection else ()
    return Correlations(correlation_matrix(samples.features), groups, distinct, float(options["correlation"]))


def correlation_matrix(features: pd.DataFrame) -> pd.DataFrame:
    """``|rho|`` (Spearman) of every pair, ordered by complete linkage on ``1 - |rho|`` with alike leaves side by side."""
    names = sorted(features.columns)
    rho = features[names].corr(method="spearman").abs()
    if len(names) < 3:
        return rho
    distance = 1.0 - np.nan_to_num(rho.to_numpy(copy=True))
    distance = np.clip((distance + distance.T) / 2.0, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    flat = squareform(distance, checks=False)
    order = [names[leaf] for leaf in leaves_list(linkage(flat, "complete", optimal_ordering=True))]
    return rho.loc[order, order]
