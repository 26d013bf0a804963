"""Ordinary and regression kriging by GSTools: the geostatistical baseline, and the spatial part of what a model leaves over.

Kriging weighs the sites around a place by how fast values lose their likeness with distance (the variogram). With a drift,
a linear part in covariates is estimated in the same system (universal kriging with external drift, which is regression
kriging with generalised least squares).

On geographic grids distances are chords through the sphere: they rank as great circles do, and the variogram models
stay valid with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.linalg import qr, solve
from scipy.spatial.distance import cdist

from alm_core.errors import LearnerError
from alm_core.learning.knndm import EARTH_RADIUS_METRES, space
from alm_core.learning.learners import single_thread
from alm_core.learning.variogram import Variogram, fit_variogram

FEWEST_SITES = 10
MOST_SITES = 4000
"""The system of all sites is solved at once: some ten seconds and 0.5 GB at this number, and variances take far longer."""
BLOCK_CELLS = 4_000_000
"""Sites x places held at once while predicting: 32 MB an array."""
DEPENDENT = 1e-8
"""Least part of a drift column that the columns before it must leave unexplained."""


class Kriging:
    """Kriging of one variable: isotropic, with a nugget.

    Not for many thousands of sites, and of little use where places lie further from sites than the variogram reaches: the
    prediction is then the mean, or the drift alone. The estimated mean is that of the system (generalised least squares): with
    a long range it can lie well away from the average of the sites, so residuals are better kriged with a known mean of 0.

    Parameters
    ----------
    geographic : bool
        x, y are degrees of longitude and latitude.
    seed : int
        Of the sites drawn for the variogram where there are very many.
    mean : float, optional
        Known mean (simple kriging); 0 suits residuals. By default the mean is estimated (ordinary kriging).

    Attributes
    ----------
    variogram_ : Variogram or None
        Distances in metres (chords) on geographic grids, else in units of the CRS. None where the mean or the drift
        explains every value, so that nothing is left to krige.
    left_out_ : int
        Sites without a drift value; they were not used.
    drift_used_ : tuple of int
        Columns of the drift that were used: constant ones and those that follow from others are not.

    Examples
    --------
    >>> x, y = np.random.default_rng(0).uniform(0, 100, (2, 80))
    >>> model = Kriging(geographic=False).fit(x, y, np.sin(x / 20))
    >>> value, variance = model.predict([50.0], [50.0])
    >>> bool(abs(value[0] - np.sin(2.5)) < 0.1)
    True
    """

    def __init__(self, *, geographic: bool, seed: int = 0, mean: float | None = None) -> None:
        self.geographic = geographic
        self.seed = seed
        self.mean = mean
        self.variogram_: Variogram | None = None
        self.left_out_ = 0
        self.drift_used_: tuple[int, ...] = ()
        self._terms = 0
        self._fitted = False

    def fit(self, x: Any, y: Any, value: Any, drift: Any = None) -> Kriging:
        """Fit variogram and drift.

        Parameters
        ----------
        x, y, value : array [site]
        drift : array [site, term], optional
            Covariates in which the mean is linear; categories must come as 0/1 columns.

        Raises
        ------
        LearnerError
            Too few or too many sites, missing values or coordinates, a drift together with a known mean.
        """
        x, y, value, drift = self._checked_sites(x, y, value, drift)
        points = space(x, y, geographic=self.geographic)
        self._centre = points.mean(axis=0)
        self._size = float(np.linalg.norm(np.ptp(points, axis=0))) or 1.0
        self._points = (points - self._centre) / self._size
        self._set_drift(drift)
        with single_thread():
            self._solve(value, self._columns(drift, len(value)))
        self._fitted = True
        return self

    def predict(self, x: Any, y: Any, drift: Any = None, *, variance: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """Predict value and variance ``[n]`` at places; NaN where the drift is missing.

        Parameters
        ----------
        x, y : array [n]
        drift : array [n, term], optional
            The columns of the fit.
        variance : bool
            False is many times faster for maps and returns None in place of the variance, which is that of a new
            measurement: it holds the nugget.

        Raises
        ------
        LearnerError
            Not fitted, or a drift of another number of columns.
        """
        x, y, drift = self._checked_places(x, y, drift)
        value = np.full(len(x), np.nan)
        spread = np.full(len(x), np.nan) if variance else None
        known = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & (True if drift is None else np.isfinite(drift).all(axis=1)))
        with single_thread():
            for rows in _chunks(known, max(1, BLOCK_CELLS // len(self._points))):
                places = (space(x[rows], y[rows], geographic=self.geographic) - self._centre) / self._size
                columns = self._columns(None if drift is None else drift[rows], len(rows))
                value[rows] = self._value(places, columns)
                if variance:
                    spread[rows] = self._variance(places, columns)
        return value, spread

    def to_dict(self) -> dict[str, Any]:
        """What was fitted, as plain values."""
        return {
            "mean": "known" if self.mean is not None else ("drift" if self._terms else "estimated"),
            "sites": len(self._points) if self._fitted else 0,
            "left_out": self.left_out_,
            "drift_used": list(self.drift_used_),
            "variogram": self.variogram_.to_dict() if self.variogram_ else None,
        }

    # ---- the system ---------------------------------------------------------------------------------------------

    def _solve(self, value: np.ndarray, columns: np.ndarray) -> None:
        """Fit the variogram to what mean or drift leave over, then solve the kriging system once for all places."""
        self._offset = self.mean if self.mean is not None else float(value.mean())
        centred = value - self._offset
        trend = np.linalg.lstsq(columns, centred, rcond=None)[0]
        residual = centred - columns @ trend
        self._spread = float(residual.std())
        if self._spread <= 1e-9 * max(1e-300, float(np.abs(value).max())):
            self._weights, self._trend, self.variogram_, self._system = np.zeros(len(value)), trend, None, None
            self._model = None
            return
        fitted = fit_variogram(self._points, residual / self._spread, seed=self.seed)
        self._model = fitted.covariance_model(self._points.shape[1])
        count, terms = len(value), columns.shape[1]
        covariance = self._model.covariance(cdist(self._points, self._points)) + fitted.nugget * np.eye(count)
        system = np.block([[covariance, columns], [columns.T, np.zeros((terms, terms))]])
        right = np.concatenate([centred / self._spread, np.zeros(terms)])
        found = solve(system, right, assume_a="symmetric") * self._spread
        self._weights, self._trend = found[:count], found[count:]
        # the full system is inverted only when a variance is asked for
        self._system = None
        self._conditions = (centred / self._spread, columns[:, 1:].T if terms > 1 else None)
        metres = EARTH_RADIUS_METRES if self.geographic else 1.0
        self.variogram_ = fitted.rescaled(distance=self._size * metres, value=self._spread)

    def _value(self, places: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The dual form: one product of covariances with weights that were solved once."""
        value = self._offset + columns @ self._trend
        if self._model is not None:
            value += self._model.covariance(cdist(places, self._points)) @ self._weights
        return value

    def _variance(self, places: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Variance of a new measurement, by GSTools."""
        if self._model is None:
            return np.zeros(len(places))
        if self._system is None:
            self._system = self._gstools_system()
        drift = columns[:, 1:].T if columns.shape[1] > 1 else None
        return self._system(places.T, ext_drift=drift, store=False)[1] * self._spread**2

    def _gstools_system(self) -> Any:
        """The same system in GSTools, for variances."""
        from gstools.krige import Krige

        values, drift = self._conditions
        unbiased = self.mean is None
        return Krige(self._model, self._points.T, values, ext_drift=drift, unbiased=unbiased, pseudo_inv=False)

    def _columns(self, drift: np.ndarray | None, count: int) -> np.ndarray:
        """Columns of the linear part: none for a known mean, ones, and the scaled drift."""
        if self.mean is not None:
            return np.empty((count, 0))
        if drift is None:
            return np.ones((count, 1))
        used = list(self.drift_used_)
        return np.column_stack([np.ones(count), (drift[:, used] - self._drift_mean[used]) / self._drift_spread[used]])

    def _set_drift(self, drift: np.ndarray | None) -> None:
        """Scale the drift and leave out columns that are constant or follow from the others."""
        self.drift_used_, self._terms = (), 0 if drift is None else drift.shape[1]
        if drift is None:
            return
        self._drift_mean, self._drift_spread = drift.mean(axis=0), drift.std(axis=0)
        varied = np.flatnonzero(self._drift_spread > DEPENDENT * (np.abs(self._drift_mean) + 1e-300))
        if len(varied) == 0:
            return
        scaled = (drift[:, varied] - self._drift_mean[varied]) / self._drift_spread[varied]
        _, triangle, order = qr(scaled / np.sqrt(len(scaled)), mode="economic", pivoting=True)
        independent = np.abs(np.diag(triangle)) > DEPENDENT
        self.drift_used_ = tuple(sorted(int(column) for column in varied[order[: len(independent)][independent]]))
        if len(drift) < FEWEST_SITES + len(self.drift_used_):
            raise LearnerError(
                f"{len(drift)} sites came for kriging with a drift of {len(self.drift_used_)} terms: at least "
                f"{FEWEST_SITES + len(self.drift_used_)} sites are expected. Name fewer covariates."
            )

    # ---- checks -------------------------------------------------------------------------------------------------

    def _checked_sites(self, x: Any, y: Any, value: Any, drift: Any) -> tuple[np.ndarray, ...]:
        x, y, value = (np.asarray(item, dtype=float) for item in (x, y, value))
        if not x.shape == y.shape == value.shape or x.ndim != 1:
            raise LearnerError(f"x {x.shape}, y {y.shape} and value {value.shape} came: three equal rows of sites are expected.")
        if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(value).all()):
            raise LearnerError("Coordinates or values of some sites are missing: take these sites out before kriging.")
        if drift is not None:
            if self.mean is not None:
                raise LearnerError("A drift came together with a known mean: give one of them.")
            drift = _table(drift, len(x))
            known = np.isfinite(drift).all(axis=1)
            self.left_out_ = int((~known).sum())
            x, y, value, drift = x[known], y[known], value[known], drift[known]
        if not FEWEST_SITES <= len(x) <= MOST_SITES:
            raise LearnerError(
                f"{len(x)} sites came for kriging ({self.left_out_} more have no drift value): {FEWEST_SITES} to {MOST_SITES} "
                "are expected. Switch kriging off, or thin the sites."
            )
        return x, y, value, drift

    def _checked_places(self, x: Any, y: Any, drift: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        if not self._fitted:
            raise LearnerError("Kriging was asked to predict before it was fitted: call fit first.")
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if x.ndim != 1 or x.shape != y.shape:
            raise LearnerError(f"x of shape {x.shape} and y of shape {y.shape} came: two equal rows of places are expected.")
        terms = 0 if drift is None else (drift := _table(drift, len(x))).shape[1]
        if terms != self._terms:
            raise LearnerError(f"A drift of {terms} columns came and {self._terms} are expected: give those of the fit.")
        return x, y, drift


def _table(drift: Any, count: int) -> np.ndarray:
    """A drift as a float table of `count` rows."""
    table = np.asarray(drift, dtype=float)
    if table.ndim != 2 or len(table) != count or table.shape[1] == 0:
        raise LearnerError(f"A drift of shape {table.shape} came with {count} places: a table [place, term] is expected.")
    return table


def _chunks(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Walk rows in pieces."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
