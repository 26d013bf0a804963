"""A whole visit: every page in both languages and widths; nothing from elsewhere, no fault, nothing cut."""

from __future__ import annotations

import pytest

from tests.browser.visitor import PAGES, Visitor

WIDTHS = (1400, 800)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_a_fault_and_fits_its_window(visitor: Visitor, name: str, language: str):
    """Requests, console, exceptions and width of every page."""
    visitor.open(name, lang=language)
    for width in WIDTHS:
        visitor.page.set_viewport_size({"width": width, "height": 900})
        visitor.page.wait_for_timeout(300)
        assert visitor.overflow() <= 0
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
