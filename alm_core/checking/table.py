"""Checks of one site table: columns, coordinates, cells that are no numbers, sentinels, duplicates, units, dates, depths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from alm_core.checking.report import Fault, Severity, some
from alm_core.errors import AlmError
from alm_core.guessing import ColumnGuess, guess_columns, looks_like_moisture, looks_like_percent, looks_projected, outliers
from alm_core.options import SiteOptions
from alm_core.sites.columns import (
    CENTIMETRES,
    LENGTH_FIELDS,
    choose_columns,
    decimal_comma,
    parse_dates,
    parse_numbers,
    parse_text,
)
from alm_core.sites.coordinates import to_longitude_latitude
from alm_core.sites.faults import Faults, name_rows
from alm_core.sites.profiles import check_depths, check_places
from alm_core.sites.reading import RawTable, read_raw

SENTINELS: tuple[float, ...] = SiteOptions.model_fields["sentinels"].default
CENSORED = re.compile(r"^\s*[<>≤≥＜＞]|\bbdl\b|\bn\.?d\.?\b", re.IGNORECASE)
TEXT_FIELDS = ("site_id", "method", "survey")
OUTLIER_Z = 4.5
FEW_SITES = 30
FRACTION_MEDIAN = 1.5
REPEATED_SENTINEL = 2
SENTINEL_Z = 20.0


@dataclass
class ParsedTable:
    """What could be read of a table, with everything that was found on the way.

    Attributes
    ----------
    raw : RawTable
    columns : dict
        Field to column.
    numbers : dict
        Field to numbers, NaN where a cell holds none; sentinels are still in it.
    longitude, latitude : numpy.ndarray
        Degrees; NaN where they could not be made.
    faults : list of Fault
    """

    raw: RawTable
    columns: dict[str, str]
    guesses: dict[str, ColumnGuess] = field(default_factory=dict)
    numbers: dict[str, np.ndarray] = field(default_factory=dict)
    texts: dict[str, pd.Series] = field(default_factory=dict)
    dates: pd.Series | None = None
    longitude: np.ndarray | None = None
    latitude: np.ndarray | None = None
    faults: list[Fault] = field(default_factory=list)

    def add(self, code: str, where: str, message: str, severity: Severity = "error") -> None:
        """Note one fault."""
        self.faults.append(Fault(code, where, message, severity))

    def add_all(self, code: str, where: str, found: Faults) -> None:
        """Note what a room of `alm_core.sites` found."""
        self.faults += [Fault(code, where, text[:1].upper() + text[1:]) for _, text in found.found]


def check_table(
    path: str | Path,
    *,
    columns: Mapping[str, str | None] | None = None,
    crs: str | None = None,
    sheet: str | None = None,
    layer: str | None = None,
    value_unit: str = "as_is",
    value_maximum: float | None = None,
    sentinels: tuple[float, ...] | None = None,
    bounds: tuple[float, float, float, float] | None = None,
    repeats: str = "refuse",
) -> list[Fault]:
    """Find every fault of a site table; see `parse_table` for the parameters. Nothing is raised for a fault of the file."""
    try:
        raw = read_raw(path, sheet=sheet, layer=layer)
    except AlmError as fault:
        return [Fault("table_unreadable", "file", str(fault))]
    parsed = parse_table(raw, columns=columns, crs=crs, sentinels=sentinels, bounds=bounds, repeats=repeats)
    return parsed.faults + value_faults(parsed, value_unit=value_unit, value_maximum=value_maximum)


def parse_table(
    raw: RawTable,
    *,
    columns: Mapping[str, str | None] | None = None,
    crs: str | None = None,
    sentinels: tuple[float, ...] | None = None,
    bounds: tuple[float, float, float, float] | None = None,
    repeats: str = "refuse",
) -> ParsedTable:
    """Read what can be read of a table and note everything that is wrong.

    Parameters
    ----------
    raw : RawTable
    columns : mapping, optional
        Columns that a study names; the rest is guessed, and the guesses are notes.
    crs : str, optional
        CRS of the coordinates; without it degrees are assumed where the numbers can be degrees.
    sentinels : tuple of float, optional
        Numbers that a study declares as missing. Without them the usual ones are named as faults.
    bounds : tuple of float, optional
        West, south, east, north of the map in degrees.
    repeats : str
        What a study does with several rows of one site, as in `alm_core.options.SiteOptions`.
    """
    parsed = ParsedTable(raw, {})
    _find_columns(parsed, columns or {})
    _parse_cells(parsed, sentinels)
    _parse_places(parsed, crs, sentinels, bounds)
    _check_rows(parsed, repeats)
    return parsed


def _find_columns(parsed: ParsedTable, named: Mapping[str, str | None]) -> None:
    raw, found = parsed.raw, Faults("")
    given = {name: column for name, column in named.items() if column}
    chosen = choose_columns(list(raw.frame.columns), given, found, raw_measurements=bool(given), geometry=raw.x is not None)
    parsed.add_all("column_missing", "columns", found)
    parsed.guesses = guess_columns(raw.frame, geometry=raw.x is not None, target=given.get("value"))
    parsed.columns = {name: column for name, column in chosen.names.items() if name in given}
    if not given:
        parsed.columns = {name: guess.column for name, guess in parsed.guesses.items()}
        shown = [f"{name}: {column}" for name, column in parsed.columns.items()]
        text = f"Columns were guessed: {some(shown, 14)}. `python -m alm_core new` writes them into a study."
        parsed.add("columns_guessed", "columns", text, "note")
    else:
        # The reader of sites guesses usual names for what a study leaves open; so must the check.
        parsed.columns |= {name: column for name, column in chosen.names.items() if name not in given}
    for note in raw.notes:
        if note == "delimiter ','":
            continue
        parsed.add("how_read", "file", f"Read with {note}.", "note")
    doubled = sorted({str(name) for name in raw.frame.columns if list(raw.frame.columns).count(name) > 1})
    if doubled:
        parsed.add("column_doubled", some(doubled), "Several columns share this name. Rename all but one.", "warning")
    needed = [] if raw.x is not None else ["longitude", "latitude"]
    for name in [*needed, "value"]:
        raw_measurement = name == "value" and any(
            column in parsed.columns for column in ("wet_mass", "gravimetric", "travel_time")
        )
        if name not in parsed.columns and not raw_measurement and not given.get(name):
            found_names = some([str(column) for column in raw.frame.columns], 20)
            text = f"No column for {name} was found among {found_names}. Name it in the study."
            parsed.add("column_not_found", name, text)


def _parse_cells(parsed: ParsedTable, sentinels: tuple[float, ...] | None) -> None:
    frame, rows = parsed.raw.frame, parsed.raw.rows
    numeric = [name for name in parsed.columns if name not in (*TEXT_FIELDS, "date")]
    comma = decimal_comma([frame[parsed.columns[name]] for name in numeric])
    if comma:
        parsed.add("decimal_comma", "file", "Numbers are written with a decimal comma; they are read so.", "note")
    for name in numeric:
        column, found = parsed.columns[name], Faults("")
        parsed.numbers[name] = parse_numbers(frame[column], rows, column, found, comma=comma)
        if found.found:
            _name_bad_cells(parsed, column, parsed.numbers[name], comma)
        if name not in ("longitude", "latitude"):
            _name_sentinels(parsed, name, sentinels)
    for name in TEXT_FIELDS:
        if name in parsed.columns:
            parsed.texts[name] = parse_text(frame[parsed.columns[name]])
    if "date" in parsed.columns:
        found = Faults("")
        parsed.dates, _ = parse_dates(frame[parsed.columns["date"]], rows, parsed.columns["date"], found)
        parsed.add_all("date_invalid", parsed.columns["date"], found)


def _name_bad_cells(parsed: ParsedTable, column: str, numbers: np.ndarray, comma: bool) -> None:
    """Tell censored values from other text."""
    cells = parsed.raw.frame[column]
    alone = [
        not np.isfinite(number) and cell is not None and str(cell).strip() not in ("", "nan", "NaN", "NA")
        for cell, number in zip(cells, numbers, strict=True)
    ]
    bad = [(int(row), str(cell)) for row, cell, is_bad in zip(parsed.raw.rows, cells, alone, strict=True) if is_bad]
    for code, wanted, cure in (
        ("censored", True, "A bound is no value: leave the cell empty and keep the bound in a column of its own."),
        ("text_in_numbers", False, "Write a number or leave the cell empty."),
    ):
        found = [(row, cell) for row, cell in bad if bool(CENSORED.search(cell)) is wanted]
        if found:
            shown = name_rows(*(list(items) for items in zip(*found, strict=True)))
            parsed.add(code, column, f"{len(found)} cell(s) that are no numbers: {shown}. {cure}")


def _name_sentinels(parsed: ParsedTable, name: str, declared: tuple[float, ...] | None) -> None:
    """Usual sentinels, and numbers that behave like one; they become NaN so that later rules see values only."""
    column, numbers = parsed.columns[name], parsed.numbers[name]
    for sentinel in sorted({*SENTINELS, *(declared or ())}):
        found = np.isclose(numbers, sentinel, rtol=1e-6, atol=0)
        if not found.any():
            continue
        rows = name_rows(parsed.raw.rows[found].tolist())
        if declared is not None and sentinel in declared:
            parsed.add("sentinel", column, f"{found.sum()} cell(s) of {sentinel:g} are read as missing: {rows}.", "note")
        else:
            text = f"{found.sum()} cell(s) hold {sentinel:g}, which stands for missing: {rows}. Leave them empty."
            parsed.add("sentinel", column, text)
        numbers[found] = np.nan
    known = numbers[np.isfinite(numbers)]
    for extreme in (known.min(), known.max()) if known.size else ():
        spots = numbers == extreme
        rest = numbers[np.isfinite(numbers) & ~spots]
        if spots.sum() < REPEATED_SENTINEL or rest.size < spots.sum():
            continue
        spread = 1.4826 * np.median(np.abs(rest - np.median(rest)))
        gap = np.min(np.abs(rest - extreme))
        if gap > np.ptp(rest) and spread > 0 and abs(extreme - np.median(rest)) > SENTINEL_Z * spread:
            rows = name_rows(parsed.raw.rows[spots].tolist())
            text = f"{spots.sum()} cell(s) hold {extreme:g}, far from all others: {rows}. If it stands for missing, empty them."
            parsed.add("sentinel_doubtful", column, text, "warning")


def _parse_places(
    parsed: ParsedTable,
    crs: str | None,
    sentinels: tuple[float, ...] | None,
    bounds: tuple[float, float, float, float] | None,
) -> None:
    raw = parsed.raw
    named = "longitude" in parsed.columns and "latitude" in parsed.columns
    x, y = (parsed.numbers["longitude"], parsed.numbers["latitude"]) if named else (raw.x, raw.y)
    if x is None or y is None:
        return
    used = raw.crs if not named and raw.crs else crs
    if used is None and looks_projected(x, y):
        text = (
            f"Coordinates up to ({np.nanmax(np.abs(x)):g}, {np.nanmax(np.abs(y)):g}) are no degrees. Name their CRS "
            'in the study: [sites] crs = "EPSG:...".'
        )
        parsed.add("coordinates_projected", "coordinates", text, "warning")
        return
    found = Faults("")
    try:
        places = to_longitude_latitude(
            x, y, raw.rows, found, crs=used or "EPSG:4326", sentinels=sentinels or SENTINELS, bounds=bounds
        )
    except AlmError as fault:
        parsed.add("crs_unknown", "coordinates", str(fault))
        return
    parsed.add_all("coordinates", "coordinates", found)
    for note in places.notes:
        if "without coordinates" in note:
            continue  # named below, as a warning
        parsed.add("coordinates_note", "coordinates", f"{note[:1].upper()}{note[1:]}.", "note")
    parsed.longitude, parsed.latitude = places.longitude, places.latitude
    missing = ~(np.isfinite(places.longitude) & np.isfinite(places.latitude))
    if missing.any():
        text = f"{missing.sum()} row(s) have no coordinates: {name_rows(raw.rows[missing].tolist())}. They can't be used."
        parsed.add("coordinates_missing", "coordinates", text, "warning")
    zero = (places.longitude == 0) & (places.latitude == 0)
    if zero.any():
        text = f"{zero.sum()} row(s) lie at (0, 0), in the sea: {name_rows(raw.rows[zero].tolist())}. Their coordinates are lost."
        parsed.add("coordinates_zero", "coordinates", text)


def _check_rows(parsed: ParsedTable, repeats: str) -> None:
    """Ids, duplicates, depths."""
    raw = parsed.raw
    doubled = raw.frame.astype(str).duplicated(keep="first").to_numpy()
    if doubled.any():
        text = f"{doubled.sum()} row(s) repeat another row in every cell: {name_rows(raw.rows[doubled].tolist())}. Remove them."
        parsed.add("duplicate_row", "rows", text, "warning")
    if "site_id" in parsed.texts:
        _check_ids(parsed, repeats)
    if parsed.longitude is not None and parsed.latitude is not None:
        places = pd.DataFrame({"x": parsed.longitude, "y": parsed.latitude}).dropna()
        ids = parsed.texts["site_id"].loc[places.index] if "site_id" in parsed.texts else pd.Series(places.index, places.index)
        shared = places[~ids.duplicated()].duplicated(keep=False).sum()
        if shared:
            text = f"{shared} sites share their place with another. Screening keeps one per cell: see `duplicate_choice`."
            parsed.add("duplicate_place", "coordinates", text, "note")
    depths = {}
    for name in LENGTH_FIELDS:
        if name in parsed.numbers:
            depths[name] = parsed.numbers[name] / (100 if CENTIMETRES.search(parsed.columns[name]) else 1)
    if "depth" in depths:
        depths["depth_top"] = depths["depth_bottom"] = depths.pop("depth")
    found = Faults("")
    check_depths(pd.DataFrame({**depths, "source_row": raw.rows}), found)
    parsed.add_all("depth", "depth", found)


def _check_ids(parsed: ParsedTable, repeats: str) -> None:
    ids, raw = parsed.texts["site_id"], parsed.raw
    empty = ids.isna().to_numpy()
    if empty.any():
        text = f"{empty.sum()} row(s) have no id: {name_rows(raw.rows[empty].tolist())}. Give each site an id."
        parsed.add("id_missing", parsed.columns["site_id"], text)
    frame = pd.DataFrame({"site_id": ids.fillna("")})
    if parsed.longitude is not None and parsed.latitude is not None:
        found = Faults("")
        check_places(frame.assign(longitude=parsed.longitude, latitude=parsed.latitude), found)
        parsed.add_all("id_of_several_places", parsed.columns["site_id"], found)
        if found.found:
            return
    keys = [frame["site_id"]]
    keys += [pd.Series(parsed.numbers[name]) for name in ("depth", "depth_top", "depth_bottom") if name in parsed.numbers]
    repeated = pd.concat(keys, axis=1).duplicated(keep=False).to_numpy() & ~empty
    if repeated.any():
        names = sorted(set(ids[repeated]))
        text = (
            f"{len(names)} id(s) stand in {repeated.sum()} rows without depths that would make them a profile: {some(names)}. "
            "One row per site is expected: give each an id of its own, or set `repeats` in the study to mean or separate."
        )
        parsed.add("duplicate_id", parsed.columns["site_id"], text, "error" if repeats == "refuse" else "note")


def value_faults(parsed: ParsedTable, *, value_unit: str = "as_is", value_maximum: float | None = None) -> list[Fault]:
    """Rules on the values to map: missing, constant, percent, outliers, few."""
    if "value" not in parsed.numbers:
        return []
    column, values, rows = parsed.columns["value"], parsed.numbers["value"], parsed.raw.rows
    known = values[np.isfinite(values)]
    faults = []
    if known.size == 0:
        return [Fault("values_missing", column, "No row has a value. Check the column.")]
    if known.size < values.size:
        text = f"{values.size - known.size} of {values.size} rows have no value. They can't be used for training."
        faults.append(Fault("values_missing", column, text, "note"))
    if known.min() == known.max():
        text = f"All {known.size} values are {known[0]:g}: there is nothing to learn. Check the column."
        faults.append(Fault("value_constant", column, text))
    if known.size < FEW_SITES:
        text = f"{known.size} values: folds get small and scores uncertain. {FEW_SITES} or more are advisable."
        faults.append(Fault("few_sites", column, text, "warning"))
    faults += _unit_faults(column, values, value_unit, value_maximum)
    far = outliers(values, OUTLIER_Z)
    if far.size:
        shown = name_rows(rows[far].tolist(), [float(f"{value:.6g}") for value in values[far]])
        text = (
            f"{far.size} value(s) lie more than {OUTLIER_Z:g} robust standard deviations from the median: {shown}. Look at them."
        )
        faults.append(Fault("outlier", column, text, "note"))
    return faults


def _unit_faults(column: str, values: np.ndarray, value_unit: str, value_maximum: float | None) -> list[Fault]:
    known = values[np.isfinite(values)]
    if value_unit == "percent":
        if known.max() <= 1:
            text = f'Values go up to {known.max():g} only, but value_unit is "percent": they look like fractions. Set "fraction".'
            return [Fault("value_unit", column, text)]
        return []
    expected = value_unit == "fraction" or (value_maximum is not None and value_maximum <= 1)
    if expected and np.median(known) > FRACTION_MEDIAN:
        text = f'Values have a median of {np.median(known):g} where fractions are expected: set value_unit = "percent".'
        return [Fault("value_unit", column, text)]
    if not expected and looks_like_percent(column, values):
        text = f'Values up to {known.max():g} look like percent: set value_unit = "percent" in the study to map m3 m-3.'
        return [Fault("value_unit", column, text, "warning")]
    if looks_like_moisture(column) and known.min() < 0:
        text = f"Water contents go down to {known.min():g}: they can't be negative. Check the rows."
        return [Fault("value_range", column, text)]
    return []
