"""Grids and files of the layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from alm_core.grid import Block
from alm_core.studies.active_layer_moisture.field_sites import SCATTERED_BOX
from alm_core.studies.active_layer_moisture.layers import RASTERS, Band, Raster, map_grid, native_grid
from alm_core.studies.active_layer_moisture.recipe import NATIVES
from alm_core.studies.active_layer_moisture.truth import TrueLand
from alm_core.studies.active_layer_moisture.writing import (
    MARGIN,
    MASK,
    TRUTH,
    WESTERNMOST,
    compute,
    mask_of,
    place_of,
    stored,
    write_rasters,
)

PUBLISHED_BOUNDS = (68.02444444444444, 25.81388888888889, 104.6825, 39.805)
ON_THE_MAP = (*(raster for raster in RASTERS if raster.native == "map"), MASK, TRUTH)


def test_full_grid_is_that_of_the_published_product() -> None:
    """Corner, cell size and number of cells agree; the stated bounds differ by less than a cell."""
    grid = map_grid("full")
    assert grid.shape == (16790, 43990)
    assert np.abs(np.subtract(grid.bounds, PUBLISHED_BOUNDS)).max() < 1 / 1200


@pytest.mark.parametrize("size", ["small", "medium"])
def test_smaller_sizes_cover_the_same_region(size: str) -> None:
    """The boxes of small and medium hold the published one and are hardly larger."""
    west, south, east, north = map_grid(size).bounds
    assert west <= PUBLISHED_BOUNDS[0] < west + 0.06
    assert south <= PUBLISHED_BOUNDS[1] < south + 0.06
    assert east - 0.06 < PUBLISHED_BOUNDS[2] <= east
    assert north - 0.06 < PUBLISHED_BOUNDS[3] <= north


@pytest.mark.parametrize("native", NATIVES)
@pytest.mark.parametrize("size", ["small", "full"])
def test_every_layer_covers_the_map(native: str, size: str) -> None:
    """Every corner of the map lies inside every native grid."""
    target = map_grid(size)
    grid = native_grid(native, target)
    west, south, east, north = target.bounds
    inner = 1e-9
    x = np.array([west + inner, west + inner, east - inner, east - inner])
    y = np.array([south + inner, north - inner, south + inner, north - inner])
    if native == "albers":
        x, y = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(x, y)
    assert (grid.cell_index(x, y) >= 0).all()


def test_full_size_blocks_do_not_depend_on_their_cut() -> None:
    """At 3 arc-seconds a part of a block has the bits of the block, in every raster."""
    grid = map_grid("full")
    whole = Block(0, 0, 6000, 6150, 27000, 27180, 0, grid.shape)
    part = Block(0, 0, 6033, 6101, 27017, 27094, 0, grid.shape)
    places = place_of(grid, whole, seed=3), place_of(grid, part, seed=3)
    for raster in ON_THE_MAP:
        expected = compute(raster, places[0])[:, 33:101, 17:94]
        assert np.array_equal(compute(raster, places[1]), expected, equal_nan=True), raster.file


def test_written_blocks_equal_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A raster written in many blocks holds what one computation of the whole grid gives."""
    monkeypatch.setattr("alm_core.studies.active_layer_moisture.writing.BLOCK", 256)
    grid = native_grid("climate", map_grid("small"))
    rasters = [raster for raster in RASTERS if raster.native == "climate"]
    messages: list[str] = []
    write_rasters([(tmp_path / raster.file, raster) for raster in rasters], grid, seed=5, tick=messages.append)
    assert len(messages) == len(list(grid.blocks(256))) > 1
    place = place_of(grid, next(grid.blocks(max(grid.shape))), seed=5)
    for raster in rasters:
        with rasterio.open(tmp_path / raster.file, driver="GTiff") as dataset:
            assert np.array_equal(dataset.read(), compute(raster, place), equal_nan=True)


def test_blocks_far_from_the_mask_stay_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a mask, whole blocks without a mapped cell hold nodata; all others, and the mask itself, are what they were."""
    monkeypatch.setattr("alm_core.studies.active_layer_moisture.writing.BLOCK", 64)
    grid = map_grid("small")
    rasters = [raster for raster in RASTERS if raster.file in ("elevation.tif", "land_cover.tif")]
    for name, mask in (("all", None), ("near", MASK)):
        (tmp_path / name).mkdir()
        files = [(tmp_path / name / raster.file, raster) for raster in (*rasters, MASK)]
        write_rasters(files, grid, seed=5, tick=lambda message: None, mask=mask)
    found = {path: rasterio.open(path).read(1) for path in tmp_path.rglob("*.tif")}
    mask = found[tmp_path / "near" / MASK.file]
    assert np.array_equal(mask, found[tmp_path / "all" / MASK.file])
    left_out = 0
    for raster in rasters:
        everywhere, near = found[tmp_path / "all" / raster.file], found[tmp_path / "near" / raster.file]
        for block in grid.blocks(64, halo=MARGIN):
            empty = not (mask[block.padded.slices] == 1).any()
            left_out += empty
            expected = np.full(block.shape, raster.nodata, near.dtype) if empty else everywhere[block.slices]
            assert np.array_equal(near[block.slices], expected, equal_nan=True)
    assert left_out > 20


def test_full_mask_ends_where_no_survey_went() -> None:
    """Only the full size is cut, in the west; sites are never west of it."""
    assert mask_of("medium") is MASK
    longitude = np.array([80.0, 81.89, 81.91, 92.5])
    place = TrueLand(longitude, np.full(4, 34.8), cell=1 / 1200, seed=7)
    whole, cut = (compute(raster, place)[0] for raster in (MASK, mask_of("full")))
    assert np.array_equal(cut, np.where(longitude > 81.9, whole, 0))
    assert WESTERNMOST["full"] < SCATTERED_BOX[0]


def test_stored_numbers_come_back() -> None:
    """Scale, offset and nodata of an integer raster give the numbers back to half a step."""
    raster = Raster("x.tif", "map", "climate", (Band("x", "degC", "x", lambda place: place),), "uint16", 0.02, -273.15, 0)
    values = np.array([-40.0, 0.013, 55.5, np.nan])
    numbers = stored(values, raster)
    assert numbers.dtype == np.uint16
    assert numbers[3] == 0
    assert numbers[:3] * 0.02 - 273.15 == pytest.approx(values[:3], abs=0.0101)


def test_layers_differ_in_grid_crs_and_type() -> None:
    """The demo exercises what real stacks are like."""
    assert {raster.native for raster in RASTERS} == set(NATIVES)
    assert {"float32", "int16", "uint8", "uint16"} <= {raster.dtype for raster in RASTERS}
    assert {raster.group for raster in RASTERS} == {"terrain", "soil", "vegetation", "climate", "radar"}
    assert any(raster.kind == "categorical" for raster in RASTERS)
