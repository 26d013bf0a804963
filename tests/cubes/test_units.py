"""Units by name."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.cubes.units import converter
from alm_core.errors import DomainError


@pytest.mark.parametrize(
    ("found", "wanted", "value", "expected"),
    [
        ("K", "K", 250.0, 250.0),
        ("[K]", "kelvin", 250.0, 250.0),
        ("degrees_Celsius", "K", -10.0, 263.15),
        ("K", "degC", 273.15, 0.0),
        ("%", "m3 m-3", 25.0, 0.25),
        ("m^3/m^3", "m3 m-3", 0.25, 0.25),
        ("", "K", 250.0, 250.0),
        ("kg m-2", "", 20.0, 20.0),
    ],
)
def test_conversions(found, wanted, value, expected):
    """Known pairs, any spelling; without a unit values are taken as they are."""
    assert converter(found, wanted)(np.array([value], np.float32))[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("found", "wanted"), [("K", "m3 m-3"), ("dBZ", "K"), ("kg m-2", "K"), ("kg m-2", "m3 m-3")])
def test_no_conversion(found, wanted):
    """Other quantities and missing depths are refused with both units."""
    with pytest.raises(DomainError, match=f"{found}.*{wanted}"):
        converter(found, wanted)
