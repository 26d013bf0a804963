"""The land, a year of its ground, and the small demo, made once."""

from __future__ import annotations

import pytest

from alm_core.studies import DEMOS
from alm_core.studies.surface_freeze_thaw.ground import Ground
from alm_core.studies.surface_freeze_thaw.land import EXTENTS, Plateau


@pytest.fixture(scope="package")
def land():
    """The plateau of the small demo."""
    return Plateau(EXTENTS["small"].grid, 5, EXTENTS["small"].lowest)


@pytest.fixture(scope="package")
def ground(land):
    """Its ground in 2011."""
    return Ground(land, seed=5).year(2011)


@pytest.fixture(scope="package")
def demo(tmp_path_factory):
    """The small demo, read-only."""
    return DEMOS["surface_freeze_thaw"](tmp_path_factory.mktemp("demo"), size="small").parent
