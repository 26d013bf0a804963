"""What the out-of-fold errors at the sites say of the error of a mean over an area."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from alm_core.covariates.samples import Samples
from alm_core.errors import SitesError
from alm_core.grid import Grid
from alm_core.inspection.area_reader import AreaReader
from alm_core.inspection.area_sums import SAMPLE_COLUMNS, AreaSums, ErrorSums
from alm_core.learning.error_correlation import FULLY_CORRELATED, ErrorCorrelation, fit_error_correlation
from alm_core.learning.knndm import EARTH_RADIUS_METRES, space
from alm_core.mapping.area_mean import error_of_mean
from alm_core.mapping.cog import open_raster
from alm_core.workspace import Run


@dataclass(frozen=True)
class SiteErrors:
    """Errors at the sites, by the scheme that answers for the map.

    Attributes
    ----------
    correlation : ErrorCorrelation
        Of errors over their expected size; distances in metres.
    error_of_mean : float
        Standard error of the mean error over the sites, in the unit of the target.
    level : float
        Of the run's intervals.
    notes : tuple of str
    """

    correlation: ErrorCorrelation
    error_of_mean: float
    level: float
    notes: tuple[str, ...] = ()

    @property
    def z(self) -> float:
        """Half width of an interval of this level in standard errors."""
        return float(norm.ppf((1.0 + self.level) / 2.0))


@dataclass(frozen=True)
class MeanError:
    """Standard errors over an area.

    Attributes
    ----------
    value : float
        Of the mean value.
    column : float or None
        Of the mean water column (m) from moisture alone, where there is a thickness.
    sites : SiteErrors
    """

    value: float
    column: float | None
    sites: SiteErrors


def site_errors(run: Run) -> SiteErrors:
    """Correlation and mean of the out-of-fold errors; kept between calls.

    Where the sites are too few to tell, errors are taken as the same everywhere, which is cautious, and a note says so.
    """
    return _held_site_errors(str(run.folder), run.file("out_of_fold.parquet").stat().st_mtime_ns)


def mean_error(run: Run, reader: AreaReader, sums: AreaSums) -> MeanError | None:
    """Error of the mean over an area; None where the map has no intervals, or unbounded ones.

    Three parts, joined by their squares:

    1. the cells inside the area of applicability, with errors correlated in space as those of the sites are;
    2. the cells outside it: the sites tell nothing of errors there, so they are taken as one and the same error for all;
    3. the mean error over the sites. It does not shrink with the area: no mean can be known better than the sites know by how
       much the map is off on the whole.
    """
    if not reader.has_interval or "lower" not in reader.bands or sums.unbounded or sums.valid == 0:
        return None
    sites = site_errors(run)
    rows = sums.sample.rows.reshape(-1, SAMPLE_COLUMNS)
    points = metric_points(reader.grid, rows[:, 3], rows[:, 4])
    value = _joined(sums.errors, sums.valid_area, rows[:, 0], rows[:, 1], points, sites, complete=sums.sample.complete)
    column = None
    if sums.water_area > 0:
        thick = np.isfinite(rows[:, 2])
        pull = (rows[:, 0] * rows[:, 2])[thick]
        part = _joined(sums.columns, sums.water_area, pull, rows[thick, 1], points[thick], sites, complete=sums.sample.complete)
        column = math.hypot(part, sites.error_of_mean * sums.thickness / sums.water_area)
    return MeanError(math.hypot(value, sites.error_of_mean), column, sites)


def _joined(
    sums: ErrorSums,
    whole_area: float,
    width: np.ndarray,
    area: np.ndarray,
    points: np.ndarray,
    sites: SiteErrors,
    *,
    complete: bool,
) -> float:
    """Error of a mean from cells inside and outside the area of applicability; widths of intervals become errors here."""
    width_per_error = 2.0 * sites.z
    inside = 0.0
    if len(width):
        squares = None if complete else sums.squares / sums.inside_area**2
        inside = error_of_mean(width, area, points, sites.correlation, sum_of_squares=squares) * sums.inside_area
    return math.hypot(inside, sums.outside) / whole_area / width_per_error


def metric_points(grid: Grid, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Places of a grid's CRS as points whose straight distances are metres (chords through the earth on a geographic grid)."""
    points = space(x, y, geographic=grid.is_geographic)
    if grid.is_geographic:
        return points * EARTH_RADIUS_METRES
    metres_per_unit = float(grid.cell_size_metres(slice(0, 1))[0][0]) / grid.resolution[0]
    return points * metres_per_unit


@lru_cache(maxsize=16)
def _held_site_errors(folder: str, stamp: int) -> SiteErrors:
    run = Run(Path(folder))
    options = run.record["options"]
    level = float(options["uncertainty"]["level"])
    samples = Samples.from_parquet(run.file("samples.parquet"))
    rows = headline_rows(run).set_index("site_id").reindex(samples.site_ids)
    residual = (rows["observed"].astype(float) - rows["fused"].astype(float)).to_numpy()
    expected = (rows["upper"] - rows["lower"]).to_numpy(float)
    usable = np.isfinite(expected) & (expected > 0)
    standardised = np.divide(residual, expected, out=np.full(residual.shape, np.nan), where=usable)
    with open_raster(run.file("map/fused.tif")) as dataset:
        grid = Grid.from_dataset(dataset)
    points, notes = metric_points(grid, samples.x, samples.y), ()
    try:
        correlation = fit_error_correlation(points, standardised, seed=int(options["study"]["seed"]))
    except SitesError as fault:
        correlation = FULLY_CORRELATED
        notes = (f"How errors are correlated in space is not known ({fault}): they are taken as the same everywhere.",)
    known = np.isfinite(residual)
    spread = np.full(int(known.sum()), float(np.std(residual[known])))
    of_mean = error_of_mean(spread, np.ones(spread.size), points[known], correlation)
    return SiteErrors(correlation, of_mean, level, notes)


def headline_rows(run: Run) -> pd.DataFrame:
    """Out-of-fold rows of the scheme that answers for the map, first repeat."""
    frame = pd.read_parquet(run.file("out_of_fold.parquet"))
    schemes = list(dict.fromkeys(frame["scheme"]))
    wanted = run.record["options"]["validation"]["headline"]
    return frame[(frame["scheme"] == (wanted if wanted in schemes else schemes[0])) & (frame["repeat"] == 0)]
