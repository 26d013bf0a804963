"""Observed against predicted."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from alm_core.diagnostics.pairs import columns_of, coverage_table, fold_scores, out_of_fold, site_pairs
from alm_core.errors import MissingFileError, StudyError
from alm_core.workspace import Run


def test_pairs_give_the_scores_of_the_run(dashboard_run):
    """RMSE of the pairs of every column is the one that metrics.json has."""
    for column, scores in dashboard_run.metrics()["schemes"]["block"].items():
        pairs = site_pairs(dashboard_run, "block", column)
        assert np.sqrt(np.mean(pairs["residual"] ** 2)) == pytest.approx(scores["rmse"], rel=1e-12)


def test_pairs_lie_where_the_sites_lie(dashboard_run):
    """Places and methods of the sample table, by id."""
    pairs = site_pairs(dashboard_run, "knndm").set_index("site_id")
    samples = pd.read_parquet(dashboard_run.file("samples.parquet")).set_index("site_id")
    for name in ("longitude", "latitude", "method", "survey"):
        assert (pairs[name] == samples.loc[pairs.index, name]).all()
    assert (pairs["observed"] == samples.loc[pairs.index, "target"]).all()
    assert (pairs["lower"] <= pairs["upper"]).all()


def test_a_learner_has_no_interval(dashboard_run):
    """Only the fused value has one."""
    assert "lower" not in site_pairs(dashboard_run, "knndm", "forest")


def test_classes_are_right_or_wrong(class_run):
    """The part that is right is the overall accuracy."""
    pairs = site_pairs(class_run, "random")
    assert pairs["correct"].mean() == pytest.approx(class_run.metrics()["schemes"]["random"]["fused"]["overall_accuracy"])
    assert "residual" not in pairs


def test_folds_are_scored_one_by_one(dashboard_run):
    """Squared errors of the folds add up to those of all sites; a fold of a group bears its name."""
    folds = fold_scores(dashboard_run, "survey")
    pooled = dashboard_run.metrics()["schemes"]["survey"]["fused"]
    assert (folds["sites"] * folds["rmse"] ** 2).sum() == pytest.approx(pooled["count"] * pooled["rmse"] ** 2)
    assert folds["label"].tolist() == [f"survey{number}" for number in range(5)]
    assert fold_scores(dashboard_run, "random")["label"].tolist() == ["1", "2", "3"]


def test_folds_of_classes_have_class_scores(class_run):
    """Right sites of the folds add up."""
    folds = fold_scores(class_run, "random")
    pooled = class_run.metrics()["schemes"]["random"]["fused"]
    assert (folds["sites"] * folds["overall_accuracy"]).sum() == pytest.approx(pooled["count"] * pooled["overall_accuracy"])


def test_coverage_is_counted(dashboard_run):
    """Of all sites as metrics.json has it; the thirds hold all sites and add up to it."""
    table = coverage_table(dashboard_run, "knndm")
    everything = table[table["by"] == "all"].iloc[0]
    assert everything["coverage"] == pytest.approx(dashboard_run.metrics()["schemes"]["knndm"]["fused"]["picp"])
    for by in ("observed", "predicted"):
        thirds = table[table["by"] == by]
        assert thirds["sites"].sum() == everything["sites"]
        assert (thirds["coverage"] * thirds["sites"]).sum() == pytest.approx(everything["coverage"] * everything["sites"])


def test_classes_have_no_coverage(class_run):
    """No intervals, no table."""
    assert coverage_table(class_run, "random") is None


def test_an_unknown_column_is_named(dashboard_run):
    """With those that there are."""
    with pytest.raises(StudyError, match=r"'svm'.*forest, boosted, fused"):
        site_pairs(dashboard_run, "random", "svm")
    assert columns_of(out_of_fold(dashboard_run), "random") == ("forest", "boosted", "fused")


def test_an_unfinished_run_says_so(dashboard_run, tmp_path):
    """The file is named, and what to do."""
    shutil.copy(dashboard_run.folder / "run.json", tmp_path)
    with pytest.raises(MissingFileError, match=r"metrics\.json"):
        out_of_fold(Run.open(tmp_path))
