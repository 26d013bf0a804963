"""Folds whose test sites are as far from their training sites as the map is from all sites (kNNDM).

Nearest-neighbour distances say how far a prediction reaches. For a map they run from the cells to the sites; in a
cross-validation from the test sites to the training sites. kNNDM chooses folds that make the two distributions alike.

The rule is that of Linnenbrink et al. (2024, Geoscientific Model Development 17:5897) as the R package CAST runs it, with
hierarchical clustering (Ward). Distances are Euclidean, or great circles on a sphere of `EARTH_RADIUS_METRES`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist
from scipy.stats import wasserstein_distance

from alm_core.errors import FoldsError

EARTH_RADIUS_METRES = 6_371_010.0
LARGEST_FOLD = 0.5
"""A grouping with more than this part of the sites in one fold is refused."""
CLUSTER_COUNTS = 100
"""Numbers of clusters tried, before repeats are dropped."""
MOST_SITES = 20_000
"""The clustering holds the distances of all pairs: 1.6 GB at this number."""
GATE = 0.05
"""p-value from which sites count as not clustered, so that random folds do."""


@dataclass(frozen=True)
class KnndmFolds:
    """What `knndm_folds` found.

    Attributes
    ----------
    assignment : numpy.ndarray or None
        Fold of every site; None where the sites are not clustered and random folds are right.
    p_value : float
        Of the test that sites lie closer to each other than the map to the sites.
    clusters : int or None
        Number of clusters that was chosen.
    tried : tuple of (int, float)
        Every number of clusters and its Wasserstein distance; NaN where a fold was too large.
    """

    assignment: np.ndarray | None
    p_value: float
    clusters: int | None
    tried: tuple[tuple[int, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """The search as plain values, without the assignment."""
        return {
            "p_value": self.p_value,
            "clusters": self.clusters,
            "tried": [{"clusters": count, "wasserstein": None if math.isnan(w) else w} for count, w in self.tried],
        }


def space(x: np.ndarray, y: np.ndarray, *, geographic: bool) -> np.ndarray:
    """Coordinates in which straight distances rank as the wanted ones do: the plane, or points on the unit sphere."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if not geographic:
        return np.column_stack([x, y])
    longitude, latitude = np.radians(x), np.radians(y)
    across = np.cos(latitude)
    return np.column_stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)])


def true_distance(straight: np.ndarray, *, geographic: bool) -> np.ndarray:
    """Turn distances in `space` into units of the CRS, or metres along the sphere."""
    if not geographic:
        return straight
    return 2.0 * EARTH_RADIUS_METRES * np.arcsin(np.clip(straight / 2.0, 0.0, 1.0))


def nearest_other(points: np.ndarray, *, geographic: bool) -> np.ndarray:
    """Distance of every point to the nearest other one (Gj)."""
    return true_distance(cKDTree(points).query(points, k=2)[0][:, 1], geographic=geographic)


def nearest_site(targets: np.ndarray, points: np.ndarray, *, geographic: bool) -> np.ndarray:
    """Distance of every target to the nearest point (Gij)."""
    return true_distance(cKDTree(points).query(targets)[0], geographic=geographic)


def nearest_outside_fold(points: np.ndarray, assignment: np.ndarray, *, geographic: bool) -> np.ndarray:
    """Distance of every tested point to the nearest one that trains for it (Gj*); NaN where a point is never tested."""
    distance = np.full(len(points), np.nan)
    for fold in np.unique(assignment[assignment >= 0]):
        test = assignment == fold
        distance[test] = nearest_site(points[test], points[~test], geographic=geographic)
    return distance


def clustering_p_value(site_to_site: np.ndarray, domain_to_site: np.ndarray) -> float:
    """One-sided two-sample Kolmogorov-Smirnov test that sites lie closer together than the map lies to them.

    The asymptotic p-value exp(-2 n m / (n + m) D^2), D the largest excess of the first distribution over the second.
    """
    n, m = len(site_to_site), len(domain_to_site)
    at = np.concatenate([site_to_site, domain_to_site])
    first = np.searchsorted(np.sort(site_to_site), at, side="right") / n
    second = np.searchsorted(np.sort(domain_to_site), at, side="right") / m
    excess = max(0.0, float((first - second).max()))
    return math.exp(-2.0 * n * m / (n + m) * excess**2)


def knndm_folds(x: np.ndarray, y: np.ndarray, domain: np.ndarray, *, geographic: bool, n_folds: int) -> KnndmFolds:
    """Search folds with the least Wasserstein distance between Gj* and Gij.

    Parameters
    ----------
    x, y : array [site]
    domain : array [m, 2]
        x, y of points spread evenly over the map, 1000 or so.
    geographic : bool
        Coordinates are degrees.
    n_folds : int

    Raises
    ------
    FoldsError
        Too many sites for a clustering of all pairs, or no grouping without a fold above half of the sites.
    """
    count = len(x)
    if count > MOST_SITES:
        raise FoldsError(
            f"kNNDM folds cluster the distances of all pairs and {count} sites came, more than {MOST_SITES}: "
            "use the scheme `block`, or thin the sites."
        )
    points = space(x, y, geographic=geographic)
    to_domain = nearest_site(space(domain[:, 0], domain[:, 1], geographic=geographic), points, geographic=geographic)
    p_value = clustering_p_value(nearest_other(points, geographic=geographic), to_domain)
    if p_value >= GATE:
        return KnndmFolds(None, p_value, None, ())
    plane = np.column_stack([x, y]).astype(float)
    merges = linkage(true_distance(pdist(points), geographic=geographic), method="ward")
    best: tuple[float, int, np.ndarray | None] = (math.inf, 0, None)
    tried = []
    for clusters, labels in _cuts(merges, count, _cluster_counts(count, n_folds)):
        assignment = _deal_clusters(labels, plane, n_folds)
        if np.bincount(assignment, minlength=n_folds).max() > LARGEST_FOLD * count:
            tried.append((clusters, math.nan))
            continue
        w = wasserstein_distance(nearest_outside_fold(points, assignment, geographic=geographic), to_domain)
        tried.append((clusters, float(w)))
        if w < best[0]:
            best = (w, clusters, assignment)
    if best[2] is None:
        raise FoldsError(
            f"No kNNDM grouping of {count} sites into {n_folds} folds keeps every fold at or below half of the sites: "
            "ask for fewer folds, or use the scheme `block`."
        )
    return KnndmFolds(best[2], p_value, best[1], tuple(tried))


def _cluster_counts(count: int, n_folds: int) -> list[int]:
    """Numbers of clusters to try: from the number of folds to almost the number of sites, evenly in their logarithm."""
    most = max(count - 2, n_folds)
    return np.unique(np.round(np.exp(np.linspace(math.log(n_folds), math.log(most), CLUSTER_COUNTS))).astype(int)).tolist()


def _cuts(merges: np.ndarray, count: int, wanted: list[int]) -> list[tuple[int, np.ndarray]]:
    """Cluster labels for every wanted number of clusters, fewest first; labels run in order of first appearance."""
    labels = np.arange(count)
    name_of = np.arange(count + len(merges))
    asked = set(wanted)
    cuts = [(count, labels.copy())] if count in asked else []
    for step, (first, second) in enumerate(merges[:, :2].astype(int)):
        name_of[count + step] = name_of[first]
        labels[labels == name_of[second]] = name_of[first]
        clusters = count - step - 1
        if clusters in asked:
            _, first_seen, codes = np.unique(labels, return_index=True, return_inverse=True)
            cuts.append((clusters, np.argsort(np.argsort(first_seen))[codes]))
    return cuts[::-1]


def _deal_clusters(labels: np.ndarray, plane: np.ndarray, n_folds: int) -> np.ndarray:
    """Keep large clusters as folds of their own and deal the others to the free folds, along the main axis of the sites."""
    count, clusters = len(labels), int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=clusters)
    centroids = np.column_stack([np.bincount(labels, weights=plane[:, axis]) / sizes for axis in (0, 1)])
    order = np.argsort(centroids @ main_axis(plane), kind="stable")
    large = [cluster for cluster in order if sizes[cluster] >= count / n_folds]
    small = [cluster for cluster in order if sizes[cluster] < count / n_folds]
    fold_of = np.full(clusters, -1)
    fold_of[large] = np.arange(len(large))
    free = np.arange(len(large), n_folds)
    if small:
        fold_of[small] = free[np.arange(len(small)) % len(free)]
    return fold_of[labels]


def main_axis(plane: np.ndarray) -> np.ndarray:
    """First principal axis of the sites; its sign is fixed by its largest loading, so that machines agree."""
    axis = np.linalg.svd(plane - plane.mean(axis=0), full_matrices=False)[2][0]
    return axis * np.sign(axis[np.argmax(np.abs(axis))])
