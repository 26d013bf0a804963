"""Terrain indices as recipes of derived layers: what a study writes as ``[[derived]] method = "..."``.

Local ones are computed by block with a halo. Those that rest on flow are given the whole grid as their one block, at the
resolution that `resolution_cells` says (see `alm_core.covariates.whole_layers`). For SAGA's numbers of a local index give
it a layer of ``method = "filled_elevation"`` as elevation, and ``family = "saga"``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from alm_core.covariates import channels, convergence, curvature, flow
from alm_core.errors import StudyError

LOCAL_HALO = curvature.HALO
FLOW_OPTIONS = ("resolution_cells", "rise")
"""Options of every recipe that rests on flow."""


def plan_curvature(inputs: Any, place: Any, **options: Any) -> np.ndarray:
    """Plan curvature (family ``saga``: cross-sectional curvature) of one block."""
    return curvature.curvatures(inputs["elevation"], *place.cell_size(), **options)[0]


def profile_curvature(inputs: Any, place: Any, **options: Any) -> np.ndarray:
    """Profile curvature (family ``saga``: longitudinal curvature) of one block."""
    return curvature.curvatures(inputs["elevation"], *place.cell_size(), **options)[1]


def convergence_index(inputs: Any, place: Any, **options: Any) -> np.ndarray:
    """Convergence index of one block."""
    return convergence.convergence_index(inputs["elevation"], *place.cell_size(), **options)


def _basin(inputs: Any, place: Any, resolution_cells: int, rise: float) -> flow.Drainage:
    """The drainage of the whole grid, found once for all layers that share the grid."""
    check_resolution(resolution_cells)
    key = f"drainage {rise}"
    if key not in place.shared:
        place.shared[key] = flow.drainage(inputs["elevation"], *place.cell_size(), rise=rise)
    return place.shared[key]


def _area(basin: flow.Drainage, place: Any, rise: float, exponent: float) -> np.ndarray:
    key = f"area {rise} {exponent}"
    if key not in place.shared:
        place.shared[key] = flow.catchment_area(basin, exponent=exponent)
    return place.shared[key]


def check_resolution(resolution_cells: int) -> None:
    """Refuse a coarsening that is no whole number of cells.

    Raises
    ------
    StudyError
        With what is expected.
    """
    if isinstance(resolution_cells, bool) or not isinstance(resolution_cells, int) or resolution_cells < 1:
        raise StudyError(
            f"resolution_cells is {resolution_cells!r}: a whole number of grid cells, 1 or more, is expected (1: the full grid)."
        )


def _of_surface(function: Callable[[flow.Drainage], np.ndarray]) -> Callable[..., np.ndarray]:
    def compute(inputs: Any, place: Any, *, resolution_cells: int = 1, rise: float = flow.RISE_METRES) -> np.ndarray:
        return function(_basin(inputs, place, resolution_cells, rise))

    return compute


filled_elevation = _of_surface(lambda basin: basin.filled.astype(np.float32))
closed_depressions = _of_surface(flow.closed_depressions)


def catchment_area(
    inputs: Any,
    place: Any,
    *,
    resolution_cells: int = 1,
    rise: float = flow.RISE_METRES,
    exponent: float = flow.FREEMAN_EXPONENT,
    logarithm: bool = False,
) -> np.ndarray:
    """Catchment area of the whole grid in m2, or with `logarithm` its log to base 10."""
    area = _area(_basin(inputs, place, resolution_cells, rise), place, rise, exponent)
    return (np.log10(area) if logarithm else area).astype(np.float32)


def _of_area(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The recipe of an index of slope and catchment area."""

    def compute(
        inputs: Any,
        place: Any,
        *,
        resolution_cells: int = 1,
        rise: float = flow.RISE_METRES,
        exponent: float = flow.FREEMAN_EXPONENT,
        family: str = "textbook",
    ) -> np.ndarray:
        basin = _basin(inputs, place, resolution_cells, rise)
        return function(basin, _area(basin, place, rise, exponent), family=family)

    return compute


topographic_wetness_index = _of_area(flow.wetness_index)
ls_factor = _of_area(flow.length_slope_factor)


def _of_channels(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The recipe of an index of the channels of a basin."""

    def compute(
        inputs: Any,
        place: Any,
        *,
        resolution_cells: int = 1,
        rise: float = flow.RISE_METRES,
        channel_order: int = channels.LOWEST_CHANNEL_ORDER,
        family: str = "saga",
    ) -> np.ndarray:
        if family != "saga":
            raise StudyError(
                f"family is {family!r}: valley depth and slope position by flow are defined by SAGA only; use `saga`."
            )
        if isinstance(channel_order, bool) or not isinstance(channel_order, int) or channel_order < 1:
            raise StudyError(f"channel_order is {channel_order!r}: a Strahler order, 1 or more, is expected.")
        basin = _basin(inputs, place, resolution_cells, rise)
        if basin.filled.size == 1:  # one cell, as when options are checked: no flow
            return np.zeros(basin.filled.shape, np.float32)
        return function(basin, channel_order=channel_order).astype(np.float32)

    return compute


height_above_channels = _of_channels(channels.height_above_channels)
valley_depth = _of_channels(channels.valley_depth)
relative_slope_position = _of_channels(channels.relative_slope_position)
