"""The list of layers: complete, in order, with ranges that make sense."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from alm_core.covariates.stack import Stack
from alm_core.grid import Grid
from alm_core.mapping.cog import write_cog
from alm_core.palettes import PALETTES
from alm_core.serving import ranges
from alm_core.serving.catalogue import find_layer, layers
from alm_core.serving.checks import LayerError
from alm_core.serving.rasters import Raster
from tests.rasters import read_raster, write_raster


def test_every_layer_of_a_regression_is_listed_once(dashboard_run):
    """The map's layers, then every staged covariate; the mask is none."""
    ids = [layer.id for layer in layers(dashboard_run)]
    stack = Stack.open(dashboard_run.folder / "covariates")
    trust = ["lower", "upper", "width", "dissimilarity", "density", "inside"]
    covariates = [f"covariate:{name}" for name in (*stack.names, *stack.inputs)]
    assert ids == ["fused", "member:forest", "member:boosted", *trust, *covariates]
    assert "covariate:mask" not in ids


def test_layers_have_units_palettes_and_ranges(dashboard_run):
    """Plain values that JSON can hold; low < high; the members share the range of the fused map."""
    for layer in layers(dashboard_run):
        assert layer.palette in PALETTES
        assert layer.low < layer.high
        assert json.loads(json.dumps(layer.to_dict()))["id"] == layer.id
    fused = find_layer(dashboard_run, "fused")
    assert fused.unit == "m3 m-3"
    assert find_layer(dashboard_run, "member:forest").range == fused.range
    assert find_layer(dashboard_run, "dissimilarity").unit == "1"
    values = read_raster(dashboard_run.folder / "map" / "fused.tif")
    low, high = np.nanpercentile(values, (2, 98))
    assert fused.low == pytest.approx(low, abs=0.01)
    assert fused.high == pytest.approx(high, abs=0.01)
    assert fused.low <= low < high <= fused.high


def test_an_unknown_layer_lists_the_known_ones(dashboard_run):
    """By id."""
    with pytest.raises(LayerError, match="member:forest"):
        find_layer(dashboard_run, "member:nobody")


def test_explanation_layers_are_even_about_zero(copied_run):
    """One per band of shap.tif, in the unit of the target; they come as soon as the file does."""
    assert not [layer for layer in layers(copied_run) if layer.group == "shap"]
    grid = Grid.from_bounds((90, 30, 94, 33), 0.5, crs="EPSG:4326")
    values = np.stack([np.linspace(-0.1, 0.3, grid.size), np.linspace(0.01, 0.02, grid.size)]).reshape(2, *grid.shape)
    write_cog(copied_run.folder / "map" / "shap.tif", values, grid, band_names=["wetness", "warmth"])
    found = find_layer(copied_run, "shap:wetness")
    assert found.unit == "m3 m-3"
    assert found.low == -found.high
    assert 0.25 < found.high <= 0.3
    assert find_layer(copied_run, "shap:warmth").low < 0


def test_published_maps_are_layers(copied_run):
    """With name and unit from their JSON; one that is no GeoTIFF, or without JSON, is left out."""
    folder = copied_run.folder.parent / "references"
    folder.mkdir()
    grid = Grid.from_bounds((0, 0, 4e5, 3e5), 1e4, crs="EPSG:32646")
    write_raster(folder / "r1.tif", np.linspace(0, 1, grid.size).reshape(grid.shape).astype(np.float32), grid)
    (folder / "r1.json").write_text(json.dumps({"name": "Zhao 2021", "unit": "m3 m-3"}))
    (folder / "bad.tif").write_text("<VRTDataset/>")
    (folder / "bad.json").write_text(json.dumps({"name": "no", "unit": ""}))
    shutil.copyfile(folder / "r1.tif", folder / "nameless.tif")
    shutil.copyfile(folder / "r1.tif", folder / "classes.tif")
    (folder / "classes.json").write_text(json.dumps({"name": "Zones", "unit": "", "kind": "category", "classes": {"0": "no"}}))
    found = [layer for layer in layers(copied_run) if layer.group == "references"]
    assert [layer.id for layer in found] == ["reference:classes", "reference:r1"]
    assert found[1].name == "Zhao 2021"
    assert found[1].unit == "m3 m-3"
    assert found[0].classes == {0: "no"}


def test_categories_get_the_classes_that_occur(tmp_path):
    """Numbers of the raster, in order."""
    grid = Grid.from_bounds((90, 30, 91, 31), 0.1, crs="EPSG:4326")
    values = np.resize(np.array([7, 1, 3], np.float32), grid.shape)
    values[0, 0] = np.nan
    write_raster(tmp_path / "c.tif", values, grid, nodata=np.nan)
    assert ranges.classes_of(Raster.of(tmp_path / "c.tif"), 1) == (1, 3, 7)


@pytest.mark.parametrize(("value", "wanted"), [(np.nan, (0.0, 1.0)), (0.3, (-0.2, 0.8)), (-1e6, (-1000000.5, -999999.5))])
def test_layers_without_a_range_still_have_one(tmp_path, value, wanted):
    """Nothing but nodata, and constants."""
    grid = Grid.from_bounds((90, 30, 91, 31), 0.1, crs="EPSG:4326")
    write_raster(tmp_path / "c.tif", np.full(grid.shape, value, np.float32), grid, nodata=np.nan)
    assert ranges.display_range(Raster.of(tmp_path / "c.tif"), (1,)) == pytest.approx(wanted)


def test_a_large_raster_without_overviews_is_sampled(tmp_path, monkeypatch):
    """A few blocks give nearly the quantiles of all cells."""
    grid = Grid.from_bounds((90, 30, 110, 40), 0.01, crs="EPSG:4326")
    values = np.random.default_rng(1).normal(10, 2, grid.shape).astype(np.float32)
    write_raster(tmp_path / "c.tif", values, grid, tiled=True, blockxsize=512, blockysize=512)
    read = []
    plain = ranges.read_block
    monkeypatch.setattr(ranges, "read_block", lambda *given, **named: read.append(1) or plain(*given, **named))
    low, high = ranges.display_range(Raster.of(tmp_path / "c.tif"), (1,))
    assert len(read) <= 16
    assert (low, high) == pytest.approx(np.percentile(values, (2, 98)), abs=0.15)


def test_the_server_starts_without_the_heavy_libraries():
    """Importing the routes loads no learner and no plotting."""
    heavy = "('sklearn', 'xgboost', 'catboost', 'shap', 'matplotlib', 'numba', 'pandas', 'geopandas', 'django', 'streamlit')"
    code = f"import sys, alm_core.serving.routes; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
