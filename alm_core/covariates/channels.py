"""Channels and ridges of a surface, and the height of every cell above the ones and below the others.

The recipe is that of SAGA's Basic Terrain Analysis. Channels are the cells that streams of a high Strahler order flow
through; between them the base level is interpolated so that it is nowhere rougher than it must be (each cell the mean of
its neighbours), and kept below the surface. Ridges are the channels of the surface turned upside down, on which nothing
is filled, and valley depth is the height of the base level of the ridges above the surface.

Strahler orders are counted on the cells of one grid: they are other ones at another resolution or on a part of the grid.
So these indices are computed from whole grids, at a resolution that the study states, and models that hold them are not
to be carried to other grids.
"""

from __future__ import annotations

import numpy as np

from alm_core.covariates.flow import Drainage
from alm_core.errors import DomainError

LOWEST_CHANNEL_ORDER = 5
"""Strahler order from which a stream counts as a channel, and a ridge as a ridge."""
RIDGE_HEAD_CELLS = 2
"""Cells at the start of each path that are not counted on ridges: seen in the orders that SAGA 8.5 gives."""
TOLERANCE_METRES = 0.05
SWEEPS = 400


def base_level(surface: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """A level through the channels, interpolated between them, nowhere above the surface.

    From the coarsest of a pyramid of grids to the finest, each starting from the one before.

    Parameters
    ----------
    surface : ndarray
        Metres, ``[row, column]``, NaN where there is no land.
    channels : ndarray of bool
        Cells where the level is the surface; at least one.

    Returns
    -------
    ndarray
        float64 ``[row, column]``.

    Raises
    ------
    DomainError
        No cell is a channel: the grid is too small or too coarse for streams of that order.

    Examples
    --------
    >>> surface = np.array([[0.0, 5.0, 9.0, 5.0, 4.0]])
    >>> base_level(surface, surface < 4.5).round().tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0]]
    """
    from alm_core.covariates.flow_kernels import relaxed

    channels = channels & ~np.isnan(surface)
    if not channels.any():
        raise DomainError(
            "No cell is a channel of that Strahler order. The grid is too small or too coarse: use a larger area, a finer "
            "resolution, or a lower `channel_order`."
        )
    pyramid = [(np.asarray(surface, np.float64), channels)]
    while min(pyramid[-1][0].shape) > 2 and max(pyramid[-1][0].shape) > 4:
        pyramid.append(_halved(*pyramid[-1]))
    level = None
    while pyramid:
        heights, known = pyramid.pop()  # in place and one by one, for the sake of memory
        if level is None:
            level = np.full(heights.shape, np.mean(heights[known]) if known.any() else np.nanmean(heights))
        else:
            level = level.repeat(2, axis=0)[: heights.shape[0]].repeat(2, axis=1)[:, : heights.shape[1]]
        np.minimum(level, heights, out=level)  # NaN where there is no land
        np.copyto(level, heights, where=known)
        relaxed(level, known, heights, TOLERANCE_METRES, SWEEPS)
    return level


def _halved(surface: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both at half the resolution: where channels pass, the mean of their heights, else of all heights."""
    rows, columns = (-(-length // 2) for length in surface.shape)
    padding = ((0, 2 * rows - surface.shape[0]), (0, 2 * columns - surface.shape[1]))
    heights = np.pad(surface, padding, constant_values=np.nan).reshape(rows, 2, columns, 2)
    marked = np.pad(known, padding).reshape(rows, 2, columns, 2)
    land = ~np.isnan(heights)
    passes = marked.any(axis=(1, 3))
    chosen = np.where(passes[:, None, :, None], marked, land)
    count = chosen.sum(axis=(1, 3))
    total = np.where(chosen, heights, 0.0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), passes


def stream_orders(basin: Drainage) -> np.ndarray:
    """Strahler's order of the stream through each cell of the filled surface, int16 ``[row, column]``; 0 without land."""
    from alm_core.covariates.flow_kernels import strahler_orders

    return strahler_orders(basin.filled, basin.order, basin.cell_width, basin.cell_height, 0)


def ridge_orders(basin: Drainage) -> np.ndarray:
    """Strahler's order of the ridge through each cell: of the streams on the filled surface turned upside down."""
    from alm_core.covariates.flow_kernels import strahler_orders

    upside_down = np.ascontiguousarray(basin.order[::-1])
    return strahler_orders(-basin.filled, upside_down, basin.cell_width, basin.cell_height, RIDGE_HEAD_CELLS)


def height_above_channels(basin: Drainage, *, channel_order: int = LOWEST_CHANNEL_ORDER) -> np.ndarray:
    """Metres above the base level of the channels, 0 on channels; float32 ``[row, column]``.

    Raises
    ------
    DomainError
        No stream has that order.
    """
    level = base_level(basin.filled, stream_orders(basin) >= channel_order)
    return np.subtract(basin.filled, level, out=level).astype(np.float32)


def valley_depth(basin: Drainage, *, channel_order: int = LOWEST_CHANNEL_ORDER) -> np.ndarray:
    """Metres below the level of the ridges, 0 on ridges; float32 ``[row, column]``.

    Parameters
    ----------
    basin : Drainage
        See `alm_core.covariates.flow.drainage`.
    channel_order : int
        Strahler order from which ridges count; lower ones lie closer, so valleys come out less deep.

    Raises
    ------
    DomainError
        No ridge has that order.
    """
    upside_down = -basin.filled
    level = base_level(upside_down, ridge_orders(basin) >= channel_order)
    return np.subtract(upside_down, level, out=level).astype(np.float32)


def relative_slope_position(basin: Drainage, *, channel_order: int = LOWEST_CHANNEL_ORDER) -> np.ndarray:
    """Height above the channels as a share of the way from channels to ridges: 0 valley floor, 1 ridge; float32.

    Both levels keep to their side of the surface, so it stays within 0 and 1 (SAGA's own leaves them, where the grids of
    its pyramid do not meet); NaN where channel, ridge and surface are one.

    Parameters
    ----------
    basin, channel_order
        As for `valley_depth`.

    Raises
    ------
    DomainError
        No stream or no ridge has that order.
    """
    above = height_above_channels(basin, channel_order=channel_order)
    below = valley_depth(basin, channel_order=channel_order)
    below += above
    with np.errstate(invalid="ignore"):  # 0 / 0 gives NaN
        return np.divide(above, below, out=above)
