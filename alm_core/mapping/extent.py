"""The area on one side of a threshold, such as the extent of permafrost, and how far off it may be.

A map says of each cell a value and an interval. With the error of a cell taken as normal, of the size that the half of the
interval towards the threshold tells, the cell is on the wanted side with probability ``p``. The expected extent is the sum of
``p`` times area. Its variance is the sum over all pairs of cells of ``a_i a_j Cov(I_i, I_j)``, where the indicators ``I`` of two
cells follow from the bivariate normal distribution with the correlation of the errors at their distance: errors that are alike
over hundreds of kilometres do not cancel, so the interval of the extent is far wider than that of cells which err by themselves.
The double sum is estimated from the pairs of a random sample of cells, as in `alm_core.mapping.area_mean`.

Errors are correlated as the out-of-fold residuals of the sites are (`alm_core.learning.error_correlation`); all cells share the
error of the mean over the sites; cells outside the area of applicability, of which the sites tell nothing, err all alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import norm

from alm_core.errors import DomainError, SitesError
from alm_core.grid import Block, Grid
from alm_core.learning.error_correlation import FULLY_CORRELATED, ErrorCorrelation, fit_error_correlation
from alm_core.mapping.area_mean import CellSample, error_of_mean
from alm_core.mapping.cog import open_raster
from alm_core.mapping.true_area import cell_areas, ground_points

SIDES = ("below", "above")
BLOCK_CELLS = 512
SAMPLED = 1000
"""Cells whose pairs stand for all: half a million pairs, in half a second."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)
NEARLY_ONE = 0.9999
"""Correlation from which two errors count as the same: the integral below has its pole at 1."""
METHOD = (
    "sum over cells of area times the probability of the wanted side; interval from the covariance of all pairs of cells, with "
    "errors correlated in space as the out-of-fold residuals of the sites are"
)


@dataclass(frozen=True)
class ExtentErrors:
    """How the errors of cells hang together.

    Attributes
    ----------
    correlation : ErrorCorrelation
        Over distances in m.
    common_share : float
        Part of the error variance that every cell shares: what the sites do not know of the mean error.
    notes : tuple of str
    """

    correlation: ErrorCorrelation
    common_share: float = 0.0
    notes: tuple[str, ...] = ()

    def at(self, distance: np.ndarray) -> np.ndarray:
        """Correlation of the errors of two cells at distances in m."""
        return self.common_share + (1.0 - self.common_share) * self.correlation.at(distance)


@dataclass(frozen=True)
class Extent:
    """The area on one side of a threshold; areas in km2 on the ellipsoid.

    Attributes
    ----------
    threshold : float
    side : {"below", "above"}
        The threshold itself belongs to the side.
    area_km2 : float
        Of the cells whose mapped value is on the side.
    expected_km2 : float
        Sum of area times probability; it differs from `area_km2` where intervals are not alike on the two sides.
    lower_km2, upper_km2 : float or None
        Interval around the expected area, widened where it has to be so that it holds the mapped area; None where the map has no
        intervals.
    standard_error_km2 : float or None
    certain_km2, possible_km2 : float or None
        Cells whose whole interval is on the side, and cells of whose interval some part is: bounds as if every cell were off by
        its whole interval at once.
    level : float or None
    mapped_km2 : float
        All cells with a value.
    cells : int
    method : str
    notes : tuple of str
    """

    threshold: float
    side: str
    area_km2: float
    expected_km2: float
    lower_km2: float | None
    upper_km2: float | None
    standard_error_km2: float | None
    certain_km2: float | None
    possible_km2: float | None
    level: float | None
    mapped_km2: float
    cells: int
    method: str = METHOD
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"notes": list(self.notes)}


def fit_extent_errors(points: np.ndarray, standardised: np.ndarray, *, seed: int = 0) -> ExtentErrors:
    """Learn from the sites how errors hang together.

    Parameters
    ----------
    points : ndarray, ``[site, dimension]``
        `alm_core.mapping.true_area.ground_points`.
    standardised : ndarray, ``[site]``
        Out-of-fold errors over the standard deviation that the interval tells; NaN is left out.
    seed : int

    Notes
    -----
    Where the sites are too few to tell, errors are taken as the same everywhere, which is cautious, and a note says so.
    """
    try:
        correlation, notes = fit_error_correlation(points, standardised, seed=seed), ()
    except SitesError as fault:
        text = f"How errors are correlated in space is not known ({fault}): they are taken as the same everywhere."
        return ExtentErrors(FULLY_CORRELATED, 0.0, (text,))
    known = np.isfinite(standardised)
    count = int(known.sum())
    common = error_of_mean(np.ones(count), np.ones(count), np.asarray(points)[known], correlation) ** 2
    return ExtentErrors(correlation, float(min(common, 1.0)), notes)


def extent(
    folder: Path, errors: ExtentErrors, *, threshold: float, side: str = "below", level: float | None, seed: int = 0
) -> Extent:
    """Measure the area of a map on one side of a threshold.

    Parameters
    ----------
    folder : Path
        With ``fused.tif`` and ``uncertainty.tif`` of a regression.
    errors : ExtentErrors
    threshold : float
        In the unit of the map.
    side : {"below", "above"}
    level : float or None
        Of the map's intervals; None: it has none, and the extent gets none.
    seed : int
        Of the sample of cells.

    Returns
    -------
    Extent

    Raises
    ------
    DomainError
        Another side.
    """
    if side not in SIDES:
        raise DomainError(f"The side {side!r} of a threshold is not known: give one of {', '.join(SIDES)}.")
    z = None if level is None else float(norm.ppf((1.0 + level) / 2.0))
    sums = _Sums(CellSample(SAMPLED, seed=seed))
    sign = 1.0 if side == "below" else -1.0
    with open_raster(folder / "fused.tif") as fused, open_raster(folder / "uncertainty.tif") as trust:
        grid = Grid.from_dataset(fused)
        for block, area in _areas(grid):
            value = _read(fused, 1, block)
            bands = dict(zip(trust.descriptions, trust.indexes, strict=True))
            bounds = [_read(trust, bands[name], block) for name in ("lower", "upper", "inside")]
            sums.add(grid, block, area, sign * (threshold - value), *(_sided(bounds, sign, threshold)), z)
    return _extent(sums, grid, errors, threshold, side, level, z)


def _sided(bounds: list[np.ndarray], sign: float, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least and largest lead over the threshold that the interval allows, and the area of applicability."""
    leads = sign * (threshold - bounds[0]), sign * (threshold - bounds[1])
    return np.minimum(*leads), np.maximum(*leads), bounds[2]


def _areas(grid: Grid) -> Iterator[tuple[Block, np.ndarray]]:
    for block in grid.blocks(BLOCK_CELLS):
        yield block, cell_areas(grid, *block.slices)


def _read(dataset: Any, band: int, block: Block) -> np.ndarray:
    raw = dataset.read(band, window=block.window, masked=True)
    values = raw.data.astype(float) * dataset.scales[band - 1] + dataset.offsets[band - 1]
    return np.where(np.ma.getmaskarray(raw), np.nan, values)


@dataclass
class _Sums:
    """What the blocks add up to; areas in m2."""

    sample: CellSample
    cells: int = 0
    mapped: float = 0.0
    on_side: float = 0.0
    expected: float = 0.0
    alone: float = 0.0
    certain: float = 0.0
    possible: float = 0.0
    unbounded: int = 0

    def add(
        self,
        grid: Grid,
        block: Block,
        area: np.ndarray,
        lead: np.ndarray,
        least: np.ndarray,
        largest: np.ndarray,
        inside: np.ndarray,
        z: float | None,
    ) -> None:
        """Add the cells of a block; `lead` is by how far the value is on the wanted side."""
        valid = np.isfinite(lead) & np.isfinite(area)
        if not valid.any():
            return
        rows, columns = np.nonzero(valid)
        area, lead, least, largest = area[valid], lead[valid], least[valid], largest[valid]
        self.cells += lead.size
        self.mapped += float(area.sum())
        self.on_side += float(area[lead >= 0].sum())
        if z is None:
            return
        # The half of the interval that reaches towards the threshold.
        half = np.where(lead >= 0, lead - least, largest - lead)
        bounded = np.isfinite(half)
        self.unbounded += int((~bounded).sum())
        # A half without width leaves no doubt on which side the value is.
        score = np.where(half > 0, lead / np.where(half > 0, half / z, 1.0), np.where(lead >= 0, np.inf, -np.inf))
        score[~bounded] = 0.0
        probability = norm.cdf(score)
        self.expected += float(area @ probability)
        self.alone += float((area**2) @ (probability * (1.0 - probability)))
        self.certain += float(area[(least >= 0) & bounded].sum())
        self.possible += float(area[(largest >= 0) | ~bounded].sum())
        places = np.column_stack([grid.x[block.slices[1]][columns], grid.y[block.slices[0]][rows]])
        self.sample.add(np.column_stack([score, area, inside[valid] == 0, places]))


def _extent(
    sums: _Sums, grid: Grid, errors: ExtentErrors, threshold: float, side: str, level: float | None, z: float | None
) -> Extent:
    notes = list(errors.notes)
    on_side, mapped = sums.on_side / 1e6, sums.mapped / 1e6
    if z is None or sums.cells == 0:
        notes.append("The map has no intervals, so the extent has none." if sums.cells else "No cell of the map has a value.")
        nothing = (None, None, None, None, None, None)
        return Extent(threshold, side, on_side, on_side, *nothing, mapped, sums.cells, notes=tuple(notes))
    if sums.unbounded:
        notes.append(f"{sums.unbounded} cells have no bounded interval: either side is taken as equally likely there.")
    rows = sums.sample.rows
    points = ground_points(grid, rows[:, 3], rows[:, 4])
    squares = None if sums.sample.complete else sums.alone / sums.mapped**2
    share = error_of_share(rows[:, 0], rows[:, 1], points, errors, alike=rows[:, 2] == 1, sum_of_squares=squares)
    expected, error = sums.expected / 1e6, share * mapped
    # Nothing is worse than every cell off by its whole interval at once; the normal distribution does not know that.
    lower, upper = max(sums.certain / 1e6, expected - z * error), min(sums.possible / 1e6, expected + z * error)
    return Extent(
        threshold,
        side,
        on_side,
        expected,
        min(lower, on_side),
        max(upper, on_side),
        error,
        sums.certain / 1e6,
        sums.possible / 1e6,
        level,
        mapped,
        sums.cells,
        notes=tuple(notes),
    )


def error_of_share(
    score: np.ndarray,
    area: np.ndarray,
    points: np.ndarray,
    errors: ExtentErrors,
    *,
    alike: np.ndarray | None = None,
    sum_of_squares: float | None = None,
) -> float:
    """Standard error of the share of an area on the wanted side.

    Parameters
    ----------
    score : ndarray, ``[cell]``
        Lead of the value over the threshold, in standard deviations of the error.
    area : ndarray, ``[cell]``
        Any positive scale.
    points : ndarray, ``[cell, dimension]``
        In m.
    errors : ExtentErrors
    alike : ndarray of bool, optional
        Cells that all have one and the same error.
    sum_of_squares : float, optional
        ``sum (w_i^2 p_i (1 - p_i))`` over all cells with weights that sum to 1, where the cells given are a random sample of
        them.

    Examples
    --------
    >>> apart = np.array([[0.0, 0.0], [9e9, 0.0]])
    >>> round(error_of_share(np.zeros(2), np.ones(2), apart, ExtentErrors(ErrorCorrelation(0.0, 1.0))) ** 2, 9)
    0.125
    """
    share = np.asarray(area, float) / np.sum(area)
    probability = norm.cdf(score)
    rho = errors.at(cdist(points, points))
    if alike is not None and alike.any():
        rho[np.ix_(alike, alike)] = 1.0
    covariance = indicator_covariance(np.asarray(score, float), rho)
    np.fill_diagonal(covariance, 0.0)
    pairs = float(share @ covariance @ share)
    alone = float((share**2) @ (probability * (1.0 - probability)))
    if sum_of_squares is not None:
        # Pairs of different sampled cells stand for all pairs: their weights must sum to 1 without the diagonal.
        whole = 1.0 - float(share @ share)
        pairs, alone = pairs / whole if whole > 0 else alone, sum_of_squares
    return math.sqrt(max(pairs + alone, 0.0))


def indicator_covariance(score: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Covariance of the indicators ``e_i <= score_i`` of standard normal errors with correlations `rho`, ``[cell, cell]``.

    ``Cov = integral from 0 to asin(rho) of exp(-(h^2 + k^2 - 2 h k sin t) / (2 cos^2 t)) / (2 pi) dt`` (Drezner and Wesolowsky
    1990, Journal of Statistical Computation and Simulation 35:101), by Gauss-Legendre quadrature; errors that are the same give
    ``min(p_i, p_j) - p_i p_j``.

    Examples
    --------
    >>> rho = np.array([[1.0, 0.5], [0.5, 1.0]])
    >>> indicator_covariance(np.zeros(2), rho).round(6).tolist()
    [[0.25, 0.083333], [0.083333, 0.25]]
    """
    # Beyond 8 standard deviations an indicator is settled, and infinity times 0 would be no number.
    score = np.clip(score, -8.0, 8.0)
    squares, products = np.add.outer(score**2, score**2), np.multiply.outer(score, score)
    half = np.arcsin(np.clip(rho, -NEARLY_ONE, NEARLY_ONE)) / 2.0
    total = np.zeros_like(rho)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        angle = half * (node + 1.0)
        total += weight * np.exp(-(squares - 2.0 * products * np.sin(angle)) / (2.0 * np.cos(angle) ** 2))
    probability = norm.cdf(score)
    same = np.minimum.outer(probability, probability) - np.multiply.outer(probability, probability)
    return np.where(rho > NEARLY_ONE, same, total * half / (2.0 * np.pi))
