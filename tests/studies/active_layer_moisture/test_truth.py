"""The simulated land and its moisture."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.studies.active_layer_moisture.landscape import LAND_COVER, WATER
from alm_core.studies.active_layer_moisture.layers import cell_degrees, map_grid
from alm_core.studies.active_layer_moisture.truth import HIGHEST, LOWEST, TrueLand


@pytest.fixture(scope="module")
def land() -> TrueLand:
    """The whole region at 0.05 degree."""
    grid = map_grid("small")
    return TrueLand(*np.meshgrid(grid.x, grid.y), cell=cell_degrees(grid), seed=7)


def test_area_of_the_permafrost(land: TrueLand) -> None:
    """The mask covers 1.0 to 1.3 million km2, all of it in the mountains."""
    area = map_grid("small").cell_area_square_metres()[:, None] * land.permafrost
    assert 1.0e12 < area.sum() < 1.3e12
    assert land.elevation[land.permafrost].min() > 3000.0


def test_moisture_is_plausible(land: TrueLand) -> None:
    """Range, mean and spread of the truth inside the permafrost."""
    moisture = land.moisture[land.permafrost]
    assert moisture.min() >= LOWEST
    assert moisture.max() <= HIGHEST
    assert 0.23 < moisture.mean() < 0.28
    assert 0.10 < moisture.std() < 0.13


def test_truth_follows_the_land_and_is_not_all_told_by_it(land: TrueLand) -> None:
    """The explained part accounts for more than a third and less than four fifths of the variance."""
    inside = land.permafrost & (land.precipitation > 130.0) & (land.precipitation < 560.0)
    share = np.corrcoef(land.moisture[inside], land.explained[inside])[0, 1] ** 2
    assert 0.35 < share < 0.80
    assert abs(np.corrcoef(land.unexplained[inside], land.explained[inside])[0, 1]) < 0.1


def test_land_cover_and_lakes(land: TrueLand) -> None:
    """Every class is known, lakes are water, and no lake is mapped."""
    assert set(np.unique(land.land_cover)) <= set(LAND_COVER)
    assert (land.land_cover[land.lake] == WATER).all()
    assert not (land.permafrost & land.lake).any()


def test_other_seed_other_land_same_relief(land: TrueLand) -> None:
    """A seed changes the detail, not the plateau."""
    grid = map_grid("small")
    other = TrueLand(*np.meshgrid(grid.x, grid.y), cell=cell_degrees(grid), seed=8)
    assert np.corrcoef(land.elevation.ravel(), other.elevation.ravel())[0, 1] > 0.98
    assert np.corrcoef(land.unexplained.ravel(), other.unexplained.ravel())[0, 1] < 0.1
