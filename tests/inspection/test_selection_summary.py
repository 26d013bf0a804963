"""What a page shows of a finished selection."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alm_core.inspection.selection_summary import (
    FUSED,
    choice_stability,
    correlation_matrix,
    elimination_paths,
    path_steps,
    read_correlations,
    read_selection,
)
from alm_core.workspace import Run, read_json


def test_paths_of_the_mean_and_of_each_learner(dashboard_run: Run) -> None:
    """Every line has one point per set, and the mean's chosen point is the chosen set."""
    selection = read_selection(dashboard_run)
    paths = elimination_paths(selection)
    assert set(paths["learner"]) == {FUSED, "forest", "boosted"}
    assert (paths.groupby("learner").size() == len(selection.path)).all()
    chosen = paths[(paths["learner"] == FUSED) & paths["chosen"]]
    assert chosen["features"].tolist() == [len(selection.chosen)]


def test_steps_name_what_was_dropped(dashboard_run: Run) -> None:
    """From one set to the next, as many covariates leave as are named."""
    steps = path_steps(read_selection(dashboard_run))
    counts = steps["features"].to_numpy()
    np.testing.assert_array_equal([len(names) for names in steps["dropped"]][:-1], counts[:-1] - counts[1:])
    assert steps["dropped"].iloc[-1] == ()


def test_selection_that_was_off_is_none(class_run: Run) -> None:
    """A study without selection has nothing to show, but its correlations."""
    assert read_selection(class_run) is None
    found = read_correlations(class_run)
    assert found.groups == ()
    assert set(found.matrix) == {"elevation", "wetness", "warmth", "noise"}


def test_stability_counts_outer_folds_only_where_nested(dashboard_run: Run) -> None:
    """Folds count only where the selection was run again inside them."""
    selection, metrics = read_selection(dashboard_run), dashboard_run.metrics()
    plain = choice_stability(selection, metrics)
    assert plain.folds == {}
    nested = choice_stability(
        selection, {**metrics, "selection_nested": True, "folds": {"random": [{"features": ["wetness"]}, {"features": []}]}}
    )
    rows = nested.frequency.set_index("covariate")
    assert nested.folds == {"random": 2}
    assert rows.loc["wetness", "random"] == 0.5
    assert rows.loc["noise", "random"] == 0.0
    own = read_json(dashboard_run.file("selection.json"))["stability"]["frequency"]
    assert rows.loc["wetness", "splits"] == own["wetness"]
    assert rows["importance"].is_monotonic_decreasing


def test_alike_covariates_are_neighbours() -> None:
    """Two pairs that say the same stand side by side, whatever their names; the pairs come first."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 200))
    table = pd.DataFrame({"a": a, "z": -a + 0.01 * rng.normal(size=200), "b": b, "y": b**3, "m": rng.normal(size=200)})
    matrix = correlation_matrix(table)
    order = list(matrix)
    assert abs(order.index("a") - order.index("z")) == 1
    assert abs(order.index("b") - order.index("y")) == 1
    np.testing.assert_allclose(matrix, matrix.T)
    assert (matrix.to_numpy() >= 0).all()


def test_constant_covariate_is_like_no_other() -> None:
    """A constant has no rank correlation; the order still stands."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(50, 3)), columns=list("abc")).assign(k=1.0)
    matrix = correlation_matrix(table)
    assert sorted(matrix) == ["a", "b", "c", "k"]
    assert np.isnan(matrix.loc["k", "a"])


def test_pairs_and_groups_of_a_run(dashboard_run: Run) -> None:
    """The first pair is the largest off the diagonal."""
    found = read_correlations(dashboard_run)
    values = found.matrix.to_numpy(copy=True)
    np.fill_diagonal(values, 0.0)
    pairs = found.pairs(3)
    assert pairs["rho"].iloc[0] == pytest.approx(values.max())
    assert pairs["rho"].is_monotonic_decreasing
    assert found.weakest_pair(list(found.matrix)[:2]) == pytest.approx(found.matrix.iloc[0, 1])
