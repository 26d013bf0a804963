"""Active Layer Mapper: the headless core.

``Study.load(path)`` reads a study, ``run(study, workspace=...)`` makes the map, ``Run`` reads what it wrote.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["Run", "Study", "__version__", "run"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that `import alm_core` and the command line's help stay fast."""
    if name == "run":
        from alm_core.pipeline import run

        return run
    if name == "Study":
        from alm_core.study import Study

        return Study
    if name == "Run":
        from alm_core.workspace import Run

        return Run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
