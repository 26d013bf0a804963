"""Predictions of cell-days by models that never saw them, and what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from alm_core.cubes.states import FROZEN, STATES, THAWED
from alm_core.learning.day_learners import frozen_probability, make_day_learner
from alm_core.learning.day_samples import DaySamples
from alm_core.learning.day_scores import (
    Resamples,
    group_scores,
    intervals,
    mean_interval,
    site_scores,
    state_scores,
    worst_places,
)
from alm_core.learning.day_splits import DayFold, DaySplit
from alm_core.learning.discriminant import PublishedDiscriminant, RefittedDiscriminant
from alm_core.learning.out_of_fold import check_disjoint
from alm_core.learning.procedure import LearnerSpec

CHECK = "check"
TRAINING = "training"
COLUMNS = ("sample", "scheme", "fold", "part", "learner", "probability", "predicted", "observed")

Predict = Callable[[np.ndarray], np.ndarray]
"""Rows of the samples to the probability of frozen."""


@dataclass(frozen=True)
class Candidate:
    """Something that is fitted to rows of the samples and asked for others.

    Attributes
    ----------
    name : str
    fit : callable
        Takes the rows that train, gives a function of the rows that are asked for.
    note : str
        What the tables of its scores must say of it.
    """

    name: str
    fit: Callable[[np.ndarray], Predict]
    note: str = ""


def learner_candidates(
    samples: DaySamples, specs: Sequence[LearnerSpec], *, seed: int = 0, categorical: Sequence[str] = ()
) -> list[Candidate]:
    """The learners of a study."""
    features, label, names = samples.features, samples.label, samples.names

    def candidate(spec: LearnerSpec) -> Candidate:
        def fit(train: np.ndarray) -> Predict:
            learner = make_day_learner(spec.kind, options=spec.options, seed=seed, names=names, categorical=categorical)
            learner.fit(features[train], label[train].astype(int))
            return lambda rows: frozen_probability(learner, features[rows])

        return Candidate(spec.name, fit)

    return [candidate(spec) for spec in specs]


def baseline_candidates(vertical_36: np.ndarray, horizontal_18: np.ndarray, label: np.ndarray) -> list[Candidate]:
    """The published discriminant function as it is, and the same refitted on the rows that train.

    Parameters
    ----------
    vertical_36, horizontal_18 : ndarray
        Brightness temperatures of every sample, K; NaN where missing.
    label : ndarray
        States of every sample.
    """

    def of(model: Any) -> Predict:
        return lambda rows: model.predict(vertical_36[rows], horizontal_18[rows])[1]

    def refit(train: np.ndarray) -> Predict:
        return of(RefittedDiscriminant.fit(vertical_36[train], horizontal_18[train], label[train].astype(int)))

    published = PublishedDiscriminant()
    return [
        Candidate(published.kind, lambda train: of(published), published.note),
        Candidate(RefittedDiscriminant.kind, refit, RefittedDiscriminant.note),
    ]


def predict_split(
    samples: DaySamples,
    split: DaySplit,
    candidates: Sequence[Candidate],
    *,
    workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """Fit every candidate without each fold and ask it for the fold.

    Rows of the check are asked of the same models: those that saw nothing of their year, block or cell.

    Returns
    -------
    DataFrame
        ``sample`` (row of the samples), ``scheme, fold, part`` (training, validation, test, check), ``learner, probability`` (of
        frozen), ``predicted`` (0, 1; 255 where the probability is missing), ``observed``. Rows of part ``training`` were
        learned from; they are there for a random split only, to be told and not to be believed.

    Raises
    ------
    LeakError
        A row that is tested was trained on.
    """
    tasks = [(fold, candidate) for fold in split.folds for candidate in candidates]
    for fold in split.folds:
        for part in set(fold.asked) - {TRAINING}:
            check_disjoint(fold.train, fold.asked[part], what=f"The model of fold {fold.name} of the split {split.scheme!r}")

    def one(number: int, fold: DayFold, candidate: Candidate) -> list[pd.DataFrame]:
        predict = candidate.fit(fold.train)
        found = [_rows(samples, split.scheme, fold, part, candidate.name, predict) for part in fold.asked]
        if progress is not None:
            progress(number + 1, len(tasks), f"{split.scheme}: {candidate.name} without {fold.name}")
        return found

    parts = Parallel(n_jobs=workers, prefer="threads")(delayed(one)(number, *task) for number, task in enumerate(tasks))
    frame = pd.concat([part for found in parts for part in found], ignore_index=True)
    return frame.astype({"scheme": "category", "part": "category", "learner": "category"})


def _rows(samples: DaySamples, scheme: str, fold: DayFold, part: str, name: str, predict: Predict) -> pd.DataFrame:
    rows = fold.asked[part]
    probability = np.asarray(predict(rows), float) if len(rows) else np.zeros(0)
    known = np.isfinite(probability)
    predicted = np.where(known, np.where(np.nan_to_num(probability) >= 0.5, FROZEN, THAWED), 255).astype(np.uint8)
    observed = (samples.check if part == CHECK else samples.label)[rows]
    return pd.DataFrame(
        {
            "sample": rows.astype(np.int64),
            "scheme": scheme,
            "fold": np.int16(fold.number),
            "part": part,
            "learner": name,
            "probability": probability.astype(np.float32),
            "predicted": predicted,
            "observed": observed.astype(np.uint8),
        },
        columns=list(COLUMNS),
    )


@dataclass(frozen=True)
class Scorer:
    """Turns predictions of samples into scores.

    Attributes
    ----------
    samples : DaySamples
    groups : mapping
        Kind of group to the group of every sample; see `alm_core.learning.day_scores.day_groups`.
    draws : Resamples
    """

    samples: DaySamples
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    draws: Resamples | None = None

    def scheme(self, frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """Scores of every learner of one split: of the test part, with all groups; of a random split its three ``parts`` too."""
        found = {}
        for name in dict.fromkeys(frame["learner"].astype(str)):
            own = frame[frame["learner"] == name]
            found[name] = self.full(own[own["part"] == "test"])
            others = [part for part in (TRAINING, "validation", "test") if (own["part"] == part).any()]
            if len(others) > 1:
                found[name]["parts"] = {part: self.plain(own[own["part"] == part]) for part in others}
        return found

    def compare(self, frame: pd.DataFrame, learner: str, baseline: str) -> dict[str, dict[str, Any]]:
        """How far a learner is ahead of a baseline, on the tested rows that both answer for.

        A baseline that reads two channels has nothing to say where a swath is missing; scores of its own rows can't be held
        against those of all rows.

        Returns
        -------
        dict
            ``all`` and the two groups of months to ``count``, ``learner`` and ``baseline`` (accuracy), ``difference`` and its
            ``interval`` over draws of whole places (where there are draws).
        """
        tested = frame[frame["part"] == "test"]
        first, second = (tested[tested["learner"] == name] for name in (learner, baseline))
        both = first.merge(second, on="sample", suffixes=("", "_baseline")).dropna(subset=["probability", "probability_baseline"])
        right = both["predicted"].eq(both["observed"]).to_numpy(float)
        other = both["predicted_baseline"].eq(both["observed"]).to_numpy(float)
        sample = both["sample"].to_numpy()
        months = np.asarray(self.groups["transition"])[sample] if "transition" in self.groups else np.full(len(sample), "")
        parts = {"all": np.ones(len(sample), bool)} | {name: months == name for name in sorted(set(months.tolist()) - {""})}
        return {name: self._ahead(sample[rows], right[rows], other[rows]) for name, rows in parts.items() if rows.any()}

    def _ahead(self, sample: np.ndarray, right: np.ndarray, other: np.ndarray) -> dict[str, Any]:
        found = {"count": len(sample), "learner": float(right.mean()), "baseline": float(other.mean())}
        found["difference"] = found["learner"] - found["baseline"]
        if self.draws is not None:
            found["interval"] = mean_interval(sample, right - other, self.draws)
        return found

    def check(self, frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """Scores of every learner against the independent product."""
        own = frame[frame["part"] == CHECK]
        return {name: self.full(own[own["learner"] == name]) for name in dict.fromkeys(own["learner"].astype(str))}

    def plain(self, rows: pd.DataFrame) -> dict[str, Any]:
        """Scores and their intervals."""
        sample, observed, probability = _arrays(rows)
        if not np.isfinite(probability).any():
            return {"count": 0, "missing": len(rows), "classes": list(STATES)}
        scores = state_scores(observed, probability)
        bounds = intervals(sample, observed, probability, self.draws) if self.draws is not None else {}
        return scores | {"interval": bounds}

    def full(self, rows: pd.DataFrame) -> dict[str, Any]:
        """Scores, and those by group, of the worst cells and of every site."""
        sample, observed, probability = _arrays(rows)
        scores = self.plain(rows)
        if not scores["count"]:
            return scores
        if self.draws is not None:
            scores["by"] = group_scores(sample, observed, probability, self.groups, self.draws)
        where = [self.samples.column(name)[sample] for name in ("cell", "x", "y")]
        scores["worst_cells"] = worst_places(where[0], observed, probability, *where[1:])
        sites = self.samples.sites
        if sites is not None:
            scores["sites"] = site_scores(sites[sample], observed, probability)
        return scores


def _arrays(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rows["sample"].to_numpy(), rows["observed"].to_numpy(float), rows["probability"].to_numpy(float)
