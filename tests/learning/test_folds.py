"""Schemes of folds: partitions, balance, leaks, faults."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alm_core.errors import FoldsError
from alm_core.learning.folds import Folds, make_folds

RNG = np.random.default_rng(5)
SITES = 150
X = np.concatenate([RNG.normal(92, 0.3, 90), RNG.uniform(85, 100, 60)])
Y = np.concatenate([RNG.normal(34, 0.3, 90), RNG.uniform(30, 38, 60)])
DOMAIN = np.column_stack([RNG.uniform(85, 100, 400), RNG.uniform(30, 38, 400)])
SURVEYS = np.array(["north", "south", "west"])[RNG.integers(0, 3, SITES)]
YEARS = RNG.integers(2009, 2025, SITES)
VALUES = RNG.normal(size=SITES)
EXTRA = {
    "random": {"repeats": 3, "strata": VALUES},
    "block": {"repeats": 2},
    "knndm": {},
    "survey": {"groups": SURVEYS},
    "method": {"groups": SURVEYS == "north"},
    "time": {"dates": YEARS},
    "holdout": {"strata": SURVEYS, "repeats": 2},
}


def folds_of(scheme: str, **more) -> Folds:
    """Folds of the sites above."""
    return make_folds(
        scheme, **({"x": X, "y": Y, "geographic": True, "domain": DOMAIN, "seed": 3} | EXTRA.get(scheme, {}) | more)
    )


@pytest.mark.parametrize("scheme", EXTRA)
def test_train_and_test_never_meet(scheme):
    """No row is in both parts; every scored site is tested once a repeat."""
    folds = folds_of(scheme)
    times = np.zeros(folds.assignment.shape, dtype=int)
    for repeat, _, train, test in folds.splits():
        assert len(train)
        assert len(test)
        assert not set(train) & set(test)
        times[repeat, test] += 1
    np.testing.assert_array_equal(times, folds.scored.astype(int))


@pytest.mark.parametrize("scheme", EXTRA)
def test_same_seed_same_folds_and_json(scheme):
    """Folds repeat to the bit, survive JSON, and describe their distances."""
    folds = folds_of(scheme)
    np.testing.assert_array_equal(folds.assignment, folds_of(scheme).assignment)
    read = Folds.from_dict(json.loads(json.dumps(folds.to_dict())))
    np.testing.assert_array_equal(read.assignment, folds.assignment)
    assert read.details == folds.details
    assert len(folds.details["distances"]["site_to_site"]) == SITES
    assert len(folds.details["distances"]["domain_to_site"]) == len(DOMAIN)
    assert len(folds.details["distances"]["test_to_train"]) == folds.scored[0].sum()
    assert folds.details["wasserstein"] > 0
    assert sum(folds.details["counts"].values()) + folds.details["train_only"] == SITES


@pytest.mark.parametrize("scheme", ["random", "block", "holdout"])
def test_repeats_and_seeds_differ(scheme):
    """Repeats are new draws, and so are seeds."""
    folds = folds_of(scheme)
    assert (folds.assignment[0] != folds.assignment[1]).any()
    assert (folds.assignment[0] != folds_of(scheme, seed=4).assignment[0]).any()


def test_random_folds_are_even_and_stratified():
    """Sizes differ by one at most, and every fold has its share of each quantile."""
    assignment = folds_of("random").assignment[0]
    assert np.ptp(np.bincount(assignment)) <= 1
    top = np.argsort(VALUES)[-30:]
    assert np.bincount(assignment[top], minlength=5).tolist() == [6] * 5


def test_classes_are_spread_over_folds():
    """A class of ten sites has two in each of five folds."""
    labels = np.repeat(["rare", "common"], [10, 140])
    assignment = folds_of("random", strata=labels).assignment[0]
    assert np.bincount(assignment[:10], minlength=5).tolist() == [2] * 5


@settings(max_examples=40, deadline=None)
@given(count=st.integers(8, 200), classes=st.integers(1, 5), seed=st.integers(0, 99))
def test_holdout_parts_have_the_asked_sizes(count, classes, seed):
    """70/15/15 to one site, for any number of sites and strata."""
    place = np.arange(float(count))
    strata = np.random.default_rng(seed).integers(0, classes, count)
    folds = make_folds("holdout", x=place, y=place, geographic=False, seed=seed, strata=strata)
    sizes = [(folds.assignment[0] == part).sum() for part in (-1, 0, 1)]
    np.testing.assert_allclose(sizes, np.array([0.7, 0.15, 0.15]) * count, atol=1.01)
    assert len(folds.validation_rows()) == sizes[1]


def test_holdout_trains_on_the_training_part_only():
    """The validation part is neither trained on nor scored."""
    folds = folds_of("holdout", repeats=1)
    ((_, fold, train, test),) = folds.splits()
    assert fold == 1
    assert not set(folds.validation_rows()) & (set(train) | set(test))
    assert len(train) + len(test) + len(folds.validation_rows()) == SITES


def test_blocks_are_whole():
    """Sites closer than the pattern can cut stay together: all sites of one spot are in one fold."""
    x, y = np.repeat(X[90:], 3), np.repeat(Y[90:], 3)
    assignment = make_folds("block", x=x, y=y, geographic=True, block_size_km=50, seed=1).assignment[0]
    assert (assignment.reshape(-1, 3) == assignment.reshape(-1, 3)[:, :1]).all()


def test_blocks_reach_further_than_random_folds():
    """Blocks bring test sites further from training sites."""
    reach = {
        name: np.median(folds_of(name, block_size_km=300).details["distances"]["test_to_train"]) for name in ("random", "block")
    }
    assert reach["block"] > 2 * reach["random"]


def test_groups_are_left_out_one_by_one():
    """Each survey is a fold; sites without one only train and are counted; a small one is named."""
    groups = SURVEYS.astype(object)
    groups[:4], groups[4:7], groups[7] = None, "tiny", " "
    folds = folds_of("survey", groups=groups)
    assert folds.details["group_of_fold"] == ["north", "south", "tiny", "west"]
    assert folds.details["without_group"] == folds.details["train_only"] == 5
    assert folds.details["small_groups"] == ["tiny"]
    for _, fold, train, test in folds.splits():
        name = folds.details["group_of_fold"][fold]
        assert set(groups[test]) == {name}
        assert name not in set(groups[train])


def test_many_groups_are_dealt_to_folds():
    """More than four groups a fold become a group k-fold, and the details say so."""
    groups = np.arange(SITES) // 5
    folds = folds_of("group", groups=groups)
    assert len(np.unique(folds.assignment)) == 5
    assert "dealt to folds" in folds.details["note"]
    for _, _, train, test in folds.splits():
        assert not set(groups[train]) & set(groups[test])


def test_time_folds_are_stretches_of_years():
    """A year is in one fold and folds follow each other; few years fall back to months."""
    folds = folds_of("time")
    assert folds.details["time_unit"] == "years"
    order = np.argsort(YEARS, kind="stable")
    assert (np.diff(folds.assignment[0][order]) >= 0).all()
    for _, _, train, test in folds.splits():
        assert not set(YEARS[train]) & set(YEARS[test])
    months = np.datetime64("2020-01", "M") + RNG.integers(0, 12, SITES)
    assert folds_of("time", dates=months).details["time_unit"] == "months"


def test_knndm_falls_back_to_random_folds():
    """Sites spread like the map: random folds with a note and the p-value."""
    net = np.meshgrid(np.linspace(85.5, 99.5, 15), np.linspace(30.4, 37.6, 10))
    folds = folds_of("knndm", x=net[0].ravel(), y=net[1].ravel())
    assert not folds.details["clustered"]
    assert "random folds" in folds.details["note"]
    assert folds_of("knndm").details["clustered"]
    assert folds_of("knndm").details["wasserstein"] < folds_of("random").details["wasserstein"]


def test_inner_folds_use_the_same_map():
    """kNNDM works inside a training part against the same points of the map."""
    _, _, train, _ = next(folds_of("knndm").splits())
    inner = make_folds("knndm", x=X[train], y=Y[train], geographic=True, domain=DOMAIN, n_folds=4)
    assert inner.assignment.shape == (1, len(train))
    assert len(inner.details["distances"]["domain_to_site"]) == len(DOMAIN)


@pytest.mark.parametrize(
    ("scheme", "change", "words"),
    [
        ("sandwich", {}, "not known"),
        ("random", {"x": X[:4], "y": Y[:4], "strata": None}, "4 sites came and 5 folds"),
        ("random", {"x": np.where(X > 99, np.nan, X)}, "no coordinates"),
        ("random", {"x": Y, "y": X}, "swapped"),
        ("random", {"y": Y[:5]}, "one x and one y"),
        ("random", {"n_folds": 1}, "at least 2"),
        ("random", {"strata": VALUES[:9]}, "strata of shape"),
        ("random", {"strata": np.where(VALUES > 0, np.nan, VALUES)}, "strata are missing"),
        ("block", {"block_size_km": 15000.0}, "smaller blocks"),
        ("block", {"block_size_km": 0.0}, "positive length"),
        ("knndm", {"domain": None}, "`domain`"),
        ("knndm", {"domain": np.zeros((3, 3))}, r"\[m, 2\]"),
        ("survey", {"groups": None}, "`groups`"),
        ("survey", {"groups": np.full(SITES, "only")}, "at least 2 groups and 1 came"),
        ("survey", {"groups": [None] * SITES}, "no labels at all"),
        ("time", {"dates": None}, "need a date"),
        ("time", {"dates": np.where(YEARS > 2022, np.nan, YEARS)}, "have no date"),
        ("time", {"dates": np.full(SITES, 2020)}, "1 different dates"),
        ("holdout", {"holdout": (0.5, 0.2, 0.2)}, "add up to 1"),
    ],
)
def test_faults_say_what_to_do(scheme, change, words):
    """Every request that can't be met stops with its own message."""
    with pytest.raises(FoldsError, match=words):
        folds_of(scheme, **change)
