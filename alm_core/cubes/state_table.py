"""Daily states from a table of sites: frozen where the temperature of the day is at or below a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.cubes.seasons import warmest_day
from alm_core.cubes.states import FROZEN, THAWED
from alm_core.errors import DomainError, SitesError, TableError
from alm_core.grid import Grid
from alm_core.sites.columns import decimal_comma, parse_numbers, parse_text
from alm_core.sites.coordinates import LONGITUDE_LATITUDE, to_longitude_latitude
from alm_core.sites.faults import Faults, name_rows, name_some
from alm_core.sites.reading import RawTable, read_raw

FIELDS = ("site_id", "date", "longitude", "latitude", "value")
SENTINELS = (-9999.0, -999.99, -999.9, -999.0, -99.0, 9999.0, 99999.0)
"""Numbers that stand for a missing temperature."""
COLDEST, HOTTEST = -95.0, 85.0
"""degree Celsius; no daily mean of air or soil was ever beyond (records: -89 for air, about 80 for bare ground at noon)."""
KELVIN = (170.0, 360.0)
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y")
SAME_PLACE_DEGREES = 1e-6
WARMEST_NORTH, HALF_YEAR = 201.0, 182.625
"""Near-surface ground of the north is warmest about 20 July, that of the south half a year later."""
MOST_LATE_DAYS, LEAST_AMPLITUDE, TROPIC = 90.0, 1.0, 23.5
"""Further from it than these days a record is doubted, where its yearly wave (K) and its latitude (degrees) let it be told."""


@dataclass(frozen=True)
class SiteStates:
    """Daily states at sites.

    Attributes
    ----------
    frame : DataFrame
        One row a site and day, sorted by site and date: ``cell`` (flat index on the grid, int64), ``date`` (datetime64[ns],
        midnight), ``x, y`` (CRS of the grid), ``site`` (text), ``label`` (int64, see `alm_core.cubes.states`), ``value``
        (degree Celsius). Two sites may lie in one cell.
    counts : dict
        ``rows`` of the file; of these ``missing_value``, ``missing_date``, ``repeated`` (same site, day and value),
        ``outside_grid``, ``outside_mask``, ``outside_days``; then ``kept``, and ``sites`` and ``frozen`` of the kept ones.
    outside : tuple of str
        Sites outside the grid or its mask.
    out_of_season : tuple of str
        Sites that are warmest more than three months from midsummer: wrong dates, another depth, a broken sensor. They are kept:
        look at them.
    notes : tuple of str
        What was found while reading, and why sites are out of season.
    """

    frame: pd.DataFrame
    counts: dict[str, int]
    outside: tuple[str, ...] = ()
    out_of_season: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Counts, the sites left out, and days and frozen days by site, for JSON."""
        by_site = self.frame.groupby("site", sort=True)["label"].agg(["size", "sum"])
        sites = {str(site): {"days": int(row["size"]), "frozen": int(row["sum"])} for site, row in by_site.iterrows()}
        listed = {"outside": list(self.outside), "out_of_season": list(self.out_of_season), "notes": list(self.notes)}
        return {"counts": dict(self.counts), "sites": sites, **listed}


def read_states(
    path: str | Path,
    *,
    columns: Mapping[str, str],
    threshold: float = 0.0,
    grid: Grid,
    cells: np.ndarray | None = None,
    first: date | None = None,
    last: date | None = None,
) -> SiteStates:
    """Read daily temperatures of sites and say for each day whether it is frozen.

    Not for hourly records: make daily means first, because two values of one site and day are refused.

    Parameters
    ----------
    path : path
        CSV, TXT, TSV, XLSX or Parquet; one row a site and day.
    columns : mapping
        ``site_id, date, longitude, latitude, value``: the column of each. Longitude and latitude in degrees (WGS84).
    threshold : float
        degree Celsius; at or below it a day is frozen.
    grid : Grid
        The study grid.
    cells : ndarray, optional
        Flat indices of the mapped cells, rising: sites elsewhere are left out and counted. Default: the whole grid.
    first, last : date, optional
        Days of the study, both included; others are left out and counted.

    Returns
    -------
    SiteStates

    Raises
    ------
    TableError
        A column that is not there; cells that are no numbers; dates that are none or name no day.
    DomainError
        Temperatures that can't be degree Celsius (kelvin is named), or states 0 and 1 where temperatures are expected.
    SitesError
        Two values for one site and day, a site at two places, coordinates that can't be, or no row is left.

    Examples
    --------
    >>> import tempfile
    >>> grid = Grid.from_bounds((80, 30, 82, 31), 1, crs="EPSG:4326")
    >>> text = "site,date,lon,lat,t\\na,2012-01-01,81.5,30.5,-3\\na,2012-07-01,81.5,30.5,8\\nb,2012-01-01,95,30.5,-3\\n"
    >>> names = {"site_id": "site", "date": "date", "longitude": "lon", "latitude": "lat", "value": "t"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "states.csv").write_text(text)
    ...     found = read_states(Path(folder, "states.csv"), columns=names, grid=grid)
    >>> found.frame[["cell", "label"]].to_numpy().tolist(), found.outside
    ([[1, 1], [1, 0]], ('b',))
    """
    raw = read_raw(path)
    faults = Faults(str(path))
    _check_columns(raw, columns, faults)
    faults.raise_any()
    frame = _parse(raw, columns, faults, grid)
    faults.raise_any()
    counts = {"rows": len(frame)}
    counts["missing_value"] = int(frame["value"].isna().sum())
    counts["missing_date"] = int((frame["date"].isna() & frame["value"].notna()).sum())
    frame = frame[frame["value"].notna() & frame["date"].notna()]
    _check_temperatures(frame, faults)
    _check_places(frame, faults)
    frame, counts["repeated"] = _one_a_day(frame, faults)
    faults.raise_any()
    frame, outside = _place(frame, grid, cells, counts)
    frame = _within_days(frame, first, last, counts)
    if frame.empty:
        raise SitesError(
            f"{path}: no site and day is left of {counts['rows']} rows ({_told(counts)}). Look at the grid, its mask, the days "
            "of the study and the columns of the table."
        )
    frame["label"] = np.where(frame["value"] <= threshold, FROZEN, THAWED).astype(np.int64)
    counts |= {"kept": len(frame), "sites": int(frame["site"].nunique()), "frozen": int((frame["label"] == FROZEN).sum())}
    chosen = frame.sort_values(["site", "date"], kind="stable").reset_index(drop=True)
    strange = _out_of_season(chosen)
    columns = ["cell", "date", "x", "y", "site", "label", "value"]
    return SiteStates(chosen[columns], counts, outside, tuple(strange), (*raw.notes, *strange.values()))


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if count and name != "rows") or "empty"


def _check_columns(raw: RawTable, columns: Mapping[str, str], faults: Faults) -> None:
    """Every field is named once and its column is there."""
    strange, unnamed = sorted(set(columns) - set(FIELDS)), [name for name in FIELDS if name not in columns]
    if strange or unnamed:
        faults.add(TableError, f"columns are asked for as {', '.join(columns)}: {', '.join(FIELDS)} are expected.")
        return
    for name in FIELDS:
        count = list(raw.frame.columns).count(columns[name])
        if count != 1:
            faults.add(
                TableError,
                f"{count or 'no'} column(s) are named {columns[name]!r} ({name}); columns found: "
                f"{name_some(raw.frame.columns, shown=40)}. Set {name} in the section of the labels.",
            )


def _parse(raw: RawTable, columns: Mapping[str, str], faults: Faults, grid: Grid) -> pd.DataFrame:
    """Cells into text, dates and numbers; temperatures that stand for nothing become NaN."""
    numeric = [raw.frame[columns[name]] for name in ("longitude", "latitude", "value")]
    comma = decimal_comma(numeric)
    longitude, latitude, value = (
        parse_numbers(cells, raw.rows, columns[name], faults, comma=comma)
        for name, cells in zip(("longitude", "latitude", "value"), numeric, strict=True)
    )
    site = parse_text(raw.frame[columns["site_id"]])
    if site.isna().any():
        rows = raw.rows[site.isna().to_numpy()].tolist()
        faults.add(TableError, f"column {columns['site_id']!r} is empty in {len(rows)} row(s): {name_rows(rows)}.")
    unplaced = ~(np.isfinite(longitude) & np.isfinite(latitude))
    if unplaced.any():
        rows = raw.rows[unplaced].tolist()
        faults.add(SitesError, f"{len(rows)} row(s) have no longitude or latitude: {name_rows(rows)}. Give each its place.")
    else:
        to_longitude_latitude(longitude, latitude, raw.rows, faults)
    x, y = grid.transform_points(longitude, latitude, crs=LONGITUDE_LATITUDE)
    return pd.DataFrame(
        {
            "row": raw.rows,
            "site": site.to_numpy(object),
            "date": _dates(raw.frame[columns["date"]], raw.rows, columns["date"], faults),
            "longitude": longitude,
            "latitude": latitude,
            "x": x,
            "y": y,
            "value": np.where(np.isin(value, SENTINELS), np.nan, value),
        }
    )


def _dates(cells: pd.Series, rows: np.ndarray, column: str, faults: Faults) -> np.ndarray:
    """Days, datetime64[ns]; the whole column is written in one way, so that 03/04/2012 is never guessed row by row."""
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return cells.dt.tz_localize(None).dt.normalize().to_numpy("datetime64[ns]")
    text = parse_text(cells)
    empty = text.isna()
    tried = [pd.to_datetime(text, format=form, errors="coerce") for form in DATE_FORMATS]
    best = max(tried, key=lambda dates: int(dates.notna().sum()))
    bad = np.flatnonzero((best.isna() & ~empty).to_numpy())
    if bad.size:
        shown = name_rows(rows[bad].tolist(), text.iloc[bad].tolist())
        faults.add(
            TableError, f"column {column!r} holds {bad.size} cell(s) that are no days: {shown}. Write every date as YYYY-MM-DD."
        )
    return best.dt.normalize().to_numpy("datetime64[ns]")


def _check_temperatures(frame: pd.DataFrame, faults: Faults) -> None:
    """Refuse values that are no daily temperature in degree Celsius."""
    value = frame["value"].to_numpy()
    if not value.size:
        return
    if KELVIN[0] < float(np.median(value)) < KELVIN[1]:
        faults.add(
            DomainError,
            f"temperatures run from {value.min():g} to {value.max():g}: they look like kelvin, degree Celsius is expected. "
            "Subtract 273.15.",
        )
        return
    wrong = (value < COLDEST) | (value > HOTTEST)
    if wrong.any():
        rows = frame["row"].to_numpy()[wrong].tolist()
        faults.add(
            DomainError,
            f"{len(rows)} value(s) can't be temperatures in degree Celsius: {name_rows(rows, value[wrong].tolist())}. Between "
            f"{COLDEST:g} and {HOTTEST:g} is expected; leave a cell empty where nothing was measured.",
        )
    elif value.size > 1 and set(np.unique(value)) <= {0.0, 1.0}:
        faults.add(
            DomainError,
            "the values are only 0 and 1: they look like states, and temperatures in degree Celsius are expected. Write -1 for "
            "a frozen day and 1 for a thawed one.",
        )


def _check_places(frame: pd.DataFrame, faults: Faults) -> None:
    """A site lies at one place."""
    places = frame.groupby("site", sort=True)[["longitude", "latitude"]]
    apart = ((places.max() - places.min()) > SAME_PLACE_DEGREES).any(axis=1)
    if apart.any():
        ids = apart.index[apart].tolist()
        faults.add(SitesError, f"{len(ids)} site(s) lie at several places: {name_some(ids)}. Give each place a name of its own.")


def _one_a_day(frame: pd.DataFrame, faults: Faults) -> tuple[pd.DataFrame, int]:
    """Leave out repeated rows; two values for one site and day are a fault."""
    unlike = frame.drop_duplicates(["site", "date", "value"])
    contrary = unlike[unlike.duplicated(["site", "date"], keep=False)].sort_values(["site", "date"], kind="stable")
    if len(contrary):
        shown = [f"{row.site} {row.date:%Y-%m-%d}: {row.value:g} in row {row.row}" for row in contrary.itertuples()]
        pairs = contrary[["site", "date"]].drop_duplicates()
        faults.add(
            SitesError,
            f"{len(pairs)} day(s) of a site have several values ({name_some(shown, shown=6)}). One depth and one value a day are "
            "expected: choose the depth, or make daily means.",
        )
    return unlike, len(frame) - len(unlike)


def _place(
    frame: pd.DataFrame, grid: Grid, cells: np.ndarray | None, counts: dict[str, int]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The cell of every row; rows outside the grid or its mask are left out and counted."""
    cell = grid.cell_index(frame["x"].to_numpy(), frame["y"].to_numpy())
    on_grid = cell >= 0
    mapped = on_grid if cells is None else on_grid & np.isin(cell, cells)
    counts["outside_grid"] = int((~on_grid).sum())
    counts["outside_mask"] = int((on_grid & ~mapped).sum())
    outside = tuple(sorted({str(site) for site in frame["site"].to_numpy()[~mapped]}))
    return frame.assign(cell=cell)[mapped], outside


def _within_days(frame: pd.DataFrame, first: date | None, last: date | None, counts: dict[str, int]) -> pd.DataFrame:
    """Rows of the study's days; the others are counted."""
    keep = np.ones(len(frame), bool)
    if first is not None:
        keep &= (frame["date"] >= pd.Timestamp(first)).to_numpy()
    if last is not None:
        keep &= (frame["date"] <= pd.Timestamp(last)).to_numpy()
    counts["outside_days"] = int((~keep).sum())
    return frame[keep].copy()


def _out_of_season(frame: pd.DataFrame) -> dict[str, str]:
    """Sites whose yearly wave crests far from midsummer, and a note on each."""
    strange = {}
    for site, rows in frame.groupby("site", sort=True):
        latitude = float(rows["latitude"].iloc[0])
        crest, amplitude = warmest_day(rows["date"].to_numpy(), rows["value"].to_numpy())
        if abs(latitude) < TROPIC or not amplitude >= LEAST_AMPLITUDE:
            continue
        summer = WARMEST_NORTH if latitude > 0 else (WARMEST_NORTH + HALF_YEAR) % (2 * HALF_YEAR)
        late = (crest - summer + HALF_YEAR) % (2 * HALF_YEAR) - HALF_YEAR
        if abs(late) > MOST_LATE_DAYS:
            side = "after" if late > 0 else "before"
            strange[str(site)] = (
                f"site {site} is warmest about day {crest:.0f} of the year, {abs(late):.0f} days {side} "
                "midsummer: its dates, depth or sensor may be wrong. It is kept; take it out of the table if so"
            )
    return strange
