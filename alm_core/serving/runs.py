"""Runs by name: a URL says study and run id, and both are looked up in the list of what there is."""

from __future__ import annotations

import os
from pathlib import Path

from alm_core.serving.checks import RequestError, shown
from alm_core.workspace import RECORD, Run, list_runs

_known: dict[tuple[Path, str, str], Run] = {}


def workspace() -> Path:
    """The folder of all runs: the environment variable ALM_WORKSPACE, read anew each time."""
    return Path(os.environ.get("ALM_WORKSPACE", "workspace"))


def find_run(study: str, run_id: str) -> Run:
    """A run of the workspace.

    Raises
    ------
    RequestError
        There is none (404).
    """
    key = (workspace(), study, run_id)
    run = _known.get(key)
    # Only names that `list_runs` gave are ever remembered, so this looks at a file of the workspace.
    if run is None or not (run.folder / RECORD).is_file():
        for found in list_runs(workspace()):
            _known[workspace(), found.folder.parent.name, found.id] = Run(found.folder.resolve())
        run = _known.get(key)
    if run is None or not (run.folder / RECORD).is_file():
        raise RequestError(f"There is no run {shown(run_id)} of a study {shown(study)}.", status=404)
    return run
