"""One small demo for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from alm_core.studies.active_layer_moisture import write_demo


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small demo with the default seed."""
    return write_demo(tmp_path_factory.mktemp("demo"), size="small").parent
