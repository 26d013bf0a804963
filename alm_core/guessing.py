"""What a column or a raster most likely is, judged by its name, its tags and its numbers.

A guess is never silent: each carries the reason and what else it could have been, for a person to look over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from alm_core.sites.columns import RAW_FIELDS, choose_columns, decimal_comma, parse_numbers
from alm_core.sites.faults import Faults

TARGET_WORDS = (
    r"vwc|theta|moist|swc|water_cont|smc|含水|水分|magt|gst|ttop|alt\b|alt_|ald\b|ald_|thick|temp|frozen|permafrost|class|"
    r"活动层|地温|冻"
)
"""Words of columns that this program's users map."""
NOT_A_TARGET = (
    r"^(?:no|nr|n|count|fid|index|gid|objectid|row)$|_row$|^n_|_n$|year|month|day|elev|altitude|^z$|slope|aspect|depth|"
    r"_sd|_std|_se$|_min|_max|uncert|error|lat|lon|^x|^y|east|north|coord|海拔|高程|深度|坡度|坡向|年|月|日|序号|编号"
)
SURVEY_WORDS = (
    r"survey|source|campaign|project|expedition|network|provider|author|dataset|country|region|来源|项目|考察|区域|地区"
)
METHOD_WORDS = r"method|technique|instrument|sensor|方法|仪器"
X_WORDS, Y_WORDS = (
    r"^(?:x|easting|east|lon\w*|long\w*|x_\w+|\w+_x|\w*经度\w*|东坐标)$",
    (r"^(?:y|northing|north|lat\w*|y_\w+|\w+_y|\w*纬度\w*|北坐标)$"),
)
MOISTURE_WORDS = r"vwc|moist|swc|water_cont|smc|含水|水分|theta"
FEWEST_NUMBERS = 0.5
"""Part of the filled cells that must be numbers for a column to count as numeric."""
FEW_CLASSES = 12
CLASS_REPEATS = 5
"""Least number of cells per class, on average, for whole numbers to be taken as classes."""

GROUP_WORDS = (
    (
        "radar",
        r"^s1|sentinel_?1|(?:^|_)(?:vv|vh|hh|hv|sar|sigma0|gamma0|backscatter|palsar|asar)(?:_|\d|$)",
    ),
    (
        "soil",
        r"soil|(?:^|_)(?:sand|silt|clay|soc|bdod|cfvo|phh2o|cec|texture|organic|gravel|porosity|sm|swc)(?:_|\d|$)|"
        r"bulk_?density|土壤|砂粒|粘粒|粉粒",
    ),
    (
        "vegetation",
        r"ndvi|evi(?:_|\d|$)|ndwi|savi|(?:^|_)(?:lai|fpar|fapar|gpp|npp|fvc|tree|canopy|landcover|lulc|land_cover|vegetation|veg|mod13|"
        r"landuse|landimg)\w*|植被",
    ),
    (
        "climate",
        r"(?:^|_)(?:t2m|tas|temp\w*|prec\w*|ppt|rain\w*|lst|bio_?\d+|tdd|fdd|ddf|ddt|maat|mat|map|snow\w*|swe|radiation|srad|wind|"
        r"vapr|humidity|koppen|climate|mod11|tmin|tmax|tavg)(?:_|\d|$)|气温|降水|地表温度|积雪",
    ),
    (
        "terrain",
        r"(?:^|_)(?:dem|dtm|srtm|elev\w*|altitude|height|slope|aspect|northness|eastness|twi|tpi|tri|vrm|mrvbf|mrrtf|rsp|curv\w*|plan\w?|"
        r"prof\w?|ls|tca|ci|vd|cd|hillshade|relief|rough\w*|chnl_dist|dist\w*|flow\w*|convergence|valley\w*)(?:_|\d|$)|高程|海拔|坡度|坡向",
    ),
)
"""Group: pattern of layer names, tried in this order (soil temperature is soil, snow depth climate)."""

CATEGORY_WORDS = (
    r"class|categor|type|code|landcover|land_cover|lulc|koppen|geolog|litholog|texture_class|zone|extent|landform|biome|"
    r"ffreq|mask|类型|分类"
)
UNIT_WORDS = (
    (r"_m3m3$|_m3_m3$", "m3 m-3"),
    (r"_(?:pct|percent)$", "%"),
    (r"_(?:degc|c|celsius)$", "degC"),
    (r"_(?:k|kelvin)$", "K"),
    (r"_mm$", "mm"),
    (r"_cm$", "cm"),
    (r"_km$", "km"),
    (r"_m$", "m"),
    (r"_(?:deg|degree|degrees)$", "degree"),
    (r"_rad$", "radian"),
    (r"_kgm2(?:_|$)", "kg m-2"),
    (r"_db$", "dB"),
)
EXCLUDING_MASKS = r"glacier|lake|water|ocean|sea|cloud|snow|river|urban|冰川|湖|水体"


@dataclass(frozen=True)
class ColumnGuess:
    """The column that a field of the site table is taken from, why, and what else came into question."""

    field: str
    column: str
    why: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerGuess:
    """What a raster band is taken for.

    Attributes
    ----------
    group, kind, unit : str
        As in `alm_core.options.CovariateOptions`.
    why : dict
        Reason for each of them.
    """

    group: str
    kind: str
    unit: str
    why: dict[str, str] = field(default_factory=dict)


def plain(name: str) -> str:
    """A name in lower case with `_` for everything that is no letter or digit.

    Examples
    --------
    >>> plain("Latitude (°N)"), plain("MOD13 NDVI-2010")
    ('latitude_n', 'mod13_ndvi_2010')
    """
    text = unicodedata.normalize("NFKC", str(name)).casefold()
    return re.sub(r"[^\w]+", "_", text).strip("_")


# ---- columns ----------------------------------------------------------------------------------------------------


def numeric_columns(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Every column in which most filled cells are numbers; what is no number is NaN."""
    names = [str(name) for name in frame.columns if list(frame.columns).count(name) == 1]
    comma = decimal_comma([frame[name] for name in names])
    found = {}
    for name in names:
        filled = int(frame[name].map(lambda cell: cell is not None and str(cell).strip() not in ("", "nan", "NaN", "NA")).sum())
        numbers = parse_numbers(frame[name], np.arange(len(frame)), name, Faults(""), comma=comma)
        if filled and np.isfinite(numbers).sum() >= FEWEST_NUMBERS * filled:
            found[name] = numbers
    return found


def guess_columns(frame: pd.DataFrame, *, geometry: bool = False, target: str | None = None) -> dict[str, ColumnGuess]:
    """Find the columns of a site table.

    Usual names come first (`alm_core.sites.columns.ALIASES`), then words inside names, then what the cells look like.

    Parameters
    ----------
    frame : pandas.DataFrame
        Cells as the file holds them.
    geometry : bool
        The file has point geometry: coordinates are not looked for.
    target : str, optional
        Column to map, where the user names it.

    Returns
    -------
    dict
        Field of `alm_core.options.Columns` to its guess; fields that nothing fits are absent.

    Examples
    --------
    >>> table = pd.DataFrame({"站点": ["a", "b"], "经度": [91, 92], "纬度": [33, 34], "alt_cm": [120, 150]})
    >>> {name: guess.column for name, guess in guess_columns(table).items()}
    {'site_id': '站点', 'longitude': '经度', 'latitude': '纬度', 'value': 'alt_cm'}
    """
    names = [str(name) for name in frame.columns]
    named = {"value": target} if target else {}
    usual = choose_columns(names, named, Faults(""), raw_measurements=True, geometry=geometry).names
    numbers = numeric_columns(frame)
    found = {name: ColumnGuess(name, column, "usual name") for name, column in usual.items()}
    if target and "value" in found:
        found["value"] = ColumnGuess("value", target, "named by you")
    if not geometry:
        _by_words(found, "longitude", [name for name in numbers], X_WORDS)
        _by_words(found, "latitude", [name for name in numbers], Y_WORDS)
    raw = [name for name in RAW_FIELDS if name in found]
    if "value" not in found and not raw:
        _guess_value(found, frame, numbers)
    elif "value" in found:
        others = tuple(name for name in _target_candidates(found, numbers) if name != found["value"].column)
        found["value"] = ColumnGuess("value", found["value"].column, found["value"].why, others)
    texts = [name for name in names if name not in numbers]
    _by_words(found, "method", texts, METHOD_WORDS)
    _by_words(found, "survey", [name for name in texts if _repeats(frame[name])], SURVEY_WORDS)
    order = ["site_id", "longitude", "latitude", "value"]
    return dict(sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def _used(found: dict[str, ColumnGuess]) -> set[str]:
    return {guess.column for guess in found.values()}


def _by_words(found: dict[str, ColumnGuess], name: str, columns: Sequence[str], words: str) -> None:
    fits = [column for column in columns if re.search(words, plain(column)) and column not in _used(found)]
    if name not in found and fits:
        found[name] = ColumnGuess(name, fits[0], "a word in its name", tuple(fits[1:]))


def _repeats(cells: pd.Series) -> bool:
    filled = cells.dropna()
    return 2 <= filled.nunique() <= max(2, len(filled) // 3)


def _target_candidates(found: dict[str, ColumnGuess], numbers: dict[str, np.ndarray]) -> list[str]:
    taken = _used({name: guess for name, guess in found.items() if name != "value"})
    free = [name for name in numbers if name not in taken and not re.search(NOT_A_TARGET, plain(name))]
    return sorted(free, key=lambda name: not re.search(TARGET_WORDS, plain(name)))


def _guess_value(found: dict[str, ColumnGuess], frame: pd.DataFrame, numbers: dict[str, np.ndarray]) -> None:
    fits = _target_candidates(found, numbers)
    if not fits:
        return
    why = "a word in its name" if re.search(TARGET_WORDS, plain(fits[0])) else "the first column of numbers that is nothing else"
    found["value"] = ColumnGuess("value", fits[0], why, tuple(fits[1:8]))


def looks_projected(x: np.ndarray, y: np.ndarray) -> bool:
    """True where most coordinates can't be degrees."""
    known = np.isfinite(x) & np.isfinite(y)
    return bool(known.any() and np.median(np.maximum(np.abs(x[known]) / 360, np.abs(y[known]) / 180)) > 1)


def looks_like_moisture(name: str) -> bool:
    """True where a column name speaks of water content."""
    return re.search(MOISTURE_WORDS, plain(name)) is not None


def looks_like_percent(name: str, values: np.ndarray) -> bool:
    """True where water contents are written in percent."""
    known = values[np.isfinite(values)]
    said = re.search(r"%|percent|pct", name.lower()) is not None
    return bool(known.size and looks_like_moisture(name) and (said or np.median(known) > 1.5) and known.max() <= 120)


def looks_like_classes(values: np.ndarray) -> bool:
    """True where numbers are few whole ones that repeat.

    Examples
    --------
    >>> looks_like_classes(np.repeat([1.0, 2.0, 3.0], 10)), looks_like_classes(np.arange(30.0))
    (True, False)
    """
    known = values[np.isfinite(values)]
    distinct = np.unique(known)
    whole = bool(np.all(known == np.floor(known)))
    return whole and 2 <= distinct.size <= FEW_CLASSES and known.size >= CLASS_REPEATS * distinct.size


def unit_of_name(name: str) -> str:
    """The unit at the end of a name, or in its brackets; empty where there is none.

    Examples
    --------
    >>> unit_of_name("alt_cm"), unit_of_name("Temperature (degC)"), unit_of_name("value")
    ('cm', 'degC', '')
    """
    bracket = re.search(r"[(\[（]([^)\]）]{1,12})[)\]）]\s*$", name)
    if bracket:
        return bracket[1].strip()
    return next((unit for pattern, unit in UNIT_WORDS if re.search(pattern, plain(name))), "")


# ---- layers -----------------------------------------------------------------------------------------------------


def guess_group(name: str, description: str = "") -> tuple[str, str]:
    """Group of a layer and why.

    Examples
    --------
    >>> guess_group("soil_clay_pct")[0], guess_group("slope_deg")[0], guess_group("bio12")[0]
    ('soil', 'terrain', 'climate')
    """
    for text, source in ((name, "name"), (description, "description")):
        for group, words in GROUP_WORDS:
            match = re.search(words, plain(text)) if text else None
            if match:
                return group, f"`{match[0].strip('_')}` in its {source}"
    return "other", "no known word in its name"


def guess_kind(name: str, dtype: str, distinct: tuple[float, ...] | None) -> tuple[str, str]:
    """Continuous or categorical, and why.

    Examples
    --------
    >>> guess_kind("koppen_code", "uint8", tuple(range(30)))[0], guess_kind("ndvi", "int16", None)[0]
    ('categorical', 'continuous')
    """
    whole = distinct is not None and all(float(value).is_integer() for value in distinct)
    if whole and re.search(CATEGORY_WORDS, plain(name)):
        return "categorical", f"{len(distinct)} whole numbers, and its name says so"
    if whole and not dtype.startswith("float") and 2 <= len(distinct) <= FEW_CLASSES:
        return "categorical", f"{len(distinct)} whole numbers only"
    return "continuous", "many values" if distinct is None else f"{len(distinct)} values of type {dtype}"


def guess_layer(
    name: str, *, dtype: str, distinct: tuple[float, ...] | None, unit: str = "", description: str = ""
) -> LayerGuess:
    """Group, kind and unit of a raster band.

    Parameters
    ----------
    name : str
        File name without its suffix.
    dtype : str
        Type of the stored numbers.
    distinct : tuple of float or None
        Its values where they are few; see `alm_core.checking.scan.BandScan`.
    unit, description : str
        What the file declares.
    """
    group, why_group = guess_group(name, description)
    kind, why_kind = guess_kind(name, dtype, distinct)
    found = unit or ("" if kind == "categorical" else unit_of_name(name))
    why_unit = "declared by the file" if unit else "at the end of its name" if found else "not known"
    return LayerGuess(group, kind, found, {"group": why_group, "kind": why_kind, "unit": why_unit})


def is_mask(name: str, distinct: tuple[float, ...] | None) -> bool:
    """True for a layer that is called a mask and holds only 0 and 1."""
    return "mask" in plain(name) and distinct is not None and set(distinct) <= {0.0, 1.0} and 1.0 in distinct


def is_excluding_mask(name: str) -> bool:
    """True for a mask of what is not to be mapped, such as lakes and glaciers."""
    return re.search(EXCLUDING_MASKS, plain(name)) is not None


def skewness(values: np.ndarray) -> float:
    """Third standardised moment of the finite values; 0 where they do not vary."""
    known = values[np.isfinite(values)]
    spread = known.std() if known.size else 0.0
    return float(np.mean(((known - known.mean()) / spread) ** 3)) if spread > 0 else 0.0


def outliers(values: np.ndarray, limit: float) -> np.ndarray:
    """Positions whose robust z (median, MAD) exceeds a limit."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return np.empty(0, int)
    centre = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - centre))
    return np.flatnonzero(np.abs(values - centre) > limit * spread) if spread > 0 else np.empty(0, int)
