"""A study of days as its stages see it, without files of satellites: cubes that are written at once and a stack in memory."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from alm_core.cubes.store import CubeStore, Variable
from alm_core.grid import Grid
from alm_core.options import StudyOptions

GRID = Grid.from_bounds((88.0, 31.0, 96.0, 36.0), 1.0, crs="EPSG:4326")
FIRST, LAST = date(2011, 1, 1), date(2013, 12, 31)
CELLS = np.arange(2, 40)
DAYS = (LAST - FIRST).days + 1


class MemoryStack:
    """Static layers on the grid, read as a stack is."""

    def __init__(self, layers: dict[str, np.ndarray], kinds: dict[str, str]) -> None:
        self.grid, self.layers, self.kinds = GRID, layers, kinds
        self.names, self.inputs = tuple(name for name in layers if name != "land_cover"), ("land_cover",)

    def reader(self, names: Any) -> MemoryStack:
        """Itself, for some layers."""
        self.wanted = names
        return self

    def __enter__(self) -> MemoryStack:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, block: Any) -> np.ndarray:
        """float32 ``[layer, row, column]``."""
        return np.stack([self.layers[name][block.slices] for name in self.wanted])


def arrays() -> dict[str, np.ndarray]:
    """Daily fields ``[day, cell]``: two channels, and two products that err and have gaps and codes of their own."""
    rng = np.random.default_rng(8)
    day = np.arange(DAYS)[:, None]
    celsius = 4 - 16 * np.cos(2 * np.pi * (day - 15) / 365.25) - 2.0 * (CELLS // 8) + rng.normal(0, 2, (DAYS, 1))
    frozen = celsius < 0
    vertical = 0.92 * (celsius + 273.15) + rng.normal(0, 2, frozen.shape)
    horizontal = vertical * np.where(frozen, 0.97, 0.93) + rng.normal(0, 2, frozen.shape)
    label = np.where(rng.random(frozen.shape) < 0.04, ~frozen, frozen).astype(float)
    label[rng.random(frozen.shape) < 0.1] = 7  # snow
    second = np.where(rng.random(frozen.shape) < 0.06, ~frozen, frozen) + 1.0
    label[:, 5], second[::2] = np.nan, np.nan
    vertical[200:220, :10] = np.nan
    found = {"tb36v": vertical, "tb18h": horizontal, "label_state": label, "second_state": second}
    return {name: values.astype(np.float32) for name, values in found.items()}


def make_context(folder: Path, *, values: dict[str, np.ndarray] | None = None, **days: Any) -> SimpleNamespace:
    """A context with written cubes; keywords replace parts of ``[days]``."""
    rows, columns = np.indices(GRID.shape)
    layers = {"elevation": 3500.0 + 100 * rows, "land_cover": 1.0 + columns % 3}
    variables = (
        Variable("tb36v", "K", "brightness_temperature", 36.5, "V"),
        Variable("tb18h", "K", "brightness_temperature", 18.7, "H"),
        Variable("label_state", "1"),  # of no quantity: even so it is no predictor
        Variable("second_state", "1"),
    )
    CubeStore.create(folder / "cubes", GRID, FIRST, DAYS, CELLS, variables, values or arrays())
    section = {
        "first": FIRST,
        "last": LAST,
        "variables": [{"name": one.name, "path": f"{one.name}.nc", "quantity": one.quantity} for one in variables],
        "labels": {"variable": "label_state"},
        "check": {"variable": "second_state", "frozen": [2], "thawed": [1]},
        "samples": {"count": 1500, "check_count": 150},
        "splits": {
            "schemes": ["random", "year", "block", "site"],
            "folds": 3,
            "block_size_km": 250,
            "random_because": "to compare with a published score",
        },
        "discriminant": {"vertical_36": "tb36v", "horizontal_18": "tb18h"},
        "learner": "trees",
    } | days
    box = dict(zip(("west", "south", "east", "north"), GRID.bounds, strict=True))
    options = StudyOptions.model_validate(
        {
            "study": {"name": "days", "title": "Days", "seed": 5},
            "target": {"name": "state", "task": "classification"},
            "grid": {"crs": "EPSG:4326", "resolution": 1.0, "bounds": box},
            "days": {name: part for name, part in section.items() if part is not None},
            "learners": [
                {"name": "trees", "kind": "extra_trees", "options": {"n_estimators": 10}},
                {"name": "linear"},
            ],
        }
    )
    return SimpleNamespace(
        options=options,
        folder=folder,
        workers=1,
        stack=MemoryStack(layers, {"elevation": "continuous", "land_cover": "categorical"}),
        study=SimpleNamespace(file=lambda name: folder / name),
        report=lambda done, total, message: None,
        files=lambda *names: [folder / name for name in names],
    )
