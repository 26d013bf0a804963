"""The stages of a run, in order: each unpacks the options of the study and calls the rooms."""

from __future__ import annotations

from alm_core.stages.comparison import stage_comparison
from alm_core.stages.context import Context, Stage
from alm_core.stages.data import stage_covariates, stage_sites
from alm_core.stages.learning import stage_selection, stage_validation
from alm_core.stages.mapping import stage_map, stage_models
from alm_core.stages.report import stage_report

__all__ = ["STAGES", "Context", "Stage"]

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
