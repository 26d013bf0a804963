"""A real server and a real Chromium; skipped with a reason where there is no Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alm_core.workspace import Run
from tests.browser.visitor import Visitor
from tests.pages.support import ROOT

START_SECONDS = 60
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_server(workspace: Path, port: int) -> subprocess.Popen:
    """Start the dashboard as a user would, on one port, and wait until it answers."""
    environment = os.environ | {"ALM_WORKSPACE": str(workspace), "ALM_STUDIES": str(workspace.parent / "studies")}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.headless", "true"]
    log = (workspace.parent / f"server-{port}.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).read()
            return process
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None:
                break
            time.sleep(0.2)
    process.kill()
    raise RuntimeError(f"the server did not start: {Path(log.name).read_text()[-2000:]}")


@pytest.fixture(scope="session")
def workspace_copy(dashboard_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of its own, so that a visit may write."""
    folder = tmp_path_factory.mktemp("visit")
    shutil.copytree(dashboard_run.folder.parents[1], folder / "workspace")
    return folder / "workspace"


@pytest.fixture(scope="session")
def server(workspace_copy: Path) -> Iterator[str]:
    """Address of a running dashboard."""
    port = free_port()
    process = start_server(workspace_copy, port)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Any, server: str) -> Iterator[Visitor]:
    """Somebody with a new window, whose requests and console messages are recorded."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    yield Visitor(context.new_page(), server)
    context.close()
