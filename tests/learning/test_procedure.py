"""The fitting procedure and its validation: nothing of a held-out site may reach its prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from alm_core.covariates.samples import Samples
from alm_core.errors import LeakError
from alm_core.learning.folds import make_folds
from alm_core.learning.out_of_fold import OutOfFold, check_disjoint
from alm_core.learning.procedure import LearnerSpec, Procedure, train
from alm_core.learning.validation import FUSED, paired_gain, score, validate

FAST = (
    LearnerSpec("forest", "random_forest", {"n_estimators": 25}),
    LearnerSpec("boosted", "xgboost", {"n_estimators": 25, "max_depth": 3}),
)
PLAN = Procedure(learners=FAST, inner_folds=3, fusion={"method": "bias_aware"}, interval={"level": 0.9}, seed=3)


def make_samples(count: int = 90, *, seed: int = 0, signal: float = 1.0, classes: bool = False) -> Samples:
    """Sites whose target depends on the first two of five covariates."""
    rng = np.random.default_rng(seed)
    ids = [f"s{number:03d}" for number in range(count)]
    features = pd.DataFrame(rng.normal(size=(count, 5)), columns=list("abcde"), index=pd.Index(ids, name="site_id"))
    value = signal * (features["a"] + 0.5 * features["b"] ** 2).to_numpy() + 0.3 * rng.normal(size=count)
    target = np.where(value > 0.3, "wet", "dry") if classes else value
    x, y = rng.uniform(80, 100, count), rng.uniform(28, 38, count)
    about = pd.DataFrame({"x": x, "y": y, "longitude": x, "latitude": y}, index=features.index)
    about["survey"] = [f"t{number % 4}" for number in range(count)]
    about["method"], about["date"], about["uncertainty"] = "ring", pd.NaT, np.nan
    return Samples(features.astype(np.float32), target, about)


def random_folds(samples: Samples, n_folds: int = 3):
    """Seeded random folds."""
    return make_folds("random", x=samples.x, y=samples.y, geographic=True, n_folds=n_folds, seed=1)


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        replace(PLAN, selection={"repeats": 1, "step": 2, "scheme": "random", "minimum_features": 2}, selection_folds=3),
        replace(PLAN, fusion={"method": "least_squares", "correction": "residual"}, residual="model"),
        replace(PLAN, residual="kriging"),
        replace(PLAN, tuning={"trials": 2, "folds": 2}),
    ],
    ids=["fusion", "selection", "residual model", "kriged residual", "tuning"],
)
def test_held_out_targets_never_reach_their_prediction(plan):
    """Garbage in the targets of a fold leaves the predictions and bounds of that fold as they were."""
    samples = make_samples()
    folds = random_folds(samples)
    _, _, _, rows = next(iter(folds.splits()))
    poisoned = samples.target.copy()
    poisoned[rows] = 1e3 * np.random.default_rng(9).normal(size=len(rows))
    clean, _ = validate(samples, folds, plan)
    dirty, _ = validate(replace(samples, target=poisoned), folds, plan)
    names = samples.site_ids[rows]
    columns = ["forest", "boosted", FUSED, "lower", "upper"]
    one, two = (part.frame.set_index("site_id").loc[names, columns] for part in (clean, dirty))
    pd.testing.assert_frame_equal(one, two)


def test_a_leak_is_refused_by_name():
    """Sites on both sides raise and are named."""
    with pytest.raises(LeakError, match="s2"):
        check_disjoint(["s1", "s2"], ["s2", "s3"], what="the fusion")


def test_every_site_is_scored_once_per_repeat():
    """Pooled predictions hold each site once."""
    samples = make_samples()
    out_of_fold, notes = validate(samples, random_folds(samples), PLAN)
    assert sorted(out_of_fold.frame["site_id"]) == sorted(samples.site_ids)
    assert sum(note["scored"] for note in notes) == len(samples)


def test_signal_is_found_and_noise_is_not():
    """Skill where there is some, none where there is none."""
    found = {}
    for name, signal in (("signal", 1.0), ("noise", 0.0)):
        samples = make_samples(120, signal=signal, seed=5)
        out_of_fold, _ = validate(samples, random_folds(samples, 4), PLAN)
        found[name] = score(out_of_fold, samples, task="regression", bootstrap=0)["random"][FUSED]["r2"]
    assert found["signal"] > 0.6
    assert found["noise"] < 0.05


def test_workers_do_not_change_the_result():
    """One worker or two: the same bits."""
    samples = make_samples()
    one, two = (train(samples, replace(PLAN, workers=workers)) for workers in (1, 2))
    np.testing.assert_array_equal(one.inner_members, two.inner_members)
    np.testing.assert_array_equal(one.predict(samples).value, two.predict(samples).value)


def test_classification_is_scored_with_all_classes():
    """Labels and probabilities come out; accuracy beats the larger class."""
    samples = make_samples(120, classes=True)
    plan = replace(PLAN, task="classification", classes=("dry", "wet"), fusion={"method": "least_squares"}, interval=None)
    out_of_fold, _ = validate(samples, random_folds(samples), plan)
    np.testing.assert_allclose(out_of_fold.frame[["p:dry", "p:wet"]].sum(axis=1), 1.0)
    scores = score(out_of_fold, samples, task="classification", classes=("dry", "wet"), bootstrap=20)
    larger = max(np.mean(samples.target == "dry"), np.mean(samples.target == "wet"))
    assert scores["random"][FUSED]["overall_accuracy"] > larger
    low, high = scores["random"][FUSED]["interval"]["kappa"]
    assert low < scores["random"][FUSED]["kappa"] < high


def test_paired_gain_of_a_perfect_fusion():
    """A learner that is wrong by 1 everywhere loses exactly 1 to a perfect fusion."""
    frame = pd.DataFrame(
        {"scheme": "random", "repeat": 0, "fold": [0, 0, 1, 1], "site_id": list("abcd"), "observed": 0.0, "one": 1.0, FUSED: 0.0}
    )
    gain = paired_gain(OutOfFold(frame, ("one",)), "random", "one")
    assert gain["mean"] == 1.0
    assert gain["standard_error"] == 0.0
