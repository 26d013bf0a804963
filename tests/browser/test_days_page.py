"""The map of days in a real browser: slider and play change the picture without Python, a click gives the place."""

from __future__ import annotations

from pathlib import Path

from tests.browser.visitor import WAIT, Visitor
from tests.day_pages_run import write_day_run

COLOUR = """() => {
  const canvas = document.querySelector(".alm-days-picture");
  return [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data].slice(0, 3);
}"""
FROZEN, THAWED = [0, 114, 178], [230, 159, 0]


def shown(visitor: Visitor, day: str) -> None:
    """Wait until the picture is that of a day."""
    visitor.page.wait_for_selector(f'.alm-days[data-shown="{day}"]', timeout=WAIT, state="attached")


def test_slider_play_and_click(visitor: Visitor, workspace_copy: Path) -> None:
    """Blue in January, orange in July; play goes on day by day until it is stopped; then the address names day and place."""
    run = write_day_run(workspace_copy)
    page = visitor.page
    visitor.open("days", run=f"days/{run.id}", day="2015-01-10")
    shown(visitor, "2015-01-10")
    assert page.evaluate(COLOUR) == FROZEN
    slider = page.locator(".alm-days .slider")
    slider.focus()
    slider.press("ArrowRight")
    shown(visitor, "2015-01-11")
    slider.fill("190")
    shown(visitor, "2015-07-10")
    assert page.evaluate(COLOUR) == THAWED
    page.get_by_label("Play", exact=True).click()
    page.wait_for_function('document.querySelector(".alm-days").dataset.shown > "2015-07-15"', timeout=WAIT)
    page.get_by_label("Pause", exact=True).click()
    page.locator(".alm-days .map").click(position={"x": 250, "y": 230})
    page.wait_for_url("**lat=3**", timeout=WAIT)
    assert "day=2015-07-" in page.url
    page.get_by_text("This place through time").wait_for(timeout=WAIT)
    visitor.settle()
    visitor.check()
