"""The map page: layers, the answer for a place, an area, files to take home."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from streamlit.testing.v1 import AppTest

from alm_core.inspection.query import ask
from alm_core.inspection.zonal import summarise
from alm_core.pipeline import run as run_study
from alm_core.publishing.export import export_csv
from alm_core.publishing.references import compare
from alm_core.scenarios.scenario import Scenario, save_scenario
from alm_core.serving import catalogue
from alm_core.uploads import receive_area
from alm_core.uploads.faults import UploadError
from alm_core.workspace import Run
from pages.parts import map_area, map_export, map_layers, map_place, map_references
from pages.parts.frame import Page, read_options
from pages.parts.map_layers import tick_texts
from pages.parts.map_place import coordinate
from pages.parts.numbers import with_unit
from pages.parts.words import Words
from tests.pages.support import check_clean, open_app, texts
from tests.small_study import write_small_study

PAGE = "pages/5_Map.py"


def mapped_place(run: Run) -> tuple[float, float]:
    """Longitude and latitude of a cell with a value."""
    with rasterio.open(run.file("map/fused.tif"), driver="GTiff") as dataset:
        values = dataset.read(1, masked=True)
        rows, columns = np.nonzero(~np.ma.getmaskarray(values) & np.isfinite(values.data))
        return dataset.xy(rows[len(rows) // 2], columns[len(columns) // 2])


def square(run: Run, size: float = 0.05) -> dict[str, Any]:
    """GeoJSON of a square around a cell with a value."""
    x, y = mapped_place(run)
    ring = [[x - size, y - size], [x + size, y - size], [x + size, y + size], [x - size, y + size], [x - size, y - size]]
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.fixture
def writable_run(dashboard_run: Run, tmp_path: Path) -> Run:
    """A copy of the run that may be written."""
    folder = tmp_path / "workspace" / dashboard_run.folder.parent.name / dashboard_run.id
    shutil.copytree(dashboard_run.folder, folder)
    return Run(folder)


def test_it_opens_and_says_what_to_do(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place the page shows the map and how to ask it."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    check_clean(app)
    assert "Click on the map" in texts(app)
    layer = app.selectbox(key="map-layer-left")
    assert layer.value == "fused"
    assert "Interval width" in layer.options
    assert "Member: Forest" in layer.options or "Member: forest" in layer.options
    assert not any("Area of applicability" in option for option in layer.options)


def test_a_place_of_the_address_is_answered(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link with lon and lat shows value, interval, trust, members and analogues as the run gives them."""
    longitude, latitude = mapped_place(dashboard_run)
    app = open_app(PAGE, dashboard_run, monkeypatch, lon=f"{longitude:.5f}", lat=f"{latitude:.5f}")
    check_clean(app)
    answer = ask(dashboard_run, round(longitude, 5), round(latitude, 5))
    assert app.metric[0].value == with_unit(answer.value, answer.unit)
    assert "90 % interval" in texts(app)
    assert ("Inside" if answer.inside else "Outside") in texts(app)
    assert app.number_input(key="map-longitude").value == pytest.approx(longitude, abs=1e-5)
    table = next(part.value for part in app.get("html") if "alm-sites" in str(part.value))
    assert re.findall(r"<tr><td>([^<]*)</td>", table) == list(answer.analogues["site_id"])


def test_a_place_that_is_typed_is_answered_and_can_be_forgotten(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both numbers make a place, the address follows, and forgetting it clears both."""
    longitude, latitude = mapped_place(dashboard_run)
    app = open_app(PAGE, dashboard_run, monkeypatch)
    app.number_input(key="map-longitude").set_value(longitude).run()
    assert len(app.metric) == 0
    app.number_input(key="map-latitude").set_value(latitude).run()
    check_clean(app)
    assert len(app.metric) == 1
    assert app.query_params["lon"] == f"{longitude:.5f}"
    next(button for button in app.button if button.label == "Forget this place").click().run()
    check_clean(app)
    assert len(app.metric) == 0
    assert "lon" not in app.query_params


@pytest.mark.parametrize(
    ("place", "said"), [(("10", "10"), "outside the map"), (("nan", "40"), "Click on the map"), (("x", ""), "Click")]
)
def test_a_place_with_nothing_says_why(
    dashboard_run: Run, monkeypatch: pytest.MonkeyPatch, place: tuple[str, str], said: str
) -> None:
    """Outside the map the reason is shown; what is no coordinate counts as no place."""
    app = open_app(PAGE, dashboard_run, monkeypatch, lon=place[0], lat=place[1])
    check_clean(app)
    assert said in texts(app)
    assert len(app.metric) == 0


def test_a_masked_place_says_so(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the grid without a value: the reason and the covariates, no number."""
    with rasterio.open(dashboard_run.file("map/fused.tif"), driver="GTiff") as dataset:
        rows, columns = np.nonzero(~np.isfinite(dataset.read(1)))
        if not len(rows):
            pytest.skip("every cell of the small study is mapped")
        longitude, latitude = dataset.xy(rows[0], columns[0])
    app = open_app(PAGE, dashboard_run, monkeypatch, lon=str(longitude), lat=str(latitude))
    check_clean(app)
    assert "not to be mapped" in texts(app) or "missing here" in texts(app)


def test_another_layer_of_the_address(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address names the layer by its id; an unknown one gives the first."""
    assert open_app(PAGE, dashboard_run, monkeypatch, layer="width").selectbox(key="map-layer-left").value == "width"
    app = open_app(PAGE, dashboard_run, monkeypatch, layer="../../etc")
    check_clean(app)
    assert app.selectbox(key="map-layer-left").value == "fused"


def test_palette_and_range_are_offered(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A range whose ends are swapped is refused in words."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    app.selectbox(key="map-palette-left-fused").set_value("cividis").run()
    check_clean(app)
    app.number_input(key="map-low-left-fused").set_value(9.0).run()
    assert "must be smaller" in app.error[0].value


def test_swipe_offers_a_second_layer(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched on, the layer of the other side can be chosen."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    app.toggle(key="map-swipe").set_value(True).run()
    app.selectbox(key="map-layer-right").set_value("lower").run()
    check_clean(app)


def test_a_saved_scenario_changes_the_answer(writable_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scenario of the address fuses the answer; layers that weights do not change have no choice of scenario."""
    names = [learner["name"] for learner in writable_run.record["options"]["learners"]]
    save_scenario(writable_run, Scenario("first-only", method="manual", weights={names[0]: 1.0}, correction="none"))
    longitude, latitude = (round(value, 5) for value in mapped_place(writable_run))
    app = open_app(PAGE, writable_run, monkeypatch, lon=str(longitude), lat=str(latitude), scenario="first-only")
    check_clean(app)
    expected = ask(writable_run, longitude, latitude, scenario="first-only")
    assert app.metric[0].value == with_unit(expected.value, expected.unit)
    app.selectbox(key="map-layer-left").set_value("dissimilarity").run()
    check_clean(app)
    assert not [box for box in app.selectbox if box.key == "map-scenario-left"]


def area_app(run: Run, monkeypatch: pytest.MonkeyPatch, shape: dict[str, Any], **parameters: str) -> AppTest:
    """The page with the panel of an area that was drawn."""
    app = open_app(PAGE, run, monkeypatch, **parameters)
    app.session_state["map-panel"] = "area"
    app.session_state["map-area"] = {"shape": json.dumps(shape), "crs": "EPSG:4326", "drawn": True}
    return app.run()


def test_a_drawn_area_is_summed(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean, interval, area and part outside are those of `summarise`; the water volume follows a thickness."""
    shape = square(dashboard_run)
    app = area_app(dashboard_run, monkeypatch, shape)
    check_clean(app)
    expected = summarise(dashboard_run, shape)
    assert app.metric[0].value == with_unit(expected.mean, expected.unit)
    assert f"{expected.valid:,} cells" in texts(app)
    if expected.unit == "m3 m-3":
        app.toggle(key="map-water-volume").set_value(True).run()
        check_clean(app)
        assert "km³" in app.metric[2].value


def test_an_area_outside_the_map_is_refused_in_words(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is shown; the whole map can still be taken."""
    ring = [[10, 10], [11, 10], [11, 11], [10, 10]]
    app = area_app(dashboard_run, monkeypatch, {"type": "Polygon", "coordinates": [ring]})
    assert not app.exception
    assert "outside" in app.error[0].value
    assert app.button(key="map-export").label == "Make the file"


def test_drawings_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest drawing is the area; removing it removes the area, but not one that was uploaded."""
    state: dict[str, Any] = {}
    monkeypatch.setattr(map_area.st, "session_state", state)
    shape = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    map_area.take_drawing([{"geometry": {"type": "Polygon", "coordinates": []}}, {"geometry": shape}])
    assert map_area.area_state() == {"shape": shape, "drawn": True}
    map_area.take_drawing([])
    assert map_area.area_state() is None
    state[map_area.AREA] = {"shape": json.dumps(shape), "crs": "EPSG:4326", "drawn": False}
    map_area.take_drawing([])
    assert map_area.area_state() == {"shape": shape, "drawn": False}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<OGRVRTDataSource></OGRVRTDataSource>", "neither GeoJSON nor GeoPackage"),
        (b"SQLite format 3\x00" + b"\x00" * 100, "no GeoPackage"),
        (b'{"type": "Point", "coordinates": [1, 2]}', "Polygon"),
        (b"", "empty"),
    ],
)
def test_an_upload_that_is_no_area_is_refused(content: bytes, said: str) -> None:
    """A VRT in disguise, another database, a point, nothing: a clear message each time."""
    with pytest.raises(UploadError, match=said):
        receive_area(content, "area.geojson")


def test_an_uploaded_area_is_read() -> None:
    """GeoJSON with a CRS keeps it."""
    ring = [[500000, 3000000], [600000, 3000000], [600000, 3100000], [500000, 3000000]]
    content = {"type": "Polygon", "coordinates": [ring], "crs": {"type": "name", "properties": {"name": "EPSG:32645"}}}
    area = receive_area(json.dumps(content).encode(), "area.geojson")
    assert area.crs == "EPSG:32645"
    assert map_export.area_geojson(area)["crs"]["properties"]["name"] == "EPSG:32645"


@pytest.mark.parametrize(("chosen", "kind"), [("tif", "export"), ("csv", "export"), ("png", "figure"), ("pdf", "figure")])
def test_the_file_is_made_by_a_job(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch, chosen: str, kind: str) -> None:
    """The button submits the job with run, area and format, and the address remembers it."""
    submitted: list[tuple[str, dict[str, Any]]] = []

    class Started:
        id = "20260101-000000-000000-abcdef"

    def submit(workspace: Any, kind: str, **spec: Any) -> Started:
        submitted.append((kind, json.loads(json.dumps(spec))))
        return Started()

    shape = square(dashboard_run)
    app = area_app(dashboard_run, monkeypatch, shape)
    monkeypatch.setattr("alm_core.jobs.submit", submit)
    monkeypatch.setattr(map_export, "submit", submit)
    app.session_state["map-format"] = chosen
    app.button(key="map-export").click().run()
    check_clean(app)
    ((found, spec),) = submitted
    assert found == kind
    assert spec["run"] == dashboard_run.id
    assert spec.get("format", spec.get("formats")) in (chosen, [chosen])
    assert spec["area"]["geometry"]["type"] == "Polygon"
    assert app.query_params["job"] == Started.id


def test_the_summary_table_holds_every_number(dashboard_run: Run, tmp_path: Path) -> None:
    """The CSV of an area carries mean, quantiles and a histogram that adds up to the area."""
    summary = summarise(dashboard_run, square(dashboard_run))
    table = pd.read_csv(io.StringIO(map_area.summary_csv(summary))).set_index("name")["value"]
    assert float(table["mean"]) == pytest.approx(summary.mean)
    assert float(table["quantile_0.5"]) == pytest.approx(summary.quantiles[0.5])
    bins = table[[name for name in table.index if name.startswith("histogram")]].astype(float)
    assert bins.sum() == pytest.approx(summary.valid_area_km2)
    assert export_csv(dashboard_run, tmp_path / "cells.csv", area=square(dashboard_run)).valid_cells == summary.valid


def test_a_published_map_becomes_a_layer_with_its_agreement(writable_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own map, brought back as a published one in other numbers, agrees with itself in everything but the mean."""
    content = writable_run.file("map/fused.tif").read_bytes()
    kept = map_references.keep_bytes(writable_run, content, name="Own map <b>again</b>", unit="m3 m-3", offset=0.5)
    app = open_app(PAGE, writable_run, monkeypatch, layer=f"reference:{kept.id}")
    check_clean(app)
    assert app.selectbox(key="map-layer-left").value == f"reference:{kept.id}"
    app.session_state["map-panel"] = "more"
    app.run()
    next(button for button in app.button if button.label == "Compare").click().run()
    check_clean(app)
    expected = compare(writable_run, kept.id)
    assert expected.mean_difference == pytest.approx(-0.5, abs=1e-6)
    assert {metric.label: metric.value for metric in app.metric}["Correlation"] == "1.00"
    next(button for button in app.button if button.label == "Delete").click().run()
    check_clean(app)
    assert "No published map yet" in texts(app)


def test_a_published_map_that_is_no_geotiff_is_refused(writable_run: Run) -> None:
    """A VRT that calls itself a GeoTIFF reads nothing and leaves nothing."""
    vrt = b'<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    with pytest.raises(UploadError):
        map_references.keep_bytes(writable_run, vrt, name="x")
    assert not list(writable_run.folder.parent.glob("references/*.tif"))


def test_a_reference_without_file_or_name_is_asked_for(monkeypatch: pytest.MonkeyPatch, dashboard_run: Run) -> None:
    """The form says what it needs."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    app.session_state["map-panel"] = "more"
    app.run()
    next(button for button in app.button if button.label == "Add it").click().run()
    assert not app.exception
    assert "A GeoTIFF and a name are needed." in app.error[0].value


def test_names_of_sites_are_escaped(dashboard_run: Run) -> None:
    """A site called like a script is text in the table."""
    sites = pd.DataFrame(
        {"site_id": ["<script>x</script>"], "observed": [0.2], "predicted": ["thawed"], "distance": [0.3], "distance_km": [12.4]}
    )
    page = Page("map", Words("en", "map"), "en", dashboard_run, read_options(dashboard_run))
    table = map_place.analogues_table(page, sites)
    assert "<script>" not in table
    assert "<td>&lt;script&gt;x&lt;/script&gt;</td><td>0.200</td><td>thawed</td><td>0.30</td><td>12</td>" in table


def test_the_waterfall_ends_at_the_value(dashboard_run: Run) -> None:
    """Steps and their sum lead from the mean of the model to the value of the place."""
    answer = ask(dashboard_run, *mapped_place(dashboard_run))
    page = Page("map", Words("en", "map"), "en", dashboard_run, read_options(dashboard_run))
    steps = map_place.waterfall_steps(page, answer)
    assert answer.explanation.base + sum(value for _, value in steps) == pytest.approx(answer.value, abs=1e-6)
    ends = map_place.waterfall_figure(page, answer).data[1].x
    assert ends[0] == pytest.approx(answer.explanation.base)
    assert ends[1] == pytest.approx(answer.value, abs=1e-6)


def test_a_classification_has_classes_and_probabilities(class_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is the name of a class with its probabilities; an area gives square kilometres by class."""
    longitude, latitude = mapped_place(class_run)
    app = open_app(PAGE, class_run, monkeypatch, lon=str(longitude), lat=str(latitude))
    check_clean(app)
    answer = ask(class_run, longitude, latitude)
    assert app.metric[0].value == answer.label
    assert answer.label in answer.probabilities
    assert "Probability of each class" in texts(app)
    summed = area_app(class_run, monkeypatch, square(class_run))
    check_clean(summed)
    summed.session_state["map-panel"] = "more"
    check_clean(summed.run())
    assert "not for classes" in texts(summed)


def test_a_run_without_applicability(dashboard_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hatch is offered, and the answer says that nothing is known about the area of applicability."""
    run = run_study(write_small_study(tmp_path / "study", applicability="enabled = false"), workspace=tmp_path / "workspace")
    longitude, latitude = mapped_place(run)
    app = open_app(PAGE, run, monkeypatch, lon=str(longitude), lat=str(latitude))
    check_clean(app)
    assert "no area of applicability" in texts(app)
    assert not [toggle for toggle in app.toggle if toggle.key == "map-hatch"]
    check_clean(area_app(run, monkeypatch, square(run)))


def test_scenarios_side_by_side_share_one_range(dashboard_run: Run) -> None:
    """Layers of the target have the colours of the left one; the address of a tile says layer, scenario and range."""
    page = Page("map", Words("en", "map"), "en", dashboard_run, read_options(dashboard_run))
    known = {layer.id: layer for layer in catalogue.layers(dashboard_run)}
    left = map_layers.plain_view(page, known["fused"], None)
    view = map_layers.MapView(
        replace(left, low=0.0, high=0.5), map_layers.plain_view(page, known["lower"], None), 0.7, "inside", True, False
    )
    state = map_layers.map_state(page, view, place=None, area=None)
    assert "low=0&high=0.5" in state["rasters"]["left"]["url"]
    assert "/inside/" in state["rasters"]["hatch"]["url"]
    assert state["swipe"] == {"left": "Fused value", "right": "Lower bound"}
    assert [entry["title"] for entry in state["legend"]] == ["Fused value (m³ m⁻³)", "Lower bound (m³ m⁻³)", ""]
    assert state["relief"] is False


def test_chinese(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same page in Chinese."""
    longitude, latitude = mapped_place(dashboard_run)
    app = open_app(PAGE, dashboard_run, monkeypatch, lang="zh", lon=str(longitude), lat=str(latitude))
    check_clean(app)
    assert app.title[0].value == "地图"
    assert "适用范围" in texts(app)


def test_numbers_of_the_legend_and_the_address() -> None:
    """Ticks carry the decimals that their range needs; a coordinate of the address is a finite number within its limits."""
    assert tick_texts(0.07, 0.443) == ["0.070", "0.257", "0.443"]
    assert tick_texts(5.0, 5.0) == ["5.00", "5.00", "5.00"]
    assert [coordinate(text, 90.0) for text in ("12.5", "inf", "91", "1e3", None, "x")] == [12.5, None, None, None, None, None]
