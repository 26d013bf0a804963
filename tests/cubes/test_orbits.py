"""Orbits by attributes and names."""

from __future__ import annotations

import pytest

from alm_core.cubes.orbits import Orbit, orbit_of


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        ("GW1AM2_20120703_01D_EQMA_L3SGT36HA2220220", {}, Orbit("ascending")),
        ("FY3B_MWRID_GBAL_L1_20120101", {}, Orbit("descending")),
        ("tb_20120101_A", {}, Orbit("ascending")),
        ("tb-2012001-18H-M-GRD", {}, Orbit("", "morning")),
        ("tb_20120101", {"orbit_direction": "Descending"}, Orbit("descending")),
        ("tb_20120101_A", {"orbit_direction": "descending"}, Orbit("descending")),
        ("tb", {"input_file1": "x_A.hdf", "input_file2": "x_D.hdf"}, Orbit("mixed")),
        ("GLDAS_NOAH025_3H.A20160101.0600.021", {}, Orbit()),
        ("AMSR2_18H_daily", {}, Orbit()),
    ],
)
def test_what_is_told(name, attributes, expected):
    """Attributes come before names; marks inside words are none."""
    assert orbit_of(name, attributes) == expected


def test_silence_differs_from_nothing():
    """Only two that tell can disagree."""
    assert not Orbit().differs(Orbit("ascending"))
    assert not Orbit("", "evening").differs(Orbit("ascending"))
    assert Orbit("", "evening").differs(Orbit("", "morning"))
    assert Orbit("ascending").differs(Orbit("descending"))
