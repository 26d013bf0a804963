"""Compiled kernels of exact TreeSHAP; `alm_core.trees.shap` says what they compute.

A tree is walked once for a chunk of rows. On the way down, every level holds the product of the path at each quadrature point;
on the way up, the sum of the leaves below. What a feature gets is read off at the edges: where an edge changes the factor of its
feature from f to f', the feature's share of the leaves below changes from (o - z) / f to (o' - z') / f'. Added up along a path,
these changes leave the share at the leaf, point by point, so nothing is lost; and no leaf's path has to be gone through again
(Yu et al. 2022, Linear TreeSHAP, NeurIPS 35).

Working arrays have a level as their first index: 0 is the root, l the node at hand l edges below it. A single row (a click on
the map) has a walk of its own without arrays over rows; it does the same sums in the same order, to the last bit.
"""

from __future__ import annotations

import numpy as np

from alm_core.trees.compiled import compiled

ROWS = 384  # rows that go through one tree together: enough to pay for the walk, few enough for the second-level cache

WORD = 62  # features that a word can mark

# What an edge does to a row: it had left the path before, it leaves here, it stays.
GONE, LEAVES, STAYS = 0, 1, 2


@compiled
def child_share(cover, node, child):
    """Part of the training weight of `node` that went to `child`; a node that no training row reached splits evenly."""
    return cover[child] / cover[node] if cover[node] > 0.0 else 0.5


@compiled
def look_through(feature, left, right, value, cover, roots, output, n_features, mean):
    """What of the trees is the same for all rows. Adds their means by training weight to `mean` ``[output]``.

    Returns
    -------
    depth : ndarray of int ``[tree]``
        Nodes on the longest way to a leaf.
    distinct : ndarray of int ``[tree]``
        Features on the way that has the most different ones; at most that many where there are more than a word has bits.
    holds : ndarray of bool ``[node]``
        False where all leaves below are 0: CatBoost gives that to the many leaves that no training row reached.
    """
    depth = np.zeros(roots.size, np.int64)
    distinct = np.zeros(roots.size, np.int64)
    holds = np.zeros(feature.size, np.bool_)
    shares = np.empty(feature.size)
    levels = np.empty(feature.size, np.int64)
    features = np.empty(feature.size, np.int64)  # those on the way, a bit for each
    different = np.empty(feature.size, np.int64)
    for tree in range(roots.size):
        root = roots[tree]
        end = roots[tree + 1] if tree + 1 < roots.size else feature.size
        shares[root], levels[root], features[root], different[root] = 1.0, 0, 0, 0
        for node in range(root, end):  # preorder: a parent comes before its children
            if feature[node] < 0:
                depth[tree] = max(depth[tree], levels[node])
                distinct[tree] = max(distinct[tree], min(different[node], n_features))
                for j in range(value.shape[1]):
                    mean[output[tree] + j] += shares[node] * value[node, j]
                    holds[node] |= value[node, j] != 0.0
                continue
            bit = 1 << (feature[node] % WORD)
            is_new = n_features > WORD or not features[node] & bit
            for child in (left[node], right[node]):
                shares[child] = shares[node] * child_share(cover, node, child)
                levels[child] = levels[node] + 1
                features[child] = features[node] | bit
                different[child] = different[node] + is_new
        for node in range(end - 1, root - 1, -1):
            if feature[node] >= 0:
                holds[node] = holds[left[node]] | holds[right[node]]
    return depth, distinct, holds


# At a quadrature point t a feature with share z multiplies the path with t + (1 - t) z where the row is on it, and with
# (1 - t) z where it is off. `inverse` is one over the first, `part` what the feature gets of the leaves below: (1 - z) / first
# on the path, `off` = -1 / (1 - t) off it. Where no training row went, z is 0, and so is all that a row off the path finds there.


@compiled
def on_path(t, share):
    """The factor of a feature whose splits a row satisfies."""
    return t + (1.0 - t) * share


@compiled
def off_path(t, share):
    """The factor of a feature that a row left the path at."""
    return (1.0 - t) * share


@compiled
def thinned(old_share, new_share):
    """What an edge multiplies the path with for rows that had left it at this feature."""
    return new_share / old_share if old_share > 0.0 else 0.0


@compiled
def row_up(level, step, leaves, change, total):
    """Add the sums of a row's leaves at `level` to those of its parent; `total` of the edge's feature with what it gets."""
    for k in range(leaves.shape[1]):
        leaves[level - 1, k] += leaves[level, k]
        if step != GONE:
            total += leaves[level, k] * change[level, k]
    return total


@compiled
def add_row(tree, root, depth, holds, x, points, weights, off, j, phi):
    """Add the Shapley values of output `j` of one tree for one row `x` ``[feature]`` to `phi` ``[feature]``."""
    # The few points are gone through here: in a function of its own the compiler would prepare for many, which doubles the time.
    feature, cut, left, right, value, cover, missing_left = tree
    product, leaves, inverse, part, change = np.zeros((5, depth + 1, points.size))
    share = np.ones(depth + 1)
    step = np.full(depth + 1, STAYS)
    node_at = np.full(depth + 1, root)
    children_done = np.zeros(depth + 1, np.int64)
    # Level at which the path at hand last split on each feature (0: not yet), and the one before that for each level.
    last, last_before = np.zeros(x.size, np.int64), np.zeros(depth + 1, np.int64)
    product[0], inverse[0] = weights, 1.0
    level = 0
    while level > 0 or children_done[0] < 2:
        node = node_at[level]
        if children_done[level] == 2:
            column = feature[node_at[level - 1]]
            phi[column] = row_up(level, step[level], leaves, change, phi[column])
            last[column] = last_before[level]
            level -= 1
            continue
        is_left = children_done[level] == 0
        children_done[level] += 1
        child = left[node] if is_left else right[node]
        if not holds[child]:
            continue
        column = feature[node]
        before = last[column]
        level += 1
        goes_left = x[column] <= cut[node] or (x[column] != x[column] and missing_left[node])
        step[level] = GONE if step[before] != STAYS else (STAYS if goes_left == is_left else LEAVES)
        share[level] = share[before] * child_share(cover, node, child)
        for k in range(points.size):
            if step[level] == GONE:
                factor = thinned(share[before], share[level])
            elif step[level] == LEAVES:
                factor = off_path(points[k], share[level]) * inverse[before, k]
                change[level, k] = off[k] - part[before, k]
            else:
                here = on_path(points[k], share[level])
                factor = here * inverse[before, k]
                inverse[level, k] = 1.0 / here
                part[level, k] = (1.0 - share[level]) * inverse[level, k]
                change[level, k] = part[level, k] - part[before, k]
            product[level, k] = product[level - 1, k] * factor
            leaves[level, k] = product[level, k] * value[child, j]  # 0 but at a leaf
        if feature[child] < 0:
            phi[column] = row_up(level, step[level], leaves, change, phi[column])
            level -= 1
            continue
        node_at[level], children_done[level] = child, 0
        last_before[level], last[column] = before, level


@compiled
def mark_left(x, cut, missing_left, goes_left):
    """Mark the rows of a chunk that a split sends to the left."""
    for row in range(x.size):
        goes_left[row] = (x[row] <= cut) | ((x[row] != x[row]) & missing_left)


@compiled
def follow(before, goes_left, is_left, step):
    """What an edge does to each row; `before` is what the last edge of the same feature did."""
    for row in range(goes_left.size):
        stays = STAYS if goes_left[row] == is_left else LEAVES
        step[row] = stays if before[row] == STAYS else GONE


@compiled
def edge_factors(points, off, old, old_share, new, new_share, keep, change):
    """What an edge multiplies the path with (`keep`) and what its feature gains below (`change`), ``[step, point]``.

    `old` and `new` are `inverse` and `part` of the feature above and below the edge, ``[2, point]``.
    """
    gone = thinned(old_share, new_share)
    for k in range(points.size):
        factor = on_path(points[k], new_share)
        new[0, k] = 1.0 / factor
        new[1, k] = (1.0 - new_share) * new[0, k]
        keep[GONE, k] = gone
        keep[LEAVES, k] = off_path(points[k], new_share) * old[0, k]
        keep[STAYS, k] = factor * old[0, k]
        change[GONE, k] = 0.0  # `off` before and after
        change[LEAVES, k] = off[k] - old[1, k]
        change[STAYS, k] = new[1, k] - old[1, k]


@compiled
def descend(product, step, keep, below, leaves):
    """The products of the path one node further down, ``[point, row]``; no leaf is summed there yet."""
    leaves[:] = 0.0
    for k in range(keep.shape[1]):
        gone, out, stays = keep[GONE, k], keep[LEAVES, k], keep[STAYS, k]
        for row in range(step.size):
            below[k, row] = product[k, row] * (stays if step[row] == STAYS else (out if step[row] == LEAVES else gone))


@compiled
def ascend(below, step, change, leaves, phi):
    """Add the sums of a subtree to those of its parent and to the values of the feature of its edge."""
    for k in range(change.shape[1]):
        out, stays = change[LEAVES, k], change[STAYS, k]
        for row in range(step.size):
            here = below[k, row]
            leaves[k, row] += here
            phi[row] += here * (stays if step[row] == STAYS else (out if step[row] == LEAVES else 0.0))


@compiled
def add_leaf(product, step, keep, change, value, leaves, phi):
    """`descend` and `ascend` in one for a leaf, which keeps nothing of its own."""
    for k in range(keep.shape[1]):
        gone, out, stays = keep[GONE, k], keep[LEAVES, k], keep[STAYS, k]
        out_part, stays_part = change[LEAVES, k], change[STAYS, k]
        for row in range(step.size):
            here = product[k, row] * (stays if step[row] == STAYS else (out if step[row] == LEAVES else gone)) * value
            leaves[k, row] += here
            phi[row] += here * (stays_part if step[row] == STAYS else (out_part if step[row] == LEAVES else 0.0))


@compiled
def add_rows(tree, root, depth, holds, columns, start, stop, points, weights, off, j, output, phi):
    """Add the Shapley values of output `j` of one tree to ``phi[output, feature, start:stop]``; see `add_row`.

    Rows are cut out last, one feature at a time: the compiler then knows that they lie side by side, and takes several at once.
    """
    feature, cut, left, right, value, cover, missing_left = tree
    rows = stop - start
    product = np.empty((depth + 1, points.size, rows))
    leaves = np.zeros((depth + 1, points.size, rows))
    goes_left = np.empty((depth + 1, rows), np.uint8)
    step = np.full((depth + 1, rows), STAYS, np.uint8)
    feature_at = np.empty((depth + 1, 2, points.size))
    keep = np.empty((depth + 1, 3, points.size))
    change = np.empty((depth + 1, 3, points.size))
    share = np.ones(depth + 1)
    node_at = np.empty(depth + 1, np.int64)
    children_done = np.zeros(depth + 1, np.int64)
    last = np.zeros(columns.shape[0], np.int64)
    last_before = np.zeros(depth + 1, np.int64)
    feature_at[0, 0], feature_at[0, 1] = 1.0, 0.0
    for k in range(points.size):
        product[0, k] = weights[k]
    node_at[0] = root
    level = 0
    while True:
        node = node_at[level]
        if children_done[level] == 2:
            if level == 0:
                break
            column = feature[node_at[level - 1]]
            ascend(leaves[level], step[level], change[level], leaves[level - 1], phi[output, column, start:stop])
            last[column] = last_before[level]
            level -= 1
            continue
        column = feature[node]
        is_left = children_done[level] == 0
        children_done[level] += 1
        if is_left:
            mark_left(columns[column, start:stop], cut[node], missing_left[node], goes_left[level])
        child = left[node] if is_left else right[node]
        if not holds[child]:
            continue
        before, here = last[column], level + 1
        follow(step[before], goes_left[level], is_left, step[here])
        share[here] = share[before] * child_share(cover, node, child)
        edge_factors(points, off, feature_at[before], share[before], feature_at[here], share[here], keep[here], change[here])
        if feature[child] < 0:
            total = phi[output, column, start:stop]
            add_leaf(product[level], step[here], keep[here], change[here], value[child, j], leaves[level], total)
            continue
        descend(product[level], step[here], keep[here], product[here], leaves[here])
        node_at[here], children_done[here] = child, 0
        last_before[here], last[column] = before, here
        level = here


@compiled
def explain_trees(
    feature, cut, left, right, value, cover, missing_left, roots, output, depth, distinct, holds, columns, points, weights, phi
):
    """Add the Shapley values of all trees to `phi` ``[output, feature, row]``; `columns` is ``[feature, row]``.

    `depth`, `distinct` and `holds` are those of `look_through`; row k of `points` and `weights` is a quadrature of k points.
    """
    tree = (feature, cut, left, right, value, cover, missing_left)
    n = columns.shape[1]
    for number in range(roots.size):
        if depth[number] == 0:
            continue
        count = (distinct[number] + 1) // 2  # exact for the product of so many factors
        rule = points[count, :count], weights[count, :count], -1.0 / (1.0 - points[count, :count])
        shape = roots[number], depth[number], holds
        for j in range(value.shape[1]):
            place = output[number] + j
            if n == 1:
                add_row(tree, *shape, columns[:, 0], *rule, j, phi[place, :, 0])
                continue
            for start in range(0, n, ROWS):
                add_rows(tree, *shape, columns, start, min(start + ROWS, n), *rule, j, place, phi)
