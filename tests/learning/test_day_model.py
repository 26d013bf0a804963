"""The fitted model of a study of days, read from its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from alm_core.errors import DomainError, LearnerError, MissingFileError, ModelFileError
from alm_core.learning.day_learners import frozen_probability, make_day_learner
from alm_core.learning.day_model import load_day_model
from alm_core.learning.model_files import load_native, save_learner
from tests.learning.day_table import table

NAMES = ("temperature", "season", "latitude")
SAMPLES = table(600)
KINDS = {"extra_trees": {"n_estimators": 12}, "random_forest": {"n_estimators": 12}, "xgboost": {"n_estimators": 12}}
KINDS |= {"catboost": {"iterations": 12}}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run with every kind that can be saved."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "models").mkdir()
    for kind, options in KINDS.items():
        learner = make_day_learner(kind, options=options, names=NAMES).fit(SAMPLES.features, SAMPLES.label.astype(int))
        save_learner(learner, folder / "models", kind, features=SAMPLES.features)
    write_facts(folder)
    return folder


def write_facts(folder, **changes):
    """models.json of the run."""
    facts = {"features": list(NAMES), "learner": "extra_trees", "saved": list(KINDS), "missing": "leave_out"} | changes
    (folder / "models.json").write_text(json.dumps(facts), encoding="utf-8")


def block():
    """Predictors of 6 days and 100 cells, some of them missing, and what is asked for."""
    values = np.array(SAMPLES.features.T).reshape(3, 6, 100)
    values[0, 1, :10] = np.nan
    valid = np.ones((6, 100), bool)
    valid[3] = False
    return values, valid


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_of_days_is_predicted_as_its_own_library_does(run, kind):
    """Cell by cell, to the tolerance of all maps; nothing where nothing was asked or a predictor is missing."""
    values, valid = block()
    model = load_day_model(run, kind)
    found = model.predict_block(values, valid)
    asked = valid & np.isfinite(values).all(axis=0)
    assert found.shape == (6, 100)
    assert np.array_equal(np.isfinite(found), asked)
    native = load_native(run / "models", kind).predict(np.ascontiguousarray(values[:, asked].T))[:, 1]
    assert np.abs(found[asked] - native).max() < 1e-6
    assert model.check_block(values, valid) < 1e-6
    assert model.names == NAMES


def test_days_can_be_parted_as_one_likes(run):
    """Day by day, the same to the last bit."""
    values, valid = block()
    model = load_day_model(run)
    whole = model.predict_block(values, valid)
    parts = [model.predict_block(values[:, day : day + 1], valid[day : day + 1]) for day in range(6)]
    assert np.array_equal(whole, np.concatenate(parts), equal_nan=True)


def test_gaps_are_routed_where_the_study_says_so(run, tmp_path):
    """Trees send a gap somewhere; the answer is theirs."""
    (tmp_path / "models").symlink_to(run / "models")
    write_facts(tmp_path, missing="route")
    values, valid = block()
    found = load_day_model(tmp_path).predict_block(values, valid)
    assert np.array_equal(np.isfinite(found), valid)
    expected = load_native(run / "models", "extra_trees").predict(np.ascontiguousarray(values[:, 1].T))[:, 1]
    assert np.abs(found[1] - expected).max() < 1e-6


def test_a_model_that_differs_from_its_library_maps_nothing(run, monkeypatch):
    """The oracle names the difference."""
    monkeypatch.setattr(
        "alm_core.learning.day_model.load_native",
        lambda folder, name: type("Other", (), {"predict": lambda self, rows: np.full((len(rows), 2), 0.5)})(),
    )
    with pytest.raises(LearnerError, match="from its own library"):
        load_day_model(run).check_block(*block())


def test_nothing_to_predict_is_nothing_predicted(run):
    """An empty block is no fault."""
    values, valid = block()
    model = load_day_model(run)
    assert np.isnan(model.predict_block(values, valid & False)).all()
    assert model.check_block(values, valid & False) == 0.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": ["season", "temperature", "latitude"]}, "was fitted to temperature, season, latitude"),
        ({"learner": "other"}, "no saved learner 'other'"),
        ({"missing": "guess"}, "no saved learner"),
        ({"saved": None}, "damaged"),
    ],
)
def test_files_of_another_study_are_refused(run, tmp_path, changes, words):
    """Features in another order would give numbers that look right."""
    (tmp_path / "models").symlink_to(run / "models")
    write_facts(tmp_path, **changes)
    if changes.get("saved", 0) is None:
        (tmp_path / "models.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelFileError, match=words):
        load_day_model(tmp_path)


def test_a_run_without_models_says_so(tmp_path):
    """As everywhere."""
    with pytest.raises(MissingFileError, match=r"models\.json"):
        load_day_model(tmp_path)


def test_shapes_that_do_not_fit_are_refused(run):
    """A block of other predictors."""
    values, valid = block()
    with pytest.raises(DomainError, match="temperature, season, latitude"):
        load_day_model(run).predict_block(values[:2], valid)


def test_the_columns_of_a_fit_are_frozen_and_thawed(run):
    """Probability of frozen is that of the class 1, and falls with the temperature."""
    learner = load_day_model(run, "xgboost").learner
    found = frozen_probability(learner, SAMPLES.features)
    assert np.corrcoef(found, SAMPLES.label)[0, 1] > 0.7
