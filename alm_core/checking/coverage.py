"""How rasters, mask and sites lie on the grid of a study, and what the rasters say at the sites."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pyproj import Transformer

from alm_core.checking.raster import check_raster
from alm_core.checking.report import Fault, some
from alm_core.checking.scan import scan_band
from alm_core.covariates.alignment import bounds_in, same_crs
from alm_core.covariates.checks import layer_faults
from alm_core.covariates.layers import LayerReader, LayerSource
from alm_core.grid import Grid
from alm_core.sites.faults import name_rows

FULL_COVER = 0.999
COARSER = 10.0
"""Times by which a layer's cells may be larger than the grid's before it is named."""
FINER = 3.0
"""Times by which the grid's cells may be larger than a layer's before averaging is advised."""
MOST_CATEGORIES = 64
STRIP_ROWS = 256
CODES = {
    "RasterError": "raster_unreadable",
    "CrsError": "crs_missing",
    "GridError": "grid_overlap",
    "NodataError": "nodata",
    "TooManyPixelsError": "raster_too_large",
}


@dataclass(frozen=True)
class Places:
    """Sites in the CRS of the grid, with the row of each in its file."""

    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray
    cells: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """True for sites inside the grid."""
        return self.cells >= 0

    def taken(self, chosen: np.ndarray) -> Places:
        """A part of the sites."""
        return Places(self.x[chosen], self.y[chosen], self.rows[chosen], self.cells[chosen])


def site_places(longitude: np.ndarray, latitude: np.ndarray, rows: np.ndarray, grid: Grid) -> Places:
    """Bring sites in degrees onto the grid; those without coordinates are left out."""
    known = np.isfinite(longitude) & np.isfinite(latitude)
    x, y = grid.transform_points(longitude[known], latitude[known], crs="EPSG:4326")
    return Places(x, y, rows[known], grid.cell_index(x, y))


def check_sites_on_grid(places: Places, grid: Grid) -> list[Fault]:
    """Sites inside and outside the grid."""
    outside = ~places.inside
    if not outside.any():
        return []
    shown = f"({', '.join(f'{edge:g}' for edge in grid.bounds)})"
    rows = name_rows(places.rows[outside].tolist())
    if outside.all():
        box = f"({places.x.min():g}, {places.y.min():g}, {places.x.max():g}, {places.y.max():g})"
        text = (
            f"No site lies on the grid {shown}; the sites cover {box}. Check the CRS, the order and the sign of the coordinates."
        )
        return [Fault("sites_outside_grid", "sites", text)]
    text = f"{outside.sum()} of {outside.size} sites lie outside the grid {shown} and can't be used: {rows}."
    return [Fault("sites_outside_grid", "sites", text, "warning")]


def _under(where: str, faults: list[Fault]) -> list[Fault]:
    """The faults of a file, said of the part of the study that names it."""
    return [replace(fault, where=where if fault.where == "file" else f"{where}, {fault.where}") for fault in faults]


def check_layer(layer: LayerSource, grid: Grid | None) -> list[Fault]:
    """One covariate: its file, its numbers, and how it lies on the grid."""
    where = f"covariate {layer.name}"
    found = check_raster(
        layer.path,
        role="covariate",
        band=layer.band,
        crs=layer.crs,
        nodata=layer.nodata,
        unit=layer.unit,
        scale=layer.scale,
        offset=layer.offset,
    )
    faults = _under(where, found)
    if any(fault.severity == "error" for fault in faults) or grid is None:
        return faults
    for fault in layer_faults([layer], grid):
        faults.append(Fault(CODES.get(type(fault).__name__, "covariate"), where, str(fault)))
    if not any(fault.severity == "error" for fault in faults):
        faults += _on_grid(layer, grid, where)
    return faults


def _on_grid(layer: LayerSource, grid: Grid, where: str) -> list[Fault]:
    with LayerReader(layer) as reader:
        faults = _cover(reader.grid, grid, where) + _cell_size(layer, reader.grid, grid, where)
        scan = scan_band(reader.dataset, layer.band, nodata=layer.nodata)
    if layer.kind == "categorical":
        if scan.distinct is None:
            text = f"More than {MOST_CATEGORIES} different values: categories are few. Set kind to continuous, or reclassify it."
            faults.append(Fault("too_many_categories", where, text, "warning"))
        elif not all(float(value).is_integer() for value in scan.distinct):
            text = (
                f"Values such as {next(v for v in scan.distinct if not float(v).is_integer()):g}: categories are whole numbers."
            )
            faults.append(Fault("category_values", where, text))
    return faults


def _cover(source: Grid, grid: Grid, where: str) -> list[Fault]:
    west, south, east, north = bounds_in(grid.crs, source)
    bounds = grid.bounds
    width = min(east, bounds[2]) - max(west, bounds[0])
    height = min(north, bounds[3]) - max(south, bounds[1])
    share = width * height / ((bounds[2] - bounds[0]) * (bounds[3] - bounds[1]))
    if not np.isfinite(share) or share >= FULL_COVER:
        return []
    return [Fault("grid_cover", where, f"Covers {share:.0%} of the grid: nothing is mapped where it has no data.", "warning")]


def _cell_size(layer: LayerSource, source: Grid, grid: Grid, where: str) -> list[Fault]:
    sizes = []
    for one in (source, grid):
        middle = slice(one.shape[0] // 2, one.shape[0] // 2 + 1)
        sizes.append(float(np.sqrt(one.cell_area_square_metres(middle)[0])))
    ratio = sizes[0] / sizes[1]
    if ratio > COARSER:
        text = f"Its cells ({sizes[0]:.4g} m) are {ratio:.0f} times as large as the grid's ({sizes[1]:.4g} m): it adds no detail."
        return [Fault("layer_coarse", where, text, "note")]
    if ratio < 1 / FINER and layer.method in ("nearest", "bilinear", "cubic"):
        better = "mode" if layer.kind == "categorical" else "average"
        text = f"Its cells ({sizes[0]:.4g} m) are {1 / ratio:.0f} times as small as the grid's ({sizes[1]:.4g} m): "
        text += f'{layer.method} takes a few of them only. Set resampling = "{better}".'
        return [Fault("layer_fine", where, text, "note")]
    return []


def values_at_sites(layer: LayerSource, places: Places, grid: Grid) -> np.ndarray:
    """Numbers of the layer's cells under the sites; NaN outside and where missing."""
    with LayerReader(layer) as reader:
        x, y = places.x, places.y
        if reader.grid.crs is not None and grid.crs is not None and not same_crs(reader.grid.crs, grid.crs):
            x, y = Transformer.from_crs(grid.crs, reader.grid.crs, always_xy=True).transform(x, y)
        cells = reader.grid.cell_index(np.asarray(x), np.asarray(y))
        rows, columns = np.divmod(cells, reader.grid.shape[1])
        values = np.full(cells.shape, np.nan)
        # Sites come in strips of rows, so that each stored tile is decoded once.
        for strip in np.unique(rows[cells >= 0] // STRIP_ROWS):
            here = np.flatnonzero((cells >= 0) & (rows // STRIP_ROWS == strip))
            top, left = int(rows[here].min()), int(columns[here].min())
            bottom, right = int(rows[here].max()) + 1, int(columns[here].max()) + 1
            strip_values, _ = reader.read(top, bottom, left, right)
            values[here] = strip_values[rows[here] - top, columns[here] - left]
    return values


def check_values_at_sites(values: dict[str, np.ndarray], places: Places, *, maximum_missing: float) -> list[Fault]:
    """Sites on the grid that no covariate reaches, and those that too few reach; `values` by covariate, NaN where missing."""
    if not values or not places.inside.any():
        return []
    inside = places.inside
    places = places.taken(inside)
    stacked = np.array([np.isnan(column[inside]) for column in values.values()])
    missing = stacked.mean(axis=0)
    nowhere = missing == 1
    faults = []
    if nowhere.any():
        text = f"{nowhere.sum()} of {nowhere.size} sites have no covariate at all: {name_rows(places.rows[nowhere].tolist())}."
        text += " They lie on nodata everywhere (a lake, the sea, outside the rasters). Check their coordinates."
        faults.append(Fault("sites_without_covariates", "sites", text, "error" if nowhere.all() else "warning"))
    few = (missing > maximum_missing) & ~nowhere
    if few.any():
        text = f"{few.sum()} sites lack more than {maximum_missing:.0%} of the covariates and will be screened out: "
        text += f"{name_rows(places.rows[few].tolist())}."
        faults.append(Fault("sites_lack_covariates", "sites", text, "warning"))
    for name, share in zip(values, stacked[:, ~nowhere].mean(axis=1) if not nowhere.all() else (), strict=False):
        if share > maximum_missing:
            text = f"Missing at {share:.0%} of the sites. Check its nodata, or leave it out."
            faults.append(Fault("layer_missing_at_sites", f"covariate {name}", text, "warning"))
    return faults


def check_categories(layer: LayerSource, at_sites: np.ndarray) -> list[Fault]:
    """Categories of the map that no site has: the learners know nothing of them."""
    with LayerReader(layer) as reader:
        scan = scan_band(reader.dataset, layer.band, nodata=layer.nodata)
    if scan.distinct is None:
        return []
    seen = {float(value) for value in np.unique(at_sites[np.isfinite(at_sites)])}
    unseen = [f"{value:g}" for value in scan.distinct if value * layer.scale + layer.offset not in seen]
    if not unseen or not seen:
        return []
    text = f"{len(unseen)} of {len(scan.distinct)} categories have no site: {some(unseen, 12)}. The map is a guess there."
    return [Fault("category_without_site", f"covariate {layer.name}", text, "warning")]


def check_mask(path: Path, values: tuple[int, ...], grid: Grid | None, places: Places | None) -> list[Fault]:
    """The mask: its file, its values, its overlap with the grid, the sites in it."""
    found = check_raster(path, role="mask", band=1, crs=grid.crs if grid is not None else "EPSG:4326")
    faults = _under("grid.mask", found)
    if any(fault.severity == "error" for fault in faults):
        return faults
    layer = LayerSource(name="study mask", path=path, kind="categorical", crs=None)
    with LayerReader(layer) as reader:
        scan = scan_band(reader.dataset, 1)
        mask_grid = reader.grid
    if scan.distinct is not None and scan.whole and not set(map(float, values)) & set(scan.distinct):
        text = (
            f"No cell has a value of mask_values {values}; the mask holds {some([f'{value:g}' for value in scan.distinct], 12)}."
        )
        return [*faults, Fault("mask_empty", "grid.mask_values", f"{text} Nothing would be mapped.")]
    if scan.distinct is None:
        text = "The mask has many different values. A mask has few, of which `mask_values` names those to map."
        faults.append(Fault("mask_values", "grid.mask", text, "warning"))
    if grid is None:
        return faults
    source = mask_grid if mask_grid.crs is not None else Grid(grid.crs, mask_grid.transform, mask_grid.shape)
    west, south, east, north = bounds_in(grid.crs, source)
    if not (west < grid.bounds[2] and grid.bounds[0] < east and south < grid.bounds[3] and grid.bounds[1] < north):
        return [*faults, Fault("grid_overlap", "grid.mask", "The mask does not overlap the grid. Check its CRS and its bounds.")]
    faults += _cover(source, grid, "grid.mask")
    if places is not None and places.inside.any():
        here = np.isin(values_at_sites(layer, places, grid), values)
        outside = places.inside & ~here
        if outside.any():
            rows = name_rows(places.rows[outside].tolist())
            text = f"{outside.sum()} of {outside.size} sites lie on the grid but outside the mask: {rows}."
            faults.append(Fault("sites_outside_mask", "sites", text, "warning" if here.any() else "error"))
    return faults
