"""Which scheme answers for the map: how far held-out sites lie from training sites, and cells of the map from all sites.

A cross-validation answers for a map where both distances are alike. Here they are put side by side, on the ground (km) and in
the weighted space of the covariates, after Mila et al. (2022, Methods in Ecology and Evolution 13:1304) and
Linnenbrink et al. (2024, Geoscientific Model Development 17:5897).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyproj import CRS
from scipy.spatial import cKDTree
from scipy.stats import wasserstein_distance

from alm_core.covariates.stack import Stack
from alm_core.diagnostics.dissimilarity import applicability, has_applicability, map_dissimilarity, scheme_dissimilarity
from alm_core.workspace import Run, read_json

METRES_PER_KILOMETRE = 1000.0


@dataclass(frozen=True)
class DistanceCurves:
    """Nearest-neighbour distances, sorted.

    Attributes
    ----------
    unit : str
        ``km``, or ``1`` in covariate space (1 is the mean distance between two sites).
    map_to_site : ndarray
        From places spread over the map to the nearest site: what a prediction of the map must reach.
    site_to_site : ndarray
        From every site to the nearest other one.
    schemes : mapping of str to ndarray
        From every held-out site to the nearest one that trained for it, first repeat.
    wasserstein : mapping of str to float
        Area between the curve of a scheme and that of the map, in `unit`: 0 where they are alike.
    """

    unit: str
    map_to_site: np.ndarray
    site_to_site: np.ndarray
    schemes: Mapping[str, np.ndarray]
    wasserstein: Mapping[str, float]

    @property
    def closest(self) -> str:
        """The scheme whose distances are most like those of the map."""
        return min(self.wasserstein, key=lambda scheme: self.wasserstein[scheme])

    def to_dict(self) -> dict[str, Any]:
        """Plain lists."""
        return {
            "unit": self.unit,
            "map_to_site": self.map_to_site.tolist(),
            "site_to_site": self.site_to_site.tolist(),
            "schemes": {name: values.tolist() for name, values in self.schemes.items()},
            "wasserstein": dict(self.wasserstein),
        }


def cumulative(distance: np.ndarray, *, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the empirical distribution: distances in order, and the part of them that is no larger.

    Parameters
    ----------
    distance : ndarray
    most : int, optional
        Thin a longer list evenly to so many steps, first and last kept, for a figure.

    Examples
    --------
    >>> x, part = cumulative(np.array([3.0, 1.0]))
    >>> x.tolist(), part.tolist()
    ([1.0, 3.0], [0.5, 1.0])
    """
    ordered = np.sort(np.asarray(distance, dtype=float))
    part = np.arange(1, ordered.size + 1) / ordered.size
    if most is not None and ordered.size > most:
        pick = np.unique(np.linspace(0, ordered.size - 1, most).round().astype(int))
        ordered, part = ordered[pick], part[pick]
    return ordered, part


def ground_distances(run: Run) -> DistanceCurves:
    """Distances on the ground in km, as the folds of the run measured them.

    Raises
    ------
    MissingFileError
        The run has not been validated yet.
    """
    found = read_json(run.file("folds.json"))
    unit = _kilometres_per_unit(run, found)
    parts = {scheme: folds["details"]["distances"] for scheme, folds in found.items()}
    first = next(iter(parts.values()))
    schemes = {scheme: np.sort(np.asarray(part["test_to_train"], float)) * unit for scheme, part in parts.items()}
    return DistanceCurves(
        unit="km",
        map_to_site=np.sort(np.asarray(first.get("domain_to_site", ()), float)) * unit,
        site_to_site=np.sort(np.asarray(first["site_to_site"], float)) * unit,
        schemes=schemes,
        wasserstein={
            scheme: folds["details"]["wasserstein"] * unit for scheme, folds in found.items() if "wasserstein" in folds["details"]
        },
    )


def _kilometres_per_unit(run: Run, found: Mapping[str, Any]) -> float:
    """Kilometres in one unit of the stored distances: metres on the sphere, or the unit of a projected CRS."""
    if next(iter(found.values()))["details"]["distance_unit"] == "m":
        return 1 / METRES_PER_KILOMETRE
    crs = Stack.open(run.file("covariates")).grid.crs
    return (CRS.from_user_input(crs).axis_info[0].unit_conversion_factor if crs else 1.0) / METRES_PER_KILOMETRE


def covariate_distances(run: Run) -> DistanceCurves | None:
    """The same in the weighted space of the covariates, where 1 is the mean distance between two sites.

    The curve of the map is its dissimilarity index. None for a run without an area of applicability or without a map.
    """
    if not has_applicability(run):
        return None
    area = applicability(run)
    tree = cKDTree(area.points)
    reach = scheme_dissimilarity(run, area)
    on_map = map_dissimilarity(run).values
    schemes = {scheme: np.sort(values[np.isfinite(values)]) for scheme, values in reach.items()}
    return DistanceCurves(
        unit="1",
        map_to_site=on_map,
        site_to_site=np.sort(tree.query(area.points, k=2)[0][:, 1]) / area.mean_distance,
        schemes=schemes,
        wasserstein={scheme: float(wasserstein_distance(values, on_map)) for scheme, values in schemes.items()},
    )
