"""Out-of-fold predictions of cell-days, and proofs that nothing leaks into them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.cubes.states import FROZEN
from alm_core.errors import LeakError
from alm_core.learning.day_learners import make_day_learner
from alm_core.learning.day_scores import Resamples, day_groups
from alm_core.learning.day_splits import DayFold, DaySplit, make_split
from alm_core.learning.day_validation import COLUMNS, Scorer, baseline_candidates, learner_candidates, predict_split
from alm_core.learning.procedure import LearnerSpec
from tests.learning.day_table import replaced, table

SAMPLES = table(1500, check=200)
SPECS = (LearnerSpec("trees", "extra_trees", {"n_estimators": 15}), LearnerSpec("boosted", "xgboost", {"n_estimators": 15}))


def predictions(samples, scheme="year", specs=SPECS[:1], **options):
    """Out-of-fold predictions of a split of the samples."""
    split = make_split(scheme, samples, geographic=True, folds=3, **options)
    return predict_split(samples, split, learner_candidates(samples, specs))


def accuracy(frame, part="test"):
    """Share of right predictions."""
    rows = frame[frame["part"] == part]
    return float((rows["predicted"] == rows["observed"]).mean())


def test_every_learner_answers_for_every_row_of_every_part():
    """Columns, counts and codes are those of the contract; the check is observed by its own product."""
    samples = replaced(SAMPLES, label=SAMPLES.label)
    frame = predictions(samples, specs=SPECS)
    assert tuple(frame.columns) == COLUMNS
    assert set(frame["learner"]) == {"trees", "boosted"}
    for name in ("trees", "boosted"):
        own = frame[frame["learner"] == name]
        assert sorted(own.loc[own["part"] == "test", "sample"]) == np.flatnonzero(samples.learns).tolist()
        assert sorted(own.loc[own["part"] == "check", "sample"]) == np.flatnonzero(samples.is_check).tolist()
    check = frame[frame["part"] == "check"]
    assert np.array_equal(check["observed"], samples.check[check["sample"]])
    assert ((frame["probability"] >= 0.5) == (frame["predicted"] == FROZEN)).all()
    assert 0.75 < accuracy(frame) < 1.0


def test_the_result_does_not_depend_on_the_workers():
    """Two threads, the same predictions."""
    split = make_split("block", SAMPLES, geographic=True, folds=3, block_size_km=150)
    candidates = learner_candidates(SAMPLES, SPECS[:1])
    assert predict_split(SAMPLES, split, candidates, workers=2).equals(predict_split(SAMPLES, split, candidates))


@pytest.mark.parametrize("scheme", ["year", "block", "site"])
def test_shuffled_labels_are_predicted_no_better_than_by_chance(scheme):
    """What is left when nothing can be learned is the share of the larger class, and a kappa of nothing."""
    shuffled = replaced(SAMPLES, label=np.random.default_rng(5).permutation(SAMPLES.label))
    frame = predictions(shuffled, scheme, block_size_km=150)
    rows = frame[frame["part"] == "test"]
    scores = Scorer(shuffled).plain(rows)
    assert abs(scores["kappa"]) < 0.08
    assert accuracy(frame) < max(np.mean(rows["observed"]), 1 - np.mean(rows["observed"])) + 0.02


def test_the_check_never_enters_training():
    """With its product turned and its labels poisoned, every other prediction stays the same to the last bit."""
    poisoned = replaced(
        SAMPLES,
        check=np.where(SAMPLES.is_check, 1 - SAMPLES.check, np.nan),
        label=np.where(SAMPLES.is_check, 1 - SAMPLES.label, SAMPLES.label),
    )
    for scheme in ("random", "year", "block", "site"):
        clean, other = (predictions(samples, scheme, block_size_km=150) for samples in (SAMPLES, poisoned))
        assert np.array_equal(clean["probability"], other["probability"])
        assert accuracy(clean, "check") == pytest.approx(1 - accuracy(other, "check"))


def test_a_split_that_tests_what_it_trained_on_is_refused():
    """A fault in a split can't pass unseen."""
    rows = np.flatnonzero(SAMPLES.learns)
    split = DaySplit("year", (DayFold(0, "2011", rows, {"test": rows[:5]}),))
    with pytest.raises(LeakError, match="fitted on 5 of the 5"):
        predict_split(SAMPLES, split, learner_candidates(SAMPLES, SPECS[:1]))


def test_baselines_stand_beside_the_learners_and_miss_what_they_can_not_read():
    """The refitted one learns from the training rows only; rows without a channel get no state."""
    temperature = SAMPLES.features[:, 0]
    vertical = 260.0 + temperature
    vertical[:50] = np.nan
    horizontal = vertical * np.where(temperature < 0, 0.97, 0.93)
    candidates = baseline_candidates(vertical, horizontal, SAMPLES.label)
    split = make_split("year", SAMPLES, geographic=True, folds=3)
    frame = predict_split(SAMPLES, split, candidates)
    assert [one.name for one in candidates] == ["discriminant_published", "discriminant_refitted"]
    assert "unverified" in candidates[0].note
    missing = frame["sample"] < 50
    assert frame.loc[missing, "probability"].isna().all()
    assert (frame.loc[missing, "predicted"] == 255).all()
    refitted = frame[(frame["learner"] == "discriminant_refitted") & ~missing]
    assert accuracy(refitted) > 0.8


def test_a_baseline_is_held_against_the_learner_on_the_rows_that_both_answer_for():
    """By hand; a row that the baseline can't answer counts for neither."""
    frame = pd.DataFrame(
        {
            "sample": [0, 1, 2, 3] * 2,
            "part": "test",
            "learner": ["a"] * 4 + ["b"] * 4,
            "probability": [0.9, 0.1, 0.9, 0.2, 0.9, 0.8, 0.2, np.nan],
            "predicted": [1, 0, 1, 0, 1, 1, 0, 255],
            "observed": [1, 0, 1, 1, 1, 0, 1, 1],
        }
    )
    months = {"transition": np.array(["other months", "transition months", "transition months", "other months"], object)}
    found = Scorer(SAMPLES, months, Resamples.of(np.arange(4), count=50)).compare(frame, "a", "b")
    assert found["all"]["count"] == 3
    assert found["all"]["difference"] == pytest.approx(2 / 3)
    assert found["transition months"] == {"count": 2, "learner": 1.0, "baseline": 0.0, "difference": 1.0, "interval": [1.0, 1.0]}
    assert found["other months"]["difference"] == 0.0


def test_scores_of_a_split_hold_all_that_is_shown():
    """Intervals, groups and worst cells; the three parts of a random split."""
    groups = day_groups(SAMPLES.dates, heights={"elevation": SAMPLES.column("y")})
    scorer = Scorer(SAMPLES, groups, Resamples.of(SAMPLES.column("cell"), count=30))
    found = scorer.scheme(predictions(SAMPLES, "random"))["trees"]
    assert set(found["by"]) == {"season", "transition", "year", "elevation"}
    low, high = found["interval"]["overall_accuracy"]
    assert low <= found["overall_accuracy"] <= high
    assert list(found["parts"]) == ["training", "validation", "test"]
    assert [part["count"] for part in found["parts"].values()] == [910, 195, 195]
    assert found["parts"]["test"]["confusion"] == found["confusion"]
    check = scorer.check(predictions(SAMPLES, "year"))["trees"]
    assert check["count"] == 200
    assert "parts" not in scorer.scheme(predictions(SAMPLES, "year"))["trees"]


def test_sites_are_scored_by_name():
    """Where the labels come from sites."""
    samples = replaced(
        SAMPLES, site=np.where(SAMPLES.is_check, "", "site " + (SAMPLES.column("cell") % 4).astype(str).astype(object))
    )
    found = Scorer(samples).scheme(predictions(samples))["trees"]
    assert list(found["sites"]) == ["site 0", "site 1", "site 2", "site 3"]
    assert sum(one["count"] for one in found["sites"].values()) == found["count"]


def test_options_of_the_study_come_before_the_defaults_of_days():
    """Leaves of many samples are the default, not a rule."""
    learner = make_day_learner(
        "extra_trees", options={"min_samples_leaf": 2, "n_estimators": 3}, names=("a",), categorical=("b",)
    )
    assert learner.estimator.get_params()["min_samples_leaf"] == 2
    assert learner.categorical == ()
