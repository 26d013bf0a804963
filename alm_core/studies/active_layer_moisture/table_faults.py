"""The faults of the simulated field table, and the table as it is written.

Each fault is one that tables of real campaigns carry; every one is caught by a rule of the study's screening. Faulty
rows are added to the usable ones, so that the number of usable sites does not depend on them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from alm_core.studies.active_layer_moisture.field_sites import RADAR, RING, measured_sites, raw_measurements

Spoiler = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]

SENTINEL = -9999.0
SEASONALLY_FROZEN = ((91.12, 29.66), (94.90, 36.41), (101.75, 36.62))
"""Lhasa, Golmud and Xining: places without permafrost."""

FAULTS = {
    "out of season": 5,
    "before the first year": 2,
    "nothing measured": 3,
    "sentinel": 3,
    "no coordinates": 2,
    "outside the permafrost": 3,
    "wetter than its pores": 3,
    "impossible value": 2,
    "outlier": 2,
    "measured again": 3,
}
"""Kind of fault: number of rows."""

COLUMNS = {
    "station": "Station",
    "longitude": "Longitude (deg E)",
    "latitude": "Latitude (deg N)",
    "date": "Sampling date",
    "method": "Method",
    "survey": "Campaign",
    "wet_mass": "Wet mass (g)",
    "dry_mass": "Dry mass (g)",
    "travel_time": "Travel time (ns)",
    "reflector_depth": "Reflector depth (m)",
    "uncertainty": "Uncertainty (m3 m-3)",
    "top": "Top (m)",
    "bottom": "Bottom (m)",
}
"""Our column: the header in the file."""

IMPOSSIBLE_VWC = 0.88
OUTLIER_VWC = 0.69
"""Below the study's maximum, so that only the comparison with similar sites can find it."""


def field_table(size: str, seed: int) -> pd.DataFrame:
    """All rows of the demo's field table in the order in which they are written, with `truth` and `fault`.

    Parameters
    ----------
    size : {"small", "medium", "full"}
        The truth is that of this size's cells.
    seed : int

    Returns
    -------
    DataFrame
        Columns of COLUMNS, then `truth` (m3 m-3) and `fault` ("" for a usable row).
    """
    visited = measured_sites(size, seed)
    sites, spare = visited[~visited["spare"]], visited[visited["spare"]]
    faulty = _faulty_rows(sites, spare, np.random.default_rng([seed, zlib.crc32(b"faults")]))
    table = pd.concat([raw_measurements(sites), faulty], ignore_index=True)
    # crews hand in their sheets by campaign and day, not by what is wrong with them
    table = table.sort_values(["survey", "date", "longitude", "latitude"], kind="stable", ignore_index=True)
    table["station"] = _stations(table)
    return table[[*COLUMNS, "truth", "fault"]]


def _stations(table: pd.DataFrame) -> pd.Series:
    number = table.groupby("survey").cumcount() + 1
    return table["survey"].str.replace("-", "") + "-" + number.astype(str).str.zfill(3)


def _faulty_rows(sites: pd.DataFrame, spare: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Rows that screening must take out: copies of usable sites, spoilt, and outliers at places of their own."""
    kinds = np.array([kind for kind, count in FAULTS.items() for _ in range(count)])
    chosen = sites.iloc[rng.choice(len(sites), len(kinds), replace=False)].reset_index(drop=True)
    # an outlier is one among its like: dry land, all of it alike, and never the cell of a usable site
    driest = spare.sort_values("explained", kind="stable", ignore_index=True)
    outliers = np.flatnonzero(kinds == "outlier")
    chosen.iloc[outliers] = driest.iloc[: len(outliers)]
    chosen["fault"] = kinds
    for kind, spoil in SPOILERS.items():
        rows = chosen["fault"] == kind
        chosen.loc[rows] = spoil(chosen[rows].copy(), rng)
    table = raw_measurements(chosen)
    table["fault"] = kinds
    raw = ["wet_mass", "dry_mass", "travel_time", "reflector_depth"]
    table.loc[kinds == "nothing measured", raw] = np.nan
    sentinel = kinds == "sentinel"
    table.loc[sentinel, raw] = table.loc[sentinel, raw].where(table.loc[sentinel, raw].isna(), SENTINEL)
    return table


def _move_date(rows: pd.DataFrame, *, month: int | None = None, year: int | None = None) -> pd.DataFrame:
    rows["date"] = [day.replace(day=min(day.day, 28), month=month or day.month, year=year or day.year) for day in rows["date"]]
    return rows


def _unplace(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    rows[["longitude", "latitude"]] = np.nan
    return rows


def _move_off_permafrost(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    rows[["longitude", "latitude"]] = SEASONALLY_FROZEN[: len(rows)]
    return rows


def _fill_pores(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A dense sample with more water than fits: its ring was weighed with a wet tin."""
    rows["method"], rows["vwc"], rows["bulk_density"] = RING, 0.50, 1.54
    return rows


def _mistime(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The wrong reflector was picked."""
    rows["method"], rows["vwc"] = RADAR, IMPOSSIBLE_VWC
    return rows


def _mistake_sample(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A sample of a swamp under the number of a dry place."""
    rows["method"], rows["vwc"], rows["bulk_density"] = RING, OUTLIER_VWC, 0.55
    return rows


def _measure_again(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    rows["vwc"] = np.clip(rows["truth"] + rng.normal(0.0, 0.03, len(rows)), 0.05, 0.6)
    rows["method"], rows["bulk_density"] = RADAR, np.nan
    return rows


SPOILERS: dict[str, Spoiler] = {
    "out of season": lambda rows, rng: _move_date(rows, month=7),
    "before the first year": lambda rows, rng: _move_date(rows, year=2007),
    "no coordinates": _unplace,
    "outside the permafrost": _move_off_permafrost,
    "wetter than its pores": _fill_pores,
    "impossible value": _mistime,
    "outlier": _mistake_sample,
    "measured again": _measure_again,
}


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write the field table as people send it: a CSV of a spreadsheet, UTF-8 with a byte order mark."""
    text = table[list(COLUMNS)].rename(columns=COLUMNS)
    path.write_bytes(b"\xef\xbb\xbf" + text.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\r\n").encode("utf-8"))


def write_answers(path: Path, table: pd.DataFrame) -> None:
    """Write what no real campaign has: the truth at each row (m3 m-3) and the fault that was put into it."""
    answers = table[["station", "truth", "fault"]].round({"truth": 6})
    path.write_bytes(answers.to_csv(index=False, lineterminator="\n").encode("utf-8"))
