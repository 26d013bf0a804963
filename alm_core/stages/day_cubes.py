"""Stages of a study of days."""

from __future__ import annotations

from pathlib import Path

from alm_core.stages.context import Context


def stage_cubes(context: Context) -> list[Path]:
    """Bring the files of every day onto the grid."""
    raise NotImplementedError
