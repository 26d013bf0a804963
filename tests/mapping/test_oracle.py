"""The first block against the libraries themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alm_core.errors import LearnerError
from alm_core.learning.learners import make_learner
from alm_core.learning.model_files import load_learner, load_native, save_learner
from alm_core.mapping.member import Member
from alm_core.mapping.oracle import MAXIMUM_CELLS, OracleReport, check_first_block

from .conftest import Classes, Linear

KINDS = {"random_forest": "n_estimators", "extra_trees": "n_estimators", "xgboost": "n_estimators", "catboost": "iterations"}


@pytest.fixture(scope="module")
def block():
    """Covariates of a block of 80 by 90 cells, with gaps, and its valid cells."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4, 80, 90)).astype(np.float32).round(2)
    values[1, 10:20, 30:50] = np.nan
    valid = rng.random((80, 90)) < 0.7
    return values, valid


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_every_kind_of_tree_passes(tmp_path, block, task):
    """All four learners, read back from their files, agree with their libraries, missing values routed and all."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(120, 4)).astype(np.float32).round(2)
    y = X[:, 0] - X[:, 1] ** 2
    y = y if task == "regression" else np.array(["dry", "moist", "wet"])[np.digitize(y, [-1, 0])]
    members, natives = [], {}
    for kind, count in KINDS.items():
        # a class that no training site has: its column is zero, natively too
        classes = None if task == "regression" else ["dry", "ice", "moist", "wet"]
        learner = make_learner(kind, task=task, options={count: 12}, feature_names=list("abcd"), classes=classes).fit(X, y)
        save_learner(learner, tmp_path, kind, features=X)
        members.append(Member(kind, load_learner(tmp_path, kind), () if classes is None else tuple(classes)))
        natives[kind] = load_native(tmp_path, kind)
    scale = float(np.ptp(y)) if task == "regression" else 1.0
    report = check_first_block(*block, members, natives, scale=scale)
    assert set(report.differences) == set(KINDS)
    assert max(report.differences.values()) <= 1e-7 * scale
    assert report.cells == MAXIMUM_CELLS
    assert report.without == ()
    assert set(report.largest_error) == set(KINDS)
    assert all(0 < bound < 1e-6 for bound in report.largest_error.values())
    assert OracleReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_a_difference_stops_the_map(block):
    """The message names the member, the cell and both numbers."""
    values, valid = block
    good, bad = Linear("good", (1.0, 0.0, 0.0, 0.0)), Linear("bad", (1.0, 0.0, 0.0, 0.0))
    wrong = bad.predict_block(values, valid)
    wrong[-1] += 0.001
    bad.predict_block = lambda values, valid: wrong
    row, column = (part[-1] for part in np.nonzero(valid))
    with pytest.raises(LearnerError) as caught:
        check_first_block(values, valid, (good, bad), {"good": good, "bad": good}, scale=0.6)
    expected = float(values[0, row, column])
    assert f"bad predicts {expected + 0.001:.9g} in row {row}, column {column}" in str(caught.value)
    assert f"its own library predicts {expected:.9g}" in str(caught.value)
    assert "at most 6e-07" in str(caught.value)


def test_the_bar_is_a_part_of_the_range(block):
    """The same difference passes for a target of a thousand times the range."""
    values, valid = block
    member = Linear("one", (1.0, 0.0, 0.0, 0.0))
    native = Linear("one", (1.0 + 1e-5, 0.0, 0.0, 0.0))
    assert check_first_block(values, valid, [member], {"one": native}, scale=1000.0).differences["one"] > 1e-6
    with pytest.raises(LearnerError):
        check_first_block(values, valid, [member], {"one": native}, scale=1.0)


def test_one_nan_is_a_difference(block):
    """A member that gives nothing where its library gives a number does not pass; two that give nothing do."""
    values, valid = block

    class Nothing(Linear):
        def predict_block(self, values, valid):
            return np.where(np.arange(valid.sum()) == 0, np.nan, super().predict_block(values, valid))

    weights = (1.0, 0.0, 0.0, 0.0)
    with pytest.raises(LearnerError, match="predicts nan"):
        check_first_block(values, valid, [Nothing("n", weights)], {"n": Linear("n", weights)})
    check_first_block(values, valid, [Nothing("n", weights)], {"n": Nothing("n", weights)})


def test_members_without_trees_are_said_to_have_no_oracle(block):
    """They are not compared with themselves."""
    report = check_first_block(*block, [Linear("ridge", (1.0, 0.0, 0.0, 0.0))], {})
    assert (report.differences, report.without) == ({}, ("ridge",))


def test_another_task_is_named(block):
    """Probabilities against values are no comparison."""
    member = Linear("odd", (1.0, 0.0, 0.0, 0.0))
    with pytest.raises(LearnerError, match="another task"):
        check_first_block(*block, [member], {"odd": Classes("odd")})


def test_few_cells_are_all_compared(block):
    """A block with one valid cell is checked in that cell."""
    values, valid = block
    one = np.zeros_like(valid)
    one[3, 4] = True
    member = Linear("one", (1.0, 0.0, 0.0, 0.0))
    assert check_first_block(values, one, [member], {"one": member}).cells == 1
