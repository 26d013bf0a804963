"""The stages that learn: selection, validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alm_core.covariates.domain import sample_domain
from alm_core.covariates.samples import Samples
from alm_core.learning.class_metrics import class_labels
from alm_core.learning.folds import Folds, make_folds
from alm_core.learning.out_of_fold import OutOfFold
from alm_core.learning.procedure import LearnerSpec, Procedure
from alm_core.learning.selection import Selection, select_features
from alm_core.learning.target import TargetTransform
from alm_core.learning.validation import KrigingBaseline, paired_gain, score, validate
from alm_core.options import StudyOptions
from alm_core.progress import Reporter
from alm_core.stages.bounded import bounded_metrics, bounded_validation
from alm_core.stages.context import Context
from alm_core.workspace import read_json, write_json


def procedure(context: Context, samples: Samples, *, features: tuple[str, ...] | None, selecting: bool) -> Procedure:
    """The fitting procedure that the study describes."""
    options, stack = context.options, context.stack
    target = options.target
    classes = class_labels(samples.target) if target.task == "classification" else ()
    fusion = options.fusion.model_dump()
    if fusion["method"] != "manual":
        fusion.pop("weights")
    if target.task == "regression":
        fusion |= {
            "correction": options.bias.method,
            "blend": options.bias.blend,
            "minimum": target.minimum,
            "maximum": target.maximum,
        }
    residual = "kriging" if options.kriging.residual else "model" if options.bias.method == "residual" else "none"
    uncertainty = options.uncertainty
    interval = {"level": uncertainty.level, "normalise": uncertainty.normalise} if uncertainty.method != "none" else None
    if interval and target.transform != "none":
        interval["asymmetric"] = True  # errors of a skewed target are skewed: more room above than below
    return Procedure(
        learners=tuple(LearnerSpec(spec.name, spec.kind or spec.name, dict(spec.options)) for spec in options.learners),
        task=target.task,
        transform=target.transform,
        classes=classes,
        features=features,
        selection=selection_options(options) if selecting else None,
        selection_folds=options.selection.folds,
        tuning=options.tuning.model_dump(exclude={"enabled"}) if options.tuning.enabled else None,
        fusion=fusion,
        interval=interval if target.task == "regression" else None,
        residual=residual,
        inner_folds=options.validation.inner_folds,
        categorical=tuple(name for name, kind in stack.kinds.items() if kind == "categorical"),
        geographic=stack.grid.is_geographic,
        domain=sample_domain(stack, options.validation.domain_points),
        block_size_km=options.validation.block_size_km,
        block_size_degrees=options.validation.block_size_degrees,
        seed=options.study.seed,
        workers=context.workers,
    )


def selection_options(options: StudyOptions) -> dict[str, Any]:
    """Keyword arguments of `select_features` inside the procedure."""
    return options.selection.model_dump(exclude={"enabled", "nested", "folds"})


def stage_selection(context: Context) -> list[Path]:
    """Choose the covariates from all sites; the choice is scored honestly by the validation stage."""
    samples, options = context.samples, context.options
    target = context.folder / "selection.json"
    if not options.selection.enabled:
        write_json(target, {"enabled": False, "chosen": list(samples.features.columns)})
        return [target]
    plan = procedure(context, samples, features=None, selecting=True)
    selection = select_all(samples, plan, options, context.report)
    write_json(target, {"enabled": True, **selection.to_dict()})
    path = context.folder / "selection_path.csv"
    selection.path.to_csv(path, index=False)
    return [target, path]


def select_all(samples: Samples, plan: Procedure, options: StudyOptions, report: Any) -> Selection:
    """Selection over all sites, by folds of the kind that the study names."""
    settings = dict(plan.selection or {})
    folds = outer_folds(
        settings.pop("scheme"), samples, plan, options, n_folds=plan.selection_folds, repeats=settings.pop("repeats")
    )
    wanted = settings.pop("learners") or plan.names
    learners = [(spec.name, spec.kind, spec.options) for spec in plan.learners if spec.name in wanted]
    return select_features(
        samples.features,
        TargetTransform(plan.transform).forward(samples.target),
        learners=learners,
        task=plan.task,
        folds=folds,
        seed=plan.seed,
        workers=plan.workers,
        progress=report,
        **settings,
    )


def outer_folds(
    scheme: str, samples: Samples, plan: Procedure, options: StudyOptions, *, n_folds: int, repeats: int = 1
) -> Folds:
    """Folds of one scheme over all sites."""
    groups = samples.groups(scheme) if scheme in ("survey", "method") else None
    if scheme == "group":
        groups = samples.groups("survey")
    return make_folds(
        scheme,
        x=samples.x,
        y=samples.y,
        geographic=plan.geographic,
        n_folds=n_folds,
        repeats=repeats,
        seed=plan.seed,
        groups=groups,
        dates=samples.dates if scheme == "time" else None,
        block_size_km=plan.block_size_km,
        block_size_degrees=plan.block_size_degrees,
        domain=plan.domain,
        holdout=options.validation.holdout,
        strata=samples.target.astype(str) if plan.task == "classification" else None,
        together=samples.site_groups,
    )


def stage_validation(context: Context) -> list[Path]:
    """Score the whole procedure under every scheme of the study."""
    samples, options = context.samples, context.options
    chosen = tuple(read_json(context.folder / "selection.json")["chosen"])
    nested = options.selection.enabled and options.selection.nested
    plan = procedure(context, samples, features=None if nested else chosen, selecting=nested)
    baseline = KrigingBaseline(options.kriging.covariates) if options.kriging.enabled else None
    bounded = bounded_validation(context, samples) if plan.task == "regression" else None
    parts, folds_found, notes = [], {}, {}
    schemes = options.validation.schemes
    for number, scheme in enumerate(schemes):
        repeats = options.validation.repeats if scheme == "random" else 1
        folds = outer_folds(scheme, samples, plan, options, n_folds=options.validation.folds, repeats=repeats)
        report = part_of(context.report, number, len(schemes))
        part, notes[scheme] = validate(samples, folds, plan, baseline=baseline, bounded=bounded, progress=report)
        parts.append(part)
        folds_found[scheme] = folds.to_dict()
    out_of_fold = OutOfFold.join(parts)
    out_of_fold.to_parquet(context.folder / "out_of_fold.parquet")
    write_json(context.folder / "folds.json", folds_found)
    censored = bounded_metrics(notes)
    found = metrics(out_of_fold, samples, plan, options, notes)
    write_json(context.folder / "metrics.json", found | ({"censored": censored} if censored else {}))
    return context.files("out_of_fold.parquet", "folds.json", "metrics.json")


def metrics(
    out_of_fold: OutOfFold, samples: Samples, plan: Procedure, options: StudyOptions, notes: dict[str, Any]
) -> dict[str, Any]:
    """metrics.json: scores per scheme, gains of the fusion, and how they were computed."""
    # Rows of one site are no independent witnesses: without other groups whole sites are drawn.
    groups = samples.site_groups if options.sites.groups == "none" else samples.groups(options.sites.groups)
    schemes = score(
        out_of_fold,
        samples,
        task=plan.task,
        classes=plan.classes,
        groups=groups,
        bootstrap=options.validation.bootstrap,
        seed=plan.seed,
    )
    gains = {}
    if plan.task == "regression":
        gains = {scheme: {name: paired_gain(out_of_fold, scheme, name) for name in plan.names} for scheme in out_of_fold.schemes}
    return {
        "task": plan.task,
        "unit": options.target.unit,
        "learners": list(plan.names),
        "baselines": list(out_of_fold.baselines),
        "headline": options.validation.headline,
        "selection_nested": plan.selection is not None,
        "bootstrap_groups": options.sites.groups,
        "schemes": schemes,
        "gain_over_learner": gains,
        "folds": notes,
    }


def part_of(report: Reporter, number: int, of: int) -> Callable[[int, int, str], None]:
    """Progress of one part of several equal ones."""
    return lambda done, total, message: report(number * total + done, of * total, message)
