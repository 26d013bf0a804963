"""What another edge of the area of applicability would leave."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from alm_core.diagnostics import dissimilarity
from alm_core.diagnostics.dissimilarity import applicability, map_dissimilarity, scheme_dissimilarity
from alm_core.diagnostics.pairs import site_pairs
from alm_core.diagnostics.threshold import threshold_study
from alm_core.learning.folds import Folds
from alm_core.workspace import Run, read_json


@pytest.fixture(scope="module")
def study(dashboard_run):
    """Threshold study of the headline scheme."""
    return threshold_study(dashboard_run, "knndm")


def test_at_the_fitted_threshold_it_counts_what_the_run_counted(dashboard_run, study):
    """Cells inside the area, one by one."""
    counts = read_json(dashboard_run.file("map/map.json"))["counts"]
    assert study.map.exact
    assert study.map.cells == counts["mapped"]
    assert round(study.at(study.threshold).map_inside * counts["mapped"]) == counts["mapped"] - counts["outside"]


def test_a_wider_edge_never_leaves_less(study):
    """Map and sites inside grow with the threshold, from nothing to everything."""
    table = study.trade_off(points=40)
    assert (np.diff(table["map_inside"]) >= 0).all()
    assert (np.diff(table["sites_inside"]) >= 0).all()
    everything, nothing = study.at(np.inf), study.at(-1.0)
    assert (everything.map_inside, everything.sites_inside) == (1.0, everything.sites)
    assert (nothing.map_inside, nothing.sites_inside) == (0.0, 0)
    assert np.isnan(nothing.error_inside)
    assert np.isnan(everything.error_outside)


def test_the_error_inside_is_the_rmse_of_the_sites_inside(dashboard_run, study):
    """And with everything inside it is the RMSE that metrics.json has."""
    rmse = dashboard_run.metrics()["schemes"]["knndm"]["fused"]["rmse"]
    assert study.at(np.inf).error_inside == pytest.approx(rmse, rel=1e-12)
    middle = float(np.median(study.dissimilarity))
    inside = study.dissimilarity <= middle
    assert study.at(middle).error_inside == pytest.approx(np.sqrt(np.mean(study.error[inside] ** 2)))


def test_errors_and_dissimilarities_belong_to_the_same_sites(dashboard_run, study):
    """Both in the order of the ids."""
    pairs = site_pairs(dashboard_run, "knndm").set_index("site_id")
    np.testing.assert_array_equal(study.error, pairs.loc[study.site_ids, "residual"])


def test_dissimilarity_of_a_scheme_is_brute_force(dashboard_run):
    """Nearest training site in the weighted space over the mean distance."""
    area = applicability(dashboard_run)
    between = np.linalg.norm(area.points[:, None] - area.points[None], axis=2) / area.mean_distance
    folds = Folds.from_dict(read_json(dashboard_run.file("folds.json"))["survey"])
    found = scheme_dissimilarity(dashboard_run, area)["survey"]
    for _, _, train, test in folds.splits():
        np.testing.assert_allclose(found[test], between[np.ix_(test, train)].min(axis=1), rtol=1e-9)


def test_the_trained_scheme_gives_the_training_dissimilarity(dashboard_run):
    """With the folds that set the threshold, the index is the one that the run kept, where both use the same folds."""
    area = applicability(dashboard_run)
    reach = scheme_dissimilarity(dashboard_run, area)["random"]
    assert np.isfinite(reach).all()
    assert reach.min() >= 0
    assert np.median(reach) == pytest.approx(np.median(area.training_dissimilarity), rel=0.5)


def test_a_large_map_is_read_coarsely(dashboard_run, monkeypatch):
    """Fewer values that stand for about as many cells, and nearly the same part inside."""
    exact = map_dissimilarity(dashboard_run)
    monkeypatch.setattr(dissimilarity, "EXACT_CELLS", 300)
    coarse = map_dissimilarity(dashboard_run)
    assert not coarse.exact
    assert coarse.values.size < exact.values.size / 2
    assert coarse.cells == pytest.approx(exact.cells, rel=0.2)
    middle = float(np.median(exact.values))
    assert coarse.inside(middle) == pytest.approx(0.5, abs=0.15)


def test_classes_count_what_is_wrong(class_run):
    """The error of classes is the part in a wrong class."""
    study = threshold_study(class_run, "knndm")
    accuracy = class_run.metrics()["schemes"]["knndm"]["fused"]["overall_accuracy"]
    assert study.at(np.inf).error_inside == pytest.approx(1 - accuracy)


def test_without_applicability_there_is_no_study(dashboard_run, tmp_path):
    """None, not a fault."""
    folder = tmp_path / "run"
    shutil.copytree(dashboard_run.folder, folder)
    (folder / "applicability.json").unlink()
    assert threshold_study(Run.open(folder), "knndm") is None
