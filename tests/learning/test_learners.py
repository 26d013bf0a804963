"""Learners by name: makers, checks, determinism."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import LearnerError
from alm_core.learning.learners import LEARNERS, make_learner

FAST = {
    "random_forest": {"n_estimators": 20},
    "extra_trees": {"n_estimators": 20},
    "xgboost": {"n_estimators": 20},
    "catboost": {"iterations": 20},
}
OWN = tuple(FAST)


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    """120 sites x 6 covariates with gaps, and a target that follows two of them."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(120, 6)).astype(np.float32)
    y = 2.0 * X[:, 0] + X[:, 1] ** 2 + 0.1 * rng.normal(size=120)
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


def labels_of(y: np.ndarray) -> np.ndarray:
    """Three classes that are not in alphabetical order of the value."""
    return np.array(["thawed", "frozen", "mixed"])[np.digitize(y, [0.0, 2.0])]


@pytest.mark.parametrize("kind", OWN)
def test_regression_learns_and_is_float64(kind, table):
    """Every learner of the registry follows a clear signal through gaps and answers in float64."""
    X, y = table
    found = make_learner(kind, options=FAST[kind] | ({"learning_rate": 0.3} if kind in ("xgboost", "catboost") else {}))
    value = found.fit(X, y).predict(X)
    assert value.dtype == np.float64
    assert value.shape == y.shape
    assert np.corrcoef(value, y)[0, 1] > 0.8


@pytest.mark.parametrize("kind", OWN)
def test_classification_gives_probabilities_of_sorted_labels(kind, table):
    """Columns are the sorted labels, rows add up to one, and the true label is favoured."""
    X, y = table
    labels = labels_of(y)
    learner = make_learner(kind, task="classification", options=FAST[kind]).fit(X, labels)
    probability = learner.predict(X)
    assert learner.classes_.tolist() == ["frozen", "mixed", "thawed"]
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-6)
    assert np.mean(learner.classes_[probability.argmax(axis=1)] == labels) > 0.7


@pytest.mark.parametrize("kind", OWN)
def test_declared_class_that_is_not_seen_gets_zero(kind, table):
    """A training part without a class still answers with a column for it."""
    X, y = table
    labels = labels_of(y)
    seen = labels != "mixed"
    learner = make_learner(kind, task="classification", options=FAST[kind], classes=["mixed", "thawed", "frozen"])
    probability = learner.fit(X[seen], labels[seen]).predict(X)
    assert probability.shape == (len(X), 3)
    assert (probability[:, 1] == 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("kind", [*OWN, "Ridge", "HistGradientBoostingRegressor"])
def test_parallel_fits_equal_serial_fits(kind, table):
    """Four fits side by side in threads give the same bits as one after the other."""
    X, y = table

    def one(seed: int) -> np.ndarray:
        return make_learner(kind, seed=seed, options=FAST.get(kind)).fit(X, y).predict(X)

    serial = [one(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        parallel = list(pool.map(one, range(4)))
    for first, second in zip(serial, parallel, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", OWN)
def test_seed_decides(kind, table):
    """The seed changes the model, and only the seed does."""
    X, y = table
    options = FAST[kind] | ({"bootstrap_type": "Bernoulli", "subsample": 0.6} if kind == "catboost" else {})
    first, again, other = (make_learner(kind, seed=seed, options=options).fit(X, y).predict(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


@pytest.mark.parametrize("kind", OWN)
def test_weights_move_the_fit(kind, table):
    """Heavy weights on high values raise the predictions."""
    X, y = table
    weights = np.where(y > np.median(y), 20.0, 1.0)
    plain = make_learner(kind, options=FAST[kind]).fit(X, y).predict(X).mean()
    weighted = make_learner(kind, options=FAST[kind]).fit(X, y, sample_weight=weights).predict(X).mean()
    assert weighted > plain + 0.05


def test_catboost_writes_no_files(table, tmp_path, monkeypatch):
    """Nothing appears in the working folder, catboost_info least of all."""
    monkeypatch.chdir(tmp_path)
    make_learner("catboost", options=FAST["catboost"]).fit(*table)
    assert list(tmp_path.iterdir()) == []


def test_constant_target_is_learned():
    """All-equal residuals are a legal target for every learner."""
    X = np.random.default_rng(0).normal(size=(30, 3))
    for kind in OWN:
        value = make_learner(kind, options=FAST[kind]).fit(X, np.full(30, 0.25)).predict(X)
        np.testing.assert_allclose(value, 0.25, atol=1e-6)


def test_columns_are_taken_by_name(table):
    """A table with its columns in another order predicts the same; one that lacks a column is refused by name."""
    X, y = table
    frame = pd.DataFrame(X, columns=list("abcdef"))
    learner = make_learner("random_forest", options=FAST["random_forest"]).fit(frame, y)
    np.testing.assert_array_equal(learner.predict(frame[list("fedcba")]), learner.predict(X))
    with pytest.raises(LearnerError, match="covariates b are missing"):
        learner.predict(frame.drop(columns="b"))


def test_registry_is_open(table):
    """A maker that is put into the registry is used like the others."""
    from sklearn.dummy import DummyRegressor

    LEARNERS["typical"] = lambda task, seed, options: DummyRegressor(strategy="median")
    try:
        X, y = table
        assert make_learner("typical").fit(X, y).predict(X[:1])[0] == np.median(y)
    finally:
        del LEARNERS["typical"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "random_florest"}, "random_forest"),
        ({"kind": "Rigde"}, "Ridge"),
        ({"kind": "xgboost", "options": {"max_dept": 3}}, "'max_dept' of learner 'xgboost'.*max_depth"),
        ({"kind": "Ridge", "options": {"alfa": 3}}, "'alfa'.*Valid options: alpha"),
        ({"kind": "catboost", "options": {"thread_count": 4}}, "can't be set"),
        ({"kind": "random_forest", "options": {"random_state": 4}}, "seed of the study"),
        ({"kind": "Ridge", "task": "classification"}, "is for regression"),
        ({"kind": "RidgeClassifier", "task": "classification"}, "no class probabilities"),
        ({"kind": "VotingRegressor"}, "can't be made"),
        ({"kind": "xgboost", "task": "ranking"}, "task 'ranking'"),
        ({"kind": "Ridge", "categorical": ("soil",)}, "feature_names"),
        ({"kind": "Ridge", "categorical": ("soil",), "feature_names": ("a", "b")}, "soil are not among a, b"),
    ],
)
def test_makers_refuse_by_name(arguments, words):
    """Every wrong name, option or task is named together with what is valid."""
    with pytest.raises(LearnerError, match=words):
        make_learner(**arguments)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X, y: (X[:, 0], y), "table"),
        (lambda X, y: (X, y[:-1]), "one value a site"),
        (lambda X, y: (X, np.where(y > 1, np.nan, y)), "target values are missing"),
        (lambda X, y: (X, np.where(y > 1, np.inf, y)), "infinite values"),
        (lambda X, y: (np.where(X > 1, np.inf, X), y), "'feature_0' holds infinite|holds infinite"),
        (lambda X, y: (X[:1], y[:1]), "at least 2"),
    ],
)
def test_fit_refuses_bad_data(change, words, table):
    """Shapes, gaps in the target and infinite numbers stop the fit with a message."""
    with pytest.raises(LearnerError, match=words):
        make_learner("random_forest", options=FAST["random_forest"]).fit(*change(*table))


def test_one_class_is_refused(table):
    """A training part of a single class can't train a classifier, and the message says what to do."""
    with pytest.raises(LearnerError, match="stratified"):
        make_learner("catboost", task="classification").fit(table[0], np.full(120, "frozen"))


def test_predict_before_fit_and_other_columns(table):
    """Asking too early or with other columns is refused."""
    X, y = table
    learner = make_learner("extra_trees", options=FAST["extra_trees"])
    with pytest.raises(LearnerError, match="before it was fitted"):
        learner.predict(X)
    with pytest.raises(LearnerError, match="5 covariates came and 6"):
        learner.fit(X, y).predict(X[:, :5])
    assert learner.predict(X[:0]).shape == (0,)


def test_library_fault_is_told(table):
    """What a library refuses comes out as one message with the learner's name."""
    with pytest.raises(LearnerError, match=r"'random_forest' failed.*max_features"):
        make_learner("random_forest", options={"max_features": -3}).fit(*table)


@pytest.mark.parametrize(
    "kind", ["Ridge", "KNeighborsRegressor", "GaussianProcessRegressor", "SVR", "HistGradientBoostingRegressor"]
)
def test_scikit_learn_by_class_name(kind, table):
    """Any regressor works through gaps, those that can't take them behind an imputer."""
    X, y = table
    value = make_learner(kind).fit(X, y).predict(X)
    assert np.isfinite(value).all()
    assert np.corrcoef(value, y)[0, 1] > 0.6


def test_codes_become_columns_for_linear_models():
    """A linear model sees categories, not their numbers, unless that is switched off."""
    codes = np.tile([1.0, 2.0, 3.0], 30)
    X, y = np.column_stack([codes, np.linspace(0, 1, 90)]), np.where(codes == 2, 5.0, 0.0)
    names = {"feature_names": ("soil", "ndvi"), "categorical": ("soil",)}
    options = {"alpha": 1e-6}
    encoded = make_learner("Ridge", options=options, **names).fit(X, y).predict(X)
    as_numbers = make_learner("Ridge", options=options, one_hot=False, **names).fit(X, y).predict(X)
    np.testing.assert_allclose(encoded, y, atol=1e-4)
    assert np.abs(as_numbers - y).max() > 1
    unseen = make_learner("Ridge", options=options, **names).fit(X, y).predict([[9.0, 0.5]])
    assert np.isfinite(unseen).all()


def test_ridge_equals_the_closed_form():
    """The pipeline adds nothing but scaling: ridge with a tiny penalty is least squares."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(50, 3)).astype(np.float32)
    y = X @ [1.0, -2.0, 0.5] + 3.0 + rng.normal(size=50)
    design = np.column_stack([np.ones(50), X.astype(float)])
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    found = make_learner("Ridge", options={"alpha": 1e-9}).fit(X, y).predict(X)
    np.testing.assert_allclose(found, expected, atol=1e-8)
