"""A folder for uploads."""

from __future__ import annotations

import pytest


@pytest.fixture
def folder(tmp_path):
    """An empty folder."""
    path = tmp_path / "uploads"
    path.mkdir()
    return path
