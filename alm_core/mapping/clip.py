"""Cut layers of a map to a polygon or a box, cell by cell: no resampling, no shift."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from rasterio.errors import RasterioError
from rasterio.windows import Window

from alm_core.errors import GridError, NodataError, RasterError
from alm_core.grid import Block, Grid
from alm_core.mapping.area import LONLAT, Area, box_area, make_area
from alm_core.mapping.area_cells import AreaCells, cells_of
from alm_core.mapping.cog import open_raster, write_cog

Progress = Callable[[int, int, str], None]
STANDARD_LAYERS = {
    "value": ("fused.tif", 1),
    "lower": ("uncertainty.tif", 1),
    "upper": ("uncertainty.tif", 2),
    "dissimilarity": ("uncertainty.tif", 3),
    "inside": ("uncertainty.tif", 5),
}
"""What an export of a regression map holds: band name to file of the map folder and band."""


@dataclass(frozen=True)
class ClipResult:
    """A cut raster.

    Attributes
    ----------
    path : Path
    grid : Grid
        Its cells are cells of the source.
    bands : tuple of str
    cells_inside : int
        Cells of the map inside the area.
    cells_with_data : dict
        Of those, cells of each band that are not nodata.
    notes : tuple of str
        What a user should know: an area that reaches beyond the map, or one without a mapped cell.
    """

    path: Path
    grid: Grid
    bands: tuple[str, ...]
    cells_inside: int
    cells_with_data: dict[str, int]
    notes: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """True where no band holds a single value."""
        return not any(self.cells_with_data.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "path": self.path.as_posix(),
            "grid": self.grid.to_dict(),
            "bands": list(self.bands),
            "cells_inside": self.cells_inside,
            "cells_with_data": self.cells_with_data,
            "empty": self.empty,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class ComputedBands:
    """Bands that are worked out window by window while they are written.

    Attributes
    ----------
    names, units : tuple of str
    grid : Grid
        The whole grid that the windows lie in.
    read : callable
        From a window of the grid to float32 ``[band, row, column]``, NaN where missing.
    tags : mapping
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    grid: Grid
    read: Callable[[Window], np.ndarray]
    tags: Mapping[str, str]


def clip_rasters(
    sources: Mapping[str, tuple[str | Path, int]],
    out: str | Path,
    *,
    area: Area | dict[str, Any] | shapely.Geometry | None = None,
    bounds: Sequence[float] | None = None,
    crs: str | None = LONLAT,
    all_touched: bool = False,
    computed: ComputedBands | None = None,
    tags: Mapping[str, Any] | None = None,
    compression: str = "zstd",
    progress: Progress | None = None,
) -> ClipResult:
    """Write one COG with some layers of a map, cut to a polygon or a box.

    Cells keep their place and their numbers. Not for bringing a map onto another grid. Memory is bounded whatever the size
    of the area.

    Parameters
    ----------
    sources : mapping
        Band name to (file, band), all on one grid; see `STANDARD_LAYERS`.
    out : path
    area : Area, GeoJSON dict or shapely geometry, optional
    bounds : sequence of float, optional
        West, south, east, north; instead of `area`.
    crs : str or None
        CRS of `area` and `bounds`, longitude and latitude by default; None: that of the map. An `Area` and a GeoJSON
        with a ``crs`` member bring their own.
    all_touched : bool
        True: every cell that the area touches; False: cells whose centre lies in it.
    computed : ComputedBands, optional
        Bands that are in no file; they come first.
    tags : mapping, optional
        Added to the tags of the first source.
    compression : str
    progress : callable, optional
        ``progress(done, total, message)``.

    Returns
    -------
    ClipResult
        Integer layers of one kind stay integers; layers of different kinds become float32 physical values.

    Raises
    ------
    GridError
        The area lies outside the map, holds no cell centre, or the sources lie on different grids.
    NodataError
        An integer source declares no nodata.
    RasterError
        A source can't be read, or has no such band.
    """
    if (area is None) == (bounds is None):
        raise GridError("Either an area or bounds are expected, and not both.")
    wanted = box_area(bounds, crs=crs) if bounds is not None else make_area(area, crs=crs)
    with contextlib.ExitStack() as opened:
        layers = _open_layers(sources, opened, computed)
        cells = cells_of(wanted, computed.grid if computed else layers[0].grid, all_touched=all_touched)
        plan = _plan(layers, computed)
        counted = {"inside": 0}
        written = write_cog(
            out,
            _cut_blocks(layers, computed, cells, plan, counted, progress),
            cells.grid,
            band_names=[*(computed.names if computed else ()), *(layer.name for layer in layers)],
            units=[*(computed.units if computed else ()), *(layer.unit for layer in layers)],
            dtype=plan.dtype,
            nodata=plan.nodata,
            scale=plan.scale,
            offset=plan.offset,
            tags={**(computed.tags if computed else layers[0].tags), **(tags or {})},
            compression=compression,
            resampling="mode" if plan.dtype == "uint8" else "average",
        )
    _tell(progress, 2 * cells.count, 2 * cells.count, "written")
    with_data = dict(zip(written.bands, written.cells_with_data, strict=True))
    notes = _notes(cells.beyond, counted["inside"], with_data)
    return ClipResult(Path(out), cells.grid, written.bands, counted["inside"], with_data, notes)


# ---- parts --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layer:
    """One band of an open source."""

    name: str
    dataset: rasterio.DatasetReader
    band: int
    grid: Grid

    @property
    def dtype(self) -> str:
        return self.dataset.dtypes[self.band - 1]

    @property
    def nodata(self) -> float | None:
        return self.dataset.nodatavals[self.band - 1]

    @property
    def scaling(self) -> tuple[float, float]:
        return self.dataset.scales[self.band - 1], self.dataset.offsets[self.band - 1]

    @property
    def unit(self) -> str:
        return self.dataset.units[self.band - 1] or ""

    @property
    def tags(self) -> dict[str, str]:
        return {key: value for key, value in self.dataset.tags().items() if key != "AREA_OR_POINT"}


@dataclass(frozen=True)
class _Plan:
    """How the cut raster stores its numbers."""

    dtype: str
    nodata: float | None
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @property
    def raw(self) -> bool:
        """True where the stored integers are copied as they are."""
        return self.dtype != "float32"


def _open_layers(
    sources: Mapping[str, tuple[str | Path, int]], opened: contextlib.ExitStack, computed: ComputedBands | None
) -> list[_Layer]:
    if not sources and computed is None:
        raise RasterError("No layers to cut were given. Name at least one, such as value.")
    layers: list[_Layer] = []
    for name, (path, band) in sources.items():
        dataset = opened.enter_context(open_raster(path))
        if not 1 <= band <= dataset.count:
            raise RasterError(f"{path} has {dataset.count} bands, so band {band} ({name}) is not there.")
        layer = _Layer(name, dataset, band, Grid.from_dataset(dataset))
        if np.issubdtype(layer.dtype, np.integer) and layer.nodata is None:
            raise NodataError(f"{path} holds integers without nodata, so cells outside the area have no number. Declare one.")
        if layers and layer.grid != layers[0].grid:
            raise GridError(
                f"{path} ({name}) lies on another grid than {layers[0].dataset.name}: {layer.grid.shape} cells in "
                f"{_box(layer.grid.bounds)} against {layers[0].grid.shape} in {_box(layers[0].grid.bounds)}."
            )
        layers.append(layer)
    return layers


def _plan(layers: list[_Layer], computed: ComputedBands | None) -> _Plan:
    if computed is not None:
        count = len(computed.names) + len(layers)
        return _Plan("float32", None, (1.0,) * count, (0.0,) * count)
    kinds = {(layer.dtype, layer.nodata) for layer in layers}
    dtype, nodata = next(iter(kinds))
    if len(kinds) == 1 and dtype in ("int16", "uint8"):
        scale, offset = zip(*(layer.scaling for layer in layers), strict=True)
        return _Plan(dtype, nodata, scale, offset)
    return _Plan("float32", None, (1.0,) * len(layers), (0.0,) * len(layers))


def _cut_blocks(
    layers: list[_Layer],
    computed: ComputedBands | None,
    cells: AreaCells,
    plan: _Plan,
    counted: dict[str, int],
    progress: Progress | None,
) -> Iterator[tuple[Block, np.ndarray]]:
    for done, part in enumerate(cells.blocks(), start=1):
        counted["inside"] += int(part.inside.sum())
        bands = [_cut(layer, part.window, part.inside, plan) for layer in layers]
        if computed is not None:
            bands = [*np.where(part.inside, computed.read(part.window), np.float32(np.nan)), *bands]
        yield part.block, np.stack(bands)
        # Half of the time goes into compressing the finished raster.
        _tell(progress, done, 2 * cells.count, "reading" if done < cells.count else "compressing")


def _tell(progress: Progress | None, done: int, total: int, message: str) -> None:
    if progress is not None:
        progress(done, total, message)


def _cut(layer: _Layer, window: Window, inside: np.ndarray, plan: _Plan) -> np.ndarray:
    try:
        stored = layer.dataset.read(layer.band, window=window)
    except RasterioError as fault:
        raise RasterError(f"{layer.dataset.name} can't be read to its end ({fault}). It may be truncated.") from fault
    if plan.raw:
        return np.where(inside, stored, stored.dtype.type(layer.nodata))
    scale, offset = layer.scaling
    values = stored.astype(np.float32) if (scale, offset) == (1.0, 0.0) else stored * scale + offset
    missing = ~inside if layer.nodata is None or np.isnan(layer.nodata) else ~inside | (stored == layer.nodata)
    return np.where(missing, np.nan, values).astype(np.float32)


def _notes(beyond: bool, inside: int, cells: dict[str, int]) -> tuple[str, ...]:
    notes = []
    if beyond:
        notes.append("The area reaches beyond the map; only the part on the map was cut.")
    if inside == 0:
        notes.append("No cell centre lies in the area: the raster holds nothing but nodata.")
    elif not any(cells.values()):
        notes.append(f"None of the {inside} cells in the area was mapped: the raster holds nothing but nodata.")
    return tuple(notes)


def _box(bounds: Sequence[float]) -> str:
    west, south, east, north = (f"{value:.6g}" for value in bounds)
    return f"west {west}, south {south}, east {east}, north {north}"
