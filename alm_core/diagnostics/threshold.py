"""Where the area of applicability ends, and what another threshold would mean for the map and for the score.

The threshold of the dissimilarity index (DI) follows from the sites; a reader may ask what a stricter one leaves of the map and
how good the predictions inside it are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from alm_core.diagnostics.dissimilarity import (
    MapDissimilarity,
    applicability,
    has_applicability,
    map_dissimilarity,
    scheme_dissimilarity,
)
from alm_core.diagnostics.pairs import site_pairs
from alm_core.errors import SitesError
from alm_core.learning.applicability import ErrorProfile, fit_error_profile
from alm_core.learning.curves import SmoothedCurve, smooth_line
from alm_core.learning.validation import FUSED
from alm_core.workspace import Run

CURVE_POINTS = 60
LEAST_SITES = 10


@dataclass(frozen=True)
class WhatIf:
    """What a threshold leaves inside.

    Attributes
    ----------
    threshold : float
    map_inside : float
        Part of the map, 0 to 1.
    sites_inside, sites : int
        Held-out sites whose DI against their own training sites stays below it, and all with a DI.
    error_inside, error_outside : float
        RMSE of the held-out sites in the unit of the target, or the part of them put into a wrong class; NaN for no site.
    """

    threshold: float
    map_inside: float
    sites_inside: int
    sites: int
    error_inside: float
    error_outside: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ThresholdStudy:
    """Everything that a page on the threshold draws.

    Attributes
    ----------
    threshold : float
        The fitted one.
    training_dissimilarity : ndarray
        Of the sites, by the folds that set the threshold; finite ones only.
    dissimilarity, error : ndarray
        ``[site]`` of the scheme asked for: DI against the sites that trained for it, and the out-of-fold error (predicted -
        observed; 0 or 1 for classes). Complete pairs only.
    site_ids : ndarray
        Their sites.
    map : MapDissimilarity
    regression : bool
    profile : ErrorProfile or None
        Expected RMSE against DI, never falling; None for too few sites.
    smooth : SmoothedCurve or None
        Mean absolute error against DI with its standard error.
    """

    threshold: float
    training_dissimilarity: np.ndarray
    dissimilarity: np.ndarray
    error: np.ndarray
    site_ids: np.ndarray
    map: MapDissimilarity
    regression: bool
    profile: ErrorProfile | None
    smooth: SmoothedCurve | None

    def at(self, threshold: float) -> WhatIf:
        """What would be inside with another threshold."""
        inside = self.dissimilarity <= threshold
        return WhatIf(
            threshold=float(threshold),
            map_inside=self.map.inside(threshold),
            sites_inside=int(inside.sum()),
            sites=int(inside.size),
            error_inside=self._size(self.error[inside]),
            error_outside=self._size(self.error[~inside]),
        )

    def trade_off(self, *, points: int = 80) -> pd.DataFrame:
        """What every threshold leaves, from the most similar tenth of the sites to the most unlike place of map or sites.

        Returns
        -------
        DataFrame
            One row per threshold with the fields of `WhatIf`.
        """
        low = float(np.quantile(self.dissimilarity, 0.1)) if self.dissimilarity.size else 0.0
        high = self.largest
        rows = [self.at(threshold).to_dict() for threshold in np.linspace(min(low, self.threshold), high, points)]
        return pd.DataFrame(rows)

    @property
    def largest(self) -> float:
        """The largest threshold worth asking for: that of the most unlike site, or of all but a hundredth of the map."""
        reach = [self.threshold, *([self.dissimilarity.max()] if self.dissimilarity.size else [])]
        if self.map.values.size:
            reach.append(np.quantile(self.map.values, 0.99))
        return float(max(reach))

    def _size(self, error: np.ndarray) -> float:
        """RMSE, or the part of wrong classes; NaN for no site."""
        if error.size == 0:
            return float("nan")
        return float(np.sqrt(np.mean(error**2))) if self.regression else float(error.mean())

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "threshold": self.threshold,
            "training_dissimilarity": self.training_dissimilarity.tolist(),
            "dissimilarity": self.dissimilarity.tolist(),
            "error": self.error.tolist(),
            "site_ids": self.site_ids.tolist(),
            "map": self.map.to_dict(),
        }


def threshold_study(run: Run, scheme: str, *, column: str = FUSED) -> ThresholdStudy | None:
    """Gather DI and errors of one scheme.

    The DI of a site is taken against the sites that trained for it in this scheme, so that error and distance belong together.

    Returns
    -------
    ThresholdStudy or None
        None for a run without an area of applicability or without a map.
    """
    if not has_applicability(run):
        return None
    area = applicability(run)
    pairs = site_pairs(run, scheme, column).set_index("site_id")
    sites = _site_ids(run)
    dissimilarity = dict(zip(sites, scheme_dissimilarity(run, area)[scheme], strict=True))
    reach = np.array([dissimilarity[site] for site in pairs.index])
    error = (pairs["residual"] if "residual" in pairs else 1.0 - pairs["correct"]).to_numpy(float)
    keep = np.isfinite(reach) & np.isfinite(error)
    reach, error = reach[keep], error[keep]
    training = area.training_dissimilarity
    return ThresholdStudy(
        threshold=area.threshold,
        training_dissimilarity=np.sort(training[np.isfinite(training)]),
        dissimilarity=reach,
        error=error,
        site_ids=pairs.index.to_numpy()[keep],
        map=map_dissimilarity(run),
        regression="residual" in pairs,
        profile=_profile(reach, error),
        smooth=_smooth(reach, error),
    )


def _site_ids(run: Run) -> list[str]:
    return pd.read_parquet(run.file("samples.parquet"), columns=["site_id"])["site_id"].astype(str).tolist()


def _profile(reach: np.ndarray, error: np.ndarray) -> ErrorProfile | None:
    try:
        return fit_error_profile(reach, error)
    except SitesError:
        # fewer sites than a window: the figure shows the points alone
        return None


def _smooth(reach: np.ndarray, error: np.ndarray) -> SmoothedCurve | None:
    if reach.size < LEAST_SITES or np.ptp(reach) == 0:
        return None
    low, high = np.quantile(reach, [0.01, 0.99])
    if low == high:
        return None
    return smooth_line(reach, np.abs(error), np.linspace(low, high, CURVE_POINTS), 0.5 * float(reach.std()))
