"""Published maps as layers to compare with: kept beside the runs of a study, scored against a map cell by cell.

A file that somebody brings is checked, and only its numbers are kept: one band, written anew, cut to the surroundings of the map.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from alm_core.covariates.raster import open_raster as open_foreign
from alm_core.errors import CrsError, DomainError, GridError, MissingFileError, RasterError, StudyError, TooManyPixelsError
from alm_core.grid import Block, Grid
from alm_core.mapping.agreement import PairSums
from alm_core.mapping.area_cells import BLOCK
from alm_core.mapping.cog import open_raster, write_cog
from alm_core.mapping.fused_window import FusedWindows
from alm_core.mapping.true_area import cell_areas
from alm_core.publishing.export import OWN, Progress, read_physical
from alm_core.workspace import Run, read_json, write_json

FOLDER = "references"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MAXIMUM_REFERENCES = 50
MAXIMUM_NAME = 120
MAXIMUM_SOURCE = 500
MAXIMUM_CELLS = 2_000_000_000
MAXIMUM_CLASSES = 256
MARGIN_CELLS = 4
KINDS = ("continuous", "category")


@dataclass(frozen=True)
class Reference:
    """A published map of a study.

    Attributes
    ----------
    id : str
    path : Path
    name, unit, source : str
    kind : str
        ``continuous`` or ``category``.
    classes : dict
        Label of each number of a map of classes.
    """

    id: str
    path: Path
    name: str
    unit: str = ""
    source: str = ""
    kind: str = "continuous"
    classes: Mapping[int, str] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values without the path."""
        found = {name: value for name, value in asdict(self).items() if name not in ("path", "id")}
        return found | {"classes": {str(number): label for number, label in (self.classes or {}).items()}}


@dataclass(frozen=True)
class Comparison:
    """How a map and a published one agree, over the cells that both have; every cell counts by its area.

    Attributes
    ----------
    reference, layer, scenario, kind, unit : str
    cells : int
        Cells with both.
    area_km2 : float
    only_map_km2 : float
        Mapped area that the published map does not have.
    mean, reference_mean, mean_difference : float or None
        The difference is map less published map.
    sd, reference_sd, rmse, correlation : float or None
        The correlation is None where one of the two is constant.
    scores : dict
        Of classes: ``overall_accuracy, kappa, quantity_disagreement, allocation_disagreement`` and the rest of
        `alm_core.learning.class_metrics.confusion_scores`, from areas in km2 ``[map, published]``.
    notes : tuple of str
    """

    reference: str
    layer: str
    scenario: str
    kind: str
    unit: str
    cells: int
    area_km2: float
    only_map_km2: float
    mean: float | None = None
    reference_mean: float | None = None
    mean_difference: float | None = None
    sd: float | None = None
    reference_sd: float | None = None
    rmse: float | None = None
    correlation: float | None = None
    scores: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


# ---- keeping ------------------------------------------------------------------------------------------------------------


def add_reference(
    run: Run,
    file: str | Path,
    *,
    name: str,
    unit: str = "",
    source: str = "",
    kind: str = "continuous",
    classes: Mapping[int, str] | None = None,
    band: int = 1,
    scale: float = 1.0,
    offset: float = 0.0,
) -> Reference:
    """Check a GeoTIFF and keep it as a layer of the run's study.

    Parameters
    ----------
    run : Run
        Of the study; the raster is cut to the bounds of its map, so what lies far from it is not kept.
    file : path
        A local GeoTIFF with a CRS.
    name, unit, source : str
        What to call it, the unit of its numbers after `scale`, and how to cite it.
    kind : str
        ``continuous`` or ``category``.
    classes : mapping, optional
        Label of each number of a map of classes.
    band : int
    scale, offset : float
        ``value = stored * scale + offset``, beside what the file itself says; 0.01 turns percent into a fraction.

    Returns
    -------
    Reference

    Raises
    ------
    RasterError, CrsError, TooManyPixelsError
        No GeoTIFF, damaged, rotated, too large, or without a CRS.
    GridError
        It lies outside the map.
    StudyError
        A name, unit or kind that can't be kept, or too many references already.
    """
    _check_words(name, unit, source, kind, scale, offset)
    folder = references_folder(run)
    known = {found.id for found in list_references(run)}
    if len(known) >= MAXIMUM_REFERENCES:
        raise StudyError(f"This study has {MAXIMUM_REFERENCES} published maps already: delete some first.")
    id = _free_id(name, known)
    with contextlib.closing(open_foreign(Path(file), maximum_cells=MAXIMUM_CELLS)) as dataset:
        if not 1 <= band <= dataset.count:
            raise RasterError(f"The raster has {dataset.count} bands, so band {band} is not there.")
        if dataset.crs is None:
            raise CrsError("The raster has no CRS, so nobody knows where it lies. Set one, for example with `gdal_edit -a_srs`.")
        part = _part_on_map(Grid.from_dataset(dataset), _grid(run))
        path = folder / f"{id}.tif"
        result = write_cog(
            path,
            _clean_blocks(dataset, band, part, kind, scale, offset),
            Grid.from_dataset(dataset).window(part),
            band_names=[id],
            units=unit,
            tags={"name": name, "source": source},
            resampling="nearest" if kind == "category" else "average",
        )
    if result.cells_with_data[0] == 0:
        path.unlink()
        raise GridError("The raster holds nothing but nodata on this map. Check its nodata value and the band.")
    reference = Reference(id, path, name, unit, source, kind, dict(classes) if classes else None)
    write_json(folder / f"{id}.json", reference.to_dict())
    return reference


def list_references(run: Run) -> tuple[Reference, ...]:
    """The published maps of a run's study, by id."""
    files = sorted(references_folder(run).glob("*.tif"))
    return tuple(_read(file) for file in files if ID.fullmatch(file.stem) and file.with_suffix(".json").is_file())


def find_reference(run: Run, id: str) -> Reference:
    """A published map by its id.

    Raises
    ------
    StudyError
        The study has none of this id.
    """
    found = {reference.id: reference for reference in list_references(run)}
    if id not in found:
        raise StudyError(f"This study has no published map {str(id)[:64]!r}. It has {', '.join(found) or 'none'}.")
    return found[id]


def delete_reference(run: Run, id: str) -> None:
    """Remove a published map from the study.

    Raises
    ------
    StudyError
        The study has none of this id.
    """
    path = find_reference(run, id).path
    path.unlink(missing_ok=True)
    path.with_suffix(".json").unlink(missing_ok=True)


def references_folder(run: Run) -> Path:
    """Where the published maps of a run's study are."""
    return run.folder.parent / FOLDER


# ---- comparing ----------------------------------------------------------------------------------------------------------


def compare(
    run: Run, reference: Reference | str, *, scenario: str | None = None, layer: str = "fused", progress: Progress | None = None
) -> Comparison:
    """Compare a layer of a run with a published map.

    The published map is brought onto the grid of the run: averaged where its cells are smaller, bilinear where they are larger,
    the nearest cell for classes.

    Parameters
    ----------
    run : Run
    reference : Reference or str
        Or its id.
    scenario : str, optional
        Of the layer ``fused``.
    layer : str
        Id of a layer of the run.
    progress : callable, optional

    Raises
    ------
    StudyError, LayerError
        Unknown reference, scenario or layer.
    DomainError
        The units differ, or one of the two is a map of classes and the other is not.
    GridError
        No cell has both.

    Notes
    -----
    Quantity and allocation disagreement: Pontius and Millones (2011), International Journal of Remote Sensing 32:4407.
    """
    found = find_reference(run, reference) if isinstance(reference, str) else reference
    shown = _layer(run, layer)
    _check_comparable(shown, found, scenario, layer)
    classes = shown.kind == "category"
    sums = PairSums(tuple(sorted({*(shown.classes or {}), *(found.classes or {})})) if classes else None)
    with contextlib.ExitStack() as opened:
        read = _map_reader(run, shown, scenario, opened)
        dataset = opened.enter_context(open_raster(shown.file))
        grid = Grid.from_dataset(dataset)
        warped = opened.enter_context(_on_grid(found, grid, opened))
        blocks = list(grid.blocks(BLOCK))
        for done, block in enumerate(blocks, start=1):
            value = read(block.window)
            if np.isfinite(value).any():
                other = warped.read(1, window=block.window, masked=True).astype(float).filled(np.nan)
                sums.add(value, other, cell_areas(grid, *block.slices) / 1e6)
            if progress is not None:
                progress(done, len(blocks), "comparing")
    if sums.cells == 0:
        raise GridError("The map and the published map have no cell in common.")
    facts = (found.id, layer, scenario or OWN, shown.kind, shown.unit, sums.cells, sums.area, sums.only_map)
    if classes:
        labels = {**(found.classes or {}), **(shown.classes or {})}
        return Comparison(*facts, scores=sums.class_scores([str(labels.get(code, code)) for code in sums.codes or ()]))
    return Comparison(*facts, **sums.scores(), notes=_unit_note(shown.unit, found.unit))


# ---- parts --------------------------------------------------------------------------------------------------------------


def _check_words(name: str, unit: str, source: str, kind: str, scale: float, offset: float) -> None:
    if not name.strip() or len(name) > MAXIMUM_NAME or len(unit) > MAXIMUM_NAME or len(source) > MAXIMUM_SOURCE:
        raise StudyError(
            f"A name of 1 to {MAXIMUM_NAME} characters, a unit of at most {MAXIMUM_NAME} and a source of at most "
            f"{MAXIMUM_SOURCE} are expected."
        )
    if kind not in KINDS or not (math.isfinite(scale) and scale != 0 and math.isfinite(offset)):
        raise StudyError(
            f"Kind {kind!r}, scale {scale}, offset {offset} came: {' or '.join(KINDS)}, and finite numbers, scale not 0."
        )


def _free_id(name: str, known: set[str]) -> str:
    """A file name made of the name's plain letters, with a number where it is taken."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "map"
    found, number = stem, 2
    while found in known:
        found, number = f"{stem}-{number}", number + 1
    return found


def _read(file: Path) -> Reference:
    said = read_json(file.with_suffix(".json"))
    classes = {int(number): str(label) for number, label in (said.get("classes") or {}).items()}
    words = {key: str(said.get(key) or "") for key in ("unit", "source")}
    return Reference(file.stem, file, str(said["name"]), **words, kind=str(said.get("kind") or KINDS[0]), classes=classes or None)


def _grid(run: Run) -> Grid:
    with open_raster(run.file("map/fused.tif")) as dataset:
        return Grid.from_dataset(dataset)


def _part_on_map(source: Grid, target: Grid) -> Block:
    """The cells of a raster in and around the map."""
    from rasterio.warp import transform_bounds

    bounds = target.bounds
    if target.crs is not None and source.crs != target.crs:
        bounds = transform_bounds(target.crs, source.crs, *bounds, densify_pts=51)
    west, south, east, north = bounds
    (top, bottom), (left, right) = source.row_column(np.array([west, east]), np.array([north, south]))
    if not np.isfinite([top, bottom, left, right]).all():
        raise GridError("The raster can't be brought onto the map: its CRS has no place for it.")
    rows, columns = source.shape
    start = max(0, math.floor(top) - MARGIN_CELLS), max(0, math.floor(left) - MARGIN_CELLS)
    stop = min(rows, math.ceil(bottom) + MARGIN_CELLS), min(columns, math.ceil(right) + MARGIN_CELLS)
    if start[0] >= stop[0] or start[1] >= stop[1]:
        raise GridError("The raster lies outside the map. Check that it shows the same region, and its CRS.")
    if (stop[0] - start[0]) * (stop[1] - start[1]) > MAXIMUM_CELLS:
        raise TooManyPixelsError("The raster is too fine for this map. Resample it first, for example with `gdalwarp -tr`.")
    return Block(0, 0, start[0], stop[0], start[1], stop[1], 0, source.shape)


def _clean_blocks(
    dataset: Any, band: int, part: Block, kind: str, scale: float, offset: float
) -> Iterator[tuple[Block, np.ndarray]]:
    grid = Grid.from_dataset(dataset).window(part)
    for block in grid.blocks(BLOCK):
        window = Window(part.column_start + block.column_start, part.row_start + block.row_start, *block.shape[::-1])
        stored = dataset.read(band, window=window, masked=True)
        if np.iscomplexobj(stored):
            raise RasterError("The raster holds complex numbers: real ones are expected.")
        own = dataset.scales[band - 1], dataset.offsets[band - 1]
        values = np.ma.filled(stored.astype(float) * own[0] + own[1], np.nan) * scale + offset
        if kind == "category":
            whole = np.where(np.isfinite(values), values, 0)
            if (whole != np.rint(whole)).any() or whole.min() < 0 or whole.max() >= MAXIMUM_CLASSES:
                raise DomainError("A map of classes holds whole numbers from 0 to 255. Say that the map is continuous.")
        yield block, np.where(np.isfinite(values), values, np.nan).astype(np.float32)


def _layer(run: Run, layer: str) -> Any:
    from alm_core.serving.catalogue import find_layer

    return find_layer(run, layer)


def _check_comparable(shown: Any, found: Reference, scenario: str | None, layer: str) -> None:
    if not found.path.is_file():
        raise MissingFileError(f"The published map {found.name!r} is gone. Add it again.")
    if scenario not in (None, OWN) and layer != "fused":
        raise StudyError(f"The layer {layer!r} does not depend on a scenario: leave the scenario out.")
    if shown.id == "width":
        raise StudyError("The width of the interval is not compared with a published map: choose another layer.")
    if shown.kind != found.kind:
        raise DomainError(f"The layer is {shown.kind} and the published map {found.kind}: both must be of one kind.")
    if shown.kind == "continuous" and shown.unit and found.unit and _same(shown.unit) != _same(found.unit):
        raise DomainError(
            f"The layer is in {shown.unit} and the published map in {found.unit}. Add it again with a scale that brings it into "
            f"{shown.unit}, and that unit."
        )


def _same(unit: str) -> str:
    return re.sub(r"[\s*.·]+", " ", unit.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))).strip().lower()


def _unit_note(unit: str, other: str) -> tuple[str, ...]:
    return () if unit and other else ("A unit is not stated: the numbers are compared as they are.",)


def _map_reader(run: Run, shown: Any, scenario: str | None, opened: contextlib.ExitStack) -> Any:
    if scenario in (None, OWN):
        dataset = opened.enter_context(open_raster(shown.file))
        return lambda window: read_physical(dataset, shown.band, window)
    from alm_core.scenarios.scenario import load_scenario, scenario_fusion

    members = opened.enter_context(open_raster(run.file("map/members.tif")))
    windows = FusedWindows(members, scenario_fusion(run, load_scenario(run, scenario)))
    return lambda window: windows.read(window)[0]


def _on_grid(reference: Reference, grid: Grid, opened: contextlib.ExitStack) -> Any:
    """The published map as a raster on the grid of the run, warped as it is read."""
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    dataset = opened.enter_context(open_raster(reference.path))
    source = Grid.from_dataset(dataset)
    finer = grid.size > 0 and _cell_metres(source) < 0.75 * _cell_metres(grid)
    method = Resampling.nearest if reference.kind == "category" else Resampling.average if finer else Resampling.bilinear
    return WarpedVRT(
        dataset,
        crs=grid.crs or source.crs,
        transform=grid.affine,
        height=grid.shape[0],
        width=grid.shape[1],
        resampling=method,
        nodata=float("nan"),
    )


def _cell_metres(grid: Grid) -> float:
    middle = grid.shape[0] // 2
    return float(grid.cell_size_metres(slice(middle, middle + 1))[1][0])
