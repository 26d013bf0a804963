"""Fusion: weights, exactness, missing values, leaks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alm_core.errors import DomainError, LeakError, LearnerError, SitesError
from alm_core.learning.bias import CORRECTIONS
from alm_core.learning.fusion import Fusion, fit_fusion
from alm_core.learning.uncertainty import fit_interval
from alm_core.learning.weighting import METHODS, Weighting, simplex_least_squares, weighted_sum

NAMES = ("forest", "extra", "boost", "cat")


def make_members(seed: int = 0, n: int = 342) -> tuple[np.ndarray, np.ndarray]:
    """Four related members that pull towards the mean, each with a bias of its own."""
    rng = np.random.default_rng(seed)
    y = rng.beta(2, 3, n) * 0.6
    common = rng.normal(0, 0.05, n)
    members = [0.25 + slope * (y - 0.25) + common * 0.7 + rng.normal(0, 0.03, n) for slope in (0.45, 0.55, 0.65, 0.6)]
    return np.stack(members) + np.array([0.02, -0.01, 0.0, 0.01])[:, None], y


def fit(method: str = "bias_aware", seed: int = 0, **options) -> Fusion:
    """A fusion of `make_members`."""
    return fit_fusion(*make_members(seed), learners=NAMES, method=method, weights={"forest": 1, "cat": 3}, **options)


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_shares_at_every_value(method):
    """Never negative, and they sum to one, at and between the grid values and far outside."""
    fusion = fit(method)
    weights = fusion.weighting.weights_at(np.linspace(-5, 5, 4001))
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-12)
    np.testing.assert_allclose(fusion.weights(make_members(3)[0]).sum(axis=0), 1, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 50), st.floats(0.05, 3))
def test_bias_aware_weights_are_shares_for_any_options(seed, gamma, bandwidth):
    """The same for odd data: skewed, tied, one member far better than the others."""
    rng = np.random.default_rng(seed)
    y = np.round(rng.lognormal(size=40), int(rng.integers(0, 3)))
    members = np.stack([y + rng.normal(0, scale, 40) for scale in (1e-9, 0.3, 5.0)])
    weighting = fit_fusion(members, y, learners=list("abc"), gamma=gamma, bandwidth=bandwidth).weighting
    assert (weighting.weights >= 0).all()
    np.testing.assert_allclose(weighting.weights.sum(axis=0), 1, atol=1e-12)
    assert np.isfinite(weighting.biases).all()


def test_equal_is_the_mean_and_manual_is_scaled():
    """Exact weights; a name left out weighs nothing."""
    members, _ = make_members()
    np.testing.assert_allclose(fit("equal", correction="none").predict(members).value, members.mean(axis=0), atol=1e-15)
    manual = fit("manual", correction="none")
    assert manual.weighting.weights[:, 0].tolist() == [0.25, 0, 0, 0.75]
    np.testing.assert_allclose(manual.predict(members).value, 0.25 * members[0] + 0.75 * members[3], atol=1e-15)


def test_inverse_error_follows_its_formula():
    """w ~ RMSE ** -power."""
    members, y = make_members()
    raw = np.sqrt(((members - y) ** 2).mean(axis=1)) ** -3.0
    np.testing.assert_allclose(fit("inverse_error", power=3.0).weighting.weights[:, 0], raw / raw.sum(), rtol=1e-12)


def test_least_squares_is_the_constrained_optimum():
    """No better weights on the simplex: the general solver of SciPy finds the same."""
    from scipy.optimize import minimize

    members, y = make_members()
    errors = (members - y).T
    weights = simplex_least_squares(errors)
    found = minimize(
        lambda w: 1e3 * np.mean((errors @ w) ** 2),
        np.full(4, 0.25),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    assert np.mean((errors @ weights) ** 2) <= np.mean((errors @ found.x) ** 2) + 1e-12
    np.testing.assert_allclose(weights, found.x, atol=1e-3)


def test_bias_aware_takes_the_expected_error_off():
    """After it, a member's mean error is near 0 along the whole of its range."""
    members, y = make_members(n=3000)
    weighting = fit_fusion(members, y, learners=NAMES).weighting
    for member, unbiased in zip(members, weighting.mix(members).unbiased, strict=True):
        third = np.searchsorted(np.quantile(member, [1 / 3, 2 / 3]), member)
        assert max(abs((unbiased - y)[third == k].mean()) for k in range(3)) < 0.004
        assert max(abs((member - y)[third == k].mean()) for k in range(3)) > 0.01


def test_bias_aware_trusts_the_member_that_is_good_at_the_value():
    """A member that is exact when dry and noisy when wet gets the dry weight only."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 1, 2000)
    dry = y + rng.normal(size=2000) * np.where(y < 0.5, 0.01, 0.2)
    wet = y + rng.normal(size=2000) * np.where(y < 0.5, 0.2, 0.01)
    fusion = fit_fusion(np.stack([dry, wet]), y, learners=["dry", "wet"], correction="none")
    low, high = fusion.weighting.weights_at(np.array([0.15, 0.85])).T
    assert low[0] > 0.75
    assert high[1] > 0.75
    mean = fit_fusion(np.stack([dry, wet]), y, learners=["dry", "wet"], method="equal", correction="none")
    rmse = [np.sqrt(np.mean((one.predict(np.stack([dry, wet])).value - y) ** 2)) for one in (fusion, mean)]
    assert rmse[0] < 0.7 * rmse[1]


def test_gamma_moves_weight_from_the_biased_member():
    """A greater gamma trusts a member with a large expected error less."""
    rng = np.random.default_rng(1)
    y = rng.uniform(0, 1, 500)
    members = np.stack([y + 0.3 + rng.normal(0, 0.1, 500), y + rng.normal(0, 0.1, 500)])
    shares = [
        fit_fusion(members, y, learners=["off", "on"], gamma=gamma).weighting.weights[0].mean() for gamma in (0.0, 1.0, 10.0)
    ]
    assert shares[0] == pytest.approx(0.5, abs=0.05)
    assert shares[0] > shares[1] > shares[2]


def test_unbiased_members_never_fall():
    """A member that predicts more never counts for less."""
    for seed in range(5):
        weighting = fit("bias_aware", seed, bandwidth=0.1).weighting
        assert (np.diff(weighting.grid - weighting.biases, axis=1) >= -1e-12).all()


def test_noise_is_not_made_into_signal():
    """Members that know nothing: the fusion of new noise is no better than the mean and not far worse."""
    rng = np.random.default_rng(5)
    y, members = rng.normal(size=342), rng.normal(size=(4, 342)) * 0.3
    fusion = fit_fusion(members, y, learners=NAMES, correction="regression")
    new = rng.normal(size=2000)
    value = fusion.predict(rng.normal(size=(4, 2000)) * 0.3).value
    assert -0.1 < 1 - np.mean((new - value) ** 2) / new.var() < 0.02


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_json_round_trip_is_exact(method, correction):
    """Value and bounds are the same bits after JSON."""
    members, y = make_members()
    fusion = fit(method, correction=correction, minimum=0.0, maximum=0.6)
    fusion = fusion.with_interval(fit_interval(fusion.predict(members).value, fusion.spread(members), y))
    again = Fusion.from_dict(json.loads(json.dumps(fusion.to_dict(), allow_nan=False)))
    new = np.random.default_rng(9).normal(0.3, 0.3, (4, 37, 11))
    one, two = fusion.predict(new), again.predict(new)
    for name in ("value", "lower", "upper"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert one.clipped == two.clipped
    assert one.clipped > 0 or correction == "isotonic"


@pytest.mark.parametrize("method", METHODS)
def test_a_pixel_does_not_depend_on_its_block(method):
    """One by one, in strips or as a block: the same bits; any trailing shape."""
    fusion = fit(method, minimum=0.0, maximum=0.6)
    members, y = make_members()
    fusion = fusion.with_interval(fit_interval(fusion.predict(members).value, fusion.spread(members), y))
    block = np.random.default_rng(2).uniform(-0.1, 0.7, (4, 16, 9))
    whole = fusion.predict(block)
    flat = fusion.predict(block.reshape(4, -1))
    single = [fusion.predict(block[:, i, j]) for i in range(16) for j in range(9)]
    for name in ("value", "lower", "upper"):
        assert np.array_equal(getattr(whole, name).ravel(), getattr(flat, name))
        assert np.array_equal(getattr(whole, name).ravel(), [getattr(one, name) for one in single])


def test_missing_members_give_missing_pixels():
    """NaN and infinity in any member, nowhere else."""
    fusion = fit()
    members, y = make_members()
    fusion = fusion.with_interval(fit_interval(fusion.predict(members).value, fusion.spread(members), y))
    members[2, 5], members[0, 7] = np.nan, np.inf
    fused = fusion.predict(members)
    for part in (fused.value, fused.lower, fused.upper):
        assert np.flatnonzero(np.isnan(part)).tolist() == [5, 7]


def test_a_browser_can_repeat_it():
    """The four steps of the docstring, done with plain numbers from the JSON, give the value."""
    fusion = fit(minimum=0.0, maximum=0.5)
    content = json.loads(json.dumps(fusion.to_dict()))
    table, curve = content["weighting"], content["correction"]["curve"]

    def look(v, row):
        return float(np.interp(v, table["grid"], row))

    for members in np.random.default_rng(0).uniform(-0.1, 0.8, (50, 4)):
        u = [f - look(f, bias) for f, bias in zip(members, table["biases"], strict=True)]
        v = sum(u) / 4
        for _ in range(table["steps"]):
            v = sum(look(v, weight) * one for weight, one in zip(table["weights"], u, strict=True))
        x, slope_left, slope_right = curve["x"], curve["left_slope"], curve["right_slope"]
        f = float(np.interp(v, x, curve["y"])) + slope_left * min(v - x[0], 0) + slope_right * max(v - x[-1], 0)
        assert float(fusion.predict(members).value) == pytest.approx(min(max(f, 0.0), 0.5), abs=1e-14)


def test_residual_is_added_after_the_curve():
    """Value plus residual, cut to the range; without one the value stands alone."""
    fusion = fit(correction="residual", minimum=0.0, maximum=0.6)
    members, _ = make_members()
    plain = fusion.predict(members).value
    added = fusion.predict(members, residual=np.full(plain.shape, 0.01)).value
    np.testing.assert_allclose(added, np.clip(plain + 0.01, 0, 0.6), atol=1e-15)
    with pytest.raises(DomainError, match="residual of shape"):
        fusion.predict(members, residual=np.zeros(3))


def test_values_and_bounds_stay_in_the_physical_range():
    """Cut, ordered and counted."""
    members, y = make_members()
    fusion = fit(minimum=0.0, maximum=0.5)
    fusion = fusion.with_interval(fit_interval(fusion.predict(members).value, fusion.spread(members), y))
    fused = fusion.predict(np.random.default_rng(0).uniform(-0.5, 1.0, (4, 1000)))
    assert fused.clipped == int(np.isin(fused.value, [0.0, 0.5]).sum()) > 0
    assert ((fused.lower >= 0) & (fused.lower <= fused.value) & (fused.value <= fused.upper) & (fused.upper <= 0.5)).all()


def test_spread_is_the_weighted_deviation():
    """For equal weights that is the plain standard deviation of the members."""
    members, _ = make_members()
    np.testing.assert_allclose(fit("equal").spread(members), members.std(axis=0), atol=1e-12)
    mixture = fit("bias_aware").mix(members)
    np.testing.assert_allclose(mixture.value, weighted_sum(mixture.weights, mixture.unbiased), atol=1e-15)


def test_incomplete_pairs_are_left_out_and_counted():
    """They change nothing in the fit."""
    members, y = make_members()
    more = np.hstack([members, [[np.nan], [0.1], [0.1], [0.1]], np.full((4, 1), 0.2)])
    fusion = fit_fusion(more, np.append(y, [0.3, np.nan]), learners=NAMES)
    assert (fusion.sites, fusion.left_out) == (342, 2)
    assert np.array_equal(fusion.predict(members).value, fit().predict(members).value)


def test_a_leak_raises():
    """Sites that are fitted on can't be scored; disjoint ones can."""
    members, y = make_members()
    ids = [f"s{k}" for k in range(342)]
    with pytest.raises(LeakError, match="2 sites are fitted on and scored"):
        fit_fusion(members, y, learners=NAMES, fitted_sites=ids, scored_sites=["s3", "s4", "elsewhere"])
    assert fit_fusion(members, y, learners=NAMES, fitted_sites=ids, scored_sites=["elsewhere"]).sites == 342


def test_identical_constant_members_fall_back_to_equal_weights():
    """No range to smooth over: the mean of the observations."""
    fusion = fit_fusion(np.full((2, 10), 0.4), np.linspace(0, 1, 10), learners=["a", "b"])
    assert fusion.weighting.weights[:, 0].tolist() == [0.5, 0.5]
    assert fusion.predict(np.full((2, 1), 0.4)).value[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("options", "fault", "words"),
    [
        ({"method": "magic"}, LearnerError, "unknown"),
        ({"learners": ["a", "a"]}, LearnerError, "different names"),
        ({"learners": ["a", "b", "c"]}, LearnerError, "3 learners"),
        ({"method": "manual"}, LearnerError, "no weights"),
        ({"method": "manual", "weights": {"z": 1}}, LearnerError, "weights name z"),
        ({"method": "manual", "weights": {"a": -1, "b": 2}}, LearnerError, ">= 0"),
        ({"method": "manual", "weights": [0, 0]}, LearnerError, "not all 0"),
        ({"power": 0}, DomainError, "power"),
        ({"gamma": -1}, DomainError, "gamma"),
        ({"bandwidth": 0}, DomainError, "bandwidth"),
        ({"minimum": 1, "maximum": 0}, DomainError, "minimum must be smaller"),
    ],
)
def test_bad_options_are_named(options, fault, words):
    """One clear message each."""
    members, y = make_members()
    with pytest.raises(fault, match=words):
        fit_fusion(members[:2], y, **({"learners": ["a", "b"]} | options))


def test_too_few_sites_and_wrong_members_are_named():
    """At fitting and at predicting."""
    members, y = make_members()
    with pytest.raises(SitesError, match="at least 5"):
        fit_fusion(members[:, :4], y[:4], learners=NAMES)
    with pytest.raises(DomainError, match="first axis"):
        fit().predict(members[:3])
    with pytest.raises(DomainError, match="format"):
        Fusion.from_dict(fit().to_dict() | {"format": 99})


def test_tables_interpolate_and_hold_their_ends():
    """Weights between two grid values are straight; beyond them, constant."""
    weighting = Weighting("bias_aware", np.array([0.0, 1.0]), np.array([[0.2, 0.6], [0.8, 0.4]]), np.zeros((2, 2)))
    np.testing.assert_allclose(weighting.weights_at(np.array([-9.0, 0.5, 9.0]))[0], [0.2, 0.4, 0.6])
