"""Compiled walks over flat node arrays: renumbering and prediction.

One predicate serves every library: ``x <= cut`` goes left, in float32. A NaN goes where the node says.
"""

from __future__ import annotations

import numpy as np

from alm_core.trees.compiled import compiled

ROWS = 256  # rows walked through one tree before the next tree: its nodes stay in the cache


@compiled
def preorder(feature, left, right, roots):
    """Order of the nodes that puts each tree in preorder (left child right after its parent) and drops unreachable nodes.

    Returns the old index of every new node, and the new children and roots.
    """
    n = feature.size
    order = np.empty(n, np.int64)
    new_left = np.empty(n, np.int32)
    new_right = np.empty(n, np.int32)
    new_roots = np.empty(roots.size, np.int64)
    waiting = np.empty(n + 1, np.int64)
    waiting_parent = np.empty(n + 1, np.int64)
    count = 0
    for tree in range(roots.size):
        new_roots[tree] = count
        node = roots[tree]
        top = 0
        while True:
            order[count] = node
            here = count
            count += 1
            if feature[node] >= 0:
                new_left[here] = count
                waiting[top] = right[node]
                waiting_parent[top] = here
                top += 1
                node = left[node]
                continue
            new_left[here] = -1
            new_right[here] = -1
            if top == 0:
                break
            top -= 1
            node = waiting[top]
            new_right[waiting_parent[top]] = count
    return order[:count], new_left[:count], new_right[:count], new_roots


@compiled
def sum_of_leaves(feature, cut, left, right, value, missing_left, roots, output, rows, total):
    """Add the value of the leaf that each row reaches in each tree to `total` ``[row, output]``."""
    n = rows.shape[0]
    width = value.shape[1]
    for start in range(0, n, ROWS):
        stop = min(start + ROWS, n)
        for tree in range(roots.size):
            column = output[tree]
            for row in range(start, stop):
                node = roots[tree]
                while feature[node] >= 0:
                    x = rows[row, feature[node]]
                    goes_left = x <= cut[node] or (x != x and missing_left[node])
                    node = left[node] if goes_left else right[node]
                for j in range(width):
                    total[row, column + j] += value[node, j]
