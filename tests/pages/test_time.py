"""A study with slices of time on the pages: slider, change map, series, comparison of learners, extent."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from alm_core.inspection.comparison import model_comparison
from alm_core.inspection.place_series import place_series
from alm_core.inspection.slices import change_facts
from alm_core.jobs import list_jobs
from alm_core.serving.catalogue import find_layer, layers
from alm_core.serving.change_layers import INSIGNIFICANT
from alm_core.workspace import Run, write_json
from pages.parts import map_layers, map_series
from pages.parts.frame import Page, read_options
from pages.parts.fusion_component import map_data
from pages.parts.numbers import percent, with_unit
from pages.parts.words import Words
from tests.pages.support import check_clean, open_app, texts
from tests.pages.test_map import mapped_place
from tests.sliced_run import NAMES, with_slices

FUSION, MAP = "pages/4_Fusion_and_bias.py", "pages/5_Map.py"
VALIDATION, REPORT = "pages/3_Cross_validation.py", "pages/6_Report.py"


@pytest.fixture(scope="module")
def sliced_run(dashboard_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with five slices; jobs may be started beside it."""
    return with_slices(dashboard_run, tmp_path_factory.mktemp("slices") / "workspace")


def open_at(run: Run, monkeypatch: pytest.MonkeyPatch, **parameters: str) -> AppTest:
    """The map page at a mapped place."""
    longitude, latitude = mapped_place(run)
    return open_app(MAP, run, monkeypatch, lon=f"{longitude:.5f}", lat=f"{latitude:.5f}", **parameters)


def words_page(run: Run, name: str) -> Page:
    """A page without its frame."""
    return Page(name, Words("en", name), "en", run, read_options(run))


def test_the_slider_chooses_what_a_place_answers(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Main slice first; moved, the value is that of the other slice and the address follows."""
    app = open_at(sliced_run, monkeypatch)
    check_clean(app)
    series = place_series(sliced_run, *mapped_place(sliced_run))
    slider = app.select_slider(key="slice")
    assert slider.value == NAMES[-1]
    assert app.metric[0].value == with_unit(series.values[-1], series.unit)
    slider.set_value(NAMES[0]).run()
    check_clean(app)
    assert app.metric[0].value == with_unit(series.values[0], series.unit)
    assert app.query_params["slice"] == NAMES[0]
    told = texts(app)
    assert "Through time" in told
    assert map_series.signed(series.change, "m³ m⁻³") in told


def test_a_link_opens_the_slice_and_the_layer(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address names both; a slice that is not there falls back to the main one."""
    app = open_app(MAP, sliced_run, monkeypatch, slice=NAMES[1], layer="change")
    check_clean(app)
    assert app.select_slider(key="slice").value == NAMES[1]
    assert app.selectbox(key="map-layer-left").value == "change"
    assert app.radio(key="map-mark").value == INSIGNIFICANT
    assert open_app(MAP, sliced_run, monkeypatch, slice="1900-1904").select_slider(key="slice").value == NAMES[-1]


def test_weights_are_tried_on_any_slice(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fusion page shows the members of the slice that was chosen, in the colours of all slices."""
    app = open_app(FUSION, sliced_run, monkeypatch)
    check_clean(app)
    assert app.select_slider(key="fusion_slice").value == NAMES[-1]
    app.select_slider(key="fusion_slice").set_value(NAMES[0]).run()
    check_clean(app)
    main, early = (map_data(str(sliced_run.folder), 0, slice) for slice in (None, NAMES[0]))
    assert main["display"] == early["display"]
    assert f"slice={NAMES[0]}" in early["urls"]["members"]
    assert "slice=" not in main["urls"]["members"]


def test_a_run_without_slices_has_no_slider(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no layers of change."""
    app = open_app(MAP, dashboard_run, monkeypatch)
    assert not app.select_slider
    assert not [option for option in app.selectbox(key="map-layer-left").options if "Change" in option]


def test_the_map_shows_the_tiles_of_the_slice_and_the_mark(sliced_run: Run) -> None:
    """Addresses name the slice; a change layer has its mark instead of the area of applicability, said in the legend."""
    page = words_page(sliced_run, "map")
    early = {layer.id: layer for layer in layers(sliced_run, slice=NAMES[0])}
    view = map_layers.plain_view(page, early["fused"], None, NAMES[0])
    shown = map_layers.MapView(view, None, 1.0, early["inside"].key, True, True, NAMES[0])
    state = map_layers.map_state(page, shown, place=None, area=None)
    assert f"fused@{NAMES[0]}/" in state["rasters"]["left"]["url"]
    assert f"inside@{NAMES[0]}/" in state["rasters"]["hatch"]["url"]
    assert NAMES[0] in state["legend"][0]["title"]
    view = map_layers.plain_view(page, find_layer(sliced_run, "change"), None, NAMES[0])
    assert NAMES[0] not in view.title
    shown = map_layers.MapView(view, None, 1.0, None, True, True, NAMES[0], INSIGNIFICANT, "grey")
    state = map_layers.map_state(page, shown, place=None, area=None)
    assert "style=grey" in state["rasters"]["hatch"]["url"]
    assert state["legend"][1]["items"][0]["hatch"] is False


def test_few_slices_can_prove_no_trend(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no p value can be below 0.05 the page says so, and marks by the intervals instead."""
    facts = change_facts(sliced_run)
    path = sliced_run.folder / "map" / "change.json"
    write_json(path, facts | {"smallest_p_value": 0.083})
    try:
        app = open_at(sliced_run, monkeypatch, layer="change")
        check_clean(app)
        assert app.radio(key="map-mark").value == "within_interval"
        assert "too few" in texts(app)
        assert "no trend can be called significant" in texts(app)
    finally:
        write_json(path, facts)


def test_an_export_takes_the_shown_slice(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job names the slice; one of the change map names none."""
    app = open_app(MAP, sliced_run, monkeypatch, slice=NAMES[0])
    app.session_state["map-panel"] = "area"
    app.run()
    app.button(key="map-export").click().run()
    check_clean(app)
    job = list_jobs(sliced_run.folder.parents[1])[0]
    assert (job.spec["slice"], job.spec["layer"]) == (NAMES[0], "fused")
    job.cancel()


def test_learners_are_compared_in_words_and_numbers(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tie is called one; the table has a row for each learner."""
    app = open_app(VALIDATION, sliced_run, monkeypatch, view="learners", scheme="random")
    check_clean(app)
    assert "No learner is best" in texts(app)
    compared = model_comparison(sliced_run).schemes["random"]
    table = app.dataframe[0].value
    assert len(table) == len(compared.scores)
    assert table.iloc[0, 3].startswith("1.21 ± ")


def test_a_scheme_without_a_comparison_says_which_is_shown(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's scheme may not be among those of the comparison."""
    app = open_app(VALIDATION, sliced_run, monkeypatch, view="learners", scheme="block")
    check_clean(app)
    assert "were not compared under Spatial blocks" in texts(app)


def test_a_run_without_a_comparison_has_no_such_part(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on the cross-validation page nor in the report."""
    for page, key in ((VALIDATION, "view"), (REPORT, "report_view")):
        app = open_app(page, dashboard_run, monkeypatch)
        check_clean(app)
        assert not {"Learners compared", "Extent and change"} & set(app.button_group(key=key).options)


def test_the_report_says_extent_change_and_agreement(sliced_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of the page are those of the files."""
    app = open_app(REPORT, sliced_run, monkeypatch, report_view="time")
    check_clean(app)
    extents, maps = app.dataframe[0].value, app.dataframe[1].value
    assert list(extents["Period"]) == list(NAMES)
    assert extents.iloc[0, 1] == "15.20"
    assert maps.iloc[0, 0] == "old map"
    assert "0.71" in list(maps.iloc[0])
    assert percent(change_facts(sliced_run)["significant_share"]) in [tile.value for tile in app.metric]


def test_a_change_has_its_true_sign() -> None:
    """A minus is a minus and not a hyphen; nothing has no sign."""
    assert [map_series.signed(value, "cm") for value in (12.0, -3.5, 0.0)] == ["+12.0 cm", "−3.50 cm", "0 cm"]


def test_a_series_with_a_gap_draws_what_is_known(sliced_run: Run) -> None:
    """NaN has neither a dot nor a band."""
    page = SimpleNamespace(unit="cm", t=lambda key: key, options=SimpleNamespace(target=SimpleNamespace(name="alt")))
    nan = float("nan")
    figure = map_series.series_figure(page, (1, 6), (5, 10), (nan, 2.0), (nan, 1.0), (nan, 3.0), ("a", "b"))
    assert list(figure.data[0].y) == [2.0]
    assert len(figure.layout.shapes) == 2
