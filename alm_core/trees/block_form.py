"""Trees laid out for the block kernels, and the prediction of a block with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alm_core.trees.boxes import TILE, tile_boxes
from alm_core.trees.fixed_point import FixedLeaves, fix_leaves
from alm_core.trees.forest_kernels import add_forest
from alm_core.trees.kernels import node_depths
from alm_core.trees.oblivious_kernels import MOST_CUTS, MOST_DEPTH, add_oblivious
from alm_core.trees.sorting import LARGE_TREE, ROUGH, arrange, in_order, open_share, sort_cells

if TYPE_CHECKING:
    from alm_core.trees.ensemble import TreeEnsemble


@dataclass(frozen=True)
class ForestForm:
    """Any trees, for `add_forest`.

    Attributes
    ----------
    fixed : FixedLeaves
    cut : ndarray of float32, ``[node]``
    link : ndarray of int32, ``[node]``
        Right child; at a leaf its whole number, or its row in `leaves`.
    column : ndarray of int32, ``[node]``
        Feature, plus the number of features where a missing value goes left; -1 at a leaf.
    roots, output : ndarray of int64, ``[tree]``
    leaves : ndarray of int32
        ``[leaf, j]`` where a leaf adds to several outputs, else without rows and columns.
    deepest, largest : int
        Splits on the longest way to a leaf, and nodes of the largest tree.
    cuts, begin : ndarray
        All cuts of feature f, increasing: ``cuts[begin[f]:begin[f + 1]]``.
    """

    fixed: FixedLeaves
    cut: np.ndarray
    link: np.ndarray
    column: np.ndarray
    roots: np.ndarray
    output: np.ndarray
    leaves: np.ndarray
    deepest: int
    largest: int
    cuts: np.ndarray
    begin: np.ndarray

    @property
    def is_large(self) -> bool:
        """Whether trees are so large that sorting the cells of a rough block costs less than it saves."""
        return len(self.cut) >= LARGE_TREE * len(self.roots)

    def add(self, values: np.ndarray, valid: np.ndarray, boxes: tuple[np.ndarray, ...], total: np.ndarray) -> None:
        """Add the leaves of the valid cells to `total` ``[output, row, column]``."""
        nodes = (self.cut, self.link, self.column, self.roots, self.output, self.leaves, self.deepest, self.largest)
        add_forest(*nodes, values, valid, *boxes, total)


@dataclass(frozen=True)
class ObliviousForm:
    """Oblivious trees, for `add_oblivious`, which says what the arrays hold."""

    fixed: FixedLeaves
    cuts: np.ndarray
    n_cuts: np.ndarray
    column: np.ndarray
    place: np.ndarray
    depth: np.ndarray
    output: np.ndarray
    leaves: np.ndarray

    def add(self, values: np.ndarray, valid: np.ndarray, boxes: tuple[np.ndarray, ...], total: np.ndarray) -> None:
        """Add the leaves of the valid cells to `total` ``[output, row, column]``."""
        trees = (self.cuts, self.n_cuts, self.column, self.place, self.depth, self.output, self.leaves)
        add_oblivious(*trees, values, valid, *boxes, total)


def block_form(ensemble: TreeEnsemble) -> ForestForm | ObliviousForm:
    """Lay out an ensemble for blocks: oblivious trees by themselves, any others by nodes."""
    is_leaf = ensemble.feature < 0
    fixed = fix_leaves(ensemble.value, is_leaf, ensemble.roots, ensemble.output, ensemble.n_outputs)
    depth = ensemble.oblivious_depths
    if depth.min() >= 0 and depth.max() <= MOST_DEPTH and ensemble.value.shape[1] == 1:
        form = _oblivious_form(ensemble, fixed, is_leaf)
        if form.n_cuts.max() <= MOST_CUTS:
            return form
    return _forest_form(ensemble, fixed, is_leaf)


def _columns(ensemble: TreeEnsemble) -> np.ndarray:
    """Column of every node: a missing value that goes left has the second one of its feature."""
    return ensemble.feature + ensemble.n_features * ensemble.missing_left


def _forest_form(ensemble: TreeEnsemble, fixed: FixedLeaves, is_leaf: np.ndarray) -> ForestForm:
    wide = ensemble.value.shape[1] > 1
    by_feature = np.lexsort((ensemble.cut[~is_leaf], ensemble.feature[~is_leaf]))
    leaf = np.cumsum(is_leaf) - 1 if wide else fixed.whole[:, 0]
    return ForestForm(
        fixed=fixed,
        cut=ensemble.cut,
        link=np.where(is_leaf, leaf, ensemble.right).astype(np.int32),
        column=np.where(is_leaf, -1, _columns(ensemble)).astype(np.int32),
        roots=ensemble.roots,
        output=ensemble.output,
        leaves=np.ascontiguousarray(fixed.whole[is_leaf]) if wide else np.empty((0, 0), np.int32),
        deepest=int(node_depths(ensemble.feature, ensemble.left, ensemble.right).max()),
        largest=int(np.diff(np.append(ensemble.roots, len(ensemble.feature))).max()),
        cuts=ensemble.cut[~is_leaf][by_feature],
        begin=np.searchsorted(ensemble.feature[~is_leaf][by_feature], np.arange(ensemble.n_features + 1)),
    )


def _oblivious_form(ensemble: TreeEnsemble, fixed: FixedLeaves, is_leaf: np.ndarray) -> ObliviousForm:
    depth, roots = ensemble.oblivious_depths, ensemble.roots
    n_trees, deepest = len(roots), max(1, int(depth.max()))
    # The way that always goes left passes one node of every level.
    nodes = roots[:, None] + np.arange(deepest)
    asked = np.arange(deepest) < depth[:, None]
    nodes = np.where(asked, nodes, 0)
    column = np.where(asked, _columns(ensemble)[nodes], 0).astype(np.int64)
    cut = ensemble.cut[nodes]
    found = [np.unique(cut[asked & (column == number)]) for number in range(2 * ensemble.n_features)]
    # A power of two past the last cut, so that a halving step never leaves the row.
    cuts = np.full((len(found), max(map(len, found)) + 2 * MOST_CUTS), np.inf, np.float32)
    place = np.zeros(column.shape, np.int64)
    for number, own in enumerate(found):
        cuts[number, : len(own)] = own
        here = asked & (column == number)
        place[here] = np.searchsorted(own, cut[here])
    leaves = np.zeros((n_trees, 1 << deepest), np.int32)
    # In preorder the leaves of a tree come in the order of their numbers.
    leaves[np.arange(1 << deepest) < (1 << depth)[:, None]] = fixed.whole[is_leaf, 0]
    n_cuts = np.array([len(own) for own in found])
    return ObliviousForm(fixed, cuts, n_cuts, column, place, depth, ensemble.output, leaves)


def block_margin(form: ForestForm | ObliviousForm, values: np.ndarray, valid: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Margins of the valid cells, ``[cell, output]`` float64, in row-major order.

    Parameters
    ----------
    form : ForestForm or ObliviousForm
    values : ndarray of float32, ``[feature, row, column]``
    valid : ndarray of bool, ``[row, column]``
    base : ndarray of float64, ``[output]``
    """
    boxes = tile_ranges(values, valid)
    if isinstance(form, ForestForm) and form.is_large and open_share(*boxes[:2], form.cuts, form.begin) > ROUGH:
        numbers = values[:, valid]
        order = sort_cells(numbers, form.cuts, form.begin)
        total = in_order(_sums(form, *arrange(numbers, order), len(base)), order)
    else:
        total = _sums(form, values, valid, len(base), boxes)[:, valid]
    # Whole numbers times a power of two are exact; the base is added last, once.
    return ((total + form.fixed.middle[:, None]) * form.fixed.step).T + base


def tile_ranges(values: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `tile_boxes` finds: least and greatest number, and whether one is missing, ``[tile row, tile column, feature]``."""
    n_features, rows, columns = values.shape
    shape = -(-rows // TILE), -(-columns // TILE), n_features
    boxes = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.bool_)
    tile_boxes(values, valid, *boxes)
    return boxes


def _sums(
    form: ForestForm | ObliviousForm,
    values: np.ndarray,
    valid: np.ndarray,
    n_outputs: int,
    boxes: tuple[np.ndarray, ...] | None = None,
) -> np.ndarray:
    """Sums of the leaves, int64 ``[output, row, column]``; 0 in cells that are not valid."""
    total = np.zeros((n_outputs, *valid.shape), np.int64)
    form.add(values, valid, tile_ranges(values, valid) if boxes is None else boxes, total)
    return total
