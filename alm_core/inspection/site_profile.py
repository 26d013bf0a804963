"""One site in detail: its covariates among all sites, the sites most like it, what was predicted for it unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import SitesError
from alm_core.inspection.screening_preview import ScreeningBasis
from alm_core.learning.applicability import Applicability, CovariateSpace, fit_applicability
from alm_core.learning.knndm import space as ground_space
from alm_core.learning.knndm import true_distance
from alm_core.workspace import Run, read_json

MAXIMUM_ANALOGUES = 50


@dataclass(frozen=True, eq=False)
class SiteProfile:
    """What is known about a site.

    Attributes
    ----------
    site_id : str
    site : dict
        Its row of the site table with verdict and reason; missing values are None.
    covariates : DataFrame
        `name`, `group`, `unit`, `kind`, `value`, `percentile` (0 to 100 among the kept sites, ties counted half; NaN for a
        category or a missing value), `used` (chosen for the map).
    analogues : DataFrame
        Kept sites most alike in the chosen covariates, nearest first: `site_id`, `distance` (in units of the mean distance
        between sites, as the dissimilarity index), `distance_km`, `value`, `longitude`, `latitude`. Empty where a chosen
        covariate is missing at the site.
    predictions : DataFrame
        `scheme`, `repeat`, `observed`, `predicted`, `lower`, `upper`: by models that never saw the site. Empty where it was
        removed.
    """

    site_id: str
    site: dict[str, Any]
    covariates: pd.DataFrame
    analogues: pd.DataFrame
    predictions: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        tables = {name: getattr(self, name).to_dict("records") for name in ("covariates", "analogues", "predictions")}
        return {"site_id": self.site_id, "site": self.site, **tables}


@dataclass(frozen=True, eq=False)
class ProfileBasis:
    """What the profile of every site of a run needs, read once.

    Attributes
    ----------
    screening : ScreeningBasis
    chosen : tuple of str
        Covariates of the map.
    space : CovariateSpace
        Scaling and weights by which sites are alike: those of the area of applicability.
    mean_distance : float
        Mean distance between the kept sites in that space.
    out_of_fold : DataFrame or None
    """

    screening: ScreeningBasis
    chosen: tuple[str, ...]
    space: CovariateSpace | None
    mean_distance: float
    out_of_fold: pd.DataFrame | None


def read_profile_basis(run: Run, screening: ScreeningBasis) -> ProfileBasis:
    """Read what profiles need; an unfinished run gives what it has.

    Where the run has no area of applicability, all covariates weigh alike.
    """
    features = screening.features
    chosen = tuple(features.columns)
    if (run.folder / "selection.json").is_file():
        chosen = tuple(read_json(run.folder / "selection.json")["chosen"])
    path = run.folder / "out_of_fold.parquet"
    pairs = pd.read_parquet(path) if path.is_file() else None
    area = _applicability(run, screening, chosen)
    if area is None:
        return ProfileBasis(screening, chosen, None, np.nan, pairs)
    return ProfileBasis(screening, tuple(area.space.names), area.space, area.mean_distance, pairs)


def _applicability(run: Run, screening: ScreeningBasis, chosen: tuple[str, ...]) -> Applicability | None:
    """The run's own, or one with equal weights; None where the kept sites allow none."""
    path = run.folder / "applicability.json"
    if path.is_file():
        return Applicability.from_dict(read_json(path))
    kept = screening.features.loc[screening.screened["kept"].to_numpy(bool), list(chosen)]
    categorical = [name for name in chosen if screening.stack.kinds.get(name) == "categorical"]
    try:
        return fit_applicability(kept, categorical=categorical)
    except SitesError:  # too few complete sites, or all alike: then no site is nearer than another
        return None


def profile_site(basis: ProfileBasis, site_id: str, *, count: int = 5) -> SiteProfile:
    """Describe one site.

    Parameters
    ----------
    basis : ProfileBasis
    site_id : str
        Kept or removed.
    count : int
        Number of analogues, at most 50.

    Raises
    ------
    SitesError
        No such site.
    """
    screened = basis.screening.screened
    row = np.flatnonzero(screened["site_id"].astype(str) == site_id)
    if not len(row):
        raise SitesError(f"There is no site {site_id!r} in this run: choose one of its {len(screened)} sites.")
    values = {name: _plain(value) for name, value in screened.iloc[row[0]].items()}
    return SiteProfile(
        site_id,
        values,
        _covariates(basis, site_id),
        nearest_analogues(basis, site_id, count=min(count, MAXIMUM_ANALOGUES)),
        _predictions(basis.out_of_fold, site_id),
    )


def _plain(value: Any) -> Any:
    """A cell as a plain value; None where it is missing."""
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _covariates(basis: ProfileBasis, site_id: str) -> pd.DataFrame:
    screening, stack = basis.screening, basis.screening.stack
    kept = screening.screened["kept"].to_numpy(bool)
    rows = []
    for name in screening.features:
        column = screening.features[name]
        kind = stack.kinds.get(name, "continuous")
        place = percentile(column[kept].to_numpy(float), float(column[site_id])) if kind == "continuous" else np.nan
        rows.append((name, stack.groups.get(name, "other"), stack.units.get(name, ""), kind, float(column[site_id]), place))
    table = pd.DataFrame(rows, columns=["name", "group", "unit", "kind", "value", "percentile"])
    return table.assign(used=table["name"].isin(basis.chosen))


def percentile(values: np.ndarray, value: float) -> float:
    """Part of `values` below `value` in per cent, equal ones counted half; NaN where there is nothing to compare.

    Examples
    --------
    >>> percentile(np.array([1.0, 2.0, 2.0, 4.0]), 2.0)
    50.0
    """
    values = values[np.isfinite(values)]
    if not len(values) or not np.isfinite(value):
        return float("nan")
    return float(100 * ((values < value).mean() + (values == value).mean() / 2))


def nearest_analogues(basis: ProfileBasis, site_id: str, *, count: int = 5) -> pd.DataFrame:
    """Kept sites most like a site in the chosen covariates, the site itself left out.

    Distances are those of the dissimilarity index (Meyer and Pebesma 2021): covariates scaled by their spread over the kept
    sites and weighted by their importance, in units of the mean distance between kept sites.
    """
    columns = ["site_id", "distance", "distance_km", "value", "longitude", "latitude"]
    screening = basis.screening
    others = screening.screened[screening.screened["kept"] & (screening.screened["site_id"].astype(str) != site_id)]
    if basis.space is None or not len(others):
        return pd.DataFrame(columns=columns)
    names = list(basis.chosen)
    own = basis.space.place(screening.features.loc[[site_id], names].to_numpy(float))
    placed = basis.space.place(screening.features.loc[others["site_id"].astype(str), names].to_numpy(float))
    distance = np.sqrt(((placed - own) ** 2).sum(axis=1)) / basis.mean_distance
    order = np.argsort(distance, kind="stable")
    order = order[np.isfinite(distance[order])][:count]
    found = others.iloc[order]
    site = screening.screened[screening.screened["site_id"].astype(str) == site_id].iloc[0]
    return pd.DataFrame(
        {
            "site_id": found["site_id"].astype(str).to_numpy(),
            "distance": distance[order],
            "distance_km": _kilometres(site, found),
            "value": found["value"].to_numpy(),
            "longitude": found["longitude"].to_numpy(float),
            "latitude": found["latitude"].to_numpy(float),
        },
        columns=columns,
    )


def _kilometres(site: pd.Series, others: pd.DataFrame) -> np.ndarray:
    """Great-circle distance of sites to one."""
    own = ground_space([site["longitude"]], [site["latitude"]], geographic=True)
    placed = ground_space(others["longitude"], others["latitude"], geographic=True)
    return true_distance(np.linalg.norm(placed - own, axis=1), geographic=True) / 1000


def _predictions(pairs: pd.DataFrame | None, site_id: str) -> pd.DataFrame:
    columns = ["scheme", "repeat", "observed", "predicted", "lower", "upper"]
    if pairs is None:
        return pd.DataFrame(columns=columns)
    found = pairs[pairs["site_id"].astype(str) == site_id].rename(columns={"fused": "predicted"})
    return found[columns].sort_values(["scheme", "repeat"], kind="stable").reset_index(drop=True)
