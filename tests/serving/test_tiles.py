"""Tiles of layers and scenarios are what the rasters and `Fusion.predict` say, pixel by pixel."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import rasterio

from alm_core.grid import Grid
from alm_core.learning.fusion import Fusion
from alm_core.mapping.cog import write_cog
from alm_core.palettes import colours, rgb
from alm_core.scenarios.scenario import Scenario, save_scenario, scenario_fusion
from alm_core.serving.catalogue import find_layer, layers
from alm_core.serving.images import codes
from alm_core.serving.urls import live_url, tile_url
from alm_core.workspace import Run
from tests.serving.conftest import client_of
from tests.serving.pictures import EDGE, MIDDLE, OUTSIDE, cells_under, rgba


def read(path, band=1) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Values with NaN and bounds of a raster."""
    with rasterio.open(path, driver="GTiff") as dataset:
        values = dataset.read(band, masked=True).astype(float) * dataset.scales[band - 1] + dataset.offsets[band - 1]
        return values.filled(np.nan), tuple(dataset.bounds)


def fetch(client, url: str, tile: tuple[int, int, int]) -> np.ndarray:
    """A tile as RGBA; it must come."""
    z, x, y = tile
    answer = client.get(url.format(z=z, x=x, y=y))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return rgba(answer.content)


def expected(values: np.ndarray, low: float, high: float, palette: str) -> np.ndarray:
    """RGBA of values."""
    code = codes(values, low, high)
    picture = np.zeros((*values.shape, 4), np.uint8)
    picture[..., :3] = colours(palette)[code]
    picture[..., 3] = 255
    picture[code == 0] = 0
    return picture


def assert_same(picture: np.ndarray, wanted: np.ndarray) -> None:
    """Equal where opaque; the colour under full transparency does not matter."""
    np.testing.assert_array_equal(picture[..., 3], wanted[..., 3])
    opaque = wanted[..., 3] > 0
    np.testing.assert_array_equal(picture[opaque], wanted[opaque])


def on_tile(values: np.ndarray, bounds: tuple[float, float, float, float], tile: tuple[int, int, int]) -> np.ndarray:
    """The cell under each pixel, NaN beside the raster."""
    row, column, inside = cells_under(tile, bounds, values.shape)
    return np.where(inside, values[np.ix_(row, column)], np.nan)


@pytest.mark.parametrize("tile", [MIDDLE, EDGE, (9, 388, 208), (16, 49500, 26700)])
@pytest.mark.parametrize(
    ("layer", "file", "band"),
    [("fused", "fused", 1), ("member:boosted", "members", 2), ("upper", "uncertainty", 2), ("dissimilarity", "uncertainty", 3)],
)
def test_a_layer_shows_the_cell_under_each_pixel(client, dashboard_run, layer, file, band, tile):
    """Nearest cell, exact colours, transparent outside the map and the mask."""
    found = find_layer(dashboard_run, layer)
    values = on_tile(*read(dashboard_run.folder / "map" / f"{file}.tif", band), tile)
    picture = fetch(client, tile_url(dashboard_run, layer), tile)
    assert_same(picture, expected(values, found.low, found.high, found.palette))
    if tile == EDGE:
        assert (picture[..., 3] == 0).mean() > 0.5
        assert (picture[..., 3] == 255).any()


def test_the_width_is_upper_less_lower(client, dashboard_run):
    """Computed on the fly, from the stored bounds."""
    (lower, bounds), (upper, _) = (read(dashboard_run.folder / "map" / "uncertainty.tif", band) for band in (1, 2))
    values = on_tile((upper.astype(np.float32) - lower.astype(np.float32)), bounds, MIDDLE)
    found = find_layer(dashboard_run, "width")
    assert_same(fetch(client, tile_url(dashboard_run, "width"), MIDDLE), expected(values, found.low, found.high, found.palette))


def test_palette_and_range_can_be_chosen(client, dashboard_run):
    """By the query."""
    values = on_tile(*read(dashboard_run.folder / "map" / "fused.tif"), MIDDLE)
    url = tile_url(dashboard_run, "fused", palette="vik_r", low=0.2, high=0.25)
    picture = fetch(client, url, MIDDLE)
    assert_same(picture, expected(values, 0.2, 0.25, "vik_r"))
    assert (picture == [*colours("vik_r")[255], 255]).all(axis=-1).any()


def test_beside_the_map_tiles_are_empty(client, dashboard_run):
    """Transparent everywhere, for stored layers and scenarios alike."""
    for url in (tile_url(dashboard_run, "fused"), live_url(dashboard_run, weights={"forest": 1.0})):
        assert not fetch(client, url, OUTSIDE)[..., 3].any()


@pytest.mark.parametrize("part", ["value", "lower", "upper", "width"])
@pytest.mark.parametrize("method", ["manual", "bias_aware"])
def test_a_scenario_is_fused_by_its_own_fusion(copied_run, monkeypatch, part, method):
    """Every pixel is `Fusion.predict` of the members under it."""
    scenario = Scenario("mine", method=method, weights={"forest": 0.3, "boosted": 0.9}, correction="zscore", gamma=3.0)
    save_scenario(copied_run, scenario)
    with rasterio.open(copied_run.folder / "map" / "members.tif", driver="GTiff") as dataset:
        members, bounds = dataset.read(), tuple(dataset.bounds)
    fused = scenario_fusion(copied_run, scenario).predict(members)
    values = fused.upper - fused.lower if part == "width" else getattr(fused, part)
    layer = "fused" if part == "value" else part
    url = tile_url(copied_run, layer, scenario="mine", low=0.05, high=0.6, palette="davos")
    for tile in (MIDDLE, EDGE):
        picture = fetch(client_of(copied_run, monkeypatch), url, tile)
        assert_same(picture, expected(on_tile(values, bounds, tile), 0.05, 0.6, "davos"))


def test_live_weights_are_the_scenario_of_these_weights(client, dashboard_run):
    """Weights in the order of the learners, correction and lambda from the query."""
    scenario = Scenario("live", method="manual", weights={"forest": 0.2, "boosted": 0.6}, correction="blend", blend=0.9)
    with rasterio.open(dashboard_run.folder / "map" / "members.tif", driver="GTiff") as dataset:
        values = scenario_fusion(dashboard_run, scenario).predict(dataset.read()).value
        bounds = tuple(dataset.bounds)
    url = live_url(dashboard_run, weights={"forest": 0.2, "boosted": 0.6}, correction="blend", blend=0.9, low=0, high=0.7)
    picture = fetch(client, url, MIDDLE)
    palette = find_layer(dashboard_run, "fused").palette
    assert_same(picture, expected(on_tile(values, bounds, MIDDLE), 0, 0.7, palette))
    other = live_url(dashboard_run, weights={"forest": 0.6, "boosted": 0.2}, correction="blend", blend=0.9, low=0, high=0.7)
    assert (fetch(client, other, MIDDLE) != picture).any()


def test_the_scenario_of_the_study_is_the_stored_map(client, dashboard_run):
    """No fusion: fused.tif itself, whose values agree with the fusion that made it."""
    stored = fetch(client, tile_url(dashboard_run, "fused"), MIDDLE)
    named = fetch(client, tile_url(dashboard_run, "fused") + "&scenario=study", MIDDLE)
    np.testing.assert_array_equal(stored, named)
    assert "scenario" not in tile_url(dashboard_run, "fused", scenario="study")
    fusion = Fusion.from_dict(json.loads((dashboard_run.folder / "fusion.json").read_text()))
    with rasterio.open(dashboard_run.folder / "map" / "members.tif", driver="GTiff") as dataset:
        again = fusion.predict(dataset.read()).value
    np.testing.assert_allclose(again, read(dashboard_run.folder / "map" / "fused.tif")[0], atol=1e-6)


def test_a_run_with_a_residual_model_is_never_fused_anew(copied_run, monkeypatch):
    """Its stored map is shown; scenarios and weights are refused with the reason."""
    record = json.loads((copied_run.folder / "run.json").read_text())
    record["options"]["bias"]["method"] = "residual"
    (copied_run.folder / "run.json").write_text(json.dumps(record))
    client = client_of(copied_run, monkeypatch)
    assert fetch(client, tile_url(copied_run, "fused"), MIDDLE)[..., 3].any()
    z, x, y = MIDDLE
    answer = client.get(live_url(copied_run, weights={"forest": 1.0}).format(z=z, x=x, y=y))
    assert answer.status_code == 400
    assert "residual" in answer.json()["error"]


def test_the_hatch_runs_on_across_tiles(client, dashboard_run):
    """Outside the area of applicability there are lines, inside nothing; the pattern follows the place on the whole map."""
    url = tile_url(dashboard_run, "inside")
    z, x, y = MIDDLE
    tiles = {(column, row): fetch(client, url, (z, column, row)) for column in (x, x + 1) for row in (y, y + 1)}
    inside, bounds = read(dashboard_run.folder / "map" / "uncertainty.tif", 5)
    seen = 0
    for (column, row), picture in tiles.items():
        values = on_tile(inside, bounds, (z, column, row))
        across, down = np.meshgrid(np.arange(256) + column * 256, np.arange(256) + row * 256)
        phase = (across + down) % 10
        np.testing.assert_array_equal(picture[..., 3] > 0, (values < 0.5) & (phase <= 2))
        seen += int((picture[..., 3] > 0).sum())
    assert seen > 0


def test_classes_have_their_own_colours_and_are_never_mixed(class_client, class_run):
    """Codes of the raster, colours of the legend, whatever palette and range are asked for."""
    layer = find_layer(class_run, "fused")
    assert layer.kind == "category"
    assert set(layer.classes.values()) == {"1", "2"}
    values = on_tile(*read(class_run.folder / "map" / "fused.tif"), MIDDLE)
    picture = fetch(class_client, tile_url(class_run, "fused", palette="vik", low=0, high=9), MIDDLE)
    for number, colour in layer.class_colours().items():
        shown = (picture[..., :3] == rgb(colour)).all(axis=-1) & (picture[..., 3] == 255)
        np.testing.assert_array_equal(shown, values == number)
    np.testing.assert_array_equal(picture[..., 3] == 0, np.isnan(values))


def test_a_classification_has_probabilities_and_no_scenarios(class_client, class_run):
    """Probability and margin are layers; weights are refused."""
    ids = [layer.id for layer in layers(class_run)]
    assert {"fused", "probability:1", "probability:2", "margin", "member:forest: 1"} <= set(ids)
    assert "lower" not in ids
    layer = find_layer(class_run, "probability:2")
    values = on_tile(*read(class_run.folder / "map" / "probability.tif", 2), MIDDLE)
    picture = fetch(class_client, tile_url(class_run, "probability:2"), MIDDLE)
    assert_same(picture, expected(values, layer.low, layer.high, layer.palette))
    answer = class_client.get(f"/alm/tiles/classes/{class_run.id}/live/7/97/52.png?weights=1,1")
    assert answer.status_code == 400
    assert "classes" in answer.json()["error"]


def test_whole_numbers_with_a_scale_show_physical_values(copied_run, monkeypatch):
    """int16 with scale and offset: stored numbers never meet the palette."""
    values, bounds = read(copied_run.folder / "map" / "fused.tif")
    grid = Grid.from_bounds(bounds, 0.1, crs="EPSG:4326")
    write_cog(
        copied_run.folder / "map" / "fused.tif",
        values,
        grid,
        band_names=["fused"],
        units=["m3 m-3"],
        dtype="int16",
        scale=0.0001,
        offset=0.1,
    )
    rounded = read(copied_run.folder / "map" / "fused.tif")[0].astype(np.float32)
    np.testing.assert_allclose(rounded, values, atol=6e-5)
    picture = fetch(client_of(copied_run, monkeypatch), tile_url(copied_run, "fused", low=0.1, high=0.5), MIDDLE)
    layer = find_layer(copied_run, "fused")
    assert 0 <= layer.low < layer.high < 0.8
    assert_same(picture, expected(on_tile(rounded, bounds, MIDDLE), 0.1, 0.5, layer.palette))


def test_a_changed_file_changes_the_address_and_the_tile(copied_run, monkeypatch):
    """Caches are keyed by the file as it is."""
    client = client_of(copied_run, monkeypatch)
    before, picture = tile_url(copied_run, "covariate:wetness"), fetch(client, tile_url(copied_run, "covariate:wetness"), MIDDLE)
    shutil.copyfile(copied_run.folder / "covariates" / "warmth.tif", copied_run.folder / "covariates" / "wetness.tif")
    after = tile_url(copied_run, "covariate:wetness")
    assert before != after
    assert (fetch(client, after, MIDDLE) != picture).any()


def test_scenario_addresses_change_with_what_the_scenario_says(copied_run):
    """A scenario saved anew under its name is another address."""
    save_scenario(copied_run, Scenario("mine", method="equal"))
    before = tile_url(copied_run, "fused", scenario="mine")
    save_scenario(copied_run, Scenario("mine", method="inverse_error"))
    assert tile_url(copied_run, "fused", scenario="mine") != before
    assert tile_url(copied_run, "member:forest", scenario="mine") == tile_url(copied_run, "member:forest")
    assert isinstance(Run.open(copied_run.folder), Run)
