"""Compiled kernels of exact TreeSHAP; `alm_core.trees.shap` says what they compute."""

from __future__ import annotations

import numpy as np

from alm_core.trees.compiled import compiled

ROWS = 128  # rows that go through one leaf together; their factors stay in the first-level cache


@compiled
def tree_shape(feature, left, right, root, end):
    """Number of leaves, and the largest number of nodes on a way from the root to a leaf."""
    depth = np.zeros(end - root, np.int64)
    leaves = 0
    deepest = 0
    for node in range(root, end):  # preorder: a parent comes before its children
        if feature[node] < 0:
            leaves += 1
            deepest = max(deepest, depth[node - root])
        else:
            depth[left[node] - root] = depth[node - root] + 1
            depth[right[node] - root] = depth[node - root] + 1
    return leaves, deepest


@compiled
def child_share(cover, node, child):
    """Part of the training weight of `node` that went to `child`; a node that no training row reached splits evenly."""
    return cover[child] / cover[node] if cover[node] > 0.0 else 0.5


@compiled
def leaf_paths(feature, cut, left, right, cover, missing_left, root, leaves, width):
    """The ways to all leaves of one tree, each with its splits merged by feature.

    A leaf is reached by the rows with ``low < x <= high`` (NaN `low`: no bound) for every feature on its path, or with x
    missing where `missing_ok`. `share` is the product of the cover ratios of the feature's splits.

    Returns
    -------
    leaf [leaf], size [leaf], and [leaf, place on the path]: which, low, high, missing_ok, share
    """
    leaf = np.empty(leaves, np.int64)
    size = np.empty(leaves, np.int64)
    which = np.empty((leaves, width), np.int64)
    low = np.empty((leaves, width), np.float32)
    high = np.empty((leaves, width), np.float32)
    missing_ok = np.empty((leaves, width), np.bool_)
    share = np.empty((leaves, width), np.float64)
    # The path to the node at hand lies in row `done`; a left child takes it over, a right child waits with a copy of it.
    waiting = np.empty(leaves + 1, np.int64)
    top = 0
    done = 0
    node = root
    size[0] = 0
    while True:
        if feature[node] < 0:
            leaf[done] = node
            done += 1
            if top == 0:
                break
            top -= 1
            # Waiting paths lie at the end of the arrays, the last one first.
            source = leaves - 1 - top
            node = waiting[top]
            if source != done:
                copy_path(source, done, size, which, low, high, missing_ok, share)
            continue
        place = 0
        while place < size[done] and which[done, place] != feature[node]:
            place += 1
        if place == size[done]:
            which[done, place] = feature[node]
            low[done, place] = np.nan
            high[done, place] = np.inf
            missing_ok[done, place] = True
            share[done, place] = 1.0
            size[done] += 1
        target = leaves - 1 - top
        copy_path(done, target, size, which, low, high, missing_ok, share)
        waiting[top] = right[node]
        top += 1
        if not cut[node] <= low[target, place]:
            low[target, place] = cut[node]
        missing_ok[target, place] &= not missing_left[node]
        share[target, place] *= child_share(cover, node, right[node])
        high[done, place] = min(high[done, place], cut[node])
        missing_ok[done, place] &= missing_left[node]
        share[done, place] *= child_share(cover, node, left[node])
        node = left[node]
    return leaf, size, which, low, high, missing_ok, share


@compiled
def copy_path(source, target, size, which, low, high, missing_ok, share):
    """Copy one path onto another place."""
    size[target] = size[source]
    for place in range(size[source]):
        which[target, place] = which[source, place]
        low[target, place] = low[source, place]
        high[target, place] = high[source, place]
        missing_ok[target, place] = missing_ok[source, place]
        share[target, place] = share[source, place]


@compiled
def mark_inside(x, low, high, missing_ok, inside):
    """Mark the rows of a chunk that satisfy all splits of one feature on a path."""
    for row in range(x.size):
        value = x[row]
        inside[row] = missing_ok if value != value else (not (value <= low)) & (value <= high)


@compiled
def leaf_parts(size, share, inside, points, weights, product, parts):
    """Shapley values of a leaf of value 1 for a chunk of rows: ``parts[place on the path, row]``.

    `inside` is uint8 ``[place, row]``; the select between two numbers per row is what the compiler vectorises.
    """
    n_points = (size + 1) // 2
    parts[:size] = 0.0
    for k in range(n_points):
        t = points[n_points, k]
        product[:] = weights[n_points, k]
        for i in range(size):
            outside = (1.0 - t) * share[i]
            factor = t + outside
            marks = inside[i]
            for row in range(product.size):
                product[row] *= factor if marks[row] else outside
        # For a row outside, -z / ((1 - t) z) is shortened: it stays right where z is 0 (no training row came there).
        minus = -1.0 / (1.0 - t)
        for i in range(size):
            plus = (1.0 - share[i]) / (t + (1.0 - t) * share[i])
            marks = inside[i]
            part = parts[i]
            for row in range(product.size):
                part[row] += product[row] * (plus if marks[row] else minus)


@compiled
def add_tree(paths, value, output, columns, points, weights, phi):
    """Add the Shapley values of one tree to `phi` ``[output, feature, row]``. `columns` is ``[feature, row]``."""
    leaf, size, which, low, high, missing_ok, share = paths
    n = columns.shape[1]
    width = which.shape[1]
    inside = np.empty((width, ROWS), np.uint8)
    product = np.empty(ROWS, np.float64)
    parts = np.empty((width, ROWS), np.float64)
    for start in range(0, n, ROWS):
        stop = min(start + ROWS, n)
        count = stop - start
        for path in range(leaf.size):
            if not np.any(value[leaf[path]] != 0.0):
                continue
            for i in range(size[path]):
                x = columns[which[path, i], start:stop]
                mark_inside(x, low[path, i], high[path, i], missing_ok[path, i], inside[i])
            leaf_parts(size[path], share[path], inside, points, weights, product[:count], parts)
            for j in range(value.shape[1]):
                v = value[leaf[path], j]
                for i in range(size[path]):
                    total = phi[output + j, which[path, i], start:stop]
                    part = parts[i]
                    for row in range(count):
                        total[row] += v * part[row]


@compiled
def explain_trees(
    feature, cut, left, right, value, cover, missing_left, roots, output, n_features, columns, points, weights, phi, base
):
    """Add the Shapley values of all trees to `phi`, and the mean of all trees to `base` ``[output]``."""
    for tree in range(roots.size):
        root = roots[tree]
        end = roots[tree + 1] if tree + 1 < roots.size else feature.size
        leaves, deepest = tree_shape(feature, left, right, root, end)
        width = max(1, min(deepest, n_features))
        paths = leaf_paths(feature, cut, left, right, cover, missing_left, root, leaves, width)
        leaf, size, share = paths[0], paths[1], paths[6]
        for path in range(leaves):
            reached = 1.0
            for i in range(size[path]):
                reached *= share[path, i]
            for j in range(value.shape[1]):
                base[output[tree] + j] += reached * value[leaf[path], j]
        add_tree(paths, value, output[tree], columns, points, weights, phi)
