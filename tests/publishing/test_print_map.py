"""Printed maps: a sheet of the right size in every form, with what it must say."""

from __future__ import annotations

import io
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from alm_core.errors import AlmError
from alm_core.grid import Grid
from alm_core.mapping import print_words
from alm_core.mapping.print_figure import PrintLayer, PrintSheet, draw_sheet, layout, picture
from alm_core.mapping.print_words import LAYER_NAMES, WORDS, drawable
from alm_core.publishing.print_map import figure_job, print_figure
from alm_core.scenarios.scenario import Scenario, save_scenario
from tests.run_copies import copy_run

TRIANGLE = {"type": "Polygon", "coordinates": [[[91, 30.5], [93, 30.5], [91, 32.5], [91, 30.5]]]}
RAMP = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


def pixels(content):
    """The picture as ``[row, column, 3]``."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def sheet(view, **options):
    """A sheet with no more than it needs."""
    facts = {"title": "Title", "subtitle": "Subtitle", "source": "Source", "words": WORDS["en"], "simulated": False}
    return PrintSheet(**{**facts, "view": view, **options})


def test_sheet_is_a4_at_200_dots(dashboard_run):
    """PNG of 11.69 by 8.27 inches, and no two runs of the same differ."""
    first, second = print_figure(dashboard_run), print_figure(dashboard_run)
    image = Image.open(io.BytesIO(first))
    assert image.size == (2338, 1654)
    assert round(image.info["dpi"][0]) == 200
    assert first == second


def test_simulated_is_written_in_red(dashboard_run):
    """Red ink where data are simulated, none where they are not."""
    shown = pixels(print_figure(dashboard_run)).astype(int)

    def red_ink(picture):
        return ((picture[..., 0] > 150) & (picture[..., 1] < 60) & (picture[..., 2] < 60)).sum()

    assert red_ink(shown) > 500
    grid = Grid.from_bounds((0, 0, 20, 10), 1.0, crs="EPSG:4326")
    layer = PrintLayer(np.full((10, 20), 0.5), grid.bounds, grid, "Layer", "1", RAMP, 0.0, 1.0)
    assert red_ink(pixels(draw_sheet(layer, sheet(grid.bounds))).astype(int)) == 0


def test_pdf_keeps_text_as_text(dashboard_run):
    """The words of the title are in the file as characters of a font, not as outlines alone."""
    content = print_figure(dashboard_run, format="pdf", title="Moisture 2024")
    assert content.startswith(b"%PDF")
    streams = []
    for part in re.findall(rb"stream\r?\n(.*?)endstream", content, re.S):
        try:
            streams.append(zlib.decompress(part.strip(b"\r\n")))
        except zlib.error:
            continue
    assert b"/Font" in content
    assert any(b" Tj" in stream or b"] TJ" in stream for stream in streams)
    assert b"Moisture 2024" in content


@pytest.mark.parametrize(
    "options",
    [
        {"area": TRIANGLE},
        {"bounds": (91, 30.2, 91.5, 32.9)},
        {"layer": "width"},
        {"layer": "inside"},
        {"layer": "covariate:elevation", "palette": "cividis"},
        {"layer": "member:forest", "low": 0.1, "high": 0.5},
        {"lang": "zh"},
    ],
    ids=str,
)
def test_every_kind_of_layer_is_drawn(dashboard_run, options):
    """Something with colours comes out for each."""
    shown = pixels(print_figure(dashboard_run, **options)).astype(int)
    coloured = (shown.max(axis=-1) - shown.min(axis=-1)) > 40
    assert coloured.mean() > 0.03


def test_classes_are_drawn(class_run):
    """A map of classes has its two colours."""
    shown = pixels(print_figure(class_run)).reshape(-1, 3)
    assert (np.abs(shown.astype(int) - [0x00, 0x72, 0xB2]).sum(axis=1) < 12).sum() > 5000


def test_a_scenario_changes_the_picture(dashboard_run, tmp_path):
    """Other weights, other colours."""
    run = copy_run(dashboard_run, tmp_path)
    save_scenario(run, Scenario("mine", method="manual", weights={"forest": 1.0}, correction="none"))
    assert (pixels(print_figure(run)) != pixels(print_figure(run, scenario="mine"))).mean() > 0.05


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "exe"}, "png, pdf"),
        ({"lang": "fr"}, "en, zh"),
        ({"layer": "none"}, "no layer"),
        ({"palette": "jet"}, "no palette"),
        ({"low": 1.0, "high": 0.0}, "finite numbers"),
        ({"low": float("nan")}, "finite numbers"),
        ({"bounds": (10, 10, 11, 11)}, "outside the map"),
        ({"layer": "lower", "scenario": "mine"}, "does not depend"),
    ],
)
def test_bad_orders_are_refused(dashboard_run, options, words):
    """Each with its reason."""
    with pytest.raises(AlmError, match=words):
        print_figure(dashboard_run, **options)


@pytest.mark.parametrize("pole", [90, -90])
def test_maps_around_a_pole_are_drawn(pole):
    """A polar stereographic map: meridians meet, north is marked, nothing fails."""
    crs = "EPSG:3995" if pole > 0 else "EPSG:3031"
    grid = Grid.from_bounds((-4e6, -4e6, 4e6, 4e6), 1e5, crs=crs)
    values = np.add.outer(np.arange(80.0), np.arange(80.0)) / 160
    layer = PrintLayer(values, grid.bounds, grid, "Ground temperature", "degC", RAMP, 0.0, 1.0)
    assert pixels(draw_sheet(layer, sheet(grid.bounds))).std() > 20


def test_relief_shows_through_and_leaves_flat_land(dashboard_run):
    """Flat ground does not change a colour; slopes do, a little."""
    grid = Grid.from_bounds((0, 0, 3, 1), 1.0, crs="EPSG:4326")
    layer = PrintLayer(np.array([[0.5, 0.5, np.nan]]), grid.bounds, grid, "Layer", "1", RAMP, 0.0, 1.0)
    found = picture(layer, np.array([[226, 120, 226]], np.uint8))
    assert found[0, 0, 0] == pytest.approx(128 / 255)
    assert 0.8 < found[0, 1, 0] / found[0, 0, 0] < 0.9
    assert found[0, 2, 0] == pytest.approx(226 / 255)
    assert picture(layer, None)[0, 2, 3] == 0


@pytest.mark.parametrize("aspect", [0.2, 0.7, 1.3, 1.4, 2.2, 6.0])
def test_nothing_leaves_the_sheet(aspect):
    """Map and legend stand within the sheet and apart from each other, whatever the shape of the area."""
    places = layout(aspect)
    left, bottom, width, height = places.map
    assert left > 0.03
    assert left + width <= 0.98
    assert bottom > 0.08
    assert bottom + height <= 0.9
    assert width * 11.69 / (height * 8.27) == pytest.approx(aspect)
    assert (places.bar[0] >= left + width) if places.beside else (places.bar[1] + places.bar[3] < bottom)
    assert places.bar[0] + places.bar[2] <= 0.985
    assert places.bar[1] > 0.05


def test_both_languages_have_the_same_words():
    """Every word and every layer."""
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    assert LAYER_NAMES["en"].keys() == LAYER_NAMES["zh"].keys()


def test_without_a_chinese_font_english_is_drawn(dashboard_run, tmp_path, monkeypatch):
    """No boxes in place of characters: the words are English, and the job says so."""
    for module in ("alm_core.mapping.print_words", "alm_core.publishing.print_map", "alm_core.mapping.print_figure"):
        monkeypatch.setattr(f"{module}.chinese_font", lambda: None)
    assert drawable("活动层", instead="layer") == "layer"
    assert print_figure(dashboard_run, lang="zh") == print_figure(dashboard_run, lang="en")
    spec = {"study": "small", "run": dashboard_run.id, "lang": "zh", "formats": ["png"]}
    result = figure_job(spec, workspace=dashboard_run.folder.parents[1], folder=tmp_path, report=lambda *step: None)
    assert "in English" in result["notes"][0]
    assert print_words.has_chinese("冻土")


def test_job_writes_both_forms(dashboard_run, tmp_path):
    """PNG and PDF under safe names."""
    spec = {"study": "small", "run": dashboard_run.id, "layer": "member:forest"}
    result = figure_job(spec, workspace=dashboard_run.folder.parents[1], folder=tmp_path, report=lambda *step: None)
    assert result["files"] == ["ALM_small_member-forest_study.png", "ALM_small_member-forest_study.pdf"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(result["files"])
