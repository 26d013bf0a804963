"""Fitted learners on disk, without pickle.

XGBoost and CatBoost are kept in their own formats (``.ubj``, ``.cbm``), forests as compiled trees (``.npz``); a small JSON
beside each says what it is. What is loaded predicts with the compiled trees; `load_native` gives the libraries' own word.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.errors import LearnerError, MissingFileError, ModelFileError
from alm_core.learning.learners import Learner, single_thread
from alm_core.learning.target import TargetTransform
from alm_core.trees.convert import compile_ensemble
from alm_core.trees.ensemble import TreeEnsemble
from alm_core.trees.native import NativePredictor, check_conversion, native_predictor

VERSION = 2
"""2: whether the learner takes missing values, and how far the compiled trees are from the library."""
FACTS = {"version", "kind", "task", "seed", "options", "feature_names", "categorical", "classes", "seen_classes", "sha256"}
FACTS |= {"takes_missing", "conversion"}
WHAT_TO_DO = "Delete the folder `models` of the run and run the study again."
SUFFIXES = {"xgboost": ".ubj", "catboost": ".cbm", "random_forest": ".npz", "extra_trees": ".npz"}


def can_be_saved(learner: Learner) -> bool:
    """True for the learners that have a file format without pickle; any other is fitted again when it is needed."""
    return learner.kind in SUFFIXES


def save_learner(learner: Learner, folder: str | Path, name: str, *, features: np.ndarray | None = None) -> Path:
    """Write a fitted learner to ``folder/name`` with the suffix of its format, and ``folder/name.json``.

    Before that its compiled trees are compared with the library's own predictions, as long as the trained model is at hand.

    Parameters
    ----------
    features : ndarray, optional
        Training features ``[site, covariate]`` to compare on; rows made of the cuts of the trees are always compared.

    Raises
    ------
    LearnerError
        The kind has no file format without pickle, the learner is not fitted, or its compiled trees predict otherwise.
    ModelFileError
        The name is not a plain file name.
    """
    if not can_be_saved(learner):
        raise LearnerError(
            f"A learner of kind {learner.kind!r} can't be saved: only {', '.join(SUFFIXES)} have a format that holds no code. "
            "Fit it again from the samples of the run."
        )
    if not learner.fitted_:
        raise LearnerError(f"The learner {learner.kind!r} is not fitted, so there is nothing to save: call fit first.")
    path = _path(folder, name, SUFFIXES[learner.kind])
    hidden = path.with_name(f".writing-{path.name}")  # a file that is cut short never has the final name
    if isinstance(learner.estimator, TreeEnsemble):
        raise LearnerError(f"The learner {name!r} was read from a file: copy that file instead of saving it again.")
    ensemble = compile_ensemble(learner.estimator, feature_names=learner.feature_names)
    with single_thread():
        conversion = check_conversion(learner.estimator, ensemble, features, name=name)
    if learner.kind in ("xgboost", "catboost"):
        learner.estimator.save_model(str(hidden))
    else:
        ensemble.save(hidden)
    facts = {
        "version": VERSION,
        "kind": learner.kind,
        "task": learner.task,
        "seed": learner.seed,
        "options": learner.options,
        "feature_names": list(learner.feature_names),
        "categorical": list(learner.categorical),
        "classes": None if learner.classes_ is None else np.asarray(learner.classes_).tolist(),
        "seen_classes": None if learner.seen_classes_ is None else np.asarray(learner.seen_classes_).tolist(),
        "takes_missing": conversion.takes_missing,
        "conversion": conversion.to_dict(),
        "transform": None if learner.transform.identity else learner.transform.to_dict(),
        "sha256": _digest(hidden),
    }
    os.replace(hidden, path)
    about = _path(folder, name, ".json")
    hidden = about.with_name(f".writing-{about.name}")
    hidden.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    os.replace(hidden, about)
    return path


def load_learner(folder: str | Path, name: str) -> Learner:
    """Read a learner that `save_learner` wrote.

    Raises
    ------
    MissingFileError
        A file of it is not there.
    ModelFileError
        A file of it is damaged, of another version, or not the one that its JSON tells of.
    """
    about = _path(folder, name, ".json")
    facts = _read_facts(about)
    path = _path(folder, name, SUFFIXES[facts["kind"]])
    ensemble = _read_ensemble(path, facts)
    _check_belongs(ensemble, facts, path)
    learner = Learner(
        facts["kind"],
        ensemble,
        task=facts["task"],
        seed=facts["seed"],
        options=facts["options"],
        feature_names=facts["feature_names"],
        categorical=facts["categorical"],
        classes=facts["classes"],
        transform=TargetTransform.from_dict(facts.get("transform")),
    )
    learner.classes_ = None if facts["classes"] is None else np.asarray(facts["classes"])
    learner.seen_classes_ = None if facts["seen_classes"] is None else np.asarray(facts["seen_classes"])
    learner.takes_missing_ = bool(facts["takes_missing"])
    learner.fitted_ = True
    return learner


class NativeLearner:
    """A saved learner as its own library predicts it; for checks, because it is slow.

    Parameters
    ----------
    predictor : NativePredictor
    seen, classes : sequence or None
        Classes of the training part and all classes of the study; None for a regression.
    transform : TargetTransform, optional
        The scale that the library was fitted on.
    """

    def __init__(
        self, predictor: NativePredictor, *, seen: Any = None, classes: Any = None, transform: TargetTransform | None = None
    ) -> None:
        self.transform = transform or TargetTransform()
        self.predictor = predictor
        self.seen = seen
        self.classes = classes

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Values ``[row]`` or probabilities of all classes of the study ``[row, class]`` of features ``[row, covariate]``."""
        with single_thread():
            found = self.predictor.predict(rows)
        if self.classes is None:
            return self.transform.backward(found)
        if list(self.seen) == list(self.classes):
            return found
        wide = np.zeros((len(found), len(self.classes)))
        wide[:, [list(self.classes).index(label) for label in self.seen]] = found
        return wide


def load_native(folder: str | Path, name: str) -> NativeLearner:
    """Read a learner that `save_learner` wrote, to be asked through its own library.

    XGBoost and CatBoost read their own files; a forest is put back into scikit-learn's trees.

    Raises
    ------
    MissingFileError, ModelFileError
        As `load_learner`.
    LearnerError
        The installed scikit-learn lays its trees out in another way.
    """
    facts = _read_facts(_path(folder, name, ".json"))
    model = _read_model(_path(folder, name, SUFFIXES[facts["kind"]]), facts)
    transform = TargetTransform.from_dict(facts.get("transform"))
    return NativeLearner(native_predictor(model), seen=facts["seen_classes"], classes=facts["classes"], transform=transform)


def _read_facts(about: Path) -> dict[str, Any]:
    """Read and check the JSON beside a model."""
    if not about.is_file():
        raise MissingFileError(f"{about} is not there: the models of this run are not finished. Run it again.")
    try:
        facts = json.loads(about.read_text(encoding="utf-8"))
        version, kind = facts["version"], facts["kind"]
    except (ValueError, KeyError, TypeError) as fault:
        raise ModelFileError(f"{about} is damaged ({fault}). Delete the folder of the run and run it again.") from fault
    if version != VERSION or kind not in SUFFIXES:
        raise ModelFileError(f"{about} has version {version} and kind {kind!r}; version {VERSION} is expected. Run it again.")
    missing = sorted(FACTS - facts.keys())
    if missing:
        raise ModelFileError(f"{about} lacks {', '.join(missing)}. Delete the folder of the run and run it again.")
    return facts


def _read_ensemble(path: Path, facts: dict[str, Any]) -> TreeEnsemble:
    model = _read_model(path, facts)
    if isinstance(model, TreeEnsemble):
        return model
    try:
        return compile_ensemble(model, feature_names=facts["feature_names"])
    except LearnerError as fault:
        raise ModelFileError(f"{path} is not the model that {path.stem}.json tells of: {fault} {WHAT_TO_DO}") from fault


def _read_model(path: Path, facts: dict[str, Any]) -> Any:
    """The library's model, or the compiled forest, of a file whose hash is right."""
    if not path.is_file():
        raise MissingFileError(f"{path} is not there: the models of this run are not finished. Run it again.")
    if _digest(path) != facts["sha256"]:
        raise ModelFileError(
            f"{path} is damaged, cut short or of another run: its hash is not the one written in {path.stem}.json. {WHAT_TO_DO}"
        )
    if path.suffix == ".npz":
        return TreeEnsemble.load(path)
    try:
        model = _native(facts["kind"], facts["task"])
        model.load_model(path)
    except Exception as fault:  # both libraries raise classes of their own for a damaged file
        raise ModelFileError(f"{path} can't be read ({str(fault)[:200]}). {WHAT_TO_DO}") from fault
    return model


def _check_belongs(ensemble: TreeEnsemble, facts: dict[str, Any], path: Path) -> None:
    """Refuse a model whose JSON tells of another one: other features, another task, other classes."""
    seen = facts["seen_classes"] or []
    told = {
        "features": (list(ensemble.feature_names), list(facts["feature_names"])),
        "task": (ensemble.task, facts["task"]),
        "number of classes": (len(ensemble.classes), len(seen)),
    }
    for what, (found, expected) in told.items():
        if found != expected:
            raise ModelFileError(
                f"{path.name} and {path.stem}.json don't belong together: the {what} of the model are {found}, "
                f"the JSON says {expected}. {WHAT_TO_DO}"
            )


def _native(kind: str, task: str) -> Any:
    if kind == "xgboost":
        from xgboost import XGBClassifier, XGBRegressor

        return XGBRegressor() if task == "regression" else XGBClassifier()
    from catboost import CatBoostClassifier, CatBoostRegressor

    return CatBoostRegressor() if task == "regression" else CatBoostClassifier()


def _path(folder: str | Path, name: str, suffix: str) -> Path:
    """A file of the folder; a name that leads out of it is refused."""
    if not name or name.startswith(".") or "/" in name or "\\" in name:
        raise ModelFileError(f"The model name {name!r} is not a plain file name: give one without folders or a leading dot.")
    return Path(folder) / f"{name}{suffix}"


def _digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
