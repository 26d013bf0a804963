"""The stages that map: the final fit, the rasters, the report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core import __version__
from alm_core.covariates.samples import Samples
from alm_core.learning.applicability import fit_applicability
from alm_core.learning.explanation import explain_fused, explain_members
from alm_core.learning.model_files import can_be_saved, save_learner
from alm_core.learning.procedure import Procedure, Trained, inner_folds, train
from alm_core.mapping.engine import limit_read_cache
from alm_core.mapping.estimate import MapEstimate
from alm_core.mapping.predict import MapResult, map_blocks
from alm_core.stages.context import Context
from alm_core.stages.fitted import INNER, Fitted, check_staged, load_fitted, read_inner
from alm_core.stages.learning import procedure
from alm_core.stages.slices import MapPart, join_slices, map_parts, of_all_parts, part_files, part_progress, write_part
from alm_core.workspace import read_json, write_json


def final_plan(context: Context, samples: Samples) -> Procedure:
    """The procedure of the final fit: the chosen covariates, no selection inside."""
    chosen = tuple(read_json(context.folder / "selection.json")["chosen"])
    return procedure(context, samples, features=chosen, selecting=False)


def stage_models(context: Context) -> list[Path]:
    """Fit every member on all sites, the fusion on their out-of-fold predictions, and the area of applicability."""
    samples, options = context.samples, context.options
    plan = final_plan(context, samples)
    context.report(0, 3, "fitting members")
    trained = train(samples, plan, scheme=options.uncertainty.scheme)
    models = context.folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    saved = []
    for name, learner in zip(plan.names, trained.learners, strict=True):
        if can_be_saved(learner):
            save_learner(learner, models, name, features=samples.features[list(trained.features)].to_numpy(np.float32))
            saved.append(name)
    write_inner(context.folder / INNER, trained)
    write_json(context.folder / "fusion.json", trained.fusion.to_dict())
    context.report(1, 3, "explaining sites")
    used = samples.take(np.arange(len(samples)), trained.features)
    weights = explain_sites(context, used, trained)
    context.report(2, 3, "area of applicability")
    if options.applicability.enabled:
        fit_area(context, used, plan, weights)
    facts = {
        "features": list(trained.features),
        "saved": saved,
        "classes": list(plan.classes),
        "learners": [
            {"name": spec.name, "kind": spec.kind, "options": spec.options, "smearing": learner.transform.smearing}
            for spec, learner in zip(trained.procedure.learners, trained.learners, strict=True)
        ],
    }
    write_json(context.folder / "models.json", facts)
    context.report(3, 3, "models fitted")
    names = ["models", "fusion.json", "models.json", "importance.json"]
    names += ["shap.parquet"] if (context.folder / "shap.parquet").is_file() else []
    return context.files(*names, *(["applicability.json"] if options.applicability.enabled else []))


def write_inner(path: Path, trained: Trained) -> None:
    """Keep the out-of-fold members on which the fusion was fitted: other weights can be tried on them without refitting."""
    frame = pd.DataFrame({"site_id": trained.site_ids, "fold": trained.inner_folds.assignment[0], "value": trained.inner_value})
    for position, name in enumerate(trained.procedure.names):
        member = trained.inner_members[position]
        if member.ndim == 1:
            frame[name] = member
            continue
        for number, label in enumerate(trained.procedure.classes):
            frame[f"{name}:{label}"] = member[number]
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)


def explain_sites(context: Context, samples: Samples, trained: Trained) -> dict[str, float] | None:
    """SHAP values of every site; returns mean |SHAP| per covariate, None where no member is made of trees."""
    trees = [number for number, learner in enumerate(trained.learners) if can_be_saved(learner)]
    if not trees or (trained.procedure.task == "classification" and len(trees) < len(trained.learners)):
        write_json(context.folder / "importance.json", {"members": {}, "fused": {}})
        return None
    values = samples.features.to_numpy(np.float32)
    members = explain_members([trained.learners[number] for number in trees], values)
    importance = np.abs(members.values).mean(axis=tuple(axis for axis in range(members.values.ndim) if axis not in (0, 2)))
    names = [trained.procedure.names[number] for number in trees]
    fused = importance.mean(axis=0)
    if trained.procedure.task == "regression" and len(trees) == len(trained.learners):
        predicted = np.stack([learner.predict(values) for learner in trained.learners])
        explanation = explain_fused(trained.fusion.with_interval(None), members, predicted)
        fused = np.abs(explanation.values).mean(axis=0)
        frame = pd.DataFrame(explanation.values, columns=list(trained.features))
        frame.insert(0, "site_id", samples.site_ids)
        frame.insert(1, "base", explanation.base)
        frame.to_parquet(context.folder / "shap.parquet", index=False)
    weights = dict(zip(trained.features, fused.tolist(), strict=True))
    per_member = {
        name: dict(zip(trained.features, row.tolist(), strict=True)) for name, row in zip(names, importance, strict=True)
    }
    write_json(context.folder / "importance.json", {"members": per_member, "fused": weights})
    return weights


def fit_area(context: Context, samples: Samples, plan: Procedure, weights: dict[str, float] | None) -> None:
    """Fit and keep the area of applicability."""
    options = context.options
    folds = inner_folds(samples, plan, options.applicability.scheme, options.validation.folds)
    area = fit_applicability(
        samples.features,
        weights=weights if options.applicability.weights == "shap" else None,
        folds=folds.assignment[0],
        categorical=tuple(name for name in plan.categorical if name in samples.features),
    )
    write_json(context.folder / "applicability.json", area.to_dict())


# ---- the map ------------------------------------------------------------------------------------------------------------


def map_tags(context: Context) -> dict[str, Any]:
    """What every raster of a run says of itself."""
    options = context.options
    head = options.study
    tags = {
        "study": head.name,
        "title": head.title,
        "run": context.run_id,
        "target": options.target.name,
        "unit": options.target.unit,
        "fusion": options.fusion.method,
        "bias_correction": options.bias.method,
        "interval_level": options.uncertainty.level if options.uncertainty.method != "none" else "none",
        "licence": head.licence,
        "citation": head.citation,
        "time": options.map.time,
        "software": f"alm_core {__version__}",
    }
    if head.simulated:
        tags["simulated"] = "yes: sites and rasters come from written formulas"
    return {name: value for name, value in tags.items() if value != ""}


def stage_map(context: Context) -> list[Path]:
    """Predict every cell of the mask and write the rasters, for each time slice of the study."""
    limit_read_cache()  # also for the change map, where every slice was finished before
    parts = map_parts(context)
    left = [part for part in parts if not part.finished]

    def keep_estimate(found: MapEstimate) -> None:
        found = of_all_parts(found, len(parts), len(left))
        write_json(context.folder / "map" / "estimate.json", found.to_dict())
        context.report.note(found.text)
        found.check_disk(context.folder)

    making = prepare_map(context) if left else None
    written: list[Path] = []
    for number, part in enumerate(parts):
        if part not in left or making is None:
            written += part_files(context, part)
            continue
        result = make_map(
            context,
            making,
            part,
            progress=part_progress(context, part, number, len(parts)),
            on_estimate=keep_estimate if part is left[0] else None,
        )
        written += write_part(context, part, result)
    return [*written, *join_slices(context, map_tags(context))]


def estimate_stage(context: Context) -> MapEstimate:
    """What the maps of a run will take; the blocks that are timed stay for the map.

    Raises
    ------
    WorkspaceError
        The disk is too small.
    """

    class Enough(Exception):
        """Ends the map once the estimate is there."""

    found: list[MapEstimate] = []
    parts = map_parts(context)
    left = [part for part in parts if not part.finished] or parts[-1:]

    def stop(estimate: MapEstimate) -> None:
        found.append(of_all_parts(estimate, len(parts), len(left)))
        found[0].check_disk(context.folder)
        raise Enough

    with contextlib.suppress(Enough):
        make_map(context, prepare_map(context), left[0], progress=context.report, on_estimate=stop)
    return found[0]


@dataclass(frozen=True)
class Making:
    """What all maps of a run share: the fitted members and all that goes with them."""

    plan: Procedure
    fitted: Fitted
    tags: dict[str, Any]


def prepare_map(context: Context) -> Making:
    """Read the fitted models, prove that the covariates are those that they were trained on, and compile."""
    limit_read_cache()  # before the mask is read: all of it would be kept
    plan = final_plan(context, context.samples)
    check_staged(context, plan.features)
    fitted = load_fitted(context, context.samples, plan)
    warm_up_kernels(context)
    weights = mean_weights(context.folder, fitted.fusion, plan)
    return Making(plan, fitted, map_tags(context) | {"learners": list(plan.names), "weights": weights})


def make_map(
    context: Context,
    making: Making,
    part: MapPart,
    *,
    progress: Callable[[int, int, str], None],
    on_estimate: Callable[[MapEstimate], None] | None,
) -> MapResult:
    """Make one map of a run whose models are fitted."""
    options, fitted = context.options, making.fitted
    return map_blocks(
        part.stack.reader,
        part.stack.grid,
        fitted.members,
        fitted.fusion,
        names=making.plan.features,
        folder=part.folder,
        fingerprint=part.fingerprint,
        applicability=fitted.area,
        residual=fitted.residual,
        classes=making.plan.classes,
        unit=options.target.unit,
        tags=making.tags | part.tags,
        block_size=options.map.block_size,
        workers=context.workers,
        dtype=options.map.dtype,
        scale=options.map.scale,
        compression=options.map.compression,
        missing=options.map.missing,
        # Not a fresh start: blocks made under this key stay. Those of another key are out of date, and as the folder belongs to
        # this run and nobody is there to be asked, they are removed rather than refused.
        restart=True,
        progress=progress,
        engine=context.engine,
        oracle=fitted.oracle,
        on_estimate=on_estimate,
    )


def warm_up_kernels(context: Context) -> None:
    """Compile what the map needs before its first block: the first time on a machine that takes a while, and is said."""
    from alm_core.learning.warm_up import warm_up as warm_up_learning
    from alm_core.mapping.warm_up import warm_up as warm_up_writing
    from alm_core.trees.warm_up import warm_up as warm_up_trees

    for warm_up in (warm_up_trees, warm_up_learning, warm_up_writing):
        warm_up(lambda message: context.report(0, 1, message))


def mean_weights(folder: Path, fusion: Any, plan: Procedure) -> dict[str, float]:
    """Weight of each member, averaged over the sites where it depends on the value."""
    if plan.task == "classification":
        return {name: round(float(np.mean(fusion.weights[number])), 6) for number, name in enumerate(plan.names)}
    inner = read_inner(folder, plan)
    weights = np.nanmean(fusion.weights(inner[list(plan.names)].to_numpy().T), axis=1)
    return {name: round(float(weight), 6) for name, weight in zip(plan.names, weights, strict=True)}
