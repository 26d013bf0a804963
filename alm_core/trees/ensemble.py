"""Any trained tree ensemble as flat arrays of nodes: prediction with the very split tests of the library that trained it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alm_core.errors import LearnerError
from alm_core.trees.kernels import oblivious_depths, preorder, sum_of_leaves

LINKS = ("identity", "exp", "sigmoid", "softmax")
TASKS = ("regression", "classification")


class RawTree(NamedTuple):
    """One tree as its library numbers the nodes; a leaf has feature -1. ``value`` is ``[node, j]``."""

    feature: np.ndarray
    cut: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    cover: np.ndarray
    missing_left: np.ndarray
    output: int = 0


@dataclass(frozen=True)
class TreeEnsemble:
    """Trained trees in one compiled form.

    Every node tests ``x <= cut`` in float32 and goes left where it holds; a NaN goes left where ``missing_left``. The leaf
    values of all trees are added to `base` in float64: that is the *margin*. The prediction is ``link(margin)``.
    Trees lie one after the other, each in preorder (``left == node + 1``), so block-wise kernels can prune them in one pass.

    Don't build it by hand: `alm_core.trees.convert.compile_ensemble` makes it from a trained model, `load` from a file.

    Attributes
    ----------
    feature : ndarray of int32, ``[node]``
        Column that the node tests; -1 at a leaf.
    cut : ndarray of float32, ``[node]``
    left, right : ndarray of int32, ``[node]``
        Children; -1 at a leaf.
    value : ndarray of float64, ``[node, j]``
        What a leaf adds to the outputs ``output[tree] + j`` (already divided by the number of trees in a forest).
    cover : ndarray of float64, ``[node]``
        Training weight that passed the node; Shapley values need it.
    missing_left : ndarray of bool, ``[node]``
    roots, output : ndarray of int64, ``[tree]``
    base : ndarray of float64, ``[output]``
    link : {"identity", "exp", "sigmoid", "softmax"}
    task : {"regression", "classification"}
    source : str
        Class that was compiled, such as ``RandomForestRegressor``.
    feature_names : tuple of str
    classes : tuple
        Labels in the order of the columns of `predict`; empty for a regression.
    """

    feature: np.ndarray
    cut: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    cover: np.ndarray
    missing_left: np.ndarray
    roots: np.ndarray
    output: np.ndarray
    base: np.ndarray
    link: str
    task: str
    source: str
    feature_names: tuple[str, ...]
    classes: tuple[Any, ...] = ()

    @property
    def n_features(self) -> int:
        """Number of columns that `predict` expects."""
        return len(self.feature_names)

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.roots)

    @property
    def n_outputs(self) -> int:
        """Number of margins: 1, or one per class (a booster of two classes has one)."""
        return len(self.base)

    @cached_property
    def oblivious_depths(self) -> np.ndarray:
        """``[tree]``: depth of the trees that ask all rows the same questions (CatBoost), which are predicted faster; else -1."""
        return oblivious_depths(self.feature, self.cut, self.left, self.right, self.missing_left, self.roots)

    @cached_property
    def block_form(self) -> Any:
        """The trees as the block kernels want them; laid out once."""
        from alm_core.trees.block_form import block_form

        return block_form(self)

    @cached_property
    def tree_shapes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What TreeSHAP needs of the trees whatever the row (see `alm_core.trees.shap_kernels.look_through`), and their mean."""
        from alm_core.trees.shap_kernels import look_through

        mean = self.base.copy()
        nodes = (self.feature, self.left, self.right, self.value, self.cover)
        return *look_through(*nodes, self.roots, self.output, self.n_features, mean), mean

    def rows(self, X: np.ndarray | pd.DataFrame) -> np.ndarray:
        """Check the columns of `X` and give it as C-ordered float32 ``[row, feature]``.

        Raises
        ------
        LearnerError
            If the number, the names or the order of the columns differ from those of the training.
        """
        if isinstance(X, pd.DataFrame):
            self.check_names([str(name) for name in X.columns])
        array = np.ascontiguousarray(X, dtype=np.float32)
        if array.ndim != 2 or array.shape[1] != self.n_features:
            raise LearnerError(
                f"The trees were trained on {self.n_features} features and got an array of shape {array.shape}. "
                f"Give one row per site or pixel and the columns {', '.join(self.feature_names)}."
            )
        return array

    def check_names(self, names: Sequence[str]) -> None:
        """Raise LearnerError where `names` are not the columns of the training, in their order."""
        names = list(names)
        if names == list(self.feature_names):
            return
        missing = [name for name in self.feature_names if name not in names]
        unexpected = [name for name in names if name not in self.feature_names]
        fault = [f"missing: {', '.join(missing)}"] if missing else []
        fault += [f"unexpected: {', '.join(unexpected)}"] if unexpected else []
        raise LearnerError(
            f"The columns are not those of the training ({'; '.join(fault) or 'same names in another order'}). "
            f"Give exactly {', '.join(self.feature_names)}, in this order."
        )

    def margin(self, X: np.ndarray | pd.DataFrame) -> np.ndarray:
        """The sum of the leaves: float64 ``[row]``, or ``[row, output]`` where there is more than one output.

        It's the scale on which `alm_core.trees.shap.shap_values` adds up: the prediction itself for a regression and for the
        class probabilities of a forest, log-odds for the classes of a booster.
        """
        total = self._total(X)
        return total[:, 0] if self.n_outputs == 1 else total

    def _total(self, X: np.ndarray | pd.DataFrame) -> np.ndarray:
        rows = self.rows(X)
        total = np.zeros((len(rows), self.n_outputs))
        sum_of_leaves(
            self.feature,
            self.cut,
            self.right,
            self.value,
            self.missing_left,
            self.roots,
            self.output,
            self.oblivious_depths,
            rows,
            total,
        )
        return total + self.base

    def predict(self, X: np.ndarray | pd.DataFrame) -> np.ndarray:
        """Predict as the library does, with sums in float64.

        Parameters
        ----------
        X : ndarray or DataFrame, ``[row, feature]``
            Taken as float32. NaN is missing and takes the way that the library gives it.

        Returns
        -------
        ndarray of float64
            ``[row]`` for a regression, class probabilities ``[row, class]`` for a classification.

        Raises
        ------
        LearnerError
            If the columns are not those of the training.
        """
        return apply_link(self._total(X), self.link, self.task)

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Predict the valid cells of a block of the map; the faster way wherever cells lie side by side.

        Parameters
        ----------
        values : ndarray, float32 ``[feature, row, column]``
            NaN is missing, as in `predict`.
        valid : ndarray, bool ``[row, column]``
            Cells to predict; the others may hold anything.

        Returns
        -------
        ndarray of float64
            Of the valid cells in row-major order, as `predict` gives it: ``[cell]`` or ``[cell, class]``.

        Raises
        ------
        LearnerError
            If the block does not have the features of the training.

        Notes
        -----
        Split tests are exact. Leaf values are rounded to whole multiples of one power of two, so that their sum does not depend
        on the order in which a tile's pruned trees are added: a cell gets the same number to the last bit however the map is cut.
        ``block_form.fixed.largest_error`` bounds the difference from `margin`; it's around 1e-8 of the target's range.
        """
        from alm_core.trees.block_form import block_margin

        values, valid = np.ascontiguousarray(values, np.float32), np.ascontiguousarray(valid, bool)
        if values.ndim != 3 or len(values) != self.n_features or values.shape[1:] != valid.shape:
            raise LearnerError(
                f"A block of shape {values.shape} with a mask of shape {valid.shape} came; [{self.n_features}, row, column] and "
                f"[row, column] are expected, the features being {', '.join(self.feature_names)}."
            )
        return apply_link(block_margin(self.block_form, values, valid, self.base), self.link, self.task)

    def of_class(self, label: Any) -> TreeEnsemble | None:
        """The trees of one class alone, as a regression of its probability; None where that is not a sum of leaves.

        Of a forest, whose leaves hold the probability of every class: a map that needs one of them is made in three quarters of
        the time. Boosted classes have no such part, because their link takes all margins together.

        Parameters
        ----------
        label : object
            One of `classes`.
        """
        if self.link != "identity" or label not in self.classes or self.value.shape[1] != len(self.classes):
            return None
        column = self.classes.index(label)
        value = np.ascontiguousarray(self.value[:, column : column + 1])
        return replace(self, value=value, base=self.base[column : column + 1], task="regression", classes=())

    def save(self, path: str | Path) -> None:
        """Write everything to an ``.npz`` file that holds no code; see `alm_core.trees.storage`."""
        from alm_core.trees.storage import save_ensemble

        save_ensemble(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> TreeEnsemble:
        """Read a file written by `save`; ModelFileError where it is damaged or of another version."""
        from alm_core.trees.storage import load_ensemble

        return load_ensemble(Path(path))

    def to_dict(self) -> dict[str, Any]:
        """What it is, without the nodes."""
        return {
            "source": self.source,
            "task": self.task,
            "link": self.link,
            "trees": self.n_trees,
            "nodes": len(self.feature),
            "features": list(self.feature_names),
            "classes": list(self.classes),
        }


def positional_names(count: int) -> tuple[str, ...]:
    """Names of columns that have none: f0, f1, ..."""
    return tuple(f"f{i}" for i in range(count))


def apply_link(margin: np.ndarray, link: str, task: str) -> np.ndarray:
    """Turn margins ``[row, output]`` into values ``[row]`` or class probabilities ``[row, class]``.

    Examples
    --------
    >>> apply_link(np.zeros((1, 1)), "sigmoid", "classification")
    array([[0.5, 0.5]])
    """
    if link == "sigmoid":
        positive = 1.0 / (1.0 + np.exp(-margin[:, 0]))
        return positive if task == "regression" else np.column_stack([1.0 - positive, positive])
    if link == "softmax":
        shifted = np.exp(margin - margin.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)
    values = np.exp(margin) if link == "exp" else margin
    return values[:, 0] if task == "regression" else values


def assemble(
    trees: Sequence[RawTree],
    *,
    base: Sequence[float],
    link: str,
    task: str,
    source: str,
    feature_names: Sequence[str],
    classes: Sequence[Any] = (),
) -> TreeEnsemble:
    """Lay trees one after the other in preorder."""
    if not trees:
        raise LearnerError(f"{source} holds no tree: it was not fitted, or stopped before its first round. Fit it again.")
    sizes = np.array([len(tree.feature) for tree in trees])
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    shift = np.repeat(roots, sizes)
    joined = [np.concatenate([getattr(tree, name) for tree in trees]) for name in RawTree._fields[:-1]]
    feature, cut, left, right, value, cover, missing_left = joined
    feature = np.where(left < 0, -1, feature).astype(np.int32)
    order, new_left, new_right, new_roots = preorder(feature, left + shift, right + shift, roots)
    return TreeEnsemble(
        feature=feature[order],
        cut=np.where(feature[order] < 0, 0, cut[order]).astype(np.float32),
        left=new_left,
        right=new_right,
        value=np.where(feature[order, None] < 0, value[order], 0.0).astype(np.float64),
        cover=cover[order].astype(np.float64),
        missing_left=missing_left[order].astype(bool),
        roots=new_roots,
        output=np.array([tree.output for tree in trees], np.int64),
        base=np.array(base, np.float64),
        link=link,
        task=task,
        source=source,
        feature_names=tuple(str(name) for name in feature_names),
        classes=tuple(label.item() if isinstance(label, np.generic) else label for label in classes),
    )
