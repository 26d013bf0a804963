"""How fast the pages answer. Run: ``python -m benchmarks.dashboard --workspace WORKSPACE`` (with the medium demo in it)."""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.browser import open_browser, serve
from benchmarks.common import save
from tests.browser.visitor import PAGES, Visitor

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "sites": "pages/1_Sites.py",
    "features": "pages/2_Features.py",
    "validation": "pages/3_Cross_validation.py",
    "fusion": "pages/4_Fusion_and_bias.py",
    "map": "pages/5_Map.py",
    "report": "pages/6_Report.py",
    "tour": "pages/7_Tour.py",
}
WARM_UP_SECONDS = 8
SLIDER_MOVES = 30
CLICKS = 5


def paint_seconds(visitor: Visitor, name: str) -> float:
    """From asking for a page to its title and the end of its script."""
    begun = time.perf_counter()
    visitor.page.goto(f"{visitor.address}/{PAGES[name]}")
    visitor.page.wait_for_selector("h1")
    painted = time.perf_counter() - begun
    visitor.settle()
    return painted


def repaint_milliseconds(visitor: Visitor) -> dict[str, float]:
    """From a moved weight to the repainted map, by the page's own clock."""
    visitor.open("fusion")
    visitor.page.wait_for_function("window.__alm_fusion && window.__alm_fusion.tiles > 0", timeout=30_000)
    visitor.page.wait_for_timeout(3000)
    slider = visitor.page.locator('.alm-fusion input[type="range"]').first
    found = []
    for move in range(SLIDER_MOVES):
        count = visitor.page.evaluate("window.__alm_fusion.count")
        slider.press("ArrowRight" if move % 2 else "ArrowLeft")
        visitor.page.wait_for_function(f"window.__alm_fusion.count > {count}")
        found.append(visitor.page.evaluate("[window.__alm_fusion.milliseconds, window.__alm_fusion.shown]"))
        visitor.page.wait_for_timeout(150)
    tiles = visitor.page.evaluate("window.__alm_fusion.tiles")
    arithmetic, shown = (statistics.median(values) for values in zip(*found, strict=True))
    return {"tiles": tiles, "median_fusing": arithmetic, "median_shown": shown, "slowest_shown": max(part[1] for part in found)}


def rerun_seconds(workspace: Path) -> dict[str, float]:
    """Median time of a rerun of each page, without a browser."""
    os.environ["ALM_WORKSPACE"] = str(workspace.resolve())
    from streamlit.testing.v1 import AppTest

    found = {}
    for name, path in FILES.items():
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        app.switch_page(path).run()
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            app.run()
            times.append(time.perf_counter() - begun)
        found[name] = statistics.median(times)
    return found


def click_seconds(visitor: Visitor) -> list[float]:
    """From a click on the map to its answer in the panel."""
    visitor.open("map")
    frame = visitor.page.frame_locator("iframe").first
    frame.locator(".leaflet-container").wait_for(timeout=30_000)
    visitor.page.wait_for_timeout(4000)
    box = visitor.page.locator("iframe").first.bounding_box()
    found = []
    for number in range(CLICKS):
        panel = visitor.page.locator(".st-key-map-panel-body")
        before = panel.inner_text()
        begun = time.perf_counter()
        visitor.page.mouse.click(box["x"] + box["width"] * (0.35 + 0.05 * number), box["y"] + box["height"] * 0.5)
        visitor.page.wait_for_function(
            "before => document.querySelector('.st-key-map-panel-body').innerText !== before", arg=before, timeout=20_000
        )
        visitor.page.wait_for_selector('[data-testid="stStatusWidget"]', state="detached")
        found.append(time.perf_counter() - begun)
        visitor.settle()
    return found


def measure(workspace: Path) -> dict[str, Any]:
    """Everything, on one server."""
    with serve(workspace) as address, open_browser() as browser:
        time.sleep(WARM_UP_SECONDS)
        visitor = Visitor(browser.new_page(viewport={"width": 1400, "height": 900}), address)
        first = paint_seconds(visitor, "start")
        pages = {name: paint_seconds(visitor, name) for name in PAGES}
        repaint = repaint_milliseconds(visitor)
        clicks = click_seconds(visitor)
        foreign, faults = visitor.foreign, visitor.faults
    return {
        "first_paint_seconds": first,
        "page_paint_seconds": pages,
        "fusion_repaint": repaint,
        "click_to_answer_seconds": clicks,
        "rerun_seconds": rerun_seconds(workspace),
        "requests_to_other_hosts": len(foreign),
        "console_errors": len(faults),
    }


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    save("dashboard", measure(parser.parse_args().workspace))


if __name__ == "__main__":
    main()
