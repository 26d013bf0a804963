"""Distances between map and sites, and between held-out and training sites."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from alm_core.covariates.domain import sample_domain
from alm_core.covariates.samples import Samples
from alm_core.covariates.stack import Stack
from alm_core.diagnostics.dissimilarity import applicability
from alm_core.diagnostics.distances import covariate_distances, cumulative, ground_distances
from alm_core.learning.folds import Folds
from alm_core.learning.knndm import EARTH_RADIUS_METRES, knndm_folds
from alm_core.workspace import Run, read_json


def great_circles(first, second):
    """Distances in km of all pairs by the haversine formula, [first, second]."""
    lon_1, lat_1 = np.radians(first).T[:, :, None]
    lon_2, lat_2 = np.radians(second).T[:, None, :]
    chord = np.sin((lat_1 - lat_2) / 2) ** 2 + np.cos(lat_1) * np.cos(lat_2) * np.sin((lon_1 - lon_2) / 2) ** 2
    return 2 * EARTH_RADIUS_METRES / 1000 * np.arcsin(np.sqrt(chord))


@pytest.fixture(scope="module")
def sites(dashboard_run):
    """Places of the sites in degrees."""
    samples = Samples.from_parquet(dashboard_run.file("samples.parquet"))
    return np.column_stack([samples.x, samples.y])


@pytest.fixture(scope="module")
def domain(dashboard_run):
    """Places of the map, as the run sampled them."""
    points = dashboard_run.record["options"]["validation"]["domain_points"]
    return sample_domain(Stack.open(dashboard_run.file("covariates")), points)


def test_the_curve_of_the_map_is_brute_force(dashboard_run, sites, domain):
    """Nearest site of every place of the map."""
    expected = np.sort(great_circles(domain, sites).min(axis=1))
    np.testing.assert_allclose(ground_distances(dashboard_run).map_to_site, expected, rtol=1e-6, atol=1e-6)


def test_the_curve_of_the_sites_is_brute_force(dashboard_run, sites):
    """Nearest other site of every site."""
    between = great_circles(sites, sites)
    np.fill_diagonal(between, np.inf)
    np.testing.assert_allclose(ground_distances(dashboard_run).site_to_site, np.sort(between.min(axis=1)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scheme", ["random", "block", "knndm", "survey", "method"])
def test_the_curve_of_a_scheme_is_brute_force(dashboard_run, sites, scheme):
    """Nearest training site of every held-out site."""
    between = great_circles(sites, sites)
    reach = []
    folds = Folds.from_dict(read_json(dashboard_run.file("folds.json"))[scheme])
    for _, _, train, test in folds.splits():
        reach += between[np.ix_(test, train)].min(axis=1).tolist()
    np.testing.assert_allclose(ground_distances(dashboard_run).schemes[scheme], np.sort(reach), rtol=1e-5, atol=1e-5)


def test_w_is_the_one_that_knndm_minimised(dashboard_run, sites, domain):
    """W of the kNNDM scheme in km equals the smallest that the search tried."""
    curves = ground_distances(dashboard_run)
    found = knndm_folds(sites[:, 0], sites[:, 1], domain, geographic=True, n_folds=3)
    if found.assignment is None:
        expected = wasserstein_distance(curves.schemes["knndm"], curves.map_to_site)
    else:
        expected = min(w for _, w in found.tried if np.isfinite(w)) / 1000
    assert curves.wasserstein["knndm"] == pytest.approx(expected, rel=1e-9)


def test_w_is_the_area_between_two_curves(dashboard_run):
    """Of every scheme, by scipy."""
    curves = ground_distances(dashboard_run)
    for scheme, reach in curves.schemes.items():
        assert curves.wasserstein[scheme] == pytest.approx(wasserstein_distance(reach, curves.map_to_site), rel=1e-9)
    assert curves.wasserstein[curves.closest] == min(curves.wasserstein.values())


def test_covariate_distances_are_brute_force(dashboard_run):
    """The same in the weighted space, in units of the mean distance of two sites."""
    area = applicability(dashboard_run)
    between = np.linalg.norm(area.points[:, None] - area.points[None], axis=2) / area.mean_distance
    curves = covariate_distances(dashboard_run)
    folds = Folds.from_dict(read_json(dashboard_run.file("folds.json"))["knndm"])
    reach = [distance for _, _, train, test in folds.splits() for distance in between[np.ix_(test, train)].min(axis=1)]
    np.testing.assert_allclose(curves.schemes["knndm"], np.sort(reach), rtol=1e-9)
    np.fill_diagonal(between, np.inf)
    np.testing.assert_allclose(curves.site_to_site, np.sort(between.min(axis=1)), rtol=1e-9)
    assert curves.unit == "1"
    assert (np.diff(curves.map_to_site) >= 0).all()


def test_without_applicability_there_are_no_covariate_distances(dashboard_run, tmp_path):
    """None, not a fault."""
    folder = tmp_path / "run"
    shutil.copytree(dashboard_run.folder, folder)
    (folder / "applicability.json").unlink()
    assert covariate_distances(Run.open(folder)) is None


def test_steps_end_at_one_and_are_thinned_evenly():
    """The last step is 1 and both ends stay, however few steps are wanted."""
    x, part = cumulative(np.arange(1000.0)[::-1], most=10)
    assert (x[0], x[-1], part[-1], len(x)) == (0.0, 999.0, 1.0, 10)
    assert (np.diff(part) > 0).all()
