"""The stage that brings the daily files of a study onto its grid."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.covariates.stack import Stack
from alm_core.cubes.checks import absent_codes, check_polarisations
from alm_core.cubes.staging import CubeSource, Regridders, stage_variable
from alm_core.cubes.store import CubeStore, Variable
from alm_core.day_options import DayOptions, DayVariable, StateCodes
from alm_core.errors import AlmError, GridError
from alm_core.stages.context import Context
from alm_core.study import Study
from alm_core.workspace import hash_values, read_json, write_json

FOLDER = "cubes"
REPORTS = 50
"""Reports of a variable at most, so that thousands of files don't flood the page."""
VERSION = 1
"""Raise it when the same files give other values: finished variables are then not kept."""


def stage_cubes(context: Context) -> list[Path]:
    """Bring the files of every daily variable onto the mapped cells, one variable after the other.

    A variable that an interrupted run has finished from the same files is kept. Files in cubes/: see
    `alm_core.cubes.store.CubeStore`, and ``<name>.facts.json`` with what was found.
    """
    options, folder = context.options.days, context.folder / FOLDER
    stack = context.stack
    regridders = Regridders(stack.grid, mapped_cells(stack))
    days = (options.last - options.first).days + 1
    sources = [cube_source(context.study, variable) for variable in options.variables]
    total, done = sum(len(source.files) for source in sources), 0
    variables, facts = [], {}
    for options_of_one, source in zip(options.variables, sources, strict=True):
        name = source.variable.name
        key = _key(context, options_of_one, regridders, options.first, days)
        found = _kept(folder, name, key)
        if found is None:
            step = max(1, len(source.files) // REPORTS)

            def tell(number: int, *, before: int = done, every: int = step, name: str = name) -> None:
                if number % every == 0:
                    context.report(before + number, total, name)

            found = stage_variable(source, regridders, options.first, days, folder / f"{name}.npy", progress=tell)
            write_json(folder / f"{name}.facts.json", {"key": key, "facts": found})
        done += len(source.files)
        context.report(done, total, name)
        variables.append(Variable(**{**source.variable.to_dict(), "unit": found["unit"]}))
        codes = wanted_codes(options, name)
        facts[name] = found | {"notes": found["notes"] + (absent_codes(found["codes"], codes) if codes else [])}
    store = CubeStore.create(folder, stack.grid, options.first, days, regridders.cells, variables, facts=facts)
    for note in check_polarisations(store):
        context.report.note(note)
    return context.files(FOLDER)


def mapped_cells(stack: Stack) -> np.ndarray:
    """Flat indices of the cells inside the mask of the study, rising.

    Raises
    ------
    GridError
        There is none.
    """
    found = []
    with stack.reader([]) as reader:
        for block in stack.grid.blocks(1024):
            rows, columns = np.nonzero(reader.mask(block))
            found.append((rows + block.row_start) * stack.grid.shape[1] + columns + block.column_start)
    cells = np.sort(np.concatenate(found)).astype(np.int64)
    if not cells.size:
        raise GridError("The mask of the study leaves no cell to map. Check [grid] mask and mask_values.")
    return cells


def cube_source(study: Study, options: DayVariable) -> CubeSource:
    """A daily variable of the study as plain values."""
    low, high = options.limits
    variable = Variable(
        options.name,
        options.kept_unit,
        options.quantity,
        options.frequency_ghz,
        options.polarisation,
        options.orbit,
    )
    return CubeSource(
        variable,
        tuple(study.day_files(options)),
        options.variable,
        options.level,
        options.regrid,
        options.crs,
        options.missing_value,
        low,
        high,
        options.most_missing_days,
    )


def wanted_codes(options: DayOptions, name: str) -> dict[str, tuple[int, ...]]:
    """Codes of the states of a product that labels or checks; none for any other variable."""
    for codes in (options.labels, options.check):
        if isinstance(codes, StateCodes) and codes.variable == name:
            return {"frozen": codes.frozen, "thawed": codes.thawed}
    return {}


def _key(context: Context, options: DayVariable, regridders: Regridders, first: date, days: int) -> str:
    """All that the values of a variable depend on."""
    role = f"days {options.name} "
    files = {key: digest for key, digest in context.hashes.items() if key.startswith(role)}
    values = options.model_dump(mode="json", exclude={"path"})
    cells = hash_values(regridders.cells.tolist())
    return hash_values(VERSION, values, files, regridders.grid.to_dict(), cells, first.isoformat(), days)


def _kept(folder: Path, name: str, key: str) -> dict[str, Any] | None:
    """What was found in a variable that is finished and still fits; None where it must be staged."""
    path = folder / f"{name}.facts.json"
    if not path.is_file() or not (folder / f"{name}.npy").is_file():
        return None
    try:
        values = read_json(path)
        return values["facts"] if values["key"] == key else None
    except (AlmError, KeyError, TypeError):
        return None  # damaged: staged again
