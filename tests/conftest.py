"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets beside the checkout; tests that want it are skipped where it is absent."""
    folder = Path(os.environ.get("ALM_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real data sets are not beside this checkout (set ALM_SHARED_DATA to their folder)")
    return folder
