"""Paired differences with errors corrected for overlapping training sets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from alm_core.errors import FoldsError
from alm_core.learning.folds import make_folds
from alm_core.learning.paired import paired_difference, rmse_error


def splits_of(count: int, n_folds: int, repeats: int = 1):
    """Random folds as (train, test) pairs."""
    folds = make_folds("random", x=range(count), y=range(count), geographic=False, n_folds=n_folds, repeats=repeats)
    return [(train, test) for _, _, train, test in folds.splits()]


def test_formula_of_nadeau_and_bengio():
    """Equal folds: mean, s2 (1/J + n_test/n_train) and Student's t with J - 1 degrees of freedom, by hand."""
    rng = np.random.default_rng(0)
    splits = splits_of(100, 10, repeats=3)
    first, second = rng.chisquare(1, (30, 10)) * 1.3, rng.chisquare(1, (30, 10))
    difference = first.mean(axis=1) - second.mean(axis=1)
    error = np.sqrt(difference.var(ddof=1) * (1 / 30 + 10 / 90))
    found = paired_difference(first, second, splits)
    scale = np.sqrt(first.mean()) + np.sqrt(second.mean())
    assert found.rmse_difference == pytest.approx(np.sqrt(first.mean()) - np.sqrt(second.mean()))
    assert found.standard_error == pytest.approx(error / scale)
    assert found.p_value == pytest.approx(2 * student.sf(abs(difference.mean() / error), 29))


def test_unequal_folds_keep_the_pooled_error():
    """The difference is that of pooled errors, and turns its sign when the two change places."""
    splits = [(np.arange(4, 30), np.arange(4)), (np.r_[0:4, 20:30], np.arange(4, 20)), (np.arange(20), np.arange(20, 30))]
    rng = np.random.default_rng(1)
    first, second = ([rng.chisquare(2, len(test)) for _, test in splits] for _ in range(2))
    one, other = paired_difference(first, second, splits), paired_difference(second, first, splits)
    assert one.rmse_difference == pytest.approx(np.sqrt(np.concatenate(first).mean()) - np.sqrt(np.concatenate(second).mean()))
    assert one.rmse_difference == pytest.approx(-other.rmse_difference)
    assert one.p_value == pytest.approx(other.p_value)


def test_a_predictor_does_not_differ_from_itself():
    """No difference, no error, p = 1."""
    splits = splits_of(20, 4)
    errors = [np.arange(len(test), dtype=float) for _, test in splits]
    found = paired_difference(errors, errors, splits)
    assert (found.rmse_difference, found.standard_error, found.p_value) == (0.0, 0.0, 1.0)
    assert paired_difference([np.zeros(5)] * 4, [np.zeros(5)] * 4, splits).p_value == 1.0


def test_repeats_do_not_make_certainty():
    """A thousand repeats leave the part of the error that comes from overlapping training sets."""
    rng = np.random.default_rng(2)
    errors = [rmse_error(rng.chisquare(1, (10 * repeats, 10)), splits_of(100, 10, repeats=repeats)) for repeats in (1, 4, 40)]
    assert errors[2] > 0.6 * errors[0]


def test_one_fold_has_no_error():
    """A hold-out says nothing of its own uncertainty: NaN, and None in JSON."""
    found = paired_difference([np.ones(3)], [np.zeros(3)], [(np.arange(3, 9), np.arange(3))])
    assert np.isnan(found.standard_error)
    assert found.to_dict() == {"rmse_difference": 1.0, "standard_error": None, "p_value": None}


def test_folds_that_do_not_match():
    """As many errors as folds."""
    with pytest.raises(FoldsError, match="3 and 4 folds"):
        paired_difference([np.ones(1)] * 3, [np.ones(1)] * 4, splits_of(20, 4))
