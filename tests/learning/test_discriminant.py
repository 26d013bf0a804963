"""The two discriminants of brightness temperatures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from alm_core.cubes.states import FROZEN, THAWED, UNKNOWN
from alm_core.errors import DomainError, LearnerError, ModelFileError
from alm_core.learning.discriminant import PublishedDiscriminant, RefittedDiscriminant, quasi_emissivity


@pytest.fixture
def sample():
    """600 days: frozen ground colder and of higher 18.7 H against 36.5 V; 20 values missing."""
    rng = np.random.default_rng(4)
    label = (rng.random(600) < 0.4).astype(int)
    tb36v = np.where(label, 236.0, 262.0) + rng.normal(0, 8, 600)
    tb18h = tb36v * (np.where(label, 0.96, 0.92) + rng.normal(0, 0.015, 600))
    tb18h[:20] = np.nan
    return tb36v, tb18h, label


def test_published_coefficients():
    """Both functions by hand; frozen exactly where D_F is larger, and the probability crosses a half there."""
    tb36v, tb18h = np.meshgrid(np.arange(180.0, 310.0, 3.7), np.arange(170.0, 300.0, 4.1))
    ratio = tb18h / tb36v
    frozen = 1.47 * tb36v + 91.69 * ratio - 226.77
    thawed = 1.55 * tb36v + 86.33 * ratio - 242.41
    state, probability = PublishedDiscriminant().predict(tb36v, tb18h)
    np.testing.assert_array_equal(state == FROZEN, frozen > thawed)
    np.testing.assert_array_equal(state == FROZEN, probability > 0.5)
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(thawed - frozen)), rtol=1e-9)
    assert {THAWED, FROZEN} == set(np.unique(state))


def test_published_says_that_it_is_unverified():
    """As a value and in words, also in the file."""
    model = PublishedDiscriminant()
    assert model.verified is False
    assert "unverified" in model.note
    assert model.to_dict()["verified"] is False
    assert PublishedDiscriminant.from_dict(json.loads(json.dumps(model.to_dict()))) == model
    with pytest.raises(ModelFileError, match="not discriminant_published"):
        PublishedDiscriminant.from_dict(model.to_dict() | {"frozen": [1.0, 2.0, 3.0]})


def test_refitted_is_that_of_scikit_learn(sample):
    """The same probabilities as the library's own on the raw numbers, without the missing rows."""
    tb36v, tb18h, label = sample
    model = RefittedDiscriminant.fit(tb36v, tb18h, label)
    known = np.isfinite(tb18h)
    rows = np.column_stack([tb36v, tb18h / tb36v])[known]
    oracle = LinearDiscriminantAnalysis().fit(rows, label[known])
    state, probability = model.predict(tb36v, tb18h)
    np.testing.assert_allclose(probability[known], oracle.predict_proba(rows)[:, 1], atol=1e-7)
    np.testing.assert_array_equal(state[known], oracle.predict(rows))
    assert (model.count, model.missing) == (580, 20)
    assert model.frozen_part == pytest.approx(label[known].mean())


def test_refitted_finds_what_it_should(sample):
    """Cold ground and a high ratio speak for frozen; nine of ten days are right."""
    tb36v, tb18h, label = sample
    model = RefittedDiscriminant.fit(tb36v, tb18h, label)
    assert model.by_temperature < 0 < model.by_ratio
    assert (model.predict(tb36v, tb18h)[0][20:] == label[20:]).mean() > 0.9


def test_missing_stays_unknown(sample):
    """One missing channel is enough; shapes are kept."""
    for model in (PublishedDiscriminant(), RefittedDiscriminant.fit(*sample)):
        state, probability = model.predict(np.array([[250.0, np.nan, 250.0]]), np.array([[240.0, 240.0, np.nan]]))
        assert state.dtype == np.uint8
        assert (state[0] == UNKNOWN).tolist() == [False, True, True]
        assert np.isnan(probability[0]).tolist() == [False, True, True]


def test_file_and_back(sample):
    """The same probabilities to the last bit; damaged files are refused."""
    model = RefittedDiscriminant.fit(*sample)
    back = RefittedDiscriminant.from_dict(json.loads(json.dumps(model.to_dict())))
    assert back.predict(*sample[:2])[1].tobytes() == model.predict(*sample[:2])[1].tobytes()
    for wrong in ({"kind": "other"}, {"constant": float("nan")}, {"constant": "x"}, {"further": 1}):
        with pytest.raises(ModelFileError):
            RefittedDiscriminant.from_dict(model.to_dict() | wrong)


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (lambda v, h, y: (v, h, np.zeros_like(y)), LearnerError, "0 frozen rows"),
        (lambda v, h, y: (v, h, np.where(y, 255, 0)), LearnerError, "label 255"),
        (lambda v, h, y: (v, h, y[:-1]), LearnerError, "one a row"),
        (lambda v, h, y: (np.full_like(v, 250.0), h, y), None, ""),
        (lambda v, h, y: (v, v, y), LearnerError, "never changes"),
        (lambda v, h, y: (v - 273.15, h, y), DomainError, "give kelvin"),
        (lambda v, h, y: (v, np.where(y, 0.0, h), y), DomainError, "18.7 H holds"),
        (lambda v, h, y: (v[:-1], h, y), DomainError, "the same is expected"),
    ],
)
def test_samples_that_can_not_be(sample, change, kind, text):
    """One class, unknown labels, no spread, and numbers that are no brightness temperatures."""
    given = change(*sample)
    if kind is None:
        given = (given[0], given[0], given[2])
        kind, text = LearnerError, "never changes"
    with pytest.raises(kind, match=text):
        RefittedDiscriminant.fit(*given)


def test_ratio_of_missing():
    """A missing channel gives no ratio, and no warning."""
    with np.errstate(all="raise"):
        assert np.isnan(quasi_emissivity(np.array([np.nan]), np.array([250.0]))).all()
