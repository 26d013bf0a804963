"""A study from one's own table and folder of rasters: everything guessed, every guess shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.errors import TableError, WorkspaceError
from alm_core.grid import Grid, normal_crs
from alm_core.guessing import (
    ColumnGuess,
    guess_columns,
    is_excluding_mask,
    looks_like_classes,
    looks_like_moisture,
    looks_like_percent,
    looks_projected,
    numeric_columns,
    outliers,
    plain,
    skewness,
    unit_of_name,
)
from alm_core.options import ScreeningOptions, SelectionOptions, SiteOptions, ValidationOptions
from alm_core.raster_folder import BandFacts, RasterFolder, common_grid, read_folder
from alm_core.sites.columns import RAW_FIELDS, parse_dates
from alm_core.sites.faults import Faults
from alm_core.sites.reading import RawTable, read_raw
from alm_core.study import Study
from alm_core.toml_text import TomlText
from alm_core.workspace import atomic_path

UNKNOWN_CRS = "UNKNOWN"
"""Written where no CRS can be guessed: the run stops there with a message that says what to do."""
MOST_SITES = 0.5
"""Part of the sites that must lie on the grid for a reading of their coordinates to be believed."""
BLOCKS_PER_SIDE = 8
SKEWED = 1.0
THICKNESS_WORDS = r"alt(?:_|$)|ald(?:_|$)|thick|厚"


@dataclass(frozen=True)
class Guess:
    """One decision: what it is about, the value taken, why, and what else came into question."""

    what: str
    value: Any
    why: str
    alternatives: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The guess as plain values, for JSON."""
        return {"what": self.what, "value": self.value, "why": self.why, "alternatives": list(self.alternatives)}


@dataclass(frozen=True)
class NewStudy:
    """A study.toml that was written, and every guess in it."""

    path: Path
    guesses: tuple[Guess, ...]

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values, for JSON."""
        return {"path": str(self.path), "guesses": [guess.to_dict() for guess in self.guesses]}


@dataclass
class Draft:
    """A study under way: what was read, what was decided, the text so far."""

    folder: Path
    table_path: Path
    raw: RawTable
    rasters: RasterFolder
    columns: dict[str, ColumnGuess]
    numbers: dict[str, np.ndarray]
    given_crs: str | None
    guesses: list[Guess] = field(default_factory=list)
    text: TomlText = field(default_factory=TomlText)

    def note(self, what: str, value: Any, why: str, alternatives: tuple[str, ...] = ()) -> None:
        """Remember a guess."""
        self.guesses.append(Guess(what, value, why, alternatives))

    def write(self, what: str, key: str, value: Any, why: str, alternatives: tuple[str, ...] = ()) -> None:
        """Remember a guess and write its line."""
        self.note(what, value, why, alternatives)
        others = f"; or {', '.join(alternatives)}" if alternatives else ""
        self.text.line(key, value, why + others)

    def values(self, name: str) -> np.ndarray:
        """Numbers of a field's column; empty where there is none. Usual sentinels are NaN."""
        if name not in self.columns or self.columns[name].column not in self.numbers:
            return np.empty(0)
        numbers = self.numbers[self.columns[name].column].copy()
        for sentinel in SiteOptions.model_fields["sentinels"].default:
            numbers[np.isclose(numbers, sentinel, rtol=1e-6, atol=0)] = np.nan
        return numbers


def new_study(
    folder: str | Path,
    *,
    sites: str | Path,
    covariates: str | Path,
    target: str | None = None,
    crs: str | None = None,
    overwrite: bool = False,
) -> NewStudy:
    """Write a study.toml for a table of sites and a folder of GeoTIFFs.

    Columns, units, groups, kinds, grid, mask and nodata are guessed; each guess stands in the file with its reason as a comment.
    Nothing is copied and no file but study.toml is written. Look it over and run `check` on it before a run.

    Parameters
    ----------
    folder : path
        Where study.toml is written; made where it is not there.
    sites : path
        Site table; see `alm_core.sites.table.read_sites` for the formats.
    covariates : path
        Folder of .tif and .tiff files; folders in it and other files are left alone.
    target : str, optional
        Column to map; default the likeliest.
    crs : str, optional
        CRS of rasters and coordinates that declare none.
    overwrite : bool
        Replace a study.toml that is there.

    Returns
    -------
    NewStudy

    Raises
    ------
    WorkspaceError
        study.toml is there already, or the folder can't be written.
    MissingFileError, TableError, RasterError, CrsError
        The table, the target column, the rasters or `crs` can't be used.
    """
    path = Path(folder) / "study.toml"
    if path.exists() and not overwrite:
        raise WorkspaceError(f"{path} is there already and may hold your changes. Choose another folder, or pass --overwrite.")
    raw = read_raw(sites)
    names = [str(name) for name in raw.frame.columns]
    if target is not None and target not in names:
        raise TableError(f"{sites} has no column {target!r}. Columns found: {', '.join(names)}.")
    columns = guess_columns(raw.frame, geometry=raw.x is not None, target=target)
    draft = Draft(path.parent, Path(sites), raw, read_folder(covariates), columns, numeric_columns(raw.frame), normal_crs(crs))
    _write_study(draft)
    with atomic_path(path) as temporary:
        temporary.write_text(draft.text.text() + "\n", encoding="utf-8", newline="\n")
    Study.load(path)
    return NewStudy(path, tuple(draft.guesses))


def _write_study(draft: Draft) -> None:
    usable = [facts for facts in draft.rasters.bands if not facts.useless and not facts.mask]
    chosen, why_grid = common_grid(usable or list(draft.rasters.bands))
    grid_crs, why_crs = _grid_crs(draft, chosen.grid)
    grid = Grid(grid_crs if grid_crs != UNKNOWN_CRS else None, chosen.grid.transform, chosen.grid.shape)
    _head(draft)
    _target(draft)
    _grid(draft, chosen, why_grid, grid_crs, why_crs)
    _sites(draft, grid, grid_crs)
    _screening(draft)
    _scoring(draft, grid, len(usable))
    _layers(draft, grid_crs)


def _relative(draft: Draft, path: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), draft.folder.resolve())).as_posix()
    except ValueError:
        # Another drive on Windows: there is no way from one to the other.
        return path.resolve().as_posix()


# ---- sections -----------------------------------------------------------------------------------------------------


def _head(draft: Draft) -> None:
    text = draft.text
    text.comment("Written by `python -m alm_core new`. What stands behind a # is the reason of a guess: look each of them over.")
    text.comment("Then: python -m alm_core check study.toml, and python -m alm_core run study.toml")
    text.comment("Sections that are not here keep their defaults; alm_core/options.py lists every option with its unit.")
    text.table("study")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", draft.folder.resolve().name).strip("_-")[:64] or "study"
    draft.write("study.name", "name", name, "name of the folder")
    text.line("title", "")
    text.line("licence", "", 'of the map that you will publish, such as "CC BY 4.0"')
    text.line("seed", 42)
    if any(facts.simulated for facts in draft.rasters.bands):
        draft.write("study.simulated", "simulated", True, "a raster says that it is simulated")


def _target(draft: Draft) -> None:
    values, column = draft.values("value"), draft.columns["value"].column if "value" in draft.columns else ""
    moisture = looks_like_moisture(column) or not column
    draft.text.table("target")
    draft.write(
        "target.name", "name", plain(column) or "volumetric_water_content", "its column" if column else "from raw measurements"
    )
    unit = "m3 m-3" if moisture else unit_of_name(column)
    draft.write(
        "target.unit", "unit", unit, "water content" if moisture else "from its name" if unit else "not known: fill it in"
    )
    if looks_like_classes(values):
        classes = np.unique(values[np.isfinite(values)])
        why = f"{classes.size} whole numbers that repeat"
        draft.write("target.task", "task", "classification", why, ('"regression"',))
        return
    draft.write("target.task", "task", "regression", "many values", ('"classification"',))
    if moisture:
        draft.write("target.minimum", "minimum", 0.0, "a water content is a fraction")
        draft.text.line("maximum", 1.0)
    elif re.search(THICKNESS_WORDS, plain(column)):
        draft.write("target.minimum", "minimum", 0.0, "a thickness is not negative")
    skew = skewness(values)
    if skew > SKEWED and np.nanmin(values) > 0:
        why = f"the values have a long tail (skewness {skew:.1f})"
        draft.note("target values", "as they are", why, ("their logarithm, in a column of its own",))
        draft.text.comment(f"{why[:1].upper()}{why[1:]}: a column with their logarithm may map better.")


def _grid_crs(draft: Draft, grid: Grid) -> tuple[str, str]:
    if grid.crs is not None:
        return grid.crs, "declared by the raster"
    if draft.given_crs is not None:
        return draft.given_crs, "named by you"
    west, south, east, north = grid.bounds
    if max(abs(west), abs(east)) <= 360 and max(abs(south), abs(north)) <= 90:
        return "EPSG:4326", "the rasters declare none, but their bounds can be degrees"
    if draft.raw.crs and draft.raw.x is not None and _share_inside(grid, draft.raw.x, draft.raw.y) > MOST_SITES:
        return normal_crs(draft.raw.crs), "the rasters declare none; the sites' own CRS puts the sites on them"
    return UNKNOWN_CRS, "SET THIS: the rasters declare none. Give an EPSG code such as EPSG:32646"


def _grid(draft: Draft, chosen: BandFacts, why: str, crs: str, why_crs: str) -> None:
    text = draft.text
    text.table("grid")
    width, height = chosen.grid.resolution
    rows, columns = chosen.grid.shape
    draft.write("grid.like", "like", _relative(draft, chosen.path), f"{why}: {columns} x {rows} cells of {width:g} x {height:g}")
    if chosen.grid.crs is None:
        draft.write("grid.crs", "crs", crs, why_crs)
    else:
        draft.note("grid.crs", crs if len(crs) < 40 else "as in the raster", why_crs)
    masks = [facts for facts in draft.rasters.bands if facts.mask and facts.band == 1]
    inside = [facts for facts in masks if not is_excluding_mask(facts.path.stem)]
    for facts in inside[:1]:
        others = tuple(other.path.name for other in inside[1:])
        draft.write("grid.mask", "mask", _relative(draft, facts.path), "called a mask, holds 0 and 1; 1 is mapped", others)
        text.line("mask_values", [1])
    if not inside:
        draft.note(
            "grid.mask",
            None,
            "no raster called a mask of the area to map: every cell is mapped",
            tuple(f.path.name for f in masks),
        )
        text.comment("No mask of the area to map was found: every cell with covariates is mapped.")
    for facts in masks:
        if is_excluding_mask(facts.path.stem):
            text.comment(f"{facts.path.name} masks what is not to be mapped; to use it: mask = its path, mask_values = [0]")


def _share_inside(grid: Grid, x: np.ndarray, y: np.ndarray) -> float:
    known = np.isfinite(x) & np.isfinite(y)
    return float((grid.cell_index(x[known], y[known]) >= 0).mean()) if known.any() else 0.0


def _site_crs(draft: Draft, grid: Grid, grid_crs: str) -> tuple[str, str]:
    if draft.raw.crs is not None and "longitude" not in draft.columns:
        return normal_crs(draft.raw.crs), "declared by the table"
    x, y = draft.values("longitude"), draft.values("latitude")
    if x.size and looks_projected(x, y):
        if _share_inside(grid, x, y) > MOST_SITES:
            return grid_crs, "coordinates are no degrees, and those of the grid fit"
        return draft.given_crs or UNKNOWN_CRS, "named by you" if draft.given_crs else "SET THIS: coordinates are no degrees"
    return "EPSG:4326", "coordinates can be degrees"


def _swapped(draft: Draft, grid: Grid, crs: str) -> bool:
    """True where the sites lie on the grid only with their two coordinates exchanged."""
    x, y = draft.values("longitude"), draft.values("latitude")
    if not x.size or UNKNOWN_CRS in (crs, grid.crs) or grid.crs is None:
        return False
    known = np.isfinite(x) & np.isfinite(y)
    shares = []
    for first, second in ((x[known], y[known]), (y[known], x[known])):
        shares.append(_share_inside(grid, *grid.transform_points(first, second, crs=crs)))
    return shares[0] < MOST_SITES < shares[1]


def _sites(draft: Draft, grid: Grid, grid_crs: str) -> None:
    text, values = draft.text, draft.values("value")
    text.table("sites")
    text.line("table", _relative(draft, draft.table_path))
    crs, why = _site_crs(draft, grid, grid_crs)
    draft.write("sites.crs", "crs", crs, why)
    column = draft.columns["value"].column if "value" in draft.columns else ""
    if values.size and looks_like_percent(column, values):
        draft.write("sites.value_unit", "value_unit", "percent", f"values up to {np.nanmax(values):g}", ('"fraction"',))
    elif values.size and looks_like_moisture(column):
        draft.write("sites.value_unit", "value_unit", "fraction", f"values up to {np.nanmax(values):g}", ('"percent"',))
    else:
        draft.write("sites.value_unit", "value_unit", "as_is", "taken as they are")
    groups = "survey" if "survey" in draft.columns else "method" if "method" in draft.columns else "none"
    draft.write("sites.groups", "groups", groups, "what sites of one kind share; scores are bootstrapped over it")
    _note_sentinels(draft)
    _note_repeats(draft)
    _columns(draft, _swapped(draft, grid, crs))
    if any(name in draft.columns for name in RAW_FIELDS) and "value" not in draft.columns:
        text.table("sites.conversion")
        text.comment("Raw measurements become volumetric water content; see ConversionOptions in alm_core/options.py.")
        draft.note("sites.conversion", "on", "the table has raw measurements and no value")


def _note_sentinels(draft: Draft) -> None:
    found = []
    for name, numbers in draft.numbers.items():
        for sentinel in SiteOptions.model_fields["sentinels"].default:
            count = int(np.isclose(numbers, sentinel, rtol=1e-6, atol=0).sum())
            if count:
                found.append(f"{name}: {count} x {sentinel:g}")
    if found:
        draft.note("sites.sentinels", list(found), "usual numbers for a missing value; they are read as missing")
        draft.text.comment(f"Read as missing: {'; '.join(found)}. Change `sentinels` if one of them is real.")


def _note_repeats(draft: Draft) -> None:
    """Average the rows that share an id, unless depths make them a profile."""
    if "site_id" not in draft.columns:
        return
    ids = draft.raw.frame[draft.columns["site_id"].column].astype(str)
    if not ids.duplicated().any() or "depth" in draft.columns or "depth_top" in draft.columns:
        return
    why = f"{int(ids.duplicated(keep=False).sum())} rows share {ids[ids.duplicated()].nunique()} ids"
    draft.write("sites.repeats", "repeats", "mean", f"{why}: their values are averaged", ('"separate"', '"refuse"'))


def _columns(draft: Draft, swapped: bool) -> None:
    text = draft.text
    text.table("sites.columns")
    other = {"longitude": "latitude", "latitude": "longitude"} if swapped else {}
    for name, guess in draft.columns.items():
        column, why = guess.column, guess.why
        if name in other and other[name] in draft.columns:
            column, why = draft.columns[other[name]].column, "the sites lie on the grid only this way round"
        draft.write(f"sites.columns.{name}", name, column, why, tuple(f"`{item}`" for item in guess.alternatives[:6]))
    used = {guess.column for guess in draft.columns.values()}
    unused = [str(name) for name in draft.raw.frame.columns if str(name) not in used]
    if draft.raw.x is not None:
        text.comment("Coordinates are those of the points.")
    if unused:
        text.comment(f"Not used: {', '.join(unused)}")


def _screening(draft: Draft) -> None:
    text, values = draft.text, draft.values("value")
    text.table("screening")
    limit = ScreeningOptions.model_fields["outlier_z"].default
    far = outliers(values, limit)
    known = int(np.isfinite(values).sum())
    why = f"{far.size} of {known} values lie beyond this robust z; " if known else "robust z beyond which a value is taken out; "
    why += '"off" keeps them all'
    draft.write("screening.outlier_z", "outlier_z", limit, why)
    if "date" in draft.columns:
        column = draft.columns["date"].column
        dates, _ = parse_dates(draft.raw.frame[column], draft.raw.rows, column, Faults(""))
        months = dates.dt.month.dropna().astype(int)
        if len(months):
            counts = ", ".join(f"{month}: {count}" for month, count in months.value_counts().sort_index().items())
            text.line("season_months", sorted(set(months)), f"months of the dates with their number of rows: {counts}", off=True)
            draft.note("screening.season_months", "all", f"rows per month: {counts}", ("name the months to keep",))
    _range_line(draft, "year", "first_year", "years run")
    _range_line(draft, "depth", "depth_minimum_m", "depths run")


def _range_line(draft: Draft, name: str, key: str, words: str) -> None:
    numbers = draft.values(name)
    if np.isfinite(numbers).any():
        low, high = np.nanmin(numbers), np.nanmax(numbers)
        value = int(low) if name == "year" else float(low)
        draft.text.line(key, value, f"{words} from {low:g} to {high:g}", off=True)
        draft.note(f"screening.{key}", "off", f"{words} from {low:g} to {high:g}", ("set a limit",))


def _scoring(draft: Draft, grid: Grid, layers: int) -> None:
    """Block size from the size of the map; selection only where there is something to select."""
    text = draft.text
    text.table("validation")
    middle = slice(grid.shape[0] // 2, grid.shape[0] // 2 + 1)
    width, height = (float(size[0]) for size in grid.cell_size_metres(middle))
    side = np.sqrt(width * grid.shape[1] * height * grid.shape[0]) / 1000
    default = ValidationOptions.model_fields["block_size_km"].default
    size = min(default, float(f"{side / BLOCKS_PER_SIDE:.2g}"))
    draft.write("validation.block_size_km", "block_size_km", size, f"the map is about {side:.3g} km wide")
    if layers <= SelectionOptions.model_fields["minimum_features"].default:
        text.table("selection")
        draft.write("selection.enabled", "enabled", False, f"{layers} covariates leave nothing to select")


def _layers(draft: Draft, grid_crs: str) -> None:
    text = draft.text
    text.lines.append("")
    text.comment("Groups: terrain, soil, vegetation, climate, radar, other. Kinds: continuous, categorical.")
    target = plain(draft.columns["value"].column) if "value" in draft.columns else ""
    for facts in draft.rasters.bands:
        why_off = facts.useless or ("a mask" if facts.mask else "")
        if why_off:
            text.lines.append("")
            text.comment(f"{facts.path.name}, band {facts.band}, is not offered to the learners: {why_off}.")
            draft.note(f"covariate {facts.name}", "left out", why_off)
        else:
            _layer(draft, facts, grid_crs, target)
    for name, fault in draft.rasters.faulty.items():
        text.lines.append("")
        text.comment(f"{name} can't be used: {fault}")
        draft.note(f"file {name}", "left out", fault)
    if draft.rasters.ignored:
        text.lines.append("")
        text.comment(f"Files of other kinds were left alone: {', '.join(draft.rasters.ignored)}")
        draft.note("other files", "left alone", ", ".join(draft.rasters.ignored))


def _layer(draft: Draft, facts: BandFacts, grid_crs: str, target: str) -> None:
    text, guess, what = draft.text, facts.guess, f"covariate {facts.name}"
    text.table("covariates", item=True)
    text.line("name", facts.name)
    text.line("path", _relative(draft, facts.path))
    if facts.band > 1:
        text.line("band", facts.band, facts.description)
    draft.note(what, f"{guess.group}, {guess.kind}{', ' + guess.unit if guess.unit else ''}", "; ".join(guess.why.values()))
    text.line("group", guess.group, guess.why["group"])
    text.line("kind", guess.kind, guess.why["kind"])
    text.line("unit", guess.unit, guess.why["unit"])
    if facts.grid.crs is None:
        text.line("crs", grid_crs, "the file declares none")
    if facts.nodata is not None:
        draft.write(f"{what} nodata", "nodata", facts.nodata, "stands far from all other values and is not declared")
    if facts.scale is not None:
        draft.write(
            f"{what} scale", "scale", facts.scale, f"stored values run from {facts.scan.minimum:g} to {facts.scan.maximum:g}"
        )
    span = facts.scan.high - facts.scan.low
    if (
        guess.kind == "continuous"
        and max(facts.scan.maximum - facts.scan.high, facts.scan.low - facts.scan.minimum) > 5 * span > 0
    ):
        why = f"nearly all values lie in {facts.scan.low:g} to {facts.scan.high:g}, "
        why += f"all in {facts.scan.minimum:g} to {facts.scan.maximum:g}"
        text.comment(f"Outliers: {why}. `minimum` and `maximum` cut them.")
        draft.note(f"{what} outliers", "kept", why, ("minimum", "maximum"))
    shared = {word for word in target.split("_") if len(word) > 2} & set(plain(facts.name).split("_"))
    if shared:
        text.comment(
            f"Shares the word {', '.join(sorted(shared))} with the target: leave it out if it is another map of the target."
        )
        draft.note(
            f"{what} and target", "kept", f"both names have {', '.join(sorted(shared))}: it may be another map of the target"
        )
