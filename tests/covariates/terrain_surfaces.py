"""Surfaces with known terrain indices, and a rough one like real relief."""

from __future__ import annotations

import numpy as np

from alm_core.covariates import flow


def halo(elevation: np.ndarray, reach: int) -> np.ndarray:
    """The surface with missing cells around it."""
    return np.pad(np.asarray(elevation, float), reach, constant_values=np.nan)


def places(size: int, cell: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """Metres east and north of the middle cell, ``[row, column]``."""
    rows, columns = np.mgrid[:size, :size] - size // 2
    return columns * cell, -rows * cell


def sizes(rows: int, cell: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of the cells of each row."""
    return np.full(rows, cell), np.full(rows, cell)


def basin(elevation: np.ndarray, cell: float = 10.0, **options: float) -> flow.Drainage:
    """The drainage of a surface of square cells."""
    return flow.drainage(np.asarray(elevation), *sizes(len(elevation), cell), **options)


def rough(size: int, *, seed: int = 1, exponent: float = 2.0, spread: float = 150.0) -> np.ndarray:
    """Fractal noise of the given spread around 0."""
    generator = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = 1
    noise = np.fft.ifft2(np.fft.fft2(generator.normal(size=(size, size))) * frequency**-exponent).real
    return noise / noise.std() * spread


def carved(elevation: np.ndarray, cell: float, *, rounds: int = 3, depth: float = 4.0) -> np.ndarray:
    """The surface with valleys where its water runs, as real relief has them."""
    for _ in range(rounds):
        drained = basin(elevation, cell)
        elevation = drained.filled - depth * np.log10(flow.catchment_area(drained) / cell**2)
    return elevation.astype(np.float32)
