"""Rows into sites: ids, profiles of several depths, repeated measurements."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import SitesError, TableError
from alm_core.sites.conversions import depth_weighted_mean
from alm_core.sites.faults import Faults, name_some
from alm_core.sites.slices import OUTSIDE

SAME_PLACE_DEGREES = 1e-6
"""Coordinates of one site may differ by this much (0.1 m) between its rows."""
DEPTH_TOLERANCE_M = 1e-6
REPEATS = ("refuse", "mean", "separate", "slice_mean")


def content_ids(frame: pd.DataFrame) -> pd.Series:
    """Make ids for rows without one, from what they say and not from where they stand.

    The id is a digest of the coordinates (rounded to about 1 cm), the method and the survey, so that rows of one
    profile share it and permuted rows keep it. Without depths, rows that would share an id get -2, -3 ... in the order
    of their content.
    """
    parts = [_texts(frame, name) for name in ("longitude", "latitude", "method", "survey")]
    ids = pd.Series(
        ["s" + hashlib.sha256("|".join(words).encode()).hexdigest()[:10] for words in zip(*parts, strict=True)],
        index=frame.index,
        dtype="str",
    )
    if {"depth_top", "depth_bottom"} <= set(frame) and frame["depth_top"].notna().any():
        return ids
    content = [name for name in ("date", "value", "uncertainty") if name in frame]
    ordered = frame.assign(_id=ids).sort_values(["_id", *content], kind="stable")
    number = ordered.groupby("_id", sort=False).cumcount().reindex(frame.index)
    return ids.where(number == 0, ids + "-" + (number + 1).astype(str))


def _texts(frame: pd.DataFrame, name: str) -> list[str]:
    if name not in frame:
        return [""] * len(frame)
    if name in ("longitude", "latitude"):
        return [f"{number + 0.0:.7f}" for number in frame[name]]
    return ["" if pd.isna(word) else str(word) for word in frame[name]]


def check_places(frame: pd.DataFrame, faults: Faults) -> None:
    """Note ids whose rows lie at different coordinates."""
    places = frame[frame["site_id"] != ""].groupby("site_id", sort=True)[["longitude", "latitude"]]
    apart = ((places.max() - places.min()) > SAME_PLACE_DEGREES).any(axis=1)
    if apart.any():
        ids = apart.index[apart].tolist()
        faults.add(
            SitesError, f"{len(ids)} site id(s) stand for several places: {name_some(ids)}. Give each place an id of its own."
        )


def check_depths(frame: pd.DataFrame, faults: Faults) -> None:
    """Note layers that are upside down or above the surface."""
    if not {"depth_top", "depth_bottom"} <= set(frame):
        return
    top, bottom = frame["depth_top"], frame["depth_bottom"]
    for bad, text in (
        (bottom < top, "row(s) with a bottom above the top of the layer"),
        ((top < 0) | (bottom < 0), "row(s) with a depth above the surface (depths are positive downwards, m)"),
        (top.isna() != bottom.isna(), "row(s) with only one of top and bottom depth"),
    ):
        if bad.any():
            rows = [f"row {row}" for row in frame.loc[bad, "source_row"]]
            faults.add(TableError, f"{bad.sum()} {text}: {name_some(rows)}. Correct the depths.")


def collapse(frame: pd.DataFrame, *, repeats: str = "refuse") -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Make one row per site.

    Rows of one site, date, method and survey that have depths are a profile and become its depth-weighted mean. Layers
    given as single depths reach half way to their neighbours, the outermost as far out as in. What is still
    repeated after that is refused, averaged or kept apart.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows with `site_id`, `longitude`, `latitude`, `value`, `source_row` and any of the optional columns.
    repeats : {"refuse", "mean", "separate"}
        `mean` averages values and dates; not for rows of different seasons, since screening then sees the mean
        date only. `separate` gives every repeat an id of its own with its date. `slice_mean` makes one row of the rows of a site
        in one time slice (column `slice`), with the mean value, and names it by both; rows outside every slice stay apart. The
        column `site` then holds the id of the place.

    Returns
    -------
    frame : pandas.DataFrame
        Sorted by site_id, index 0, 1, 2 ...
    notes : tuple of str

    Raises
    ------
    SitesError
        Repeated rows and `repeats="refuse"`, or a profile with layers that have no depth.
    """
    if repeats not in REPEATS:
        raise SitesError(f"repeats is {repeats!r}: one of {', '.join(REPEATS)} is expected.")
    # Sums depend on the order of the terms: a fixed order makes permuted tables give the same bits.
    content = ["site_id", "date", "depth_top", "depth_bottom", "value", "uncertainty", "method", "survey"]
    ordered = frame.sort_values([name for name in content if name in frame], kind="stable").reset_index(drop=True)
    ordered, notes = _profiles(ordered)
    if repeats != "refuse":
        notes += _same_dates(ordered)
    if repeats == "slice_mean":
        return _slice_means(ordered, notes)
    doubled = ordered["site_id"].duplicated(keep=False)
    if not doubled.any():
        return ordered, tuple(notes)
    sites = ordered.loc[doubled, "site_id"].nunique()
    if repeats == "refuse":
        raise SitesError(_repeated(ordered[doubled]))
    if repeats == "separate":
        ordered["site"] = ordered["site_id"]
        ordered["site_id"] = _separate_ids(ordered, doubled)
        notes.append(f"{doubled.sum()} repeated rows of {sites} site(s) kept apart, each under an id with its date")
    else:
        means = [_mean(group) for _, group in ordered[doubled].groupby("site_id", sort=True)]
        ordered = _join(ordered[~doubled], means)
        notes.append(f"{doubled.sum()} repeated rows of {sites} site(s) averaged")
    return ordered.sort_values("site_id", kind="stable").reset_index(drop=True), tuple(notes)


def _same_dates(rows: pd.DataFrame) -> list[str]:
    """A note on rows that repeat the date, or the year, of another row of their site: often one row that was pasted twice."""
    if "date" not in rows:
        return []
    again = rows.duplicated(["site_id", "date"], keep=False) & rows["date"].notna()
    if not again.any():
        return []
    year = rows["date_is_year"].fillna(False).astype(bool) if "date_is_year" in rows else pd.Series(False, index=rows.index)
    when = rows["date"].dt.strftime("%Y-%m-%d").where(~year, rows["date"].dt.strftime("%Y"))
    named = sorted(set((rows["site_id"] + " in " + when)[again]))
    return [f"{int(again.sum())} row(s) share site and date (or year) with another, maybe copies: {name_some(named)}"]


def _slice_means(rows: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row for each site and time slice; rows outside every slice stay as they are, so that screening counts them."""
    if "slice" not in rows:
        raise SitesError("repeats is 'slice_mean', but no time slices were given. Name them as [[slices]], or choose 'mean'.")
    inside = rows["slice"] != OUTSIDE
    key = rows["site_id"] + "@" + rows["slice"]
    several = inside & key.duplicated(keep=False)
    # A row that says nothing must not stand for its slice where others say something.
    means = [_mean(group) for _, group in rows[several].groupby(key[several], sort=True)]
    made = _join(rows[~several], means) if means else rows
    outside = made["slice"] == OUTSIDE
    apart = _separate_ids(made, outside)
    made = made.assign(site=made["site_id"], site_id=apart.where(outside, made["site_id"] + "@" + made["slice"]))
    if means:
        notes.append(f"{int(several.sum())} rows averaged to {len(means)}, one for each site and time slice")
    return made.sort_values("site_id", kind="stable").reset_index(drop=True), tuple(notes)


def _join(rest: pd.DataFrame, rows: Sequence[pd.Series]) -> pd.DataFrame:
    made = pd.DataFrame(list(rows))
    joined = pd.concat([rest.astype(object), made.astype(object)], ignore_index=True)
    return joined.astype(rest.dtypes.to_dict()).sort_values("site_id", kind="stable").reset_index(drop=True)


def _profiles(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    if not {"depth_top", "depth_bottom"} <= set(frame):
        return frame, []
    keys = [name for name in ("site_id", "date", "method", "survey") if name in frame]
    number = frame.groupby(keys, dropna=False, sort=True).ngroup()
    size = number.map(number.value_counts())
    layered = frame["depth_top"].notna()
    several = (size > 1) & layered.groupby(number).transform("any")
    lost = several & ~layered
    if lost.any():
        ids = sorted(frame.loc[lost, "site_id"].unique())
        raise SitesError(
            f"{lost.sum()} row(s) have no depth though other rows of their profile do: {name_some(ids)}. Add the depths."
        )
    if not several.any():
        return frame, []
    rows, facts = [], []
    for _, group in frame[several].groupby(number[several], sort=True):
        row, fact = _column_mean(group)
        rows.append(row)
        facts.append(fact)
    gaps, overlaps, empty = (sum(fact[name] for fact in facts) for name in ("gap", "overlap", "empty"))
    note = f"{several.sum()} rows of {len(rows)} profile(s) made into depth-weighted means: "
    note += f"{gaps} profile(s) with gaps, {overlaps} with overlaps, {empty} layer(s) without a value"
    return _join(frame[~several], rows), [note]


def _column_mean(layers: pd.DataFrame) -> tuple[pd.Series, dict[str, int]]:
    """One row for one profile, and what was irregular in it."""
    top, bottom = layers["depth_top"].to_numpy(float), layers["depth_bottom"].to_numpy(float)
    if (bottom <= top).all():
        top, bottom = _layers_around(top, str(layers["site_id"].iloc[0]))
    elif (bottom <= top).any():
        raise SitesError(
            f"Profile {layers['site_id'].iloc[0]!r} mixes layers and single depths. Give every row a top and a bottom."
        )
    row = layers.iloc[0].copy()
    row["depth_top"], row["depth_bottom"], row["source_row"] = top.min(), bottom.max(), layers["source_row"].min()
    values = layers["value"].to_numpy(float)
    full = np.isfinite(values)
    if full.any():
        uncertainty = layers["uncertainty"].to_numpy(float)[full] if "uncertainty" in layers else np.nan
        thickness = (bottom - top)[full]
        row["value"], error = depth_weighted_mean(values[full], thickness, uncertainty=uncertainty)
        if "uncertainty" in layers:
            row["uncertainty"] = error
    if "porosity" in layers and layers["porosity"].notna().any():
        known = layers["porosity"].notna().to_numpy()
        row["porosity"] = depth_weighted_mean(layers["porosity"].to_numpy(float)[known], (bottom - top)[known])[0]
    gap, overlap = _irregular(top[full], bottom[full])
    return row, {"gap": int(gap), "overlap": int(overlap), "empty": int((~full).sum())}


def _layers_around(depth: np.ndarray, site: str) -> tuple[np.ndarray, np.ndarray]:
    """Layers that reach half way to the neighbouring depths; the outermost as far out as in, not above the surface."""
    if (np.diff(depth) <= 0).any():
        raise SitesError(f"Profile {site!r} has the same depth twice. Remove one, or give the rows different dates.")
    middle = (depth[1:] + depth[:-1]) / 2
    top = np.concatenate([[max(0.0, 2 * depth[0] - middle[0])], middle])
    return top, np.concatenate([middle, [2 * depth[-1] - middle[-1]]])


def _irregular(top: np.ndarray, bottom: np.ndarray) -> tuple[bool, bool]:
    """Whether the layers leave a gap (from the surface on), and whether two overlap."""
    reached = np.concatenate([[0.0], np.maximum.accumulate(bottom)[:-1]]) if len(top) else np.zeros(0)
    return bool((top > reached + DEPTH_TOLERANCE_M).any()), bool((top < reached - DEPTH_TOLERANCE_M).any())


def _mean(rows: pd.DataFrame) -> pd.Series:
    """One row for repeated measurements of one site."""
    row = rows.iloc[0].copy()
    full = rows[rows["value"].notna()]
    row["value"], row["source_row"] = full["value"].mean(), rows["source_row"].min()
    for name in ("porosity", "depth_top", "depth_bottom"):
        if name in rows:
            row[name] = rows[name].mean()
    if "uncertainty" in rows:
        row["uncertainty"] = np.sqrt((full["uncertainty"].to_numpy() ** 2).sum()) / len(full) if len(full) else np.nan
    if "date" in rows:
        row["date"] = rows["date"].mean()
    if "date_is_year" in rows:
        row["date_is_year"] = bool(rows["date_is_year"].any())
    for name in ("method", "survey"):
        if name in rows and rows[name].notna().any():
            row[name] = " + ".join(sorted(rows[name].dropna().unique()))
    return row


def _separate_ids(frame: pd.DataFrame, doubled: pd.Series) -> pd.Series:
    date = frame["date"].dt.strftime("%Y-%m-%d").fillna("undated") if "date" in frame else pd.Series("undated", index=frame.index)
    ids = frame["site_id"] + "@" + date
    number = ids.groupby(ids).cumcount()
    return frame["site_id"].where(~doubled, ids.where(number == 0, ids + "#" + (number + 1).astype(str)))


def _repeated(rows: pd.DataFrame) -> str:
    named: list[Any] = []
    for site, group in rows.groupby("site_id", sort=True):
        dates = group["date"].nunique() if "date" in group else 0
        named.append(f"{site} ({len(group)} rows, {dates} dates)" if dates > 1 else f"{site} ({len(group)} rows)")
    return (
        f"{rows['site_id'].nunique()} site id(s) are repeated without depths that would make them a profile: {name_some(named)}. "
        "Give every row an id of its own, name the depth columns, or set repeats to 'mean' or 'separate'."
    )
