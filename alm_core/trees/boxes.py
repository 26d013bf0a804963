"""Ranges of the covariates over the tiles of a block, and the cells of one tile side by side.

Every feature has two columns: in column ``f`` a missing value fails each test (it goes right), in column ``f + n_features`` it
passes each (it goes left). A node reads the column that sends a missing value where its library sends it, and the kernels need no
test for NaN. Tiles without missing values hold each feature once.
"""

from __future__ import annotations

import numpy as np

from alm_core.trees.compiled import compiled

TILE = 32
"""Cells along a tile. Larger ones leave more splits open, smaller ones are walked too often."""
GROUP = 4
"""Tiles along a superblock, for which the trees are pruned first."""
STRIDE = TILE * TILE + 16
"""Numbers between two columns of a tile: 16 more than its cells, so that columns don't compete for the same cache lines."""


@compiled
def tile_boxes(values, valid, low, high, holed):
    """Range of every feature over the valid cells of every tile, ``[tile row, tile column, feature]``.

    `low` stays at inf and `high` at -inf where a tile has no number; `holed` says where a valid cell lacks the feature.
    """
    n_features, rows, columns = values.shape
    low[:] = np.inf
    high[:] = -np.inf
    holed[:] = False
    for f in range(n_features):
        for row in range(rows):
            for start in range(0, columns, TILE):
                tile_row, tile_column = row // TILE, start // TILE
                least = low[tile_row, tile_column, f]
                most = high[tile_row, tile_column, f]
                missing = False
                for column in range(start, min(start + TILE, columns)):
                    x = values[f, row, column]
                    if valid[row, column]:
                        least = x if x < least else least
                        most = x if x > most else most
                        missing |= x != x
                low[tile_row, tile_column, f] = least
                high[tile_row, tile_column, f] = most
                holed[tile_row, tile_column, f] |= missing


@compiled
def merge_boxes(low, high, holed, box_low, box_high, box_holed):
    """Range over several tiles ``[tile row, tile column, feature]`` as one box ``[feature]``; False without a valid cell."""
    for f in range(low.shape[2]):
        box_low[f] = low[:, :, f].min()
        box_high[f] = high[:, :, f].max()
        box_holed[f] = holed[:, :, f].any()
    return box_low[0] <= box_high[0] or box_holed[0]


@compiled
def column_limits(low, high, holed, column_low, column_high):
    """Least and greatest number of both columns of each feature, as the split test sees them.

    A column that holds missing values which go right is never wholly at or below a cut: its greatest number is NaN, which
    passes no test. One whose missing values go left is never wholly above one.
    """
    n_features = low.size
    for f in range(n_features):
        column_low[f] = column_low[f + n_features] = low[f]
        column_high[f] = column_high[f + n_features] = high[f]
        if holed[f]:
            column_high[f] = np.nan
            column_low[f + n_features] = -np.inf


@compiled
def list_cells(valid, top, left, bottom, right, cell_row, cell_column):
    """Row and column of each valid cell of a tile, row by row; returns how many there are."""
    count = 0
    for row in range(top, bottom):
        for column in range(left, right):
            if valid[row, column]:
                cell_row[count] = row
                cell_column[count] = column
                count += 1
    return count


@compiled
def load_tile(values, valid, top, left, bottom, right, holed, numbers, start, cell_row, cell_column):
    """Copy the valid cells of a tile into columns of `numbers`; returns how many there are.

    `start` gets the place in `numbers` where each of the two columns of a feature begins.
    """
    n_features = values.shape[0]
    count = list_cells(valid, top, left, bottom, right, cell_row, cell_column)
    whole = count == (bottom - top) * (right - left)
    slots = n_features
    for f in range(n_features):
        begin = f * STRIDE
        start[f] = start[f + n_features] = begin
        if whole:
            cell = begin
            for row in range(top, bottom):
                for column in range(left, right):
                    numbers[cell] = values[f, row, column]
                    cell += 1
        else:
            for cell in range(count):
                numbers[begin + cell] = values[f, cell_row[cell], cell_column[cell]]
        if holed[f]:
            start[f + n_features] = slots * STRIDE
            for cell in range(count):
                x = numbers[begin + cell]
                numbers[slots * STRIDE + cell] = x if x == x else np.float32(-np.inf)
            slots += 1
    return count
