"""A small world with exact answers: three covariates, two members, a fusion, on a grid of 150 by 130 cells."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest

from alm_core.grid import Grid
from alm_core.learning.applicability import fit_applicability
from alm_core.learning.fusion import fit_fusion
from alm_core.learning.uncertainty import fit_interval

NAMES = ("elevation", "ndvi", "clay")


@dataclass
class Linear:
    """A member that is a weighted sum of the covariates."""

    name: str
    weights: tuple[float, ...]

    def predict(self, features):
        """[n, covariate] to [n]."""
        return self.predict_block(features.T[:, None], np.ones((1, len(features)), bool))

    def predict_block(self, values, valid):
        """[covariate, row, column] to [n], by sums in a fixed order."""
        total = np.zeros(int(valid.sum()))
        for column, weight in enumerate(self.weights):
            total += weight * values[column, valid].astype(float)
        return total


@dataclass
class Classes:
    """A classifier of three classes by the first covariate."""

    name: str

    def predict(self, features):
        """[n, covariate] to [n, class] probabilities."""
        return self.predict_block(features.T[:, None], np.ones((1, len(features)), bool))

    def predict_block(self, values, valid):
        """[covariate, row, column] to [n, class] probabilities."""
        first = values[0, valid].astype(float)
        scores = np.stack([np.exp(-((first - centre) ** 2)) for centre in (-1, 0, 1)], axis=1)
        return scores / scores.sum(axis=1, keepdims=True)


class World:
    """Covariates, mask and everything fitted."""

    def __init__(self, crs="EPSG:4326"):
        self.grid = Grid.from_bounds((90, 30, 91.3, 31.5), 0.01, crs=crs)
        rng = np.random.default_rng(7)
        rows, columns = self.grid.shape
        smooth = np.add.outer(np.sin(np.arange(rows) / 20), np.cos(np.arange(columns) / 15))
        self.values = np.stack([smooth, rng.normal(size=self.grid.shape), rng.random(self.grid.shape)])
        self.values = self.values.astype(np.float32)
        self.values[1, 40:50, 60:80] = np.nan
        self.mask = np.zeros(self.grid.shape, bool)
        self.mask[10:120, 5:100] = True
        self.reads = 0
        self.opened = 0
        sites = rng.normal(size=(80, 3)).astype(np.float32)
        self.members = (Linear("first", (0.5, 0.1, 0.2)), Linear("second", (0.4, 0.2, 0.1)))
        members = np.stack([member.predict(sites) for member in self.members])
        truth = members.mean(axis=0) + rng.normal(0, 0.05, 80)
        fusion = fit_fusion(members, truth, learners=("first", "second"), minimum=-0.6, maximum=0.9)
        value = fusion.predict(members).value
        self.fusion = fusion.with_interval(fit_interval(value, fusion.spread(members), truth, level=0.9))
        self.applicability = fit_applicability(sites, folds=np.arange(80) % 5)

    def read(self, block):
        """Covariates of a block."""
        self.reads += 1
        return self.values[(slice(None), *block.slices)].copy()

    def mask_of(self, block):
        """Mask of a block."""
        return self.mask[block.slices]


class Reader:
    """Reader with the two methods of the stack's reader."""

    def __init__(self, world):
        self.world = world

    def read(self, block):
        """Covariates."""
        return self.world.read(block)

    def mask(self, block):
        """Mask."""
        return self.world.mask_of(block)


@pytest.fixture
def world():
    """The small world in longitude and latitude."""
    return World()


@pytest.fixture
def names():
    """Names of the covariates of the small world."""
    return NAMES


@pytest.fixture
def reader_of():
    """Maker of a reader factory for a world."""

    def make(world):
        @contextmanager
        def factory(names):
            assert tuple(names) == NAMES
            world.opened += 1
            yield Reader(world)

        return factory

    return make
