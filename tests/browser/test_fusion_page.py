"""The live fusion page in a real browser: what is painted, what is scored, what a link restores."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from alm_core.palettes import colours
from alm_core.scenarios.scenario import DEFAULT, Scenario, load_scenario, scenario_fusion
from alm_core.scenarios.studio import studio
from alm_core.serving.catalogue import Layer, find_layer
from alm_core.serving.members import member_codes, member_tile
from alm_core.workspace import Run, list_runs

ADDRESS_AT_REST = """() => {
    const now = performance.now(), seen = window.__address;
    if (!seen || seen.text !== location.search) window.__address = { text: location.search, since: now };
    return seen && seen.text === location.search && now - seen.since > 2000;
}"""
READY = "window.__alm_fusion && document.querySelector('.alm-fusion[data-loaded]')"
STEPS_OF_DISPLAY = 254
FAITHFUL_PART = 0.9999
PIXELS = """() => [...document.querySelectorAll('canvas[data-tile]')].map((canvas) => {
  const data = canvas.getContext('2d').getImageData(0, 0, 256, 256).data;
  const text = data.reduce((found, byte) => found + String.fromCharCode(byte), '');
  return {tile: canvas.dataset.tile.split('/').map(Number), bytes: btoa(text)};
})"""


@pytest.fixture
def run(workspace_copy) -> Run:
    """The run that the server shows."""
    return list_runs(workspace_copy)[0]


def opened(visitor: Any, **parameters: str) -> Any:
    """The page with its map drawn."""
    visitor.open("fusion", **parameters)
    visitor.page.wait_for_function(READY, timeout=30_000)
    visitor.page.wait_for_timeout(300)
    return visitor.page


def press(page: Any, control: str, key: str = "ArrowRight") -> dict:
    """Move a slider by a key and wait until the map is repainted; gives the report of the drawing."""
    before = page.evaluate("window.__alm_fusion.count")
    page.locator(control).press(key)
    page.wait_for_function(f"window.__alm_fusion.count > {before}", timeout=10_000)
    return page.evaluate("window.__alm_fusion")


def chosen(page: Any, run: Run) -> Scenario:
    """The scenario that the page shows, from what it drew last."""
    choice = page.evaluate("window.__alm_fusion.choice")
    names = [learner["name"] for learner in run.record["options"]["learners"]]
    weights = dict(zip(names, choice["weights"], strict=True)) if choice["method"] == "manual" else {}
    return Scenario("live", method=choice["method"], weights=weights, correction=choice["correction"], blend=choice["blend"])


def painted(page: Any) -> list[tuple[list[int], np.ndarray]]:
    """Tiles on the page: place and pixels [256, 256, 4]."""
    found = page.evaluate(PIXELS)
    return [(one["tile"], np.frombuffer(base64.b64decode(one["bytes"]), np.uint8).reshape(256, 256, 4)) for one in found]


def check_tiles(page: Any, run: Run) -> int:
    """Compare every pixel of every tile with Fusion.predict; gives the number of pixels with data.

    Of the members as they travel every pixel must agree. Of the members as stored, a pixel may fall to the other side of one of
    the steep places that a matched distribution has between two sites that are nearly alike; few may.
    """
    layer = find_layer(run, "fused")
    codes = member_codes(run)
    fusion = scenario_fusion(run, chosen(page, run))
    count = 0
    for (z, x, y), pixels in painted(page):
        members = member_tile(run, z, x, y)
        if members is None:
            assert not pixels.any()
            continue
        travelled = codes.decode(codes.encode(members))
        for given, part in ((travelled, 1.0), (members, FAITHFUL_PART)):
            assert share_within_one_step(pixels, fusion.predict(given).value, layer) >= part
        count += int(np.isfinite(members).all(axis=0).sum())
    return count


def share_within_one_step(pixels: np.ndarray, value: np.ndarray, layer: Layer) -> float:
    """Share of pixels whose colour is that of their value, or the next one; where there is no value there must be no colour."""
    here = np.isfinite(value)
    assert np.array_equal(pixels[..., 3] == 255, here)
    palette = colours(layer.palette).astype(int)
    place = np.clip(1 + (value[here] - layer.low) / (layer.high - layer.low) * STEPS_OF_DISPLAY, 1, 255)
    found = pixels[here][:, :3].astype(int)
    near = [np.clip(np.floor(place).astype(int) + shift, 1, 255) for shift in (-1, 0, 1, 2)]
    same = [(palette[code] == found).all(axis=1) & (np.abs(code - place) <= 1 + 1e-6) for code in near]
    return float(np.logical_or.reduce(same).mean()) if here.any() else 1.0


def test_the_map_follows_the_slider_pixel_by_pixel(visitor, run):
    """After every kind of choice each pixel is within one step of the display of Python's result."""
    page = opened(visitor)
    assert check_tiles(page, run) > 1000
    for _ in range(5):
        press(page, '[data-learner="0"]')
    assert chosen(page, run).method == "manual"
    assert check_tiles(page, run) > 1000
    press(page, "[data-blend]", "Home")
    assert check_tiles(page, run) > 1000
    page.locator(".alm-fusion select.correction").select_option("distribution")
    page.locator('[data-preset="bias_aware"]').click()
    page.wait_for_function("window.__alm_fusion.choice.method === 'bias_aware'")
    page.wait_for_timeout(300)
    assert check_tiles(page, run) > 1000
    visitor.check()


def test_scores_on_the_page_are_those_of_python(visitor, run):
    """Shown numbers are the studio's, to the last shown digit, and change with the slider."""
    page = opened(visitor)
    first = page.locator("dd[data-score]").all_inner_texts()
    for _ in range(30):
        press(page, '[data-learner="1"]', "ArrowLeft")
    press(page, "[data-blend]", "End")
    page.wait_for_timeout(300)
    assert page.locator("dd[data-score]").all_inner_texts() != first
    expected = studio(run, chosen(page, run)).scores
    for name in ("r2", "rmse", "mae", "sd_ratio", "mean_error"):
        shown = page.locator(f'dd[data-score="{name}"]').inner_text().replace("−", "-")
        places = len(shown.partition(".")[2])
        assert abs(float(shown) - expected[name]) <= 0.5001 * 10**-places, name
    visitor.check()


def test_a_choice_survives_a_reload_and_travels_by_link(visitor, run):
    """The address carries what is shown; opened again it shows the same weights and lambda."""
    page = opened(visitor)
    for _ in range(3):
        press(page, '[data-learner="0"]', "PageUp")
    press(page, "[data-blend]", "PageUp")
    page.wait_for_function("location.search.includes('weights=')", timeout=15_000)
    page.wait_for_function(ADDRESS_AT_REST, timeout=15_000)  # the address follows the sliders a little later
    visitor.settle()
    before = page.locator(".slider output").all_inner_texts()
    page.reload()
    visitor.settle()
    page.wait_for_function(READY, timeout=30_000)
    assert page.locator(".slider output").all_inner_texts() == before
    page.locator('[data-preset="study"]').click()
    page.wait_for_function("!location.search.includes('weights=')", timeout=15_000)
    visitor.check()


def test_what_is_saved_is_what_was_shown(visitor, run):
    """Move, name, save: the file holds the weights of the sliders, and the row can be shown and deleted."""
    page = opened(visitor)
    for _ in range(4):
        press(page, '[data-learner="0"]', "PageUp")
    page.wait_for_function("location.search.includes('weights=')", timeout=15_000)
    visitor.settle()
    wanted = chosen(page, run)
    page.get_by_role("textbox", name="Name").fill("from_browser")
    page.get_by_role("button", name="Save as scenario").click()
    page.get_by_text("Saved as from_browser").wait_for(timeout=15_000)
    assert load_scenario(run, "from_browser").key == wanted.key
    assert load_scenario(run, DEFAULT).key != wanted.key
    visitor.check()


@pytest.mark.parametrize(("width", "lang"), [(1400, "zh"), (800, "en"), (800, "zh")])
def test_nothing_is_wider_than_the_window(visitor, run, width, lang):
    """No chart, no control and no text of the live part sticks out of its box."""
    visitor.page.set_viewport_size({"width": width, "height": 900})
    page = opened(visitor, lang=lang)
    assert visitor.overflow() <= 0
    wide = page.evaluate(
        """() => [...document.querySelectorAll('.alm-fusion .side *, .alm-fusion figure, .alm-fusion figcaption *')]
        .filter((part) => part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0 && !part.closest('svg'))
        .map((part) => part.outerHTML.slice(0, 120))"""
    )
    assert wide == []
