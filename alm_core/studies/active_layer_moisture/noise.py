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


@njit(cache=True, nogil=True)
def _add_octave(out, x, y, cosine, sine, shift, wavelength, amplitude, salt, directions):
    """Add one octave at the points (x, y), both flat, to `out`."""
    # points come row by row, so most lie in the lattice cell of the one before: its corners are hashed once
    known_column, known_row = math.inf, math.inf
    ax = ay = bx = by = cx = cy = ex = ey = 0.0
    for i in range(out.size):
        u = (x[i] * cosine + y[i] * sine) / wavelength + shift
        v = (y[i] * cosine - x[i] * sine) / wavelength - shift
        column, row = math.floor(u), math.floor(v)
        if column != known_column or row != known_row:
            known_column, known_row = column, row
            left, top = int(column), int(row)
            corner = _hash(left, top, salt) & 255
            ax, ay = directions[corner, 0], directions[corner, 1]
            corner = _hash(left + 1, top, salt) & 255
            bx, by = directions[corner, 0], directions[corner, 1]
            corner = _hash(left, top + 1, salt) & 255
            cx, cy = directions[corner, 0], directions[corner, 1]
            corner = _hash(left + 1, top + 1, salt) & 255
            ex, ey = directions[corner, 0], directions[corner, 1]
        dx, dy = u - column, v - row
        across = dx * dx * dx * (dx * (dx * 6.0 - 15.0) + 10.0)
        down = dy * dy * dy * (dy * (dy * 6.0 - 15.0) + 10.0)
        first = ax * dx + ay * dy
        second = bx * (dx - 1.0) + by * dy
        third = cx * dx + cy * (dy - 1.0)
        fourth = ex * (dx - 1.0) + ey * (dy - 1.0)
        upper = first + across * (second - first)
        lower = third + across * (fourth - third)
        out[i] += amplitude * (upper + down * (lower - upper))


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
    >>> whole = noise(longitude, latitude, wavelength=1.0, seed=4)
    >>> bool(np.array_equal(whole[10:20, 5:9], noise(longitude[10:20, 5:9], latitude[10:20, 5:9], wavelength=1.0, seed=4)))
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
