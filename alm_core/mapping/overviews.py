"""Overviews of a tiled raster: halved again and again, from the cells that have a value.

GDAL can make them too; these take a tenth of the time, and none of a tile that holds nothing.
"""

from __future__ import annotations

import numpy as np

from alm_core.mapping.tile_codec import TILE, TileCodec
from alm_core.mapping.tile_store import TileStore, in_threads

RESAMPLING = ("average", "nearest", "mode")
"""Mean of the cells with a value; the upper left cell of four; the commonest value (the first in reading order of several)."""


def add_overviews(store: TileStore, codec: TileCodec, *, nodata: float, resampling: str, threads: int) -> None:
    """Fill every level of a store below the first.

    Parameters
    ----------
    store : TileStore
        Its first level is complete.
    codec : TileCodec
    nodata : float
    resampling : str
        One of RESAMPLING.
    threads : int
        The tiles do not depend on it.
    """
    for level in range(1, len(store.shapes)):
        finer, coarser = store.shapes[level - 1], store.shapes[level]
        rows, columns = pairs(finer[0], coarser[0]), pairs(finer[1], coarser[1])

        def make(place: tuple[int, int], level: int = level, rows: np.ndarray = rows, columns: np.ndarray = columns) -> None:
            down, across = (
                part[:, TILE * number : TILE * (number + 1)] for part, number in zip((rows, columns), place, strict=True)
            )
            corner, values = _finer_cells(store, codec, level - 1, down, across, nodata)
            if values is None:
                return
            halved = halve(values, down - corner[0], across - corner[1], nodata, resampling)
            if has_data(halved, nodata):
                store.add(level, place, codec.encode(padded(halved, nodata)))

        tile_rows, tile_columns = store.tiles(level)
        places = ((row, column) for row in range(tile_rows) for column in range(tile_columns))
        for _ in in_threads(make, places, threads):
            pass


def _finer_cells(
    store: TileStore, codec: TileCodec, level: int, rows: np.ndarray, columns: np.ndarray, nodata: float
) -> tuple[tuple[int, int], np.ndarray | None]:
    """The cells of a level from the first to the last of some rows and columns, and where they begin; None: only nodata."""
    (top, bottom), (left, right) = ((int(part.min()), int(part.max()) + 1) for part in (rows, columns))
    places = [
        (row, column)
        for row in range(top // TILE, (bottom - 1) // TILE + 1)
        for column in range(left // TILE, (right - 1) // TILE + 1)
        if store.holds(level, (row, column))
    ]
    if not places:
        return (top, left), None
    values = np.full((codec.bands, bottom - top, right - left), nodata, codec.dtype)
    for row, column in places:
        tile = codec.decode(store.read(level, (row, column)))
        first_row, first_column = max(top, row * TILE), max(left, column * TILE)
        last_row, last_column = min(bottom, (row + 1) * TILE), min(right, (column + 1) * TILE)
        values[:, first_row - top : last_row - top, first_column - left : last_column - left] = tile[
            :, first_row - row * TILE : last_row - row * TILE, first_column - column * TILE : last_column - column * TILE
        ]
    return (top, left), values


def padded(values: np.ndarray, nodata: float) -> np.ndarray:
    """Values ``[band, row, column]`` filled up to a whole tile with nodata."""
    if values.shape[1:] == (TILE, TILE):
        return values
    whole = np.full((len(values), TILE, TILE), nodata, values.dtype)
    whole[:, : values.shape[1], : values.shape[2]] = values
    return whole


def has_data(values: np.ndarray, nodata: float) -> bool:
    """True where any cell is not nodata."""
    return not bool(np.isnan(values).all() if np.isnan(nodata) else (values == nodata).all())


def pairs(finer: int, coarser: int) -> np.ndarray:
    """First and second of the finer cells under each coarser one, ``[2, coarser]``.

    Where the number is odd the pairs overlap once, so that no cell is drawn away from its place by more than half of one.

    Examples
    --------
    >>> pairs(5, 3).tolist()
    [[0, 2, 3], [1, 3, 4]]
    """
    first = np.rint(np.arange(coarser) * (finer / coarser)).astype(np.int64)
    return np.stack([first, np.minimum(first + 1, finer - 1)])


def halve(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, nodata: float, resampling: str = "average") -> np.ndarray:
    """One value for each two by two cells, ``[band, row, column]`` of the type of `values`.

    Parameters
    ----------
    values : ndarray, ``[band, row, column]``
        float32, int16 or uint8.
    rows, columns : ndarray, ``[2, n]``
        See `pairs`.
    nodata : float
        Left out of means and modes; where none of the four cells has a value, neither has the result. A mean of whole
        numbers that equals nodata is moved by one.
    resampling : str
        One of RESAMPLING.

    Examples
    --------
    >>> values = np.array([[[1, 2], [np.nan, 6]]], np.float32)
    >>> halve(values, pairs(2, 1), pairs(2, 1), np.nan).tolist()
    [[[3.0]]]
    """
    if resampling == "nearest":
        return np.ascontiguousarray(values[:, rows[0]][:, :, columns[0]])
    from alm_core.mapping.tile_kernels import means, modes, whole_means

    out = np.empty((len(values), rows.shape[1], columns.shape[1]), values.dtype)
    no_value = values.dtype.type(nodata)
    if resampling == "mode":
        modes(values, rows, columns, no_value, out)
    elif values.dtype.kind == "f":
        means(values, rows, columns, no_value, out)
    else:
        instead = values.dtype.type(nodata + 1 if nodata < np.iinfo(values.dtype).max else nodata - 1)
        whole_means(values, rows, columns, no_value, instead, out)
    return out
