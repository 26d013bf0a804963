"""Fusion of classifiers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alm_core.errors import DomainError, LeakError, LearnerError, SitesError
from alm_core.learning.class_fusion import ClassFusion, fit_class_fusion
from alm_core.learning.class_metrics import class_scores
from alm_core.learning.weighting import METHODS

NAMES = ("sharp", "vague", "wrong")


def make_members(seed: int = 0, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Three learners of three classes: one good, one unsure, one that overstates class 2."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    members = []
    for good, push in ((1.2, 0.0), (0.2, 0.0), (0.6, 0.8)):
        p = rng.dirichlet(np.ones(3), n)
        p[np.arange(n), y] += good
        p[:, 2] += push
        members.append((p / p.sum(axis=1, keepdims=True)).T)
    return np.stack(members), y


def fit(method: str = "bias_aware", seed: int = 0, **options) -> ClassFusion:
    """A fusion of `make_members`."""
    return fit_class_fusion(*make_members(seed), learners=NAMES, method=method, weights={"sharp": 3, "wrong": 1}, **options)


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_and_weights_are_shares(method):
    """They sum to one, the label is the largest, the margin is the lead."""
    fusion = fit(method)
    np.testing.assert_allclose(fusion.weights.sum(axis=0), 1, atol=1e-12)
    assert (fusion.weights >= 0).all()
    found = fusion.predict(make_members(5)[0])
    np.testing.assert_allclose(found.probability.sum(axis=0), 1, atol=1e-12)
    assert np.array_equal(found.label, found.probability.argmax(axis=0))
    ordered = np.sort(found.probability, axis=0)
    np.testing.assert_allclose(found.margin, ordered[-1] - ordered[-2], atol=1e-15)


def test_equal_and_manual_are_plain_means():
    """Exact."""
    members, _ = make_members()
    np.testing.assert_allclose(fit("equal").predict(members).probability, members.mean(axis=0), atol=1e-14)
    by_hand = 0.75 * members[0] + 0.25 * members[2]
    np.testing.assert_allclose(fit("manual").predict(members).probability, by_hand, atol=1e-14)


def test_inverse_error_follows_its_formula():
    """w ~ (root Brier) ** -power."""
    members, y = make_members()
    brier = ((members - np.eye(3)[y].T) ** 2).sum(axis=1).mean(axis=1)
    raw = np.sqrt(brier) ** -2.0
    np.testing.assert_allclose(fit("inverse_error").weights[:, 0], raw / raw.sum(), rtol=1e-12)


def test_least_squares_has_the_least_brier_score():
    """No scheme of fixed weights is better on the pairs it was fitted on."""
    members, y = make_members()
    brier = {
        m: class_scores(y, fit(m).predict(members).probability.T)["brier"] for m in ("least_squares", "equal", "inverse_error")
    }
    assert brier["least_squares"] == min(brier.values())


def test_bias_aware_mends_overstated_classes():
    """On new data: less Brier score than the mean, and class 2 no longer overstated."""
    members, y = make_members(7, 3000)
    plain, aware = (fit(m).predict(members) for m in ("equal", "bias_aware"))
    scores = [class_scores(y, found.probability.T)["brier"] for found in (plain, aware)]
    assert scores[1] < 0.9 * scores[0]
    share = np.mean(y == 2)
    assert abs(aware.probability[2].mean() - share) < 0.5 * abs(plain.probability[2].mean() - share)
    assert (np.diff(fit().calibration, axis=-1) >= 0).all()


def test_missing_members_give_missing_pixels():
    """Label -1 and NaN, nowhere else."""
    members, _ = make_members()
    members[1, 0, 4] = np.nan
    found = fit().predict(members)
    assert np.flatnonzero(found.label == -1).tolist() == np.flatnonzero(np.isnan(found.margin)).tolist() == [4]
    assert np.isnan(found.probability[:, 4]).all()


@pytest.mark.parametrize("method", METHODS)
def test_round_trip_and_shape(method):
    """The same bits after JSON, and for any trailing shape."""
    fusion = fit(method)
    again = ClassFusion.from_dict(json.loads(json.dumps(fusion.to_dict(), allow_nan=False)))
    members, _ = make_members(3)
    one, two = fusion.predict(members), again.predict(members.reshape(3, 3, 20, 20))
    assert np.array_equal(one.probability, two.probability.reshape(3, -1))
    assert np.array_equal(one.label, two.label.ravel())
    single = np.stack([fusion.predict(members[:, :, k]).probability for k in range(20)], axis=1)
    assert np.array_equal(single, one.probability[:, :20])


def test_incomplete_rows_are_left_out_and_counted():
    """They change nothing."""
    members, y = make_members()
    more = np.concatenate([members, np.full((3, 3, 1), np.nan), members[:, :, :1]], axis=2)
    fusion = fit_class_fusion(more, np.append(y, [1, -1]), learners=NAMES)
    assert (fusion.sites, fusion.left_out) == (400, 2)
    assert np.array_equal(fusion.weights, fit().weights)


def test_certain_learners_do_not_divide_by_zero():
    """A perfect learner takes nearly all the weight, and a class that no one sees is possible."""
    y = np.arange(40) % 2
    perfect = np.eye(3)[y].T
    fusion = fit_class_fusion(np.stack([perfect, np.full((3, 40), 1 / 3)]), y, learners=["a", "b"])
    found = fusion.predict(np.stack([perfect, np.full((3, 40), 1 / 3)]))
    assert np.array_equal(found.label, y)
    assert np.isfinite(found.probability).all()


@pytest.mark.parametrize(
    ("options", "fault", "words"),
    [
        ({"method": "magic"}, LearnerError, "unknown"),
        ({"learners": ["a", "a", "b"]}, LearnerError, "different names"),
        ({"classes": ["x", "y"]}, DomainError, "2 class names"),
        ({"method": "manual"}, LearnerError, "no weights"),
        ({"gamma": -1}, DomainError, "gamma"),
        ({"fitted_sites": ["a"], "scored_sites": ["a"]}, LeakError, "fitted on and scored"),
    ],
)
def test_bad_options_are_named(options, fault, words):
    """One clear message each."""
    members, y = make_members()
    with pytest.raises(fault, match=words):
        fit_class_fusion(members, y, **({"learners": NAMES} | options))


def test_too_few_sites_and_wrong_members_are_named():
    """At fitting, predicting and reading."""
    members, y = make_members()
    with pytest.raises(SitesError, match="at least 5"):
        fit_class_fusion(members[:, :, :3], y[:3], learners=NAMES)
    with pytest.raises(DomainError, match="3 learners, 3 classes"):
        fit().predict(members[:2])
    with pytest.raises(DomainError, match="format"):
        ClassFusion.from_dict(fit().to_dict() | {"format": 0})
