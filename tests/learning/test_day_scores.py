"""Scores of two states, their groups and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import DomainError, SitesError
from alm_core.learning.class_metrics import class_scores
from alm_core.learning.day_scores import (
    Resamples,
    day_groups,
    group_scores,
    intervals,
    quick_scores,
    site_scores,
    state_scores,
    worst_places,
)

RNG = np.random.default_rng(4)
OBSERVED = (RNG.random(600) < 0.4).astype(float)
PROBABILITY = np.clip(0.25 + 0.5 * OBSERVED + RNG.normal(0, 0.25, 600), 0, 1)
CELL = RNG.integers(0, 30, 600)


def test_scores_are_those_of_any_classification():
    """Against the scores of the other studies, and the Brier score by hand."""
    scores = state_scores(OBSERVED, PROBABILITY)
    expected = class_scores(OBSERVED.astype(int), (PROBABILITY >= 0.5).astype(int))
    for name in ("overall_accuracy", "kappa", "mcc", "balanced_accuracy", "f1_macro", "quantity_disagreement", "confusion"):
        assert scores[name] == expected[name]
    assert scores["brier"] == pytest.approx(np.mean((PROBABILITY - OBSERVED) ** 2))
    assert scores["producers_accuracy"]["frozen"] == pytest.approx(np.mean(PROBABILITY[OBSERVED == 1] >= 0.5))
    assert scores["users_accuracy"]["frozen"] == pytest.approx(np.mean(OBSERVED[PROBABILITY >= 0.5]))


def test_many_matrices_at_once_are_scored_as_one():
    """The quick way of the intervals gives the numbers of the slow one."""
    matrices = np.array([[[30, 5], [2, 40]], [[1, 9], [9, 1]], [[0, 3], [7, 0]]], float)
    found = quick_scores(matrices)
    for place, ((a, b), (c, d)) in enumerate(matrices.astype(int).tolist()):
        y = np.repeat([0, 1, 0, 1], [a, b, c, d])
        f = np.repeat([0, 0, 1, 1], [a, b, c, d])
        expected = class_scores(y, f, labels=(0, 1))
        for name, values in found.items():
            assert values[place] == pytest.approx(expected[name]), name


def test_intervals_draw_cells():
    """They hold the score, and are wider where the errors of a cell are alike."""
    rows = np.arange(600)
    draws = Resamples.of(CELL, count=200, seed=1)
    found = intervals(rows, OBSERVED, PROBABILITY, draws)
    scores = state_scores(OBSERVED, PROBABILITY)
    for name, (low, high) in found.items():
        assert low < scores[name] < high
    alike = np.where(CELL < 6, 1 - OBSERVED, OBSERVED)  # six cells are always wrong
    single = intervals(rows, OBSERVED, alike, Resamples.of(rows, count=200, seed=1))["overall_accuracy"]
    whole = intervals(rows, OBSERVED, alike, draws)["overall_accuracy"]
    assert np.diff(whole)[0] > 2 * np.diff(single)[0]
    assert found == intervals(rows, OBSERVED, PROBABILITY, Resamples.of(CELL, count=200, seed=1))


def test_missing_predictions_are_counted_and_left_out():
    """NaN is no state; nothing at all can't be scored."""
    probability = np.where(np.arange(600) < 100, np.nan, PROBABILITY)
    scores = state_scores(OBSERVED, probability)
    assert (scores["count"], scores["missing"]) == (500, 100)
    with pytest.raises(SitesError, match="none of 600"):
        state_scores(OBSERVED, np.full(600, np.nan))
    with pytest.raises(DomainError, match="one of each"):
        state_scores(OBSERVED, PROBABILITY[:-1])


def test_groups_part_the_samples():
    """Counts add up; a group of one state has no kappa."""
    dates = np.datetime64("2011-01-01") + np.arange(600)
    heights = {"elevation": np.where(np.arange(600) < 50, np.nan, np.arange(600.0))}
    groups = day_groups(dates, categories={"cover": (np.arange(600) % 3).astype(float)}, heights=heights)
    summer = np.isin(dates.astype("datetime64[M]").astype(int) % 12, (5, 6, 7))
    observed = np.where(summer, 0.0, OBSERVED)
    found = group_scores(np.arange(600), observed, PROBABILITY, groups, Resamples.of(CELL, count=20))
    assert list(found) == ["season", "transition", "year", "cover", "elevation"]
    for kind, by_name in found.items():
        assert sum(one["count"] for one in by_name.values()) == 600, kind
    assert list(found["season"]) == ["DJF", "JJA", "MAM", "SON"]
    assert np.isnan(found["season"]["JJA"]["kappa"])
    assert 0 < found["season"]["DJF"]["kappa"] < 1
    assert list(found["elevation"]) == ["1: 50 to 187", "2: 187 to 324", "3: 324 to 462", "4: 462 to 599", "missing"]
    assert list(found["cover"]) == ["0", "1", "2"]


def test_the_worst_cells_come_first():
    """Cells with few tested days are not ranked."""
    cell = np.repeat([1, 2, 3, 4], [10, 10, 10, 2])
    observed, probability = np.ones(32), np.ones(32)
    probability[10:16] = 0.0
    probability[20:22] = 0.0
    probability[30:] = 0.0
    found = worst_places(cell, observed, probability, cell * 1.0, cell * 2.0, least=5)
    assert [(one["cell"], one["overall_accuracy"], one["y"]) for one in found] == [(2, 0.4, 4.0), (3, 0.8, 6.0), (1, 1.0, 2.0)]


def test_every_site_has_its_own_scores():
    """Rows without a site are not one."""
    sites = np.array(["b", "a", "b", ""], object)
    found = site_scores(sites, np.array([1.0, 0, 0, 1]), np.array([0.9, 0.2, 0.8, 0.1]))
    assert {name: (one["count"], one["overall_accuracy"]) for name, one in found.items()} == {"a": (1, 1.0), "b": (2, 0.5)}
