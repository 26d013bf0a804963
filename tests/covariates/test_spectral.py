"""Indices from optical bands."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.covariates.spectral import ndvi, ndwi, normalised_difference
from alm_core.errors import StudyError


@pytest.mark.parametrize(("nir", "red", "expected"), [(0.4, 0.1, 0.6), (0.2, 0.2, 0.0), (0.0, 0.3, -1.0), (4000, 1000, 0.6)])
def test_ndvi_by_hand(nir, red, expected):
    """Numbers worked out by hand, in reflectance or scaled integers."""
    assert ndvi(np.array([nir]), np.array([red]))[0] == pytest.approx(expected)


@pytest.mark.parametrize(("nir", "red"), [(np.nan, 0.1), (0.1, np.nan), (0.0, 0.0), (-0.1, 0.2), (0.2, -0.1), (-0.2, -0.3)])
def test_undefined_cells_are_nan(nir, red):
    """Missing bands, a sum of zero and negative reflectance give NaN, never a wild number."""
    assert np.isnan(ndvi(np.array([nir], np.float32), np.array([red], np.float32)))[0]


def test_unsigned_bands_do_not_wrap():
    """Bands as uint16 give negative indices where they should."""
    assert ndvi(np.array([1000], np.uint16), np.array([3000], np.uint16))[0] == pytest.approx(-0.5)


def test_index_keeps_within_bounds_and_changes_sign_with_order():
    """Random reflectance stays within -1..1, and swapping the bands swaps the sign."""
    first, second = np.random.default_rng(0).uniform(0, 1, (2, 50, 60))
    index = normalised_difference(first, second)
    assert np.all(np.abs(index) <= 1)
    np.testing.assert_array_equal(index, -normalised_difference(second, first))
    assert index.dtype == np.float32


def test_both_water_indices():
    """McFeeters takes green and nir, Gao nir and swir; they are different quantities."""
    green, nir, swir = (np.array([value]) for value in (0.12, 0.04, 0.01))
    assert ndwi(nir, green=green)[0] == pytest.approx(0.5)
    assert ndwi(nir, swir=swir, definition="gao")[0] == pytest.approx(0.6)


@pytest.mark.parametrize(("options", "words"), [({}, "green"), ({"definition": "gao"}, "swir"), ({"definition": "xu"}, "xu")])
def test_missing_band_or_definition_is_named(options, words):
    """A band that the definition needs is asked for by name."""
    with pytest.raises(StudyError, match=words):
        ndwi(np.array([0.1]), **options)
