"""The stage that compares learners: it advises, and changes nothing in the map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alm_core.covariates.samples import Samples
from alm_core.errors import StudyError
from alm_core.learning.combinations import try_combinations
from alm_core.learning.comparison import LearnerComparison, compare_learners
from alm_core.learning.held_out import LearnerEntry, Trial, make_trial
from alm_core.learning.importance import held_out_importance
from alm_core.learning.procedure import Procedure
from alm_core.learning.scaled_kinds import OPTIONS as SCALED_KINDS
from alm_core.options import LearnerOptions, StudyOptions
from alm_core.stages.context import Context
from alm_core.stages.learning import outer_folds, part_of, procedure
from alm_core.workspace import write_json

FILE = "comparison.json"
NOTE = (
    "Learners have all covariates, the options of the study and no tuning. To map with the learner or the covariates named here, "
    "write them into the study: the models stage fits them on all sites."
)


def stage_comparison(context: Context) -> list[Path]:
    """Compare learners under every scheme, rank the covariates of the leading one and try combinations of them.

    Raises
    ------
    StudyError
        The study maps classes.
    """
    settings = context.options.comparison
    if not settings.enabled:
        return []
    target = context.folder / FILE
    write_json(target, compare(context, context.samples))
    return [target]


def compare(context: Context, samples: Samples) -> dict[str, Any]:
    """comparison.json as plain values; see `stage_comparison`."""
    options = context.options
    settings = options.comparison
    if options.target.task != "regression":
        raise StudyError("[comparison] compares learners by their squared error, and this study maps classes. Switch it off.")
    learners = entries(options)
    plan = procedure(context, samples, features=None, selecting=False)
    steps = len(settings.schemes) + (2 if settings.combinations else 0)
    trials, found = {}, {}
    for number, scheme in enumerate(settings.schemes):
        trials[scheme] = _trial(scheme, samples, plan, options)
        report = part_of(context.report, number, steps)
        found[scheme] = compare_learners(trials[scheme], learners, unit=options.target.unit, progress=report)
    facts: dict[str, Any] = {
        "unit": options.target.unit,
        "note": NOTE,
        "schemes": {scheme: one.to_dict() for scheme, one in found.items()},
        "importance": [],
        "combinations": [],
        "chosen": [],
    }
    if not settings.combinations:
        return facts
    deciding = settings.deciding or settings.schemes[-1]
    leader = next(entry for entry in learners if entry[0] == found[deciding].leader)
    return facts | _covariates(context, trials[deciding], found[deciding], leader, steps)


def entries(options: StudyOptions) -> list[LearnerEntry]:
    """Learners that are compared: those of [comparison], else those of the study and the four kinds without trees."""
    chosen = options.comparison.learners
    if not chosen:
        known = {learner.name for learner in options.learners} | {learner.kind for learner in options.learners}
        chosen = (*options.learners, *(LearnerOptions(name=kind) for kind in SCALED_KINDS if kind not in known))
    return [(learner.name, learner.kind or learner.name, dict(learner.options)) for learner in chosen]


def _trial(scheme: str, samples: Samples, plan: Procedure, options: StudyOptions) -> Trial:
    settings = options.comparison
    folds = outer_folds(scheme, samples, plan, options, n_folds=settings.folds, repeats=settings.repeats)
    return make_trial(
        samples.features,
        samples.target,
        folds,
        groups=samples.site_groups,
        categorical=tuple(name for name in plan.categorical if name in samples.features),
        transform=plan.transform,
        seed=plan.seed,
        workers=plan.workers,
    )


def _covariates(
    context: Context, trial: Trial, comparison: LearnerComparison, leader: LearnerEntry, steps: int
) -> dict[str, Any]:
    """Ranking of the covariates of the leading learner, and the combination test."""
    context.report(steps - 2, steps, f"importance of covariates for {leader[0]}")
    ranking = held_out_importance(trial, leader)
    test = try_combinations(
        trial,
        leader,
        [entry.feature for entry in ranking],
        maximum_sets=max(3, context.options.comparison.combinations),
        progress=part_of(context.report, steps - 1, steps),
    )
    return {
        "deciding": comparison.scheme,
        "learner": leader[0],
        "importance": [entry.to_dict() for entry in ranking],
        "combinations": [entry.to_dict() for entry in test.combinations],
        "chosen": list(test.chosen),
        "best_combination": list(test.best),
        "combination_note": test.note,
    }
