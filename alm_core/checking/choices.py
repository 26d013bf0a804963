"""Rules between the options of a study: names that must exist, limits that must be ordered, folds that need columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath, PureWindowsPath

from alm_core.checking.report import Fault, some
from alm_core.covariates.derived import derived_faults
from alm_core.covariates.layers import DerivedSource, LayerSource
from alm_core.errors import AlmError
from alm_core.options import StudyOptions
from alm_core.study import Study


def check_choices(study: Study) -> list[Fault]:
    """Find every contradiction between options; no file is opened."""
    options = study.options
    faults = [*_names(options), *_limits(options), *_learners(options), *_layers(study)]
    if not options.study.licence:
        faults.append(Fault("licence_missing", "study.licence", "No licence is named: the map will carry none.", "note"))
    if not options.target.unit and not options.days:
        faults.append(Fault("unit_missing", "target.unit", "The target has no unit: maps and figures will carry none.", "note"))
    files = {
        role: text
        for role, text in _paths(options).items()
        if PurePath(text).is_absolute() or PureWindowsPath(text).is_absolute()
    }
    if files:
        text = "Absolute paths: the study can't be moved to another machine. Give them from the folder of study.toml."
        faults.append(Fault("path_absolute", some(list(files)), text, "note"))
    return faults


def _paths(options: StudyOptions) -> dict[str, str]:
    paths = {"sites.table": options.sites.table} if options.sites else {}
    if options.days:
        paths |= {f"days {variable.name}": variable.path for variable in options.days.variables}
    paths |= {f"grid.{name}": text for name in ("like", "mask") if (text := getattr(options.grid, name))}
    return paths | {f"covariate {layer.name}": layer.path for layer in options.covariates}


def _names(options: StudyOptions) -> list[Fault]:
    """Names that point at layers and learners; [days] checks its own, and uses none of these sections."""
    if options.days:
        return []
    layers = [layer.name for layer in options.covariates if layer.use] + [layer.name for layer in options.derived]
    learners = [learner.name for learner in options.learners]
    asked = (
        ("selection.keep", options.selection.keep, layers, "covariate"),
        ("kriging.covariates", options.kriging.covariates, layers, "covariate"),
        ("selection.learners", options.selection.learners, learners, "learner"),
        ("fusion.weights", tuple(options.fusion.weights), learners, "learner"),
    )
    faults = []
    for where, names, known, what in asked:
        unknown = [name for name in names if name not in known]
        if unknown:
            text = f"There is no {what} {some(unknown)}. The {what}s are {some(known, 20)}."
            faults.append(Fault("name_unknown", where, text))
    if options.fusion.method == "manual" and not options.fusion.weights:
        faults.append(Fault("weights_missing", "fusion.weights", "Manual fusion needs weights. Name each learner with a number."))
    if options.validation.headline not in options.validation.schemes:
        text = f"{options.validation.headline!r} is to answer for the map, but is not among validation.schemes. Add it."
        faults.append(Fault("headline_missing", "validation.headline", text))
    if options.selection.enabled and options.selection.minimum_features > len(layers):
        text = f"{options.selection.minimum_features} features are to be kept, and there are {len(layers)}. Lower it."
        faults.append(Fault("too_few_covariates", "selection.minimum_features", text))
    return faults


def _limits(options: StudyOptions) -> list[Fault]:
    """Pairs of limits in order, months that exist, parts that add up."""
    screening, target = options.screening, options.target
    pairs = (
        ("target", target.minimum, target.maximum),
        ("screening", screening.minimum, screening.maximum),
        ("screening (years)", screening.first_year, screening.last_year),
        ("screening (depths)", screening.depth_minimum_m, screening.depth_maximum_m),
    )
    faults = [
        Fault("limits_swapped", where, f"The lower limit {low:g} is not below the upper one {high:g}. They may be swapped.")
        for where, low, high in pairs
        if low is not None and high is not None and (low > high or (low == high and "year" not in where))
    ]
    wrong = [month for month in screening.season_months or () if not 1 <= month <= 12]
    if wrong:
        faults.append(Fault("month_range", "screening.season_months", f"{some(wrong)}: months run from 1 to 12."))
    if abs(sum(options.validation.holdout) - 1) > 1e-6 or min(options.validation.holdout) < 0:
        text = f"The parts {options.validation.holdout} must add up to 1."
        faults.append(Fault("holdout_parts", "validation.holdout", text))
    return faults


def _learners(options: StudyOptions) -> list[Fault]:
    """Learners that exist, suit the task and take their options."""
    from alm_core.learning.learners import make_learner

    faults = []
    compared = options.comparison.learners if options.comparison.enabled else ()
    for where, learner in (*(("learners", one) for one in options.learners), *(("comparison.learners", one) for one in compared)):
        try:
            make_learner(learner.kind or learner.name, task=options.target.task, options=learner.options)
        except AlmError as fault:
            faults.append(Fault("learner", f"{where} {learner.name}", str(fault)))
    if options.comparison.enabled and options.target.task != "regression":
        text = "Learners are compared by their squared error, and this study maps classes. Switch the comparison off."
        faults.append(Fault("learner", "comparison.enabled", text))
    return faults + (_missing(options) if options.map.missing == "route" and not faults else [])


def _missing(options: StudyOptions) -> list[Fault]:
    """Learners that could not be asked for cells with missing covariates."""
    from alm_core.learning.missing import kind_takes_missing, missing_refused

    task = options.target.task
    unable = [
        learner.name
        for learner in options.learners
        if not kind_takes_missing(learner.kind or learner.name, task=task, options=learner.options)
    ]
    return [Fault("learner_missing", "map.missing", missing_refused(some(unable)))] if unable else []


def _layers(study: Study) -> list[Fault]:
    """Layers and derived layers as the staging will take them."""
    faults = []
    for layer in study.options.covariates:
        try:
            LayerSource(**study.layer_fields(layer))
        except AlmError as fault:
            faults.append(Fault("covariate_option", f"covariate {layer.name}", str(fault)))
    derived: list[DerivedSource] = []
    for layer in study.options.derived:
        try:
            derived.append(DerivedSource(**layer.model_dump()))
        except AlmError as fault:
            faults.append(Fault("derived_option", f"derived {layer.name}", str(fault)))
    known = [layer.name for layer in study.options.covariates]
    faults += [Fault("derived_option", "derived", str(fault)) for fault in derived_faults(derived, known)]
    unused = [layer.name for layer in study.options.covariates if not layer.use]
    inputs = {name for source in derived for name in source.input_names}
    # In a study of days such a layer parts the scores: by land cover, by elevation.
    idle = [] if study.options.days else [name for name in unused if name not in inputs]
    if idle:
        text = "Not offered to the learners (`use = false`) and not an input of a derived layer either: read for nothing."
        faults.append(Fault("covariate_idle", some([f"covariate {name}" for name in idle]), text, "note"))
    return faults


def check_groups(options: StudyOptions, fields: Sequence[str]) -> list[Fault]:
    """Columns that fold schemes, groups and screening need; `fields` are those that the table has."""
    dated = "date" in fields or "year" in fields
    wanted = [("survey", "validation.schemes", "survey" in options.validation.schemes)]
    wanted += [("method", "validation.schemes", "method" in options.validation.schemes)]
    faults = []
    for name, where, asked in wanted:
        if asked and name not in fields:
            text = f"The scheme {name!r} needs a column for {name}. Name sites.columns.{name}, or take the scheme out."
            faults.append(Fault("column_needed", where, text))
    if "time" in options.validation.schemes and not dated:
        text = "The scheme 'time' needs dates. Name sites.columns.date or year, or take the scheme out."
        faults.append(Fault("column_needed", "validation.schemes", text))
    if options.screening.season_months is not None and "date" not in fields:
        text = "Months are to be kept, but the table has no dates. Name sites.columns.date, or drop the rule."
        faults.append(Fault("column_needed", "screening.season_months", text))
    # A conversion brings a porosity of its own, from the bulk density.
    if options.screening.porosity_bound and "porosity" not in fields and options.sites.conversion is None:
        text = "The porosity bound needs a column for porosity. Name sites.columns.porosity, or switch the rule off."
        faults.append(Fault("column_needed", "screening.porosity_bound", text))
    depths = options.screening.depth_minimum_m is not None or options.screening.depth_maximum_m is not None
    if depths and not {"depth", "depth_top"} & set(fields):
        text = "Depth limits need a column for depth. Name sites.columns.depth, or drop the limits."
        faults.append(Fault("column_needed", "screening.depth_minimum_m", text))
    return faults
