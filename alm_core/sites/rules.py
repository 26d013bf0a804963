"""The rules that take a site out, each a small function over the sites that are still in.

A rule gets the screening's context and returns its verdict: which sites break it, by what number, and in words why. The
order of `RULES` in `alm_core.sites.screening` is the order in which they are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from alm_core.errors import SitesError

MAD_TO_SD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
FEWEST_FOR_STATISTICS = 8
"""With fewer sites a median absolute deviation says nothing."""


@dataclass
class Context:
    """What every rule may look at. Arrays are ``[site]`` in the order of the frame."""

    frame: pd.DataFrame
    options: dict[str, object]
    inside: np.ndarray
    """Sites that no earlier rule took out (and those kept by hand): only they enter statistics."""
    cell_index: np.ndarray | None = None
    row_column: tuple[np.ndarray, np.ndarray] | None = None
    inside_mask: np.ndarray | None = None
    features: np.ndarray | None = None
    """``[site, covariate]``"""
    continuous: np.ndarray | None = None
    """``[covariate]``: those that distances make sense of."""
    notes: list[str] = field(default_factory=list)

    @property
    def value(self) -> np.ndarray:
        """Values as float64."""
        return self.frame["value"].to_numpy(float)

    @property
    def transformed(self) -> np.ndarray:
        """Values as the outlier rules see them: their logarithm where the target is modelled so."""
        if self.options["transform"] != "log":
            return self.value
        return np.log(np.where(self.value > 0, self.value, np.nan))

    def numbers(self, column: str) -> np.ndarray:
        """A numeric column, all NaN where the table has none."""
        return self.frame[column].to_numpy(float) if column in self.frame else np.full(len(self.frame), np.nan)


@dataclass(frozen=True)
class Verdict:
    """Which sites break a rule, the number that broke it, and the reason of one site."""

    broken: np.ndarray
    number: np.ndarray
    reason: Callable[[int], str]


def _verdict(broken: np.ndarray, number: np.ndarray | float, reason: Callable[[int], str]) -> Verdict:
    return Verdict(np.asarray(broken, bool), np.broadcast_to(np.asarray(number, float), np.shape(broken)), reason)


# ---- is there anything to use -----------------------------------------------------------------------------------


def no_value(context: Context) -> Verdict:
    """The target is missing."""
    return _verdict(~np.isfinite(context.value), np.nan, lambda site: "no value")


def no_coordinates(context: Context) -> Verdict:
    """Longitude or latitude is missing."""
    missing = ~(np.isfinite(context.numbers("longitude")) & np.isfinite(context.numbers("latitude")))
    return _verdict(missing, np.nan, lambda site: "no coordinates")


def outside_grid(context: Context) -> Verdict | None:
    """The site lies on no cell of the grid."""
    if context.cell_index is None:
        return None
    return _verdict(context.cell_index == -1, -1.0, lambda site: "outside the grid")


def outside_slices(context: Context) -> Verdict | None:
    """The year belongs to no time slice of the study."""
    if "slice" not in context.frame:
        return None
    year = context.frame["date"].dt.year.to_numpy(float)

    def reason(site: int) -> str:
        return "outside every slice: year unknown" if np.isnan(year[site]) else f"outside every slice: year {year[site]:.0f}"

    return _verdict(context.frame["slice"].to_numpy() == "", year, reason)


def outside_covariates(context: Context) -> Verdict | None:
    """Every covariate is missing at the site."""
    if context.features is None:
        return None
    missing = np.isnan(context.features)
    return _verdict(missing.all(axis=1), missing.mean(axis=1), lambda site: "outside every covariate")


def outside_mask(context: Context) -> Verdict | None:
    """The site's cell is not mapped."""
    if not context.options["require_inside_mask"]:
        return None
    if context.inside_mask is None:
        raise SitesError("require_inside_mask is set, but no mask was given. Set grid.mask, or require_inside_mask = false.")
    return _verdict(~context.inside_mask, 0.0, lambda site: "outside the mask")


def missing_covariates(context: Context) -> Verdict | None:
    """Too many covariates are missing."""
    if context.features is None:
        return None
    part, most = np.isnan(context.features).mean(axis=1), context.options["maximum_missing"]
    return _verdict(part > most, part, lambda site: f"{part[site]:.0%} of the covariates are missing, at most {most:.0%} may be")


# ---- is it what the map shows -----------------------------------------------------------------------------------


def _dates(context: Context, option: str) -> pd.Series:
    if "date" not in context.frame:
        raise SitesError(f"{option} is set, but the table has no dates. Set columns.date, or remove {option}.")
    return context.frame["date"]


def season(context: Context) -> Verdict | None:
    """The month is not one of the season; a site whose month is unknown can't be judged and goes out."""
    months = context.options["season_months"]
    if months is None:
        return None
    month = _dates(context, "season_months").dt.month.to_numpy(float).copy()
    if "date_is_year" in context.frame:
        month[context.frame["date_is_year"].to_numpy(bool)] = np.nan
    names = ", ".join(str(number) for number in months)

    def reason(site: int) -> str:
        if np.isnan(month[site]):
            return f"month unknown, season is month {names}"
        return f"measured in month {month[site]:.0f}, season is month {names}"

    return _verdict(~np.isin(month, list(months)), month, reason)


def years(context: Context) -> Verdict | None:
    """The year is before the first or after the last."""
    first, last = context.options["first_year"], context.options["last_year"]
    if first is None and last is None:
        return None
    year = _dates(context, "first_year or last_year").dt.year.to_numpy(float)
    low, high = -np.inf if first is None else first, np.inf if last is None else last
    words = f"from {first} on" if last is None else f"up to {last}" if first is None else f"{first} to {last}"

    def reason(site: int) -> str:
        return f"year unknown, expected {words}" if np.isnan(year[site]) else f"year {year[site]:.0f}, expected {words}"

    return _verdict(~((year >= low) & (year <= high)), year, reason)


def minimum(context: Context) -> Verdict | None:
    """The value is below what the quantity can be."""
    lowest = context.options["minimum"]
    if lowest is None:
        return None
    value = context.value
    return _verdict(value < lowest, value, lambda site: f"value {value[site]:g} is below the minimum {lowest:g}")


def maximum(context: Context) -> Verdict | None:
    """The value is above what the quantity can be."""
    highest = context.options["maximum"]
    if highest is None:
        return None
    value = context.value
    return _verdict(value > highest, value, lambda site: f"value {value[site]:g} is above the maximum {highest:g}")


def porosity(context: Context) -> Verdict | None:
    """More water than pores, where the porosity is known."""
    if not context.options["porosity_bound"]:
        return None
    value, pores = context.value, context.numbers("porosity")
    if np.isnan(pores).all():
        context.notes.append("rule porosity not judged: no site has a porosity")
    return _verdict(
        value > pores, value - pores, lambda site: f"value {value[site]:g} is above the porosity {pores[site]:.3f} of the sample"
    )


def depth(context: Context) -> Verdict | None:
    """The middle of the measured layer is too shallow or too deep."""
    shallowest, deepest = context.options["depth_minimum_m"], context.options["depth_maximum_m"]
    if shallowest is None and deepest is None:
        return None
    if "depth_top" not in context.frame:
        raise SitesError("depth_minimum_m or depth_maximum_m is set, but the table has no depths. Set columns.depth.")
    middle = (context.numbers("depth_top") + context.numbers("depth_bottom")) / 2
    low, high = -np.inf if shallowest is None else shallowest, np.inf if deepest is None else deepest

    def reason(site: int) -> str:
        expected = f"expected {low:g} to {high:g} m"
        return f"depth unknown, {expected}" if np.isnan(middle[site]) else f"depth {middle[site]:g} m, {expected}"

    return _verdict(~((middle >= low) & (middle <= high)), middle, reason)


# ---- does it agree with the others ------------------------------------------------------------------------------


def duplicate(context: Context) -> Verdict | None:
    """Another site of the same cell (or within the distance) is kept instead."""
    choice = str(context.options["duplicate_choice"])
    needed = {"median": "value", "newest": "date", "least_uncertain": "uncertainty"}.get(choice)
    if needed not in context.frame:
        raise SitesError(
            f"duplicate_choice is {choice!r}, but the table has no column for it. Choose median, or name the column."
        )
    group = _duplicate_groups(context)
    if group is None:
        return None
    broken, size, chosen = np.zeros(len(group), bool), np.zeros(len(group)), np.full(len(group), -1)
    members_of = pd.Series(np.flatnonzero(context.inside)).groupby(group[context.inside]).indices
    inside = np.flatnonzero(context.inside)
    for places in members_of.values():
        members = inside[places]
        if len(members) < 2:
            continue
        best = _choose(context, members)
        others = members[members != best]
        broken[others], chosen[members], size[members] = True, best, len(members)
    names, how = context.frame["site_id"].to_numpy(), choice.replace("_", " ")

    def reason(site: int) -> str:
        return f"one of {size[site]:.0f} sites of the same cell; {names[chosen[site]]} is used ({how})"

    return _verdict(broken, size, reason)


def _duplicate_groups(context: Context) -> np.ndarray | None:
    """Number of the group of every site, or None where the rule is off or can't be judged."""
    distance = context.options["duplicate_distance_cells"]
    if distance is None:
        return None
    if distance == 0:
        if context.cell_index is None:
            context.notes.append("rule duplicate not judged: no grid was given")
            return None
        return _within_slices(context, context.cell_index)
    if context.row_column is None:
        raise SitesError(f"duplicate_distance_cells is {distance:g}: distances need the grid. Give `grid`, or set it to 0.")
    members = np.flatnonzero(context.inside & np.isfinite(context.row_column[0]) & np.isfinite(context.row_column[1]))
    group = np.full(len(context.inside), -1)
    points = np.column_stack([context.row_column[0][members], context.row_column[1][members]])
    pairs = cKDTree(points).query_pairs(distance, output_type="ndarray") if len(members) else np.zeros((0, 2), int)
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(members), len(members)))
    group[members] = connected_components(links, directed=False)[1]
    # sites without a place, kept by hand, are nobody's duplicate
    rest = group == -1
    group[rest] = len(group) + np.arange(rest.sum())
    return _within_slices(context, group)


def _within_slices(context: Context, group: np.ndarray) -> np.ndarray:
    """Groups parted by time slice: rows of one place in different slices are no duplicates."""
    if "slice" not in context.frame:
        return group
    codes = pd.factorize(context.frame["slice"], sort=True)[0]
    return np.unique(np.column_stack([group, codes]), axis=0, return_inverse=True)[1].reshape(-1)


def _choose(context: Context, members: np.ndarray) -> int:
    """The member to keep; ties go to the value nearest the median, then to the first id."""
    value, choice = context.value[members], context.options["duplicate_choice"]
    rank = np.zeros(len(members))
    if choice == "newest":
        age = -context.frame["date"].to_numpy("datetime64[us]")[members].astype("int64").astype(float)
        rank = np.where(context.frame["date"].isna().to_numpy()[members], np.inf, age)
    elif choice == "least_uncertain":
        rank = np.nan_to_num(context.numbers("uncertainty")[members], nan=np.inf)
    off_median = np.abs(value - np.median(value))
    # numpy's lexsort takes the last key first
    return int(members[np.lexsort((np.arange(len(members)), off_median, rank))[0]])


def outlier(context: Context) -> Verdict | None:
    """The value is far from the median of all sites, in robust standard deviations."""
    limit = context.options["outlier_z"]
    if limit is None or context.options["task"] != "regression":
        return None
    value = context.transformed
    centre, spread = robust_centre_spread(value[context.inside])
    if not spread > 0:
        context.notes.append("rule outlier not judged: too few sites, or more than half of them share one value")
        return None
    z = np.abs(value - centre) / spread
    text = f"from the median of all sites, at most {limit:g}"
    return _verdict(
        z > limit, z, lambda site: f"value {context.value[site]:g} is {z[site]:.1f} robust standard deviations {text}"
    )


def neighbour_outlier(context: Context) -> Verdict | None:
    """The value is far from that of the sites with the most similar covariates."""
    limit = context.options["neighbour_z"]
    if limit is None or context.options["task"] != "regression" or context.features is None:
        return None
    value, inside = context.transformed, np.flatnonzero(context.inside & np.isfinite(context.transformed))
    # Rows of one site agree with each other whether they are right or wrong: they can't vouch for one another.
    sites = pd.factorize(context.frame["site"] if "site" in context.frame else context.frame["site_id"])[0][inside]
    count = min(int(context.options["neighbours"]), len(inside) - int(np.bincount(sites).max(initial=1)))
    spread = robust_centre_spread(value[inside])[1]
    scaled = robust_scale(context.features[inside][:, context.continuous])
    if count < 4 or not spread > 0 or scaled.shape[1] == 0:
        context.notes.append("rule neighbour_outlier not judged: too few sites, or no value or covariate that varies")
        return None
    nearest = nearest_others(scaled, count, sites)
    around = value[inside][nearest]
    centre = np.median(around, axis=1)
    local = MAD_TO_SD * np.median(np.abs(around - centre[:, None]), axis=1)
    z = np.full(len(value), np.nan)
    z[inside] = np.abs(value[inside] - centre) / np.maximum(local, context.options["neighbour_floor"] * spread)
    text = f"from the median of the {count} sites with the most similar covariates, at most {limit:g}"
    return _verdict(
        z > limit, z, lambda site: f"value {context.value[site]:g} is {z[site]:.1f} robust standard deviations {text}"
    )


def robust_centre_spread(values: np.ndarray) -> tuple[float, float]:
    """Median and 1.4826 times the median absolute deviation; NaN with fewer than 8 numbers.

    Examples
    --------
    >>> centre, spread = robust_centre_spread(np.arange(9.0))
    >>> centre, round(spread, 4)
    (4.0, 2.9652)
    """
    values = values[np.isfinite(values)]
    if len(values) < FEWEST_FOR_STATISTICS:
        return np.nan, np.nan
    centre = float(np.median(values))
    return centre, float(MAD_TO_SD * np.median(np.abs(values - centre)))


def robust_scale(features: np.ndarray) -> np.ndarray:
    """Columns centred on the median in units of the robust spread; constant columns are left out, NaN becomes the median.

    Columns that are mostly one value have no robust spread; their standard deviation takes its place.
    """
    columns = []
    for column in np.asarray(features, float).T:
        known = column[np.isfinite(column)]
        if len(known) < 2 or known.min() == known.max():
            continue
        centre = np.median(known)
        spread = MAD_TO_SD * np.median(np.abs(known - centre)) or known.std()
        columns.append(np.where(np.isfinite(column), (column - centre) / spread, 0.0))
    return np.column_stack(columns) if columns else np.zeros((len(features), 0))


def nearest_others(points: np.ndarray, count: int, sites: np.ndarray) -> np.ndarray:
    """Indices of the `count` nearest points of other sites, ``[point, neighbour]``; `sites` numbers the site of each point.

    Examples
    --------
    >>> nearest_others(np.array([[0.0], [0.1], [1.0], [3.0]]), 1, np.array([0, 0, 1, 2])).ravel().tolist()
    [2, 2, 1, 2]
    """
    most = int(np.bincount(sites).max())
    found = cKDTree(points).query(points, k=count + most)[1]
    own = sites[found] == sites[:, None]
    # Stable: the others stay in the order of their distance. Among points at one place the tree may leave some out.
    foremost = np.argsort(own, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(found, foremost, axis=1)


def by_name(rules: Sequence[Callable[[Context], Verdict | None]]) -> dict[str, Callable[[Context], Verdict | None]]:
    """The rules by their names, in the order given."""
    return {rule.__name__: rule for rule in rules}
