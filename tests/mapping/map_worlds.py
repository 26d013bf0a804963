"""A world whose covariates lie in files, so that other processes can map it, and members that misbehave on purpose.

Run as a program (``python -m tests.mapping.map_worlds WORLD FOLDER``) it maps the world, for tests that kill it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from alm_core.errors import DomainError
from alm_core.grid import Grid
from alm_core.learning.fusion import fit_fusion
from alm_core.learning.uncertainty import fit_interval
from alm_core.mapping.predict import MapResult, map_blocks

NAMES = ("elevation", "ndvi", "clay")
GRID = Grid.from_bounds((90, 30, 91.3, 31.5), 0.01, crs="EPSG:4326")


@dataclass(frozen=True)
class FileWorld:
    """Covariates and mask as files of a folder; who opens and closes them is noted there."""

    folder: Path

    @classmethod
    def write(cls, folder: Path) -> FileWorld:
        """Make the files."""
        folder.mkdir(parents=True)
        rng = np.random.default_rng(7)
        rows, columns = GRID.shape
        smooth = np.add.outer(np.sin(np.arange(rows) / 20), np.cos(np.arange(columns) / 15))
        values = np.stack([smooth, rng.normal(size=GRID.shape), rng.random(GRID.shape)]).astype(np.float32)
        values[1, 40:50, 60:80] = np.nan
        mask = np.zeros(GRID.shape, bool)
        mask[10:120, 5:100] = True
        np.save(folder / "values.npy", values)
        np.save(folder / "mask.npy", mask)
        return cls(folder)

    @contextlib.contextmanager
    def reader(self, names):
        """Like ``stack.reader``."""
        assert tuple(names) == NAMES
        who = f"{os.getpid()}-{threading.get_ident()}"
        self.note("opened", who)
        yield Reader(self)
        self.note("closed", who)

    def note(self, what: str, who: str) -> None:
        """Leave a small file."""
        (self.folder / f"{what}-{who}-{time.monotonic_ns()}").touch()

    def notes(self, what: str) -> list[str]:
        """Who noted something."""
        return sorted(path.name.split("-")[1] for path in self.folder.glob(f"{what}-*"))


class Reader:
    """Reads blocks of a world."""

    def __init__(self, world: FileWorld) -> None:
        self.world = world
        self.values = np.load(world.folder / "values.npy", mmap_mode="r")
        self.inside = np.load(world.folder / "mask.npy", mmap_mode="r")

    def read(self, block):
        """Covariates."""
        self.world.note("read", block.name)
        return np.array(self.values[(slice(None), *block.slices)])

    def mask(self, block):
        """Mask."""
        return np.array(self.inside[block.slices])


@dataclass(frozen=True)
class Member:
    """A weighted sum of the covariates, as slow as it is told to be."""

    name: str
    weights: tuple[float, ...]
    seconds: float = 0.0

    def predict_block(self, values, valid):
        """[covariate, row, column] to [n]."""
        time.sleep(self.seconds)
        total = np.zeros(int(valid.sum()))
        for column, weight in enumerate(self.weights):
            total += weight * values[column, valid].astype(float)
        return total


@dataclass(frozen=True)
class Deadly(Member):
    """Kills its process, as often as `times` says; the count is kept in a folder."""

    folder: Path = field(default=Path())
    times: int = 1

    def predict_block(self, values, valid):
        """Dies, or predicts."""
        died = len(list(self.folder.glob("died-*")))
        if died < self.times:
            (self.folder / f"died-{died}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict_block(values, valid)


@dataclass(frozen=True)
class Faulty(Member):
    """Refuses every block."""

    def predict_block(self, values, valid):
        """Raises an error of the package."""
        raise DomainError("The water content is 7.3: at most 1 was expected. Check the units.")


def members(*, seconds: float = 0.0) -> tuple[Member, Member]:
    """The two members of every test."""
    return Member("first", (0.5, 0.1, 0.2), seconds), Member("second", (0.4, 0.2, 0.1))


def fusion():
    """A fusion of the two, with an interval."""
    rng = np.random.default_rng(1)
    sites = rng.normal(size=(80, 3)).astype(np.float32)
    found = np.stack([member.predict_block(sites.T[:, None], np.ones((1, 80), bool)) for member in members()])
    truth = found.mean(axis=0) + rng.normal(0, 0.05, 80)
    fitted = fit_fusion(found, truth, learners=("first", "second"), minimum=-0.6, maximum=0.9)
    interval = fit_interval(fitted.predict(found).value, fitted.spread(found), truth, level=0.9)
    return fitted.with_interval(interval)


def map_world(world: FileWorld, folder: Path, **options) -> MapResult:
    """Map a world with some defaults."""
    chosen = options.pop("members", members())
    settings = {"names": NAMES, "folder": folder, "fingerprint": "abc", "block_size": 32, "unit": "m3 m-3"}
    return map_blocks(world.reader, GRID, chosen, fusion(), **(settings | options))


def content(result: MapResult) -> dict[str, bytes]:
    """Bytes of every raster of a map."""
    return {name: path.read_bytes() for name, path in result.paths.items()}


if __name__ == "__main__":
    map_world(FileWorld(Path(sys.argv[1])), Path(sys.argv[2]), members=members(seconds=0.02))
