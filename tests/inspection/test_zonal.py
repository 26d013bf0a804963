"""Summaries of an area: exact answers, what is counted, and areas that are none."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from scipy.stats import norm

from alm_core.errors import AlmError, DomainError, GridError, StudyError
from alm_core.inspection.site_errors import site_errors
from alm_core.inspection.zonal import Thickness, summarise
from alm_core.mapping.area_cells import BLOCK
from alm_core.scenarios.scenario import Scenario, load_scenario, save_scenario, scenario_fusion
from tests.run_copies import copy_run, grid_of, rewrite_map

BOX = (91.0, 31.0, 92.0, 32.0)


def polygon(*places):
    """GeoJSON of a ring."""
    return {"type": "Polygon", "coordinates": [[*places, places[0]]]}


@pytest.fixture
def run(dashboard_run, tmp_path):
    """A run to write to."""
    return copy_run(dashboard_run, tmp_path)


def test_constant_field(run):
    """Every number of a constant field is its value, and its histogram holds the whole area."""
    rewrite_map(run, np.full(grid_of(run).shape, 0.25), width=0.2)
    found = summarise(run, bbox=BOX)
    value = np.float32(0.25)
    assert (found.cells, found.valid, found.missing) == (100, 100, 0)
    assert (found.mean, found.minimum, found.maximum, found.sd) == (value, value, value, 0)
    assert set(found.quantiles.values()) == {value}
    assert sum(found.histogram_km2) == pytest.approx(found.valid_area_km2)
    assert found.outside_share == 0
    assert found.lower < 0.25 < found.upper
    z = norm.ppf(0.95)
    assert found.upper - found.lower == pytest.approx(2 * z * found.standard_error)


def test_mean_is_weighted_by_the_area_of_the_cells(run):
    """Two rows far apart in latitude: the northern cells are smaller."""
    grid = grid_of(run)
    value = np.full(grid.shape, np.nan)
    value[0], value[-1] = 0.1, 0.4
    rewrite_map(run, value)
    found = summarise(run)
    areas = grid.cell_area_square_metres()
    expected = (0.1 * areas[0] + 0.4 * areas[-1]) / (areas[0] + areas[-1])
    assert found.mean == pytest.approx(expected, rel=1e-6)
    assert found.valid_area_km2 == pytest.approx((areas[0] + areas[-1]) * 40 / 1e6)
    assert found.area_km2 == pytest.approx(areas.sum() * 40 / 1e6)
    assert (found.cells, found.valid) == (grid.size, 80)


def test_map_of_the_run_agrees_with_numpy(dashboard_run):
    """Mean, limits, quantiles and the part outside the area of applicability, computed another way."""
    found = summarise(dashboard_run)
    grid = grid_of(dashboard_run)
    with (
        rasterio.open(dashboard_run.file("map/fused.tif")) as fused,
        rasterio.open(dashboard_run.file("map/uncertainty.tif")) as u,
    ):
        value, inside = fused.read(1).astype(float), u.read(5)
    valid = np.isfinite(value)
    area = np.broadcast_to(grid.cell_area_square_metres()[:, None], grid.shape)
    assert found.mean == pytest.approx(np.average(value[valid], weights=area[valid]), rel=1e-9)
    assert (found.minimum, found.maximum) == (value[valid].min(), value[valid].max())
    assert found.quantiles[0.5] == pytest.approx(np.median(value[valid]), abs=2e-3)
    assert found.outside_share == pytest.approx(area[valid & (inside == 0)].sum() / area[valid].sum())
    assert (found.cells, found.valid) == (grid.size, valid.sum())
    json.dumps(found.to_dict())


def test_error_of_one_cell_is_its_own(run):
    """One cell: the standard deviation of its interval, and what the sites leave open of the mean."""
    rewrite_map(run, np.full(grid_of(run).shape, 0.25), width=0.2)
    found = summarise(run, bbox=(91.0, 31.0, 91.1, 31.1))
    own = 0.2 / (2 * norm.ppf(0.95))
    assert (found.cells, found.valid) == (1, 1)
    assert found.standard_error == pytest.approx(np.hypot(own, site_errors(run).error_of_mean), rel=1e-6)


def test_larger_areas_are_known_better_but_never_perfectly(run):
    """The error falls with the area, and not below that of the mean error of the sites."""
    rewrite_map(run, np.full(grid_of(run).shape, 0.25), width=0.2)
    errors = [summarise(run, bbox=(91.0, 31.0, 91.0 + side, 31.0 + side)).standard_error for side in (0.1, 0.5, 2.0)]
    assert errors[0] > errors[1] > errors[2] > site_errors(run).error_of_mean


def test_cells_outside_the_area_of_applicability_err_alike(run):
    """Of them the sites tell nothing: their error does not average out, and the note says so."""
    grid = grid_of(run)
    inside = np.ones(grid.shape)
    inside[:, 10:30] = 0
    rewrite_map(run, np.full(grid.shape, 0.25), width=0.2, inside=inside)
    found = summarise(run, bbox=(91.2, 31.0, 92.2, 32.0))
    own = 0.2 / (2 * norm.ppf(0.95))
    assert found.outside_share == 1
    assert found.standard_error == pytest.approx(np.hypot(own, site_errors(run).error_of_mean), rel=1e-5)
    assert "100 % of the area" in found.notes[0]


def test_water_of_a_constant_field(run):
    """0.25 of 2 m is 500 mm; the volume is that over the area; the error of the thickness does not average out."""
    rewrite_map(run, np.full(grid_of(run).shape, 0.25), width=0.2)
    exact, rough = (summarise(run, bbox=BOX, thickness=Thickness(2.0, sd_metres=sd)).water for sd in (0.0, 0.4))
    area = summarise(run, bbox=BOX).area_km2
    assert exact.millimetres == pytest.approx(500, rel=1e-6)
    assert exact.cubic_kilometres == pytest.approx(0.5e-3 * area, rel=1e-6)
    assert exact.area_km2 == pytest.approx(area)
    z, error = norm.ppf(0.95), summarise(run, bbox=BOX).standard_error
    assert exact.upper_millimetres - 500 == pytest.approx(z * 2000 * error, rel=1e-3)
    both = z * 1000 * np.hypot(2 * error, 0.25 * 0.4)
    assert rough.upper_millimetres - 500 == pytest.approx(both, rel=1e-3)


def test_water_with_a_thickness_of_its_own_everywhere(run):
    """A covariate in metres; cells without it are left out and counted."""
    grid = grid_of(run)
    rewrite_map(run, np.full(grid.shape, 0.25))
    stack = run.folder / "covariates" / "stack.json"
    facts = json.loads(stack.read_text())
    facts["units"]["warmth"] = "m"
    stack.write_text(json.dumps(facts))
    with rasterio.open(run.folder / "covariates" / "warmth.tif", "r+") as dataset:
        thickness = np.full(grid.shape, 3.0, np.float32)
        thickness[:, 15:] = dataset.nodata if dataset.nodata is not None else np.nan
        dataset.write(thickness, 1)
    found = summarise(run, bbox=BOX, thickness=Thickness(covariate="warmth"))
    assert found.water.millimetres == pytest.approx(750, rel=1e-6)
    assert found.water.area_km2 == pytest.approx(found.valid_area_km2 / 2)
    assert "50 of 100 mapped cells have no thickness" in found.notes[-1]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"metres": 0.0}, DomainError, "above 0"),
        ({"metres": float("nan")}, DomainError, "above 0"),
        ({}, DomainError, "one of them"),
        ({"metres": 1.0, "sd_metres": -1.0}, DomainError, "at least 0"),
    ],
)
def test_bad_thickness_is_refused(options, error, words):
    """Nothing, not a number, negative."""
    with pytest.raises(error, match=words):
        Thickness(**options)


def test_thickness_needs_metres_and_water(dashboard_run):
    """A covariate of another unit, and a layer that is no water content."""
    with pytest.raises(DomainError, match="thickness in m"):
        summarise(dashboard_run, thickness=Thickness(covariate="elevation"))
    with pytest.raises(StudyError, match="water content"):
        summarise(dashboard_run, layer="dissimilarity", thickness=Thickness(1.0))


def test_scenario_has_its_own_mean(run):
    """The mean of a scenario is that of its fusion of the members, cell by cell."""
    save_scenario(run, Scenario("mine", method="manual", weights={"forest": 1.0}, correction="none"))
    fusion = scenario_fusion(run, load_scenario(run, "mine"))
    with rasterio.open(run.file("map/members.tif")) as members:
        value = fusion.predict(members.read()).value
    area = np.broadcast_to(grid_of(run).cell_area_square_metres()[:, None], value.shape)
    valid = np.isfinite(value)
    found = summarise(run, scenario="mine")
    assert found.mean == pytest.approx(np.average(value[valid], weights=area[valid]), rel=1e-6)
    assert found.scenario == "mine"
    assert found.mean != pytest.approx(summarise(run).mean, rel=1e-6)
    with pytest.raises(StudyError, match="does not depend"):
        summarise(run, scenario="mine", layer="lower")


def test_other_layers_have_no_interval(dashboard_run):
    """A covariate and the width of the interval: a mean, no error."""
    for layer in ("covariate:elevation", "width", "member:forest"):
        found = summarise(dashboard_run, bbox=BOX, layer=layer)
        assert found.mean is not None
        assert (found.standard_error, found.lower) == (None, None)


def test_classes_have_areas(class_run):
    """Each class has its area, and they sum to what is mapped."""
    found = summarise(class_run)
    assert sum(found.classes.values()) == pytest.approx(found.valid_area_km2)
    assert len(found.classes) == 2
    assert found.mean is None
    assert summarise(class_run, layer="inside").classes.keys() == {"outside", "inside"}


def test_area_without_a_mapped_cell(dashboard_run):
    """Outside the mask: no numbers, and a note."""
    found = summarise(dashboard_run, bbox=(90.0, 31.0, 90.4, 32.0))
    assert (found.cells, found.valid, found.mean) == (40, 0, None)
    assert "None of the 40 cells" in found.notes[0]


def test_self_crossing_and_beyond(dashboard_run):
    """A bow tie is two triangles; what lies beyond the map is noted."""
    tie = polygon([91, 31], [92, 32], [92, 31], [91, 32])
    assert 40 <= summarise(dashboard_run, tie).cells <= 60
    found = summarise(dashboard_run, bbox=(93.0, 32.0, 99.0, 40.0))
    assert found.cells == 100
    assert "beyond the map" in found.notes[0]


@pytest.mark.parametrize(
    ("area", "words"),
    [
        (polygon([10, 10], [11, 10], [11, 11]), "outside the map"),
        (polygon([91.01, 31.01], [91.02, 31.01], [91.02, 31.02]), "no cell centre"),
        ({"type": "Point", "coordinates": [91, 31]}, "Polygon"),
        ({"type": "FeatureCollection", "features": []}, "nothing"),
        (polygon(*([91 + i * 1e-6, 31 + (i % 2)] for i in range(1_000_000))), "vertices"),
    ],
    ids=["outside", "tiny", "point", "none", "million"],
)
def test_areas_that_are_none_are_refused(dashboard_run, area, words):
    """Each with its reason."""
    with pytest.raises(GridError, match=words):
        summarise(dashboard_run, area)


def test_two_areas_at_once_are_refused(dashboard_run):
    """A box or a polygon."""
    with pytest.raises(AlmError, match="give one"):
        summarise(dashboard_run, polygon([91, 31], [92, 31], [92, 32]), bbox=BOX)


def test_blocks_do_not_matter(dashboard_run, monkeypatch):
    """Small blocks give the same summary as one."""
    whole = summarise(dashboard_run, bbox=(91, 30.5, 93, 32.5))
    monkeypatch.setattr("alm_core.mapping.area_cells.AreaCells.blocks.__defaults__", (7,))
    parts = summarise(dashboard_run, bbox=(91, 30.5, 93, 32.5))
    assert BLOCK > 7
    assert parts.mean == pytest.approx(whole.mean)
    assert parts.standard_error == pytest.approx(whole.standard_error)
    assert parts.quantiles == pytest.approx(whole.quantiles)
