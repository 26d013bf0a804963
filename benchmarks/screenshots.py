"""Pictures of every page. Run: ``python -m benchmarks.screenshots --workspace workspace [--out FOLDER]``.

Without ``--out`` the pictures of the README are written to ``docs/screens``: every page, 1400 pixels wide, in English.
With it, every page in both languages and at both widths, for looking at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.browser import open_browser, serve
from tests.browser.visitor import PAGES, Visitor

DOCS = Path(__file__).resolve().parents[1] / "docs" / "screens"
HEIGHT = 1000
PLACES = {"map": {"lon": "92.0", "lat": "34.6"}}
"""Where the demo has a value, so that the picture shows an answer."""
SETTLE_MILLISECONDS = 5000
"""Tiles and charts come after the script of a page has ended."""


def take(visitor: Visitor, name: str, path: Path, *, language: str, width: int, whole: bool) -> None:
    """Open a page and write its picture."""
    visitor.page.set_viewport_size({"width": width, "height": HEIGHT})
    visitor.open(name, lang=language, **PLACES.get(name, {}))
    visitor.page.wait_for_timeout(SETTLE_MILLISECONDS)
    if whole:
        # Streamlit scrolls inside itself, so the window has to be as tall as the content.
        tall = visitor.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        visitor.page.set_viewport_size({"width": width, "height": min(int(tall) + 20, 8000)})
        visitor.page.wait_for_timeout(SETTLE_MILLISECONDS)
    visitor.page.screenshot(path=path)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pages", nargs="*", default=list(PAGES))
    options = parser.parse_args()
    folder = options.out or DOCS
    folder.mkdir(parents=True, exist_ok=True)
    everything = [(language, width) for language in ("en", "zh") for width in (1400, 800)]
    with serve(options.workspace) as address, open_browser() as browser:
        for language, width in everything if options.out else [("en", 1400)]:
            visitor = Visitor(browser.new_page(), address)
            for name in options.pages:
                suffix = f"-{language}-{width}" if options.out else ""
                take(visitor, name, folder / f"{name}{suffix}.png", language=language, width=width, whole=bool(options.out))
            for problem in (*visitor.foreign, *visitor.faults):
                print(f"{language} {width}: {problem}")
            visitor.page.close()


if __name__ == "__main__":
    main()
