"""Score tables."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.diagnostics.scores import headline_scheme, honest_gap, metric_names, score_table


@pytest.fixture
def metrics():
    """Two schemes, one learner and the fusion."""

    def scores(r2, interval=True):
        return {"r2": r2, "rmse": 0.1, "interval": {"r2": [r2 - 0.1, r2 + 0.1]} if interval else {}}

    return {
        "task": "regression",
        "headline": "knndm",
        "schemes": {
            "random": {"forest": scores(0.6), "fused": scores(0.65)},
            "knndm": {"forest": scores(0.4), "fused": scores(0.5)},
        },
    }


def test_a_table_holds_every_scheme_and_column(metrics):
    """With bounds where there are any."""
    table = score_table(metrics, "r2")
    assert table[["scheme", "column"]].agg("-".join, axis=1).tolist() == [
        "random-forest",
        "random-fused",
        "knndm-forest",
        "knndm-fused",
    ]
    assert table["low"].tolist() == pytest.approx([0.5, 0.55, 0.3, 0.4])
    assert score_table(metrics, "rmse")["low"].isna().all()


def test_the_gap_is_what_random_folds_would_have_printed_too_much(metrics):
    """0.65 against 0.50, worth a sentence."""
    gap = honest_gap(metrics)
    assert (gap.random, gap.honest, gap.scheme, gap.interval) == (0.65, 0.5, "knndm", pytest.approx((0.4, 0.6)))
    assert gap.difference == pytest.approx(0.15)
    assert gap.noteworthy


def test_without_random_folds_there_is_no_gap(metrics):
    """NaN, and nothing to note."""
    del metrics["schemes"]["random"]
    gap = honest_gap(metrics)
    assert np.isnan(gap.random)
    assert not gap.noteworthy


def test_a_headline_that_was_not_run_gives_way(metrics):
    """The first scheme stands in."""
    assert headline_scheme(metrics | {"headline": "time"}) == "random"


def test_only_scores_that_the_run_has_are_offered(metrics, class_run):
    """Of numbers and of classes."""
    assert metric_names(metrics) == ("r2", "rmse")
    assert metric_names(class_run.metrics())[:2] == ("overall_accuracy", "kappa")
