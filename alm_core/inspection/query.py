"""Ask a map about one place: value, doubt, members, why, and which sites are like it.

Numbers of the map come from its GeoTIFFs, cell for cell. The explanation is exact TreeSHAP of the cell's covariates, carried
through fusion and bias correction (`alm_core.learning.explanation`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rasterio.windows import Window

from alm_core.covariates.stack import Stack
from alm_core.errors import DomainError
from alm_core.grid import EARTH, Grid
from alm_core.inspection.slices import slice_file, stack_of
from alm_core.learning.applicability import Applicability
from alm_core.mapping.area import LONLAT
from alm_core.mapping.cog import open_raster
from alm_core.mapping.fused_window import FusedWindows
from alm_core.publishing.export import OWN, read_physical, to_lonlat
from alm_core.workspace import Run, read_json

MAPPED, OUTSIDE, MASKED, MISSING = "mapped", "outside", "masked", "missing"
NOTES = {
    MAPPED: "",
    OUTSIDE: "This place lies outside the map.",
    MASKED: "This place lies outside the mask of the study: it was not to be mapped.",
    MISSING: "A covariate is missing here, so nothing was predicted.",
}
ANALOGUE_COLUMNS = ("site_id", "distance", "distance_km", "observed", "predicted", "longitude", "latitude")
RESIDUAL = "residual"
"""Name of the part that a model of the residual adds to the fused value."""
MODELS_HELD = 4


@dataclass(frozen=True)
class Cell:
    """A cell of the grid: its place, and its centre in degrees."""

    row: int
    column: int
    longitude: float
    latitude: float


@dataclass(frozen=True)
class PixelExplanation:
    """Why a cell has its value: ``base`` and the contributions add up to it.

    Attributes
    ----------
    base : float
        The fused value of a place of which nothing is known.
    contributions : dict
        Covariate to its part of the value, the largest first. Where the run adds a model of the residual, its part stands
        under ``residual``.
    groups : dict
        The same summed by group of covariates.
    """

    base: float
    contributions: dict[str, float]
    groups: dict[str, float]

    @property
    def value(self) -> float:
        """What it adds up to."""
        return self.base + sum(self.contributions.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"base": self.base, "contributions": self.contributions, "groups": self.groups}


@dataclass(frozen=True)
class PixelAnswer:
    """What a map says of one place.

    Attributes
    ----------
    longitude, latitude : float
        As asked.
    state : str
        ``mapped``, ``outside`` (of the grid), ``masked`` (not to be mapped) or ``missing`` (a covariate is).
    cell : Cell or None
        None outside the grid.
    value, lower, upper : float or None
        Of the map, or of the scenario; the value of a classification is the code of the class.
    members : dict
        Value by learner; of a classification, probability by ``learner: class``.
    dissimilarity, density : float or None
    inside : bool or None
        Inside the area of applicability; None where the run has none.
    threshold : float or None
        Dissimilarity at the edge of that area.
    covariates : dict
        Name to (value, unit), those that the models use first; NaN where missing.
    explanation : PixelExplanation or None
    analogues : DataFrame
        The nearest training sites in covariate space: ``site_id``, ``distance`` (as the dissimilarity index), ``distance_km``,
        ``observed``, ``predicted`` (out of fold, by the scheme that answers for the map), ``longitude``, ``latitude``.
    unit, scenario, slice : str
        `slice` is empty for the map of the run itself.
    label : str or None
        Name of the class.
    probabilities : dict
        Fused probability by class.
    note : str
        What a user should know: why there is no value, or no explanation.
    """

    longitude: float
    latitude: float
    state: str
    cell: Cell | None = None
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    members: dict[str, float] = field(default_factory=dict)
    dissimilarity: float | None = None
    density: float | None = None
    inside: bool | None = None
    threshold: float | None = None
    covariates: dict[str, tuple[float, str]] = field(default_factory=dict)
    explanation: PixelExplanation | None = None
    analogues: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(ANALOGUE_COLUMNS)))
    unit: str = ""
    scenario: str = OWN
    slice: str = ""
    label: str | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def inside_map(self) -> bool:
        """True where the map has a value."""
        return self.state == MAPPED

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        found = {**vars(self), "inside_map": self.inside_map}
        found["cell"] = None if self.cell is None else vars(self.cell)
        found["explanation"] = None if self.explanation is None else self.explanation.to_dict()
        found["covariates"] = {name: list(pair) for name, pair in self.covariates.items()}
        found["analogues"] = self.analogues.to_dict("records")
        return found


def ask(
    run: Run,
    longitude: float,
    latitude: float,
    *,
    scenario: str | None = None,
    slice: str | None = None,
    explain: bool = True,
    analogues: int = 5,
) -> PixelAnswer:
    """Ask a finished map about one place.

    Parameters
    ----------
    run : Run
    longitude, latitude : float
        Degrees, WGS84; a longitude may be given beyond 180 degrees, as a map that was dragged around the earth does.
    scenario : str, optional
        Name of a saved scenario; by default the study's own fusion, whose value is the pixel of map/fused.tif exactly.
    slice : str, optional
        Name of a slice of time; by default the main one.
    explain : bool
        Explain the value; the models are read at the first call, then kept.
    analogues : int
        How many sites like this place.

    Returns
    -------
    PixelAnswer
        Also for a place outside the map or without a value; `state` and `note` say which.

    Raises
    ------
    DomainError
        Coordinates that are no longitude and latitude.
    StudyError
        No scenario or no slice has this name.
    MissingFileError
        The run has no map yet.
    """
    longitude, latitude = checked_place(longitude, latitude)
    with open_raster(slice_file(run, "fused.tif", slice)) as dataset:
        grid = Grid.from_dataset(dataset)
    facts = _facts(run)
    where = {
        "longitude": longitude,
        "latitude": latitude,
        "unit": facts["unit"],
        "scenario": scenario or OWN,
        "slice": slice or "",
    }
    place = find_cell(grid, longitude, latitude)
    if place is None:
        return PixelAnswer(**where, state=OUTSIDE, note=NOTES[OUTSIDE])
    row, column = place
    window = Window(column, row, 1, 1)
    center_longitude, center_latitude = to_lonlat(grid, grid.x[column : column + 1], grid.y[row : row + 1])
    where["cell"] = Cell(row, column, float(center_longitude[0]), float(center_latitude[0]))
    covariates = _covariates(run, window, facts["features"], slice)
    fused = read_bands(slice_file(run, "fused.tif", slice), window)
    if not math.isfinite(next(iter(fused.values()))):
        state = MISSING if _in_mask(run, window) else MASKED
        return PixelAnswer(**where, state=state, covariates=covariates, note=NOTES[state])
    members = read_bands(slice_file(run, "members.tif", slice), window)
    answer = where | {"state": MAPPED, "covariates": covariates, "members": members}
    answer |= _trust(run, window, facts, slice)
    notes = []
    if facts["classes"] is not None:
        answer |= _class_answer(run, window, facts, next(iter(fused.values())), slice)
        notes.append("The classes of this map are not explained here." if explain else "")
    else:
        answer |= _value_answer(run, window, scenario, next(iter(fused.values())), slice)
        if explain:
            answer["explanation"], note = _explain(run, scenario, answer, facts)
            notes.append(note)
    lacking = [name for name in facts["features"] if math.isnan(covariates[name][0])]
    if lacking:
        notes.append(f"Predicted without {', '.join(lacking)}, missing here: no site can be said to be near.")
    if analogues > 0:
        answer["analogues"] = _analogues(run, covariates, longitude, latitude, analogues)
    return PixelAnswer(**answer, note=" ".join(note for note in notes if note))


def read_bands(path: Path, window: Window) -> dict[str, float]:
    """The numbers of one cell in a raster, by the names of its bands; NaN where missing."""
    with open_raster(path) as dataset:
        names = [name or f"band {number}" for number, name in enumerate(dataset.descriptions, start=1)]
        return {name: float(read_physical(dataset, band, window)[0, 0]) for band, name in enumerate(names, start=1)}


# ---- place --------------------------------------------------------------------------------------------------------------


def checked_place(longitude: float, latitude: float) -> tuple[float, float]:
    """Longitude and latitude as numbers.

    Raises
    ------
    DomainError
        They are no degrees.
    """
    try:
        longitude, latitude = float(longitude), float(latitude)
    except (TypeError, ValueError) as fault:
        raise DomainError(f"A place of {longitude!r}, {latitude!r} came: two numbers in degrees are expected.") from fault
    if not (math.isfinite(longitude) and math.isfinite(latitude)) or abs(latitude) > 90 or abs(longitude) > 540:
        raise DomainError(
            f"Longitude {longitude:g}, latitude {latitude:g} came: degrees are expected, the longitude first, "
            "the latitude from -90 to 90."
        )
    return longitude, latitude


def find_cell(grid: Grid, longitude: float, latitude: float) -> tuple[int, int] | None:
    """Row and column of the cell under a place, by whichever turn of the earth hits the grid."""
    turns = np.array([longitude, longitude - 360.0, longitude + 360.0])
    turns = turns[np.abs(turns) <= 360.0]
    x, y = grid.transform_points(turns, np.full(turns.shape, latitude), crs=LONLAT)
    known = np.isfinite(x) & np.isfinite(y)
    for flat in grid.cell_index(np.asarray(x)[known], np.asarray(y)[known]).tolist():
        if flat >= 0:
            return divmod(flat, grid.shape[1])
    return None


def _in_mask(run: Run, window: Window) -> bool:
    with open_raster(run.file("covariates/mask.tif")) as mask:
        return bool(mask.read(1, window=window)[0, 0] == 1)


def _covariates(run: Run, window: Window, features: tuple[str, ...], slice: str | None = None) -> dict[str, tuple[float, str]]:
    stack = stack_of(run, slice)
    names = (*features, *(name for name in stack.names if name not in features))
    found = {}
    for name in names:
        with open_raster(stack.file(name)) as dataset:
            found[name] = (float(read_physical(dataset, 1, window)[0, 0]), stack.units[name] or dataset.units[0] or "")
    return found


# ---- value --------------------------------------------------------------------------------------------------------------


def _trust(run: Run, window: Window, facts: dict[str, Any], slice: str | None = None) -> dict[str, Any]:
    found = read_bands(slice_file(run, "uncertainty.tif", slice), window)
    # A cell that lacks a covariate has no dissimilarity and is outside all the same.
    known = math.isfinite(found["inside"])
    return {
        "lower": _or_none(found.get("lower")),
        "upper": _or_none(found.get("upper")),
        "dissimilarity": _or_none(found["dissimilarity"]),
        "density": _or_none(found["density"]),
        "inside": bool(found["inside"] == 1) if known else None,
        "threshold": facts["threshold"],
    }


def _or_none(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _value_answer(run: Run, window: Window, scenario: str | None, value: float, slice: str | None = None) -> dict[str, Any]:
    if scenario in (None, OWN):
        return {"value": value}
    with open_raster(slice_file(run, "members.tif", slice)) as members:
        fused = FusedWindows(members, _fusion(run, scenario)).read(window)[:, 0, 0]
    return dict(zip(("value", "lower", "upper"), (_or_none(float(part)) for part in fused), strict=True))


def _class_answer(run: Run, window: Window, facts: dict[str, Any], code: float, slice: str | None = None) -> dict[str, Any]:
    probabilities = read_bands(slice_file(run, "probability.tif", slice), window)
    return {"value": code, "label": facts["classes"].get(str(int(code))), "probabilities": probabilities}


def _fusion(run: Run, scenario: str | None) -> Any:
    from alm_core.scenarios.scenario import load_scenario, scenario_fusion

    return scenario_fusion(run, load_scenario(run, scenario or OWN))


# ---- what is read once per run ------------------------------------------------------------------------------------------


def _facts(run: Run) -> dict[str, Any]:
    return _held_facts(str(run.folder), run.file("models.json").stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _held_facts(folder: str, stamp: int) -> dict[str, Any]:
    """What the answer needs of the options; `stamp` tells an old run from a new one."""
    run = Run(Path(folder))
    options, models = run.record["options"], read_json(run.file("models.json"))
    classes = read_json(run.file("map/map.json"))["classes"] if options["target"]["task"] == "classification" else None
    area = run.folder / "applicability.json"
    trees = [spec["name"] for spec in models["learners"]] == models["saved"]
    return {
        "unit": options["target"]["unit"],
        "features": tuple(models["features"]),
        "learners": tuple(spec["name"] for spec in models["learners"]),
        "classes": classes,
        "trees": trees,
        "residual": bool(options["kriging"]["residual"] or options["bias"]["method"] == "residual"),
        "threshold": read_json(area)["threshold"] if area.is_file() else None,
        "groups": Stack.open(run.folder / "covariates").groups,
    }


@lru_cache(maxsize=MODELS_HELD)
def _held_models(folder: str, stamp: int) -> list[Any]:
    """The fitted members of a run, compiled."""
    from alm_core.learning.model_files import load_learner

    names = _held_facts(folder, stamp)["learners"]
    return [load_learner(Path(folder) / "models", name) for name in names]


def load_models(run: Run) -> list[Any]:
    """The fitted members of a run whose members are all trees; kept between calls, so do not change them."""
    return _held_models(str(run.folder), run.file("models.json").stat().st_mtime_ns)


def own_fusion(run: Run) -> Any:
    """The fusion of a run of regression."""
    from alm_core.learning.fusion import Fusion

    return Fusion.from_dict(read_json(run.file("fusion.json")))


# ---- why ----------------------------------------------------------------------------------------------------------------


def _explain(
    run: Run, scenario: str | None, answer: dict[str, Any], facts: dict[str, Any]
) -> tuple[PixelExplanation | None, str]:
    """The explanation of a mapped cell, or why there is none."""
    if not facts["trees"]:
        return None, "A member of this map is not made of trees, so its value can't be explained exactly."
    from alm_core.learning.explanation import explain_fused, explain_members

    fusion = own_fusion(run) if scenario in (None, OWN) else _fusion(run, scenario)
    models = load_models(run)
    features = np.array([[answer["covariates"][name][0] for name in facts["features"]]], np.float32)
    members = explain_members(models, features)
    predicted = np.stack([model.predict(features) for model in models])
    found = explain_fused(fusion.with_interval(None), members, predicted)
    parts = dict(zip(facts["features"], found.values[0].tolist(), strict=True))
    groups = found.by_group(facts["groups"]).iloc[0].to_dict()
    if facts["residual"]:
        # It is not explained by trees of its own: what the map says more than the fusion is its part.
        parts[RESIDUAL] = groups[RESIDUAL] = answer["value"] - float(found.value[0])
    return PixelExplanation(float(found.base), _by_size(parts), _by_size(groups)), ""


def _by_size(parts: dict[str, float]) -> dict[str, float]:
    return dict(sorted(((name, float(part)) for name, part in parts.items()), key=lambda pair: -abs(pair[1])))


# ---- sites like this place ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sites:
    """Training sites in covariate space, in the order of the points of the area of applicability."""

    area: Applicability
    frame: pd.DataFrame


@lru_cache(maxsize=MODELS_HELD)
def _held_sites(folder: str, stamp: int) -> _Sites | None:
    from alm_core.covariates.samples import Samples

    run = Run(Path(folder))
    if not (run.folder / "applicability.json").is_file():
        return None
    area = Applicability.from_dict(read_json(run.file("applicability.json")))
    samples = Samples.from_parquet(run.file("samples.parquet"))
    # Sites that lack a covariate of the models are not among the points.
    complete = np.isfinite(samples.features[list(area.space.names)].to_numpy(float)).all(axis=1)
    frame = pd.DataFrame({"site_id": samples.site_ids, "observed": samples.target})
    frame[["longitude", "latitude"]] = samples.about[["longitude", "latitude"]].to_numpy(float)
    frame["predicted"] = frame["site_id"].map(out_of_fold(run))
    return _Sites(area, frame[complete].reset_index(drop=True))


def out_of_fold(run: Run) -> pd.Series:
    """Fused out-of-fold prediction of each site by the scheme that answers for the map, averaged over repeats."""
    frame = pd.read_parquet(run.file("out_of_fold.parquet"))
    schemes = list(dict.fromkeys(frame["scheme"]))
    wanted = run.record["options"]["validation"]["headline"]
    rows = frame[frame["scheme"] == (wanted if wanted in schemes else schemes[0])]
    if rows["fused"].dtype.kind == "f":
        return rows.groupby("site_id")["fused"].mean()
    return rows.groupby("site_id")["fused"].agg(lambda labels: labels.mode().iloc[0])


def _analogues(run: Run, covariates: dict[str, tuple[float, str]], longitude: float, latitude: float, count: int) -> pd.DataFrame:
    """The nearest sites in covariate space; none where the run has no area of applicability, or a covariate is missing."""
    held = _held_sites(str(run.folder), run.file("models.json").stat().st_mtime_ns)
    if held is None:
        return pd.DataFrame(columns=list(ANALOGUE_COLUMNS))
    place = held.area.space.place(np.array([[covariates[name][0] for name in held.area.space.names]]))
    if np.isnan(place).any():
        return pd.DataFrame(columns=list(ANALOGUE_COLUMNS))
    distance = np.sqrt(((held.area.points - place) ** 2).sum(axis=1)) / held.area.mean_distance
    nearest = np.argsort(distance, kind="stable")[:count]
    frame = held.frame.iloc[nearest].reset_index(drop=True)
    frame["distance"] = distance[nearest]
    here = np.full(len(frame), longitude), np.full(len(frame), latitude)
    frame["distance_km"] = EARTH.inv(*here, frame["longitude"].to_numpy(), frame["latitude"].to_numpy())[2] / 1000.0
    return frame[list(ANALOGUE_COLUMNS)]
