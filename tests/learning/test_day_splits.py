"""Splits of cell-days: who trains, who is tested, what is left out at the borders."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import FoldsError, LeakError
from alm_core.learning.day_splits import SCHEMES, make_split, places_of
from alm_core.learning.leaks import check_leaks
from tests.learning.day_table import replaced, table

SAMPLES = table(3000, check=300)


def split_of(scheme, samples=SAMPLES, **options):
    """A split of the made-up samples."""
    return make_split(scheme, samples, geographic=True, folds=options.pop("folds", 4), **options)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_labelled_row_is_tested_once_and_the_check_never_trains(scheme):
    """Tested rows are those that may be learned from; every row of the check is asked for once, and trains nothing."""
    split = split_of(scheme)
    tested = np.concatenate([rows for fold in split.folds for part, rows in fold.asked.items() if part in ("test", "validation")])
    if scheme == "random":
        tested = np.concatenate([tested, split.folds[0].train])
    assert sorted(tested) == np.flatnonzero(SAMPLES.learns).tolist()
    asked = np.concatenate([fold.asked["check"] for fold in split.folds])
    assert sorted(asked) == np.flatnonzero(SAMPLES.is_check).tolist()
    for fold in split.folds:
        assert not SAMPLES.is_check[fold.train].any()
        assert not set(fold.train) & (set(fold.asked["test"]) | set(fold.asked["check"]))


@pytest.mark.parametrize("scheme", ["year", "block", "site"])
def test_honest_splits_leak_nothing_by_construction(scheme):
    """No training sample of the same cell within 10 days, none of the same day within 100 km, for test rows and the check."""
    split = split_of(scheme, gap_days=10)
    places = places_of(SAMPLES, geographic=True)
    found = split.leaks(places)
    assert (found.same_cell, found.same_day) == (0.0, 0.0)
    check_leaks(found)
    for fold in split.folds:
        days = np.abs(SAMPLES.column("day")[fold.train][:, None] - SAMPLES.column("day")[fold.asked["check"]][None, :])
        same = SAMPLES.column("cell")[fold.train][:, None] == SAMPLES.column("cell")[fold.asked["check"]][None, :]
        assert not (same & (days <= 10)).any()


def test_a_random_split_leaks_and_is_refused_without_a_reason():
    """Its figures say how much, and a reason lets it pass."""
    split = split_of("random")
    found = split.leaks(places_of(SAMPLES, geographic=True))
    assert found.same_day > 0.05
    assert found.same_cell > 0.2
    with pytest.raises(LeakError, match="random_because"):
        check_leaks(found)
    check_leaks(found, because="to compare with published scores")


def test_the_random_parts_have_the_sizes_that_were_asked_for():
    """70, 15 and 15 per cent."""
    fold = split_of("random").folds[0]
    assert [len(fold.asked[part]) for part in ("training", "validation", "test")] == [1890, 405, 405]


def test_days_at_the_borders_of_a_year_train_nothing():
    """With a gap of 20 days no training day is within 20 days of the tested period."""
    for fold in split_of("year", gap_days=20).folds:
        day = SAMPLES.column("day")
        tested = day[fold.asked["test"]]
        assert np.abs(day[fold.train][:, None] - tested[None, :]).min() > 20


def test_sites_are_left_out_one_by_one_under_their_names():
    """Few places make a fold each; two sites in one cell go together."""
    samples = table(800, side=2, step=3.0)
    cell = samples.column("cell")
    samples = replaced(samples, site=np.where(cell == 0, np.where(samples.column("day") % 2, "a", "b"), cell.astype(str)))
    split = split_of("site", samples, folds=4)
    assert sorted(fold.name for fold in split.folds) == ["1", "2", "3", "a + b"]
    for fold in split.folds:
        assert not set(cell[fold.train]) & set(cell[fold.asked["test"]])


def test_near_samples_of_the_day_stay_where_asked():
    """With near_km = 0 nothing is left out of the training of a block, and the leak is told."""
    split = split_of("block", near_km=0.0)
    for fold in split.folds:
        assert len(fold.train) + len(fold.asked["test"]) == SAMPLES.learns.sum()
    assert split.leaks(places_of(SAMPLES, geographic=True)).same_day > 0.01


def test_the_same_seed_gives_the_same_split():
    """And another seed another one."""
    first, again, other = (split_of("block", seed=seed).folds[0].train for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("scheme", "samples", "words"),
    [
        ("year", table(300, years=1), "split by year needs two or more"),
        ("block", table(300, step=0.001), "Choose smaller blocks"),
        ("block", replaced(table(300), label=1.0), "both states"),
        ("weekday", table(300), "random, year, block, site"),
        ("year", replaced(table(300), label=np.nan), "0 labelled cell-days"),
    ],
)
def test_what_can_not_be_split_is_refused_in_words(scheme, samples, words):
    """One year, one block, one state, an unknown scheme, no labels."""
    with pytest.raises(FoldsError, match=words):
        split_of(scheme, samples, seed=1)
