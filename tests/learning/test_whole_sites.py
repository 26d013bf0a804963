"""Rows of one site are never on both sides of a fold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alm_core.errors import FoldsError
from alm_core.learning.folds import Folds, make_folds

RNG = np.random.default_rng(8)
SITES = np.repeat(np.arange(60), RNG.integers(1, 5, 60))
PLACES = np.column_stack([RNG.uniform(60, 120, 60), RNG.uniform(50, 75, 60)])[SITES]
DOMAIN = np.column_stack([RNG.uniform(60, 120, 300), RNG.uniform(50, 75, 300)])
ROWS = {"x": PLACES[:, 0], "y": PLACES[:, 1], "geographic": True, "domain": DOMAIN, "seed": 3, "n_folds": 4}
VALUES = RNG.normal(size=len(SITES))
EXTRA = {
    "random": {"strata": VALUES},
    "block": {"block_size_km": 300},
    "knndm": {},
    "survey": {"groups": RNG.choice(["north", "south"], len(SITES))},
    "time": {"dates": RNG.integers(1980, 2020, len(SITES))},
    "holdout": {"strata": (VALUES > 0).astype(str)},
}


@pytest.mark.parametrize("scheme", EXTRA)
def test_no_site_is_on_both_sides(scheme):
    """Whatever the scheme deals; every row is tested once, or is on one side of a hold-out."""
    folds = make_folds(scheme, **ROWS, **EXTRA[scheme], together=SITES)
    tested = np.zeros(len(SITES), int)
    for _, _, train, test in folds.splits():
        assert len(train)
        assert not set(SITES[train]) & set(SITES[test])
        tested[test] += 1
    assert set(tested) == ({0, 1} if scheme == "holdout" else {1})
    again = Folds.from_dict(json.loads(json.dumps(folds.to_dict())))
    for one, two in zip(folds.splits(), again.splits(), strict=True):
        np.testing.assert_array_equal(one[2], two[2])


def test_without_them_sites_leak():
    """The rows of one site part in ordinary random folds: the test above can fail."""
    folds = make_folds("random", **ROWS)
    assert any(set(SITES[train]) & set(SITES[test]) for _, _, train, test in folds.splits())


@pytest.mark.parametrize("scheme", EXTRA)
def test_sites_of_one_row_change_nothing(scheme):
    """Where every row is a site of its own the folds are those of a call without sites."""
    plain = make_folds(scheme, **ROWS, **EXTRA[scheme])
    named = make_folds(scheme, **ROWS, **EXTRA[scheme], together=np.arange(len(SITES)))
    assert plain.to_dict() == named.to_dict()


def test_what_groups_and_years_cost_is_told():
    """Rows left out of the training are counted for each fold; a site in every year leaves nobody to learn from."""
    folds = make_folds("time", **ROWS, **EXTRA["time"], together=SITES)
    for _, fold, train, test in folds.splits():
        assert folds.details["left_out_of_training"][str(fold)] == len(SITES) - len(train) - len(test)
    assert folds.details["places"] == 60
    every = np.tile(np.arange(15), 4)
    rows = {**ROWS, "x": PLACES[:60, 0], "y": PLACES[:60, 1]}
    with pytest.raises(FoldsError, match="nothing is left to learn from"):
        make_folds("time", **rows, dates=np.repeat([1980, 1990, 2000, 2010], 15), together=every)


def test_fewer_sites_than_folds_is_a_fault():
    """Twelve rows of three sites are three, not twelve."""
    with pytest.raises(FoldsError, match="12 rows of 3 sites came and 4 folds"):
        make_folds("random", x=np.zeros(12), y=np.zeros(12), geographic=False, n_folds=4, together=np.repeat([0, 1, 2], 4))
