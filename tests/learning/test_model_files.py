"""Fitted learners on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alm_core.errors import LearnerError, MissingFileError, ModelFileError
from alm_core.learning.learners import make_learner
from alm_core.learning.model_files import can_be_saved, load_learner, save_learner

KINDS = {"random_forest": "n_estimators", "extra_trees": "n_estimators", "xgboost": "n_estimators", "catboost": "iterations"}
X = np.random.default_rng(8).normal(size=(80, 5)).astype(np.float32)
Y = X[:, 0] - X[:, 1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_round_trip(kind, task, tmp_path):
    """What is read predicts what was saved, with the same labels and names."""
    target = Y if task == "regression" else np.array(["dry", "moist", "wet"])[np.digitize(Y, [-0.5, 0.5])]
    options = {KINDS[kind]: 15}
    saved = make_learner(kind, task=task, options=options, feature_names=list("abcde"), categorical=("e",)).fit(X, target)
    path = save_learner(saved, tmp_path, "member.one")
    read = load_learner(tmp_path, "member.one")
    np.testing.assert_allclose(read.predict(X), saved.predict(X), atol=2e-6)
    assert path.suffix in (".npz", ".ubj", ".cbm")
    assert (read.kind, read.task, read.options) == (kind, task, options)
    assert (read.feature_names, read.categorical) == (tuple("abcde"), ("e",))
    if task == "classification":
        assert read.classes_.tolist() == ["dry", "moist", "wet"]
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted([path.name, "member.one.json"])


def test_only_formats_without_code(tmp_path):
    """Estimators by class name are refused: they would need pickle."""
    learner = make_learner("Ridge").fit(X, Y)
    assert not can_be_saved(learner)
    with pytest.raises(LearnerError, match="holds no code"):
        save_learner(learner, tmp_path, "ridge")
    with pytest.raises(LearnerError, match="not fitted"):
        save_learner(make_learner("xgboost"), tmp_path, "early")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_noticed(kind, tmp_path):
    """A single changed byte, a truncated file and a missing one are each told."""
    path = save_learner(make_learner(kind, options={KINDS[kind]: 5}).fit(X, Y), tmp_path, "member")
    content = path.read_bytes()
    middle = len(content) // 2
    for damaged in (content[:middle], content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match="damaged"):
            load_learner(tmp_path, "member")
    path.unlink()
    with pytest.raises(MissingFileError, match="not there"):
        load_learner(tmp_path, "member")


def test_description_is_checked(tmp_path):
    """Another version, missing keys and broken JSON are each told."""
    save_learner(make_learner("xgboost", options={"n_estimators": 3}).fit(X, Y), tmp_path, "member")
    about = tmp_path / "member.json"
    facts = json.loads(about.read_text())
    for text, words in (
        (json.dumps(facts | {"version": 99}), "version 99"),
        (json.dumps({key: facts[key] for key in ("version", "kind")}), "lacks categorical"),
        ("{", "damaged"),
    ):
        about.write_text(text)
        with pytest.raises(ModelFileError, match=words):
            load_learner(tmp_path, "member")
    with pytest.raises(MissingFileError):
        load_learner(tmp_path, "nobody")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a\\b", ".hidden"])
def test_names_stay_in_the_folder(name, tmp_path):
    """A name can't lead out of the folder."""
    with pytest.raises(ModelFileError, match="plain file name"):
        load_learner(tmp_path, name)
