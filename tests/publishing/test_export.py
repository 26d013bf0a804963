"""Exports: streamed, equal to the map, named and tagged; tables; the job."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import rasterio
from rio_cogeo import cog_validate

from alm_core.errors import AlmError, StudyError
from alm_core.publishing.export import export_csv, export_job, export_layer, export_name, find_run
from alm_core.scenarios.scenario import Scenario, load_scenario, save_scenario, scenario_fusion
from tests.run_copies import copy_run, grid_of

TRIANGLE = {"type": "Polygon", "coordinates": [[[91, 30.5], [93, 30.5], [91, 32.5], [91, 30.5]]]}
MINE = Scenario("mine", method="manual", weights={"forest": 1.0, "boosted": 2.0}, correction="blend", blend=0.25)


@pytest.fixture
def run(dashboard_run, tmp_path):
    """A run with a saved scenario."""
    run = copy_run(dashboard_run, tmp_path)
    save_scenario(run, MINE)
    return run


def read(path):
    """Bands by name, and tags."""
    with rasterio.open(path, driver="GTiff") as dataset:
        return dict(zip(dataset.descriptions, dataset.read(), strict=True)), dataset.tags()


def test_whole_map_is_the_map(dashboard_run, tmp_path):
    """Value, bounds and trust layers equal the rasters of the run, cell for cell, in a valid COG."""
    steps = []
    result = export_layer(dashboard_run, tmp_path / "a.tif", progress=lambda *step: steps.append(step))
    bands, tags = read(result.path)
    fused, _ = read(dashboard_run.file("map/fused.tif"))
    trust, _ = read(dashboard_run.file("map/uncertainty.tif"))
    np.testing.assert_array_equal(bands["value"], fused["fused"])
    for name in ("lower", "upper", "dissimilarity", "density", "inside"):
        np.testing.assert_array_equal(bands[name], trust[name])
    assert result.bands == ("value", "lower", "upper", "dissimilarity", "density", "inside")
    assert cog_validate(result.path, strict=True)[0]
    assert (tags["run"], tags["study"], tags["layer"]) == (dashboard_run.id, "small", "fused")
    assert tags["simulated"].startswith("yes")
    assert steps[-1][0] == steps[-1][1]


def test_scenario_is_fused_in_the_wanted_window_only(run, tmp_path, monkeypatch):
    """The pixels are the scenario's fusion of the members; no window beyond the area is read; tags name the scenario."""
    windows = []
    from alm_core.mapping.fused_window import FusedWindows

    real = FusedWindows.read
    monkeypatch.setattr(FusedWindows, "read", lambda self, window: windows.append(window) or real(self, window))
    result = export_layer(run, tmp_path / "s.tif", scenario="mine", bbox=(91.0, 30.5, 92.0, 31.5))
    bands, tags = read(result.path)
    fusion = scenario_fusion(run, load_scenario(run, "mine"))
    with rasterio.open(run.file("map/members.tif")) as members:
        expected = fusion.predict(members.read()[:, 15:25, 10:20])
    for name in ("value", "lower", "upper"):
        np.testing.assert_array_equal(bands[name], getattr(expected, name).astype(np.float32))
    assert sum(window.width * window.height for window in windows) == 100
    assert (tags["scenario"], tags["fusion"], tags["bias_correction"], tags["lambda"]) == ("mine", "manual", "blend", "0.25")
    assert json.loads(tags["weights"]) == pytest.approx({"forest": 1 / 3, "boosted": 2 / 3}, abs=1e-5)
    assert (tags["run"], result.cells) == (run.id, 100)
    assert not [path for path in (run.folder / "map").iterdir() if path.name.startswith(".")]


def test_the_studys_own_scenario_is_the_map(dashboard_run, tmp_path):
    """``study`` names the default."""
    export_layer(dashboard_run, tmp_path / "a.tif", scenario="study")
    export_layer(dashboard_run, tmp_path / "b.tif")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_polygon_and_some_bands(run, tmp_path):
    """Only the bands that were asked for, in their order, only inside the polygon, also of a scenario."""
    for scenario in (None, "mine"):
        result = export_layer(run, tmp_path / "p.tif", area=TRIANGLE, layers=["value", "inside"], scenario=scenario)
        bands, _ = read(result.path)
        assert list(bands) == ["value", "inside"]
        assert result.cells < 400
        assert np.isfinite(bands["value"]).sum() == result.valid_cells < bands["value"].size
    trust = export_layer(run, tmp_path / "t.tif", layers=["inside"], scenario="mine")
    assert trust.bands == ("inside",)


def test_all_touched_takes_more(dashboard_run, tmp_path):
    """Every cell that the area touches."""
    some = export_layer(dashboard_run, tmp_path / "a.tif", bbox=(91.06, 31.06, 91.34, 31.34))
    more = export_layer(dashboard_run, tmp_path / "b.tif", bbox=(91.06, 31.06, 91.34, 31.34), all_touched=True)
    assert (some.cells, more.cells) == (4, 16)


@pytest.mark.parametrize("layer", ["forest", "member:forest", "covariate:elevation", "members"])
def test_other_layers(dashboard_run, tmp_path, layer):
    """Members and covariates as they are stored."""
    bands, _ = read(export_layer(dashboard_run, tmp_path / "a.tif", layer=layer).path)
    source = "covariates/elevation.tif" if "elevation" in layer else "map/members.tif"
    stored, _ = read(dashboard_run.file(source))
    for name, band in bands.items():
        np.testing.assert_array_equal(band, stored[name])


def test_classes_stay_bytes(class_run, tmp_path):
    """A class map and its probabilities."""
    with rasterio.open(export_layer(class_run, tmp_path / "c.tif").path) as dataset:
        assert dataset.dtypes == ("uint8",)
    assert len(export_layer(class_run, tmp_path / "p.tif", layer="probability").bands) == 2
    assert len(export_layer(class_run, tmp_path / "m.tif", layer="forest").bands) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bbox": (91, 31, 92, 32), "area": TRIANGLE}, "give one"),
        ({"scenario": "mine", "weights": {"forest": 1.0}}, "give one"),
        ({"scenario": "none_such"}, "no scenario"),
        ({"scenario": "../../x"}, "can't name"),
        ({"scenario": "mine", "layer": "forest"}, "layer fused only"),
        ({"layers": ["value", "depth"]}, "depth"),
        ({"layers": []}, "none"),
        ({"layer": "covariate:../../../etc/passwd"}, "no layer"),
    ],
)
def test_bad_orders_are_refused(run, tmp_path, options, words):
    """Each with its reason, and nothing is written."""
    with pytest.raises(AlmError, match=words):
        export_layer(run, tmp_path / "x.tif", **options)
    assert not (tmp_path / "x.tif").exists()


# ---- tables -------------------------------------------------------------------------------------------------------------


def test_table_holds_the_cells(run, tmp_path):
    """One row per mapped cell of the area, with the numbers of the map or of the scenario."""
    for scenario in (None, "mine"):
        result = export_csv(run, tmp_path / "t.csv", area=TRIANGLE, scenario=scenario)
        table = pd.read_csv(result.path)
        assert tuple(table.columns) == result.bands
        assert len(table) == result.valid_cells == result.cells
        bands, _ = read(export_layer(run, tmp_path / "t.tif", scenario=scenario).path)
        index = grid_of(run).cell_index(table["longitude"].to_numpy(), table["latitude"].to_numpy())
        for name in ("value", "lower", "upper", "dissimilarity", "inside"):
            np.testing.assert_allclose(table[name], bands[name].ravel()[index], rtol=1e-6)


def test_table_of_classes(class_run, tmp_path):
    """Code of the class, no bounds."""
    table = pd.read_csv(export_csv(class_run, tmp_path / "t.csv", bbox=(91, 31, 92, 32)).path)
    assert list(table.columns) == ["longitude", "latitude", "value", "dissimilarity", "inside"]
    assert set(table["value"]) <= {1, 2}


def test_too_large_a_table_is_refused(dashboard_run, tmp_path):
    """A clear message, and no half file."""
    with pytest.raises(StudyError, match="more than 50 mapped cells"):
        export_csv(dashboard_run, tmp_path / "t.csv", maximum_rows=50)
    assert list(tmp_path.iterdir()) == []


# ---- the job ------------------------------------------------------------------------------------------------------------


def test_job_writes_its_file(run, tmp_path):
    """GeoTIFF and table under safe names, found by study and run id in the workspace."""
    spec = {"study": "small", "run": run.id, "area": TRIANGLE, "scenario": "mine"}
    folder, steps = tmp_path / "files", []
    result = export_job(spec, workspace=tmp_path, folder=folder, report=lambda *step: steps.append(step))
    assert result["files"] == ["ALM_small_fused_mine.tif"]
    assert (folder / "ALM_small_fused_mine.tif").is_file()
    table = export_job({**spec, "format": "csv"}, workspace=tmp_path, folder=folder, report=lambda *step: None)
    assert table["files"] == ["ALM_small_cells_mine.csv"]
    assert steps
    json.dumps(result)


def test_a_cancelled_job_leaves_nothing(run, tmp_path):
    """What `report` raises passes through, and no half file stays."""
    folder = tmp_path / "files"
    folder.mkdir()

    def stop(done, total, message):
        raise KeyboardInterrupt

    for file_format in ("tif", "csv"):
        with pytest.raises(KeyboardInterrupt):
            export_job({"study": "small", "run": run.id, "format": file_format}, workspace=tmp_path, folder=folder, report=stop)
    assert list(folder.iterdir()) == []


def test_runs_are_looked_up(run, tmp_path):
    """A path in place of an id finds nothing."""
    assert find_run(tmp_path, "small", run.id) == run
    for study, id in (("small", "../x"), ("..", run.id), ("small", "")):
        with pytest.raises(StudyError, match="There is no run"):
            find_run(tmp_path, study, id)


def test_names_are_safe(run):
    """Whatever the layer is called."""
    assert export_name(run, "covariate:../a b", "mine") == "ALM_small_covariate-a-b_mine.tif"
