"""The slider of the time slices in a real browser: the tiles on the map follow it, nothing fails."""

from __future__ import annotations

from pathlib import Path

from alm_core.workspace import Run
from tests.browser.visitor import WAIT, Visitor
from tests.sliced_run import NAMES, with_slices


def test_a_moved_slider_changes_the_tiles(visitor: Visitor, workspace_copy: Path, dashboard_run: Run) -> None:
    """One step to the left shows the slice before the last; the legend and the address name it, and the change map is there."""
    run = with_slices(dashboard_run, workspace_copy, study="sliced")
    visitor.open("map", run=f"sliced/{run.id}")
    frame = visitor.page.frame_locator("iframe").first
    frame.locator(".leaflet-tile-loaded").first.wait_for(timeout=WAIT)
    slider = visitor.page.get_by_role("slider").first
    slider.focus()
    with visitor.page.expect_response(lambda answer: f"fused@{NAMES[-2]}/" in answer.url, timeout=WAIT) as found:
        slider.press("ArrowLeft")
    assert found.value.status == 200
    assert found.value.headers["content-type"] == "image/png"
    frame.locator(f'.alm-map-legend .title:has-text("{NAMES[-2]}")').wait_for(timeout=WAIT)
    visitor.page.wait_for_url(f"**slice={NAMES[-2]}**", timeout=WAIT)
    visitor.settle()
    visitor.open("map", run=f"sliced/{run.id}", layer="change")
    frame.locator('.alm-map-legend .item:has-text("no trend proved")').wait_for(timeout=WAIT)
    visitor.check()
