"""The studies: each a short recipe over the shared rooms, with its demo data."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def _demo(module: str) -> Callable[..., Path]:
    """A study's `write_demo`, imported when it is called: a demo's compiled code is not wanted at start."""

    def write_demo(folder: str | Path, **options: Any) -> Path:
        return import_module(f"alm_core.studies.{module}").write_demo(folder, **options)

    return write_demo


DEMOS: dict[str, Callable[..., Path]] = {
    "active_layer_moisture": _demo("active_layer_moisture"),
    "circumpolar_permafrost": _demo("circumpolar_permafrost"),
    "surface_freeze_thaw": _demo("surface_freeze_thaw"),
}
"""Name of a study: the function that writes its demo, called as ``write_demo(folder, size=..., seed=..., progress=...)``."""
