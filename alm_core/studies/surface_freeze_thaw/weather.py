"""Noise of days: alike in neighbouring places and from one day to the next."""

from __future__ import annotations

import zlib

import numpy as np

MARGIN = 2.0
"""The lattice reaches this many of its steps beyond the cells, so that edges vary as much as the middle."""


class DailyNoise:
    """Gaussian noise of unit variance, day after day.

    White noise on a lattice of places is made persistent in time (autoregressive, first order) and spread to the cells by a
    Gauss kernel as wide as the lattice is spaced. Days are drawn in order; a second call goes on where the first ended, so years
    can be made one by one.

    Parameters
    ----------
    name : str
        Each name has noise of its own.
    longitude, latitude : ndarray
        Of the cells, degrees.
    spacing : float
        Of the lattice, degrees: about the distance over which the noise is alike.
    persistence : float
        Correlation from a day to the next, 0 to below 1.
    seed : int

    Examples
    --------
    >>> place = np.array([90.0, 90.1, 99.0]), np.array([33.0, 33.0, 33.0])
    >>> noise = DailyNoise("air", *place, spacing=2.0, persistence=0.7, seed=1)
    >>> days = noise.days(2000)
    >>> bool(np.corrcoef(days[:, 0], days[:, 1])[0, 1] > 0.9), bool(abs(np.corrcoef(days[:, 0], days[:, 2])[0, 1]) < 0.2)
    (True, True)
    """

    def __init__(
        self, name: str, longitude: np.ndarray, latitude: np.ndarray, *, spacing: float, persistence: float, seed: int
    ) -> None:
        self._random = np.random.default_rng([seed, zlib.crc32(name.encode())])
        self._persistence = persistence
        shrink = np.cos(np.radians(33.0))
        x, y = longitude * shrink, np.asarray(latitude)
        reach = MARGIN * spacing
        lattice_x, lattice_y = (np.arange(one.min() - reach, one.max() + reach + spacing, spacing) for one in (x, y))
        # a kernel of two dimensions is the product of two of one
        across, down = (np.exp(-(((one[None] - at[:, None]) / spacing) ** 2)) for one, at in ((x, lattice_x), (y, lattice_y)))
        weights = (down[:, None] * across[None]).reshape(-1, len(x))
        self._weights = (weights / np.sqrt(np.sum(weights**2, axis=0))).astype(np.float32)
        self._last = self._random.standard_normal(len(weights))

    def days(self, count: int) -> np.ndarray:
        """The next days, float32 ``[day, cell]``."""
        from scipy.signal import lfilter

        fresh = self._random.standard_normal((count, len(self._last))) * np.sqrt(1.0 - self._persistence**2)
        begun = (self._persistence * self._last)[None]
        series, _ = lfilter([1.0], [1.0, -self._persistence], fresh, axis=0, zi=begun)
        self._last = series[-1]
        return series.astype(np.float32) @ self._weights
