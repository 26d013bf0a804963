"""The bias studio: what a scenario costs and gains, scored on sites that its weights and its correction never saw.

The out-of-fold predictions of a run are taken as they are; weights and correction are fitted again without each fold in turn and
scored on that fold. A browser repeats the same arithmetic while a slider moves, from the plain lists of `studio_data`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rasterio.windows import Window

from alm_core.errors import SitesError, StudyError
from alm_core.grid import Grid
from alm_core.learning.fusion import MINIMUM_SITES, fit_fusion
from alm_core.learning.metrics import BiasCurves, bias_curves, frontier, regression_scores
from alm_core.mapping.cog import open_raster
from alm_core.options import StudyOptions
from alm_core.scenarios.scenario import (
    INNER,
    Scenario,
    default_scenario,
    fusion_options,
    inner_pairs,
    learner_names,
    scenario_fusion,
    supports_scenarios,
)
from alm_core.workspace import Run

INNER_SCHEME = "inner"
"""The pairs on which the fusion of the map itself is fitted, and their folds."""
PRESETS = ("equal", "inverse_error", "least_squares", "bias_aware")
BINS = 24
MAP_CELLS = 4000
MAP_BLOCKS = 48
BLOCK_CELLS = 256
SHOWN_SCORES = ("r2", "rmse", "mae", "mean_error", "sd_ratio", "r", "slope", "ccc")
FRONTIER_RANGE = (0.2, 1.3)


@dataclass(frozen=True)
class Pairs:
    """Out-of-fold pairs of one scheme: complete rows only, each site once.

    Attributes
    ----------
    scheme : str
    site_ids : ndarray
        ``[pair]``.
    folds : ndarray of int
        ``[pair]``: the fold that was held out when the members predicted the site.
    observed : ndarray
        ``[pair]``.
    members : ndarray
        ``[learner, pair]``.
    """

    scheme: str
    site_ids: np.ndarray
    folds: np.ndarray
    observed: np.ndarray
    members: np.ndarray

    @property
    def fold_numbers(self) -> tuple[int, ...]:
        """The folds, in order."""
        return tuple(int(fold) for fold in np.unique(self.folds))

    @property
    def can_be_cross_fitted(self) -> bool:
        """Whether there are at least two folds and enough sites outside of each."""
        outside = [int((self.folds != fold).sum()) for fold in self.fold_numbers]
        return len(outside) > 1 and min(outside) >= MINIMUM_SITES


@dataclass(frozen=True)
class Histograms:
    """Parts of the observed values, of the cross-fitted values and of the map's cells in the same bins.

    What lies outside the edges is counted in the outermost bins. `cells` is None for a run without map.
    """

    edges: np.ndarray
    observed: np.ndarray
    predicted: np.ndarray
    cells: np.ndarray | None

    def to_dict(self) -> dict[str, Any]:
        """Plain lists."""
        parts = {name: getattr(self, name) for name in ("edges", "observed", "predicted", "cells")}
        return {name: None if part is None else part.tolist() for name, part in parts.items()}


@dataclass(frozen=True)
class StudioResult:
    """A scenario, scored.

    Attributes
    ----------
    scenario : Scenario
    pairs : Pairs
    value, uncorrected : ndarray
        ``[pair]``: cross-fitted fused value with and without the bias correction.
    scores : dict
        See `regression_scores`, of `value`.
    curves : BiasCurves
    correlation : float
        Of `uncorrected` with the observed values: decides the frontier.
    histograms : Histograms
    weights : dict
        Weight by learner, averaged over the sites where it depends on the value; of the fusion that makes the map.
    """

    scenario: Scenario
    pairs: Pairs
    value: np.ndarray
    uncorrected: np.ndarray
    scores: dict[str, float]
    curves: BiasCurves
    correlation: float
    histograms: Histograms
    weights: dict[str, float]

    def frontier(self, points: int = 56) -> tuple[np.ndarray, np.ndarray]:
        """Spread ratios and the best R2 that a straight correction reaches at each; see `alm_core.learning.metrics.frontier`."""
        ratio = np.linspace(*FRONTIER_RANGE, points)
        return ratio, frontier(self.correlation, ratio)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        ratio, best = self.frontier()
        return {
            "scenario": self.scenario.to_dict(),
            "scheme": self.pairs.scheme,
            "site_ids": self.pairs.site_ids.tolist(),
            "observed": self.pairs.observed.tolist(),
            "value": self.value.tolist(),
            "uncorrected": self.uncorrected.tolist(),
            "scores": {name: self.scores[name] for name in SHOWN_SCORES},
            "curves": self.curves.to_dict(),
            "frontier": {"sd_ratio": ratio.tolist(), "r2": best.tolist(), "correlation": self.correlation},
            "histograms": self.histograms.to_dict(),
            "weights": self.weights,
        }


# ---- pairs --------------------------------------------------------------------------------------------------------------


def studio_schemes(run: Run) -> tuple[str, ...]:
    """Schemes that a scenario can be scored by: those of the study with two folds or more, the headline first, then ``inner``."""
    headline = run.record["options"]["validation"]["headline"]
    outer = [scheme for scheme, pairs in _outer_pairs(run).items() if pairs.can_be_cross_fitted]
    return (*sorted(outer, key=lambda scheme: scheme != headline), INNER_SCHEME)


def pairs_of(run: Run, scheme: str) -> Pairs:
    """Out-of-fold pairs of a scheme; of a repeated scheme its first repeat.

    Raises
    ------
    StudyError
        The run has no scenarios, or was not scored by this scheme in a way that can be cross-fitted.
    """
    reason = supports_scenarios(run)
    if reason is not None:
        raise StudyError(reason)
    if scheme == INNER_SCHEME:
        inner = inner_pairs(run)
        return _complete(scheme, inner.samples.site_ids, inner.folds, inner.samples.target, inner.members)
    found = _outer_pairs(run).get(scheme)
    if found is None or not found.can_be_cross_fitted:
        raise StudyError(f"Scheme {scheme!r} can't score a scenario of this run: choose one of {', '.join(studio_schemes(run))}.")
    return found


def _outer_pairs(run: Run) -> dict[str, Pairs]:
    path = run.folder / "out_of_fold.parquet"
    return _read_outer(str(path), path.stat().st_mtime_ns, learner_names(run)) if path.is_file() else {}


@lru_cache(maxsize=8)
def _read_outer(path: str, _changed: int, learners: tuple[str, ...]) -> dict[str, Pairs]:
    frame = pd.read_parquet(path)
    frame = frame[frame["repeat"] == frame.groupby("scheme")["repeat"].transform("min")].sort_values("site_id", kind="stable")
    return {
        str(scheme): _complete(
            str(scheme),
            rows["site_id"].to_numpy(object),
            rows["fold"].to_numpy(),
            rows["observed"].to_numpy(float),
            rows[list(learners)].to_numpy(float).T,
        )
        for scheme, rows in frame.groupby("scheme", sort=False)
    }


def _complete(scheme: str, ids: np.ndarray, folds: np.ndarray, observed: np.ndarray, members: np.ndarray) -> Pairs:
    keep = np.isfinite(observed) & np.isfinite(members).all(axis=0)
    return Pairs(scheme, ids[keep], folds[keep], observed[keep], members[:, keep])


# ---- scores -------------------------------------------------------------------------------------------------------------


def studio(run: Run, scenario: Scenario, *, scheme: str | None = None) -> StudioResult:
    """Score a scenario on sites that its weights and its correction never saw.

    Parameters
    ----------
    run : Run
        Of regression, without residual model.
    scenario : Scenario
    scheme : str, optional
        A name of `studio_schemes`; default: the first, which answers for the map where it can be cross-fitted.

    Returns
    -------
    StudioResult

    Raises
    ------
    StudyError
        The run has no scenarios, or the scheme is none of its own.

    Notes
    -----
    The members' predictions stay as they are. The study's own score (metrics.json) repeats selection, members and fusion inside
    each fold instead, so it differs a little. Weights by hand are the same in every fold: choosing them by these scores flatters
    them.
    """
    pairs = pairs_of(run, studio_schemes(run)[0] if scheme is None else scheme)
    options = StudyOptions.model_validate(run.record["options"])
    value, uncorrected = cross_fit(pairs, scenario, options)
    fusion = scenario_fusion(run, scenario)
    cells = None
    if (run.folder / "map" / "members.tif").is_file():
        cells = fusion.with_interval(None).predict(map_sample(run)).value
    weights = np.nanmean(fusion.weights(inner_pairs(run).members), axis=1)
    return StudioResult(
        scenario,
        pairs,
        value,
        uncorrected,
        regression_scores(pairs.observed, value),
        bias_curves(pairs.observed, value),
        float(np.corrcoef(uncorrected, pairs.observed)[0, 1]),
        histograms(histogram_edges(run, pairs), pairs.observed, value, cells),
        {name: float(weight) for name, weight in zip(learner_names(run), weights, strict=True)},
    )


def cross_fit(pairs: Pairs, scenario: Scenario, options: StudyOptions) -> tuple[np.ndarray, np.ndarray]:
    """Fused values ``[pair]`` with and without correction, each by weights and a correction fitted on the other folds.

    Raises
    ------
    SitesError
        Fewer than two folds, or too few sites outside of one.
    """
    if not pairs.can_be_cross_fitted:
        raise SitesError(f"The {len(pairs.fold_numbers)} folds of {pairs.scheme} are too few or too large to fit on the others.")
    learners = tuple(learner.name for learner in options.learners)
    value, uncorrected = np.empty(pairs.observed.size), np.empty(pairs.observed.size)
    for fold in pairs.fold_numbers:
        held = pairs.folds == fold
        fusion = fit_fusion(
            pairs.members[:, ~held],
            pairs.observed[~held],
            learners=learners,
            fitted_sites=pairs.site_ids[~held],
            scored_sites=pairs.site_ids[held],
            **fusion_options(scenario, options),
        )
        value[held] = fusion.predict(pairs.members[:, held]).value
        uncorrected[held] = fusion.mix(pairs.members[:, held]).value
    return value, uncorrected


def paired_gain(pairs: Pairs, first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """How much less squared error the second of two predictions ``[pair]`` makes: mean over folds of the paired difference, and
    its standard error. Within two standard errors there is no difference to speak of.
    """
    difference = (first - pairs.observed) ** 2 - (second - pairs.observed) ** 2
    per_fold = np.array([difference[pairs.folds == fold].mean() for fold in pairs.fold_numbers])
    error = float(per_fold.std(ddof=1) / np.sqrt(per_fold.size))
    return {"mean": float(per_fold.mean()), "standard_error": error, "folds": per_fold.size}


def histogram_edges(run: Run, pairs: Pairs) -> np.ndarray:
    """Edges of the bins: from the least to the largest of observed values, members at sites and members of the map."""
    parts = [pairs.observed, pairs.members.ravel()]
    if (run.folder / "map" / "members.tif").is_file():
        parts.append(map_sample(run).ravel())
    low, high = min(float(part.min()) for part in parts if part.size), max(float(part.max()) for part in parts if part.size)
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def histograms(edges: np.ndarray, observed: np.ndarray, predicted: np.ndarray, cells: np.ndarray | None) -> Histograms:
    """Parts of one in each bin."""
    return Histograms(edges, *(None if part is None else _parts(edges, part) for part in (observed, predicted, cells)))


def _parts(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return counts / max(values.size, 1)


# ---- the map ------------------------------------------------------------------------------------------------------------


def map_sample(run: Run, *, cells: int = MAP_CELLS) -> np.ndarray:
    """Members ``[learner, cell]`` at some cells spread evenly over the map, at full resolution.

    Overviews are averages and would make the map look smoother than it is, so whole blocks are read, evenly spread over the map,
    and thinned.
    """
    path = run.file("map/members.tif")
    return _sample(str(path), path.stat().st_mtime_ns, cells)


@lru_cache(maxsize=4)
def _sample(path: str, _changed: int, cells: int) -> np.ndarray:
    with open_raster(path) as dataset:
        blocks = list(Grid.from_dataset(dataset).blocks(BLOCK_CELLS))
        pick = np.unique(np.linspace(0, len(blocks) - 1, min(MAP_BLOCKS, len(blocks))).round().astype(int))
        scales = np.array(dataset.scales)[:, None]
        parts = [_block_cells(dataset, blocks[number].window) * scales for number in pick]
    found = np.concatenate(parts, axis=1)
    keep = np.unique(np.linspace(0, found.shape[1] - 1, min(cells, found.shape[1])).round().astype(int))
    sample = found[:, keep]
    sample.setflags(write=False)
    return sample


def _block_cells(dataset: Any, window: Window) -> np.ndarray:
    """Cells ``[band, cell]`` of a window that every band has a value at, every third row and column of them."""
    raw = dataset.read(window=window, masked=True)[:, 1::3, 1::3]
    here = ~np.ma.getmaskarray(raw).any(axis=0)
    return np.asarray(raw.data[:, here], dtype=float)


# ---- for the browser ----------------------------------------------------------------------------------------------------


def studio_data(run: Run, scheme: str) -> dict[str, Any]:
    """Everything that a browser needs to fuse, correct and score while a slider moves, in plain lists.

    Returns
    -------
    dict
        ``learners``, ``bounds``; ``inner`` (``observed``, ``members``): pairs that the correction of the map is fitted on;
        ``pairs`` (``observed``, ``members``, ``folds``, numbered from 0): pairs that are scored; ``presets``: for each method
        ``final`` (the weighting of the map), ``folds`` (the weighting without each fold) and ``mean`` (weights averaged over the
        sites); ``own``: the study's own scenario; ``edges`` and ``cells`` (members of the map sample, or None) of the histogram.

    Raises
    ------
    StudyError
        As `studio`.
    """
    path = run.folder / INNER
    return _studio_data(str(run.folder), path.stat().st_mtime_ns if path.is_file() else 0, scheme)


@lru_cache(maxsize=16)
def _studio_data(folder: str, _changed: int, scheme: str) -> dict[str, Any]:
    run = Run(Path(folder))
    pairs, inner = pairs_of(run, scheme), pairs_of(run, INNER_SCHEME)
    options = StudyOptions.model_validate(run.record["options"])
    own = default_scenario(run)
    cells = map_sample(run) if (run.folder / "map" / "members.tif").is_file() else None
    return {
        "learners": list(learner_names(run)),
        "bounds": [options.target.minimum, options.target.maximum],
        "scheme": scheme,
        "inner": {"observed": inner.observed.tolist(), "members": inner.members.tolist()},
        "pairs": {
            "observed": pairs.observed.tolist(),
            "members": pairs.members.tolist(),
            "folds": np.searchsorted(pairs.fold_numbers, pairs.folds).tolist(),
        },
        "presets": {
            method: _preset(pairs, inner, replace(own, name="preset", method=method, weights={}, correction="none"), options)
            for method in PRESETS
        },
        "own": own.to_dict(),
        "edges": histogram_edges(run, pairs).tolist(),
        "cells": None if cells is None else _short(cells),
    }


def _short(cells: np.ndarray) -> list[list[float]]:
    """Members of the map sample to about a millionth of their range: enough for a histogram, and half the text."""
    span = float(np.ptp(cells)) if cells.size else 0.0
    return np.round(cells, 6 - math.floor(math.log10(span)) if span > 0 else 6).tolist()


def _preset(pairs: Pairs, inner: Pairs, scenario: Scenario, options: StudyOptions) -> dict[str, Any]:
    """Weightings of a method: for the map, without each fold, and averaged."""
    learners = tuple(learner.name for learner in options.learners)
    how = fusion_options(scenario, options)
    final = fit_fusion(inner.members, inner.observed, learners=learners, **how)
    folds = [
        fit_fusion(pairs.members[:, pairs.folds != fold], pairs.observed[pairs.folds != fold], learners=learners, **how)
        for fold in pairs.fold_numbers
    ]
    return {
        "final": final.weighting.to_dict(),
        "folds": [fusion.weighting.to_dict() for fusion in folds],
        "mean": final.weights(inner.members).mean(axis=1).tolist(),
    }


def compare(run: Run, scenarios: list[Scenario], *, scheme: str | None = None) -> pd.DataFrame:
    """Cross-fitted scores of several scenarios: one row each, columns `SHOWN_SCORES`, indexed by name.

    Raises
    ------
    StudyError
        As `studio`.
    """
    rows = {scenario.name: studio(run, scenario, scheme=scheme).scores for scenario in scenarios}
    return pd.DataFrame({name: {score: scores[score] for score in SHOWN_SCORES} for name, scores in rows.items()}).T


def gain(run: Run, scheme: str) -> pd.DataFrame:
    """What the study's fusion gained over each learner in squared error, over the folds of a scheme.

    Returns
    -------
    DataFrame
        By learner: ``mean`` and ``standard_error`` of the gain; ``part`` and ``part_of_two_errors``, the mean and two standard
        errors as parts of the learner's own mean squared error; ``clear``, True where the gain is beyond two standard errors.
        Everything else is no gain to speak of. Empty for ``inner``, which is no scheme of validation.
    """
    metrics = run.metrics()
    found = metrics["gain_over_learner"].get(scheme, {})
    frame = pd.DataFrame.from_dict(found, orient="index", columns=["mean", "standard_error", "folds"]).astype(float)
    squares = np.array([metrics["schemes"][scheme][learner]["rmse"] ** 2 for learner in frame.index], dtype=float)
    return frame.assign(
        part=frame["mean"] / squares,
        part_of_two_errors=2 * frame["standard_error"] / squares,
        clear=frame["mean"] > 2 * frame["standard_error"],
    )
