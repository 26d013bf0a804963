"""Which column of a table holds what, and what its cells say.

Columns are named by the study or guessed by common English and Chinese names; every guess is recorded. Cells become
numbers, dates and words; a cell that can't is a fault that names its row, never a silent gap.
"""

from __future__ import annotations

import datetime
import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alm_core.errors import TableError
from alm_core.sites.faults import SHOWN, Faults, name_rows, name_some

ALIASES: dict[str, tuple[str, ...]] = {
    "site_id": (
        "site_id", "id", "site", "site_name", "station_id", "station", "name",
        "编号", "样点编号", "站点编号", "样点", "站点", "点号",
    ),
    "longitude": ("longitude", "lon", "long", "lng", "x", "经度", "东经"),
    "latitude": ("latitude", "lat", "y", "纬度", "北纬"),
    "value": (
        "value", "vwc", "theta", "volumetric_water_content", "soil_moisture", "water_content", "moisture", "swc", "magt",
        "active_layer_thickness", "体积含水量", "体积含水率", "土壤含水量", "土壤水分", "含水量", "含水率", "活动层厚度",
        "年平均地温",
    ),
    "date": ("date", "sampling_date", "date_time", "datetime", "日期", "采样日期", "测量日期", "观测日期", "采样时间", "时间"),
    "year": ("year", "年份", "年"),
    "method": ("method", "方法", "测量方法", "观测方法", "采样方法"),
    "uncertainty": ("uncertainty", "value_uncertainty", "sigma", "不确定性", "不确定度"),
    "depth": ("depth", "深度"),
    "depth_top": ("depth_top", "top_depth", "upper_depth", "top", "顶深", "上界深度", "起始深度"),
    "depth_bottom": ("depth_bottom", "bottom_depth", "lower_depth", "bottom", "底深", "下界深度", "终止深度"),
    "survey": ("survey", "campaign", "expedition", "批次", "考察", "考察批次"),
    "porosity": ("porosity", "孔隙度"),
    "wet_mass": ("wet_mass", "wet_weight", "湿重", "湿土重", "湿土质量"),
    "dry_mass": ("dry_mass", "dry_weight", "干重", "干土重", "干土质量"),
    "gravimetric": ("gravimetric", "gravimetric_water_content", "质量含水量", "质量含水率"),
    "bulk_density": ("bulk_density", "dry_bulk_density", "容重", "干容重"),
    "travel_time": ("travel_time", "two_way_travel_time", "twt", "双程走时", "走时"),
    "reflector_depth": ("reflector_depth", "反射面深度"),
    "permittivity": ("permittivity", "relative_permittivity", "dielectric_constant", "介电常数"),
    "velocity": ("velocity", "wave_velocity", "波速"),
}  # fmt: skip
"""Field of a site table: names that such a column commonly has, the likeliest first."""

RAW_FIELDS = (
    "wet_mass", "dry_mass", "gravimetric", "bulk_density", "travel_time", "reflector_depth", "permittivity", "velocity",
)  # fmt: skip
"""Raw measurements: looked for only where a conversion is asked for."""
TEXT_FIELDS = ("site_id", "method", "survey")
LENGTH_FIELDS = ("depth", "depth_top", "depth_bottom", "reflector_depth")
DATE_FIELDS = ("date",)
MISSING = frozenset({"", "nan", "NaN", "NA"})
"""What programs (pandas, NumPy, R) write for a missing number. What people write (`n/a`, `--`) is refused by row."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
CENTIMETRES = re.compile(r"(?:[(\[_ ]|^)cm[)\]]?$", re.IGNORECASE)
UNIT_SUFFIX = re.compile(r"_(?:m|cm|deg|degree|degrees|g|ns|c|degc|pct|percent|m3_m3)$")
DATE_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%Y年%m月%d日", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m", "%Y/%m", "%Y年%m月",
)  # fmt: skip
SLASH_DATE = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})")


@dataclass(frozen=True)
class ChosenColumns:
    """Our field on the left, the table's column on the right, and what was guessed."""

    names: dict[str, str]
    notes: tuple[str, ...]


def choose_columns(
    found: Sequence[str],
    columns: Mapping[str, str | None],
    faults: Faults,
    *,
    raw_measurements: bool,
    geometry: bool,
    incomplete: Collection[str] = (),
) -> ChosenColumns:
    """Find the column of every field: as named, else by common names.

    Parameters
    ----------
    found : sequence of str
        Column names of the table.
    columns : mapping
        Field: column, or None for a guess.
    faults : Faults
        Receives every column that was named but is not there.
    raw_measurements : bool
        Look for the columns that conversions need as well.
    geometry : bool
        The file has point geometry, so coordinates are not guessed from columns.
    incomplete : collection of str
        Columns with empty cells: none of them is guessed to be the site id.
    """
    unknown = sorted(set(columns) - set(ALIASES))
    if unknown:
        faults.add(TableError, f"no such field(s) in `columns`: {name_some(unknown)}. Valid: {', '.join(ALIASES)}.")
    names: dict[str, str] = {}
    for field, column in columns.items():
        if column is None or field in unknown:
            continue
        if column not in found:
            faults.add(TableError, _missing_column(field, column, found))
        elif list(found).count(column) > 1:
            faults.add(TableError, f"the table has {list(found).count(column)} columns named {column!r}. Rename all but one.")
        else:
            names[field] = column
    asked = {field for field, column in columns.items() if column is not None}
    notes = []
    for field, aliases in ALIASES.items():
        if field in asked or (field in RAW_FIELDS and not raw_measurements) or (field in ("longitude", "latitude") and geometry):
            continue
        free = [name for name in found if name not in names.values() and list(found).count(name) == 1]
        column = _guess(aliases, [name for name in free if field != "site_id" or name not in incomplete])
        if column is not None:
            names[field] = column
            notes.append(f"guessed: {field} is column {column!r}")
    return ChosenColumns(names, tuple(notes))


def plain_name(name: str) -> str:
    """A column name without case, units in brackets and punctuation, for comparing.

    Examples
    --------
    >>> plain_name("Latitude (°N)"), plain_name("经度 [度]"), plain_name("Date/Time")
    ('latitude', '经度', 'date_time')
    """
    text = unicodedata.normalize("NFKC", str(name)).casefold()
    text = re.sub(r"\(.*?\)|\[.*?\]", " ", text)
    return re.sub(r"\W+", "_", text).strip("_")


def _guess(aliases: Sequence[str], found: Sequence[str]) -> str | None:
    plain = {}
    for name in found:
        plain.setdefault(plain_name(name), name)
        plain.setdefault(UNIT_SUFFIX.sub("", plain_name(name)), name)
    return next((plain[alias] for alias in aliases if alias in plain), None)


def _missing_column(field: str, column: str, found: Sequence[str]) -> str:
    by_plain = {plain_name(name): name for name in found}
    close = difflib.get_close_matches(plain_name(column), list(by_plain), n=1, cutoff=0.5)
    nearest = f" The nearest is {by_plain[close[0]]!r}." if close else ""
    return f"columns.{field} names {column!r}, which is not there. Columns found: {name_some(found, shown=40)}.{nearest}"


def missing_field(field: str, found: Sequence[str]) -> str:
    """Text of the fault that a field was neither named nor guessed."""
    return (
        f"no column for {field} was named, and none has a usual name ({', '.join(ALIASES[field][:5])} ...). "
        f"Columns found: {name_some(found, shown=40)}. Set columns.{field}."
    )


# ---- cells ------------------------------------------------------------------------------------------------------


def decimal_comma(series: Sequence[pd.Series]) -> bool:
    """Tell whether numbers are written with a decimal comma: some are, and none has a point.

    Judged over all numeric columns at once, because one column alone may hold whole numbers only.
    """
    texts = [_plain_text(cell) for column in series for cell in column if isinstance(cell, str)]
    return any(COMMA_NUMBER.fullmatch(text) for text in texts) and not any(POINT_NUMBER.fullmatch(text) for text in texts)


def parse_numbers(cells: pd.Series, rows: np.ndarray, column: str, faults: Faults, *, comma: bool = False) -> np.ndarray:
    """Turn cells into float64; empty cells become NaN, anything else that is no number becomes a fault.

    A censored value such as `<66` is never turned into 66.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_bool_dtype(cells.dtype):
        numbers = cells.to_numpy(dtype=float, na_value=np.nan)
        bad = [(int(row), float(number)) for row, number in zip(rows, numbers, strict=True) if np.isinf(number)]
    else:
        numbers, bad = np.full(len(cells), np.nan), []
        for index, cell in enumerate(cells):
            number = _number(cell, comma)
            if number is None or np.isinf(number):
                bad.append((int(rows[index]), cell if isinstance(cell, str) else str(cell)))
            else:
                numbers[index] = number
    if bad:
        bad_rows, shown = zip(*bad, strict=True)
        faults.add(
            TableError,
            f"column {column!r} holds {len(bad)} cell(s) that are no numbers: {name_rows(bad_rows, shown)}. "
            "Write a number or leave the cell empty; a censored value such as '<66' is not 66, and is kept as a bound where "
            'the study says [target] censored = "bounds".',
        )
    return numbers


def _plain_text(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip()


def _number(cell: object, comma: bool) -> float | None:
    """The number in a cell, NaN for a missing one, None for text."""
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return np.nan
    if isinstance(cell, bool | np.bool_ | datetime.date | datetime.time):
        return None
    if not isinstance(cell, str):
        try:
            return float(cell)
        except (TypeError, ValueError):
            return None
    text = _plain_text(cell)
    if text in MISSING:
        return np.nan
    if comma and COMMA_NUMBER.fullmatch(text):
        text = text.replace(",", ".")
    return float(text) if NUMBER.fullmatch(text) else None


def parse_text(cells: pd.Series) -> pd.Series:
    """Turn cells into words; whole numbers lose the `.0` that a spreadsheet gave them, empty cells are missing."""
    texts: list[str | None] = []
    for cell in cells:
        if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and np.isnan(cell)):
            texts.append(None)
        elif isinstance(cell, float) and cell.is_integer():
            texts.append(str(int(cell)))
        else:
            texts.append(str(cell).strip() or None)
    return pd.Series(texts, dtype="str")


def parse_dates(cells: pd.Series, rows: np.ndarray, column: str, faults: Faults) -> tuple[pd.Series, np.ndarray]:
    """Turn cells into dates without time zones, and say which of them hold a year only.

    Dates as 03/04/2012 are read only where the whole column leaves one reading.

    Returns
    -------
    dates : pandas.Series of datetime64[us]
        A year alone becomes its first of July.
    only_year : ndarray of bool
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        plain = cells.dt.tz_convert("UTC").dt.tz_localize(None) if cells.dt.tz is not None else cells
        return plain.astype("datetime64[us]").reset_index(drop=True), np.zeros(len(cells), bool)
    slashes = [_plain_text(cell) for cell in cells if isinstance(cell, str)]
    day_first, ambiguous = _slash_order([match for text in slashes if (match := SLASH_DATE.fullmatch(text))])
    dates, only_year, bad = [], np.zeros(len(cells), bool), []
    for index, cell in enumerate(cells):
        date = _date(cell, day_first)
        only_year[index] = isinstance(date, int)
        if date is None:
            bad.append((int(rows[index]), str(cell)))
        dates.append(pd.NaT if date is None else pd.Timestamp(date, 7, 1) if isinstance(date, int) else date)
    if ambiguous:
        faults.add(TableError, f"column {column!r}: dates such as {ambiguous!r} can be read in two ways. Write YYYY-MM-DD.")
    elif bad:
        bad_rows, shown = zip(*bad[: 10 * SHOWN], strict=True)
        faults.add(
            TableError,
            f"column {column!r} holds {len(bad)} cell(s) that are no dates: {name_rows(bad_rows, shown)}. Write YYYY-MM-DD.",
        )
    return pd.Series(dates, dtype="datetime64[us]"), only_year


def _slash_order(matches: Sequence[re.Match[str]]) -> tuple[bool, str | None]:
    """Say whether the day stands first, and an example where that can't be told."""
    if not matches:
        return False, None
    first, second = (max(int(match.group(place)) for match in matches) for place in (1, 2))
    if (first > 12) == (second > 12):
        return False, matches[0].group(0)
    return first > 12, None


def _date(cell: object, day_first: bool) -> pd.Timestamp | int | None:
    """The date in a cell, a year as int, NaT for a missing one, None for anything else."""
    if cell is None or cell is pd.NaT or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return pd.NaT
    if isinstance(cell, datetime.date | np.datetime64):
        stamp = pd.Timestamp(cell)
        return stamp.tz_convert("UTC").tz_localize(None) if stamp.tz is not None else stamp
    if isinstance(cell, int | float | np.integer):
        cell = str(int(cell)) if float(cell).is_integer() else str(cell)
    text = _plain_text(str(cell))
    if text in MISSING:
        return pd.NaT
    if re.fullmatch(r"(1[89]|20)\d\d", text):
        return int(text)
    if match := SLASH_DATE.fullmatch(text):
        day, month = (match.group(1), match.group(2)) if day_first else (match.group(2), match.group(1))
        text = f"{match.group(3)}-{int(month):02d}-{int(day):02d}"
    text = re.sub(r"(?<=\d)T(?=\d)", " ", text).removesuffix("Z")
    for form in DATE_FORMATS:
        try:
            return pd.Timestamp(datetime.datetime.strptime(text, form))
        except ValueError:
            continue
    return None
