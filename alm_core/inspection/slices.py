"""Slices of time of a run: which there are, where their rasters lie, which one stands for the map.

A study without slices has one map and no list of slices. One with slices has a folder for each; the map of the main slice is
also the map of the run, so that everything that asks for no slice speaks of that one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alm_core.covariates.stack import Stack
from alm_core.mapping.change import SIGNIFICANCE
from alm_core.mapping.slices import MapSlice, read_slices
from alm_core.workspace import Run

SLICES_FILE = "map/slices.json"
CHANGE_FILE = "map/change.tif"


def time_slices(run: Run) -> tuple[MapSlice, ...]:
    """The slices of a run in the order of time; none where the study has none or the map is not finished.

    Examples
    --------
    ::

        for slice in time_slices(run):
            print(slice.name, slice.first_year, slice.last_year)
    """
    return read_slices(run.folder).slices


def main_slice(run: Run) -> str | None:
    """Name of the slice whose map is the map of the run; None where the study has no slices."""
    return read_slices(run.folder).main or None


def find_slice(run: Run, name: str) -> MapSlice:
    """A slice by its name.

    Raises
    ------
    StudyError
        The run has no slice of that name.
    """
    return read_slices(run.folder).slice(name)


def slice_file(run: Run, name: str, slice: str | None = None) -> Path:
    """A raster of the map, such as ``fused.tif``, of a slice; of the main one by default.

    Raises
    ------
    StudyError
        No such slice.
    MissingFileError
        The slice is not mapped yet.
    """
    if slice is None or slice == main_slice(run):
        return run.file(f"map/{name}")
    return run.file(f"{find_slice(run, slice).folder}/{name}")


def stack_of(run: Run, slice: str | None = None) -> Stack:
    """The staged covariates of a slice; of the main one by default.

    Raises
    ------
    StudyError
        No such slice.
    """
    stack = Stack.open(run.folder / "covariates")
    wanted = slice or main_slice(run)
    # A run whose covariates are all the same in every slice has one stack for all.
    if wanted is None or not getattr(stack, "slices", ()):
        return stack
    return stack.at(find_slice(run, wanted).name)


def is_of_slice(file: Path) -> bool:
    """True of a staged raster that belongs to one slice: covariates/slices/<slice>/<name>.tif."""
    return file.parent.parent.name == "slices"


def change_facts(run: Run) -> dict[str, Any]:
    """What the map stage wrote of the change as a whole (`alm_core.mapping.change.ChangeMap`); empty without a change map."""
    return read_slices(run.folder).change_facts


def smallest_p_value(run: Run) -> float | None:
    """The smallest p value that the test of trend can give for the slices of a run; None without a change map."""
    value = change_facts(run).get("smallest_p_value")
    return None if value is None else float(value)


def can_be_significant(run: Run) -> bool:
    """True where the run has slices enough for a trend to be significant at all."""
    smallest = smallest_p_value(run)
    return smallest is not None and smallest < SIGNIFICANCE
