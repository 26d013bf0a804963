"""Stages of a study of days."""

from __future__ import annotations

from pathlib import Path

from alm_core.stages.context import Context


def stage_day_map(context: Context) -> list[Path]:
    """Map every day, and onset and end of freezing of every year."""
    raise NotImplementedError
