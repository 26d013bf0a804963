"""The table of field sites: one row per site, whatever the file looked like.

Coordinates are longitude and latitude in degrees (WGS84), depths are metres below the surface, values are in the unit of
the study. A site that can't be used stays in the table; screening says why.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.errors import DomainError, MissingFileError, SitesError, TableError
from alm_core.sites.censored import BOUNDS, CHOICES, split_censored, take_bounds
from alm_core.sites.columns import (
    CENTIMETRES,
    DATE_FIELDS,
    LENGTH_FIELDS,
    RAW_FIELDS,
    TEXT_FIELDS,
    ChosenColumns,
    choose_columns,
    decimal_comma,
    missing_field,
    parse_dates,
    parse_numbers,
    parse_text,
)
from alm_core.sites.coordinates import LONGITUDE_LATITUDE, longitude_latitude_crs, to_longitude_latitude
from alm_core.sites.faults import Faults, name_rows, name_some
from alm_core.sites.profiles import check_depths, check_places, collapse, content_ids
from alm_core.sites.raw_measurements import convert
from alm_core.sites.reading import RawTable, read_raw
from alm_core.sites.slices import SliceYears, with_slices

FIELDS = (
    "site_id", "longitude", "latitude", "value", "date", "date_is_year", "method", "uncertainty", "depth_top", "depth_bottom",
    "survey", "porosity", "source_row", "slice", "site",
)  # fmt: skip
"""Columns of a site table, in their order; the first four and `source_row` are always there.

`slice` is the time slice in a study that has some. `site` is the id of the place, where `site_id` names one of its rows.
"""
AUDIT_FIELDS = ("kept", "reason", "rule", "rule_value")
"""Columns that screening adds."""
METADATA_KEY = b"active_layer_mapper_sites"
LARGEST_MEDIAN_FRACTION = 1.5
"""A median above this can't be a fraction; percent is likely."""


@dataclass(frozen=True, eq=False)
class SiteTable:
    """Field sites, sorted by site_id.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per site with the columns of `FIELDS` that are known, and after screening those of `AUDIT_FIELDS`.
        `date_is_year` marks dates of which only the year is known.
    crs : str
        CRS of longitude and latitude.
    notes : tuple of str
        What was guessed, counted or changed on the way.
    bounds : pandas.DataFrame or None
        Rows whose value is a bound only (`alm_core.sites.censored`), where they were asked for. They are no sites to learn from.
    """

    frame: pd.DataFrame
    crs: str = LONGITUDE_LATITUDE
    notes: tuple[str, ...] = ()
    bounds: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        missing = [name for name in FIELDS[:4] if name not in self.frame]
        if missing:
            raise TableError(
                f"A site table needs the column(s) {', '.join(missing)}. Columns found: {', '.join(map(str, self.frame))}."
            )
        doubled = self.frame["site_id"][self.frame["site_id"].duplicated()].unique()
        if len(doubled):
            raise SitesError(f"Site ids must differ, but {name_some(doubled)} come(s) more than once.")
        ordered = self.frame.sort_values("site_id", kind="stable").reset_index(drop=True)
        object.__setattr__(self, "frame", ordered)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def kept(self) -> pd.DataFrame:
        """The sites that passed screening (all of them before it)."""
        if "kept" not in self.frame:
            return self.frame
        return self.frame[self.frame["kept"]].reset_index(drop=True)

    def to_parquet(self, path: str | Path) -> None:
        """Write the table with its CRS and notes; a reader never sees half a file."""
        import pyarrow
        import pyarrow.parquet

        path = Path(path)
        table = pyarrow.Table.from_pandas(self.frame, preserve_index=False)
        extra = json.dumps({"crs": self.crs, "notes": list(self.notes)}, ensure_ascii=False).encode()
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            pyarrow.parquet.write_table(
                table.replace_schema_metadata({**(table.schema.metadata or {}), METADATA_KEY: extra}), partial
            )
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def from_parquet(cls, path: str | Path) -> SiteTable:
        """Read what `to_parquet` wrote.

        Raises
        ------
        MissingFileError
            There is no such file.
        TableError
            The file is damaged or was not written by `to_parquet`.
        """
        import pyarrow
        import pyarrow.parquet

        if not Path(path).is_file():
            raise MissingFileError(f"No site table at {path}.")
        try:
            table = pyarrow.parquet.read_table(path)
            extra = json.loads((table.schema.metadata or {})[METADATA_KEY])
        except (pyarrow.ArrowException, OSError, KeyError, ValueError) as fault:
            raise TableError(f"{path} is not a site table of this program ({str(fault)[:120]}). Run the study again.") from fault
        return cls(table.to_pandas(), extra["crs"], tuple(extra["notes"]))

    def to_dict(self) -> dict[str, Any]:
        """Counts and ranges, for JSON: sites, kept, removed per rule, methods, surveys, dates, values, notes."""
        kept = self.kept
        values, dates = kept["value"].dropna(), kept["date"].dropna() if "date" in kept else pd.Series(dtype="datetime64[us]")
        removed = self.frame[~self.frame["kept"]] if "kept" in self.frame else self.frame.iloc[:0]
        return {
            "sites": len(self.frame),
            "kept": len(kept),
            "removed": _counts(removed, "rule"),
            "methods": _counts(kept, "method"),
            "surveys": _counts(kept, "survey"),
            **({"slices": _counts(kept, "slice")} if "slice" in kept else {}),
            "dates": [str(dates.min().date()), str(dates.max().date())] if len(dates) else None,
            "values": [float(values.min()), float(values.median()), float(values.max())] if len(values) else None,
            "crs": self.crs,
            "notes": list(self.notes),
        }


def _counts(frame: pd.DataFrame, column: str) -> dict[str, int]:
    if column not in frame:
        return {}
    return {str(name): int(count) for name, count in frame[column].value_counts().sort_index().items()}


# ---- reading ----------------------------------------------------------------------------------------------------


def read_sites(
    path: str | Path,
    *,
    columns: Mapping[str, str | None] | None = None,
    crs: str = LONGITUDE_LATITUDE,
    sheet: str | None = None,
    layer: str | None = None,
    value_unit: str = "as_is",
    sentinels: tuple[float, ...] = (-9999.0, -999.99, -999.9, -999.0, -99.0, 9999.0),
    conversion: Mapping[str, Any] | None = None,
    bounds: tuple[float, float, float, float] | None = None,
    value_maximum: float | None = None,
    repeats: str = "refuse",
    censored: str = "refuse",
    slices: Sequence[SliceYears] = (),
) -> SiteTable:
    """Read a site table from CSV, TXT, TSV, XLSX, Parquet, GeoPackage, GeoJSON or a shapefile.

    Delimiter, encoding and decimal comma are found out; columns are taken as named or guessed by usual names. Faults
    are collected, so that one message names them all. Nothing is screened here: out-of-range values come through.

    Parameters
    ----------
    path : path
        The file; its suffix says what it is.
    columns : mapping, optional
        Our name: the table's column, or None to guess; names as in `alm_core.options.Columns`.
    crs : str
        CRS of the coordinates. The default gives way to the CRS that a vector file declares for its geometry; any
        other goes before it, because such declarations can be wrong.
    sheet, layer : str, optional
        Sheet of a workbook, layer of a vector file; default the first.
    value_unit : {"as_is", "fraction", "percent"}
        `percent` divides values (and uncertainties) by 100.
    sentinels : tuple of float
        Numbers that stand for "missing". They are counted in the notes.
    conversion : mapping, optional
        Options of `alm_core.sites.raw_measurements.convert`; None leaves values as they are.
    bounds : tuple of float, optional
        West, south, east, north of the map in degrees: with them swapped or mirrored coordinates are noticed.
    value_maximum : float, optional
        Upper bound of the target; 1 or less means that a fraction is expected.
    repeats : {"refuse", "mean", "separate", "slice_mean"}
        What to do with several rows of one site that are no profile; see `profiles.collapse`.
    slices : sequence of (name, first year, last year)
        Time slices: each row gets the one of its year in the column `slice`, empty outside all of them.
    censored : {"refuse", "bounds"}
        What to do with values such as ``<66``: a fault that names them, or rows of `SiteTable.bounds`.

    Returns
    -------
    SiteTable

    Raises
    ------
    MissingFileError, TableError, SitesError, DomainError, CrsError
        By the kind of fault; the text names file, rows and columns, and the cure.
    """
    raw = read_raw(path, sheet=sheet, layer=layer)
    faults = Faults(str(path))
    # Naming a coordinate column overrules the geometry; the other one is then guessed.
    use_geometry = raw.x is not None and not any((columns or {}).get(name) for name in ("longitude", "latitude"))
    names, empty = list(raw.frame.columns), (raw.frame.isna() | (raw.frame == "")).any()
    chosen = choose_columns(
        names,
        columns or {},
        faults,
        raw_measurements=conversion is not None,
        geometry=use_geometry,
        incomplete=set(empty.index[empty]),
    )
    _check_fields(raw, chosen, faults, columns or {}, geometry=use_geometry, converting=conversion is not None)
    faults.raise_any()
    frame, notes = _parse(raw, chosen, sentinels, faults, bounds=_bounds_wanted(censored, faults))
    x, y = (raw.x, raw.y) if use_geometry else (frame["longitude"].to_numpy(), frame["latitude"].to_numpy())
    declared = longitude_latitude_crs(raw.crs) if use_geometry and raw.crs else None
    used_crs = longitude_latitude_crs(crs)
    if declared is not None and used_crs == LONGITUDE_LATITUDE:
        used_crs = declared
    if declared not in (None, used_crs):
        notes.append(f"the file declares another CRS than the study: {used_crs} of the study is used")
    places = to_longitude_latitude(x, y, frame["source_row"].to_numpy(), faults, crs=used_crs, sentinels=sentinels, bounds=bounds)
    frame["longitude"], frame["latitude"] = places.longitude, places.latitude
    notes += places.notes
    notes += _apply_unit(frame, value_unit, value_maximum, faults)
    if "site_id" not in frame:
        frame["site_id"] = content_ids(frame)
        notes.append("no site_id column: ids made from coordinates, method and survey")
    check_places(frame, faults)
    check_depths(frame, faults)
    faults.raise_any()
    if slices:
        frame, found = with_slices(frame, slices)
        notes += found
    bounded = None
    if BOUNDS[0] in frame:
        frame, bounded, found = take_bounds(frame)
        notes += found
    frame, more = _finish(frame, conversion, repeats, path)
    return SiteTable(frame, LONGITUDE_LATITUDE, tuple([*raw.notes, *chosen.notes, *notes, *more]), bounded)


def _check_fields(
    raw: RawTable, chosen: ChosenColumns, faults: Faults, columns: Mapping[str, str | None], *, geometry: bool, converting: bool
) -> None:
    """Note required fields that were neither named nor found; a named one that is not there is noted already."""
    needed = [] if geometry else ["longitude", "latitude"]
    if not (converting and any(name in chosen.names for name in RAW_FIELDS)):
        needed.append("value")
    for name in needed:
        if name not in chosen.names and not columns.get(name):
            faults.add(TableError, missing_field(name, list(raw.frame.columns)))


def _bounds_wanted(censored: str, faults: Faults) -> bool:
    if censored not in CHOICES:
        faults.add(TableError, f"censored is {censored!r}: one of {', '.join(CHOICES)} is expected.")
    return censored == "bounds"


def _parse(
    raw: RawTable, chosen: ChosenColumns, sentinels: tuple[float, ...], faults: Faults, *, bounds: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """Cells into numbers, dates and words under our names."""
    notes: list[str] = []
    names = dict(chosen.names)
    if "depth" in names and ("depth_top" in names or "depth_bottom" in names):
        notes.append(f"column {names.pop('depth')!r} not used: layers have a top and a bottom")
    numeric = [name for name in names if name not in (*TEXT_FIELDS, *DATE_FIELDS, "year")]
    comma = decimal_comma([raw.frame[names[name]] for name in numeric])
    if comma:
        notes.append("numbers have a decimal comma")
    frame = pd.DataFrame({"source_row": raw.rows})
    for name in numeric:
        cells = raw.frame[names[name]]
        if bounds and name == "value":
            cells, frame[BOUNDS[0]], frame[BOUNDS[1]] = split_censored(cells, raw.rows, names[name], faults, comma=comma)
        numbers = parse_numbers(cells, raw.rows, names[name], faults, comma=comma)
        if name not in ("longitude", "latitude"):
            numbers = _drop_sentinels(numbers, sentinels, names[name], notes)
        if name in LENGTH_FIELDS and CENTIMETRES.search(names[name].strip()):
            numbers = numbers / 100
            notes.append(f"column {names[name]!r} is in centimetres: divided by 100")
        frame[name] = numbers
    for name in TEXT_FIELDS:
        if name in names:
            frame[name] = parse_text(raw.frame[names[name]])
    if "site_id" in frame and frame["site_id"].isna().any():
        rows = frame.loc[frame["site_id"].isna(), "source_row"].tolist()
        faults.add(
            TableError, f"column {names['site_id']!r} is empty in {len(rows)} row(s): {name_rows(rows)}. Give each site an id."
        )
        frame["site_id"] = frame["site_id"].fillna("")
    _parse_time(raw, names, frame, notes, faults)
    if "depth" in frame:
        frame["depth_top"] = frame["depth_bottom"] = frame.pop("depth")
    for name in ("depth_top", "depth_bottom"):
        if name in frame and not {"depth_top", "depth_bottom"} <= set(frame):
            faults.add(
                TableError, f"{name} was given alone. Name both columns.depth_top and columns.depth_bottom, or columns.depth."
            )
    empty = int((frame["value"].isna() & np.logical_not(_bounded(frame))).sum()) if "value" in frame else 0
    if empty:
        notes.append(f"{empty} row(s) without a value")
    if "value" not in frame:
        frame["value"] = np.nan
    return frame, notes


def _bounded(frame: pd.DataFrame) -> Any:
    """Rows whose value is a bound."""
    return np.isfinite(frame[list(BOUNDS)]).any(axis=1) if BOUNDS[0] in frame else False


def _drop_sentinels(numbers: np.ndarray, sentinels: tuple[float, ...], column: str, notes: list[str]) -> np.ndarray:
    for sentinel in sentinels:
        # float32 files hold -999.9 as -999.90002
        found = np.isclose(numbers, sentinel, rtol=1e-6, atol=0)
        if found.any():
            notes.append(f"column {column!r}: {found.sum()} cell(s) of {sentinel:g} taken as missing")
            numbers = np.where(found, np.nan, numbers)
    return numbers


def _parse_time(raw: RawTable, names: Mapping[str, str], frame: pd.DataFrame, notes: list[str], faults: Faults) -> None:
    """Fill `date` from the date column, else from the year (its first of July, marked)."""
    if "date" not in names and "year" not in names:
        return
    date, only_year = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us]"), np.zeros(len(frame), bool)
    if "date" in names:
        date, only_year = parse_dates(raw.frame[names["date"]], raw.rows, names["date"], faults)
    if "year" in names:
        year = parse_numbers(raw.frame[names["year"]], raw.rows, names["year"], faults)
        wrong = np.isfinite(year) & ((year != np.floor(year)) | (year < 1800) | (year > 2200))
        if wrong.any():
            shown = name_rows(raw.rows[wrong].tolist(), year[wrong].tolist())
            faults.add(TableError, f"column {names['year']!r} holds years that can't be: {shown}.")
        fill = date.isna().to_numpy() & np.isfinite(year) & ~wrong
        date[fill] = pd.to_datetime([f"{int(number)}-07-01" for number in year[fill]]).astype("datetime64[us]")
        only_year |= fill
    frame["date"] = date.to_numpy()
    if only_year.any():
        frame["date_is_year"] = only_year
        notes.append(f"{only_year.sum()} row(s) have a year and no date: dated to its first of July, month unknown")


def _apply_unit(frame: pd.DataFrame, value_unit: str, value_maximum: float | None, faults: Faults) -> list[str]:
    """Divide percent by 100, and notice where the unit is not what the study says."""
    if value_unit not in ("as_is", "fraction", "percent"):
        faults.add(TableError, f"value_unit is {value_unit!r}: as_is, fraction or percent is expected.")
    values = frame["value"].dropna()
    if values.empty:
        return []
    fraction_expected = value_unit == "fraction" or (value_unit == "as_is" and value_maximum is not None and value_maximum <= 1)
    if fraction_expected and values.median() > LARGEST_MEDIAN_FRACTION:
        faults.add(
            DomainError,
            f"values have a median of {values.median():g} where fractions are expected: they look like percent. "
            'Set value_unit = "percent".',
        )
    if value_unit != "percent":
        return []
    if values.max() <= 1:
        faults.add(
            DomainError,
            f'values go up to {values.max():g} only though value_unit is "percent": they look like fractions. '
            'Set value_unit = "fraction".',
        )
    for name in ("value", "uncertainty", *BOUNDS):
        if name in frame:
            frame[name] = frame[name] / 100
    return ["values divided by 100 (percent)"]


def _finish(
    frame: pd.DataFrame, conversion: Mapping[str, Any] | None, repeats: str, path: str | Path
) -> tuple[pd.DataFrame, list[str]]:
    """Convert raw measurements and make one row per site."""
    notes: list[str] = []
    try:
        if conversion is not None:
            frame, found = convert(frame, **conversion)
            notes += found
        frame, found = collapse(frame[[name for name in FIELDS if name in frame]], repeats=repeats)
        notes += found
    except (SitesError, DomainError, TableError) as fault:
        raise type(fault)(f"{path}: {fault}") from fault
    return frame, notes


# ---- the target -------------------------------------------------------------------------------------------------


def check_target(values: Any, task: str = "regression", *, name: str = "value", transform: str = "none") -> None:
    """Refuse a target that nothing can be learned from.

    Parameters
    ----------
    values : array_like [site]
        Target of the kept sites.
    task : {"regression", "classification"}
    name : str
        What the target is called in messages.
    transform : {"none", "log"}
        Scale on which the target is learned.

    Raises
    ------
    SitesError
        No site, NaN or infinite values, one value only, labels that are no whole numbers, or values without a logarithm.

    Examples
    --------
    >>> check_target([0.1, 0.3, 0.2])
    """
    target = np.asarray(values, float)
    if target.size == 0:
        raise SitesError("No site is left. Loosen the rules in [screening] or check the grid and the mask.")
    known = target[np.isfinite(target)]
    if known.size == 0:
        raise SitesError(f"All {target.size} sites have no {name}. Check columns.value and the sentinels.")
    if known.size < target.size:
        raise SitesError(
            f"{target.size - known.size} of {target.size} sites have no {name} (NaN or infinite). Screen the sites first."
        )
    if transform == "log" and known.min() <= 0:
        raise SitesError(
            f"{int((known <= 0).sum())} of {known.size} sites have a {name} of 0 or less (the smallest is {known.min():g}), "
            'which has no logarithm. Take them out with [screening] minimum, or set transform = "none" in [target].'
        )
    if known.min() == known.max():
        what = "class" if task == "classification" else "value"
        raise SitesError(
            f"All {known.size} sites have the same {what} {known[0]:g}: there is nothing to learn. Check columns.value."
        )
    if task == "classification" and (known != np.floor(known)).any():
        example = known[known != np.floor(known)][0]
        raise SitesError(
            f"Class labels must be whole numbers, but {example:g} came. Check columns.value or set task = 'regression'."
        )
