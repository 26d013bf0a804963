"""Elevation that is not what it is taken for."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from alm_core.covariates import terrain_checks
from alm_core.covariates.layers import DerivedSource
from alm_core.covariates.terrain_checks import check_units_of_grid, elevation_facts, facts_notes
from alm_core.errors import CrsError, NodataError
from alm_core.grid import Grid
from tests.covariates.terrain_surfaces import rough
from tests.rasters import write_raster

SLOPE = [DerivedSource("slope", "slope", {"elevation": "elevation"})]


@pytest.fixture
def square() -> Grid:
    """90 m cells."""
    return Grid("EPSG:32645", (90.0, 0.0, 4e5, 0.0, -90.0, 4e6), (120, 120))


@pytest.fixture
def look(tmp_path, square):
    """Facts of an array, with a mask of everything or the one given."""

    def facts(array, mask=None):
        inside = np.ones(array.shape, np.uint8) if mask is None else mask.astype(np.uint8)
        paths = [write_raster(tmp_path / f"{name}.tif", cells, square) for name, cells in (("z", array), ("mask", inside))]
        with rasterio.open(paths[0], driver="GTiff") as elevation, rasterio.open(paths[1], driver="GTiff") as mask_file:
            return elevation_facts(elevation, mask_file)

    return facts


def surface():
    return (rough(120) + 1500).astype(np.float32)


def test_plain_elevation_has_nothing_to_note(look, square):
    """No false alarm on rough relief."""
    facts = look(surface())
    assert facts_notes(facts, square, "dem") == ()
    assert facts.to_dict()["missing"] == 0
    assert facts.to_dict()["steps"] == []


@pytest.mark.parametrize("strip", [512, 32])
def test_steps_where_tiles_meet_are_found(look, square, monkeypatch, strip):
    """One step of 8 m down, one of 5 m across; also where a strip of rows ends."""
    monkeypatch.setattr(terrain_checks, "STRIP_ROWS", strip)
    smooth = (rough(120, exponent=2.6, spread=60) + 1500).astype(np.float32)
    smooth[64:] += 8
    smooth[:, 40:] -= 5
    facts = look(smooth)
    assert [(kind, line) for kind, line, _ in facts.steps] == [("row", 63), ("column", 39)]
    np.testing.assert_allclose([height for *_, height in facts.steps], [8, -5], atol=1.5)
    (note,) = facts_notes(facts, square, "dem")
    assert "2 step(s)" in note
    assert f"y = {4e6 - 64 * 90:g}" in note


def test_feet_are_noticed(look, square):
    """29000 feet are no metres."""
    (note,) = facts_notes(look(surface() * 8), square, "dem")
    assert "0.3048" in note
    (low,) = facts_notes(look(surface() - 9000), square, "dem")
    assert "unit and nodata" in low


def test_voids_and_the_end_of_coverage_are_counted(look, square):
    """SRTM ends at 60 N: how much of the mask is lost, where it ends, and how many cells are holes."""
    holed = surface()
    holed[:30] = np.nan
    holed[70:72, 50:53] = np.nan
    mask = np.ones(holed.shape, bool)
    mask[:, :60] = False
    facts = look(holed, mask)
    assert (facts.missing, facts.missing_above, facts.missing_below, facts.voids) == (1800, 1800, 0, 0)
    facts = look(holed)
    assert facts.voids == 6
    (note,) = facts_notes(facts, square, "dem")
    assert "3606 of 14400" in note
    assert f"ends at y = {4e6 - 30 * 90:g}" in note
    assert "6 cells are voids" in note


def test_a_mask_mostly_without_elevation_is_refused(look, square):
    """More than half."""
    short = surface()
    short[:70] = np.nan
    with pytest.raises(NodataError, match=r"58.3 %"):
        facts_notes(look(short), square, "dem")
    short[:] = np.nan
    with pytest.raises(NodataError, match=r"100.0 %"):
        facts_notes(look(short), square, "dem")


@pytest.mark.parametrize("crs", [None, "EPSG:32645"])
def test_degrees_taken_for_metres_are_refused(crs):
    """3 arc seconds without a CRS, or under a projected one."""
    with pytest.raises(CrsError, match="degrees"):
        check_units_of_grid(Grid(crs, (1 / 1200, 0.0, 90.0, 0.0, -1 / 1200, 35.0), (100, 100)))


def test_honest_grids_pass():
    """Geographic, projected, and metres without a CRS."""
    for grid in (
        Grid("EPSG:4326", (1 / 1200, 0.0, 90.0, 0.0, -1 / 1200, 35.0), (100, 100)),
        Grid("EPSG:3413", (1000.0, 0.0, -1e6, 0.0, -1000.0, 1e6), (100, 100)),
        Grid(None, (90.0, 0.0, 4e5, 0.0, -90.0, 4e6), (100, 100)),
    ):
        check_units_of_grid(grid)


def test_staging_refuses_and_notes(make_stack, tmp_path):
    """The checks run when a terrain layer is staged, and what they note stands in its report."""
    degrees = Grid(None, (1 / 1200, 0.0, 90.0, 0.0, -1 / 1200, 35.0), (120, 120))
    with pytest.raises(CrsError, match="no CRS"):
        make_stack({"elevation": surface()}, derived=SLOPE, on=degrees)
    geographic = Grid("EPSG:4326", degrees.transform, degrees.shape)
    stack = make_stack({"elevation": surface() * 8}, derived=SLOPE, on=geographic, folder="feet")
    assert "0.3048" in stack.report["slope"]["notes"][0]
