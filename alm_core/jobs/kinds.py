"""The kinds of jobs, each by the name of its function, so that nothing heavy is imported until a worker needs it.

A function of a kind is called as ``function(spec, *, workspace, folder, report)``: `spec` are the values given to `submit`,
`folder` takes its files (written through `alm_core.workspace.atomic_path`), ``report(done, total, message)`` tells how far
it is and stops it where it has been cancelled. It returns a dict of plain values, the result of the job.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from alm_core.errors import AlmError

KINDS: dict[str, str] = {
    "run": "alm_core.jobs.study_runs:run_job",
    "demo": "alm_core.jobs.study_runs:demo_job",
    "export": "alm_core.publishing.export:export_job",
    "figure": "alm_core.publishing.print_map:figure_job",
    "shap_layers": "alm_core.publishing.shap_layers:shap_layers_job",
    "score_set": "alm_core.inspection.feature_set:score_set_job",
    "bundle": "alm_core.publishing.bundle:bundle_job",
}
"""Kind: ``"module:function"``."""
RESUMABLE = ("run", "demo")
"""Kinds that go on where they stopped when they are started again."""


class JobError(AlmError):
    """A job is unknown, has not come that far, or can't be started."""


def register(kind: str, function: str) -> None:
    """Add a kind of job.

    Parameters
    ----------
    kind : str
    function : str
        ``"module:function"``; it must be importable in a fresh interpreter.

    Raises
    ------
    JobError
        The kind is there already with another function, or `function` has another form.
    """
    if not re.fullmatch(r"[\w.]+:\w+", function):
        raise JobError(f"The function {function!r} of the job {kind!r} was given; `module:function` is expected.")
    if KINDS.get(kind, function) != function:
        raise JobError(f"There is a job {kind!r} already: {KINDS[kind]}. Give the new one another name.")
    KINDS[kind] = function


def resolve(function: str) -> Callable[..., dict[str, Any]]:
    """Import a function by its ``"module:function"``.

    Raises
    ------
    JobError
        It is not there.
    """
    module, _, name = function.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as fault:
        raise JobError(f"This job can't be done: {fault}. Install the package again.") from fault
