"""A client of the routes, and pictures read back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from alm_core.serving.routes import ROUTES
from alm_core.workspace import Run


@pytest.fixture
def client(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of the workspace of the small regression run."""
    return client_of(dashboard_run, monkeypatch)


@pytest.fixture
def class_client(class_run: Run, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of the workspace of the small classification."""
    return client_of(class_run, monkeypatch)


@pytest.fixture
def copied_run(dashboard_run: Run, tmp_path: Path) -> Run:
    """The small regression run in a workspace that may be written to."""
    target = tmp_path / "workspace" / dashboard_run.folder.parent.name / dashboard_run.id
    shutil.copytree(dashboard_run.folder, target)
    return Run(target.resolve())


def client_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of the workspace of a run; a fault inside shows as the answer that a browser would get."""
    monkeypatch.setenv("ALM_WORKSPACE", str(run.folder.parents[1]))
    return TestClient(Starlette(routes=ROUTES), raise_server_exceptions=False)
