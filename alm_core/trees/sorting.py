"""Cells of a rough block sorted into tiles of like covariates, where tiles of neighbours are not alike.

Pruning by tiles lives on neighbours being alike. Where they are not (noisy covariates, shuffled cells), the cells of the whole
block are halved again and again at the median of the feature whose splits are most open, like a k-d tree, down to one tile.
Sums of whole numbers don't depend on where a cell lies, so the result is the same to the last bit.
"""

from __future__ import annotations

import numpy as np

from alm_core.trees.boxes import TILE
from alm_core.trees.compiled import compiled

CELLS = TILE * TILE
ROUGH = 0.5
"""Share of an ensemble's splits that are open in a tile on average, from which sorting pays for itself."""
LARGE_TREE = 100
"""Nodes of a tree on average from which it does; smaller trees cost less than the sorting."""


@compiled
def below(cuts, first, last, x):
    """Number of ``cuts[first:last]``, which increase, that are below x."""
    low, high = first, last
    while low < high:
        middle = (low + high) >> 1
        if cuts[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low - first


@compiled
def open_share(low, high, cuts, begin):
    """Share of all splits that the tiles leave open, on average over the tiles that hold a number.

    Parameters
    ----------
    low, high : ndarray, ``[tile row, tile column, feature]``
        See `tile_boxes`.
    cuts, begin : ndarray
        All cuts of feature f in increasing order: ``cuts[begin[f]:begin[f + 1]]``.
    """
    rows, columns, n_features = low.shape
    still_open = 0
    tiles = 0
    for row in range(rows):
        for column in range(columns):
            tiles += low[row, column].min() < np.inf
            for f in range(n_features):
                if low[row, column, f] < high[row, column, f]:
                    most = below(cuts, begin[f], begin[f + 1], high[row, column, f])
                    still_open += most - below(cuts, begin[f], begin[f + 1], low[row, column, f])
    return still_open / max(1, tiles * cuts.size)


@compiled
def halve(numbers, order, half):
    """Reorder `order` so that its first `half` cells have the smallest numbers; missing ones are the largest."""
    keys = np.empty(order.size, np.float32)
    for place in range(order.size):
        x = numbers[order[place]]
        keys[place] = x if x == x else np.float32(np.inf)
    middle = np.partition(keys, half)[half]
    smaller = 0
    for x in keys:
        smaller += x < middle
    equal = half - smaller  # that many of those at the middle belong to the first half
    moved = np.empty_like(order)
    first, last = 0, half
    for place in range(order.size):
        goes_first = keys[place] < middle
        if keys[place] == middle and equal > 0:
            goes_first = True
            equal -= 1
        if goes_first:
            moved[first] = order[place]
            first += 1
        else:
            moved[last] = order[place]
            last += 1
    order[:] = moved
    return middle


@compiled
def sort_cells(numbers, cuts, begin):
    """Order of cells ``[cell]`` in which every `CELLS` that follow each other are alike, from ``[feature, cell]``."""
    n_features, n_cells = numbers.shape
    order = np.arange(n_cells)
    # Places of the part of each waiting branch, and the open splits of each feature in it.
    first, last, box = np.empty(64, np.int64), np.empty(64, np.int64), np.empty((64, n_features, 2), np.int64)
    first[0], last[0] = 0, n_cells
    for f in range(n_features):
        box[0, f, 0], box[0, f, 1] = 0, begin[f + 1] - begin[f]
    top = 1
    while top > 0:
        top -= 1
        start, end = first[top], last[top]
        widest = np.argmax(box[top, :, 1] - box[top, :, 0])
        if end - start <= CELLS or box[top, widest, 1] == box[top, widest, 0]:
            continue
        tiles = -(-(end - start) // CELLS)
        middle = start + tiles // 2 * CELLS
        cut = halve(numbers[widest], order[start:end], middle - start)
        place = below(cuts, begin[widest], begin[widest + 1], cut)
        place = min(max(place, box[top, widest, 0]), box[top, widest, 1])
        box[top + 1] = box[top]
        first[top], last[top] = start, middle
        first[top + 1], last[top + 1] = middle, end
        # A half that did not shrink would be chosen for ever: it counts as halved.
        box[top, widest, 1] = min(place, box[top, widest, 1] - 1)
        box[top + 1, widest, 0] = max(place, box[top + 1, widest, 0] + (place == box[top + 1, widest, 0]))
        top += 2
    return order


def arrange(numbers: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay sorted cells out as a block one tile high: values ``[feature, TILE, column]`` and valid cells.

    Parameters
    ----------
    numbers : ndarray of float32, ``[feature, cell]``
    order : ndarray of int, ``[cell]``
    """
    tiles = -(-order.size // CELLS)
    padded = np.append(order, np.full(tiles * CELLS - order.size, order[0]))
    values = numbers[:, padded].reshape(len(numbers), tiles, TILE, TILE).transpose(0, 2, 1, 3)
    valid = (np.arange(tiles * CELLS) < order.size).reshape(tiles, TILE, TILE).transpose(1, 0, 2)
    return np.ascontiguousarray(values.reshape(len(numbers), TILE, -1)), np.ascontiguousarray(valid.reshape(TILE, -1))


def in_order(sums: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Sums of a block of `arrange`, ``[output, TILE, column]``, back in the order of the cells, ``[output, cell]``."""
    tiles = sums.shape[2] // TILE
    flat = sums.reshape(len(sums), TILE, tiles, TILE).transpose(0, 2, 1, 3).reshape(len(sums), -1)
    found = np.empty((len(sums), order.size), sums.dtype)
    found[:, order] = flat[:, : order.size]
    return found
