"""What the models stage left on disk, read back for the map and proved to belong together.

Nobody changes these files by hand as a rule. But folders are copied, disks fill up and runs are mixed by mistake, and a fusion of
other members or an area of other covariates would give numbers that look right. All of it is found before the first block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.covariates.samples import Samples
from alm_core.errors import AlmError, MissingFileError, ModelFileError
from alm_core.learning.applicability import Applicability
from alm_core.learning.class_fusion import ClassFusion
from alm_core.learning.fusion import Fusion
from alm_core.learning.learners import Learner, make_learner
from alm_core.learning.missing import check_takes_missing
from alm_core.learning.model_files import load_learner, load_native
from alm_core.learning.procedure import Procedure
from alm_core.learning.residual import Residual, fit_residual
from alm_core.learning.target import TargetTransform
from alm_core.mapping.member import Member
from alm_core.mapping.oracle import OracleReport, check_first_block
from alm_core.stages.context import Context
from alm_core.trees.native import NativePredictor
from alm_core.workspace import HASHES, FileHashes, read_json

INNER = "models/inner.parquet"
MODELS = "models.json"
FUSION = "fusion.json"
AREA = "applicability.json"
WHAT_TO_DO = (
    "The files of this run don't belong together: delete its folder `models` and run the study again, which fits everything anew."
)


@dataclass(frozen=True)
class Fitted:
    """Everything that was fitted for the map of a run, checked to be of one piece.

    Attributes
    ----------
    members : tuple of Member
        In the order of `fusion.learners`.
    fusion : Fusion or ClassFusion
    area : Applicability or None
    residual : Residual or None
    oracle : FirstBlockOracle
    """

    members: tuple[Member, ...]
    fusion: Fusion | ClassFusion
    area: Applicability | None
    residual: Residual | None
    oracle: FirstBlockOracle


class FirstBlockOracle:
    """Compares the members with their own libraries when it is called with a block.

    Parameters
    ----------
    members : sequence of Member
    natives : callable
        Gives the native predictors by name; called when a block is there, because reading them takes a moment.
    scale : float
        Range of the training target; 1 for classes.
    """

    def __init__(self, members: tuple[Member, ...], natives: Callable[[], Mapping[str, NativePredictor]], scale: float) -> None:
        self.members = members
        self.natives = natives
        self.scale = scale

    def __call__(self, values: np.ndarray, valid: np.ndarray) -> OracleReport:
        """Check one block: covariates ``[covariate, row, column]`` and the cells that the map predicts ``[row, column]``."""
        return check_first_block(values, valid, self.members, self.natives(), scale=self.scale)


def check_staged(context: Context, features: tuple[str, ...]) -> None:
    """Refuse staged covariates, or a mask, that were changed after the models were trained on them.

    The hashes of touched files are kept beside those of the study's inputs, so each is read once.

    Raises
    ------
    AlmError
    """
    hashes = FileHashes(context.folder.parent / HASHES)
    stack = context.stack
    for part in [stack.at(time) for time in stack.slices] or [stack]:
        part.check(features, digest=hashes)
    hashes.save()


def load_fitted(context: Context, samples: Samples, plan: Procedure) -> Fitted:
    """Read everything that was fitted, in the order of what it costs, and check each part against the plan of the study.

    Raises
    ------
    MissingFileError, ModelFileError
        A file is not there, damaged, cut short, or of another study.
    LearnerError
        Missing covariates are to be routed, and a member can't take them.
    """
    fusion = load_fusion(context.folder, plan)
    area = load_area(context.folder, plan) if context.options.applicability.enabled else None
    members = load_members(context, samples, plan)
    residual = load_residual(context, samples, plan)
    if context.options.map.missing == "route":
        learners = {member.name: member.learner for member in members}
        if residual is not None and residual.kind == "model":
            learners["the residual model"] = residual.model
        check_takes_missing(learners)
    scale = float(np.ptp(samples.target)) if plan.task == "regression" else 1.0
    oracle = FirstBlockOracle(members, lambda: load_natives(context.folder), scale)
    return Fitted(members, fusion, area, residual, oracle)


def load_members(context: Context, samples: Samples, plan: Procedure) -> tuple[Member, ...]:
    """The fitted members from disk; one that has no file format of its own is fitted again from the samples.

    Raises
    ------
    MissingFileError, ModelFileError
    """
    facts = _checked_models(context.folder, plan)
    found = []
    for spec in facts["learners"]:
        if spec["name"] in facts["saved"]:
            learner = load_learner(context.folder / "models", spec["name"])
            _check_learner(learner, spec, plan)
        else:
            learner = _fitted_again(context, samples, spec, plan)
        found.append(Member(spec["name"], learner, plan.classes))
    return tuple(found)


def _checked_models(folder: Path, plan: Procedure) -> dict[str, Any]:
    """models.json, which must tell of the covariates, learners and classes of the study."""
    facts = read_json(folder / MODELS)
    try:
        told = {
            "covariates": (facts["features"], plan.features),
            "learners": ([spec["name"] for spec in facts["learners"]], plan.names),
            "kinds of learner": ([spec["kind"] for spec in facts["learners"]], [spec.kind for spec in plan.learners]),
            "classes": (facts["classes"], plan.classes),
        }
        unsaved = set(facts["saved"]) - set(plan.names)
    except (KeyError, TypeError) as fault:
        raise ModelFileError(f"{MODELS} is damaged ({fault!r}). {WHAT_TO_DO}") from fault
    _check_told(MODELS, told)
    if unsaved:
        raise ModelFileError(f"{MODELS} names saved members that the study has not: {', '.join(sorted(unsaved))}. {WHAT_TO_DO}")
    return facts


def _check_learner(learner: Learner, spec: Mapping[str, Any], plan: Procedure) -> None:
    told = {
        "kind": ([learner.kind], [spec["kind"]]),
        "task": ([learner.task], [plan.task]),
        "covariates": (learner.feature_names or (), plan.features),
        "classes": (() if learner.classes_ is None else learner.classes_.tolist(), plan.classes),
    }
    _check_told(f"models/{spec['name']}.json", told)


def _check_told(file: str, told: Mapping[str, tuple[Any, Any]]) -> None:
    """Refuse a file that tells of other things than the study."""
    for what, (found, expected) in told.items():
        if [str(value) for value in found] != [str(value) for value in expected]:
            raise ModelFileError(
                f"{file} is of another study: it has the {what} {_list(found)}; {_list(expected)} was expected. {WHAT_TO_DO}"
            )


def _list(values: Any) -> str:
    return ", ".join(str(value) for value in values) or "none"


def _fitted_again(context: Context, samples: Samples, spec: Mapping[str, Any], plan: Procedure) -> Learner:
    used = samples.take(np.arange(len(samples)), plan.features)
    return make_learner(
        spec["kind"],
        task=plan.task,
        seed=context.options.study.seed,
        options=spec["options"],
        feature_names=plan.features,
        categorical=tuple(name for name in plan.categorical if name in plan.features),
        classes=plan.classes or None,
        transform=TargetTransform(plan.transform, spec.get("smearing", 1.0)),
    ).fit(used.features.to_numpy(np.float32), used.target)


def load_natives(folder: Path) -> dict[str, NativePredictor]:
    """The saved members as their own libraries predict them; the others have no file to read and no oracle."""
    return {name: load_native(folder / "models", name) for name in read_json(folder / MODELS)["saved"]}


def load_fusion(folder: Path, plan: Procedure) -> Fusion | ClassFusion:
    """The fusion of a run.

    Raises
    ------
    MissingFileError, ModelFileError
    """
    content = read_json(folder / FUSION)
    maker = Fusion if plan.task == "regression" else ClassFusion
    try:
        fusion = maker.from_dict(content)
    except (AlmError, KeyError, TypeError, ValueError, AttributeError, IndexError) as fault:
        raise ModelFileError(f"{FUSION} can't be read as the fusion of a {plan.task} ({fault!r}). {WHAT_TO_DO}") from fault
    told = {"learners": (fusion.learners, plan.names)}
    told |= {"classes": (fusion.classes, plan.classes)} if isinstance(fusion, ClassFusion) else {}
    _check_told(FUSION, told)
    return fusion


def load_area(folder: Path, plan: Procedure) -> Applicability:
    """The area of applicability of a run.

    Raises
    ------
    MissingFileError, ModelFileError
    """
    try:
        area = Applicability.from_dict(read_json(folder / AREA))
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise ModelFileError(f"{AREA} can't be read as an area of applicability ({fault!r}). {WHAT_TO_DO}") from fault
    _check_told(AREA, {"covariates": (area.space.names, plan.features)})
    return area


def load_residual(context: Context, samples: Samples, plan: Procedure) -> Residual | None:
    """The residual model, fitted again from what the fusion left over; None where the study has none.

    Raises
    ------
    ModelFileError
        The out-of-fold values are of other sites.
    """
    if plan.residual == "none":
        return None
    inner = read_inner(context.folder, plan).set_index("site_id")
    absent = [site for site in samples.site_ids if site not in inner.index]
    if absent:
        raise ModelFileError(
            f"{INNER} is of another study: it lacks {len(absent)} sites of this one, such as {absent[0]}. {WHAT_TO_DO}"
        )
    value = inner.loc[samples.site_ids, "value"].to_numpy()
    used = samples.take(np.arange(len(samples)), plan.features)
    return fit_residual(plan.residual, used, value, seed=plan.seed, geographic=plan.geographic)


def read_inner(folder: Path, plan: Procedure) -> pd.DataFrame:
    """The out-of-fold members on which the fusion was fitted, a row a site; see `alm_core.stages.mapping.write_inner`.

    Raises
    ------
    MissingFileError, ModelFileError
    """
    path = folder / INNER
    if not path.is_file():
        raise MissingFileError(f"{path} is not there: the models of this run are not finished. Run it again.")
    try:
        inner = pd.read_parquet(path)
    except (OSError, ValueError) as fault:  # what pyarrow raises for a file that is cut short
        raise ModelFileError(f"{INNER} can't be read ({fault}). {WHAT_TO_DO}") from fault
    wanted = ["site_id", "value", *(plan.names if plan.task == "regression" else ())]
    absent = [name for name in wanted if name not in inner]
    if absent:
        raise ModelFileError(f"{INNER} is of another study: it lacks the columns {', '.join(absent)}. {WHAT_TO_DO}")
    return inner
