"""Stages of a study of days."""

from __future__ import annotations

from pathlib import Path

from alm_core.stages.context import Context


def stage_day_samples(context: Context) -> list[Path]:
    """Draw labelled cell-days and compute their features."""
    raise NotImplementedError
