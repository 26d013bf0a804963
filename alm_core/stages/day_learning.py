"""The stages of a study of days that learn: scores on cell-days that no model saw, then the models of the maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyproj import CRS

from alm_core.cubes.states import FROZEN, STATES
from alm_core.cubes.static_layers import read_static
from alm_core.cubes.store import CubeStore
from alm_core.errors import LearnerError
from alm_core.grid import Grid
from alm_core.learning.day_learners import DAY_DEFAULTS, make_day_learner
from alm_core.learning.day_model import load_day_model
from alm_core.learning.day_samples import BASELINE, DaySamples
from alm_core.learning.day_scores import TRANSITION_MONTHS, Resamples, day_groups
from alm_core.learning.day_splits import make_split, places_of
from alm_core.learning.day_validation import (
    CHECK,
    TRAINING,
    Candidate,
    Scorer,
    baseline_candidates,
    learner_candidates,
    predict_split,
)
from alm_core.learning.leaks import check_leaks
from alm_core.learning.learners import Learner
from alm_core.learning.missing import check_takes_missing
from alm_core.learning.model_files import can_be_saved, save_learner
from alm_core.learning.procedure import LearnerSpec
from alm_core.stages.context import Context
from alm_core.stages.day_samples import FACTS, SAMPLES
from alm_core.stages.learning import part_of
from alm_core.trees.shap import shap_values
from alm_core.workspace import atomic_path, read_json, write_json

EXPLAINED = 200
"""Samples that importance is computed on: enough for a ranking; an exact explanation of a forest costs milliseconds a row."""
HEIGHT = "elevation"


def learner_specs(context: Context) -> list[LearnerSpec]:
    """Learners of the study."""
    return [LearnerSpec(spec.name, spec.kind or spec.name, dict(spec.options)) for spec in context.options.learners]


def unit_metres(grid: Grid) -> float:
    """Metres of a unit of a projected grid; 1 for degrees, where it is not asked for."""
    if grid.is_geographic or grid.crs is None:
        return 1.0
    return CRS.from_user_input(grid.crs).axis_info[0].unit_conversion_factor


def categorical(context: Context) -> tuple[str, ...]:
    """Layers whose numbers are codes."""
    return tuple(name for name, kind in context.stack.kinds.items() if kind == "categorical")


def stage_day_validation(context: Context) -> list[Path]:
    """Score learners and baselines on cell-days that they have not seen, under every split of the study."""
    days, seed = context.options.days, context.options.study.seed
    samples = DaySamples.open(context.folder / SAMPLES)
    candidates = day_candidates(context, samples)
    scorer = day_scorer(context, samples)
    found: dict[str, Any] = {"schemes": {}, "leaks": {}, "splits": {}, "against_baselines": {}}
    baselines = [candidate.name for candidate in candidates if candidate.note]
    kept, checked = [], None
    for number, scheme in enumerate(days.splits.schemes):
        split, leaks = checked_split(context, samples, scheme)
        progress = part_of(context.report, number, len(days.splits.schemes))
        frame = predict_split(samples, split, candidates, workers=context.workers, progress=progress)
        found["leaks"][scheme] = leaks
        found["splits"][scheme] = split.details
        found["schemes"][scheme] = scorer.scheme(frame)
        found["against_baselines"][scheme] = {name: scorer.compare(frame, days.learner, name) for name in baselines}
        kept.append(frame[~frame["part"].isin([CHECK, TRAINING])])
        checked = frame[frame["part"] == CHECK] if scheme == days.splits.headline else checked
    write_frame(context.folder / "out_of_fold.parquet", pd.concat([frame.astype(_TEXTS) for frame in kept], ignore_index=True))
    files = ["out_of_fold.parquet", "metrics.json"]
    check = None
    if days.check is not None and checked is not None and len(checked):
        write_frame(context.folder / "check.parquet", checked.astype(_TEXTS))
        files.append("check.parquet")
        check = check_metrics(context, samples, scorer, checked)
    write_json(context.folder / "metrics.json", day_metrics(context, candidates, samples, found, check, seed))
    return context.files(*files)


_TEXTS = {"scheme": str, "part": str, "learner": str}


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """A table, whole or not at all."""
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False)


def day_candidates(context: Context, samples: DaySamples) -> list[Candidate]:
    """Learners of the study, and the two baselines where their channels are named."""
    found = learner_candidates(samples, learner_specs(context), seed=context.options.study.seed, categorical=categorical(context))
    if context.options.days.discriminant is None:
        return found
    channels = [samples.column(BASELINE + name) for name in ("vertical_36", "horizontal_18")]
    return found + baseline_candidates(*channels, samples.label)


def checked_split(context: Context, samples: DaySamples, scheme: str) -> tuple[Any, dict[str, Any]]:
    """One split of the study and what it lets through; refused where that is much and nobody says why it is wanted."""
    options, grid = context.options.days.splits, context.stack.grid
    where = {"geographic": grid.is_geographic, "unit_metres": unit_metres(grid)}
    split = make_split(
        scheme,
        samples,
        folds=options.folds,
        parts=options.parts,
        gap_days=options.gap_days,
        block_size_km=options.block_size_km,
        seed=context.options.study.seed,
        **where,
    )
    leaks = split.leaks(places_of(samples, **where), seed=context.options.study.seed)
    reason = options.random_because if scheme == "random" else ""
    check_leaks(leaks, because=reason)
    return split, leaks.to_dict() | ({"because": reason} if reason else {})


def day_scorer(context: Context, samples: DaySamples) -> Scorer:
    """Groups and draws that all scores share: whole sites are drawn, or cells."""
    days, stack = context.options.days, context.stack
    heights = [name for name in stack.kinds if name.startswith(HEIGHT)]
    codes = [name for name in categorical(context) if name not in heights]
    layers = read_static(stack, CubeStore.open(context.folder / "cubes"), [*codes, *heights])
    cell = samples.column("cell")
    groups = day_groups(
        samples.dates,
        transition_months=days.discriminant.transition_months if days.discriminant else TRANSITION_MONTHS,
        categories={name: layers[name][cell] for name in codes},
        heights={name: layers[name][cell] for name in heights},
    )
    sites = samples.sites
    place = cell.astype(str) if sites is None else np.where(sites == "", cell.astype(str), sites)
    return Scorer(samples, groups, Resamples.of(place, seed=context.options.study.seed))


def check_metrics(context: Context, samples: DaySamples, scorer: Scorer, checked: pd.DataFrame) -> dict[str, Any]:
    """Scores against the independent product, by the models of the headline split."""
    days = context.options.days
    facts = {
        "product": days.check.variable,
        "scheme": days.splits.headline,
        "count": int(samples.is_check.sum()),
        "buffer_days": days.splits.gap_days,
        "learners": scorer.check(checked),
        "labels_agree": read_json(context.folder / FACTS).get("check_agrees_with_labels"),
    }
    near = (
        "" if days.splits.headline != "random" else ", but other cells of the same days, and the same cells further off, trained"
    )
    facts["words"] = (
        f"{facts['count']} cell-days of {days.check.variable}, by models of the split {days.splits.headline!r} that learned "
        f"neither from them nor from their cells {days.splits.gap_days} days before and after{near}"
    )
    return facts


def day_metrics(
    context: Context,
    candidates: list[Candidate],
    samples: DaySamples,
    found: dict[str, Any],
    check: dict[str, Any] | None,
    seed: int,
) -> dict[str, Any]:
    """metrics.json of a study of days."""
    days, specs = context.options.days, learner_specs(context)
    notes = {candidate.name: candidate.note for candidate in candidates if candidate.note}
    return {
        "task": "classification",
        "classes": list(STATES),
        "headline": days.splits.headline,
        "learner": days.learner,
        "learners": [spec.name for spec in specs],
        "baselines": list(notes),
        "notes": notes,
        "samples": int(samples.learns.sum()),
        "bootstrap_groups": "cell" if samples.sites is None else "site",
        "seed": seed,
        **found,
        "check": check,
    }


# ---- the models of the maps -----------------------------------------------------------------------------------------------


def stage_day_models(context: Context) -> list[Path]:
    """Fit every learner on all samples outside the check, keep those with a format of their own, and rank the predictors."""
    options, specs = context.options, learner_specs(context)
    samples = DaySamples.open(context.folder / SAMPLES)
    chosen = next(spec for spec in specs if spec.name == options.days.learner)
    rows = np.flatnonzero(samples.learns)
    features, label = samples.features[rows], samples.label[rows].astype(int)
    saved, importance = [], {}
    for number, spec in enumerate(specs):
        context.report(number, len(specs), f"fitting {spec.name}")
        learner = fit_learner(context, spec, samples.names, features, label)
        if spec == chosen:
            check_mappable(learner, spec.name, options.days.missing)
        if can_be_saved(learner):
            (context.folder / "models").mkdir(parents=True, exist_ok=True)
            save_learner(learner, context.folder / "models", spec.name, features=features)
            saved.append(spec.name)
    facts = {
        "features": list(samples.names),
        "learner": chosen.name,
        "saved": saved,
        "classes": list(STATES),
        "learners": [
            {"name": spec.name, "kind": spec.kind, "options": DAY_DEFAULTS.get(spec.kind, {}) | spec.options} for spec in specs
        ],
        "missing": options.days.missing,
        "samples": len(rows),
        "plan": read_json(context.folder / FACTS)["plan"],
    }
    write_json(context.folder / "models.json", facts)
    for name in saved:
        importance[name] = rank_predictors(context, name, features)
    write_json(context.folder / "importance.json", {"members": importance, "fused": importance[chosen.name]})
    context.report(len(specs), len(specs), "models fitted")
    return context.files("models", "models.json", "importance.json")


def fit_learner(context: Context, spec: LearnerSpec, names: tuple[str, ...], features: np.ndarray, label: np.ndarray) -> Learner:
    """One learner on everything."""
    seed, codes = context.options.study.seed, categorical(context)
    return make_day_learner(spec.kind, options=spec.options, seed=seed, names=names, categorical=codes).fit(features, label)


def check_mappable(learner: Learner, name: str, missing: str) -> None:
    """Refuse a learner that no map can be made with.

    Raises
    ------
    LearnerError
        It has no format without code, or gaps are to be routed and it takes none.
    """
    if not can_be_saved(learner):
        raise LearnerError(
            f"[days] learner = {name!r} is of kind {learner.kind!r}, which can't be kept on disk without code, and thousands of "
            "days are mapped from the file. Take extra_trees, random_forest, xgboost or catboost; others can stand beside it."
        )
    if missing == "route":
        check_takes_missing({name: learner})


def rank_predictors(context: Context, name: str, features: np.ndarray) -> dict[str, float]:
    """Mean |SHAP| of the predictors on some of the samples, for the state frozen (probability, or log-odds of boosters)."""
    model = load_day_model(context.folder, name)
    rng = np.random.default_rng(context.options.study.seed)
    some = np.sort(rng.permutation(len(features))[:EXPLAINED])
    values = shap_values(model.learner.estimator, features[some]).values
    values = values if values.ndim == 2 else values[..., FROZEN]
    return dict(zip(model.names, np.abs(values).mean(axis=0).tolist(), strict=True))
