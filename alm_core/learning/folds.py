"""Folds of a cross-validation: who is tested together, and who trains for them.

No scheme is right for every question: random folds answer for a map whose cells lie as near to sites as sites lie to each
other, blocks and kNNDM for a map that reaches further, groups for a new survey or method, time for a new year. Give all of
them side by side and say which one answers for the map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance

from alm_core.errors import FoldsError
from alm_core.learning import knndm
from alm_core.learning.blocks import as_days, block_labels, deal_groups, deal_stretches
from alm_core.learning.fold_request import FoldRequest, check_request, one_a_site, whole_sites

SCHEMES = ("random", "block", "knndm", "group", "survey", "method", "time", "holdout")
GROUPS_PER_FOLD = 4
"""More groups than this times the number of folds are dealt to folds instead of left out one by one."""
STRATA = 10
"""Most quantile bins of a numeric target."""
SMALL_GROUP = 5
"""Groups with fewer sites are named in the details: a score over them says little."""
WHOLE_SITES = ("random", "block", "knndm", "holdout")
"""Schemes that deal sites; the others deal surveys, methods or years."""
TRAIN_ONLY = -1
VALIDATION, TEST = 0, 1


@dataclass(frozen=True)
class Folds:
    """Which fold tests which site.

    Attributes
    ----------
    scheme : str
        A name of `SCHEMES`.
    assignment : numpy.ndarray
        int ``[repeat, site]``: the fold that tests the site, -1 for a site that only ever trains. In a hold-out -1 are the
        training sites, 0 the validation sites and 1 the test sites.
    details : dict
        Plain values for the report: counts, nearest-neighbour distances (Gij, Gj, Gj*), Wasserstein distance, notes.
    together : numpy.ndarray or None
        int ``[site]``: rows with the same number are of one site. None where every row is a site of its own. Schemes that deal
        whole surveys or years can test a row while another row of its site would train: `splits` leaves that one out.
    """

    scheme: str
    assignment: np.ndarray
    details: dict[str, Any]
    together: np.ndarray | None = None

    @property
    def repeats(self) -> int:
        """Number of repeats."""
        return self.assignment.shape[0]

    @property
    def scored(self) -> np.ndarray:
        """bool ``[repeat, site]``: sites that get an out-of-fold prediction."""
        return self.assignment == TEST if self.scheme == "holdout" else self.assignment >= 0

    def splits(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Walk (repeat, fold, rows that train, rows that are tested).

        A hold-out has one split a repeat: its training sites against its test sites. The validation sites are in neither;
        `validation_rows` gives them.
        """
        for repeat, folds in enumerate(self.assignment):
            if self.scheme == "holdout":
                yield repeat, TEST, np.flatnonzero(folds == TRAIN_ONLY), np.flatnonzero(folds == TEST)
                continue
            for fold in np.unique(folds[folds >= 0]):
                yield repeat, int(fold), self._training(folds != fold, folds == fold), np.flatnonzero(folds == fold)

    def _training(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Rows that train, without those of sites that are tested."""
        if self.together is not None:
            train = train & ~np.isin(self.together, self.together[test])
        return np.flatnonzero(train)

    def validation_rows(self, repeat: int = 0) -> np.ndarray:
        """Rows of the validation part of a hold-out; empty for other schemes."""
        return np.flatnonzero((self.assignment[repeat] == VALIDATION) & (self.scheme == "holdout"))

    def to_dict(self) -> dict[str, Any]:
        """Folds as plain values, for JSON."""
        values = {"scheme": self.scheme, "assignment": self.assignment.tolist(), "details": self.details}
        return values if self.together is None else values | {"together": self.together.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Folds:
        """The inverse of `to_dict`."""
        together = values.get("together")
        together = None if together is None else np.asarray(together, dtype=np.int64)
        return cls(values["scheme"], np.asarray(values["assignment"], dtype=np.int64), values["details"], together)


def make_folds(
    scheme: str,
    *,
    x: Sequence[float],
    y: Sequence[float],
    geographic: bool,
    n_folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    groups: Sequence[Any] | None = None,
    dates: Sequence[Any] | None = None,
    block_size_km: float = 100.0,
    block_size_degrees: float | None = None,
    unit_metres: float = 1.0,
    domain: np.ndarray | None = None,
    holdout: tuple[float, float, float] = (0.70, 0.15, 0.15),
    strata: Sequence[Any] | None = None,
    together: Sequence[Any] | None = None,
) -> Folds:
    """Deal sites to folds.

    The order of the sites matters for random schemes: sort the sites first, so that permuted tables give the same folds.

    Parameters
    ----------
    scheme : str
        ``random``; ``block`` (squares of `block_size_km`); ``knndm`` (see `alm_core.learning.knndm`); ``group``, ``survey``
        or ``method`` (each group of `groups` is left out in turn, or groups are dealt to folds where there are many);
        ``time`` (blocks of following years, or months or days where there are too few years); ``holdout``.
    x, y : array [site]
        In the CRS of the grid: degrees if `geographic`.
    n_folds, repeats, seed : int
        Repeats make new random, block or hold-out folds; the other schemes have one answer, so they are made once.
    groups : array [site], optional
        Label of survey or method; a site without one (None, NaN, empty) only ever trains.
    dates : array [site], optional
        Dates, or whole years as numbers.
    block_size_km : float
    block_size_degrees : float, optional
        Blocks of equal steps of longitude and latitude instead of kilometres, as older studies have them; they narrow towards
        the poles.
    unit_metres : float
        Metres of a unit of a projected CRS.
    domain : array [m, 2], optional
        x, y of points spread over the map; needed by ``knndm``, used by all for the details.
    holdout : tuple of float
        Parts of training, validation and test.
    strata : array [site], optional
        Spread evenly over the folds of ``random`` and ``holdout``: quantiles of floating-point numbers, or classes
        (integers, text).
    together : array [site], optional
        The site of every row, where some rows are of one site: they are never split between training and test. Random, block,
        kNNDM and hold-out folds deal whole sites (by the place of their first row); folds by group and time leave out of the
        training the rows of sites that they test, and say how many.

    Raises
    ------
    FoldsError
        Fewer sites, groups, blocks or dates than folds; missing coordinates, groups, dates or domain; unknown scheme.

    Examples
    --------
    >>> folds = make_folds("random", x=range(6), y=range(6), geographic=False, n_folds=3, seed=1)
    >>> [test.tolist() for _, _, _, test in folds.splits()]
    [[0, 2], [3, 4], [1, 5]]
    """
    if scheme not in SCHEMES:
        raise FoldsError(f"The fold scheme {scheme!r} is not known: give one of {', '.join(SCHEMES)}.")
    request = check_request(
        x=x,
        y=y,
        geographic=geographic,
        n_folds=n_folds,
        repeats=repeats,
        groups=groups,
        dates=dates,
        block_size_km=block_size_km,
        block_size_degrees=block_size_degrees,
        unit_metres=unit_metres,
        domain=domain,
        holdout=holdout,
        strata=strata,
    )
    maker = _MAKERS.get(scheme, _group_folds)
    rounds = repeats if scheme in ("random", "block", "holdout") else 1
    units = whole_sites(one_a_site("together", together, request.count))
    whole = units is not None and scheme in WHOLE_SITES
    dealt = _of_sites(request, units) if whole else request
    made = [maker(dealt, np.random.default_rng([seed, repeat])) for repeat in range(rounds)]
    assignment = np.stack([found for found, _ in made]).astype(np.int64)
    details = made[0][1] | _describe(scheme, assignment, dealt)
    if units is None:
        return Folds(scheme, assignment, details)
    details |= {"rows": request.count, "places": int(units.max()) + 1}
    folds = Folds(scheme, assignment[:, units] if whole else assignment, details, units)
    return folds if whole else _without_known_sites(folds)


def _of_sites(request: FoldRequest, units: np.ndarray) -> FoldRequest:
    """The request with one row for each site: its first row, and the mean of a numeric target."""
    first = np.unique(units, return_index=True)[1]
    if len(first) < request.n_folds:
        raise FoldsError(
            f"{request.count} rows of {len(first)} sites came and {request.n_folds} folds are wanted: rows of one site stay "
            "together, so ask for fewer folds or add sites."
        )
    strata = request.strata
    if strata is not None:
        strata = np.bincount(units, weights=strata) / np.bincount(units) if strata.dtype.kind == "f" else strata[first]
    return replace(request, x=request.x[first], y=request.y[first], strata=strata)


def _without_known_sites(folds: Folds) -> Folds:
    """Folds by group or time whose training parts lack the sites that they test; says how many rows that costs."""
    assignment, left_out = folds.assignment[0], {}
    for _, fold, train, test in folds.splits():
        if not len(train):
            raise FoldsError(
                f"Every row that could train fold {fold} of the scheme {folds.scheme!r} is of a site that the fold tests: "
                "nothing is left to learn from. Drop the scheme, or use random, block or knndm folds, which deal whole sites."
            )
        left_out[str(fold)] = len(assignment) - len(train) - len(test)
    return replace(folds, details=folds.details | {"left_out_of_training": left_out})


def _random_folds(request: FoldRequest, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Deal sites at random, evenly within every stratum."""
    order, notes = _shuffled(request, rng)
    assignment = np.empty(request.count, dtype=np.int64)
    assignment[order] = np.arange(request.count) % request.n_folds
    return assignment, notes


def _holdout_folds(request: FoldRequest, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Cut the sites into training, validation and test parts, each spread evenly over the strata."""
    order, notes = _shuffled(request, rng)
    edges = np.cumsum(request.holdout) / sum(request.holdout)
    sizes = np.diff(np.concatenate([[0], np.round(edges * request.count)])).astype(int)
    if sizes[0] < 2 or sizes[2] < 1:
        raise FoldsError(
            f"{request.count} sites give a hold-out of {sizes.tolist()} training, validation and test sites: at least 2 and 1 "
            "are needed to train and test. Use other parts or another scheme."
        )
    # the part whose share lags most takes the next site, so that every stretch of the order holds all parts
    wanted, given = sizes / request.count, np.zeros(3)
    assignment = np.empty(request.count, dtype=np.int64)
    for place, site in enumerate(order, start=1):
        part = int(np.argmax(wanted * place - given))
        given[part] += 1
        assignment[site] = (TRAIN_ONLY, VALIDATION, TEST)[part]
    return assignment, notes


def _shuffled(request: FoldRequest, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """A random order of the sites, sorted by stratum where there are strata."""
    shuffle = rng.random(request.count)
    if request.strata is None:
        return np.argsort(shuffle, kind="stable"), {}
    codes, what = _strata_codes(request.strata, request.n_folds)
    return np.lexsort([shuffle, codes]), {"strata": what}


def _strata_codes(strata: np.ndarray, n_folds: int) -> tuple[np.ndarray, str]:
    """Classes as they are; a floating-point target by quantiles with at least a site a fold."""
    if strata.dtype.kind != "f":
        codes = np.unique(strata.astype(str), return_inverse=True)[1]
        return codes, f"{codes.max() + 1} classes"
    bins = max(1, min(STRATA, len(strata) // n_folds))
    rank = np.argsort(np.argsort(strata, kind="stable"), kind="stable")
    return rank * bins // len(strata), f"{bins} quantiles"


def _block_folds(request: FoldRequest, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Deal square blocks at random, the fullest first and each to the fold with the fewest sites."""
    blocks = block_labels(
        request.x,
        request.y,
        geographic=request.geographic,
        size_metres=request.block_size_metres,
        size_degrees=request.block_size_degrees,
        unit_metres=request.unit_metres,
        shift=tuple(rng.random(2)),
    )
    count = len(np.unique(blocks))
    size = {"block_size_km": request.block_size_metres / 1000}
    if request.block_size_degrees is not None:
        size = {"block_size_degrees": request.block_size_degrees}
    if count < request.n_folds:
        raise FoldsError(
            f"{request.count} sites fall into {count} blocks ({size}) and {request.n_folds} folds are wanted: "
            "choose smaller blocks or fewer folds."
        )
    return deal_groups(blocks, request.n_folds, rng), {"blocks": count, **size}


def _knndm_folds(request: FoldRequest, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Folds that reach as far as the map does; random ones where the sites are not clustered."""
    if request.domain is None:
        raise FoldsError("kNNDM folds need points of the map to compare with: give `domain`, [m, 2] x and y.")
    found = knndm.knndm_folds(request.x, request.y, request.domain, geographic=request.geographic, n_folds=request.n_folds)
    notes = {"clustered": found.assignment is not None, "knndm": found.to_dict()}
    if found.assignment is not None:
        return found.assignment, notes
    assignment, more = _random_folds(request, rng)
    why = f"sites are not clustered against the map (p = {found.p_value:.3g}): random folds answer for it"
    return assignment, notes | more | {"note": why}


def _group_folds(request: FoldRequest, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Leave one group out at a time, or deal groups to folds where there are many."""
    if request.groups is None:
        raise FoldsError("Folds by group need a group for every site: give `groups`, for example the survey or the method.")
    labels = pd.Series(request.groups, dtype=object)
    known = (labels.notna() & (labels.astype(str).str.strip() != "")).to_numpy()
    text = np.array([str(label).strip() for label in labels])
    names, codes, sizes = np.unique(text[known], return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise FoldsError(
            f"Folds by group need at least 2 groups and {len(names)} came ({', '.join(names) or 'no labels at all'}): "
            "name another column for the groups or drop this scheme."
        )
    assignment = np.full(request.count, TRAIN_ONLY, dtype=np.int64)
    one_by_one = len(names) <= GROUPS_PER_FOLD * request.n_folds
    assignment[known] = codes if one_by_one else deal_groups(text[known], request.n_folds, rng)
    if one_by_one:
        how = f"each of {len(names)} groups is left out in turn"
    else:
        how = (
            f"{len(names)} groups are more than {GROUPS_PER_FOLD} x {request.n_folds} folds: "
            "whole groups are dealt to folds instead of left out one by one"
        )
    return assignment, {
        "note": how,
        "groups": {str(name): int(size) for name, size in zip(names, sizes, strict=True)},
        "small_groups": [str(name) for name, size in zip(names, sizes, strict=True) if size < SMALL_GROUP],
        "without_group": int((~known).sum()),
        "group_of_fold": [str(name) for name in names] if one_by_one else None,
    }


def _time_folds(request: FoldRequest, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Cut the record into stretches of following years, months or days with about the same number of sites."""
    if request.dates is None:
        raise FoldsError("Folds by time need a date for every site: name the column `date` or `year` in the study.")
    days = as_days(request.dates)
    missing = int(np.isnat(days).sum())
    if missing:
        raise FoldsError(f"{missing} of {request.count} sites have no date: give them one, or drop the scheme `time`.")
    for unit, name in (("Y", "years"), ("M", "months"), ("D", "days")):
        values, codes, sizes = np.unique(days.astype(f"datetime64[{unit}]"), return_inverse=True, return_counts=True)
        if len(values) >= request.n_folds:
            fold_of = deal_stretches(sizes, request.n_folds)
            spans = [[str(values[fold_of == fold][edge]) for edge in (0, -1)] for fold in range(request.n_folds)]
            return fold_of[codes], {"time_unit": name, "time_units": len(values), "fold_spans": spans}
    raise FoldsError(
        f"The sites have {len(values)} different dates and {request.n_folds} folds are wanted: "
        "ask for fewer folds, or drop the scheme `time`."
    )


def _describe(scheme: str, assignment: np.ndarray, request: FoldRequest) -> dict[str, Any]:
    """Counts and nearest-neighbour distances of the first repeat, for the report and its figures."""
    first = assignment[0].copy()
    details: dict[str, Any] = {
        "sites": request.count,
        "train_only": int((first == TRAIN_ONLY).sum()),
        "counts": {str(fold): int((first == fold).sum()) for fold in np.unique(first[first >= 0])},
        "distance_unit": "m" if request.geographic else "unit of the CRS",
    }
    points = knndm.space(request.x, request.y, geographic=request.geographic)
    between = knndm.nearest_other(points, geographic=request.geographic)
    if scheme == "holdout":
        reach = np.full(request.count, np.nan)
        test, train = first == TEST, first == TRAIN_ONLY
        reach[test] = knndm.nearest_site(points[test], points[train], geographic=request.geographic)
    else:
        reach = knndm.nearest_outside_fold(points, first, geographic=request.geographic)
    reach = reach[np.isfinite(reach)]
    details["distances"] = {"site_to_site": between.tolist(), "test_to_train": reach.tolist()}
    if request.domain is None:
        return details
    domain = knndm.space(request.domain[:, 0], request.domain[:, 1], geographic=request.geographic)
    to_domain = knndm.nearest_site(domain, points, geographic=request.geographic)
    details["distances"]["domain_to_site"] = to_domain.tolist()
    details["wasserstein"] = float(wasserstein_distance(reach, to_domain))
    details["clustering_p_value"] = knndm.clustering_p_value(between, to_domain)
    return details


_MAKERS = {
    "random": _random_folds,
    "block": _block_folds,
    "knndm": _knndm_folds,
    "time": _time_folds,
    "holdout": _holdout_folds,
}
