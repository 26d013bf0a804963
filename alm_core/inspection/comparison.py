"""The comparison of learners of a run, as pages show it: scores, paired differences, ranking, combinations of covariates."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from alm_core.workspace import Run, read_json

COMPARISON_FILE = "comparison.json"
SCORES = ("r2", "rmse", "rmse_se", "mae", "me")
DIFFERENCES = ("rmse_difference", "standard_error", "p_value")


@dataclass(frozen=True)
class SchemeComparison:
    """Learners under one validation scheme.

    Attributes
    ----------
    scheme : str
    folds, repeats : int
    scores : DataFrame
        ``name``, ``kind``, `SCORES`; the smallest error first.
    differences : DataFrame
        ``learner``, ``against``, `DIFFERENCES`: how much larger the error is than that of the first.
    best : str or None
        None where a tie is declared.
    tied : tuple of str
        Learners that can't be told apart; empty where one is best.
    """

    scheme: str
    folds: int
    repeats: int
    scores: pd.DataFrame
    differences: pd.DataFrame
    best: str | None
    tied: tuple[str, ...]

    @property
    def leader(self) -> str:
        """The learner with the smallest error, best or tied."""
        return str(self.scores["name"].iloc[0])

    @property
    def nearest(self) -> pd.Series | None:
        """The difference that is closest to chance: the learner that comes nearest to the leader."""
        known = self.differences.dropna(subset=["p_value"])
        known = self.differences if known.empty else known
        if known.empty:
            return None
        by = "rmse_difference" if known["p_value"].isna().all() else "p_value"
        return known.loc[known[by].idxmin() if by == "rmse_difference" else known[by].idxmax()]


@dataclass(frozen=True)
class Combination:
    """A set of covariates that was tried.

    Attributes
    ----------
    features : tuple of str
    rmse : float
    rmse_se : float or None
    chosen, leading : bool
        The smallest set that is enough; the first one in rank of its size, which the curve goes through.
    """

    features: tuple[str, ...]
    rmse: float
    rmse_se: float | None
    chosen: bool
    leading: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ModelComparison:
    """All of it.

    Attributes
    ----------
    schemes : dict
        Scheme to `SchemeComparison`.
    deciding, learner : str or None
        Scheme and learner of the ranking and of the combinations.
    importance : DataFrame
        ``feature``, ``value``, ``standard_error``; the most important first.
    combinations : tuple of Combination
        In the order in which they were tried.
    chosen : tuple of str
    """

    schemes: dict[str, SchemeComparison]
    deciding: str | None
    learner: str | None
    importance: pd.DataFrame
    combinations: tuple[Combination, ...]
    chosen: tuple[str, ...]


def model_comparison(run: Run) -> ModelComparison | None:
    """The comparison of learners of a run; None where the study asked for none."""
    path = run.folder / COMPARISON_FILE
    if not path.is_file():
        return None
    content = read_json(path)
    importance = table(content.get("importance", ()), ("feature", "value", "standard_error"))
    return ModelComparison(
        {name: scheme_comparison(name, values) for name, values in content["schemes"].items()},
        content.get("deciding"),
        content.get("learner"),
        importance.sort_values("value", ascending=False, kind="stable").reset_index(drop=True),
        combinations(content.get("combinations", ()), tuple(content.get("chosen", ()))),
        tuple(content.get("chosen", ())),
    )


def scheme_comparison(scheme: str, values: dict[str, Any]) -> SchemeComparison:
    """One scheme of comparison.json."""
    scores = table(values["learners"], ("name", "kind", *SCORES)).sort_values("rmse", kind="stable")
    return SchemeComparison(
        scheme,
        int(values["folds"]),
        int(values["repeats"]),
        scores.reset_index(drop=True),
        table(values["differences"], ("learner", "against", *DIFFERENCES)),
        values.get("best"),
        tuple(values.get("tied") or ()),
    )


def table(entries: Any, columns: tuple[str, ...]) -> pd.DataFrame:
    """Entries as a table of these columns; a number that was not written is NaN.

    Examples
    --------
    >>> table([{"feature": "x", "value": 1.0}], ("feature", "value", "standard_error")).isna().iloc[0].tolist()
    [False, False, True]
    """
    words = ("name", "kind", "learner", "against", "feature")
    rows = [{name: entry.get(name) for name in columns} for entry in entries]
    found = pd.DataFrame(rows, columns=list(columns))
    numbers = [name for name in columns if name not in words]
    found[numbers] = found[numbers].astype(float)
    return found


def combinations(entries: Any, chosen: tuple[str, ...]) -> tuple[Combination, ...]:
    """Sets that were tried: those that follow the ranking come first, one of each size, and the curve goes through them."""
    found, sizes = [], set()
    for entry in entries:
        features = tuple(entry["features"])
        error = entry.get("rmse_se")
        found.append(
            Combination(
                features,
                float(entry["rmse"]),
                None if error is None or not math.isfinite(error) else float(error),
                set(features) == set(chosen),
                len(features) not in sizes,
            )
        )
        sizes.add(len(features))
    return tuple(found)
