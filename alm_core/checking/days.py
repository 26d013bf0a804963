"""Checks of a study of days: the first and the last file of every variable, and the table of states."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from alm_core.checking.report import Fault
from alm_core.cubes.checks import check_head
from alm_core.cubes.fields import FieldHead
from alm_core.cubes.orbits import Orbit
from alm_core.cubes.regrid import make_regridder
from alm_core.cubes.staging import CubeSource
from alm_core.cubes.state_table import read_states
from alm_core.cubes.times import days_since
from alm_core.cubes.units import converter
from alm_core.day_options import StateTable
from alm_core.errors import AlmError
from alm_core.grid import Grid
from alm_core.study import Study

SAMPLED_CELLS = 2000
FILES_READ = 60
"""Up to this many files of a variable are all opened for their dates, of more the first and the last by name."""


def check_days(study: Study, grid: Grid | None) -> list[Fault]:
    """Open the first and the last file of every daily variable and tell what they hold; what lies between is read by the run.

    Parameters
    ----------
    study : Study
        With [days].
    grid : Grid or None
        None where the study names none that can be read: places are not checked then.
    """
    # The stages bring every learner with them, which only a study of days has to wait for.
    from alm_core.stages.day_cubes import cube_source

    options = study.options.days
    faults: list[Fault] = []
    for variable in options.variables:
        source = cube_source(study, variable)
        files = [path for path in source.files if path.is_file()]
        if files:
            faults += check_variable(source, files, grid, options.first, options.last)
    return faults + _states(study, grid)


def check_variable(source: CubeSource, files: list[Path], grid: Grid | None, first: date, last: date) -> list[Fault]:
    """What the first and the last file of a variable hold, and every fault of theirs."""
    where = f"days {source.variable.name}"
    ends = {files[0], files[-1]}
    all_read = len(files) <= FILES_READ
    heads: list[FieldHead] = []
    faults: list[Fault] = []
    orbit = Orbit()
    for path in files if all_read else sorted(ends):
        try:
            with source.open(path) as opened:
                orbit = check_head(path, opened.head, source.variable, orbit, heads[0] if heads else None)
                heads.append(opened.head)
                convert = converter("" if source.is_state else opened.head.unit, source.variable.unit)
                if path in ends and grid is not None and grid.crs is not None:
                    chosen = np.unique(np.linspace(0, grid.size - 1, SAMPLED_CELLS).astype(np.int64))
                    regridder = make_regridder(opened.head.grid, grid, chosen, source.method, is_state=source.is_state)
                    raw = regridder.pick(opened.read(0, 1, regridder.rows, regridder.columns))
                    faults += _values(source, where, path, convert(opened.decode(raw)))
        except AlmError as fault:
            faults.append(Fault("days_unusable", where, str(fault)))
    if heads:
        times = np.sort(np.concatenate([head.times for head in heads]))
        days = (last - first).days + 1
        faults += [_told(where, heads[0], times, len(files)), *_period(where, days_since(times, first), days, all_read)]
        if not heads[0].unit and not source.is_state:
            text = f"Its files declare no unit: values are taken as {source.variable.unit or 'they are'}."
            faults.append(Fault("unit_missing", where, text, "warning"))
    return list(dict.fromkeys(faults))  # the same of many files is one fault


def _told(where: str, head: FieldHead, times: np.ndarray, files: int) -> Fault:
    """What was found, as a note."""
    layer = f", layer {head.layer}" if head.layer else ""
    text = (
        f"{files} file{'' if files == 1 else 's'}, {times[0]} to {times[-1]} (by {head.timed_by}); "
        f"{head.variable}{layer} in {head.unit or 'no unit'}; {head.grid.describe()}; orbit {head.orbit}."
    )
    return Fault("days_found", where, text, "note")


def _period(where: str, places: np.ndarray, days: int, all_read: bool) -> list[Fault]:
    """Days without a file: exactly where all files were opened, else what the ends of the period lack."""
    inside = np.unique(places[(places >= 0) & (places < days)])
    if (all_read and not inside.size) or places.min() >= days or places.max() < 0:
        return [Fault("days_outside", where, "None of its days lies in [days] first to last.")]
    lacking = days - inside.size if all_read else max(0, int(places.min())) + max(0, days - 1 - int(places.max()))
    if not lacking:
        return []
    text = f"{'' if all_read else 'At least '}{lacking} of {days} days have no file; they will be missing."
    return [Fault("days_missing", where, text, "warning")]


def _values(source: CubeSource, where: str, path: Path, values: np.ndarray) -> list[Fault]:
    """The first step of a file: nothing there, or nothing possible."""
    known = values[~np.isnan(values)]
    if not known.size:
        text = f"The first step of {path.name} has no value on the grid."
        return [Fault("days_empty", where, text, "warning")]
    low = -np.inf if source.low is None else source.low
    high = np.inf if source.high is None else source.high
    outside = (known < low) | (known > high) | np.isinf(known)
    if not outside.any():
        return []
    text = f"{outside.sum()} of {known.size} values of the first step of {path.name} are out of range {low:g} to {high:g}"
    if outside.all():
        return [Fault("days_range", where, f"{text}: check variable, unit, missing_value, minimum and maximum.")]
    return [Fault("days_range", where, f"{text}; they will be missing.", "warning")]


def _states(study: Study, grid: Grid | None) -> list[Fault]:
    """The table of states at sites, where the study learns from one."""
    days = study.options.days
    if not isinstance(days.labels, StateTable) or grid is None or not study.file(days.labels.table).is_file():
        return []
    columns = {name: getattr(days.labels, name) for name in ("site_id", "date", "longitude", "latitude", "value")}
    try:
        found = read_states(
            study.file(days.labels.table),
            columns=columns,
            threshold=days.labels.frozen_at_or_below,
            grid=grid,
            first=days.first,
            last=days.last,
        )
    except AlmError as fault:
        return [Fault("table_unreadable", "days.labels", str(fault))]
    counts = found.counts
    text = f"{counts['kept']} days of {counts['sites']} sites, {counts['frozen']} of them frozen."
    return [Fault("days_found", "days.labels", text, "note")]
