"""The daily fields of a study on its grid: one array of days and mapped cells for each variable."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.errors import GridError, MissingFileError, StudyError
from alm_core.grid import Grid
from alm_core.workspace import atomic_path, write_json

STORE_FILE = "cubes.json"
CELLS_FILE = "_cells.npy"
VERSION = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""Names of variables are names of files; none begins as that of the cells does."""
AGAIN = "Run the study again: its stage `cubes` will write it anew."


@dataclass(frozen=True)
class Variable:
    """What is known of a daily variable.

    Attributes
    ----------
    name : str
        As in the study; also the name of its file.
    unit : str
        Unit of the stored values.
    quantity : str
        ``"brightness_temperature"``, ``"temperature"``, ``"moisture"``, ``"state"`` or ``"other"``.
    frequency_ghz : float or None
    polarisation : str
        ``"V"``, ``"H"`` or empty.
    orbit : str
        ``"ascending"``, ``"descending"`` or empty.
    """

    name: str
    unit: str = ""
    quantity: str = "other"
    frequency_ghz: float | None = None
    polarisation: str = ""
    orbit: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The variable as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class CubeStore:
    """Daily variables of the mapped cells, every day of the calendar from `first` on.

    Values lie in one file for each variable, float32 ``[day, cell]``, opened by memory map: reading some days costs these
    days. A day without a file is a row of NaN. Make one with `create`, open one with `open`.

    Attributes
    ----------
    folder : Path
    grid : Grid
        The study grid.
    first : date
        The first day.
    days : int
        Number of days.
    cells : ndarray
        Flat indices of the mapped cells on the grid, rising.
    variables : tuple of Variable
    facts : dict
        By variable: what was found in its files (see `alm_core.cubes.staging`).

    Examples
    --------
    >>> import tempfile
    >>> grid = Grid.from_bounds((80, 30, 82, 31), 1, crs="EPSG:4326")
    >>> values = {"tb": np.array([[250.0], [260.0]], np.float32)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = CubeStore.create(folder, grid, date(2012, 2, 29), 2, np.array([1]), (Variable("tb", "K"),), values)
    ...     store.dates.astype(str).tolist(), store.x.tolist(), store.raster(store.read("tb", 1)).tolist()
    (['2012-02-29', '2012-03-01'], [81.5], [[[nan, 260.0]]])
    """

    folder: Path
    grid: Grid
    first: date
    days: int
    cells: np.ndarray
    variables: tuple[Variable, ...]
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        grid: Grid,
        first: date,
        days: int,
        cells: np.ndarray,
        variables: Sequence[Variable],
        arrays: Mapping[str, np.ndarray] | None = None,
        *,
        facts: Mapping[str, dict[str, Any]] | None = None,
    ) -> CubeStore:
        """Write a store, or close one whose files have been written by `write_array`.

        Parameters
        ----------
        folder : path
            Made where it is not there.
        arrays : mapping of str to ndarray, optional
            ``[day, cell]`` of every variable. None where every file is there already.
        facts : mapping, optional
            What was found in the sources, by variable; plain values.

        Raises
        ------
        GridError
            Cells that are not rising or not on the grid, or an array of another shape.
        StudyError
            Names that are no file names, or are given twice.
        MissingFileError
            A variable has neither array nor file.
        """
        folder = Path(folder)
        cells = np.asarray(cells, np.int64)
        variables = tuple(variables)
        _check_head(grid, days, cells, variables)
        for variable in variables if arrays is not None else ():
            if variable.name not in arrays:
                raise MissingFileError(f"No array is given for the variable {variable.name}: {', '.join(arrays) or 'none'} came.")
            values = np.asarray(arrays[variable.name], np.float32)
            _check_shape(variable.name, values.shape, (days, cells.size))
            write_array(folder / f"{variable.name}.npy", values)
        write_array(folder / CELLS_FILE, cells)
        store = cls(folder, grid, first, days, cells, variables, dict(facts or {}))
        store._check_files()
        write_json(folder / STORE_FILE, store.to_dict())
        return store

    @classmethod
    def open(cls, folder: str | Path) -> CubeStore:
        """Open a store; looks at the heads of its files, not at their values.

        Raises
        ------
        MissingFileError
            It was never finished, or a file is gone.
        GridError
            It is damaged, was written by another version, or a file has another shape than it says.
        """
        folder = Path(folder)
        path = folder / STORE_FILE
        if not path.is_file():
            raise MissingFileError(f"{folder.name} holds no finished cubes: {STORE_FILE} is not there. {AGAIN}")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as fault:
            raise GridError(f"{STORE_FILE} is damaged ({fault}). {AGAIN}") from fault
        found = values.get("version") if isinstance(values, dict) else None
        if found != VERSION:
            raise GridError(f"{STORE_FILE} has version {found}, {VERSION} is expected: another program wrote it. {AGAIN}")
        try:
            store = cls(
                folder,
                Grid.from_dict(values["grid"]),
                date.fromisoformat(values["first"]),
                int(values["days"]),
                _load(folder / CELLS_FILE),
                tuple(Variable(**one) for one in values["variables"]),
                values["facts"],
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise GridError(f"{STORE_FILE} is damaged ({fault!r}). {AGAIN}") from fault
        _check_head(store.grid, store.days, store.cells, store.variables)
        if values.get("cells") != store.cells.size:
            raise GridError(f"{CELLS_FILE} holds {store.cells.size} cells, {values.get('cells')} are expected. {AGAIN}")
        store._check_files()
        return store

    def _check_files(self) -> None:
        for variable in self.variables:
            values = _load(self.file(variable.name), mapped=True)
            _check_shape(variable.name, values.shape, (self.days, self.cells.size))
            if values.dtype != np.float32:
                raise GridError(f"{variable.name}.npy holds {values.dtype} values, float32 is expected. {AGAIN}")

    # ---- facts ------------------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables, in their order."""
        return tuple(variable.name for variable in self.variables)

    @property
    def dates(self) -> np.ndarray:
        """Every day, datetime64[D] ``[day]``."""
        return np.datetime64(self.first, "D") + np.arange(self.days)

    @property
    def x(self) -> np.ndarray:
        """x of the centres of the mapped cells, ``[cell]``."""
        return self.grid.x[self.cells % self.grid.shape[1]]

    @property
    def y(self) -> np.ndarray:
        """y of the centres of the mapped cells, ``[cell]``."""
        return self.grid.y[self.cells // self.grid.shape[1]]

    def file(self, name: str) -> Path:
        """The file of a variable."""
        return self.folder / f"{self.variable(name).name}.npy"

    def variable(self, name: str) -> Variable:
        """A variable by its name.

        Raises
        ------
        StudyError
            There is none of that name.
        """
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise StudyError(f"No daily variable is called {name!r}. There are: {', '.join(self.names) or 'none'}.")

    # ---- values -----------------------------------------------------------------------------------------------------

    def read(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Some days of a variable, float32 ``[day, cell]``, NaN where missing; a copy that is yours.

        Parameters
        ----------
        start, stop : int
            Half open, places in `dates`; default all days. Negative places are refused: they are days before the first.

        Raises
        ------
        StudyError
            There is no such variable.
        GridError
            Days outside the store.
        """
        stop = self.days if stop is None else stop
        if not 0 <= start <= stop <= self.days:
            raise GridError(f"Days {start} to {stop} were asked for: the store has days 0 to {self.days}, and start before stop.")
        return np.array(_load(self.file(name), mapped=True)[start:stop])

    def raster(self, values: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """Put values of the mapped cells on the grid: ``[..., cell]`` to ``[..., row, column]``, `fill` elsewhere.

        Raises
        ------
        GridError
            The last axis is not that of the cells.
        """
        values = np.asarray(values)
        if values.shape[-1:] != (self.cells.size,):
            raise GridError(f"Values of shape {values.shape} came: the last axis must be the {self.cells.size} mapped cells.")
        full = np.full((*values.shape[:-1], self.grid.size), fill, values.dtype)
        full[..., self.cells] = values
        return full.reshape(*values.shape[:-1], *self.grid.shape)

    def to_dict(self) -> dict[str, Any]:
        """The store as plain values, for JSON; holds no path."""
        return {
            "version": VERSION,
            "grid": self.grid.to_dict(),
            "first": self.first.isoformat(),
            "days": self.days,
            "cells": int(self.cells.size),
            "variables": [variable.to_dict() for variable in self.variables],
            "facts": self.facts,
        }


def write_array(path: Path, values: np.ndarray) -> None:
    """Write an array atomically in NumPy's own format."""
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.save(stream, np.ascontiguousarray(values), allow_pickle=False)


def _load(path: Path, *, mapped: bool = False) -> np.ndarray:
    if not path.is_file():
        raise MissingFileError(f"{path.parent.name} lacks its file {path.name}. {AGAIN}")
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (ValueError, EOFError) as fault:
        raise GridError(f"{path.name} is damaged ({fault}). {AGAIN}") from fault


def _check_shape(name: str, found: tuple[int, ...], wanted: tuple[int, int]) -> None:
    if tuple(found) != wanted:
        raise GridError(f"Variable {name} has the shape {tuple(found)}: {wanted} is expected, [day, cell].")


def _check_head(grid: Grid, days: int, cells: np.ndarray, variables: Sequence[Variable]) -> None:
    if days < 1:
        raise GridError(f"{days} days came: at least one is expected.")
    if cells.ndim != 1 or not cells.size:
        raise GridError(f"Cells of shape {cells.shape} came: at least one mapped cell is expected. Look at the mask of the grid.")
    if cells[0] < 0 or cells[-1] >= grid.size or (np.diff(cells) <= 0).any():
        raise GridError(f"The cells are not rising flat indices of a grid of {grid.size} cells.")
    names = [variable.name for variable in variables]
    strange = [name for name in names if not NAME.fullmatch(name)]
    if strange:
        raise StudyError(f"Daily variables are named {', '.join(strange)}: letters, digits, '_', '-' and '.' are expected.")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise StudyError(f"Daily variables share the name {', '.join(doubled)}: each needs one of its own.")
