"""The mean of a map over an area and how far off it may be, where errors of neighbouring cells are alike.

The error of a mean is not that of a cell over the root of their number: errors that are correlated in space do not cancel. With
weights ``w`` (area of a cell over that of all), standard deviation ``s`` of the error of each cell and correlation ``rho`` of the
errors of two cells at distance ``h``::

    Var(mean) = sum_i sum_j  w_i w_j s_i s_j rho(h_ij)

This is the block-support variance of geostatistics (Journel and Huijbregts 1978), as Wadoux and Heuvelink (2023, Methods in
Ecology and Evolution 14:1320, "Uncertainty of spatial averages and totals of natural resource maps") use it for maps of machine
learning, with the correlation of the standardised out-of-fold residuals (`alm_core.learning.error_correlation`). The double sum
over many cells is estimated from the pairs of a random sample of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from alm_core.errors import DomainError
from alm_core.learning.error_correlation import ErrorCorrelation

SAMPLE_CELLS = 1500
"""Cells whose pairs stand for all: a million pairs, in a fraction of a second."""
FINE_BINS = 20_000


def error_of_mean(
    sd: np.ndarray,
    weight: np.ndarray,
    points: np.ndarray,
    correlation: ErrorCorrelation,
    *,
    sum_of_squares: float | None = None,
) -> float:
    """Standard error of a weighted mean.

    Parameters
    ----------
    sd : ndarray, ``[cell]``
        Standard deviation of the error of each cell.
    weight : ndarray, ``[cell]``
        Any positive scale.
    points : ndarray, ``[cell, dimension]``
        Places whose straight distances are those of the correlation.
    correlation : ErrorCorrelation
    sum_of_squares : float, optional
        ``sum (w_i s_i)^2`` over all cells with weights that sum to 1, where the cells given are a random sample of them; without
        it they are all there are.

    Examples
    --------
    >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> alone, alike = ErrorCorrelation(1.0, 1.0), ErrorCorrelation(0.0, float("inf"))
    >>> [error_of_mean(np.full(4, 0.1), np.ones(4), corners, which) for which in (alone, alike)]
    [0.05, 0.1]
    """
    sd, weight = np.asarray(sd, float), np.asarray(weight, float)
    if sd.size == 0 or not (weight > 0).all():
        raise DomainError(f"{sd.size} cells with weights: at least one cell, and weights above 0 are expected")
    share = weight / weight.sum()
    pull = share * sd
    rho = correlation.at(cdist(points, points))
    np.fill_diagonal(rho, 0.0)
    pairs, alone = float(pull @ rho @ pull), float(pull @ pull)
    if sum_of_squares is not None:
        # Pairs of different sampled cells stand for all pairs: their weights must sum to 1 without the diagonal.
        whole = 1.0 - float(share @ share)
        pairs, alone = pairs / whole if whole > 0 else alone, sum_of_squares
    return float(np.sqrt(max(pairs + alone, 0.0)))


class CellSample:
    """A random sample of the cells that come by, without knowing how many will come.

    Every cell draws a number, and the cells with the smallest numbers stay: each subset is as likely as any other.
    """

    def __init__(self, size: int, *, seed: int) -> None:
        self.size = size
        self.seen = 0
        self._random = np.random.default_rng(seed)
        self._rows = np.empty((0, 0))
        self._draw = np.empty(0)

    def add(self, rows: np.ndarray) -> None:
        """Offer cells ``[cell, column]``."""
        self.seen += len(rows)
        draw = self._random.random(len(rows))
        if len(self._draw) >= self.size:
            kept = draw < self._draw.max()
            draw, rows = draw[kept], rows[kept]
        self._draw = np.concatenate([self._draw, draw])
        self._rows = rows.astype(float) if self._rows.size == 0 else np.concatenate([self._rows, rows])
        if len(self._draw) > self.size:
            kept = np.argpartition(self._draw, self.size)[: self.size]
            self._draw, self._rows = self._draw[kept], self._rows[kept]

    @property
    def rows(self) -> np.ndarray:
        """The sampled cells ``[cell, column]``."""
        return self._rows

    @property
    def complete(self) -> bool:
        """True where every cell that came by is in the sample."""
        return self.seen == len(self._draw)


@dataclass
class FineHistogram:
    """Weights by value in narrow bins between a known minimum and maximum, from which quantiles and a histogram are read.

    Attributes
    ----------
    low, high : float
    weight : ndarray
        ``[bin]``.
    """

    low: float
    high: float
    weight: np.ndarray

    @classmethod
    def empty(cls, low: float, high: float) -> FineHistogram:
        """A histogram without weights."""
        return cls(low, high, np.zeros(FINE_BINS))

    def add(self, values: np.ndarray, weights: np.ndarray) -> None:
        """Count values within the limits."""
        width = self.high - self.low
        place = np.zeros(values.shape, np.int64)
        if width > 0:
            place = np.minimum(((values - self.low) * (FINE_BINS / width)).astype(np.int64), FINE_BINS - 1)
        self.weight += np.bincount(place, weights, FINE_BINS)

    def quantile(self, share: float) -> float:
        """The value below which `share` of the weight lies, to within a bin (a 20,000th of the range).

        Examples
        --------
        >>> histogram = FineHistogram.empty(0.0, 1.0)
        >>> histogram.add(np.array([0.0, 1.0]), np.array([3.0, 1.0]))
        >>> round(histogram.quantile(0.5), 3), round(histogram.quantile(0.9), 3)
        (0.0, 1.0)
        """
        if self.high == self.low:
            return self.low
        total = np.cumsum(self.weight)
        wanted = share * total[-1]
        place = int(np.searchsorted(total, wanted))
        place = min(place, FINE_BINS - 1)
        before = total[place - 1] if place else 0.0
        part = (wanted - before) / self.weight[place] if self.weight[place] > 0 else 0.0
        return float(self.low + (place + part) * (self.high - self.low) / FINE_BINS)

    def sd(self, mean: float) -> float:
        """Standard deviation about a mean, to within a bin."""
        if self.high == self.low:
            return 0.0
        centres = self.low + (np.arange(FINE_BINS) + 0.5) * (self.high - self.low) / FINE_BINS
        return float(np.sqrt(self.weight @ (centres - mean) ** 2 / self.weight.sum()))

    def coarse(self, bins: int) -> tuple[np.ndarray, np.ndarray]:
        """Edges ``[bins + 1]`` and weights ``[bins]``; `bins` must divide 20,000.

        A single value gives one bin around it.
        """
        if self.high == self.low:
            half = max(abs(self.low) * 1e-3, 1e-9)
            return np.array([self.low - half, self.high + half]), np.array([self.weight.sum()])
        return np.linspace(self.low, self.high, bins + 1), self.weight.reshape(bins, -1).sum(axis=1)
