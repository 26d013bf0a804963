"""Stages of a study of days."""

from __future__ import annotations

from pathlib import Path

from alm_core.stages.context import Context


def stage_day_validation(context: Context) -> list[Path]:
    """Score the learners on cell-days that they have not seen."""
    raise NotImplementedError


def stage_day_models(context: Context) -> list[Path]:
    """Fit the learner of the maps on all samples."""
    raise NotImplementedError
