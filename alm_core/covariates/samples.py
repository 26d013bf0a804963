"""What the learners see: covariates and target of the sites that were kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import SitesError

PLACE = ("x", "y", "longitude", "latitude")
GROUPS = ("survey", "method")
OTHER = ("date", "uncertainty")
TIME = ("slice", "site")
SAME_PLACE_DEGREES = 1e-6
"""Rows nearer than this (0.1 m) are of one site, whatever their ids."""
TARGET = "target"


@dataclass(frozen=True)
class Samples:
    """One row per kept site, sorted by site id.

    Attributes
    ----------
    features : DataFrame
        ``[site, covariate]``, float32, indexed by site id.
    target : ndarray
        ``[site]``: float64 values, or the class labels of a classification.
    about : DataFrame
        x, y (CRS of the grid), longitude, latitude, survey, method, date, uncertainty, time slice (empty in a study without) and
        site; same index. `site` is the id of the place: it is that of several rows where a site was measured in several slices.
    """

    features: pd.DataFrame
    target: np.ndarray
    about: pd.DataFrame

    def __post_init__(self) -> None:
        if not (len(self.features) == len(self.target) == len(self.about)):
            raise SitesError(
                f"Samples do not match: {len(self.features)} rows of covariates, {len(self.target)} targets, "
                f"{len(self.about)} places. All three must have one row per site."
            )

    def __len__(self) -> int:
        return len(self.target)

    @property
    def site_ids(self) -> np.ndarray:
        """Ids of the sites, in the order of every other array."""
        return self.features.index.to_numpy(dtype=object)

    @property
    def x(self) -> np.ndarray:
        """x in the CRS of the grid."""
        return self.about["x"].to_numpy(float)

    @property
    def y(self) -> np.ndarray:
        """y in the CRS of the grid."""
        return self.about["y"].to_numpy(float)

    @property
    def dates(self) -> np.ndarray:
        """Date of each site, NaT where unknown."""
        return pd.to_datetime(self.about["date"]).to_numpy("datetime64[ns]")

    @property
    def slice(self) -> np.ndarray:
        """Name of the time slice of each row; empty in a study without slices."""
        if "slice" not in self.about:
            return np.full(len(self), "", object)
        return self.about["slice"].fillna("").astype(str).to_numpy(dtype=object)

    @property
    def site_groups(self) -> np.ndarray:
        """The site of each row: rows with the same number share their site id or their place, and never part in folds.

        Two rows of one site in different slices have the same error of place, soil and instrument: a model that was trained on
        one knows the other.
        """
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components
        from scipy.spatial import cKDTree

        sites = self.about["site"] if "site" in self.about else pd.Series(self.site_ids)
        codes, _ = pd.factorize(sites)
        first = pd.Series(np.arange(len(self))).groupby(codes).transform("first").to_numpy()
        place = np.nan_to_num(self.about[["longitude", "latitude"]].to_numpy(float), nan=0.0)
        pairs = cKDTree(place).query_pairs(SAME_PLACE_DEGREES, output_type="ndarray")
        rows, columns = np.concatenate([first, pairs[:, 0]]), np.concatenate([np.arange(len(self)), pairs[:, 1]])
        links = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(self), len(self)))
        return connected_components(links, directed=False)[1]

    def groups(self, by: str) -> np.ndarray:
        """Survey, method or time slice of each site as text; sites without one share the group ``unknown``."""
        return self.about[by].fillna("unknown").astype(str).to_numpy(dtype=object)

    def take(self, rows: np.ndarray, features: tuple[str, ...] | list[str] | None = None) -> Samples:
        """The same for some rows, and some covariates where `features` is given."""
        columns = list(features) if features is not None else list(self.features.columns)
        return Samples(self.features.iloc[rows][columns], self.target[rows], self.about.iloc[rows])

    def to_parquet(self, path: Path) -> None:
        """Write everything as one table."""
        frame = self.about.copy()
        frame[TARGET] = self.target
        covariates = self.features.add_prefix("covariate:")
        pd.concat([frame, covariates], axis=1).rename_axis("site_id").reset_index().to_parquet(path, index=False)

    @classmethod
    def from_parquet(cls, path: Path) -> Samples:
        """The inverse of `to_parquet`."""
        frame = pd.read_parquet(path).set_index("site_id")
        features = frame.filter(like="covariate:").rename(columns=lambda name: name.removeprefix("covariate:"))
        target = frame[TARGET].to_numpy()
        # Runs of earlier versions have no time.
        names = [*PLACE, *GROUPS, *OTHER, *(name for name in TIME if name in frame)]
        return cls(features.astype(np.float32), target, frame[names])

    def to_dict(self) -> dict[str, Any]:
        """Counts, for run.json and the card."""
        return {
            "sites": len(self),
            **({"places": int(self.site_groups.max()) + 1} if len(self) and (self.slice != "").any() else {}),
            "covariates": list(self.features.columns),
            "missing": {name: int(count) for name, count in self.features.isna().sum().items() if count},
        }


def make_samples(sites: pd.DataFrame, features: pd.DataFrame, x: np.ndarray, y: np.ndarray) -> Samples:
    """Join kept sites with the covariates extracted at them.

    Parameters
    ----------
    sites : DataFrame
        Rows of a screened `SiteTable` that were kept.
    features : DataFrame
        Covariates of the same rows, in the same order.
    x, y : ndarray
        Places of the same rows in the CRS of the grid.
    """
    index = pd.Index(sites["site_id"].astype(str), name="site_id")
    about = pd.DataFrame(
        {"x": x, "y": y, "longitude": sites["longitude"].to_numpy(), "latitude": sites["latitude"].to_numpy()}, index=index
    )
    for name in (*GROUPS, *OTHER):
        about[name] = sites[name].to_numpy() if name in sites else None
    about["date"] = pd.to_datetime(about["date"])
    about["uncertainty"] = about["uncertainty"].astype(float)
    for name in GROUPS:
        about[name] = about[name].astype("string")
    about["slice"] = sites["slice"].to_numpy(object) if "slice" in sites else ""
    about["site"] = sites["site"].fillna(sites["site_id"]).astype(str).to_numpy(object) if "site" in sites else index.to_numpy()
    values = features.set_axis(index, axis=0).astype(np.float32)
    return Samples(values, sites["value"].to_numpy(), about)
