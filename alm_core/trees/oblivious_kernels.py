"""Prediction of a block by oblivious trees (CatBoost's), exact and pruned by tiles.

All nodes of one level of such a tree hold the same split, so its leaf is a number whose bits are the answers. The range of the
covariates over a superblock answers many splits at once; trees with like open splits are merged into groups of at most eight
splits, each with one table of 256 sums. The range over a tile answers more, so tables shrink and are merged again. What is left
is answered cell by cell: covariates are held as ranks among the cuts of the ensemble, one byte each, so that 32 cells answer a
split in one instruction.
"""

from __future__ import annotations

import numpy as np
from numba import uint8, uint64

from alm_core.trees.boxes import GROUP, STRIDE, TILE, list_cells, merge_boxes
from alm_core.trees.compiled import compiled

MOST_CUTS = 255
"""Cuts of one column that a byte can rank."""
MOST_DEPTH = 8
TABLE_BITS = 8
"""Open splits that may be merged into one table; the answers of a cell must fit into a byte."""
TABLE = 1 << TABLE_BITS
BATCH = 4
"""Tables that are read together, so that the sums of the cells are loaded and stored once for all of them."""
KEY_BITS, KEY_SPLITS = 12, 5
"""Splits in the key by which trees are sorted, and bits of each; it costs speed only where numbers don't fit."""


@compiled
def rank(cuts, low, high, x):
    """Number of cuts below x, which is known to lie between `low` and `high`; ``x > cuts[k]`` where the rank is above k."""
    while low < high:
        middle = (low + high) >> 1
        below = cuts[middle] < x
        low = middle + 1 if below else low
        high = high if below else middle
    return low


@compiled
def rank_limits(cuts, n_cuts, low, high, holed, least, most):
    """Least and greatest rank of both columns of each feature over a box.

    A missing value ranks above all cuts in the column of those that go right, below all in that of those that go left.
    """
    n_features = low.size
    for column in range(2 * n_features):
        f = column % n_features
        last = n_cuts[column]
        least[column] = rank(cuts[column], 0, last, low[f])
        most[column] = rank(cuts[column], 0, last, high[f])
        if holed[f] and column < n_features:
            most[column] = last
            least[column] = least[column] if low[f] <= high[f] else last
        elif holed[f]:
            least[column] = 0
            most[column] = most[column] if low[f] <= high[f] else 0


@compiled
def load_ranks(values, valid, top, left, bottom, right, holed, cuts, n_cuts, least, most, numbers, ranks, cell_row, cell_column):
    """Ranks of the valid cells of a tile, column by column; columns of one rank are left out. Returns the number of cells."""
    n_features = values.shape[0]
    count = list_cells(valid, top, left, bottom, right, cell_row, cell_column)
    for column in range(2 * n_features):
        if least[column] == most[column]:
            continue
        f = column % n_features
        for cell in range(count):
            numbers[cell] = values[f, cell_row[cell], cell_column[cell]]
        rank_cells(cuts[column], least[column], most[column], numbers, ranks, column * STRIDE, count)
        if holed[f]:
            if_missing = n_cuts[column] if column < n_features else 0
            for cell in range(count):
                if numbers[cell] != numbers[cell]:
                    ranks[column * STRIDE + cell] = if_missing
    return count


@compiled
def rank_cells(cuts, low, high, numbers, ranks, first, count):
    """Ranks of many numbers, all known to lie between `low` and `high`, by halving steps without a branch."""
    shift = 0
    while (2 << shift) <= high - low:
        shift += 1
    for cell in range(count):
        ranks[first + cell] = low
    start = uint64(first)
    for halving in range(shift, -1, -1):
        ahead = uint64((1 << halving) - 1)
        for cell in range(uint64(count)):
            found = uint64(ranks[start + cell])
            # A shifted truth value, because a choice would become a branch that the processor can't foresee.
            below = uint64(cuts[found + ahead] < numbers[cell])
            ranks[start + cell] = found + (below << uint64(halving))


@compiled
def sort_trees(column, place, depth, output, least, most, keys):
    """Order of the trees in which those of one output with like open splits lie side by side."""
    splits = np.empty(MOST_DEPTH + 1, np.int64)
    for tree in range(depth.size):
        n_open = 0
        for level in range(depth[tree]):
            c, k = column[tree, level], place[tree, level]
            if least[c] <= k < most[c]:
                split = (c * MOST_CUTS + k + 1) & ((1 << KEY_BITS) - 1)
                at = n_open
                while at > 0 and splits[at - 1] > split:
                    splits[at] = splits[at - 1]
                    at -= 1
                splits[at] = split
                n_open += 1
        key = 0
        for number in range(KEY_SPLITS):
            key = (key << KEY_BITS) | (splits[number] if number < n_open else 0)
        keys[tree] = key
    order = np.argsort(keys)
    by_output = np.empty_like(order)
    count = 0
    for number in range(output.max() + 1):
        for tree in order:
            if output[tree] == number:
                by_output[count] = tree
                count += 1
    return by_output


@compiled
def find_bits(open_column, open_place, n_open, group_column, group_place, bits, at):
    """Bit of a group for every open split of a tree, new bits for new splits; returns how many bits the group then has."""
    new_bits = bits
    for j in range(n_open):
        at[j] = -1
        for bit in range(bits):
            if group_column[bit] == open_column[j] and group_place[bit] == open_place[j]:
                at[j] = bit
        for other in range(j):
            if open_column[other] == open_column[j] and open_place[other] == open_place[j]:
                at[j] = at[other]
        if at[j] < 0:
            at[j] = new_bits
            new_bits += 1
    return new_bits


@compiled
def merge_tree(table, bits, new_bits, leaves, base, n_open, at, weight, index):
    """Add a tree to the table of a group, which grows from `bits` to `new_bits` bits.

    ``at[j]`` is the bit of the group that answers open split j, and ``weight[j]`` what that answer adds to the number of the
    leaf; `base` is what the splits that are not open add.
    """
    for old in range(bits, new_bits):
        for entry in range(1 << old):
            table[entry + (1 << old)] = table[entry]
    index[0] = base
    for bit in range(new_bits):
        adds = 0
        for j in range(n_open):
            if at[j] == bit:
                adds += weight[j]
        for entry in range(1 << bit):
            index[entry + (1 << bit)] = index[entry] + adds
    for entry in range(1 << new_bits):
        table[entry] += leaves[index[entry]]


@compiled
def group_trees(order, column, place, depth, output, leaves, least, most, tables, bits, group_column, group_place, to, total):
    """Merge trees into groups of at most eight open splits; trees without one go to `total`. Returns the number of groups.

    Group g has ``bits[g]`` splits (``group_column[g]``, ``group_place[g]``), sums ``tables[g * TABLE:]`` and output ``to[g]``.
    """
    index = np.empty(TABLE, np.int64)
    open_column, open_place = np.empty(MOST_DEPTH, np.int64), np.empty(MOST_DEPTH, np.int64)
    weight, at = np.empty(MOST_DEPTH, np.int64), np.empty(MOST_DEPTH, np.int64)
    group = -1
    for tree in order:
        n_open = 0
        base = 0
        for level in range(depth[tree]):
            c, k = column[tree, level], place[tree, level]
            adds = 1 << (depth[tree] - 1 - level)
            if least[c] > k:
                base += adds
            elif most[c] > k:
                open_column[n_open], open_place[n_open], weight[n_open] = c, k, adds
                n_open += 1
        if n_open == 0:
            total[output[tree]] += leaves[tree, base]
            continue
        new_bits = TABLE_BITS + 1
        if group >= 0 and to[group] == output[tree]:
            new_bits = find_bits(open_column, open_place, n_open, group_column[group], group_place[group], bits[group], at)
        if new_bits > TABLE_BITS:
            group += 1
            bits[group], to[group], tables[group * TABLE] = 0, output[tree], 0
            new_bits = find_bits(open_column, open_place, n_open, group_column[group], group_place[group], 0, at)
        for j in range(n_open):
            group_column[group, at[j]], group_place[group, at[j]] = open_column[j], open_place[j]
        table = tables[group * TABLE : (group + 1) * TABLE]
        merge_tree(table, bits[group], new_bits, leaves[tree], base, n_open, at, weight, index)
        bits[group] = new_bits
    return group + 1


@compiled
def open_splits(group, bits, column, place, least, most, open_bit):
    """Splits of a group that stay open in a tile, listed in `open_bit`: how many, and the bits that the others answer."""
    base = 0
    n_open = 0
    for bit in range(bits):
        c, k = column[group, bit], place[group, bit]
        if least[c] > k:
            base += 1 << bit
        elif most[c] > k:
            open_bit[n_open] = bit
            n_open += 1
    return n_open, base


@compiled
def shrink_table(tables, start, bits, n_open, base, open_bit, index, small, to):
    """Copy what a tile can reach of a group's table, which begins at `start`, to ``small[to:]``."""
    source, target = uint64(start), uint64(to)
    if n_open == bits:
        for entry in range(uint64(1 << bits)):
            small[target + entry] = tables[source + entry]
        return
    index[0] = base
    for j in range(n_open):
        adds, size = 1 << open_bit[j], uint64(1 << j)
        for entry in range(size):
            index[entry + size] = index[entry] + adds
    for entry in range(uint64(1 << n_open)):
        small[target + entry] = tables[source + uint64(index[entry])]


@compiled
def mark_four(ranks, x, k, weight, answers, to, count):
    """Set four bits of each cell's answers where its ranks are above four places; a weight of 0 sets nothing."""
    for cell in range(count):
        first = (weight[0] if ranks[x[0] + cell] > k[0] else uint8(0)) | (weight[1] if ranks[x[1] + cell] > k[1] else uint8(0))
        last = (weight[2] if ranks[x[2] + cell] > k[2] else uint8(0)) | (weight[3] if ranks[x[3] + cell] > k[3] else uint8(0))
        answers[to + cell] |= first | last


@compiled
def close_table(column, place, bits, slot, ranks, answers, n_cells):
    """Let all cells of a tile answer the splits of the table in a slot of the batch."""
    count, to = uint64(n_cells), uint64(slot * STRIDE)
    for cell in range(count):
        answers[to + cell] = 0
    for bit in range(bits, TABLE_BITS):  # what stands there is harmless: its weight is 0
        column[bit], place[bit] = column[0], place[0]
    for bit in range(0, bits, 4):
        x = (
            uint64(column[bit] * STRIDE),
            uint64(column[bit + 1] * STRIDE),
            uint64(column[bit + 2] * STRIDE),
            uint64(column[bit + 3] * STRIDE),
        )
        k = uint8(place[bit]), uint8(place[bit + 1]), uint8(place[bit + 2]), uint8(place[bit + 3])
        weight = (
            uint8(1 << bit),
            uint8(1 << (bit + 1) if bit + 1 < bits else 0),
            uint8(1 << (bit + 2) if bit + 2 < bits else 0),
            uint8(1 << (bit + 3) if bit + 3 < bits else 0),
        )
        mark_four(ranks, x, k, weight, answers, to, count)


@compiled
def read_tables(tables, answers, total, count):
    """Add what the tables of a batch hold for each cell's answers."""
    for cell in range(count):
        first = tables[answers[cell]] + tables[uint64(TABLE) + answers[uint64(STRIDE) + cell]]
        second = tables[uint64(2 * TABLE) + answers[uint64(2 * STRIDE) + cell]]
        total[cell] += first + second + tables[uint64(3 * TABLE) + answers[uint64(3 * STRIDE) + cell]]


@compiled
def merge_table(batch, start, merged, small, n_open):
    """Add a table of `n_open` new splits to one of `merged` others: each sum of the one with each of the other."""
    first, size = uint64(start), uint64(1 << merged)
    # The lowest part is read by all others, so it comes last.
    for high in range((1 << n_open) - 1, -1, -1):
        there, adds = first + uint64(high << merged), small[high]
        for low in range(size):
            batch[there + low] = batch[first + low] + adds


@compiled
def add_groups(
    n_groups, tables, bits, column, place, to, least, most, ranks, n_cells, number, batch, answers, small, tile_total, total
):
    """Add one tile's sums of all groups of output `number`: constants to `tile_total`, the rest to ``total[:n_cells]``."""
    open_bit, index = np.empty(TABLE_BITS, np.int64), np.empty(TABLE, np.int64)
    merged_column, merged_place = np.zeros(TABLE_BITS, np.int64), np.zeros(TABLE_BITS, np.int64)
    merged = 0
    slot = 0
    batch[:] = 0
    for group in range(n_groups):
        if to[group] != number:
            continue
        n_open, base = open_splits(group, bits[group], column, place, least, most, open_bit)
        if n_open == 0:
            tile_total[number] += tables[group * TABLE + base]
            continue
        if merged + n_open > TABLE_BITS:
            close_table(merged_column, merged_place, merged, slot, ranks, answers, n_cells)
            merged = 0
            slot += 1
            if slot == BATCH:
                read_tables(batch, answers, total, uint64(n_cells))
                slot = 0
        if merged == 0:
            shrink_table(tables, group * TABLE, bits[group], n_open, base, open_bit, index, batch, slot * TABLE)
        else:
            shrink_table(tables, group * TABLE, bits[group], n_open, base, open_bit, index, small, 0)
            merge_table(batch, slot * TABLE, merged, small, n_open)
        for j in range(n_open):
            merged_column[merged], merged_place[merged] = column[group, open_bit[j]], place[group, open_bit[j]]
            merged += 1
    if merged == 0:
        batch[slot * TABLE] = 0
    close_table(merged_column, merged_place, merged, slot, ranks, answers, n_cells)
    for empty in range(slot + 1, BATCH):
        batch[empty * TABLE] = 0
        answers[empty * STRIDE : empty * STRIDE + n_cells] = 0
    read_tables(batch, answers, total, uint64(n_cells))


@compiled
def add_oblivious(cuts, n_cuts, column, place, depth, output, leaves, values, valid, low, high, holed, total):
    """Add the leaves that every valid cell of a block reaches to `total` ``[output, row, column]`` (int64).

    Parameters
    ----------
    cuts, n_cuts : ndarray
        Increasing cuts of each of the two columns of a feature, ``[column, place]``, and how many there are.
    column, place : ndarray of int64, ``[tree, level]``
        Column that a level asks, and the place of its cut among those of the column.
    depth, output : ndarray of int64, ``[tree]``
    leaves : ndarray of int32, ``[tree, leaf]``
        The answer of level 0 is the highest bit of a leaf's number.
    values, valid, low, high, holed
        The block and what `tile_boxes` found in it.
    """
    n_features, rows, columns = values.shape
    n_outputs, n_trees = total.shape[0], depth.size
    box_low, box_high, box_holed = (
        np.empty(n_features, np.float32),
        np.empty(n_features, np.float32),
        np.empty(n_features, np.bool_),
    )
    least, most = np.empty(2 * n_features, np.int64), np.empty(2 * n_features, np.int64)
    numbers, ranks = np.empty(STRIDE, np.float32), np.empty(2 * n_features * STRIDE, np.uint8)
    cell_row, cell_column = np.empty(TILE * TILE, np.int64), np.empty(TILE * TILE, np.int64)
    keys = np.empty(n_trees, np.int64)
    tables, bits, to = np.empty(n_trees * TABLE, np.int32), np.empty(n_trees, np.int64), np.empty(n_trees, np.int64)
    group_column, group_place = np.empty((n_trees, TABLE_BITS), np.int64), np.empty((n_trees, TABLE_BITS), np.int64)
    batch, answers, small = np.empty(BATCH * TABLE, np.int32), np.empty(BATCH * STRIDE, np.uint8), np.empty(TABLE, np.int32)
    cell_total, group_total, tile_total = np.empty(STRIDE, np.int32), np.empty(n_outputs, np.int64), np.empty(n_outputs, np.int64)
    tile_rows, tile_columns = low.shape[:2]
    for group in range(-(-tile_rows // GROUP) * -(-tile_columns // GROUP)):
        group_row, first_column = GROUP * (group // -(-tile_columns // GROUP)), GROUP * (group % -(-tile_columns // GROUP))
        last_row, last_column = min(group_row + GROUP, tile_rows), min(first_column + GROUP, tile_columns)
        part = slice(group_row, last_row), slice(first_column, last_column)
        if not merge_boxes(low[part], high[part], holed[part], box_low, box_high, box_holed):
            continue  # no valid cell
        rank_limits(cuts, n_cuts, box_low, box_high, box_holed, least, most)
        order = sort_trees(column, place, depth, output, least, most, keys)
        group_total[:] = 0
        n_groups = group_trees(
            order, column, place, depth, output, leaves, least, most, tables, bits, group_column, group_place, to, group_total
        )
        for tile_row in range(group_row, last_row):
            for tile_column in range(first_column, last_column):
                top, left = tile_row * TILE, tile_column * TILE
                bottom, right = min(top + TILE, rows), min(left + TILE, columns)
                holes = holed[tile_row, tile_column]
                rank_limits(cuts, n_cuts, low[tile_row, tile_column], high[tile_row, tile_column], holes, least, most)
                n_cells = load_ranks(
                    values,
                    valid,
                    top,
                    left,
                    bottom,
                    right,
                    holes,
                    cuts,
                    n_cuts,
                    least,
                    most,
                    numbers,
                    ranks,
                    cell_row,
                    cell_column,
                )
                if n_cells == 0:
                    continue
                tile_total[:] = group_total
                for number in range(n_outputs):
                    cell_total[:] = 0
                    add_groups(
                        n_groups,
                        tables,
                        bits,
                        group_column,
                        group_place,
                        to,
                        least,
                        most,
                        ranks,
                        n_cells,
                        number,
                        batch,
                        answers,
                        small,
                        tile_total,
                        cell_total,
                    )
                    for cell in range(n_cells):
                        total[number, cell_row[cell], cell_column[cell]] = tile_total[number] + cell_total[cell]
