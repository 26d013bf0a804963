"""The area on one side of a threshold: exact sums, and an interval that simulated errors agree with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal, norm

from alm_core.errors import DomainError
from alm_core.grid import Grid
from alm_core.learning.error_correlation import ErrorCorrelation
from alm_core.mapping import extent as module
from alm_core.mapping.extent import (
    ExtentErrors,
    error_of_share,
    extent,
    fit_extent_errors,
    indicator_covariance,
)
from alm_core.mapping.true_area import cell_areas
from tests.rasters import write_raster

GRID = Grid.from_bounds((0.0, 0.0, 48_000.0, 30_000.0), 1_000.0, crs="EPSG:3413")
ALONE = ExtentErrors(ErrorCorrelation(1.0, 1.0))
ALIKE = ExtentErrors(ErrorCorrelation(0.0, float("inf")))
LEVEL = 0.9
Z = float(norm.ppf(0.95))


@pytest.fixture(autouse=True)
def few_cells(monkeypatch):
    """A sample of 400 cells is enough here, and six times as fast."""
    monkeypatch.setattr(module, "SAMPLED", 400)


def write_map(folder, value, lower, upper, inside=None, grid=GRID):
    """fused.tif and uncertainty.tif of given arrays."""
    write_raster(folder / "fused.tif", value.astype(np.float32), grid, nodata=-9999.0)
    bands = np.stack([lower, upper, np.ones_like(value) if inside is None else inside]).astype(np.float32)
    path = write_raster(folder / "uncertainty.tif", bands, grid, nodata=-9999.0)
    import rasterio

    with rasterio.open(path, "r+", driver="GTiff") as dataset:
        dataset.descriptions = ("lower", "upper", "inside")
    return folder


def field(seed=0, sd=1.0):
    """Values about 0, with intervals of one width."""
    value = np.random.default_rng(seed).normal(0.0, 2.0, GRID.shape)
    return value, value - Z * sd, value + Z * sd


def test_area_is_that_of_the_cells(tmp_path):
    """Below and above add up to the map, to the last km2; cells without a value count nowhere."""
    value, lower, upper = field()
    value[3, :5] = -9999.0
    write_map(tmp_path, value, lower, upper)
    below, above = (extent(tmp_path, ALONE, threshold=0.0, side=side, level=LEVEL) for side in ("below", "above"))
    known = value > -9000
    area = np.zeros(GRID.shape)
    for block in GRID.blocks(512):
        area[block.slices] = cell_areas(GRID, *block.slices) / 1e6
    assert below.area_km2 == pytest.approx(area[known & (value <= 0)].sum(), rel=1e-9)
    assert below.area_km2 + above.area_km2 == pytest.approx(below.mapped_km2, rel=1e-9)
    assert below.expected_km2 + above.expected_km2 == pytest.approx(below.mapped_km2, rel=1e-9)
    assert below.cells == int(known.sum())


def test_certain_and_possible_hold_the_interval(tmp_path):
    """And the interval holds the mapped area."""
    found = extent(write_map(tmp_path, *field(sd=0.5)), ALIKE, threshold=0.0, level=LEVEL)
    assert found.certain_km2 <= found.lower_km2 < found.area_km2 < found.upper_km2 <= found.possible_km2


def test_the_threshold_belongs_to_the_side(tmp_path):
    """A constant map at the threshold lies wholly on either side, and half of it by probability."""
    value = np.zeros(GRID.shape)
    write_map(tmp_path, value, value - 1, value + 1)
    for side in ("below", "above"):
        found = extent(tmp_path, ALIKE, threshold=0.0, side=side, level=LEVEL)
        assert found.area_km2 == pytest.approx(found.mapped_km2)
        assert found.expected_km2 == pytest.approx(found.mapped_km2 / 2)


def test_errors_that_are_alike_give_a_wide_interval(tmp_path):
    """Independent errors all but cancel; errors that are the same everywhere do not cancel at all."""
    write_map(tmp_path, *field())
    alone, alike = (extent(tmp_path, errors, threshold=0.0, level=LEVEL) for errors in (ALONE, ALIKE))
    assert alike.standard_error_km2 > 10 * alone.standard_error_km2
    assert alone.expected_km2 == alike.expected_km2


def test_cells_outside_the_area_of_applicability_err_alike(tmp_path):
    """Nobody knows how errors hang together there."""
    value, lower, upper = field()
    write_map(tmp_path, value, lower, upper, inside=np.zeros(GRID.shape))
    outside = extent(tmp_path, ALONE, threshold=0.0, level=LEVEL)
    write_map(tmp_path, value, lower, upper)
    assert outside.standard_error_km2 == pytest.approx(extent(tmp_path, ALIKE, threshold=0.0, level=LEVEL).standard_error_km2)


def test_a_sample_of_cells_stands_for_all(tmp_path):
    """1440 cells, 400 of them sampled: the error is that of the exact double sum."""
    value, lower, upper = field(seed=4)
    errors = ExtentErrors(ErrorCorrelation(0.3, 12_000.0), 0.02)
    found = extent(write_map(tmp_path, value, lower, upper), errors, threshold=0.0, level=LEVEL)
    x, y = np.meshgrid(GRID.x, GRID.y)
    points = np.column_stack([x.ravel(), y.ravel()])
    exact = error_of_share(-value.ravel(), np.ones(value.size), points, errors) * found.mapped_km2
    assert found.standard_error_km2 == pytest.approx(exact, rel=0.08)


def test_without_intervals_there_is_only_an_area(tmp_path):
    """And a note that says so."""
    found = extent(write_map(tmp_path, *field()), ALONE, threshold=0.0, level=None)
    assert found.lower_km2 is None
    assert found.upper_km2 is None
    assert "no intervals" in found.notes[0]


def test_unbounded_cells_are_counted(tmp_path):
    """Either side is as likely there."""
    value, lower, upper = field()
    lower[0, 0] = -9999.0
    found = extent(write_map(tmp_path, value, lower, upper), ALONE, threshold=0.0, level=LEVEL)
    assert "1 cells have no bounded interval" in found.notes[-1]


def test_an_unknown_side_is_refused(tmp_path):
    """With the two there are."""
    with pytest.raises(DomainError, match="below, above"):
        extent(tmp_path, ALONE, threshold=0.0, side="left", level=LEVEL)


def test_covariance_of_indicators_is_that_of_the_bivariate_normal():
    """Against SciPy's distribution function, weak and strong correlations, both signs."""
    for first, second, rho in ((0.3, -1.0, 0.97), (2.0, 1.5, 0.5), (0.0, 0.0, 0.95), (-3.0, 1.0, 0.7), (1.0, 1.0, -0.5)):
        found = indicator_covariance(np.array([first, second]), np.array([[1.0, rho], [rho, 1.0]]))[0, 1]
        joint = multivariate_normal.cdf([first, second], cov=[[1.0, rho], [rho, 1.0]])
        assert found == pytest.approx(joint - norm.cdf(first) * norm.cdf(second), abs=1e-5)


def test_error_of_a_share_agrees_with_simulated_fields():
    """4000 fields of correlated errors over 300 places, with one error that all share."""
    rng = np.random.default_rng(1)
    score, points = rng.normal(size=300), rng.uniform(0, 1e6, (300, 2))
    errors = ExtentErrors(ErrorCorrelation(0.3, 2e5, 1e4, 0.1, 3e5), 0.05)
    rho = errors.at(cdist(points, points))
    np.fill_diagonal(rho, 1.0)
    drawn = np.linalg.cholesky(rho) @ rng.normal(size=(300, 4000))
    simulated = (drawn <= score[:, None]).mean(axis=0).std()
    assert error_of_share(score, np.ones(300), points, errors) == pytest.approx(simulated, rel=0.04)


def test_errors_of_the_sites_say_how_much_all_share():
    """Independent residuals share next to nothing; too few sites count as errors that are the same everywhere."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1e6, (200, 2))
    free = fit_extent_errors(points, rng.normal(size=200))
    assert free.common_share < 0.05
    few = fit_extent_errors(points[:5], rng.normal(size=5))
    assert few.at(np.array([1e9])) == 1.0
    assert "not known" in few.notes[0]
