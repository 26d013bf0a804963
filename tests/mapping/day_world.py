"""A small world of days with exact answers: one temperature, a model that is a plain function of it, and a map of 400 days.

Run as a program it maps into a folder and tells each chunk, so that a test can kill it: ``python day_world.py FOLDER CUBES``.
"""

from __future__ import annotations

import sys
import time
from datetime import date
from pathlib import Path

import numpy as np

from alm_core.cubes.features import make_plan
from alm_core.cubes.store import CubeStore, Variable
from alm_core.grid import Grid
from alm_core.mapping.day_files import write_years
from alm_core.mapping.day_maps import map_days
from alm_core.mapping.phenology import map_phenology

GRID = Grid.from_bounds((90, 33, 92, 34.5), 0.5, crs="EPSG:4326")
CELLS = np.array([0, 1, 2, 5, 6, 7, 9, 11])
FIRST, DAYS = date(2011, 7, 1), 800
GAP = slice(200, 203)
CHUNK_DAYS = 50


class Logistic:
    """Frozen below 0 degree, for sure far below it."""

    names = ("temperature",)

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.asked = 0

    def predict_block(self, values, valid):
        """Probability ``[day, cell]``, NaN where the temperature is missing."""
        time.sleep(self.seconds)
        self.asked += 1
        return np.where(valid, 1 / (1 + np.exp(values[0].astype(float))), np.nan)

    def check_block(self, values, valid):
        """The model is its own library."""
        return float(np.nanmax(np.abs(self.predict_block(values, valid) - 1 / (1 + np.exp(values[0].astype(float))))))


def celsius() -> np.ndarray:
    """Seasons with weather ``[day, cell]``; three days are missing everywhere."""
    day = np.arange(DAYS)[:, None]
    found = 12 * np.cos(2 * np.pi * (day - 20) / 365.25) - CELLS[None, :] / 3 + 2 * np.sin(day * (1 + CELLS[None, :] % 3) / 2)
    found[GAP] = np.nan
    return found.astype(np.float32)


def write_cubes(folder: Path, grid: Grid = GRID) -> CubeStore:
    """The temperatures as a store."""
    variables = (Variable("temperature", "degC", "temperature"),)
    return CubeStore.create(folder, grid, FIRST, DAYS, CELLS, variables, {"temperature": celsius()})


def make_map(store: CubeStore, folder: Path, model: Logistic | None = None, **options):
    """Days of the world."""
    plan = make_plan([{"name": "temperature", "inputs": ["temperature"]}], store.variables, [])
    options = {"fingerprint": "one", "chunk_days": CHUNK_DAYS} | options
    return map_days(store, plan, {}, model or Logistic(), folder=folder / "map", **options)


def make_all(store: CubeStore, folder: Path, model: Logistic | None = None, progress=None):
    """Days, files and onsets."""
    mapped = make_map(store, folder, model, progress=progress)
    words = {"attributes": {"title": "small days", "license": "CC-BY-4.0"}, "tags": {"study": "small"}}
    write_years(mapped, folder / "map" / "days", **words, progress=progress)
    map_phenology(mapped, folder / "map" / "phenology", tags={"study": "small"}, progress=progress)
    return mapped


if __name__ == "__main__":
    make_all(
        CubeStore.open(sys.argv[2]),
        Path(sys.argv[1]),
        Logistic(0.02),
        lambda done, total, message: print(message, flush=True),
    )
