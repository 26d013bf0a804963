"""Areas of maps on projected grids: the ground that a cell covers, not the plane it is drawn on."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.diagnostics.classes import class_areas
from alm_core.grid import Grid
from alm_core.inspection.tour import map_facts
from alm_core.inspection.zonal import summarise
from alm_core.mapping.cog import write_cog
from alm_core.mapping.true_area import cell_areas
from alm_core.publishing.references import add_reference, compare
from alm_core.workspace import read_json
from tests.run_copies import copy_run, rewrite_map

POLAR = Grid.from_bounds((-4e6, -4e6, 4e6, 4e6), 200_000.0, crs="EPSG:3413")
"""The corners lie near 40 N, where the plane is a third larger than the ground."""
AREA_KM2 = cell_areas(POLAR, slice(None), slice(None)) / 1e6
PLANE_KM2 = 40_000.0


def halves() -> np.ndarray:
    """0.4 in the outer part of the grid and 0.2 around the pole, so that a mean tells the two areas apart."""
    away = np.hypot(POLAR.x[None, :], POLAR.y[:, None])
    return np.where(away > 2.5e6, 0.4, 0.2)


@pytest.fixture
def polar_run(dashboard_run, tmp_path):
    """A run whose map lies on the polar grid."""
    run = copy_run(dashboard_run, tmp_path)
    rewrite_map(run, halves(), grid=POLAR)
    return run


def test_the_plane_would_be_wrong():
    """Without this the tests below could not fail."""
    assert AREA_KM2[0, 0] < 0.75 * PLANE_KM2
    assert AREA_KM2.sum() < 0.95 * PLANE_KM2 * POLAR.size


def test_summary_of_an_area(polar_run):
    """Mean and area."""
    found = summarise(polar_run)
    assert found.area_km2 == pytest.approx(AREA_KM2.sum())
    assert found.mean == pytest.approx(np.average(halves(), weights=AREA_KM2), rel=1e-6)
    assert sum(found.histogram_km2) == pytest.approx(AREA_KM2.sum())


def test_facts_of_the_map(polar_run):
    """The area of as many cells as the run says it mapped."""
    mapped = read_json(polar_run.file("map/map.json"))["counts"]["mapped"]
    assert map_facts(polar_run).area_km2 == pytest.approx(AREA_KM2.mean() * mapped)


def test_comparison_with_a_published_map(polar_run, tmp_path):
    """Cells that only the map has, and the mean difference."""
    other = halves() - np.where(halves() > 0.3, 0.1, 0.0)
    other[:10] = np.nan
    file = tmp_path / "other.tif"
    write_cog(file, other.astype(np.float32), POLAR, band_names=["x"])
    found = compare(polar_run, add_reference(polar_run, file, name="Other", unit="m3 m-3"))
    both = np.isfinite(other)
    assert found.only_map_km2 == pytest.approx(AREA_KM2[~both].sum())
    assert found.mean_difference == pytest.approx(np.average((halves() - other)[both], weights=AREA_KM2[both]), rel=1e-5)


def test_areas_of_classes(class_run, tmp_path):
    """Of every class."""
    run = copy_run(class_run, tmp_path)
    codes = np.where(halves() > 0.3, 2, 1).astype(np.uint8)
    write_cog(run.folder / "map/fused.tif", codes, POLAR, band_names=["fused"], dtype="uint8")
    assert list(class_areas(run).values()) == pytest.approx([AREA_KM2[codes == code].sum() for code in (1, 2)])
