"""kNNDM against R CAST, and its parts against exact answers."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import FoldsError
from alm_core.learning.knndm import (
    EARTH_RADIUS_METRES,
    clustering_p_value,
    knndm_folds,
    main_axis,
    nearest_other,
    nearest_outside_fold,
    nearest_site,
    space,
)


@pytest.fixture(scope="module")
def oracle(shared_data):
    """82 clustered points, points of the map, and what R CAST found for them."""
    folder = shared_data / "oracles" / "knndm_clustered"
    with gzip.open(folder / "meuse_pred.csv.gz") as stream:
        domain = pd.read_csv(stream).to_numpy()
    with gzip.open(folder / "meuse_clustered_Gij.csv.gz") as stream:
        to_domain = pd.read_csv(stream)["Gij"].to_numpy()
    return {
        "sites": pd.read_csv(folder / "meuse_clustered_train.csv"),
        "domain": domain,
        "to_domain": to_domain,
        "folds": pd.read_csv(folder / "meuse_clustered__k5_ward.csv"),
        "grid": pd.read_csv(folder / "meuse_clustered__k5_ward_grid.csv"),
    }


@pytest.fixture(scope="module")
def found(oracle):
    """Our search on the same points."""
    sites = oracle["sites"]
    return knndm_folds(sites["x"], sites["y"], oracle["domain"], geographic=False, n_folds=5)


def test_distance_of_every_cluster_count_equals_cast(oracle, found):
    """W of all 61 numbers of clusters, to 1e-9 of its size (the file holds 15 digits)."""
    counts, distances = zip(*found.tried, strict=True)
    assert list(counts) == oracle["grid"]["nk"].tolist()
    np.testing.assert_allclose(distances, oracle["grid"]["W"], rtol=1e-9, atol=1e-9)


def test_folds_equal_cast(oracle, found):
    """The chosen number of clusters and the partition are those of CAST."""
    assert found.clusters == 5
    pairs = set(zip(found.assignment, oracle["folds"]["fold"], strict=True))
    assert len(pairs) == 5


def test_nearest_distances_equal_cast(oracle, found):
    """Gj and Gj* to 1e-9; Gij to the digits that the map points are given with."""
    points = space(oracle["sites"]["x"], oracle["sites"]["y"], geographic=False)
    np.testing.assert_allclose(nearest_other(points, geographic=False), oracle["folds"]["Gj"], rtol=0, atol=1e-9)
    reach = nearest_outside_fold(points, found.assignment, geographic=False)
    np.testing.assert_allclose(reach, oracle["folds"]["Gjstar"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(nearest_site(oracle["domain"], points, geographic=False), oracle["to_domain"], atol=1e-8)


def test_great_circle_of_a_quarter():
    """From the equator to the pole is a quarter of the circumference of CAST's sphere; 180 and -180 degrees are one place."""
    points = space(np.array([0.0, 40.0]), np.array([0.0, 90.0]), geographic=True)
    np.testing.assert_allclose(nearest_other(points, geographic=True), np.pi / 2 * EARTH_RADIUS_METRES, rtol=1e-12)
    line = space(np.array([180.0, -180.0]), np.array([60.0, 60.0]), geographic=True)
    np.testing.assert_allclose(nearest_other(line, geographic=True), 0.0, atol=1e-6)


def test_p_value_of_hand_case():
    """Two against two with all of the first below the second: D = 1, p = exp(-2 * 4 / 4)."""
    assert clustering_p_value(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == pytest.approx(np.exp(-2.0))
    assert clustering_p_value(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1.0


def test_spread_sites_pass_the_gate():
    """Sites on a regular net over the map need no clusters: random folds are right."""
    x, y = (side.ravel() for side in np.meshgrid(np.arange(10.0), np.arange(10.0)))
    domain = np.random.default_rng(0).uniform(0, 9, (500, 2))
    answer = knndm_folds(x, y, domain, geographic=False, n_folds=5)
    assert answer.assignment is None
    assert answer.p_value > 0.05
    assert answer.to_dict()["tried"] == []


def test_clustered_sites_on_the_sphere_reach_further():
    """Along the 180th meridian: folds of clustered sites bring test distances closer to those of the map than random ones."""
    rng = np.random.default_rng(1)
    centre = rng.uniform(170, 190, 8)
    x = (np.repeat(centre, 15) + rng.normal(0, 0.05, 120) + 180) % 360 - 180
    y = np.repeat(rng.uniform(55, 70, 8), 15) + rng.normal(0, 0.05, 120)
    domain = np.column_stack([(rng.uniform(170, 190, 800) + 180) % 360 - 180, rng.uniform(55, 70, 800)])
    answer = knndm_folds(x, y, domain, geographic=True, n_folds=4)
    points, to = space(x, y, geographic=True), space(domain[:, 0], domain[:, 1], geographic=True)
    reach = nearest_outside_fold(points, answer.assignment, geographic=True)
    random_reach = nearest_outside_fold(points, rng.integers(0, 4, 120), geographic=True)
    wanted = np.median(nearest_site(to, points, geographic=True))
    assert abs(np.median(reach) - wanted) < abs(np.median(random_reach) - wanted)
    assert np.bincount(answer.assignment).max() <= 60


def test_one_heavy_cluster_is_refused():
    """A fold above half of the sites is never taken, and where there is no other the message says so."""
    rng = np.random.default_rng(2)
    x, y = np.concatenate([rng.normal(0, 1e-3, (2, 90)), rng.uniform(50, 100, (2, 10))], axis=1)
    domain = rng.uniform(0, 1000, (300, 2))
    answer = knndm_folds(x, y, domain, geographic=False, n_folds=2)
    assert any(np.isnan(w) for _, w in answer.tried)
    assert np.bincount(answer.assignment).max() <= 50
    with pytest.raises(FoldsError, match="half of the sites"):
        knndm_folds(np.array([0.0, 1.0, 2.0, 100.0]), np.zeros(4), domain, geographic=False, n_folds=2)


def test_main_axis_has_a_fixed_sign():
    """Turning all coordinates round does not turn the axis."""
    plane = np.random.default_rng(3).normal(size=(40, 2)) * [5.0, 1.0]
    np.testing.assert_allclose(main_axis(plane), main_axis(-plane), atol=1e-12)
