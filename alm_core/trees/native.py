"""The libraries' own predictions: the oracle that compiled trees are held to.

Nothing here walks a tree by our own code. XGBoost and CatBoost are asked themselves; a forest that is only known from its
``.npz`` file is put back into scikit-learn's tree and walked by scikit-learn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from alm_core.errors import LearnerError
from alm_core.trees.convert import FORESTS
from alm_core.trees.ensemble import TreeEnsemble

TOLERANCE = 1e-6
"""Of the range of the target (of 1 for probabilities): the largest difference between compiled and native predictions."""
MAXIMUM_ROWS = 2000
CUT_ROWS = 400
HOLE_SHARE = 0.25
NODE_FIELDS = (
    "left_child",
    "right_child",
    "feature",
    "threshold",
    "impurity",
    "n_node_samples",
    "weighted_n_node_samples",
    "missing_go_to_left",
)
LEAF_FEATURE = -2
"""What scikit-learn writes for the feature of a leaf."""


class NativePredictor(Protocol):
    """Something that predicts rows by the library's own code."""

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """``[row, feature]`` float32 to float64: values ``[row]``, or class probabilities ``[row, class]``.

        NaN is missing, where the library takes it; else the library's own exception comes through.
        """


def native_predictor(model: Any) -> NativePredictor:
    """The library's own prediction for a trained model, or for a forest that was read from its ``.npz`` file.

    Parameters
    ----------
    model : RandomForest*, ExtraTrees*, XGB*, CatBoost*, TreeEnsemble
        A `TreeEnsemble` must come from a forest: boosters have files of their own.

    Raises
    ------
    LearnerError
        There is no native prediction for it.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from alm_core.trees.convert import compile_ensemble
    >>> X = np.arange(8, dtype=np.float32).reshape(8, 1)
    >>> forest = RandomForestRegressor(5, random_state=0).fit(X, X[:, 0])
    >>> walked = native_predictor(compile_ensemble(forest)).predict(X)
    >>> bool(np.allclose(walked, forest.predict(X)))
    True
    """
    kinds = {(base.__module__.split(".")[0], base.__name__) for base in type(model).__mro__}
    if isinstance(model, TreeEnsemble):
        return RebuiltForest(model)
    if ("xgboost", "XGBModel") in kinds:
        return NativeBooster(model)
    if kinds & {("catboost", "CatBoost"), ("catboost", "_CatBoostBase")} or any(("sklearn", name) in kinds for name in FORESTS):
        return NativeEstimator(model)
    raise LearnerError(
        f"{type(model).__name__} has no native prediction to compare with. A random forest, extra trees, XGBoost or CatBoost "
        "model is expected."
    )


@dataclass(frozen=True)
class NativeEstimator:
    """A scikit-learn forest or a CatBoost model: both sum in float64, so they are asked as they are."""

    model: Any

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """See `NativePredictor`."""
        ask = self.model.predict_proba if hasattr(self.model, "predict_proba") else self.model.predict
        return np.asarray(ask(np.asarray(rows, np.float32)), np.float64)


class NativeBooster:
    """An XGBoost model.

    XGBoost adds its trees up in float32, which for 600 trees is off by more than the tolerance (and by hundreds of times as
    much for a target such as kelvin, whose mean is far from 0). So it is asked for one round after the other, from a margin of
    0, and its answers are added in float64. That they are the whole model is proved each time: they must agree with the
    library's own sum as far as float32 goes.
    """

    def __init__(self, model: Any) -> None:
        from alm_core.trees.xgboost_trees import CLASSIFICATION, LINKS

        self.booster = model.get_booster()
        best = self.booster.attr("best_iteration")  # of early stopping; `predict` of the library stops there too
        self.rounds = self.booster.num_boosted_rounds() if best is None else int(best) + 1
        learner = json.loads(self.booster.save_config())["learner"]
        objective = learner["objective"]["name"]
        self.link, self.classifies = LINKS[objective], objective in CLASSIFICATION
        self.base = self._base(learner["learner_model_param"])

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """See `NativePredictor`."""
        from xgboost import DMatrix

        rows = np.ascontiguousarray(rows, np.float32)
        shape = (len(rows), len(self.base))
        matrix = DMatrix(rows, base_margin=np.zeros(shape, np.float32), nthread=1)
        total, weight = np.tile(self.base, (len(rows), 1)), np.abs(self.base).max() * np.ones(len(rows))
        for number in range(self.rounds):
            part = self.booster.predict(matrix, output_margin=True, iteration_range=(number, number + 1), validate_features=False)
            part = np.asarray(part, np.float64).reshape(shape)
            total += part
            weight += np.abs(part).max(axis=1)
        found = self._linked(total)
        whole = self.booster.predict(
            DMatrix(rows, nthread=1), iteration_range=(0, self.rounds), strict_shape=True, validate_features=False
        )
        self._check_whole(found, np.asarray(whole, np.float64).reshape(len(rows), -1), weight)
        if self.classifies and len(self.base) == 1:
            return np.column_stack([1.0 - found, found])
        return found if self.classifies else found[:, 0]

    def _base(self, parameters: dict[str, str]) -> np.ndarray:
        """The base score, which XGBoost keeps on the scale of the prediction, as margins ``[output]``."""
        from scipy.special import logit

        score = np.array(parameters["base_score"].strip("[]").split(","), np.float32).astype(np.float64)
        margin = {"sigmoid": logit, "exp": np.log}.get(self.link, np.asarray)(score)
        return np.broadcast_to(margin, max(1, int(parameters["num_class"]))).astype(np.float64)

    def _linked(self, margin: np.ndarray) -> np.ndarray:
        from scipy.special import expit, softmax

        if self.link == "softmax":
            return softmax(margin, axis=1)
        return {"identity": np.asarray, "exp": np.exp, "sigmoid": expit}[self.link](margin)

    def _check_whole(self, found: np.ndarray, whole: np.ndarray, weight: np.ndarray) -> None:
        """Refuse pieces that are not the whole model."""
        # A float32 sum of n terms is off by at most n half units in the last place of its largest partial sum; the link
        # multiplies that by at most its slope: the value itself for exp, 1 for the others.
        allowed = (self.rounds + 8) * np.finfo(np.float32).eps * (weight[:, None] + 1e-30)
        allowed = allowed * np.abs(whole) if self.link == "exp" else allowed
        allowed = allowed + 4 * np.finfo(np.float32).eps * np.abs(whole)
        if np.any(np.abs(found - whole) > allowed):
            worst = np.unravel_index(np.argmax(np.abs(found - whole) - allowed), found.shape)
            raise LearnerError(
                f"The rounds of the XGBoost model add up to {found[worst]:.9g} where XGBoost itself predicts {whole[worst]:.9g}: "
                "its objective or base score is not understood. Use the objective reg:squarederror, or another learner."
            )


class RebuiltForest:
    """A forest read from its ``.npz`` file, as trees of scikit-learn.

    The thresholds are our float32 cuts, so this proves the walk, the routing of missing values and the sums; that the cuts are
    those of the trained forest is proved when it is saved (`check_conversion`).
    """

    def __init__(self, ensemble: TreeEnsemble) -> None:
        if ensemble.source not in FORESTS:
            raise LearnerError(
                f"The trees of a {ensemble.source} can't be walked by scikit-learn: ask its own library with its own file."
            )
        self.ensemble = ensemble
        self.trees = _sklearn_trees(ensemble)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """See `NativePredictor`."""
        rows = np.ascontiguousarray(rows, np.float32)
        total = np.tile(self.ensemble.base, (len(rows), 1))
        for tree in self.trees:
            total += tree.predict(rows)
        return total[:, 0] if self.ensemble.task == "regression" else total


def _sklearn_trees(ensemble: TreeEnsemble) -> list[Any]:
    """Every tree of an ensemble as `sklearn.tree._tree.Tree`."""
    from sklearn.tree._tree import NODE_DTYPE, Tree

    _check_layout(NODE_DTYPE)
    stops = [*ensemble.roots[1:], len(ensemble.feature)]
    width = ensemble.value.shape[1]
    trees = []
    for root, stop in zip(ensemble.roots, stops, strict=True):
        part = slice(root, stop)
        leaf = ensemble.feature[part] < 0
        nodes = np.zeros(stop - root, NODE_DTYPE)
        nodes["left_child"] = np.where(leaf, -1, ensemble.left[part] - root)
        nodes["right_child"] = np.where(leaf, -1, ensemble.right[part] - root)
        nodes["feature"] = np.where(leaf, LEAF_FEATURE, ensemble.feature[part])
        nodes["threshold"] = np.where(leaf, -2.0, ensemble.cut[part])
        nodes["n_node_samples"] = ensemble.cover[part]
        nodes["weighted_n_node_samples"] = ensemble.cover[part]
        nodes["missing_go_to_left"] = ensemble.missing_left[part]
        tree = Tree(ensemble.n_features, np.array([width], np.intp), 1)
        values = np.ascontiguousarray(ensemble.value[part], np.float64).reshape(-1, 1, width)
        # Only predict is asked, and it never looks at the depth.
        tree.__setstate__({"max_depth": 0, "node_count": len(nodes), "nodes": nodes, "values": values})
        trees.append(tree)
    return trees


def _check_layout(found: np.dtype) -> None:
    """Refuse a scikit-learn whose trees are laid out in another way than is written here."""
    if tuple(found.names or ()) != NODE_FIELDS:
        from sklearn import __version__

        raise LearnerError(
            f"scikit-learn {__version__} lays the nodes of its trees out as {', '.join(found.names or ())}; "
            f"{', '.join(NODE_FIELDS)} was expected. Forests can't be checked with it: install the version in requirements.txt."
        )


# ---- the conversion itself ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Conversion:
    """What came of comparing a compiled model with the library that trained it.

    Attributes
    ----------
    rows : int
        Rows compared, without those with holes.
    difference : float
        Largest difference, in units of the target or of probability.
    difference_missing : float or None
        The same on rows with missing values; None where the library takes none.
    """

    rows: int
    difference: float
    difference_missing: float | None

    @property
    def takes_missing(self) -> bool:
        """True where the library itself predicts rows with missing values."""
        return self.difference_missing is not None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"rows": self.rows, "difference": self.difference, "difference_missing": self.difference_missing}


def check_conversion(
    model: Any, ensemble: TreeEnsemble, features: np.ndarray | None = None, *, name: str = "", tolerance: float = TOLERANCE
) -> Conversion:
    """Compare compiled trees with the trained model they were made from, and refuse a difference.

    The rows are the training features and rows made of the cuts themselves with their float32 neighbours: a conversion goes
    wrong on a cut or nowhere. All are asked again with a quarter of their values missing.

    Parameters
    ----------
    model : object
        The library's trained model.
    ensemble : TreeEnsemble
        Compiled from it.
    features : ndarray, optional
        Training features ``[site, covariate]``; at most 2000 of them are used, evenly spread.
    name : str
        Of the learner, for messages.
    tolerance : float
        Of the range of the native predictions of these rows (a little less than that of the target, so stricter); of 1 for
        probabilities.

    Raises
    ------
    LearnerError
        Names the learner, the row and both numbers.
    """
    native = native_predictor(model)
    rows = _cut_rows(ensemble)
    if features is not None:
        features = np.asarray(features, np.float32)
        step = -(-len(features) // MAXIMUM_ROWS)
        rows = np.concatenate([features[:: max(1, step)], rows])
    plain = rows[~np.isnan(rows).any(axis=1)]
    difference = _largest_difference(native.predict(plain), ensemble.predict(plain), plain, ensemble, name, tolerance)
    holed = rows.copy()
    holed[np.random.default_rng(0).random(rows.shape) < HOLE_SHARE] = np.nan
    try:
        expected = native.predict(holed)
    except LearnerError:
        raise
    except Exception:  # every library has its own class for "no missing values, please"; the same rows without holes went well
        return Conversion(len(plain), difference, None)
    with_holes = _largest_difference(expected, ensemble.predict(holed), holed, ensemble, name, tolerance)
    return Conversion(len(plain), difference, with_holes)


def _cut_rows(ensemble: TreeEnsemble) -> np.ndarray:
    """Rows whose values are cuts of their feature, or the float32 just below or above."""
    generator = np.random.default_rng(1)
    rows = np.zeros((CUT_ROWS, ensemble.n_features), np.float32)
    for feature in range(ensemble.n_features):
        cuts = np.unique(ensemble.cut[ensemble.feature == feature])
        if len(cuts) == 0:
            continue
        with np.errstate(over="ignore"):  # the largest float32 has no neighbour above; it is left out below
            near = np.concatenate([cuts, np.nextafter(cuts, np.float32(-np.inf)), np.nextafter(cuts, np.float32(np.inf))])
        near = near[np.isfinite(near)]
        rows[:, feature] = generator.choice(near, CUT_ROWS)
    return rows


def _largest_difference(
    expected: np.ndarray, found: np.ndarray, rows: np.ndarray, ensemble: TreeEnsemble, name: str, tolerance: float
) -> float:
    if expected.shape != found.shape:
        raise LearnerError(
            f"The compiled {name or ensemble.source} gives predictions of shape {found.shape}, the library itself "
            f"{expected.shape}: it can't be used. Use another learner."
        )
    if not len(rows):
        return 0.0
    spread = float(np.ptp(expected)) if ensemble.task == "regression" else 1.0
    scale = spread or max(float(np.abs(expected).max()), 1e-30)  # a constant target has no range: its size stands in
    difference = np.abs(found - expected).reshape(len(rows), -1).max(axis=1)
    worst = int(np.argmax(difference))
    if not difference[worst] <= tolerance * scale:
        values = ", ".join(f"{label} {value:.9g}" for label, value in zip(ensemble.feature_names, rows[worst], strict=True))
        raise LearnerError(
            f"The compiled {name or ensemble.source} predicts {found[worst]} where the library itself predicts "
            f"{expected[worst]} (row {worst}: {values}); at most {tolerance * scale:.3g} apart was expected. The model is not "
            "saved: report this with the versions of the libraries, and use another learner meanwhile."
        )
    return float(difference[worst])
