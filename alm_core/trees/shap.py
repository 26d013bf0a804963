"""Exact Shapley values of tree ensembles, path-dependent (TreeSHAP).

The value of a coalition S of features is the mean of the tree where splits on features outside S are passed on both sides
by their training weight (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9). A leaf of value v whose path holds the
distinct features 1..m is then a product game: o_i (1 where the row passes all splits on feature i, else 0) for a feature in
S, z_i (the product of the cover ratios of those splits) for one outside. The Shapley value of a product game is

    phi_j = v (o_j - z_j) * integral over t from 0 to 1 of  prod_{i != j} (t o_i + (1 - t) z_i)

because the multilinear extension of the game integrates to it (Owen 1972). The integrand is a polynomial of degree m - 1, so
Gauss-Legendre quadrature with ceil(m / 2) points gives the integral exactly. `alm_core.trees.shap_kernels` gathers the leaves in
one walk over each tree (Yu et al. 2022, Linear TreeSHAP, NeurIPS 35), with all rows side by side.

The base is the mean of the trees by training weight, the value of the empty coalition.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import LearnerError
from alm_core.trees.ensemble import TreeEnsemble
from alm_core.trees.shap_kernels import explain_trees


@dataclass(frozen=True)
class ShapValues:
    """Shapley values of one ensemble.

    Attributes
    ----------
    values : ndarray of float64
        ``[row, feature]``, or ``[row, feature, output]`` where the ensemble has more than one output.
    base : float or ndarray
        Value of the empty coalition: a number, or ``[output]``. ``base + values.sum(axis=1) == ensemble.margin(X)``.
    feature_names : tuple of str
    """

    values: np.ndarray
    base: float | np.ndarray
    feature_names: tuple[str, ...]

    @property
    def margin(self) -> np.ndarray:
        """What the values add up to: ``[row]`` or ``[row, output]``."""
        return self.base + self.values.sum(axis=1)

    @property
    def importance(self) -> np.ndarray:
        """Mean of ``|value|`` over rows, summed over outputs: ``[feature]``."""
        mean = np.abs(self.values).mean(axis=0)
        return mean if mean.ndim == 1 else mean.sum(axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Base and importance by feature."""
        return {
            "base": np.asarray(self.base).tolist(),
            "importance": dict(zip(self.feature_names, self.importance.tolist(), strict=True)),
        }


def shap_values(ensemble: TreeEnsemble, X: np.ndarray | pd.DataFrame) -> ShapValues:
    """Explain every row exactly.

    Not for causes: it says how the trained trees use the covariates, given how these hang together in the training sites.
    Correlated covariates share their part in the proportion in which the trees happened to choose them.

    Parameters
    ----------
    ensemble : TreeEnsemble
    X : ndarray or DataFrame, ``[row, feature]``
        Taken as float32; NaN takes the way that it takes in `TreeEnsemble.predict`.

    Returns
    -------
    ShapValues
        On the scale of `TreeEnsemble.margin`: the unit of the target (regression), probabilities (forest of classes),
        log-odds (booster of classes).

    Raises
    ------
    LearnerError
        If the columns are not those of the training, or the model was stored without its training weights.

    Examples
    --------
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from alm_core.trees.convert import compile_ensemble
    >>> X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    >>> trees = compile_ensemble(ExtraTreesRegressor(10, random_state=0).fit(X, X[:, 0] * X[:, 1]))
    >>> explained = shap_values(trees, X)
    >>> bool(np.allclose(explained.values.sum(axis=1) + explained.base, trees.predict(X), atol=1e-12))
    True
    """
    if not np.all(ensemble.cover[ensemble.roots] > 0):
        raise LearnerError(
            f"The {ensemble.source} holds trees without training weights, which Shapley values need. Train it again, and store "
            "it with its weights."
        )
    columns = np.ascontiguousarray(ensemble.rows(X).T)
    phi = np.zeros((ensemble.n_outputs, *columns.shape))
    depth, distinct, holds, base = ensemble.tree_shapes
    explain_trees(
        ensemble.feature,
        ensemble.cut,
        ensemble.left,
        ensemble.right,
        ensemble.value,
        ensemble.cover,
        ensemble.missing_left,
        ensemble.roots,
        ensemble.output,
        depth,
        distinct,
        holds,
        columns,
        *quadrature(ensemble.n_features),
        phi,
    )
    if ensemble.n_outputs == 1:
        return ShapValues(phi[0].T.copy(), float(base[0]), ensemble.feature_names)
    return ShapValues(np.moveaxis(phi, 0, -1).swapaxes(0, 1).copy(), base.copy(), ensemble.feature_names)


@lru_cache(maxsize=8)
def quadrature(n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre points and weights on [0, 1], row k with k points, for products of up to `n_features` factors.

    Examples
    --------
    >>> points, weights = quadrature(4)
    >>> round(float(weights[2] @ points[2] ** 3), 12)  # two points integrate cubes exactly
    0.25
    """
    most = max(1, (n_features + 1) // 2)
    points, weights = np.zeros((most + 1, most)), np.zeros((most + 1, most))
    for count in range(1, most + 1):
        x, w = np.polynomial.legendre.leggauss(count)
        points[count, :count], weights[count, :count] = (x + 1.0) / 2.0, w / 2.0
    return points, weights
