"""Feature selection by held-out SHAP values."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import DomainError, LearnerError, SitesError, StudyError
from alm_core.learning.folds import Folds
from alm_core.learning.selection import Selection, select_features

ALL = [(kind, kind, {}) for kind in ("random_forest", "extra_trees", "xgboost", "catboost")]
FAST = [("trees", "extra_trees", {}), ("boost", "xgboost", {})]
FEW = {
    "random_forest": {"n_estimators": 15, "max_features": 1.0},
    "extra_trees": {"n_estimators": 20, "max_features": 1.0},
    "xgboost": {"n_estimators": 30, "learning_rate": 0.2, "colsample_bytree": 1.0},
    "catboost": {"iterations": 25, "learning_rate": 0.2, "border_count": 32},
}


def random_folds(n, seed=0, repeats=1, k=5):
    """Random folds of equal size."""
    rng = np.random.default_rng(seed)
    return Folds("random", np.stack([rng.permutation(np.arange(n) % k) for _ in range(repeats)]), {})


def simple(seed=0, n=160):
    """Two strong signals, a copy of the first, five noise columns."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=[f"noise{i}" for i in range(5)])
    X["copy"] = a + 0.1 * rng.normal(size=n)
    X["b"], X["a"] = b, a
    return X.astype(np.float32), 2 * a + 1.5 * b + 0.5 * rng.normal(size=n)


@pytest.fixture(scope="module")
def selected():
    """A selection on `simple`."""
    X, y = simple()
    return select_features(X, y, learners=FAST, folds=random_folds(len(y), repeats=2), minimum_features=1, learner_options=FEW)


def recipe(seed, n=342):
    """The recipe of the shared set: six signals, three of them copied at r = 0.95, 21 noise columns."""
    rng = np.random.default_rng(seed)
    signals = rng.standard_normal((n, 6))
    a, b, c, d, e, f = signals.T
    copies = 0.95 * signals[:, :3] + np.sqrt(1 - 0.95**2) * rng.standard_normal((n, 3))
    y = 3 * a + 2 * b + 1.5 * c + 1.5 * d**2 + np.abs(e) * a + np.sin(2 * f) + 1.5 * rng.standard_normal(n)
    names = [f"inf{i}" for i in range(6)] + [f"dup{i}" for i in range(3)] + [f"noise{i:02d}" for i in range(21)]
    X = pd.DataFrame(np.hstack([signals, copies, rng.standard_normal((n, 21))]), columns=names)
    return X[list(rng.permutation(names))].astype(np.float32), y


def signals_in(chosen):
    """Signals that a set holds; a copy counts for its signal once."""
    return {name[-1] for name in chosen if not name.startswith("noise")}


def test_finds_the_signals(selected):
    """Both signals, one of the two copies, no noise."""
    assert "b" in selected.chosen
    assert len({"a", "copy"} & set(selected.chosen)) == 1
    assert len(selected.chosen) == 2
    assert selected.metric == "R2"
    assert selected.n_splits == 10


def test_path_tells_the_whole_story(selected):
    """Sizes fall to the minimum, every covariate leaves once, the copy first; the marks agree with the rule."""
    path = selected.path
    assert path["features"].tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    assert path["dropped"].iloc[0] in ("a", "copy")
    left = [name for names in path["dropped"][:-1] for name in names.split(";")]
    assert sorted([*left, path["set"].iloc[-1]]) == sorted(selected.importance.index)
    assert path["best"].sum() == path["chosen"].sum() == 1
    within = path[path["within_one_error"]]
    assert path.loc[path["chosen"], "features"].item() == within["features"].min()
    best = path.loc[path["best"]].iloc[0]
    assert best["score"] == path["score"].max()
    assert best["standard_error"] == 0
    assert set(path["set"][path["chosen"]].item().split(";")) == set(selected.chosen)


def test_importance_table(selected):
    """Importances sum to one per learner and together; the signals lead; the columns agree with the choice."""
    table = selected.importance
    for column in ("importance", "importance_trees", "importance_boost", "importance_chosen"):
        assert table[column].sum() == pytest.approx(1.0)
    assert set(table["importance"].nlargest(3).index) == {"a", "b", "copy"}
    assert set(table.index[table["chosen"]]) == set(selected.chosen) == set(table.index[table["importance_chosen"].notna()])
    assert selected.groups == (("a", "copy"),)
    assert table.loc[["a", "copy"], "group"].tolist() == [0, 0]
    assert table.loc["b", "group"] == -1
    assert table.loc[selected.path["set"].iloc[-1], "eliminated_at"] == 0


def test_stability_and_learner_paths(selected):
    """A clear case is stable; every learner has its own view of the same sets."""
    assert selected.stability["frequency"]["b"] == 1.0
    assert selected.stability["jaccard"] > 0.5
    assert set(selected.learner_paths["learner"]) == {"trees", "boost"}
    assert selected.strongest_learner in ("trees", "boost")
    assert selected.learner_paths.groupby("learner")["chosen"].sum().tolist() == [1, 1]
    assert selected.learner_paths["features"].tolist() == selected.path["features"].tolist() * 2


def test_round_trip(selected):
    """JSON and back, exactly."""
    text = json.dumps(selected.to_dict(), allow_nan=False)
    again = Selection.from_dict(json.loads(text) | {"enabled": True})
    assert json.dumps(again.to_dict()) == text
    pd.testing.assert_frame_equal(again.path, selected.path)
    pd.testing.assert_frame_equal(again.importance, selected.importance)
    assert "nested" in selected.to_dict()["note"]


def test_workers_and_column_order_change_nothing():
    """One or two workers, and shuffled columns, give the same selection to the last bit."""
    X, y = simple(1, 90)
    options = {"learners": ALL, "folds": random_folds(90, k=3), "minimum_features": 6, "learner_options": FEW}
    first = select_features(X, y, workers=1, **options).to_dict()
    assert select_features(X, y, workers=2, **options).to_dict() == first
    assert select_features(X[list(X.columns[::-1])], y, workers=1, **options).to_dict() == first


def test_pooled_score_is_r2():
    """The mean over splits of unequal size is the pooled R2 of the held-out predictions."""
    from alm_core.learning.learners import make_learner

    X, y = simple(2, 90)
    assignment = np.repeat([0, 1, 1, 2, 2, 2], 15)[None]
    assignment[0, :5] = -1
    folds = Folds("block", assignment, {})
    learner = ("trees", "extra_trees", {"n_estimators": 30})
    found = select_features(X, y, learners=[learner], folds=folds, minimum_features=8, seed=3, learner_options={})
    columns = X[sorted(X.columns)].to_numpy()
    predicted = np.full(90, np.nan)
    for k, (_, _, train, test) in enumerate(folds.splits()):
        predicted[test] = (
            make_learner("extra_trees", options=learner[2], seed=3 + k).fit(columns[train], y[train]).predict(columns[test])
        )
    tested = assignment[0] >= 0
    expected = 1 - np.sum((predicted - y)[tested] ** 2) / np.sum((y[tested] - y[tested].mean()) ** 2)
    assert found.path["score"].item() == pytest.approx(expected, abs=1e-9)


def test_copies_that_differ_come_back():
    """The target is the difference of two alike covariates: dropping one ruins the score, so both stay."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    X = pd.DataFrame({"a": a, "b": a + 0.2 * rng.normal(size=200), "n0": rng.normal(size=200), "n1": rng.normal(size=200)})
    y = 10 * (X["a"] - X["b"]).to_numpy() + 0.1 * rng.normal(size=200)
    found = select_features(X, y, learners=FAST, folds=random_folds(200), minimum_features=1, learner_options=FEW)
    assert found.groups == found.distinct_groups == (("a", "b"),)
    assert set(found.chosen) == {"a", "b"}


def test_keep_is_never_dropped():
    """Kept covariates stay to the end, also where they are noise or copies."""
    X, y = simple(3, 100)
    found = select_features(
        X, y, learners=FAST, folds=random_folds(100, k=3), keep=("noise3", "copy", "a"), minimum_features=1, learner_options=FEW
    )
    assert {"noise3", "copy", "a"} <= set(found.chosen)
    assert found.path["features"].iloc[-1] == 3


def test_few_features_are_all_chosen():
    """Nothing to eliminate: one round, everything chosen."""
    X, y = simple(4, 60)
    found = select_features(X[["a", "b"]], y, learners=FAST, folds=random_folds(60, k=3), learner_options=FEW)
    assert found.chosen == ("a", "b")
    assert len(found.path) == 1


def test_missing_and_constant_covariates():
    """Gaps and a constant column do no harm."""
    X, y = simple(5, 120)
    X = X.mask(np.random.default_rng(0).random(X.shape) < 0.1)
    X["flat"] = 1.0
    found = select_features(X, y, learners=ALL, folds=random_folds(120, k=3), minimum_features=6, learner_options=FEW)
    assert "flat" not in found.chosen
    assert "b" in found.chosen


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(n_classes):
    """Labels of text, also where a training part lacks one: signals are found and the score is between 0 and 1."""
    X, y = simple(6, 180)
    labels = np.array(["dry", "moist", "wet"])[np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))]
    folds = random_folds(180, k=3)
    if n_classes == 3:
        folds = Folds("group", np.where(labels == "wet", 0, folds.assignment), {})
    found = select_features(X, labels, learners=ALL, task="classification", folds=folds, minimum_features=6, learner_options=FEW)
    assert found.metric == "Brier skill score"
    if n_classes == 2:
        assert 0 < found.path["score"].max() < 1
    assert "b" in found.chosen
    assert found.importance.loc["b", "importance"] > found.importance.filter(like="noise", axis=0)["importance"].max()


def test_noise_has_no_skill():
    """On pure noise the scores of the path stay small, and the text says that they are no honest scores."""
    rng = np.random.default_rng(8)
    X = pd.DataFrame(rng.normal(size=(120, 8)), columns=[f"n{i}" for i in range(8)])
    found = select_features(X, rng.normal(size=120), learners=FAST, folds=random_folds(120), step=3, learner_options=FEW)
    assert found.path["score"].max() < 0.1
    assert "too good" in found.to_dict()["note"]


def test_held_out_target_is_never_seen():
    """Changing the held-out targets changes no held-out importance: only training rows are fitted."""
    from alm_core.learning.selection_rounds import prepare, run_round

    X, y = simple(7, 90)
    folds = random_folds(90, k=3)
    changed = y.copy()
    rows = folds.assignment[0] == 0
    changed[rows] = 1e3
    rounds = [
        run_round(prepare(X, target, "regression", folds), sorted(X.columns), FAST, learner_options=FEW, seed=0, workers=1)
        for target in (y, changed)
    ]
    np.testing.assert_array_equal(rounds[0].importance[:, 0], rounds[1].importance[:, 0])
    assert not np.array_equal(rounds[0].importance[:, 1], rounds[1].importance[:, 1])


def test_progress_reaches_its_total():
    """The callback counts up and ends at the total."""
    X, y = simple(8, 60)
    calls = []
    select_features(
        X,
        y,
        learners=FAST[:1],
        folds=random_folds(60, k=2),
        step=2,
        learner_options=FEW,
        progress=lambda done, total, message: calls.append((done, total, message)),
    )
    assert [done for done, _, _ in calls] == list(range(1, len(calls) + 1))
    assert calls[-1][0] == calls[-1][1]
    assert "covariates" in calls[0][2]


@pytest.mark.parametrize(
    ("changes", "fault", "text"),
    [
        ({"keep": ("nowhere",)}, StudyError, "nowhere"),
        ({"learners": []}, LearnerError, "No learner"),
        ({"learners": [("line", "Ridge", {})]}, LearnerError, "line can't take part"),
        ({"minimum_features": 0}, DomainError, "minimum_features"),
        ({"step": 0.0}, DomainError, "step"),
        ({"correlation": 1.5}, DomainError, "correlation"),
        ({"folds": random_folds(50)}, SitesError, "50"),
        ({"folds": Folds("group", np.full((1, 60), -1), {})}, Exception, "no split"),
    ],
)
def test_faults_are_named(changes, fault, text):
    """Every wrong argument has one clear message."""
    X, y = simple(9, 60)
    options = {"learners": FAST, "folds": random_folds(60, k=2), "learner_options": FEW} | changes
    with pytest.raises(fault, match=text):
        select_features(X, y, **options)


def test_unusable_tables_are_refused():
    """A constant target and two columns of one name."""
    X, y = simple(9, 60)
    options = {"learners": FAST, "folds": random_folds(60, k=2), "learner_options": FEW}
    with pytest.raises(SitesError, match="same at every"):
        select_features(X, np.ones(60), **options)
    with pytest.raises(SitesError, match="share the name"):
        select_features(X.rename(columns={"noise0": "noise1"}), y, **options)


@pytest.mark.slow
def test_signals_of_the_shared_set(shared_data):
    """The shared set on its own folds: at least 5 of the 6 signals in at most 10 covariates."""
    folder = shared_data / "oracles" / "shap_rfe"
    X, y = pd.read_csv(folder / "X.csv"), pd.read_csv(folder / "y.csv")["y"].to_numpy()
    fold = pd.read_csv(folder / "folds.csv")["fold"].to_numpy()
    folds = Folds("random", (fold - fold.min())[None], {})
    found = select_features(X, y, learners=ALL, folds=folds, workers=2)
    assert len(signals_in(found.chosen)) >= 5
    assert len(found.chosen) <= 10


def test_copies_of_the_recipe_leave_first():
    """On the recipe the three copied pairs are found, and one of each leaves before any noise."""
    X, y = recipe(1)
    found = select_features(X, y, learners=ALL[2:3], folds=random_folds(342, 1), minimum_features=25)
    assert [set(group) for group in found.groups] == [{f"dup{i}", f"inf{i}"} for i in range(3)]
    assert len({name[-1] for name in found.path["dropped"].iloc[0].split(";")}) == 3
    assert signals_in(found.chosen) == set("012345")
