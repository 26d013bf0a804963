"""Prediction of a block by any trees, exact and pruned by tiles.

The range of the covariates over a tile decides most splits for all of its cells at once. What is left of a tree is evaluated
without branches: from the last node to the first, each split chooses cell by cell between the results of its two children, which
the compiler turns into vector instructions. Where much is left (large trees, rough covariates) that asks each cell for far more
splits than lie on its way: there all cells go down the tree side by side, a level at a time.
"""

from __future__ import annotations

import numpy as np
from numba import uint64

from alm_core.trees.boxes import GROUP, STRIDE, TILE, column_limits, load_tile, merge_boxes
from alm_core.trees.compiled import compiled

WALK_FROM = 200
"""Nodes left of a tree from which cells go down it. Between 100 and 600 the time of a map hardly depends on it."""
FIRST_LEVELS, MORE_LEVELS = 8, 3
"""Levels that cells go down before those that reached a leaf are taken out, at first and later."""
NODE_BITS = 20
MOST_NODES, MOST_COLUMNS = 1 << NODE_BITS, 1 << (32 - NODE_BITS)
"""What a way out of a node can hold: its right child, and the column that it tests."""


@compiled
def prune(cut, link, column, node, low, high, new_cut, new_link, new_column, first, waiting, parent):
    """Copy the part of a tree that a box can reach; returns the number of nodes written from `first` on.

    `low` and `high` are those of `column_limits`. Nodes stay in preorder; a right child's place counts from the start of the
    arrays.
    """
    count = first
    top = 0
    while True:
        while column[node] >= 0:
            if high[column[node]] <= cut[node]:
                node += 1
            elif low[column[node]] > cut[node]:
                node = link[node]
            else:
                break
        new_cut[count] = cut[node]
        new_column[count] = column[node]
        if column[node] >= 0:
            waiting[top] = link[node]
            parent[top] = count
            top += 1
            node += 1
        else:
            new_link[count] = link[node]
            if top == 0:
                return count + 1 - first
            top -= 1
            node = waiting[top]
            new_link[parent[top]] = count + 1
        count += 1


# The loops below read both operands before they choose, count with unsigned numbers, and never write where they read: each of the
# three alone keeps the compiler from using vectors, which is eight times slower.


@compiled
def choose(numbers, x, cut, results, left, right, target, count):
    """``results[target] = results[left] where x <= cut else results[right]``, for `count` cells."""
    for cell in range(count):
        a = results[left + cell]
        b = results[right + cell]
        results[target + cell] = a if numbers[x + cell] <= cut else b


@compiled
def choose_or_constant(numbers, x, cut, results, left, constant, target, count):
    """``results[target] = results[left] where x <= cut else constant``."""
    for cell in range(count):
        a = results[left + cell]
        results[target + cell] = a if numbers[x + cell] <= cut else constant


@compiled
def constant_or_choose(numbers, x, cut, results, constant, right, target, count):
    """``results[target] = constant where x <= cut else results[right]``."""
    for cell in range(count):
        b = results[right + cell]
        results[target + cell] = constant if numbers[x + cell] <= cut else b


@compiled
def choose_constants(numbers, x, cut, results, left, right, target, count):
    """``results[target] = left where x <= cut else right``, both constant."""
    for cell in range(count):
        results[target + cell] = left if numbers[x + cell] <= cut else right


@compiled
def evaluate(cut, link, column, n_nodes, numbers, start, n_cells, results, constants, slot, free):
    """Leaves that the cells of a tile reach in one pruned tree of at least one split.

    Nodes are taken from the last to the first, so that both children of a split are on top of a stack. Place p of the stack is
    the number ``constants[p]`` where ``slot[p]`` is -1, else the row of `results` that begins at ``slot[p]``; `free` is the stack
    of rows that nobody uses. Returns where the row of the result begins.
    """
    n_free = free.size
    for number in range(n_free):
        free[number] = (n_free - 1 - number) * STRIDE
    top = 0
    count = uint64(n_cells)
    for node in range(n_nodes - 1, -1, -1):
        if column[node] < 0:
            constants[top] = link[node]
            slot[top] = -1
            top += 1
            continue
        left, right = top - 1, top - 2
        top -= 1
        x = uint64(start[column[node]])
        limit = cut[node]
        n_free -= 1
        target = free[n_free]
        at_left, at_right, at_target = uint64(slot[left]), uint64(slot[right]), uint64(target)
        if slot[left] < 0:
            if slot[right] < 0:
                choose_constants(numbers, x, limit, results, constants[left], constants[right], at_target, count)
            else:
                constant_or_choose(numbers, x, limit, results, constants[left], at_right, at_target, count)
        elif slot[right] < 0:
            choose_or_constant(numbers, x, limit, results, at_left, constants[right], at_target, count)
        else:
            choose(numbers, x, limit, results, at_left, at_right, at_target, count)
        for child in (left, right):
            if slot[child] >= 0:
                free[n_free] = slot[child]
                n_free += 1
        slot[right] = target
    return slot[0]


@compiled
def ways_out(cut, link, column, n_nodes, start, ways):
    """Right child and tested column of each node of a pruned tree in one number.

    A leaf leads to itself: its cut becomes NaN, which no number is at or below.
    """
    for node in range(n_nodes):
        if column[node] < 0:
            cut[node] = np.nan
            ways[node] = node
        else:
            ways[node] = (start[column[node]] // STRIDE) << NODE_BITS | link[node]


@compiled
def go_down(cut, ways, numbers, cells, nodes, count):
    """Bring each cell to the child that it belongs to; one load of each kind and no branch."""
    for number in range(count):
        node = uint64(nodes[number])
        way = uint64(ways[node])
        x = numbers[(way >> uint64(NODE_BITS)) * uint64(STRIDE) + uint64(cells[number])]
        left = node + uint64(1)
        right = way & uint64(MOST_NODES - 1)
        nodes[number] = left if x <= cut[node] else right


@compiled
def keep_open(column, link, cells, nodes, count, results):
    """Write the leaf of each cell, and move those that have not reached one to the front; returns how many these are."""
    still_open = uint64(0)
    for number in range(count):
        cell, node = cells[number], nodes[number]
        results[uint64(cell)] = link[uint64(node)]
        cells[still_open] = cell
        nodes[still_open] = node
        still_open += uint64(column[uint64(node)] >= 0)
    return still_open


@compiled
def walk(cut, link, column, n_nodes, numbers, start, n_cells, ways, cells, nodes, results):
    """What `evaluate` does, with one way down for each cell; the result is the first row of `results`."""
    ways_out(cut, link, column, n_nodes, start, ways)
    for cell in range(n_cells):
        cells[cell] = cell
        nodes[cell] = 0
    count = uint64(n_cells)
    levels = FIRST_LEVELS
    while count > 0:
        for _ in range(levels):
            go_down(cut, ways, numbers, cells, nodes, count)
        count = keep_open(column, link, cells, nodes, count, results)
        levels = MORE_LEVELS


@compiled
def add_row(results, first, total, target, count):
    """Add one whole number to each cell."""
    for cell in range(count):
        total[target + cell] += results[first + cell]


@compiled
def add_leaves(results, first, leaves, total, target, count):
    """Add the row of `leaves` ``[leaf, j]`` that each cell reached, column j to ``total[target + j * STRIDE:]``."""
    for j in range(leaves.shape[1]):
        for cell in range(count):
            total[target + j * STRIDE + cell] += leaves[results[first + cell], j]


@compiled
def add_leaf(link, leaves, total, first):
    """Add a leaf that all cells share to ``total[first:]``."""
    if leaves.shape[0] == 0:
        total[first] += link
    for j in range(leaves.shape[1]):
        total[first + j] += leaves[link, j]


@compiled
def prune_all(
    cut, link, column, roots, output, leaves, low, high, new_cut, new_link, new_column, first, to, waiting, parent, total
):
    """Prune all trees to a box. Trees of which one leaf is left go to `total`; returns the number of the others.

    Their nodes lie one after the other in the new arrays, their roots in `first` and their outputs in `to`.
    """
    open_trees = 0
    used = 0
    for tree in range(roots.size):
        n_nodes = prune(cut, link, column, roots[tree], low, high, new_cut, new_link, new_column, used, waiting, parent)
        if n_nodes == 1:
            add_leaf(new_link[used], leaves, total, output[tree])
        else:
            first[open_trees] = used
            to[open_trees] = output[tree]
            open_trees += 1
            used += n_nodes
    return open_trees


@compiled
def add_forest(cut, link, column, roots, output, leaves, deepest, largest, values, valid, low, high, holed, total):
    """Add the leaves that every valid cell of a block reaches to `total` ``[output, row, column]`` (int64).

    Where `leaves` ``[leaf, j]`` has rows, a leaf's `link` is its row there; where it has neither rows nor columns, the value
    itself. `low`, `high` and `holed` are those of `tile_boxes`.
    """
    n_features, rows, columns = values.shape
    n_outputs = total.shape[0]
    # Trees pruned to a superblock, and one of them pruned to a tile.
    some_cut, some_link, some_column = np.empty_like(cut), np.empty_like(link), np.empty_like(column)
    few_cut, few_link, few_column = np.empty(largest, cut.dtype), np.empty(largest, link.dtype), np.empty(largest, column.dtype)
    first, to = np.empty_like(roots), np.empty_like(output)
    waiting, parent = np.empty(deepest + 2, np.int64), np.empty(deepest + 2, np.int64)
    results, free = np.empty((deepest + 3) * STRIDE, np.int32), np.empty(deepest + 3, np.int64)
    constants, slot = np.empty(deepest + 2, np.int32), np.empty(deepest + 2, np.int64)
    numbers, start = np.empty(2 * n_features * STRIDE, np.float32), np.empty(2 * n_features, np.int64)
    cell_row, cell_column = np.empty(TILE * TILE, np.int64), np.empty(TILE * TILE, np.int64)
    box_low, box_high, box_holed = (
        np.empty(n_features, np.float32),
        np.empty(n_features, np.float32),
        np.empty(n_features, np.bool_),
    )
    column_low, column_high = np.empty(2 * n_features, np.float32), np.empty(2 * n_features, np.float32)
    group_total, tile_total = np.empty(n_outputs, np.int64), np.empty(n_outputs, np.int64)
    cell_total = np.empty(n_outputs * STRIDE, np.int32)
    ways, at_cell, at_node = np.empty(largest, np.uint32), np.empty(TILE * TILE, np.uint32), np.empty(TILE * TILE, np.uint32)
    can_walk = largest <= MOST_NODES and 2 * n_features <= MOST_COLUMNS
    tile_rows, tile_columns = low.shape[:2]
    for group in range(-(-tile_rows // GROUP) * -(-tile_columns // GROUP)):
        group_row, group_column = GROUP * (group // -(-tile_columns // GROUP)), GROUP * (group % -(-tile_columns // GROUP))
        last_row, last_column = min(group_row + GROUP, tile_rows), min(group_column + GROUP, tile_columns)
        part = slice(group_row, last_row), slice(group_column, last_column)
        if not merge_boxes(low[part], high[part], holed[part], box_low, box_high, box_holed):
            continue  # no valid cell
        column_limits(box_low, box_high, box_holed, column_low, column_high)
        group_total[:] = 0
        open_trees = prune_all(
            cut,
            link,
            column,
            roots,
            output,
            leaves,
            column_low,
            column_high,
            some_cut,
            some_link,
            some_column,
            first,
            to,
            waiting,
            parent,
            group_total,
        )
        for tile_row in range(group_row, last_row):
            for tile_column in range(group_column, last_column):
                top, left = tile_row * TILE, tile_column * TILE
                bottom, right = min(top + TILE, rows), min(left + TILE, columns)
                holes = holed[tile_row, tile_column]
                n_cells = load_tile(values, valid, top, left, bottom, right, holes, numbers, start, cell_row, cell_column)
                if n_cells == 0:
                    continue
                column_limits(low[tile_row, tile_column], high[tile_row, tile_column], holes, column_low, column_high)
                tile_total[:] = group_total
                cell_total[:] = 0
                for tree in range(open_trees):
                    n_nodes = prune(
                        some_cut,
                        some_link,
                        some_column,
                        first[tree],
                        column_low,
                        column_high,
                        few_cut,
                        few_link,
                        few_column,
                        0,
                        waiting,
                        parent,
                    )
                    if n_nodes == 1:
                        add_leaf(few_link[0], leaves, tile_total, to[tree])
                        continue
                    if n_nodes >= WALK_FROM and can_walk:
                        row = 0
                        walk(few_cut, few_link, few_column, n_nodes, numbers, start, n_cells, ways, at_cell, at_node, results)
                    else:
                        row = evaluate(
                            few_cut, few_link, few_column, n_nodes, numbers, start, n_cells, results, constants, slot, free
                        )
                    if leaves.shape[0] > 0:
                        add_leaves(results, row, leaves, cell_total, to[tree] * STRIDE, n_cells)
                    else:
                        add_row(results, uint64(row), cell_total, uint64(to[tree] * STRIDE), uint64(n_cells))
                store_tile(tile_total, cell_total, cell_row, cell_column, n_cells, total)


@compiled
def store_tile(tile_total, cell_total, cell_row, cell_column, n_cells, total):
    """Put the sums of a tile in their places in `total` ``[output, row, column]``."""
    for number in range(tile_total.size):
        for cell in range(n_cells):
            total[number, cell_row[cell], cell_column[cell]] = tile_total[number] + cell_total[number * STRIDE + cell]
