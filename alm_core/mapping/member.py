"""A member of the ensemble as a map asks it: a fitted learner under the name that it has in the study.

In a module of its own, because worker processes read members and should not import all stages of a run for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.learning.learners import Learner
from alm_core.trees.ensemble import TreeEnsemble


@dataclass(frozen=True)
class Member:
    """A fitted learner with its name.

    Attributes
    ----------
    name : str
    learner : Learner
    classes : tuple
        All classes of the study; empty for a regression.
    """

    name: str
    learner: Learner
    classes: tuple[Any, ...] = ()

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Values, or probabilities over all classes of the study, of the valid cells of a block."""
        return self.learner.predict_block(values, valid)

    @property
    def largest_error(self) -> float | None:
        """Bound of what the rounding of leaf values does to a margin (`FixedLeaves`); None for a member that has no trees."""
        estimator = self.learner.estimator
        return estimator.block_form.fixed.largest_error if isinstance(estimator, TreeEnsemble) else None
