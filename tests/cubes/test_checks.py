"""Faults between variables."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from alm_core.cubes.checks import absent_codes, check_period, check_polarisations
from alm_core.cubes.store import CubeStore, Variable
from alm_core.errors import DomainError
from tests.cubes.day_files import GRID


def store(folder, vertical: np.ndarray, horizontal: np.ndarray, *, orbit: str = "", frequency: float = 36.5) -> CubeStore:
    """V and H of 36.5 GHz; H of another orbit or channel where given."""
    variables = (
        Variable("v36", "K", "brightness_temperature", 36.5, "V"),
        Variable("h36", "K", "brightness_temperature", frequency, "H", orbit),
    )
    arrays = {"v36": vertical, "h36": horizontal}
    return CubeStore.create(folder, GRID, date(2011, 1, 1), len(vertical), np.arange(4), variables, arrays)


def test_swapped_polarisations(tmp_path):
    """V below H in most cell-days is refused with both names."""
    low, high = np.full((5, 4), 240.0), np.full((5, 4), 250.0)
    low[0] = 260.0
    with pytest.raises(DomainError, match=r"v36 \(V\) is below h36 \(H\) in 80% of 20 cell-days"):
        check_polarisations(store(tmp_path, low, high))
    assert check_polarisations(store(tmp_path, high, low)) == ["v36 (V) is below h36 (H) in 20.0% of 20 cell-days"]


@pytest.mark.parametrize("other", [{"orbit": "ascending"}, {"frequency": 18.7}])
def test_only_pairs_of_one_channel_and_orbit(tmp_path, other):
    """Others may be as they are."""
    assert check_polarisations(store(tmp_path, np.full((5, 4), 240.0), np.full((5, 4), 250.0), **other)) == []


def test_missing_values_make_no_order(tmp_path):
    """Nothing in common: nothing is told."""
    assert check_polarisations(store(tmp_path, np.full((5, 4), np.nan), np.full((5, 4), 250.0))) == []


def test_a_state_that_never_occurs():
    """Any of its codes is enough."""
    wanted = {"frozen": (1, 3), "thawed": (0,)}
    assert absent_codes({"3": 5}, wanted) == ["no cell-day is thawed: code 0 never occurs"]
    assert absent_codes({"0": 1, "1": 1}, wanted) == []


def test_days_up_to_the_limit():
    """Just as many as allowed pass."""
    check_period(3, 2, 10, 0.5)
    with pytest.raises(DomainError, match="3 of 10 days have no file and 3 no value"):
        check_period(3, 3, 10, 0.5)
