"""Run a study: the stages in order, each skipped where nothing that it depends on has changed."""

from __future__ import annotations

import contextlib
import platform
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from alm_core import __version__
from alm_core.errors import EngineError, StudyError, WorkspaceError
from alm_core.mapping.engine import Engine, make_engine
from alm_core.mapping.estimate import MapEstimate
from alm_core.progress import Event, Listener, Reporter
from alm_core.stages import Context, Stage, stages_of
from alm_core.stages.data import staging_margin
from alm_core.stages.mapping import estimate_stage
from alm_core.study import Study
from alm_core.workspace import HASHES, RECORD, FileHashes, Ledger, Run, hash_file, hash_values, hold, link_stage

RESULT_NEUTRAL = {"map": {"workers", "block_size"}}
"""Options that change how long a run takes and nothing else; they are left out of every key."""
COMPUTING = (
    "grid.py", "options.py", "option_section.py", "evaluation_options.py", "study.py", "time_slices.py", "stages", "sites",
    "covariates", "trees", "learning", "mapping", "cubes", "day_options.py",
)  # fmt: skip
"""Parts of this package that a result depends on; the others only show it."""
REPORTED_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "xgboost",
    "xgboost-cpu",
    "catboost",
    "rasterio",
    "numba",
    "gstools",
)


def run(
    study: Study | str | Path,
    *,
    workspace: str | Path = "workspace",
    progress: Listener | None = None,
    until: str | None = None,
    workers: int | None = None,
    engine: str | None = None,
    scheduler: str | None = None,
) -> Run:
    """Run a study to its end, or to a stage, and return the run.

    A finished stage whose inputs and options did not change is not run again; an interrupted run goes on where it was.

    Parameters
    ----------
    study : Study or path
        A study, or the path of its study.toml.
    workspace : path
        Folder of all runs.
    progress : callable, optional
        Called with `alm_core.progress.Event`.
    until : str, optional
        Name of the last stage to run: covariates, sites, selection, comparison, validation, models, map or report.
    workers : int, optional
        Threads, and worker processes where `engine` is dask; default: ``map.workers`` of the study. The result does not
        depend on it.
    engine : {"threads", "dask"}, optional
        Who makes the map; default: threads, or dask where a scheduler is given. The result does not depend on it.
    scheduler : str, optional
        Address of a running Dask scheduler, ``tcp://HOST:PORT``, whose workers see `workspace` under the same path. It runs
        what it is sent: docs/decisions/011-engines.md.

    Raises
    ------
    AlmError
        A fault in the input, named in one message.
    KeyboardInterrupt
        Passed on; the run can be resumed.

    Examples
    --------
    >>> run("no/such/study.toml")
    Traceback (most recent call last):
        ...
    alm_core.errors.MissingFileError: No study at no/such/study.toml: a study.toml is expected. ...
    """
    study = study if isinstance(study, Study) else Study.load(study)
    chosen = study_engine(study, workers=workers, engine=engine, scheduler=scheduler)
    names = [stage.name for stage in stages_of(study.options)]
    if until is not None and until not in names:
        raise StudyError(f"There is no stage {until!r}. The stages are {', '.join(names)}.")
    if until in (None, *names[names.index("map") :]):
        chosen.check()  # hours before it is needed
    folder = Path(workspace).resolve() / study.name
    with hold(folder):
        context, values = _begin(study, folder, workers, chosen)
        context.folder.mkdir(parents=True, exist_ok=True)
        ledger = Ledger.begin(context.folder, _head(study, context.run_id, context.hashes, names))
        for stage in stages_of(study.options):
            context = _run_stage(stage, context, ledger, values, progress)
            if stage.name == until:
                break
    return Run(context.folder)


def estimate(
    study: Study | str | Path,
    *,
    workspace: str | Path = "workspace",
    progress: Listener | None = None,
    workers: int | None = None,
    engine: str | None = None,
    scheduler: str | None = None,
) -> MapEstimate:
    """What the map of a run will take, from some of its blocks, which are made, timed and kept for the map.

    Parameters
    ----------
    study, workspace, progress, workers, engine, scheduler
        As for `run`.

    Raises
    ------
    StudyError
        The study maps days.
    WorkspaceError
        The models of the run are not finished, or the disk is too small for the map.
    """
    study = study if isinstance(study, Study) else Study.load(study)
    if study.options.days:
        raise StudyError("This study maps days, which are made in minutes and tell their progress: there is no estimate, run it.")
    chosen = study_engine(study, workers=workers, engine=engine, scheduler=scheduler)
    folder = Path(workspace).resolve() / study.name
    if not folder.is_dir():
        raise WorkspaceError(_no_models(study, folder))
    with hold(folder):
        context, values = _begin(study, folder, workers, chosen)
        if not (context.folder / RECORD).is_file():
            raise WorkspaceError(_no_models(study, folder))
        ledger = Ledger(context.folder, Run(context.folder).record)
        for stage in stages_of(study.options):
            key = stage_key(stage, context, values)
            context = context.with_key(stage.name, key, Reporter(stage.name, progress))
            if stage.name == "map":
                break
            if not ledger.is_done(stage.name, key):
                raise WorkspaceError(_no_models(study, folder))
        return estimate_stage(context)


def study_engine(study: Study, *, workers: int | None, engine: str | None, scheduler: str | None) -> Engine:
    """The engine that was asked for; ``map.workers`` of the study where no number of workers was, and none with a scheduler.

    Raises
    ------
    EngineError
        A combination that means nothing, or another engine than threads for a study of days.
    """
    if study.options.days and (scheduler is not None or engine == "dask"):
        raise EngineError("Days are mapped by threads of this machine: leave --engine and --scheduler out.")
    if scheduler is None and workers is None:
        workers = study.options.map.workers
    return make_engine(engine, workers=workers, scheduler=scheduler, program=program_hash)


def _begin(study: Study, folder: Path, workers: int | None, engine: Engine) -> tuple[Context, dict[str, Any]]:
    """Context of the run of a study, and the options that its keys are made of."""
    hashes, values = input_hashes(study, folder), neutral_options(study)
    run_id = hash_values(program_hash(), values, hashes)[:12]
    threads = workers or study.options.map.workers
    return Context(study, folder / run_id, run_id, hashes, threads, Reporter("", None), engine=engine), values


def _no_models(study: Study, folder: Path) -> str:
    return (
        f"The run of {study.name} in {folder} has no finished models, so nothing can be timed. "
        "Run the study with `--until models` first; were it or its inputs changed, run it again."
    )


def stage_key(stage: Stage, context: Context, values: dict[str, Any]) -> str:
    """Hash of everything that the result of a stage depends on."""
    inputs = {role: digest for role, digest in context.hashes.items() if role.startswith(stage.inputs)} if stage.inputs else {}
    sections = [values[section] for section in stage.sections]
    return hash_values(program_hash(), stage.name, sections, inputs, [context.keys[name] for name in stage.after])


def _run_stage(stage: Stage, context: Context, ledger: Ledger, values: dict[str, Any], progress: Listener | None) -> Context:
    key = stage_key(stage, context, values)
    context = context.with_key(stage.name, key, Reporter(stage.name, progress))
    begun = time.monotonic()
    if ledger.is_done(stage.name, key):
        _tell(progress, stage.name, "unchanged")
        return context
    linked = link_stage(ledger.folder.parent, ledger.folder, stage.name, key)
    if linked is not None:
        ledger.finish(stage.name, key, linked[1], seconds=time.monotonic() - begun, source=linked[0])
        _tell(progress, stage.name, f"taken from run {linked[0]}")
        return context
    ledger.start(stage.name, key)
    files = stage.run(context)
    ledger.finish(stage.name, key, files, seconds=time.monotonic() - begun)
    _tell(progress, stage.name, "done")
    return context


@cache
def program_hash() -> str:
    """Hash of the parts of this package that compute and of the versions of the libraries that do.

    It stands in the run id and in the key of every stage: what another program computed is never taken for finished.
    """
    folder = Path(__file__).parent
    files = [file for part in COMPUTING for file in ((folder / part).rglob("*.py") if "." not in part else (folder / part,))]
    sources = {path.relative_to(folder).as_posix(): hash_file(path) for path in sorted(files)}
    return hash_values(sources, package_versions())


def package_versions() -> dict[str, str]:
    """Versions of the libraries that compute, those that are installed."""
    versions = {}
    for name in REPORTED_PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):  # xgboost and xgboost-cpu stand in for each other
            versions[name] = metadata.version(name)
    return versions


def _tell(progress: Listener | None, stage: str, message: str) -> None:
    if progress is not None:
        progress(Event(stage, 1, 1, message, 0.0))


def input_hashes(study: Study, folder: Path) -> dict[str, str]:
    """Content hash of every file that the study reads, by its role."""
    known = FileHashes(folder / HASHES)
    hashes = {role: known(path) for role, path in study.input_files().items()}
    known.save()
    return hashes


def neutral_options(study: Study) -> dict[str, Any]:
    """Options of the study without those that only change the speed, and without paths (their content is hashed)."""
    values = study.options.model_dump(mode="json")
    for section, names in RESULT_NEUTRAL.items():
        for name in names:
            values[section].pop(name)
    if study.options.sites:
        values["sites"]["table"] = Path(study.options.sites.table).suffix
    if study.options.days:
        for one in values["days"]["variables"]:
            one.pop("path")
        values["days"]["labels"].pop("table", None)
    for key in ("like", "mask"):
        values["grid"][key] = bool(values["grid"][key])
    for layer in values["covariates"]:
        layer["changes"] = layer["name"] in study.options.changing
        layer.pop("path")
    for published in values["reference_maps"]:
        published.pop("path")
    values["study"]["truth"] = bool(values["study"]["truth"])
    values["seed"] = values["study"]["seed"]
    values["main_slice"] = study.options.main_slice
    values["staging_margin"] = staging_margin(study.options)
    values["publish_as"] = values["map"].pop("publish_as")  # another name makes another link, not another map
    return values


def _head(study: Study, run_id: str, hashes: dict[str, str], names: list[str]) -> dict[str, Any]:
    return {
        "run": run_id,
        "study": study.name,
        "title": study.options.study.title,
        "simulated": study.options.study.simulated,
        "study_file": str(study.path) if study.path else None,
        "options": study.options.model_dump(mode="json"),
        "inputs": hashes,
        "seed": study.options.study.seed,
        "versions": {"alm_core": __version__, "python": platform.python_version(), **package_versions()},
        "order": names,
    }
