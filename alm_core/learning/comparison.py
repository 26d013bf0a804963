"""Several learners on the same folds: who predicts best, and whether the difference is more than chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.learning.held_out import LearnerEntry, Trial
from alm_core.learning.paired import PairedDifference, paired_difference, rmse_error

Progress = Callable[[int, int, str], None]
SIGNIFICANT = 0.05
SCHEME_NAMES = {"random": "random folds", "block": "folds of blocks", "knndm": "kNNDM folds"}


@dataclass(frozen=True)
class LearnerScore:
    """Pooled held-out scores of one learner over all repeats.

    Attributes
    ----------
    name, kind : str
    r2 : float
        ``1 - SSE / SST``; 0 is no better than the mean of the tested sites.
    rmse, mae, me : float
        In the unit of the target; `me` is predicted less observed.
    rmse_se : float
        Standard error of `rmse`, corrected for training sets that overlap.
    """

    name: str
    kind: str
    r2: float
    rmse: float
    mae: float
    me: float
    rmse_se: float


@dataclass(frozen=True)
class LearnerDifference:
    """A learner against the one with the smallest error.

    Attributes
    ----------
    learner, against : str
    difference : PairedDifference
        Not negative.
    """

    learner: str
    against: str
    difference: PairedDifference

    def to_dict(self) -> dict[str, Any]:
        """Plain values for comparison.json."""
        return {"learner": self.learner, "against": self.against, **self.difference.to_dict()}


@dataclass(frozen=True)
class LearnerComparison:
    """Learners side by side under one scheme.

    Attributes
    ----------
    scheme : str
    folds, repeats : int
    learners : tuple of LearnerScore
        Smallest error first.
    differences : tuple of LearnerDifference
        Every other learner against the first.
    best : str or None
        None where a tie is declared.
    tied : tuple of str
        The first learner and those within one standard error of it; empty where one is best.
    sentence : str
    """

    scheme: str
    folds: int
    repeats: int
    learners: tuple[LearnerScore, ...]
    differences: tuple[LearnerDifference, ...]
    best: str | None
    tied: tuple[str, ...]
    sentence: str

    @property
    def leader(self) -> str:
        """Name of the learner with the smallest error, best or tied."""
        return self.learners[0].name

    def to_dict(self) -> dict[str, Any]:
        """Plain values for comparison.json."""
        return {
            "folds": self.folds,
            "repeats": self.repeats,
            "learners": [asdict(score) for score in self.learners],
            "differences": [entry.to_dict() for entry in self.differences],
            "best": self.best,
            "tied": list(self.tied),
            "sentence": self.sentence,
        }


def compare_learners(
    trial: Trial, learners: Sequence[LearnerEntry], *, unit: str = "", progress: Progress | None = None
) -> LearnerComparison:
    """Score learners on the same folds and name the best, or declare a tie.

    The learner with the smallest pooled error leads. Those whose paired difference to it is within one standard error tie with
    it; where there are none, it is best. Scores are those of learners with all their covariates and no tuning: what was tuned or
    selected on all sites does not belong here. Not for scoring a map, which fuses its members: see
    `alm_core.learning.validation`.

    Parameters
    ----------
    trial : Trial
        Sites and folds, by `alm_core.learning.held_out.make_trial`; imputing and scaling happen inside each training part.
    learners : sequence of (name, kind, options)
        Kinds of `alm_core.learning.learners.make_learner`, two or more.
    unit : str
        Of the target, for the sentence.
    progress : callable, optional
        Called as ``progress(done, total, message)``.

    Returns
    -------
    LearnerComparison

    Raises
    ------
    LearnerError
        Fewer than two learners, two of one name, or a fit that failed.

    Examples
    --------
    >>> import pandas as pd
    >>> from alm_core.learning.folds import make_folds
    >>> from alm_core.learning.held_out import make_trial
    >>> x = np.linspace(-1, 1, 80)
    >>> folds = make_folds("random", x=x, y=x, geographic=False, n_folds=5)
    >>> trial = make_trial(pd.DataFrame({"x": x}), 3 * x, folds)
    >>> found = compare_learners(trial, [("plane", "linear", {}), ("neighbours", "nearest_neighbours", {})])
    >>> found.best, found.tied
    ('plane', ())
    """
    names = [name for name, _, _ in learners]
    if len(names) < 2 or len(set(names)) < len(names):
        raise LearnerError(f"The learners {', '.join(names) or 'none'} came: two or more with names of their own are expected.")
    scores, errors = [], {}
    for number, entry in enumerate(learners):
        if progress:
            progress(number, len(learners), f"{trial.folds.scheme}: {entry[0]}")
        predictions = trial.predictions(entry)
        errors[entry[0]] = trial.squared_errors(predictions)
        scores.append(_score(trial, entry, predictions))
    scores.sort(key=lambda score: (score.rmse, score.name))
    leader = scores[0].name
    differences = tuple(
        LearnerDifference(score.name, leader, paired_difference(errors[score.name], errors[leader], trial.splits))
        for score in scores[1:]
    )
    near = [entry.learner for entry in differences if _within_one_error(entry.difference)]
    tied = (leader, *near) if near else ()
    folds = len(trial.splits) // trial.folds.repeats
    text = _sentence(trial, scores, differences, tied, unit)
    return LearnerComparison(
        trial.folds.scheme, folds, trial.folds.repeats, tuple(scores), differences, None if tied else leader, tied, text
    )


def _within_one_error(difference: PairedDifference) -> bool:
    return not difference.rmse_difference > difference.standard_error


def _score(trial: Trial, entry: LearnerEntry, predictions: Sequence[np.ndarray]) -> LearnerScore:
    observed = trial.tested
    error = np.concatenate(predictions) - observed
    mean_square = float(np.mean(error**2))
    return LearnerScore(
        name=entry[0],
        kind=entry[1],
        r2=1.0 - mean_square / float(np.var(observed)),
        rmse=mean_square**0.5,
        mae=float(np.mean(np.abs(error))),
        me=float(np.mean(error)),
        rmse_se=rmse_error(trial.squared_errors(predictions), trial.splits),
    )


def _sentence(
    trial: Trial, scores: Sequence[LearnerScore], differences: Sequence[LearnerDifference], tied: Sequence[str], unit: str
) -> str:
    """The result in plain words."""
    first, after = scores[0], f" {unit}" if unit else ""
    way = SCHEME_NAMES.get(trial.folds.scheme, f"{trial.folds.scheme} folds")
    if tied:
        text = (
            f"By {way}, no learner is best: {_listed(tied)} lie within one standard error of each other; {first.name} has the "
            f"smallest error (RMSE {first.rmse:#.3g}{after}, R2 {first.r2:.2f})."
        )
    else:
        # the learner that comes closest, which is not always the second by its error
        nearest = max(differences, key=lambda entry: np.nan_to_num(entry.difference.p_value, nan=1.0))
        found = nearest.difference
        text = (
            f"By {way}, {first.name} predicts best (RMSE {first.rmse:#.3g}{after}, R2 {first.r2:.2f}); {nearest.learner} comes "
            f"closest, worse by {found.rmse_difference:.2g} with a standard error of {found.standard_error:.2g} "
            f"(p = {found.p_value:.2g})."
        )
        if not found.p_value < SIGNIFICANT:
            text += " That may still be chance."
    if first.r2 <= 0:
        text += " None of them predicts better than the mean of the sites."
    return text


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
