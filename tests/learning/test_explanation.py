"""Explanations of members and of the fused value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import DomainError, LearnerError
from alm_core.learning.explanation import MemberExplanation, explain_fused, explain_members, member_game
from alm_core.learning.fusion import fit_fusion
from alm_core.learning.learners import make_learner

KINDS = ("random_forest", "extra_trees", "xgboost", "catboost")
SMALL = {
    "random_forest": {"n_estimators": 20},
    "extra_trees": {"n_estimators": 20},
    "xgboost": {"n_estimators": 40},
    "catboost": {"iterations": 40},
}


@dataclass(frozen=True)
class Rule:
    """A fusion that is any function of the members ``[learner, site]``."""

    function: Any

    def predict(self, members):
        """As the room's Fusion does."""
        return type("Fused", (), {"value": self.function(members)})


@pytest.fixture(scope="module")
def table():
    """Sites with a moisture-like target and some missing covariates."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 6)).astype(np.float32)
    y = 0.25 + 0.06 * X[:, 0] + 0.04 * X[:, 1] ** 2 * (X[:, 2] > 0) + 0.02 * rng.normal(size=150)
    X[rng.random(X.shape) < 0.05] = np.nan
    return pd.DataFrame(X, columns=list("abcdef")), y


@pytest.fixture(scope="module")
def learners(table):
    """The four learners, fitted."""
    X, y = table
    return [make_learner(kind, seed=1, options=SMALL[kind]).fit(X, y) for kind in KINDS]


@pytest.fixture(scope="module")
def explanation(table, learners):
    """TreeSHAP of the four."""
    return explain_members(learners, table[0])


@pytest.fixture(scope="module")
def members(table, learners):
    """What the four libraries predict."""
    return np.stack([learner.predict(table[0]) for learner in learners])


def test_members_add_up(table, explanation, members):
    """Base and values give every learner's own prediction to 1e-6 of the target range."""
    assert explanation.values.shape == (4, 150, 6)
    assert explanation.feature_names == tuple("abcdef")
    assert explanation.scales == ("value",) * 4
    assert np.abs(explanation.members - members).max() <= 1e-6 * np.ptp(table[1])


@pytest.mark.parametrize("method", ["equal", "inverse_error", "least_squares", "bias_aware"])
@pytest.mark.parametrize("correction", ["none", "blend"])
def test_fused_adds_up(table, explanation, members, method, correction):
    """Every weighting and curve: the values add up to the fused value to 1e-6 of the target range."""
    y = table[1]
    fusion = fit_fusion(members, y, learners=KINDS, method=method, correction=correction, minimum=0.0, maximum=0.6)
    found = explain_fused(fusion, explanation, members)
    assert np.abs(found.value - fusion.predict(members).value).max() <= 1e-6 * np.ptp(y)
    exact = fusion.predict(explanation.members).value
    assert np.abs(explain_fused(fusion, explanation, explanation.members).value - exact).max() <= 1e-9
    assert np.abs(found.values).max() <= np.ptp(y)  # steep curves and float32 members don't blow the values up


def test_linear_fusion_is_the_shap_of_the_weighted_sum(explanation):
    """For fixed weights the values are the weighted TreeSHAP values, exactly."""
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    found = explain_fused(Rule(lambda m: weights @ m + 0.05), explanation, explanation.members)
    np.testing.assert_allclose(found.values, np.einsum("k,knf->nf", weights, explanation.values), atol=1e-12)
    assert found.base == pytest.approx(weights @ explanation.base + 0.05)


def test_members_play_symmetrically():
    """Product of two members: each gets half of the joint part."""
    parts, base = member_game(Rule(lambda m: m[0] * m[1]), np.array([[3.0], [5.0]]), np.array([1.0, 1.0]))
    # v() = 1, v(1) = 3, v(2) = 5, v(12) = 15
    np.testing.assert_allclose(parts[:, 0], [6.0, 8.0])
    assert base == 1.0


def test_useless_member_has_no_part():
    """A member that the fusion ignores gets exactly zero."""
    rng = np.random.default_rng(1)
    members = rng.normal(size=(3, 20))
    parts, _ = member_game(Rule(lambda m: np.sin(m[0]) * m[2]), members, np.zeros(3))
    assert np.all(parts[1] == 0.0)


def test_member_at_its_base():
    """A member whose parts cancel has no difference to hand on; the rest still adds up and stays finite."""
    values = np.array([[[0.5, -0.5]], [[0.2, 0.1]]])
    explanation = MemberExplanation(values, np.array([1.0, 1.0]), ("value", "value"), ("a", "b"))
    found = explain_fused(Rule(lambda m: m.mean(axis=0) ** 2), explanation, np.array([[1.0], [1.3]]))
    assert found.value == pytest.approx(1.15**2)
    np.testing.assert_allclose(found.values[0], 0.3225 * np.array([2, 1]) / 3)


def test_missing_members_stay_missing(explanation, members):
    """NaN in, NaN out, and only there."""
    holed = members.copy()
    holed[2, 7] = np.nan
    found = explain_fused(Rule(lambda m: m.mean(axis=0)), explanation, holed)
    assert np.all(np.isnan(found.values[7]))
    assert np.isfinite(np.delete(found.values, 7, axis=0)).all()
    assert np.isfinite(found.importance).all()


def test_transformed_target(explanation):
    """Learners of log values, fused as values: additive through the back-transform."""
    members = np.exp(explanation.members)
    fusion = Rule(lambda m: m.mean(axis=0) ** 1.5)
    found = explain_fused(fusion, explanation, members, transform=np.exp)
    np.testing.assert_allclose(found.value, fusion.predict(members).value, atol=1e-9)
    with pytest.raises(DomainError, match="transform"):
        explain_fused(fusion, explanation, members)


def test_other_rows_are_refused(explanation, members):
    """Members of other rows or another shape are noticed."""
    with pytest.raises(DomainError, match="same rows"):
        explain_fused(Rule(lambda m: m.mean(axis=0)), explanation, members[:, ::-1])
    with pytest.raises(DomainError, match="shape"):
        explain_fused(Rule(lambda m: m.mean(axis=0)), explanation, members[:, :5])


def test_groups_add_up(explanation, members):
    """Sums by group of covariates keep the total; covariates without a group are `other`."""
    found = explain_fused(Rule(lambda m: m.mean(axis=0)), explanation, members)
    groups = found.by_group({"a": "soil", "b": "terrain", "c": "soil", "d": "climate", "e": "climate"})
    assert list(groups.columns) == ["soil", "terrain", "climate", "other"]
    np.testing.assert_allclose(groups.sum(axis=1) + found.base, found.value, atol=1e-12)
    np.testing.assert_allclose(groups["soil"], found.values[:, 0] + found.values[:, 2])


def test_relevant_covariates_lead(explanation, members):
    """The covariates that made the target have the largest importance."""
    found = explain_fused(Rule(lambda m: m.mean(axis=0)), explanation, members)
    assert set(np.argsort(found.importance)[-3:]) == {0, 1, 2}
    assert found.to_dict()["importance"]["a"] == pytest.approx(found.importance[0])
    assert explanation.importance.shape == (4, 6)
    assert len(explanation.to_dict()["importance"]) == 4


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(table, n_classes):
    """Forests add up to probabilities, boosters to log-odds, all with one column per class."""
    X, y = table
    labels = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    learners = [make_learner(kind, task="classification", seed=1, options=SMALL[kind]).fit(X, labels) for kind in KINDS]
    found = explain_members(learners, X)
    assert found.values.shape == (4, 150, 6, n_classes)
    assert found.scales == ("probability", "probability", "log-odds", "log-odds")
    for k, learner in enumerate(learners):
        expected = learner.predict(X)
        if k < 2:
            np.testing.assert_allclose(found.members[k], expected, atol=1e-9)
        elif n_classes == 2:
            np.testing.assert_allclose(1 / (1 + np.exp(-found.members[k])), expected, atol=1e-5)
        else:
            odds = np.exp(found.members[k])
            np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), expected, atol=1e-5)
    with pytest.raises(LearnerError, match="classes"):
        explain_fused(Rule(lambda m: m.mean(axis=0)), found, np.zeros((4, 150)))


def test_bare_estimators_and_stored_trees(table, learners, tmp_path):
    """Estimators without our wrapper and compiled trees from a file give the same values."""
    from alm_core.trees.convert import compile_ensemble
    from alm_core.trees.ensemble import TreeEnsemble

    X = table[0]
    whole = explain_members(learners[:1], X)
    np.testing.assert_array_equal(explain_members([learners[0].estimator], X).values, whole.values)
    compile_ensemble(learners[0].estimator, feature_names=list("abcdef")).save(tmp_path / "forest.npz")
    stored = TreeEnsemble.load(tmp_path / "forest.npz")
    np.testing.assert_array_equal(explain_members([stored], X).values, whole.values)
    with pytest.raises(LearnerError, match="another order"):
        explain_members([stored], X[list("bacdef")])


def test_what_can_not_be_explained(table, learners):
    """No member, a member without trees, members of different covariates, too many members."""
    X, y = table
    with pytest.raises(LearnerError, match="No member"):
        explain_members([], X)
    with pytest.raises(LearnerError, match="not a tree ensemble"):
        explain_members([make_learner("Ridge").fit(X, y)], X)
    many = MemberExplanation(np.zeros((9, 1, 2)), np.zeros(9), ("value",) * 9, ("a", "b"))
    with pytest.raises(LearnerError, match="at most 8"):
        explain_fused(Rule(lambda m: m.mean(axis=0)), many, np.zeros((9, 1)))
