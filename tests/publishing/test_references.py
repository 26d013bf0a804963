"""Published maps: only checked numbers are kept; agreement has exact answers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio

from alm_core.errors import AlmError
from alm_core.grid import Grid
from alm_core.mapping.cog import write_cog
from alm_core.publishing.references import add_reference, compare, delete_reference, find_reference, list_references
from alm_core.scenarios.scenario import Scenario, save_scenario
from alm_core.serving.catalogue import find_layer
from tests.run_copies import copy_run, grid_of, rewrite_map

UNIT = "m3 m-3"


@pytest.fixture
def run(dashboard_run, tmp_path):
    """A run to write to."""
    return copy_run(dashboard_run, tmp_path / "workspace")


def fused(run):
    """The values of the map."""
    with rasterio.open(run.file("map/fused.tif")) as dataset:
        return dataset.read(1).astype(float)


def brought(path, values, grid, **options):
    """A file that somebody brings."""
    write_cog(path, values, grid, band_names=["x"], **options)
    return path


def test_a_map_agrees_with_itself(run, tmp_path):
    """No difference, correlation 1, over all mapped cells."""
    file = brought(tmp_path / "a.tif", fused(run), grid_of(run))
    found = compare(run, add_reference(run, file, name="Itself", unit=UNIT, source="me, 2024"))
    assert found.cells == np.isfinite(fused(run)).sum()
    assert (found.mean_difference, found.rmse) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-7))
    assert found.correlation == pytest.approx(1)
    assert (found.only_map_km2, found.notes) == (0, ())
    json.dumps(found.to_dict())


def test_scores_are_those_of_numpy(run, tmp_path):
    """Shifted, noisy and with a hole: against the same computed with weights by numpy."""
    grid, value = grid_of(run), fused(run)
    other = 0.5 * value + 0.2 + 0.02 * np.random.default_rng(0).normal(size=value.shape)
    other[5:10] = np.nan
    found = compare(run, add_reference(run, brought(tmp_path / "a.tif", other, grid), name="Other", unit=UNIT))
    both = np.isfinite(value) & np.isfinite(other)
    x, y = value[both], other[both].astype(np.float32).astype(float)
    w = np.broadcast_to(grid.cell_area_square_metres()[:, None], value.shape)[both]
    assert found.mean_difference == pytest.approx(np.average(x - y, weights=w), rel=1e-6)
    assert found.rmse == pytest.approx(np.sqrt(np.average((x - y) ** 2, weights=w)), rel=1e-6)
    covariance = np.cov(x, y, aweights=w)
    assert found.correlation == pytest.approx(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), rel=1e-6)
    hole = np.isfinite(value) & ~both
    areas = np.broadcast_to(grid.cell_area_square_metres()[:, None], value.shape)
    assert found.only_map_km2 == pytest.approx(areas[hole].sum() / 1e6)


def test_percent_becomes_a_fraction(run, tmp_path):
    """A scale on the way in; integers with nodata are read as numbers."""
    grid = grid_of(run)
    percent = np.where(np.isfinite(fused(run)), np.rint(fused(run) * 100), 255).astype(np.uint8)
    file = brought(tmp_path / "p.tif", percent, grid, dtype="uint8")
    found = compare(run, add_reference(run, file, name="Percent", unit=UNIT, scale=0.01))
    assert abs(found.mean_difference) < 0.003
    assert found.correlation > 0.99


def test_another_crs_and_finer_cells(run, tmp_path):
    """A plane field in another projection, with cells a tenth as large, is the same field on the map's grid."""
    grid = grid_of(run)
    x, y = np.meshgrid(grid.x, grid.y)
    rewrite_map(run, 0.1 * (x - 90) + 0.05 * (y - 30))
    fine = Grid.from_bounds((89.9, 29.9, 94.1, 33.1), 0.02, crs="EPSG:4326")
    x, y = np.meshgrid(fine.x, fine.y)
    found = compare(
        run, add_reference(run, brought(tmp_path / "f.tif", 0.1 * (x - 90) + 0.05 * (y - 30), fine), name="Fine", unit=UNIT)
    )
    assert found.cells == grid.size
    assert found.rmse < 1e-5
    metric = Grid.from_bounds((0, 3_200_000, 600_000, 3_800_000), 2000.0, crs="EPSG:32646")
    east, north = np.meshgrid(metric.x, metric.y)
    from pyproj import Transformer

    longitude, latitude = Transformer.from_crs("EPSG:32646", "EPSG:4326", always_xy=True).transform(east, north)
    values = 0.1 * (longitude - 90) + 0.05 * (latitude - 30)
    found = compare(run, add_reference(run, brought(tmp_path / "m.tif", values, metric), name="Metric", unit=UNIT))
    assert found.cells > 800
    assert found.rmse < 1e-3


def test_classes_agree_by_quantity_and_place(class_run, tmp_path):
    """Half of the cells swapped: the same amounts, other places."""
    run = copy_run(class_run, tmp_path / "workspace")
    grid = grid_of(run)
    own = np.where(np.indices(grid.shape)[1] % 2, 1, 2).astype(np.uint8)
    other = np.where(np.indices(grid.shape)[1] % 4 < 2, 1, 2).astype(np.uint8)
    write_cog(run.folder / "map/fused.tif", own, grid, band_names=["class"], dtype="uint8", nodata=0)
    file = brought(tmp_path / "c.tif", other, grid, dtype="uint8", nodata=0)
    reference = add_reference(run, file, name="Classes", kind="category", classes={1: "frozen", 2: "thawed"})
    scores = compare(run, reference).scores
    assert scores["overall_accuracy"] == pytest.approx(0.5)
    assert scores["kappa"] == pytest.approx(0, abs=1e-9)
    assert scores["quantity_disagreement"] == pytest.approx(0, abs=1e-9)
    assert scores["allocation_disagreement"] == pytest.approx(0.5)
    itself = brought(tmp_path / "i.tif", own, grid, dtype="uint8", nodata=0)
    found = compare(run, add_reference(run, itself, name="Itself", kind="category", classes={1: "a", 2: "b"}))
    assert found.scores["kappa"] == pytest.approx(1)
    with pytest.raises(AlmError, match="one kind"):
        compare(run, add_reference(run, itself, name="Numbers"))


def test_a_scenario_is_compared_by_its_own_values(run, tmp_path):
    """Other weights, other difference."""
    save_scenario(run, Scenario("mine", method="manual", weights={"forest": 1.0}, correction="none"))
    reference = add_reference(run, brought(tmp_path / "a.tif", fused(run), grid_of(run)), name="Itself", unit=UNIT)
    assert compare(run, reference, scenario="mine").rmse > 1e-4


def test_references_are_listed_found_and_removed(run, tmp_path):
    """Names may repeat and hold anything; ids are plain; the map layers show them until they are gone."""
    file = brought(tmp_path / "a.tif", fused(run), grid_of(run))
    first = add_reference(run, file, name="Zhao 2024 / 多年冻土", unit=UNIT, source="doi:10.1/x")
    second = add_reference(run, file, name="Zhao 2024 / 多年冻土", unit=UNIT)
    third = add_reference(run, file, name="冻土")
    assert (first.id, second.id, third.id) == ("zhao-2024", "zhao-2024-2", "map")
    assert {found.id for found in list_references(run)} == {first.id, second.id, third.id}
    assert find_reference(run, first.id) == first
    layer = find_layer(run, f"reference:{first.id}")
    assert (layer.name, layer.unit) == (first.name, UNIT)
    delete_reference(run, first.id)
    assert first.id not in {found.id for found in list_references(run)}
    for id in (first.id, "../fused", "none"):
        with pytest.raises(AlmError, match="no published map"):
            delete_reference(run, id)


def test_only_the_surroundings_of_the_map_are_kept(run, tmp_path):
    """A raster of the whole region is cut; tags and names of the file are not kept."""
    large = Grid.from_bounds((60, 10, 120, 60), 0.1, crs="EPSG:4326")
    file = brought(tmp_path / "a.tif", np.full(large.shape, 0.3), large, tags={"secret": "C:/home/someone"})
    reference = add_reference(run, file, name="Large", unit=UNIT)
    with rasterio.open(reference.path) as dataset:
        assert (dataset.width, dataset.height) == (48, 38)
        assert "secret" not in dataset.tags()
    assert compare(run, reference).reference_mean == pytest.approx(0.3, rel=1e-6)


def test_hostile_and_useless_files_are_refused(run, tmp_path):
    """A VRT in disguise, no CRS, elsewhere, all nodata, no such band: a reason each, and nothing is kept."""
    grid = grid_of(run)
    vrt = tmp_path / "v.tif"
    vrt.write_text('<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>', encoding="utf-8")
    good = brought(tmp_path / "g.tif", fused(run), grid)
    elsewhere = Grid.from_bounds((10, 10, 14, 13), 0.1, crs="EPSG:4326")
    cases = [
        (vrt, {}, "GeoTIFF"),
        (brought(tmp_path / "n.tif", fused(run), Grid(None, grid.transform, grid.shape)), {}, "CRS"),
        (
            brought(tmp_path / "e.tif", fused(run), elsewhere),
            {},
            "outside the map",
        ),
        (brought(tmp_path / "o.tif", np.full(grid.shape, np.nan), grid), {}, "nothing but nodata"),
        (good, {"band": 2}, "band 2"),
        (good, {"name": " "}, "characters"),
        (good, {"name": "x" * 200}, "characters"),
        (good, {"scale": 0.0}, "scale"),
        (good, {"kind": "other"}, "kind|Kind"),
        (good, {"kind": "category"}, "whole numbers"),
        (tmp_path / "none.tif", {}, "No raster"),
    ]
    for file, options, words in cases:
        with pytest.raises(AlmError, match=words):
            add_reference(run, file, **{"name": "Test", **options})
    assert list_references(run) == ()
    folder = run.folder.parent / "references"
    assert not folder.exists() or not list(folder.iterdir())


def test_units_must_agree(run, tmp_path):
    """Another unit is refused; the same one written otherwise is not; none at all is noted."""
    file = brought(tmp_path / "a.tif", fused(run), grid_of(run))
    with pytest.raises(AlmError, match="scale"):
        compare(run, add_reference(run, file, name="Percent", unit="%"))
    assert compare(run, add_reference(run, file, name="Same", unit="m³ m⁻³")).notes == ()
    assert "not stated" in compare(run, add_reference(run, file, name="Bare")).notes[0]


def test_constant_maps_have_no_correlation(run, tmp_path):
    """Not a division by zero."""
    file = brought(tmp_path / "a.tif", np.full(grid_of(run).shape, 0.3), grid_of(run))
    assert compare(run, add_reference(run, file, name="Flat", unit=UNIT)).correlation is None
