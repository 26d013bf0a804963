"""The numbers of a guided tour: what a stakeholder is told of a map, from what it shows to where not to trust it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from rasterio.enums import Resampling
from rasterio.windows import Window

from alm_core.diagnostics.pairs import coverage_table, site_pairs
from alm_core.diagnostics.scores import headline_scheme
from alm_core.errors import SitesError
from alm_core.grid import Grid
from alm_core.learning.class_metrics import class_scores
from alm_core.learning.metrics import BiasCurves, bias_curves
from alm_core.mapping.cog import open_raster
from alm_core.mapping.true_area import cell_areas
from alm_core.options import StudyOptions
from alm_core.workspace import Run, read_json

EXACT_CELLS = 6_000_000
"""Larger maps are summarised from about so many cells, read through their overviews."""
PLACE_CELLS = 1_200_000
"""Among so many an example is looked for; its numbers are read from the map itself."""
LOW, HIGH = 0.1, 0.9
"""Quantiles of the mapped values that count as a low and a high place."""
TRIES = 40
SQUARE_METRES_PER_SQUARE_KILOMETRE = 1e6


@dataclass(frozen=True)
class MapFacts:
    """What the map shows.

    Attributes
    ----------
    low, median, high : float
        5, 50 and 95 per cent quantiles of the mapped values by area; NaN for classes.
    area_km2 : float
        Mapped area.
    cell_metres : float
        Height of a cell in the middle of the map.
    classes : dict of str to float
        Part of the mapped area of each class; empty for numbers.
    """

    low: float
    median: float
    high: float
    area_km2: float
    cell_metres: float
    classes: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class SiteFacts:
    """What the map stands on.

    Attributes
    ----------
    total, kept : int
    surveys : int
    methods : dict of str to int
        Kept sites per method; empty where the table names none.
    first_year, last_year : int or None
    cells_per_site : float
        Mapped cells for every kept site.
    """

    total: int
    kept: int
    surveys: int
    methods: dict[str, int]
    first_year: int | None
    last_year: int | None
    cells_per_site: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class PullFacts:
    """How far the map is pulled towards the middle, by the honest scheme.

    Attributes
    ----------
    sd_ratio : float
        Spread of the predictions over that of the observations.
    low_observed, low_error : float
        Mean of the lowest tenth of the observed values, and the mean error of the map there.
    high_observed, high_error : float
        The same of the highest tenth.
    word : float
        How far a mapped value is off on average among places with the same mapped value: mean size of the second bias curve
        over the sites. NaN for too few sites.
    """

    sd_ratio: float
    low_observed: float
    low_error: float
    high_observed: float
    high_error: float
    word: float

    @property
    def pulls(self) -> bool:
        """True where low places come out too high and high ones too low."""
        return self.low_error > 0 > self.high_error

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Place:
    """A cell of the map that stands for others.

    Attributes
    ----------
    kind : str
        ``low``, ``high`` or ``outside``.
    longitude, latitude : float
    value, lower, upper : float
        In the unit of the target; NaN bounds where the run has no intervals.
    dissimilarity : float
    """

    kind: str
    longitude: float
    latitude: float
    value: float
    lower: float
    upper: float
    dissimilarity: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class TrustFacts:
    """Where the map may be trusted: parts of the mapped cells, NaN where the run has no area of applicability.

    Attributes
    ----------
    outside : float
        Part outside the area.
    threshold : float
        Dissimilarity at its edge.
    routed : float
        Part that was predicted without some covariates; outside as well, and known without an area too.
    """

    outside: float
    threshold: float
    routed: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


def map_facts(run: Run) -> MapFacts:
    """Summarise the map by area; a large one from a decimated read.

    Raises
    ------
    MissingFileError
        The run has no map yet.
    """
    classes = read_json(run.file("map/map.json"))["classes"]
    with open_raster(run.file("map/fused.tif")) as dataset:
        values, grid, rows, columns = _decimated(dataset, 1, EXACT_CELLS)
    valid = np.isfinite(values)
    area = cell_areas(grid, rows, columns)[valid]
    cells = values[valid]
    mapped = read_json(run.file("map/map.json"))["counts"]["mapped"]
    area_km2 = float(area.mean()) * mapped / SQUARE_METRES_PER_SQUARE_KILOMETRE if area.size else 0.0
    height = float(grid.cell_size_metres(slice(grid.shape[0] // 2, grid.shape[0] // 2 + 1))[1][0])
    if classes:
        parts = {label: float(area[cells == int(code)].sum() / area.sum()) for code, label in classes.items()}
        return MapFacts(np.nan, np.nan, np.nan, area_km2, height, parts)
    low, median, high = weighted_quantiles(cells, area, (0.05, 0.5, 0.95))
    return MapFacts(low, median, high, area_km2, height, {})


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, parts: tuple[float, ...]) -> tuple[float, ...]:
    """Values below which the given parts of the weight lie.

    Examples
    --------
    >>> weighted_quantiles(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 8.0]), (0.05, 0.5))
    (1.0, 3.0)
    """
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    place = np.searchsorted(total, np.asarray(parts) * total[-1], side="left")
    return tuple(float(value) for value in values[order][np.minimum(place, values.size - 1)])


def site_facts(run: Run) -> SiteFacts:
    """Count what the map stands on."""
    sites = pd.read_parquet(run.file("sites.parquet"))
    kept = sites[sites["kept"]]
    years = pd.to_datetime(kept["date"]).dt.year.dropna() if "date" in kept else pd.Series(dtype=float)
    methods = kept["method"].dropna().value_counts() if "method" in kept else pd.Series(dtype=int)
    mapped = read_json(run.folder / "map" / "map.json")["counts"]["mapped"] if (run.folder / "map" / "map.json").is_file() else 0
    return SiteFacts(
        total=len(sites),
        kept=len(kept),
        surveys=int(kept["survey"].nunique()) if "survey" in kept else 0,
        methods={str(name): int(count) for name, count in methods.items()},
        first_year=int(years.min()) if len(years) else None,
        last_year=int(years.max()) if len(years) else None,
        cells_per_site=mapped / len(kept),
    )


def pull_facts(run: Run) -> PullFacts | None:
    """Errors in both tails by the honest scheme; None for classes."""
    metrics = run.metrics()
    if metrics["task"] != "regression":
        return None
    scheme = headline_scheme(metrics)
    pairs = site_pairs(run, scheme)
    low, high = pairs["observed"].quantile([LOW, HIGH])
    lowest, highest = pairs[pairs["observed"] <= low], pairs[pairs["observed"] >= high]
    return PullFacts(
        sd_ratio=float(metrics["schemes"][scheme]["fused"]["sd_ratio"]),
        low_observed=float(lowest["observed"].mean()),
        low_error=float(lowest["residual"].mean()),
        high_observed=float(highest["observed"].mean()),
        high_error=float(highest["residual"].mean()),
        word=_word(pairs["observed"].to_numpy(), pairs["predicted"].to_numpy()),
    )


def pull_curves(run: Run) -> BiasCurves | None:
    """Both bias curves of the fused value by the honest scheme; None for classes or too few sites."""
    metrics = run.metrics()
    if metrics["task"] != "regression":
        return None
    pairs = site_pairs(run, headline_scheme(metrics))
    try:
        return bias_curves(pairs["observed"].to_numpy(), pairs["predicted"].to_numpy())
    except SitesError:
        # the step shows its sentence without a figure
        return None


def _word(observed: np.ndarray, predicted: np.ndarray) -> float:
    try:
        curve = bias_curves(observed, predicted).against_predicted
    except SitesError:
        return float("nan")
    return float(np.abs(np.interp(predicted, curve.grid, curve.mean)).mean())


def hardest_class(run: Run) -> tuple[str, float] | None:
    """The class that is found least often, and the part of its sites that is found; None for numbers."""
    metrics = run.metrics()
    if metrics["task"] != "classification":
        return None
    pairs = site_pairs(run, headline_scheme(metrics))
    labels = np.unique(pairs[["observed", "predicted"]].to_numpy().ravel()).tolist()
    found = class_scores(pairs["observed"].to_numpy(), pairs["predicted"].to_numpy(), labels=labels)["producers_accuracy"]
    known = {name: part for name, part in found.items() if np.isfinite(part)}
    worst = min(known, key=lambda name: known[name])
    return worst, known[worst]


def covered_sites(run: Run) -> float | None:
    """Part of the held-out sites inside their interval, by the honest scheme; None without intervals."""
    metrics = run.metrics()
    if metrics["task"] != "regression":
        return None
    table = coverage_table(run, headline_scheme(metrics))
    return None if table is None else float(table.loc[table["by"] == "all", "coverage"].iloc[0])


def trust_facts(run: Run) -> TrustFacts:
    """Parts of the mapped cells outside the area of applicability, and predicted without some covariates."""
    counts = read_json(run.file("map/map.json"))["counts"]
    routed = counts["routed"] / counts["mapped"] if counts["mapped"] else 0.0
    if not (run.folder / "applicability.json").is_file() or not counts["mapped"]:
        return TrustFacts(float("nan"), float("nan"), routed)
    threshold = read_json(run.folder / "applicability.json")["threshold"]
    return TrustFacts(counts["outside"] / counts["mapped"], float(threshold), routed)


def example_places(run: Run) -> tuple[Place, ...]:
    """A low and a high place inside the area of applicability and one far outside of it.

    They are the cells whose values lie nearest to the tenth and the ninetieth hundredth of the map inside, and to the middle
    of the dissimilarity outside; the numbers are those of the very cell, not means of its neighbours. A kind that the map does
    not have is left out; so are all of them for classes.

    Raises
    ------
    MissingFileError
        The run has no map yet.
    """
    options = StudyOptions.model_validate(run.record["options"])
    if options.target.task != "regression":
        return ()
    with open_raster(run.file("map/fused.tif")) as fused, open_raster(run.file("map/uncertainty.tif")) as trust:
        band = {name: number for number, name in enumerate(trust.descriptions, start=1)}
        value, grid, rows, columns = _decimated(fused, 1, PLACE_CELLS)
        reach = _decimated(trust, band["dissimilarity"], PLACE_CELLS)[0]
        inside = _decimated(trust, band["inside"], PLACE_CELLS)[0]
        known = np.isfinite(reach).any()
        within = np.isfinite(value) & ((inside >= 1) if known else True)
        # Cells predicted without some covariates are outside and have no dissimilarity to be ordered by.
        beyond = np.isfinite(value) & np.isfinite(reach) & (inside <= 0) if known else np.zeros(value.shape, bool)
        wanted = [("low", within, value, LOW), ("high", within, value, HIGH), ("outside", beyond, reach, 0.5)]
        found = [
            _place(fused, trust, band, grid, kind, _nearest_cells(where, order, part, rows, columns))
            for kind, where, order, part in wanted
            if where.any()
        ]
    return tuple(place for place in found if place is not None)


def _decimated(dataset: Any, band: int, cells: int) -> tuple[np.ndarray, Grid, np.ndarray, np.ndarray]:
    """A layer, coarse where it is large (NaN: nodata), its own grid, and the rows and columns of it that were taken."""
    grid = Grid.from_dataset(dataset)
    step = max(1.0, (grid.size / cells) ** 0.5)
    shape = tuple(max(1, round(size / step)) for size in grid.shape)
    stored = dataset.read(band, out_shape=shape, masked=True, resampling=Resampling.nearest)
    scale, offset = np.float32(dataset.scales[band - 1]), np.float32(dataset.offsets[band - 1])
    values = np.ma.filled(stored.astype(np.float32) * scale + offset, np.nan)
    rows, columns = (((np.arange(few) + 0.5) * many / few).astype(int) for few, many in zip(shape, grid.shape, strict=True))
    return values, grid, rows, columns


def _nearest_cells(
    where: np.ndarray, order: np.ndarray, part: float, rows: np.ndarray, columns: np.ndarray
) -> list[tuple[int, int]]:
    """Fine cells under the coarse ones whose value lies nearest to a quantile, nearest first."""
    wanted = np.quantile(order[where], part)
    row, column = np.nonzero(where)
    away = np.abs(order[row, column] - wanted)
    few = np.flatnonzero(away <= np.partition(away, min(TRIES, away.size) - 1)[min(TRIES, away.size) - 1])
    nearest = few[np.lexsort((few, away[few]))][:TRIES]
    return [(int(rows[row[place]]), int(columns[column[place]])) for place in nearest]


def _place(fused: Any, trust: Any, band: dict[str, int], grid: Grid, kind: str, cells: list[tuple[int, int]]) -> Place | None:
    """The first of the cells that holds a value of its own and is of its kind (a coarse cell may be a mean of both)."""
    for row, column in cells:
        window = Window(column, row, 1, 1)
        value = _one(fused, 1, window)
        inside = _one(trust, band["inside"], window)
        if not np.isfinite(value) or (np.isfinite(inside) and (inside <= 0) != (kind == "outside")):
            continue
        longitude, latitude = _degrees(grid, grid.x[column], grid.y[row])
        lower, upper, reach = (_one(trust, band[name], window) for name in ("lower", "upper", "dissimilarity"))
        return Place(kind, longitude, latitude, value, lower, upper, reach)
    return None


def _one(dataset: Any, band: int, window: Window) -> float:
    stored = dataset.read(band, window=window, masked=True)
    if np.ma.getmaskarray(stored).all():
        return float("nan")
    return float(stored.data[0, 0] * dataset.scales[band - 1] + dataset.offsets[band - 1])


def _degrees(grid: Grid, x: float, y: float) -> tuple[float, float]:
    from pyproj import Transformer

    if grid.crs is None or grid.is_geographic:
        return float(x), float(y)
    longitude, latitude = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return float(longitude), float(latitude)
