"""A target that is learned as its logarithm: everything after the members is in its own unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alm_core.errors import LearnerError
from alm_core.learning.explanation import explain_fused, explain_members
from alm_core.learning.learners import make_learner
from alm_core.learning.model_files import load_learner, load_native, save_learner
from alm_core.learning.procedure import train
from alm_core.learning.target import LOG_SCALE, TargetTransform, duan_smearing, smear_out_of_fold
from alm_core.learning.validation import validate
from tests.learning.test_procedure import PLAN, make_samples, random_folds

LOG = TargetTransform("log")
SKEWED = replace(PLAN, transform="log", interval={"level": 0.9, "asymmetric": True})
OPTIONS = {"n_estimators": 15}


def skewed_samples(count: int = 90):
    """Sites with positive values over two orders of magnitude."""
    samples = make_samples(count)
    return replace(samples, target=np.exp(3.5 + 0.6 * samples.target))


def fitted(seed: int = 0):
    """A forest that was fitted to logarithms, its features and its target."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(80, 4)).astype(np.float32), np.exp(rng.normal(size=80))
    return make_learner("random_forest", seed=1, options=OPTIONS, transform=LOG).fit(X, y), X, y


def test_log_is_undone():
    """Back and forth gives the value; no transform gives the very array."""
    values = np.array([0.1, 66.0, 1350.0])
    np.testing.assert_allclose(LOG.backward(LOG.forward(values)), values, rtol=1e-14)
    assert TargetTransform().forward(values) is values


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_values_without_a_logarithm_are_refused(bad):
    """They are counted, and the cure is named."""
    with pytest.raises(LearnerError, match="1 of 2 target values are not above 0"):
        LOG.forward(np.array([5.0, bad]))


def test_unknown_transforms_are_refused():
    """So is a smearing factor that is no positive number."""
    with pytest.raises(LearnerError, match="not known"):
        TargetTransform("sqrt")
    with pytest.raises(LearnerError, match="above 0"):
        TargetTransform("log", 0.0)


def test_smearing_turns_medians_into_means():
    """Of lognormal errors the factor is exp(variance / 2)."""
    errors = np.random.default_rng(0).normal(0.0, 0.5, 200_000)
    assert duan_smearing(np.exp(errors), np.ones(errors.size)) == pytest.approx(np.exp(0.125), rel=5e-3)


def test_no_prediction_is_smeared_by_its_own_residual():
    """What a fold observed changes the factor of the others, never its own."""
    observed, median = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4)
    splits = [(np.array([2, 3]), np.array([0, 1])), (np.array([0, 1]), np.array([2, 3]))]
    before, _ = smear_out_of_fold(observed, median, splits)
    after, _ = smear_out_of_fold(np.array([90.0, 2.0, 3.0, 4.0]), median, splits)
    np.testing.assert_array_equal(before[:2], after[:2])
    assert after[2] > before[2]


def test_a_learner_predicts_in_the_unit():
    """It is the learner of the logarithm, brought back."""
    learner, X, y = fitted()
    plain = make_learner("random_forest", seed=1, options=OPTIONS).fit(X, np.log(y))
    np.testing.assert_array_equal(learner.predict(X), np.exp(plain.predict(X)))


def test_blocks_of_any_size_have_the_same_bits(tmp_path):
    """The way back depends on nothing but the cell, so a map does not depend on its blocks."""
    learner, X, _ = fitted()
    learner.transform = replace(learner.transform, smearing=1.3)
    save_learner(learner, tmp_path, "forest", features=X)
    loaded = load_learner(tmp_path, "forest")
    cells = np.random.default_rng(2).normal(size=(4, 7, 11)).astype(np.float32)
    valid = np.random.default_rng(3).random((7, 11)) > 0.3
    whole = np.full(valid.shape, np.nan)
    whole[valid] = loaded.predict_block(cells, valid)
    for row in range(7):
        for columns in (slice(0, 3), slice(3, 4), slice(4, 11)):
            part = valid[row : row + 1, columns]
            found = loaded.predict_block(np.ascontiguousarray(cells[:, row : row + 1, columns]), part)
            np.testing.assert_array_equal(found, whole[row : row + 1, columns][part])


def test_the_transform_survives_the_disk(tmp_path):
    """The loaded learner and the native one answer in the unit, with the smearing."""
    learner, X, _ = fitted()
    learner.transform = replace(learner.transform, smearing=1.3)
    save_learner(learner, tmp_path, "forest", features=X)
    loaded = load_learner(tmp_path, "forest")
    assert loaded.transform == TargetTransform("log", 1.3)
    np.testing.assert_allclose(loaded.predict(X), learner.predict(X), rtol=1e-6)
    np.testing.assert_allclose(load_native(tmp_path, "forest").predict(X), learner.predict(X), rtol=1e-6)


def test_everything_follows_the_unit():
    """Values ten times as large give predictions and intervals ten times as large: metres or decimetres, the map is the same."""
    samples = skewed_samples()
    forest = replace(SKEWED, learners=SKEWED.learners[:1])
    small = train(samples, forest).predict(samples)
    large = train(replace(samples, target=10 * samples.target), forest).predict(samples)
    for name in ("value", "lower", "upper"):
        np.testing.assert_allclose(getattr(large, name), 10 * getattr(small, name), rtol=1e-6)


def test_smearing_comes_from_inner_folds_only():
    """Fitted residuals are too small: the factor is that of the out-of-fold members, mean of observed over median."""
    samples = skewed_samples()
    trained = train(samples, SKEWED)
    for learner, inner in zip(trained.learners, trained.inner_members, strict=True):
        fitted_ratio = np.mean(samples.target / (learner.predict(samples.features) / learner.transform.smearing))
        assert learner.transform.smearing > fitted_ratio
        # The inner members carry the factors of the other folds, so on the whole they are right in the mean.
        assert np.mean(inner) == pytest.approx(np.mean(samples.target), rel=0.15)


def test_garbage_in_held_out_targets_leaves_their_predictions():
    """The transform opens no way from a scored site to its prediction."""
    samples = skewed_samples()
    folds = random_folds(samples)
    _, _, _, rows = next(iter(folds.splits()))
    poisoned = samples.target.copy()
    poisoned[rows] = np.random.default_rng(9).uniform(1e3, 1e4, len(rows))
    clean, dirty = (validate(one, folds, SKEWED)[0].frame for one in (samples, replace(samples, target=poisoned)))
    first = clean["fold"] == clean["fold"].min()
    for column in ("fused", "lower", "upper"):
        np.testing.assert_array_equal(clean.loc[first, column], dirty.loc[first, column])


def test_explanations_add_up_to_the_value_in_its_unit():
    """Trees speak of logarithms, and say so; the fused explanation speaks of the value."""
    samples = skewed_samples(60)
    trained = train(samples, SKEWED)
    values = samples.features.to_numpy(np.float32)
    members = explain_members(trained.learners, values)
    assert members.scales == (LOG_SCALE, LOG_SCALE)
    predicted = np.stack([learner.predict(values) for learner in trained.learners])
    fusion = trained.fusion.with_interval(None)
    found = explain_fused(fusion, members, predicted)
    np.testing.assert_allclose(found.value, fusion.predict(predicted).value, rtol=1e-6)
