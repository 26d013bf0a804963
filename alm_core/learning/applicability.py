"""Where a map may be trusted: dissimilarity index, local point density and area of applicability.

The dissimilarity index (DI) of a place is its distance to the nearest training point in weighted covariate space, over the mean
distance among training points. The area of applicability is where it stays below what cross-validation met. Meyer and Pebesma
(2021), Methods in Ecology and Evolution 12:1620; local point density: Schumacher et al. (2025), Geosci. Model Dev. 18:10185.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import DomainError, SitesError
from alm_core.learning.curves import Curve, increasing
from alm_core.learning.nearest import nearest_and_count, pairwise_distances
from alm_core.learning.nearest_blocks import Placing, nearest_and_count_in_block

CHUNK = 65_536
MAXIMUM_KNOTS = 64
TrainTest = Sequence[tuple[Sequence[int], Sequence[int]]]


@dataclass(frozen=True)
class ApplicabilityPrediction:
    """Applicability at new points, all [point].

    Attributes
    ----------
    dissimilarity : ndarray
        DI, >= 0; NaN where a covariate is missing.
    density : ndarray
        Number of training points nearer than the threshold; NaN where the DI is.
    inside : ndarray of bool
        DI <= threshold; False where the DI is NaN.
    threshold : float
        The threshold used.
    """

    dissimilarity: np.ndarray
    density: np.ndarray
    inside: np.ndarray
    threshold: float

    @property
    def normalised(self) -> np.ndarray:
        """DI over the threshold: 1 is the edge of the area."""
        return self.dissimilarity / self.threshold

    def to_dict(self) -> dict[str, int | float]:
        """Counts."""
        missing = int(np.isnan(self.dissimilarity).sum())
        inside = int(self.inside.sum())
        outside = self.inside.size - inside - missing
        return {"inside": inside, "outside": outside, "missing": missing, "threshold": self.threshold}


@dataclass(frozen=True)
class CovariateSpace:
    """Scaling of covariates to the space in which distances are taken.

    Attributes
    ----------
    names : tuple of str
        Covariates, in the order of the columns of X.
    levels : mapping of int to tuple of float
        Levels of each categorical column, by its place; each level is a column of its own in the space.
    mean, sd, weight : ndarray
        Per column of the space; an sd of 0 marks a constant column, which is left out.
    """

    names: tuple[str, ...]
    levels: Mapping[int, tuple[float, ...]]
    mean: np.ndarray
    sd: np.ndarray
    weight: np.ndarray

    def place(self, X: np.ndarray) -> np.ndarray:
        """Coordinates [point, column used] of covariates [point, feature]; NaN in every column of an incomplete point."""
        X = np.asarray(X, dtype=float)
        if X.ndim != 2 or X.shape[1] != len(self.names):
            raise DomainError(f"covariates of shape {X.shape}: [point, {len(self.names)}] is expected ({', '.join(self.names)})")
        used = (self.sd > 0) & (self.weight > 0)
        expanded = expand_levels(X, self.levels)
        placed = (expanded[:, used] - self.mean[used]) / self.sd[used] * self.weight[used]
        # Also a missing value in a column that weighs nothing: the learners would miss it.
        placed[~np.isfinite(expanded).all(axis=1)] = np.nan
        return placed

    def placing(self) -> Placing:
        """What `place` does, as tables for a block of the map."""
        owners = [(column, level) for column in range(len(self.names)) for level in self.levels.get(column, (np.nan,))]
        used = (self.sd > 0) & (self.weight > 0)
        source, level = np.array(owners, dtype=float)[used].T
        categorical = np.array([column in self.levels for column in range(len(self.names))])
        mean, sd, weight = (table[used] for table in (self.mean, self.sd, self.weight))
        return Placing(source.astype(np.int64), level.copy(), mean, sd, weight, categorical)


@dataclass(frozen=True)
class Applicability:
    """Fitted applicability.

    Attributes
    ----------
    space : CovariateSpace
        Scaling and weights.
    points : ndarray
        Training points in that space [site, column used].
    mean_distance : float
        Mean over training points of their mean distance to all others.
    threshold : float
        Largest DI inside the area: min(Q75 + 1.5 IQR, max) of the training DI.
    training_dissimilarity, training_density : ndarray
        Of all sites given [site], against points outside their own fold; NaN for sites left out.
    left_out : int
        Sites left out because a covariate is missing.
    notes : tuple of str
        What was done that was not asked for.
    """

    space: CovariateSpace
    points: np.ndarray
    mean_distance: float
    threshold: float
    training_dissimilarity: np.ndarray
    training_density: np.ndarray
    left_out: int = 0
    notes: tuple[str, ...] = ()

    def predict(self, X: np.ndarray) -> ApplicabilityPrediction:
        """Applicability at new points.

        Parameters
        ----------
        X : ndarray or DataFrame
            Covariates [point, feature] in the order of the training covariates; NaN = missing.

        Returns
        -------
        ApplicabilityPrediction
            Releases the GIL in its inner loop; memory beyond the results is bounded whatever the number of points.
        """
        X = _as_array(X, self.space.names)
        dissimilarity, density = np.empty(len(X)), np.empty(len(X))
        columns = np.array(self.points.T, order="C")
        for start in range(0, len(X), CHUNK):
            placed = self.space.place(X[start : start + CHUNK])
            part = slice(start, start + len(placed))
            nearest_and_count(placed, columns, self.mean_distance, self.threshold, dissimilarity[part], density[part])
        return ApplicabilityPrediction(dissimilarity, density, dissimilarity <= self.threshold, self.threshold)

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> ApplicabilityPrediction:
        """Applicability of the valid cells of a block of the map, in row-major order.

        The numbers are those of `predict` to the last bit, however a map is cut into blocks, but most training points are
        never compared with a cell (see `alm_core.learning.nearest_blocks`). Releases the GIL.

        Parameters
        ----------
        values : ndarray
            Covariates, float32 or float64 ``[covariate, row, column]``; NaN = missing.
        valid : ndarray
            bool ``[row, column]``.

        Raises
        ------
        DomainError
            Shapes that don't fit the training covariates or each other.
        """
        values, valid = np.asarray(values), np.asarray(valid)
        if values.ndim != 3 or len(values) != len(self.space.names) or valid.shape != values.shape[1:]:
            raise DomainError(
                f"covariates of shape {values.shape} with valid cells of shape {valid.shape}: [{len(self.space.names)}, row, "
                f"column] ({', '.join(self.space.names)}) and [row, column] are expected"
            )
        if values.dtype not in (np.float32, np.float64):
            values = values.astype(float)
        dissimilarity, density = nearest_and_count_in_block(
            values, valid, self.space.placing(), self.points, self.mean_distance, self.threshold
        )
        return ApplicabilityPrediction(dissimilarity, density, dissimilarity <= self.threshold, self.threshold)

    def to_dict(self) -> dict[str, Any]:
        """Plain values (None for NaN); `from_dict` gives the same predictions bit for bit."""
        return {
            "names": list(self.space.names),
            "levels": {str(column): list(levels) for column, levels in self.space.levels.items()},
            **{name: getattr(self.space, name).tolist() for name in ("mean", "sd", "weight")},
            "points": self.points.tolist(),
            "mean_distance": self.mean_distance,
            "threshold": self.threshold,
            "training_dissimilarity": _without_nan(self.training_dissimilarity),
            "training_density": _without_nan(self.training_density),
            "left_out": self.left_out,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Applicability:
        """Inverse of `to_dict`."""
        levels = {int(column): tuple(values) for column, values in content["levels"].items()}
        tables = (np.array(content[name], dtype=float) for name in ("mean", "sd", "weight"))
        return cls(
            CovariateSpace(tuple(content["names"]), levels, *tables),
            np.array(content["points"], dtype=float),
            content["mean_distance"],
            content["threshold"],
            np.array(content["training_dissimilarity"], dtype=float),
            np.array(content["training_density"], dtype=float),
            content["left_out"],
            tuple(content["notes"]),
        )


def fit_applicability(
    X: np.ndarray,
    *,
    weights: Mapping[str, float] | Sequence[float] | None = None,
    folds: np.ndarray | TrainTest | None = None,
    categorical: Sequence[str | int] = (),
    names: Sequence[str] | None = None,
) -> Applicability:
    """Fit the area of applicability on training covariates.

    Parameters
    ----------
    X : ndarray or DataFrame
        Training covariates [site, feature]. Sites with a missing one are left out and counted.
    weights : mapping or sequence, optional
        Importance per feature, by name or in order; negative counts as 0. None weighs all alike.
    folds : ndarray of int, or sequence of (train, test), optional
        Fold of each site (-1: in no fold, compared with every other site), or index lists for folds that leave out sites around
        the held-out ones. Use the folds that the map was scored by. None compares each site with all others.
    categorical : sequence of str or int
        Names or places of categorical columns: every level becomes a column of 0 and 1, scaled like the others.
    names : sequence of str, optional
        Names of the features, where X is an array.

    Returns
    -------
    Applicability

    Raises
    ------
    SitesError
        Fewer than three complete sites, or all alike.
    DomainError
        Weights, folds or names that don't fit X.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(40, 2))
    >>> area = fit_applicability(X)
    >>> area.predict(np.array([[0.0, 0.0], [9.0, 9.0], [np.nan, 0.0]])).inside.tolist()
    [True, False, False]
    """
    names = _names(X, names)
    array = _as_array(X, names).astype(float)
    complete = np.isfinite(array).all(axis=1)
    if complete.sum() < 3:
        raise SitesError(f"{int(complete.sum())} of {len(array)} sites have every covariate: applicability needs at least 3")
    space, notes = _fit_space(array[complete], names, weights, categorical)
    points = space.place(array[complete])
    if points.shape[1] == 0:
        raise SitesError("every weighted covariate is constant over the sites: nothing can be near or far")
    distances = pairwise_distances(points)
    np.fill_diagonal(distances, np.nan)
    mean_distance = float(np.nanmean(distances, axis=1).mean())
    if mean_distance == 0:
        raise SitesError("all sites have the same covariates: nothing can be near or far")
    # NaN where two sites must not be compared: the site itself and its fold.
    compared = np.where(_comparable(folds, len(array))[np.ix_(complete, complete)], distances, np.nan) / mean_distance
    if np.isnan(compared).all(axis=1).any():
        raise DomainError("a fold leaves a site without any site to compare with: give at least two folds")
    nearest = np.nanmin(compared, axis=1)
    threshold = dissimilarity_threshold(nearest)
    dissimilarity, density = np.full(len(array), np.nan), np.full(len(array), np.nan)
    dissimilarity[complete] = nearest
    density[complete] = (compared < threshold).sum(axis=1)
    left_out = int((~complete).sum())
    return Applicability(space, points, mean_distance, threshold, dissimilarity, density, left_out, notes)


def dissimilarity_threshold(dissimilarity: np.ndarray) -> float:
    """Upper whisker of the training DI: min(Q75 + 1.5 IQR, max), linear quantiles."""
    low, high = np.quantile(dissimilarity, [0.25, 0.75])
    return float(min(high + 1.5 * (high - low), dissimilarity.max()))


@dataclass(frozen=True)
class ErrorProfile:
    """Expected RMSE as a never-falling curve of the DI; held beyond the largest DI that had errors to learn from."""

    curve: Curve

    def predict(self, dissimilarity: np.ndarray) -> np.ndarray:
        """Expected RMSE, in units of the target; NaN stays NaN."""
        return self.curve(dissimilarity)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists."""
        return self.curve.to_dict()

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> ErrorProfile:
        """Inverse of `to_dict`."""
        return cls(Curve.from_dict(content))


def fit_error_profile(dissimilarity: np.ndarray, error: np.ndarray, *, window: int | None = None) -> ErrorProfile:
    """Learn how errors grow with dissimilarity.

    Parameters
    ----------
    dissimilarity : ndarray
        Training DI [site], from the folds that made the errors.
    error : ndarray
        Out-of-fold errors [site], in units of the target.
    window : int, optional
        Sites per moving window along the DI; default a tenth of the sites, at least 10.

    Returns
    -------
    ErrorProfile
        RMSE of the windows against their mean DI, made never-falling by isotonic regression of the squared errors.
    """
    dissimilarity, error = np.asarray(dissimilarity, dtype=float), np.asarray(error, dtype=float)
    keep = np.isfinite(dissimilarity) & np.isfinite(error)
    count = int(keep.sum())
    window = min(count, max(10, count // 10)) if window is None else window
    if count < 3 or not 1 <= window <= count:
        raise SitesError(f"{count} sites with DI and error and a window of {window}: at least 3 sites, and a window within them")
    order = np.lexsort((error[keep], dissimilarity[keep]))
    ones = np.ones(window) / window
    centre = np.convolve(dissimilarity[keep][order], ones, mode="valid")
    square = increasing(np.convolve(error[keep][order] ** 2, ones, mode="valid"), np.ones(count - window + 1))
    pick = np.unique(np.linspace(0, centre.size - 1, MAXIMUM_KNOTS).round().astype(int))
    x, first = np.unique(centre[pick], return_index=True)
    return ErrorProfile(Curve(x, np.sqrt(np.maximum(square[pick][first], 0))))


def expand_levels(X: np.ndarray, levels: Mapping[int, tuple[float, ...]]) -> np.ndarray:
    """Replace each categorical column by one column of 0 and 1 per level.

    A level that was never trained on is 0 in all of them: away from every level, as CAST has it.
    """
    if not levels:
        return X
    parts = []
    for column in range(X.shape[1]):
        if column not in levels:
            parts.append(X[:, column : column + 1])
            continue
        values = X[:, column : column + 1]
        parts.append(np.where(np.isnan(values), np.nan, values == np.array(levels[column])))
    return np.hstack(parts)


def _fit_space(
    X: np.ndarray, names: tuple[str, ...], weights: Mapping[str, float] | Sequence[float] | None, categorical: Sequence[str | int]
) -> tuple[CovariateSpace, tuple[str, ...]]:
    """Scaling, levels and weights; and notes."""
    weight, notes = _weights(weights, names)
    levels = {}
    for column in categorical:
        if (isinstance(column, str) and column not in names) or (not isinstance(column, str) and not 0 <= column < len(names)):
            raise DomainError(f"categorical column {column!r} is not among the covariates {', '.join(names)}")
        place = names.index(column) if isinstance(column, str) else int(column)
        levels[place] = tuple(np.unique(X[:, place]).tolist())
    repeats = [len(levels.get(column, (0,))) for column in range(len(names))]
    expanded = expand_levels(X, levels)
    sd = expanded.std(axis=0, ddof=1)
    sd[np.ptp(expanded, axis=0) == 0] = 0
    owners = np.repeat(np.array(names), repeats)
    constant = sorted(set(owners[sd == 0]))
    if constant:
        notes += (f"constant over the sites and left out of the distance: {', '.join(constant)}",)
    return CovariateSpace(names, levels, expanded.mean(axis=0), sd, np.repeat(weight, repeats)), notes


def _weights(weights: Mapping[str, float] | Sequence[float] | None, names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """One weight >= 0 per feature; and notes."""
    if weights is None:
        return np.ones(len(names)), ()
    if isinstance(weights, Mapping):
        absent = [name for name in names if name not in weights]
        if absent:
            raise DomainError(f"no weight for {', '.join(absent)}: one per covariate is expected")
        weights = [weights[name] for name in names]
    weight = np.asarray(weights, dtype=float)
    if weight.shape != (len(names),) or not np.isfinite(weight).all():
        raise DomainError(f"weights {weight.tolist()}: one finite number for each of {', '.join(names)} is expected")
    weight = np.maximum(weight, 0)
    if not weight.any():
        return np.ones(len(names)), ("every weight was 0: all covariates weigh alike",)
    return weight, ()


def _comparable(folds: np.ndarray | TrainTest | None, count: int) -> np.ndarray:
    """[site, other]: whether the other site may stand for training data when the site is held out."""
    if folds is None:
        return np.ones((count, count), dtype=bool)
    if hasattr(folds, "shape") or np.isscalar(folds[0]):
        fold = np.asarray(folds)
        if fold.shape != (count,):
            raise DomainError(f"folds of shape {fold.shape} for {count} sites: one fold per site is expected")
        return (fold[:, None] != fold[None, :]) | (fold[:, None] < 0)
    allowed = np.zeros((count, count), dtype=bool)
    tested = np.zeros(count, dtype=int)
    for train, test in folds:
        tested[np.asarray(test, dtype=int)] += 1
        allowed[np.ix_(np.asarray(test, dtype=int), np.asarray(train, dtype=int))] = True
    if (tested != 1).any():
        raise DomainError(f"{int((tested != 1).sum())} sites are not in exactly one test list: hold out each site once")
    return allowed


def _names(X: Any, names: Sequence[str] | None) -> tuple[str, ...]:
    if names is not None:
        return tuple(names)
    columns = getattr(X, "columns", None)
    return tuple(str(name) for name in columns) if columns is not None else tuple(f"x{k}" for k in range(np.shape(X)[-1]))


def _as_array(X: Any, names: tuple[str, ...]) -> np.ndarray:
    """[point, feature] in the order of names."""
    columns = getattr(X, "columns", None)
    if columns is not None:
        absent = [name for name in names if name not in columns]
        if absent:
            raise DomainError(f"covariates {', '.join(absent)} are not among the columns given: pass all that were trained on")
        X = X[list(names)].to_numpy()
    X = np.asarray(X)
    if X.ndim != 2 or X.shape[1] != len(names):
        raise DomainError(f"covariates of shape {X.shape}: [point, {len(names)}] is expected ({', '.join(names)})")
    return X


def _without_nan(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
