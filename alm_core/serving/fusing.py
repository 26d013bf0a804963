"""Members fused while somebody waits: by a saved scenario, or by weights from a slider.

`alm_core.learning.fusion.Fusion.predict` is the only truth; here it only meets the tile.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alm_core.errors import StudyError
from alm_core.learning.fusion import Fusion
from alm_core.serving import checks
from alm_core.serving.cache import OVERHEAD_BYTES, BoundedCache
from alm_core.serving.catalogue import facts, learners
from alm_core.serving.checks import RequestError
from alm_core.serving.members import member_raster, member_tile
from alm_core.workspace import Run

FUSED_LAYERS = ("fused", "lower", "upper", "width")
STUDY = "study"
"""Name of the study's own scenario, whose layers are on disk."""
DENSE = 0.85
"""Part of a tile with data from which on all of it is fused: picking pixels costs more than it saves."""
_fusions = BoundedCache(256 * OVERHEAD_BYTES)


def named_fusion(run: Run, name: str) -> Fusion:
    """The fusion of a saved scenario.

    Raises
    ------
    RequestError
        No such scenario (404), or a run that can't be fused anew.
    """
    from alm_core.scenarios.scenario import FOLDER, check_name, load_scenario, scenario_fusion

    _check_fusable(run)

    def fit() -> Fusion:
        return scenario_fusion(run, load_scenario(run, name))

    try:
        changed = (run.folder / FOLDER / f"{check_name(name)}.json").stat().st_mtime_ns
        # The file of the members tells a run that was made anew from the one before.
        return _fusions.get((run.folder, member_raster(run), name, changed), fit)
    except (StudyError, FileNotFoundError) as fault:
        raise RequestError(f"This run has no scenario {checks.shown(name)}.", status=404) from fault


def live_fusion(run: Run, query: Mapping[str, str]) -> Fusion:
    """The fusion of a query: ``preset``, ``weights`` (in the order of the learners), ``correction``, ``lambda``.

    Raises
    ------
    RequestError
        A value that no fusion has, or a run that can't be fused anew.
    """
    _check_fusable(run)
    given = _checked_query(run, query)
    if not given:
        raise RequestError("A live tile needs weights, or a preset: weights=0.5,0.5 for example.")
    return _fusions.get((run.folder, member_raster(run), *given.items()), lambda: _fit_query(run, given))


def _fit_query(run: Run, given: Mapping[str, str]) -> Fusion:
    from alm_core.scenarios.scenario import from_query, scenario_fusion

    try:
        scenario = from_query(given, run)
    except StudyError as fault:
        raise RequestError(str(fault)) from fault
    if scenario is None:
        raise RequestError("A live tile needs weights, or a preset.")
    return scenario_fusion(run, scenario)


def _checked_query(run: Run, query: Mapping[str, str]) -> dict[str, str]:
    """The part of a query that decides the fusion, every number read strictly."""
    given: dict[str, str] = {}
    if "preset" in query:
        given["preset"] = checks.preset(query["preset"])
    if "weights" in query:
        shares = checks.weights(query["weights"], learners(run))
        given["weights"] = ",".join(repr(value) for value in shares)
    if "correction" in query:
        given["correction"] = checks.correction(query["correction"])
    if "lambda" in query:
        given["lambda"] = repr(checks.share(query["lambda"], "lambda"))
    if "weights" not in given and given.get("preset") == "manual":
        raise RequestError("The preset manual needs weights.")
    return given


def _check_fusable(run: Run) -> None:
    if facts(run)["task"] != "regression":
        raise RequestError("This run maps classes: it has no scenarios.")
    if facts(run)["residual"]:
        raise RequestError("This run adds a model of the residual, fitted for its own weights: it has no scenarios.")


def fused_tile(
    run: Run, fusion: Fusion, layer: str, z: int, x: int, y: int, *, slice: str | None = None, plane: str | None = None
) -> np.ndarray | None:
    """One layer of a fusion on a tile.

    Parameters
    ----------
    layer : str
        One of `FUSED_LAYERS`.
    slice : str, optional
        Slice of time; by default the main one.
    plane : str, optional
        CRS of a plane (`alm_core.serving.plane`) instead of the web map.

    Returns
    -------
    ndarray or None
        ``[256, 256]``, NaN where there is no data; None for a tile without any.
    """
    members = member_tile(run, z, x, y, slice=slice, plane=plane)
    if members is None:
        return None
    if layer == "fused":
        return _predict(fusion.with_interval(None), members, "value")
    if fusion.interval is None:
        raise RequestError("This scenario has no interval: the study computes none.", status=404)
    if layer == "width":
        return _predict(fusion, members, "upper") - _predict(fusion, members, "lower")
    return _predict(fusion, members, layer)


def _predict(fusion: Fusion, members: np.ndarray, part: str) -> np.ndarray:
    """`Fusion.predict`, of the pixels with data alone where these are few: each pixel's result is its own."""
    valid = np.isfinite(members).all(axis=0)
    if valid.mean() >= DENSE:
        return getattr(fusion.predict(members), part)
    result = np.full(valid.shape, np.nan)
    result[valid] = getattr(fusion.predict(members[:, valid]), part)
    return result
