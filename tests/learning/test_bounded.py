"""Censored places in the validation: predicted by procedures that did not see their surroundings, never learned from."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from alm_core.learning.bounded import BoundedPlaces, BoundedValidation
from alm_core.learning.validation import validate
from tests.learning.test_procedure import PLAN, make_samples, random_folds


def bounded_at(samples, rows, lower, upper):
    """Places that lie on some of the samples."""
    places = replace(samples.take(np.asarray(rows)), target=np.full(len(rows), np.nan))
    return BoundedPlaces(places, np.asarray(lower, float), np.asarray(upper, float))


def test_a_place_belongs_to_the_fold_of_its_nearest_site():
    """Whoever scores that site predicts the place, and nobody else."""
    samples = make_samples(12)
    bounds = bounded_at(samples, [3, 8], [-np.inf, 124.0], [66.0, np.inf])
    validation = BoundedValidation(bounds, samples, geographic=True)
    trained = SimpleNamespace(predict=lambda part: SimpleNamespace(value=np.full(len(part), 100.0)))
    assert validation.predict(trained, np.array([0, 1])) == []
    found = validation.predict(trained, np.array([8, 9]))
    assert found == [{"site_id": "s008", "lower": 124.0, "upper": None, "predicted": 100.0}]


def test_every_place_is_predicted_once_and_honestly():
    """By the procedure that never saw the site at the same place: the prediction is that of the held-out site."""
    samples = make_samples(60)
    bounds = bounded_at(samples, [5, 17, 40], [0.0] * 3, [np.inf] * 3)
    frame, notes = validate(samples, random_folds(samples), PLAN, bounded=BoundedValidation(bounds, samples, geographic=True))
    rows = {row["site_id"]: row["predicted"] for fold in notes for row in fold["bounded"]}
    held_out = frame.frame.set_index("site_id")["fused"]
    assert sorted(rows) == ["s005", "s017", "s040"]
    assert all(rows[site] == held_out[site] for site in rows)


def test_places_survive_the_disk(tmp_path):
    """Bounds, infinite ones too, and covariates."""
    bounds = bounded_at(make_samples(12), [3, 8], [-np.inf, 124.0], [66.0, np.inf])
    bounds.to_parquet(tmp_path / "bounded.parquet")
    found = BoundedPlaces.from_parquet(tmp_path / "bounded.parquet")
    np.testing.assert_array_equal(found.lower, bounds.lower)
    np.testing.assert_array_equal(found.upper, bounds.upper)
    assert found.samples.features.equals(bounds.samples.features)
