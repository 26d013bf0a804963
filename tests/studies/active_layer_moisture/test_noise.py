"""Noise as a pure function of the place."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.studies.active_layer_moisture.noise import noise

LONGITUDE, LATITUDE = np.meshgrid(np.linspace(70.0, 104.0, 700), np.linspace(39.0, 26.0, 300))


@pytest.mark.parametrize("wavelength", [2.0, 0.3, 0.1])
@pytest.mark.parametrize("octaves", [1, 4])
def test_mean_and_spread(wavelength: float, octaves: int) -> None:
    """The field has mean 0 and standard deviation 1, whatever its width."""
    field = noise(LONGITUDE, LATITUDE, wavelength=wavelength, octaves=octaves, seed=11)
    assert abs(field.mean()) < 0.15
    assert 0.85 < field.std() < 1.15
    assert np.abs(field).max() < 5.0


def test_any_block_and_any_order_give_the_same_bits() -> None:
    """A part of the places, in another order and shape, gets the values of the whole."""
    whole = noise(LONGITUDE, LATITUDE, wavelength=0.5, octaves=3, seed=5)
    order = np.random.default_rng(0).permutation(whole.size)
    alone = noise(LONGITUDE.ravel()[order], LATITUDE.ravel()[order], wavelength=0.5, octaves=3, seed=5)
    assert np.array_equal(whole.ravel()[order], alone)


def test_seeds_are_independent() -> None:
    """Two seeds share nothing; one seed repeats itself."""
    first = noise(LONGITUDE, LATITUDE, wavelength=0.3, seed=1)
    second = noise(LONGITUDE, LATITUDE, wavelength=0.3, seed=2)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05
    assert np.array_equal(first, noise(LONGITUDE, LATITUDE, wavelength=0.3, seed=1))


def test_octaves_too_fine_for_the_cell_are_left_out() -> None:
    """A coarse cell sees the wide octaves with the amplitude that a fine cell gives them."""
    fine = noise(LONGITUDE, LATITUDE, wavelength=0.8, octaves=4, seed=3)
    coarse = noise(LONGITUDE, LATITUDE, wavelength=0.8, octaves=4, cell=0.3, seed=3)
    assert coarse.std() < fine.std()
    assert np.corrcoef(fine.ravel(), coarse.ravel())[0, 1] > 0.7
    assert not noise(LONGITUDE, LATITUDE, wavelength=0.8, octaves=4, cell=0.5, seed=3).any()


def test_neighbours_are_alike_and_far_places_are_not() -> None:
    """The field is smooth over a tenth of its wavelength and unrelated over three."""
    field = noise(LONGITUDE, LATITUDE, wavelength=1.0, seed=9)
    near = noise(LONGITUDE + 0.1, LATITUDE, wavelength=1.0, seed=9)
    far = noise(LONGITUDE + 4.0, LATITUDE, wavelength=1.0, seed=9)
    assert np.corrcoef(field.ravel(), near.ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(field.ravel(), far.ravel())[0, 1]) < 0.15
