"""Write a layer of a finished run as GeoTIFF or table: whole or cut to an area, fused as computed or by a scenario.

Nothing is fused for more than the wanted window, and blocks are written as they are made, so the size of a map does not matter.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.covariates.stack import Stack
from alm_core.errors import StudyError
from alm_core.grid import Grid
from alm_core.mapping.area import LONLAT, Area, box_area, make_area, read_area
from alm_core.mapping.area_cells import AreaBlock, all_cells, cells_of
from alm_core.mapping.clip import STANDARD_LAYERS, ComputedBands, clip_rasters
from alm_core.mapping.cog import open_raster
from alm_core.mapping.fused_window import FUSED_BANDS, FusedWindows, mean_weights
from alm_core.mapping.slices import read_slices
from alm_core.options import StudyOptions
from alm_core.workspace import Run, atomic_path

OWN = "study"
"""Name of the scenario that is the study's own fusion."""
TRUST_LAYERS = {"dissimilarity": ("uncertainty.tif", 3), "density": ("uncertainty.tif", 4), "inside": ("uncertainty.tif", 5)}
FUSED_LAYERS = {**{name: STANDARD_LAYERS[name] for name in FUSED_BANDS}, **TRUST_LAYERS}
MAXIMUM_ROWS = 1_000_000
"""Rows of a table: what a spreadsheet can open."""
TABLE_COLUMNS = ("value", "lower", "upper", "dissimilarity", "inside")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes
    ----------
    path : Path
    cells : int
        Cells of the map inside the area.
    valid_cells : int
        Of those, cells with a value.
    bands : tuple of str
        Bands, or columns of a table.
    notes : tuple of str
    """

    path: Path
    cells: int
    valid_cells: int
    bands: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the file by its name alone."""
        return {
            "files": [self.path.name],
            "cells": self.cells,
            "valid_cells": self.valid_cells,
            "bands": list(self.bands),
            "notes": list(self.notes),
        }


def export_layer(
    run: Run,
    out: str | Path,
    *,
    layer: str = "fused",
    clip: str | Path | None = None,
    bbox: Sequence[float] | None = None,
    area: Area | dict[str, Any] | None = None,
    weights: dict[str, float] | None = None,
    scenario: str | None = None,
    layers: Sequence[str] | None = None,
    slice: str = "",
    all_touched: bool = False,
    progress: Progress | None = None,
) -> Export:
    """Write a layer of a run as cloud-optimised GeoTIFF.

    Parameters
    ----------
    run : Run
    out : path
        GeoTIFF to write.
    layer : str
        ``fused`` (value, lower, upper, dissimilarity, density, inside), ``members``, the name of one learner, ``covariate:NAME``,
        ``probability`` of a classification, or ``change`` of a study with slices.
    clip : path, optional
        GeoJSON or GeoPackage with the area.
    bbox : sequence, optional
        West, south, east, north in degrees.
    area : Area or GeoJSON dict, optional
        Instead of a file.
    weights : dict, optional
        Weight of each learner by hand; those not named get 0. Bias correction and intervals are fitted anew for them on the
        same out-of-fold predictions.
    scenario : str, optional
        Name of a saved scenario instead; ``study`` is the study's own.
    layers : sequence of str, optional
        Some bands of `layer` only, in this order.
    slice : str
        Name of a time slice; without it the main one.
    all_touched : bool
        True: every cell that the area touches; False: cells whose centre lies in it.
    progress : callable, optional
        ``progress(done, total, message)``.

    Returns
    -------
    Export

    Raises
    ------
    StudyError
        More than one area, an unknown layer, slice or scenario, or weights for what has none.
    GridError
        The area lies outside the map, or holds no cell.
    """
    options = StudyOptions.model_validate(run.record["options"])
    wanted = wanted_area(clip=clip, bbox=bbox, area=area)
    sources = _chosen(layer_sources(run, options, layer, slice), layers)
    tags: dict[str, Any] = {"layer": layer, **({"slice": slice} if slice else {})}
    with contextlib.ExitStack() as opened:
        computed = None
        if weights is not None or scenario not in (None, OWN):
            _check_refusion(layer, weights, scenario)
            fusion, tags = _refusion(run, weights, scenario, tags)
            wanted_bands = [name for name in sources if name in FUSED_BANDS]
            computed = _computed(run, options, fusion, wanted_bands, opened, slice)
            sources = {name: source for name, source in sources.items() if name not in FUSED_BANDS}
        result = clip_rasters(
            sources,
            out,
            area=wanted if wanted is not None else box_area(_grid(run).bounds, crs=None),
            all_touched=all_touched and wanted is not None,
            computed=computed,
            tags=tags,
            compression=options.map.compression,
            progress=progress,
        )
    return Export(result.path, result.cells_inside, max(result.cells_with_data.values()), result.bands, result.notes)


def export_csv(
    run: Run,
    out: str | Path,
    *,
    clip: str | Path | None = None,
    bbox: Sequence[float] | None = None,
    area: Area | dict[str, Any] | None = None,
    scenario: str | None = None,
    slice: str = "",
    all_touched: bool = False,
    maximum_rows: int = MAXIMUM_ROWS,
    progress: Progress | None = None,
) -> Export:
    """Write the mapped cells of an area as a table: longitude, latitude, value, lower, upper, dissimilarity, inside.

    A classification has no bounds; its value is the code of the class. See `export_layer` for the parameters.

    Parameters
    ----------
    maximum_rows : int
        Mapped cells above which the area is refused.

    Raises
    ------
    StudyError
        The area holds more mapped cells.
    """
    options = StudyOptions.model_validate(run.record["options"])
    wanted = wanted_area(clip=clip, bbox=bbox, area=area)
    grid = _grid(run)
    cells = all_cells(grid) if wanted is None else cells_of(wanted, grid, all_touched=all_touched)
    counted = {"inside": 0, "rows": 0}
    with contextlib.ExitStack() as opened:
        table = _TableReader(run, options, scenario, opened, slice)
        with atomic_path(Path(out)) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
            stream.write(",".join(("longitude", "latitude", *table.columns)) + "\n")
            for done, part in enumerate(cells.blocks(), start=1):
                frame = table.rows(part, grid)
                counted["inside"] += int(part.inside.sum())
                counted["rows"] += len(frame)
                if counted["rows"] > maximum_rows:
                    raise StudyError(
                        f"The area holds more than {maximum_rows:,} mapped cells, too many for a table. "
                        "Draw a smaller area, or export the GeoTIFF."
                    )
                frame.to_csv(stream, index=False, header=False, float_format="%.7g", lineterminator="\n")
                if progress is not None:
                    progress(done, cells.count, "rows")
    notes = () if counted["rows"] else ("No cell in the area was mapped: the table is empty.",)
    columns = ("longitude", "latitude", *table.columns)
    return Export(Path(out), counted["inside"], counted["rows"], columns, notes)


def export_job(spec: dict[str, Any], *, workspace: Path, folder: Path, report: Progress) -> dict[str, Any]:
    """The job ``export``: `spec` holds study, run, and any of layer, slice, scenario, area (GeoJSON), bbox, layers, all_touched,
    and ``format`` (``tif`` or ``csv``); the file goes into `folder`.

    Returns
    -------
    dict
        ``files`` (names), ``cells``, ``valid_cells``, ``bands``, ``notes``.
    """
    run = find_run(workspace, spec["study"], spec["run"])
    area = {name: spec.get(name) for name in ("area", "bbox", "scenario")}
    area |= {"all_touched": bool(spec.get("all_touched", False)), "slice": str(spec.get("slice") or "")}
    if spec.get("format", "tif") == "csv":
        out = folder / export_name(run, "cells", spec.get("scenario"), slice=area["slice"], suffix=".csv")
        return export_csv(run, out, progress=report, **area).to_dict()
    layer = spec.get("layer", "fused")
    out = folder / export_name(run, layer, spec.get("scenario"), slice=area["slice"])
    return export_layer(run, out, layer=layer, layers=spec.get("layers"), progress=report, **area).to_dict()


def export_name(run: Run, layer: str, scenario: str | None, *, slice: str = "", suffix: str = ".tif") -> str:
    """File name of an export, of safe characters only.

    Examples
    --------
    >>> export_name(Run(Path("workspace/small/4af1")), "member:forest", None)
    'ALM_small_member-forest_study.tif'
    """
    parts = (run.folder.parent.name, layer, *([slice] if slice else []), scenario or OWN)
    return "_".join(("ALM", *(re.sub(r"[^A-Za-z0-9_-]+", "-", part)[:64] for part in parts))) + suffix


def find_run(workspace: Path, study: str, run_id: str) -> Run:
    """A run of a workspace, looked up in its list: what comes from a browser is never joined to a path.

    Raises
    ------
    StudyError
        There is none.
    """
    from alm_core.workspace import list_runs

    for run in list_runs(workspace):
        if (run.folder.parent.name, run.id) == (study, run_id):
            return run
    raise StudyError(f"There is no run {str(run_id)[:40]!r} of a study {str(study)[:64]!r} in this workspace.")


# ---- areas and sources --------------------------------------------------------------------------------------------------


def wanted_area(
    *, clip: str | Path | None = None, bbox: Sequence[float] | None = None, area: Area | dict[str, Any] | None = None
) -> Area | None:
    """The area that was asked for in one of three ways; None for the whole map.

    Raises
    ------
    StudyError
        More than one came.
    """
    if sum(value is not None for value in (clip, bbox, area)) > 1:
        raise StudyError("An area file and a box came, or a box and a polygon: give one of --clip, --bbox and area.")
    if bbox is not None:
        return box_area(bbox, crs=LONLAT)
    return read_area(clip) if clip is not None else None if area is None else make_area(area)


def layer_sources(run: Run, options: StudyOptions, layer: str, slice: str = "") -> dict[str, tuple[Path, int]]:
    """Band name to (file, band) of a layer, in a time slice where one is named.

    Raises
    ------
    StudyError
        There is no such layer or slice.
    """
    slices = read_slices(run.folder)
    run.file("map")
    folder = slices.folder(slice)
    names = [learner.name for learner in options.learners]
    classes = options.target.task == "classification"
    layer = layer.removeprefix("member:")
    if layer == "fused":
        return {name: (folder / file, band) for name, (file, band) in (CLASS_LAYERS if classes else FUSED_LAYERS).items()}
    if layer == "members" or layer in names:
        return _bands(folder / "members.tif", None if layer == "members" else layer)
    if layer == "change" and slices.change is not None:
        return _bands(slices.change, None)
    if layer == "probability" and classes:
        return _bands(folder / "probability.tif", None)
    name = layer.removeprefix("covariate:")
    if name != layer and name in {found.name for found in (*options.covariates, *options.derived)}:
        stack = Stack.open(run.file("covariates"))
        return {name: ((stack.at(slice) if slice else stack).file(name), 1)}
    extra = (", probability" if classes else "") + (", change" if slices.change is not None else "")
    raise StudyError(f"There is no layer {layer!r}. The layers are fused, members{extra}, {', '.join(names)}, covariate:NAME.")


CLASS_LAYERS = {"value": ("fused.tif", 1)}
"""A class map is exported alone, as the bytes that it is."""


def _bands(path: Path, learner: str | None) -> dict[str, tuple[Path, int]]:
    """Bands of a raster of members; those of one learner (several for classes) where it is named."""
    with open_raster(path) as dataset:
        names = [name or f"band {number}" for number, name in enumerate(dataset.descriptions, start=1)]
    found = {name: (path, number) for number, name in enumerate(names, start=1)}
    if learner is None:
        return found
    return {name: source for name, source in found.items() if name == learner or name.startswith(f"{learner}: ")}


def _chosen(sources: dict[str, tuple[Path, int]], layers: Sequence[str] | None) -> dict[str, tuple[Path, int]]:
    if layers is None:
        return sources
    unknown = [name for name in layers if name not in sources]
    if unknown or not layers:
        shown = ", ".join(unknown) or "none"
        raise StudyError(f"The bands {shown} were asked for. This layer has {', '.join(sources)}: choose from them.")
    return {name: sources[name] for name in layers}


def _grid(run: Run) -> Grid:
    with open_raster(run.file("map/fused.tif")) as dataset:
        return Grid.from_dataset(dataset)


# ---- fusing anew --------------------------------------------------------------------------------------------------------


def _check_refusion(layer: str, weights: dict[str, float] | None, scenario: str | None) -> None:
    if weights is not None and scenario is not None:
        raise StudyError("Both weights and a scenario came: give one of --weights and --scenario.")
    if layer != "fused":
        raise StudyError("--weights and --scenario go with the layer fused only: leave them out, or ask for --layer fused.")


def _refusion(
    run: Run, weights: dict[str, float] | None, scenario: str | None, tags: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The fusion of a scenario, or of weights by hand, and what the raster says of it."""
    from alm_core.scenarios.scenario import inner_pairs, load_scenario, manual_scenario, scenario_fusion

    wanted = load_scenario(run, scenario) if scenario is not None else manual_scenario(run, weights or {})
    fusion = scenario_fusion(run, wanted)
    used = weights if weights is not None else mean_weights(fusion, inner_pairs(run).members)
    tags = tags | {"fusion": wanted.method, "weights": used, "bias_correction": wanted.correction}
    if wanted.correction == "blend":
        tags["lambda"] = wanted.blend
    return fusion, tags if scenario is None else tags | {"scenario": wanted.name}


def _computed(
    run: Run, options: StudyOptions, fusion: Any, names: Sequence[str], opened: contextlib.ExitStack, slice: str = ""
) -> ComputedBands | None:
    if not names:
        return None
    dataset = opened.enter_context(open_raster(read_slices(run.folder).folder(slice) / "members.tif"))
    windows = FusedWindows(dataset, fusion)
    places = [FUSED_BANDS.index(name) for name in names]
    tags = {key: value for key, value in dataset.tags().items() if key != "AREA_OR_POINT"}
    unit = (options.target.unit,) * len(names)
    return ComputedBands(tuple(names), unit, Grid.from_dataset(dataset), lambda window: windows.read(window)[places], tags)


class _TableReader:
    """Rows of a table, block by block."""

    def __init__(
        self, run: Run, options: StudyOptions, scenario: str | None, opened: contextlib.ExitStack, slice: str = ""
    ) -> None:
        classes = options.target.task == "classification"
        sources = layer_sources(run, options, "fused", slice)
        if classes:
            trust = read_slices(run.folder).folder(slice) / "uncertainty.tif"
            sources |= {name: (trust, band) for name, band in (("dissimilarity", 2), ("inside", 4))}
        self.columns = tuple(name for name in TABLE_COLUMNS if name in sources)
        self._computed = None
        if scenario not in (None, OWN):
            fusion, _ = _refusion(run, None, scenario, {})
            self._computed = _computed(run, options, fusion, FUSED_BANDS, opened, slice)
        computed = FUSED_BANDS if self._computed is not None else ()
        files = {path: opened.enter_context(open_raster(path)) for path in {source[0] for source in sources.values()}}
        self._bands = {name: (files[sources[name][0]], sources[name][1]) for name in self.columns if name not in computed}

    def rows(self, part: AreaBlock, grid: Grid) -> pd.DataFrame:
        """The mapped cells of a block."""
        window = part.window
        found = {name: read_physical(dataset, band, window) for name, (dataset, band) in self._bands.items()}
        if self._computed is not None:
            found |= dict(zip(FUSED_BANDS, self._computed.read(window), strict=True))
        kept = part.inside & np.isfinite(found["value"])
        row, column = np.nonzero(kept)
        x, y = grid.x[part.columns][column], grid.y[part.rows][row]
        longitude, latitude = to_lonlat(grid, x, y)
        frame = pd.DataFrame({"longitude": longitude.round(7), "latitude": latitude.round(7)})
        return frame.assign(**{name: found[name][kept] for name in self.columns})


def read_physical(dataset: Any, band: int, window: Any) -> np.ndarray:
    """One band of a window as physical values, NaN where missing."""
    stored = dataset.read(band, window=window)
    nodata, scale, offset = dataset.nodatavals[band - 1], dataset.scales[band - 1], dataset.offsets[band - 1]
    values = stored if stored.dtype == np.float32 and (scale, offset) == (1.0, 0.0) else stored * scale + offset
    if nodata is None or np.isnan(nodata):
        return values
    return np.where(stored == nodata, np.nan, values)


def to_lonlat(grid: Grid, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of places in the CRS of a grid; a grid without a CRS is taken to be in degrees already."""
    from pyproj import Transformer

    x, y = np.asarray(x, float), np.asarray(y, float)
    if grid.crs is None or grid.crs == LONLAT:
        return x, y
    return Transformer.from_crs(grid.crs, LONLAT, always_xy=True).transform(x, y)
