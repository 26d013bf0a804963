"""Held-out predictions: on equal terms, from training rows alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import FoldsError, LeakError, SitesError
from alm_core.learning.folds import Folds, make_folds
from alm_core.learning.held_out import check_whole, make_trial
from alm_core.learning.learners import make_learner
from tests.learning.trials import normal_table, random_trial

PLANE = ("plane", "linear", {})


def test_predictions_are_those_of_a_learner_fitted_on_the_rest():
    """Split by split the same as fitting by hand."""
    table = normal_table(60, "abc")
    y = table["a"].to_numpy() + 0.1 * table["b"].to_numpy()
    trial = random_trial(table, y)
    for (train, test), found in zip(trial.splits, trial.predictions(PLANE), strict=True):
        values = table.to_numpy(np.float32)
        np.testing.assert_array_equal(found, make_learner("linear").fit(values[train], y[train]).predict(values[test]))


@pytest.mark.parametrize("kind", ["linear", "splines", "support_vector", "nearest_neighbours"])
def test_nothing_of_the_tested_rows_is_learned(kind):
    """Scaling, imputing and penalty come from the training rows: wild tested rows change no other prediction."""
    table = normal_table(60, "abc", seed=1)
    y = table["a"].to_numpy() ** 2
    trial = random_trial(table, y)
    _, test = trial.splits[0]
    wild, target = table.copy(), y.copy()
    wild.iloc[test[1:]] = 1e6
    target[test] = 1e6
    changed = make_trial(wild, target, trial.folds)
    entry = (kind, kind, {})
    assert changed.predictions(entry)[0][0] == trial.predictions(entry)[0][0]


def test_workers_and_order_of_covariates_change_nothing():
    """Two workers and turned columns give the same bits."""
    table = normal_table(50, "abc", seed=2)
    y = table["c"].to_numpy()
    entry = ("forest", "random_forest", {"n_estimators": 10})
    one = random_trial(table, y).predictions(entry)
    other = random_trial(table[["c", "a", "b"]], y, workers=2).predictions(entry)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_logarithms_come_back_as_means():
    """With a log target the held-out predictions are means, not medians, by residuals of the other folds."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"a": rng.uniform(0, 1, 800)})
    y = np.exp(1 + table["a"].to_numpy() + 0.8 * rng.normal(size=800))
    trial = random_trial(table, y, transform="log")
    mean = np.mean(np.concatenate(trial.predictions(PLANE)))
    assert mean == pytest.approx(y.mean(), rel=0.05)
    assert mean > 1.2 * np.exp(np.log(y)).mean() / np.exp(0.8**2 / 2)  # medians lie that much lower


def test_rows_of_one_site_stay_in_one_fold():
    """Duplicated sites: folds that part them are refused by name, folds of whole sites are not."""
    table = normal_table(40, "ab", seed=4)
    doubled = pd.concat([table, table], ignore_index=True)
    y = np.random.default_rng(5).normal(size=40)
    site = np.tile([f"site{number}" for number in range(40)], 2)
    places = np.tile(np.arange(40.0), 2)
    options = {"x": places, "y": places, "geographic": False, "n_folds": 5}
    split = make_folds("random", **options)
    with pytest.raises(LeakError, match="such as site"):
        make_trial(doubled, np.tile(y, 2), split, groups=site)
    whole = make_folds("random", **options, together=site)
    trial = make_trial(doubled, np.tile(y, 2), whole, groups=site)
    for train, test in trial.splits:
        assert not set(site[train]) & set(site[test])


def test_a_leak_would_be_seen_in_the_score():
    """Noise at doubled sites: parted rows let a neighbour learner read the answer, whole sites give it nothing."""
    table = normal_table(60, "abc", seed=6)
    y = np.random.default_rng(7).normal(size=60)
    doubled, target, site = pd.concat([table, table], ignore_index=True), np.tile(y, 2), np.tile(np.arange(60), 2)
    places = np.tile(np.arange(60.0), 2)
    scores = {}
    for name, together in (("parted", None), ("whole", site)):
        folds = make_folds("random", x=places, y=places, geographic=False, n_folds=5, together=together)
        trial = make_trial(doubled, target, folds)
        error = np.concatenate(trial.squared_errors(trial.predictions(("near", "nearest_neighbours", {"n_neighbors": 1}))))
        scores[name] = 1 - error.mean() / target.var()
    assert scores["parted"] > 0.5
    assert scores["whole"] < 0.1


@pytest.mark.parametrize(
    ("change", "fault", "words"),
    [
        (lambda X, y: (X[:-1], y), SitesError, "don't match"),
        (lambda X, y: (X, np.where(y > 0, "wet", "dry")), SitesError, "numbers are needed"),
        (lambda X, y: (X, np.zeros(len(y))), SitesError, "same at every tested site"),
    ],
)
def test_what_is_refused(change, fault, words):
    """Rows that don't match, classes, a constant target."""
    table = normal_table(30, "ab")
    folds = make_folds("random", x=range(30), y=range(30), geographic=False)
    with pytest.raises(fault, match=words):
        make_trial(*change(table, table["a"].to_numpy()), folds)


def test_one_fold_is_no_comparison():
    """A hold-out has no error to compare with."""
    folds = Folds("holdout", np.array([[-1] * 20 + [1] * 10]), {})
    with pytest.raises(FoldsError, match="at least 2"):
        make_trial(normal_table(30, "ab"), np.arange(30.0), folds)


def test_whole_sites_pass():
    """Rows without a partner are sites of their own."""
    check_whole(make_folds("random", x=range(10), y=range(10), geographic=False), np.arange(10))
