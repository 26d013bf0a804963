"""Intervals: exactness against MAPIE, coverage overall and by thirds, and their pathologies."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import DomainError, SitesError
from alm_core.learning.fusion import fit_fusion
from alm_core.learning.metrics import coverage_by_tercile, interval_scores
from alm_core.learning.uncertainty import IntervalModel, cv_plus, fit_error_scale, fit_interval


def make_pairs(seed: int, n: int, *, follow: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted value, spread and truth; the error grows with the value and, by `follow`, with the spread."""
    rng = np.random.default_rng(seed)
    value, spread = rng.uniform(0.05, 0.55, n), rng.gamma(4, 0.01, n)
    size = 0.02 + 0.12 * value if follow == 0 else np.sqrt(0.02**2 + (follow * spread) ** 2)
    return value, spread, value + size * rng.normal(size=n)


def test_cv_plus_equals_mapie(shared_data):
    """Every bound at every level, to 1e-9 of the published table's digits."""
    folder = shared_data / "oracles" / "conformal_cv_plus"
    out_of_fold = pd.read_csv(folder / "oof_lin_kfold10.csv")
    models = pd.read_csv(folder / "fold_model_predictions_lin_kfold10.csv").filter(like="without_fold").to_numpy().T
    expected = pd.read_csv(folder / "cv_plus_lin_kfold10.csv")
    for level in (0.5, 0.8, 0.9, 0.95):
        lower, upper = cv_plus(models, out_of_fold["fold"], out_of_fold["out_of_fold"], out_of_fold["y"], level=level)
        np.testing.assert_allclose(lower, expected[f"lower_{level}"], atol=1e-9)
        np.testing.assert_allclose(upper, expected[f"upper_{level}"], atol=1e-9)


def test_cv_plus_is_infinite_with_too_few_sites_and_nan_where_a_model_is():
    """Five sites can't promise 95 %."""
    predictions = np.array([[1.0, np.nan], [2.0, 1.0]])
    lower, upper = cv_plus(predictions, np.array([0, 0, 1, 1, 1]), np.zeros(5), np.ones(5), level=0.95)
    assert (lower[0], upper[0]) == (-np.inf, np.inf)
    assert np.isnan([lower[1], upper[1]]).all()


def test_cv_plus_in_chunks_is_the_same():
    """More points than one chunk holds."""
    rng = np.random.default_rng(0)
    folds, fitted, y = np.arange(2000) % 5, rng.normal(size=2000), rng.normal(size=2000)
    predictions = rng.normal(size=(5, 4001))
    lower, upper = cv_plus(predictions, folds, fitted, y)
    for point in (0, 1999, 2000, 4000):
        one = cv_plus(predictions[:, [point]], folds, fitted, y)
        assert (lower[point], upper[point]) == (one[0][0], one[1][0])


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("asymmetric", [True, False])
def test_coverage_holds(normalise, asymmetric):
    """Mean coverage of new points over thirty samples of 342 sites is the level, or a little more."""
    found = []
    for seed in range(30):
        model = fit_interval(*make_pairs(seed, 342), normalise=normalise, asymmetric=asymmetric)
        value, spread, y = make_pairs(1000 + seed, 2000)
        found.append(interval_scores(y, *model.bounds(value, spread))["picp"])
    assert 0.893 < np.mean(found) < 0.915


def test_normalised_widths_cover_evenly_and_score_better():
    """Errors that grow with the value: each third of the prediction is covered, by narrower intervals on the whole."""
    thirds, scores = {True: [], False: []}, {True: [], False: []}
    for seed in range(10):
        value, spread, y = make_pairs(1000 + seed, 2000)
        for normalise in (True, False):
            bounds = fit_interval(*make_pairs(seed, 342), normalise=normalise).bounds(value, spread)
            thirds[normalise].append(coverage_by_tercile(y, *bounds, by=value))
            scores[normalise].append(interval_scores(y, *bounds)["interval_score"])
    even, flat = (np.mean(thirds[normalise], axis=0) for normalise in (True, False))
    assert even.min() > 0.87
    assert np.ptp(even) < 0.5 * np.ptp(flat)
    assert np.mean(scores[True]) < np.mean(scores[False])


def test_width_follows_the_spread_where_errors_do():
    """The slope is found, the floor stays above 0, and useless spreads are left alone."""
    value, spread, y = make_pairs(0, 2000, follow=1.5)
    scale = fit_error_scale(value, spread, y - value)
    assert 0.9 < scale.slope / (1.5 * np.sqrt(2 / np.pi)) < 1.1
    assert scale.floor > 0
    value, spread, y = make_pairs(0, 342)
    assert fit_error_scale(value, spread, y - value).slope == 0


def test_members_that_agree_never_promise_certainty():
    """Zero spread keeps a width."""
    value, spread, y = make_pairs(0, 500, follow=1.5)
    lower, upper = fit_interval(value, spread, y).bounds(np.array([0.3]), np.array([0.0]))
    assert upper[0] - lower[0] > 0.02


@pytest.mark.parametrize("correction", ["none", "blend", "distribution"])
def test_fused_intervals_cover_every_third(correction):
    """Members that pull to the mean, fused and corrected: overall and in thirds of truth and of prediction."""
    overall, thirds = [], []
    for seed in range(8):
        (members, y), (new, truth) = (make_study(seed + shift, n) for shift, n in ((0, 342), (500, 3000)))
        fusion = fit_fusion(members, y, learners=list("abcd"), correction=correction, minimum=0.0, maximum=0.7)
        fusion = fusion.with_interval(fit_interval(fusion.predict(members).value, fusion.spread(members), y))
        fused = fusion.predict(new)
        overall.append(interval_scores(truth, fused.lower, fused.upper)["picp"])
        thirds.append(
            [
                *coverage_by_tercile(truth, fused.lower, fused.upper),
                *coverage_by_tercile(truth, fused.lower, fused.upper, by=fused.value),
            ]
        )
    assert 0.87 < np.mean(overall) < 0.93
    assert np.mean(thirds, axis=0).min() > 0.82


def make_study(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Members [4, n] of R2 about 0.6 and a truth whose noise grows with its level."""
    rng = np.random.default_rng(seed)
    mean = 0.05 + 0.5 / (1 + np.exp(-1.3 * rng.normal(size=n)))
    y = np.clip(mean + rng.normal(size=n) * (0.03 + 0.12 * mean), 0, 0.7)
    common = 0.3 + 0.75 * (mean - 0.3) + rng.normal(0, 0.03, n)
    return common + rng.normal(0, 0.015, (4, n)), y


def test_rank_is_the_finite_sample_one():
    """Nineteen errors 1 to 19 at 90 %: the ceil(0.9 * 20) = 18th smallest."""
    y = np.arange(1.0, 20.0)
    model = fit_interval(np.zeros(19), None, y, level=0.9, normalise=False)
    assert model.bounds(np.zeros(1))[1][0] == pytest.approx(18.0)
    assert model.guaranteed


def test_too_few_sites_for_the_level_are_said():
    """The largest score is taken and the guarantee withdrawn."""
    model = fit_interval(np.zeros(10), None, np.arange(1.0, 11.0), level=0.99, normalise=False)
    assert not model.guaranteed
    assert model.bounds(np.zeros(1))[1][0] == pytest.approx(10.0)


def test_asymmetric_bounds_follow_skewed_errors():
    """Errors that only go up need room above only."""
    rng = np.random.default_rng(0)
    value = rng.uniform(size=500)
    model = fit_interval(value, None, value + rng.exponential(0.1, 500), asymmetric=True)
    lower, upper = model.bounds(np.array([0.5]))
    assert 0.5 - lower[0] < 0.1 * (upper[0] - 0.5)


def test_groups_are_calibrated_apart():
    """Radar errs twice as much as the ring; a group too small, and an unknown one, use the common width."""
    rng = np.random.default_rng(0)
    groups = np.array(["ring"] * 300 + ["gpr"] * 300 + ["rare"] * 3)
    value = rng.uniform(size=603)
    y = value + rng.normal(size=603) * np.where(groups == "gpr", 0.1, 0.05)
    model = fit_interval(value, None, y, groups=groups, normalise=False)
    assert set(model.quantiles) == {"all", "ring", "gpr"}
    lower, upper = model.bounds(np.zeros(4), groups=np.array(["ring", "gpr", "rare", "other"]))
    width = upper - lower
    assert 1.6 < width[1] / width[0] < 2.5
    assert width[2] == width[3] == pytest.approx(2 * model.quantiles["all"][0] * model.scale.floor)


def test_bounds_stay_in_the_physical_range_and_nan_stays():
    """Any shape."""
    model = fit_interval(*make_pairs(0, 200))
    value = np.array([[0.01, 0.3], [0.59, np.nan]])
    lower, upper = model.bounds(value, np.zeros((2, 2)), minimum=0.0, maximum=0.6)
    assert lower[0, 0] == 0
    assert upper[1, 0] == 0.6
    assert np.isnan(lower[1, 1])
    assert np.isnan(upper[1, 1])


def test_json_round_trip_is_exact():
    """The same bits after JSON."""
    model = fit_interval(*make_pairs(0, 300, follow=1.5), groups=np.arange(300) % 2)
    again = IntervalModel.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))
    value, spread, _ = make_pairs(1, 500)
    for groups in (None, np.arange(500) % 3):
        assert np.array_equal(model.bounds(value, spread, groups=groups), again.bounds(value, spread, groups=groups))


def test_order_of_sites_does_not_matter():
    """Permuted rows give the same widths to rounding."""
    value, spread, y = make_pairs(0, 342, follow=1.0)
    order = np.random.default_rng(0).permutation(342)
    one, two = fit_interval(value, spread, y), fit_interval(value[order], spread[order], y[order])
    np.testing.assert_allclose(one.bounds(value, spread), two.bounds(value, spread), rtol=1e-9)


def test_incomplete_pairs_are_left_out_and_counted():
    """They change nothing."""
    value, spread, y = make_pairs(0, 100)
    more = fit_interval(np.append(value, [np.nan, 0.2]), np.append(spread, [0.1, np.nan]), np.append(y, [0.3, 0.3]))
    assert (more.sites, more.left_out) == (100, 2)
    assert np.array_equal(more.bounds(value, spread), fit_interval(value, spread, y).bounds(value, spread))


@pytest.mark.parametrize(
    ("call", "fault", "words"),
    [
        (lambda v, s, y: fit_interval(v, s, y, level=90), DomainError, "level is 90"),
        (lambda v, s, y: fit_interval(v, s[:-1], y), DomainError, "different lengths"),
        (lambda v, s, y: fit_interval(v[:9], s[:9], y[:9]), SitesError, "at least 10"),
        (lambda v, s, y: fit_interval(v, s, v), SitesError, "nearly every error is 0"),
        (lambda v, s, y: fit_interval(*make_pairs(0, 500, follow=1.5)).bounds(v), DomainError, "pass spread="),
        (lambda v, s, y: fit_interval(v, s, y).bounds(v, s, groups=np.ones(2)), DomainError, "one label per value"),
        (lambda v, s, y: cv_plus(np.ones((2, 3)), np.array([0, 2]), v[:2], y[:2]), DomainError, "one row per fold"),
        (lambda v, s, y: cv_plus(np.ones((2, 3)), np.array([0, 1]), v[:2] * np.nan, y[:2]), DomainError, "missing"),
        (lambda v, s, y: cv_plus(np.ones((2, 3)), np.array([0, 1]), v[:2], y[:2], level=1), DomainError, "level is 1"),
    ],
)
def test_bad_input_is_named(call, fault, words):
    """One clear message each."""
    with pytest.raises(fault, match=words):
        call(*make_pairs(0, 50))
