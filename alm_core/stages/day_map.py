"""The stage that maps every day, and onset and end of freezing of every year."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alm_core import __version__
from alm_core.cubes.features import FeaturePlan
from alm_core.cubes.static_layers import read_static
from alm_core.cubes.store import STORE_FILE, CubeStore
from alm_core.learning.day_model import DayModel, load_day_model
from alm_core.mapping.day_files import FOLDER as DAYS
from alm_core.mapping.day_files import write_years
from alm_core.mapping.day_maps import DayMap, map_days
from alm_core.mapping.phenology import FOLDER as PHENOLOGY
from alm_core.mapping.phenology import PhenologyMaps, map_phenology
from alm_core.stages.context import Context
from alm_core.stages.day_samples import day_plan
from alm_core.stages.fitted import check_staged
from alm_core.stages.mapping import warm_up_kernels
from alm_core.workspace import hash_file, hash_values, read_json, write_json

FACTS = "map/days.json"
CHUNK_SHARE = 0.8
"""Part of the stage's time that goes into the days themselves; files and onsets have the rest."""


def stage_day_map(context: Context) -> list[Path]:
    """Map every day, write the files of every year, and find onset and end of freezing.

    Chunks, files and rasters that an earlier call finished from the same inputs stay as they are.
    """
    days = context.options.days
    store = CubeStore.open(context.folder / "cubes")
    model = load_day_model(context.folder)
    plan = day_plan(days, store, context.stack)
    check_staged(context, plan.layers)
    warm_up_kernels(context)
    mapped = map_days(
        store,
        plan,
        read_static(context.stack, store, plan.layers),
        model,
        folder=context.folder / "map",
        fingerprint=map_fingerprint(context, plan, model),
        workers=context.workers,
        oracle=model.check_block,
        progress=_part(context, 0.0, CHUNK_SHARE),
    )
    tags = day_tags(context, model)
    compression = context.options.map.compression
    files = write_years(
        mapped,
        context.folder / DAYS,
        attributes=day_attributes(context, model, plan),
        tags=tags,
        compression=compression,
        progress=_part(context, CHUNK_SHARE, 0.95),
    )
    onsets = map_phenology(
        mapped,
        context.folder / PHENOLOGY,
        **days.phenology.model_dump(),
        tags=tags,
        compression=compression,
        progress=_part(context, 0.95, 1.0),
    )
    write_json(context.folder / FACTS, day_facts(context, mapped, files, onsets, model))
    return [*files, *onsets.paths, context.folder / FACTS]


def map_fingerprint(context: Context, plan: FeaturePlan, model: DayModel) -> str:
    """Hash of everything that the values of the days depend on: study and program, cubes, predictors, model."""
    cubes = hash_file(context.folder / "cubes" / STORE_FILE)
    fitted = read_json(context.folder / "models" / f"{model.name}.json")
    return hash_values(context.keys["map"], cubes, plan.to_dict(), model.name, model.missing, fitted)


def day_tags(context: Context, model: DayModel) -> dict[str, Any]:
    """What every raster of a run of days says of itself."""
    options = context.options
    head, days = options.study, options.days
    tags = {
        "study": head.name,
        "title": head.title,
        "run": context.run_id,
        "target": options.target.name,
        "learner": model.name,
        "licence": head.licence,
        "citation": head.citation,
        "time": f"{days.first}/{days.last}",
        "software": f"alm_core {__version__}",
    }
    if head.simulated:
        tags["simulated"] = "yes: days and labels come from written formulas"
    return {name: value for name, value in tags.items() if value != ""}


def day_attributes(context: Context, model: DayModel, plan: FeaturePlan) -> dict[str, str]:
    """Global attributes of the NetCDF files, by the names of the CF conventions and of ACDD."""
    head = context.options.study
    comment = "Simulated: days and labels come from written formulas." if head.simulated else ""
    found = {
        "title": head.title or head.name,
        "summary": head.description,
        "source": f"{model.name} ({model.learner.kind}) on {', '.join(plan.names)}",
        "history": f"Made by alm_core {__version__}, study {head.name}, run {context.run_id}",
        "references": head.citation,
        "license": head.licence,
        "comment": comment,
        "simulated": "yes" if head.simulated else "no",
    }
    return {name: value for name, value in found.items() if value != ""}


def day_facts(context: Context, mapped: DayMap, files: list[Path], onsets: PhenologyMaps, model: DayModel) -> dict[str, Any]:
    """What map/days.json tells; nothing in it depends on the clock or on interruptions."""
    names = [path.relative_to(context.folder).as_posix() for path in (*files, *onsets.paths)]
    return mapped.to_dict() | {
        "learner": model.name,
        "missing": model.missing,
        "simulated": context.options.study.simulated,
        "files": names,
        **onsets.to_dict(),
    }


def _part(context: Context, begin: float, end: float) -> Any:
    """Progress of one part of the stage, in thousandths of all of it."""

    def tell(done: int, total: int, message: str) -> None:
        context.report(round(1000 * (begin + (end - begin) * done / max(total, 1))), 1000, message)

    return tell
