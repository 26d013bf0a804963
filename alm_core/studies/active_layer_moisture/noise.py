"""Noise that depends on nothing but the place: the same value in whichever block, in whichever order it is asked for.

Gradient noise on a hashed lattice (Perlin 2002, Improving noise, ACM TOG 21:681), several octaves summed. Every octave
has its lattice turned and shifted, so that no direction and no row of lattice points shows in the sum.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

KM_PER_DEGREE = 111.2
REFERENCE_COSINE = math.cos(math.radians(33.0))
"""Shrinks longitude so that noise is about as wide as it is high in the middle of the plateau."""

SAMPLES_PER_WAVE = 2.0
"""An octave is left out where a wave is shorter than this many cells: it could not be drawn."""

ONE_OCTAVE_SD = 0.2156
"""Standard deviation of one octave of this noise before scaling (measured over 4 million points)."""

TURN = 2.399963229728653
"""Golden angle, rad: turns of successive octaves never come back to the same direction."""

WORD = 0xFFFFFFFF


@njit(cache=True, nogil=True, inline="always")
def _hash(column: int, row: int, salt: int) -> int:
    """Mix a lattice point and a salt into 32 bits (the finaliser of MurmurHash3)."""
    key = (column * 0x9E3779B1 + row * 0x85EBCA77 + salt * 0xC2B2AE3D) & 0xFFFFFFFF
    key ^= key >> 16
    key = (key * 0x85EBCA6B) & 0xFFFFFFFF
    key ^= key >> 13
    key = (key * 0xC2B2AE35) & 0xFFFFFFFF
    return key ^ (key >> 16)


@njit(cache=True, nogil=True, inline="always")
def _corner(column: int, row: int, salt: int, dx: float, dy: float, directions: np.ndarray) -> float:
    turn = _hash(column, row, salt) & 255
    return directions[turn, 0] * dx + directions[turn, 1] * dy


@njit(cache=True, nogil=True)
def _add_octave(out, x, y, cosine, sine, shift, wavelength, amplitude, salt, directions):
    """Add one octave at the points (x, y), both flat, to `out`."""
    for i in range(out.size):
        u = (x[i] * cosine + y[i] * sine) / wavelength + shift
        v = (y[i] * cosine - x[i] * sine) / wavelength - shift
        column, row = math.floor(u), math.floor(v)
        dx, dy = u - column, v - row
        column, row = int(column), int(row)
        across = dx * dx * dx * (dx * (dx * 6.0 - 15.0) + 10.0)
        down = dy * dy * dy * (dy * (dy * 6.0 - 15.0) + 10.0)
        north_west = _corner(column, row, salt, dx, dy, directions)
        north_east = _corner(column + 1, row, salt, dx - 1.0, dy, directions)
        south_west = _corner(column, row + 1, salt, dx, dy - 1.0, directions)
        south_east = _corner(column + 1, row + 1, salt, dx - 1.0, dy - 1.0, directions)
        north = north_west + across * (north_east - north_west)
        south = south_west + across * (south_east - south_west)
        out[i] += amplitude * (north + down * (south - north))


def _directions() -> np.ndarray:
    turn = 2.0 * np.pi * np.arange(256) / 256
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


DIRECTIONS = _directions()


def noise(
    longitude: np.ndarray,
    latitude: np.ndarray,
    *,
    wavelength: float,
    octaves: int = 1,
    persistence: float = 0.5,
    cell: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """Smooth random field, mean 0 and standard deviation about 1, as a pure function of the coordinates.

    Not for places near the poles: longitude is shrunk by one constant.

    Parameters
    ----------
    longitude, latitude : ndarray
        Degrees, any shape, both the same.
    wavelength : float
        Width of the widest octave, degrees of latitude; each following octave is half as wide.
    octaves : int
        Number of octaves.
    persistence : float
        Amplitude of an octave as a part of the one before it.
    cell : float
        Cell size of the raster in degrees: octaves too fine for it are left out, the others keep their amplitude.
        0 keeps all of them.
    seed : int
        Other seeds give independent fields.

    Returns
    -------
    ndarray
        float32, the shape of `longitude`.

    Examples
    --------
    >>> longitude, latitude = np.meshgrid(np.linspace(80, 100, 200), np.linspace(30, 38, 80))
    >>> field = noise(longitude, latitude, wavelength=1.0, octaves=3, seed=4)
    >>> bool(np.array_equal(field[10:20, 5:9], noise(longitude[10:20, 5:9], latitude[10:20, 5:9], wavelength=1.0, octaves=3, seed=4)))
    True
    """
    shape = np.shape(longitude)
    x = np.ascontiguousarray(longitude, np.float64).ravel() * REFERENCE_COSINE
    y = np.ascontiguousarray(latitude, np.float64).ravel()
    out = np.zeros(x.size)
    amplitudes = persistence ** np.arange(octaves)
    amplitudes /= math.sqrt(float(np.sum(amplitudes**2))) * ONE_OCTAVE_SD
    for octave in range(octaves):
        width = wavelength / 2**octave
        if width < SAMPLES_PER_WAVE * cell:
            break
        salt = (seed * 0x27D4EB2F + octave * 0x165667B1) & WORD
        turn = TURN * (octave + 1) + salt / WORD
        shift = 37.0 * octave + 997.0 * (salt / WORD)
        _add_octave(out, x, y, math.cos(turn), math.sin(turn), shift, width, float(amplitudes[octave]), salt, DIRECTIONS)
    return out.astype(np.float32).reshape(shape)
