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
def oblivious_depths(feature, cut, left, right, missing_left, roots):
    """Depth of each tree whose nodes of one level all hold the same split (CatBoost's trees); -1 for other trees.

    The splits of such a tree are those of the nodes root, root + 1, ...: the way that always goes left.
    """
    depths = np.empty(roots.size, np.int64)
    level = np.zeros(feature.size, np.int64)
    for tree in range(roots.size):
        root = roots[tree]
        end = roots[tree + 1] if tree + 1 < roots.size else feature.size
        depth = 0
        while feature[root + depth] >= 0:
            depth += 1
        same = end - root == 2 ** (depth + 1) - 1
        for node in range(root, end):
            if feature[node] < 0:
                same = same and level[node] == depth
                continue
            level[left[node]] = level[node] + 1
            level[right[node]] = level[node] + 1
            first = root + level[node]
            same = same and feature[node] == feature[first] and cut[node] == cut[first]
            same = same and missing_left[node] == missing_left[first]
        depths[tree] = depth if same else -1
    return depths


@compiled
def node_depths(feature, left, right):
    """Splits between each node and its root, ``[node]``; nodes lie in preorder."""
    depth = np.zeros(feature.size, np.int64)
    for node in range(feature.size):  # a parent comes before its children
        if feature[node] >= 0:
            depth[left[node]] = depth[node] + 1
            depth[right[node]] = depth[node] + 1
    return depth


@compiled
def goes_left(x, cut, missing_left):
    """The one split test: a NaN is not <= anything."""
    return x <= cut or (x != x and missing_left)


@compiled
def walk_tree(feature, cut, right, missing_left, root, rows, leaf):
    """Find the leaf of each row in one tree."""
    for row in range(leaf.size):
        node = root
        column = feature[node]
        while column >= 0:
            # The left child is the next node.
            node = node + 1 if goes_left(rows[row, column], cut[node], missing_left[node]) else right[node]
            column = feature[node]
        leaf[row] = node


@compiled
def jump_tree(feature, cut, missing_left, root, depth, columns, leaf):
    """Find the leaf of each row in an oblivious tree: every row asks the same questions, so rows go side by side.

    A subtree of h levels holds ``2^h - 1`` nodes, which a row that goes right jumps over.
    """
    leaf[:] = root
    for level in range(depth):
        x = columns[feature[root + level]]
        limit = cut[root + level]
        stays = missing_left[root + level]
        jump = 2 ** (depth - level) - 1
        for row in range(leaf.size):
            is_left = (x[row] <= limit) | ((x[row] != x[row]) & stays)
            leaf[row] += 1 + (0 if is_left else jump)


@compiled
def sum_of_leaves(feature, cut, right, value, missing_left, roots, output, depths, rows, total):
    """Add the value of the leaf that each row reaches in each tree to `total` ``[row, output]``.

    `depths` are those of `oblivious_depths`; both ways through a tree lead to the same leaf.
    """
    n = rows.shape[0]
    width = value.shape[1]
    leaf = np.empty(ROWS, np.int64)
    columns = np.empty((rows.shape[1], ROWS), np.float32)
    turned = np.any(depths > 0)
    for start in range(0, n, ROWS):
        count = min(ROWS, n - start)
        part = rows[start : start + count]
        if turned:
            columns[:, :count] = part.T
        for tree in range(roots.size):
            if depths[tree] >= 0:
                jump_tree(feature, cut, missing_left, roots[tree], depths[tree], columns, leaf[:count])
            else:
                walk_tree(feature, cut, right, missing_left, roots[tree], part, leaf[:count])
            for row in range(count):
                for j in range(width):
                    total[start + row, output[tree] + j] += value[leaf[row], j]
