"""Writing the demo's rasters block by block: bounded memory, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer

from alm_core.grid import Block, Grid
from alm_core.studies.active_layer_moisture.layers import Band, Raster, cell_degrees
from alm_core.studies.active_layer_moisture.truth import TrueLand

TILE = 256
BLOCK = 1024
"""Cells of a block: a multiple of TILE, so that every tile is compressed once; a block needs about 200 MB."""

MARGIN = 16
"""Cells around the mask that are written too: slopes and interpolation at its edge need neighbours."""

WORKERS = 2
WESTERNMOST = {"full": 81.9}
"""Longitude at which the mask of a size ends: no survey of the demo went further west (see SCATTERED_BOX). It leaves the
full size as many cells to map as the published product has, 131 million; the simulated permafrost is wider."""


def place_of(grid: Grid, block: Block, *, seed: int) -> TrueLand:
    """The simulated land at the cell centres of one block.

    Coordinates are cut from those of the whole grid, so that they are the same numbers whatever the block.
    """
    rows, columns = block.slices
    x, y = np.meshgrid(grid.x[columns], grid.y[rows])
    if not grid.is_geographic:
        x, y = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return TrueLand(x, y, cell=cell_degrees(grid), seed=seed)


def stored(values: np.ndarray, raster: Raster) -> np.ndarray:
    """Numbers as the file holds them: scaled and rounded for integer types, NaN as nodata."""
    dtype = np.dtype(raster.dtype)
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    missing = ~np.isfinite(values)
    numbers = np.rint((np.where(missing, 0.0, values) - raster.offset) / raster.scale)
    return np.where(missing, raster.nodata, np.clip(numbers, limits.min, limits.max)).astype(dtype)


def compute(raster: Raster, place: TrueLand) -> np.ndarray:
    """All bands of a raster at some places, ``[band, row, column]``, as stored."""
    return np.stack([stored(np.asarray(band.formula(place)), raster) for band in raster.bands])


def create(path: Path, grid: Grid, raster: Raster, *, seed: int) -> rasterio.io.DatasetWriter:
    """Open a new raster with everything that a reader should know of it."""
    dataset = rasterio.open(
        path,
        "w",
        driver="GTiff",
        crs=grid.crs,
        transform=grid.affine,
        height=grid.shape[0],
        width=grid.shape[1],
        count=len(raster.bands),
        dtype=raster.dtype,
        nodata=raster.nodata,
        tiled=True,
        blockxsize=TILE,
        blockysize=TILE,
        interleave="band",
        compress="zstd",
        zstd_level=1,
        predictor=3 if raster.dtype == "float32" else 2,
        bigtiff="if_safer",
        sparse_ok=True,
    )
    dataset.scales = (raster.scale,) * len(raster.bands)
    dataset.offsets = (raster.offset,) * len(raster.bands)
    dataset.units = tuple(band.unit for band in raster.bands)
    for number, band in enumerate(raster.bands, 1):
        dataset.set_band_description(number, band.description)
        dataset.update_tags(number, NAME=band.name)
    dataset.update_tags(
        SIMULATED="yes",
        TITLE=f"Simulated {', '.join(band.description for band in raster.bands[:3])}",
        DESCRIPTION="Simulated by written formulas for a demo of Active Layer Mapper; measures nothing.",
        SEED=str(seed),
        LICENCE="CC-BY-4.0",
        **raster.tags,
    )
    return dataset


def write_rasters(
    files: Sequence[tuple[Path, Raster]],
    grid: Grid,
    *,
    seed: int,
    tick: Callable[[str], None],
    mask: Raster | None = None,
) -> None:
    """Write rasters that share a grid; blocks are computed two at a time and written in order.

    `tick` is called with a message after each block. With `mask`, one of the rasters, the others are left empty (nodata) in
    every block that lies further than MARGIN cells from its ones: most of a plateau's box is no permafrost.
    """
    blocks = list(grid.blocks(BLOCK, halo=0 if mask is None else MARGIN))
    rasters = [raster for _, raster in files]
    with ExitStack() as stack:
        opened = [stack.enter_context(create(path, grid, raster, seed=seed)) for path, raster in files]

        def work(block: Block) -> list[np.ndarray | None]:
            around = block.padded
            place = place_of(grid, around, seed=seed)
            wanted = rasters if mask is None or (compute(mask, place) == 1).any() else [mask]
            rows, columns = (
                slice(start - padded, stop - padded)
                for start, stop, padded in (
                    (block.row_start, block.row_stop, around.row_start),
                    (block.column_start, block.column_stop, around.column_start),
                )
            )
            return [compute(raster, place)[:, rows, columns] if raster in wanted else None for raster in rasters]

        for block, results in zip(blocks, _in_order(work, blocks), strict=True):
            for file, values in zip(opened, results, strict=True):
                if values is not None:
                    file.write(values, window=block.window)
            tick(f"{len(rasters)} rasters of {grid.shape[1]} x {grid.shape[0]} cells, block {block.name}")


def _in_order(work: Callable[[Block], list[np.ndarray | None]], blocks: Sequence[Block]) -> Iterator[list[np.ndarray | None]]:
    """Results in the order of the blocks, with no more than one block a worker computed ahead."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = [pool.submit(work, block) for block in blocks[:WORKERS]]
        for ahead in range(WORKERS, len(blocks) + WORKERS):
            yield waiting.pop(0).result()
            if ahead < len(blocks):
                waiting.append(pool.submit(work, blocks[ahead]))


def permafrost_mask(place: TrueLand, *, west: float = -180.0) -> np.ndarray:
    """1 where the active layer is mapped, 0 elsewhere and west of `west` degrees."""
    return (place.permafrost & (place.longitude >= west)).astype(np.uint8)


MASK = Raster(
    "permafrost_mask.tif",
    "map",
    "other",
    (Band("permafrost", "class", "1: permafrost without lakes and ice, 0: elsewhere", permafrost_mask),),
    dtype="uint8",
    nodata=255,
)


def mask_of(size: str) -> Raster:
    """The mask of one size of the demo."""
    if size not in WESTERNMOST:
        return MASK
    return replace(MASK, bands=(replace(MASK.bands[0], formula=partial(permafrost_mask, west=WESTERNMOST[size])),))


def true_moisture(place: TrueLand) -> np.ndarray:
    """The truth inside the permafrost, NaN elsewhere."""
    return np.where(place.permafrost, place.moisture, np.nan)


TRUTH = Raster(
    "truth.tif",
    "map",
    "other",
    (Band("vwc", "m3 m-3", "true volumetric water content of the active layer", true_moisture),),
)
