"""Applicability against R CAST's own figures, and its pathologies."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import DomainError, SitesError
from alm_core.learning.applicability import (
    Applicability,
    ErrorProfile,
    dissimilarity_threshold,
    fit_applicability,
    fit_error_profile,
)

CASES = (
    "unweighted_nocv",
    "weighted_nocv",
    "zeroweight_nocv",
    "unweighted_block",
    "weighted_block",
    "unweighted_random",
    "weighted_random",
    "unweighted_excluding",
)


@pytest.fixture(scope="module")
def hand(shared_data):
    """Folder of the hand cases."""
    return shared_data / "oracles" / "applicability_hand"


def options(hand, case: str, train: pd.DataFrame) -> dict:
    """Weights and folds of a case."""
    settings = json.loads((hand / "settings.json").read_text())
    weighting, folding = case.split("_")
    weights = {"weighted": settings["weights"]["w"][0], "zeroweight": settings["weights"]["w0"][0]}.get(weighting)
    if folding == "excluding":
        pairs = zip(settings["CVtrain_excluding"], settings["CVtest_excluding"], strict=True)
        folds = [(np.array(fit) - 1, np.array(test) - 1) for fit, test in pairs]
    else:
        folds = None if folding == "nocv" else train[f"fold_{folding}"].to_numpy()
    return {"weights": weights, "folds": folds}


def compare(area: Applicability, new: pd.DataFrame, hand, case: str) -> None:
    """Everything CAST wrote for a case, to 1e-9."""
    summary = json.loads((hand / "summary.json").read_text())[case]
    trained, predicted = pd.read_csv(hand / f"train_{case}.csv"), pd.read_csv(hand / f"new_{case}.csv")
    assert area.threshold == pytest.approx(summary["threshold"], abs=1e-9)
    assert area.mean_distance == pytest.approx(summary["trainDist_avrgmean"], abs=1e-9)
    np.testing.assert_allclose(area.training_dissimilarity, trained["trainDI"], atol=1e-9)
    np.testing.assert_array_equal(area.training_density, trained["trainLPD"])
    found = area.predict(new)
    np.testing.assert_allclose(found.dissimilarity, predicted["DI"], atol=1e-9)
    np.testing.assert_array_equal(found.density, predicted["LPD"])
    np.testing.assert_array_equal(found.inside, predicted["AOA"] == 1)
    counts = found.to_dict()
    assert (counts["inside"], counts["outside"], counts["missing"]) == tuple(
        summary[f"{key}_new"] for key in ("inside", "outside", "na")
    )


@pytest.mark.parametrize("case", CASES)
def test_equal_to_cast(hand, case):
    """DI, threshold, area, density, of training and new points."""
    train, new = pd.read_csv(hand / "train.csv"), pd.read_csv(hand / "new.csv")
    compare(fit_applicability(train[["a", "b", "c"]], **options(hand, case, train)), new[["a", "b", "c"]], hand, case)


def test_equal_to_cast_with_categories(hand):
    """A categorical covariate becomes one scaled column per level."""
    train, new = (pd.read_csv(hand / f"{name}_categorical.csv") for name in ("train", "new"))
    levels = sorted(train["cls"].unique())
    for frame in (train, new):
        # "ice" is in the new points only.
        frame["cls"] = [levels.index(name) if name in levels else len(levels) for name in frame["cls"]]
    folds = pd.read_csv(hand / "train.csv")["fold_random"].to_numpy()
    columns = ["a", "b", "c", "cls"]
    area = fit_applicability(train[columns], folds=folds, categorical=["cls"])
    compare(area, new[columns], hand, "categorical_random")
    assert area.space.mean.size == 6


def test_normalised_dissimilarity_is_cast_s(hand):
    """DI over the threshold."""
    train, new = pd.read_csv(hand / "train.csv"), pd.read_csv(hand / "new.csv")
    found = fit_applicability(train[["a", "b", "c"]]).predict(new[["a", "b", "c"]])
    expected = pd.read_csv(hand / "new_unweighted_nocv_normalizedDI.csv")["DI_normalized"]
    np.testing.assert_allclose(found.normalised, expected, atol=1e-9)


@pytest.fixture
def sample():
    """342 sites, 12 covariates."""
    return np.random.default_rng(0).normal(size=(342, 12)).astype(np.float32)


def test_equal_to_plain_distances(sample):
    """The fast kernel against SciPy, for odd and even numbers of columns."""
    from scipy.spatial.distance import cdist

    new = np.random.default_rng(1).normal(size=(500, 12)) * 1.5
    for width in (1, 3, 4, 7, 12):
        train = sample[:, :width].astype(float)
        area = fit_applicability(train)
        scaled = [(part - train.mean(axis=0)) / train.std(axis=0, ddof=1) for part in (new[:, :width], train)]
        distances = cdist(*scaled) / area.mean_distance
        found = area.predict(new[:, :width])
        np.testing.assert_allclose(found.dissimilarity, distances.min(axis=1), atol=1e-12)
        np.testing.assert_array_equal(found.density, (distances < area.threshold).sum(axis=1))


def test_a_training_point_is_at_distance_zero(sample):
    """Exactly, so that no dust makes it look dissimilar."""
    assert (fit_applicability(sample).predict(sample).dissimilarity == 0).all()


def test_a_point_does_not_depend_on_its_block(sample):
    """One by one or together: the same bits."""
    area = fit_applicability(sample)
    new = np.random.default_rng(1).normal(size=(60, 12)).astype(np.float32)
    together = area.predict(new)
    single = [area.predict(row[None]) for row in new]
    assert np.array_equal(together.dissimilarity, [one.dissimilarity[0] for one in single])
    assert np.array_equal(together.density, [one.density[0] for one in single])


def test_folds_widen_the_area(sample):
    """Sites compared beyond their own cluster are farther away: a greater threshold."""
    centres = np.repeat(np.arange(6), 57)
    clustered = sample + 3 * centres[:, None]
    assert fit_applicability(clustered, folds=centres).threshold > 2 * fit_applicability(clustered).threshold


def test_site_in_no_fold_is_compared_with_every_other(sample):
    """Fold -1 marks sites that are only ever trained on."""
    folds = np.full(342, -1)
    folds[:171] = 0
    area, plain = fit_applicability(sample, folds=folds), fit_applicability(sample)
    assert np.array_equal(area.training_dissimilarity[171:], plain.training_dissimilarity[171:])
    assert (area.training_dissimilarity[:171] > plain.training_dissimilarity[:171]).any()


def test_missing_values_are_left_out_counted_or_nan(sample):
    """In training they are counted and change nothing; in new points they give NaN and not inside."""
    holes = np.vstack([sample, np.full((1, 12), np.nan, np.float32)])
    area, plain = fit_applicability(holes), fit_applicability(sample)
    assert area.left_out == 1
    assert area.threshold == plain.threshold
    assert np.isnan(area.training_dissimilarity[-1])
    new = sample[:3].copy()
    new[1, 11] = np.nan
    found = area.predict(new)
    assert np.isnan(found.dissimilarity).tolist() == np.isnan(found.density).tolist() == [False, True, False]
    assert found.inside.tolist() == [True, False, True]


def test_unknown_category_is_farther_than_any_known_one():
    """A class that no site has is away from every level; a missing class is missing."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=40), rng.integers(0, 3, 40)])
    area = fit_applicability(X, categorical=[1])
    known, unknown, missing = area.predict(np.array([[X[0, 0], X[0, 1]], [X[0, 0], 9.0], [X[0, 0], np.nan]])).dissimilarity
    assert unknown > known == 0
    assert np.isnan(missing)


def test_constant_columns_and_zero_weights_are_noted(sample):
    """Neither breaks the distance; both are said."""
    sample[:, 3] = 7
    area = fit_applicability(sample)
    assert "x3" in area.notes[0]
    assert area.points.shape == (342, 11)
    flat = fit_applicability(sample, weights=np.full(12, -1.0))
    assert "every weight was 0" in flat.notes[0]
    assert flat.threshold == area.threshold


def test_json_round_trip_is_exact(sample):
    """The same bits after JSON, missing training values included."""
    sample[5, 2] = np.nan
    area = fit_applicability(sample, weights=np.arange(12.0), folds=np.arange(342) % 5)
    again = Applicability.from_dict(json.loads(json.dumps(area.to_dict(), allow_nan=False)))
    new = np.random.default_rng(1).normal(size=(100, 12))
    one, two = area.predict(new), again.predict(new)
    assert np.array_equal(one.dissimilarity, two.dissimilarity)
    assert np.array_equal(one.density, two.density)
    assert np.array_equal(area.training_dissimilarity, again.training_dissimilarity, equal_nan=True)


def test_columns_are_taken_by_name(sample):
    """A table with its columns in another order gives the same; a missing one is named."""
    frame = pd.DataFrame(sample, columns=list("abcdefghijkl"))
    area = fit_applicability(frame)
    assert np.array_equal(area.predict(frame[list("lkjihgfedcba")]).density, area.predict(sample).density)
    with pytest.raises(DomainError, match="covariates a are not"):
        area.predict(frame.drop(columns="a"))


def test_threshold_is_capped_at_the_largest():
    """The whisker may not leave the data."""
    assert dissimilarity_threshold(np.array([0.0, 1.0, 2.0, 3.0])) == 3.0
    assert dissimilarity_threshold(np.array([1.0] * 9 + [50.0])) == 1.0


def test_error_profile_rises_and_is_honest():
    """Errors with sd 0.05 + 0.1 DI: found within a quarter, never falling, held at the end, NaN kept."""
    rng = np.random.default_rng(0)
    dissimilarity = rng.uniform(0, 1, 2000)
    profile = fit_error_profile(dissimilarity, rng.normal(size=2000) * (0.05 + 0.1 * dissimilarity))
    at = np.linspace(0.1, 0.9, 50)
    np.testing.assert_allclose(profile.predict(at), 0.05 + 0.1 * at, rtol=0.25)
    assert (np.diff(profile.predict(np.linspace(-1, 3, 500))) >= 0).all()
    assert profile.predict(np.array([5.0])) == profile.predict(np.array([50.0]))
    assert np.isnan(profile.predict(np.array([np.nan]))).all()
    again = ErrorProfile.from_dict(json.loads(json.dumps(profile.to_dict())))
    assert np.array_equal(again.predict(at), profile.predict(at))


def test_error_profile_of_equal_dissimilarities_is_one_number():
    """No spread to learn from: the RMSE of all."""
    profile = fit_error_profile(np.ones(20), np.full(20, 0.3))
    assert profile.predict(np.array([0.0, 9.0])) == pytest.approx([0.3, 0.3])


@pytest.mark.parametrize(
    ("call", "fault", "words"),
    [
        (lambda X: fit_applicability(X[:2]), SitesError, "at least 3"),
        (lambda X: fit_applicability(np.ones((10, 2))), SitesError, "constant"),
        (lambda X: fit_applicability(X, weights=[1.0]), DomainError, "one finite number"),
        (lambda X: fit_applicability(X, weights={"x0": 1}), DomainError, "no weight for x1"),
        (lambda X: fit_applicability(X, folds=np.zeros(3)), DomainError, "one fold per site"),
        (lambda X: fit_applicability(X, folds=np.zeros(len(X))), DomainError, "at least two folds"),
        (lambda X: fit_applicability(X, folds=[([0, 1], [2])]), DomainError, "exactly one test list"),
        (lambda X: fit_applicability(X, categorical=["soil"]), DomainError, "'soil' is not among"),
        (lambda X: fit_applicability(X).predict(X[:, :3]), DomainError, "is expected"),
        (lambda X: fit_error_profile(np.ones(2), np.ones(2)), SitesError, "at least 3"),
    ],
)
def test_bad_input_is_named(sample, call, fault, words):
    """One clear message each."""
    with pytest.raises(fault, match=words):
        call(sample)
