"""The relief: real at large, refined by noise."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.studies.active_layer_moisture.relief import coarse_relief, elevation


@pytest.mark.parametrize(
    ("longitude", "latitude", "lowest", "highest"),
    [(92.4, 34.2, 4200, 5200), (82.0, 39.0, 900, 1300), (94.0, 37.0, 2500, 3100), (80.0, 27.0, 50, 250)],
)
def test_known_places(longitude: float, latitude: float, lowest: float, highest: float) -> None:
    """Tuotuohe, the Tarim and Qaidam basins and the Ganges plain lie about as high as they should."""
    coarse = coarse_relief()
    found = coarse.at(coarse.elevation, np.array([longitude]), np.array([latitude]))[0]
    assert lowest < found < highest


def test_interpolation_meets_the_points() -> None:
    """At a point of relief.tif the interpolated elevation is the stored one."""
    coarse = coarse_relief()
    rows, columns = np.array([5, 100, 216]), np.array([0, 250, 492])
    longitude, latitude = coarse.west + columns * coarse.step, coarse.north - rows * coarse.step
    assert coarse.at(coarse.elevation, longitude, latitude) == pytest.approx(coarse.elevation[rows, columns], abs=1e-3)


def test_noise_grows_with_the_local_relief() -> None:
    """Refinement is weak in a basin and strong in the mountains."""
    coarse = coarse_relief()
    step = np.linspace(0.0, 0.8, 400)

    def added(west: float, north: float) -> float:
        longitude, latitude = np.meshgrid(west + step, north - step)
        refined = elevation(longitude, latitude, cell=0.002, seed=1)
        return float(np.std(refined - coarse.at(coarse.elevation, longitude, latitude)))

    assert 3.0 * added(82.0, 39.5) < added(95.5, 30.5)


def test_finer_cells_show_more_detail() -> None:
    """3 arc-seconds are rougher than 0.05 degree over the same ground."""
    longitude, latitude = np.meshgrid(90.0 + np.arange(200) / 1200, 34.0 - np.arange(200) / 1200)
    fine = elevation(longitude, latitude, cell=1 / 1200, seed=2)
    coarse = elevation(longitude, latitude, cell=0.05, seed=2)
    assert np.abs(np.diff(fine)).mean() > 1.5 * np.abs(np.diff(coarse)).mean()
