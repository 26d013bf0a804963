"""A whole visit: every page in both languages and widths; nothing from elsewhere, no fault, nothing cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.io import MemoryFile
from rasterio.windows import Window

from alm_core.mapping.cog import open_raster
from alm_core.workspace import list_runs
from tests.browser.visitor import PAGES, WAIT, Visitor

WIDTHS = (1400, 800)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_a_fault_and_fits_its_window(visitor: Visitor, name: str):
    """Requests, console, exceptions and width of every page, in both languages."""
    visitor.open(name, lang="en")
    for other in ("中文", "English"):
        for width in WIDTHS:
            visitor.page.set_viewport_size({"width": width, "height": 900})
            visitor.page.wait_for_timeout(300)
            assert visitor.overflow() <= 0
        visitor.page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        visitor.page.get_by_text(other, exact=True).click()
        visitor.page.wait_for_function(
            f"document.location.search.includes('lang={'zh' if other == '中文' else 'en'}')", timeout=WAIT
        )
        visitor.settle()
    visitor.check()


def test_language_and_run_survive_a_walk_through_the_pages(visitor: Visitor):
    """The switch in the sidebar changes the words, links keep them, a reload restores them."""
    visitor.open("start", lang="en")
    visitor.page.get_by_text("中文", exact=True).click()
    visitor.page.wait_for_selector("text=五分钟导览")
    for label in ("站点", "特征", "交叉验证", "融合与偏差", "地图", "报告"):
        visitor.page.locator('[data-testid="stPageLink"]', has_text=label).first.click()
        visitor.page.wait_for_selector(f'h1:has-text("{label[:2]}")', timeout=30_000)
        visitor.settle()
        assert "lang=zh" in visitor.page.url
        assert "run=" in visitor.page.url
    visitor.page.reload()
    visitor.settle()
    assert visitor.page.locator("h1").first.inner_text().startswith("报告")
    visitor.check()


def test_a_whole_visit(visitor: Visitor, workspace_copy: Path):
    """A slider, a click, a drawn area, an export and the other language: nothing from elsewhere, no fault.

    The exported raster holds the numbers of the map.
    """
    move_a_weight(visitor)
    visitor.open("map")
    frame = visitor.page.frame_locator("iframe").first
    frame.locator(".leaflet-tile-loaded").first.wait_for(timeout=WAIT)
    box = visitor.page.locator("iframe").first.bounding_box()
    click_the_map(visitor, box)
    draw_a_rectangle(visitor, frame, box)
    visitor.page.get_by_role("button", name="Make the file").click()
    link = visitor.page.locator('a[href*="/alm/download/"]').first
    link.wait_for(timeout=90_000)
    compare_with_map(visitor, link.get_attribute("href"), workspace_copy)
    visitor.page.get_by_text("中文", exact=True).click()
    visitor.page.wait_for_selector('h1:has-text("地图")')
    visitor.settle()
    visitor.check()


def move_a_weight(visitor: Visitor) -> None:
    """Press a key on the first slider of the fusion page and wait until the map has followed."""
    visitor.open("fusion")
    visitor.page.wait_for_function("window.__alm_fusion && window.__alm_fusion.tiles > 0", timeout=WAIT)
    count = visitor.page.evaluate("window.__alm_fusion.count")
    visitor.page.locator('.alm-fusion input[type="range"]').first.press("ArrowRight")
    visitor.page.wait_for_function(f"window.__alm_fusion.count > {count}", timeout=WAIT)
    visitor.settle()


def click_the_map(visitor: Visitor, box: dict[str, float]) -> None:
    """Click in the middle and wait until the address names the place."""
    visitor.page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    visitor.page.wait_for_url("**lon=**", timeout=WAIT)
    visitor.settle()


def draw_a_rectangle(visitor: Visitor, frame: Any, box: dict[str, float]) -> None:
    """Draw with the map's own tool and wait for the sums of the area."""
    frame.locator(".leaflet-draw-draw-rectangle").click()
    mouse = visitor.page.mouse
    mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
    mouse.down()
    mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"], steps=8)
    mouse.up()
    visitor.page.get_by_text("Mean of the area").wait_for(timeout=WAIT)
    visitor.settle()


def compare_with_map(visitor: Visitor, address: str, workspace: Path) -> None:
    """Fetch the export and hold it to the raster of the run, cell by cell."""
    answer = visitor.page.request.get(f"{visitor.address}{address}")
    assert answer.ok
    run = list_runs(workspace)[0]
    with (
        MemoryFile(answer.body()) as memory,
        memory.open(driver="GTiff") as found,
        open_raster(run.file("map/fused.tif")) as map_file,
    ):
        assert found.tags()["run"] == run.id
        assert found.descriptions[:3] == ("value", "lower", "upper")
        row, column = map_file.index(*found.xy(0, 0))
        window = Window(column, row, found.width, found.height)
        assert found.count >= 5
        assert np.array_equal(found.read(1), map_file.read(1, window=window), equal_nan=True)
