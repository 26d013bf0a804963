"""Every row is converted by the method it was measured with."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import DomainError, StudyError, TableError
from alm_core.options import ConversionOptions
from alm_core.sites.conversions import crim, linear, permittivity_from_travel_time, topp
from alm_core.sites.raw_measurements import convert

NAN = np.nan
COLUMNS = [
    "method", "value", "uncertainty", "wet_mass", "dry_mass", "gravimetric", "bulk_density", "travel_time", "reflector_depth",
    "permittivity", "velocity", "porosity", "source_row",
]  # fmt: skip


def table():
    """One row per way to a water content."""
    rows = [
        ["环刀", NAN, NAN, 180, 150, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 2],
        [" Cutting ring ", 0.9, 0.01, NAN, NAN, 0.2, 1.4, NAN, NAN, NAN, NAN, NAN, 3],
        ["GPR", NAN, NAN, NAN, NAN, NAN, NAN, 40, 1.2, NAN, NAN, 0.5, 4],
        ["gpr", NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 15, NAN, NAN, 5],
        ["gpr", NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0.08, NAN, 6],
        ["TDR", 0.33, NAN, 180, 150, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 7],
        ["ring", 0.21, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 8],
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_options_are_those_of_the_study():
    """The pipeline hands the options over by name."""
    names = {name for name, part in inspect.signature(convert).parameters.items() if part.kind is part.KEYWORD_ONLY}
    assert names == set(ConversionOptions.model_fields)
    convert(table(), **ConversionOptions().model_dump())


def test_every_row_by_its_method():
    """Values against the single conversions; other methods keep their value."""
    found, notes = convert(table())
    timed = permittivity_from_travel_time(40, 1.2, time_uncertainty_ns=1.0, depth_uncertainty_m=0.05)
    expected = [
        0.30,
        0.28,
        crim(timed.value, 0.5).value,
        crim(15, 0.45).value,
        crim((0.299792458 / 0.08) ** 2, 0.45).value,
        0.33,
        0.21,
    ]
    np.testing.assert_allclose(found["value"], expected, rtol=1e-12)
    assert found["uncertainty"][0] == 0.02
    assert found["uncertainty"][1] == 0.01
    from_time = crim(timed.value, 0.5, permittivity_uncertainty=timed.uncertainty)
    assert found["uncertainty"][2] == pytest.approx(float(from_time.uncertainty))
    assert found["uncertainty"][3] == pytest.approx(float(crim(15, 0.45, permittivity_uncertainty=0.5).uncertainty))
    assert np.isnan(found["uncertainty"][5])
    assert found["uncertainty"][6] == 0.02
    np.testing.assert_allclose(found["porosity"][:2], [1 - 1.5 / 2.65, 1 - 1.4 / 2.65])
    assert np.isnan(found["porosity"][3])
    text = " | ".join(notes)
    assert "1 row(s) converted from ring masses" in text
    assert "1 row(s) converted from radar travel time by crim" in text
    assert "2 radar row(s) without porosity: 0.45 taken" in text
    assert "1 row(s) had a value beside raw numbers" in text


def test_the_other_radar_models():
    """Topp and the line of the velocity."""
    assert convert(table(), gpr_model="topp")[0]["value"][3] == pytest.approx(float(topp(15).value))
    found = convert(table(), gpr_model="linear", gpr_linear_intercept=0.75, gpr_linear_slope=-5.0)[0]
    np.testing.assert_allclose(found["value"][[2, 4]], [linear(0.06, 0.75, -5).value, linear(0.08, 0.75, -5).value])
    with pytest.raises(StudyError, match="gpr_linear_slope"):
        convert(table(), gpr_model="linear", gpr_linear_intercept=0.7)
    with pytest.raises(StudyError, match="topp, crim or linear"):
        convert(table(), gpr_model="hallikainen")


def test_without_a_method_the_numbers_decide():
    """Rows with ring numbers are rings, with radar numbers radar, with both a fault."""
    frame = table().drop(columns="method")
    assert convert(frame)[0]["value"][5] == pytest.approx(0.30)
    frame.loc[0, "permittivity"] = 12
    with pytest.raises(TableError, match="row 2"):
        convert(frame)


def test_impossible_rows_are_named_by_row():
    """The row of the file, not the place in an array."""
    frame = table()
    frame.loc[0, ["wet_mass", "dry_mass"]] = [150, 180]
    with pytest.raises(DomainError, match=r"row 2 \(150\)"):
        convert(frame)


def test_more_water_than_pores_is_counted():
    """The value stays as measured; screening decides."""
    frame = table()
    frame.loc[0, ["wet_mass", "dry_mass"]] = [210, 150]
    found, notes = convert(frame)
    assert found["value"][0] == pytest.approx(0.6)
    assert any("more water than their pores" in note for note in notes)
