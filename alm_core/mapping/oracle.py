"""The first block of a map, compared with what the libraries themselves predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alm_core.errors import LearnerError
from alm_core.learning.learners import single_thread
from alm_core.mapping.block import Predictor
from alm_core.trees.native import TOLERANCE, NativePredictor

MAXIMUM_CELLS = 4000
"""Cells that are compared: four ensembles of full size take about a second for so many."""


@dataclass(frozen=True)
class OracleReport:
    """How far compiled members are from their libraries.

    Attributes
    ----------
    differences : dict
        Name of each member made of trees to its largest difference, in units of the target, or of probability for classes.
    without : tuple of str
        Members that are not made of trees: they are asked through their own library anyway, so there is nothing to compare.
    cells : int
        Cells compared.
    tolerance : float
        The largest difference that would have been let pass, in the same units.
    largest_error : dict
        Name of each member made of trees to the bound of what rounding its leaves does to any cell of the map, in units of its
        margin (the target itself, or log-odds of boosted classes). The differences are what was found, this is what can be.
    """

    differences: dict[str, float]
    without: tuple[str, ...]
    cells: int
    tolerance: float
    largest_error: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for map.json and the card."""
        return {
            "differences": self.differences,
            "without": list(self.without),
            "cells": self.cells,
            "tolerance": self.tolerance,
            "largest_error": self.largest_error,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> OracleReport:
        """Inverse of `to_dict`."""
        largest_error = dict(values.get("largest_error", {}))  # not in the maps of older versions
        return cls(dict(values["differences"]), tuple(values["without"]), values["cells"], values["tolerance"], largest_error)


def check_first_block(
    values: np.ndarray,
    valid: np.ndarray,
    predictors: Sequence[Predictor],
    natives: Mapping[str, NativePredictor],
    *,
    tolerance: float = TOLERANCE,
    scale: float = 1.0,
) -> OracleReport:
    """Compare members with their libraries on a block, and refuse a difference.

    The members predict the whole block, as they do for the map (their kernels decide much for a block as a whole); up to 4000
    of its cells, evenly spread, are predicted by the libraries.

    Parameters
    ----------
    values : ndarray
        Covariates, float32 ``[covariate, row, column]``.
    valid : ndarray
        bool ``[row, column]``, the cells that the map predicts; at least one.
    predictors : sequence of Predictor
    natives : mapping
        Name of a predictor to its native one; those that have none are reported as such.
    tolerance : float
        Part of `scale`.
    scale : float
        Range of the training target, so that the bar means the same for moisture (0.6) and for kelvin (a range of 20, far from
        0); 1 for classes, whose probabilities have that range.

    Raises
    ------
    LearnerError
        Names the member, the cell and both numbers.

    Examples
    --------
    >>> class Double:
    ...     name = "double"
    ...     def predict_block(self, values, valid):
    ...         return 2.0 * values[0, valid]
    >>> class Native:
    ...     def predict(self, rows):
    ...         return 2.0 * rows[:, 0]
    >>> check_first_block(np.ones((1, 2, 2), np.float32), np.ones((2, 2), bool), [Double()], {"double": Native()}).differences
    {'double': 0.0}
    """
    rows, columns = np.nonzero(valid)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(MAXIMUM_CELLS, len(rows))).round().astype(int))
    features = np.ascontiguousarray(values[:, rows[chosen], columns[chosen]].T)
    differences, without = {}, []
    for predictor in predictors:
        if predictor.name not in natives:
            without.append(predictor.name)
            continue
        with single_thread():
            found = np.asarray(predictor.predict_block(values, valid), float)[chosen]
            expected = np.asarray(natives[predictor.name].predict(features), float)
        apart = _apart(found, expected, predictor.name)
        worst = int(np.argmax(apart))
        differences[predictor.name] = float(apart[worst])
        if apart[worst] > tolerance * scale:
            place = f"row {rows[chosen[worst]]}, column {columns[chosen[worst]]} of the first block"
            raise LearnerError(
                f"The compiled member {predictor.name} predicts {_text(found[worst])} in {place}, where its own library predicts "
                f"{_text(expected[worst])}: {apart[worst]:.3g} apart, at most {tolerance * scale:.3g} was expected. No block was "
                "mapped. Delete the folder `models` of the run and run the study again; if it stays, use another learner and "
                "report this with the versions in run.json."
            )
    bounds = {predictor.name: getattr(predictor, "largest_error", None) for predictor in predictors}
    largest_error = {name: bound for name, bound in bounds.items() if bound is not None}
    return OracleReport(differences, tuple(without), len(chosen), tolerance * scale, largest_error)


def _apart(found: np.ndarray, expected: np.ndarray, name: str) -> np.ndarray:
    """Largest difference of each cell ``[cell]``; infinite where only one of the two is a number."""
    if found.shape != expected.shape:
        raise LearnerError(
            f"The compiled member {name} gives predictions of shape {found.shape}, its own library {expected.shape}. "
            "The model is of another task or other classes: delete the folder `models` of the run and run the study again."
        )
    apart = np.abs(found - expected)
    apart = np.where(np.isnan(found) & np.isnan(expected), 0.0, np.where(np.isnan(apart), np.inf, apart))
    return apart.reshape(len(found), -1).max(axis=1)


def _text(prediction: np.ndarray) -> str:
    return ", ".join(f"{value:.9g}" for value in np.atleast_1d(prediction))
