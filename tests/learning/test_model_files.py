"""Fitted learners on disk."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from alm_core.errors import LearnerError, MissingFileError, ModelFileError
from alm_core.learning.learners import make_learner
from alm_core.learning.model_files import can_be_saved, load_learner, load_native, save_learner
from alm_core.trees.convert import compile_ensemble

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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_the_library_reads_its_own_file(kind, task, tmp_path):
    """Native predictions of what was saved are those of the trained model, missing values and unseen classes too."""
    target = Y if task == "regression" else np.array(["dry", "wet"])[(Y > 0).astype(int)]
    classes = None if task == "regression" else ["dry", "moist", "wet"]
    saved = make_learner(kind, task=task, options={KINDS[kind]: 15}, classes=classes).fit(X, target)
    save_learner(saved, tmp_path, "member", features=X)
    rows = X.copy()
    rows[::3, 1] = np.nan
    found = load_native(tmp_path, "member").predict(rows)
    assert found.shape == ((80,) if task == "regression" else (80, 3))
    np.testing.assert_allclose(found, saved.predict(rows), atol=2e-6)
    np.testing.assert_allclose(found, load_learner(tmp_path, "member").predict(rows), atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_the_conversion_is_proved_before_it_is_saved(kind, tmp_path, monkeypatch):
    """What was found is kept; a conversion that goes wrong leaves no file."""
    learner = make_learner(kind, options={KINDS[kind]: 10}).fit(X, Y)
    save_learner(learner, tmp_path, "good", features=X)
    facts = json.loads((tmp_path / "good.json").read_text())
    assert facts["takes_missing"] is True
    assert facts["conversion"]["rows"] >= 80
    assert facts["conversion"]["difference"] < 1e-6 * np.ptp(Y)

    def crooked(model, *, feature_names=None):
        trees = compile_ensemble(model, feature_names=feature_names)
        cut = np.where(trees.feature >= 0, np.nextafter(trees.cut, np.float32(np.inf)), trees.cut)
        return replace(trees, cut=cut)

    monkeypatch.setattr("alm_core.learning.model_files.compile_ensemble", crooked)
    with pytest.raises(LearnerError, match="compiled bad predicts"):
        save_learner(learner, tmp_path, "bad", features=X)
    assert not list(tmp_path.glob("*bad*"))


def change(folder, name, **facts):
    """Write other facts beside a model."""
    about = folder / f"{name}.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | facts))


@pytest.mark.parametrize("kind", KINDS)
def test_a_json_of_another_model_is_refused(kind, tmp_path):
    """Other features, another task, another file: each is named before anything is predicted."""
    learner = make_learner(kind, options={KINDS[kind]: 5}, feature_names=list("abcde")).fit(X, Y)
    path = save_learner(learner, tmp_path, "one")
    other = save_learner(make_learner(kind, options={KINDS[kind]: 6}, feature_names=list("vwxyz")).fit(X, Y), tmp_path, "two")
    good = (tmp_path / "one.json").read_text()
    change(tmp_path, "one", feature_names=list("abcd"))
    with pytest.raises(ModelFileError, match="one"):
        load_learner(tmp_path, "one")
    (tmp_path / "one.json").write_text(good)
    change(tmp_path, "one", seen_classes=[0, 1, 2], classes=[0, 1, 2])
    with pytest.raises(ModelFileError, match="number of classes"):
        load_learner(tmp_path, "one")
    (tmp_path / "one.json").write_text(good)
    path.write_bytes(other.read_bytes())
    with pytest.raises(ModelFileError, match="of another run"):
        load_learner(tmp_path, "one")
    with pytest.raises(ModelFileError, match="of another run"):
        load_native(tmp_path, "one")


def test_a_forest_of_other_features_is_refused(tmp_path):
    """The file of a forest carries its own names; boosters are held to their number."""
    forest = make_learner("random_forest", options={"n_estimators": 5}, feature_names=list("abcde")).fit(X, Y)
    save_learner(forest, tmp_path, "one")
    change(tmp_path, "one", feature_names=list("abcdz"))
    with pytest.raises(ModelFileError, match="don't belong together: the features"):
        load_learner(tmp_path, "one")


@pytest.mark.parametrize("kind", ["xgboost", "catboost"])
def test_a_booster_of_another_task_is_refused(kind, tmp_path):
    """A classifier that is told to be a regression."""
    learner = make_learner(kind, task="classification", options={KINDS[kind]: 5}).fit(X, (Y > 0).astype(int))
    save_learner(learner, tmp_path, "one")
    change(tmp_path, "one", task="regression", seen_classes=None, classes=None)
    with pytest.raises(ModelFileError, match="one"):
        load_learner(tmp_path, "one")
