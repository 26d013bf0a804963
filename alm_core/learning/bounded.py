"""Places where only a bound of the target is known: never learned from, predicted in validation and held against their bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from alm_core.covariates.samples import Samples
from alm_core.learning.knndm import space
from alm_core.sites.censored import BOUNDS


@dataclass(frozen=True)
class BoundedPlaces:
    """Places with a bound and their covariates.

    Attributes
    ----------
    samples : Samples
        Their target is NaN.
    lower, upper : ndarray
        ``[place]``; -inf and inf where there is none.
    """

    samples: Samples
    lower: np.ndarray
    upper: np.ndarray

    def __len__(self) -> int:
        return len(self.lower)

    def to_parquet(self, path: Path) -> None:
        """Write everything as one table."""
        self.samples.to_parquet(path)
        frame = pd.read_parquet(path)
        frame[BOUNDS[0]], frame[BOUNDS[1]] = self.lower, self.upper
        frame.to_parquet(path, index=False)

    @classmethod
    def from_parquet(cls, path: Path) -> BoundedPlaces:
        """Inverse of `to_parquet`."""
        frame = pd.read_parquet(path, columns=list(BOUNDS))
        return cls(Samples.from_parquet(path), *(frame[name].to_numpy(float) for name in BOUNDS))


@dataclass(frozen=True)
class BoundedValidation:
    """Predicts bounded places by the procedures of a validation, each by one that is as far from it as from a scored site.

    A place belongs to the fold of its nearest site: it is predicted by the procedure that never saw that site (which may be
    another year of the same place), so its prediction is as honest as those that are scored, whatever the kind of the folds.

    Attributes
    ----------
    places : BoundedPlaces
    sites : Samples
        All sites of the validation.
    geographic : bool
        True where x, y are degrees.
    """

    places: BoundedPlaces
    sites: Samples
    geographic: bool

    @cached_property
    def nearest(self) -> np.ndarray:
        """Row of the nearest site, ``[place]``."""
        sites, places = (space(part.x, part.y, geographic=self.geographic) for part in (self.sites, self.places.samples))
        return cKDTree(sites).query(places)[1]

    def predict(self, trained: Any, score_rows: np.ndarray) -> list[dict[str, Any]]:
        """Predict the places that belong to a fold: a row each with ``site_id, lower, upper, predicted``."""
        mine = np.flatnonzero(np.isin(self.nearest, score_rows))
        if not len(mine):
            return []
        predicted = trained.predict(self.places.samples.take(mine)).value
        ids = self.places.samples.site_ids[mine]
        bounds = (np.where(np.isfinite(part[mine]), part[mine], np.nan) for part in (self.places.lower, self.places.upper))
        rows = zip(ids, *bounds, predicted, strict=True)
        return [
            {"site_id": str(site), "lower": _number(lower), "upper": _number(upper), "predicted": float(value)}
            for site, lower, upper, value in rows
        ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
