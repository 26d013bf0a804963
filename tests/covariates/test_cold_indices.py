"""n-factor, frost number, TTOP and Stefan's thaw depth, as functions and as derived layers."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates.annual_cycle import YEAR_DAYS
from alm_core.covariates.cold_indices import edaphic_thaw_depth, frost_number, n_factor, stefan_thaw_depth, ttop
from alm_core.covariates.derived import derived_faults
from alm_core.covariates.layers import DerivedSource
from alm_core.errors import StudyError
from tests.rasters import read_raster

SOIL = {"conductivity_thawed": 1.2, "bulk_density": 1300.0, "water": 0.3}


def test_frost_number_by_hand():
    """sqrt(3600) / (sqrt(3600) + E sqrt(400)); no thaw 1, no frost 0, neither unknown; half where both are equal."""
    np.testing.assert_allclose(frost_number([3600, 900, 0, 500], [400, 0, 900, 500]), [0.75, 1.0, 0.0, 0.5])
    assert float(frost_number(3600, 400, soil_factor=2.0)) == pytest.approx(60 / 100)
    assert np.isnan(frost_number(0.0, 0.0))


def test_n_factor_by_hand():
    """A quotient; unknown where the air has no degree days."""
    np.testing.assert_allclose(n_factor([600.0, 0.0], [2000.0, 0.0]), [0.3, np.nan])


def test_ttop_is_the_annual_mean_without_factors():
    """All factors 1: degree days over the year are its mean temperature, whatever the two are."""
    thaw, frost = np.array([0.0, 800.0, 2000.0]), np.array([4000.0, 2500.0, 300.0])
    np.testing.assert_allclose(ttop(frost, thaw), (thaw - frost) / YEAR_DAYS, rtol=1e-6)


def test_ttop_on_both_sides_of_zero():
    """Permafrost is divided by the frozen conductivity, seasonal frost by the thawed one; the two meet at zero."""
    factors = {"freezing_factor": 0.5, "thawing_factor": 0.9, "conductivity_thawed": 1.0, "conductivity_frozen": 2.0}
    cold = ttop(3000.0, 1000.0, **factors)  # 0.9 * 1000 - 2 * 0.5 * 3000 = -2100
    warm = ttop(500.0, 1000.0, **factors)  # 900 - 500 = 400
    assert float(cold) == pytest.approx(-2100 / (2 * YEAR_DAYS))
    assert float(warm) == pytest.approx(400 / YEAR_DAYS)
    assert float(ttop(900.0, 1000.0, **factors)) == 0.0
    assert float(ttop(365.0, 0.0, year_days=365.0)) == -1.0


def test_thermal_offset_cools():
    """Ground that conducts better when frozen is colder than its surface."""
    assert ttop(2000.0, 1500.0, conductivity_thawed=1.0, conductivity_frozen=1.5) < ttop(2000.0, 1500.0)


def test_stefan_by_hand():
    """sqrt(2 * 1.2 * 86400 * 1000 / (334000 * 1300 * 0.3)); four times the thaw is twice the depth, no thaw none."""
    one = float(stefan_thaw_depth(1000.0, **SOIL))
    assert one == pytest.approx(np.sqrt(2 * 1.2 * 86400 * 1000 / (334000 * 1300 * 0.3)), rel=1e-6)
    assert float(stefan_thaw_depth(4000.0, **SOIL)) == pytest.approx(2 * one, rel=1e-6)
    assert float(stefan_thaw_depth(1000.0, **SOIL, thawing_factor=0.25)) == pytest.approx(one / 2, rel=1e-6)
    assert float(stefan_thaw_depth(0.0, **SOIL)) == 0.0
    assert np.isnan(stefan_thaw_depth(1000.0, **SOIL, unfrozen_water=0.3))


def test_edaphic_form_is_stefan_with_one_factor():
    """E = sqrt(2 k 86400 / (L rho w)) makes both the same."""
    factor = np.sqrt(2 * 1.2 * 86400 / (334000 * 1300 * 0.3))
    thaw = np.array([0.0, 250.0, 1800.0])
    np.testing.assert_allclose(edaphic_thaw_depth(thaw, edaphic_factor=factor), stefan_thaw_depth(thaw, **SOIL), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: frost_number(-3000.0, 400.0), "positive numbers are expected"),
        (lambda: frost_number(3000.0 * 24, 400.0), "something else"),
        (lambda: frost_number(3000.0, 400.0, soil_factor=0.0), "soil_factor is 0"),
        (lambda: ttop(3000.0, 400.0, freezing_factor=-0.1), "freezing_factor of -0.1"),
        (lambda: ttop(3000.0, 400.0, year_days=0), "year of 0 days"),
        (lambda: stefan_thaw_depth(400.0, **SOIL | {"bulk_density": 1.3}), "looks like g cm-3"),
        (lambda: stefan_thaw_depth(400.0, **SOIL | {"water": 30.0}), "looks like percent"),
    ],
)
def test_what_is_refused(call, words):
    """Values that can't be in the unit that is expected."""
    with pytest.raises(StudyError, match=words):
        call()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (DerivedSource("d", "frost_number", {"freezing": "a", "thawing": "b"}, {"soil_factor": 0}), "soil_factor is 0"),
        (
            DerivedSource("d", "ttop", {"freezing": "a", "thawing": "b", "thawing_factor": "c"}, {"thawing_factor": 1}),
            "as a layer and",
        ),
        (DerivedSource("d", "ttop", {"freezing": "a"}), "`thawing` is missing"),
        (DerivedSource("d", "stefan", {"thawing": "a"}), "bulk_density, water is missing"),
        (DerivedSource("d", "stefan", {"thawing": "a"}, {"edaphic_factor": 0.02, "water": 0.3}), "water came as well"),
        (DerivedSource("d", "annual_degree_days", {"mean": "a", "range": "b"}, {"range_of": "weeks"}), "weeks"),
    ],
)
def test_bad_recipes_are_named(source, words):
    """Before anything is computed."""
    faults = derived_faults([source], ("a", "b", "c"))
    assert len(faults) == 1
    assert words in str(faults[0])


def test_indices_through_the_stack(make_stack, grid, relief):
    """Mean and range of the year become degree days, and these become frost number, TTOP and thaw depth; gaps stay gaps."""
    mean = (8 - relief * 0.004).astype(np.float32)
    mean[4:6, 4:6] = np.nan
    generator = np.random.default_rng(6)
    span = generator.uniform(20, 40, mean.shape).astype(np.float32)
    factor = generator.uniform(0.2, 0.9, mean.shape).astype(np.float32)
    indices = {"freezing": "frost", "thawing": "thaw"}
    derived = [
        DerivedSource("thaw", "annual_degree_days", {"mean": "mean", "range": "span"}),
        DerivedSource("frost", "annual_degree_days", {"mean": "mean", "range": "span"}, {"kind": "freezing"}),
        DerivedSource("fn", "frost_number", indices),
        DerivedSource("top", "ttop", indices | {"freezing_factor": "factor"}, {"conductivity_frozen": 1.4}),
        DerivedSource("depth", "stefan", {"thawing": "thaw"}, {"edaphic_factor": 0.03}),
        DerivedSource("nf", "n_factor", {"surface": "thaw", "air": "frost"}),
    ]
    stack = make_stack({"mean": mean, "span": span, "factor": factor}, derived=derived, block_size=32)
    thaw, frost = read_raster(stack.file("thaw")), read_raster(stack.file("frost"))
    np.testing.assert_allclose(read_raster(stack.file("fn")), frost_number(frost, thaw), rtol=1e-6)
    expected = ttop(frost, thaw, freezing_factor=factor, conductivity_frozen=1.4)
    np.testing.assert_allclose(read_raster(stack.file("top")), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(read_raster(stack.file("depth")), 0.03 * np.sqrt(thaw), rtol=1e-6)
    assert [stack.units[name] for name in ("thaw", "fn", "top", "depth")] == ["degree_Celsius day", "1", "degree_Celsius", "m"]
    assert all(stack.report[name]["missing"] == 4 for name in ("thaw", "fn", "top", "depth"))
