"""Somebody who uses the dashboard in a browser, and notes every request, console error and exception."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

NOISE = ("/_stcore/health", "/_stcore/host-config")
"""Streamlit asks for these under the page's own address first; the 404 is its way of finding its root."""
WAIT = 30_000
PAGES = {
    "start": "",
    "sites": "Sites",
    "features": "Features",
    "validation": "Cross_validation",
    "fusion": "Fusion_and_bias",
    "map": "Map",
    "days": "Days",
    "report": "Report",
    "tour": "Tour",
}


class Visitor:
    """A browser window with a notebook.

    Parameters
    ----------
    page : playwright Page
    address : str
        Of the server.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.foreign: list[str] = []
        self.faults: list[str] = []
        page.on("request", self._note_request)
        page.on("response", self._note_response)
        page.on("console", self._note_message)
        page.on("pageerror", lambda fault: self.faults.append(f"error: {fault}"))

    def _note_request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("data", "blob", "about"):
            return
        if f"{parts.scheme}://{parts.netloc}".replace("ws://", "http://") != self.address:
            self.foreign.append(request.url)

    def _note_response(self, response: Any) -> None:
        if response.status >= 400 and not response.url.split("?")[0].endswith(NOISE):
            self.faults.append(f"{response.status} {response.url}")

    def _note_message(self, message: Any) -> None:
        # The console repeats failed requests without their address; these are noted from the response.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def open(self, name: str, **parameters: str) -> None:
        """Open a page by its name and wait until its script has ended."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        self.page.goto(f"{self.address}/{PAGES[name]}{query}")
        self.settle()

    def settle(self) -> None:
        """Wait until the script of the page is not running."""
        self.page.wait_for_selector("h1", timeout=WAIT)
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector('[data-testid="stStatusWidget"]', state="detached", timeout=WAIT)
        self.page.wait_for_timeout(200)

    def exceptions(self) -> list[str]:
        """Texts of exceptions and error boxes on the page."""
        boxes = self.page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]')
        return [boxes.nth(number).inner_text() for number in range(boxes.count())]

    def check(self) -> None:
        """Nothing was asked of another host, nothing failed, no exception is on the page."""
        assert self.foreign == [], self.foreign
        assert self.faults == [], self.faults
        assert self.exceptions() == [], self.exceptions()

    def overflow(self) -> float:
        """How many pixels the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
