"""The stages of a run, in order: each unpacks the options of the study and calls the rooms."""

from __future__ import annotations

from alm_core.options import StudyOptions
from alm_core.stages.comparison import stage_comparison
from alm_core.stages.context import Context, Stage
from alm_core.stages.data import stage_covariates, stage_sites
from alm_core.stages.day_cubes import stage_cubes
from alm_core.stages.day_learning import stage_day_models, stage_day_validation
from alm_core.stages.day_map import stage_day_map
from alm_core.stages.day_samples import stage_day_samples
from alm_core.stages.learning import stage_selection, stage_validation
from alm_core.stages.mapping import stage_map, stage_models
from alm_core.stages.report import stage_report

__all__ = ["DAY_STAGES", "STAGES", "Context", "Stage", "stages_of"]

LEARNING = ("seed", "learners", "selection", "tuning", "validation", "fusion", "bias", "uncertainty", "kriging", "target")
STAGES = (
    Stage(
        "covariates",
        stage_covariates,
        ("grid", "slices", "main_slice", "covariates", "derived", "staging_margin"),
        inputs=("covariate", "grid", "mask"),
    ),
    Stage(
        "sites",
        stage_sites,
        ("sites", "slices", "screening", "extraction", "target", "validation"),
        inputs=("site table",),
        after=("covariates",),
    ),
    Stage("selection", stage_selection, ("seed", "learners", "selection", "validation", "target", "sites"), after=("sites",)),
    Stage("comparison", stage_comparison, ("seed", "comparison", "learners", "validation", "target", "sites"), after=("sites",)),
    Stage("validation", stage_validation, (*LEARNING, "sites"), after=("sites", "selection")),
    Stage("models", stage_models, (*LEARNING, "applicability"), after=("sites", "selection")),
    Stage("map", stage_map, ("study", "target", "slices", "map", "uncertainty"), after=("covariates", "models")),
    Stage(
        "report",
        stage_report,
        ("study", "target", "map", "publish_as", "extent", "reference_maps", "uncertainty", "main_slice"),
        inputs=("truth", "published"),
        after=("sites", "validation", "models", "map"),
    ),
)

DAY_STAGES = (
    STAGES[0],
    Stage("cubes", stage_cubes, ("grid", "days"), inputs=("days", "grid", "mask")),
    Stage("samples", stage_day_samples, ("seed", "days"), inputs=("states",), after=("covariates", "cubes")),
    Stage("validation", stage_day_validation, ("seed", "days", "learners", "target"), after=("samples",)),
    Stage("models", stage_day_models, ("seed", "days", "learners", "target"), after=("samples",)),
    Stage("map", stage_day_map, ("study", "target", "days", "map"), after=("covariates", "cubes", "models")),
)
"""Of a study that maps days."""


def stages_of(options: StudyOptions) -> tuple[Stage, ...]:
    """The stages of a study, in order.

    Examples
    --------
    >>> [stage.name for stage in DAY_STAGES]
    ['covariates', 'cubes', 'samples', 'validation', 'models', 'map']
    """
    return DAY_STAGES if options.days else STAGES
