"""The fitted model of a study of days, as its maps ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.cubes.states import FROZEN
from alm_core.errors import DomainError, LearnerError, ModelFileError
from alm_core.learning.learners import Learner
from alm_core.learning.missing import takes_missing
from alm_core.learning.model_files import load_learner, load_native
from alm_core.trees.ensemble import TreeEnsemble
from alm_core.trees.native import TOLERANCE
from alm_core.workspace import read_json

MODELS = "models.json"
FOLDER = "models"
MOST_COMPARED = 4000
WHAT_TO_DO = "Delete the folder `models` of the run and run the study again."


@dataclass(frozen=True)
class DayModel:
    """A learner of the two states, made for whole days.

    Attributes
    ----------
    name : str
        Of the learner in the study.
    learner : Learner
    names : tuple of str
        Predictors, in the order of the first axis of what is asked.
    missing : str
        ``leave_out``: cell-days that lack a predictor get none; ``route``: they go the way that the trees send them.
    folder : Path
        The run.
    """

    name: str
    learner: Learner
    names: tuple[str, ...]
    missing: str
    folder: Path

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Probability of frozen.

        Parameters
        ----------
        values : ndarray
            float32 ``[feature, day, cell]``.
        valid : ndarray
            bool ``[day, cell]``: what to predict. Cell-days that lack a predictor are left out as well, unless they are routed.

        Returns
        -------
        ndarray
            float64 ``[day, cell]``, NaN where nothing was predicted.

        Raises
        ------
        DomainError
            Shapes that don't fit.
        """
        values, asked = self._checked(values, valid)
        found = np.full(asked.shape, np.nan)
        if asked.any():
            trees = self._frozen_trees
            found[asked] = (
                self.learner.predict_block(values, asked)[:, self._column]
                if trees is None
                else trees.predict_block(values, asked)
            )
        return found

    def check_block(self, values: np.ndarray, valid: np.ndarray, *, tolerance: float = TOLERANCE) -> float:
        """Largest difference between the compiled trees and their own library over up to 4000 of the cell-days.

        Raises
        ------
        LearnerError
            It is larger than `tolerance` (of a probability).
        """
        values, asked = self._checked(values, valid)
        day, cell = np.nonzero(asked)
        if not len(day):
            return 0.0
        chosen = np.unique(np.linspace(0, len(day) - 1, min(MOST_COMPARED, len(day))).round().astype(int))
        rows = np.ascontiguousarray(values[:, day[chosen], cell[chosen]].T)
        native = load_native(self.folder / FOLDER, self.name).predict(rows)[:, self._column]
        found = self.predict_block(values, valid)[day[chosen], cell[chosen]]
        apart = float(np.abs(found - native).max())
        if not apart <= tolerance:
            raise LearnerError(
                f"The compiled learner {self.name} is {apart:.3g} from its own library, at most {tolerance:g} was expected. No "
                f"day was mapped. {WHAT_TO_DO} If it stays, use another learner."
            )
        return apart

    def _checked(self, values: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, valid = np.asarray(values, np.float32), np.asarray(valid, bool)
        if values.ndim != 3 or len(values) != len(self.names) or values.shape[1:] != valid.shape:
            raise DomainError(
                f"Predictors of shape {values.shape} came with cell-days of {valid.shape}: [{len(self.names)}, day, cell] and "
                f"[day, cell] are expected, the predictors being {', '.join(self.names)}."
            )
        if self.missing == "route":
            return values, valid
        complete = np.isfinite(values[0])
        for layer in values[1:]:
            complete &= np.isfinite(layer)
        return values, valid & complete

    @cached_property
    def _frozen_trees(self) -> TreeEnsemble | None:
        """Trees of a forest for the one probability that is asked for; None for all other learners."""
        estimator = self.learner.estimator
        return estimator.of_class(FROZEN) if isinstance(estimator, TreeEnsemble) else None

    @property
    def _column(self) -> int:
        return list(self.learner.classes_).index(FROZEN)


def load_day_model(folder: str | Path, name: str | None = None) -> DayModel:
    """Read a fitted model of a run of days; no file of it holds code.

    Parameters
    ----------
    folder : path
        The run: the folder with models.json.
    name : str, optional
        One of the saved learners; default: the one that makes the maps.

    Raises
    ------
    MissingFileError
        The models of the run are not finished.
    ModelFileError
        A file is damaged, or of another study than models.json.
    LearnerError
        Missing predictors are to be routed, and the learner takes none.
    """
    folder = Path(folder)
    facts = read_json(folder / MODELS)
    chosen, names, missing = _facts(facts, name)
    learner = load_learner(folder / FOLDER, chosen)
    if learner.task != "classification" or FROZEN not in learner.classes_.tolist():
        raise ModelFileError(f"The learner {chosen} does not tell frozen from thawed: it is of another study. {WHAT_TO_DO}")
    if tuple(learner.feature_names) != names:
        raise ModelFileError(
            f"The learner {chosen} was fitted to {', '.join(learner.feature_names)}; {MODELS} tells of "
            f"{', '.join(names)}. {WHAT_TO_DO}"
        )
    if missing == "route" and not takes_missing(learner):
        raise LearnerError(
            f'[days] missing = "route" sends cell-days that lack a predictor through the learner, but {chosen} ({learner.kind}) '
            'takes none: set missing = "leave_out" or take extra_trees, random_forest, xgboost or catboost.'
        )
    return DayModel(chosen, learner, names, missing, folder)


def _facts(facts: Mapping[str, Any], name: str | None) -> tuple[str, tuple[str, ...], str]:
    try:
        chosen, names, saved, missing = name or facts["learner"], tuple(facts["features"]), facts["saved"], facts["missing"]
    except (KeyError, TypeError) as fault:
        raise ModelFileError(f"{MODELS} is damaged, or of a study that maps no days ({fault!r}). {WHAT_TO_DO}") from fault
    if chosen not in saved or missing not in ("leave_out", "route"):
        raise ModelFileError(f"{MODELS} knows no saved learner {chosen!r} (it has {', '.join(saved) or 'none'}). {WHAT_TO_DO}")
    return str(chosen), names, missing
