"""Every terrain index of the `saga` family against SAGA itself, on relief like that of the plateau."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio

from alm_core.covariates import channels, flow, terrain
from alm_core.covariates.convergence import HALO, convergence_index
from alm_core.covariates.curvature import curvatures
from alm_core.grid import Grid
from tests.covariates.terrain_surfaces import carved, halo, rough
from tests.rasters import write_raster

SIZE, CELL = 500, 90.0
OUTPUTS = {
    "slope": "SLOPE",
    "plan": "HCURV",
    "profile": "VCURV",
    "convergence": "CONVERGENCE",
    "depressions": "SINKS",
    "area": "FLOW",
    "wetness": "WETNESS",
    "length_slope": "LSFACTOR",
    "above_channels": "CHNL_DIST",
    "valley_depth": "VALL_DEPTH",
    "position": "RSP",
}


@pytest.fixture(scope="module")
def elevation(shared_data) -> np.ndarray:
    """Real elevation of the plateau (10 x 10 cells of 0.05 degrees) enlarged, made rough, and carved by its own water."""
    from scipy.ndimage import zoom

    with rasterio.open(shared_data / "grids_qtp_0p05" / "elevation_m.tif", driver="GTiff") as dataset:
        coarse = dataset.read(1)[150:160, 500:510].astype(float)
    return carved(zoom(coarse, SIZE // 10, order=3) + rough(SIZE), CELL)


@pytest.fixture(scope="module")
def theirs(elevation, tmp_path_factory) -> dict[str, np.ndarray]:
    """What SAGA's Basic Terrain Analysis says."""
    program = shutil.which("saga_cmd")
    if program is None:
        pytest.skip("saga_cmd is not installed (Debian: apt-get install saga)")
    folder = tmp_path_factory.mktemp("saga")
    grid = Grid("EPSG:32645", (CELL, 0.0, 4e5, 0.0, -CELL, 37e5), elevation.shape)
    write_raster(folder / "dem.tif", elevation, grid)
    run(program, folder, "io_gdal", "0", "-FILES", "dem.tif", "-GRIDS", "dem.sgrd")
    outputs = [part for name, key in OUTPUTS.items() for part in (f"-{key}", f"{name}.sgrd")]
    run(program, folder, "ta_compound", "0", "-ELEVATION", "dem.sgrd", *outputs)
    run(program, folder, "ta_preprocessor", "2", "-DEM", "dem.sgrd", "-DEM_PREPROC", "filled.sgrd", "-METHOD", "1")
    return {name: read(folder / f"{name}.sdat") for name in (*OUTPUTS, "filled")}


def run(program: str, folder: Path, *command: str) -> None:
    # One core: where others are at work, its threads wait for each other.
    subprocess.run([program, "--cores=1", *command], cwd=folder, check=True, capture_output=True, timeout=120)


def read(path: Path) -> np.ndarray:
    """SAGA's own grid format: float32, rows from south to north."""
    cells = np.fromfile(path, "<f4").reshape(SIZE, SIZE)[::-1]
    return np.where(cells == -99999, np.nan, cells).astype(float)


@pytest.fixture(scope="module")
def ours(elevation) -> dict[str, np.ndarray]:
    """What we say."""
    width = np.full(SIZE, CELL)
    basin = flow.drainage(elevation, width, width)
    filled = basin.filled.astype(np.float32)
    area = flow.catchment_area(basin)
    plan, profile = curvatures(halo(filled, HALO), width, width, family="saga")
    return {
        "slope": np.radians(terrain.slope(halo(filled, 1), width, width, method="zevenbergen_thorne")),
        "plan": plan,
        "profile": profile,
        "convergence": convergence_index(halo(filled, HALO), width, width, family="saga"),
        "depressions": flow.closed_depressions(basin),
        "area": np.log(area),
        "wetness": flow.wetness_index(basin, area, family="saga"),
        "length_slope": flow.length_slope_factor(basin, area, family="saga"),
        "above_channels": channels.height_above_channels(basin),
        "valley_depth": channels.valley_depth(basin),
        "position": channels.relative_slope_position(basin),
    }


def agreement(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Correlation, and the median of the relative difference where `other` is not 0."""
    both = np.isfinite(one) & np.isfinite(other)
    a, b = one[both].astype(float), other[both]
    some = b != 0
    return float(np.corrcoef(a, b)[0, 1]), float(np.median(np.abs(a - b)[some] / np.abs(b[some])))


@pytest.mark.parametrize("name", ["slope", "plan", "profile", "convergence", "depressions"])
def test_local_indices_agree(ours, theirs, name):
    """r >= 0.999 and a median relative difference of at most 1 %."""
    correlation, difference = agreement(ours[name], theirs[name])
    assert correlation >= 0.999
    assert difference <= 0.01
    assert np.isfinite(ours[name]).all()


@pytest.mark.parametrize("name", ["area", "wetness", "length_slope"])
def test_flow_agrees(ours, theirs, name):
    """r >= 0.98. What is left lies in and below filled depressions, where any way across is as good as another."""
    reference = np.log(theirs["area"]) if name == "area" else theirs[name]
    correlation, difference = agreement(ours[name], reference)
    assert correlation >= 0.98
    assert difference <= 1e-4


@pytest.mark.parametrize("name", ["valley_depth", "position", "above_channels"])
def test_heights_between_channels_and_ridges_agree(ours, theirs, name):
    """r >= 0.95.

    SAGA stops its interpolation when nothing moves by more than a metre, and at every other row and column keeps what the
    coarser grid said, on channels too: its heights there leave 0 and its position leaves 0..1. Ours is solved to 5 cm.
    """
    correlation, _ = agreement(ours[name], theirs[name])
    assert correlation >= 0.95


def test_on_their_own_filled_surface_the_answers_are_the_same(theirs):
    """Given SAGA's fill, catchment area, wetness and LS agree to rounding, and curvatures and convergence exactly."""
    width, filled = np.full(SIZE, CELL), theirs["filled"]
    order = np.argsort(filled.ravel(), kind="stable").astype(np.int32)
    basin = flow.Drainage(filled, filled, order, width, width)
    area = flow.catchment_area(basin)
    np.testing.assert_allclose(area, theirs["area"], rtol=1e-5)
    np.testing.assert_allclose(flow.wetness_index(basin, area, family="saga"), theirs["wetness"], rtol=1e-5)
    np.testing.assert_allclose(flow.length_slope_factor(basin, area, family="saga"), theirs["length_slope"], rtol=1e-4, atol=1e-4)
    plan, profile = curvatures(halo(filled, HALO), width, width, family="saga")
    np.testing.assert_allclose(plan, theirs["plan"], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(profile, theirs["profile"], rtol=1e-5, atol=1e-9)
    convergence = convergence_index(halo(filled, HALO), width, width, family="saga")
    np.testing.assert_allclose(convergence, theirs["convergence"], atol=1e-3)


def test_their_position_leaves_its_range_and_ours_does_not(ours, theirs):
    """The difference that is meant."""
    assert theirs["position"].min() < 0
    assert 0 <= np.nanmin(ours["position"]) <= np.nanmax(ours["position"]) <= 1
