"""Print a layer of a run: an A4 sheet with title, map, legend, scale, north, graticule and where the numbers come from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from rasterio.enums import Resampling
from rasterio.windows import Window

from alm_core.errors import GridError, StudyError
from alm_core.grid import Grid
from alm_core.mapping.area import LONLAT, Area
from alm_core.mapping.change import SIGNIFICANCE
from alm_core.mapping.cog import open_raster
from alm_core.mapping.fused_window import FUSED_BANDS, FusedWindows
from alm_core.mapping.map_frame import Bounds, Projection
from alm_core.mapping.print_figure import FORMATS, PrintLayer, PrintSheet, draw_sheet, sheet_aspect
from alm_core.mapping.print_words import LAYER_NAMES, WORDS, chinese_font, drawable
from alm_core.options import StudyOptions
from alm_core.publishing.export import OWN, Progress, export_name, find_run, wanted_area
from alm_core.workspace import Run

CHANGES = ("change", "trend_per_decade")
VECTORS = Path(__file__).resolve().parents[2] / "assets" / "vectors"
PIXELS = 2000
"""Cells of the picture along the longer side of the map: about what 200 dots per inch show."""
MARGIN = 0.03
"""Part of the shown area that is left free around it."""
WIDE, SQUARE, MOST_GROWTH = 1.93, 1.15, 1.0
"""Width over height of the map with a legend below and beside it, and how far a view is grown towards them."""
LEAST_CELLS = 12
"""Cells that a map shows at least on each side."""
LOOK_PIXELS = 600
"""Cells at which the mapped part of a map is looked for."""


def print_figure(
    run: Run,
    *,
    layer: str = "fused",
    area: Area | dict[str, Any] | None = None,
    bounds: Sequence[float] | None = None,
    scenario: str | None = None,
    palette: str | None = None,
    low: float | None = None,
    high: float | None = None,
    lang: str = "en",
    title: str | None = None,
    format: str = "png",
) -> bytes:
    """Draw a layer for print.

    Parameters
    ----------
    run : Run
    layer : str
        Key of a layer, as `alm_core.serving.catalogue.layers` lists them: its id, ``@`` and a slice where it has one.
    area : Area or GeoJSON dict, optional
        The map shows and fills this area only, and draws its outline.
    bounds : sequence, optional
        West, south, east, north in degrees, instead of an area. By default the mapped part of the map.
    scenario : str, optional
        Of the layer ``fused``.
    palette : str, optional
        A name of `alm_core.palettes.PALETTES`.
    low, high : float, optional
        Values of the first and the last colour.
    lang : str
        ``en`` or ``zh``; English where no installed font has Chinese characters (`alm_core.mapping.print_words.chinese_font`).
    title : str, optional
        Instead of the title of the study.
    format : str
        ``png`` (200 dpi) or ``pdf`` (text as text).

    Returns
    -------
    bytes

    Raises
    ------
    StudyError
        Unknown layer, scenario, palette or format.
    GridError
        The area lies outside the map.
    """
    if format not in FORMATS or lang not in WORDS:
        raise StudyError(f"The format {format!r} in {lang!r} was asked for. Choose from {', '.join(FORMATS)} and en, zh.")
    lang = lang if chinese_font() is not None else "en"
    options = StudyOptions.model_validate(run.record["options"])
    wanted = wanted_area(bbox=bounds, area=area)
    source = _LayerSource(run, layer, scenario)
    shape = wanted.on(source.grid) if wanted is not None else None
    view = _view(source, shape)
    window, cells = _window(source.grid, view)
    values = source.read(window, cells)
    picture_bounds = _window_bounds(source.grid, window)
    outside = _outside(run, source, window, cells)
    if area is not None:
        within = _within(shape, picture_bounds, cells)
        values = np.where(within, values, np.nan)
        outside = None if outside is None else outside & within
    printed = _print_layer(source, values, picture_bounds, options, lang, palette, low, high)
    projection = Projection.of(source.grid)
    sheet = PrintSheet(
        title=title or _title(options, run),
        subtitle=_subtitle(options, printed, source, lang),
        source=_source_line(run, options, source.scenario, lang),
        words=WORDS[lang] | ({"outside": WORDS[lang]["no_trend"]} if source.layer.id in CHANGES else {}),
        simulated=options.study.simulated,
        view=view,
        ground=_ground(run, source.grid, window, cells),
        outside=outside,
        lakes=tuple(_vectors("lakes", view, projection)),
        rivers=tuple(_vectors("rivers", view, projection)),
        outlines=tuple(_rings(shape)) if area is not None and shape is not None else (),
    )
    return draw_sheet(printed, sheet, file_format=format)


def figure_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Progress) -> dict[str, Any]:
    """The job ``figure``: `spec` holds study, run, and any of layer, area, bounds, scenario, palette, low, high, lang, title and
    ``formats`` (some of png, pdf); the files go into `folder`.

    Returns
    -------
    dict
        ``files`` (names) and ``notes``.
    """
    from alm_core.mapping.files import whole_file

    run = find_run(workspace, spec["study"], spec["run"])
    names = ("layer", "area", "bounds", "scenario", "palette", "low", "high", "lang", "title")
    wanted = {name: spec[name] for name in names if spec.get(name) is not None}
    formats = tuple(spec.get("formats") or FORMATS)
    files = []
    for done, file_format in enumerate(formats):
        report(done, len(formats), file_format)
        content = print_figure(run, format=file_format, **wanted)
        name = export_name(run, wanted.get("layer", "fused"), wanted.get("scenario"), suffix=f".{file_format}")
        with whole_file(folder / name, bytes_needed=len(content)) as temporary:
            temporary.write_bytes(content)
        files.append(name)
    report(len(formats), len(formats), "")
    notes = ["No installed font has Chinese characters: the figure is in English."] if english_instead(spec.get("lang")) else []
    return {"files": files, "notes": notes}


def english_instead(lang: str | None) -> bool:
    """True where a Chinese figure would come out in English, because no installed font has the characters."""
    return lang == "zh" and chinese_font() is None


# ---- the layer ----------------------------------------------------------------------------------------------------------


class _LayerSource:
    """Reads a layer at any resolution, by the average of its cells (classes: the nearest)."""

    def __init__(self, run: Run, layer: str, scenario: str | None) -> None:
        from alm_core.serving.catalogue import find_layer

        self.run = run
        self.layer = find_layer(run, layer)
        self.scenario = scenario or OWN
        if self.scenario != OWN and self.layer.id != "fused":
            raise StudyError(f"The layer {layer!r} does not depend on a scenario: leave the scenario out, or ask for fused.")
        with open_raster(self.layer.file) as dataset:
            self.grid = Grid.from_dataset(dataset)
            self.upper = dataset.descriptions.index("upper") + 1 if self.layer.id == "width" else None

    def read(self, window: Window, cells: tuple[int, int]) -> np.ndarray:
        """Values ``[row, column]`` of a window at so many cells."""
        if self.scenario != OWN:
            return self._fused(window, cells)
        with open_raster(self.layer.file) as dataset:
            values = _decimated(dataset, self.layer.band, window, cells, nearest=self.layer.kind == "category")
            if self.upper is not None:
                values = _decimated(dataset, self.upper, window, cells) - values
        return values

    def _fused(self, window: Window, cells: tuple[int, int]) -> np.ndarray:
        from alm_core.scenarios.scenario import load_scenario, scenario_fusion

        fusion = scenario_fusion(self.run, load_scenario(self.run, self.scenario))
        with open_raster(self.layer.file.with_name("members.tif")) as dataset:
            members = np.stack([_decimated(dataset, band, window, cells) for band in range(1, dataset.count + 1)])
            windows = FusedWindows(dataset, fusion)
            known = np.isfinite(members).all(axis=0)
            stored = (members[:, known] - np.array(dataset.offsets)[:, None]) / np.array(dataset.scales)[:, None]
            values = np.full(cells, np.nan)
            values[known] = windows.fuse(stored)[FUSED_BANDS.index("value")]
        return values


def _decimated(dataset: Any, band: int, window: Window, cells: tuple[int, int], *, nearest: bool = False) -> np.ndarray:
    resampling = Resampling.nearest if nearest else Resampling.average
    stored = dataset.read(band, window=window, out_shape=cells, masked=True, resampling=resampling)
    return np.ma.filled(stored.astype(float) * dataset.scales[band - 1] + dataset.offsets[band - 1], np.nan)


def _print_layer(
    source: _LayerSource,
    values: np.ndarray,
    bounds: Bounds,
    options: StudyOptions,
    lang: str,
    palette: str | None,
    low: float | None,
    high: float | None,
) -> PrintLayer:
    from alm_core.palettes import PALETTES, colours

    layer = source.layer
    if palette is not None and palette not in PALETTES:
        raise StudyError(f"There is no palette {str(palette)[:40]!r}. There are {', '.join(PALETTES)}.")
    first, last = (float(found) if given is None else float(given) for found, given in ((layer.low, low), (layer.high, high)))
    if not (math.isfinite(first) and math.isfinite(last) and first < last):
        raise StudyError(f"Colours from {first:g} to {last:g} were asked for: two finite numbers, the lower first, are expected.")
    found = layer.class_colours()
    words = WORDS[lang] if layer.id == "inside" else {}
    labels = {number: words.get(f"class_{label}", label) for number, label in (layer.classes or {}).items()}
    classes = {number: (drawable(label, instead=str(number)), found[number]) for number, label in labels.items()}
    label = layer_name(layer, options, lang)
    return PrintLayer(values, bounds, source.grid, label, layer.unit, colours(palette or layer.palette), first, last, classes)


def layer_name(layer: Any, options: StudyOptions, lang: str) -> str:
    """What a layer is called on paper."""
    names = LAYER_NAMES[lang]
    kind = layer.id.partition(":")[0]
    target = options.target.description or options.target.name.replace("_", " ")
    target = drawable(target[:1].upper() + target[1:], instead=options.target.name)
    text = names.get(kind, "{name}").format(target=target, name=layer.name.replace("_", " "))
    # The main slice is the map itself and not named by the layer; on paper its years belong to it.
    period = layer.slice or (options.main_slice if layer.companions else "")
    return drawable(f"{text}, {period}" if period else text, instead=layer.key)


# ---- where --------------------------------------------------------------------------------------------------------------


def _view(source: _LayerSource, shape: shapely.Geometry | None) -> Bounds:
    """What the map shows: the area with a margin, else the mapped part of the map."""
    grid = source.grid
    west, south, east, north = shape.bounds if shape is not None else _mapped_bounds(source)
    left, bottom, right, top = grid.bounds
    if east <= left or west >= right or north <= bottom or south >= top:
        raise GridError("The area of the figure lies outside the map. Draw it on the map.")
    width, height = grid.resolution
    x_margin = max((east - west) * MARGIN, (LEAST_CELLS * width - (east - west)) / 2)
    y_margin = max((north - south) * MARGIN, (LEAST_CELLS * height - (north - south)) / 2)
    return _filled((west - x_margin, south - y_margin, east + x_margin, north + y_margin), grid)


def _filled(view: Bounds, grid: Grid) -> Bounds:
    """A view grown as far as the grid goes, towards the shape of the sheet, to twice its size at most."""
    west, south, east, north = view
    left, bottom, right, top = grid.bounds
    aspect = sheet_aspect(view, grid)
    wide = WIDE if aspect >= 1 else SQUARE
    grow = min(max(wide / aspect, aspect / wide), 1.0 + MOST_GROWTH) - 1.0
    if aspect < wide:
        west, east = west - (east - west) * grow / 2, east + (east - west) * grow / 2
    else:
        south, north = south - (north - south) * grow / 2, north + (north - south) * grow / 2
    return float(max(left, west)), float(max(bottom, south)), float(min(right, east)), float(min(top, north))


def _mapped_bounds(source: _LayerSource) -> Bounds:
    grid = source.grid
    step = max(1.0, max(grid.shape) / LOOK_PIXELS)
    cells = max(1, round(grid.shape[0] / step)), max(1, round(grid.shape[1] / step))
    values = source.read(Window(0, 0, grid.shape[1], grid.shape[0]), cells)
    rows, columns = np.nonzero(np.isfinite(values))
    west, south, east, north = grid.bounds
    if rows.size == 0:
        return grid.bounds
    width, height = (east - west) / cells[1], (north - south) / cells[0]
    return (
        west + columns.min() * width,
        north - (rows.max() + 1) * height,
        west + (columns.max() + 1) * width,
        north - rows.min() * height,
    )


def _window(grid: Grid, view: Bounds) -> tuple[Window, tuple[int, int]]:
    """The cells of the grid in a view, and at how many cells they are read."""
    (top, bottom), (left, right) = grid.row_column(np.array([view[0], view[2]]), np.array([view[3], view[1]]))
    rows = max(0, math.floor(top)), min(grid.shape[0], math.ceil(bottom))
    columns = max(0, math.floor(left)), min(grid.shape[1], math.ceil(right))
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    step = max(1.0, max(height, width) / PIXELS)
    cells = max(1, round(height / step)), max(1, round(width / step))
    return Window(columns[0], rows[0], width, height), cells


def _window_bounds(grid: Grid, window: Window) -> Bounds:
    width, height = grid.resolution
    west = grid.transform[2] + window.col_off * width
    north = grid.transform[5] - window.row_off * height
    return west, north - window.height * height, west + window.width * width, north


def _within(shape: shapely.Geometry | None, bounds: Bounds, cells: tuple[int, int]) -> np.ndarray:
    from rasterio.features import geometry_mask
    from rasterio.transform import from_bounds

    if shape is None:
        return np.ones(cells, bool)
    return geometry_mask([shape], cells, from_bounds(*bounds, cells[1], cells[0]), invert=True)


def _rings(shape: shapely.Geometry) -> Iterator[np.ndarray]:
    for polygon in shapely.get_parts(shape):
        for ring in (polygon.exterior, *polygon.interiors):
            yield np.asarray(ring.coords)[:, :2]


# ---- what lies under and over it ----------------------------------------------------------------------------------------


def _outside(run: Run, source: _LayerSource, window: Window, cells: tuple[int, int]) -> np.ndarray | None:
    """Where most cells lie outside the area of applicability; not for layers that say nothing of the target.

    A map of change is hatched where no trend is proved.
    """
    from alm_core.serving.catalogue import layers

    if source.layer.id in CHANGES:
        marks = {layer.id: layer for layer in layers(run)}
        if "p_value" not in marks:
            return None
        with open_raster(source.layer.file) as dataset:
            return _decimated(dataset, marks["p_value"].band, window, cells, nearest=True) >= SIGNIFICANCE
    if source.layer.group not in ("value", "members", "uncertainty") or "inside" not in {layer.id for layer in layers(run)}:
        return None
    with open_raster(source.layer.file.with_name("uncertainty.tif")) as dataset:
        return _decimated(dataset, dataset.descriptions.index("inside") + 1, window, cells) < 0.5


def _ground(run: Run, grid: Grid, window: Window, cells: tuple[int, int]) -> np.ndarray | None:
    """The relief in grey, from the study's own elevation; None where it has none on this grid."""
    from alm_core.serving.hillshade import elevation_raster, shade

    raster = elevation_raster(run)
    if raster is None:
        return None
    with open_raster(raster.path) as dataset:
        if Grid.from_dataset(dataset) != grid:
            return None
        heights = np.pad(_decimated(dataset, 1, window, cells), 1, mode="edge")
    rows = slice(int(window.row_off), int(window.row_off + window.height))
    width, height = grid.cell_size_metres(rows)
    down, across = window.height / cells[0], window.width / cells[1]
    middle = np.minimum(((np.arange(cells[0]) + 0.5) * down).astype(int), len(width) - 1)
    return shade(heights, width[middle] * across, height[middle] * down)


def _vectors(name: str, view: Bounds, projection: Projection) -> Iterator[np.ndarray]:
    """Rings and lines of the base map that touch a view, in the CRS of the map."""
    path = VECTORS / f"{name}.geojson"
    if not path.is_file():
        return
    frame = shapely.box(*view)
    for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
        geometry = shapely.from_geojson(json.dumps(feature["geometry"]))
        for part in shapely.get_parts(geometry):
            line = np.asarray((part.exterior if part.geom_type == "Polygon" else part).coords)[:, :2]
            moved = np.column_stack(projection.forward(line[:, 0], line[:, 1]))
            if np.isfinite(moved).all() and shapely.LineString(moved).envelope.intersects(frame):
                yield moved


# ---- words --------------------------------------------------------------------------------------------------------------


def _title(options: StudyOptions, run: Run) -> str:
    return drawable(options.study.title, instead=options.study.name) or options.study.name


def _subtitle(options: StudyOptions, layer: PrintLayer, source: _LayerSource, lang: str) -> str:
    parts = [layer.label]
    if source.layer.group == "uncertainty" and options.target.task == "regression":
        parts.append(WORDS[lang]["level"].format(level=f"{100 * options.uncertainty.level:g} %"))
    if options.map.time and source.layer.group != "covariates":
        parts.append(options.map.time.replace("/", " – "))
    return drawable("  ·  ".join(parts), instead=source.layer.id)


def _source_line(run: Run, options: StudyOptions, scenario: str, lang: str) -> str:
    """Where the map comes from."""
    from alm_core.publishing.citation import SOFTWARE
    from alm_core.publishing.provenance import created, software_version

    words = WORDS[lang]
    head = words["own_run" if scenario == OWN else "run"].format(run=run.id, study=options.study.name, scenario=scenario)
    parts = [
        head,
        drawable(options.study.citation, instead=""),
        options.study.licence,
        created(run)[:10],
        f"{SOFTWARE} {software_version(run)}",
        "WGS 84" if _crs_of(run) == LONLAT else _crs_of(run)[:40],
        words["relief"],
        words["vectors"],
    ]
    return "  ·  ".join(part for part in parts if part)


def _crs_of(run: Run) -> str:
    with open_raster(run.file("map/fused.tif")) as dataset:
        return Grid.from_dataset(dataset).crs or ""
